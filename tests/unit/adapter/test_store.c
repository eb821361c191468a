/* test_store.c - the schema's triggers under careless writers, and the reader on hostile files.
 */
#include "adapter/store.h"

#include "adapter/database.h"
#include "adapter/register.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of its own for each test, with a store in it that holds two agencies, three people
 * and one challenge ("2026-001", id 1, events 1 raised and 2 responded, change_seq 3). */
struct place {
	char folder[64];
	char path[96];
	sqlite3 *db;
	struct store *store;
	const void *row;
};

static const char example[] =
	"INSERT INTO agency (id, name) VALUES ('school', 'School'), ('care', 'Care'),"
	" ('far', 'Far away');"
	"INSERT INTO contact (agency, role, email) VALUES ('school', 'manager', 'a@s.example'),"
	" ('care', 'manager', 'b@c.example'), ('far', 'chair', 'c@f.example');"
	"INSERT INTO challenge (reference, policy, policy_version, raising_agency,"
	" receiving_agency) VALUES ('2026-001', 'example', '1', 'school', 'care');"
	"INSERT INTO event (challenge, kind, at) VALUES (1, 'raised', 1000);"
	"INSERT INTO event (challenge, kind, at, note) VALUES (1, 'responded', 2000, 'n');";

static void sql(struct place *place, const char *text)
{
	struct error error = { 0 };

	if (sqlite3_exec(place->db, text, NULL, NULL, NULL) != SQLITE_OK)
		(void)database_fail(place->db, &error, "%.60s", text);
	assert_string_equal(error.text, "");
}

static int64_t number(struct place *place, const char *text)
{
	int64_t ret = -1;

	assert_int_equal(database_number(place->db, text, &ret, NULL), 1);
	return ret;
}

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof *place);

	place->row = *state;
	(void)snprintf(place->folder, sizeof place->folder, "/tmp/test_store.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	(void)snprintf(place->path, sizeof place->path, "%s/store.db", place->folder);
	assert_int_equal(register_init(place->path, NULL), 0);
	assert_int_equal(sqlite3_open(place->path, &place->db), SQLITE_OK);
	sql(place, "PRAGMA synchronous = OFF"); /* a test has no power to lose */
	sql(place, example);
	*state = place;
	return 0;
}

static void open_store(struct place *place)
{
	struct error error = { 0 };

	if (store_open(place->path, &place->store, &error) < 0)
		fail_msg("%s", error.text);
}

