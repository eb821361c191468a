/* instant.c - see instant.h; the day arithmetic is the usual count by 400-year eras. */
#include "base/instant.h"

#include <stdio.h>
#include <string.h>

struct instant instant_add(struct instant at, int64_t seconds)
{
	struct instant sum;

	if (instant_is_never(at))
		return at;
	if (__builtin_add_overflow(at.seconds, seconds, &sum.seconds))
		sum.seconds = seconds > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

/* Years are counted from March, so that the leap day is the last of its year. */
int32_t date_to_day(struct date date)
{
	int64_t year = (int64_t)date.year - (date.month <= 2 ? 1 : 0);
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t month = (date.month + 9) % 12;
	int64_t of_year = (153 * month + 2) / 5 + date.day - 1;

	return (int32_t)(era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
			 719468);
}

struct date day_to_date(int32_t day)
{
	int64_t shifted = (int64_t)day + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t of_era = shifted - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;
	struct date date;

	date.day = (int32_t)(of_year - (153 * month + 2) / 5 + 1);
	date.month = (int32_t)(month < 10 ? month + 3 : month - 9);
	date.year = (int32_t)(year + era * 400 + (date.month <= 2 ? 1 : 0));
	return date;
}

bool date_is_real(struct date date)
{
	struct date again;

	if (date.year < 1 || date.year > 9999 || date.month < 1 || date.month > 12 ||
	    date.day < 1 || date.day > 31)
		return false;
	again = day_to_date(date_to_day(date));
	return again.month == date.month && again.day == date.day;
}

int32_t day_weekday(int32_t day)
{
	int32_t weekday = (day + 3) % 7; /* 1970-01-01 was a Thursday */

	return weekday < 0 ? weekday + 7 : weekday;
}

/* Reads exactly `digits` digits; NULL when they are not there. */
static const char *read_digits(const char *at, int digits, int32_t *ret)
{
	int32_t value = 0;

	for (int i = 0; i < digits; i++) {
		if (at[i] < '0' || at[i] > '9')
			return NULL;
		value = value * 10 + (at[i] - '0');
	}
	*ret = value;
	return at + digits;
}

static const char *read_day(const char *at, int32_t *ret)
{
	struct date date;

	at = read_digits(at, 4, &date.year);
	if (at == NULL || *at++ != '-')
		return NULL;
	at = read_digits(at, 2, &date.month);
	if (at == NULL || *at++ != '-')
		return NULL;
	at = read_digits(at, 2, &date.day);
	if (at == NULL || !date_is_real(date))
		return NULL;
	*ret = date_to_day(date);
	return at;
}

bool day_parse(const char *string, int32_t *ret)
{
	int32_t day;
	const char *rest = read_day(string, &day);

	if (rest == NULL || *rest != '\0')
		return false;
	*ret = day;
	return true;
}

/* HH:MM, then :SS and a fraction where they are there. */
static const char *read_clock(const char *at, int32_t *ret_second)
{
	int32_t hour;
	int32_t minute;
	int32_t second = 0;

	at = read_digits(at, 2, &hour);
	if (at == NULL || *at++ != ':')
		return NULL;
	at = read_digits(at, 2, &minute);
	if (at == NULL)
		return NULL;
	if (*at == ':') {
		at = read_digits(at + 1, 2, &second);
		if (at == NULL)
			return NULL;
		if (*at == '.') {
			if (at[1] < '0' || at[1] > '9')
				return NULL;
			for (at++; *at >= '0' && *at <= '9'; at++)
				;
		}
	}
	if (hour > 23 || minute > 59 || second > 60)
		return NULL;
	*ret_second = hour * 3600 + minute * 60 + (second == 60 ? 59 : second);
	return at;
}

static const char *read_offset(const char *at, int32_t *ret)
{
	int32_t sign = *at == '-' ? -1 : 1;
	int32_t hours;
	int32_t minutes;

	if (*at == 'Z' || *at == 'z') {
		*ret = 0;
		return at + 1;
	}
	if (*at != '+' && *at != '-')
		return NULL;
	at = read_digits(at + 1, 2, &hours);
	if (at == NULL || *at++ != ':')
		return NULL;
	at = read_digits(at, 2, &minutes);
	if (at == NULL || hours > 23 || minutes > 59)
		return NULL;
	*ret = sign * (hours * 3600 + minutes * 60);
	return at;
}

bool written_time_parse(const char *string, struct written_time *ret)
{
	struct written_time time = { 0 };
	const char *at = read_day(string, &time.day);

	if (at == NULL)
		return false;
	if (*at != '\0') {
		if (*at != 'T' && *at != 't' && *at != ' ')
			return false;
		at = read_clock(at + 1, &time.second);
		if (at == NULL)
			return false;
	}
	if (*at != '\0') {
		at = read_offset(at, &time.offset);
		if (at == NULL || *at != '\0')
			return false;
		time.has_offset = true;
	}
	*ret = time;
	return true;
}

/* The day of a count of seconds, and the second within it; both ways past zero. */
static int64_t split_day(int64_t seconds, int32_t *ret_second)
{
	int64_t day = seconds / SECONDS_PER_DAY;
	int64_t second = seconds % SECONDS_PER_DAY;

	if (second < 0) {
		second += SECONDS_PER_DAY;
		day--;
	}
	*ret_second = (int32_t)second;
	return day;
}

/* The last digits of a number that is not negative, with zeros before it. */
static void put_digits(char *at, int32_t number, int digits)
{
	while (digits-- > 0) {
		at[digits] = (char)('0' + number % 10);
		number /= 10;
	}
}

const char *day_format(int32_t day, char out[static DAY_TEXT_SIZE])
{
	struct date date = day_to_date(day);

	if (date.year < 0 || date.year > 9999) {
		(void)snprintf(out, DAY_TEXT_SIZE, "%04d-%02d-%02d", (int)date.year,
			       (int)date.month, (int)date.day); /* cut, never overrun */
		return out;
	}
	/* By hand: proving a ledger writes millions of them. */
	memcpy(out, "0000-00-00", sizeof "0000-00-00");
	put_digits(out, date.year, 4);
	put_digits(out + 5, date.month, 2);
	put_digits(out + 8, date.day, 2);
	return out;
}

const char *instant_format(struct instant at, int32_t offset,
			   char out[static INSTANT_TEXT_SIZE])
{
	int32_t second;
	int64_t day = split_day(instant_add(at, offset).seconds, &second);
	int32_t away = offset < 0 ? -offset : offset;

	if (instant_is_never(at) || day > 2932896 || day < -719162) { /* years 1 to 9999 */
		(void)snprintf(out, INSTANT_TEXT_SIZE, "never");      /* fits */
		return out;
	}
	(void)day_format((int32_t)day, out);
	memcpy(out + 10, "T00:00:00+00:00", sizeof "T00:00:00+00:00");
	put_digits(out + 11, second / 3600, 2);
	put_digits(out + 14, second / 60 % 60, 2);
	put_digits(out + 17, second % 60, 2);
	out[19] = offset < 0 ? '-' : '+';
	put_digits(out + 20, away / 3600, 2);
	put_digits(out + 23, away / 60 % 60, 2);
	return out;
}
