/*
 * crash - numbered points at which a test build dies.
 *
 * Only a build with -DCRASH_POINTS has them: there $CHALLENGE_NOTIFYD_CRASH_AT names the point,
 * by name or by its number in order of being passed, at which the process kills itself as
 * `kill -9` would. Everywhere else they are nothing.
 */
#ifndef SERVICE_CRASH_H
#define SERVICE_CRASH_H

#ifdef CRASH_POINTS
void crash_point(const char *name);
#else
static inline void crash_point(const char *name)
{
	(void)name;
}
#endif

#endif
