/* test_proof.c - what the proof finds in a real store and ledger that have been made to
 * disagree. */
#include "service/proof.h"

#include "room.h"

#include <sqlite3.h>

enum act {
	END,
	RAISE,  /* a challenge `word` is raised then */
	RECORD, /* an event of kind `word` on the last one */
	RUN,    /* passes at that time, until all is decided and proved */
	MAILED, /* the relay has taken everything that is ready */
	FORGET, /* the ledger loses its plan for the last one */
	PLAN,   /* the ledger plans to look at the last one at that time */
	ALTER,  /* `word` is run on the store, with the triggers that tell of it */
};

static const struct scene {
	const char *name;
	struct {
		enum act act;
		const char *at;
		const char *word;
	} acts[8];
	enum proof_verdict verdict;
	int64_t broken;
	struct letter_counts counts;
} scenes[] = {
/* clang-format off */
#define MON9 "2026-11-23T09:00:00Z"
#define MON10 "2026-11-23T10:00:00Z"
#define TUE9 "2026-11-24T09:00:00Z"
#define THU17 "2026-11-26T17:00:00Z"
#define NEXT "2027-03-01T09:00:00Z"
	{ "an empty store is proved", { { RUN, MON9 } }, PROOF_KEPT, 0, { 0 } },
	{ "a challenge that is watched", { { RAISE, MON9, "1" }, { RUN, MON10 } }, PROOF_KEPT, 0, { .open = 1 } },
	{ "one that is overdue is watched as well", { { RAISE, MON9, "1" }, { RUN, MON10 }, { RUN, "2026-12-07T09:00:00Z" } }, PROOF_KEPT, 0,
	  { .open = 1, .overdue = 1 } },
	{ "one that is due today", { { RAISE, MON9, "1" }, { RUN, MON10 }, { RUN, "2026-11-26T09:00:00Z" } }, PROOF_KEPT, 0,
	  { .open = 1, .due_today = 1 } },
	{ "a plan that was lost", { { RAISE, MON9, "1" }, { RUN, MON10 }, { FORGET }, { RUN, MON10 } }, PROOF_BROKEN, 1, { .open = 1 } },
	{ "a plan that comes too late", { { RAISE, MON9, "1" }, { RUN, MON10 }, { PLAN, NEXT }, { RUN, MON10 } }, PROOF_BROKEN, 1,
	  { .open = 1 } },
	{ "a plan that comes sooner is kept", { { RAISE, MON9, "1" }, { RUN, MON10 }, { PLAN, TUE9 }, { RUN, MON10 } }, PROOF_KEPT, 0,
	  { .open = 1 } },
	{ "any entry has it looked at again", { { RAISE, MON9, "1" }, { RUN, MON10 }, { FORGET }, { RUN, MON10 },
	    { RECORD, MON10, "acknowledged" }, { RUN, MON10 } }, PROOF_KEPT, 0, { .open = 1 } },
	{ "what has ended needs no plan", { { RAISE, MON9, "1" }, { RECORD, MON10, "closed" }, { RUN, MON10 }, { FORGET }, { RUN, MON10 } },
	  PROOF_KEPT, 0, { 0 } },
	{ "what waits for feedback is open", { { RAISE, MON9, "1" }, { RECORD, MON10, "resolved" }, { RUN, MON10 }, { FORGET },
	    { RUN, MON10 } }, PROOF_BROKEN, 1, { .open = 1 } },
	{ "an end that is recorded for later is a reason", { { RAISE, MON9, "1" }, { RECORD, TUE9, "closed" }, { RUN, MON10 }, { MAILED },
	    { RUN, MON10 } }, PROOF_KEPT, 0, { .open = 1 } },
	{ "a policy that is not loaded", { { RAISE, MON9, "1" }, { RUN, MON10 }, { ALTER, "", "UPDATE challenge SET policy_version = '7'" },
	    { RUN, MON10 } }, PROOF_BROKEN, 1, { 0 } },
	{ "a record that cannot be read", { { RAISE, MON9, "1" }, { RUN, MON10 },
	    { ALTER, "", "UPDATE challenge SET policy = CAST(x'ff' AS TEXT)" }, { RUN, MON10 } }, PROOF_BROKEN, 1, { 0 } },
	{ "all of two", { { RAISE, MON9, "1" }, { RAISE, MON9, "2" }, { RUN, MON10 }, { FORGET }, { RUN, MON10 } }, PROOF_BROKEN, 1,
	  { .open = 2 } },
	{ "ids at both ends of what a number holds", { { RAISE, MON9, "1" },
	    { ALTER, "", "PRAGMA ignore_check_constraints = ON; INSERT INTO challenge (id, reference, policy, policy_version, raising_agency,"
	      " receiving_agency) VALUES (-9223372036854775807 - 1, 'A', 'p', '7', 'council', 'council'),"
	      " (9223372036854775807, 'B', 'p', '7', 'council', 'council')" }, { RUN, MON10 } }, PROOF_BROKEN, 2, { .open = 1 } },
	/* clang-format on */
};

struct hands {
	struct instant now;
	int64_t boot;
};

