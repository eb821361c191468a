/*
 * reach - whom a notice must reach besides the holder of its role, and when.
 *
 * An agency's own calendar decides the sending hours of its people, but defers by defer_at_most
 * and no more; then its cover and the business unit are told as well. And where everybody told
 * by an escalation was told by the rung below (a flat agency), the next rung is told (design
 * section 4). Each of these is a notice of its own in the ledger, of the same key but for its
 * role: "receiving.manager/cover", "receiving.manager/closed", or the token of the next rung's
 * owner.
 */
#ifndef SERVICE_REACH_H
#define SERVICE_REACH_H

#include "adapter/config_file.h"
#include "service/facts.h"

enum reach {
	REACH_HOLDER,
	REACH_COVER,  /* "/cover": who answers while the holder's agency is closed for long */
	REACH_CLOSED, /* "/closed": the business unit, because it is */
};

/* The role that a notice's token begins with, borrowed from the policy; NULL: no such role. */
const struct role *reach_role(const struct policy *policy, const char *token,
			      enum reach *ret_reach);

/* The tokens of the two further notices; each appends to the holder's. */
extern const char reach_cover[];
extern const char reach_closed[];

/* Everything that finding people asks for. Borrowed. */
struct reach_world {
	const struct config *config;
	const struct directory *directory;
	const struct challenge *challenge;
	struct refused refused;
	struct instant now;
};

/* Who is told: the holder of the role (or who stands in), or as `reach` says. */
struct recipient reach_recipient(const struct reach_world *world, const struct role *role,
				 enum reach reach);

enum reach_hours {
	REACH_NOW,
	REACH_LATER, /* the agency is closed: at *ret_until */
	REACH_PAST,  /* closed still, and deferred long enough: now, and the two others as well
		      */
};

/* When the recipient of a notice whose sending time was `send_at` may be mailed. */
enum reach_hours reach_hours(const struct reach_world *world, const struct policy *policy,
			     const struct recipient *recipient, struct instant send_at,
			     struct instant *ret_until);

/*
 * The roles of higher rungs that must be told of this escalation, because nobody new was: up to
 * the first rung that brings somebody new, that one included. Empty for anything else.
 */
struct role_set reach_further_rungs(const struct reach_world *world, const struct facts *facts,
				    const struct entry *entry);

#endif
