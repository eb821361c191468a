/*
 * ledger.c - see ledger.h: opening, transactions, small values and the schedule.
 *
 * The schema, notices, mails and the chain have files of their own.
 */
#include "adapter/ledger_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A reader (audit verify) of a large ledger may hold the writer up so long. */
enum { BUSY_MS = 10000 };

/* How often, and how far apart, the lock is asked for: half a second in all. */
enum { LOCK_TRIES = 21, LOCK_PAUSE_MS = 25 };

/* 2026-01-01T00:00:00Z: nothing of ours ran before. */
#define FIRST_SANE INT64_C(1767225600)

/* --- statements ----------------------------------------------------------------------------
 */

struct database_value value_instant(struct instant at)
{
	return instant_is_never(at) ? value_null() : value_number(at.seconds);
}

struct instant column_instant(sqlite3_stmt *statement, int column)
{
	if (sqlite3_column_type(statement, column) == SQLITE_NULL)
		return INSTANT_NEVER;
	/* "Never" is written in one way only: a number is a number. */
	if (sqlite3_column_int64(statement, column) == INT64_MAX)
		return (struct instant){ INT64_MAX - 1 };
	return (struct instant){ sqlite3_column_int64(statement, column) };
}

const char *column_string(sqlite3_stmt *statement, int column)
{
	const unsigned char *string = sqlite3_column_text(statement, column);

	return string != NULL ? (const char *)string : "";
}

static int keep(struct ledger *ledger, const char *sql, sqlite3_stmt **ret, struct error *error)
{
	size_t i = 0;
	int result;

	while (i < ledger->kept_count && ledger->kept[i].sql != sql)
		i++;
	if (i == ledger->kept_count) {
		if (i == MOST_STATEMENTS)
			return error_set(error, ENOMEM, "more statements than are kept");
		result = database_prepare(ledger->db, sql, &ledger->kept[i].statement, error);
		if (result < 0)
			return result;
		ledger->kept[i].sql = sql;
		ledger->kept_count++;
	}
	*ret = ledger->kept[i].statement;
	return 0;
}

int ledger_ask(struct ledger *ledger, const char *sql, const struct database_value *values,
	       size_t count, sqlite3_stmt **ret, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	int result = keep(ledger, sql, &statement, error);

	if (result < 0)
		return result;
	result = database_bind(statement, values, count, error);
	if (result < 0)
		return result;
	*ret = statement;
	return 0;
}

int ledger_step(struct ledger *ledger, sqlite3_stmt *statement, struct error *error)
{
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return database_fail(ledger->db, error, "ledger: %.60s",
				     sqlite3_sql(statement));
	}
}

void ledger_resetp(sqlite3_stmt **statement)
{
	if (*statement != NULL) {
		(void)sqlite3_reset(*statement); /* repeats the error of the last step */
		/* What was bound was borrowed and may be gone before the next use. */
		(void)sqlite3_clear_bindings(*statement);
	}
	*statement = NULL;
}

int ledger_change(struct ledger *ledger, const char *sql, const struct database_value *values,
		  size_t count, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql, values, count, &statement, error);

	if (result < 0)
		return result;
	return ledger_step(ledger, statement, error);
}

/* --- followers -----------------------------------------------------------------------------
 */

/* Keys apart, and rows passed over, at which a search is not yet the shorter way. */
enum { NEAR = 8 };

void follower_stop(struct follower *follower)
{
	ledger_resetp(&follower->statement);
	follower->walks = false;
}

static int follower_step(struct ledger *ledger, struct follower *follower,
			 const struct following *what, struct error *error)
{
	int result = ledger_step(ledger, follower->statement, error);

	if (result == 1)
		follower->at = sqlite3_column_int64(follower->statement, what->column);
	else
		follower_stop(follower);
	return result;
}

/* Places it anew: by a walk where the last question was for one just before. */
static int follower_from(struct ledger *ledger, struct follower *follower,
			 const struct following *what, bool walks, int64_t key,
			 struct error *error)
{
	int result;

