/* test_timescale.c - what each unit counts, row by row; the wording is design section 4's. */
#include "core/timescale.h"

#include "england.h"

#define NEXT                                             \
	{                                                \
		FIRST_DAY_NEXT, LATE_SAME_DAY, DUE_CLOSE \
	}
#define NEXT_LATE                                                \
	{                                                        \
		FIRST_DAY_NEXT, LATE_NEXT_WORKING_DAY, DUE_CLOSE \
	}
#define SAME                                             \
	{                                                \
		FIRST_DAY_SAME, LATE_SAME_DAY, DUE_CLOSE \
	}
#define SAME_LATE                                                \
	{                                                        \
		FIRST_DAY_SAME, LATE_NEXT_WORKING_DAY, DUE_CLOSE \
	}
#define TIME                                                 \
	{                                                    \
		FIRST_DAY_NEXT, LATE_SAME_DAY, DUE_SAME_TIME \
	}
#define TIME_LATE                                                    \
	{                                                            \
		FIRST_DAY_NEXT, LATE_NEXT_WORKING_DAY, DUE_SAME_TIME \
	}

/* clang-format off */
static const struct due_case {
	const char *name;
	const char *limit;
	struct counting counting;
	const char *start;
	const char *due;
	bool derived;
	bool split; /* Fridays with a lunch break */
	const char *pause_from;
	const char *pause_to;
} due_cases[] = {
	/* 2026-11-23 is a Monday; London is on GMT. */
	{ "the day of the start is day zero", "3 working days", NEXT, "2026-11-23 10:00", "2026-11-26 17:00" },
	{ "the day of the start is the first", "3 working days", SAME, "2026-11-23 10:00", "2026-11-25 17:00" },
	{ "a start before opening is not late", "1 working day", SAME, "2026-11-23 07:00", "2026-11-23 17:00" },
	{ "a start at closing is late and its own day never the first", "1 working day", SAME, "2026-11-23 17:00", "2026-11-24 17:00" },
	{ "received Friday 17:30 counts from Friday", "1 working day", NEXT, "2026-11-27 17:30", "2026-11-30 17:00" },
	{ "received Friday 17:30 counts from Monday", "1 working day", NEXT_LATE, "2026-11-27 17:30", "2026-12-01 17:00" },
	{ "late and moved, the first day is Monday itself", "1 working day", SAME_LATE, "2026-11-27 17:30", "2026-11-30 17:00" },
	{ "received on Saturday", "1 working day", NEXT, "2026-11-28 12:00", "2026-11-30 17:00" },
	{ "received on Saturday, moved to Monday", "1 working day", NEXT_LATE, "2026-11-28 12:00", "2026-12-01 17:00" },
	{ "received at 23:59", "1 working day", NEXT, "2026-11-24 23:59", "2026-11-25 17:00" },
	{ "received on a bank holiday", "2 working days", NEXT, "2026-12-25 10:00", "2027-01-05 17:00" },
	{ "Christmas, substitute day, closure and New Year do not count", "3 working days", NEXT, "2026-12-23 10:00", "2027-01-05 17:00" },
	{ "Easter", "1 working day", NEXT, "2027-03-25 10:00", "2027-03-30 17:00" },
	{ "a leap day is a day", "1 working day", NEXT, "2028-02-28 10:00", "2028-02-29 17:00" },
	{ "a derived entry at closing is never moved", "1 working day", NEXT_LATE, "2026-11-23 17:00", "2026-11-24 17:00", .derived = true },
	{ "same time on the day", "2 working days", TIME, "2026-11-23 10:20", "2026-11-25 10:20" },
	{ "an early start is drawn to the opening", "1 working day", TIME, "2026-11-23 07:00", "2026-11-24 09:00" },
	{ "a late start is drawn to the closing", "1 working day", TIME, "2026-11-23 20:00", "2026-11-24 17:00" },
	{ "a late start, moved, keeps the opening's time", "1 working day", TIME_LATE, "2026-11-23 20:00", "2026-11-25 09:00" },
	{ "a start in another day's lunch break is drawn to its end", "1 working day", TIME, "2026-11-26 13:00", "2026-11-27 13:30", .split = true },
	{ "a split day closes at the end of its last opening", "1 working day", NEXT, "2026-11-26 10:00", "2026-11-27 16:30", .split = true },
	{ "a working week is five working days", "1 working week", NEXT, "2026-11-23 10:00", "2026-11-30 17:00" },
	{ "working hours within the day", "3 working hours", NEXT, "2026-11-23 10:00", "2026-11-23 13:00" },
	{ "working hours ending exactly at closing stay there", "7 working hours", NEXT, "2026-11-23 10:00", "2026-11-23 17:00" },
	{ "working hours across the night", "8 working hours", NEXT, "2026-11-23 10:00", "2026-11-24 10:00" },
	{ "working hours over a lunch break", "3 working hours", NEXT, "2026-11-27 11:00", "2026-11-27 15:00", .split = true },
	{ "working hours from the weekend begin on Monday", "1 working hour", NEXT, "2026-11-28 12:00", "2026-11-30 10:00" },
	{ "hours run through the weekend", "48 hours", NEXT_LATE, "2026-11-27 18:00", "2026-11-29 18:00" },
	{ "hours are elapsed time in spring", "24 hours", NEXT, "2027-03-27 12:00", "2027-03-28 13:00" },
	{ "hours are elapsed time in autumn", "24 hours", NEXT, "2026-10-24 12:00", "2026-10-25 11:00" },
	{ "days keep the local time in spring", "1 day", NEXT, "2027-03-27 12:00", "2027-03-28 12:00" },
	{ "a day that ends in the skipped hour counts by the old offset", "1 day", NEXT, "2027-03-27 01:30", "2027-03-28 02:30" },
	{ "a day that ends in the repeated hour ends in the first", "1 day", NEXT, "2026-10-24 01:30", "2026-10-25T01:30:00+01:00" },
	{ "weeks", "2 weeks", NEXT, "2026-11-23 10:00", "2026-12-07 10:00" },
	{ "the same working day", "same working day", NEXT, "2026-11-23 10:00", "2026-11-23 17:00" },
	{ "the same working day for a late start is the next", "same working day", NEXT, "2026-11-27 18:00", "2026-11-30 17:00" },
	{ "the end of the next working day", "end of next working day", TIME, "2026-11-27 10:00", "2026-11-30 17:00" },
	{ "the end of the next working day, late and moved", "end of next working day", NEXT_LATE, "2026-11-27 18:00", "2026-12-01 17:00" },
	{ "a pause skips the days at whose closing it holds", "3 working days", NEXT, "2026-11-23 10:00", "2026-11-30 17:00", .pause_from = "2026-11-24 12:00", .pause_to = "2026-11-26 09:00" },
	{ "a pause that ends before closing skips nothing", "3 working days", NEXT, "2026-11-23 10:00", "2026-11-26 17:00", .pause_from = "2026-11-24 12:00", .pause_to = "2026-11-24 16:00" },
	{ "a pause moves hours by its exact length", "48 hours", NEXT, "2026-11-23 10:00", "2026-11-25 13:30", .pause_from = "2026-11-24 12:00", .pause_to = "2026-11-24 15:30" },
	{ "a pause takes its opening time out of working hours", "8 working hours", NEXT, "2026-11-23 10:00", "2026-11-25 11:00", .pause_from = "2026-11-23 16:00", .pause_to = "2026-11-24 17:00" },
	{ "a pause after the due moment changes nothing", "1 working day", NEXT, "2026-11-23 10:00", "2026-11-24 17:00", .pause_from = "2026-11-24 17:00", .pause_to = "2026-11-26 17:00" },
	{ "a clock that starts within a pause waits for its end", "2 hours", NEXT, "2026-11-23 10:00", "2026-11-23 14:00", .pause_from = "2026-11-23 09:00", .pause_to = "2026-11-23 12:00" },
};

