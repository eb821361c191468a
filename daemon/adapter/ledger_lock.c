/*
 * ledger_lock.c - the lock of a state folder, which one daemon holds: had, or only looked at.
 */
#include "adapter/ledger.h"
#include "adapter/ledger_care.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* How often, and how far apart, the lock is asked for: half a second in all. */
enum { LOCK_TRIES = 21, LOCK_PAUSE_MS = 25 };

/* Whether the lock was had; errno tells why not. */
static bool lock_within_a_moment(int fd)
{
	static const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };

	for (int tries = 1; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK || tries == LOCK_TRIES)
			return false;
		(void)nanosleep(&pause, NULL); /* a signal only asks sooner */
	}
	return true;
}

int ledger_lock(const char *state_folder, int *ret_descriptor, struct error *error)
{
	char path[PATH_MAX];
	int code;
	int fd;

	if (snprintf(path, sizeof path, "%s/lock", state_folder) >= (int)sizeof path)
		return error_set(error, ENAMETOOLONG, "state folder: its name is too long");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		code = errno;
		return error_set(error, code, "%s: %s", path, strerror(code));
	}
	if (!lock_within_a_moment(fd)) {
		code = errno;
		(void)close(fd); /* nothing was written */
		if (code == EWOULDBLOCK)
			return error_set(error, code, "%s: another challenge-notifyd holds it",
					 path);
		return error_set(error, code, "%s: %s", path, strerror(code));
	}
	*ret_descriptor = fd;
	return 0;
}

int ledger_is_running(const char *state_folder, bool *ret, struct error *error)
{
	char path[PATH_MAX];
	int result;
	int code;
	int fd;

	if (snprintf(path, sizeof path, "%s/lock", state_folder) >= (int)sizeof path)
		return error_set(error, ENAMETOOLONG, "state folder: its name is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		code = errno;
		if (code != ENOENT)
			return error_set(error, code, "%s: %s", path, strerror(code));
		*ret = false;
		return 0;
	}
	result = flock(fd, LOCK_SH | LOCK_NB);
	code = errno;
	(void)close(fd); /* which gives the lock back at once */
	if (result < 0 && code != EWOULDBLOCK)
		return error_set(error, code, "%s: %s", path, strerror(code));
	*ret = result < 0;
	return 0;
}