	follower_stop(follower);
	result = ledger_ask(ledger, walks ? what->sql_on : what->sql_one,
			    VALUES(value_number(key)), &follower->statement, error);
	if (result < 0)
		return result;
	follower->walks = walks;
	follower->changes = sqlite3_total_changes64(ledger->db);
	return follower_step(ledger, follower, what, error);
}

int follower_find(struct ledger *ledger, struct follower *follower,
		  const struct following *what, int64_t key, sqlite3_stmt **ret,
		  struct error *error)
{
	/* Ids may lie at both ends of what a number holds: unsigned, the way is never too long.
	 */
	bool near = sqlite3_get_autocommit(ledger->db) == 0 && key > follower->asked &&
		    (uint64_t)key - (uint64_t)follower->asked <= NEAR;
	bool stands = near && follower->statement != NULL && follower->walks &&
		      follower->changes == sqlite3_total_changes64(ledger->db);
	int result = 1;

	follower->asked = key;
	for (int i = 0; stands && i < NEAR && follower->at < key; i++) {
		result = follower_step(ledger, follower, what, error);
		stands = result == 1;
	}
	if (result == 1 && (!stands || follower->at < key))
		result = follower_from(ledger, follower, what, near, key, error);
	*ret = follower->statement;
	return result == 1 ? follower->at == key : result;
}

int follower_next(struct ledger *ledger, struct follower *follower,
		  const struct following *what, struct error *error)
{
	int64_t key = follower->at;
	int result = follower_step(ledger, follower, what, error);

	return result == 1 ? follower->at == key : result;
}

/* --- opening -------------------------------------------------------------------------------
 */

static int fill_by_getrandom(void *context, void *bytes, size_t count)
{
	unsigned char *at = bytes;

	(void)context; /* the system's source needs none */
	while (count > 0) {
		ssize_t got = getrandom(at, count, 0);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got > 0) {
			at += got;
			count -= (size_t)got;
		}
	}
	return 0;
}

int ledger_random_bytes(struct ledger *ledger, unsigned char *ret, size_t count,
			struct error *error)
{
	unsigned char *from;

	if (ledger->pool_left < count) {
		int result = ledger->random.fill(ledger->random.context, ledger->pool,
						 sizeof ledger->pool);

		if (result < 0)
			return error_set(error, -result, "random bytes: %s", strerror(-result));
		ledger->pool_left = sizeof ledger->pool;
	}
	from = ledger->pool + sizeof ledger->pool - ledger->pool_left;
	memcpy(ret, from, count);
	explicit_bzero(from, count); /* a salt whose payload is purged is nowhere any more */
	ledger->pool_left -= count;
	return 0;
}

/* 0600 whatever the umask. O_EXCL: a file that is there may be open in this process, and
 * closing a second descriptor of it would drop its locks. */
static int create_file(const char *path, struct error *error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		int code = errno;

		if (code == EEXIST)
			return 0;
		return error_set(error, code, "create %s: %s", path, strerror(code));
	}
	(void)fchmod(fd, 0600); /* an odd umask can only have taken from it */
	(void)close(fd);        /* nothing was written */
	return 0;
}

static int set_up(struct ledger *ledger, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *journal = NULL;
	int result = database_run(ledger->db,
				  "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
				  " PRAGMA journal_size_limit = 1048576;"
				  " PRAGMA cache_size = -256; PRAGMA cache_spill = 256;",
				  error);

	if (result == 0 && ledger->access == LEDGER_READ)
		return database_run(ledger->db, "PRAGMA query_only = ON", error);
	if (result == 0)
		result = database_prepare(ledger->db, "PRAGMA journal_mode = PERSIST", &journal,
					  error);
	if (result < 0)
		return result;
	if (sqlite3_step(journal) != SQLITE_ROW ||
	    strcmp(column_string(journal, 0), "persist") != 0)
		return database_fail(ledger->db, error,
				     "ledger: cannot set journal_mode PERSIST");
	return 0;
}

/* What the watch of a migration is told. */
struct watched {
	const struct ledger_setup *setup;
	const struct bringing *bringing;
};

