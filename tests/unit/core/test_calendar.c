/* test_calendar.c - days, openings and walks; properties with a printed seed besides the rows.
 */
#include "core/calendar.h"

#include "england.h"

static int create(void **state)
{
	struct england *england = calloc(1, sizeof *england);

	england_plan(england);
	split_fridays(england);
	england_create(england);
	*state = england;
	return 0;
}

static int destroy(void **state)
{
	struct england *england = *state;

	calendar_destroy(england->calendar);
	free(england);
	return 0;
}

static void names_why_a_day_is_closed(void **state)
{
	const struct calendar *calendar = ((struct england *)*state)->calendar;
	const char *name;

	assert_int_equal(calendar_day_kind(calendar, day_of("2026-11-23"), &name), DAY_WORKING);
	assert_null(name);
	assert_int_equal(calendar_day_kind(calendar, day_of("2026-11-28"), NULL), DAY_NO_HOURS);
	assert_int_equal(calendar_day_kind(calendar, day_of("2026-12-25"), &name), DAY_HOLIDAY);
	assert_string_equal(name, "Bank holiday");
	assert_int_equal(calendar_day_kind(calendar, day_of("2026-12-28"), &name), DAY_HOLIDAY);
	assert_int_equal(calendar_day_kind(calendar, day_of("2026-12-29"), &name), DAY_CLOSURE);
	assert_int_equal(calendar_day_kind(calendar, day_of("2026-12-31"), &name), DAY_CLOSURE);
	assert_string_equal(name, "Winter closure");
	assert_int_equal(
		calendar_count_days(calendar, day_of("2026-12-21"), day_of("2027-01-04")), 5);
	assert_int_equal(
		calendar_count_days(calendar, day_of("2026-12-21"), day_of("2026-12-20")), 0);
}

static void knows_when_it_is_open(void **state)
{
	const struct calendar *calendar = ((struct england *)*state)->calendar;
	static const struct {
		const char *at;
		const char *next;
	} rows[] = {
		{ "2026-11-23 08:59", "2026-11-23 09:00" },
		{ "2026-11-23 09:00", "2026-11-23 09:00" },
		{ "2026-11-23 16:59", "2026-11-23 16:59" },
		{ "2026-11-23 17:00", "2026-11-24 09:00" },
		{ "2026-11-27 12:30", "2026-11-27 13:30" },
		{ "2026-11-27 16:30", "2026-11-30 09:00" },
		{ "2026-12-24 18:00", "2027-01-04 09:00" },
	};
	char got[40];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct instant at = time_of(calendar, rows[i].at);
		struct instant next;

		assert_int_equal(calendar_next_open(calendar, at, &next), 0);
		assert_string_equal(local_text(calendar, next, got), rows[i].next);
		assert_int_equal(calendar_is_open(calendar, at), instant_equal(at, next));
	}
}

static void ends_where_its_years_end(void **state)
{
	const struct calendar *calendar = ((struct england *)*state)->calendar;
	int32_t day = 7;
	struct instant at = { 7 };

	assert_int_equal(calendar_step_days(calendar, day_of("2059-12-31"), 1, &day), -34);
	assert_int_equal(calendar_step_days(calendar, day_of("2010-01-01"), -1, &day), -34);
	assert_int_equal(calendar_step_days(calendar, day_of("1970-01-01"), 1, &day), -34);
	assert_int_equal(day, 7);
	assert_int_equal(calendar_add_open(calendar, (struct instant){ INT64_MAX - 1 }, 1, &at),
			 -34);
	assert_int_equal(calendar_add_open(calendar, (struct instant){ INT64_MIN }, 1, &at),
			 -34);
	assert_int_equal(calendar_add_open(calendar, time_of(calendar, "2026-11-23 10:00"),
					   INT64_MAX, &at),
			 -34);
	assert_int_equal(calendar_next_open(calendar, (struct instant){ 0 }, &at), -34);
	assert_int_equal(at.seconds, 7);
}

