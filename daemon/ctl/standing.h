/* standing - where a challenge stands at one moment, by its policy: for list and show. */
#ifndef CTL_STANDING_H
#define CTL_STANDING_H

#include "core/timeline.h"
#include "ctl/command.h"

struct standing {
	const struct policy *policy; /* NULL: no such policy is loaded, and nothing is known */
	struct timeline_state state;
	struct instant raised; /* INSTANT_NEVER: it was not, by then */
};

/*
 * The challenge is settled by this (challenge_settle) and must stay in place while the
 * timeline is used. `timeline` is reused from one challenge to the next. -ENOMEM.
 */
MUST_CHECK int standing_find(const struct config *config, struct timeline *timeline,
			     struct challenge *challenge, struct instant now,
			     struct standing *ret, struct error *error);

/* The stage in effect; "" before any, or without a policy. */
const char *standing_stage(const struct standing *standing);

/* "open", "paused", "resolved" (something is owed still), "ended", "not raised" or "no policy".
 */
const char *standing_word(const struct standing *standing);

/* The zone in which its times are shown; NULL: UTC. */
const struct zone *standing_zone(const struct standing *standing);

#endif