static void tell_of_migration(void *context)
{
	const struct watched *watched = context;

	/* A new file is made in no time: there is nothing to tell. */
	if (watched->setup->migrating != NULL && watched->bringing->from != 0)
		watched->setup->migrating(watched->setup->context, (int)watched->bringing->from,
					  (int)watched->bringing->steps->count);
}

static int bring_up(struct ledger *ledger, const char *folder, const char *path,
		    const struct ledger_setup *setup, struct error *error)
{
	struct bringing bringing = {
		.folder = folder,
		.path = path,
		.steps = setup->steps != NULL ? setup->steps : &ledger_released_steps,
	};
	struct watched watched = { setup, &bringing };

	bringing.watch = (struct database_watch){ tell_of_migration, &watched };
	return ledger_bring_up(ledger, &bringing, error);
}

int ledger_open_with(const char *state_folder, enum ledger_access access,
		     const struct ledger_setup *setup, struct ledger **ret, struct error *error)
{
	const struct database_options options = { .busy_ms = BUSY_MS,
						  .longest_value = LEDGER_LONGEST_VALUE };
	CLEANUP(ledger_closep) struct ledger *ledger = calloc(1, sizeof *ledger);
	char path[PATH_MAX];
	int result = 0;

	if (ledger == NULL)
		return error_memory(error);
	if (snprintf(path, sizeof path, "%s/ledger.db", state_folder) >= (int)sizeof path)
		return error_set(error, ENAMETOOLONG, "state folder: its name is too long");
	ledger->access = access;
	ledger->random = setup->random;
	if (ledger->random.fill == NULL)
		ledger->random.fill = fill_by_getrandom;
	if (access == LEDGER_WRITE)
		result = create_file(path, error);
	if (result == 0)
		result = database_open(path, &options, &ledger->db, error);
	if (result == 0)
		result = bring_up(ledger, state_folder, path, setup, error);
	if (result == 0)
		result = set_up(ledger, error);
	if (result < 0)
		return result;
	*ret = TAKE(ledger);
	return 0;
}

int ledger_open(const char *state_folder, enum ledger_access access, struct ledger **ret,
		struct error *error)
{
	return ledger_open_with(state_folder, access, &(struct ledger_setup){ 0 }, ret, error);
}

bool ledger_was_migrated(const struct ledger *ledger, int *ret_from, int *ret_to)
{
	*ret_from = (int)ledger->found;
	*ret_to = (int)ledger->version;
	return ledger->found != ledger->version;
}

void ledger_close(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	for (size_t i = 0; i < ledger->kept_count; i++)
		database_finalizep(&ledger->kept[i].statement);
	database_closep(&ledger->db); /* rolls back what is open */
	explicit_bzero(ledger->pool, sizeof ledger->pool);
	free(ledger);
}

void ledger_closep(struct ledger **ledger)
{
	ledger_close(*ledger);
	*ledger = NULL;
}

void ledger_watch(struct ledger *ledger, struct ledger_watcher watcher)
{
	ledger->watcher = watcher;
}

void ledger_give_back(struct ledger *ledger)
{
	(void)sqlite3_db_release_memory(ledger->db); /* what is in use stays */
}

/* Whether the lock was had; errno tells why not. */
static bool lock_within_a_moment(int fd)
{
	static const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };

	for (int tries = 1; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK || tries == LOCK_TRIES)
			return false;
		(void)nanosleep(&pause, NULL); /* a signal only asks sooner */
	}
	return true;
}

int ledger_lock(const char *state_folder, int *ret_descriptor, struct error *error)
{
	char path[PATH_MAX];
	int code;
	int fd;

	if (snprintf(path, sizeof path, "%s/lock", state_folder) >= (int)sizeof path)
		return error_set(error, ENAMETOOLONG, "state folder: its name is too long");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		code = errno;
		return error_set(error, code, "%s: %s", path, strerror(code));
	}
	if (!lock_within_a_moment(fd)) {
		code = errno;
		(void)close(fd); /* nothing was written */
		if (code == EWOULDBLOCK)
			return error_set(error, code, "%s: another challenge-notifyd holds it",
					 path);
		return error_set(error, code, "%s: %s", path, strerror(code));
	}
	*ret_descriptor = fd;
	return 0;
}

