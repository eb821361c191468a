/* timeline_event.c - what recorded events do to a timeline: end, start, move, pause, void. */
#include "core/timeline_internal.h"

#include "base/list.h"

#include <string.h>

/* --- ending ------------------------------------------------------------------------------ */

/* Tells those who were told it was late that nothing more is needed. */
static void clear_run(struct timeline *timeline, const struct run *run)
{
	struct entry entry = timeline_run_entry(timeline, run, NOTICE_CLEARED);

	if (run->told.count == 0 || !instant_before(run->told_send_at, timeline->now))
		return;
	entry.to = run->told;
	entry.run = NO_RUN;
	timeline_say(timeline, entry);
}

/* Keeps a run whose stage was left, so that a later answer can still find it. */
static void lapse(struct timeline *timeline, const struct run *run)
{
	if (timeline->lapsed_count == LAPSED_MOST) {
		memmove(timeline->lapsed, timeline->lapsed + 1,
			(LAPSED_MOST - 1) * sizeof *timeline->lapsed);
		timeline->lapsed_count--;
	}
	if (list_reserve(&timeline->lapsed, timeline->lapsed_count, &timeline->lapsed_capacity,
			 sizeof *timeline->lapsed) < 0) {
		timeline->out_of_memory = true;
		return;
	}
	timeline->lapsed[timeline->lapsed_count++] = *run;
}

/* The stage is left: by a recorded event, which ends its obligations, or by escalation. */
static void leave_stage(struct timeline *timeline, bool recorded)
{
	const struct stage *stage;
	uint64_t own = 0;

	if (timeline->stage == STAGE_NONE)
		return;
	stage = &timeline->policy->stages[timeline->stage];
	for (size_t i = 0; i < stage->obligation_count; i++)
		own |= UINT64_C(1) << (stage->first_obligation + i);
	for (struct places place = { .left = timeline->running & own };
	     timeline_next_place(&place);) {
		const struct run *run = &timeline->runs[place.at];

		if (recorded)
			timeline_mark_ended(timeline, run->number, timeline->now);
		else if (run->spoke)
			lapse(timeline, run);
	}
	timeline->running &= ~own;
}

/* The end of a challenge ends all but what starts from such an end, like feedback. */
static bool ends_obligation(const struct obligation *obligation, int kind)
{
	if (event_kind_is_terminal(kind) && !event_kind_is_terminal(obligation->starts))
		return true;
	for (size_t i = 0; i < obligation->end_count; i++)
		if (obligation->ends[i] == kind)
			return true;
	return false;
}

static void end_answered(struct timeline *timeline, int kind)
{
	size_t kept = 0;

	/* Those left behind first: they are the older ones. */
	for (size_t i = 0; i < timeline->lapsed_count; i++) {
		const struct run *run = &timeline->lapsed[i];

		if (ends_obligation(timeline_obligation(timeline, run), kind)) {
			timeline_mark_ended(timeline, run->number, timeline->now);
			clear_run(timeline, run);
		} else {
			timeline->lapsed[kept++] = *run;
		}
	}
	timeline->lapsed_count = kept;

	for (struct places place = { .left = timeline->running };
	     timeline_next_place(&place);) {
		const struct run *run = &timeline->runs[place.at];

		if (ends_obligation(timeline_obligation(timeline, run), kind)) {
			timeline_mark_ended(timeline, run->number, timeline->now);
			clear_run(timeline, run);
			timeline->running &= ~(UINT64_C(1) << place.at);
		}
	}
}

static void start_from_event(struct timeline *timeline, int obligation,
			     const struct event *event)
{
	timeline_start_run(timeline, obligation,
			   (struct run){
				   .event = event->key,
				   .started = event->at,
				   .agreed = event->due,
			   });
}

/* --- stages ------------------------------------------------------------------------------ */

/*
 * In the first visit of a stage, an obligation may have started from an event before it:
 * replays what has happened for it alone. `count`: how many events have happened.
 */
static const struct event *started_before(const struct timeline *timeline,
					  const struct obligation *obligation, size_t count)
{
	const struct event *started = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct event *event = &timeline->challenge->events[i];
		int kind = policy_kind(timeline->policy, event->kind);

		if (kind < 0)
			continue;
		if (started != NULL && ends_obligation(obligation, kind))
			started = NULL;
		if (started == NULL && obligation->starts == kind)
			started = event;
	}
	return started;
}