static int teardown(void **state)
{
	struct place *place = *state;
	char command[128];

	store_close(place->store);
	(void)sqlite3_close(place->db);
	(void)snprintf(command, sizeof command, "rm -r %s", place->folder);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

/* --- what the triggers allow and refuse ------------------------------------------------------
 */

static const struct trigger_row {
	const char *name;
	const char *sql;
	const char *refused; /* part of SQLite's message; NULL: allowed */
	int64_t seq;         /* of challenge 1 after it */
} trigger_rows[] = {
	{ "an event cannot be changed", "UPDATE event SET at = 1", "append-only", 3 },
	{ "an event cannot be deleted", "DELETE FROM event", "recorded purge", 3 },
	{ "an event cannot be replaced",
	  "REPLACE INTO event (id, challenge, kind) VALUES (1, 1, 'x')", "append-only", 3 },
	{ "a challenge cannot be deleted", "DELETE FROM challenge", "recorded purge", 3 },
	{ "a challenge cannot be replaced by its reference",
	  "REPLACE INTO challenge (reference, policy, policy_version, raising_agency,"
	  " receiving_agency) VALUES ('2026-001', 'p', '1', 'school', 'care')",
	  "there already", 3 },
	{ "a challenge keeps its id", "UPDATE challenge SET id = 9", "keeps its id", 3 },
	{ "change_seq cannot be set", "UPDATE challenge SET change_seq = 1", "leave it out",
	  3 },
	{ "the counter cannot be set back", "UPDATE counter SET change_seq = 1", "only rises",
	  3 },
	{ "the counter cannot be replaced", "REPLACE INTO counter VALUES (1, 0)", "only rises",
	  3 },
	{ "the identity cannot be replaced", "REPLACE INTO identity VALUES (1, 'x')",
	  "never changes", 3 },
	{ "an event needs its challenge", "INSERT INTO event (challenge, kind) VALUES (7, 'x')",
	  "not in the store", 3 },
	{ "an event voids one of its own challenge only",
	  "INSERT INTO event (challenge, kind, voids) VALUES (1, 'voided', 99)",
	  "not one of this challenge", 3 },
	{ "an empty reference is refused", "UPDATE challenge SET reference = ''", "CHECK", 3 },
	{ "a stage event names its stage",
	  "INSERT INTO event (challenge, kind) VALUES (1, 'stage')", "CHECK", 3 },
	{ "a flag is 0 or 1", "UPDATE contact SET shared = 2", "CHECK", 3 },
	{ "a changed urgency raises change_seq once", "UPDATE challenge SET urgency = 'urgent'",
	  NULL, 4 },
	{ "writing a row back with its old change_seq raises it all the same",
	  "UPDATE challenge SET urgency = 'urgent', change_seq = 3", NULL, 4 },
	{ "two events raise it twice",
	  "INSERT INTO event (challenge, kind) VALUES (1, 'agreed'), (1, 'closed')", NULL, 5 },
	{ "a voided event is allowed",
	  "INSERT INTO event (challenge, kind, voids) VALUES (1, 'voided', 2)", NULL, 4 },
	{ "a contact is no change of a challenge", "UPDATE contact SET name = 'N'", NULL, 3 },
};

static void obeys(void **state)
{
	struct place *place = *state;
	const struct trigger_row *row = place->row;

	/* Whatever a careless writer has set, the outcome is one. */
	for (int pragmas = 0; pragmas < 4; pragmas++) {
		char text[120];

		(void)snprintf(
			text, sizeof text,
			"PRAGMA recursive_triggers = %d; PRAGMA foreign_keys = %d; BEGIN",
			pragmas & 1, pragmas >> 1);
		sql(place, text);

		int result = sqlite3_exec(place->db, row->sql, NULL, NULL, NULL);

		if (row->refused == NULL)
			assert_int_equal(result, SQLITE_OK);
		else
			assert_non_null(strstr(sqlite3_errmsg(place->db), row->refused));
		assert_int_equal(number(place, "SELECT change_seq FROM challenge WHERE id = 1"),
				 row->seq);
		sql(place, "ROLLBACK");
	}
}

static void purge_lets_rows_go_and_numbers_stay_used(void **state)
{
	struct place *place = *state;

	sql(place, "PRAGMA foreign_keys = ON; BEGIN;"
		   "INSERT INTO purge (challenge, rule) VALUES (1, '6 years');"
		   "DELETE FROM event WHERE challenge = 1; DELETE FROM challenge WHERE id = 1;"
		   "COMMIT;");
	assert_int_equal(number(place, "SELECT count(*) FROM event"), 0);
	sql(place, "INSERT INTO challenge (reference, policy, policy_version, raising_agency,"
		   " receiving_agency) VALUES ('2026-001', 'example', '1', 'school', 'care')");
	assert_int_equal(number(place, "SELECT id FROM challenge"), 2);
	assert_int_equal(number(place, "SELECT change_seq FROM challenge"), 4);
	assert_int_equal(sqlite3_exec(place->db, "DELETE FROM purge", NULL, NULL, NULL),
			 SQLITE_CONSTRAINT);
	assert_int_equal(sqlite3_exec(place->db,
				      "INSERT INTO challenge (id, reference, policy,"
				      " policy_version, raising_agency, receiving_agency)"
				      " VALUES (1, 'x', 'e', '1', 'school', 'care')",
				      NULL, NULL, NULL),
			 SQLITE_CONSTRAINT);
}

/* --- opening ---------------------------------------------------------------------------------
 */

static const struct open_row {
	const char *name;
	const char *sql;  /* run on the store first */
	const char *path; /* NULL: the store */
	int code;
	const char *text;
} open_rows[] = {
	{ "a file that is not there", "SELECT 1", "/tmp/no/such/store.db", ENOENT, "init" },
	{ "a folder is no store", "SELECT 1", "/tmp", EINVAL, "regular" },
	{ "a text file is no store", "SELECT 1", "/proc/self/exe", 0, "" },
	{ "another program's database", "PRAGMA application_id = 7", NULL, EINVAL,
	  "not a challenge store" },
	{ "a newer store", "PRAGMA user_version = 2", NULL, EINVAL, "newer" },
	{ "an older store", "PRAGMA user_version = 0", NULL, EINVAL, "version 0" },
	{ "a column is gone", "ALTER TABLE event RENAME COLUMN due TO gone", NULL, EINVAL,
	  "due" },
	{ "a trigger is gone", "DROP TRIGGER event_inserted", NULL, EINVAL, "event_inserted" },
	{ "a view stands in for a table",
	  "DROP TABLE counter; CREATE VIEW counter AS SELECT 1 AS change_seq", NULL, EINVAL,
	  "counter" },
	{ "the record of purges is gone", "DROP TABLE purge", NULL, EINVAL, "purge" },
	{ "the identity is gone", "DELETE FROM identity", NULL, EINVAL, "identity" },
};

static void refuses_to_open(void **state)
{
	struct place *place = *state;
	const struct open_row *row = place->row;
	struct error error = { 0 };
	int result;

	sql(place, row->sql);
	result = store_open(row->path != NULL ? row->path : place->path, &place->store, &error);
	assert_true(result < 0);
	assert_null(place->store);
	if (row->code != 0)
		assert_int_equal(result, -row->code);
	assert_non_null(strstr(error.text, row->text));
}

/* --- reading ---------------------------------------------------------------------------------
 */

static void reads_a_challenge_with_its_events(void **state)
{
	struct place *place = *state;
	struct challenge *challenge = NULL;

	open_store(place);
	assert_int_equal(
		store_challenge_by_reference(place->store, "2026-001", &challenge, NULL), 1);
	assert_int_equal(challenge->id, 1);
	assert_string_equal(challenge->policy, "example");
	assert_string_equal(challenge->policy_version, "1");
	assert_string_equal(challenge->urgency, "");
	assert_string_equal(challenge->concerns, "child");
	assert_string_equal(challenge->raising_agency, "school");
	assert_string_equal(challenge->receiving_agency, "care");
	assert_true(instant_is_never(challenge->protect_by));
	assert_int_equal(challenge->change_seq, 3);
	assert_int_equal(challenge->event_count, 2);
	assert_string_equal(challenge->events[0].kind, "raised");
	assert_string_equal(challenge->events[1].kind, "responded");
	assert_int_equal(challenge->events[1].at.seconds, 2000);
	assert_true(instant_is_never(challenge->events[1].due));
	assert_int_equal(store_challenge_by_reference(place->store, "none", &challenge, NULL),
			 0);
}

static void walks_only_what_changed_in_order(void **state)
{
	struct place *place = *state;
	struct challenge *challenge = NULL;
	int64_t seq = 0;

	sql(place, "INSERT INTO challenge (reference, policy, policy_version, raising_agency,"
		   " receiving_agency) VALUES ('b', 'e', '1', 'school', 'care'),"
		   " ('c', 'e', '1', 'school', 'care');"
		   "UPDATE challenge SET category = 'x' WHERE reference = 'b'");
	open_store(place);
	assert_int_equal(store_begin(place->store, NULL), 0);
	assert_int_equal(store_change_seq(place->store, &seq, NULL), 0);
	assert_int_equal(seq, 6);
	assert_int_equal(store_changed_since(place->store, 3, NULL), 0);
	assert_int_equal(store_next(place->store, &challenge, NULL), 1);
	assert_string_equal(challenge->reference, "c");
	assert_int_equal(store_next(place->store, &challenge, NULL), 1);
	assert_string_equal(challenge->reference, "b");
	assert_int_equal(store_next(place->store, &challenge, NULL), 0);
	store_end(place->store);
}

/* A store whose triggers are not ours: equal numbers, and one bad event among good ones. */
static void a_walk_passes_a_bad_row_and_repeats_none(void **state)
{
	static const struct {
		int64_t id;
		int events; /* -1: it cannot be read */
	} expected[] = { { 1, 2 }, { 2, 0 }, { 3, 3 }, { 4, -1 }, { 5, 1 }, { 6, 0 } };
	struct place *place = *state;
	struct challenge *challenge = NULL;

	sql(place, "INSERT INTO challenge (reference, policy, policy_version, raising_agency,"
		   " receiving_agency) VALUES ('b', 'e', '1', 'school', 'care'),"
		   " ('c', 'e', '1', 'school', 'care'), ('d', 'e', '1', 'school', 'care'),"
		   " ('e', 'e', '1', 'school', 'care'), ('f', 'e', '1', 'school', 'care');"
		   "INSERT INTO event (challenge, kind, at) VALUES (3, 'raised', 1),"
		   " (4, 'raised', 2), (3, 'agreed', 3), (5, 'raised', 4), (4, 'agreed', 5),"
		   " (3, 'closed', 6);"
		   "UPDATE challenge SET policy = char(7) WHERE id = 4;"
		   "DROP TRIGGER change_seq_kept; UPDATE challenge SET change_seq = 7");
	open_store(place);
	assert_int_equal(store_changed_since(place->store, 6, NULL), 0);
	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_int_equal(store_next(place->store, &challenge, NULL), 1);
		assert_int_equal(store_row(place->store), expected[i].id);
		assert_int_equal(challenge == NULL, expected[i].events < 0);
		if (challenge == NULL)
			continue;
		assert_int_equal(challenge->id, expected[i].id);
		assert_int_equal(challenge->event_count, expected[i].events);
		if (expected[i].id == 3)
			assert_string_equal(challenge->events[1].kind, "agreed");
	}
	assert_int_equal(store_next(place->store, &challenge, NULL), 0);
	assert_int_equal(store_changed_since(place->store, 7, NULL), 0);
	assert_int_equal(store_next(place->store, &challenge, NULL), 0);
}

