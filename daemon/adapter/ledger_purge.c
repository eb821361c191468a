/*
 * ledger_purge.c - erasing by the rule what mails and entries say, and what is kept from it for
 * a challenge that somebody holds.
 */
#include "adapter/ledger_care.h"
#include "adapter/ledger_internal.h"

#include <errno.h>
#include <jansson.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>

/* --- purging -------------------------------------------------------------------------------
 */

/* Ids in ascending order, gathered into [first, last] pairs of what is without a gap. */
struct ranges {
	json_t *list;
	int64_t first;
	int64_t last; /* 0: nothing is open */
	size_t count;
};

static void ranges_clear(struct ranges *ranges)
{
	json_decref(ranges->list);
	ranges->list = NULL;
}

static int ranges_close(struct ranges *ranges)
{
	if (ranges->last == 0)
		return 0;
	return json_array_append_new(
		ranges->list,
		json_pack("[I, I]", (json_int_t)ranges->first, (json_int_t)ranges->last));
}

static int ranges_add(struct ranges *ranges, int64_t id)
{
	ranges->count++;
	if (ranges->last != 0 && id == ranges->last + 1) {
		ranges->last = id;
		return 0;
	}
	if (ranges_close(ranges) < 0)
		return -1;
	ranges->first = ranges->last = id;
	return 0;
}

/* Deletes, row by row, what `sql_find` names, and gathers the ids. `sql_blank` (NULL: none) is
 * run for each before it goes. */
static int purge_rows(struct ledger *ledger, const char *sql_find, const char *sql_blank,
		      const char *sql_delete, struct instant before, size_t most,
		      struct ranges *ranges, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	CLEANUP(freep) int64_t *ids = calloc(most + 1, sizeof *ids);
	size_t count = 0;
	int result;

	ranges->list = json_array();
	if (ids == NULL || ranges->list == NULL)
		return error_memory(error);
	result = database_ask(ledger->db, sql_find,
			      VALUES(value_number(before.seconds), value_number((int64_t)most)),
			      &statement, error);
	if (result < 0)
		return result;
	while (count < most && (result = ledger_step(ledger, statement, error)) == 1)
		ids[count++] = sqlite3_column_int64(statement, 0);
	database_finalizep(&statement); /* before its rows go */
	for (size_t i = 0; i < count && result >= 0; i++) {
		if (sql_blank != NULL)
			result = ledger_change(ledger, sql_blank, VALUES(value_number(ids[i])),
					       error);
		if (result >= 0)
			result = ledger_change(ledger, sql_delete, VALUES(value_number(ids[i])),
					       error);
		if (result == 0 && ranges_add(ranges, ids[i]) < 0)
			result = error_memory(error);
	}
	if (result >= 0 && ranges_close(ranges) < 0)
		result = error_memory(error);
	return result < 0 ? result : 0;
}

