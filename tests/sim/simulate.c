/*
 * simulate.c - a seed's four months of a partnership, in which everything goes wrong that can.
 *
 * T20 of the programme. One seed drives the clock (and steps of it), what people record, take
 * back, hold and release, what the relay answers, faults of the disk, a locked store, kills,
 * power failures, restarts and reloads. Afterwards all is well again for a fortnight, and then
 * what scene_check says must hold, and no mail may have gone about a challenge that was closed
 * before. A failure prints its seed; `simulate SEED` plays that one aloud. SIM_SEEDS=2000 plays
 * more, from SIM_FIRST on.
 */
#include "player.h"
#include "scene.h"

#include "adapter/ledger_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	MINUTE = 60,
	HOUR = 3600,
	DAY = 86400,
	DAYS = 120,
	DAYS_AFTER = 14,
	POLL = 15,
	CHALLENGES_MOST = 32,
	EVENTS_MOST = 600,
	GIVEN_MOST = 20000,
	ACTION_EVERY = 7 * HOUR, /* on average */
	WORKERS = 2,
};

enum weather {
	WELL,
	UNREACHABLE,
	LATER,
	SLOW,
	FLAKY,
	STRICT,
	NO_PROCESS,
	WEATHERS,
};

struct recorded {
	int64_t id;
	size_t challenge; /* place */
	bool closes;
};

struct given {
	int64_t mail;
	uint32_t closed; /* places of challenges of which the daemon knew that they were */
};

struct outcome {
	uint64_t trace;
	size_t mails;
	size_t copies;
	size_t kills;
	size_t doubts;
	bool failed;
	bool done;
	char said[400];
};

/* Of the child that plays a seed. */
static struct {
	uint64_t random;
	int64_t cycle_at;
	int64_t action_at;
	int64_t open_at;
	enum weather weather;
	int64_t weather_until;
	enum disk_operation fault_operation;
	int fault_code; /* SQLITE_OK: the disk works */
	const char *fault_path;
	int fault_odds; /* one in so many */
	int64_t fault_until;
	int64_t clock_until;
	bool bad_address;
	bool crowded; /* more mails were in hand than there are connections */
	bool in_daemon;
	long dies_in; /* operations of the disk; 0: it does not */
	bool by_power;
	jmp_buf dead;
	struct {
		int64_t id;
		int64_t closed_at; /* boot seconds; INT64_MAX: it is open */
	} challenge[CHALLENGES_MOST];
	size_t challenge_count;
	struct recorded event[EVENTS_MOST];
	size_t event_count;
	struct given given[GIVEN_MOST];
	size_t given_count;
	size_t kills;
} sim;

static uint64_t below(uint64_t limit)
{
	return disk_random(&sim.random) % limit;
}

static bool one_in(uint64_t odds)
{
	return below(odds) == 0;
}

static int64_t right_offset;

static struct instant right_now(void)
{
	return (struct instant){ scene.boot + right_offset };
}

/* --- the disk and the relay ----------------------------------------------------------------
 */

static int gate(enum disk_operation operation, const char *path)
{
	if (!sim.in_daemon)
		return SQLITE_OK;
	if (sim.dies_in > 0 && --sim.dies_in == 0) {
		sim.in_daemon = false;
		longjmp(sim.dead, 1);
	}
	if (sim.fault_code == SQLITE_OK || scene.boot >= sim.fault_until ||
	    operation != sim.fault_operation ||
	    strncmp(path, sim.fault_path, strlen(sim.fault_path)) != 0 ||
	    !one_in((uint64_t)sim.fault_odds))
		return SQLITE_OK;
	return sim.fault_code;
}

static struct relay_plan flaky(void)
{
	switch (below(8)) {
	case 0:
		return relay_doubt(one_in(2), 60 + (int64_t)below(600));
	case 1:
		return relay_lost(one_in(2), one_in(2), false);
	case 2:
		return relay_lost(true, one_in(2), true);
	case 3:
		return relay_replies(56, "250 2.1.0 ok", false, false);
	case 4: {
		struct relay_plan plan = relay_replies(55, "421 4.4.2 idle", false, false);

		plan.sent.result.reused = true;
		return plan;
	}
	default:
		return relay_accepts(1 + (int64_t)below(5));
	}
}

