/*
 * once - one full cycle with plain poll(2), for timers, tests and the demo.
 */
#ifndef SERVICE_ONCE_H
#define SERVICE_ONCE_H

#include "adapter/clock.h"

/*
 * Polls, decides, tries every mail that is ready once, records. Returns the exit status: 0 when
 * that was done, whatever the relay said of the mails; 3 when the store or the clock could not
 * be used; what is wrong has been logged.
 */
int once_run(const char *config_file, const struct clock *clock);

#endif
