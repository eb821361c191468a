/* test_ledger.c - decisions once, states in their order, and nothing half done. */
#include "ledger_fixture.h"

#include "adapter/ledger_care.h"

#include <nettle/hmac.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static struct fixture *of(void **state)
{
	return *state;
}

/* --- opening -------------------------------------------------------------------------------
 */

static void is_private(void **state)
{
	struct stat status;

	assert_int_equal(0, stat(of(state)->path, &status));
	assert_int_equal(0600, status.st_mode & 07777);
}

static void keeps_its_settings(void **state)
{
	struct fixture *f = of(state);

	assert_int_equal(2, number_of(f, "PRAGMA synchronous"));
	assert_int_equal(1, number_of(f, "SELECT journal_mode = 'persist' FROM"
					 " pragma_journal_mode"));
	assert_int_equal(0x43484E4C, number_of(f, "PRAGMA application_id"));
	assert_int_equal(1, number_of(f, "PRAGMA user_version"));
	assert_int_equal(0, number_of(f, "SELECT count(*) FROM pragma_table_list WHERE schema ="
					 " 'main' AND strict = 0 AND name NOT LIKE 'sqlite%'"));
	assert_intact(f);
}

static void opens_again(void **state)
{
	struct fixture *f = of(state);
	struct text first = { 0 };
	struct text second = { 0 };
	int64_t notice = decide_one(f, 1, 1);

	OK(f, ledger_message_id(f->ledger, &notice, 1, 5, "p.example", &first, &f->error));
	ledger_closep(&f->ledger);
	OK(f, fixture_open(f));
	OK(f, ledger_message_id(f->ledger, &notice, 1, 5, "p.example", &second, &f->error));
	assert_string_equal(text_string(&first), text_string(&second));
	text_clear(&first);
	text_clear(&second);
	assert_intact(f);
}

static int spoil(struct fixture *f, const char *sql)
{
	OK(f, database_run(f->ledger->db, sql, &f->error));
	ledger_closep(&f->ledger);
	return fixture_open(f);
}

static void refuses_a_newer_file(void **state)
{
	struct fixture *f = of(state);

	assert_int_equal(-EPROTO, spoil(f, "PRAGMA user_version = 2"));
	assert_non_null(strstr(f->error.text, "newer"));
}

static void refuses_another_database(void **state)
{
	struct fixture *f = of(state);

	assert_int_equal(-EINVAL, spoil(f, "PRAGMA application_id = 1"));
	assert_non_null(strstr(f->error.text, "not a ledger"));
}

static void refuses_what_is_no_database(void **state)
{
	struct fixture *f = of(state);
	int fd;

	ledger_closep(&f->ledger);
	fd = open(f->path, O_WRONLY | O_TRUNC);
	assert_int_equal(24, write(fd, "this is a shopping list\n", 24));
	close(fd);
	assert_int_equal(-EINVAL, fixture_open(f));
	assert_null(f->ledger);
}

static void makes_a_ledger_of_an_empty_file(void **state)
{
	struct fixture *f = of(state);

	ledger_closep(&f->ledger);
	assert_int_equal(0, truncate(f->path, 0)); /* its creator was killed */
	OK(f, fixture_open(f));
	assert_intact(f);
}

static void reading_creates_nothing(void **state)
{
	static const enum ledger_access accesses[] = { LEDGER_READ, LEDGER_PERSON };
	struct fixture *f = of(state);

	ledger_closep(&f->ledger);
	unlink(f->path);
	for (size_t i = 0; i < COUNT(accesses); i++) {
		assert_int_equal(-ENOENT,
				 ledger_open(f->folder, accesses[i], &f->ledger, &f->error));
		assert_int_equal(-1, access(f->path, F_OK));
	}
}

static void reading_changes_nothing(void **state)
{
	struct fixture *f = of(state);

	ledger_closep(&f->ledger);
	OK(f, ledger_open(f->folder, LEDGER_READ, &f->ledger, &f->error));
	assert_true(ledger_set(f->ledger, "a", "b", &f->error) < 0);
	assert_true(ledger_note(f->ledger, "started", "{}", NOW, &f->error) < 0);
	assert_intact(f);
}

static void admits_one_daemon(void **state)
{
	struct fixture *f = of(state);
	int first = -1;
	int second = -1;

	OK(f, ledger_lock(f->folder, &first, &f->error));
	assert_int_equal(-EWOULDBLOCK, ledger_lock(f->folder, &second, &f->error));
	assert_int_equal(-1, second);
	close(first);
	OK(f, ledger_lock(f->folder, &second, &f->error));
	close(second);
}

/* What a daemon killed between fork and exec leaves for a moment. */
static void waits_for_what_a_killed_daemon_leaves(void **state)
{
	static const struct timespec moment = { .tv_nsec = 100000000L };
	struct fixture *f = of(state);
	int mine = -1;
	pid_t child;

	OK(f, ledger_lock(f->folder, &mine, &f->error));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)nanosleep(&moment, NULL);
		_exit(0);
	}
	close(mine);
	OK(f, ledger_lock(f->folder, &mine, &f->error));
	close(mine);
	assert_int_equal(child, waitpid(child, NULL, 0));
}

/* challengectl beside the daemon: it waits its turn and the heads do not part. */
static void bears_a_second_writer(void **state)
{
	struct fixture *f = of(state);
	struct ledger *person = NULL;
	int64_t mail = ready_mail(f, 1);

	OK(f, ledger_open(f->folder, LEDGER_PERSON, &person, &f->error));
	OK(f, ledger_decide_mail(person, mail, DELIVERY_HELD, "A. Person", "asked by phone",
				 LATER(90), &f->error));
	assert_int_equal(0, claim_at(f, LATER(100)));
	OK(f, ledger_decide_mail(person, mail, DELIVERY_READY, "A. Person", "sorted out",
				 LATER(110), &f->error));
	OK(f, ledger_schedule(f->ledger, 1, INSTANT_NEVER, &f->error)); /* looked at */
	assert_int_equal(mail, claim_at(f, LATER(120)));
	ledger_close(person);
	assert_intact(f);
}

static void a_second_writer_is_told_to_wait(void **state)
{
	struct fixture *f = of(state);
	struct ledger *person = NULL;

	OK(f, ledger_open(f->folder, LEDGER_PERSON, &person, &f->error));
	sqlite3_busy_timeout(person->db, 1);
	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(-EBUSY, ledger_begin(person, &f->error));
	ledger_rollback(f->ledger);
	OK(f, ledger_begin(person, &f->error));
	ledger_rollback(person);
	ledger_close(person);
}

/* --- holding ---- */

static void while_held_others_read_and_none_commits(void **state)
{
	struct fixture *f = of(state);
	struct ledger *person = NULL;
	struct instant latest;

	OK(f, ledger_open(f->folder, LEDGER_PERSON, &person, &f->error));
	sqlite3_busy_timeout(person->db, 1);
	ledger_hold(f->ledger);
	OK(f, ledger_latest(person, &latest, &f->error));
	assert_int_equal(-EBUSY, ledger_set_number(person, "n", 1, &f->error));
	OK(f, ledger_set_number(f->ledger, "n", 2, &f->error)); /* the holder may */
	assert_int_equal(-EBUSY, ledger_set_number(person, "n", 1, &f->error));
	ledger_let_go(f->ledger);
	OK(f, ledger_set_number(person, "n", 3, &f->error));
	ledger_close(person);
}

/* The other holds the write lock and would wait for ours, as we for its. */
static void the_holder_gives_way_to_a_writer(void **state)
{
	struct fixture *f = of(state);
	struct ledger *person = NULL;

	OK(f, ledger_open(f->folder, LEDGER_PERSON, &person, &f->error));
	sqlite3_busy_timeout(f->ledger->db, 1);
	ledger_hold(f->ledger);
	OK(f, ledger_begin(person, &f->error));
	OK(f, ledger_set_number(person, "n", 1, &f->error));
	assert_int_equal(-EBUSY, ledger_begin(f->ledger, &f->error));
	OK(f, ledger_commit(person, &f->error));
	OK(f, ledger_set_number(f->ledger, "n", 2, &f->error));
	ledger_close(person);
}

static bool quiet_at(struct fixture *f, struct instant now)
{
	bool quiet;

	ledger_hold(f->ledger);
	quiet = ledger_is_quiet(f->ledger, now);
	ledger_let_go(f->ledger);
	return quiet;
}

