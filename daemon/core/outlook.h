/*
 * outlook - all that one policy asks for on one challenge, up to an instant, kept so that two
 * of them can be held against each other.
 *
 * `simulate` shows what another configuration changes, the daemon holds what a new one alone
 * makes due: both ask here, so they cannot disagree. Entries of two policies are the same when
 * the notice keys are (design 2.2): ids and texts are compared, never places in a policy.
 */
#ifndef CORE_OUTLOOK_H
#define CORE_OUTLOOK_H

#include "core/timeline.h"

enum { OUTLOOK_MOST = 200000 }; /* entries; an endless hourly repeat ends here, as -E2BIG */

/* An obligation that falls due, or fell. */
struct deadline {
	int64_t event;
	const char *stage; /* id; "" for overall; borrowed from the policy, as the next */
	const char *obligation;
	struct instant due;
	bool owed; /* at `now`: started, and not answered */
};

struct outlook {
	const struct policy *policy; /* borrowed; NULL: nothing is asked for */
	struct timeline *timeline;
	struct instant now;
	struct entry *entries; /* with at <= until, in order */
	bool *waits;           /* beside each: no event recorded by `now` has ended it */
	size_t *sorted;        /* places in `entries`, in order of key */
	size_t count;
	size_t capacity;
	struct deadline *deadlines;
	size_t deadline_count;
	size_t deadline_capacity;
	struct timeline_state state; /* at `now` */
};

/*
 * Reads the timeline of a settled challenge up to `until` (not before `now`). A zeroed struct
 * is empty and may be read into again and again; without a policy (NULL) it stays empty. The
 * challenge must stay in place. 0; -ENOMEM; -E2BIG past OUTLOOK_MOST.
 */
MUST_CHECK int outlook_read(struct outlook *outlook, const struct policy *policy,
			    const struct challenge *challenge, struct instant now,
			    struct instant until, struct error *error);
void outlook_clear(struct outlook *outlook);

/* The entry of the same key, with whomever it tells; NULL: there is none. `policy` is the one
 * that `entry` comes from. */
const struct entry *outlook_find(const struct outlook *outlook, const struct policy *policy,
				 const struct entry *entry);

/* True when the outlook tells this role the same thing not later than `by`. */
bool outlook_tells(const struct outlook *outlook, const struct policy *policy,
		   const struct entry *entry, const char *role, struct instant by);

/* The same obligation of the same event; NULL: it falls never due. */
const struct deadline *outlook_deadline(const struct outlook *outlook,
					const struct deadline *deadline);

/* True when the entry at this place is due at `now`, waits still, and no later one of its
 * clock, due as well, says it in its stead: it would be mailed at once. */
bool outlook_is_due(const struct outlook *outlook, size_t place);

#endif
