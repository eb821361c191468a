/*
 * england.h - a calendar for tests of the core: London's clock changes from 2024 to 2030 by
 * their rule, Monday to Friday 09:00-17:00 (a Friday with a lunch break on request), and the
 * bank holidays that the rows name. Built by hand, so that the core is tested without any file.
 */
#ifndef TESTS_ENGLAND_H
#define TESTS_ENGLAND_H

#include "core/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LONDON_CHANGES = 14 };

/* Last Sunday of the month, 01:00 UTC (the EU's rule, kept by the UK). */
static inline struct instant last_sunday(int32_t year, int32_t month)
{
	int32_t day = date_to_day((struct date){ year, month, 31 });

	return (struct instant){ (int64_t)(day - (day_weekday(day) + 1) % 7) * 86400 + 3600 };
}

static inline struct zone london(struct zone_change changes[static LONDON_CHANGES])
{
	for (int32_t i = 0; i < LONDON_CHANGES / 2; i++) {
		changes[2 * i] = (struct zone_change){ last_sunday(2024 + i, 3), 3600 };
		changes[2 * i + 1] = (struct zone_change){ last_sunday(2024 + i, 10), 0 };
	}
	return (struct zone){ .name = "Europe/London",
			      .changes = changes,
			      .count = LONDON_CHANGES };
}

static inline int32_t day_of(const char *text)
{
	int32_t day;

	if (!day_parse(text, &day))
		fail_msg("no date: %s", text);
	return day;
}

struct england {
	struct zone_change changes[LONDON_CHANGES];
	struct holiday holidays[16];
	struct closure closures[2];
	struct calendar_plan plan;
	struct calendar *calendar;
};

static inline void england_plan(struct england *england)
{
	static const char *const holidays[] = {
		"2026-12-25", "2026-12-28", "2027-01-01", "2027-03-26", "2027-03-29",
		"2027-05-03", "2027-05-31", "2027-08-30", "2027-12-27", "2027-12-28",
	};

	memset(england, 0, sizeof *england);
	england->plan = (struct calendar_plan){ .id = "england",
						.covered_until = day_of("2028-12-31") };
	england->plan.zone = london(england->changes);
	for (size_t i = 0; i < 5; i++)
		england->plan.week[i] = (struct day_hours){
			.opening = { { 9 * 3600, 17 * 3600 } },
			.count = 1,
		};
	for (size_t i = 0; i < COUNT(holidays); i++)
		england->holidays[i] = (struct holiday){ day_of(holidays[i]), "Bank holiday" };
	england->plan.holidays = england->holidays;
	england->plan.holiday_count = COUNT(holidays);
	england->closures[0] = (struct closure){ day_of("2026-12-29"), day_of("2026-12-31"),
						 "Winter closure" };
	england->plan.closures = england->closures;
	england->plan.closure_count = 1;
}

/* "09:00-12:30,13:30-16:30" on Fridays. */
static inline void split_fridays(struct england *england)
{
	england->plan.week[4] = (struct day_hours){
		.opening = { { 9 * 3600, 12 * 3600 + 1800 },
			     { 13 * 3600 + 1800, 16 * 3600 + 1800 } },
		.count = 2,
	};
}

static inline void england_create(struct england *england)
{
	struct error error = { 0 };

	if (calendar_create(&england->plan, &england->calendar, &error) < 0)
		fail_msg("%s", error.text);
}

/* "2026-11-23 10:00", local to the calendar; "never"; or with an offset. */
static inline struct instant time_of(const struct calendar *calendar, const char *text)
{
	struct written_time time;

	if (strcmp(text, "never") == 0)
		return INSTANT_NEVER;
	if (!written_time_parse(text, &time))
		fail_msg("no time: %s", text);
	if (time.has_offset)
		return (struct instant){ (int64_t)time.day * 86400 + time.second -
					 time.offset };
	return zone_instant(calendar_zone(calendar), time.day, time.second);
}

/* "Mon 2026-11-23 10:00"-like text without the weekday, local; for comparing in words. */
static inline const char *local_text(const struct calendar *calendar, struct instant at,
				     char out[static 40])
{
	if (instant_is_never(at)) {
		memcpy(out, "never", 6);
		return out;
	}
	instant_format(at, zone_offset(calendar_zone(calendar), at), out);
	out[10] = ' ';
	out[out[17] == '0' && out[18] == '0' ? 16 : 19] = '\0';
	return out;
}

#endif
