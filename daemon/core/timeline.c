/*
 * timeline.c - see timeline.h.
 *
 * A small simulation: recorded events in order of time, and between them what the running
 * clocks do by themselves (remind, fall due, escalate, repeat). Each obligation has one place
 * for the run of its clock that is going on; runs that were told as late and whose stage was
 * left wait in `lapsed` for the answer that clears them. Entries made at one instant wait in a
 * queue.
 */
#include "core/timeline.h"

#include "base/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	NO_RUN = 0,         /* run numbers begin at 1; this one never ends */
	LAPSED_MOST = 1000, /* the oldest is forgotten then: only a hostile store gets there */
};

static const char *const kind_names[] = {
	[NOTICE_RISK] = "risk",       [NOTICE_INFORM] = "inform",
	[NOTICE_CLEARED] = "cleared", [NOTICE_REMINDER] = "reminder",
	[NOTICE_BREACH] = "breach",   [NOTICE_ESCALATION] = "escalation",
	[NOTICE_OVERDUE] = "overdue", [NOTICE_QUIET] = "quiet",
};

/* One run of an obligation's clock. */
struct run {
	size_t number; /* for timeline_run_end */
	int obligation;
	int64_t event; /* key of the event that started it */
	struct instant started;
	struct instant floor; /* nothing is said before: its start, or the entry of its stage */
	struct instant agreed;
	bool derived;
	struct instant due; /* INSTANT_NEVER: no limit */
	bool breached;
	bool spoke;        /* at least one entry came of it */
	uint32_t reminded; /* bit i: reminder i was given or is not to be */
	struct instant remind_at[POLICY_REMINDERS];
	struct instant repeat_at; /* INSTANT_NEVER: none to come */
	int32_t repeated;
	struct role_set told; /* of the breach and the escalation; empty before */
	struct instant told_send_at;
	struct instant next; /* when it speaks next; INSTANT_NEVER */
};

struct timeline {
	const struct policy *policy;
	const struct challenge *challenge;
	size_t cursor;      /* events before it are behind us */
	struct instant now; /* everything up to here has happened */
	unsigned problems;

	int urgency; /* place in the policy; -1: unknown */
	int stage;
	struct instant stage_entered;
	int64_t stage_event;
	bool stage_derived;
	uint64_t visited; /* bit: stage */
	bool open;
	bool closed; /* closed or withdrawn: nothing is owed unless it starts from that */
	bool ever_open;

	struct run runs[POLICY_OBLIGATIONS];
	uint64_t running; /* bit: place in runs */

	size_t open_run;  /* for notices that only the challenge's own end makes moot */
	size_t quiet_run; /* ended by the next recorded event; NO_RUN: none given out */
	struct instant last_event;
	int64_t last_event_key;
	struct instant idle_since; /* no clock runs since; INSTANT_NEVER while one does */
	struct instant quiet_at;
	int32_t quiet_step;  /* the next one's count since idle_since */
	int32_t quiet_count; /* how many since the last event */
	struct instant muted_until;

	struct run *lapsed;
	size_t lapsed_count;
	size_t lapsed_capacity;
	struct pause *pauses;
	size_t pause_count;
	size_t pause_capacity;
	struct instant *ended; /* by run number */
	size_t ended_count;
	size_t ended_capacity;
	struct entry *queue;
	size_t queue_first;
	size_t queue_count;
	size_t queue_capacity;
	bool out_of_memory;
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

/* --- runs ------------------------------------------------------------------------------- */

/* A fresh run number; NO_RUN (and out_of_memory) when there is no room. */
static size_t new_run(struct timeline *timeline)
{
	if (list_reserve(&timeline->ended, timeline->ended_count, &timeline->ended_capacity,
			 sizeof *timeline->ended) < 0) {
		timeline->out_of_memory = true;
		return NO_RUN;
	}
	timeline->ended[timeline->ended_count] = INSTANT_NEVER;
	return timeline->ended_count++;
}

/* A recorded event ended what this run speaks of; the first end stands. */
static void mark_ended(struct timeline *timeline, size_t run, struct instant at)
{
	if (run != NO_RUN && instant_is_never(timeline->ended[run]))
		timeline->ended[run] = at;
}

static const struct obligation *obligation_of(const struct timeline *timeline,
					      const struct run *run)
{
	return &timeline->policy->obligations[run->obligation];
}

static struct instant first_of_run(const struct timeline *timeline, const struct run *run)
{
	const struct obligation *obligation = obligation_of(timeline, run);
	struct instant next = run->repeat_at;

