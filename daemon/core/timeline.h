/*
 * timeline - every notice that a policy asks for, in order of time, from the facts of
 * one challenge.
 *
 * No clock goes in. What is due is the entries with `at` <= now whose key is not in the
 * ledger; explain, forecast, simulate and the daemon are all views of this one function,
 * so they cannot disagree. It is causal: what comes before an instant depends only on what
 * happened before it, so a longer history never changes the past of a shorter one.
 */
#ifndef CORE_TIMELINE_H
#define CORE_TIMELINE_H

#include "core/challenge.h"
#include "core/policy.h"

/* In the order in which they stand at one instant. */
enum notice_kind {
	NOTICE_RISK,
	NOTICE_INFORM,
	NOTICE_CLEARED,
	NOTICE_REMINDER,
	NOTICE_BREACH,
	NOTICE_ESCALATION,
	NOTICE_OVERDUE,
	NOTICE_QUIET,
};

/* "reminder" and so on; the words of section 7. */
const char *notice_kind_name(enum notice_kind kind);
/* -1: no such kind. */
int notice_kind_parse(const char *name);

struct entry {
	struct instant at;
	struct instant send_at; /* in the policy's calendar; for risk always `at` */
	enum notice_kind kind;
	int stage;          /* place in the policy; STAGE_NONE for overall */
	int obligation;     /* place in the policy; -1: none */
	const char *step;   /* the reminder's or repeat's text; "": none */
	int32_t occurrence; /* from 1 */
	struct role_set to; /* expanded: no ROLE_OWNER */
	bool firm;
	bool provisional;       /* past what the holiday list covers */
	int64_t event;          /* key of the event that started the clock */
	struct instant started; /* when that clock started; for informs, when the stage did */
	struct instant due;     /* the obligation's due instant; INSTANT_NEVER: none */
	size_t run;             /* names the clock for timeline_run_end */
};

/* What is wrong with the facts themselves: told loudly, once, by whoever speaks. */
enum timeline_problem {
	PROBLEM_URGENCY = 1 << 0,        /* unknown to the policy: the shortest limit counts */
	PROBLEM_PAUSE_NO_END = 1 << 1,   /* a pause without an end: the clock runs */
	PROBLEM_STAGE = 1 << 2,          /* a stage the policy does not have: ignored */
	PROBLEM_KIND = 1 << 3,           /* an event kind the policy does not know: ignored */
	PROBLEM_NO_AGREED_DATE = 1 << 4, /* "as agreed" from an event without a date */
	PROBLEM_RANGE = 1 << 5,          /* a time outside the years that calendars count */
	PROBLEM_NOT_RAISED = 1 << 6,     /* nothing has entered a stage */
};

struct timeline; /* reusable: begin again with the next challenge */

/* NULL: out of memory. */
MUST_CHECK struct timeline *timeline_create(void);
void timeline_destroy(struct timeline *timeline);
void timeline_destroyp(struct timeline **timeline);

/*
 * Starts over with these facts, which must be settled (challenge_settle) and stay in place,
 * with the policy, until the next begin.
 */
void timeline_begin(struct timeline *timeline, const struct policy *policy,
		    const struct challenge *challenge);

/*
 * The next entry with `at` <= until. Returns 1 with *ret; 0 when there is none (a later
 * `until` may give more); -ENOMEM. Repeats may be endless: the caller's `until` is
 * the horizon.
 */
MUST_CHECK int timeline_next(struct timeline *timeline, struct instant until, struct entry *ret,
			     struct error *error);

/*
 * The instant of the next entry after those given, however late; INSTANT_NEVER when there is
 * none. timeline_state and timeline_run_end speak of that later instant from then on. -ENOMEM.
 */
MUST_CHECK int timeline_peek(struct timeline *timeline, struct instant *ret,
			     struct error *error);

/*
 * When a *recorded* event ended what an entry speaks of (its obligation answered, its stage
 * left by a `stage` event, its challenge ended); INSTANT_NEVER while nothing has. A
 * derived escalation ends nothing here. Counts the events up to the latest instant asked of
 * timeline_next.
 */
struct instant timeline_run_end(const struct timeline *timeline, size_t run);

/* The state after everything up to the latest `until`. */
struct timeline_state {
	int stage; /* in effect; STAGE_NONE before any */
	struct instant stage_entered;
	int64_t stage_event;
	bool derived; /* entered by an escalation that nobody recorded */
	bool open;    /* raised, and neither resolved, withdrawn nor closed */
	bool ended;   /* closed, withdrawn, or resolved with nothing still owed */
	bool overdue; /* something has passed its time and is not answered, be it that the
			 policy has moved it up a stage since */
	bool paused;
	struct instant paused_until;
	struct instant last_event; /* when the last recorded event happened */
	unsigned problems;         /* enum timeline_problem, or-ed */
};
struct timeline_state timeline_state(const struct timeline *timeline);

/* One obligation that has started and that nothing recorded has ended yet. */
struct owed {
	int obligation;
	int64_t event;
	struct instant started;
	bool derived;
	struct instant due;    /* INSTANT_NEVER: no limit */
	bool breached;         /* it has passed its time: from the due instant on */
	bool lapsed;           /* its stage was left by escalation; still unanswered */
	struct role_set owner; /* expanded */
	size_t run;
};

/* Calls back for each of them, in order of starting. */
void timeline_owed(const struct timeline *timeline,
		   void (*each)(void *context, const struct owed *owed), void *context);

/* The pauses seen so far, for those who show a count; borrowed until the next call. */
const struct pause *timeline_pauses(const struct timeline *timeline, size_t *ret_count);

#endif