static struct relay_plan choose(const struct sender_mail *mail)
{
	if (sim.bad_address && strncmp(mail->recipient, "cora@", 5) == 0)
		return relay_replies(55, "550 5.1.1 no such user", true, false);
	if (scene.boot >= sim.weather_until)
		sim.weather = WELL;
	switch (sim.weather) {
	case UNREACHABLE:
		return relay_replies((int)(6 + below(2)), "", false, false);
	case LATER:
		return one_in(3) ? relay_accepts(1)
				 : relay_replies(one_in(2) ? 55 : 8, "451 4.7.1 later",
						 one_in(2), false);
	case SLOW:
		return relay_accepts(60 + (int64_t)below(9 * MINUTE));
	case FLAKY:
		return flaky();
	case STRICT:
		return one_in(4) ? relay_replies(8, "554 5.7.1 no", false, true)
				 : relay_accepts(2);
	case NO_PROCESS:
		return (struct relay_plan){ .no_start = true };
	case WELL:
	case WEATHERS:
		break;
	}
	return relay_accepts(1 + (int64_t)below(3));
}

static void clock_steps(void);

static void note_given(const struct sender_mail *mail)
{
	struct given *given = &sim.given[sim.given_count];

	sim.in_daemon = false; /* the test's own question */
	sim.crowded = sim.crowded || scene_is_crowded();
	sim.in_daemon = true;
	if (sim.weather != WELL && one_in(20))
		clock_steps();
	if (sim.given_count == GIVEN_MOST)
		return;
	*given = (struct given){ .mail = mail->id };
	for (size_t i = 0; i < sim.challenge_count; i++)
		if (sim.challenge[i].closed_at < scene.good_at)
			given->closed |= UINT32_C(1) << i;
	sim.given_count++;
}

/* --- the daemon ----------------------------------------------------------------------------
 */

static void lose_power(void)
{
	struct disk_snapshot *snapshot = disk_snapshot();

	disk_restore(snapshot, 0, &sim.random);
	disk_snapshot_free(snapshot);
}

static void killed(void)
{
	sim.kills++;
	scene_killed(&sim.random);
	if (sim.by_power)
		lose_power();
	sim.by_power = false;
	sim.dies_in = 0;
	sim.open_at = scene.boot + 20 + (one_in(10) ? (int64_t)below(5 * DAY) : 0);
}

static void ended(const struct error *error)
{
	if (error->code != EIO && error->code != EBADMSG)
		return; /* the service tries again at the next poll */
	scene_close();
	sim.open_at = scene.boot + 20;
}

static void clock_is_set_right(void)
{
	scene.offset = right_offset;
	sim.cycle_at = scene.boot;
}

static void start(void)
{
	struct error error = { 0 };

	if (scene.boot < sim.open_at)
		return;
	/* A daemon that begins by a clock that is ahead takes the gap for downtime, by design.
	 */
	if (scene.offset > right_offset)
		clock_is_set_right();
	if (scene_open(&error) < 0) {
		scene_close();
		sim.open_at = scene.boot + 20;
		return;
	}
	sim.cycle_at = scene.boot;
}

static void cycle(void)
{
	struct pass_report report = { .wake = INSTANT_NEVER };
	struct error error = { 0 };

	sim.cycle_at = scene.boot + POLL;
	if (scene_cycle(&report, &error) < 0) {
		ended(&error);
		return;
	}
	/* Polls that can find nothing are left out. */
	if (report.trouble == PASS_GOOD && !report.more)
		sim.cycle_at = scene.boot + 4 * HOUR;
	if (report.trouble == PASS_GOOD && report.wake.seconds < sim.cycle_at + scene.offset)
		sim.cycle_at = report.wake.seconds - scene.offset;
	if (sim.cycle_at <= scene.boot)
		sim.cycle_at = scene.boot + (report.more ? 0 : POLL);
}

