/* test_retention.c - the day before which something is past its period. */
#include "ctl/retention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct row {
	const char *name;
	struct period period;
	const char *today;
	const char *expect; /* NULL: nothing is past it */
	const char *text;
} rows[] = {
	{ "a period that nobody set ends never",
	  { 0, PERIOD_UNSET },
	  "2026-11-23",
	  NULL,
	  "not set" },
	{ "days go back over the end of a year",
	  { 30, PERIOD_DAYS },
	  "2026-01-15",
	  "2025-12-16",
	  "30 days" },
	{ "one day is yesterday", { 1, PERIOD_DAYS }, "2026-11-23", "2026-11-22", "1 day" },
	{ "weeks are seven days each",
	  { 2, PERIOD_WEEKS },
	  "2026-11-23",
	  "2026-11-09",
	  "2 weeks" },
	{ "a month ends on the same day",
	  { 1, PERIOD_MONTHS },
	  "2026-11-23",
	  "2026-10-23",
	  "1 month" },
	{ "or on the last day of a shorter month",
	  { 1, PERIOD_MONTHS },
	  "2026-03-31",
	  "2026-02-28",
	  "1 month" },
	{ "in a leap year on the 29th",
	  { 1, PERIOD_MONTHS },
	  "2028-03-30",
	  "2028-02-29",
	  "1 month" },
	{ "eighteen months are a year and a half",
	  { 18, PERIOD_MONTHS },
	  "2026-03-01",
	  "2024-09-01",
	  "18 months" },
	{ "January goes back into December",
	  { 1, PERIOD_MONTHS },
	  "2026-01-31",
	  "2025-12-31",
	  "1 month" },
	{ "years go back to the same day",
	  { 6, PERIOD_YEARS },
	  "2026-11-23",
	  "2020-11-23",
	  "6 years" },
	{ "a leap day goes back to the 28th",
	  { 1, PERIOD_YEARS },
	  "2028-02-29",
	  "2027-02-28",
	  "1 year" },
	{ "a period past the year 1 keeps everything",
	  { 3000, PERIOD_YEARS },
	  "2026-11-23",
	  NULL,
	  "3000 years" },
	{ "an absurd one, too",
	  { INT32_MAX, PERIOD_YEARS },
	  "2026-11-23",
	  NULL,
	  "2147483647 years" },
	{ "days as well", { INT32_MAX, PERIOD_WEEKS }, "2026-11-23", NULL, "2147483647 weeks" },
};

static void test_row(void **state)
{
	const struct row *row = *state;
	char text[PERIOD_TEXT_SIZE];
	char day[DAY_TEXT_SIZE];
	int32_t today = 0;
	int32_t before = 42;

	assert_true(day_parse(row->today, &today));
	assert_string_equal(retention_text(row->period, text), row->text);
	if (row->expect == NULL) {
		assert_false(retention_before(row->period, today, &before));
		assert_int_equal(before, 42);
		return;
	}
	assert_true(retention_before(row->period, today, &before));
	assert_string_equal(day_format(before, day), row->expect);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(rows)];

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, test_row, NULL, NULL,
						(void *)(uintptr_t)&rows[i] };
	return _cmocka_run_group_tests("retention", tests, COUNT(tests), NULL, NULL);
}