	if (!run->breached)
		next = instant_min(next, run->due);
	for (size_t i = 0; i < obligation->reminder_count; i++)
		if ((run->reminded & (1U << i)) == 0)
			next = instant_min(next, run->remind_at[i]);
	return next;
}

/* A clock that will still speak of the due moment or after it. */
static bool is_running_clock(const struct run *run)
{
	return (!run->breached && !instant_is_never(run->due)) ||
	       !instant_is_never(run->repeat_at);
}

/* Walks the places whose bit is set: for (struct places p = { bits }; next_place(&p);) ... p.at
 */
struct places {
	uint64_t left;
	int at;
};

static bool next_place(struct places *places)
{
	if (places->left == 0)
		return false;
	places->at = __builtin_ctzll(places->left);
	places->left &= places->left - 1;
	return true;
}

/* --- roles ------------------------------------------------------------------------------ */

static void add_roles(struct role_set *to, const struct role_set *from)
{
	for (size_t i = 0; i < from->count; i++)
		(void)role_set_add(to,
				   from->role[i]); /* a full set: config_file refuses those */
}

/* Whoever owns the obligation: its own owner, else the owner of the stage in effect. */
static void add_owner(const struct timeline *timeline, const struct obligation *obligation,
		      struct role_set *to)
{
	if (obligation->owner.count > 0)
		add_roles(to, &obligation->owner);
	else if (timeline->stage != STAGE_NONE)
		add_roles(to, &timeline->policy->stages[timeline->stage].owner);
}

/* Those told of a breach: as the policy says, else the owner. */
static struct role_set breach_roles(const struct timeline *timeline,
				    const struct obligation *obligation)
{
	struct role_set to = { 0 };

	for (size_t i = 0; i < obligation->breach_to.count; i++) {
		if (obligation->breach_to.role[i] == ROLE_OWNER)
			add_owner(timeline, obligation, &to);
		else
			(void)role_set_add(&to, obligation->breach_to.role[i]);
	}
	if (to.count == 0)
		add_owner(timeline, obligation, &to);
	return to;
}

static struct role_set stage_roles(const struct timeline *timeline, int stage)
{
	struct role_set to = { 0 };

	add_roles(&to, &timeline->policy->stages[stage].owner);
	add_roles(&to, &timeline->policy->stages[stage].inform);
	return to;
}

/* --- entries ---------------------------------------------------------------------------- */

/* Completes an entry at the present instant and queues it. */
static void say(struct timeline *timeline, struct entry entry)
{
	const struct calendar *calendar = timeline->policy->calendar;

	if (entry.to.count == 0)
		return;
	entry.at = timeline->now;
	entry.send_at = entry.at;
	if (entry.kind != NOTICE_RISK &&
	    calendar_next_open(calendar, entry.at, &entry.send_at) < 0)
		timeline->problems |= PROBLEM_RANGE; /* then it goes when it is due */
	entry.provisional = calendar_is_provisional(calendar, entry.at) ||
			    calendar_is_provisional(calendar, entry.due);
	if (entry.step == NULL)
		entry.step = "";
	if (list_reserve(&timeline->queue, timeline->queue_count, &timeline->queue_capacity,
			 sizeof *timeline->queue) < 0) {
		timeline->out_of_memory = true;
		return;
	}
	timeline->queue[timeline->queue_count++] = entry;
}

static struct entry entry_of_run(const struct timeline *timeline, const struct run *run,
				 enum notice_kind kind)
{
	const struct obligation *obligation = obligation_of(timeline, run);

