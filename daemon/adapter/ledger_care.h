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

#endif