static void holds_no_lock_between_rows_of_a_finished_walk(void **state)
{
	struct place *place = *state;
	struct challenge *challenge = NULL;

	open_store(place);
	assert_int_equal(store_changed_since(place->store, 0, NULL), 0);
	while (store_next(place->store, &challenge, NULL) > 0)
		;
	sql(place, "UPDATE challenge SET urgency = 'x'"); /* asserts that it is not busy */
	assert_int_equal(store_challenge(place->store, 1, &challenge, NULL), 1);
	sql(place, "UPDATE challenge SET urgency = 'y'");
}

/* Asked for by id, too: whoever asks must not take one bad row for a bad file. */
static void hands_out_a_bad_row_by_id(void **state)
{
	struct place *place = *state;
	struct challenge *challenge = (struct challenge *)place;
	struct error error = { 0 };

	sql(place, "UPDATE challenge SET policy = char(7) WHERE id = 1");
	open_store(place);
	assert_int_equal(store_challenge(place->store, 1, &challenge, &error), 1);
	assert_null(challenge);
	assert_non_null(strstr(error.text, "control characters"));
	assert_int_equal(store_changed_since(place->store, 0, NULL), 0);
	assert_int_equal(store_next(place->store, &challenge, NULL), 1);
	assert_int_equal(store_row(place->store), 1);
}