static void is_quiet_until_somebody_commits_or_the_time_comes(void **state)
{
	struct fixture *f = of(state);
	struct ledger *person = NULL;
	struct instant wake;

	OK(f, ledger_schedule(f->ledger, 7, LATER(100), &f->error));
	assert_false(quiet_at(f, NOW)); /* it has not looked yet */
	assert_true(quiet_at(f, NOW));
	assert_true(quiet_at(f, LATER(99)));
	assert_false(quiet_at(f, LATER(100)));
	OK(f, ledger_open(f->folder, LEDGER_PERSON, &person, &f->error));
	OK(f, ledger_schedule(person, 7, LATER(50), &f->error));
	assert_false(quiet_at(f, NOW));
	assert_true(quiet_at(f, NOW));
	ledger_hold(f->ledger);
	OK(f, ledger_next_wake(f->ledger, &wake, &f->error));
	assert_int_equal(LATER(50).seconds, wake.seconds);
	OK(f, ledger_schedule(f->ledger, 7, LATER(20), &f->error)); /* its own, too */
	assert_false(ledger_is_quiet(f->ledger, NOW));
	OK(f, ledger_next_wake(f->ledger, &wake, &f->error));
	assert_int_equal(LATER(20).seconds, wake.seconds);
	ledger_let_go(f->ledger);
	assert_false(quiet_at(f, NOW));
	assert_true(quiet_at(f, LATER(19)));
	assert_false(quiet_at(f, LATER(20)));
	ledger_close(person);
}

/* What the mail says may be over by then, whatever any clock shows. */
static void looks_at_the_facts_before_what_a_person_lets_go(void **state)
{
	const struct instant clocks[] = { NOW, { 1 }, LATER(99999) };
	struct fixture *f = of(state);

	for (size_t i = 0; i < COUNT(clocks); i++) {
		int32_t which = (int32_t)i + 1;
		int64_t notices[] = { decide_one(f, 1, which), decide_one(f, 2, which) };
		int64_t mail = store_one(f, notices, 2, 5);
		int64_t due[4] = { 0 };
		size_t count = 0;
		struct instant wake;

		for (int64_t challenge = 1; challenge < 3; challenge++)
			OK(f, ledger_schedule(f->ledger, challenge, LATER(500), &f->error));
		OK(f, ledger_decide_mail(f->ledger, mail, DELIVERY_HELD, "A. Person", "asking",
					 NOW, &f->error));
		OK(f, ledger_decide_mail(f->ledger, mail, DELIVERY_READY, "A. Person", "asked",
					 clocks[i], &f->error));
		assert_int_equal(0, claim_at(f, LATER(20)));
		OK(f, ledger_next_wake(f->ledger, &wake, &f->error));
		assert_true(instant_is_never(wake)); /* it waits for no time */
		assert_false(quiet_at(f, LATER(20)));
		assert_false(quiet_at(f, LATER(20)));
		OK(f, ledger_scheduled(f->ledger, LATER(20), 4, due, &count, &f->error));
		assert_int_equal(2, count);
		OK(f, ledger_plans(f->ledger, due, 1, &wake, &f->error));
		assert_int_equal(clocks[i].seconds, wake.seconds);
		OK(f, ledger_schedule(f->ledger, 1, LATER(500), &f->error));
		assert_int_equal(0, claim_at(f, LATER(20))); /* the other half of the digest */
		OK(f, ledger_schedule(f->ledger, 2, INSTANT_NEVER, &f->error));
		assert_int_equal(mail, claim_at(f, LATER(20)));
		OK(f, ledger_schedule(f->ledger, 1, INSTANT_NEVER, &f->error));
	}
	assert_intact(f);
}

/* It holds up no other. */
static void what_a_person_let_go_lets_others_pass(void **state)
{
	struct fixture *f = of(state);
	int64_t first = ready_mail(f, 1);
	int64_t notice = decide_one(f, 2, 1);
	int64_t second = store_one(f, &notice, 1, 5);
	int64_t third = store_one(f, NULL, 0, 5); /* about no challenge: nothing is over */

	for (int64_t mail = first; mail <= third; mail += third - first) {
		OK(f, ledger_decide_mail(f->ledger, mail, DELIVERY_HELD, "A. Person", "asking",
					 NOW, &f->error));
		OK(f, ledger_decide_mail(f->ledger, mail, DELIVERY_READY, "A. Person", "asked",
					 NOW, &f->error));
	}
	assert_int_equal(second, claim_at(f, NOW));
	assert_int_equal(third, claim_at(f, NOW));
	assert_int_equal(0, claim_at(f, NOW));
	OK(f, ledger_schedule(f->ledger, 1, INSTANT_NEVER, &f->error));
	assert_int_equal(first, claim_at(f, NOW));
	assert_intact(f);
}

/* --- values and schedule -------------------------------------------------------------------
 */

static void remembers_values(void **state)
{
	struct fixture *f = of(state);
	struct text text = { 0 };
	int64_t number = 3;
	bool is_new = false;

	assert_int_equal(0, OK(f, ledger_get(f->ledger, "who", &text, &f->error)));
	OK(f, ledger_set(f->ledger, "who", "first", &f->error));
	OK(f, ledger_set(f->ledger, "who", "sec\nond", &f->error));
	assert_int_equal(1, OK(f, ledger_get(f->ledger, "who", &text, &f->error)));
	assert_string_equal("sec\nond", text_string(&text));
	text_clear(&text);
	assert_int_equal(0, OK(f, ledger_get_number(f->ledger, "n", &number, &f->error)));
	assert_int_equal(3, number);
	OK(f, ledger_set_number(f->ledger, "n", INT64_MIN, &f->error));
	assert_int_equal(1, OK(f, ledger_get_number(f->ledger, "n", &number, &f->error)));
	assert_true(number == INT64_MIN);
	OK(f, ledger_is_new(f->ledger, &is_new, &f->error));
	assert_true(is_new);
	OK(f, ledger_set_number(f->ledger, "first_cycle", NOW.seconds, &f->error));
	OK(f, ledger_is_new(f->ledger, &is_new, &f->error));
	assert_false(is_new);
	assert_int_equal(-EINVAL, ledger_set(f->ledger, "secret", "known", &f->error));
}

static void schedules(void **state)
{
	struct fixture *f = of(state);
	int64_t due[4] = { 0 };
	size_t count = 9;
	struct instant wake = NOW;

	OK(f, ledger_next_wake(f->ledger, &wake, &f->error));
	assert_true(instant_is_never(wake));
	OK(f, ledger_schedule(f->ledger, 3, LATER(30), &f->error));
	OK(f, ledger_schedule(f->ledger, 1, LATER(10), &f->error));
	OK(f, ledger_schedule(f->ledger, 2, LATER(20), &f->error));
	OK(f, ledger_schedule(f->ledger, 3, LATER(5), &f->error));
	OK(f, ledger_next_wake(f->ledger, &wake, &f->error));
	assert_int_equal(LATER(5).seconds, wake.seconds);
	OK(f, ledger_scheduled(f->ledger, LATER(10), 4, due, &count, &f->error));
	assert_int_equal(2, count);
	assert_int_equal(3, due[0]);
	assert_int_equal(1, due[1]);
	OK(f, ledger_schedule(f->ledger, 3, INSTANT_NEVER, &f->error));
	OK(f, ledger_scheduled(f->ledger, LATER(99), 1, due, &count, &f->error));
	assert_int_equal(1, count);
	assert_int_equal(1, due[0]);
}

static void an_unchanged_schedule_writes_nothing(void **state)
{
	struct fixture *f = of(state);
	int64_t before;

	OK(f, ledger_schedule(f->ledger, 3, LATER(30), &f->error));
	before = sqlite3_total_changes64(f->ledger->db);
	OK(f, ledger_schedule(f->ledger, 3, LATER(30), &f->error));
	OK(f, ledger_schedule(f->ledger, 4, INSTANT_NEVER, &f->error));
	assert_int_equal(before, sqlite3_total_changes64(f->ledger->db));
}

static void remembers_the_latest_instant_of_the_daemon(void **state)
{
	struct fixture *f = of(state);
	struct ledger *person = NULL;
	struct instant latest = NOW;

	OK(f, ledger_latest(f->ledger, &latest, &f->error));
	assert_true(latest.seconds == INT64_MIN);
	OK(f, ledger_note(f->ledger, "started", "{}", LATER(50), &f->error));
	OK(f, ledger_note(f->ledger, "started", "{}", LATER(40), &f->error));
	OK(f, ledger_open(f->folder, LEDGER_PERSON, &person, &f->error));
	OK(f, ledger_note(person, "told", "{}", LATER(9000000), &f->error));
	ledger_close(person);
	OK(f, ledger_latest(f->ledger, &latest, &f->error));
	assert_int_equal(LATER(50).seconds, latest.seconds);
}

/* --- decisions -----------------------------------------------------------------------------
 */

enum key_part { SAME, CHALLENGE, EVENT, STAGE, OBLIGATION, KIND, STEP, OCCURRENCE, ROLE, AT };

static const struct key_case {
	const char *name;
	enum key_part part;
	bool is_new;
} key_cases[] = {
	{ "the same key is decided once", SAME, false },
	{ "another challenge is another notice", CHALLENGE, true },
	{ "another starting event is another notice", EVENT, true },
	{ "another stage is another notice", STAGE, true },
	{ "another obligation is another notice", OBLIGATION, true },
	{ "another kind is another notice", KIND, true },
	{ "another step is another notice", STEP, true },
	{ "another occurrence is another notice", OCCURRENCE, true },
	{ "another role is another notice", ROLE, true },
	{ "another time under an edited policy is the same notice", AT, false },
};

