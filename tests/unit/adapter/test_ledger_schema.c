/*
 * test_ledger_schema.c - a real ledger of version 1 brought to later versions: whole, or not at
 * all, whatever happens meanwhile. The later versions are this test's own.
 */
#include "adapter/ledger_care.h"
#include "ledger_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const char old_ledger[] = "tests/unit/adapter/ledger-version-1.sql";

/* Version 2 builds a table anew, as SQLite asks for where a column changes; version 3 adds. */
static const char second[] = "CREATE TABLE refused_new ("
			     "  contact INTEGER PRIMARY KEY,"
			     "  at      INTEGER NOT NULL,"
			     "  mail    INTEGER NOT NULL,"
			     "  reply   TEXT NOT NULL DEFAULT ''"
			     ") STRICT;"
			     "INSERT INTO refused_new (contact, at, mail)"
			     "  SELECT contact, at, mail FROM refused;"
			     "DROP TABLE refused;"
			     "ALTER TABLE refused_new RENAME TO refused;"
			     "/* every mail, so that pages are written by the dozen */"
			     "ALTER TABLE mail ADD COLUMN relay TEXT NOT NULL DEFAULT '';"
			     "UPDATE mail SET relay = 'unknown';";
static const char third[] = "CREATE INDEX notice_reference ON notice (reference);"
			    "CREATE TABLE added (bytes BLOB NOT NULL) STRICT;"
			    "INSERT INTO added VALUES (zeroblob(300000));";
enum { STATEMENTS = 9 };

static const struct ledger_step steps[] = {
	{ "the first", NULL }, /* the one released: put in by setup_to */
	{ "relays", second },
	{ "more", third },
};

/* A list as a program of that version would have it, and what opens by it. */
struct program {
	struct ledger_step step[COUNT(steps)];
	struct ledger_steps list;
	struct ledger_setup setup;
};

static struct program *program_of(struct program *program, size_t version)
{
	memcpy(program->step, steps, sizeof steps);
	program->step[0] = ledger_released_steps.step[0];
	program->list = (struct ledger_steps){ program->step, version };
	program->setup = (struct ledger_setup){ .steps = &program->list };
	return program;
}

static int open_as(struct fixture *f, size_t version, enum ledger_access access)
{
	struct program program;

	ledger_closep(&f->ledger);
	return ledger_open_with(f->folder, access, &program_of(&program, version)->setup,
				&f->ledger, &f->error);
}

static void path_of(const struct fixture *f, const char *name, char out[static 128])
{
	(void)snprintf(out, 128, "%s/%s", f->folder, name);
}

static bool is_there(const struct fixture *f, const char *name)
{
	char path[128];

	path_of(f, name, path);
	return access(path, F_OK) == 0;
}

/* The committed ledger in the place of the fixture's own. */
static void put_old_ledger(struct fixture *f)
{
	char sql[100000];
	FILE *file = fopen(old_ledger, "re");
	sqlite3 *db = NULL;
	size_t length;

	assert_non_null(file);
	length = fread(sql, 1, sizeof sql - 1, file);
	assert_true(length > 10000 && length < sizeof sql - 1);
	sql[length] = '\0';
	fclose(file);
	ledger_closep(&f->ledger);
	assert_int_equal(0, unlink(f->path));
	assert_int_equal(SQLITE_OK, sqlite3_open(f->path, &db));
	assert_int_equal(SQLITE_OK, sqlite3_exec(db, sql, NULL, NULL, NULL));
	sqlite3_close(db);
}

static int set_up_old(void **state)
{
	if (set_up(state) < 0)
		return -1;
	put_old_ledger(*state);
	return 0;
}

static int tear_down_copies(void **state)
{
	static const char *const names[] = { "ledger-version-1.db", "ledger-version-2.db",
					     "ledger-version-1.db.new",
					     "ledger-version-1.db.new-journal" };
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(names); i++) {
		char path[128];

		path_of(f, names[i], path);
		unlink(path);
	}
	return tear_down(state);
}

static struct fixture *of(void **state)
{
	return *state;
}

