/*
 * store_witness.c - what tells whether this is the store that was seen before: one event, one
 * purge.
 */
#include "adapter/store_internal.h"

/* 1 with *ret on the only row for this number, 0 without one; finalize it in any case. */
static int find_number(struct store *store, const char *sql, int64_t number, sqlite3_stmt **ret,
		       struct error *error)
{
	int result = database_ask(store->db, sql, VALUES(value_number(number)), ret, error);

	if (result < 0)
		return result;
	switch (sqlite3_step(*ret)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return database_fail(store->db, error, "%.60s", sql);
	}
}

int store_event(struct store *store, int64_t id, struct store_event *ret, struct error *error)
{
	static const char sql_one[] = "SELECT id, challenge, at, recorded_at FROM main.event"
				      " WHERE id = ?1";
	static const char sql_newest[] = "SELECT id, challenge, at, recorded_at FROM main.event"
					 " WHERE id > ?1 ORDER BY id DESC LIMIT 1";
	CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;
	int found = find_number(store, id != 0 ? sql_one : sql_newest, id, &find, error);

	if (found == 1)
		*ret = (struct store_event){
			.id = sqlite3_column_int64(find, 0),
			.challenge = sqlite3_column_int64(find, 1),
			.at = { sqlite3_column_int64(find, 2) },
			.recorded_at = { sqlite3_column_int64(find, 3) },
		};
	return found;
}

static int was_purged(struct store *store, int64_t challenge, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;

	return find_number(store, "SELECT 1 FROM main.purge WHERE challenge = ?1 LIMIT 1",
			   challenge, &find, error);
}

int store_has_event(struct store *store, const struct store_event *event, struct error *error)
{
	struct store_event there = { 0 };
	int found = store_event(store, event->id, &there, error);

	if (found == 0)
		return was_purged(store, event->challenge, error);
	if (found < 0)
		return found;
	return there.challenge == event->challenge && instant_equal(there.at, event->at) &&
			       instant_equal(there.recorded_at, event->recorded_at)
		       ? 1
		       : 0;
}