static void decides_once(void **state)
{
	const struct key_case *row = *state;
	void *made = NULL;
	struct fixture *f;
	struct ledger_notice notice = sample_notice(1, 1);
	int64_t first;
	int64_t id = 0;

	assert_int_equal(0, set_up(&made));
	f = made;
	first = decide_one(f, 1, 1);
	switch (row->part) {
	case SAME:
		break;
	case CHALLENGE:
		notice.challenge++;
		break;
	case EVENT:
		notice.event++;
		break;
	case STAGE:
		notice.stage = "";
		break;
	case OBLIGATION:
		notice.obligation = "meeting";
		break;
	case KIND:
		notice.kind = NOTICE_BREACH;
		break;
	case STEP:
		notice.step = "75%";
		break;
	case OCCURRENCE:
		notice.occurrence++;
		break;
	case ROLE:
		notice.role = "raising.practitioner";
		break;
	case AT:
		notice.at = notice.send_at = LATER(86400);
		break;
	}
	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(row->is_new,
			 OK(f, ledger_decide(f->ledger, &notice, NOW, &id, &f->error)));
	OK(f, ledger_commit(f->ledger, &f->error));
	assert_int_equal(!row->is_new, id == first);
	assert_intact(f);
	tear_down(&made);
}

static void lists_what_waits(void **state)
{
	struct fixture *f = of(state);
	struct ledger_notice *list = NULL;
	struct ledger_notice deferred = sample_notice(1, 2);
	struct ledger_notice silent = sample_notice(1, 3);
	struct instant wake = NOW;
	size_t count = 0;
	int64_t id;

	deferred.send_at = LATER(600);
	silent.state = DELIVERY_CANCELLED;
	silent.reason = "adopted";
	(void)decide_one(f, 1, 1);
	OK(f, ledger_begin(f->ledger, &f->error));
	OK(f, ledger_decide(f->ledger, &deferred, NOW, &id, &f->error));
	OK(f, ledger_decide(f->ledger, &silent, NOW, &id, &f->error));
	OK(f, ledger_commit(f->ledger, &f->error));
	OK(f, ledger_decided(f->ledger, LATER(599), 9, &list, &count, &f->error));
	assert_int_equal(1, count);
	assert_string_equal("receiving.manager", list[0].role);
	assert_string_equal("50%", list[0].step);
	assert_true(instant_is_never(list[0].due));
	ledger_notices_free(list, count);
	OK(f, ledger_decided(f->ledger, LATER(600), 9, &list, &count, &f->error));
	assert_int_equal(2, count);
	assert_int_equal(2, list[1].occurrence);
	ledger_notices_free(list, count);
	OK(f, ledger_history(f->ledger, 1, &list, &count, &f->error));
	assert_int_equal(3, count);
	assert_int_equal(DELIVERY_CANCELLED, list[2].state);
	assert_string_equal("adopted", list[2].reason);
	ledger_notices_free(list, count);
	OK(f, ledger_next_wake(f->ledger, &wake, &f->error));
	assert_int_equal(NOW.seconds, wake.seconds);
}

/* Whether each challenge has the notices that `expected` counts, asked for in steps. */
static void assert_histories(struct fixture *f, const int *expected, int from, int to, int by)
{
	for (int challenge = from; by > 0 ? challenge < to : challenge > to; challenge += by) {
		struct ledger_notice *list = NULL;
		size_t count = 0;

		OK(f, ledger_history(f->ledger, challenge, &list, &count, &f->error));
		assert_int_equal(expected[challenge], count);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(challenge, list[i].challenge);
			assert_true(i == 0 || list[i - 1].id < list[i].id);
		}
		ledger_notices_free(list, count);
	}
}

/* One statement walks on while nothing is written; what is written meanwhile is seen. */
static void histories_follow_one_another(void **state)
{
	enum { CHALLENGES = 60 };
	struct fixture *f = of(state);
	int expected[CHALLENGES + 1] = { 0 };
	int64_t id;

	/* The later event first, so that the order of the key is not that of the ids. */
	for (int event = 3; event > 0; event--)
		for (int challenge = 1; challenge <= CHALLENGES; challenge++)
			if (challenge % 4 >= event && challenge % 20 < 14) {
				(void)decide_one(f, challenge, event);
				expected[challenge]++;
			}
	for (int inside = 0; inside < 2; inside++) {
		if (inside == 1)
			OK(f, ledger_begin(f->ledger, &f->error));
		for (int by = 1; by < 12; by++)
			assert_histories(f, expected, 1, CHALLENGES, by);
		assert_histories(f, expected, CHALLENGES, 0, -1);
	}
	assert_histories(f, expected, 1, 6, 1);
	for (int challenge = 6; challenge <= CHALLENGES; challenge++) {
		struct ledger_notice notice = sample_notice(challenge, 9);

		OK(f, ledger_decide(f->ledger, &notice, NOW, &id, &f->error));
		expected[challenge]++;
		assert_histories(f, expected, challenge, challenge + 1, 1);
		if (challenge % 3 == 0 && challenge < CHALLENGES) {
			notice = sample_notice(challenge + 1, 8);
			OK(f, ledger_decide(f->ledger, &notice, NOW, &id, &f->error));
			expected[challenge + 1]++;
		}
	}
	assert_histories(f, expected, 1, 9, 1);
	OK(f, ledger_commit(f->ledger, &f->error));
	assert_histories(f, expected, 9, CHALLENGES, 1);
}

static void a_walk_holds_no_lock_afterwards(void **state)
{
	struct fixture *f = of(state);
	int expected[6] = { 0, 1, 1, 1, 1, 1 };
	struct ledger *person = NULL;

	for (int challenge = 1; challenge < 6; challenge++)
		(void)decide_one(f, challenge, 1);
	OK(f, ledger_open(f->folder, LEDGER_PERSON, &person, &f->error));
	sqlite3_busy_timeout(person->db, 1);
	for (int i = 0; i < 2; i++) {
		OK(f, ledger_begin(f->ledger, &f->error));
		assert_histories(f, expected, 1, 4, 1);
		OK(f, ledger_schedule(f->ledger, 1, NOW, &f->error));
		OK(f, ledger_schedule(f->ledger, 2, NOW, &f->error));
		if (i == 0)
			OK(f, ledger_commit(f->ledger, &f->error));
		else
			ledger_rollback(f->ledger);
		OK(f, ledger_set(person, "a", i == 0 ? "b" : "c", &f->error));
		assert_histories(f, expected, 4, 6, 1);
	}
	ledger_close(person);
}

static void a_decision_needs_a_transaction(void **state)
{
	struct fixture *f = of(state);
	struct ledger_notice notice = sample_notice(1, 1);
	struct ledger_mail mail = { 0 };
	const struct ledger_outcome outcome = { .state = DELIVERY_ACCEPTED };
	int64_t id;

	assert_int_equal(-EINVAL, ledger_decide(f->ledger, &notice, NOW, &id, &f->error));
	assert_int_equal(-EINVAL, ledger_claim(f->ledger, NOW, &mail, &f->error));
	assert_int_equal(-EINVAL, ledger_record(f->ledger, 1, &outcome, NOW, &f->error));
	assert_int_equal(-EINVAL, ledger_cancel_notice(f->ledger, 1, "", NOW, &f->error));
	assert_int_equal(-EINVAL, ledger_commit(f->ledger, &f->error));
	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(-EINVAL, ledger_begin(f->ledger, &f->error));
	notice.state = DELIVERY_READY;
	assert_int_equal(-EINVAL, ledger_decide(f->ledger, &notice, NOW, &id, &f->error));
	ledger_rollback(f->ledger);
	ledger_rollback(f->ledger);
}

static void holds_and_releases_notices(void **state)
{
	struct fixture *f = of(state);
	struct ledger_notice notice = sample_notice(1, 1);
	struct ledger_notice *list = NULL;
	int64_t counts[DELIVERY_STATE_COUNT];
	size_t count = 0;
	int64_t id;

	notice.state = DELIVERY_HELD;
	notice.reason = "a new configuration makes it due";
	OK(f, ledger_begin(f->ledger, &f->error));
	OK(f, ledger_decide(f->ledger, &notice, NOW, &id, &f->error));
	notice.challenge = 2;
	OK(f, ledger_decide(f->ledger, &notice, NOW, &id, &f->error));
	OK(f, ledger_commit(f->ledger, &f->error));
	OK(f, ledger_pending(f->ledger, 2, &list, &count, &f->error));
	assert_int_equal(1, count);
	ledger_notices_free(list, count);
	OK(f, ledger_release_notices(f->ledger, 2, "A. Person", "approved", LATER(1), &count,
				     &f->error));
	assert_int_equal(1, count);
	OK(f, ledger_count(f->ledger, counts, &f->error));
	assert_int_equal(1, counts[DELIVERY_HELD]);
	assert_int_equal(1, counts[DELIVERY_DECIDED]);
	OK(f, ledger_release_notices(f->ledger, 0, "A. Person", "approved", LATER(1), &count,
				     &f->error));
	assert_int_equal(1, count);
	assert_intact(f);
}