static void sees_one_moment_inside_a_transaction(void **state)
{
	struct place *place = *state;
	struct challenge *challenge = NULL;

	open_store(place);
	assert_int_equal(store_begin(place->store, NULL), 0);
	assert_int_equal(
		sqlite3_exec(place->db, "UPDATE challenge SET urgency = 'x'", NULL, NULL, NULL),
		SQLITE_BUSY);
	assert_int_equal(store_challenge(place->store, 1, &challenge, NULL), 1);
	assert_string_equal(challenge->urgency, "");
	store_end(place->store);
	sql(place, "UPDATE challenge SET urgency = 'x'");
}

static void never_writes(void **state)
{
	struct place *place = *state;
	struct challenge *challenge = NULL;
	struct stat before, after;

	assert_int_equal(stat(place->path, &before), 0);
	open_store(place);
	assert_int_equal(store_challenge(place->store, 1, &challenge, NULL), 1);
	store_close(place->store);
	place->store = NULL;
	assert_int_equal(stat(place->path, &after), 0);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
}

static void looks_and_tells_what_changed(void **state)
{
	struct place *place = *state;
	enum store_change change = STORE_SAME;
	char other[128];

	open_store(place);
	assert_int_equal(store_look(place->store, &change, NULL), 0);
	assert_int_equal(change, STORE_CHANGED);
	assert_int_equal(store_look(place->store, &change, NULL), 0);
	assert_int_equal(change, STORE_SAME);
	sql(place, "UPDATE contact SET name = 'N'");
	assert_int_equal(store_look(place->store, &change, NULL), 0);
	assert_int_equal(change, STORE_CHANGED);

	/* A backup put back by rename: the open handle would read the old file for ever. */
	(void)snprintf(other, sizeof other, "VACUUM INTO '%s/other.db'", place->folder);
	sql(place, other);
	(void)snprintf(other, sizeof other, "%s/other.db", place->folder);
	assert_int_equal(rename(other, place->path), 0);
	assert_int_equal(store_look(place->store, &change, NULL), 0);
	assert_int_equal(change, STORE_MOVED);
}

