/* test_written.c - numbers and times written by hand read as printf would write them. */
#include "base/instant.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static void numbers_are_decimal(void **state)
{
	static const int64_t numbers[] = { 0,  1,   9,         10,        -1,
					   -9, -10, 123456789, INT64_MAX, INT64_MIN };
	CLEANUP(text_clear) struct text text = { 0 };
	char expected[24];

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		text_cut(&text, 0);
		text_append_number(&text, numbers[i]);
		(void)snprintf(expected, sizeof expected, "%lld", (long long)numbers[i]);
		assert_string_equal(text_string(&text), expected);
	}
}

/* Every offset of a quarter of an hour, at instants from the year 1 to the year 9999. */
static void instants_are_rfc_3339(void **state)
{
	enum { STEP = 7654321, SECONDS = 43200 };
	int64_t first = -62135596800 + SECONDS;
	int64_t last = 253402300799 - SECONDS;
	int32_t offset = -SECONDS;

	(void)state;
	for (int64_t at = first; at <= last; at += STEP) {
		time_t local = (time_t)(at + offset);
		int32_t away = offset < 0 ? -offset : offset;
		char expected[80];
		char out[INSTANT_TEXT_SIZE];
		struct tm tm;

		assert_non_null(gmtime_r(&local, &tm));
		(void)snprintf(expected, sizeof expected,
			       "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", tm.tm_year + 1900,
			       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			       offset < 0 ? '-' : '+', away / 3600, away / 60 % 60);
		assert_string_equal(instant_format((struct instant){ at }, offset, out),
				    expected);
		offset = offset == SECONDS ? -SECONDS : offset + 900;
	}
}

static void what_has_no_year_of_four_digits_overruns_nothing(void **state)
{
	char day[DAY_TEXT_SIZE];
	char instant[INSTANT_TEXT_SIZE];

	(void)state;
	assert_string_equal(day_format(2932897, day), "10000-01-01");
	assert_string_equal(instant_format((struct instant){ INT64_MIN }, 0, instant), "never");
	assert_string_equal(instant_format(INSTANT_NEVER, 0, instant), "never");
	assert_int_equal(day_format(INT32_MIN, day)[0], '-');
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_decimal),
		cmocka_unit_test(instants_are_rfc_3339),
		cmocka_unit_test(what_has_no_year_of_four_digits_overruns_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
