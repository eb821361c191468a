/* engine.c - see engine.h. */
#include "service/engine.h"

#include "adapter/journal.h"
#include "adapter/metrics_file.h"
#include "adapter/sender_process.h"
#include "service/crash.h"
#include "service/metrics.h"
#include "service/migration.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* systemd may name several folders, joined by ':'; ours is the first (systemd.exec(5)). */
static char *named_folder(const char *variable, const char *otherwise)
{
	const char *named = getenv(variable);

	if (named != NULL && named[0] != '\0')
		return strndup(named, strcspn(named, ":"));
	return strdup(otherwise);
}

static char *state_folder(const struct config *config)
{
	return named_folder("STATE_DIRECTORY", config->state);
}

static int make_folder(const char *folder, struct error *error)
{
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return error_set(error, errno, "cannot create the state folder %s: %s", folder,
				 strerror(errno));
	return 0;
}

static int open_ledger(struct engine *engine, struct error *error)
{
	CLEANUP(freep) char *folder = state_folder(engine->setup.config);
	int r;

	if (folder == NULL)
		return error_memory(error);
	r = make_folder(folder, error);
	if (r < 0)
		return r;
	r = ledger_lock(folder, &engine->lock, error);
	if (r == -EWOULDBLOCK)
		return error_set(error, EWOULDBLOCK,
				 "another challenge-notifyd works on the state folder %s: stop "
				 "it first",
				 folder);
	if (r < 0)
		return r;
	return migration_open_ledger(folder, engine->clock, &engine->ledger, error);
}

/* Without it everything goes on, but nobody can see when the last good poll was. */
static void open_pulse(struct engine *engine)
{
	static const struct journal_field fields[] = { { "SIGN", "pulse" } };
	CLEANUP(freep) char *state = state_folder(engine->setup.config);
	CLEANUP(freep)
	char *folder = state == NULL ? NULL : named_folder("RUNTIME_DIRECTORY", state);
	struct error error = { 0 };

	if (folder == NULL)
		(void)error_memory(&error);
	else if (pulse_open(folder, state, &engine->pulse, &error) == 0)
		return;
	journal_send(JOURNAL_SIGN_FAULT, fields, COUNT(fields),
		     "challengectl status will not know when the last good poll was: %s",
		     error.text);
}

static void beat(struct engine *engine, const struct pass_report *report)
{
	static const enum pulse_promise promises[] = {
		[PROOF_UNKNOWN] = PULSE_UNKNOWN,
		[PROOF_KEPT] = PULSE_KEPT,
		[PROOF_BROKEN] = PULSE_BROKEN,
	};

	/* One that leaves something undecided for the next is no good poll yet. */
	if (report->trouble != PASS_GOOD || report->more)
		return;
	engine->beat.last_poll = clock_now(engine->clock);
	engine->beat.next = report->wake;
	engine->beat.poll_seconds = engine->setup.config->poll_seconds;
	engine->beat.promise = promises[report->proof.verdict];
	engine->beat.unwatched = report->proof.broken;
	if (engine->pulse != NULL)
		pulse_write(engine->pulse, &engine->beat);
}

/* A poll that decided all there is, and found every open challenge watched. */
static bool all_is_well(const struct pass_report *report)
{
	return report->trouble == PASS_GOOD && !report->more &&
	       report->proof.verdict == PROOF_KEPT;
}

static int write_metrics(const struct engine *engine, const struct pass_report *report,
			 struct error *error)
{
	CLEANUP(text_clear) struct text text = { 0 };
	struct metrics metrics = {
		.config = engine->setup.config,
		.started = engine->beat.started,
		.last_poll = engine->beat.last_poll,
		.next = report->wake,
		.proof = report->proof,
		.heartbeat = heartbeat_state(engine->heartbeat),
		.flood = report->flood,
		.paused = post_is_paused(engine->post),
		.approved = report->approval[0] == '\0',
		.reloaded = !engine->reload_refused,
	};
	int r = ledger_count(engine->ledger, metrics.queue, error);

