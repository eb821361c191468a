/* test_typed.c - times and dates as people write them. */
#include "ctl/typed.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* An hour east of UTC from the first second of 2026-03-29 01:00 on. */
static const struct zone_change change = { { 1774746000 }, 3600 };
static const struct zone zone = { .name = "Test", .changes = &change, .count = 1 };

static const struct time_row {
	const char *name;
	const char *typed;
	const char *expect; /* RFC 3339 in UTC; NULL: refused */
} times[] = {
	{ "a British date is the day first", "03/02/2026", "2026-02-03T00:00:00+00:00" },
	{ "one digit is enough for day and month", "3/2/2026", "2026-02-03T00:00:00+00:00" },
	{ "with a time of day", "24/11/2025 10:05", "2025-11-24T10:05:00+00:00" },
	{ "with seconds", "24/11/2025 10:05:30", "2025-11-24T10:05:30+00:00" },
	{ "it is local to the zone", "24/06/2026 10:00", "2026-06-24T09:00:00+00:00" },
	{ "an ISO date is taken, too", "2026-06-24 10:00", "2026-06-24T09:00:00+00:00" },
	{ "an offset is taken as it is", "2026-06-24T10:00:00+02:00",
	  "2026-06-24T08:00:00+00:00" },
	{ "a leap day there is", "29/02/2024", "2024-02-29T00:00:00+00:00" },
	{ "a leap day there is not", "29/02/2026", NULL },
	{ "no thirteenth month, so no American date", "02/24/2026", NULL },
	{ "no year of two digits", "24/11/26", NULL },
	{ "no year of five digits", "24/11/20266", NULL },
	{ "no day 0", "00/11/2026", NULL },
	{ "nothing behind it", "24/11/2026 10:00 or so", NULL },
	{ "no rubbish of any length",
	  "24/11/2026 "
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  NULL },
	{ "no minus in front", "-4/11/2026", NULL },
	{ "not nothing", "", NULL },
};

static void test_time(void **state)
{
	const struct time_row *row = *state;
	struct instant at = { 42 };
	char text[INSTANT_TEXT_SIZE];

	if (row->expect == NULL) {
		assert_false(typed_time(row->typed, &zone, &at));
		assert_int_equal(at.seconds, 42);
		return;
	}
	assert_true(typed_time(row->typed, &zone, &at));
	assert_string_equal(instant_format(at, 0, text), row->expect);
}

static const struct day_row {
	const char *name;
	const char *typed;
	const char *expect; /* NULL: refused */
} days[] = {
	{ "an ISO date", "2026-07-01", "2026-07-01" },
	{ "a British date", "01/07/2026", "2026-07-01" },
	{ "a British date with single digits", "1/7/2026", "2026-07-01" },
	{ "a date that there is not", "31/06/2026", NULL },
	{ "no time of day, written one way", "01/07/2026 10:00", NULL },
	{ "no time of day, written the other", "2026-07-01 10:00", NULL },
	{ "no word", "yesterday", NULL },
};

static void test_day(void **state)
{
	const struct day_row *row = *state;
	int32_t day = 42;
	char text[DAY_TEXT_SIZE];

	assert_int_equal(typed_day(row->typed, &day), row->expect != NULL);
	if (row->expect == NULL)
		assert_int_equal(day, 42);
	else
		assert_string_equal(day_format(day, text), row->expect);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(times) + COUNT(days)];
	size_t count = 0;

	for (size_t i = 0; i < COUNT(times); i++)
		tests[count++] = (struct CMUnitTest){ times[i].name, test_time, NULL, NULL,
						      (void *)(uintptr_t)&times[i] };
	for (size_t i = 0; i < COUNT(days); i++)
		tests[count++] = (struct CMUnitTest){ days[i].name, test_day, NULL, NULL,
						      (void *)(uintptr_t)&days[i] };
	return _cmocka_run_group_tests("typed", tests, count, NULL, NULL);
}
