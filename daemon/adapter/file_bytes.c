/* file_bytes.c - see file_bytes.h. */
#include "adapter/file_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* read only: nothing can be lost */
}

static int check_kind(int fd, struct error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_set(error, errno, "cannot be examined: %s", strerror(errno));
	if (S_ISDIR(status.st_mode))
		return error_set(error, EISDIR, "is a folder, not a file");
	if (!S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "is not a regular file");
	if (status.st_size > FILE_BYTES_MOST)
		return error_set(error, EFBIG, "is larger than 1 MiB");
	return 0;
}

static int read_all(int fd, struct file_bytes *bytes, struct error *error)
{
	for (;;) {
		/* One byte past the most, so that a file that grows meanwhile is noticed. */
		ssize_t got = read(fd, bytes->data + bytes->length,
				   FILE_BYTES_MOST + 1 - bytes->length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(error, errno, "cannot be read: %s", strerror(errno));
		if (got == 0)
			break;
		bytes->length += (size_t)got;
		if (bytes->length > FILE_BYTES_MOST)
			return error_set(error, EFBIG, "is larger than 1 MiB");
	}
	bytes->data[bytes->length] = '\0';
	return 0;
}

int file_bytes_read(const char *path, struct file_bytes *ret, struct error *error)
{
	CLEANUP(file_bytes_clear) struct file_bytes bytes = { 0 };
	/* O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever. */
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	char *fitting;
	int rc;

	if (fd < 0)
		return error_set(error, errno, "cannot be opened: %s", strerror(errno));
	rc = check_kind(fd, error);
	if (rc < 0)
		return rc;
	bytes.data = malloc((size_t)FILE_BYTES_MOST + 2);
	if (bytes.data == NULL)
		return error_memory(error);
	rc = read_all(fd, &bytes, error);
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