	if (r == 0)
		r = ledger_total(engine->ledger, &metrics.totals, error);
	if (r < 0)
		return r;
	metrics_render(&metrics, &text);
	if (text_failed(&text))
		return error_memory(error);
	return metrics_file_write(engine->setup.config->metrics, text_string(&text),
				  text.length, error);
}

void engine_metrics(struct engine *engine, const struct pass_report *report)
{
	static const struct journal_field fields[] = { { "SIGN", "metrics" } };
	struct error error = { 0 };
	bool failed;

	if (engine->setup.config->metrics[0] == '\0')
		return;
	failed = write_metrics(engine, report, &error) < 0;
	if (failed && !engine->metrics_failing)
		journal_send(JOURNAL_SIGN_FAULT, fields, COUNT(fields),
			     "the metrics could not be written: %s; trying again every minute",
			     error.text);
	else if (!failed && engine->metrics_failing)
		journal_send(JOURNAL_SIGN_BACK, fields, COUNT(fields),
			     "the metrics are written again");
	engine->metrics_failing = failed;
}

static void keep_metrics(struct engine *engine, const struct pass_report *report)
{
	int64_t boot = engine->clock->boot_seconds(engine->clock->self);

	if (boot < engine->metrics_due)
		return;
	engine->metrics_due = boot + METRICS_SECONDS;
	engine_metrics(engine, report);
}

static void close_pulse(struct engine *engine)
{
	engine->beat.ended = clock_now(engine->clock);
	pulse_write(engine->pulse, &engine->beat);
	pulse_close(engine->pulse);
}

static struct world world_of(const struct engine *engine)
{
	return (struct world){
		.config = engine->setup.config,
		.languages = engine->setup.languages,
		.ledger = engine->ledger,
		.clock = engine->clock,
	};
}

static int open_work(struct engine *engine, struct error *error)
{
	CLEANUP(freep) char *program = sender_process_program();
	struct world world = world_of(engine);
	int r;

	if (program == NULL)
		return error_memory(error);
	r = heartbeat_create(program, engine->clock, &engine->heartbeat, error);
	if (r == 0)
		r = heartbeat_configure(engine->heartbeat, &engine->setup.config->heartbeat,
					error);
	if (r == 0)
		r = pass_create(&world, &engine->pass, error);
	if (r < 0)
		return r;
	return post_create(&world, program, &engine->post, error);
}

int engine_open(struct engine *engine, const char *config_file, const struct clock *clock)
{
	CLEANUP(fault_list_clear) struct fault_list faults = { 0 };
	struct error error = { 0 };

	*engine = (struct engine){ .clock = clock, .config_file = config_file, .lock = -1 };
	if (setup_load(config_file, &engine->setup, &faults, &error) < 0) {
		setup_log_faults(&faults);
		if (faults.machine || faults.incomplete || error.code == ENOMEM) {
			/* Not for a person to correct: systemd is to start it again. */
			journal_send(JOURNAL_CONFIG_FAULT, NULL, 0,
				     "cannot start: the configuration could not be read just "
				     "now; trying again helps once the machine can");
			return SERVICE_COULD_NOT;
		}
		journal_send(JOURNAL_CONFIG_FAULT, NULL, 0,
			     "%s: %s; run challengectl check, correct it and start again",
			     config_file, error.text);
		return SERVICE_CONFIG;
	}
	if (open_ledger(engine, &error) == -EPROTO) {
		/* Nor does trying again help here. */
		journal_send(JOURNAL_LEDGER_NEWER, NULL, 0,
			     "cannot start: %s; install that version again, or put the "
			     "ledger's copy of before the upgrade in its place",
			     error.text);
		return SERVICE_CONFIG;
	}
	if (error.code != 0 || open_work(engine, &error) < 0) {
		journal_send(JOURNAL_LEDGER_FAULT, NULL, 0, "cannot start: %s", error.text);
		return SERVICE_COULD_NOT;
	}
	engine->beat =
		(struct pulse_beat){ .pid = getpid(),
				     .started = clock_now(clock),
				     .last_poll = INSTANT_NEVER,
				     .next = INSTANT_NEVER,
				     .ended = INSTANT_NEVER,
				     .poll_seconds = engine->setup.config->poll_seconds };
	open_pulse(engine);
	if (engine->pulse != NULL) /* that there was no good poll yet is worth knowing, too */
		pulse_write(engine->pulse, &engine->beat);
	engine->worked = true; /* reading files and templates takes more than it leaves */
	return SERVICE_DONE;
}

