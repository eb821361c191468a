/* once.c - see once.h. */
#include "service/once.h"

#include "adapter/journal.h"
#include "service/crash.h"
#include "service/engine.h"

#include <poll.h>

enum {
	ROUNDS = 5,     /* an address refused renders a new mail; not for ever */
	CYCLES = 10000, /* of a pass that stops at its measure: 100 million challenges */
	HOLD_MILLISECONDS = 20, /* the relay mostly answers sooner: the ledger stays held */
	LOOK_SECONDS = 1,       /* senders are looked at so often, their end needs no sign */
	LEAVE_LOOKS = 40,       /* of 50 ms: senders say goodbye to the relay */
	LEAVE_MILLISECONDS = 50,
};

/* True while a mail that was due then waits for nothing but the rate. */
static bool waits_for_rate(struct engine *engine, const struct post_state *state,
			   struct instant until)
{
	struct instant wake;
	struct error error = { 0 };

	return state->rate_limited && !state->paused &&
	       ledger_next_wake(engine->ledger, &wake, &error) == 0 &&
	       !instant_before(until, wake);
}

/* Waits for senders; nobody else waits for the ledger meanwhile. */
static void await(struct engine *engine)
{
	struct pollfd senders = { .fd = post_descriptor(engine->post), .events = POLLIN };

	if (poll(&senders, 1, HOLD_MILLISECONDS) != 0)
		return;
	ledger_let_go(engine->ledger);
	(void)poll(&senders, 1, LOOK_SECONDS * 1000); /* looked at in any case */
}

/* Until every mail that was due at `until` has been tried. 1: addresses fell through. */
static int deliver(struct engine *engine, struct instant until, struct error *error)
{
	bool fallen = false;

	for (;;) {
		struct post_state state = post_state(engine->post);
		int r;

		fallen = fallen || state.fallen_through > 0;
		if (state.busy == 0 && !waits_for_rate(engine, &state, until))
			return fallen;
		await(engine);
		ledger_hold(engine->ledger);
		r = post_take(engine->post, until, error);
		if (r < 0)
			return r;
	}
}

static int cycle(struct engine *engine, struct pass_report *ret, struct error *error)
{
	int r = 0;

	for (int i = 0; i < CYCLES; i++) {
		r = engine_cycle(engine, ret, error);
		if (r < 0 || !(ret->more || ret->proving))
			break;
	}
	return r;
}

static int run(struct engine *engine, struct pass_report *ret, struct error *error)
{
	for (int i = 0; i < ROUNDS; i++) {
		int r = cycle(engine, ret, error);

		if (r < 0)
			return r;
		if (ret->trouble == PASS_CLOCK)
			return 0;
		r = deliver(engine, clock_now(engine->clock), error);
		if (r == 0) /* what went wrong is told by the next run */
			r = engine_alarm(engine, ret, error);
		ledger_let_go(engine->ledger);
		if (r <= 0)
			return r;
	}
	return 0;
}

static void say_goodbye(struct engine *engine)
{
	struct error error = { 0 };

	post_stop(engine->post);
	for (int i = 0; i < LEAVE_LOOKS; i++) {
		if (post_state(engine->post).leaving == 0)
			return;
		(void)poll(NULL, 0, LEAVE_MILLISECONDS);
		if (post_take(engine->post, (struct instant){ INT64_MIN }, &error) < 0)
			return; /* nothing is in hand: there is nothing to lose */
	}
}

/* What a crontab starts gives its sign of life as well; its process ends by itself. */
static void await_heartbeat(struct engine *engine)
{
	struct pollfd heard = { .fd = heartbeat_descriptor(engine->heartbeat),
				.events = POLLIN };

	for (int i = 0; i < HEARTBEAT_STOP_SECONDS; i++) {
		if (!heartbeat_state(engine->heartbeat).busy)
			return;
		(void)poll(&heard, 1, LOOK_SECONDS * 1000); /* looked at in any case */
		heartbeat_take(engine->heartbeat);
	}
}

int once_run(const char *config_file, const struct clock *clock)
{
	struct engine engine;
	struct pass_report report = { 0 };
	struct error error = { 0 };
	int status = engine_open(&engine, config_file, clock);

	if (status == SERVICE_DONE && run(&engine, &report, &error) < 0) {
		journal_send(JOURNAL_LEDGER_FAULT, NULL, 0, "%s", error.text);
		status = SERVICE_COULD_NOT;
	} else if (status == SERVICE_DONE && report.trouble != PASS_GOOD) {
		status = SERVICE_COULD_NOT;
	}
	if (status == SERVICE_DONE)
		engine_metrics(&engine, &report); /* with what became of the mails */
	if (engine.post != NULL) {
		say_goodbye(&engine);
		await_heartbeat(&engine);
	}
	engine_close(&engine);
	crash_point("end");
	return status;
}