/* --- transactions --------------------------------------------------------------------------
 */

static int head_read(struct ledger *ledger, struct head *ret, struct error *error)
{
	static const char sql[] =
		"SELECT seq, hash, latest, notices, mails, decided, ready, attempting,"
		" accepted, retry, in_doubt, refused, cancelled, held FROM head WHERE one = 1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql, NULL, 0, &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result < 0)
		return result;
	if (result == 0 || sqlite3_column_bytes(statement, 1) != HASH_SIZE)
		return error_set(error, EIO, "ledger: its head is damaged");
	ret->seq = sqlite3_column_int64(statement, 0);
	memcpy(ret->hash, sqlite3_column_blob(statement, 1), HASH_SIZE);
	ret->latest = sqlite3_column_int64(statement, 2);
	ret->notices = sqlite3_column_int64(statement, 3);
	ret->mails = sqlite3_column_int64(statement, 4);
	for (int i = 0; i < DELIVERY_STATE_COUNT; i++)
		ret->tally[i] = sqlite3_column_int64(statement, 5 + i);
	return 0;
}

static int head_write(struct ledger *ledger, struct error *error)
{
	static const char sql[] =
		"UPDATE head SET seq = ?1, hash = ?2, latest = ?3, notices = ?4, mails = ?5,"
		" decided = ?6, ready = ?7, attempting = ?8, accepted = ?9, retry = ?10,"
		" in_doubt = ?11, refused = ?12, cancelled = ?13, held = ?14 WHERE one = 1";
	const struct head *head = &ledger->head;
	const int64_t *t = head->tally;

	_Static_assert(DELIVERY_DECIDED == 0 && DELIVERY_HELD == DELIVERY_STATE_COUNT - 1,
		       "the tally's columns stand in the order of the states");
	return ledger_change(ledger, sql,
			     VALUES(value_number(head->seq), value_blob(head->hash, HASH_SIZE),
				    value_number(head->latest), value_number(head->notices),
				    value_number(head->mails), value_number(t[0]),
				    value_number(t[1]), value_number(t[2]), value_number(t[3]),
				    value_number(t[4]), value_number(t[5]), value_number(t[6]),
				    value_number(t[7]), value_number(t[8])),
			     error);
}

int ledger_head(struct ledger *ledger, struct head *ret, struct error *error)
{
	if (!ledger->inside && !ledger->quiet.holds)
		return head_read(ledger, ret, error);
	*ret = ledger->inside ? ledger->head : ledger->quiet.head;
	return 0;
}

void ledger_tally(struct ledger *ledger, enum delivery_state state, int64_t difference)
{
	ledger->head.tally[state] += difference;
	ledger->head_changed = true;
}

static bool is_unchanged(struct ledger *ledger)
{
	uint32_t counter = 0;

	return database_change_counter(ledger->db, &counter) &&
	       counter == ledger->quiet.counter;
}

/* Asked while the file is still locked, so that all of it is of one moment. */
static bool learn(struct ledger *ledger)
{
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
	if (scope->own) {
		if (result < 0) {
			ledger_rollback(ledger);
			return result;
		}
		return ledger_commit(ledger, error) < 0 ? -error->code : result;
	}
	if (result < 0 && sqlite3_total_changes64(ledger->db) != scope->changes)
		ledger->broken = true;
	return result;
}

/* --- small values --------------------------------------------------------------------------
 */

static const char sql_get[] = "SELECT value FROM meta WHERE name = ?1";

int ledger_get(struct ledger *ledger, const char *name, struct text *ret, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql_get, VALUES(value_text(name)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result != 1)
		return result;
	text_cut(ret, 0);
	text_append_bytes(ret, column_string(statement, 0),
			  (size_t)sqlite3_column_bytes(statement, 0));
	if (text_failed(ret))
		return error_memory(error);
	return 1;
}