static json_t *notice_row(struct ledger *ledger, int64_t id, struct error *error)
{
	static const char sql[] = "SELECT " NOTICE_COLUMNS " FROM notice n WHERE n.id = ?1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	struct ledger_notice notice;
	json_t *row;
	int result = ledger_ask(ledger, sql, VALUES(value_number(id)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result == 1)
		result = notice_read(statement, &notice, error);
	else if (result == 0)
		return json_null(); /* it is gone, and so differs */
	if (result < 0)
		return NULL;
	row = notice_facts(&notice);
	if (row == NULL || json_object_set_new(row, "reason", json_string(notice.reason)) < 0 ||
	    json_object_set_new(row, "state", json_integer(notice.state)) < 0 ||
	    json_object_set_new(row, "mail", json_integer(notice.mail)) < 0) {
		json_decref(row);
		(void)error_memory(error);
		return NULL;
	}
	return row;
}

static json_t *ties_row(struct ledger *ledger, int64_t mail, struct error *error)
{
	static const char sql[] = "SELECT notice FROM mail_notice WHERE mail = ?1"
				  " ORDER BY notice";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	json_t *list = json_array();
	int result = ledger_ask(ledger, sql, VALUES(value_number(mail)), &statement, error);

	while (result >= 0 && (result = ledger_step(ledger, statement, error)) == 1)
		if (json_array_append_new(list,
					  json_integer(sqlite3_column_int64(statement, 0))) < 0)
			result = error_memory(error);
	if (result == 0)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *mail_row(struct ledger *ledger, int64_t id, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	struct ledger_mail mail;
	char digits[HEX_SIZE] = "";
	json_t *ties = ties_row(ledger, id, error);
	json_t *row;
	json_t *progress;
	int result = ties != NULL ? mail_find(ledger, id, &statement, &mail, error) : -ENOMEM;

	if (result <= 0) {
		json_decref(ties);
		return result == 0 ? json_null() : NULL;
	}
	if (sqlite3_column_bytes(statement, 14) == HASH_SIZE)
		(void)hex(sqlite3_column_blob(statement, 14), HASH_SIZE, digits);
	row = mail_facts(&mail, digits, ties);
	progress = mail_progress(&mail);
	if (row == NULL || json_object_update(row, progress) < 0 ||
	    json_object_set_new(row, "state", json_integer(mail.state)) < 0 ||
	    json_object_set_new(row, "created", json_instant(mail.created)) < 0 ||
	    json_object_set_new(row, "updated", json_instant(mail.updated)) < 0) {
		json_decref(row);
		row = NULL;
		(void)error_memory(error);
	}
	json_decref(progress);
	return row;
}

static int add_row(struct ledger *ledger, int64_t seq, struct sha256_ctx *sha,
		   struct error *error)
{
	static const char sql[] = "SELECT notice, mail FROM chain WHERE seq = ?1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	CLEANUP(freep) char *text = NULL;
	json_t *row = NULL;
	int result = ledger_ask(ledger, sql, VALUES(value_number(seq)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result < 0)
		return result;
	row = result == 1 && sqlite3_column_int64(statement, 1) != 0
		      ? mail_row(ledger, sqlite3_column_int64(statement, 1), error)
		      : notice_row(ledger, sqlite3_column_int64(statement, 0), error);
	if (row == NULL)
		return -error->code;
	text = chain_text(row, JSON_ENCODE_ANY);
	json_decref(row);
	if (text == NULL)
		return error_memory(error);
	chain_add_string(sha, text);
	return 0;
}

int chain_rows_digest(struct ledger *ledger, const json_t *ranges,
		      char ret[static 2 * HASH_SIZE + 1], struct error *error)
{
	unsigned char digest[HASH_SIZE];
	struct error local = { 0 };
	struct sha256_ctx sha;
	json_t *pair;
	size_t i;

	if (error == NULL)
		error = &local;
	sha256_init(&sha);
	json_array_foreach((json_t *)ranges, i, pair)
	{
		int64_t last = json_integer_value(json_array_get(pair, 1));

		for (int64_t seq = json_integer_value(json_array_get(pair, 0)); seq <= last;
		     seq++) {
			int result = add_row(ledger, seq, &sha, error);

			if (result < 0)
				return result;
		}
	}
	sha256_digest(&sha, sizeof digest, digest);
	(void)hex(digest, sizeof digest, ret);
	return 0;
}

/* Only what is settled for good: a refused mail once its notices have moved on. */
#define MAIL_IS_SETTLED                                                                  \
	"(m.state IN ('accepted', 'cancelled') OR m.state = 'refused' AND NOT EXISTS"    \
	" (SELECT 1 FROM mail_notice mn JOIN notice x ON x.id = mn.notice WHERE mn.mail" \
	" = m.id AND x.mail = m.id))"
/* Nor what tells of a challenge that somebody holds (ledger_hold_challenge). */
#define MAIL_IS_FREE                                                                   \
	"NOT EXISTS (SELECT 1 FROM mail_notice hn JOIN notice hx ON hx.id = hn.notice" \
	" JOIN meta h ON h.name = 'hold:' || hx.challenge WHERE hn.mail = m.id)"
#define OLD_PAYLOADS                                                                   \
	"SELECT p.seq FROM payload p JOIN chain c ON c.seq = p.seq"                    \
	" LEFT JOIN notice n ON n.id = c.notice"                                       \
	" LEFT JOIN mail m ON m.id = CASE c.mail WHEN 0 THEN n.mail ELSE c.mail END"   \
	" WHERE c.at < ?1 AND (c.mail <> 0 OR c.notice <> 0)"                          \
	" AND (" MAIL_IS_SETTLED " OR m.id IS NULL AND n.state = 'cancelled')"         \
	" AND NOT EXISTS (SELECT 1 FROM meta h WHERE h.name = 'hold:' || c.challenge)" \
	" AND " MAIL_IS_FREE " ORDER BY p.seq LIMIT ?2"
#define OLD_BODIES                                                        \
	"SELECT b.mail FROM body b JOIN mail m ON m.id = b.mail"          \
	" WHERE m.updated < ?1 AND " MAIL_IS_SETTLED " AND " MAIL_IS_FREE \
	" ORDER BY b.mail LIMIT ?2"

static int purge(struct ledger *ledger, unsigned parts, struct instant before, size_t most,
		 const char *by, const char *why, struct instant now, size_t *count,
		 struct error *error)
{
	/* The mail's own row says the same as its first entry, and what the relay answered. */
	static const char sql_address[] =
		"UPDATE mail SET recipient = '', reply = '' WHERE id ="
		" (SELECT mail FROM chain WHERE seq = ?1 AND kind = 'rendered')";
	static const char sql_payload[] = "DELETE FROM payload WHERE seq = ?1";
	static const char sql_body[] = "DELETE FROM body WHERE mail = ?1";
	CLEANUP(ranges_clear) struct ranges payloads = { 0 };
	CLEANUP(ranges_clear) struct ranges bodies = { 0 };
	char digest[HEX_SIZE];
	int result = purge_rows(ledger, OLD_PAYLOADS, sql_address, sql_payload, before,
				(parts & LEDGER_PAYLOADS) != 0 ? most : 0, &payloads, error);

	if (result == 0)
		result = purge_rows(ledger, OLD_BODIES, NULL, sql_body, before,
				    (parts & LEDGER_BODIES) != 0 ? most : 0, &bodies, error);
	*count = payloads.count + bodies.count;
	if (result < 0 || *count == 0)
		return result;
	result = chain_rows_digest(ledger, payloads.list, digest, error);
	if (result < 0)
		return result;
	return chain_append(
		ledger, &(struct chain_entry){ .kind = chain_purged, .at = now, .state = -1 },
		json_pack("{s:o, s:s, s:s, s:O, s:O, s:s}", "before", json_instant(before),
			  "by", by, "why", why, "payloads", payloads.list, "bodies",
			  bodies.list, "rows", digest),
		error);
}

int ledger_purge_parts(struct ledger *ledger, unsigned parts, struct instant before,
		       size_t most, const char *by, const char *why, struct instant now,
		       size_t *ret_count, struct error *error)
{
	struct ledger_scope scope;
	size_t count = 0;
	/* The journal that stays would go on holding what is erased: cut it off at the commit.
	 */
	int result = database_run(ledger->db, "PRAGMA journal_size_limit = 0", error);

	if (result == 0)
		result = ledger_enter(ledger, &scope, error);
	if (result < 0)
		return result;
	result = purge(ledger, parts, before, most, by, why, now, &count, error);
	result = ledger_leave(ledger, &scope, result, error);
	if (result == 0)
		*ret_count = count;
	return result;
}

int ledger_purge(struct ledger *ledger, struct instant before, size_t most, const char *by,
		 const char *why, struct instant now, size_t *ret_count, struct error *error)
{
	return ledger_purge_parts(ledger, LEDGER_PAYLOADS | LEDGER_BODIES, before, most, by,
				  why, now, ret_count, error);
}

int ledger_purgeable(struct ledger *ledger, enum ledger_part part, struct instant before,
		     size_t *ret, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_ask(
		ledger->db,
		part == LEDGER_PAYLOADS ? "SELECT count(*) FROM (" OLD_PAYLOADS ")"
					: "SELECT count(*) FROM (" OLD_BODIES ")",
		VALUES(value_number(before.seconds), value_number(-1)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result < 0)
		return result;
	*ret = (size_t)sqlite3_column_int64(statement, 0);
	return 0;
}

/* --- holds ----------------------------------------------------------------------------------
 */

enum { HOLD_NAME_SIZE = 32 };

/* Table meta has "hold:CHALLENGE" for each; MAIL_IS_FREE and OLD_PAYLOADS look for it. */
static const char *hold_name(int64_t challenge, char out[static HOLD_NAME_SIZE])
{
	(void)snprintf(out, HOLD_NAME_SIZE, "hold:%lld", (long long)challenge); /* fits */
	return out;
}

int ledger_challenge_is_held(struct ledger *ledger, int64_t challenge, struct text *ret,
			     struct error *error)
{
	char name[HOLD_NAME_SIZE];

	return ledger_get(ledger, hold_name(challenge, name), ret, error);
}

static char *order_text(const struct ledger_hold_order *order, struct instant now)
{
	json_t *object = json_pack("{s:s, s:I, s:s, s:s, s:o}", "reference", order->reference,
				   "challenge", (json_int_t)order->challenge, "by", order->by,
				   "why", order->why, "at", json_instant(now));
	char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	return text;
}

static int change_hold(struct ledger *ledger, const struct ledger_hold_order *order,
		       const char *text, bool hold, struct instant now, struct error *error)
{
	CLEANUP(text_clear) struct text old = { 0 };
	char name[HOLD_NAME_SIZE];
	int result = ledger_challenge_is_held(ledger, order->challenge, &old, error);

	if (result < 0)
		return result;
	if (result == 1 && hold)
		return error_set(error, EEXIST, "%s is held already", order->reference);
	if (result == 0 && !hold)
		return error_set(error, ENOENT, "%s is not held", order->reference);
	(void)hold_name(order->challenge, name);
	if (hold)
		result = ledger_set(ledger, name, text, error);
	else
		result = ledger_change(ledger, "DELETE FROM meta WHERE name = ?1",
				       VALUES(value_text(name)), error);
	if (result < 0)
		return result;
	return ledger_note(ledger, hold ? "erasure_held" : "erasure_released", text, now,
			   error);
}

static int order_hold(struct ledger *ledger, const struct ledger_hold_order *order, bool hold,
		      struct instant now, struct error *error)
{
	CLEANUP(freep) char *text = order_text(order, now);
	int result;

	if (text == NULL)
		return error_memory(error);
	result = ledger_begin(ledger, error);
	if (result < 0)
		return result;
	result = change_hold(ledger, order, text, hold, now, error);
	if (result >= 0)
		result = ledger_commit(ledger, error);
	if (result < 0)
		ledger_rollback(ledger);
	return result < 0 ? result : 0;
}

int ledger_hold_challenge(struct ledger *ledger, const struct ledger_hold_order *order,
			  struct instant now, struct error *error)
{
	return order_hold(ledger, order, true, now, error);
}

int ledger_unhold_challenge(struct ledger *ledger, const struct ledger_hold_order *order,
			    struct instant now, struct error *error)
{
	return order_hold(ledger, order, false, now, error);
}