/* --- mails ---------------------------------------------------------------------------------
 */

static void claims_in_order(void **state)
{
	struct fixture *f = of(state);
	int64_t retried = ready_mail(f, 1);
	int64_t doubted = ready_mail(f, 2);
	int64_t fresh;

	assert_int_equal(retried, claim_at(f, NOW));
	assert_int_equal(doubted, claim_at(f, NOW));
	assert_int_equal(0, claim_at(f, NOW));
	assert_int_equal(0, record_at(f, retried, DELIVERY_RETRY, LATER(700), NOW));
	assert_int_equal(0, record_at(f, doubted, DELIVERY_IN_DOUBT, INSTANT_NEVER, NOW));
	fresh = ready_mail(f, 3);
	assert_int_equal(fresh, claim_at(f, LATER(9000)));
	assert_int_equal(0, claim_at(f, LATER(599)));
	assert_int_equal(doubted, claim_at(f, LATER(9000)));
	assert_int_equal(retried, claim_at(f, LATER(9000)));
	assert_intact(f);
}

static void a_claim_counts_and_copies(void **state)
{
	struct fixture *f = of(state);
	struct ledger_mail mail = { 0 };
	int64_t id = ready_mail(f, 1);

	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(1, OK(f, ledger_claim(f->ledger, NOW, &mail, &f->error)));
	OK(f, ledger_commit(f->ledger, &f->error));
	assert_int_equal(id, mail.id);
	assert_int_equal(1, mail.attempts);
	assert_int_equal(DELIVERY_ATTEMPTING, mail.state);
	assert_string_equal("manager@agency.example", mail.recipient);
	assert_string_equal("2026-014", mail.references);
	assert_string_equal("reminder", mail.kinds);
	assert_int_equal(strlen(mail.bytes), mail.length);
	ledger_mail_clear(&mail);
	OK(f, ledger_begin(f->ledger, &f->error));
	OK(f,
	   ledger_record(f->ledger, id,
			 &(struct ledger_outcome){
				 .state = DELIVERY_READY, .refund = true, .reply = "no route" },
			 LATER(1), &f->error));
	OK(f, ledger_commit(f->ledger, &f->error));
	OK(f, ledger_mail(f->ledger, id, &mail, &f->error));
	assert_int_equal(0, mail.attempts);
	assert_string_equal("no route", mail.reply);
	assert_string_equal("2026-014", mail.references);
	assert_string_equal("reminder", mail.kinds);
	ledger_mail_clear(&mail);
	assert_intact(f);
}

static void outcome_and_claim_share_a_commit(void **state)
{
	struct fixture *f = of(state);
	struct ledger_mail mail = { 0 };
	int64_t first = ready_mail(f, 1);
	int64_t second = ready_mail(f, 2);

	assert_int_equal(first, claim_at(f, NOW));
	OK(f, ledger_begin(f->ledger, &f->error));
	OK(f, ledger_record(f->ledger, first,
			    &(struct ledger_outcome){ .state = DELIVERY_ACCEPTED }, NOW,
			    &f->error));
	assert_int_equal(1, OK(f, ledger_claim(f->ledger, NOW, &mail, &f->error)));
	ledger_rollback(f->ledger);
	assert_int_equal(second, mail.id);
	ledger_mail_clear(&mail);
	assert_int_equal(DELIVERY_ATTEMPTING, mail_state(f, first));
	assert_int_equal(DELIVERY_READY, mail_state(f, second));
	assert_intact(f);
}

static void the_second_doubt_is_held(void **state)
{
	struct fixture *f = of(state);
	int64_t mail = ready_mail(f, 1);

	assert_int_equal(mail, claim_at(f, NOW));
	assert_int_equal(0, record_at(f, mail, DELIVERY_IN_DOUBT, INSTANT_NEVER, NOW));
	assert_int_equal(DELIVERY_IN_DOUBT, mail_state(f, mail));
	assert_int_equal(mail, claim_at(f, LATER(LEDGER_DOUBT_SECONDS)));
	assert_int_equal(0, record_at(f, mail, DELIVERY_IN_DOUBT, INSTANT_NEVER, LATER(700)));
	assert_int_equal(DELIVERY_HELD, mail_state(f, mail));
	assert_int_equal(0, claim_at(f, LATER(99999)));
	assert_intact(f);
}

static void recovers_as_in_doubt_once(void **state)
{
	struct fixture *f = of(state);
	struct ledger_mail mail = { 0 };
	int64_t id = ready_mail(f, 1);
	size_t count = 9;

	assert_int_equal(id, claim_at(f, NOW));
	OK(f, ledger_recover(f->ledger, LATER(5), &count, &f->error));
	assert_int_equal(1, count);
	OK(f, ledger_mail(f->ledger, id, &mail, &f->error));
	assert_int_equal(DELIVERY_IN_DOUBT, mail.state);
	assert_int_equal(1, mail.doubts);
	assert_int_equal(LATER(605).seconds, mail.next_attempt.seconds);
	ledger_mail_clear(&mail);
	assert_int_equal(id, claim_at(f, LATER(605)));
	OK(f, ledger_recover(f->ledger, LATER(606), &count, &f->error));
	assert_int_equal(DELIVERY_HELD, mail_state(f, id));
	OK(f, ledger_recover(f->ledger, LATER(607), &count, &f->error));
	assert_int_equal(0, count);
	assert_intact(f);
}

static void never_sends_other_bytes(void **state)
{
	struct fixture *f = of(state);
	int64_t damaged = ready_mail(f, 1);
	int64_t lost = ready_mail(f, 2);
	int64_t sound = ready_mail(f, 3);

	OK(f, database_run(f->ledger->db, "UPDATE body SET bytes = x'00' WHERE mail = 1",
			   &f->error));
	OK(f, database_run(f->ledger->db, "DELETE FROM body WHERE mail = 2", &f->error));
	assert_int_equal(sound, claim_at(f, NOW));
	assert_int_equal(DELIVERY_HELD, mail_state(f, damaged));
	assert_int_equal(DELIVERY_HELD, mail_state(f, lost));
}

static void never_sends_what_it_cannot_compare(void **state)
{
	struct fixture *f = of(state);
	struct ledger_mail mail = { 0 };

	(void)ready_mail(f, 1);
	OK(f, database_run(f->ledger->db, "PRAGMA ignore_check_constraints = 1", &f->error));
	OK(f, database_run(f->ledger->db, "UPDATE mail SET sha256 = x''", &f->error));
	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(-EIO, ledger_claim(f->ledger, NOW, &mail, &f->error));
	ledger_rollback(f->ledger);
	assert_null(mail.bytes);
}

static void a_refused_address_falls_through(void **state)
{
	struct fixture *f = of(state);
	int64_t notice = decide_one(f, 1, 1);
	int64_t mail = store_one(f, &notice, 1, 5);
	struct ledger_notice *list = NULL;
	struct ledger_refusal *contacts = NULL;
	size_t count = 0;
	int64_t again;

	assert_int_equal(-EINVAL, ledger_fall_through(f->ledger, mail, NOW, &f->error));
	assert_int_equal(mail, claim_at(f, NOW));
	assert_int_equal(0, record_at(f, mail, DELIVERY_REFUSED, INSTANT_NEVER, NOW));
	assert_int_equal(0, OK(f, ledger_fall_through(f->ledger, mail, LATER(3), &f->error)));
	assert_int_equal(-EINVAL, ledger_fall_through(f->ledger, mail, LATER(3), &f->error));
	OK(f, ledger_refused_contacts(f->ledger, &contacts, &count, &f->error));
	assert_int_equal(1, count);
	assert_int_equal(5, contacts[0].contact);
	assert_int_equal(LATER(3).seconds, contacts[0].at.seconds);
	free(contacts);
	OK(f, ledger_decided(f->ledger, LATER(3), 9, &list, &count, &f->error));
	assert_int_equal(1, count);
	assert_int_equal(notice, list[0].id);
	assert_int_equal(LATER(3).seconds, list[0].send_at.seconds);
	ledger_notices_free(list, count);
	assert_intact(f);
	again = store_one(f, &notice, 1, 6);
	assert_int_equal(again, claim_at(f, LATER(4)));
	assert_intact(f);
	assert_int_equal(0, OK(f, ledger_forget_refused(f->ledger, 5, &f->error)));
	OK(f, ledger_refused_contacts(f->ledger, &contacts, &count, &f->error));
	assert_int_equal(0, count);
	free(contacts);
}

