/*
 * ledger_transaction.c - begin, commit and roll back; the scope that each change opens; and the
 * file held between transactions, so that nothing is read twice while nobody commits.
 */
#include "adapter/ledger_internal.h"

#include <errno.h>

static bool is_unchanged(struct ledger *ledger)
{
	uint32_t counter = 0;

	return database_change_counter(ledger->db, &counter) &&
	       counter == ledger->quiet.counter;
}

/* The next poll is to see to it, however long nothing else is due. */
static bool is_to_look_first(struct ledger *ledger)
{
	static const char sql[] = "SELECT 1 FROM schedule WHERE next < 0 LIMIT 1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;

	return ledger_ask(ledger, sql, NULL, 0, &statement, NULL) != 0 ||
	       ledger_step(ledger, statement, NULL) != 0;
}

/* Asked while the file is still locked, so that all of it is of one moment. */
static bool learn(struct ledger *ledger)
{
	if (is_to_look_first(ledger))
		return false;
	return database_change_counter(ledger->db, &ledger->quiet.counter) &&
	       head_read(ledger, &ledger->quiet.head, NULL) == 0 &&
	       ledger_next_wake(ledger, &ledger->quiet.wake, NULL) == 0;
}

bool ledger_is_quiet(const struct ledger *ledger, struct instant now)
{
	return ledger->quiet.holds && instant_before(now, ledger->quiet.wake);
}

void ledger_hold(struct ledger *ledger)
{
	static const char sql[] = "SELECT one FROM head";
	sqlite3_stmt *statement = NULL;

	if (ledger->held != NULL || ledger->quiet.holds || ledger->inside)
		return;
	ledger->quiet.holds = ledger->quiet.known && is_unchanged(ledger);
	if (ledger->quiet.holds || ledger_ask(ledger, sql, NULL, 0, &statement, NULL) < 0)
		return;
	if (ledger_step(ledger, statement, NULL) == 1)
		ledger->held = statement;
	else
		ledger_resetp(&statement);
}

void ledger_let_go(struct ledger *ledger)
{
	ledger->quiet.holds = false;
	if (ledger->held == NULL)
		return;
	ledger->quiet.known = !ledger->inside && learn(ledger);
	ledger_resetp(&ledger->held);
}

/* Who holds the file is not made to wait by SQLite: both would wait for one another. */
static int begin(struct ledger *ledger, struct error *error)
{
	static const char sql[] = "BEGIN IMMEDIATE";

	ledger->quiet.holds = false; /* the file moves on */
	if (ledger->held != NULL) {
		if (ledger_change(ledger, sql, NULL, 0, NULL) == 0)
			return 0;
		ledger_let_go(ledger);
	}
	return ledger_change(ledger, sql, NULL, 0, error);
}

/* A person may have had it open while a new daemon migrated it. */
static int check_version(struct ledger *ledger, struct error *error)
{
	int64_t now = 0;
	int result = ledger->access != LEDGER_PERSON
			     ? 0
			     : database_number(ledger->db, "PRAGMA user_version", &now, error);

	if (result < 0 || ledger->access != LEDGER_PERSON || now == ledger->version)
		return result < 0 ? result : 0;
	return error_set(error, EPROTO,
			 "ledger: a newer challenge-notifyd has just brought it to version "
			 "%lld",
			 (long long)now);
}

int ledger_begin(struct ledger *ledger, struct error *error)
{
	int result;

	if (ledger->inside)
		return error_set(error, EINVAL, "ledger: a transaction is open already");
	result = begin(ledger, error);
	if (result == 0)
		result = check_version(ledger, error);
	if (result < 0) {
		ledger_rollback(ledger); /* an interrupted BEGIN may have begun */
		return result;
	}
	ledger->inside = true;
	ledger->broken = false;
	ledger->head_changed = false;
	result = head_read(ledger, &ledger->head, error);
	if (result < 0)
		ledger_rollback(ledger);
	return result;
}

static void stop_followers(struct ledger *ledger)
{
	follower_stop(&ledger->histories);
	follower_stop(&ledger->schedules);
}

void ledger_rollback(struct ledger *ledger)
{
	ledger_let_go(ledger);
	stop_followers(ledger);
	/* SQLite has rolled back by itself after some errors; then there is nothing to do. */
	if (sqlite3_get_autocommit(ledger->db) == 0)
		(void)sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
	ledger->inside = false;
	ledger->broken = false;
}

int ledger_commit(struct ledger *ledger, struct error *error)
{
	static const char sql[] = "COMMIT";
	int result = 0;

	if (!ledger->inside)
		return error_set(error, EINVAL, "ledger: no transaction is open");
	if (ledger->broken || sqlite3_get_autocommit(ledger->db) != 0) {
		ledger_rollback(ledger);
		return error_set(error, ECANCELED,
				 "ledger: rolled back, a change in it had failed");
	}
	stop_followers(ledger);
	if (ledger->head_changed)
		result = head_write(ledger, error);
	if (result == 0)
		result = ledger_change(ledger, sql, NULL, 0, error);
	if (result < 0) {
		ledger_rollback(ledger);
		return result;
	}
	ledger->inside = false;
	return 0;
}

int ledger_enter(struct ledger *ledger, struct ledger_scope *ret, struct error *error)
{
	bool own = !ledger->inside;
	int result = own ? ledger_begin(ledger, error) : 0;

	if (result < 0)
		return result;
	*ret = (struct ledger_scope){ .own = own,
				      .changes = sqlite3_total_changes64(ledger->db) };
	return 0;
}

int ledger_enter_inside(struct ledger *ledger, struct ledger_scope *ret, struct error *error)
{
	if (!ledger->inside)
		return error_set(error, EINVAL, "ledger: this belongs inside a transaction");
	return ledger_enter(ledger, ret, error);
}

int ledger_leave(struct ledger *ledger, const struct ledger_scope *scope, int result,
		 struct error *error)
{
	if (scope->own && result < 0) {
		ledger_rollback(ledger);
		return result;
	}
	if (scope->own) {
		int committed = ledger_commit(ledger, error);

		return committed < 0 ? committed : result;
	}
	if (result < 0 && sqlite3_total_changes64(ledger->db) != scope->changes)
		ledger->broken = true;
	return result;
}