int ledger_get_number(struct ledger *ledger, const char *name, int64_t *ret,
		      struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql_get, VALUES(value_text(name)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result == 1)
		*ret = sqlite3_column_int64(statement, 0);
	return result;
}

static int set_value(struct ledger *ledger, const char *name, struct database_value value,
		     struct error *error)
{
	static const char sql[] = "INSERT INTO meta (name, value) VALUES (?1, ?2)"
				  " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
				  " WHERE value IS NOT excluded.value";
	struct ledger_scope scope;
	int result;

	if (strcmp(name, "secret") == 0)
		return error_set(error, EINVAL, "ledger: the secret is not to be set");
	result = ledger_enter(ledger, &scope, error);
	if (result < 0)
		return result;
	result = ledger_change(ledger, sql, VALUES(value_text(name), value), error);
	return ledger_leave(ledger, &scope, result, error);
}

int ledger_set(struct ledger *ledger, const char *name, const char *value, struct error *error)
{
	return set_value(ledger, name, value_text(value), error);
}

int ledger_set_number(struct ledger *ledger, const char *name, int64_t value,
		      struct error *error)
{
	return set_value(ledger, name, value_number(value), error);
}

/* --- the clock -----------------------------------------------------------------------------
 */

static const char clock_confirmed[] = "clock_confirmed";
static const char clock_disavowed[] = "clock_disavowed";

static int note_confirmation(struct ledger *ledger, struct instant now, const char *by,
			     const char *why, struct error *error)
{
	CLEANUP(freep) char *payload = NULL;
	json_t *object = json_pack("{s:s, s:s}", "by", by, "reason", why);

	payload = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (payload == NULL)
		return error_set(error, EINVAL, "ledger: who or why is not UTF-8");
	return ledger_note(ledger, clock_confirmed, payload, now, error);
}

static int write_confirmation(struct ledger *ledger, struct instant now, const char *by,
			      const char *why, struct error *error)
{
	struct instant latest;
	int result = ledger_latest(ledger, &latest, error);
	bool ahead = result == 0 && instant_before(now, latest);

	if (result == 0)
		result = ledger_set_number(ledger, clock_confirmed, now.seconds, error);
	if (result >= 0)
		result = ledger_set_number(ledger, clock_disavowed,
					   ahead ? latest.seconds : INSTANT_NEVER.seconds,
					   error);
	/* When each speaks next was worked out in a future that is not. */
	if (result >= 0 && ahead)
		result = ledger_set_number(ledger, "change_seq", 0, error);
	if (result >= 0)
		result = note_confirmation(ledger, now, by, why, error);
	return result < 0 ? result : 0;
}

int ledger_confirm_clock(struct ledger *ledger, struct instant now, const char *by,
			 const char *why, struct error *error)
{
	int result;

	if (now.seconds < FIRST_SANE)
		return error_set(error, EINVAL,
				 "the clock stands before 2026, which nobody can confirm: set "
				 "it first");
	result = ledger_begin(ledger, error);
	if (result < 0)
		return result;
	result = write_confirmation(ledger, now, by, why, error);
	if (result == 0)
		result = ledger_commit(ledger, error);
	if (result < 0)
		ledger_rollback(ledger);
	return result;
}

int ledger_confirmation(struct ledger *ledger, struct ledger_confirmation *ret,
			struct error *error)
{
	struct ledger_confirmation found = { INSTANT_NEVER, INSTANT_NEVER };
	int result = ledger_get_number(ledger, clock_confirmed, &found.at.seconds, error);

	if (result == 1)
		result = ledger_get_number(ledger, clock_disavowed, &found.disavowed.seconds,
					   error);
	if (result < 0)
		return result;
	*ret = found;
	return 0;
}

/* --- the store that it knows ---------------------------------------------------------------
 */

static const char witness_name[] = "store_witness";

