/*
 * service - the daemon's loop on sd-event: polls, timers, signals, senders, systemd.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "adapter/clock.h"

/*
 * Runs until SIGTERM or SIGINT. Returns the exit status; what is wrong has been logged. SIGHUP
 * reads the configuration anew.
 */
int service_run(const char *config_file, const struct clock *clock);

#endif
