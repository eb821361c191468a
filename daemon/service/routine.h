/*
 * routine - mails that come by the calendar: the daily sign of life, Monday's watch-list.
 *
 * The sign of life goes to the addresses of `alarm`, every day at `alarm.daily`; the list of
 * every open challenge, if there is one, to the business unit, when the first working day of a
 * week opens. The sign of life is given on the word of the proof only: while an open challenge
 * is not watched it stays away, and an alarm tells why. The ledger remembers the last of each,
 * so each comes once; one that was missed comes late, but on its own day, or in its own week.
 */
#ifndef SERVICE_ROUTINE_H
#define SERVICE_ROUTINE_H

#include "service/pass.h"

enum { ROUTINE_ROWS = 200 }; /* of a watch-list; past that it says how many more there are */

/*
 * Sends what is due. 0 with *ret_mails stored, and in *ret_next when to ask again (NEVER: no
 * routine is set up; one that had to wait for the proof is asked for again when that speaks);
 * negative errors of the ledger, the store (then *ret_store_failed is set)
 * or memory, and then nothing is stored. What a ledger has never seen begins with its next
 * turn.
 */
MUST_CHECK int routine_run(const struct world *world, struct store *store,
			   enum proof_verdict verdict, struct instant now, size_t *ret_mails,
			   struct instant *ret_next, bool *ret_store_failed,
			   struct error *error);

#endif