/* The inbox is nobody: it cannot be passed over, and yet the notice goes on. */
static void a_refused_inbox_lets_its_notices_go(void **state)
{
	struct fixture *f = of(state);
	int64_t notice = decide_one(f, 1, 1);
	int64_t mail = store_one(f, &notice, 1, 0);

	assert_int_equal(mail, claim_at(f, NOW));
	assert_int_equal(0, record_at(f, mail, DELIVERY_REFUSED, INSTANT_NEVER, NOW));
	assert_int_equal(-ENOENT, ledger_fall_through(f->ledger, 77, NOW, &f->error));
	assert_int_equal(0, OK(f, ledger_fall_through(f->ledger, mail, LATER(3), &f->error)));
	assert_int_equal(0, number_of(f, "SELECT count(*) FROM refused"));
	assert_int_equal(1, number_of(f, "SELECT count(*) FROM notice WHERE mail IS NULL"));
	assert_intact(f);
}

static void a_mail_takes_only_waiting_notices(void **state)
{
	struct fixture *f = of(state);
	int64_t notice = decide_one(f, 1, 1);
	int64_t before;
	int64_t id;

	(void)store_one(f, &notice, 1, 5);
	before = number_of(f, "SELECT count(*) FROM mail");
	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(-EINVAL, ledger_store_mail(f->ledger,
						    &(struct ledger_mail){ .recipient = "a@b.c",
									   .envelope_from = "",
									   .message_id = "",
									   .bytes = "x",
									   .length = 1 },
						    &notice, 1, NOW, &id, &f->error));
	/* It failed half way, so nobody may keep the half. */
	assert_int_equal(-ECANCELED, ledger_commit(f->ledger, &f->error));
	assert_int_equal(before, number_of(f, "SELECT count(*) FROM mail"));
	assert_intact(f);
}

static void a_mail_has_bytes(void **state)
{
	struct fixture *f = of(state);
	struct ledger_mail mail = {
		.recipient = "a@b.c", .envelope_from = "", .message_id = "", .bytes = "x"
	};
	int64_t id;

	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(-EINVAL,
			 ledger_store_mail(f->ledger, &mail, NULL, 0, NOW, &id, &f->error));
	mail.bytes = NULL;
	mail.length = 1;
	assert_int_equal(-EINVAL,
			 ledger_store_mail(f->ledger, &mail, NULL, 0, NOW, &id, &f->error));
	ledger_rollback(f->ledger);
	assert_int_equal(0, number_of(f, "SELECT count(*) FROM mail"));
}

/* --- cancelling ----------------------------------------------------------------------------
 */

static int cancel(struct fixture *f, int64_t notice)
{
	int result;

	OK(f, ledger_begin(f->ledger, &f->error));
	result = ledger_cancel_notice(f->ledger, notice, "answered", LATER(9), &f->error);
	OK(f, ledger_commit(f->ledger, &f->error));
	return result;
}

static void cancels_a_notice_before_its_mail(void **state)
{
	struct fixture *f = of(state);
	int64_t notice = decide_one(f, 1, 1);

	OK(f, cancel(f, notice));
	assert_int_equal(-EINVAL, cancel(f, notice));
	assert_int_equal(-ENOENT, cancel(f, 77));
	assert_intact(f);
}

static void the_last_notice_takes_its_mail_along(void **state)
{
	struct fixture *f = of(state);
	int64_t notice = decide_one(f, 1, 1);
	int64_t mail = store_one(f, &notice, 1, 5);

	OK(f, cancel(f, notice));
	assert_int_equal(DELIVERY_CANCELLED, mail_state(f, mail));
	assert_int_equal(0, claim_at(f, LATER(10)));
	assert_intact(f);
}

static void a_digest_is_rendered_anew_without_it(void **state)
{
	struct fixture *f = of(state);
	int64_t notices[] = { decide_one(f, 1, 1), decide_one(f, 2, 1) };
	int64_t mail = store_one(f, notices, 2, 5);
	struct ledger_notice *list = NULL;
	size_t count = 0;

	OK(f, cancel(f, notices[0]));
	assert_int_equal(DELIVERY_CANCELLED, mail_state(f, mail));
	OK(f, ledger_decided(f->ledger, LATER(9), 9, &list, &count, &f->error));
	assert_int_equal(1, count);
	assert_int_equal(notices[1], list[0].id);
	ledger_notices_free(list, count);
	assert_intact(f);
	(void)store_one(f, &notices[1], 1, 5);
	assert_intact(f);
}

static void a_digest_in_doubt_stays_byte_identical(void **state)
{
	struct fixture *f = of(state);
	int64_t notices[] = { decide_one(f, 1, 1), decide_one(f, 2, 1) };
	int64_t mail = store_one(f, notices, 2, 5);

	assert_int_equal(mail, claim_at(f, NOW));
	assert_int_equal(0, record_at(f, mail, DELIVERY_IN_DOUBT, INSTANT_NEVER, NOW));
	OK(f, cancel(f, notices[0]));
	assert_int_equal(DELIVERY_IN_DOUBT, mail_state(f, mail));
	assert_intact(f);
	OK(f, cancel(f, notices[1]));
	assert_int_equal(DELIVERY_CANCELLED, mail_state(f, mail));
	assert_intact(f);
}

static void what_is_being_attempted_is_not_cancelled(void **state)
{
	struct fixture *f = of(state);
	int64_t notice = decide_one(f, 1, 1);
	int64_t mail = store_one(f, &notice, 1, 5);

	assert_int_equal(mail, claim_at(f, NOW));
	assert_int_equal(-EBUSY, cancel(f, notice));
	assert_int_equal(0, record_at(f, mail, DELIVERY_ACCEPTED, INSTANT_NEVER, NOW));
	assert_int_equal(-EINVAL, cancel(f, notice));
	assert_intact(f);
}

/* Whoever asks for it inside: a mail on its way is never taken back. */
static void nobody_cancels_a_mail_on_its_way(void **state)
{
	struct fixture *f = of(state);
	struct ledger_mail mail = { 0 };
	int64_t id = ready_mail(f, 1);

	assert_int_equal(id, claim_at(f, NOW));
	OK(f, ledger_mail(f->ledger, id, &mail, &f->error));
	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(-EBUSY,
			 mail_cancel(f->ledger, &mail, "cancelled", "", NOW, &f->error));
	ledger_rollback(f->ledger);
	ledger_mail_clear(&mail);
	assert_int_equal(DELIVERY_ATTEMPTING, mail_state(f, id));
}

/* --- every transition ----------------------------------------------------------------------
 */

/* Brings a fresh mail into the state by legal moves. */
static int64_t mail_in(struct fixture *f, enum delivery_state state)
{
	int64_t mail = ready_mail(f, 1);

	switch (state) {
	case DELIVERY_DECIDED:
	case DELIVERY_READY:
		break;
	case DELIVERY_ATTEMPTING:
		assert_int_equal(mail, claim_at(f, NOW));
		break;
	case DELIVERY_ACCEPTED:
	case DELIVERY_RETRY:
	case DELIVERY_IN_DOUBT:
	case DELIVERY_REFUSED:
	case DELIVERY_HELD:
		assert_int_equal(mail, claim_at(f, NOW));
		assert_int_equal(0, record_at(f, mail, state, LATER(60), NOW));
		break;
	case DELIVERY_CANCELLED:
		OK(f, ledger_decide_mail(f->ledger, mail, state, "A. Person", "why", NOW,
					 &f->error));
		break;
	}
	assert_int_equal(state, mail_state(f, mail));
	return mail;
}

/* The specification, written once more and by hand. */
static const char *const outcome_moves[DELIVERY_STATE_COUNT] = {
	[DELIVERY_ATTEMPTING] = "ready accepted retry in_doubt refused held",
};
static const char *const person_moves[DELIVERY_STATE_COUNT] = {
	[DELIVERY_READY] = "cancelled held",
	[DELIVERY_RETRY] = "ready cancelled held",
	[DELIVERY_IN_DOUBT] = "ready cancelled held",
	[DELIVERY_HELD] = "ready cancelled",
};

static struct move_case {
	char name[80];
	bool person;
	enum delivery_state from;
	enum delivery_state to;
} move_cases[2 * DELIVERY_STATE_COUNT * DELIVERY_STATE_COUNT];

static bool is_listed(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; at != NULL && *at != '\0'; at++) {
		if (strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
			return true;
		at = strchr(at, ' ');
		if (at == NULL)
			break;
	}
	return false;
}

static void moves_as_specified(void **state)
{
	const struct move_case *row = *state;
	const char *const *table = row->person ? person_moves : outcome_moves;
	bool legal = is_listed(table[row->from], delivery_state_name(row->to));
	void *made = NULL;
	struct fixture *f;
	int64_t mail;
	int result;

	assert_int_equal(0, set_up(&made));
	f = made;
	mail = mail_in(f, row->from);
	if (row->person)
		result = ledger_decide_mail(f->ledger, mail, row->to, "A. Person", "why",
					    LATER(1), &f->error);
	else
		result = record_at(f, mail, row->to, LATER(60), LATER(1));
	if (legal)
		assert_int_equal(0, result);
	else
		assert_true(result == -EINVAL || result == -EBUSY);
	assert_int_equal(legal ? row->to : row->from, mail_state(f, mail));
	assert_intact(f);
	tear_down(&made);
}

