/*
 * bench_commit.c - the floor under each mail: what SQLite alone asks for a durable commit.
 *
 * usage: bench_commit FILE COUNT   (FILE must not be there)
 * Commits so many times, in the ledger's way (journal PERSIST, synchronous FULL): the state of
 * one row changed and one row of some hundred bytes added, with statements kept prepared.
 * Prints one JSON line: processor and wall time a commit.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds_of(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now); /* cannot fail for these clocks */
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fail(sqlite3 *db, const char *what)
{
	(void)fprintf(stderr, "bench_commit: %s: %s\n", what, sqlite3_errmsg(db));
	exit(1);
}

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail(db, sql);
}

static void run_kept(sqlite3 *db, sqlite3_stmt *statement, long number)
{
	if (number > 0)
		(void)sqlite3_bind_int64(statement, 1, number); /* there is such a place */
	if (sqlite3_step(statement) != SQLITE_DONE || sqlite3_reset(statement) != SQLITE_OK)
		fail(db, sqlite3_sql(statement));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
	    SQLITE_OK)
		fail(db, sql);
	return statement;
}

static void commit_all(sqlite3 *db, long count)
{
	sqlite3_stmt *begin = prepare(db, "BEGIN IMMEDIATE");
	sqlite3_stmt *update = prepare(db, "UPDATE mail SET state = 'accepted' WHERE id = ?1");
	sqlite3_stmt *insert = prepare(db, "INSERT INTO chain (seq, text) VALUES (?1,"
					   " hex(zeroblob(150)))");
	sqlite3_stmt *commit = prepare(db, "COMMIT");

	for (long i = 1; i <= count; i++) {
		run_kept(db, begin, 0);
		run_kept(db, update, i);
		run_kept(db, insert, i);
		run_kept(db, commit, 0);
	}
	(void)sqlite3_finalize(begin); /* each was told of when it was run */
	(void)sqlite3_finalize(update);
	(void)sqlite3_finalize(insert);
	(void)sqlite3_finalize(commit);
}

int main(int argc, char **argv)
{
	sqlite3 *db = NULL;
	double wall;
	double cpu;
	long count;

	if (argc != 3 || (count = strtol(argv[2], NULL, 10)) < 1) {
		(void)fputs("usage: bench_commit FILE COUNT\n", stderr);
		return 2;
	}
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD); /* as the ledger does */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (sqlite3_open(argv[1], &db) != SQLITE_OK)
		fail(db, argv[1]);
	run(db, "PRAGMA journal_mode = PERSIST; PRAGMA synchronous = FULL;"
		"CREATE TABLE mail (id INTEGER PRIMARY KEY, state TEXT, words TEXT);"
		"CREATE TABLE chain (seq INTEGER PRIMARY KEY, text TEXT);");
	run(db, "BEGIN");
	for (long i = 0; i < count; i++)
		run(db, "INSERT INTO mail (state, words) VALUES ('ready', hex(zeroblob(100)))");
	run(db, "COMMIT");
	wall = seconds_of(CLOCK_MONOTONIC);
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	commit_all(db, count);
	wall = seconds_of(CLOCK_MONOTONIC) - wall;
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	(void)sqlite3_close(db); /* nothing is open */
	printf("{\"figure\": \"bare SQLite commit, PERSIST and FULL: one update, one insert\", "
	       "\"commits\": %ld, \"commits_per_second\": %.0f, \"wall_us\": %.1f, "
	       "\"cpu_us\": %.1f}\n",
	       count, (double)count / wall, wall * 1e6 / (double)count,
	       cpu * 1e6 / (double)count);
	return 0;
}
