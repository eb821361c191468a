/*
 * ledger_schedule.c - when each challenge is to be looked at again, and when the daemon has to
 * wake for any of it.
 */
#include "adapter/ledger_care.h"
#include "adapter/ledger_internal.h"

/* 1: *ret is what is remembered; 0: nothing is. */
static int scheduled_at(struct ledger *ledger, int64_t challenge, struct instant *ret,
			struct error *error)
{
	static const struct following what = {
		.sql_one = "SELECT challenge, next FROM schedule WHERE challenge = ?1",
		.sql_on = "SELECT challenge, next FROM schedule WHERE challenge >= ?1"
			  " ORDER BY challenge",
	};
	struct follower *follower = &ledger->schedules;
	sqlite3_stmt *statement = NULL;
	int result = follower_find(ledger, follower, &what, challenge, &statement, error);

	if (result == 1)
		*ret = column_instant(statement, 1);
	if (!follower->walks)
		follower_stop(follower);
	return result;
}

static int reschedule(struct ledger *ledger, int64_t challenge, struct instant next,
		      struct error *error)
{
	static const char sql_forget[] = "DELETE FROM schedule WHERE challenge = ?1";
	static const char sql_set[] =
		"INSERT INTO schedule (challenge, next) VALUES (?1, ?2)"
		" ON CONFLICT (challenge) DO UPDATE SET next = excluded.next";

	if (instant_is_never(next))
		return ledger_change(ledger, sql_forget, VALUES(value_number(challenge)),
				     error);
	return ledger_change(ledger, sql_set,
			     VALUES(value_number(challenge), value_number(next.seconds)),
			     error);
}

int ledger_schedule(struct ledger *ledger, int64_t challenge, struct instant next,
		    struct error *error)
{
	struct instant before = INSTANT_NEVER;
	struct ledger_scope scope;
	int result = scheduled_at(ledger, challenge, &before, error);

	/* Looked at first, so that an unchanged one does not even begin a transaction. */
	if (result < 0 || instant_equal(before, next))
		return result < 0 ? result : 0;
	result = ledger_enter(ledger, &scope, error);
	if (result < 0)
		return result;
	result = reschedule(ledger, challenge, next, error);
	return ledger_leave(ledger, &scope, result, error);
}

int ledger_scheduled(struct ledger *ledger, struct instant now, size_t most, int64_t *ret,
		     size_t *ret_count, struct error *error)
{
	static const char sql[] = "SELECT challenge FROM schedule WHERE next <= ?1"
				  " ORDER BY next, challenge LIMIT ?2";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	size_t count = 0;
	int result = ledger_ask(ledger, sql,
				VALUES(value_number(now.seconds), value_number((int64_t)most)),
				&statement, error);

	if (result < 0)
		return result;
	while (count < most && (result = ledger_step(ledger, statement, error)) == 1)
		ret[count++] = sqlite3_column_int64(statement, 0);
	if (result < 0)
		return result;
	*ret_count = count;
	return 0;
}

int ledger_plans(struct ledger *ledger, const int64_t *ids, size_t count, struct instant *ret,
		 struct error *error)
{
	static const char sql[] = "SELECT challenge, abs(next) FROM schedule"
				  " WHERE challenge BETWEEN ?1 AND ?2 ORDER BY challenge";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	size_t i = 0;
	int result;

	if (count == 0)
		return 0;
	result = database_ask(ledger->db, sql,
			      VALUES(value_number(ids[0]), value_number(ids[count - 1])),
			      &statement, error);
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

static int earliest(struct ledger *ledger, const char *sql, struct instant *wake,
		    struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql, NULL, 0, &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result == 1)
		*wake = instant_min(*wake, column_instant(statement, 0));
	return result < 0 ? result : 0;
}

int ledger_next_wake(struct ledger *ledger, struct instant *ret, struct error *error)
{
	static const char sql_challenge[] = "SELECT next FROM schedule WHERE next > 0"
					    " ORDER BY next LIMIT 1";
	static const char sql_notice[] = "SELECT send_at FROM notice"
					 " WHERE state = 'decided' AND mail IS NULL"
					 " ORDER BY send_at LIMIT 1";
	/* One a state: within a state the index is in order of next_attempt. */
	static const char sql_retry[] =
		"SELECT next_attempt FROM mail WHERE state = 'retry'"
		" AND state IN ('ready', 'attempting', 'retry', 'in_doubt')"
		" ORDER BY next_attempt LIMIT 1";
	static const char sql_doubt[] =
		"SELECT next_attempt FROM mail WHERE state = 'in_doubt'"
		" AND state IN ('ready', 'attempting', 'retry', 'in_doubt')"
		" ORDER BY next_attempt LIMIT 1";
	struct instant wake = INSTANT_NEVER;
	int result;

	if (ledger->quiet.holds) {
		*ret = ledger->quiet.wake;
		return 0;
	}
	result = earliest(ledger, sql_challenge, &wake, error);
	if (result == 0)
		result = earliest(ledger, sql_notice, &wake, error);
	if (result == 0)
		result = earliest(ledger, sql_retry, &wake, error);
	if (result == 0)
		result = earliest(ledger, sql_doubt, &wake, error);
	if (result == 0)
		*ret = wake;
	return result;
}
