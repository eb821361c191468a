/*
 * test_ledger_chain.c - whoever changes the record is found out, and whoever erases by the rule
 * is not accused.
 *
 * TEST_SEED replays a failure, TEST_ROUNDS makes it longer.
 */
#include "ledger_fixture.h"

#include <jansson.h>
#include <time.h>

static struct fixture *of(void **state)
{
	return *state;
}

static uint64_t next_random(uint64_t *state)
{
	/* splitmix64: small, seeded, the same everywhere */
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint64_t below(uint64_t *state, uint64_t limit)
{
	return next_random(state) % limit;
}

/* A life with something of everything, ending in an entry that a row depends on. */
static void live(struct fixture *f)
{
	static const enum delivery_state ends[] = { DELIVERY_ACCEPTED, DELIVERY_RETRY,
						    DELIVERY_IN_DOUBT, DELIVERY_HELD,
						    DELIVERY_REFUSED };
	size_t count;

	OK(f, ledger_note(f->ledger, "started", "{\"version\":\"0.1.0\"}", NOW, &f->error));
	for (int32_t i = 1; i <= 20; i++) {
		int64_t notices[] = { decide_one(f, i, 1), decide_one(f, i, 2) };
		int64_t mail = store_one(f, notices, 1 + (size_t)(i % 2), i);

		if (claim_at(f, LATER(i)) != mail)
			fail_msg("another mail was claimed");
		assert_int_equal(0, record_at(f, mail, ends[i % 5], LATER(100000), LATER(i)));
		if (ends[i % 5] == DELIVERY_REFUSED)
			OK(f, ledger_fall_through(f->ledger, mail, LATER(i), &f->error));
	}
	OK(f, ledger_release_notices(f->ledger, 0, "A. Person", "approved", LATER(30), &count,
				     &f->error));
	OK(f, ledger_begin(f->ledger, &f->error));
	OK(f, ledger_cancel_notice(f->ledger, 4, "answered", LATER(31), &f->error));
	OK(f, ledger_commit(f->ledger, &f->error));
	OK(f, ledger_purge(f->ledger, LATER(8), 1000, "rule", "retention.bodies", LATER(40),
			   &count, &f->error));
	assert_true(count > 10);
	(void)decide_one(f, 99, 1);
}

/* --- tampering -----------------------------------------------------------------------------
 */

struct column {
	const char *table;
	const char *name;
};

/* Every column that is evidence. */
static const struct column columns[] = {
	{ "chain", "seq" },
	{ "chain", "at" },
	{ "chain", "kind" },
	{ "chain", "state" },
	{ "chain", "challenge" },
	{ "chain", "notice" },
	{ "chain", "mail" },
	{ "chain", "commitment" },
	{ "chain", "hash" },
	{ "payload", "seq" },
	{ "payload", "salt" },
	{ "payload", "text" },
	{ "notice", "id" },
	{ "notice", "challenge" },
	{ "notice", "reference" },
	{ "notice", "policy" },
	{ "notice", "policy_version" },
	{ "notice", "event" },
	{ "notice", "stage" },
	{ "notice", "obligation" },
	{ "notice", "kind" },
	{ "notice", "step" },
	{ "notice", "occurrence" },
	{ "notice", "role" },
	{ "notice", "at" },
	{ "notice", "send_at" },
	{ "notice", "started" },
	{ "notice", "due" },
	{ "notice", "firm" },
	{ "notice", "provisional" },
	{ "notice", "state" },
	{ "notice", "reason" },
	{ "notice", "mail" },
	{ "mail", "id" },
	{ "mail", "state" },
	{ "mail", "contact" },
	{ "mail", "recipient" },
	{ "mail", "envelope_from" },
	{ "mail", "message_id" },
	{ "mail", "date" },
	{ "mail", "sha256" },
	{ "mail", "length" },
	{ "mail", "attempts" },
	{ "mail", "doubts" },
	{ "mail", "created" },
	{ "mail", "next_attempt" },
	{ "mail", "updated" },
	{ "mail", "reply" },
	{ "body", "mail" },
	{ "body", "bytes" },
	{ "mail_notice", "mail" },
	{ "mail_notice", "notice" },
	{ "head", "seq" },
	{ "head", "hash" },
	{ "head", "notices" },
	{ "head", "mails" },
	{ "head", "accepted" },
	{ "head", "held" },
};

/* Ways to write something else, by SQL over the column c; %2$d is a random number. */
static const char *const numbers[] = { "%1$s + 1 + %2$d",
				       "%1$s - 1 - %2$d",
				       "NULL",
				       "9223372036854775807",
				       "coalesce(%1$s, 0) + 4294967296",
				       "coalesce(%1$s, 0)" };
static const char *const texts[] = { "%1$s || 'x'", "%1$s || char(0) || 'x'",
				     "''",          "substr(%1$s, 2)",
				     "'cancelled'", "'held'",
				     "'accepted'",  "upper(%1$s)" };
static const char *const blobs[] = { "zeroblob(length(%1$s))", "x''",
				     "CAST(%1$s || x'%2$02x' AS BLOB)",
				     "CAST(x'%2$02x' || substr(%1$s, 2) AS BLOB)" };

static const char *const *ways_of(const char *type, size_t *ret_count)
{
	if (strcmp(type, "INTEGER") == 0) {
		*ret_count = COUNT(numbers);
		return numbers;
	}
	if (strcmp(type, "TEXT") == 0) {
		*ret_count = COUNT(texts);
		return texts;
	}
	*ret_count = COUNT(blobs);
	return blobs;
}

static void type_of_column(struct fixture *f, const struct column *column, char ret[16])
{
	sqlite3_stmt *statement = NULL;

	OK(f, database_prepare(f->ledger->db,
			       "SELECT type FROM pragma_table_info(?1) WHERE name = ?2",
			       &statement, &f->error));
	OK(f,
	   database_bind(statement, VALUES(value_text(column->table), value_text(column->name)),
			 &f->error));
	assert_int_equal(SQLITE_ROW, sqlite3_step(statement));
	snprintf(ret, 16, "%s", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
}

/* A row of the table, by a condition that names it. */
static void pick_row(struct fixture *f, const char *table, uint64_t *random, char ret[100])
{
	char sql[200];
	int64_t count;

	if (strcmp(table, "mail_notice") == 0) {
		count = number_of(f, "SELECT count(*) FROM mail_notice");
		snprintf(sql, sizeof sql,
			 "SELECT mail * 1000 + notice FROM mail_notice LIMIT 1 OFFSET %d",
			 (int)below(random, (uint64_t)count));
		snprintf(ret, 100, "mail * 1000 + notice = %lld", (long long)number_of(f, sql));
		return;
	}
	snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
	count = number_of(f, sql);
	snprintf(sql, sizeof sql, "SELECT rowid FROM %s LIMIT 1 OFFSET %d", table,
		 (int)below(random, (uint64_t)count));
	snprintf(ret, 100, "rowid = %lld", (long long)number_of(f, sql));
}

/* Each writes one change of its kind; true when the database is really another now. */
static bool edit(struct fixture *f, uint64_t *random, char sql[600])
{
	const struct column *column = &columns[below(random, COUNT(columns))];
	char type[16];
	char row[100];
	char value[200];
	size_t count = 0;
	const char *const *ways;

	type_of_column(f, column, type);
	ways = ways_of(type, &count);
	pick_row(f, column->table, random, row);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
	snprintf(value, sizeof value, ways[below(random, count)], column->name,
		 (int)below(random, 100));
#pragma GCC diagnostic pop
	snprintf(sql, 600, "UPDATE %s SET %s = %s WHERE %s AND %s IS NOT %s", column->table,
		 column->name, value, row, column->name, value);
	return sqlite3_exec(f->ledger->db, sql, NULL, NULL, NULL) == SQLITE_OK &&
	       sqlite3_changes(f->ledger->db) > 0;
}

static bool delete_row(struct fixture *f, uint64_t *random, char sql[600])
{
	static const char *const tables[] = { "chain", "payload", "notice",
					      "mail",  "body",    "mail_notice" };
	const char *table = tables[below(random, COUNT(tables))];
	char row[100];

	pick_row(f, table, random, row);
	snprintf(sql, 600, "DELETE FROM %s WHERE %s", table, row);
	return sqlite3_exec(f->ledger->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Exchanges two entries, with or without what they say. */
static bool swap(struct fixture *f, uint64_t *random, char sql[600])
{
	int64_t last = number_of(f, "SELECT max(seq) FROM chain");
	int a = 1 + (int)below(random, (uint64_t)last);
	int b = 1 + (int)below(random, (uint64_t)last);
	bool with_payload = below(random, 2) == 0;

	if (a == b)
		return false;
	snprintf(sql, 600,
		 "UPDATE chain SET seq = -1 WHERE seq = %d; UPDATE chain SET seq = %d WHERE"
		 " seq = %d; UPDATE chain SET seq = %d WHERE seq = -1;",
		 a, a, b, b);
	if (with_payload)
		snprintf(sql + strlen(sql), 600 - strlen(sql),
			 "UPDATE payload SET seq = -1 WHERE seq = %d; UPDATE payload SET seq ="
			 " %d WHERE seq = %d; UPDATE payload SET seq = %d WHERE seq = -1;",
			 a, a, b, b);
	return sqlite3_exec(f->ledger->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Cuts the end off, and half of the time makes the head agree. */
static bool truncate_chain(struct fixture *f, uint64_t *random, char sql[600])
{
	int64_t last = number_of(f, "SELECT max(seq) FROM chain");
	int keep = (int)below(random, (uint64_t)last);

	snprintf(sql, 600,
		 "DELETE FROM payload WHERE seq > %d; DELETE FROM chain WHERE seq > %d;", keep,
		 keep);
	if (below(random, 2) == 0)
		snprintf(sql + strlen(sql), 600 - strlen(sql),
			 "UPDATE head SET seq = %d, hash = coalesce((SELECT hash FROM chain"
			 " WHERE seq = %d), zeroblob(32));",
			 keep, keep);
	return sqlite3_exec(f->ledger->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool add_row(struct fixture *f, uint64_t *random, char sql[600])
{
	static const char *const rows[] = {
		"INSERT INTO notice SELECT id + 1000, challenge + 1000, reference, policy,"
		" policy_version, event, stage, obligation, kind, step, occurrence, role, at,"
		" send_at, started, due, firm, provisional, state, reason, mail FROM notice"
		" WHERE id = 3",
		"INSERT INTO payload (seq, salt, text) VALUES (100000, zeroblob(16), '{}')",
		("INSERT INTO chain SELECT seq + 1, at, kind, state, challenge, notice, mail,"
		 " commitment, hash FROM chain ORDER BY seq DESC LIMIT 1"),
		"INSERT INTO mail_notice (mail, notice) VALUES (3, 9)",
		"INSERT INTO body (mail, bytes) VALUES (100000, x'00')",
	};

	snprintf(sql, 600, "%s", rows[below(random, COUNT(rows))]);
	return sqlite3_exec(f->ledger->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static uint64_t number_from(const char *name, uint64_t fallback)
{
	const char *value = getenv(name);

	return value != NULL ? strtoull(value, NULL, 10) : fallback;
}

static void try_to_deceive(struct fixture *f, const char *what,
			   bool (*tamper)(struct fixture *f, uint64_t *random, char sql[600]),
			   uint64_t rounds)
{
	uint64_t seed = number_from("TEST_SEED", (uint64_t)time(NULL));
	uint64_t random = seed;
	uint64_t tried = 0;
	char sql[600];

	print_message("%s: seed %llu\n", what, (unsigned long long)seed);
	live(f);
	assert_intact(f);
	/* The intruder has the file, and our constraints bind him only as far as they must. */
	OK(f, database_run(f->ledger->db, "PRAGMA foreign_keys = OFF", &f->error));
	while (tried < number_from("TEST_ROUNDS", rounds)) {
		struct ledger_verification found = { 0 };

		OK(f, database_run(f->ledger->db, "BEGIN", &f->error));
		if (tamper(f, &random, sql)) {
			struct error error = { 0 };

			tried++;
			/* A head or a blob so damaged that it cannot be read is found too. */
			if (ledger_verify(f->ledger, &found, &error) == 0 &&
			    (found.first_bad == 0 || found.what[0] == '\0'))
				fail_msg("seed %llu, not found: %s", (unsigned long long)seed,
					 sql);
		}
		OK(f, database_run(f->ledger->db, "ROLLBACK", &f->error));
	}
	assert_intact(f);
	print_message("%s: %llu tried, all found\n", what, (unsigned long long)tried);
}

static void finds_edits(void **state)
{
	try_to_deceive(of(state), "edits", edit, 1200);
}

static void finds_deletions(void **state)
{
	try_to_deceive(of(state), "deletions", delete_row, 300);
}

static void finds_swaps(void **state)
{
	try_to_deceive(of(state), "swaps", swap, 300);
}

static void finds_truncations(void **state)
{
	try_to_deceive(of(state), "truncations", truncate_chain, 300);
}

static void finds_additions(void **state)
{
	try_to_deceive(of(state), "additions", add_row, 50);
}

static bool change_anything(struct fixture *f, uint64_t *random, char sql[600])
{
	static bool (*const ways[])(struct fixture * f, uint64_t * random,
				    char sql[600]) = { edit, delete_row, swap, truncate_chain };

	return ways[below(random, COUNT(ways))](f, random, sql);
}

static void finds_one_change_among_thousands(void **state)
{
	struct fixture *f = of(state);

	OK(f, database_run(f->ledger->db, "PRAGMA synchronous = OFF", &f->error));
	for (int64_t i = 1; i <= 4000; i++)
		(void)decide_one(f, 1000 + i, 1);
	try_to_deceive(f, "one change in a long chain", change_anything, 200);
}

/* Whoever cuts off the end and makes everything agree with it is shown by the anchor alone. */
static void an_end_that_was_cut_off_cleanly_has_another_head(void **state)
{
	struct fixture *f = of(state);
	struct ledger_verification before = { 0 };
	struct ledger_verification after = { 0 };

	live(f);
	OK(f, ledger_verify(f->ledger, &before, &f->error));
	OK(f,
	   database_run(f->ledger->db,
			"DELETE FROM payload WHERE seq = (SELECT max(seq) FROM chain);"
			"DELETE FROM notice WHERE id = (SELECT notice FROM chain ORDER BY seq"
			" DESC LIMIT 1);"
			"DELETE FROM chain WHERE seq = (SELECT max(seq) FROM chain);"
			"UPDATE head SET seq = seq - 1, notices = notices - 1,"
			" decided = decided - 1, hash = (SELECT hash FROM chain ORDER BY seq"
			" DESC LIMIT 1)",
			&f->error));
	assert_intact(f);
	OK(f, ledger_verify(f->ledger, &after, &f->error));
	assert_string_not_equal(before.head, after.head);
	assert_int_equal(before.entries - 1, after.entries);
}

/* --- erasing by the rule -------------------------------------------------------------------
 */

static void erases_by_the_rule(void **state)
{
	struct fixture *f = of(state);
	struct ledger_verification found = { 0 };
	struct ledger_mail mail = { 0 };
	size_t count = 0;
	size_t total = 0;

	live(f);
	do {
		OK(f, ledger_purge(f->ledger, LATER(1000), 7, "rule", "retention.bodies",
				   LATER(2000), &count, &f->error));
		assert_true(count <= 14);
		total += count;
		assert_intact(f);
	} while (count > 0);
	assert_true(total > 20);
	OK(f, ledger_verify(f->ledger, &found, &f->error));
	assert_true(found.purged > 20);
	/* What may still be sent keeps its bytes. */
	assert_int_equal(number_of(f, "SELECT count(*) FROM mail WHERE state IN ('ready',"
				      " 'attempting', 'retry', 'in_doubt', 'held')"),
			 number_of(f, "SELECT count(*) FROM body"));
	/* ... and its address, which goes with what its first entry said. */
	assert_int_equal(number_of(f, "SELECT count(*) FROM mail WHERE recipient <> ''"),
			 number_of(f, "SELECT count(*) FROM chain JOIN payload USING (seq)"
				      " WHERE kind = 'rendered'"));
	OK(f, ledger_mail(f->ledger,
			  number_of(f, "SELECT min(id) FROM mail WHERE state ="
				       " 'accepted'"),
			  &mail, &f->error));
	assert_null(mail.bytes);
	assert_string_equal(mail.recipient, "");
	ledger_mail_clear(&mail);
}

static void a_purge_that_never_was_is_no_excuse(void **state)
{
	struct fixture *f = of(state);
	struct ledger_verification found = { 0 };

	live(f);
	OK(f, database_run(f->ledger->db,
			   "DELETE FROM payload WHERE seq = (SELECT max(seq) FROM chain)",
			   &f->error));
	OK(f, ledger_verify(f->ledger, &found, &f->error));
	assert_int_equal(number_of(f, "SELECT max(seq) FROM chain"), found.first_bad);
	assert_non_null(strstr(found.what, "no purge"));
}

static void erased_is_erased(void **state)
{
	struct fixture *f = of(state);
	char buffer[4096];
	bool there = false;
	size_t count = 0;
	size_t got;
	FILE *file;

	(void)ready_mail(f, 1);
	OK(f, ledger_decide_mail(f->ledger, 1, DELIVERY_CANCELLED, "A. Person", "canary-4711",
				 NOW, &f->error));
	OK(f,
	   ledger_purge(f->ledger, LATER(1), 100, "rule", "over", LATER(2), &count, &f->error));
	assert_int_equal(4, count); /* three entries and a body */
	file = fopen(f->path, "rb");
	assert_non_null(file);
	/* The file is small: one canary never straddles two reads of a page. */
	while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
		there = there || memmem(buffer, got, "canary-4711", 11) != NULL ||
			memmem(buffer, got, "By Thursday", 11) != NULL;
	fclose(file);
	assert_false(there);
	assert_intact(f);
}

/* --- notes and the trail -------------------------------------------------------------------
 */

static const struct note_case {
	const char *name;
	const char *kind;
	const char *payload;
	int want;
} note_cases[] = {
	{ "a note is appended", "started", "{\"pid\":1}", 0 },
	{ "a note must be an object", "started", "[1]", -EINVAL },
	{ "a note must be JSON", "started", "{", -EINVAL },
	{ "a note may not pose as a purge", "purged", "{}", -EINVAL },
	{ "a note may not pose as a decision", "decided", "{}", -EINVAL },
	{ "a note may not pose as an outcome", "accepted", "{}", -EINVAL },
	{ "a note needs a kind", "", "{}", -EINVAL },
};

static void notes(void **state)
{
	const struct note_case *row = *state;
	void *made = NULL;
	struct fixture *f;

	assert_int_equal(0, set_up(&made));
	f = made;
	assert_int_equal(row->want,
			 ledger_note(f->ledger, row->kind, row->payload, NOW, &f->error));
	assert_int_equal(row->want == 0, number_of(f, "SELECT count(*) FROM chain"));
	assert_intact(f);
	tear_down(&made);
}

static int count_entry(void *context, const struct ledger_entry *entry)
{
	struct text *text = context;

	text_appendf(text, "%s/%s ", entry->kind, entry->state);
	return 0;
}

static void shows_the_trail_of_one_challenge(void **state)
{
	struct fixture *f = of(state);
	struct text text = { 0 };
	int64_t other = decide_one(f, 2, 1);
	int64_t challenge = 0;
	int64_t mail = ready_mail(f, 1);

	(void)other;
	assert_int_equal(mail, claim_at(f, NOW));
	assert_int_equal(0, record_at(f, mail, DELIVERY_ACCEPTED, INSTANT_NEVER, NOW));
	OK(f, ledger_trail(f->ledger, 1, 0, count_entry, &text, &f->error));
	assert_string_equal("decided/decided rendered/ready attempting/attempting "
			    "accepted/accepted ",
			    text_string(&text));
	text_clear(&text);
	OK(f, ledger_trail(f->ledger, 0, mail, count_entry, &text, &f->error));
	assert_string_equal("rendered/ready attempting/attempting accepted/accepted ",
			    text_string(&text));
	text_clear(&text);
	assert_int_equal(1,
			 OK(f, ledger_challenge(f->ledger, "2026-014", &challenge, &f->error)));
	assert_int_equal(0,
			 OK(f, ledger_challenge(f->ledger, "2026-015", &challenge, &f->error)));
}

/* The definition, written once more: an auditor must be able to compute it alone. */
static void hashes_as_documented(void **state)
{
	static const unsigned char zero[HASH_SIZE] = { 0 };
	struct chain_link link = { .seq = 1,
				   .at = 2,
				   .challenge = 3,
				   .notice = 4,
				   .mail = 5,
				   .kind = "ab",
				   .state = "c",
				   .commitment = zero };
	/* 32 zeros, 1, 2, length 2 "ab", length 1 "c", 3, 4, 5, 32 zeros */
	static const char bytes[] =
		"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\2"
		"ab\0\0\0\0\0\0\0\1"
		"c\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\5"
		"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	unsigned char got[HASH_SIZE];
	unsigned char want[HASH_SIZE];

	(void)state;
	chain_hash(zero, &link, got);
	sha256_of(bytes, sizeof bytes - 1, want);
	assert_memory_equal(want, got, HASH_SIZE);
	link.kind = "a";
	link.state = "bc";
	chain_hash(zero, &link, want);
	assert_memory_not_equal(want, got, HASH_SIZE);
}

static int failing_fill(void *context, void *bytes, size_t count)
{
	(void)context;
	(void)bytes;
	(void)count;
	return -EIO;
}

static void without_randomness_nothing_is_written(void **state)
{
	struct fixture *f = of(state);

	f->ledger->random = (struct ledger_random){ .fill = failing_fill };
	f->ledger->pool_left = 0;
	assert_int_equal(-EIO, ledger_note(f->ledger, "started", "{}", NOW, &f->error));
	assert_int_equal(0, number_of(f, "SELECT count(*) FROM chain"));
	assert_intact(f);
}

/* Or a proof would compare with what no chain says: slowly, or, worse, not at all. */
static void the_short_way_writes_what_the_long_one_does(void **state)
{
	const char *const words[] = { "plain", "",     "a b-c_d/e", "caf\xc3\xa9",
				      "a\"b",  "a\\b", "a\tb" };
	CLEANUP(text_clear) struct text text = { 0 };
	size_t written = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		struct ledger_notice notice = sample_notice(7, 3);
		json_t *facts;
		char *long_way;

		notice.reference = words[i];
		notice.started = i == 0 ? NOW : INSTANT_NEVER;
		notice.firm = i % 2 == 0;
		facts = notice_facts(&notice);
		long_way = json_dumps(facts, JSON_COMPACT);
		json_decref(facts);
		if (notice_facts_text(&notice, &text)) {
			written++;
			assert_int_equal(strlen(long_way), text.length + 1); /* the brace */
			assert_memory_equal(long_way, text_string(&text), text.length);
		}
		free(long_way);
	}
	assert_int_equal(3, written); /* of what needs escapes it keeps its hands */
}

static void the_same_randomness_makes_the_same_chain(void **state)
{
	char heads[2][65];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		void *made = NULL;
		struct fixture *f;
		unsigned seed = 1;
		struct ledger_setup setup = { .random = { counting_fill, &seed } };
		struct ledger_verification found = { 0 };

		assert_int_equal(0, set_up(&made));
		f = made;
		ledger_closep(&f->ledger);
		unlink(f->path);
		OK(f, ledger_open_with(f->folder, LEDGER_WRITE, &setup, &f->ledger, &f->error));
		live(f);
		OK(f, ledger_verify(f->ledger, &found, &f->error));
		memcpy(heads[i], found.head, sizeof heads[i]);
		tear_down(&made);
	}
	assert_string_equal(heads[0], heads[1]);
}

/* clang-format off */
#define ROW(sentence, function) \
	{ .name = (sentence), .test_func = (function), .setup_func = set_up, .teardown_func = tear_down }

static const struct CMUnitTest plain[] = {
	ROW("an edit anywhere is found", finds_edits),
	ROW("a deletion anywhere is found", finds_deletions),
	ROW("entries exchanged are found", finds_swaps),
	ROW("an end cut off is found, though the head agrees", finds_truncations),
	ROW("a row added is found", finds_additions),
	ROW("one change among thousands of entries is found", finds_one_change_among_thousands),
	ROW("an end cut off cleanly is shown by the anchor",
	    an_end_that_was_cut_off_cleanly_has_another_head),
	ROW("what is erased by the rule leaves the chain intact", erases_by_the_rule),
	ROW("what is erased without a purge is found", a_purge_that_never_was_is_no_excuse),
	ROW("what was erased is not in the file any more", erased_is_erased),
	ROW("the trail of one challenge holds its notices and mails", shows_the_trail_of_one_challenge),
	ROW("hashes are what is documented, and unambiguous", hashes_as_documented),
	ROW("without randomness nothing is written", without_randomness_nothing_is_written),
	ROW("the short way writes what the long one does", the_short_way_writes_what_the_long_one_does),
	ROW("the same randomness makes the same chain", the_same_randomness_makes_the_same_chain),
};
/* clang-format on */

int main(void)
{
	struct CMUnitTest tests[COUNT(note_cases)];
	int failed = cmocka_run_group_tests_name("ledger chain", plain, NULL, NULL);

	for (size_t i = 0; i < COUNT(note_cases); i++)
		tests[i] = (struct CMUnitTest){
			.name = note_cases[i].name,
			.test_func = notes,
			.initial_state = (void *)&note_cases[i],
		};
	failed += cmocka_run_group_tests_name("ledger_note", tests, NULL, NULL);
	return failed != 0;
}