static void a_store_upgraded_under_it_is_refused(void **state)
{
	struct place *place = *state;
	enum store_change change = STORE_SAME;

	open_store(place);
	assert_int_equal(store_look(place->store, &change, NULL), 0);
	sql(place, "PRAGMA user_version = 2");
	assert_int_equal(store_look(place->store, &change, NULL), -EINVAL);
}

static void notices_wal(void **state)
{
	struct place *place = *state;
	enum store_change change = STORE_SAME;

	open_store(place);
	assert_false(store_is_wal(place->store));
	store_close(place->store);
	place->store = NULL;
	sql(place, "PRAGMA journal_mode = WAL; UPDATE contact SET name = 'N'");
	open_store(place);
	assert_int_equal(store_look(place->store, &change, NULL), 0);
	assert_true(store_is_wal(place->store));
}

static void identity_survives_a_copy_but_not_a_new_init(void **state)
{
	struct place *place = *state;
	struct store *other = NULL;
	enum store_change change = STORE_SAME;
	char path[128];
	char text[300];

	open_store(place);
	assert_int_equal(strlen(store_identity(place->store)), 32);
	(void)snprintf(text, sizeof text, "VACUUM INTO '%s/copy.db'", place->folder);
	sql(place, text);
	(void)snprintf(path, sizeof path, "%s/copy.db", place->folder);
	assert_int_equal(store_open(path, &other, NULL), 0);
	assert_string_equal(store_identity(other), store_identity(place->store));
	store_closep(&other);
	(void)snprintf(path, sizeof path, "%s/new.db", place->folder);
	assert_int_equal(register_init(path, NULL), 0);
	assert_int_equal(store_open(path, &other, NULL), 0);
	assert_string_not_equal(store_identity(other), store_identity(place->store));

	/* Nor being written over: the file is the same one then. */
	assert_int_equal(store_look(place->store, &change, NULL), 0);
	(void)snprintf(text, sizeof text, "cp %s %s", path, place->path);
	assert_int_equal(system(text), 0);
	assert_int_equal(store_look(place->store, &change, NULL), 0);
	assert_int_equal(change, STORE_CHANGED);
	assert_string_equal(store_identity(other), store_identity(place->store));
	store_closep(&other);
}

/* --- hostile rows ----------------------------------------------------------------------------
 */

static const struct bad_row {
	const char *name;
	const char *sql;
	const char *text;
} bad_rows[] = {
	{ "bytes that are no UTF-8 in a reference",
	  "UPDATE challenge SET reference = CAST(x'ff41' AS TEXT)",
	  "its reference is not UTF-8" },
	{ "an overlong form in a policy", "UPDATE challenge SET policy = CAST(x'c080' AS TEXT)",
	  "its policy is not UTF-8" },
	{ "a surrogate in a policy", "UPDATE challenge SET policy = CAST(x'eda080' AS TEXT)",
	  "its policy is not UTF-8" },
	{ "a cut sequence in a policy", "UPDATE challenge SET policy = CAST(x'41e282' AS TEXT)",
	  "its policy is not UTF-8" },
	{ "a reference of 501 bytes",
	  "UPDATE challenge SET reference = hex(zeroblob(250)) || 'x'", "is too long" },
	{ "a line break in a policy's version",
	  "UPDATE challenge SET policy_version = '1' || char(10)",
	  "its policy_version holds control characters" },
	{ "a category of 20 megabytes",
	  "UPDATE challenge SET category = hex(zeroblob(10000000))", "too big" },
	{ "a kind of 20 megabytes",
	  "INSERT INTO event (challenge, kind) VALUES (1, hex(zeroblob(10000000)))",
	  "too big" },
	{ "too many events",
	  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
	  " INSERT INTO event (challenge, kind) SELECT 1, 'x' FROM n",
	  "more than 10000 events" },
};