static void take(void)
{
	struct error error = { 0 };

	if (scene_take(&error) < 0)
		ended(&error);
	else if (post_state(scene.engine.post).fallen_through > 0)
		sim.cycle_at = scene.boot;
}

/* One thing that the daemon does, in the course of which it may be killed. */
static void let_daemon(void (*what)(void))
{
	if (setjmp(sim.dead) == 0) {
		sim.in_daemon = true;
		what();
		sim.in_daemon = false;
	} else {
		killed();
	}
}

static int64_t daemon_deadline(void)
{
	int64_t at;

	if (!scene.open)
		return sim.open_at;
	at = post_state(scene.engine.post).deadline;
	if (at <= scene.boot)
		at = scene.boot + 1; /* as the service arms its timer */
	return at < sim.cycle_at ? at : sim.cycle_at;
}

static void daemon_turn(void)
{
	if (!scene.open)
		let_daemon(start);
	if (scene.open && post_state(scene.engine.post).deadline <= scene.boot)
		let_daemon(take);
	if (scene.open && sim.cycle_at <= scene.boot)
		let_daemon(cycle);
}

/* --- what happens --------------------------------------------------------------------------
 */

/* The next poll sees it. */
static void poll_soon(void)
{
	int64_t at = scene.boot + (int64_t)below(POLL);

	if (at < sim.cycle_at)
		sim.cycle_at = at;
}

static struct instant some_time_ago(void)
{
	return instant_add(right_now(), one_in(3) ? -(int64_t)below(3 * DAY) : 0);
}

static void somebody_raises(void)
{
	size_t place = sim.challenge_count;
	int64_t id;

	if (place == CHALLENGES_MOST)
		return;
	id = scene_raise(some_time_ago());
	if (id == 0)
		return;
	sim.challenge[place].id = id;
	sim.challenge[place].closed_at = INT64_MAX;
	sim.challenge_count++;
}

static void record(size_t place, const char *kind, int64_t voids)
{
	bool closes = strcmp(kind, "closed") == 0; /* after the others feedback is owed still */
	/* Typed in late it might come to lie before the raising, and would close nothing. */
	int64_t id = scene_record(sim.challenge[place].id, kind,
				  closes ? right_now() : some_time_ago(), voids);

	if (scene_loud)
		(void)fprintf(stderr, "%lld: %lld %s %lld\n", (long long)scene.boot,
			      (long long)sim.challenge[place].id, kind, (long long)voids);
	if (id == 0 || sim.event_count == EVENTS_MOST)
		return;
	sim.event[sim.event_count++] =
		(struct recorded){ .id = id, .challenge = place, .closes = closes };
	if (closes && sim.challenge[place].closed_at == INT64_MAX)
		sim.challenge[place].closed_at = scene.boot;
	/* Something may be owed again, and danger is told of whenever it is: not asked any
	 * more.
	 */
	if (strcmp(kind, "reopened") == 0 || strcmp(kind, "voided") == 0 ||
	    strcmp(kind, "resolved") == 0 || strcmp(kind, "immediate_risk") == 0)
		sim.challenge[place].closed_at = INT64_MAX;
}

static void somebody_records(void)
{
	static const char *const kinds[] = { "responded",     "responded", "acknowledged",
					     "discussed",     "agreed",    "not_agreed",
					     "meeting_held",  "resolved",  "outcome_shared",
					     "closed",        "withdrawn", "reopened",
					     "closed",        "paused",    "resumed",
					     "immediate_risk" };

	if (sim.challenge_count > 0)
		record(below(sim.challenge_count), kinds[below(COUNT(kinds))], 0);
}

static void somebody_takes_back(void)
{
	const struct recorded *event;

	if (sim.event_count == 0)
		return;
	event = &sim.event[below(sim.event_count)];
	record(event->challenge, "voided", event->id);
}

