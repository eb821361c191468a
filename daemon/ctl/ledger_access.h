/*
 * ledger_access - how commands come to the daemon's ledger, and how they show its times.
 */
#ifndef CTL_LEDGER_ACCESS_H
#define CTL_LEDGER_ACCESS_H

#include "adapter/ledger.h"
#include "ctl/command.h"

/*
 * Opens the ledger in $STATE_DIRECTORY, or where the configuration says. EXIT_DONE with *ret
 * (ledger_close), or EXIT_COULD_NOT after saying why.
 */
int ctl_ledger(struct ctl *ctl, enum ledger_access access, struct ledger **ret);

/* ledger_verify, which may take its time: with its progress shown where somebody watches. */
MUST_CHECK int ctl_verify(const struct ctl *ctl, struct ledger *ledger,
			  struct ledger_verification *ret, struct error *error);

/* What to do about an error of ledger_open; "" where nobody knows. */
const char *ctl_ledger_advice(int code);

/* EXIT_DONE where both are given, as every decision that is chained wants them; else
 * EXIT_USAGE. */
int ctl_who_and_why(struct ctl *ctl, const char *by, const char *why);

/* Local to the first calendar, "never" for INSTANT_NEVER; returns `out`. */
enum { WHEN_TEXT_SIZE = 40 };
const char *ctl_when(const struct ctl *ctl, struct instant at, char out[static WHEN_TEXT_SIZE]);

#endif