	return (struct entry){
		.kind = kind,
		.stage = obligation->stage,
		.obligation = run->obligation,
		.occurrence = 1,
		.firm = obligation->firm,
		.event = run->event,
		.started = run->started,
		.due = run->due,
		.run = run->number,
	};
}

static struct entry entry_of_challenge(const struct timeline *timeline, enum notice_kind kind,
				       int64_t event)
{
	return (struct entry){
		.kind = kind,
		.stage = timeline->stage,
		.obligation = -1,
		.occurrence = 1,
		.firm = true,
		.event = event,
		.started = timeline->now,
		.due = INSTANT_NEVER,
		.run = timeline->open_run,
	};
}

static bool is_muted(const struct timeline *timeline)
{
	return instant_before(timeline->now, timeline->muted_until);
}

/* --- starting and reckoning a clock ------------------------------------------------------ */

static struct timescale_start start_of(const struct timeline *timeline, const struct run *run)
{
	return (struct timescale_start){
		.at = run->started,
		.derived = run->derived,
		.agreed = run->agreed,
		.pauses = timeline->pauses,
		.pause_count = timeline->pause_count,
	};
}

/* The due instant of one limit; INSTANT_NEVER, and a problem noted, when it cannot be had. */
static struct instant limit_due(struct timeline *timeline, const struct run *run,
				struct timescale limit)
{
	const struct policy *policy = timeline->policy;
	struct timescale_start start = start_of(timeline, run);
	struct instant due = INSTANT_NEVER;

	if (timescale_due(limit, policy->calendar, policy->counting, &start, &due) < 0) {
		timeline->problems |= PROBLEM_RANGE;
		return INSTANT_NEVER;
	}
	if (limit.unit == TIMESCALE_AS_AGREED && instant_is_never(due))
		timeline->problems |= PROBLEM_NO_AGREED_DATE;
	return due;
}

static struct instant reckon_due(struct timeline *timeline, const struct run *run)
{
	const struct obligation *obligation = obligation_of(timeline, run);
	struct instant protect_by = timeline->challenge->protect_by;
	struct instant due = INSTANT_NEVER;

	if (timeline->urgency >= 0) {
		due = limit_due(timeline, run, obligation->limit[timeline->urgency]);
	} else {
		/* An urgency the policy does not know gets the shortest limit. */
		for (size_t i = 0; i < timeline->policy->urgency_count; i++)
			due = instant_min(due, limit_due(timeline, run, obligation->limit[i]));
	}
	/* Earlier, never later; and no limit stays none. */
	if (!instant_is_never(due) && instant_before(run->started, protect_by))
		due = instant_min(due, protect_by);
	return due;
}

static struct instant reckon_reminder(struct timeline *timeline, const struct run *run,
				      const struct reminder *reminder)
{
	const struct calendar *calendar = timeline->policy->calendar;
	struct instant at;
	int r;

	if (instant_is_never(run->due))
		return INSTANT_NEVER;
	if (reminder->percent > 0)
		r = timescale_percent(reminder->percent, calendar, run->started, run->due,
				      timeline->pauses, timeline->pause_count, &at);
	else
		r = timescale_before(reminder->before, calendar, run->due, timeline->pauses,
				     timeline->pause_count, &at);
	/* What would lie before the clock, or not before its end, is not said. */
	if (r < 0 || instant_before(at, run->floor) || !instant_before(at, run->due))
		return INSTANT_NEVER;
	return at;
}

/* The next repeat; those that would already lie in the past are left out, but keep their
 * number. */
static void reckon_repeat(struct timeline *timeline, struct run *run)
{
	const struct obligation *obligation = obligation_of(timeline, run);
	struct instant from = run->breached ? run->due : run->started;

	run->repeat_at = INSTANT_NEVER;
	if (obligation->every.unit == TIMESCALE_NONE ||
	    (!run->breached && !instant_is_never(run->due)))
		return;
	/* Ends at the last year that a calendar counts, or sooner with `times`. */
	while (obligation->times == 0 || run->repeated < obligation->times) {
		struct instant at;

		if (timescale_repeat(obligation->every, run->repeated + 1,
				     timeline->policy->calendar, from, timeline->pauses,
				     timeline->pause_count, &at) < 0) {
			timeline->problems |= PROBLEM_RANGE;
			return;
		}
		if (!instant_before(at, timeline->now)) {
			run->repeat_at = at;
			return;
		}
		run->repeated++;
	}
}

/* Everything that follows from the start, the limit and the pauses known by now. */
static void reckon(struct timeline *timeline, struct run *run)
{
	const struct obligation *obligation = obligation_of(timeline, run);

	if (!run->breached) {
		run->due = reckon_due(timeline, run);
		for (size_t i = 0; i < obligation->reminder_count; i++)
			run->remind_at[i] =
				reckon_reminder(timeline, run, &obligation->reminders[i]);
	}
	reckon_repeat(timeline, run);
	run->next = first_of_run(timeline, run);
}

/* Starts the clock of an obligation, unless it runs already. `floor`: see struct run. */
static void start_run(struct timeline *timeline, int obligation, struct run run)
{
	if ((timeline->running & (UINT64_C(1) << obligation)) != 0)
		return;
	run.number = new_run(timeline);
	run.obligation = obligation;
	run.repeat_at = INSTANT_NEVER;
	timeline->runs[obligation] = run;
	timeline->running |= UINT64_C(1) << obligation;
	reckon(timeline, &timeline->runs[obligation]);
}

static void start_from_event(struct timeline *timeline, int obligation,
			     const struct event *event, struct instant floor)
{
	start_run(timeline, obligation,
		  (struct run){
			  .event = event->key,
			  .started = event->at,
			  .floor = floor,
			  .agreed = event->due,
		  });
}

/* --- ending ------------------------------------------------------------------------------ */

/* Tells those who were told it was late that nothing more is needed. */
static void clear_run(struct timeline *timeline, const struct run *run)
{
	struct entry entry = entry_of_run(timeline, run, NOTICE_CLEARED);

	if (run->told.count == 0 || !instant_before(run->told_send_at, timeline->now))
		return;
	entry.to = run->told;
	entry.run = NO_RUN;
	say(timeline, entry);
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
	for (struct places place = { .left = timeline->running & own }; next_place(&place);) {
		const struct run *run = &timeline->runs[place.at];

		if (recorded)
			mark_ended(timeline, run->number, timeline->now);
		if (run->told.count > 0 || (run->spoke && !recorded))
			lapse(timeline, run);
	}
	timeline->running &= ~own;
}

static bool is_terminal(int kind)
{
	return kind == EVENT_RESOLVED || kind == EVENT_WITHDRAWN || kind == EVENT_CLOSED;
}

/* The end of a challenge ends all but what starts from such an end, like feedback. */
static bool ends_obligation(const struct obligation *obligation, int kind)
{
	if (is_terminal(kind) && !is_terminal(obligation->starts))
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

		if (ends_obligation(obligation_of(timeline, run), kind)) {
			mark_ended(timeline, run->number, timeline->now);
			clear_run(timeline, run);
		} else {
			timeline->lapsed[kept++] = *run;
		}
	}
	timeline->lapsed_count = kept;