int ledger_witness(struct ledger *ledger, struct ledger_witness *ret, struct error *error)
{
	CLEANUP(text_clear) struct text text = { 0 };
	const char *rest;
	int64_t n[5];
	int result = ledger_get(ledger, witness_name, &text, error);

	if (result <= 0)
		return result;
	rest = text_string(&text);
	for (size_t i = 0; i < COUNT(n); i++) {
		char *end;

		n[i] = strtoll(rest, &end, 10);
		if (end == rest)
			return 0; /* confirmed just now, and not looked at yet */
		rest = end;
	}
	*ret = (struct ledger_witness){ n[0], n[1], n[2], n[3], n[4] };
	return 1;
}

int ledger_set_witness(struct ledger *ledger, const struct ledger_witness *witness,
		       struct error *error)
{
	char text[5 * 22];

	(void)snprintf(text, sizeof text, "%lld %lld %lld %lld %lld", (long long)witness->event,
		       (long long)witness->challenge, (long long)witness->at,
		       (long long)witness->recorded_at, (long long)witness->seen); /* fits */
	return ledger_set(ledger, witness_name, text, error);
}

int ledger_numbers(struct ledger *ledger, struct ledger_numbers *ret, struct error *error)
{
	static const char sql_challenge[] =
		"SELECT max(coalesce((SELECT max(challenge) FROM notice), 0),"
		" coalesce((SELECT max(challenge) FROM schedule), 0))";
	static const char sql_event[] = "SELECT coalesce(max(event), 0) FROM notice";
	static const char sql_contact[] =
		"SELECT max(coalesce((SELECT max(contact) FROM mail), 0),"
		" coalesce((SELECT max(contact) FROM refused), 0))";
	struct ledger_witness witness = { 0 };
	struct ledger_numbers found = { 0 };
	int result = database_number(ledger->db, sql_challenge, &found.challenge, error);

	if (result >= 0)
		result = database_number(ledger->db, sql_event, &found.event, error);
	if (result >= 0)
		result = database_number(ledger->db, sql_contact, &found.contact, error);
	if (result >= 0)
		result = ledger_witness(ledger, &witness, error);
	if (result < 0)
		return result;
	if (found.challenge < witness.challenge)
		found.challenge = witness.challenge;
	if (found.event < witness.event)
		found.event = witness.event;
	*ret = found;
	return 0;
}

static int confirm_store(struct ledger *ledger, const char *identity, const char *payload,
			 struct instant now, struct error *error)
{
	int result = ledger_set(ledger, "store_identity", identity, error);

	if (result >= 0)
		result = ledger_set_number(ledger, "change_seq", 0, error);
	if (result >= 0)
		result = ledger_set(ledger, witness_name, "", error);
	if (result >= 0)
		result = ledger_set_number(ledger, LEDGER_STORE_DOUBTED, 0, error);
	return result < 0 ? result
			  : ledger_note(ledger, "store_confirmed", payload, now, error);
}

int ledger_confirm_store(struct ledger *ledger, const char *identity, const char *payload,
			 struct instant now, struct error *error)
{
	struct ledger_scope scope;
	int result = ledger_enter(ledger, &scope, error);

	if (result < 0)
		return result;
	result = confirm_store(ledger, identity, payload, now, error);
	return ledger_leave(ledger, &scope, result < 0 ? result : 0, error);
}

int ledger_is_new(struct ledger *ledger, bool *ret, struct error *error)
{
	int64_t cycle;
	int found = ledger_get_number(ledger, "first_cycle", &cycle, error);

	if (found < 0)
		return found;
	*ret = found == 0;
	return 0;
}

int ledger_latest(struct ledger *ledger, struct instant *ret, struct error *error)
{
	struct head head = { 0 };
	int result = ledger_head(ledger, &head, error);

	if (result == 0)
		*ret = (struct instant){ head.latest };
	return result;
}

int ledger_count(struct ledger *ledger, int64_t ret[static DELIVERY_STATE_COUNT],
		 struct error *error)
{
	struct head head = { 0 };
	int result = ledger_head(ledger, &head, error);

	if (result == 0)
		memcpy(ret, head.tally, sizeof head.tally);
	return result;
}

/* --- schedule ------------------------------------------------------------------------------
 */

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
	static const char sql_challenge[] = "SELECT next FROM schedule ORDER BY next LIMIT 1";
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
