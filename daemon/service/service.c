/* service.c - see service.h. */
#include "service/service.h"

#include "adapter/journal.h"
#include "service/engine.h"
#include "service/health.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

enum {
	STOP_SECONDS = 25, /* for answers to final dots; systemd's TimeoutStopSec is 30 */
	/* For the first good look; with TimeoutStartSec=, RestartSec= and the start limit of
	 * the unit this makes a store that is not there a failed unit within seven minutes. */
	START_SECONDS = 60,
	START_POLL = 5, /* seconds at most between two looks until then */
	/* The relay mostly answers sooner, and the next commit finds the ledger held. */
	HOLD_MICROSECONDS = 20000,
	PROOF_PAUSE_MICROSECONDS = 10000, /* between slices of the proof: it is in no hurry */
};

static const uint64_t second = UINT64_C(1000000);
/* So much more from each look on, as TimeoutStartSec= of the unit. */
static const char wait_for_start[] = "EXTEND_TIMEOUT_USEC=120000000\n";

struct service {
	struct engine engine;
	sd_event *event;
	sd_event_source *poll_timer; /* CLOCK_BOOTTIME: goes on through a suspend */
	sd_event_source *wake_timer; /* CLOCK_REALTIME: the next instant that matters */
	sd_event_source *post_timer; /* CLOCK_BOOTTIME: senders, rate, pause */
	sd_event_source
		*alive_timer;        /* CLOCK_BOOTTIME: the watchdog; NULL when there is none */
	sd_event_source *hold_timer; /* CLOCK_BOOTTIME: nothing came, let go of the ledger */
	sd_event_source *senders;
	sd_event_source *heartbeat;
	sd_event_source *clock_step;
	sd_event_source *stop_timer;
	int step_descriptor;
	uint64_t watchdog; /* microseconds; 0: none */
	int64_t started;
	int64_t last_poll;
	bool ready;
	bool stopping;
	int exit_status; /* to exit with, once `stopping` has come to its end */
	bool ledger_told;
	char trouble[300];
	char reload[600];
	char approval[260];
	int64_t flood;        /* notices that are held by one, */
	bool restored;        /* or since the ledger is a copy that was put back */
	int64_t unwatched;    /* open challenges that nothing is to come for */
	int64_t held_notices; /* of the HELD of the ledger, those that wait for an approval */
	char status[2000];    /* as told last */
};

static int64_t boot_seconds(const struct service *service)
{
	return service->engine.clock->boot_seconds(service->engine.clock->self);
}

/* --- what systemd is told --------------------------------------------------------------------
 */

static struct health look_at_health(struct service *service, const struct post_state *post)
{
	struct health health = {
		.now = boot_seconds(service),
		.poll_interval = service->engine.setup.config->poll_seconds,
		.last_poll = service->last_poll,
		.trouble = service->trouble,
		.oldest_send = post->oldest,
		.in_hand = post->busy,
		.pause = post->paused ? post->pause_text : "",
		.reload = service->reload,
		.approval = service->approval,
		.flood = service->flood,
		.unwatched = service->unwatched,
		.restored = service->restored,
	};
	int64_t counts[DELIVERY_STATE_COUNT] = { 0 };
	struct error ignored = { 0 };

	/* A ledger that cannot be counted is told as trouble by the cycle already. */
	if (ledger_count(service->engine.ledger, counts, &ignored) == 0) {
		health.ready = counts[DELIVERY_READY] + counts[DELIVERY_RETRY] +
			       counts[DELIVERY_IN_DOUBT];
		health.held = counts[DELIVERY_HELD] - service->held_notices - service->flood;
		health.decided = counts[DELIVERY_DECIDED];
	}
	return health;
}

/* Says what changed: an idle poll sends nothing. */
static void tell(struct service *service, const char *before)
{
	CLEANUP(text_clear) struct text status = { 0 };
	struct post_state post = post_state(service->engine.post);
	struct health health = look_at_health(service, &post);

	health_status(&health, &status);
	if (before[0] == '\0' && strcmp(text_string(&status), service->status) == 0)
		return;
	(void)snprintf(service->status, sizeof service->status, "%s", text_string(&status));
	/* Nobody listens outside systemd: that is fine. */
	(void)sd_notifyf(0, "%sSTATUS=%s", before, text_string(&status));
}

static void ping(struct service *service)
{
	struct post_state post = post_state(service->engine.post);
	struct health health = look_at_health(service, &post);

	if (health_is_alive(&health))
		(void)sd_notify(0, "WATCHDOG=1");
}

/* --- timers ----------------------------------------------------------------------------------
 */