static void weather_changes(void)
{
	sim.weather = (enum weather)below(WEATHERS);
	sim.weather_until =
		scene.boot + (one_in(12) ? (int64_t)below(7 * DAY) : (int64_t)below(8 * HOUR));
	sim.bad_address = one_in(6);
	/* What waits for the relay is answered meanwhile. */
	if (sim.weather != WELL && one_in(2))
		sim.action_at = scene.boot + (int64_t)below(HOUR);
}

static void disk_fails(void)
{
	static const struct {
		enum disk_operation operation;
		int code;
	} faults[] = {
		{ DISK_WRITE, SQLITE_FULL },       { DISK_WRITE, SQLITE_IOERR_WRITE },
		{ DISK_SYNC, SQLITE_IOERR_FSYNC }, { DISK_LOCK, SQLITE_BUSY },
		{ DISK_LOCK, SQLITE_IOERR_LOCK },  { DISK_READ, SQLITE_IOERR_READ },
		{ DISK_OPEN, SQLITE_CANTOPEN },    { DISK_TRUNCATE, SQLITE_IOERR_TRUNCATE },
		{ DISK_SIZE, SQLITE_IOERR_FSTAT }, { DISK_ACCESS, SQLITE_IOERR_ACCESS },
		{ DISK_READ, SQLITE_CORRUPT },
	};
	size_t which = below(COUNT(faults));

	sim.fault_operation = faults[which].operation;
	sim.fault_code = faults[which].code;
	sim.fault_path = one_in(2) ? scene.ledger : scene.store;
	sim.fault_odds = one_in(3) ? 1 : 1 + (int)below(40);
	sim.fault_until = scene.boot + (int64_t)below(one_in(4) ? 2 * HOUR : 5 * MINUTE);
	poll_soon();
}

static void clock_steps(void)
{
	static const int64_t steps[] = { 1,
					 -1,
					 200,
					 -200,
					 -HOUR,
					 -DAY,
					 -400 * (int64_t)DAY,
					 -56 * 365 * (int64_t)DAY,
					 2 * DAY,
					 400 * (int64_t)DAY,
					 74 * 365 * (int64_t)DAY };

	if (scene.offset != right_offset)
		return;
	scene.offset += steps[below(COUNT(steps))];
	sim.clock_until = scene.boot + (int64_t)below(5 * HOUR);
	sim.cycle_at = scene.boot;
}

static void daemon_is_to_die(void)
{
	if (scene.offset != right_offset)
		return;
	sim.dies_in = 1 + (long)below(one_in(2) ? 100 : 3000);
	sim.by_power = one_in(3);
	poll_soon();
}

static void do_restart(void)
{
	scene_close();
	sim.open_at = scene.boot + (int64_t)below(one_in(8) ? DAY : MINUTE);
}

static void do_reload(void)
{
	struct error error = { 0 };

	if (scene_reload(below(SCENE_SETUPS), &error) < 0)
		ended(&error);
	sim.cycle_at = scene.boot;
}

static void decide(struct ledger *ledger, int64_t mail)
{
	static const enum delivery_state states[] = { DELIVERY_HELD, DELIVERY_READY,
						      DELIVERY_READY, DELIVERY_CANCELLED };
	enum delivery_state state = states[below(COUNT(states))];
	struct error error = { 0 };

	if (ledger_decide_mail(ledger, mail, state, "A", "why", right_now(), &error) >= 0 &&
	    state == DELIVERY_READY)
		scene_let_go(mail);
}

static void person(void)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct error error = { 0 };
	int64_t last = 0;
	int64_t held = 0;
	size_t count;
	int r = ledger_open(scene.folder, LEDGER_PERSON, &ledger, &error);

	if (r < 0 ||
	    database_number(ledger->db, "SELECT coalesce(max(id), 0) FROM mail", &last,
			    &error) != 1 ||
	    database_number(ledger->db,
			    "SELECT coalesce(max(id), 0) FROM mail WHERE state = 'held'", &held,
			    &error) != 1)
		return;
	switch (below(4)) {
	case 0:
		(void)!ledger_release_flood(ledger, "A", "right", right_now(), &count, &error);
		break;
	case 1:
		(void)!ledger_release_notices(ledger, 0, "A", "approved", right_now(), &count,
					      &error);
		break;
	case 2:
		if (held > 0)
			decide(ledger, held);
		break;
	default:
		if (last > 0)
			decide(ledger,
			       last - (int64_t)below((uint64_t)last < 20 ? (uint64_t)last
									 : 20));
		break;
	}
}

