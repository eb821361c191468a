/*
 * timeline.c - see timeline.h.
 *
 * A small simulation: recorded events in order of time (timeline_event.c), and between them
 * what the running clocks do (timeline_clock.c). Each obligation has one place for the run of
 * its clock that is going on; runs that spoke and whose stage was left wait in `lapsed` for the
 * answer that clears them. Entries made at one instant wait in a queue. This file turns the
 * wheel and listens to the silence.
 */
#include "core/timeline_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {
	[NOTICE_RISK] = "risk",       [NOTICE_INFORM] = "inform",
	[NOTICE_CLEARED] = "cleared", [NOTICE_REMINDER] = "reminder",
	[NOTICE_BREACH] = "breach",   [NOTICE_ESCALATION] = "escalation",
	[NOTICE_OVERDUE] = "overdue", [NOTICE_QUIET] = "quiet",
};

const char *notice_kind_name(enum notice_kind kind)
{
	return kind_names[kind];
}

int notice_kind_parse(const char *name)
{
	for (size_t i = 0; i < COUNT(kind_names); i++)
		if (strcmp(kind_names[i], name) == 0)
			return (int)i;
	return -1;
}

struct timeline *timeline_create(void)
{
	return calloc(1, sizeof(struct timeline));
}

void timeline_destroy(struct timeline *timeline)
{
	if (timeline == NULL)
		return;
	free(timeline->lapsed);
	free(timeline->pauses);
	free(timeline->ended);
	free(timeline->queue);
	free(timeline);
}

void timeline_destroyp(struct timeline **timeline)
{
	timeline_destroy(*timeline);
	*timeline = NULL;
}

/* --- silence ----------------------------------------------------------------------------- */

/* Open, or resolved with something still unanswered that began with that. */
static bool may_be_quiet(const struct timeline *timeline)
{
	return timeline->open ||
	       (timeline->ever_open && !timeline->closed && timeline->running != 0);
}

/* Notices when the last clock stopped, and reckons when the silence has lasted too long. */
static void watch_silence(struct timeline *timeline)
{
	const struct policy *policy = timeline->policy;
	struct instant base;

	for (struct places place = { .left = timeline->running };
	     timeline_next_place(&place);) {
		if (timeline_is_running_clock(&timeline->runs[place.at])) {
			timeline->idle_since = INSTANT_NEVER;
			timeline->quiet_at = INSTANT_NEVER;
			return;
		}
	}
	if (instant_is_never(timeline->idle_since)) {
		timeline->idle_since = timeline->now;
		timeline->quiet_at = INSTANT_NEVER;
	}
	if (!may_be_quiet(timeline)) {
		timeline->quiet_at = INSTANT_NEVER;
		return;
	}
	if (!instant_is_never(timeline->quiet_at))
		return;
	base = instant_max(timeline->idle_since, timeline->last_event);
	if (timescale_repeat(policy->quiet_after, timeline->quiet_step + 1, policy->calendar,
			     base, timeline->pauses, timeline->pause_count,
			     &timeline->quiet_at) < 0)
		timeline->quiet_at = INSTANT_NEVER;
}

static void say_quiet(struct timeline *timeline)
{
	struct entry entry =
		timeline_challenge_entry(timeline, NOTICE_QUIET, timeline->last_event_key);

	if (timeline->quiet_run == NO_RUN)
		timeline->quiet_run = timeline_new_run(timeline);
	timeline->quiet_step++;
	timeline->quiet_count++;
	timeline->quiet_at = INSTANT_NEVER;
	entry.run = timeline->quiet_run;
	entry.started = instant_max(timeline->idle_since, timeline->last_event);
	entry.occurrence = timeline->quiet_count;
	entry.to = timeline->policy->quiet_to;
	timeline_say(timeline, entry);
}

/* --- the loop ---------------------------------------------------------------------------- */

void timeline_begin(struct timeline *timeline, const struct policy *policy,
		    const struct challenge *challenge)
{
	timeline->policy = policy;
	timeline->challenge = challenge;
	timeline->cursor = 0;
	timeline->now = (struct instant){ INT64_MIN };
	timeline->urgency = policy_urgency(policy, challenge->urgency);
	timeline->problems = 0;
	if (timeline->urgency < 0)
		timeline->problems |= PROBLEM_URGENCY;
	timeline->stage = STAGE_NONE;
	timeline->stage_entered = INSTANT_NEVER;
	timeline->stage_event = 0;
	timeline->stage_derived = false;
	timeline->visited = 0;
	timeline->open = false;
	timeline->closed = false;
	timeline->ever_open = false;
	timeline->running = 0;
	timeline->quiet_run = NO_RUN;
	timeline->last_event = INSTANT_NEVER;
	timeline->last_event_key = 0;
	timeline->idle_since = INSTANT_NEVER;
	timeline->quiet_at = INSTANT_NEVER;
	timeline->quiet_step = 0;
	timeline->quiet_count = 0;
	timeline->muted_until = (struct instant){ INT64_MIN };
	timeline->lapsed_count = 0;
	timeline->pause_count = 0;
	timeline->ended_count = 0;
	timeline->queue_first = 0;
	timeline->queue_count = 0;
	timeline->out_of_memory = false;
	(void)timeline_new_run(timeline); /* number 0 is NO_RUN; a failure is remembered */
	timeline->open_run = NO_RUN;
}

