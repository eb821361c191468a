/*
 * file_bytes - a whole small file, read without ever waiting for it.
 *
 * For the files that people edit or tzdata installs: a FIFO, a device or a folder put in their
 * place is an error, not a hang.
 */
#ifndef ADAPTER_FILE_BYTES_H
#define ADAPTER_FILE_BYTES_H

#include "base/error.h"

#include <stdbool.h>

enum { FILE_BYTES_MOST = 1 << 20 };

struct file_bytes {
	char *data; /* with a NUL behind it that length does not count; NULL: empty */
	size_t length;
};

/*
 * Reads a regular file of at most FILE_BYTES_MOST bytes. -ENOENT, -EACCES and so on as open(2)
 * has them, -EISDIR, -EINVAL for anything else that is not a regular file, -EFBIG; the text
 * says why without the path, which the caller knows.
 */
MUST_CHECK int file_bytes_read(const char *path, struct file_bytes *ret, struct error *error);

/* The same of at most so many bytes, a whole number of MiB. */
MUST_CHECK int file_bytes_read_most(const char *path, size_t most, struct file_bytes *ret,
				    struct error *error);

/* Safe on an empty one and twice. */
void file_bytes_clear(struct file_bytes *bytes);

#endif
