/*
 * proof - holds every open challenge against the promise (core/promise.h), in slices.
 *
 * A round looks at each challenge in the store and at what the ledger plans for it. It takes a
 * thousand at a call, so that nobody waits for it, and rests afterwards in proportion: at any
 * size it costs less than a twentieth of one processor. While nothing changes what was proved
 * stays proved, and a call costs nothing. Signs of life are given on its word only.
 */
#ifndef SERVICE_PROOF_H
#define SERVICE_PROOF_H

#include "service/pass.h"

struct proof;

enum {
	PROOF_SLICE = 1000,         /* challenges a call: a few milliseconds */
	PROOF_A_SECOND = 5000,      /* of rest for so many looked at */
	PROOF_FRESH_SECONDS = 600,  /* a round that began before says nothing of a busy store */
	PROOF_AGAIN_SECONDS = 3600, /* a round at least so often, whatever seems to be so */
	PROOF_QUEUED_SECONDS = 60,  /* or so often where only a queued mail kept the promise */
	PROOF_NAMED = 10,           /* challenges that the journal names */
};

MUST_CHECK int proof_create(struct proof **ret, struct error *error);
void proof_destroy(struct proof *proof);

/* Something was changed since: the next round is not spared. */
void proof_doubt(struct proof *proof);

/* Another store or configuration: what was proved says nothing of it. */
void proof_forget(struct proof *proof);

/*
 * After a cycle that has decided all that is due: begins a round, or goes on with it, where
 * that is wanted. 1 while a round is under way: call again soon. What it finds is logged when
 * it begins, when it grows and when it is over. Negative errors of the ledger, the store (then
 * *ret_store_failed is set) or memory.
 */
MUST_CHECK int proof_run(struct proof *proof, const struct world *world, struct store *store,
			 struct instant now, bool *ret_store_failed, struct error *error);

/* What the last whole round came to, if it still speaks for now. */
struct proof_state proof_state(const struct proof *proof, const struct clock *clock);

#endif