/* clang-format on */
static void falls_due(void **state)
{
	const struct due_case *c = *state;
	struct england england;
	struct timescale limit;
	struct error error = { 0 };
	struct pause pause;
	struct timescale_start start = { .derived = c->derived, .agreed = INSTANT_NEVER };
	struct instant due;
	char got[40];

	england_plan(&england);
	if (c->split)
		split_fridays(&england);
	england_create(&england);
	assert_int_equal(timescale_parse(c->limit, &limit, &error), 0);
	start.at = time_of(england.calendar, c->start);
	if (c->pause_from != NULL) {
		pause.from = time_of(england.calendar, c->pause_from);
		pause.to = time_of(england.calendar, c->pause_to);
		start.pauses = &pause;
		start.pause_count = 1;
	}
	assert_int_equal(timescale_due(limit, england.calendar, c->counting, &start, &due), 0);
	if (!instant_equal(due, time_of(england.calendar, c->due)))
		fail_msg("due %s, wanted %s", local_text(england.calendar, due, got), c->due);
	calendar_destroy(england.calendar);
}

static const struct parse_case {
	const char *text;
	int32_t amount;
	enum timescale_unit unit;
	bool wrong;
} parse_cases[] = {
	{ "3 working days", 3, TIMESCALE_WORKING_DAYS, false },
	{ "1 working day", 1, TIMESCALE_WORKING_DAYS, false },
	{ "48 hours", 48, TIMESCALE_HOURS, false },
	{ "1 month", 1, TIMESCALE_MONTHS, false },
	{ "as agreed", 0, TIMESCALE_AS_AGREED, false },
	{ "same working day", 0, TIMESCALE_SAME_WORKING_DAY, false },
	{ "0 working days", 0, TIMESCALE_NONE, true },
	{ "3  working days", 0, TIMESCALE_NONE, true },
	{ "3 Working Days", 0, TIMESCALE_NONE, true },
	{ "three working days", 0, TIMESCALE_NONE, true },
	{ "010 hours", 0, TIMESCALE_NONE, true },
	{ "10001 hours", 0, TIMESCALE_NONE, true },
	{ "99999999999999999999 hours", 0, TIMESCALE_NONE, true },
	{ "-1 hours", 0, TIMESCALE_NONE, true },
	{ "3 fortnights", 0, TIMESCALE_NONE, true },
	{ "3", 0, TIMESCALE_NONE, true },
	{ "", 0, TIMESCALE_NONE, true },
};