static void one_bad_row_hides_no_other(void **state)
{
	struct place *place = *state;
	const struct bad_row *row = place->row;
	struct challenge *challenge = NULL;
	struct error error = { 0 };
	size_t good = 0;
	size_t bad = 0;
	int result;

	sql(place, "INSERT INTO challenge (reference, policy, policy_version, raising_agency,"
		   " receiving_agency) VALUES ('good', 'e', '1', 'school', 'care')");
	sql(place, "PRAGMA synchronous = OFF");
	sql(place, row->sql[0] == 'U' ? "SELECT 1" : row->sql);
	if (row->sql[0] == 'U') {
		char text[200];

		(void)snprintf(text, sizeof text, "%s WHERE id = 1", row->sql);
		sql(place, text);
	}
	open_store(place);
	assert_int_equal(store_changed_since(place->store, 0, NULL), 0);
	while ((result = store_next(place->store, &challenge, &error)) > 0) {
		if (challenge == NULL) {
			bad++;
			assert_non_null(strstr(error.text, "challenge 1"));
			assert_non_null(strstr(error.text, row->text));
		} else {
			good++;
			assert_string_equal(challenge->reference, "good");
		}
	}
	assert_int_equal(result, 0);
	assert_int_equal(good, 1);
	assert_int_equal(bad, 1);
}

/* What stands in for an unsound value, so that the challenge is watched all the same. */
static const struct stand_in_row {
	const char *name;
	const char *sql;
	const char *column;
	size_t offset; /* in struct challenge, or in its last event */
	bool of_event;
	const char *instead;
} stand_in_rows[] = {
#define OF_CHALLENGE(what, column, value, instead)                                          \
	{                                                                                   \
		what, "UPDATE challenge SET " #column " = " value " WHERE id = 1", #column, \
			offsetof(struct challenge, column), false, instead,                 \
	}
#define OF_EVENT(what, column, values, instead)                                                \
	{                                                                                      \
		what,                                                                          \
			"INSERT INTO event (challenge, kind, stage, value) VALUES (1, " values \
			")",                                                                   \
			#column, offsetof(struct event, column), true, instead,                \
	}
	OF_CHALLENGE("a stray control in a category", category, "'a' || char(1)", ""),
	OF_CHALLENGE("a category of 501 bytes", category, "hex(zeroblob(250)) || 'x'", ""),
	OF_CHALLENGE("no UTF-8 in concerns", concerns, "CAST(x'ff' AS TEXT)", ""),
	/* Not "", which is the policy's default. */
	OF_CHALLENGE("a line break in an urgency", urgency, "char(10)", "\xef\xbf\xbd"),
	OF_CHALLENGE("an escape in an agency", raising_agency, "char(27)", "\xef\xbf\xbd"),
	OF_CHALLENGE("a NUL in an agency", receiving_agency, "'care' || char(0)",
		     "\xef\xbf\xbd"),
	OF_EVENT("a C1 control in an outcome", value, "'x', '', char(155)", ""),
	OF_EVENT("a line break in a kind", kind, "'a' || char(13, 10) || 'b', '', ''",
		 "\xef\xbf\xbd"),
	OF_EVENT("a NUL in a kind", kind, "'closed' || char(0), '', ''", "\xef\xbf\xbd"),
	OF_EVENT("an escape in a stage", stage, "'stage', char(27) || '[2J', ''",
		 "\xef\xbf\xbd"),
#undef OF_CHALLENGE
#undef OF_EVENT
};

static void an_unsound_word_counts_as_unknown(void **state)
{
	struct place *place = *state;
	const struct stand_in_row *row = place->row;
	struct challenge *challenge = NULL;
	struct error error = { 0 };
	const char *base;

	/* As a writer of its own may have set them. */
	sql(place, "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON");
	sql(place, row->sql);
	open_store(place);
	assert_int_equal(store_changed_since(place->store, 0, NULL), 0);
	for (int way = 0; way < 2; way++) {
		if (way == 0)
			assert_int_equal(store_next(place->store, &challenge, &error), 1);
		else
			assert_int_equal(store_challenge(place->store, 1, &challenge, &error),
					 1);
		assert_string_equal(error.text, "");
		assert_non_null(challenge);
		assert_string_equal(challenge->reference, "2026-001");
		assert_int_equal(challenge->event_count, row->of_event ? 3 : 2);
		base = row->of_event ? (const char *)&challenge->events[2]
				     : (const char *)challenge;
		assert_string_equal(*(const char *const *)(base + row->offset), row->instead);
		assert_string_equal(challenge->unsound, row->column);
	}
	sql(place, "INSERT INTO challenge (reference, policy, policy_version, raising_agency,"
		   " receiving_agency) VALUES ('good', 'e', '1', 'school', 'care')");
	assert_int_equal(store_challenge_by_reference(place->store, "good", &challenge, NULL),
			 1);
	assert_null(challenge->unsound);
}

