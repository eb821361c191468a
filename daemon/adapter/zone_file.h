/*
 * zone_file - a time zone read from tzdata (RFC 8536), as a table of offset changes.
 *
 * The rule in the footer is unrolled to the end of 2100, so that nobody needs libc's idea of
 * local time, which a running process never renews (facts.md 8).
 */
#ifndef ADAPTER_ZONE_FILE_H
#define ADAPTER_ZONE_FILE_H

#include "adapter/file_bytes.h"
#include "base/arena.h"
#include "base/error.h"
#include "core/zone.h"

/* Parses the bytes of a TZif file (version 2 or later) into the arena. -EINVAL with why not. */
MUST_CHECK int zone_file_parse(const unsigned char *bytes, size_t length, const char *name,
			       struct arena *arena, struct zone *ret, struct error *error);

/* Where the file of that zone ("Europe/London") stands: in $TZDIR when that is an absolute
 * path, as libc has it (tzset(3)), else in /usr/share/zoneinfo. A name with "..", a leading '/'
 * or odd characters is refused. */
enum { ZONE_FOLDER_MOST = 300, ZONE_PATH_SIZE = ZONE_FOLDER_MOST + 102 };
MUST_CHECK int zone_file_path(const char *name, char out[static ZONE_PATH_SIZE],
			      struct error *error);

/* Its bytes as they stand there; `name` is for the text of an error. */
MUST_CHECK int zone_file_bytes(const char *path, const char *name, struct file_bytes *ret,
			       struct error *error);

/* Path, bytes and parsing in one. */
MUST_CHECK int zone_file_read(const char *name, struct arena *arena, struct zone *ret,
			      struct error *error);

#endif