static void parses(void **state)
{
	const struct parse_case *c = *state;
	struct timescale got = { .amount = -7 };
	struct error error = { 0 };
	char text[TIMESCALE_TEXT_SIZE];

	if (c->wrong) {
		assert_true(timescale_parse(c->text, &got, &error) < 0);
		assert_int_equal(got.amount, -7);
		assert_true(error.text[0] != '\0');
		return;
	}
	assert_int_equal(timescale_parse(c->text, &got, &error), 0);
	assert_int_equal(got.amount, c->amount);
	assert_int_equal(got.unit, c->unit);
	assert_string_equal(timescale_format(got, text), c->text);
}

/* clang-format off */
static const struct moment_case {
	const char *name;
	enum { REPEAT, BEFORE, PERCENT } what;
	const char *distance;
	int32_t n;
	const char *from; /* the due instant for BEFORE, the start for PERCENT */
	const char *due;
	const char *want;
	const char *pause_from;
	const char *pause_to;
} moment_cases[] = {
	{ "a repeat speaks at the opening of the next working day", REPEAT, "1 working day", 1, "2026-11-27 17:00", "", "2026-11-30 09:00" },
	{ "the third repeat", REPEAT, "2 working days", 3, "2026-11-23 17:00", "", "2026-12-01 09:00" },
	{ "a monthly repeat moves off a Sunday", REPEAT, "1 month", 2, "2026-11-13 11:00", "", "2027-01-13 09:00" },
	{ "a month from the 31st ends with the month", REPEAT, "1 month", 1, "2027-01-31 11:00", "", "2027-03-01 09:00" },
	{ "a month from the 30th of January meets a leap day", REPEAT, "1 month", 1, "2028-01-30 11:00", "", "2028-02-29 09:00" },
	{ "a weekly repeat keeps the day of the week", REPEAT, "1 week", 2, "2026-11-23 10:00", "", "2026-12-07 09:00" },
	{ "a working week is five working days, and over Christmas longer", REPEAT, "1 working week", 1, "2026-12-23 10:00", "", "2027-01-07 09:00" },
	{ "a repeat after days that ends on a Saturday speaks on Monday", REPEAT, "3 days", 1, "2026-11-25 10:00", "", "2026-11-30 09:00" },
	{ "a repeat after working hours is walked through the nights", REPEAT, "4 working hours", 2, "2026-11-23 16:00", "", "2026-11-24 16:00" },
	{ "a repeat passes over a day at whose closing it is paused", REPEAT, "1 working day", 1, "2026-11-23 17:00", "", "2026-11-25 09:00", "2026-11-23 18:00", "2026-11-25 08:00" },
	{ "a pause moves an hourly repeat by its length", REPEAT, "6 hours", 1, "2026-11-23 17:00", "", "2026-11-24 01:00", "2026-11-23 20:00", "2026-11-23 22:00" },
	{ "hourly repeats are exact", REPEAT, "6 hours", 2, "2026-11-23 17:00", "", "2026-11-24 05:00" },
	{ "one working day before a closing is the opening of the day before", BEFORE, "1 working day", 0, "2026-11-26 17:00", "", "2026-11-25 09:00" },
	{ "one working day before Monday is Friday", BEFORE, "1 working day", 0, "2026-11-30 17:00", "", "2026-11-27 09:00" },
	{ "four working hours before a morning", BEFORE, "4 working hours", 0, "2026-11-24 11:00", "", "2026-11-23 15:00" },
	{ "a day before Sunday is moved back to Friday", BEFORE, "1 day", 0, "2026-11-29 12:00", "", "2026-11-27 09:00" },
	{ "a working week before", BEFORE, "1 working week", 0, "2026-11-30 17:00", "", "2026-11-23 09:00" },
	{ "a week before", BEFORE, "1 week", 0, "2026-12-04 12:00", "", "2026-11-27 09:00" },
	{ "hours before are elapsed time", BEFORE, "6 hours", 0, "2026-11-24 03:00", "", "2026-11-23 21:00" },
	{ "a pause within the hours before moves them back by its length", BEFORE, "6 hours", 0, "2026-11-24 03:00", "", "2026-11-23 18:00", "2026-11-23 22:00", "2026-11-24 01:00" },
	{ "a pause that was over before them moves nothing", BEFORE, "2 hours", 0, "2026-11-24 03:00", "", "2026-11-24 01:00", "2026-11-23 12:00", "2026-11-23 18:00" },
	{ "a pause that begins when it is due moves nothing", BEFORE, "2 hours", 0, "2026-11-24 03:00", "", "2026-11-24 01:00", "2026-11-24 03:00", "2026-11-24 09:00" },
	{ "a working day before is none at whose closing it is paused", BEFORE, "1 working day", 0, "2026-11-26 17:00", "", "2026-11-23 09:00", "2026-11-24 12:00", "2026-11-25 18:00" },
	{ "working hours before leave a pause out", BEFORE, "4 working hours", 0, "2026-11-24 11:00", "", "2026-11-23 13:00", "2026-11-23 16:00", "2026-11-24 10:00" },
	{ "working hours that end where a pause ended are not touched by it", BEFORE, "1 working hour", 0, "2026-11-24 11:00", "", "2026-11-24 10:00", "2026-11-23 16:00", "2026-11-24 10:00" },
	{ "working hours before a pause that is still to come", BEFORE, "1 working hour", 0, "2026-11-24 11:00", "", "2026-11-24 10:00", "2026-11-24 12:00", "2026-11-24 15:00" },
	{ "half of the working time without a pause", PERCENT, "", 50, "2026-11-23 10:00", "2026-11-25 17:00", "2026-11-24 15:30", "2026-11-24 09:00", "2026-11-24 13:00" },
	{ "half of the working time", PERCENT, "", 50, "2026-11-23 10:00", "2026-11-25 17:00", "2026-11-24 13:30" },
	{ "half of a weekend is none of it", PERCENT, "", 50, "2026-11-28 10:00", "2026-11-29 10:00", "2026-11-28 10:00" },
};

