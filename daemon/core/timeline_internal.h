/*
 * timeline_internal - what the parts of timeline share: timeline.c turns the wheel,
 * timeline_event.c takes recorded events in, timeline_clock.c does what clocks do by
 * themselves. For no others.
 */
#ifndef CORE_TIMELINE_INTERNAL_H
#define CORE_TIMELINE_INTERNAL_H

#include "core/timeline.h"

enum {
	NO_RUN = 0,         /* run numbers begin at 1; this one never ends */
	LAPSED_MOST = 1000, /* the oldest is forgotten then: only a hostile store gets there */
};

/* One run of an obligation's clock. */
struct run {
	size_t number; /* for timeline_run_end */
	int obligation;
	int64_t event; /* key of the event that started it */
	struct instant started;
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

/* Walks the places whose bit is set: for (struct places p = { bits }; timeline_next_place(&p);)
 * ... p.at
 */
struct places {
	uint64_t left;
	int at;
};

static inline bool timeline_next_place(struct places *places)
{
	if (places->left == 0)
		return false;
	places->at = __builtin_ctzll(places->left);
	places->left &= places->left - 1;
	return true;
}

struct entering {
	int stage;
	bool derived;
	int64_t event;
	struct instant agreed;
	size_t events_before; /* how many events have happened, the entering one included */
};

/* --- timeline_clock.c ------------------------------------------------------------------ */

/* A fresh run number; NO_RUN (and out_of_memory) when there is no room. */
size_t timeline_new_run(struct timeline *timeline);
/* A recorded event ended what this run speaks of; the first end stands. */
void timeline_mark_ended(struct timeline *timeline, size_t run, struct instant at);
const struct obligation *timeline_obligation(const struct timeline *timeline,
					     const struct run *run);
/* A clock that will still speak of the due moment or after it. */
bool timeline_is_running_clock(const struct run *run);

void timeline_add_roles(struct role_set *to, const struct role_set *from);
/* Whoever owns the obligation: its own owner, else the owner of the stage in effect. */
void timeline_add_owner(const struct timeline *timeline, const struct obligation *obligation,
			struct role_set *to);
/* The owner of a stage and those it informs. */
struct role_set timeline_stage_roles(const struct timeline *timeline, int stage);

/* Entries about a clock, or about the challenge; timeline_say completes and queues them. */
struct entry timeline_run_entry(const struct timeline *timeline, const struct run *run,
				enum notice_kind kind);
struct entry timeline_challenge_entry(const struct timeline *timeline, enum notice_kind kind,
				      int64_t event);
void timeline_say(struct timeline *timeline, struct entry entry);

/* Starts the clock of an obligation, unless it runs already; `run` holds how it starts. */
void timeline_start_run(struct timeline *timeline, int obligation, struct run run);
/* Everything that follows from a run's start, limit and the pauses known by now. */
void timeline_reckon(struct timeline *timeline, struct run *run);
/* Everything that the clocks do at the present instant. */
void timeline_tick(struct timeline *timeline);

/* --- timeline_event.c ------------------------------------------------------------------ */

/* Enters a stage now; leaves the one in effect. */
void timeline_enter_stage(struct timeline *timeline, struct entering entering);
/* The recorded event at the cursor happens. */
void timeline_apply(struct timeline *timeline, const struct event *event);

#endif
