/*
 * breaker - holds everything when far more falls due than is usual, and says so.
 *
 * A wrong clock, a changed policy or a spreadsheet of old challenges must not become a thousand
 * mails (design section 4, "Catch-up"). Nor must a ledger from a backup, which does not know
 * what went out after the copy was made. Immediate risk is never held.
 */
#ifndef SERVICE_BREAKER_H
#define SERVICE_BREAKER_H

#include "service/pass.h"

struct breaker {
	bool holds;           /* what is decided now is held, */
	struct instant until; /* if it fell due by then; NEVER: all of it */
	bool copy_looked_for; /* once: a file is put in the ledger's place while nobody runs */
	int32_t told;         /* day of the last alarm; 0: none */
	bool announced;       /* the flood was told when it began; its end is told too */
};

/* Before anything may be sent: where the ledger is a copy that was put back, whatever waits in
 * it is held, and the journal says so. */
MUST_CHECK int breaker_restore(struct breaker *breaker, const struct world *world,
			       struct instant now, struct error *error);
bool breaker_is_restored(const struct breaker *breaker);

/* At the beginning of a pass: is a flood being held? It ends in another process. */
MUST_CHECK int breaker_look(struct breaker *breaker, const struct world *world,
			    struct error *error);

/* Counts notices that fell due, inside their transaction; from a flood on all that waits is
 * held. */
MUST_CHECK int breaker_count(struct breaker *breaker, const struct world *world, size_t due,
			     struct instant now, struct error *error);

/*
 * At the end of a pass that has seen everything: alarms once a day while a flood is held, by
 * the journal and a mail to the inbox. After a restore it is over by itself if nothing had to
 * be held; then the journal tells, and the mail is engine's alarm. *ret: how many notices are
 * held; 0 while there is no flood.
 */
MUST_CHECK int breaker_tell(struct breaker *breaker, const struct world *world,
			    struct instant now, int64_t *ret, struct error *error);

#endif