/* clang-format on */
static void speaks(void **state)
{
	const struct moment_case *c = *state;
	struct england england;
	struct timescale distance = { 0 };
	struct instant from;
	struct instant at;
	struct error error = { 0 };
	struct pause pause;
	size_t pauses = c->pause_from != NULL;
	char got[40];
	int r = 0;

	england_plan(&england);
	england_create(&england);
	if (pauses > 0)
		pause = (struct pause){ .from = time_of(england.calendar, c->pause_from),
					.to = time_of(england.calendar, c->pause_to) };
	from = time_of(england.calendar, c->from);
	if (c->what != PERCENT)
		assert_int_equal(timescale_parse(c->distance, &distance, &error), 0);
	switch (c->what) {
	case REPEAT:
		r = timescale_repeat(distance, c->n, england.calendar, from, &pause, pauses,
				     &at);
		break;
	case BEFORE:
		r = timescale_before(distance, england.calendar, from, &pause, pauses, &at);
		break;
	case PERCENT:
		r = timescale_percent(c->n, england.calendar, from,
				      time_of(england.calendar, c->due), &pause, pauses, &at);
		break;
	}
	assert_int_equal(r, 0);
	assert_string_equal(local_text(england.calendar, at, got), c->want);
	calendar_destroy(england.calendar);
}

