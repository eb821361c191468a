/*
 * timescale - what a limit in a policy says, and when it falls due.
 *
 * The table "Counting, exactly" of design section 4 is the specification; calendar does
 * the arithmetic, this module says what is counted from where.
 */
#ifndef CORE_TIMESCALE_H
#define CORE_TIMESCALE_H

#include "core/calendar.h"

enum timescale_unit {
	TIMESCALE_NONE, /* no limit: legal */
	TIMESCALE_WORKING_DAYS,
	TIMESCALE_WORKING_WEEKS, /* five working days each */
	TIMESCALE_WORKING_HOURS,
	TIMESCALE_HOURS, /* elapsed: nights and weekends too */
	TIMESCALE_DAYS,
	TIMESCALE_WEEKS,
	TIMESCALE_MONTHS, /* distances of repeats only, never a limit */
	TIMESCALE_SAME_WORKING_DAY,
	TIMESCALE_END_OF_NEXT_WORKING_DAY,
	TIMESCALE_AS_AGREED, /* the `due` of the event that it starts from */
};

struct timescale {
	enum timescale_unit unit;
	int32_t amount; /* 1..TIMESCALE_MOST; 0 for the units that have none */
};

enum { TIMESCALE_MOST = 10000 };

/*
 * Reads "3 working days", "1 working day", "48 hours", "2 weeks", "same working day",
 * "as agreed" and so on; one blank between words, small letters. Answers 0, or -EINVAL with
 * a text that names the unit or number that is wrong and the nearest one known ("0 working
 * days" is wrong: a limit of nothing).
 */
MUST_CHECK int timescale_parse(const char *string, struct timescale *ret, struct error *error);

/* "3 working days"; the words that timescale_parse reads. Returns `out`. */
enum { TIMESCALE_TEXT_SIZE = 48 };
const char *timescale_format(struct timescale timescale, char out[static TIMESCALE_TEXT_SIZE]);

enum first_day { FIRST_DAY_NEXT, FIRST_DAY_SAME };
enum late_arrival { LATE_SAME_DAY, LATE_NEXT_WORKING_DAY };
enum due_time { DUE_CLOSE, DUE_SAME_TIME };

struct counting {
	enum first_day first_day;
	enum late_arrival late_arrival;
	enum due_time due;
};

/* The clock stands still in [from, to). */
struct pause {
	struct instant from;
	struct instant to;
};

struct timescale_start {
	struct instant at;
	bool derived;          /* a stage entered by escalation: never moved to an opening */
	struct instant agreed; /* `due` of the starting event; INSTANT_NEVER when it has none */
	const struct pause *pauses; /* in order, apart from each other */
	size_t pause_count;
};

/*
 * When the limit falls due. Returns 0 with *ret (INSTANT_NEVER for TIMESCALE_NONE, and for
 * "as agreed" without an agreed date), or -ERANGE when that lies past the years a calendar
 * counts; *ret is then as it was.
 */
MUST_CHECK int timescale_due(struct timescale timescale, const struct calendar *calendar,
			     struct counting counting, const struct timescale_start *start,
			     struct instant *ret);

/* A start on a day that is not working, or at or after its closing. */
bool timescale_is_late(const struct calendar *calendar, struct instant start);

/*
 * The instant of the nth repeat (n from 1) at this distance after `from`: by days, weeks
 * and months the opening of that working day (of the next, where that civil day is closed);
 * by hours the exact time. Paused days and stretches do not count. -ERANGE as above.
 */
MUST_CHECK int timescale_repeat(struct timescale every, int32_t n,
				const struct calendar *calendar, struct instant from,
				const struct pause *pauses, size_t pause_count,
				struct instant *ret);

/*
 * The instant this long before `due`: by days and weeks the opening of that working day
 * (of the one before it, where that civil day is closed); by hours the exact time.
 */
MUST_CHECK int timescale_before(struct timescale before, const struct calendar *calendar,
				struct instant due, const struct pause *pauses,
				size_t pause_count, struct instant *ret);

/* The instant at which `percent` of the working time between start and due is used up. */
MUST_CHECK int timescale_percent(int32_t percent, const struct calendar *calendar,
				 struct instant start, struct instant due,
				 const struct pause *pauses, size_t pause_count,
				 struct instant *ret);

#endif
