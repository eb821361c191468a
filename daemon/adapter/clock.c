/* clock.c - see clock.h. */
#include "adapter/clock.h"

#include <time.h>

static int64_t read_seconds(clockid_t id)
{
	struct timespec now = { 0 };

	(void)clock_gettime(id, &now); /* both clocks exist on every kernel this runs on */
	return now.tv_sec;
}

static struct instant system_now(void *self)
{
	(void)self;
	return (struct instant){ read_seconds(CLOCK_REALTIME) };
}

static int64_t system_boot_seconds(void *self)
{
	(void)self;
	return read_seconds(CLOCK_BOOTTIME);
}

const struct clock clock_system = { .now = system_now, .boot_seconds = system_boot_seconds };
