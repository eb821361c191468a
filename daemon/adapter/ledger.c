/*
 * ledger.c - the ledger's file: opening it, its settings, its random bytes, closing it. See
 * ledger.h.
 *
 * ledger_schema.c makes and migrates what is in it; ledger_statement.c and ledger_transaction.c
 * are what all other files of the ledger write and read through. Each of those keeps one thing,
 * and is named after it.
 */
#include "adapter/ledger_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* A reader (audit verify) of a large ledger may hold the writer up so long. */
enum { BUSY_MS = 10000 };

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
