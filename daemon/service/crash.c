/* crash.c - see crash.h; empty but in the build that tests crashes. */
#include "service/crash.h"

#ifdef CRASH_POINTS
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void crash_point(const char *name)
{
	static int passed; /* test builds only */
	const char *at = getenv("CHALLENGE_NOTIFYD_CRASH_AT");
	char number[16];

	passed++;
	if (getenv("CHALLENGE_NOTIFYD_CRASH_LIST") != NULL)
		(void)fprintf(stderr, "crash point %d: %s\n", passed, name);
	(void)snprintf(number, sizeof number, "%d", passed);
	if (at != NULL && (strcmp(at, name) == 0 || strcmp(at, number) == 0))
		(void)kill(getpid(), SIGKILL);
}
#else
/* ISO C wants a translation unit to declare something. */
typedef int crash_points_are_off;
#endif
