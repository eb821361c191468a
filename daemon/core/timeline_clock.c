/*
 * timeline_clock.c - the clocks of a timeline: when each falls due, and what they do by
 * themselves: remind, fall due, escalate, repeat.
 */
#include "core/timeline_internal.h"

#include "base/list.h"

/* --- runs ------------------------------------------------------------------------------- */

/* A fresh run number; NO_RUN (and out_of_memory) when there is no room. */
size_t timeline_new_run(struct timeline *timeline)
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
void timeline_mark_ended(struct timeline *timeline, size_t run, struct instant at)
{
	if (run != NO_RUN && instant_is_never(timeline->ended[run]))
		timeline->ended[run] = at;
}

const struct obligation *timeline_obligation(const struct timeline *timeline,
					     const struct run *run)
{
	return &timeline->policy->obligations[run->obligation];
}

static struct instant first_of_run(const struct timeline *timeline, const struct run *run)
{
	const struct obligation *obligation = timeline_obligation(timeline, run);
	struct instant next = run->repeat_at;

	if (!run->breached)
		next = instant_min(next, run->due);
	for (size_t i = 0; i < obligation->reminder_count; i++)
		if ((run->reminded & (1U << i)) == 0)
			next = instant_min(next, run->remind_at[i]);
	return next;
}

/* A clock that will still speak of the due moment or after it. */
bool timeline_is_running_clock(const struct run *run)
{
	return (!run->breached && !instant_is_never(run->due)) ||
	       !instant_is_never(run->repeat_at);
}

/* --- roles ------------------------------------------------------------------------------ */

void timeline_add_roles(struct role_set *to, const struct role_set *from)
{
	for (size_t i = 0; i < from->count; i++)
		(void)role_set_add(to,
				   from->role[i]); /* a full set: config_file refuses those */
}

/* Whoever owns the obligation: its own owner, else the owner of the stage in effect. */
void timeline_add_owner(const struct timeline *timeline, const struct obligation *obligation,
			struct role_set *to)
{
	if (obligation->owner.count > 0)
		timeline_add_roles(to, &obligation->owner);
	else if (timeline->stage != STAGE_NONE)
		timeline_add_roles(to, &timeline->policy->stages[timeline->stage].owner);
}

/* Those told of a breach: as the policy says, else the owner. */
static struct role_set breach_roles(const struct timeline *timeline,
				    const struct obligation *obligation)
{
	struct role_set to = { 0 };

	for (size_t i = 0; i < obligation->breach_to.count; i++) {
		if (obligation->breach_to.role[i] == ROLE_OWNER)
			timeline_add_owner(timeline, obligation, &to);
		else
			(void)role_set_add(&to, obligation->breach_to.role[i]);
	}
	if (to.count == 0)
		timeline_add_owner(timeline, obligation, &to);
	return to;
}

struct role_set timeline_stage_roles(const struct timeline *timeline, int stage)
{
	struct role_set to = { 0 };

	timeline_add_roles(&to, &timeline->policy->stages[stage].owner);
	timeline_add_roles(&to, &timeline->policy->stages[stage].inform);
	return to;
}

/* --- entries ---------------------------------------------------------------------------- */

/* Completes an entry at the present instant and queues it. */
void timeline_say(struct timeline *timeline, struct entry entry)
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

