/*
 * decide - what is due for one challenge goes into the ledger, once.
 *
 * Runs inside a ledger transaction of its caller. A notice that need not be sent is recorded
 * all the same, as cancelled with its reason: silence always has a cause that can be read.
 */
#ifndef SERVICE_DECIDE_H
#define SERVICE_DECIDE_H

#include "adapter/config_file.h"
#include "service/approval.h"
#include "service/facts.h"

struct decided {
	size_t to_send; /* notices newly decided, those held by a flood among them */
	size_t not_sent;
	size_t adopted;
	size_t held;      /* until the configuration is approved */
	size_t moved;     /* deadlines, with the configuration */
	size_t cancelled; /* earlier decisions taken back before they went */
};

/* How a challenge is decided on. */
struct manner {
	bool adopt;       /* what is past is recorded as adopted, unsent */
	bool loud;        /* faults of the record are logged: once a change */
	const char *hold; /* why what is new is held, but for immediate risk; NULL: it is not */
	struct instant hold_until; /* only what fell due by then is; NEVER: all of it */
};

/*
 * Settles the challenge in place, holds it against its policy at `now`, records what is new,
 * takes back what waits no longer and remembers when to look again. Adds to *ret.
 * A fault of the record itself (unknown policy, a pause without end) is no error. What
 * `approval` says is due by an unapproved configuration alone is held; what was held and is
 * asked for by the approved one as well is released.
 */
MUST_CHECK int decide_challenge(struct ledger *ledger, const struct config *config,
				struct approval *approval, struct facts *facts,
				struct challenge *challenge, const struct manner *manner,
				struct instant now, struct decided *ret, struct error *error);

/* The reason of what a later notice of its kind makes needless. */
extern const char decide_replaced[];

#endif
