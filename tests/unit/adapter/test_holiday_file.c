/* test_holiday_file.c - the government's JSON, as published and spoilt. */
#include "adapter/holiday_file.h"

#include "adapter/file_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DIVISION(events) "{\"wales\":{\"division\":\"wales\",\"events\":[" events "]}}"
#define ENTRY(title, date) "{\"title\":\"" title "\",\"date\":\"" date "\",\"bunting\":true}"

/* clang-format off */
static const struct bad_case {
	const char *name;
	const char *bytes;
	const char *want; /* a part of the text */
	int line;
} bad_cases[] = {
	{ "an empty file", "", "is not JSON", 1 },
	{ "broken on its third line", "{\n\"wales\":\n}", "is not JSON", 3 },
	{ "an array", "[]", "not an object of divisions", 0 },
	{ "no such division names those there are", "{\"scotland\":{},\"ireland\":{}}",
	  "no division \"wales\"; there are: \"scotland\", \"ireland\"", 0 },
	{ "no division at all", "{}", "there are: none", 0 },
	{ "a division without entries", DIVISION(""), "has no list \"events\"", 0 },
	{ "events that are no list", "{\"wales\":{\"events\":7}}", "has no list", 0 },
	{ "a division that is no object", "{\"wales\":3}", "has no list", 0 },
	{ "30 February", DIVISION(ENTRY("Leap", "2026-02-30")),
	  "entry 1 (\"Leap\") has no real date", 0 },
	{ "a date the other way round", DIVISION(ENTRY("A", "2026-01-01") "," ENTRY("B", "25/12/2026")),
	  "entry 2 (\"B\") has no real date", 0 },
	{ "an entry without a title", DIVISION("{\"date\":\"2026-01-01\"}"),
	  "entry 1 has no title", 0 },
	{ "an entry that is a number", DIVISION("5"), "entry 1 has no title", 0 },
	{ "a day twice", DIVISION(ENTRY("A", "2026-01-01") "," ENTRY("B", "2026-01-01")),
	  "has 2026-01-01 twice", 0 },
	{ "a key twice", "{\"wales\":{},\"wales\":{}}", "is not JSON", 1 },
	{ "too deep for any reader", "[[[[[[[[[[", "is not JSON", 1 },
};
/* clang-format on */

static void refuses(void **state)
{
	const struct bad_case *c = *state;
	struct arena arena = { 0 };
	const struct holiday *holidays = NULL;
	size_t count = 77;
	int32_t until = 77;
	int line = -1;
	struct error error = { 0 };
	int rc = holiday_file_read(c->bytes, strlen(c->bytes), "wales", &arena, &holidays,
				   &count, &until, &line, &error);

	arena_clear(&arena);
	assert_int_equal(rc, -22);
	if (strstr(error.text, c->want) == NULL)
		fail_msg("said \"%s\"", error.text);
	assert_int_equal(line, c->line);
	assert_null(holidays);
}

static void sorts_by_day_and_covers_the_last_year(void **state)
{
	static const char bytes[] =
		DIVISION(ENTRY("Later", "2027-03-26") "," ENTRY("Earlier", "2026-12-25"));
	struct arena arena = { 0 };
	const struct holiday *holidays;
	size_t count;
	int32_t until;
	int32_t day;
	int line;

	(void)state;
	assert_int_equal(holiday_file_read(bytes, sizeof bytes - 1, "wales", &arena, &holidays,
					   &count, &until, &line, NULL),
			 0);
	assert_int_equal(count, 2);
	assert_string_equal(holidays[0].name, "Earlier");
	assert_true(day_parse("2026-12-25", &day));
	assert_int_equal(holidays[0].day, day);
	assert_string_equal(holidays[1].name, "Later");
	assert_true(day_parse("2027-12-31", &day));
	assert_int_equal(until, day);
	arena_clear(&arena);
}

static void reads_the_file_that_ships(void **state)
{
	static const struct {
		const char *division;
		size_t count;
	} want[] = { { "england-and-wales", 40 },
		     { "scotland", 45 },
		     { "northern-ireland", 50 } };
	struct arena arena = { 0 };
	struct file_bytes bytes = { 0 };

	(void)state;
	assert_int_equal(file_bytes_read("conf/bank-holidays.json", &bytes, NULL), 0);
	for (size_t i = 0; i < COUNT(want); i++) {
		const struct holiday *holidays;
		size_t count;
		int32_t until;
		int line;

		assert_int_equal(holiday_file_read(bytes.data, bytes.length, want[i].division,
						   &arena, &holidays, &count, &until, &line,
						   NULL),
				 0);
		assert_int_equal(count, want[i].count);
		assert_int_equal(day_to_date(until).year, 2028);
	}
	file_bytes_clear(&bytes);
	arena_clear(&arena);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(bad_cases) + 2] = {
		cmocka_unit_test(sorts_by_day_and_covers_the_last_year),
		cmocka_unit_test(reads_the_file_that_ships),
	};

	for (size_t i = 0; i < COUNT(bad_cases); i++)
		tests[2 + i] = (struct CMUnitTest){
			.name = bad_cases[i].name,
			.test_func = refuses,
			.initial_state = (void *)&bad_cases[i],
		};
	return cmocka_run_group_tests_name("holiday_file", tests, NULL, NULL);
}