	for (struct places place = { .left = timeline->running }; next_place(&place);) {
		const struct run *run = &timeline->runs[place.at];

		if (ends_obligation(obligation_of(timeline, run), kind)) {
			mark_ended(timeline, run->number, timeline->now);
			clear_run(timeline, run);
			timeline->running &= ~(UINT64_C(1) << place.at);
		}
	}
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

struct entering {
	int stage;
	bool derived;
	int64_t event;
	struct instant agreed;
	size_t events_before; /* how many events have happened, the entering one included */
};

static void start_stage_obligations(struct timeline *timeline, struct entering entering,
				    bool first_visit)
{
	const struct stage *stage = &timeline->policy->stages[entering.stage];

	for (size_t i = 0; i < stage->obligation_count; i++) {
		int at = (int)(stage->first_obligation + i);
		const struct obligation *obligation = &timeline->policy->obligations[at];

		if (obligation->starts == KIND_STAGE_ENTRY) {
			start_run(timeline, at,
				  (struct run){
					  .event = entering.event,
					  .started = timeline->now,
					  .floor = timeline->now,
					  .agreed = entering.agreed,
					  .derived = entering.derived,
				  });
		} else if (first_visit) {
			const struct event *event =
				started_before(timeline, obligation, entering.events_before);

			if (event != NULL)
				start_from_event(timeline, at, event, timeline->now);
		}
	}
}

/* Enters a stage now; leaves the one in effect. */
static void enter_stage(struct timeline *timeline, struct entering entering)
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
			entry_of_challenge(timeline, NOTICE_INFORM, entering.event);

		entry.to = stage_roles(timeline, entering.stage);
		say(timeline, entry);
	}
	/* What is owed after `resolved` may escalate, but starts no ladder anew. */
	if (timeline->open)
		start_stage_obligations(timeline, entering, first_visit);
}

