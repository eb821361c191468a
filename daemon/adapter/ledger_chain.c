/*
 * ledger_chain.c - the audit trail: every entry holds the hash of the one before and a salted
 * commitment to what it says, so that what it says can be erased and the trail still holds.
 *
 * Checking it is ledger_verify_chain.c's.
 */
#include "adapter/ledger_care.h"
#include "adapter/ledger_internal.h"

#include <errno.h>
#include <jansson.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

const char *const chain_decided = "decided";
const char *const chain_rendered = "rendered";
const char *const chain_fallen_through = "fallen_through";
const char *const chain_taken_back = "taken_back";
const char *const chain_purged = "purged";

/* --- hashes --------------------------------------------------------------------------------
 */

const char *hex(const unsigned char *bytes, size_t count, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * count] = '\0';
	return out;
}

void sha256_of(const void *bytes, size_t length, unsigned char ret[static HASH_SIZE])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, length, bytes);
	sha256_digest(&sha, HASH_SIZE, ret);
}

void chain_commit(const unsigned char salt[static SALT_SIZE], const char *payload,
		  size_t length, unsigned char ret[static HASH_SIZE])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, SALT_SIZE, salt); /* of one length: no second way to read it */
	sha256_update(&sha, length, (const uint8_t *)payload);
	sha256_digest(&sha, HASH_SIZE, ret);
}

/* Eight bytes, the highest first. */
static void add_number(struct sha256_ctx *sha, int64_t number)
{
	unsigned char bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)((uint64_t)number >> (56 - 8 * i));
	sha256_update(sha, sizeof bytes, bytes);
}

static void add_string(struct sha256_ctx *sha, const char *string)
{
	size_t length = strlen(string);

	add_number(sha, (int64_t)length);
	sha256_update(sha, length, (const uint8_t *)string);
}

void chain_hash(const unsigned char previous[static HASH_SIZE], const struct chain_link *link,
		unsigned char ret[static HASH_SIZE])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, HASH_SIZE, previous);
	add_number(&sha, link->seq);
	add_number(&sha, link->at);
	add_string(&sha, link->kind);
	add_string(&sha, link->state);
	add_number(&sha, link->challenge);
	add_number(&sha, link->notice);
	add_number(&sha, link->mail);
	sha256_update(&sha, HASH_SIZE, link->commitment);
	sha256_digest(&sha, HASH_SIZE, ret);
}

json_t *json_instant(struct instant at)
{
	/* Before 1970 and past the year 5000 only tampering writes. */
	static const int64_t year_5000 = 95617584000;
	char text[INSTANT_TEXT_SIZE];

	if (instant_is_never(at))
		return json_null();
	if (at.seconds < 0 || at.seconds > year_5000)
		return json_integer(at.seconds);
	return json_string(instant_format(at, 0, text));
}

/* --- appending -----------------------------------------------------------------------------
 */

static int insert_entry(struct ledger *ledger, const struct chain_link *link,
			const unsigned char hash[static HASH_SIZE],
			const unsigned char salt[static SALT_SIZE], const char *payload,
			struct error *error)
{
	static const char sql_entry[] =
		"INSERT INTO chain (seq, at, kind, state, challenge, notice, mail, commitment,"
		" hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
	static const char sql_payload[] =
		"INSERT INTO payload (seq, salt, text) VALUES (?1, ?2, ?3)";
	int result = ledger_change(
		ledger, sql_entry,
		VALUES(value_number(link->seq), value_number(link->at), value_text(link->kind),
		       value_text(link->state), value_number(link->challenge),
		       value_number(link->notice), value_number(link->mail),
		       value_blob(link->commitment, HASH_SIZE), value_blob(hash, HASH_SIZE)),
		error);

	if (result < 0)
		return result;
	return ledger_change(ledger, sql_payload,
			     VALUES(value_number(link->seq), value_blob(salt, SALT_SIZE),
				    value_text(payload)),
			     error);
}

static int append_text(struct ledger *ledger, const struct chain_entry *entry,
		       const char *payload, struct error *error)
{
	struct head *head = &ledger->head;
	unsigned char salt[SALT_SIZE];
	unsigned char commitment[HASH_SIZE];
	unsigned char hash[HASH_SIZE];
	struct chain_link link = {
		.seq = head->seq + 1,
		.at = entry->at.seconds,
		.challenge = entry->challenge,
		.notice = entry->notice,
		.mail = entry->mail,
		.kind = entry->kind,
		.state = entry->state < 0
				 ? ""
				 : delivery_state_name((enum delivery_state)entry->state),
		.commitment = commitment,
	};
	int result = ledger_random_bytes(ledger, salt, sizeof salt, error);

	if (result < 0)
		return result;
	chain_commit(salt, payload, strlen(payload), commitment);
	chain_hash(head->hash, &link, hash);
	result = insert_entry(ledger, &link, hash, salt, payload, error);
	if (result < 0)
		return result;
	head->seq = link.seq;
	memcpy(head->hash, hash, HASH_SIZE);
	if (ledger->access == LEDGER_WRITE && entry->at.seconds > head->latest)
		head->latest = entry->at.seconds;
	ledger->head_changed = true;
	return 0;
}

/*
 * As json_dumps does, on one line, but into a room of the right size: json_dumps passes over a
 * key for which there was no memory, and what it answers then is no JSON. NULL: out of memory.
 */
