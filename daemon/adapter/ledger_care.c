/* ledger_care.c - see ledger_care.h. */
#include "adapter/ledger_care.h"

#include "adapter/ledger_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

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
