/*
 * zone - local time as a table of offset changes.
 *
 * The table comes from tzdata through adapter/zone_file (or from a test, real or
 * invented). Nothing here reads TZ, a file or libc's idea of local time.
 */
#ifndef CORE_ZONE_H
#define CORE_ZONE_H

#include "base/instant.h"

struct zone_change {
	struct instant at; /* first instant at which the offset holds */
	int32_t offset;    /* seconds east of UTC */
};

struct zone {
	const char *name;                  /* "Europe/London"; borrowed */
	int32_t first_offset;              /* before the first change */
	const struct zone_change *changes; /* sorted by `at`; borrowed */
	size_t count;                      /* 0: first_offset always */
	const char *digest; /* SHA-256 of the file it was read from; NULL: invented; borrowed */
};

/* Seconds east of UTC in force at `at`. */
int32_t zone_offset(const struct zone *zone, struct instant at);

/* The civil day and the second of it (0..86399) that clocks in the zone show at `at`. */
void zone_local(const struct zone *zone, struct instant at, int32_t *ret_day,
		int32_t *ret_second);

/*
 * The instant at which clocks in the zone show this day and second (0..86400; 86400 is
 * the next day's midnight). A time that spring skips counts as if the old offset still
 * held; of a time that autumn repeats, the first.
 */
struct instant zone_instant(const struct zone *zone, int32_t day, int32_t second);

#endif
