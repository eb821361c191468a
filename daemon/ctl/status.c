/*
 * status.c - `challengectl status`: is it running, is it up to date, what is open, what waits,
 * and what is wrong, with what to do about it; on one screen.
 */
#include "adapter/ledger_care.h"
#include "adapter/pulse.h"
#include "base/list.h"
#include "core/promise.h"
#include "ctl/commands.h"
#include "ctl/entry.h"
#include "ctl/ledger_access.h"
#include "ctl/lookup.h"
#include "ctl/standing.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	LATE_SECONDS = 300,        /* what was due longer ago is waited for too long */
	HOLIDAY_NOTICE_DAYS = 180, /* as `check` warns */
	PROBLEMS_MOST = 64,
	UNWATCHED_MOST = 100, /* that are named */
	SLICE = 1000,         /* challenges whose plans are asked for at once */
	POLLS_MISSED = 3,     /* then the last good poll is too long ago */
	POLL_PATIENCE = 60,   /* seconds; short intervals get some air */
};

struct problem {
	char what[300];
	const char *advice;
};

/* An open challenge that nothing is to come for. */
struct unwatched {
	char name[100];
	enum promise promise;
};

struct status {
	struct ctl *ctl;
	struct instant now;
	bool running;
	bool has_pulse;
	struct pulse_beat pulse;
	struct ledger *ledger;
	bool ledger_known; /* the ledger could be read */
	bool store_known;
	struct instant written; /* when the daemon last wrote something; INT64_MIN: never */
	struct instant next;
	struct text in_force; /* digest of the daemon's configuration */
	struct text approved; /* digest of the one that was approved; "": none is recorded */
	int64_t seen;         /* the last change of the store that the daemon has looked at */
	int64_t changes;      /* the last one there is */
	int64_t queue[DELIVERY_STATE_COUNT];
	int64_t doubted; /* 1: the store is not the one that the ledger knows */
	bool is_copy;    /* the ledger is one that was put back, and nobody has run on it */
	struct ledger_flood flood;
	size_t open;
	size_t due; /* with a limit that ends by the close of the next working day */
	size_t overdue;
	size_t unwatched_count; /* of them `forgotten` have a policy and can be read */
	size_t forgotten;
	struct unwatched unwatched[UNWATCHED_MOST];
	size_t unreadable;
	size_t unsound;
	char unsound_first[140]; /* of these: its reference and the column */
	size_t no_policy;
	size_t not_raised;
	struct problem problem[PROBLEMS_MOST];
	size_t problem_count;
};

static void status_clear(struct status *status)
{
	text_clear(&status->in_force);
	text_clear(&status->approved);
	ledger_close(status->ledger);
}

/* `advice` is a sentence that is kept, not copied. Past the most there is one look is enough.
 */
static void add_problem(struct status *status, const char *advice, const char *format, ...)
	PRINTF_LIKE(3, 4);
static void add_problem(struct status *status, const char *advice, const char *format, ...)
{
	va_list arguments;
	struct problem *problem = &status->problem[status->problem_count];

	if (status->problem_count == PROBLEMS_MOST)
		return;
	va_start(arguments, format);
	(void)vsnprintf(problem->what, sizeof problem->what, format, arguments); /* cut: fine */
	va_end(arguments);
	problem->advice = advice;
	status->problem_count++;
}

/* --- what is looked at ----------------------------------------------------------------------
 */

struct look {
	struct instant soon;
	bool due;
};

static void look_at_owed(void *context, const struct owed *owed)
{
	struct look *look = context;

	if (!instant_is_never(owed->due) && !instant_before(look->soon, owed->due))
		look->due = true;
}

/* When the next working day closes; in a calendar that has no more of them, now. */
static struct instant next_close(const struct calendar *calendar, struct instant now)
{
	int32_t day;

	if (calendar_step_days(calendar, calendar_day(calendar, now), 1, &day) < 0)
		return now;
	return calendar_closes(calendar, day);
}

static void count_open(struct status *status, const struct standing *standing,
		       const struct timeline *timeline)
{
	struct look look = { next_close(standing->policy->calendar, status->now), false };

	status->open++;
	timeline_owed(timeline, look_at_owed, &look);
	if (standing->state.overdue)
		status->overdue++;
	else if (look.due)
		status->due++;
}