static void what_was_agreed_is_when_it_is_due(void **state)
{
	const struct timescale agreed = { .unit = TIMESCALE_AS_AGREED };
	struct timescale_start start = { .agreed = { 1795514400 } };
	struct england england;
	struct instant due = { 7 };

	(void)state;
	england_plan(&england);
	england_create(&england);
	start.at = time_of(england.calendar, "2026-11-23 10:00");
	assert_int_equal(timescale_due(agreed, england.calendar,
				       (struct counting){ .due = DUE_CLOSE }, &start, &due),
			 0);
	assert_int_equal(due.seconds, 1795514400);
	calendar_destroy(england.calendar);
}

/* Each is refused as what it is, and nothing is written. */
static void what_is_no_distance_is_refused(void **state)
{
	static const enum timescale_unit no_repeat[] = { TIMESCALE_NONE,
							 TIMESCALE_SAME_WORKING_DAY,
							 TIMESCALE_END_OF_NEXT_WORKING_DAY,
							 TIMESCALE_AS_AGREED };
	struct england england;
	struct instant at = { 7 };

	(void)state;
	england_plan(&england);
	england_create(&england);
	for (size_t i = 0; i < COUNT(no_repeat); i++) {
		const struct timescale distance = { .amount = 1, .unit = no_repeat[i] };

		assert_int_equal(timescale_repeat(distance, 1, england.calendar,
						  (struct instant){ 1795514400 }, NULL, 0, &at),
				 -22);
		assert_int_equal(timescale_before(distance, england.calendar,
						  (struct instant){ 1795514400 }, NULL, 0, &at),
				 -22);
	}
	assert_int_equal(
		timescale_before((struct timescale){ .amount = 1, .unit = TIMESCALE_MONTHS },
				 england.calendar, (struct instant){ 1795514400 }, NULL, 0,
				 &at),
		-22);
	assert_int_equal(at.seconds, 7);
	calendar_destroy(england.calendar);
}

/* The tables end with 2059: what lies beyond is said, not made up. */
static void what_lies_past_the_tables_is_out_of_range(void **state)
{
	static const char *const limits[] = { "1 working day", "1 working hour",
					      "1 working week", "same working day",
					      "end of next working day" };
	const struct counting counting = { FIRST_DAY_NEXT, LATE_SAME_DAY, DUE_CLOSE };
	struct england england;
	struct timescale limit;
	struct error error = { 0 };
	struct timescale_start start = { .agreed = INSTANT_NEVER };
	struct instant due = { 7 };

	(void)state;
	england_plan(&england);
	england_create(&england);
	start.at = time_of(england.calendar, "2059-12-31 18:00");
	for (size_t i = 0; i < COUNT(limits); i++) {
		assert_int_equal(timescale_parse(limits[i], &limit, &error), 0);
		assert_int_equal(timescale_due(limit, england.calendar, counting, &start, &due),
				 -34);
	}
	assert_int_equal(timescale_parse("1 working day", &limit, &error), 0);
	assert_int_equal(timescale_repeat(limit, 1, england.calendar, start.at, NULL, 0, &due),
			 -34);
	assert_int_equal(timescale_repeat(limit, INT32_MAX / 8 + 1, england.calendar, start.at,
					  NULL, 0, &due),
			 -34);
	assert_int_equal(timescale_parse("2 days", &limit, &error), 0);
	assert_int_equal(timescale_repeat(limit, 1, england.calendar, start.at, NULL, 0, &due),
			 -34);
	assert_int_equal(timescale_parse("30 working days", &limit, &error), 0);
	assert_int_equal(timescale_before(limit, england.calendar,
					  time_of(england.calendar, "2010-01-08 12:00"), NULL,
					  0, &due),
			 -34);
	assert_int_equal(due.seconds, 7);
	calendar_destroy(england.calendar);
}