static size_t add_moves(struct CMUnitTest *tests)
{
	size_t count = 0;

	for (int person = 0; person < 2; person++)
		for (int from = DELIVERY_READY; from < DELIVERY_STATE_COUNT; from++)
			for (int to = 0; to < DELIVERY_STATE_COUNT; to++) {
				struct move_case *row = &move_cases[count];

				row->person = person != 0;
				row->from = (enum delivery_state)from;
				row->to = (enum delivery_state)to;
				snprintf(row->name, sizeof row->name, "%s: %s to %s",
					 person != 0 ? "a person" : "an outcome",
					 delivery_state_name(row->from),
					 delivery_state_name(row->to));
				tests[count] = (struct CMUnitTest){
					.name = row->name,
					.test_func = moves_as_specified,
					.initial_state = row,
				};
				count++;
			}
	return count;
}

static int collect(void *context, const struct ledger_mail *mail)
{
	struct text *text = context;

	text_appendf(text, "%lld %s %s;", (long long)mail->id, delivery_state_name(mail->state),
		     mail->references);
	return 0;
}

static int collect_one(void *context, const struct ledger_mail *mail)
{
	(void)collect(context, mail);
	return 1; /* enough */
}

static void lists_mails(void **state)
{
	struct fixture *f = of(state);
	struct text text = { 0 };

	(void)ready_mail(f, 1);
	(void)ready_mail(f, 2);
	(void)claim_at(f, NOW);
	assert_int_equal(0, ledger_mails(f->ledger, -1, collect, &text, &f->error));
	assert_string_equal("1 attempting 2026-014;2 ready 2026-014;", text_string(&text));
	text_clear(&text);
	OK(f, ledger_mails(f->ledger, DELIVERY_READY, collect, &text, &f->error));
	assert_string_equal("2 ready 2026-014;", text_string(&text));
	text_clear(&text);
	assert_int_equal(0, ledger_mails(f->ledger, -1, collect_one, &text, &f->error));
	assert_string_equal("1 attempting 2026-014;", text_string(&text));
	text_clear(&text);
}

/* A row that no code of ours wrote: nothing goes on from it. */
static void a_damaged_mail_is_left_as_it_is(void **state)
{
	const struct ledger_outcome outcome = { .state = DELIVERY_ACCEPTED };
	struct fixture *f = of(state);
	struct ledger_mail mail = { 0 };
	struct text text = { 0 };
	size_t count = 9;
	int64_t id = ready_mail(f, 1);

	OK(f, database_run(f->ledger->db, "UPDATE mail SET attempts = 1 << 32", &f->error));
	assert_int_equal(-EIO, ledger_mail(f->ledger, id, &mail, &f->error));
	assert_int_equal(-EIO, ledger_mails(f->ledger, -1, collect, &text, &f->error));
	assert_int_equal(-EIO, ledger_decide_mail(f->ledger, id, DELIVERY_HELD, "A. Person",
						  "why", NOW, &f->error));
	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(-EIO, ledger_claim(f->ledger, NOW, &mail, &f->error));
	ledger_rollback(f->ledger);
	OK(f, database_run(f->ledger->db, "UPDATE mail SET state = 'attempting'", &f->error));
	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(-EIO, ledger_record(f->ledger, id, &outcome, NOW, &f->error));
	ledger_rollback(f->ledger);
	assert_int_equal(-EIO, ledger_recover(f->ledger, NOW, &count, &f->error));
	assert_int_equal(9, count);
	OK(f, database_run(f->ledger->db, "UPDATE mail SET state = 'refused'", &f->error));
	assert_int_equal(-EIO, ledger_fall_through(f->ledger, id, NOW, &f->error));
	assert_string_equal("", text_string(&text));
	assert_null(mail.bytes);
}

static void what_a_person_lets_go_waits_no_longer(void **state)
{
	struct fixture *f = of(state);
	int64_t mail = ready_mail(f, 1);

	assert_int_equal(mail, claim_at(f, NOW));
	assert_int_equal(0, record_at(f, mail, DELIVERY_RETRY, LATER(86400), NOW));
	assert_int_equal(0, claim_at(f, LATER(1)));
	OK(f, ledger_decide_mail(f->ledger, mail, DELIVERY_READY, "A. Person", "why", LATER(1),
				 &f->error));
	OK(f, ledger_schedule(f->ledger, 1, INSTANT_NEVER, &f->error)); /* looked at */
	assert_int_equal(mail, claim_at(f, LATER(2)));
}

static int collect_payload(void *context, const struct ledger_entry *entry)
{
	text_appendf(context, "%s %s\n", entry->kind, entry->payload);
	return 0;
}

/* Years later the trail alone can be asked. */
static void the_trail_says_why_and_by_whom(void **state)
{
	static const char *const said[] = {
		"\nin_doubt {\"attempts\":1,\"doubts\":1,",
		"\nheld {\"attempts\":2,\"doubts\":2,",
		"\"reason\":\"in doubt a second time\"}\nperson ",
		"\"by\":\"A. Person\",\"why\":\"it did not come\"}\n",
		"\"by\":\"B\"}\n",
	};
	struct fixture *f = of(state);
	struct text text = { 0 };
	int64_t mail = ready_mail(f, 1);

	assert_int_equal(mail, claim_at(f, NOW));
	assert_int_equal(0, record_at(f, mail, DELIVERY_IN_DOUBT, INSTANT_NEVER, NOW));
	assert_int_equal(mail, claim_at(f, LATER(LEDGER_DOUBT_SECONDS)));
	assert_int_equal(0, record_at(f, mail, DELIVERY_IN_DOUBT, INSTANT_NEVER, LATER(700)));
	OK(f, ledger_decide_mail(f->ledger, mail, DELIVERY_READY, "A. Person",
				 "it did not come", LATER(800), &f->error));
	OK(f,
	   ledger_decide_mail(f->ledger, mail, DELIVERY_HELD, "B", "", LATER(900), &f->error));
	OK(f, ledger_trail(f->ledger, 0, mail, collect_payload, &text, &f->error));
	for (size_t i = 0; i < COUNT(said); i++)
		if (strstr(text_string(&text), said[i]) == NULL)
			fail_msg("%s\nis not in\n%s", said[i], text_string(&text));
	text_clear(&text);
}

static void history_shows_what_became_of_the_mail(void **state)
{
	struct fixture *f = of(state);
	struct ledger_notice *list = NULL;
	size_t count = 0;
	int64_t mail = ready_mail(f, 1);

	assert_int_equal(mail, claim_at(f, NOW));
	assert_int_equal(0, record_at(f, mail, DELIVERY_ACCEPTED, INSTANT_NEVER, NOW));
	OK(f, ledger_history(f->ledger, 1, &list, &count, &f->error));
	assert_int_equal(1, count);
	assert_int_equal(DELIVERY_ACCEPTED, list[0].state);
	ledger_notices_free(list, count);
	OK(f, ledger_pending(f->ledger, 1, &list, &count, &f->error));
	assert_int_equal(0, count);
	ledger_notices_free(list, count);
}

static void message_ids_are_ours_alone(void **state)
{
	struct fixture *f = of(state);
	struct text ids[4] = { 0 };
	const int64_t notices[] = { 1, 2 };

	OK(f, ledger_message_id(f->ledger, notices, 1, 5, "p.example", &ids[0], &f->error));
	OK(f, ledger_message_id(f->ledger, notices, 2, 5, "p.example", &ids[1], &f->error));
	OK(f, ledger_message_id(f->ledger, notices, 1, 6, "p.example", &ids[2], &f->error));
	OK(f, ledger_root_id(f->ledger, 5, "p.example", &ids[3], &f->error));
	for (size_t i = 0; i < COUNT(ids); i++) {
		assert_int_equal(32 + strlen("@p.example"), strlen(text_string(&ids[i])));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(text_string(&ids[i]), text_string(&ids[j]));
	}
	for (size_t i = 0; i < COUNT(ids); i++)
		text_clear(&ids[i]);
}

/* The definition, written once more: a mail that is rendered anew after an upgrade keeps its
 * id.
 */
