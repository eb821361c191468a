/*
 * promise - does an open challenge have something to come, or can it fall silent unnoticed?
 *
 * The promise of the program (design section 1) held against one challenge: what its timeline
 * says and what the ledger plans are compared, so that a plan that was lost or comes too late
 * shows. The daemon's proof and `challengectl status` judge by this one function.
 */
#ifndef CORE_PROMISE_H
#define CORE_PROMISE_H

#include "core/timeline.h"

enum {
	/* A look that was planned and has not been taken is borne so long: a poll may be long.
	 */
	PROMISE_LATE_SECONDS = 300,
};

enum promise {
	PROMISE_NOT_OPEN,   /* never raised, or ended: nothing is owed */
	PROMISE_ACTION,     /* it is looked at again, in time */
	PROMISE_QUEUED,     /* nothing more is to come, but something waits to be sent */
	PROMISE_ENDS,       /* nothing more is to come before a recorded event ends it */
	PROMISE_UNREADABLE, /* its record cannot be read: from here on it is broken */
	PROMISE_NO_POLICY,
	PROMISE_FORGOTTEN, /* no look is planned */
	PROMISE_TOO_LATE,  /* the look that is planned comes after its timeline speaks */
	PROMISE_OVERDUE,   /* the look that was planned has not been taken */
	PROMISE_SILENT,    /* nothing is to come, and nothing waits */
};

struct promise_facts {
	bool readable;
	bool has_policy;
	bool open; /* raised and not ended, by what has happened so far */
	bool ends; /* a recorded event is still to come, and will end it */
	bool queued;
	struct instant next; /* when its timeline speaks again; NEVER */
	struct instant look; /* when the ledger plans to look at it; NEVER: it does not */
};

enum promise promise_judge(const struct promise_facts *facts, struct instant now);

bool promise_is_kept(enum promise promise);

/* Why it is broken, as the rest of a sentence about the challenge; "" while it is kept. */
const char *promise_reason(enum promise promise);

/*
 * What a timeline says that has been read up to a moment: sets open, ends, next, readable and
 * has_policy, and clears the rest. Reads on, so that timeline_state and timeline_run_end speak
 * of later from then on. -ENOMEM.
 */
MUST_CHECK int promise_read(struct timeline *timeline, struct promise_facts *ret,
			    struct error *error);

#endif