static void refuses_a_plan_without_working_days(void **state)
{
	struct england england;
	struct calendar *calendar = NULL;
	struct error error = { 0 };

	(void)state;
	england_plan(&england);
	memset(england.plan.week, 0, sizeof england.plan.week);
	assert_int_equal(calendar_create(&england.plan, &calendar, &error), -22);
	assert_non_null(strstr(error.text, "no day of the week"));
	england.plan.week[0] = (struct day_hours){ { { 10, 20 }, { 15, 30 } }, 2 };
	assert_int_equal(calendar_create(&england.plan, &calendar, &error), -22);
	england.plan.week[0] = (struct day_hours){ { { 20, 20 } }, 1 };
	assert_int_equal(calendar_create(&england.plan, &calendar, &error), -22);
	england.plan.week[0] = (struct day_hours){ { { 20, 86401 } }, 1 };
	assert_int_equal(calendar_create(&england.plan, &calendar, &error), -22);
	assert_non_null(strstr(error.text, "follow each other"));
	england.plan.week[0] = (struct day_hours){ { { 20, 30 } }, CALENDAR_OPENINGS + 1 };
	assert_int_equal(calendar_create(&england.plan, &calendar, &error), -22);
	assert_non_null(strstr(error.text, "more than"));
	england.plan.week[0] = (struct day_hours){ { { 20, 30 } }, 1 };
	england.plan.week[6] = (struct day_hours){ { { 20, 20 } }, 1 };
	assert_int_equal(calendar_create(&england.plan, &calendar, &error), -22);
	assert_null(calendar);
}

/* One after the other without a break between, up to midnight. */
static void takes_as_many_openings_as_a_day_may_have(void **state)
{
	struct england england;

	(void)state;
	england_plan(&england);
	for (int32_t i = 0; i < CALENDAR_OPENINGS; i++)
		england.plan.week[0].opening[i] =
			(struct opening){ 86400 - (CALENDAR_OPENINGS - i) * 60,
					  86400 - (CALENDAR_OPENINGS - i - 1) * 60 };
	england.plan.week[0].count = CALENDAR_OPENINGS;
	england_create(&england);
	assert_int_equal(calendar_open_between(england.calendar,
					       time_of(england.calendar, "2026-11-23"),
					       time_of(england.calendar, "2026-11-24")),
			 CALENDAR_OPENINGS * 60);
	calendar_destroy(england.calendar);
}

static bool works(const struct calendar *calendar, const char *date)
{
	return calendar_is_working(calendar, day_of(date));
}

static void closures_over_the_ends_of_its_years(void **state)
{
	struct england england;

	(void)state;
	england_plan(&england);
	england.closures[0] =
		(struct closure){ day_of("2009-12-30"), day_of("2010-01-04"), "First" };
	england.closures[1] =
		(struct closure){ day_of("2059-12-29"), day_of("2059-12-30"), "Last but one" };
	england.plan.closure_count = 2;
	england_create(&england);
	assert_false(works(england.calendar, "2010-01-01"));
	assert_false(works(england.calendar, "2010-01-04"));
	assert_true(works(england.calendar, "2010-01-05"));
	assert_true(works(england.calendar, "2059-12-26"));
	assert_false(works(england.calendar, "2059-12-29"));
	assert_false(works(england.calendar, "2059-12-30"));
	assert_true(works(england.calendar, "2059-12-31"));
	calendar_destroy(england.calendar);
	england.closures[0] =
		(struct closure){ day_of("2059-12-31"), day_of("2060-01-01"), "Last" };
	england.plan.closure_count = 1;
	england_create(&england);
	assert_true(works(england.calendar, "2010-01-01"));
	assert_true(works(england.calendar, "2059-12-30"));
	assert_false(works(england.calendar, "2059-12-31"));
	calendar_destroy(england.calendar);
}

static void its_first_and_last_day_are_days_like_others(void **state)
{
	struct england england;
	struct instant at;
	char got[40];
	int32_t day;

	(void)state;
	england_plan(&england);
	england.plan.zone = (struct zone){ .name = "Asia/Kolkata", .first_offset = 19800 };
	england_create(&england);
	assert_true(works(england.calendar, "2010-01-01"));
	assert_false(works(england.calendar, "2009-12-31"));
	assert_true(works(england.calendar, "2059-12-31"));
	assert_false(works(england.calendar, "2060-01-01"));
	assert_int_equal(calendar_step_days(england.calendar, day_of("2060-01-01"), -1, &day),
			 -34);
	assert_int_equal(calendar_step_days(england.calendar, day_of("2010-01-04"), -1, &day),
			 0);
	assert_int_equal(day, day_of("2010-01-01"));
	assert_int_equal(calendar_step_days(england.calendar, day_of("2059-12-30"), 1, &day),
			 0);
	assert_int_equal(day, day_of("2059-12-31"));
	for (int i = 0; i < 2; i++) {
		const char *date = i == 0 ? "2010-01-01" : "2059-12-31";

		at = calendar_opens(england.calendar, day_of(date));
		assert_int_equal(calendar_day(england.calendar, at), day_of(date));
		assert_memory_equal(local_text(england.calendar, at, got), date, 10);
		assert_string_equal(got + 10, " 09:00");
		at = calendar_closes(england.calendar, day_of(date));
		assert_string_equal(local_text(england.calendar, at, got) + 10, " 17:00");
		assert_int_equal(calendar_open_between(england.calendar,
						       instant_add(at, -7 * 3600),
						       instant_add(at, 7 * 3600)),
				 7 * 3600);
	}
	assert_int_equal(calendar_next_open(england.calendar,
					    time_of(england.calendar, "2059-12-31 17:00"), &at),
			 -34);
	assert_int_equal(calendar_next_open(england.calendar,
					    time_of(england.calendar, "2060-01-01 10:00"), &at),
			 -34);
	calendar_destroy(england.calendar);
}