static void note_unwatched(struct status *status, int64_t id, const struct challenge *challenge,
			   enum promise promise)
{
	struct unwatched *one = &status->unwatched[status->unwatched_count];

	status->forgotten += promise > PROMISE_NO_POLICY;
	if (status->unwatched_count++ >= UNWATCHED_MOST)
		return;
	one->promise = promise;
	if (challenge == NULL)
		(void)snprintf(one->name, sizeof one->name, "id %lld", (long long)id);
	else
		(void)snprintf(one->name, sizeof one->name, "%s", challenge->reference);
}

/*
 * The daemon's plans are held against the promise as the daemon itself does, where they were
 * made by this configuration and after the last change. That nothing runs is a problem of its
 * own.
 */
static int judge_promise(struct status *status, const struct challenge *challenge, int64_t id,
			 struct promise_facts *facts, struct error *error)
{
	struct ledger_notice *pending = NULL;
	size_t count = 0;
	enum promise promise;
	int result = 0;

	if (status->ledger == NULL || status->doubted != 0 ||
	    strcmp(text_string(&status->in_force), status->ctl->config->digest) != 0 ||
	    (challenge != NULL && challenge->change_seq > status->seen))
		return 0;
	promise = promise_judge(facts, status->now);
	if (promise == PROMISE_SILENT)
		result = ledger_pending(status->ledger, id, &pending, &count, error);
	ledger_notices_free(pending, count);
	if (result >= 0 && count == 0 && !promise_is_kept(promise) &&
	    (promise != PROMISE_OVERDUE || status->running))
		note_unwatched(status, id, challenge, promise);
	return result < 0 ? result : 0;
}

static void note_unsound(struct status *status, const struct challenge *challenge)
{
	if (challenge->unsound != NULL && status->unsound++ == 0)
		(void)snprintf(status->unsound_first, sizeof status->unsound_first,
			       "%.100s: %s", challenge->reference,
			       challenge->unsound); /* cut is fine */
}

static int count_challenge(struct status *status, const struct standing *standing,
			   const struct challenge *challenge, struct timeline *timeline,
			   struct instant planned, struct error *error)
{
	struct promise_facts facts = { .readable = true };
	int result = 0;

	note_unsound(status, challenge);
	if (standing->policy == NULL) {
		status->no_policy++;
	} else if (instant_is_never(standing->raised)) {
		status->not_raised++;
		return 0;
	} else if (!standing->state.ended) {
		count_open(status, standing, timeline);
		result = promise_read(timeline, &facts, error);
	} else {
		return 0;
	}
	facts.look = planned;
	return result < 0 ? result
			  : judge_promise(status, challenge, challenge->id, &facts, error);
}

static int look_at_challenge(struct status *status, struct store *store,
			     struct timeline *timeline, int64_t id, struct instant planned,
			     struct error *error)
{
	struct promise_facts unreadable = { .look = planned };
	struct challenge *challenge = NULL;
	struct standing standing;
	struct error why = { 0 };
	int result = store_challenge(store, id, &challenge, &why);

	if (result < 0)
		return error_set(error, why.code, "%s", why.text);
	if (result == 0)
		return 0;
	if (challenge == NULL) {
		status->unreadable++;
		return judge_promise(status, NULL, id, &unreadable, error);
	}
	result = standing_find(status->ctl->config, timeline, challenge, status->now, &standing,
			       error);
	return result < 0 ? result
			  : count_challenge(status, &standing, challenge, timeline, planned,
					    error);
}

/* The next ids and the daemon's plans for them. */
static int read_slice(const struct status *status, struct store *store, int64_t from,
		      int64_t ids[static SLICE], struct instant plans[static SLICE],
		      size_t *ret_count, struct error *error)
{
	int result = store_ids(store, from, SLICE, ids, ret_count, error);

	if (result < 0 || status->ledger == NULL)
		return result;
	return ledger_plans(status->ledger, ids, *ret_count, plans, error);
}

