/*
 * store_walk.c - challenge after challenge, in the order of their changes or of their
 * references. Where the walk over all meets a bad value, it goes on by single challenges.
 */
#include "adapter/store_internal.h"

static int begin_behind(struct store *store, sqlite3_stmt *statement, struct error *error)
{
	return database_bind(statement,
			     (struct database_value[]){ value_number(store->passed_seq),
							value_number(store->passed_id) },
			     2, error);
}

int store_changed_since(struct store *store, int64_t after, struct error *error)
{
	store->passed_seq = after;
	store->passed_id = INT64_MAX;
	store->on_row = false;
	store->careful = false;
	/* Of a walk before, which may have been left half way. */
	(void)sqlite3_reset(store->changed);
	return begin_behind(store, store->walk, error);
}

int store_all(struct store *store, struct error *error)
{
	store->careful = true; /* each by itself, from the beginning */
	store->ids_of = store->sorted;
	(void)sqlite3_reset(store->walk);
	return database_bind(store->sorted, NULL, 0, error);
}

/* The rows of one challenge: 1 with the last of them passed, 0 when something was wrong. */
static int gather(struct store *store, struct challenge *challenge, size_t places[ROW_TEXTS])
{
	sqlite3_stmt *walk = store->walk;
	int step = SQLITE_ROW;

	store->strings.count = 0;
	if (store_read_row(store, walk, challenge, places, NULL) < 0)
		return 0;
	while (step == SQLITE_ROW && sqlite3_column_int64(walk, 0) == challenge->id) {
		if (sqlite3_column_type(walk, CHALLENGE_COLUMN_COUNT) != SQLITE_NULL &&
		    store_add_event(store, walk, CHALLENGE_COLUMN_COUNT, challenge, NULL) < 0)
			return 0;
		step = sqlite3_step(walk);
	}
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		return 0;
	store->on_row = step == SQLITE_ROW;
	if (step == SQLITE_DONE)
		(void)sqlite3_reset(walk); /* after the last row: nothing to fail */
	return 1;
}

/* 1 with the next challenge, 0 at the end, -1 when a fault has to be looked at by itself. */
static int next_of_walk(struct store *store)
{
	struct challenge challenge = { 0 };
	size_t places[ROW_TEXTS] = { 0 };

	if (!store->on_row) {
		int step = begin_behind(store, store->walk, NULL) < 0
				   ? SQLITE_ERROR
				   : sqlite3_step(store->walk);

		if (step == SQLITE_DONE)
			(void)sqlite3_reset(store->walk); /* as above */
		if (step != SQLITE_ROW)
			return step == SQLITE_DONE ? 0 : -1;
	}
	store->on_row = false;
	/* What is no number stands behind every number, so the walk would not get past it. */
	if (sqlite3_column_type(store->walk, 0) != SQLITE_INTEGER)
		return -1;
	challenge.id = sqlite3_column_int64(store->walk, 0);
	if (gather(store, &challenge, places) == 0)
		return -1;
	store_point(store, &challenge, places);
	store->challenge = challenge;
	store->handed_out = challenge.id;
	store->change = challenge.change_seq;
	store->passed_seq = challenge.change_seq;
	store->passed_id = challenge.id;
	return 1;
}

static int begin_careful(struct store *store, struct error *error)
{
	store->careful = true;
	store->ids_of = store->changed;
	(void)sqlite3_reset(store->walk); /* its error comes again, and is told then */
	return begin_behind(store, store->changed, error);
}

static int next_by_itself(struct store *store, struct challenge **ret, struct error *error)
{
	for (;;) {
		int step = sqlite3_step(store->ids_of);
		int result;

		if (step != SQLITE_ROW) {
			result = step == SQLITE_DONE ? 0
						     : database_fail(store->db, error,
								     "read the challenges");
			(void)sqlite3_reset(store->ids_of); /* repeats the error told above */
			return result;
		}
		store->handed_out = sqlite3_column_int64(store->ids_of, 0);
		store->change = sqlite3_column_type(store->ids_of, 1) == SQLITE_INTEGER
					? sqlite3_column_int64(store->ids_of, 1)
					: 0;
		result = store_load(store, store->handed_out, error);
		if (result == 0)
			continue; /* purged since; outside a transaction that may be */
		if (result < 0 && !store_is_of_row(result)) {
			(void)sqlite3_reset(store->ids_of); /* the error is told already */
			return result;
		}
		*ret = result > 0 ? &store->challenge : NULL;
		return 1;
	}
}

int store_next(struct store *store, struct challenge **ret, struct error *error)
{
	int result = store->careful ? -1 : next_of_walk(store);

	if (result > 0)
		*ret = &store->challenge;
	if (result >= 0)
		return result;
	if (!store->careful) {
		result = begin_careful(store, error);
		if (result < 0)
			return result;
	}
	return next_by_itself(store, ret, error);
}

int store_ids(struct store *store, int64_t from, size_t most, int64_t *ret, size_t *ret_count,
	      struct error *error)
{
	size_t count = 0;
	int step = SQLITE_DONE;
	int result = database_bind(
		store->ids,
		(struct database_value[]){ value_number(from), value_number((int64_t)most) }, 2,
		error);

	if (result < 0)
		return result;
	while (count < most && (step = sqlite3_step(store->ids)) == SQLITE_ROW)
		ret[count++] = sqlite3_column_int64(store->ids, 0);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		result = database_fail(store->db, error, "read which challenges there are");
	(void)sqlite3_reset(store->ids); /* repeats the error told above */
	*ret_count = count;
	return result;
}

int64_t store_row(const struct store *store)
{
	return store->handed_out;
}

int64_t store_row_change(const struct store *store)
{
	return store->change;
}