static void message_ids_are_made_as_documented(void **state)
{
	static const uint8_t mail[] = "mail\0\0\0\0\0\0\0\5\1\2\3\4\5\6\7\x8\0\0\0\0\0\0\0\2";
	static const uint8_t root[] = "root\0\0\0\0\0\0\0\5";
	static const int64_t notices[] = { 0x0102030405060708, 2 };
	struct fixture *f = of(state);
	struct text id = { 0 };
	sqlite3_stmt *secret = NULL;

	assert_int_equal(SQLITE_OK,
			 sqlite3_prepare_v2(f->ledger->db,
					    "SELECT value FROM meta WHERE name = 'secret'", -1,
					    &secret, NULL));
	assert_int_equal(SQLITE_ROW, sqlite3_step(secret));
	assert_int_equal(HASH_SIZE, sqlite3_column_bytes(secret, 0));
	for (int i = 0; i < 2; i++) {
		struct hmac_sha256_ctx hmac;
		uint8_t digest[16];
		char digits[33];
		char want[64];

		hmac_sha256_set_key(&hmac, HASH_SIZE, sqlite3_column_blob(secret, 0));
		hmac_sha256_update(&hmac, i == 0 ? sizeof mail - 1 : sizeof root - 1,
				   i == 0 ? mail : root);
		hmac_sha256_digest(&hmac, sizeof digest, digest);
		snprintf(want, sizeof want, "%s@p.example", hex(digest, sizeof digest, digits));
		assert_int_equal(
			0, i == 0 ? ledger_message_id(f->ledger, notices, 2, 5, "p.example",
						      &id, &f->error)
				  : ledger_root_id(f->ledger, 5, "p.example", &id, &f->error));
		assert_string_equal(want, text_string(&id));
	}
	assert_int_equal(SQLITE_OK, sqlite3_finalize(secret));
	text_clear(&id);
}

static void without_its_secret_there_are_no_message_ids(void **state)
{
	static const char *const losses[] = {
		"UPDATE meta SET value = x'00' WHERE name = 'secret'",
		"DELETE FROM meta WHERE name = 'secret'",
	};
	struct fixture *f = of(state);
	const int64_t notice = 1;
	struct text id = { 0 };

	for (size_t i = 0; i < COUNT(losses); i++) {
		OK(f, database_run(f->ledger->db, losses[i], &f->error));
		assert_int_equal(-EIO, ledger_message_id(f->ledger, &notice, 1, 5, "p.example",
							 &id, &f->error));
		assert_int_equal(-EIO,
				 ledger_root_id(f->ledger, 5, "p.example", &id, &f->error));
	}
}

/* --- damage on the way ---------------------------------------------------------------------
 */

/* One cycle's worth of everything; 0 or the first failure. */
static int busy_cycle(struct ledger *ledger, struct error *error)
{
	struct ledger_notice notice = sample_notice(1, 50);
	struct ledger_mail mail = { .recipient = "a@b.example",
				    .envelope_from = "n@p.example",
				    .message_id = "m@p.example",
				    .date = NOW,
				    .bytes = "bytes",
				    .length = 5,
				    .contact = 8 };
	CLEANUP(ledger_mail_clear) struct ledger_mail claimed = { 0 };
	int64_t id = 0;
	int64_t stored = 0;
	int result = ledger_begin(ledger, error);

	if (result == 0)
		result = ledger_decide(ledger, &notice, NOW, &id, error);
	if (result >= 0)
		result = ledger_store_mail(ledger, &mail, &id, 1, NOW, &stored, error);
	if (result >= 0)
		result = ledger_claim(ledger, NOW, &claimed, error);
	if (result >= 0)
		result = ledger_record(ledger, claimed.id,
				       &(struct ledger_outcome){ .state = DELIVERY_ACCEPTED },
				       NOW, error);
	if (result >= 0)
		result = ledger_schedule(ledger, 1, LATER(5), error);
	if (result >= 0)
		return ledger_commit(ledger, error);
	ledger_rollback(ledger);
	return result;
}

static int abort_after(void *left)
{
	return (*(int *)left)-- == 0; /* once: the rollback that follows is not hindered */
}

/* The progress handler ends the statement at every step in turn: the old state or the new. */
static void aborted_anywhere_it_is_old_or_new(void **state)
{
	struct fixture *f = of(state);
	int64_t notices = number_of(f, "SELECT count(*) FROM notice");
	int steps = 0;
	int result;

	do {
		int left = steps++;

		sqlite3_progress_handler(f->ledger->db, 1, abort_after, &left);
		result = busy_cycle(f->ledger, &f->error);
		sqlite3_progress_handler(f->ledger->db, 0, NULL, NULL);
		/* Past the COMMIT itself the handler only spoils the answer: it is done. */
		if (result < 0 && number_of(f, "SELECT count(*) FROM notice") != notices)
			result = 0;
		if (result < 0 && steps % 16 == 0)
			assert_intact(f);
	} while (result < 0 && steps < 20000);
	assert_int_equal(0, result);
	assert_int_equal(notices + 1, number_of(f, "SELECT count(*) FROM notice"));
	assert_true(steps > 100);
	assert_intact(f);
}

static int refuse_commit(void *context)
{
	(void)context;
	return 1;
}

static void a_refused_commit_leaves_the_old(void **state)
{
	struct fixture *f = of(state);

	sqlite3_commit_hook(f->ledger->db, refuse_commit, NULL);
	assert_true(busy_cycle(f->ledger, &f->error) < 0);
	/* A change by itself, by somebody who does not ask why. */
	assert_true(ledger_set_number(f->ledger, "change_seq", 7, NULL) < 0);
	sqlite3_commit_hook(f->ledger->db, NULL, NULL);
	assert_int_equal(0, number_of(f, "SELECT count(*) FROM chain"));
	assert_int_equal(0,
			 number_of(f, "SELECT count(*) FROM meta WHERE name = 'change_seq'"));
	OK(f, busy_cycle(f->ledger, &f->error));
	assert_intact(f);
}

/* A process killed before its commit leaves a hot journal: the next opener sees the old. */
static void killed_before_the_commit_it_is_old(void **state)
{
	struct fixture *f = of(state);
	int status = 0;
	pid_t child;

	ledger_closep(&f->ledger);
	child = fork();
	if (child == 0) {
		struct ledger *ledger = NULL;
		struct error error = { 0 };
		int64_t id;
		struct ledger_notice notice = sample_notice(1, 1);

		if (ledger_open(f->folder, LEDGER_WRITE, &ledger, &error) < 0 ||
		    ledger_begin(ledger, &error) < 0)
			_exit(1);
		sqlite3_exec(ledger->db, "PRAGMA cache_size = 1", NULL, NULL, NULL);
		for (notice.occurrence = 1; notice.occurrence < 500; notice.occurrence++)
			if (ledger_decide(ledger, &notice, NOW, &id, &error) < 0)
				_exit(2);
		(void)sqlite3_db_cacheflush(ledger->db); /* into the file, uncommitted */
		raise(SIGKILL);
	}
	assert_int_equal(child, waitpid(child, &status, 0));
	assert_true(WIFSIGNALED(status));
	OK(f, fixture_open(f));
	assert_int_equal(0, number_of(f, "SELECT count(*) FROM notice"));
	assert_intact(f);
}

static void fill_until_failure(struct fixture *f, int *ret_code)
{
	struct ledger_notice notice = sample_notice(1, 1);
	int64_t id;

	for (notice.occurrence = 100; notice.occurrence < 5000; notice.occurrence++) {
		int result = ledger_begin(f->ledger, &f->error);

		if (result == 0)
			result = ledger_decide(f->ledger, &notice, NOW, &id, &f->error);
		if (result >= 0)
			result = ledger_commit(f->ledger, &f->error);
		else
			ledger_rollback(f->ledger);
		if (result < 0) {
			*ret_code = result;
			return;
		}
	}
	fail_msg("the disk never filled");
}

static void a_full_disk_is_survived(void **state)
{
	struct fixture *f = of(state);
	int code = 0;

	OK(f, database_run(f->ledger->db, "PRAGMA max_page_count = 60", &f->error));
	fill_until_failure(f, &code);
	assert_int_equal(-ENOSPC, code);
	assert_intact(f);
	OK(f, database_run(f->ledger->db, "PRAGMA max_page_count = 100000", &f->error));
	OK(f, busy_cycle(f->ledger, &f->error));
	assert_intact(f);
}

static void a_file_size_limit_is_survived(void **state)
{
	struct fixture *f = of(state);
	struct rlimit before;
	struct rlimit small;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	int code = 0;

	assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &before));
	small = before;
	small.rlim_cur = 200 * 1024;
	assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &small));
	fill_until_failure(f, &code);
	assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &before));
	signal(SIGXFSZ, handler);
	assert_true(code == -EIO || code == -ENOSPC);
	assert_intact(f);
	OK(f, busy_cycle(f->ledger, &f->error));
	assert_intact(f);
}

/* --- query plans ---------------------------------------------------------------------------
 */

/* A statement that reads a table from end to end is named here, with the reason. */
static bool may_scan(const char *sql)
{
	/* The few addresses that were refused are all wanted. */
	return strstr(sql, "FROM refused") != NULL;
}