static void a_huge_note_costs_nothing(void **state)
{
	struct place *place = *state;
	struct challenge *challenge = NULL;

	sql(place, "PRAGMA synchronous = OFF;"
		   "INSERT INTO event (challenge, kind, note) VALUES (1, 'agreed',"
		   " hex(zeroblob(10000000)))");
	open_store(place);
	assert_int_equal(store_challenge(place->store, 1, &challenge, NULL), 1);
	assert_int_equal(challenge->event_count, 3);
}

static void a_thousand_hostile_strings(void **state)
{
	struct place *place = *state;
	struct challenge *challenge = NULL;
	const char *given = getenv("TEST_SEED");
	unsigned seed =
		given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	sqlite3_stmt *insert = NULL;
	size_t rows = 0;
	int result;

	print_message("seed %u\n", seed);
	sql(place, "BEGIN");
	assert_int_equal(
		sqlite3_prepare_v2(place->db,
				   "INSERT INTO challenge (reference, policy,"
				   " policy_version, urgency, raising_agency,"
				   " receiving_agency) VALUES (?1 || ?2, ?2, ?2, ?2, ?2, ?2)",
				   -1, &insert, NULL),
		SQLITE_OK);
	for (int i = 0; i < 1000; i++) {
		unsigned char bytes[600];
		int length = rand_r(&seed) % (int)sizeof bytes;

		for (int j = 0; j < length; j++)
			bytes[j] = (unsigned char)rand_r(&seed);
		(void)sqlite3_bind_int(insert, 1, i);
		(void)sqlite3_bind_text(insert, 2, (char *)bytes, length, SQLITE_TRANSIENT);
		assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
		(void)sqlite3_reset(insert);
	}
	(void)sqlite3_finalize(insert);
	sql(place, "COMMIT");
	open_store(place);
	assert_int_equal(store_changed_since(place->store, 0, NULL), 0);
	/* Without a struct error, too: only the return value speaks then. */
	while ((result = store_next(place->store, &challenge, NULL)) > 0)
		rows++;
	assert_int_equal(result, 0);
	assert_int_equal(rows, 1001);
}

/* --- the directory ---------------------------------------------------------------------------
 */

static void directory_follows_deputies_and_covers(void **state)
{
	struct place *place = *state;
	struct directory directory = { 0 };

	sql(place,
	    "INSERT INTO contact (agency, role, email, deputy)"
	    " VALUES ('far', 'manager', 'd@f.example', 3);"
	    "UPDATE contact SET deputy = 4 WHERE id = 1;"
	    "UPDATE contact SET deputy = 1 WHERE id = 3;" /* a ring ends all the same */
	    "INSERT INTO contact (agency, role, email) VALUES ('far', 'x', 'e@f.example');"
	    "UPDATE agency SET cover = 5 WHERE id = 'care'");
	open_store(place);
	assert_int_equal(store_directory(place->store, (const char *[]){ "school", NULL }, 2,
					 &directory, NULL),
			 0);
	assert_int_equal(directory.agency_count, 1);
	assert_int_equal(directory.contact_count, 3);
	assert_int_equal(directory.contacts[0].id, 1);
	assert_int_equal(directory.contacts[1].id, 3);
	assert_int_equal(directory.contacts[2].id, 4);
	assert_int_equal(
		store_directory(place->store, (const char *[]){ "care" }, 1, &directory, NULL),
		0);
	assert_int_equal(directory.contact_count, 2);
	assert_int_equal(directory.contacts[1].id, 5);
	assert_int_equal(store_directory(place->store, NULL, 0, &directory, NULL), 0);
	assert_int_equal(directory.agency_count, 3);
	assert_string_equal(directory.agencies[0].id, "care");
	assert_int_equal(directory.contact_count, 5);
}