static const struct walk_case {
	const char *from;
	int64_t seconds;
	const char *to; /* NULL: out of range */
} walk_cases[] = {
	{ "2026-11-23 16:59:59", 1, "2026-11-23 17:00" },
	{ "2026-11-24 09:00", -1, "2026-11-23 16:59:59" },
	{ "2010-01-01 10:00", -3600, "2010-01-01 09:00" },
	{ "2010-01-01 10:00", -3601, NULL },
	{ "2059-12-31 16:00", 3600, "2059-12-31 17:00" },
	{ "2059-12-31 16:00", 3601, NULL },
	{ "2010-01-01 09:00", 50 * 365 * 28800, NULL },
};

/* As in Antarctica/Casey on 5 March 2010, from +11 to +8 at 02:00: 23:00 to 02:00 came twice.
 */
static void knows_the_day_when_clocks_go_back_over_midnight(void **state)
{
	static const struct zone_change change[] = { { { 1267714800 }, 28800 } };
	struct england england;
	int32_t day;
	int32_t second;

	(void)state;
	england_plan(&england);
	england.plan.zone = (struct zone){
		.name = "Casey", .first_offset = 39600, .changes = change, .count = 1
	};
	england_create(&england);
	for (int64_t at = 1267714800 - 3 * 86400; at < 1267714800 + 3 * 86400; at += 900) {
		zone_local(&england.plan.zone, (struct instant){ at }, &day, &second);
		assert_int_equal(calendar_day(england.calendar, (struct instant){ at }), day);
	}
	calendar_destroy(england.calendar);
}

static void walks_to_the_second(void **state)
{
	const struct calendar *calendar = ((struct england *)*state)->calendar;

	for (size_t i = 0; i < COUNT(walk_cases); i++) {
		const struct walk_case *c = &walk_cases[i];
		struct instant at = { 7 };
		char got[40];
		int r = calendar_add_open(calendar, time_of(calendar, c->from), c->seconds,
					  &at);

		assert_int_equal(r, c->to != NULL ? 0 : -34);
		if (c->to != NULL)
			assert_string_equal(local_text(calendar, at, got), c->to);
	}
}

static void past_its_holidays_a_day_is_provisional(void **state)
{
	const struct calendar *calendar = ((struct england *)*state)->calendar;

	assert_false(calendar_is_provisional(calendar, time_of(calendar, "2028-12-31 23:59")));
	assert_true(calendar_is_provisional(calendar, time_of(calendar, "2029-01-01 00:00")));
	assert_false(calendar_is_provisional(calendar, INSTANT_NEVER));
}

static void the_second_of_two_closures_has_its_own_name(void **state)
{
	struct england england;
	const char *name;

	(void)state;
	england_plan(&england);
	england.closures[1] = (struct closure){ day_of("2026-08-03"), day_of("2026-08-04"),
						"Building works" };
	england.plan.closure_count = 2;
	england.plan.holiday_count = 2;
	england_create(&england);
	/* Behind the second holiday there are more that do not count. */
	assert_int_equal(calendar_day_kind(england.calendar, day_of("2027-01-01"), NULL),
			 DAY_WORKING);
	assert_int_equal(calendar_day_kind(england.calendar, day_of("2026-08-04"), &name),
			 DAY_CLOSURE);
	assert_string_equal(name, "Building works");
	assert_int_equal(calendar_day_kind(england.calendar, day_of("2026-08-05"), &name),
			 DAY_WORKING);
	calendar_destroy(england.calendar);
}