void engine_close(struct engine *engine)
{
	if (engine->pulse != NULL)
		close_pulse(engine);
	heartbeat_destroy(engine->heartbeat);
	post_destroy(engine->post);
	pass_destroy(engine->pass);
	ledger_close(engine->ledger);
	if (engine->lock >= 0)
		(void)close(engine->lock);
	setup_clear(&engine->setup);
	*engine = (struct engine){ .lock = -1 };
}

/* Mails that a killed daemon had in hand; done under a sane clock only, for it writes times. */
static int recover(struct engine *engine, struct error *error)
{
	size_t doubts = 0;
	int r;

	if (engine->recovered)
		return 0;
	r = ledger_recover(engine->ledger, clock_now(engine->clock), &doubts, error);
	if (r < 0)
		return r;
	if (doubts > 0)
		journal_send(JOURNAL_IN_DOUBT, NULL, 0,
			     "%zu %s with a sender when the daemon ended: in doubt", doubts,
			     text_plural((int64_t)doubts, "mail was", "mails were"));
	engine->recovered = true;
	crash_point("recovered");
	return 0;
}

static bool holidays_end_soon(const struct config *config, struct instant now)
{
	int32_t today = (int32_t)(now.seconds / SECONDS_PER_DAY);

	for (size_t i = 0; i < config->calendar_count; i++) {
		int32_t until = calendar_plan(config->calendars[i].calendar)->covered_until;

		if (until != INT32_MAX && until - today < PASS_HORIZON_DAYS)
			return true;
	}
	return false;
}

/* A daemon that has just begun does not know of a pause: only that nothing waits shows that the
 * relay is well. */
static int64_t relay_trouble(const struct engine *engine, const int64_t *counts)
{
	if (post_is_paused(engine->post))
		return 1;
	return counts[DELIVERY_READY] + counts[DELIVERY_ATTEMPTING] > 0 ? ALARM_UNKNOWN : 0;
}

int engine_alarm(struct engine *engine, const struct pass_report *report, struct error *error)
{
	struct instant now = clock_now(engine->clock);
	int64_t counts[DELIVERY_STATE_COUNT] = { 0 };
	int64_t levels[ALARM_KINDS] = { 0 };
	struct world world = world_of(engine);
	size_t mails = 0;
	int r = ledger_count(engine->ledger, counts, error);

	if (r < 0)
		return r;
	levels[ALARM_PAUSED] = relay_trouble(engine, counts);
	/* What waits for an approval, or since a copy was put back, is an alarm of its own. */
	levels[ALARM_RESTORED] = report->restored ? report->flood : 0;
	levels[ALARM_HELD] =
		counts[DELIVERY_HELD] - report->held_notices - levels[ALARM_RESTORED];
	levels[ALARM_STORE] = report->trouble == PASS_STORE;
	levels[ALARM_BEHIND] = report->trouble == PASS_DOUBT;
	levels[ALARM_RELOAD] = engine->reload_refused;
	if (report->approval[0] != '\0')
		levels[ALARM_APPROVAL] = report->held_notices > 0 ? report->held_notices : 1;
	levels[ALARM_HOLIDAYS] = holidays_end_soon(engine->setup.config, now);
	levels[ALARM_ORPHANS] = (int64_t)report->orphans;
	levels[ALARM_PROMISE] =
		report->proof.verdict == PROOF_UNKNOWN ? ALARM_UNKNOWN : report->proof.broken;
	return alarm_look(&engine->alarms, &world, levels, now, &mails, error);
}

/* A batch of mails takes more than all that stays; once nothing is left to do, it goes. */
static void give_back(struct engine *engine, const struct pass_report *report)
{
	engine->worked = engine->worked || report->more || report->proved ||
			 report->mails > 0 ||
			 report->decided + report->not_sent + report->adopted > 0;
	if (!engine->worked || report->more || report->proving)
		return;
	pass_give_back(engine->pass);
	(void)malloc_trim(0); /* whether there was any makes no difference */
	engine->worked = false;
}