static int walk_store(struct status *status, struct store *store, struct error *error)
{
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	CLEANUP(progress_end)
	struct progress progress = progress_begin(status->ctl, "challenges");
	struct instant plans[SLICE] = { 0 };
	int64_t ids[SLICE];
	int64_t from = INT64_MIN;
	size_t count = 0;
	size_t done = 0;
	int result = timeline == NULL ? error_memory(error) : 0;

	while (result == 0) {
		result = read_slice(status, store, from, ids, plans, &count, error);
		for (size_t i = 0; i < count && result >= 0; i++) {
			progress_step(&progress, ++done);
			result = look_at_challenge(status, store, timeline, ids[i], plans[i],
						   error);
		}
		if (result < 0 || count < SLICE || ids[count - 1] == INT64_MAX)
			break;
		from = ids[count - 1] + 1;
	}
	return result;
}

static void look_at_store(struct status *status)
{
	CLEANUP(store_closep) struct store *store = NULL;
	struct error error = { 0 };
	int result = store_open(status->ctl->config->store, &store, &error);

	if (result >= 0)
		result = store_begin(store, &error);
	if (result >= 0) {
		result = store_change_seq(store, &status->changes, &error);
		if (result >= 0)
			result = walk_store(status, store, &error);
		store_end(store);
	}
	if (result < 0) {
		add_problem(status,
			    error.code == ENOENT ? "Make it with: challengectl init"
						 : "Check the file, and the permissions of it "
						   "and of its folder.",
			    "the store cannot be read: %s", error.text);
		return;
	}
	status->store_known = true;
	if (store_is_wal(store))
		add_problem(status, "Switch it back: PRAGMA journal_mode = TRUNCATE",
			    "the store was switched to WAL, which risks damage");
}

static int read_ledger(struct status *status, struct ledger *ledger, struct error *error)
{
	struct instant copied;
	int result = ledger_latest(ledger, &status->written, error);

	if (result >= 0)
		result = ledger_next_wake(ledger, &status->next, error);
	if (result >= 0)
		result = ledger_get(ledger, "configuration", &status->in_force, error);
	if (result >= 0)
		result = ledger_get(ledger, "approved", &status->approved, error);
	if (result >= 0)
		result = ledger_get_number(ledger, "change_seq", &status->seen, error);
	if (result >= 0)
		result = ledger_count(ledger, status->queue, error);
	if (result >= 0)
		result = ledger_flood(ledger, &status->flood, error);
	if (result >= 0)
		result = ledger_is_copy(ledger, &copied, error);
	status->is_copy = result == 1;
	if (result >= 0)
		result = ledger_get_number(ledger, LEDGER_STORE_DOUBTED, &status->doubted,
					   error);
	return result;
}

/* In the runtime folder, or where there was none in the state folder: the later one counts. */
static void look_at_pulse(struct status *status)
{
	const char *runtime = getenv("RUNTIME_DIRECTORY");
	const char *state = ctl_state_folder(status->ctl->config);
	const char *const folders[] = { runtime != NULL && runtime[0] != '\0' ? runtime
									      : PULSE_FOLDER,
					state };

	for (size_t i = 0; i < COUNT(folders); i++) {
		struct error error = { 0 };
		struct pulse_beat beat;
		int result = pulse_read(folders[i], state, &beat, &error);

		/* Who may not read the state folder is told so of the ledger. */
		if (result < 0 && result != -EACCES)
			add_problem(status,
				    "It is made anew when the daemon starts: systemctl restart "
				    "challenge-notifyd",
				    "when the last good poll was cannot be read: %s",
				    error.text);
		if (result != 1 ||
		    (status->has_pulse && beat.started.seconds < status->pulse.started.seconds))
			continue;
		status->pulse = beat;
		status->has_pulse = true;
	}
}

static void look_at_ledger(struct status *status)
{
	const char *folder = ctl_state_folder(status->ctl->config);
	struct error error = { 0 };
	int result = ledger_is_running(folder, &status->running, &error);

	if (result >= 0 && !status->running)
		add_problem(status,
			    "Start it: systemctl start challenge-notifyd; why it stopped: "
			    "journalctl -u challenge-notifyd",
			    "challenge-notifyd is not running: nobody is told of anything");
	if (result >= 0)
		result = ledger_open(folder, LEDGER_READ, &status->ledger, &error);
	if (result >= 0)
		result = read_ledger(status, status->ledger, &error);
	if (result >= 0)
		status->ledger_known = true;
	else
		add_problem(status,
			    ctl_ledger_advice(error.code)[0] != '\0'
				    ? ctl_ledger_advice(error.code)
				    : "Check the file and its folder.",
			    "the ledger cannot be read: %s", error.text);
}

