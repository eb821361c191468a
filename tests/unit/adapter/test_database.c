/* test_database.c - that every connection is as careful as facts.md 1.1 asks, for real. */
#include "adapter/database.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
	char folder[64];
	char path[96];
	sqlite3 *db;
	const void *row;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof *place);

	place->row = *state;
	(void)snprintf(place->folder, sizeof place->folder, "/tmp/test_database.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	(void)snprintf(place->path, sizeof place->path, "%s/x.db", place->folder);
	assert_int_equal(database_open(place->path,
				       &(struct database_options){ .create = true }, &place->db,
				       NULL),
			 0);
	assert_int_equal(database_run(place->db,
				      "PRAGMA synchronous = OFF;"
				      "CREATE TABLE p (id INTEGER PRIMARY KEY, t TEXT UNIQUE,"
				      " n INTEGER CHECK (n < 9)) STRICT;"
				      "CREATE TABLE c (p INTEGER REFERENCES p (id)) STRICT;",
				      NULL),
			 0);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	char command[128];

	database_closep(&place->db);
	(void)snprintf(command, sizeof command, "rm -r %s", place->folder);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

static const struct setting_row {
	const char *name;
	const char *sql;
	int64_t want;
} setting_rows[] = {
	{ "foreign keys are enforced", "PRAGMA foreign_keys", 1 },
	{ "the schema is not trusted", "PRAGMA trusted_schema", 0 },
	{ "cells are checked", "PRAGMA cell_size_check", 1 },
	{ "no memory is mapped", "PRAGMA mmap_size", 0 },
	{ "temporary tables stay in memory", "PRAGMA temp_store", 2 },
};

static void is_set(void **state)
{
	struct place *place = *state;
	const struct setting_row *row = place->row;
	int64_t value = -1;

	if (database_number(place->db, row->sql, &value, NULL) == 0)
		value = 0; /* a PRAGMA that is compiled out answers no row */
	assert_int_equal(value, row->want);
}

static const struct refusal_row {
	const char *name;
	const char *sql;
	int code;
	const char *text;
} refusal_rows[] = {
	{ "a misspelt column is no string", "SELECT \"nosuch\" FROM p", EIO, "no such column" },
	{ "an extension is not loaded", "SELECT load_extension('x')", EIO, "not authorized" },
	{ "the schema cannot be written",
	  "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema", EIO,
	  "may not be modified" },
	{ "a broken key", "INSERT INTO c VALUES (7)", EINVAL, "FOREIGN KEY" },
	{ "a broken check", "INSERT INTO p VALUES (1, 'a', 9)", EINVAL, "CHECK" },
	{ "the same key twice", "INSERT INTO p (t) VALUES ('a'), ('a')", EEXIST, "UNIQUE" },
	{ "a text where a number belongs", "INSERT INTO p VALUES (1, 'a', 'x')", EINVAL,
	  "cannot store" },
	{ "a value past the limit", "SELECT hex(zeroblob(2000000))", EFBIG, "too big" },
	{ "two databases attached",
	  "ATTACH ':memory:' AS a; ATTACH ':memory:' AS b; ATTACH ':memory:' AS c", EIO,
	  "too many attached" },
};

static void is_refused(void **state)
{
	struct place *place = *state;
	const struct refusal_row *row = place->row;
	struct error error = { 0 };

	assert_int_equal(database_run(place->db, row->sql, &error), -row->code);
	assert_non_null(strstr(error.text, row->text));
}

static void query_only_refuses_writing(void **state)
{
	struct place *place = *state;
	sqlite3 *reader = NULL;
	struct error error = { 0 };

	assert_int_equal(database_open(place->path,
				       &(struct database_options){ .query_only = true },
				       &reader, NULL),
			 0);
	assert_int_equal(database_run(reader, "INSERT INTO p (t) VALUES ('x')", &error),
			 -EACCES);
	database_closep(&reader);
}

static void opening_answers_what_is_in_the_way(void **state)
{
	struct place *place = *state;
	const struct database_options plain = { 0 };
	struct error error = { 0 };
	sqlite3 *db = NULL;
	char path[128];

	(void)snprintf(path, sizeof path, "%s/none.db", place->folder);
	assert_int_equal(database_open(path, &plain, &db, &error), -ENOENT);
	assert_int_equal(database_open(place->folder, &plain, &db, &error), -EINVAL);
	assert_int_equal(database_open("", &plain, &db, &error), -EINVAL);
	assert_int_equal(database_open(":memory:", &plain, &db, &error), -EINVAL);
	(void)snprintf(path, sizeof path, "%s/fifo", place->folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(database_open(path, &plain, &db, &error), -EINVAL);
	assert_null(db);
}

static void a_file_that_may_only_be_read_is_told_at_once(void **state)
{
	struct place *place = *state;
	sqlite3 *db = NULL;

	bool root = geteuid() == 0;
	int result;

	assert_int_equal(chmod(place->folder, 0711), 0);
	assert_int_equal(chmod(place->path, 0444), 0);
	/* Root may write everything: be nobody for as long as it takes. */
	assert_true(!root || seteuid(65534) == 0);
	result = database_open(place->path, &(struct database_options){ 0 }, &db, NULL);
	assert_true(!root || seteuid(0) == 0);
	assert_int_equal(result, -EACCES);
}

static void locks_of_others_are_busy(void **state)
{
	struct place *place = *state;
	sqlite3 *other = NULL;

	assert_int_equal(
		database_open(place->path, &(struct database_options){ 0 }, &other, NULL), 0);
	assert_int_equal(database_run(place->db, "BEGIN EXCLUSIVE", NULL), 0);
	assert_int_equal(database_run(other, "SELECT * FROM p", NULL), -EBUSY);
	database_closep(&other);
}

static void a_damaged_file_is_told_apart(void **state)
{
	struct place *place = *state;
	FILE *file;

	database_closep(&place->db);
	file = fopen(place->path, "r+");
	assert_non_null(file);
	(void)fputs("this is not a database, whatever its name may say....", file);
	(void)fclose(file);
	assert_int_equal(
		database_open(place->path, &(struct database_options){ 0 }, &place->db, NULL),
		0);
	assert_int_equal(database_run(place->db, "SELECT * FROM p", NULL), -EINVAL);
}

static void writes_and_reads_every_type(void **state)
{
	struct place *place = *state;
	CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;
	const struct database_value values[] = { value_number(INT64_MIN), value_text(NULL),
						 value_blob("a\0b", 3), value_text("it's"),
						 value_null() };

	assert_int_equal(database_prepare(place->db,
					  "SELECT ?1, ?2 IS NULL, length(?3), ?4, ?5 IS NULL",
					  &find, NULL),
			 0);
	assert_int_equal(database_bind(find, values, COUNT(values), NULL), 0);
	assert_int_equal(sqlite3_step(find), SQLITE_ROW);
	assert_true(sqlite3_column_int64(find, 0) == INT64_MIN);
	assert_int_equal(sqlite3_column_int(find, 1), 1);
	assert_int_equal(sqlite3_column_int(find, 2), 3);
	assert_string_equal((const char *)sqlite3_column_text(find, 3), "it's");
	assert_int_equal(sqlite3_column_int(find, 4), 1);
	assert_true(database_bind(find, values, 5, NULL) == 0); /* resets first */
	assert_true(database_write(place->db, "INSERT INTO p (t) VALUES (?1)", values, 5,
				   NULL) < 0); /* more values than parameters */
	assert_int_equal(
		database_write(place->db, "INSERT INTO p (t, id) VALUES (?1, ?2)",
			       (struct database_value[]){ value_text("t"), value_number(5) }, 2,
			       NULL),
		0);

	int64_t id = 0;

	assert_int_equal(
		database_number(place->db, "SELECT id FROM p WHERE t = 't'", &id, NULL), 1);
	assert_int_equal(id, 5);
	assert_int_equal(
		database_number(place->db, "SELECT id FROM p WHERE t = 'u'", &id, NULL), 0);
}

#define PLAIN(function)                                    \
	{                                                  \
#function, function, setup, teardown, NULL \
	}

static void a_copy_is_of_one_moment_and_locks_nothing(void **state)
{
	struct place *place = *state;
	sqlite3 *copy = NULL;
	int64_t count = 0;

	assert_int_equal(database_run(place->db, "INSERT INTO p (t) VALUES ('one')", NULL), 0);
	assert_int_equal(database_copy(place->db, &copy, NULL), 0);
	/* The copy is being read, and the file is written to all the same. */
	assert_int_equal(database_run(copy, "BEGIN", NULL), 0);
	assert_int_equal(database_number(copy, "SELECT count(*) FROM p", &count, NULL), 1);
	assert_int_equal(database_run(place->db, "INSERT INTO p (t) VALUES ('two')", NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(database_number(copy, "SELECT count(*) FROM p", &count, NULL), 1);
	assert_int_equal(count, 1);
	database_closep(&copy);
}

/* More than one chunk of the copying, and with a journal that a killed writer left. */
static void a_copy_holds_every_page_and_leaves_no_file(void **state)
{
	struct place *place = *state;
	char folder[] = "/tmp/test-copy-XXXXXX";
	char journal[300];
	sqlite3 *copy = NULL;
	int64_t number = 0;
	pid_t killed;

	assert_non_null(mkdtemp(folder));
	assert_int_equal(setenv("TMPDIR", folder, 1), 0);
	assert_int_equal(
		database_run(place->db,
			     "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
			     " LIMIT 5000) INSERT INTO p (t) SELECT hex(randomblob(40)) FROM n",
			     NULL),
		0);
	killed = fork();
	assert_true(killed >= 0);
	if (killed == 0) {
		sqlite3 *other = NULL;

		if (sqlite3_open(place->path, &other) == SQLITE_OK &&
		    sqlite3_exec(other,
				 "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN;"
				 "UPDATE p SET t = lower(t)",
				 NULL, NULL, NULL) == SQLITE_OK)
			(void)raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(killed, NULL, 0), killed);
	(void)snprintf(journal, sizeof journal, "%s-journal", place->path);
	assert_int_equal(access(journal, F_OK), 0);
	assert_int_equal(database_copy(place->db, &copy, NULL), 0);
	assert_int_equal(database_number(copy, "SELECT count(*) FROM p WHERE t = upper(t)",
					 &number, NULL),
			 1);
	assert_int_equal(number, 5000);
	assert_int_equal(database_number(copy,
					 "SELECT count(*) = 0 FROM pragma_integrity_check WHERE"
					 " integrity_check <> 'ok'",
					 &number, NULL),
			 1);
	assert_int_equal(number, 1);
	assert_int_equal(rmdir(folder), 0); /* it is empty */
	database_closep(&copy);
	assert_int_equal(setenv("TMPDIR", "/proc/nowhere", 1), 0); /* the next folder does */
	assert_int_equal(database_copy(place->db, &copy, NULL), 0);
	database_closep(&copy);
	assert_int_equal(unsetenv("TMPDIR"), 0);
}

/* It may hold mails and addresses, which nobody would look for in such a folder. */
static void one_that_is_killed_over_a_copy_leaves_no_file(void **state)
{
	const struct rlimit small = { 1 << 16, 1 << 16 };
	struct place *place = *state;
	char folder[] = "/tmp/test-copy-XXXXXX";
	pid_t killed;
	int status;

	assert_non_null(mkdtemp(folder));
	assert_int_equal(database_run(place->db,
				      "INSERT INTO p (t) VALUES (hex(zeroblob(100000)))", NULL),
			 0);
	killed = fork();
	assert_true(killed >= 0);
	if (killed == 0) {
		sqlite3 *db = NULL;
		sqlite3 *copy = NULL;

		if (signal(SIGXFSZ, SIG_DFL) != SIG_ERR && setenv("TMPDIR", folder, 1) == 0 &&
		    database_open(place->path, &(struct database_options){ 0 }, &db, NULL) ==
			    0 &&
		    setrlimit(RLIMIT_FSIZE, &small) == 0)
			(void)!database_copy(db, &copy, NULL); /* one byte more kills it */
		_exit(1);
	}
	assert_int_equal(waitpid(killed, &status, 0), killed);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
	assert_int_equal(rmdir(folder), 0); /* it is empty */
}

static void the_count_of_commits_tells_of_each(void **state)
{
	struct place *place = *state;
	uint32_t before = 0;
	uint32_t after = 0;

	assert_true(database_change_counter(place->db, &before));
	assert_true(database_change_counter(place->db, &after));
	assert_int_equal(before, after);
	assert_int_equal(database_run(place->db, "INSERT INTO p (t) VALUES ('one')", NULL), 0);
	assert_true(database_change_counter(place->db, &after));
	assert_int_not_equal(before, after);
}

int main(void)
{
	static const struct CMUnitTest plain[] = {
		PLAIN(query_only_refuses_writing),
		PLAIN(opening_answers_what_is_in_the_way),
		PLAIN(a_file_that_may_only_be_read_is_told_at_once),
		PLAIN(locks_of_others_are_busy),
		PLAIN(a_damaged_file_is_told_apart),
		PLAIN(writes_and_reads_every_type),
		PLAIN(a_copy_is_of_one_moment_and_locks_nothing),
		PLAIN(a_copy_holds_every_page_and_leaves_no_file),
		PLAIN(one_that_is_killed_over_a_copy_leaves_no_file),
		PLAIN(the_count_of_commits_tells_of_each),
	};
	struct CMUnitTest tests[COUNT(plain) + COUNT(setting_rows) + COUNT(refusal_rows)];
	size_t count = 0;

	for (size_t i = 0; i < COUNT(plain); i++)
		tests[count++] = plain[i];
	for (size_t i = 0; i < COUNT(setting_rows); i++)
		tests[count++] = (struct CMUnitTest){ setting_rows[i].name, is_set, setup,
						      teardown, (void *)&setting_rows[i] };
	for (size_t i = 0; i < COUNT(refusal_rows); i++)
		tests[count++] = (struct CMUnitTest){ refusal_rows[i].name, is_refused, setup,
						      teardown, (void *)&refusal_rows[i] };
	return cmocka_run_group_tests_name("database", tests, NULL, NULL);
}