static void something_happens(void)
{
	uint64_t which = below(100);

	sim.action_at = scene.boot + 1 + (int64_t)below(2 * ACTION_EVERY);
	if (which < 12)
		somebody_raises();
	else if (which < 50)
		somebody_records();
	else if (which < 55)
		somebody_takes_back();
	else if (which < 67)
		weather_changes();
	else if (which < 76)
		disk_fails();
	else if (which < 80)
		clock_steps();
	else if (which < 88)
		daemon_is_to_die();
	else if (which < 90 && scene.open && scene.offset == right_offset)
		let_daemon(do_restart);
	else if (which < 93 && scene.open)
		let_daemon(do_reload);
	else
		person();
	/* An answer of the relay's may come before the poll sees what somebody did. */
	if (scene.open && one_in(4))
		let_daemon(take);
	poll_soon();
}

/* --- one seed ------------------------------------------------------------------------------
 */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void run_until(int64_t end, bool all_is_well)
{
	while (scene.boot < end) {
		int64_t next = earlier(daemon_deadline(), end);

		if (!all_is_well)
			next = earlier(next, sim.action_at);
		if (scene.offset != right_offset)
			next = earlier(next, sim.clock_until);
		if (next > scene.boot)
			scene.boot = next;
		if (scene.offset != right_offset && scene.boot >= sim.clock_until)
			clock_is_set_right();
		if (!all_is_well && scene.boot >= sim.action_at)
			something_happens();
		daemon_turn();
	}
}

static void make_all_well(void)
{
	sim.weather_until = 0;
	sim.bad_address = false;
	sim.fault_code = SQLITE_OK;
	sim.dies_in = 0;
	if (scene.offset != right_offset)
		clock_is_set_right();
	poll_soon();
}

/* A mail that was in doubt goes out a second time whatever happened meanwhile to some of what
 * it says; so does a word that what was told before counts no more. */
static bool went_after_the_end(struct ledger *ledger, const struct given *given,
			       char said[static 400])
{
	for (size_t i = 0; i < sim.challenge_count; i++) {
		char sql[400];
		int64_t count = 0;
		struct error error = { 0 };

		if ((given->closed & UINT32_C(1) << i) == 0)
			continue;
		(void)snprintf(
			sql, sizeof sql,
			"SELECT count(*), group_concat(n.kind || ' ' || n.state || n.at) FROM "
			"mail_notice mn JOIN notice n ON n.id = mn.notice"
			" JOIN mail m ON m.id = mn.mail WHERE mn.mail = %lld AND n.challenge ="
			" %lld AND n.kind <> 'cleared' AND m.doubts = 0",
			(long long)given->mail, (long long)sim.challenge[i].id);
		if (database_number(ledger->db, sql, &count, &error) == 1 && count == 0)
			continue;
		(void)snprintf(
			said, 400, "mail %lld tells of challenge %lld, which was closed %.100s",
			(long long)given->mail, (long long)sim.challenge[i].id, error.text);
		return true;
	}
	return false;
}

static bool check(char said[static 400])
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct error error = { 0 };

	if (scene_check(true, said) != 0)
		return false;
	if (sim.crowded) {
		(void)snprintf(said, 400, "a mail went while another was not recorded yet");
		return false;
	}
	if (ledger_open(scene.folder, LEDGER_READ, &ledger, &error) < 0)
		return false;
	for (size_t i = 0; i < sim.given_count; i++)
		if (went_after_the_end(ledger, &sim.given[i], said))
			return false;
	return true;
}

