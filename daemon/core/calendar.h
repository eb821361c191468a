/*
 * calendar - which days work, when they open and close, and what lies so much working
 * time after an instant.
 *
 * Pure: it reads no clock, no file and no environment. The plan (hours, holidays,
 * closures, zone) is compiled once into counted tables, so that adding a year of working
 * days costs the same as adding one.
 *
 * A civil day is *working* when it has opening hours and is neither holiday nor closure;
 * it *opens* at the start of its first opening and *closes* at the end of its last
 * (design section 4, "Counting, exactly").
 */
#ifndef CORE_CALENDAR_H
#define CORE_CALENDAR_H

#include "base/error.h"
#include "core/zone.h"

enum {
	CALENDAR_OPENINGS = 6,      /* the most openings that one day may have */
	CALENDAR_FIRST_YEAR = 2010, /* days outside these years cannot be counted: -ERANGE */
	CALENDAR_LAST_YEAR = 2059,
};

struct opening {
	int32_t from; /* seconds after local midnight, 0..86400 */
	int32_t to;   /* from < to <= 86400 */
};

struct day_hours {
	struct opening opening[CALENDAR_OPENINGS]; /* in order, apart from each other */
	size_t count;                              /* 0: closed */
};

struct holiday {
	int32_t day;
	const char *name;
};

struct closure {
	int32_t from;
	int32_t to; /* inclusive */
	const char *name;
};

struct calendar_plan {
	const char *id;
	struct zone zone;
	struct day_hours week[7]; /* [0] is Monday */
	const struct holiday *holidays;
	size_t holiday_count;
	const struct closure *closures;
	size_t closure_count;
	/* Last civil day that the holiday list speaks for; INT32_MAX when there is none. */
	int32_t covered_until;
};

struct calendar;

/*
 * Compiles the plan, whose strings and tables stay borrowed and must outlive the
 * calendar. Returns 0; -EINVAL when no day of the week opens or an opening is out of
 * order; -ENOMEM.
 */
MUST_CHECK int calendar_create(const struct calendar_plan *plan, struct calendar **ret,
			       struct error *error);
void calendar_destroy(struct calendar *calendar);
void calendar_destroyp(struct calendar **calendar);

const struct calendar_plan *calendar_plan(const struct calendar *calendar);
const struct zone *calendar_zone(const struct calendar *calendar);

enum day_kind { DAY_WORKING, DAY_NO_HOURS, DAY_HOLIDAY, DAY_CLOSURE };

/* What kind of day it is; *ret_name (may be NULL) is the holiday's or closure's name or NULL.
 */
enum day_kind calendar_day_kind(const struct calendar *calendar, int32_t day,
				const char **ret_name);
bool calendar_is_working(const struct calendar *calendar, int32_t day);

/* True past the last day that the holiday list speaks for. */
bool calendar_is_provisional(const struct calendar *calendar, struct instant at);

/*
 * When a working day opens (the start of its first opening) and closes (the end of its last).
 * The day must be working. A time that spring skips is taken by the offset before.
 */
struct instant calendar_opens(const struct calendar *calendar, int32_t day);
struct instant calendar_closes(const struct calendar *calendar, int32_t day);

/* The civil day, in the calendar's zone, of an instant. */
int32_t calendar_day(const struct calendar *calendar, struct instant at);

/* Inside an opening; the end of one is outside. */
bool calendar_is_open(const struct calendar *calendar, struct instant at);

/* `at` itself when open, else the next opening of any kind (after a lunch break too). */
MUST_CHECK int calendar_next_open(const struct calendar *calendar, struct instant at,
				  struct instant *ret);

/*
 * The nth working day after `day` (n > 0) or before it (n < 0), not counting `day`.
 * n == 0: `day` itself if working, else the next working day. -ERANGE past the years
 * above; *ret is then as it was.
 */
MUST_CHECK int calendar_step_days(const struct calendar *calendar, int32_t day, int32_t n,
				  int32_t *ret);

/* Working days in from..to, both included; 0 when to < from. Clipped to the years above. */
int32_t calendar_count_days(const struct calendar *calendar, int32_t from, int32_t to);

/*
 * `start` moved forward (seconds > 0) or back (< 0) by so many seconds of opening time,
 * walking real instants: a day that loses an hour in spring is an hour shorter when it is
 * open through the change. Forward, an amount that ends exactly at closing ends there, and
 * a start outside hours counts from the next opening; 0 answers `start`. Back, it ends at
 * an opening's start rather than the closing before it. -ERANGE past the years above.
 */
MUST_CHECK int calendar_add_open(const struct calendar *calendar, struct instant start,
				 int64_t seconds, struct instant *ret);

/* Seconds of opening time in [from, to); 0 when to <= from. Clipped to the years above. */
int64_t calendar_open_between(const struct calendar *calendar, struct instant from,
			      struct instant to);

#endif