static struct instant told_now(void *self)
{
	return ((struct hands *)self)->now;
}

static int64_t told_boot(void *self)
{
	return ((struct hands *)self)->boot;
}

static int silence(void)
{
	int kept = dup(STDERR_FILENO);
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_true(kept >= 0 && nowhere >= 0);
	assert_true(dup2(nowhere, STDERR_FILENO) >= 0);
	(void)close(nowhere);
	return kept;
}

static void speak(int kept)
{
	(void)dup2(kept, STDERR_FILENO);
	(void)close(kept);
}

static void alter(struct room *room, const char *sql)
{
	char path[200];
	char *why = NULL;
	sqlite3 *db = NULL;

	(void)snprintf(path, sizeof path, "%s/store.db", room->folder);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct proof_state run_pass(struct pass *pass)
{
	struct pass_report report;
	struct error error = { 0 };
	int r;

	do {
		int kept = silence(); /* what is logged is test_journal's */

		r = pass_run(pass, &report, &error);
		speak(kept);
		ROOM_MUST(r);
	} while (report.more || report.proving);
	assert_int_equal(report.trouble, PASS_GOOD);
	return report.proof;
}

static void plays(void **state)
{
	const struct scene *scene = *state;
	struct hands hands = { 0 };
	struct clock clock = { told_now, told_boot, &hands };
	struct proof_state found = { 0 };
	struct error error = { 0 };
	struct pass *pass;
	struct room room;
	int64_t last = 0;

	room_open(&room);
	room.world.clock = &clock;
	hands.now = room_time("2026-11-20T09:00:00Z");
	ROOM_MUST(pass_create(&room.world, &pass, &error));
	(void)run_pass(pass); /* nothing is adopted */
	for (size_t i = 0; i < COUNT(scene->acts); i++) {
		const char *when = scene->acts[i].at;
		const char *word = scene->acts[i].word;

		switch (scene->acts[i].act) {
		case END:
			break;
		case RAISE:
			last = room_raise(&room, word, when);
			break;
		case RECORD:
			room_record(&room, last, word, when);
			break;
		case RUN:
			hands.boot += room_time(when).seconds - hands.now.seconds;
			hands.now = room_time(when);
			found = run_pass(pass);
			break;
		case MAILED:
			room_accept_mails(&room, hands.now);
			break;
		case FORGET:
			ROOM_MUST(ledger_schedule(room.ledger, last, INSTANT_NEVER, &error));
			break;
		case PLAN:
			ROOM_MUST(ledger_schedule(room.ledger, last, room_time(when), &error));
			break;
		case ALTER:
			alter(&room, word);
			break;
		}
	}
	pass_destroy(pass);
	room_close(&room);
	assert_int_equal(found.verdict, scene->verdict);
	assert_int_equal(found.broken, scene->broken);
	assert_int_equal(found.counts.open, scene->counts.open);
	assert_int_equal(found.counts.overdue, scene->counts.overdue);
	assert_int_equal(found.counts.due_today, scene->counts.due_today);
}

/* ---- slices, and how long a proof holds ---------------------------------------------------
 */

enum { MANY = 2 * PROOF_SLICE + 500 };

struct trial {
	struct room room;
	struct hands hands;
	struct clock clock;
	struct proof *proof;
};

static void trial_begin(struct trial *trial, int challenges)
{
	char sql[500];
	struct error error = { 0 };

	room_open(&trial->room);
	trial->hands = (struct hands){ .now = room_time(MON10), .boot = 1000 };
	trial->clock = (struct clock){ told_now, told_boot, &trial->hands };
	trial->room.world.clock = &trial->clock;
	(void)snprintf(
		sql, sizeof sql,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
		"%d) INSERT INTO challenge (id, reference, policy, policy_version, "
		"raising_agency, receiving_agency) SELECT i, 'R-' || i, 'p', '1', "
		"'council', 'council' FROM n; INSERT INTO event (challenge, kind, at) "
		"SELECT id, 'raised', %lld FROM challenge",
		challenges, (long long)room_time(MON9).seconds);
	alter(&trial->room, sql);
	/* As though the daemon had seen and planned all of it. */
	ROOM_MUST(ledger_set_number(trial->room.ledger, "change_seq", INT64_MAX, &error));
	ROOM_MUST(ledger_begin(trial->room.ledger, &error));
	for (int64_t id = 1; id <= challenges; id++)
		ROOM_MUST(ledger_schedule(trial->room.ledger, id, room_time(THU17), &error));
	ROOM_MUST(ledger_commit(trial->room.ledger, &error));
	ROOM_MUST(proof_create(&trial->proof, &error));
}

static void trial_end(struct trial *trial)
{
	proof_destroy(trial->proof);
	room_close(&trial->room);
}

static int call(struct trial *trial)
{
	struct error error = { 0 };
	bool store_failed = false;
	int kept = silence();
	int r = proof_run(trial->proof, &trial->room.world, trial->room.store, trial->hands.now,
			  &store_failed, &error);

	speak(kept);
	if (r < 0)
		fail_msg("%s", error.text);
	assert_false(store_failed);
	return r;
}

static enum proof_verdict verdict(struct trial *trial)
{
	return proof_state(trial->proof, &trial->clock).verdict;
}

static void a_round_is_taken_in_slices(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, MANY);
	assert_int_equal(verdict(&trial), PROOF_UNKNOWN);
	assert_int_equal(call(&trial), 1);
	assert_int_equal(call(&trial), 1);
	assert_int_equal(verdict(&trial), PROOF_UNKNOWN);
	assert_int_equal(call(&trial), 0);
	assert_int_equal(verdict(&trial), PROOF_KEPT);
	assert_int_equal(proof_state(trial.proof, &trial.clock).counts.open, MANY);
	trial_end(&trial);
}