static char *write_json(const json_t *json, size_t flags)
{
	size_t length = json == NULL ? 0 : json_dumpb(json, NULL, 0, JSON_COMPACT | flags);
	char *text = length == 0 ? NULL : malloc(length + 1);

	if (text == NULL)
		return NULL;
	if (json_dumpb(json, text, length, JSON_COMPACT | flags) != length) {
		free(text);
		return NULL;
	}
	text[length] = '\0';
	return text;
}

int chain_append(struct ledger *ledger, const struct chain_entry *entry, json_t *payload,
		 struct error *error)
{
	CLEANUP(freep) char *text = write_json(payload, 0);

	json_decref(payload);
	if (text == NULL) {
		/* Also where a string is not UTF-8, which jansson does not take. */
		ledger->broken = true;
		return error_set(error, ENOMEM, "ledger: out of memory, or text not UTF-8");
	}
	return append_text(ledger, entry, text, error);
}

/* --- notes ---------------------------------------------------------------------------------
 */

static bool is_own_word(const char *kind)
{
	const char *const words[] = { chain_decided,    chain_rendered, chain_fallen_through,
				      chain_taken_back, chain_purged,   "released",
				      "recovered",      "person",       "moved" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(kind, words[i]) == 0)
			return true;
	return kind[0] == '\0' || delivery_state_parse(kind) >= 0;
}

int ledger_note(struct ledger *ledger, const char *kind, const char *payload,
		struct instant now, struct error *error)
{
	struct ledger_scope scope;
	json_error_t wrong;
	json_t *object;
	int result;

	if (is_own_word(kind))
		return error_set(error, EINVAL, "ledger: \"%s\" is not for notes", kind);
	object = json_loads(payload, JSON_REJECT_DUPLICATES, &wrong);
	if (!json_is_object(object)) {
		json_decref(object);
		return error_set(error, EINVAL, "ledger: what a note says must be an object");
	}
	result = ledger_enter(ledger, &scope, error);
	if (result < 0) {
		json_decref(object);
		return result;
	}
	result = chain_append(ledger,
			      &(struct chain_entry){ .kind = kind, .at = now, .state = -1 },
			      object, error);
	return ledger_leave(ledger, &scope, result, error);
}

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
	result = database_prepare(ledger->db, sql_find, &statement, error);
	if (result == 0)
		result = database_bind(
			statement,
			VALUES(value_number(before.seconds), value_number((int64_t)most)),
			error);
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
	text = write_json(row, JSON_ENCODE_ANY);
	json_decref(row);
	if (text == NULL)
		return error_memory(error);
	add_string(sha, text);
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
	int result = database_prepare(ledger->db,
				      part == LEDGER_PAYLOADS
					      ? "SELECT count(*) FROM (" OLD_PAYLOADS ")"
					      : "SELECT count(*) FROM (" OLD_BODIES ")",
				      &statement, error);

	if (result == 0)
		result = database_bind(statement,
				       VALUES(value_number(before.seconds), value_number(-1)),
				       error);
	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result < 0)
		return result;
	*ret = (size_t)sqlite3_column_int64(statement, 0);
	return 0;
}

/* --- reading -------------------------------------------------------------------------------
 */

int ledger_challenge(struct ledger *ledger, const char *reference, int64_t *ret,
		     struct error *error)
{
	/* For a person: a scan is fast enough and spares every decision an index. */
	static const char sql[] = "SELECT challenge FROM notice WHERE reference = ?1 LIMIT 1";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_prepare(ledger->db, sql, &statement, error);

	if (result == 0)
		result = database_bind(statement, VALUES(value_text(reference)), error);
	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result == 1)
		*ret = sqlite3_column_int64(statement, 0);
	return result;
}

int ledger_trail(struct ledger *ledger, int64_t challenge, int64_t mail,
		 int (*each)(void *context, const struct ledger_entry *entry), void *context,
		 struct error *error)
{
	static const char sql[] =
		"SELECT c.seq, c.at, c.kind, c.state, c.challenge, c.notice, c.mail, c.hash,"
		" p.text FROM chain c LEFT JOIN payload p ON p.seq = c.seq"
		" WHERE (?1 = 0 AND ?2 = 0) OR (?2 <> 0 AND c.mail = ?2) OR (?1 <> 0 AND"
		" (c.challenge = ?1 OR c.mail IN (SELECT mn.mail FROM mail_notice mn"
		" JOIN notice n ON n.id = mn.notice WHERE n.challenge = ?1)))"
		" ORDER BY c.seq";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_prepare(ledger->db, sql, &statement, error);

	if (result == 0)
		result = database_bind(
			statement, VALUES(value_number(challenge), value_number(mail)), error);
	if (result < 0)
		return result;
	while ((result = ledger_step(ledger, statement, error)) == 1) {
		struct ledger_entry entry = {
			.seq = sqlite3_column_int64(statement, 0),
			.at = column_instant(statement, 1),
			.kind = column_string(statement, 2),
			.state = column_string(statement, 3),
			.challenge = sqlite3_column_int64(statement, 4),
			.notice = sqlite3_column_int64(statement, 5),
			.mail = sqlite3_column_int64(statement, 6),
			.payload = (const char *)sqlite3_column_text(statement, 8),
		};

		if (sqlite3_column_bytes(statement, 7) == HASH_SIZE)
			(void)hex(sqlite3_column_blob(statement, 7), HASH_SIZE, entry.hash);
		if (each(context, &entry) != 0)
			return 0;
	}
	return result;
}
