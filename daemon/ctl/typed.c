/* typed.c - see typed.h. */
#include "ctl/typed.h"

#include <stdio.h>
#include <string.h>

/* Up to `most` digits at *at, which moves behind them; -1 where there is none. */
static int32_t take_number(const char **at, int most)
{
	int32_t number = 0;
	int digits = 0;

	while (digits < most && **at >= '0' && **at <= '9') {
		number = number * 10 + (*(*at)++ - '0');
		digits++;
	}
	return digits > 0 ? number : -1;
}

static bool take(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* "24/11/2026", at the start of the text; *rest is what follows. */
static bool british_date(const char *typed, struct date *ret, const char **rest)
{
	const char *at = typed;

	ret->day = take_number(&at, 2);
	if (ret->day < 0 || !take(&at, '/'))
		return false;
	ret->month = take_number(&at, 2);
	if (ret->month < 0 || !take(&at, '/'))
		return false;
	if (strspn(at, "0123456789") != 4)
		return false;
	ret->year = take_number(&at, 4);
	*rest = at;
	return date_is_real(*ret);
}

bool typed_time(const char *typed, const struct zone *zone, struct instant *ret)
{
	struct written_time written;
	struct date date;
	const char *rest = "";
	char text[64];

	/* Turned round, the other grammar reads it with all its care. */
	if (british_date(typed, &date, &rest)) {
		if (snprintf(text, sizeof text, "%04d-%02d-%02d%s", (int)date.year,
			     (int)date.month, (int)date.day, rest) >= (int)sizeof text)
			return false;
		typed = text;
	}
	if (!written_time_parse(typed, &written))
		return false;
	if (!written.has_offset && zone != NULL)
		*ret = zone_instant(zone, written.day, written.second);
	else
		*ret = (struct instant){ (int64_t)written.day * SECONDS_PER_DAY +
					 written.second - written.offset };
	return true;
}

bool typed_day(const char *typed, int32_t *ret)
{
	struct date date;
	const char *rest;

	if (!british_date(typed, &date, &rest))
		return day_parse(typed, ret);
	if (*rest != '\0')
		return false;
	*ret = date_to_day(date);
	return true;
}