/* --- what is wrong --------------------------------------------------------------------------
 */

/* Seconds since the last good poll; -1: none is known. */
static int64_t poll_age(const struct status *status)
{
	int64_t age;

	if (!status->has_pulse || instant_is_never(status->pulse.last_poll))
		return -1;
	age = status->now.seconds - status->pulse.last_poll.seconds;
	return age < 0 ? 0 : age;
}

static bool poll_is_stale(const struct status *status)
{
	int64_t patience = POLLS_MISSED * status->pulse.poll_seconds;
	/* None yet: that has lasted since the daemon began. */
	struct instant since = instant_is_never(status->pulse.last_poll)
				       ? status->pulse.started
				       : status->pulse.last_poll;

	if (patience < POLL_PATIENCE)
		patience = POLL_PATIENCE;
	return status->has_pulse && status->now.seconds - since.seconds >= patience;
}

static void judge_poll(struct status *status)
{
	static const char advice[] =
		"What is wrong: systemctl status challenge-notifyd, and journalctl -x -u "
		"challenge-notifyd";

	if (!status->running || !poll_is_stale(status))
		return;
	if (instant_is_never(status->pulse.last_poll))
		add_problem(status, advice, "there was no good poll since the daemon began");
	else
		add_problem(status, advice, "the last good poll was %lld %s ago",
			    (long long)poll_age(status),
			    text_plural(poll_age(status), "second", "seconds"));
}

static void judge_challenges(struct status *status)
{
	if (status->forgotten > 0)
		add_problem(
			status,
			"Any entry has a challenge looked at again at once: challengectl "
			"record; then see journalctl -x -u challenge-notifyd, and report it.",
			"%zu open %s not watched: nobody would be told of %s",
			status->forgotten,
			text_plural((int64_t)status->forgotten, "challenge is",
				    "challenges are"),
			text_plural((int64_t)status->forgotten, "it", "them"));
	if (status->unreadable > 0)
		add_problem(
			status, "The journal names them: journalctl -u challenge-notifyd",
			"%zu %s cannot be read", status->unreadable,
			text_plural((int64_t)status->unreadable, "challenge", "challenges"));
	if (status->unsound > 0)
		add_problem(status,
			    "They are watched all the same. Correct the value in the store; in "
			    "an event, void it and record it again.",
			    "%zu %s a value that is not fit to be read and counts as unknown "
			    "(first %s)",
			    status->unsound,
			    text_plural((int64_t)status->unsound, "challenge has",
					"challenges have"),
			    status->unsound_first);
	if (status->no_policy > 0)
		add_problem(status,
			    "challengectl list shows them; put that version of the policy "
			    "back into the folder of policies.",
			    "%zu %s a policy that is not loaded: no clock runs for %s",
			    status->no_policy,
			    text_plural((int64_t)status->no_policy, "challenge names",
					"challenges name"),
			    text_plural((int64_t)status->no_policy, "it", "them"));
	if (status->not_raised > 0)
		add_problem(status, "challengectl list shows them; record: raised",
			    "%zu %s never raised: no clock runs for %s", status->not_raised,
			    text_plural((int64_t)status->not_raised, "challenge was",
					"challenges were"),
			    text_plural((int64_t)status->not_raised, "it", "them"));
}

