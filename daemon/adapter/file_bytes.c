/* file_bytes.c - see file_bytes.h. */
#include "adapter/file_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* read only: nothing can be lost */
}

static int too_large(size_t most, struct error *error)
{
	return error_set(error, EFBIG, "is larger than %zu MiB", most >> 20);
}

static int check_kind(int fd, size_t most, struct error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_set(error, errno, "cannot be examined: %s", strerror(errno));
	if (S_ISDIR(status.st_mode))
		return error_set(error, EISDIR, "is a folder, not a file");
	if (!S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "is not a regular file");
	if ((uintmax_t)status.st_size > most)
		return too_large(most, error);
	return 0;
}

static int read_all(int fd, size_t most, struct file_bytes *bytes, struct error *error)
{
	for (;;) {
		/* One byte past the most, so that a file that grows meanwhile is noticed. */
		ssize_t got = read(fd, bytes->data + bytes->length, most + 1 - bytes->length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(error, errno, "cannot be read: %s", strerror(errno));
		if (got == 0)
			break;
		bytes->length += (size_t)got;
		if (bytes->length > most)
			return too_large(most, error);
	}
	bytes->data[bytes->length] = '\0';
	return 0;
}

int file_bytes_read(const char *path, struct file_bytes *ret, struct error *error)
{
	return file_bytes_read_most(path, FILE_BYTES_MOST, ret, error);
}

int file_bytes_read_most(const char *path, size_t most, struct file_bytes *ret,
			 struct error *error)
{
	CLEANUP(file_bytes_clear) struct file_bytes bytes = { 0 };
	/* O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever. */
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	char *fitting;
	int rc;

	if (fd < 0)
		return error_set(error, errno, "cannot be opened: %s", strerror(errno));
	rc = check_kind(fd, most, error);
	if (rc < 0)
		return rc;
	bytes.data = malloc(most + 2);
	if (bytes.data == NULL)
		return error_memory(error);
	rc = read_all(fd, most, &bytes, error);
	if (rc < 0)
		return rc;
	fitting = realloc(bytes.data, bytes.length + 1);
	if (fitting != NULL)
		bytes.data = fitting;
	*ret = TAKE(bytes);
	return 0;
}

void file_bytes_clear(struct file_bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct file_bytes){ 0 };
}
