/* metrics_file.c - see metrics_file.h. */
#include "adapter/metrics_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			length -= (size_t)n;
		}
	}
	return fchmod(fd, 0644) < 0 ? -errno : 0; /* whatever the umask */
}

static int fail(const char *path, int code, struct error *error)
{
	return error_set(error, code, "%s: %s", path, strerror(code));
}

int metrics_file_write(const char *path, const char *bytes, size_t length, struct error *error)
{
	char beside[PATH_MAX];
	int fd;
	int r;

	if (snprintf(beside, sizeof beside, "%s.tmp", path) >= (int)sizeof beside)
		return fail(path, ENAMETOOLONG, error);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return fail(beside, errno, error);
	r = write_all(fd, bytes, length);
	(void)close(fd); /* nothing is to be synced */
	if (r == 0 && rename(beside, path) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	(void)unlink(beside);
	return fail(path, -r, error);
}
