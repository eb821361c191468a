/*
 * ledger_copy.c - copies of the ledger that know that they are copies: those that people ask
 * for, and the one that is made before a migration.
 */
#include "adapter/ledger_care.h"
#include "adapter/ledger_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LEDGER_COPY_NEW ".new" /* behind the name of a copy that is not whole yet */

static int sync_folder(const char *folder, struct error *error)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = fd < 0 || fsync(fd) < 0 ? errno : 0;

	if (fd >= 0)
		(void)close(fd); /* synced above */
	return code == 0 ? 0 : error_set(error, code, "%s: %s", folder, strerror(code));
}

/* What went out after this moment is not in the copy: whoever takes it for the ledger knows. */
static int mark_copy(const char *path, struct error *error)
{
	CLEANUP(database_closep) sqlite3 *db = NULL;
	int result = database_open(path, &(struct database_options){ 0 }, &db, error);

	if (result < 0)
		return result;
	return database_run(db,
			    "INSERT INTO meta (name, value) SELECT 'copied_at', latest FROM"
			    " head WHERE true ON CONFLICT (name) DO UPDATE SET value ="
			    " excluded.value",
			    error);
}

int ledger_copy(sqlite3 *db, const char *path, const struct database_watch *watch,
		struct error *error)
{
	int result = database_backup(db, path, watch, error);

	if (result < 0)
		return result;
	result = mark_copy(path, error);
	if (result < 0)
		(void)unlink(path); /* it is of no use, whether it goes or not */
	return result;
}

/* The name of the copy that a migration leaves of what it found. */
static int copy_name(const char *folder, int64_t version, const char *suffix,
		     char out[static PATH_MAX], struct error *error)
{
	if (snprintf(out, PATH_MAX, "%s/ledger-version-%lld.db%s", folder, (long long)version,
		     suffix) >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "state folder: its name is too long");
	return 0;
}

/* By a connection of its own: one that is about to write cannot copy what it holds. */
static int copy_into(const struct bringing *bringing, const char *temporary, const char *path,
		     struct error *error)
{
	CLEANUP(database_closep) sqlite3 *reader = NULL;
	const struct database_options options = { .query_only = true,
						  .longest_value = LEDGER_LONGEST_VALUE };
	int result = database_open(bringing->path, &options, &reader, error);

	if (result < 0)
		return result;
	(void)unlink(temporary); /* left behind by one that was killed over it; or none */
	result = ledger_copy(reader, temporary, &bringing->watch, error);
	if (result < 0)
		return result;
	if (rename(temporary, path) < 0) {
		int code = errno;

		(void)unlink(temporary); /* the error is told */
		return error_set(error, code, "%s: %s", path, strerror(code));
	}
	return sync_folder(bringing->folder, error);
}

int ledger_copy_before(const struct bringing *bringing, struct error *error)
{
	char temporary[PATH_MAX];
	char path[PATH_MAX];
	struct error why = { 0 };
	int result =
		copy_name(bringing->folder, bringing->from, LEDGER_COPY_NEW, temporary, error);

	if (result == 0)
		result = copy_name(bringing->folder, bringing->from, "", path, error);
	if (result == 0 && copy_into(bringing, temporary, path, &why) < 0)
		return error_set(error, why.code,
				 "no copy of it could be made before it is changed (is there "
				 "room for one?): %.300s",
				 why.text);
	return result;
}

size_t ledger_remove_copies(const char *folder, int64_t below)
{
	size_t removed = 0;

	for (int64_t version = 1; version < below; version++) {
		struct error ignored = { 0 };
		char path[PATH_MAX];

		if (copy_name(folder, version, "", path, &ignored) == 0 && unlink(path) == 0)
			removed++;
		if (copy_name(folder, version, LEDGER_COPY_NEW, path, &ignored) == 0)
			(void)unlink(path); /* of one that was killed over it, if any */
	}
	return removed;
}

int ledger_backup(struct ledger *ledger, const char *path, struct error *error)
{
	return ledger_copy(ledger->db, path, &(struct database_watch){ 0 }, error);
}

size_t ledger_erase_copies(const char *state_folder)
{
	return ledger_remove_copies(state_folder, (int64_t)ledger_released_steps.count + 1);
}