static void arm(sd_event_source *source, uint64_t at)
{
	/* Both fail only for a source that is none: ours live as long as the service. */
	(void)sd_event_source_set_time(source, at);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void arm_boot(struct service *service, sd_event_source *source, int64_t seconds)
{
	uint64_t now = 0;

	(void)sd_event_now(service->event, CLOCK_BOOTTIME, &now);
	arm(source, now + (uint64_t)seconds * second);
}

static void arm_post(struct service *service)
{
	struct post_state state = post_state(service->engine.post);
	int64_t now = boot_seconds(service);

	if (state.deadline == INT64_MAX)
		(void)sd_event_source_set_enabled(service->post_timer, SD_EVENT_OFF);
	else
		arm_boot(service, service->post_timer,
			 state.deadline > now ? state.deadline - now : 1);
}

/* An instant that is past already waits for the poll: it cannot be acted on sooner. */
static void arm_wake(struct service *service, const struct pass_report *report)
{
	struct instant now = clock_now(service->engine.clock);
	uint64_t real = 0;

	(void)sd_event_now(service->event, CLOCK_REALTIME, &real);
	if (report->more)
		arm(service->wake_timer, 0);
	else if (report->proving)
		arm(service->wake_timer, real + PROOF_PAUSE_MICROSECONDS);
	else if (instant_is_never(report->wake) || !instant_before(now, report->wake))
		(void)sd_event_source_set_enabled(service->wake_timer, SD_EVENT_OFF);
	else
		arm(service->wake_timer, (uint64_t)report->wake.seconds * second);
}

/* --- the end ---------------------------------------------------------------------------------
 */

static void finish_if_idle(struct service *service)
{
	struct post_state state = post_state(service->engine.post);

	if (service->stopping && state.busy == 0)
		(void)sd_event_exit(service->event, service->exit_status);
}

/* Lets the senders finish what they have in hand, and then ends with this status. */
static void stop(struct service *service, int status)
{
	service->stopping = true;
	service->exit_status = status;
	tell(service, "STOPPING=1\n");
	post_stop(service->engine.post);
	arm_boot(service, service->stop_timer, STOP_SECONDS);
	finish_if_idle(service);
}

/* --- the cycle -------------------------------------------------------------------------------
 */

/* The disk may have lost what it said it wrote, or not have given what is there; SQLite writes
 * no more to what it once found damaged. Only a new start knows (facts.md 1.1). */
static bool needs_new_start(const struct error *error)
{
	return error->code == EIO || error->code == EBADMSG;
}

static void ledger_failed(struct service *service, const struct error *error)
{
	(void)snprintf(service->trouble, sizeof service->trouble,
		       "the ledger cannot be used: %.200s", error->text);
	if (!service->ledger_told && error->code == EBADMSG)
		journal_send(JOURNAL_LEDGER_FAULT, NULL, 0,
			     "%s: nothing is decided or sent; starting anew, and should that "
			     "not help, put back a backup as challenge-notifyd(8) says",
			     error->text);
	else if (!service->ledger_told)
		journal_send(JOURNAL_LEDGER_FAULT, NULL, 0,
			     "%s: nothing is decided or sent; check the space and the "
			     "permissions of the state folder; trying again at every poll",
			     error->text);
	service->ledger_told = true;
	if (needs_new_start(error))
		(void)sd_event_exit(service->event, SERVICE_COULD_NOT);
}

static void become_ready(struct service *service)
{
	service->ready = true;
	journal_send(JOURNAL_STARTED, NULL, 0,
		     "challenge-notifyd " VERSION " watches %s, configuration %.12s",
		     service->engine.setup.config->store, service->engine.setup.config->digest);
	tell(service, "READY=1\n");
}

/*
 * Whoever waits for the start gets an answer, and systemd its failure: it tries again, and
 * tells an administrator in the end. A wrong clock is waited for, however long: a machine
 * without one of its own gets the time from the network, and is to watch as soon as it has.
 */
static void look_again_or_give_up(struct service *service, enum pass_trouble trouble,
				  int64_t interval)
{
	bool waits_on = trouble == PASS_CLOCK;

	if (waits_on || boot_seconds(service) - service->started < START_SECONDS) {
		arm_boot(service, service->poll_timer,
			 interval < START_POLL ? interval : START_POLL);
		tell(service, waits_on ? wait_for_start : "");
		return;
	}
	journal_send(JOURNAL_START_FAILED, NULL, 0, "gave up starting after %d seconds: %s",
		     START_SECONDS, service->trouble);
	stop(service, SERVICE_COULD_NOT);
}

static void reload(struct service *service)
{
	struct error error = { 0 };

	service->reload[0] = '\0';
	if (!engine_reload(&service->engine, &error))
		(void)snprintf(service->reload, sizeof service->reload,
			       "the last reload was REFUSED, the configuration before it is in "
			       "use: %s",
			       error.text);
}

static void look(struct service *service)
{
	struct pass_report report = { .wake = INSTANT_NEVER };
	struct error error = { 0 };
	int64_t interval;

	if (setup_is_stale(&service->engine.setup))
		reload(service);
	if (engine_cycle(&service->engine, &report, &error) < 0) {
		ledger_failed(service, &error);
	} else {
		service->ledger_told = false;
		service->last_poll = boot_seconds(service);
		service->flood = report.flood;
		service->unwatched = report.proof.broken;
		service->restored = report.restored;
		(void)snprintf(service->trouble, sizeof service->trouble, "%s", report.text);
		(void)snprintf(service->approval, sizeof service->approval, "%s",
			       report.approval);
		service->held_notices = report.held_notices;
	}
	interval = service->engine.setup.config->poll_seconds;
	arm_boot(service, service->poll_timer, interval);
	arm_wake(service, &report);
	arm_post(service);
	if (service->ready)
		tell(service, "");
	else if (service->trouble[0] == '\0' || report.trouble == PASS_DOUBT)
		become_ready(
			service); /* what is doubted was read well: a person must act now */
	else
		look_again_or_give_up(service, report.trouble, interval);
}

/* Everything that one cycle asks of the ledger is asked of one locked file. */
static void cycle(struct service *service)
{
	if (service->stopping)
		return;
	ledger_hold(service->engine.ledger);
	look(service);
	ledger_let_go(service->engine.ledger);
}

static int on_timer(sd_event_source *source, uint64_t at, void *context)
{
	(void)source;
	(void)at;
	cycle(context);
	return 0;
}

static int on_alive(sd_event_source *source, uint64_t at, void *context)
{
	struct service *service = context;

	(void)at;
	ping(service);
	arm_boot(service, source, (int64_t)(service->watchdog / second / 3 + 1));
	return 0;
}

/* --- senders ---------------------------------------------------------------------------------
 */

/* A commit a mail: while mails are with senders the ledger stays held for a moment. */
static void rest(struct service *service, const struct post_state *state)
{
	uint64_t now = 0;

	if (state->busy == 0) {
		ledger_let_go(service->engine.ledger);
		return;
	}
	(void)sd_event_now(service->event, CLOCK_BOOTTIME, &now);
	arm(service->hold_timer, now + HOLD_MICROSECONDS);
}

static int on_hold_timer(sd_event_source *source, uint64_t at, void *context)
{
	struct service *service = context;

	(void)source;
	(void)at;
	ledger_let_go(service->engine.ledger);
	return 0;
}

static void take_results(struct service *service)
{
	struct error error = { 0 };
	struct post_state state;

	ledger_hold(service->engine.ledger);
	if (post_take(service->engine.post, clock_now(service->engine.clock), &error) < 0)
		ledger_failed(service, &error);
	state = post_state(service->engine.post);
	arm_post(service);
	if (state.busy == 0)
		tell(service, ""); /* the poll tells while a queue is being sent */
	rest(service, &state);
	/* An address was refused: its notices are to be rendered for somebody else, now. */
	if (state.fallen_through > 0 && !service->stopping)
		arm(service->wake_timer, 0);
	finish_if_idle(service);
}

static int on_senders(sd_event_source *source, int descriptor, uint32_t events, void *context)
{
	(void)source;
	(void)descriptor;
	(void)events;
	take_results(context);
	return 0;
}

static int on_post_timer(sd_event_source *source, uint64_t at, void *context)
{
	(void)source;
	(void)at;
	take_results(context);
	return 0;
}

static int on_heartbeat(sd_event_source *source, int descriptor, uint32_t events, void *context)
{
	struct service *service = context;

	(void)source;
	(void)descriptor;
	(void)events;
	heartbeat_take(service->engine.heartbeat);
	return 0;
}

/* --- the clock was set -----------------------------------------------------------------------
 */

/* sd-event has no TFD_TIMER_CANCEL_ON_SET (facts.md 1.3); the far end of time never comes. */
static int arm_step(int descriptor)
{
	const struct itimerspec never = { .it_value = { .tv_sec = INT32_MAX } };

	return timerfd_settime(descriptor, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
			       NULL);
}

static int on_clock_step(sd_event_source *source, int descriptor, uint32_t events,
			 void *context)
{
	uint64_t expired;

	(void)source;
	(void)events;
	(void)!read(descriptor, &expired, sizeof expired); /* ECANCELED: that is the news */
	if (arm_step(descriptor) < 0)
		journal_send(JOURNAL_MACHINE_FAULT, NULL, 0,
			     "steps of the clock are noticed at polls only from now on: %s",
			     strerror(errno));
	cycle(context);
	return 0;
}

/* --- signals ---------------------------------------------------------------------------------
 */

static int on_stop_timer(sd_event_source *source, uint64_t at, void *context)
{
	struct service *service = context;
	struct error error = { 0 };

	(void)source;
	(void)at;
	if (post_abandon(service->engine.post, &error) < 0)
		ledger_failed(service, &error);
	return sd_event_exit(service->event, service->exit_status);
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct service *service = context;

	(void)source;
	if (service->stopping)
		return 0;
	journal_send(JOURNAL_STOPPING, NULL, 0, "stopping on signal %u", info->ssi_signo);
	stop(service, SERVICE_DONE);
	return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info,
		     void *context)
{
	struct service *service = context;

	(void)source;
	(void)info;
	if (service->stopping)
		return 0;
	/* While it is still starting READY=1 would be too early, and without it the other is
	 * open.
	 */
	if (service->ready)
		(void)sd_notify(0, "RELOADING=1\nSTATUS=Reading the configuration anew");
	reload(service);
	if (service->ready)
		tell(service, "READY=1\n");
	cycle(service);
	return 0;
}

/* --- wiring ----------------------------------------------------------------------------------
 */

static int add_timer(struct service *service, clockid_t clock, sd_event_time_handler_t handler,
		     bool armed, sd_event_source **ret)
{
	int r = sd_event_add_time(service->event, ret, clock, 0, second / 10, handler, service);

	return r < 0 || armed ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int add_timers(struct service *service)
{
	int r = add_timer(service, CLOCK_BOOTTIME, on_timer, true, &service->poll_timer);

	if (r >= 0)
		r = add_timer(service, CLOCK_REALTIME, on_timer, false, &service->wake_timer);
	if (r >= 0)
		r = add_timer(service, CLOCK_BOOTTIME, on_post_timer, false,
			      &service->post_timer);
	if (r >= 0)
		r = add_timer(service, CLOCK_BOOTTIME, on_stop_timer, false,
			      &service->stop_timer);
	if (r >= 0)
		r = add_timer(service, CLOCK_BOOTTIME, on_hold_timer, false,
			      &service->hold_timer);
	if (r >= 0 && sd_watchdog_enabled(0, &service->watchdog) > 0)
		r = add_timer(service, CLOCK_BOOTTIME, on_alive, true, &service->alive_timer);
	return r;
}

static int add_descriptors(struct service *service)
{
	int r = sd_event_add_io(service->event, &service->senders,
				post_descriptor(service->engine.post), EPOLLIN, on_senders,
				service);

	if (r >= 0)
		r = sd_event_add_io(service->event, &service->heartbeat,
				    heartbeat_descriptor(service->engine.heartbeat), EPOLLIN,
				    on_heartbeat, service);
	if (r < 0)
		return r;
	service->step_descriptor = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (service->step_descriptor < 0 || arm_step(service->step_descriptor) < 0)
		return -errno;
	return sd_event_add_io(service->event, &service->clock_step, service->step_descriptor,
			       EPOLLIN, on_clock_step, service);
}

static int add_signals(struct service *service)
{
	static const struct {
		int signal;
		sd_event_signal_handler_t handler;
	} signals[] = { { SIGTERM, on_stop }, { SIGINT, on_stop }, { SIGHUP, on_reload } };
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < COUNT(signals); i++)
		(void)sigaddset(&set, signals[i].signal);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	for (size_t i = 0; i < COUNT(signals); i++) {
		int r = sd_event_add_signal(service->event, NULL, signals[i].signal,
					    signals[i].handler, service);

		if (r < 0)
			return r;
	}
	return 0;
}

static int loop(struct service *service)
{
	int r = sd_event_new(&service->event);

	service->started = boot_seconds(service);
	if (r >= 0)
		r = add_signals(service);
	if (r >= 0)
		r = add_timers(service);
	if (r >= 0)
		r = add_descriptors(service);
	if (r >= 0)
		r = sd_event_loop(service->event);
	if (r >= 0)
		return r;
	journal_send(JOURNAL_MACHINE_FAULT, NULL, 0, "the event loop failed: %s", strerror(-r));
	return SERVICE_COULD_NOT;
}

static void service_clear(struct service *service)
{
	sd_event_source *const sources[] = { service->poll_timer, service->wake_timer,
					     service->post_timer, service->alive_timer,
					     service->senders,    service->clock_step,
					     service->heartbeat,  service->stop_timer,
					     service->hold_timer };

	for (size_t i = 0; i < COUNT(sources); i++)
		(void)sd_event_source_unref(sources[i]);
	(void)sd_event_unref(service->event);
	if (service->step_descriptor >= 0)
		(void)close(service->step_descriptor);
	engine_close(&service->engine);
}

int service_run(const char *config_file, const struct clock *clock)
{
	struct service service = { .step_descriptor = -1, .last_poll = INT64_MIN };
	int status = engine_open(&service.engine, config_file, clock);

	if (status == SERVICE_DONE)
		status = loop(&service);
	service_clear(&service);
	return status;
}
