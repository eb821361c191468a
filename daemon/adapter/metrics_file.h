/*
 * metrics_file - puts a small text in place of a file that somebody else reads at any time.
 */
#ifndef ADAPTER_METRICS_FILE_H
#define ADAPTER_METRICS_FILE_H

#include "base/error.h"

/*
 * Writes `length` bytes beside `path` (as path.tmp) and renames them over it, mode 0644, so
 * that a reader has the old text or the new one, whole. A symbolic link in the place of
 * path.tmp is not followed. Not synced: after a crash of the machine it may be the old one.
 * -ENOENT, -EACCES, -ENOSPC and so on, and then the old one stays.
 */
MUST_CHECK int metrics_file_write(const char *path, const char *bytes, size_t length,
				  struct error *error);

#endif
