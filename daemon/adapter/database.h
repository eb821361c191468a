/*
 * database - an SQLite connection, opened with care, and the few helpers that its users share.
 *
 * For store, register and ledger only: nothing above them knows SQL. The connection enforces
 * foreign keys, distrusts the schema that it reads, checks cells, maps no memory, keeps its
 * temporary tables in memory, loads no extension and has lowered limits (facts.md 1.1). Which
 * journal and which synchronous mode a file has is its owner's choice, made after opening.
 */
#ifndef ADAPTER_DATABASE_H
#define ADAPTER_DATABASE_H

#include "base/cleanup.h"
#include "base/error.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct database_options {
	bool create;     /* make the file when it is not there (mode: umask's) */
	bool query_only; /* refuse statements that write; a hot journal is rolled back still */
	int busy_ms;     /* how long to wait for another's lock; 0: not at all */
	int longest_value; /* bytes of one text, blob or row; 0: 1 MiB */
};

/*
 * Opens the database file at `path`, which must be a regular file (or absent, with `create`).
 * The file has not been read yet when this answers: the first statement tells whether it
 * is a database. Close with database_closep or sqlite3_close_v2.
 * -ENOENT, -EACCES (also: the file may be read but not written), -EINVAL (no regular file),
 * -ENOMEM, -EIO.
 */
MUST_CHECK int database_open(const char *path, const struct database_options *options,
			     sqlite3 **ret, struct error *error);

/*
 * A copy of one moment of `from`, which is in no transaction, in a temporary file without a
 * name (in TMPDIR, /var/tmp or /tmp), which goes when it is closed: to read for long what
 * others must be able to write to. Its lock is held only while it copies. 0; -ENOSPC, -EBUSY,
 * -ENOMEM, -EIO, -EACCES. Close with database_closep.
 */
MUST_CHECK int database_copy(sqlite3 *from, sqlite3 **ret, struct error *error);

/* For CLEANUP. Both are safe on NULL and leave NULL behind. */
void database_closep(sqlite3 **db);
void database_finalizep(sqlite3_stmt **statement);

/*
 * "FORMAT: what SQLite says" with the errno that fits its latest result on this connection:
 * -EBUSY, -ENOSPC, -ENOMEM, -EACCES, -EEXIST (a UNIQUE or key constraint), -EINVAL (any other
 * constraint, or no database), -EFBIG (past longest_value), -EBADMSG (damaged), else -EIO.
 */
int database_fail(sqlite3 *db, struct error *error, const char *format, ...) PRINTF_LIKE(3, 4);

/* Runs one or more statements without values and throws rows away. */
MUST_CHECK int database_run(sqlite3 *db, const char *sql, struct error *error);

/* Prepares one statement to be kept and run often. Free with sqlite3_finalize. */
MUST_CHECK int database_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret,
				struct error *error);

/* The first column of the first row, for PRAGMAs and counts. 1 with *ret; 0: no row. */
MUST_CHECK int database_number(sqlite3 *db, const char *sql, int64_t *ret, struct error *error);

/*
 * The number that each commit of anybody raises (sqlite.org/fileformat2.html, 1.3.8), read
 * without a lock, in one system call: the same number again means that nothing was committed
 * meanwhile. Not in WAL mode. False: it cannot be read, look properly.
 */
bool database_change_counter(sqlite3 *db, uint32_t *ret);

/* Called over and over while something takes long; `tell` NULL: nobody is. */
struct database_watch {
	void (*tell)(void *context);
	void *context; /* borrowed, as the watch is, for as long as it is watched */
};
/* While statements of this connection run, several times a second. */
void database_watch(sqlite3 *db, struct database_watch *watch);

/*
 * Copies the whole database, as it stands at one moment, to a file of mode 0600 that must not
 * be there yet; the copy is checked and on disk when this answers. A failure leaves no file.
 * Watched, it lets writers in between and begins anew when one has written: keep them out.
 * -EEXIST, -EBUSY, -EBADMSG (the copy is damaged, so the original is), -ENOSPC, -EACCES, -EIO.
 */
MUST_CHECK int database_backup(sqlite3 *db, const char *path,
			       const struct database_watch *watch, struct error *error);

/* A value to bind; NULL texts are SQL's NULL. Texts and blobs are borrowed until the reset. */
struct database_value {
	enum { DATABASE_NULL, DATABASE_NUMBER, DATABASE_TEXT, DATABASE_BLOB } type;
	int64_t number;
	const void *bytes;
	size_t length; /* of a blob */
};

static inline struct database_value value_number(int64_t number)
{
	return (struct database_value){ .type = DATABASE_NUMBER, .number = number };
}

static inline struct database_value value_text(const char *text)
{
	return (struct database_value){ .type = text != NULL ? DATABASE_TEXT : DATABASE_NULL,
					.bytes = text };
}

static inline struct database_value value_blob(const void *bytes, size_t length)
{
	return (struct database_value){ .type = DATABASE_BLOB,
					.bytes = bytes,
					.length = length };
}

static inline struct database_value value_null(void)
{
	return (struct database_value){ .type = DATABASE_NULL };
}

/* Values where an array and its count are asked for. */
#define VALUES(...)                                 \
	((struct database_value[]){ __VA_ARGS__ }), \
		COUNT(((struct database_value[]){ __VA_ARGS__ }))

/* Resets the statement and binds values[0..count) to its parameters 1..count. */
MUST_CHECK int database_bind(sqlite3_stmt *statement, const struct database_value *values,
			     size_t count, struct error *error);

/* Prepares and binds, for a statement that is run once; finalize it in any case. The texts
 * among the values stay the caller's, and where they are, until then. */
MUST_CHECK int database_ask(sqlite3 *db, const char *sql, const struct database_value *values,
			    size_t count, sqlite3_stmt **ret, struct error *error);

/* Prepares, binds, runs to the end and finalizes: for a statement that writes once. */
MUST_CHECK int database_write(sqlite3 *db, const char *sql, const struct database_value *values,
			      size_t count, struct error *error);

#endif
