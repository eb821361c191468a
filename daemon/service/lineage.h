/*
 * lineage - is the store the one that the ledger knows, and not an older copy of it?
 *
 * SQLite gives the numbers of what an older copy has lost to what is recorded next, and the
 * ledger's keys are made of these numbers: it would be taken for told already, in silence. So
 * the ledger keeps a witness, the newest event seen. A store without it is not acted on
 * until a person has said what it is (challengectl approve store), and where the copy ended
 * when it was first looked at is noted for that person: what is above has got a lost number.
 */
#ifndef SERVICE_LINEAGE_H
#define SERVICE_LINEAGE_H

#include "adapter/ledger.h"
#include "adapter/store.h"

enum { LINEAGE_TEXT_SIZE = 260 };

/*
 * 1: it is, or the ledger has seen no event of any store yet. 0: it is not; *ret_text says what
 * is wrong and what to do, and the ledger remembers it for challengectl status. Costs two
 * look-ups by number. *store_failed tells which of the two an error is of.
 */
MUST_CHECK int lineage_check(struct ledger *ledger, struct store *store,
			     char ret_text[static LINEAGE_TEXT_SIZE], bool *store_failed,
			     struct error *error);

/*
 * The same inside a read of the store, for whoever decides by what he reads: a file may be
 * written over between two reads. 0, or -ESTALE where lineage_check would answer 0. Writes
 * nothing.
 */
MUST_CHECK int lineage_confirm(struct ledger *ledger, struct store *store, bool *store_failed,
			       struct error *error);

/* Inside transactions of both, when all of the store has been looked at: the newest event is
 * the witness from now on. */
MUST_CHECK int lineage_remember(struct ledger *ledger, struct store *store, struct instant now,
				bool *store_failed, struct error *error);

#endif