static void assert_no_scan(struct fixture *f, const char *sql)
{
	sqlite3_stmt *plan = NULL;
	char explain[4000];

	snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
	OK(f, database_prepare(f->ledger->db, explain, &plan, &f->error));
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(plan, 3);
		bool ordered = strstr(detail, "USING") != NULL;

		/* "SCAN t USING INDEX" is a walk in order that LIMIT ends at once. */
		if (strncmp(detail, "SCAN", 4) == 0 && !may_scan(sql) &&
		    (!ordered || strstr(sql, "LIMIT") == NULL))
			fail_msg("%s: %s", detail, sql);
		/* Sorting the few notices of one challenge or one mail is no harm. */
		if (strstr(detail, "TEMP B-TREE") != NULL &&
		    strstr(sql, "mail_notice") == NULL &&
		    strstr(sql, "n.challenge = ?1") == NULL)
			fail_msg("%s: %s", detail, sql);
	}
	sqlite3_finalize(plan);
}

/* Whatever is kept prepared is hot; what a person asks for is prepared for once. */
static void no_hot_statement_scans(void **state)
{
	struct fixture *f = of(state);
	int64_t list[1];
	size_t count;
	struct instant wake;

	claims_in_order(state); /* leaves some being attempted */
	OK(f, ledger_recover(f->ledger, NOW, &count, &f->error));
	OK(f, ledger_scheduled(f->ledger, NOW, 1, list, &count, &f->error));
	OK(f, ledger_next_wake(f->ledger, &wake, &f->error));
	OK(f, ledger_schedule(f->ledger, 1, NOW, &f->error));
	OK(f, ledger_release_notices(f->ledger, 0, "", "", NOW, &count, &f->error));
	OK(f, ledger_release_notices(f->ledger, 1, "", "", NOW, &count, &f->error));
	OK(f, cancel(f, decide_one(f, 9, 9)));
	{
		int64_t notices[] = { decide_one(f, 8, 1), decide_one(f, 8, 2) };
		struct ledger_notice *found = NULL;

		(void)store_one(f, notices, 2, 5);
		OK(f, cancel(f, notices[0]));
		OK(f, ledger_decided(f->ledger, NOW, 9, &found, &count, &f->error));
		ledger_notices_free(found, count);
		OK(f, ledger_pending(f->ledger, 8, &found, &count, &f->error));
		ledger_notices_free(found, count);
		OK(f, ledger_history(f->ledger, 8, &found, &count, &f->error));
		ledger_notices_free(found, count);
	}
	OK(f, ledger_begin(f->ledger, &f->error)); /* and the walks */
	for (int challenge = 100; challenge < 103; challenge++) {
		struct ledger_notice *found = NULL;

		OK(f, ledger_history(f->ledger, challenge, &found, &count, &f->error));
		OK(f, ledger_schedule(f->ledger, challenge, INSTANT_NEVER, &f->error));
		ledger_notices_free(found, count);
	}
	OK(f, ledger_commit(f->ledger, &f->error));
	assert_true(f->ledger->kept_count > 25);
	for (size_t i = 0; i < f->ledger->kept_count; i++)
		if (strncmp(f->ledger->kept[i].sql, "BEGIN", 5) != 0 &&
		    strncmp(f->ledger->kept[i].sql, "COMMIT", 6) != 0)
			assert_no_scan(f, f->ledger->kept[i].sql);
}

/* clang-format off */
#define ROW(sentence, function) \
	{ .name = (sentence), .test_func = (function), .setup_func = set_up, .teardown_func = tear_down }

static const struct CMUnitTest plain[] = {
	ROW("the file is for its owner alone", is_private),
	ROW("journal, synchronous, version and STRICT are as designed", keeps_its_settings),
	ROW("opened again it is the same ledger", opens_again),
	ROW("a newer file is refused", refuses_a_newer_file),
	ROW("another database is refused", refuses_another_database),
	ROW("what is no database is refused", refuses_what_is_no_database),
	ROW("an empty file becomes a ledger", makes_a_ledger_of_an_empty_file),
	ROW("reading creates nothing", reading_creates_nothing),
	ROW("reading changes nothing", reading_changes_nothing),
	ROW("the lock admits one daemon", admits_one_daemon),
	ROW("the lock outlives a killed daemon for a moment", waits_for_what_a_killed_daemon_leaves),
	ROW("a second writer takes turns", bears_a_second_writer),
	ROW("a second writer is told to wait", a_second_writer_is_told_to_wait),
	ROW("small values are remembered, the secret is not for setting", remembers_values),
	ROW("the schedule is kept in order of time", schedules),
	ROW("an unchanged schedule writes nothing", an_unchanged_schedule_writes_nothing),
	ROW("the latest instant is the daemon's own", remembers_the_latest_instant_of_the_daemon),
	ROW("what waits is listed when its time has come", lists_what_waits),
	ROW("histories are read one after the other", histories_follow_one_another),
	ROW("reading them keeps nobody out afterwards", a_walk_holds_no_lock_afterwards),
	ROW("changes that belong together need a transaction", a_decision_needs_a_transaction),
	ROW("held notices wait for approval", holds_and_releases_notices),
	ROW("ready mails go first, then what is due again by its time", claims_in_order),
	ROW("a claim counts and hands out the bytes; a refund uncounts", a_claim_counts_and_copies),
	ROW("an outcome and the next claim stand or fall together", outcome_and_claim_share_a_commit),
	ROW("the second doubt is held for a person", the_second_doubt_is_held),
	ROW("what was attempted at a crash is in doubt, once", recovers_as_in_doubt_once),
	ROW("bytes that were tampered with are never sent", never_sends_other_bytes),
	ROW("a refused address passes its notices on", a_refused_address_falls_through),
	ROW("a mail takes only notices that wait for one", a_mail_takes_only_waiting_notices),
	ROW("a notice without a mail is cancelled once", cancels_a_notice_before_its_mail),
	ROW("the last notice cancelled takes its mail along", the_last_notice_takes_its_mail_along),
	ROW("a digest is rendered anew without a cancelled notice", a_digest_is_rendered_anew_without_it),
	ROW("a digest in doubt stays byte-identical", a_digest_in_doubt_stays_byte_identical),
	ROW("what is being attempted is not cancelled", what_is_being_attempted_is_not_cancelled),
	ROW("mails are listed, all or of one state", lists_mails),
	ROW("the trail says why and by whom", the_trail_says_why_and_by_whom),
	ROW("the history shows what became of the mail", history_shows_what_became_of_the_mail),
	ROW("Message-IDs are made as documented", message_ids_are_made_as_documented),
	ROW("without its secret there are no Message-IDs",
	    without_its_secret_there_are_no_message_ids),
	ROW("a mail whose digest is lost is never sent", never_sends_what_it_cannot_compare),
	ROW("a damaged mail is left as it is", a_damaged_mail_is_left_as_it_is),
	ROW("a refused inbox lets its notices go", a_refused_inbox_lets_its_notices_go),
	ROW("what a person lets go waits no longer", what_a_person_lets_go_waits_no_longer),
	ROW("a mail has bytes", a_mail_has_bytes),
	ROW("nobody cancels a mail on its way", nobody_cancels_a_mail_on_its_way),
	ROW("Message-IDs differ by notices, contact and purpose", message_ids_are_ours_alone),
	ROW("aborted at any step, the old state or the new", aborted_anywhere_it_is_old_or_new),
	ROW("a commit that is refused leaves the old state", a_refused_commit_leaves_the_old),
	ROW("killed before the commit, the old state", killed_before_the_commit_it_is_old),
	ROW("a full disk loses nothing and is recovered from", a_full_disk_is_survived),
	ROW("a file size limit loses nothing and is recovered from", a_file_size_limit_is_survived),
	ROW("while it is held others read and none commits", while_held_others_read_and_none_commits),
	ROW("who holds it gives way to a writer", the_holder_gives_way_to_a_writer),
	ROW("quiet until somebody commits or the time comes", is_quiet_until_somebody_commits_or_the_time_comes),
	ROW("looks at the facts before what a person lets go", looks_at_the_facts_before_what_a_person_lets_go),
	ROW("what a person let go lets others pass", what_a_person_let_go_lets_others_pass),
	ROW("no statement of the hot paths reads a whole table", no_hot_statement_scans),
};
/* clang-format on */

int main(void)
{
	struct CMUnitTest keys[COUNT(key_cases)];
	struct CMUnitTest moves[COUNT(move_cases)];
	size_t move_count = add_moves(moves);
	int failed;

	for (size_t i = 0; i < COUNT(key_cases); i++)
		keys[i] = (struct CMUnitTest){
			.name = key_cases[i].name,
			.test_func = decides_once,
			.initial_state = (void *)&key_cases[i],
		};
	failed = cmocka_run_group_tests_name("ledger", plain, NULL, NULL);
	failed += cmocka_run_group_tests_name("ledger_decide, the key", keys, NULL, NULL);
	failed += _cmocka_run_group_tests("ledger, every move of a mail", moves, move_count,
					  NULL, NULL);
	return failed != 0;
}