static void start_stage_obligations(struct timeline *timeline, struct entering entering,
				    bool first_visit)
{
	const struct stage *stage = &timeline->policy->stages[entering.stage];

	for (size_t i = 0; i < stage->obligation_count; i++) {
		int at = (int)(stage->first_obligation + i);
		const struct obligation *obligation = &timeline->policy->obligations[at];

		if (obligation->starts == KIND_STAGE_ENTRY) {
			timeline_start_run(timeline, at,
					   (struct run){
						   .event = entering.event,
						   .started = timeline->now,
						   .agreed = entering.agreed,
						   .derived = entering.derived,
					   });
		} else if (first_visit) {
			const struct event *event =
				started_before(timeline, obligation, entering.events_before);

			if (event != NULL)
				start_from_event(timeline, at, event);
		}
	}
}

/* Enters a stage now; leaves the one in effect. */
void timeline_enter_stage(struct timeline *timeline, struct entering entering)
{
	uint64_t bit = UINT64_C(1) << entering.stage;
	bool first_visit = (timeline->visited & bit) == 0;

	leave_stage(timeline, !entering.derived);
	timeline->stage = entering.stage;
	timeline->stage_entered = timeline->now;
	timeline->stage_event = entering.event;
	timeline->stage_derived = entering.derived;
	timeline->visited |= bit;
	if (!entering.derived) {
		struct entry entry =
			timeline_challenge_entry(timeline, NOTICE_INFORM, entering.event);

		entry.to = timeline_stage_roles(timeline, entering.stage);
		timeline_say(timeline, entry);
	}
	/* What is owed after `resolved` may escalate, but starts no ladder anew. */
	if (timeline->open)
		start_stage_obligations(timeline, entering, first_visit);
}

/* --- recorded events --------------------------------------------------------------------- */

/*
 * Overall clocks may have started before the challenge was raised; nobody can be told of them
 * until then.
 */
static void start_overall_obligations(struct timeline *timeline)
{
	const struct policy *policy = timeline->policy;

	for (size_t i = 0; i < policy->obligation_count; i++) {
		const struct event *event;

		if (policy->obligations[i].stage != STAGE_NONE)
			continue;
		event = started_before(timeline, &policy->obligations[i], timeline->cursor + 1);
		if (event != NULL)
			start_from_event(timeline, (int)i, event);
	}
}

static void open_challenge(struct timeline *timeline)
{
	bool first = !timeline->ever_open;

	if (!timeline->open)
		timeline->open_run = timeline_new_run(timeline);
	timeline->open = true;
	timeline->closed = false;
	timeline->ever_open = true;
	if (first)
		start_overall_obligations(timeline);
}

static void enter_by_event(struct timeline *timeline, const struct event *event, int stage)
{
	open_challenge(timeline);
	timeline_enter_stage(timeline, (struct entering){
					       .stage = stage,
					       .event = event->key,
					       .agreed = event->due,
					       .events_before = timeline->cursor + 1,
				       });
}

/* A `stage` event at the same instant that names another stage than the first. */
static bool stage_is_named(const struct timeline *timeline, const struct event *raised)
{
	const struct challenge *challenge = timeline->challenge;

	for (size_t i = timeline->cursor + 1; i < challenge->event_count; i++) {
		const struct event *event = &challenge->events[i];

		if (!instant_equal(event->at, raised->at))
			break;
		if (policy_kind(timeline->policy, event->kind) == EVENT_STAGE &&
		    policy_stage(timeline->policy, event->stage) > 0)
			return true;
	}
	return false;
}

static void on_raised(struct timeline *timeline, const struct event *event)
{
	if (timeline->ever_open)
		return;
	open_challenge(timeline);
	if (!stage_is_named(timeline, event))
		enter_by_event(timeline, event, 0);
}

static void on_stage(struct timeline *timeline, const struct event *event)
{
	int stage = policy_stage(timeline->policy, event->stage);

	if (stage == STAGE_NONE)
		timeline->problems |= PROBLEM_STAGE;
	else if (stage != timeline->stage && !timeline->closed)
		enter_by_event(timeline, event, stage);
}

static void on_reopened(struct timeline *timeline, const struct event *event)
{
	enter_by_event(timeline, event, timeline->stage == STAGE_NONE ? 0 : timeline->stage);
}

/* The clocks are reckoned anew with the pauses as they are now. */
static void reckon_all(struct timeline *timeline)
{
	for (struct places place = { .left = timeline->running }; timeline_next_place(&place);)
		timeline_reckon(timeline, &timeline->runs[place.at]);
	timeline->quiet_at = INSTANT_NEVER;
}

