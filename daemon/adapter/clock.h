/*
 * clock - the only place that asks the machine what time it is.
 *
 * A struct, so that tests and `--at` can hold another one.
 */
#ifndef ADAPTER_CLOCK_H
#define ADAPTER_CLOCK_H

#include "base/instant.h"

struct clock {
	struct instant (*now)(void *self);   /* CLOCK_REALTIME */
	int64_t (*boot_seconds)(void *self); /* CLOCK_BOOTTIME */
	void *self;
};

extern const struct clock clock_system;

static inline struct instant clock_now(const struct clock *clock)
{
	return clock->now(clock->self);
}

#endif