struct entry timeline_run_entry(const struct timeline *timeline, const struct run *run,
				enum notice_kind kind)
{
	const struct obligation *obligation = timeline_obligation(timeline, run);

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

struct entry timeline_challenge_entry(const struct timeline *timeline, enum notice_kind kind,
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
	const struct obligation *obligation = timeline_obligation(timeline, run);
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
	/* What would lie in the past by now, or not before the end, is not said. */
	if (r < 0 || instant_before(at, timeline->now) || !instant_before(at, run->due))
		return INSTANT_NEVER;
	return at;
}

/* The next repeat; those that would already lie in the past are left out, but keep their
 * number. */
static void reckon_repeat(struct timeline *timeline, struct run *run)
{
	const struct obligation *obligation = timeline_obligation(timeline, run);
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
void timeline_reckon(struct timeline *timeline, struct run *run)
{
	const struct obligation *obligation = timeline_obligation(timeline, run);

	if (!run->breached) {
		run->due = reckon_due(timeline, run);
		for (size_t i = 0; i < obligation->reminder_count; i++)
			run->remind_at[i] =
				reckon_reminder(timeline, run, &obligation->reminders[i]);
	}
	reckon_repeat(timeline, run);
	run->next = first_of_run(timeline, run);
}

/* Starts the clock of an obligation, unless it runs already. */
void timeline_start_run(struct timeline *timeline, int obligation, struct run run)
{
	if ((timeline->running & (UINT64_C(1) << obligation)) != 0)
		return;
	run.number = timeline_new_run(timeline);
	run.obligation = obligation;
	run.repeat_at = INSTANT_NEVER;
	timeline->runs[obligation] = run;
	timeline->running |= UINT64_C(1) << obligation;
	timeline_reckon(timeline, &timeline->runs[obligation]);
}

/* --- what clocks do by themselves -------------------------------------------------------- */

static void remind(struct timeline *timeline, struct run *run)
{
	const struct obligation *obligation = timeline_obligation(timeline, run);

	for (size_t i = 0; i < obligation->reminder_count; i++) {
		struct entry entry = timeline_run_entry(timeline, run, NOTICE_REMINDER);

		if ((run->reminded & (1U << i)) != 0 ||
		    instant_before(timeline->now, run->remind_at[i]))
			continue;
		run->reminded |= 1U << i;
		if (is_muted(timeline))
			continue;
		entry.step = obligation->reminders[i].text;
		timeline_add_owner(timeline, obligation, &entry.to);
		timeline_say(timeline, entry);
		run->spoke = true;
	}
}

static void breach(struct timeline *timeline, struct run *run)
{
	struct entry entry = timeline_run_entry(timeline, run, NOTICE_BREACH);

	run->breached = true;
	run->spoke = true;
	entry.to = breach_roles(timeline, timeline_obligation(timeline, run));
	run->told = entry.to;
	if (calendar_next_open(timeline->policy->calendar, timeline->now, &run->told_send_at) <
	    0)
		run->told_send_at = timeline->now;
	timeline_say(timeline, entry);
	reckon_repeat(timeline, run);
}

/* The stage that the breach of this run leads to; STAGE_NONE: the stage stays. */
static int escalates_to(const struct timeline *timeline, const struct run *run)
{
	const struct obligation *obligation = timeline_obligation(timeline, run);

	/* Upward only: a cap that runs out late in the ladder must not lead back down. And of
	 * two obligations of one stage that run out together, the first has left it already. */
	if (!obligation->firm || timeline->stage == STAGE_NONE ||
	    obligation->escalate_to <= timeline->stage ||
	    (obligation->stage != STAGE_NONE && obligation->stage != timeline->stage))
		return STAGE_NONE;
	return obligation->escalate_to;
}

static void escalate(struct timeline *timeline, struct run *run, int stage)
{
	struct entry entry = timeline_run_entry(timeline, run, NOTICE_ESCALATION);

	entry.stage = stage;
	entry.to = timeline_stage_roles(timeline, stage);
	timeline_add_roles(&run->told, &entry.to);
	timeline_say(timeline, entry);
	timeline_enter_stage(timeline, (struct entering){
					       .stage = stage,
					       .derived = true,
					       .event = run->event,
					       .agreed = INSTANT_NEVER,
					       .events_before = timeline->cursor,
				       });
}

static void repeat(struct timeline *timeline, struct run *run)
{
	const struct obligation *obligation = timeline_obligation(timeline, run);
	struct entry entry = timeline_run_entry(timeline, run, NOTICE_OVERDUE);

	run->repeated++;
	if (!is_muted(timeline)) {
		entry.step = obligation->every_text;
		entry.occurrence = run->repeated;
		entry.to = breach_roles(timeline, obligation);
		timeline_say(timeline, entry);
		run->spoke = true;
	}
	reckon_repeat(timeline, run);
}

/* Reminders first, then all breaches; the answer has the bits of the runs that ran out. */
static uint64_t run_out(struct timeline *timeline)
{
	uint64_t due = 0;

	for (struct places place = { .left = timeline->running };
	     timeline_next_place(&place);) {
		struct run *run = &timeline->runs[place.at];

		if (!instant_before(timeline->now, run->next)) {
			due |= UINT64_C(1) << place.at;
			remind(timeline, run);
		}
	}
	for (struct places place = { .left = due }; timeline_next_place(&place);) {
		struct run *run = &timeline->runs[place.at];

		if (run->breached || instant_before(timeline->now, run->due))
			due &= ~(UINT64_C(1) << place.at);
		else
			breach(timeline, run);
	}
	return due;
}

/*
 * Everything that the clocks do at the present instant: reminders, then breaches, then what
 * these escalate to, then repeats. A stage that is entered so may hold an obligation that has
 * run out long ago: that is told before the next escalation, which may lead out of the stage.
 */
void timeline_tick(struct timeline *timeline)
{
	struct places escalating = { .left = run_out(timeline) };

	while (timeline_next_place(&escalating)) {
		struct run *run = &timeline->runs[escalating.at];
		int stage = escalates_to(timeline, run);

		if (stage == STAGE_NONE)
			continue;
		escalate(timeline, run, stage);
		escalating.left |= run_out(timeline);
	}
	for (struct places place = { .left = timeline->running };
	     timeline_next_place(&place);) {
		struct run *run = &timeline->runs[place.at];

		if (!instant_is_never(run->repeat_at) &&
		    !instant_before(timeline->now, run->repeat_at))
			repeat(timeline, run);
		run->next = first_of_run(timeline, run);
	}
}