static void judge_progress(struct status *status)
{
	if (!status->ledger_known)
		return;
	if (status->running && status->store_known && status->seen < status->changes)
		add_problem(status,
			    "It looks at every poll; if this stays, see systemctl status "
			    "challenge-notifyd.",
			    "%lld %s not looked at yet",
			    (long long)(status->changes - status->seen),
			    text_plural(status->changes - status->seen,
					"change of the store was",
					"changes of the store were"));
	if (status->running &&
	    instant_before(instant_add(status->next, LATE_SECONDS), status->now))
		add_problem(status, "See systemctl status challenge-notifyd.",
			    "what was to happen earlier has not happened yet");
	if (instant_before(instant_add(status->now, LATE_SECONDS), status->written))
		add_problem(status, "Set the clock; all goes on by itself then.",
			    "the clock is behind what the daemon has written: nothing is sent");
	if (status->doubted != 0)
		add_problem(status,
			    "Put the right one back, or confirm this one: challengectl approve "
			    "store",
			    "the store is an older copy, or another one, than the daemon has "
			    "seen: nothing is decided");
	if (status->is_copy)
		add_problem(status,
			    "Start the daemon: it holds what may have been sent, and says so.",
			    "the ledger is a copy that was put back: what went out after it "
			    "was made is not in it");
	if (status->flood.holds)
		add_problem(status,
			    "challengectl explain shows them; let them go: challengectl queue "
			    "release --all; leave them unsent: challengectl adopt",
			    instant_is_never(status->flood.until)
				    ? "far more fell due than usual: notices are held"
				    : "the ledger was put back from a copy: notices that may "
				      "have been sent are held");
	if (status->queue[DELIVERY_HELD] > 0)
		add_problem(status,
			    "challengectl queue list --state held shows them; release or "
			    "cancel each.",
			    "%lld %s held for a person",
			    (long long)status->queue[DELIVERY_HELD],
			    text_plural(status->queue[DELIVERY_HELD], "mail or notice is",
					"mails or notices are"));
	if (status->queue[DELIVERY_RETRY] > 0)
		add_problem(status,
			    "challengectl queue list --state retry shows the relay's words.",
			    "%lld %s tried again", (long long)status->queue[DELIVERY_RETRY],
			    text_plural(status->queue[DELIVERY_RETRY],
					"mail was not taken by the relay and is",
					"mails were not taken by the relay and are"));
	if (status->queue[DELIVERY_IN_DOUBT] > 0)
		add_problem(status, "Each is sent once more by itself, then held.",
			    "of %lld %s", (long long)status->queue[DELIVERY_IN_DOUBT],
			    text_plural(status->queue[DELIVERY_IN_DOUBT],
					"mail it is in doubt whether the relay has it",
					"mails it is in doubt whether the relay has them"));
}

static void judge_configuration(struct status *status)
{
	const struct config *config = status->ctl->config;
	const char *in_force = text_string(&status->in_force);
	const char *approved = text_string(&status->approved);

	if (status->ledger_known && in_force[0] != '\0' &&
	    strcmp(in_force, config->digest) != 0)
		add_problem(status, "Load them: systemctl reload challenge-notifyd",
			    "the configuration files are not those that the daemon uses");
	if (approved[0] != '\0' && in_force[0] != '\0' && strcmp(in_force, approved) != 0)
		add_problem(status,
			    "Look at what it changes, then: challengectl approve DIGEST",
			    "the configuration in force is not approved: what it alone makes "
			    "due is held");
	for (size_t i = 0; i < config->calendar_count; i++) {
		const struct named_calendar *named = &config->calendars[i];
		int32_t until = calendar_plan(named->calendar)->covered_until;
		char day[DAY_TEXT_SIZE];

		if (until == INT32_MAX ||
		    until - calendar_day(named->calendar, status->now) > HOLIDAY_NOTICE_DAYS)
			continue;
		add_problem(status,
			    "Fetch the new one: scripts/update-holidays, or "
			    "https://www.gov.uk/bank-holidays.json",
			    "the holidays of \"%s\" are known until %s only", named->id,
			    day_format(until, day));
	}
}

/* --- shown ----------------------------------------------------------------------------------
 */

static json_t *queue_json(const struct status *status)
{
	json_t *queue = json_object();

	for (int i = 0; i < DELIVERY_STATE_COUNT; i++)
		if (json_object_set_new(queue, delivery_state_name((enum delivery_state)i),
					json_integer(status->queue[i])) < 0) {
			json_decref(queue);
			return NULL;
		}
	return queue;
}