static void outside_its_years_nothing_is_counted(void **state)
{
	const struct calendar *calendar = ((struct england *)*state)->calendar;
	int32_t first = day_of("2010-01-01");
	int32_t last = day_of("2059-12-31");
	int32_t all = calendar_count_days(calendar, first, last);

	assert_in_range(all, 50 * 250, 50 * 262);
	assert_int_equal(calendar_count_days(calendar, first - 1000, last + 1000), all);
	assert_int_equal(calendar_count_days(calendar, first - 9, first - 1), 0);
	assert_int_equal(calendar_count_days(calendar, last + 1, last + 9), 0);
	/* From before the tables to behind them: all of their hours, and not one more. */
	assert_int_equal(calendar_open_between(calendar, time_of(calendar, "1999-01-01"),
					       time_of(calendar, "2070-01-01")),
			 calendar_open_between(calendar, time_of(calendar, "2010-01-01"),
					       time_of(calendar, "2059-12-31 23:59")));
	assert_int_equal(calendar_open_between(calendar, time_of(calendar, "2059-12-31"),
					       time_of(calendar, "2060-01-01 12:00")),
			 8 * 3600);
}

/* A generator of our own, so that a seed replays on every machine (xorshift64*). */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

static struct instant some_instant(uint64_t *seed)
{
	return (struct instant){ 1704067200 +
				 (int64_t)(draw(seed) % (UINT64_C(5) * 365 * 86400)) };
}

static void adding_in_two_steps_is_adding_at_once(void **state)
{
	const struct calendar *calendar = ((struct england *)*state)->calendar;
	uint64_t seed = 20261123;

	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < 100000; i++) {
		struct instant start = some_instant(&seed);
		int64_t a = (int64_t)(draw(&seed) % 200000) + 1;
		int64_t b = (int64_t)(draw(&seed) % 2000000) + 1;
		struct instant once;
		struct instant first;
		struct instant second;
		struct instant back;

		assert_int_equal(calendar_add_open(calendar, start, a + b, &once), 0);
		assert_int_equal(calendar_add_open(calendar, start, a, &first), 0);
		assert_int_equal(calendar_add_open(calendar, first, b, &second), 0);
		assert_int_equal(once.seconds, second.seconds);
		assert_int_equal(calendar_open_between(calendar, start, once), a + b);
		/* It never ends outside opening hours, but for their very end. */
		assert_true(calendar_is_open(calendar, instant_add(once, -1)));
		assert_int_equal(calendar_add_open(calendar, once, -(a + b), &back), 0);
		assert_true(calendar_is_open(calendar, back));
		assert_int_equal(calendar_open_between(calendar, back, once), a + b);
	}
}

static void a_holiday_more_never_makes_anything_earlier(void **state)
{
	const struct calendar *calendar = ((struct england *)*state)->calendar;
	struct england more;
	uint64_t seed = 42;

	england_plan(&more);
	split_fridays(&more);
	more.holidays[more.plan.holiday_count++] =
		(struct holiday){ day_of("2026-06-15"), "New" };
	england_create(&more);
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < 100000; i++) {
		struct instant start = some_instant(&seed);
		int64_t seconds = (int64_t)(draw(&seed) % 2000000) + 1;
		int32_t n = (int32_t)(draw(&seed) % 60) + 1;
		struct instant before;
		struct instant after;
		int32_t day_before;
		int32_t day_after;

		assert_int_equal(calendar_add_open(calendar, start, seconds, &before), 0);
		assert_int_equal(calendar_add_open(more.calendar, start, seconds, &after), 0);
		assert_true(before.seconds <= after.seconds);
		assert_int_equal(calendar_step_days(calendar, calendar_day(calendar, start), n,
						    &day_before),
				 0);
		assert_int_equal(calendar_step_days(more.calendar,
						    calendar_day(calendar, start), n,
						    &day_after),
				 0);
		assert_true(day_before <= day_after);
	}
	calendar_destroy(more.calendar);
}

static void an_opening_that_spring_skips_is_none(void **state)
{
	struct england england;
	struct instant next;
	char got[40];

	(void)state;
	england_plan(&england);
	england.plan.week[6] =
		(struct day_hours){ { { 3600 + 2700, 9000 } }, 1 }; /* 01:45-02:30 */
	england_create(&england);
	assert_int_equal(calendar_next_open(england.calendar,
					    time_of(england.calendar, "2027-03-27 12:00"),
					    &next),
			 0);
	assert_string_equal(local_text(england.calendar, next, got), "2027-03-30 09:00");
	calendar_destroy(england.calendar);
}

