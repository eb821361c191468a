/*
 * store_look.c - has anything changed in the store? In microseconds, and mostly without a lock.
 */
#include "adapter/store_internal.h"

#include <errno.h>

static int read_data_version(struct store *store, int64_t *ret, struct error *error)
{
	int step = sqlite3_step(store->version);

	if (step != SQLITE_ROW) {
		int result = database_fail(store->db, error, "look for changes in the store");

		(void)sqlite3_reset(store->version); /* repeats that error */
		return result;
	}
	*ret = sqlite3_column_int64(store->version, 0);
	(void)sqlite3_reset(store->version); /* after a row: nothing to fail */
	return 0;
}

/* Asked without a lock; in WAL mode the file's count of commits stands still. */
static bool is_same_count(const struct store *store, uint32_t counter)
{
	return store->looked && store->counted && !store->wal && counter == store->counter;
}

int store_look(struct store *store, enum store_change *ret, struct error *error)
{
	int moved = 0;
	int64_t version = 0;
	uint32_t counter = 0;
	bool counted;
	int result;

	/* A read that could not be ended, for want of memory: it would show one moment for
	 * ever, and keep writers out. */
	if (sqlite3_get_autocommit(store->db) == 0)
		store_end(store);
	if (sqlite3_get_autocommit(store->db) == 0)
		return error_set(error, ENOMEM, "a read of the store cannot be ended");
	if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) !=
	    SQLITE_OK)
		return error_set(error, EIO, "cannot tell whether the store was replaced");
	if (moved != 0) {
		*ret = STORE_MOVED;
		return 0;
	}
	/* Before the data_version: what is committed in between is seen the next time. */
	counted = database_change_counter(store->db, &counter);
	if (counted && is_same_count(store, counter)) {
		*ret = STORE_SAME;
		return 0;
	}
	result = read_data_version(store, &version, error);
	if (result < 0)
		return result;
	store->counted = counted;
	store->counter = counter;
	if (store->looked && version == store->data_version) {
		*ret = STORE_SAME;
		return 0;
	}
	/* Somebody may have upgraded it, dropped a trigger, switched it to WAL, or written
	 * another one over it. */
	result = store_know(store, error);
	if (result < 0)
		return result;
	store->looked = true;
	store->data_version = version;
	*ret = STORE_CHANGED;
	return 0;
}