/* However a round is cut, what is forgotten in any slice is found. */
static void every_slice_counts(void **state)
{
	static const int64_t places[] = { 1, PROOF_SLICE, PROOF_SLICE + 1, MANY };
	struct error error = { 0 };
	struct trial trial;

	(void)state;
	trial_begin(&trial, MANY);
	for (size_t i = 0; i < COUNT(places); i++)
		ROOM_MUST(ledger_schedule(trial.room.ledger, places[i], INSTANT_NEVER, &error));
	while (call(&trial) == 1)
		;
	assert_int_equal(verdict(&trial), PROOF_BROKEN);
	assert_int_equal(proof_state(trial.proof, &trial.clock).broken, COUNT(places));
	trial_end(&trial);
}

/* The ledger is spoilt, so that a call that looks finds it. */
static void what_is_proved_stays_so_until_it_is_doubted(void **state)
{
	struct error error = { 0 };
	struct trial trial;

	(void)state;
	trial_begin(&trial, 10);
	assert_int_equal(call(&trial), 0);
	ROOM_MUST(ledger_schedule(trial.room.ledger, 3, INSTANT_NEVER, &error));
	trial.hands.boot += PROOF_AGAIN_SECONDS - 1;
	assert_int_equal(call(&trial), 0);
	assert_int_equal(verdict(&trial), PROOF_KEPT);
	proof_doubt(trial.proof);
	assert_int_equal(verdict(&trial), PROOF_UNKNOWN); /* doubted, and old */
	assert_int_equal(call(&trial), 0);
	assert_int_equal(verdict(&trial), PROOF_BROKEN);
	trial_end(&trial);
}

static void once_an_hour_it_looks_anyway(void **state)
{
	struct error error = { 0 };
	struct trial trial;

	(void)state;
	trial_begin(&trial, 10);
	assert_int_equal(call(&trial), 0);
	ROOM_MUST(ledger_schedule(trial.room.ledger, 3, INSTANT_NEVER, &error));
	trial.hands.boot += PROOF_AGAIN_SECONDS;
	assert_int_equal(call(&trial), 0);
	assert_int_equal(verdict(&trial), PROOF_BROKEN);
	trial_end(&trial);
}

static void it_rests_in_proportion(void **state)
{
	struct error error = { 0 };
	struct trial trial;

	(void)state;
	trial_begin(&trial, PROOF_A_SECOND);
	while (call(&trial) == 1)
		;
	ROOM_MUST(ledger_schedule(trial.room.ledger, 1, INSTANT_NEVER, &error));
	proof_doubt(trial.proof);
	assert_int_equal(call(&trial), 0);
	assert_int_equal(verdict(&trial), PROOF_KEPT);
	trial.hands.boot += 1;
	while (call(&trial) == 1)
		;
	assert_int_equal(verdict(&trial), PROOF_BROKEN);
	trial_end(&trial);
}

static void what_was_not_decided_yet_is_not_judged(void **state)
{
	struct error error = { 0 };
	struct trial trial;

	(void)state;
	trial_begin(&trial, 3);
	ROOM_MUST(ledger_set_number(trial.room.ledger, "change_seq", 0, &error));
	ROOM_MUST(ledger_schedule(trial.room.ledger, 2, INSTANT_NEVER, &error));
	assert_int_equal(call(&trial), 0);
	assert_int_equal(verdict(&trial), PROOF_KEPT);
	trial_end(&trial);
}

static void another_configuration_proves_nothing(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, 3);
	assert_int_equal(call(&trial), 0);
	proof_forget(trial.proof);
	assert_int_equal(verdict(&trial), PROOF_UNKNOWN);
	trial_end(&trial);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_round_is_taken_in_slices),
		cmocka_unit_test(every_slice_counts),
		cmocka_unit_test(what_is_proved_stays_so_until_it_is_doubted),
		cmocka_unit_test(once_an_hour_it_looks_anyway),
		cmocka_unit_test(it_rests_in_proportion),
		cmocka_unit_test(what_was_not_decided_yet_is_not_judged),
		cmocka_unit_test(another_configuration_proves_nothing),
	};
	struct CMUnitTest tests[COUNT(scenes)];
	int failed;

	for (size_t i = 0; i < COUNT(scenes); i++)
		tests[i] = (struct CMUnitTest){ .name = scenes[i].name,
						.test_func = plays,
						.initial_state = (void *)&scenes[i] };
	failed = cmocka_run_group_tests_name("proof", tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("rounds", others, NULL, NULL);
	return failed;
}
