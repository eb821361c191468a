/* adopt - what is past is recorded as adopted, unsent: shared by `adopt` and `adopt --restart`.
 */
#ifndef CTL_ADOPT_H
#define CTL_ADOPT_H

#include "adapter/ledger.h"
#include "ctl/command.h"

struct adopting {
	struct ledger *ledger;     /* inside a transaction */
	struct timeline *timeline; /* reused from one challenge to the next */
	struct instant until;      /* what fell due up to here is past */
	struct instant now;        /* when that is decided */
	size_t count;              /* notices newly adopted, or taken back before they went */
};

/*
 * Adopts what the timeline of this settled challenge asks for up to `until`: what was never
 * decided is recorded as adopted, what waits without a mail is cancelled so. What has a mail
 * stays as it is. -ENOMEM, or errors of the ledger.
 */
MUST_CHECK int adopt_challenge(struct adopting *adopting, const struct policy *policy,
			       const struct challenge *challenge, struct error *error);

/* Who, why and how many, as an entry of the chain's own; and no flood is held any longer. */
MUST_CHECK int adopt_note(const struct adopting *adopting, const char *by, const char *why,
			  struct error *error);

/* What `adopt --restart` was told. */
struct restart {
	struct ctl *ctl;
	const char *by;
	const char *why;
	bool yes;
	char **references; /* NULL-terminated; none: every open challenge */
};
int adopt_restart(const struct restart *restart);

#endif
