/*
 * post - mails that are ready go to the senders, and what became of each goes to the ledger.
 *
 * The order of design section 5: the attempt is counted and committed before anybody connects,
 * and the outcome is committed before anything else happens. The outcome of one mail and the
 * claim of the next share a commit. A fault of the relay pauses the whole queue and refunds the
 * attempt.
 */
#ifndef SERVICE_POST_H
#define SERVICE_POST_H

#include "service/pass.h"

struct post;

/* `program` is the sender's path. Starts no process. */
MUST_CHECK int post_create(const struct world *world, const char *program, struct post **ret,
			   struct error *error);
/* Ends senders at once; call post_stop before, so that nothing is left in hand. */
void post_destroy(struct post *post);
void post_destroyp(struct post **post);

/* Another configuration: relay, limits and rate from now on. The pause, if any, ends. */
MUST_CHECK int post_configure(struct post *post, const struct world *world,
			      struct error *error);

/*
 * Gives out as many mails as senders, the rate and a pause allow. Only mails due at `until`
 * are claimed: with --once the moment of the beginning, so that each is tried once. Negative
 * only when the ledger or memory failed.
 */
MUST_CHECK int post_run(struct post *post, struct instant until, struct error *error);

/* Takes what senders reported, records it and goes on with what is next. As post_run. */
MUST_CHECK int post_take(struct post *post, struct instant until, struct error *error);

/* With `allowed` false nothing is claimed until it is true again: the clock cannot be trusted.
 * To be said at each cycle; nothing is claimed before the first. */
void post_allow(struct post *post, bool allowed);

/*
 * By this time outcomes are recorded: the clock's; or, when that was set to where it cannot be
 * since it was last allowed, what it would show now by CLOCK_BOOTTIME.
 */
struct instant post_now(const struct post *post);

/* Readable when post_take has something to do. */
int post_descriptor(const struct post *post);

struct post_state {
	size_t busy;            /* mails with senders now */
	size_t leaving;         /* senders that were let go and have not ended yet */
	bool paused;            /* by a fault of the relay */
	const char *pause_text; /* what the relay said; "" */
	int64_t deadline;       /* CLOCK_BOOTTIME second of the next thing to do; INT64_MAX */
	int64_t oldest;         /* since when the oldest mail is with a sender; INT64_MAX */
	bool rate_limited;      /* a mail may be waiting for the rate */
	size_t fallen_through;  /* notices' mails refused since the last look: render again */
	size_t accepted;        /* since the start */
};
struct post_state post_state(struct post *post);

/* By a fault of the relay. Unlike post_state, a look that changes nothing. */
bool post_is_paused(const struct post *post);

/*
 * Claims no more. Senders without a mail are let go; those with one go on until post_state
 * says that none is busy, or the caller loses patience and calls post_abandon, which records
 * what is in hand: in doubt where the text may have gone, else to be tried again.
 */
void post_stop(struct post *post);
MUST_CHECK int post_abandon(struct post *post, struct error *error);

#endif