int engine_cycle(struct engine *engine, struct pass_report *ret, struct error *error)
{
	struct pass_report report;
	int r;

	crash_point("cycle begins");
	r = pass_run(engine->pass, &report, error);
	if (r < 0)
		return r;
	if (report.trouble == PASS_CLOCK) {
		post_allow(engine->post, false);
	} else {
		r = recover(engine, error);
		/* Not sooner: what is given out before would be taken for what was left. */
		if (r == 0)
			post_allow(engine->post, true);
		if (r == 0)
			r = engine_alarm(engine, &report, error);
		if (r < 0)
			return r;
		r = post_run(engine->post, clock_now(engine->clock), error);
		if (r < 0)
			return r;
	}
	beat(engine, &report);
	heartbeat_take(engine->heartbeat); /* one that hangs says nothing by itself */
	if (all_is_well(&report))
		heartbeat_run(engine->heartbeat);
	/* Figures of the first proof are worth the wait. */
	if (!report.proving || report.proof.verdict != PROOF_UNKNOWN)
		keep_metrics(engine, &report);
	give_back(engine, &report);
	*ret = report;
	return 0;
}

/* Each part takes the new one on or stays as it was; they are asked in an order in which a
 * failure (memory, the ledger) leaves only older ones behind. */
static int take_on(struct engine *engine, struct setup *setup, struct error *error)
{
	struct setup before = engine->setup;
	struct world world;
	int r;

	engine->setup = *setup;
	world = world_of(engine);
	r = pass_configure(engine->pass, &world, error);
	if (r >= 0)
		r = heartbeat_configure(engine->heartbeat, &engine->setup.config->heartbeat,
					error);
	/* The last, since it cannot be asked to go back: it points into what it took on. */
	if (r >= 0)
		r = post_configure(engine->post, &world, error);
	if (r < 0) {
		struct error ignored = { 0 };

		engine->setup = before;
		world = world_of(engine);
		/* The older one was taken on before; should even that fail, the pass keeps
		 * its `reread` and the next reload tries again. */
		if (pass_configure(engine->pass, &world, &ignored) < 0 ||
		    heartbeat_configure(engine->heartbeat, &before.config->heartbeat,
					&ignored) < 0)
			journal_send(JOURNAL_LEDGER_FAULT, NULL, 0, "%s", ignored.text);
		return r;
	}
	*setup = before; /* to be freed by the caller */
	return 0;
}

void engine_note(struct engine *engine, const char *kind)
{
	struct error ignored = { 0 };
	char payload[200];

	/* The digest is hexadecimal: nothing here needs quoting. */
	(void)snprintf(payload, sizeof payload,
		       "{\"version\": \"" VERSION "\", \"configuration\": \"%.64s\"}",
		       engine->setup.config->digest);
	if (ledger_note(engine->ledger, kind, payload, post_now(engine->post), &ignored) < 0)
		journal_send(JOURNAL_LEDGER_FAULT, NULL, 0, "%s", ignored.text);
}

bool engine_reload(struct engine *engine, struct error *error)
{
	CLEANUP(fault_list_clear) struct fault_list faults = { 0 };
	CLEANUP(setup_clear) struct setup setup = { 0 };
	int r = setup_load(engine->config_file, &setup, &faults, error);

	if (r == 0)
		r = take_on(engine, &setup, error);
	engine->reload_refused = r < 0;
	if (r < 0) {
		setup_log_faults(&faults);
		journal_send(JOURNAL_RELOAD_REFUSED, NULL, 0,
			     "the new configuration was refused, the one in use goes on: %s",
			     error->text);
		return false;
	}
	if (engine->recovered) /* the clock has been found sane: times may be written */
		engine_note(engine, "reloaded");
	journal_send(JOURNAL_RELOADED, NULL, 0, "configuration %.12s is in use",
		     engine->setup.config->digest);
	engine->worked = true;
	engine->metrics_due = INT64_MIN;
	return true;
}
