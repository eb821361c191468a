/* database.c - see database.h; the settings are those of facts.md 1.1, each with its reason. */
#include "adapter/database.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_VALUE = 1 << 20 };

/*
 * stat, never open: closing any descriptor of a database file drops every POSIX lock that this
 * process holds on it.
 */
static int check_file(const char *path, bool create, struct error *error)
{
	struct stat status;

	if (path[0] == '\0' || path[0] == ':')
		return error_set(error, EINVAL, "\"%s\" is not the name of a file", path);
	if (stat(path, &status) < 0) {
		int code = errno;

		if (code == ENOENT && create)
			return 0;
		return error_set(error, code, "%s: %s", path, strerror(code));
	}
	if (!S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "%s: not a regular file", path);
	return 0;
}

static bool harden(sqlite3 *db)
{
	static const struct {
		int option;
		int value;
	} configs[] = {
		{ SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 }, /* views and triggers are another's */
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_DQS_DML, 0 }, /* a misspelt column is no string */
		{ SQLITE_DBCONFIG_DQS_DDL, 0 },
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
	};

	for (size_t i = 0; i < COUNT(configs); i++) {
		int now = -1;

		if (sqlite3_db_config(db, configs[i].option, configs[i].value, &now) !=
			    SQLITE_OK ||
		    now != configs[i].value)
			return false;
	}
	return true;
}

static void lower_limits(sqlite3 *db, int longest_value)
{
	const struct {
		int limit;
		int value;
	} limits[] = {
		{ SQLITE_LIMIT_LENGTH, longest_value != 0 ? longest_value : LONGEST_VALUE },
		{ SQLITE_LIMIT_SQL_LENGTH, 100000 },
		{ SQLITE_LIMIT_COLUMN, 100 },
		{ SQLITE_LIMIT_EXPR_DEPTH, 100 },
		{ SQLITE_LIMIT_COMPOUND_SELECT, 10 },
		{ SQLITE_LIMIT_VDBE_OP, 25000 },
		{ SQLITE_LIMIT_FUNCTION_ARG, 20 },
		{ SQLITE_LIMIT_ATTACHED, 1 }, /* VACUUM INTO needs that one */
		{ SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100 },
		{ SQLITE_LIMIT_VARIABLE_NUMBER, 100 },
		{ SQLITE_LIMIT_TRIGGER_DEPTH, 10 },
		{ SQLITE_LIMIT_WORKER_THREADS, 0 },
	};

	for (size_t i = 0; i < COUNT(limits); i++)
		(void)sqlite3_limit(db, limits[i].limit, limits[i].value); /* answers the old */
}

/*
 * Before SQLite has begun it can be told that there is one thread and that nobody asks for its
 * statistics: no mutex around each allocation, a sixth of its time. And each connection is not
 * to take twenty pages in advance, which it could never give back. At a second opening it
 * refuses all of this, since it knows it already.
 */
static void begin_unthreaded(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

int database_open(const char *path, const struct database_options *options, sqlite3 **ret,
		  struct error *error)
{
	CLEANUP(database_closep) sqlite3 *db = NULL;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
		    SQLITE_OPEN_EXRESCODE | (options->create ? SQLITE_OPEN_CREATE : 0);
	int result = check_file(path, options->create, error);

	if (result < 0)
		return result;
	begin_unthreaded();
	if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
		if (db != NULL && sqlite3_system_errno(db) == EACCES)
			return error_set(error, EACCES, "%s: this user may not open it", path);
		return database_fail(db, error, "open %s", path);
	}
	/* SQLite falls back to reading where it may not write; then no hot journal is rolled
	 * back, and that would be noticed on the day it matters. */
	if (sqlite3_db_readonly(db, "main") == 1)
		return error_set(error, EACCES, "%s: this user may not write to it", path);
	if (!harden(db))
		return error_set(error, EIO, "%s: this SQLite cannot be made safe", path);
	lower_limits(db, options->longest_value);
	if (sqlite3_busy_timeout(db, options->busy_ms) != SQLITE_OK)
		return database_fail(db, error, "open %s", path);
	result = database_run(db,
			      "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
			      " PRAGMA temp_store = MEMORY;",
			      error);
	if (result == 0 && options->query_only)
		result = database_run(db, "PRAGMA query_only = ON", error);
	if (result < 0) {
		(void)error_wrap(error, "open %s", path); /* it answers -EIO for a NULL error */
		return result;
	}
	*ret = TAKE(db);
	return 0;
}

/* --- a private copy --------------------------------------------------------------------------
 */

/* An empty file of mode 0600 in the first folder that takes one; where it is stands in `path`.
 */
static int create_temporary(char path[static PATH_MAX], struct error *error)
{
	const char *const folders[] = { getenv("TMPDIR"), "/var/tmp", "/tmp" };
	int code = ENOENT;

	for (size_t i = 0; i < COUNT(folders); i++) {
		int fd;

		if (folders[i] == NULL ||
		    snprintf(path, PATH_MAX, "%s/challenge-XXXXXX", folders[i]) >= PATH_MAX)
			continue;
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			return fd;
		code = errno;
	}
	return error_set(error, code, "create a temporary file: %s", strerror(code));
}