/* Everything that is in the committed ledger is there, and its chain verifies. */
static void assert_whole(struct fixture *f, int64_t version)
{
	CLEANUP(database_finalizep) sqlite3_stmt *check = NULL;

	assert_int_equal(version, number_of(f, "PRAGMA user_version"));
	assert_int_equal(0x43484E4C, number_of(f, "PRAGMA application_id"));
	OK(f, database_prepare(f->ledger->db, "PRAGMA integrity_check", &check, &f->error));
	assert_int_equal(SQLITE_ROW, sqlite3_step(check));
	assert_string_equal("ok", (const char *)sqlite3_column_text(check, 0));
	assert_int_equal(30, number_of(f, "SELECT count(*) FROM chain"));
	assert_int_equal(13, number_of(f, "SELECT count(*) FROM notice"));
	assert_int_equal(5, number_of(f, "SELECT count(*) FROM body"));
	assert_int_equal(version >= 2,
			 number_of(f, "SELECT count(*) FROM pragma_table_info('refused')"
				      " WHERE name = 'reply'"));
	assert_int_equal(version >= 3, number_of(f, "SELECT count(*) FROM sqlite_schema"
						    " WHERE name = 'notice_reference'"));
	assert_int_equal(1, number_of(f, "PRAGMA foreign_keys"));
	assert_intact(f);
}

/* --- versions ------------------------------------------------------------------------------
 */

static void the_first_version_is_what_was_released(void **state)
{
	static const char sql[] = "SELECT count(*) FROM (SELECT sql FROM main.sqlite_schema"
				  " UNION ALL SELECT sql FROM temp.old) WHERE sql IS NOT NULL"
				  " GROUP BY sql HAVING count(*) <> 2";
	struct fixture *f = of(state);
	sqlite3_stmt *all = NULL;
	struct fixture *fresh;
	void *made = NULL;

	assert_int_equal(0, set_up(&made));
	fresh = made;
	assert_int_equal(0, open_as(f, 1, LEDGER_READ));
	OK(fresh,
	   database_run(fresh->ledger->db, "CREATE TEMP TABLE old (sql TEXT)", &fresh->error));
	OK(f,
	   database_prepare(f->ledger->db, "SELECT sql FROM sqlite_schema", &all, &f->error));
	while (sqlite3_step(all) == SQLITE_ROW)
		OK(fresh,
		   database_write(fresh->ledger->db, "INSERT INTO temp.old VALUES (?1)",
				  VALUES(value_text((const char *)sqlite3_column_text(all, 0))),
				  &fresh->error));
	sqlite3_finalize(all);
	assert_true(number_of(fresh, "SELECT count(*) FROM temp.old") > 10);
	assert_int_equal(-1, number_of(fresh, sql)); /* no such row */
	tear_down(&made);
}

static void a_ledger_of_this_version_is_not_touched(void **state)
{
	struct fixture *f = of(state);
	int from = 0;
	int to = 0;

	assert_int_equal(0, open_as(f, 1, LEDGER_WRITE));
	assert_false(ledger_was_migrated(f->ledger, &from, &to));
	assert_false(is_there(f, "ledger-version-1.db"));
	assert_whole(f, 1);
}

struct words {
	int count;
	int from;
	int to;
};

static void hear(void *context, int from, int to)
{
	struct words *words = context;

	words->count++;
	words->from = from;
	words->to = to;
}

static void an_older_ledger_is_copied_and_migrated(void **state)
{
	struct fixture *f = of(state);
	struct words words = { 0 };
	struct program program;
	struct stat status;
	char path[128];
	int from = 0;
	int to = 0;

	program_of(&program, 3)->setup.migrating = hear;
	program.setup.context = &words;
	OK(f, ledger_open_with(f->folder, LEDGER_WRITE, &program.setup, &f->ledger, &f->error));
	assert_true(ledger_was_migrated(f->ledger, &from, &to));
	assert_int_equal(1, from);
	assert_int_equal(3, to);
	assert_true(words.count >= STATEMENTS);
	assert_int_equal(1, words.from);
	assert_int_equal(3, words.to);
	assert_whole(f, 3);
	path_of(f, "ledger-version-1.db", path);
	assert_int_equal(0, stat(path, &status));
	assert_int_equal(0600, status.st_mode & 07777);
	assert_false(is_there(f, "ledger-version-1.db.new"));
	ready_mail(f, 99); /* and it works */
	assert_intact(f);
	assert_int_equal(0, open_as(f, 3, LEDGER_WRITE));
	assert_false(ledger_was_migrated(f->ledger, &from, &to));
}

static void the_copy_is_the_older_ledger(void **state)
{
	struct fixture *f = of(state);
	char path[128];

	OK(f, open_as(f, 3, LEDGER_WRITE));
	ledger_closep(&f->ledger);
	path_of(f, "ledger-version-1.db", path);
	assert_int_equal(0, rename(path, f->path)); /* as one who goes back does */
	OK(f, open_as(f, 1, LEDGER_WRITE));
	assert_whole(f, 1);
	assert_int_equal(number_of(f, "SELECT latest FROM head"),
			 number_of(f, "SELECT value FROM meta WHERE name = 'copied_at'"));
}