static int64_t ask_number(const char *sql)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct error error = { 0 };
	int64_t number = 0;

	if (ledger_open(scene.folder, LEDGER_READ, &ledger, &error) < 0 ||
	    database_number(ledger->db, sql, &number, &error) != 1)
		return -1;
	return number;
}

static void play(uint64_t seed, struct outcome *outcome)
{
	int64_t begin = scene.boot;

	sim.random = seed * 0x9e3779b97f4a7c15u + 1;
	scene_seed = seed;
	scene_trace = 0xcbf29ce484222325u;
	right_offset = scene.offset;
	relay_choose = choose;
	relay_given = note_given;
	disk_gate = gate;
	sim.action_at = begin + HOUR;
	run_until(begin + DAYS * (int64_t)DAY, false);
	make_all_well();
	run_until(begin + (DAYS + DAYS_AFTER) * (int64_t)DAY, true);
	sim.action_at = INT64_MAX;
	while (!scene.open || post_state(scene.engine.post).busy > 0) {
		scene.boot++;
		daemon_turn();
	}
	scene_close();
	outcome->failed = !check(outcome->said);
	outcome->trace = scene_trace;
	outcome->mails = (size_t)ask_number("SELECT count(*) FROM mail");
	outcome->doubts = (size_t)ask_number("SELECT count(*) FROM mail WHERE doubts > 0");
	outcome->copies = relay_count;
	outcome->kills = sim.kills;
	outcome->done = true;
}

/* --- all of them ---------------------------------------------------------------------------
 */

/* What a killed daemon had stays taken, so each seed has a process of its own. */
static void begin_child(uint64_t seed, struct outcome *outcome)
{
	pid_t child = fork();

	if (child == 0) {
		play(seed, outcome);
		_exit(0);
	}
	if (child < 0)
		exit(2);
}

static void report(uint64_t first, uint64_t seeds, const struct outcome *outcomes)
{
	struct outcome sum = { 0 };
	size_t failed = 0;

	for (uint64_t i = 0; i < seeds; i++) {
		const struct outcome *one = &outcomes[i];

		if (one->failed || !one->done) {
			(void)printf("seed %llu: %s\n", (unsigned long long)(first + i),
				     one->done ? one->said : "it broke off");
			failed++;
		}
		sum.mails += one->mails;
		sum.copies += one->copies;
		sum.kills += one->kills;
		sum.doubts += one->doubts;
	}
	if (outcomes[0].trace != outcomes[seeds].trace) {
		(void)printf("seed %llu: another trace the second time\n",
			     (unsigned long long)first);
		failed++;
	}
	(void)printf("simulation: %llu seeds from %llu, %d days each; %zu mails, %zu copies, "
		     "%zu in doubt, %zu kills; %zu failed\n",
		     (unsigned long long)seeds, (unsigned long long)first, DAYS, sum.mails,
		     sum.copies, sum.doubts, sum.kills, failed);
	if (failed > 0 || sum.kills == 0 || sum.doubts == 0)
		exit(1);
}

int main(int argc, char **argv)
{
	uint64_t seeds = number_from("SIM_SEEDS", 60);
	uint64_t first = number_from("SIM_FIRST", (uint64_t)time(NULL));
	struct outcome *outcomes = shared((seeds + 1) * sizeof *outcomes);

	scene_begin();
	if (argc > 1) {
		scene_loud = true;
		play(strtoull(argv[1], NULL, 10), outcomes);
		(void)printf("%s\ntrace %016llx\n",
			     outcomes[0].failed ? outcomes[0].said : "well",
			     (unsigned long long)outcomes[0].trace);
		return outcomes[0].failed;
	}
	(void)printf("seeds from %llu\n", (unsigned long long)first);
	(void)fflush(stdout);
	for (uint64_t i = 0; i <= seeds; i++) {
		if (i >= WORKERS)
			(void)wait(NULL);
		begin_child(i == seeds ? first : first + i, &outcomes[i]);
	}
	while (wait(NULL) > 0)
		;
	report(first, seeds, outcomes);
	scene_end();
	return 0;
}