static json_t *problems_json(const struct status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; i < status->problem_count; i++)
		if (json_array_append_new(list, json_pack("{s:s, s:s}", "what",
							  status->problem[i].what, "do",
							  status->problem[i].advice)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *holidays_json(const struct config *config)
{
	json_t *list = json_array();

	for (size_t i = 0; i < config->calendar_count; i++) {
		int32_t until = calendar_plan(config->calendars[i].calendar)->covered_until;
		char day[DAY_TEXT_SIZE];

		if (json_array_append_new(
			    list, json_pack("{s:s, s:s?}", "calendar", config->calendars[i].id,
					    "known_until",
					    until == INT32_MAX ? NULL
							       : day_format(until, day))) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *unwatched_json(const struct status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; i < status->unwatched_count && i < UNWATCHED_MOST; i++)
		if (json_array_append_new(
			    list,
			    json_pack("{s:s, s:s}", "challenge", status->unwatched[i].name,
				      "why", promise_reason(status->unwatched[i].promise))) <
		    0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *poll_json(const struct status *status)
{
	static const char *const promises[] = {
		[PULSE_UNKNOWN] = "unknown",
		[PULSE_KEPT] = "kept",
		[PULSE_BROKEN] = "broken",
	};
	const struct pulse_beat *pulse = &status->pulse;
	const struct calendar *calendar = status->ctl->config->calendars[0].calendar;
	bool ever = poll_age(status) >= 0;

	if (!status->has_pulse)
		return json_null();
	return json_pack("{s:o, s:o, s:b, s:I, s:o, s:s}", "last_good",
			 ever ? instant_json(calendar, pulse->last_poll) : json_null(),
			 "seconds_ago", ever ? json_integer(poll_age(status)) : json_null(),
			 "stale", poll_is_stale(status), "pid", (json_int_t)pulse->pid,
			 "started", instant_json(calendar, pulse->started), "promise",
			 promises[pulse->promise]);
}

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *moment_json(const struct status *status, struct instant at)
{
	if (!status->ledger_known || at.seconds == INT64_MIN)
		return json_null();
	return instant_json(status->ctl->config->calendars[0].calendar, at);
}

static json_t *status_json(const struct status *status)
{
	return json_pack("{s:b, s:o, s:o, s:o, s:{s:I, s:I}, s:{s:I, s:I, s:I}, s:o, s:o,"
			 " s:{s:s, s:o, s:o}, s:o, s:o}",
			 "running", status->running, "poll", poll_json(status), "last_written",
			 moment_json(status, status->written), "next_event",
			 moment_json(status, status->next), "store", "changes",
			 (json_int_t)status->changes, "seen", (json_int_t)status->seen,
			 "challenges", "open", (json_int_t)status->open, "due",
			 (json_int_t)status->due, "overdue", (json_int_t)status->overdue,
			 "unwatched", unwatched_json(status), "queue", queue_json(status),
			 "configuration", "files", status->ctl->config->digest, "in_force",
			 text_or_null(text_string(&status->in_force)), "approved",
			 text_or_null(text_string(&status->approved)), "holidays",
			 holidays_json(status->ctl->config), "problems", problems_json(status));
}

static void print_ledger(const struct status *status)
{
	FILE *out = status->ctl->out;
	char when[WHEN_TEXT_SIZE];

	(void)fprintf(out, "Service        %s\n", status->running ? "running" : "NOT running");
	if (poll_age(status) >= 0)
		(void)fprintf(out, "Last good poll %s, %lld %s ago%s\n",
			      ctl_when(status->ctl, status->pulse.last_poll, when),
			      (long long)poll_age(status),
			      text_plural(poll_age(status), "second", "seconds"),
			      status->running && poll_is_stale(status) ? ": STALE" : "");
	else if (status->has_pulse)
		(void)fprintf(out, "Last good poll none since %s\n",
			      ctl_when(status->ctl, status->pulse.started, when));
	if (!status->ledger_known)
		return;
	(void)fprintf(out, "Last written   %s\n",
		      status->written.seconds == INT64_MIN
			      ? "never"
			      : ctl_when(status->ctl, status->written, when));
	if (status->store_known)
		(void)fprintf(out, "Store          change %lld of %lld looked at\n",
			      (long long)status->seen, (long long)status->changes);
	(void)fprintf(out, "Next event     %s\n", ctl_when(status->ctl, status->next, when));
	(void)fprintf(out, "Queue         ");
	for (int i = 0; i < DELIVERY_STATE_COUNT; i++)
		if (status->queue[i] > 0)
			(void)fprintf(out, " %s %lld",
				      delivery_state_name((enum delivery_state)i),
				      (long long)status->queue[i]);
	(void)fprintf(out, "\n");
}

static void print_unwatched(const struct status *status)
{
	FILE *out = status->ctl->out;

	for (size_t i = 0; i < status->unwatched_count && i < UNWATCHED_MOST; i++)
		(void)fprintf(out, "Not watched    %s: %s\n", status->unwatched[i].name,
			      promise_reason(status->unwatched[i].promise));
	if (status->unwatched_count > UNWATCHED_MOST)
		(void)fprintf(out, "Not watched    and %zu more\n",
			      status->unwatched_count - UNWATCHED_MOST);
}

static void print_configuration(const struct status *status)
{
	const struct config *config = status->ctl->config;
	const char *in_force = text_string(&status->in_force);
	const char *approved = text_string(&status->approved);
	FILE *out = status->ctl->out;

	(void)fprintf(out, "Configuration  %s\n", config->file);
	(void)fprintf(out, "  files        %.16s\n", config->digest);
	(void)fprintf(out, "  in force     %.16s\n", in_force[0] != '\0' ? in_force : "-");
	if (approved[0] != '\0')
		(void)fprintf(out, "  approved     %.16s\n", approved);
	for (size_t i = 0; i < config->calendar_count; i++) {
		int32_t until = calendar_plan(config->calendars[i].calendar)->covered_until;
		char day[DAY_TEXT_SIZE];

		if (until != INT32_MAX)
			(void)fprintf(out, "Holidays       %s: known until %s\n",
				      config->calendars[i].id, day_format(until, day));
	}
}

static void print_problems(const struct status *status)
{
	FILE *out = status->ctl->out;

	if (status->problem_count == 0)
		(void)fprintf(out, "\n%sNo problems.%s\n", terminal_shade(out, SHADE_GOOD),
			      terminal_plain(out));
	for (size_t i = 0; i < status->problem_count; i++)
		(void)fprintf(out, "%s%sPROBLEM%s %s\n        %s\n", i == 0 ? "\n" : "",
			      terminal_shade(out, SHADE_BAD), terminal_plain(out),
			      status->problem[i].what, status->problem[i].advice);
}

static int print_status(const struct status *status)
{
	print_ledger(status);
	if (status->store_known)
		(void)fprintf(status->ctl->out,
			      "Challenges     %zu open, %zu due by the close of the next "
			      "working day, %zu overdue\n",
			      status->open, status->due, status->overdue);
	print_unwatched(status);
	print_configuration(status);
	print_problems(status);
	return EXIT_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(status_clear)
	struct status status = { .ctl = ctl, .written = { INT64_MIN }, .next = INSTANT_NEVER };
	int result = ctl_arguments(ctl, argc, argv, 0, 0);

	if (result != EXIT_DONE)
		return result;
	if (ctl_config(ctl) == NULL)
		return EXIT_COULD_NOT;
	if (!ctl_now(ctl, calendar_zone(ctl->config->calendars[0].calendar), &status.now))
		return EXIT_USAGE;
	look_at_ledger(&status);
	look_at_pulse(&status);
	look_at_store(&status);
	judge_poll(&status);
	judge_progress(&status);
	judge_challenges(&status);
	judge_configuration(&status);
	result = ctl->json ? ctl_print_json(ctl, status_json(&status)) : print_status(&status);
	if (result != EXIT_DONE)
		return result;
	return status.problem_count == 0 ? EXIT_DONE : EXIT_NO;
}

const struct command command_status = {
	.name = "status",
	.summary = "show on one screen how everything is, and what to do about it",
	.usage = "Usage: challengectl status [--at TIME]\n"
		 "\n"
		 "Is the service running, when was its last good poll, has it looked at all "
		 "that "
		 "is\n"
		 "in the store, what is open, due and overdue, which challenges are not "
		 "watched, "
		 "what\n"
		 "waits in the queue, which configuration is in force; and\n"
		 "every problem with what to do about it. Exit status 1 when there is one.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl status --json\n",
	.run = run,
};