/* --- recorded events --------------------------------------------------------------------- */

static void open_challenge(struct timeline *timeline)
{
	if (!timeline->open)
		timeline->open_run = new_run(timeline);
	timeline->open = true;
	timeline->closed = false;
	timeline->ever_open = true;
}

static void enter_by_event(struct timeline *timeline, const struct event *event, int stage)
{
	open_challenge(timeline);
	enter_stage(timeline, (struct entering){
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
	for (struct places place = { .left = timeline->running }; next_place(&place);)
		reckon(timeline, &timeline->runs[place.at]);
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
	struct entry entry = entry_of_challenge(timeline, NOTICE_RISK, event->key);

	entry.to = timeline->policy->immediate_to;
	say(timeline, entry);
}

/*
 * Clocks that start from this kind of event: overall ones, and those of the stage in effect.
 * After `closed` or `withdrawn` only what starts from such an end.
 */
static void start_from_kind(struct timeline *timeline, const struct event *event, int kind)
{
	const struct policy *policy = timeline->policy;

	for (size_t i = 0; i < policy->obligation_count; i++) {
		const struct obligation *obligation = &policy->obligations[i];

		if (obligation->starts == kind && (!timeline->closed || is_terminal(kind)) &&
		    (obligation->stage == STAGE_NONE || obligation->stage == timeline->stage))
			start_from_event(timeline, (int)i, event, event->at);
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
		mark_ended(timeline, timeline->open_run, timeline->now);
		break;
	default: /* kinds that only end and start clocks, a policy's own among them */
		break;
	}
}

static void apply(struct timeline *timeline, const struct event *event)
{
	int kind = policy_kind(timeline->policy, event->kind);

	timeline->now = event->at;
	timeline->last_event = event->at;
	timeline->last_event_key = event->key;
	mark_ended(timeline, timeline->quiet_run, event->at);
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

/* --- what clocks do by themselves -------------------------------------------------------- */

static void remind(struct timeline *timeline, struct run *run)
{
	const struct obligation *obligation = obligation_of(timeline, run);

	for (size_t i = 0; i < obligation->reminder_count; i++) {
		struct entry entry = entry_of_run(timeline, run, NOTICE_REMINDER);

		if ((run->reminded & (1U << i)) != 0 ||
		    instant_before(timeline->now, run->remind_at[i]))
			continue;
		run->reminded |= 1U << i;
		if (is_muted(timeline))
			continue;
		entry.step = obligation->reminders[i].text;
		add_owner(timeline, obligation, &entry.to);
		say(timeline, entry);
		run->spoke = true;
	}
}

static void breach(struct timeline *timeline, struct run *run)
{
	struct entry entry = entry_of_run(timeline, run, NOTICE_BREACH);

	run->breached = true;
	run->spoke = true;
	entry.to = breach_roles(timeline, obligation_of(timeline, run));
	run->told = entry.to;
	if (calendar_next_open(timeline->policy->calendar, timeline->now, &run->told_send_at) <
	    0)
		run->told_send_at = timeline->now;
	say(timeline, entry);
	reckon_repeat(timeline, run);
}

/* The stage that the breach of this run leads to; STAGE_NONE: the stage stays. */
static int escalates_to(const struct timeline *timeline, const struct run *run)
{
	const struct obligation *obligation = obligation_of(timeline, run);

	/* Upward only: a cap that runs out late in the ladder must not lead back down. */
	if (!obligation->firm || timeline->stage == STAGE_NONE ||
	    obligation->escalate_to <= timeline->stage)
		return STAGE_NONE;
	return obligation->escalate_to;
}

static void escalate(struct timeline *timeline, struct run *run)
{
	int stage = escalates_to(timeline, run);
	struct entry entry = entry_of_run(timeline, run, NOTICE_ESCALATION);

	entry.stage = stage;
	entry.to = stage_roles(timeline, stage);
	add_roles(&run->told, &entry.to);
	say(timeline, entry);
	enter_stage(timeline, (struct entering){
				      .stage = stage,
				      .derived = true,
				      .event = run->event,
				      .agreed = INSTANT_NEVER,
				      .events_before = timeline->cursor,
			      });
}

static void repeat(struct timeline *timeline, struct run *run)
{
	const struct obligation *obligation = obligation_of(timeline, run);
	struct entry entry = entry_of_run(timeline, run, NOTICE_OVERDUE);

	run->repeated++;
	if (!is_muted(timeline)) {
		entry.step = obligation->every_text;
		entry.occurrence = run->repeated;
		entry.to = breach_roles(timeline, obligation);
		say(timeline, entry);
		run->spoke = true;
	}
	reckon_repeat(timeline, run);
}

/*
 * Everything that the clocks do at the present instant: reminders, then breaches, then the
 * escalation that the first of these asks for, then repeats.
 */
static void tick(struct timeline *timeline)
{
	uint64_t due = 0;

	for (struct places place = { .left = timeline->running }; next_place(&place);) {
		struct run *run = &timeline->runs[place.at];

		if (!instant_before(timeline->now, run->next)) {
			due |= UINT64_C(1) << place.at;
			remind(timeline, run);
		}
	}
	for (struct places place = { .left = due }; next_place(&place);) {
		struct run *run = &timeline->runs[place.at];

		if (run->breached || instant_before(timeline->now, run->due))
			due &= ~(UINT64_C(1) << place.at);
		else
			breach(timeline, run);
	}
	for (struct places place = { .left = due }; next_place(&place);) {
		if (escalates_to(timeline, &timeline->runs[place.at]) != STAGE_NONE) {
			escalate(timeline, &timeline->runs[place.at]);
			break;
		}
	}
	for (struct places place = { .left = timeline->running }; next_place(&place);) {
		struct run *run = &timeline->runs[place.at];

		if (!instant_is_never(run->repeat_at) &&
		    !instant_before(timeline->now, run->repeat_at))
			repeat(timeline, run);
		run->next = first_of_run(timeline, run);
	}
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

	for (struct places place = { .left = timeline->running }; next_place(&place);) {
		if (is_running_clock(&timeline->runs[place.at])) {
			timeline->idle_since = INSTANT_NEVER;
			timeline->quiet_at = INSTANT_NEVER;
			return;
		}
	}
	if (instant_is_never(timeline->idle_since)) {
		timeline->idle_since = timeline->now;
		timeline->quiet_step = 0;
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
		entry_of_challenge(timeline, NOTICE_QUIET, timeline->last_event_key);

	if (timeline->quiet_run == NO_RUN)
		timeline->quiet_run = new_run(timeline);
	timeline->quiet_step++;
	timeline->quiet_count++;
	timeline->quiet_at = INSTANT_NEVER;
	entry.run = timeline->quiet_run;
	entry.started = instant_max(timeline->idle_since, timeline->last_event);
	entry.occurrence = timeline->quiet_count;
	entry.to = timeline->policy->quiet_to;
	say(timeline, entry);
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
	(void)new_run(timeline); /* number 0 is NO_RUN; a failure is remembered */
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
	struct instant event_at = INSTANT_NEVER;
	struct instant next = timeline->quiet_at;

	if (timeline->cursor < challenge->event_count)
		event_at = challenge->events[timeline->cursor].at;
	for (struct places place = { .left = timeline->running }; next_place(&place);)
		next = instant_min(next, timeline->runs[place.at].next);
	/* What became due in the past by a change of facts is said now, never earlier. */
	next = instant_max(next, timeline->now);

	if (timeline->cursor < challenge->event_count && !instant_before(next, event_at)) {
		if (instant_before(until, event_at))
			return false;
		apply(timeline, &challenge->events[timeline->cursor]);
	} else {
		if (instant_is_never(next) || instant_before(until, next))
			return false;
		timeline->now = next;
		if (!instant_before(next, timeline->quiet_at))
			say_quiet(timeline);
		else
			tick(timeline);
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

struct timeline_state timeline_state(const struct timeline *timeline)
{
	struct timeline_state state = {
		.stage = timeline->stage,
		.stage_entered = timeline->stage_entered,
		.stage_event = timeline->stage_event,
		.derived = timeline->stage_derived,
		.open = timeline->open,
		.ended = timeline->ever_open && !may_be_quiet(timeline),
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
		add_owner(timeline, obligation_of(timeline, run), &owed.owner);
		each(context, &owed);
	}
}

const struct pause *timeline_pauses(const struct timeline *timeline, size_t *ret_count)
{
	*ret_count = timeline->pause_count;
	return timeline->pauses;
}