/* A generator of our own, so that a seed replays on every machine (xorshift64*). */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

static struct instant due_of(const struct calendar *calendar, struct counting counting,
			     struct timescale limit, struct instant at, bool derived)
{
	const struct timescale_start start = { .at = at,
					       .derived = derived,
					       .agreed = INSTANT_NEVER };
	struct instant due = { 0 };

	assert_int_equal(timescale_due(limit, calendar, counting, &start, &due), 0);
	return due;
}

/*
 * A later start or a longer limit never falls due earlier, and nothing is due before its start.
 * A time of day kept, and hours skipped in spring, are the exceptions that the table itself
 * makes: a start after closing is drawn back to it, and the same local time may come earlier on
 * the day that is an hour short.
 */
static void later_and_longer_is_never_earlier(void **state)
{
	static const enum timescale_unit by_amount[] = {
		TIMESCALE_WORKING_DAYS, TIMESCALE_WORKING_WEEKS, TIMESCALE_WORKING_HOURS,
		TIMESCALE_HOURS,        TIMESCALE_DAYS,          TIMESCALE_WEEKS,
	};
	struct england england;
	uint64_t seed = 4711;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	england_plan(&england);
	split_fridays(&england);
	england_create(&england);
	for (int i = 0; i < 200000; i++) {
		struct instant at = { 1704067200 +
				      (int64_t)(draw(&seed) % (UINT64_C(4) * 365 * 86400)) };
		struct instant later = instant_add(at, (int64_t)(draw(&seed) % (3 * 86400)));
		struct timescale limit = { by_amount[draw(&seed) % COUNT(by_amount)],
					   (int32_t)(draw(&seed) % 30) + 1 };
		struct timescale longer = { limit.unit, limit.amount + 1 };
		struct counting counting = { draw(&seed) % 2 ? FIRST_DAY_NEXT : FIRST_DAY_SAME,
					     draw(&seed) % 2 ? LATE_SAME_DAY
							     : LATE_NEXT_WORKING_DAY,
					     DUE_CLOSE };
		struct instant due = due_of(england.calendar, counting, limit, at, false);

		assert_true(due.seconds >= at.seconds);
		assert_true(due_of(england.calendar, counting, longer, at, false).seconds >=
			    due.seconds);
		if (limit.unit != TIMESCALE_DAYS && limit.unit != TIMESCALE_WEEKS)
			assert_true(due_of(england.calendar, counting, limit, later, false)
					    .seconds >= due.seconds);
	}
	calendar_destroy(england.calendar);
}

int main(void)
{
	struct CMUnitTest
		tests[COUNT(due_cases) + COUNT(parse_cases) + COUNT(moment_cases) + 4];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(due_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = due_cases[i].name,
						  .test_func = falls_due,
						  .initial_state = (void *)&due_cases[i] };
	for (size_t i = 0; i < COUNT(parse_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = parse_cases[i].text,
						  .test_func = parses,
						  .initial_state = (void *)&parse_cases[i] };
	for (size_t i = 0; i < COUNT(moment_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = moment_cases[i].name,
						  .test_func = speaks,
						  .initial_state = (void *)&moment_cases[i] };
	tests[n++] = (struct CMUnitTest){
		.name = "a later start or a longer limit is never due earlier",
		.test_func = later_and_longer_is_never_earlier
	};
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_was_agreed_is_when_it_is_due);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_is_no_distance_is_refused);
	tests[n++] =
		(struct CMUnitTest)cmocka_unit_test(what_lies_past_the_tables_is_out_of_range);
	return cmocka_run_group_tests_name("timescale", tests, NULL, NULL);
}
