/*
 * zone_file - a time zone read from tzdata (RFC 8536), as a table of offset changes.
 *
 * The rule in the footer is unrolled to the end of 2100, so that nobody needs libc's idea of
 * local time, which a running process never renews (facts.md 8).
 */
#ifndef ADAPTER_ZONE_FILE_H
#define ADAPTER_ZONE_FILE_H

#include "base/arena.h"
#include "base/error.h"
#include "core/zone.h"

/* Parses the bytes of a TZif file (version 2 or later) into the arena. -EINVAL with why not. */
MUST_CHECK int zone_file_parse(const unsigned char *bytes, size_t length, const char *name,
			       struct arena *arena, struct zone *ret, struct error *error);

/*
 * Reads the zone of that name ("Europe/London") from $TZDIR's default place,
 * /usr/share/zoneinfo. A name with "..", a leading '/' or odd characters is refused.
 */
MUST_CHECK int zone_file_read(const char *name, struct arena *arena, struct zone *ret,
			      struct error *error);

#endif