/* Design section 4: it opens at the start of its first range and closes at the end of its last;
 * in a gap the old offset still holds. */
static void a_day_that_opens_in_a_spring_gap_opens_by_the_old_offset(void **state)
{
	struct england england;
	int32_t day = day_of("2027-03-28");
	struct instant next;
	char got[40];

	(void)state;
	england_plan(&england);
	england.plan.week[6] = (struct day_hours){ { { 5400, 7200 }, { 36000, 39600 } }, 2 };
	england_create(&england);
	assert_string_equal(
		local_text(england.calendar, calendar_opens(england.calendar, day), got),
		"2027-03-28 02:30");
	assert_string_equal(
		local_text(england.calendar, calendar_closes(england.calendar, day), got),
		"2027-03-28 11:00");
	/* Nobody is there then: that range is skipped whole. */
	assert_int_equal(calendar_next_open(england.calendar,
					    calendar_opens(england.calendar, day), &next),
			 0);
	assert_string_equal(local_text(england.calendar, next, got), "2027-03-28 10:00");
	calendar_destroy(england.calendar);
}

static void what_two_openings_share_after_a_spring_gap_counts_once(void **state)
{
	struct england england;

	(void)state;
	england_plan(&england);
	/* 00:15-01:30 ends at 02:30 on the day that skips 01:00 to 02:00: half of the second is
	 * left. */
	england.plan.week[6] = (struct day_hours){ { { 900, 5400 }, { 8100, 10800 } }, 2 };
	england_create(&england);
	assert_int_equal(calendar_open_between(england.calendar,
					       time_of(england.calendar, "2027-03-28"),
					       time_of(england.calendar, "2027-03-29")),
			 (75 + 30) * 60);
	calendar_destroy(england.calendar);
	/* Of one that the first covers whole, nothing is left, and nothing is taken away. */
	england.plan.week[6] = (struct day_hours){ { { 900, 5400 }, { 7500, 8400 } }, 2 };
	england_create(&england);
	assert_int_equal(calendar_open_between(england.calendar,
					       time_of(england.calendar, "2027-03-28"),
					       time_of(england.calendar, "2027-03-29")),
			 75 * 60);
	calendar_destroy(england.calendar);
}

static void a_day_open_through_the_change_has_23_or_25_hours(void **state)
{
	struct england england;

	(void)state;
	england_plan(&england);
	for (size_t i = 0; i < 7; i++)
		england.plan.week[i] = (struct day_hours){ { { 0, 86400 } }, 1 };
	england_create(&england);
	assert_int_equal(calendar_open_between(england.calendar,
					       time_of(england.calendar, "2027-03-28"),
					       time_of(england.calendar, "2027-03-29")),
			 23 * 3600);
	assert_int_equal(calendar_open_between(england.calendar,
					       time_of(england.calendar, "2026-10-25"),
					       time_of(england.calendar, "2026-10-26")),
			 25 * 3600);
	calendar_destroy(england.calendar);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_why_a_day_is_closed),
		cmocka_unit_test(knows_when_it_is_open),
		cmocka_unit_test(ends_where_its_years_end),
		cmocka_unit_test(refuses_a_plan_without_working_days),
		cmocka_unit_test(takes_as_many_openings_as_a_day_may_have),
		cmocka_unit_test(closures_over_the_ends_of_its_years),
		cmocka_unit_test(its_first_and_last_day_are_days_like_others),
		cmocka_unit_test(knows_the_day_when_clocks_go_back_over_midnight),
		cmocka_unit_test(walks_to_the_second),
		cmocka_unit_test(past_its_holidays_a_day_is_provisional),
		cmocka_unit_test(the_second_of_two_closures_has_its_own_name),
		cmocka_unit_test(outside_its_years_nothing_is_counted),
		cmocka_unit_test(adding_in_two_steps_is_adding_at_once),
		cmocka_unit_test(a_holiday_more_never_makes_anything_earlier),
		cmocka_unit_test(an_opening_that_spring_skips_is_none),
		cmocka_unit_test(a_day_that_opens_in_a_spring_gap_opens_by_the_old_offset),
		cmocka_unit_test(what_two_openings_share_after_a_spring_gap_counts_once),
		cmocka_unit_test(a_day_open_through_the_change_has_23_or_25_hours),
	};

	return cmocka_run_group_tests_name("calendar", tests, create, destroy);
}