static int write_all(int fd, const unsigned char *bytes, size_t length, struct error *error)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			int code = errno;

			return error_set(error, code, "write a temporary file: %s",
					 strerror(code));
		}
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

/*
 * The bytes of the file, through SQLite's own descriptor: to open and close another would drop
 * its locks. As they are: page by page through SQLite takes three times as long, and those who
 * write wait meanwhile.
 */
static int write_bytes(sqlite3 *from, int fd, struct error *error)
{
	enum { CHUNK = 1 << 16 }; /* SQLite reads no more than twice as much at once */
	unsigned char chunk[CHUNK];
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;

	if (sqlite3_file_control(from, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
	    file == NULL || file->pMethods == NULL ||
	    file->pMethods->xFileSize(file, &size) != SQLITE_OK)
		return error_set(error, EIO, "the file to copy cannot be read");
	for (sqlite3_int64 at = 0; at < size; at += CHUNK) {
		int length = size - at < CHUNK ? (int)(size - at) : CHUNK;
		int result;

		if (file->pMethods->xRead(file, chunk, length, at) != SQLITE_OK)
			return error_set(error, EIO, "the file to copy cannot be read");
		result = write_all(fd, chunk, (size_t)length, error);
		if (result < 0)
			return result;
	}
	return 0;
}

/* Within a read transaction nobody writes to the file, and what a killed writer left half done
 * has been rolled back. */
static int write_moment(sqlite3 *from, int fd, struct error *error)
{
	int64_t version;
	int result = database_run(from, "BEGIN", error);

	if (result < 0)
		return result;
	result = database_number(from, "PRAGMA main.schema_version", &version, error);
	if (result >= 0)
		result = write_bytes(from, fd, error);
	(void)sqlite3_exec(from, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
	return result < 0 ? result : 0;
}

/* Nothing is read of it yet, so that it may be filled behind the connection's back. */
static int open_temporary(const char *path, sqlite3 **ret, struct error *error)
{
	CLEANUP(database_closep) sqlite3 *db = NULL;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
		    SQLITE_OPEN_EXRESCODE;

	if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK || !harden(db))
		return database_fail(db, error, "open a temporary file");
	*ret = TAKE(db);
	return 0;
}

/* Its name goes while it is empty: whoever is killed over the copy leaves nothing behind. */
int database_copy(sqlite3 *from, sqlite3 **ret, struct error *error)
{
	CLEANUP(database_closep) sqlite3 *db = NULL;
	char path[PATH_MAX];
	int fd = create_temporary(path, error);
	int result;

	if (fd < 0)
		return fd;
	result = open_temporary(path, &db, error);
	(void)unlink(path); /* it stays for who has it open */
	if (result == 0)
		result = write_moment(from, fd, error);
	(void)close(fd); /* it is read back from memory, or not at all */
	if (result == 0)
		result = database_run(
			db,
			"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF;"
			" PRAGMA synchronous = OFF; PRAGMA cell_size_check = ON;",
			error);
	if (result < 0)
		return result;
	*ret = TAKE(db);
	return 0;
}

void database_closep(sqlite3 **db)
{
	(void)sqlite3_close_v2(*db); /* takes NULL; waits for statements still alive */
	*db = NULL;
}

void database_finalizep(sqlite3_stmt **statement)
{
	(void)sqlite3_finalize(*statement); /* repeats the error of the last step */
	*statement = NULL;
}

static int errno_of(int extended)
{
	switch (extended) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return EEXIST;
	default:
		break;
	}
	switch (extended & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return EACCES;
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return EINVAL;
	case SQLITE_CORRUPT:
		return EBADMSG;
	case SQLITE_TOOBIG:
		return EFBIG;
	default:
		return EIO;
	}
}

int database_fail(sqlite3 *db, struct error *error, const char *format, ...)
{
	int code = errno_of(db != NULL ? sqlite3_extended_errcode(db) : SQLITE_NOMEM);
	char attempt[300];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(attempt, sizeof attempt, format, arguments); /* cut is fine */
	va_end(arguments);
	return error_set(error, code, "%s: %s", attempt,
			 db != NULL ? sqlite3_errmsg(db) : "out of memory");
}

int database_run(sqlite3 *db, const char *sql, struct error *error)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return database_fail(db, error, "%.60s", sql);
	return 0;
}

int database_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct error *error)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
	    SQLITE_OK)
		return database_fail(db, error, "%.60s", sql);
	*ret = statement;
	return 0;
}

int database_number(sqlite3 *db, const char *sql, int64_t *ret, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_prepare(db, sql, &statement, error);

	if (result < 0)
		return result;
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		*ret = sqlite3_column_int64(statement, 0);
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return database_fail(db, error, "%.60s", sql);
	}
}

