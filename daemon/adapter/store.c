/*
 * store.c - the store's file: opening it, its statements, its transactions, closing it; see
 * store.h.
 *
 * Each statement is reset as soon as its rows are copied, since one left open holds the lock
 * that writers wait for.
 */
#include "adapter/store_internal.h"

#include "base/list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_MS = 2000 };

static int read_identity(struct store *store, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;
	int result = database_prepare(store->db, "SELECT hex FROM main.identity", &find, error);
	int step;

	if (result < 0)
		return result;
	step = sqlite3_step(find);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		return database_fail(store->db, error, "ask for the store's identity");
	if (step == SQLITE_DONE || sqlite3_column_type(find, 0) != SQLITE_TEXT)
		return error_set(error, EINVAL, "the store has no identity");
	if (sqlite3_column_bytes(find, 0) >= STORE_IDENTITY_SIZE)
		return error_set(error, EINVAL, "the store's identity is too long");
	(void)snprintf(store->identity, sizeof store->identity, "%s",
		       (const char *)sqlite3_column_text(find, 0)); /* measured above */
	return 0;
}

static int read_journal_mode(struct store *store, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *mode = NULL;
	int result = database_prepare(store->db, "PRAGMA main.journal_mode", &mode, error);

	if (result < 0)
		return result;
	if (sqlite3_step(mode) != SQLITE_ROW)
		return database_fail(store->db, error, "ask for the journal mode");
	store->wal = sqlite3_stricmp((const char *)sqlite3_column_text(mode, 0), "wal") == 0;
	return 0;
}

int store_know(struct store *store, struct error *error)
{
	int result = store_check_header(store->db, error);

	if (result >= 0)
		result = store_check_new_schema(store, error);
	if (result >= 0)
		result = read_identity(store, error);
	if (result >= 0)
		result = read_journal_mode(store, error);
	return result;
}

#define SIXTEEN                                                                  \
	"(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16" \
	")"
#define AGENCY_COLUMNS "SELECT id, name, telephone, calendar, cover FROM main.agency"
#define CONTACT_COLUMNS                                                              \
	"SELECT id, agency, role, name, email, language, shared, active, away_from," \
	" away_until, deputy, confirmed_at FROM main.contact"

#define BEHIND " WHERE (c.change_seq, c.id) > (?1, ?2) ORDER BY c.change_seq, c.id"

static int prepare_all(struct store *store, struct error *error)
{
	const struct {
		const char *sql;
		sqlite3_stmt **statement;
	} wanted[] = {
		{ "PRAGMA main.data_version", &store->version },
		{ CHALLENGE_COLUMNS "," EVENT_COLUMNS " FROM main.challenge c"
				    " LEFT JOIN main.event e ON e.challenge = c.id" BEHIND
				    ", e.id",
		  &store->walk },
		{ "SELECT c.id, c.change_seq FROM main.challenge c" BEHIND, &store->changed },
		{ "SELECT id, change_seq FROM main.challenge ORDER BY reference",
		  &store->sorted },
		{ CHALLENGE_COLUMNS " FROM main.challenge c WHERE c.id = ?1", &store->row },
		{ "SELECT" EVENT_COLUMNS " FROM main.event e WHERE e.challenge = ?1"
		  " ORDER BY e.id",
		  &store->events },
		{ "SELECT id FROM main.challenge WHERE reference = ?1", &store->reference },
		{ "SELECT id FROM main.challenge WHERE id >= ?1 ORDER BY id LIMIT ?2",
		  &store->ids },
		{ AGENCY_COLUMNS " WHERE id IN " SIXTEEN " ORDER BY id", &store->agencies },
		{ "WITH RECURSIVE wanted (id) AS ("
		  " SELECT id FROM main.contact WHERE agency IN " SIXTEEN
		  " UNION SELECT cover FROM main.agency WHERE id IN " SIXTEEN
		  " UNION SELECT deputy FROM main.contact, wanted"
		  " WHERE contact.id = wanted.id AND deputy IS NOT NULL"
		  ") " CONTACT_COLUMNS " WHERE id IN (SELECT id FROM wanted) ORDER BY id",
		  &store->contacts },
		{ AGENCY_COLUMNS " ORDER BY id", &store->all_agencies },
		{ CONTACT_COLUMNS " ORDER BY id", &store->all_contacts },
	};

	for (size_t i = 0; i < COUNT(wanted); i++) {
		int result =
			database_prepare(store->db, wanted[i].sql, wanted[i].statement, error);

		if (result < 0)
			return result;
	}
	return 0;
}