static void only_the_last_copy_is_kept(void **state)
{
	struct fixture *f = of(state);

	OK(f, open_as(f, 2, LEDGER_WRITE));
	assert_true(is_there(f, "ledger-version-1.db"));
	OK(f, open_as(f, 3, LEDGER_WRITE));
	assert_true(is_there(f, "ledger-version-2.db"));
	assert_false(is_there(f, "ledger-version-1.db"));
	assert_whole(f, 3);
}

static void what_a_killed_copy_left_is_in_nobodys_way(void **state)
{
	struct fixture *f = of(state);
	char path[128];
	FILE *left;

	path_of(f, "ledger-version-1.db.new", path);
	left = fopen(path, "we");
	fputs("half", left);
	fclose(left);
	OK(f, open_as(f, 2, LEDGER_WRITE));
	assert_false(is_there(f, "ledger-version-1.db.new"));
	assert_whole(f, 2);
}

static void a_newer_ledger_is_refused(void **state)
{
	static const enum ledger_access accesses[] = { LEDGER_WRITE, LEDGER_READ,
						       LEDGER_PERSON };
	struct fixture *f = of(state);

	OK(f, open_as(f, 2, LEDGER_WRITE));
	for (size_t i = 0; i < COUNT(accesses); i++) {
		assert_int_equal(-EPROTO, open_as(f, 1, accesses[i]));
		assert_non_null(strstr(f->error.text, "version 2 was written by a newer"));
	}
	OK(f, open_as(f, 2, LEDGER_READ));
	assert_whole(f, 2);
}

static void only_the_daemon_migrates(void **state)
{
	static const enum ledger_access accesses[] = { LEDGER_READ, LEDGER_PERSON };
	struct fixture *f = of(state);

	for (size_t i = 0; i < COUNT(accesses); i++) {
		assert_int_equal(-ESTALE, open_as(f, 2, accesses[i]));
		assert_non_null(strstr(f->error.text, "version 1 is older than the 2"));
	}
	OK(f, open_as(f, 1, LEDGER_READ));
	assert_whole(f, 1);
}

static void a_person_of_before_writes_nothing_into_it(void **state)
{
	struct fixture *f = of(state);
	struct ledger *person = NULL;
	struct program program;

	OK(f, ledger_open_with(f->folder, LEDGER_PERSON, &program_of(&program, 1)->setup,
			       &person, &f->error));
	OK(f, open_as(f, 2, LEDGER_WRITE));
	assert_int_equal(-EPROTO, ledger_set(person, "name", "value", &f->error));
	assert_non_null(strstr(f->error.text, "version 2"));
	ledger_close(person);
	assert_whole(f, 2);
}

/* --- what goes wrong -----------------------------------------------------------------------
 */

/* A program whose second version has this instead. */
static int open_spoilt(struct fixture *f, const char *sql)
{
	struct program program;

	ledger_closep(&f->ledger);
	program_of(&program, 2)->step[1].sql = sql;
	return ledger_open_with(f->folder, LEDGER_WRITE, &program.setup, &f->ledger, &f->error);
}

static void a_step_that_fails_leaves_the_older_one(void **state)
{
	static const struct {
		const char *sql;
		const char *why;
	} rows[] = {
		{ "DROP TABLE refused; DROP TABLE there_is_none", "no such table" },
		{ "CREATE TABLE x (y) STRICT", "missing datatype" },
		{ "DELETE FROM mail WHERE id = 1", "would point at what is not there" },
		{ "INSERT INTO head SELECT 1, 0, x'', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0",
		  "UNIQUE" },
	};
	struct fixture *f = of(state);

	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(open_spoilt(f, rows[i].sql) < 0);
		if (strstr(f->error.text, rows[i].why) == NULL ||
		    strstr(f->error.text, "stays at version 1") == NULL)
			fail_msg("row %zu: %s", i, f->error.text);
		OK(f, open_as(f, 1, LEDGER_READ));
		assert_whole(f, 1);
	}
}

/* In a child that is killed at the so manyth word of the migration. */
struct death {
	int at;
	int told;
};

static void die(void *context, int from, int to)
{
	struct death *death = context;

	(void)from;
	(void)to;
	if (++death->told == death->at)
		(void)raise(SIGKILL);
}

static int in_child(struct fixture *f, int (*work)(struct fixture *f, int number), int number)
{
	int status = 0;
	pid_t child;

	ledger_closep(&f->ledger);
	child = fork();
	if (child == 0)
		_exit(work(f, number));
	assert_true(child > 0);
	assert_int_equal(child, waitpid(child, &status, 0));
	return status;
}

static int migrate_and_die(struct fixture *f, int number)
{
	struct death death = { .at = number };
	struct program program;

	program_of(&program, 3)->setup.migrating = die;
	program.setup.context = &death;
	return ledger_open_with(f->folder, LEDGER_WRITE, &program.setup, &f->ledger,
				&f->error) == 0
		       ? 0
		       : 1;
}