/* Ends the pause that holds now, if one does. */
static void cut_pause(struct timeline *timeline)
{
	struct pause *last;

	if (timeline->pause_count == 0)
		return;
	last = &timeline->pauses[timeline->pause_count - 1];
	if (instant_before(timeline->now, last->to))
		last->to = timeline->now;
	if (!instant_before(last->from, last->to))
		timeline->pause_count--;
}

static void on_paused(struct timeline *timeline, const struct event *event)
{
	if (instant_is_never(event->due) || !instant_before(event->at, event->due)) {
		timeline->problems |= PROBLEM_PAUSE_NO_END;
		return;
	}
	cut_pause(timeline);
	if (list_reserve(&timeline->pauses, timeline->pause_count, &timeline->pause_capacity,
			 sizeof *timeline->pauses) < 0) {
		timeline->out_of_memory = true;
		return;
	}
	timeline->pauses[timeline->pause_count++] = (struct pause){ event->at, event->due };
	reckon_all(timeline);
}

static void on_resumed(struct timeline *timeline)
{
	cut_pause(timeline);
	reckon_all(timeline);
}

static void on_acknowledged(struct timeline *timeline, const struct event *event)
{
	const struct policy *policy = timeline->policy;
	struct timescale_start start = {
		.at = event->at,
		.agreed = event->due,
		.pauses = timeline->pauses,
		.pause_count = timeline->pause_count,
	};
	struct instant until;

	if (policy->acknowledge_mutes.unit == TIMESCALE_NONE)
		return;
	if (timescale_due(policy->acknowledge_mutes, policy->calendar, policy->counting, &start,
			  &until) < 0 ||
	    instant_is_never(until))
		timeline->problems |= PROBLEM_RANGE;
	else
		timeline->muted_until = instant_max(timeline->muted_until, until);
}

static void on_risk(struct timeline *timeline, const struct event *event)
{
	struct entry entry = timeline_challenge_entry(timeline, NOTICE_RISK, event->key);

	entry.to = timeline->policy->immediate_to;
	timeline_say(timeline, entry);
}

/*
 * Clocks that start from this kind of event: overall ones, and those of the stage in effect.
 * After `closed` or `withdrawn` only what starts from such an end.
 */
static void start_from_kind(struct timeline *timeline, const struct event *event, int kind)
{
	const struct policy *policy = timeline->policy;

	if (!timeline->ever_open)
		return; /* start_overall_obligations finds it later */
	for (size_t i = 0; i < policy->obligation_count; i++) {
		const struct obligation *obligation = &policy->obligations[i];

		if (obligation->starts == kind &&
		    (!timeline->closed || event_kind_is_terminal(kind)) &&
		    (obligation->stage == STAGE_NONE || obligation->stage == timeline->stage))
			start_from_event(timeline, (int)i, event);
	}
}

/* What kinds do beside ending and starting clocks. */
static void act_on_kind(struct timeline *timeline, const struct event *event, int kind)
{
	switch (kind) {
	case EVENT_RAISED:
		on_raised(timeline, event);
		break;
	case EVENT_STAGE:
		on_stage(timeline, event);
		break;
	case EVENT_REOPENED:
		on_reopened(timeline, event);
		break;
	case EVENT_PAUSED:
		on_paused(timeline, event);
		break;
	case EVENT_RESUMED:
		on_resumed(timeline);
		break;
	case EVENT_ACKNOWLEDGED:
		on_acknowledged(timeline, event);
		break;
	case EVENT_IMMEDIATE_RISK:
		on_risk(timeline, event);
		break;
	case EVENT_RESOLVED:
	case EVENT_CLOSED:
	case EVENT_WITHDRAWN:
		timeline->open = false;
		timeline->closed = timeline->closed || kind != EVENT_RESOLVED;
		timeline_mark_ended(timeline, timeline->open_run, timeline->now);
		break;
	default: /* kinds that only end and start clocks, a policy's own among them */
		break;
	}
}

void timeline_apply(struct timeline *timeline, const struct event *event)
{
	int kind = policy_kind(timeline->policy, event->kind);

	timeline->now = event->at;
	timeline->last_event = event->at;
	timeline->last_event_key = event->key;
	timeline_mark_ended(timeline, timeline->quiet_run, event->at);
	timeline->quiet_run = NO_RUN;
	timeline->quiet_at = INSTANT_NEVER;
	timeline->quiet_count = 0;
	timeline->quiet_step = 0;

	if (kind < 0) {
		timeline->problems |= PROBLEM_KIND;
	} else {
		end_answered(timeline, kind);
		act_on_kind(timeline, event, kind);
		start_from_kind(timeline, event, kind);
	}
	timeline->cursor++;
}