static int open_checked(const char *path, struct store *store, struct error *error)
{
	int result = database_open(
		path, &(struct database_options){ .query_only = true, .busy_ms = BUSY_MS },
		&store->db, error);

	if (result < 0)
		return result;
	/* Should it be in WAL: whoever wrote it checkpoints it. */
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
				NULL); /* since 3.16: cannot fail */
	store->schema_version = -1;
	/* It is walked, not searched: more pages would be kept for nothing. */
	result = database_run(store->db, "PRAGMA cache_size = -256", error);
	if (result >= 0)
		result = store_know(store, error);
	if (result >= 0)
		result = prepare_all(store, error);
	if (result < 0)
		(void)error_wrap(error, "%s", path); /* it answers -EIO for a NULL error */
	return result < 0 ? result : 0;
}

int store_open(const char *path, struct store **ret, struct error *error)
{
	CLEANUP(store_closep) struct store *store = calloc(1, sizeof *store);
	int result;

	if (store == NULL)
		return error_memory(error);
	result = open_checked(path, store, error);
	if (result == -ENOENT)
		return error_set(error, ENOENT,
				 "%s: there is no store yet (challengectl init makes one)",
				 path);
	if (result < 0)
		return result;
	*ret = TAKE(store);
	return 0;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	database_finalizep(&store->version);
	database_finalizep(&store->walk);
	database_finalizep(&store->changed);
	database_finalizep(&store->sorted);
	database_finalizep(&store->row);
	database_finalizep(&store->events);
	database_finalizep(&store->reference);
	database_finalizep(&store->ids);
	database_finalizep(&store->agencies);
	database_finalizep(&store->contacts);
	database_finalizep(&store->all_agencies);
	database_finalizep(&store->all_contacts);
	database_closep(&store->db);
	free(store->strings.data);
	free(store->event);
	free(store->places);
	arena_clear(&store->directory);
	free(store);
}

void store_give_back(struct store *store)
{
	(void)sqlite3_db_release_memory(store->db); /* what is in use stays */
}

void store_closep(struct store **store)
{
	store_close(*store);
	*store = NULL;
}

bool store_is_wal(const struct store *store)
{
	return store->wal;
}

const char *store_identity(const struct store *store)
{
	return store->identity;
}

static void reset_all(struct store *store)
{
	/* Each repeats the error of its last step, which was told then. */
	(void)sqlite3_reset(store->walk);
	(void)sqlite3_reset(store->changed);
	(void)sqlite3_reset(store->sorted);
	(void)sqlite3_reset(store->row);
	(void)sqlite3_reset(store->events);
	(void)sqlite3_reset(store->reference);
}

int store_begin(struct store *store, struct error *error)
{
	int64_t seq;
	int result;

	store_end(store);
	result = database_run(store->db, "BEGIN", error);
	/* BEGIN alone locks nothing: the first read chooses the moment that is seen. */
	if (result == 0)
		result = store_change_seq(store, &seq, error);
	if (result < 0) {
		store_end(store);
		(void)error_wrap(error, "read the store");
		return result;
	}
	return 0;
}

void store_end(struct store *store)
{
	reset_all(store);
	if (sqlite3_get_autocommit(store->db) == 0)
		(void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL,
				   NULL); /* nothing was written: nothing can be lost */
}

int store_change_seq(struct store *store, int64_t *ret, struct error *error)
{
	int result =
		database_number(store->db, "SELECT change_seq FROM main.counter", ret, error);

	if (result == 0)
		return error_set(error, EINVAL, "the store's counter of changes is gone");
	return result < 0 ? result : 0;
}

int store_backup(struct store *store, const char *path, struct error *error)
{
	return database_backup(store->db, path, &(struct database_watch){ 0 }, error);
}
