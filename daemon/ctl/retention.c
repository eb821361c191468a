/* retention.c - see retention.h. */
#include "ctl/retention.h"

#include <stdio.h>

enum { DAYS_A_WEEK = 7, MONTHS_A_YEAR = 12 };

static bool months_before(int64_t months, int32_t today, int32_t *ret)
{
	struct date date = day_to_date(today);
	int64_t month = (int64_t)date.year * MONTHS_A_YEAR + date.month - 1 - months;

	if (month < MONTHS_A_YEAR)
		return false;
	date.year = (int32_t)(month / MONTHS_A_YEAR);
	date.month = (int32_t)(month % MONTHS_A_YEAR) + 1;
	while (!date_is_real(date))
		date.day--;
	*ret = date_to_day(date);
	return true;
}

static bool days_before(int64_t days, int32_t today, int32_t *ret)
{
	int64_t day = today - days;

	if (day < date_to_day((struct date){ 1, 1, 1 }))
		return false;
	*ret = (int32_t)day;
	return true;
}

bool retention_before(struct period period, int32_t today, int32_t *ret)
{
	switch (period.unit) {
	case PERIOD_UNSET:
		return false;
	case PERIOD_DAYS:
		return days_before(period.amount, today, ret);
	case PERIOD_WEEKS:
		return days_before((int64_t)period.amount * DAYS_A_WEEK, today, ret);
	case PERIOD_MONTHS:
		return months_before(period.amount, today, ret);
	case PERIOD_YEARS:
		return months_before((int64_t)period.amount * MONTHS_A_YEAR, today, ret);
	}
	return false;
}

const char *retention_text(struct period period, char out[static PERIOD_TEXT_SIZE])
{
	static const char *const units[] = {
		[PERIOD_DAYS] = "day",
		[PERIOD_WEEKS] = "week",
		[PERIOD_MONTHS] = "month",
		[PERIOD_YEARS] = "year",
	};

	if (period.unit == PERIOD_UNSET)
		(void)snprintf(out, PERIOD_TEXT_SIZE, "not set"); /* fits */
	else
		(void)snprintf(out, PERIOD_TEXT_SIZE, "%d %s%s", (int)period.amount,
			       units[period.unit], period.amount == 1 ? "" : "s"); /* fits */
	return out;
}