bool database_change_counter(sqlite3 *db, uint32_t *ret)
{
	enum { PLACE = 24 };
	unsigned char bytes[4];
	sqlite3_file *file = NULL;

	/* SQLite's own descriptor: to open and close another would drop its locks. */
	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
	    file == NULL || file->pMethods == NULL ||
	    file->pMethods->xRead(file, bytes, sizeof bytes, PLACE) != SQLITE_OK)
		return false;
	*ret = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
	return true;
}

static int bind_one(sqlite3_stmt *statement, int at, const struct database_value *value)
{
	switch (value->type) {
	case DATABASE_NULL:
		return sqlite3_bind_null(statement, at);
	case DATABASE_NUMBER:
		return sqlite3_bind_int64(statement, at, value->number);
	case DATABASE_TEXT:
		return sqlite3_bind_text(statement, at, value->bytes, -1, SQLITE_STATIC);
	case DATABASE_BLOB:
		return sqlite3_bind_blob64(statement, at, value->bytes, value->length,
					   SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

int database_bind(sqlite3_stmt *statement, const struct database_value *values, size_t count,
		  struct error *error)
{
	(void)sqlite3_reset(statement); /* repeats the error of the last step */
	for (size_t i = 0; i < count; i++)
		if (bind_one(statement, (int)i + 1, &values[i]) != SQLITE_OK)
			return database_fail(sqlite3_db_handle(statement), error,
					     "bind value %zu", i + 1);
	return 0;
}

int database_ask(sqlite3 *db, const char *sql, const struct database_value *values,
		 size_t count, sqlite3_stmt **ret, struct error *error)
{
	int result = database_prepare(db, sql, ret, error);

	return result < 0 ? result : database_bind(*ret, values, count, error);
}

int database_write(sqlite3 *db, const char *sql, const struct database_value *values,
		   size_t count, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_ask(db, sql, values, count, &statement, error);

	if (result < 0)
		return result;
	do
		result = sqlite3_step(statement);
	while (result == SQLITE_ROW);
	if (result != SQLITE_DONE)
		return database_fail(db, error, "%.60s", sql);
	return 0;
}

/* --- a copy while others write --------------------------------------------------------------
 */

static int tell_watch(void *context)
{
	const struct database_watch *watch = context;

	watch->tell(watch->context);
	return 0; /* go on */
}

void database_watch(sqlite3 *db, struct database_watch *watch)
{
	enum { OPERATIONS = 1000000 }; /* of SQLite's machine: some tens of milliseconds */
	bool watched = watch->tell != NULL;

	sqlite3_progress_handler(db, watched ? OPERATIONS : 0, watched ? tell_watch : NULL,
				 watch);
}

static int copy_pages(sqlite3 *from, sqlite3 *to, const char *path,
		      const struct database_watch *watch, struct error *error)
{
	enum { PAGES = 4096 }; /* between two words to the watch: 16 MiB */
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	bool watched = watch->tell != NULL;
	int step;
	int code;

	if (backup == NULL)
		return database_fail(to, error, "copy to %s", path);
	/* All in one step: a writer waits as long, and the copy is of one moment. */
	do {
		if (watched)
			watch->tell(watch->context);
		step = sqlite3_backup_step(backup, watched ? PAGES : -1);
	} while (step == SQLITE_OK);
	code = sqlite3_backup_finish(backup);
	if (step == SQLITE_BUSY || step == SQLITE_LOCKED)
		return error_set(error, EBUSY, "copy to %s: another program holds the original",
				 path);
	if (step != SQLITE_DONE || code != SQLITE_OK)
		return database_fail(to, error, "copy to %s", path);
	return 0;
}

static int check_copy(sqlite3 *db, const char *path, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *check = NULL;
	int result = database_prepare(db, "PRAGMA integrity_check(1)", &check, error);

	if (result < 0)
		return result;
	if (sqlite3_step(check) != SQLITE_ROW)
		return database_fail(db, error, "check %s", path);
	if (strcmp((const char *)sqlite3_column_text(check, 0), "ok") != 0)
		return error_set(error, EBADMSG, "%s: the original is damaged: %s", path,
				 (const char *)sqlite3_column_text(check, 0));
	return 0;
}

static int backup_into(sqlite3 *from, const char *path, const struct database_watch *watch,
		       struct error *error)
{
	struct database_watch own = *watch;
	CLEANUP(database_closep) sqlite3 *to = NULL;
	int result = database_open(path, &(struct database_options){ 0 }, &to, error);

	if (result < 0)
		return result;
	database_watch(to, &own);
	result = copy_pages(from, to, path, watch, error);
	if (result == 0)
		result = check_copy(to, path, error);
	return result;
}

int database_backup(sqlite3 *db, const char *path, const struct database_watch *watch,
		    struct error *error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int code = errno;
	int result;

	if (fd < 0)
		return error_set(error, code, "%s: %s", path, strerror(code));
	(void)close(fd); /* empty still, and no connection has it open */
	result = backup_into(db, path, watch, error);
	if (result < 0)
		(void)unlink(path); /* it is of no use, whether it goes or not */
	return result;
}
