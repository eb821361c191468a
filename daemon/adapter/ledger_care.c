/* ledger_care.c - see ledger_care.h. */
#include "adapter/ledger_care.h"

#include "adapter/ledger_internal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

int ledger_backup(struct ledger *ledger, const char *path, struct error *error)
{
	return ledger_copy(ledger->db, path, &(struct database_watch){ 0 }, error);
}

size_t ledger_erase_copies(const char *state_folder)
{
	return ledger_remove_copies(state_folder, (int64_t)ledger_released_steps.count + 1);
}

int ledger_accepted(struct ledger *ledger, struct instant from, struct instant until,
		    void (*each)(void *context, int64_t event, struct instant send_at,
				 struct instant accepted),
		    void *context, struct error *error)
{
	static const char sql[] =
		"SELECT n.event, n.send_at, m.updated FROM notice n JOIN mail m ON m.id = "
		"n.mail"
		" WHERE m.state = 'accepted' AND n.send_at >= ?1 AND n.send_at < ?2";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_prepare(ledger->db, sql, &statement, error);

	if (result == 0)
		result = database_bind(
			statement,
			VALUES(value_number(from.seconds), value_number(until.seconds)), error);
	if (result < 0)
		return result;
	while ((result = ledger_step(ledger, statement, error)) > 0)
		each(context, sqlite3_column_int64(statement, 0),
		     (struct instant){ sqlite3_column_int64(statement, 1) },
		     (struct instant){ sqlite3_column_int64(statement, 2) });
	return result;
}

int ledger_plans(struct ledger *ledger, const int64_t *ids, size_t count, struct instant *ret,
		 struct error *error)
{
	static const char sql[] = "SELECT challenge, next FROM schedule"
				  " WHERE challenge BETWEEN ?1 AND ?2 ORDER BY challenge";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	size_t i = 0;
	int result;

	if (count == 0)
		return 0;
	result = database_prepare(ledger->db, sql, &statement, error);
	if (result == 0)
		result = database_bind(
			statement, VALUES(value_number(ids[0]), value_number(ids[count - 1])),
			error);
	while (result == 0 && (result = ledger_step(ledger, statement, error)) == 1) {
		int64_t challenge = sqlite3_column_int64(statement, 0);

		while (i < count && ids[i] < challenge)
			ret[i++] = INSTANT_NEVER;
		if (i < count && ids[i] == challenge)
			ret[i++] = column_instant(statement, 1);
		result = 0;
	}
	while (i < count)
		ret[i++] = INSTANT_NEVER;
	return result;
}

int ledger_total(struct ledger *ledger, struct ledger_totals *ret, struct error *error)
{
	static const char sql[] =
		"SELECT min(created) FROM mail"
		" WHERE state IN ('ready', 'attempting', 'retry', 'in_doubt')";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	struct head head = { 0 };
	int result = ledger_head(ledger, &head, error);

	if (result == 0)
		result = database_prepare(ledger->db, sql, &statement, error);
	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result < 0)
		return result;
	*ret = (struct ledger_totals){ .notices = head.notices,
				       .mails = head.mails,
				       .oldest = column_instant(statement, 0) };
	return 0;
}

/* --- holds ----------------------------------------------------------------------------------
 */

enum { HOLD_NAME_SIZE = 32 };

/* Table meta has "hold:CHALLENGE" for each; ledger_chain.c's erasure looks for it. */
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