static void an_unsound_address_is_none(void **state)
{
	struct place *place = *state;
	struct directory directory = { 0 };

	sql(place, "UPDATE contact SET email = 'a@b.example' || char(13, 10) || 'RCPT'"
		   " WHERE id = 1");
	open_store(place);
	assert_int_equal(store_directory(place->store, NULL, 0, &directory, NULL), 0);
	assert_string_equal(directory.contacts[0].email, "");
	assert_string_equal(directory.contacts[1].email, "b@c.example");
	assert_string_equal(directory.contacts[1].language, "en");
	assert_true(directory.contacts[1].active);
	assert_true(instant_is_never(directory.contacts[1].away_from));
}

/* --- a writer that is killed -----------------------------------------------------------------
 */

static void write_and_die(const char *path)
{
	sqlite3 *db = NULL;

	(void)sqlite3_open(path, &db);
	/* A cache of one page spills: the file is changed before any commit. */
	(void)sqlite3_exec(
		db,
		"PRAGMA journal_mode = TRUNCATE; PRAGMA cache_size = 1; BEGIN;"
		"UPDATE challenge SET category = hex(zeroblob(100)), urgency = 'lost';"
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
		" WHERE i < 2000) INSERT INTO event (challenge, kind) SELECT 1, 'x'"
		" FROM n",
		NULL, NULL, NULL);
	(void)kill(getpid(), SIGKILL);
}

static void rolls_back_what_a_killed_writer_left(void **state)
{
	struct place *place = *state;
	struct challenge *challenge = NULL;
	struct stat journal;
	char path[128];
	pid_t child;
	int status;

	(void)sqlite3_close(place->db);
	place->db = NULL;
	(void)snprintf(path, sizeof path, "%s-journal", place->path);
	child = fork();
	if (child == 0) {
		write_and_die(place->path);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(stat(path, &journal), 0);
	assert_true(journal.st_size > 0);
	open_store(place);
	assert_int_equal(store_challenge(place->store, 1, &challenge, NULL), 1);
	assert_string_equal(challenge->urgency, "");
	assert_int_equal(challenge->event_count, 2);
	assert_true(stat(path, &journal) < 0 || journal.st_size == 0);
}

#define PLAIN(function)                                    \
	{                                                  \
#function, function, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest plain[] = {
		PLAIN(purge_lets_rows_go_and_numbers_stay_used),
		PLAIN(reads_a_challenge_with_its_events),
		PLAIN(walks_only_what_changed_in_order),
		PLAIN(a_walk_passes_a_bad_row_and_repeats_none),
		PLAIN(holds_no_lock_between_rows_of_a_finished_walk),
		PLAIN(hands_out_a_bad_row_by_id),
		PLAIN(sees_one_moment_inside_a_transaction),
		PLAIN(never_writes),
		PLAIN(looks_and_tells_what_changed),
		PLAIN(a_store_upgraded_under_it_is_refused),
		PLAIN(notices_wal),
		PLAIN(identity_survives_a_copy_but_not_a_new_init),
		PLAIN(a_huge_note_costs_nothing),
		PLAIN(a_thousand_hostile_strings),
		PLAIN(directory_follows_deputies_and_covers),
		PLAIN(an_unsound_address_is_none),
		PLAIN(rolls_back_what_a_killed_writer_left),
	};
	struct CMUnitTest tests[COUNT(plain) + COUNT(trigger_rows) + COUNT(open_rows) +
				COUNT(bad_rows) + COUNT(stand_in_rows)];
	size_t count = 0;

	for (size_t i = 0; i < COUNT(plain); i++)
		tests[count++] = plain[i];
	for (size_t i = 0; i < COUNT(trigger_rows); i++)
		tests[count++] = (struct CMUnitTest){ trigger_rows[i].name, obeys, setup,
						      teardown, (void *)&trigger_rows[i] };
	for (size_t i = 0; i < COUNT(open_rows); i++)
		tests[count++] = (struct CMUnitTest){ open_rows[i].name, refuses_to_open, setup,
						      teardown, (void *)&open_rows[i] };
	for (size_t i = 0; i < COUNT(bad_rows); i++)
		tests[count++] =
			(struct CMUnitTest){ bad_rows[i].name, one_bad_row_hides_no_other,
					     setup, teardown, (void *)&bad_rows[i] };
	for (size_t i = 0; i < COUNT(stand_in_rows); i++)
		tests[count++] = (struct CMUnitTest){ stand_in_rows[i].name,
						      an_unsound_word_counts_as_unknown, setup,
						      teardown, (void *)&stand_in_rows[i] };
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
