/*
 * instant - points in time and civil days, as values that cannot be mixed up.
 *
 * An instant is UTC seconds since 1970 (POSIX: no leap seconds). A civil day is counted
 * from 1970-01-01 and has no zone. Both are plain arithmetic: nothing here knows what
 * time it is now, and no zone but a given offset.
 */
#ifndef BASE_INSTANT_H
#define BASE_INSTANT_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct instant {
	int64_t seconds;
};

#define INSTANT_NEVER ((struct instant){ INT64_MAX })

enum { SECONDS_PER_DAY = 86400 };

static inline bool instant_before(struct instant a, struct instant b)
{
	return a.seconds < b.seconds;
}

static inline bool instant_equal(struct instant a, struct instant b)
{
	return a.seconds == b.seconds;
}

static inline bool instant_is_never(struct instant at)
{
	return at.seconds == INT64_MAX;
}

static inline struct instant instant_min(struct instant a, struct instant b)
{
	return a.seconds < b.seconds ? a : b;
}

static inline struct instant instant_max(struct instant a, struct instant b)
{
	return a.seconds > b.seconds ? a : b;
}

/* at + seconds; saturates at INSTANT_NEVER and at INT64_MIN, and never moves NEVER. */
struct instant instant_add(struct instant at, int64_t seconds);

/* A civil date, proleptic Gregorian. */
struct date {
	int32_t year;
	int32_t month; /* 1..12 */
	int32_t day;   /* 1..31 */
};

/* Days since 1970-01-01; the date must be a real one (date_is_real). */
int32_t date_to_day(struct date date);
struct date day_to_date(int32_t day);
bool date_is_real(struct date date);

/* 0 Monday .. 6 Sunday. */
int32_t day_weekday(int32_t day);

/* Exactly "YYYY-MM-DD" and nothing after it. False: not a real date; *ret is as it was. */
MUST_CHECK bool day_parse(const char *string, int32_t *ret);

/* "YYYY-MM-DD"; returns `out`. */
enum { DAY_TEXT_SIZE = 16 };
const char *day_format(int32_t day, char out[static DAY_TEXT_SIZE]);

/*
 * A time as people and programs type it: RFC 3339 ("2026-11-24T10:00:00+00:00", 'T' or a
 * blank, 'Z', fractions of a second cut off), or local time without offset
 * ("2026-11-24 10:00", seconds optional), or a date alone (midnight, local).
 */
struct written_time {
	int32_t day;
	int32_t second;  /* of the day, 0..86399; second 60 is taken as 59 */
	bool has_offset; /* false: local time of whatever calendar the reader means */
	int32_t offset;  /* seconds east of UTC */
};
MUST_CHECK bool written_time_parse(const char *string, struct written_time *ret);

/* RFC 3339 with numeric offset (whole minutes), "2026-11-24T10:00:00+00:00"; returns `out`. */
enum { INSTANT_TEXT_SIZE = 40 };
const char *instant_format(struct instant at, int32_t offset,
			   char out[static INSTANT_TEXT_SIZE]);

#endif