static void killed_at_every_statement_it_rolls_back(void **state)
{
	struct fixture *f = of(state);
	int number = 0;
	int status;

	do {
		put_old_ledger(f);
		status = in_child(f, migrate_and_die, ++number);
		if (WIFEXITED(status))
			break;
		assert_int_equal(SIGKILL, WTERMSIG(status));
		/* The next start of the same program goes on to the end. */
		OK(f, open_as(f, 1, LEDGER_WRITE));
		assert_whole(f, 1);
		OK(f, open_as(f, 3, LEDGER_WRITE));
		assert_whole(f, 3);
	} while (number < 1000);
	assert_int_equal(0, WEXITSTATUS(status));
	assert_true(number > STATEMENTS);
	print_message("killed at %d places\n", number - 1);
}

/* No file may grow past so many pages: so the copy fails, or the migration, or neither does. */
static int migrate_in_little_room(struct fixture *f, int number)
{
	const struct rlimit limit = { (rlim_t)number * 4096, RLIM_INFINITY };
	int result;

	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	result = open_as(f, 3, LEDGER_WRITE);
	if (result == 0)
		return 0;
	if (strstr(f->error.text, "stays at version 1") == NULL)
		fprintf(stderr, "%s\n", f->error.text);
	return strstr(f->error.text, "stays at version 1") == NULL ? 2
	       : strstr(f->error.text, "no copy of it") != NULL    ? 3
								   : 4;
}

static void a_full_disk_leaves_the_older_one(void **state)
{
	struct fixture *f = of(state);
	int seen[5] = { 0 };

	for (int pages = 1; pages < 140; pages += 3) {
		int status;

		put_old_ledger(f);
		status = in_child(f, migrate_in_little_room, pages);
		assert_true(WIFEXITED(status));
		assert_true(WEXITSTATUS(status) < 5 && WEXITSTATUS(status) != 2);
		seen[WEXITSTATUS(status)]++;
		assert_false(is_there(f, "ledger-version-1.db.new"));
		OK(f, open_as(f, WEXITSTATUS(status) == 0 ? 3 : 1, LEDGER_WRITE));
		assert_whole(f, WEXITSTATUS(status) == 0 ? 3 : 1);
	}
	print_message("no room for the copy %d times, for the migration %d, enough %d\n",
		      seen[3], seen[4], seen[0]);
	assert_true(seen[3] > 5 && seen[4] > 5 && seen[0] > 5);
}

/* Exit status: the version that it found. */
static int migrate_at_once(struct fixture *f, int number)
{
	int from = 0;
	int to = 0;

	(void)number;
	if (open_as(f, 3, LEDGER_WRITE) < 0) {
		fprintf(stderr, "%s\n", f->error.text);
		return 9;
	}
	(void)ledger_was_migrated(f->ledger, &from, &to);
	return from;
}

static void two_at_once_migrate_it_once(void **state)
{
	struct fixture *f = of(state);

	for (int round = 0; round < 10; round++) {
		int migrated = 0;
		pid_t children[2];

		put_old_ledger(f);
		for (size_t i = 0; i < COUNT(children); i++) {
			children[i] = fork();
			if (children[i] == 0)
				_exit(migrate_at_once(f, 0));
		}
		for (size_t i = 0; i < COUNT(children); i++) {
			int status = 0;

			assert_int_equal(children[i], waitpid(children[i], &status, 0));
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 9);
			migrated += WEXITSTATUS(status) == 1;
		}
		assert_int_equal(1, migrated);
		OK(f, open_as(f, 3, LEDGER_WRITE));
		assert_whole(f, 3);
		ledger_closep(&f->ledger);
	}
}

#define WITH_OLD(test) cmocka_unit_test_setup_teardown(test, set_up_old, tear_down_copies)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_OLD(the_first_version_is_what_was_released),
		WITH_OLD(a_ledger_of_this_version_is_not_touched),
		WITH_OLD(an_older_ledger_is_copied_and_migrated),
		WITH_OLD(the_copy_is_the_older_ledger),
		WITH_OLD(only_the_last_copy_is_kept),
		WITH_OLD(what_a_killed_copy_left_is_in_nobodys_way),
		WITH_OLD(a_newer_ledger_is_refused),
		WITH_OLD(only_the_daemon_migrates),
		WITH_OLD(a_person_of_before_writes_nothing_into_it),
		WITH_OLD(a_step_that_fails_leaves_the_older_one),
		WITH_OLD(killed_at_every_statement_it_rolls_back),
		WITH_OLD(a_full_disk_leaves_the_older_one),
		WITH_OLD(two_at_once_migrate_it_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