static bool has_queued(const struct timeline *timeline)
{
	return timeline->queue_first < timeline->queue_count;
}

/* One step of the simulation, to the next thing that happens by `until`; false: nothing does.
 */
static bool step(struct timeline *timeline, struct instant until)
{
	const struct challenge *challenge = timeline->challenge;
	const struct event *event = timeline->cursor < challenge->event_count
					    ? &challenge->events[timeline->cursor]
					    : NULL;
	struct instant next = timeline->quiet_at;

	for (struct places place = { .left = timeline->running }; timeline_next_place(&place);)
		next = instant_min(next, timeline->runs[place.at].next);
	/* What became due in the past by a change of facts is said now, never earlier. */
	next = instant_max(next, timeline->now);

	if (event != NULL && !instant_before(next, event->at)) {
		if (instant_before(until, event->at))
			return false;
		timeline_apply(timeline, event);
	} else {
		if (instant_is_never(next) || instant_before(until, next))
			return false;
		timeline->now = next;
		if (!instant_before(next, timeline->quiet_at))
			say_quiet(timeline);
		else
			timeline_tick(timeline);
	}
	watch_silence(timeline);
	return true;
}

int timeline_next(struct timeline *timeline, struct instant until, struct entry *ret,
		  struct error *error)
{
	while (!has_queued(timeline)) {
		timeline->queue_first = 0;
		timeline->queue_count = 0;
		if (timeline->out_of_memory)
			return error_memory(error);
		if (!step(timeline, until))
			return 0;
	}
	/* After timeline_peek the queue may hold what lies past `until`. */
	if (instant_before(until, timeline->queue[timeline->queue_first].at))
		return 0;
	*ret = timeline->queue[timeline->queue_first++];
	return 1;
}

int timeline_peek(struct timeline *timeline, struct instant *ret, struct error *error)
{
	while (!has_queued(timeline)) {
		timeline->queue_first = 0;
		timeline->queue_count = 0;
		if (timeline->out_of_memory)
			return error_memory(error);
		if (!step(timeline, INSTANT_NEVER)) {
			*ret = INSTANT_NEVER;
			return 0;
		}
	}
	*ret = timeline->queue[timeline->queue_first].at;
	return 0;
}

struct instant timeline_run_end(const struct timeline *timeline, size_t run)
{
	return run < timeline->ended_count ? timeline->ended[run] : INSTANT_NEVER;
}

/* From the due instant on, as the notice of it is. */
static bool is_overdue(const struct timeline *timeline)
{
	for (size_t i = 0; i < timeline->lapsed_count; i++)
		if (timeline->lapsed[i].breached)
			return true;
	for (struct places place = { .left = timeline->running }; timeline_next_place(&place);)
		if (timeline->runs[place.at].breached)
			return true;
	return false;
}

struct timeline_state timeline_state(const struct timeline *timeline)
{
	struct timeline_state state = {
		.stage = timeline->stage,
		.stage_entered = timeline->stage_entered,
		.stage_event = timeline->stage_event,
		.derived = timeline->stage_derived,
		.open = timeline->open,
		.ended = timeline->ever_open && !may_be_quiet(timeline),
		.overdue = is_overdue(timeline),
		.last_event = timeline->last_event,
		.problems = timeline->problems,
	};

	if (timeline->stage == STAGE_NONE)
		state.problems |= PROBLEM_NOT_RAISED;
	if (timeline->pause_count > 0) {
		const struct pause *last = &timeline->pauses[timeline->pause_count - 1];

		state.paused_until = last->to;
		state.paused = instant_before(timeline->now, last->to);
	}
	return state;
}

void timeline_owed(const struct timeline *timeline,
		   void (*each)(void *context, const struct owed *owed), void *context)
{
	for (size_t i = 0; i < timeline->lapsed_count + POLICY_OBLIGATIONS; i++) {
		bool lapsed = i < timeline->lapsed_count;
		size_t place = i - timeline->lapsed_count;
		const struct run *run = lapsed ? &timeline->lapsed[i] : &timeline->runs[place];
		struct owed owed;

		if (!lapsed && (timeline->running & (UINT64_C(1) << place)) == 0)
			continue;
		owed = (struct owed){
			.obligation = run->obligation,
			.event = run->event,
			.started = run->started,
			.derived = run->derived,
			.due = run->due,
			.breached = run->breached,
			.lapsed = lapsed,
			.run = run->number,
		};
		timeline_add_owner(timeline, timeline_obligation(timeline, run), &owed.owner);
		each(context, &owed);
	}
}

const struct pause *timeline_pauses(const struct timeline *timeline, size_t *ret_count)
{
	*ret_count = timeline->pause_count;
	return timeline->pauses;
}
