/*
 * ledger_care - looking after the ledger and its folder: is a daemon running, a copy while
 * it runs, what erasure would erase, and what must be kept.
 */
#ifndef ADAPTER_LEDGER_CARE_H
#define ADAPTER_LEDGER_CARE_H

#include "adapter/ledger.h"

/*
 * Does a daemon hold the lock of this state folder? Looks without keeping the lock. -EACCES
 * and so on where that cannot be seen; a folder or lock that is not there is held by nobody.
 */
MUST_CHECK int ledger_is_running(const char *state_folder, bool *ret, struct error *error);

/*
 * A copy of the whole ledger at one moment, to a new file of mode 0600, checked and on disk. It
 * knows that it is a copy, so that a daemon that finds it in its ledger's place holds what may
 * have gone out meanwhile (ledger_hold_restored). Errors as database_backup.
 */
MUST_CHECK int ledger_backup(struct ledger *ledger, const char *path, struct error *error);

/*
 * Calls back for each notice that was to be sent in from..until (the second excluded) and whose
 * mail a relay accepted: the event of the store that started its clock, when it was to be sent,
 * and when it was accepted.
 */
MUST_CHECK int ledger_accepted(struct ledger *ledger, struct instant from, struct instant until,
			       void (*each)(void *context, int64_t event,
					    struct instant send_at, struct instant accepted),
			       void *context, struct error *error);

/* Takes away what migrations have kept of the ledger as it was before: how many files. */
size_t ledger_erase_copies(const char *state_folder);

/*
 * When the ledger plans to look at each of these challenges again: ret[i] for ids[i], NEVER
 * where it does not. The ids stand in order of themselves.
 */
MUST_CHECK int ledger_plans(struct ledger *ledger, const int64_t *ids, size_t count,
			    struct instant *ret, struct error *error);

/* How much there has been since the ledger was new, and since when the oldest mail that is to
 * be sent waits (NEVER: none does; looks at each of these). */
struct ledger_totals {
	int64_t notices;
	int64_t mails;
	struct instant oldest;
};
MUST_CHECK int ledger_total(struct ledger *ledger, struct ledger_totals *ret,
			    struct error *error);

/* --- erasure --------------------------------------------------------------------------------
 */

enum ledger_part {
	LEDGER_BODIES = 1 << 0,   /* the bytes of mails */
	LEDGER_PAYLOADS = 1 << 1, /* what entries of the chain say */
};

/* As ledger_purge, of these parts (or-ed) only. */
MUST_CHECK int ledger_purge_parts(struct ledger *ledger, unsigned parts, struct instant before,
				  size_t most, const char *by, const char *why,
				  struct instant now, size_t *ret_count, struct error *error);

/* How many of them it would erase in all. */
MUST_CHECK int ledger_purgeable(struct ledger *ledger, enum ledger_part part,
				struct instant before, size_t *ret, struct error *error);

/*
 * Keeps everything about a challenge from being erased, or no longer; chained, with who and
 * why. -EEXIST: it is held already; -ENOENT: it is not held.
 */
struct ledger_hold_order {
	int64_t challenge;
	const char *reference;
	const char *by;
	const char *why;
};
MUST_CHECK int ledger_hold_challenge(struct ledger *ledger,
				     const struct ledger_hold_order *order, struct instant now,
				     struct error *error);
MUST_CHECK int ledger_unhold_challenge(struct ledger *ledger,
				       const struct ledger_hold_order *order,
				       struct instant now, struct error *error);

/* 1: held, with why in *ret (JSON of reference, by, why and at); 0: not. */
MUST_CHECK int ledger_challenge_is_held(struct ledger *ledger, int64_t challenge,
					struct text *ret, struct error *error);

#endif
