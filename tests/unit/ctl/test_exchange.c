/* test_exchange.c - times and flags as spreadsheets write them. */
#include "ctl/exchange.h"

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
		assert_false(exchange_time(row->typed, &zone, &at));
		assert_int_equal(at.seconds, 42);
		return;
	}
	assert_true(exchange_time(row->typed, &zone, &at));
	assert_string_equal(instant_format(at, 0, text), row->expect);
}

static const struct flag_row {
	const char *name;
	const char *typed;
	int expect; /* -1: refused */
} flags[] = {
	{ "yes is yes", "yes", 1 },
	{ "in any case", "TRUE", 1 },
	{ "Y is yes", "Y", 1 },
	{ "1 is yes", "1", 1 },
	{ "no is no", "No", 0 },
	{ "0 is no", "0", 0 },
	{ "perhaps is neither", "perhaps", -1 },
	{ "nothing is neither", "", -1 },
};

static void test_flag(void **state)
{
	const struct flag_row *row = *state;
	bool flag = row->expect != 1;

	assert_int_equal(exchange_flag(row->typed, &flag), row->expect >= 0);
	if (row->expect >= 0)
		assert_int_equal(flag, row->expect);
}

/* exchange.h promises room for every kind's columns, and that each has its name. */
static void test_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXCHANGE_KINDS; i++) {
		assert_in_range(exchanges[i].count, 1, EXCHANGE_COLUMNS);
		for (size_t j = 0; j < exchanges[i].count; j++)
			assert_non_null(exchanges[i].columns[j]);
		assert_ptr_equal(exchange_find(exchanges[i].name), &exchanges[i]);
	}
	assert_null(exchange_find("contact"));
}

int main(void)
{
	struct CMUnitTest tests[COUNT(times) + COUNT(flags) + 1];
	size_t count = 0;

	for (size_t i = 0; i < COUNT(times); i++)
		tests[count++] = (struct CMUnitTest){ times[i].name, test_time, NULL, NULL,
						      (void *)(uintptr_t)&times[i] };
	for (size_t i = 0; i < COUNT(flags); i++)
		tests[count++] = (struct CMUnitTest){ flags[i].name, test_flag, NULL, NULL,
						      (void *)(uintptr_t)&flags[i] };
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_columns);
	return _cmocka_run_group_tests("exchange", tests, count, NULL, NULL);
}
