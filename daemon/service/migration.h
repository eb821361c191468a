/*
 * migration - opens the ledger as the daemon, and says so while an older one is brought to this
 * program's version: systemd waits longer, and the journal tells what was done.
 */
#ifndef SERVICE_MIGRATION_H
#define SERVICE_MIGRATION_H

#include "adapter/clock.h"
#include "adapter/ledger.h"

enum {
	MIGRATION_TELL_SECONDS = 10,    /* systemd hears of a migration so often */
	MIGRATION_EXTEND_SECONDS = 120, /* and waits so much longer each time */
};

/* As ledger_open with LEDGER_WRITE; the caller holds the folder's lock. */
MUST_CHECK int migration_open_ledger(const char *folder, const struct clock *clock,
				     struct ledger **ret, struct error *error);

#endif
