/* timescale.c - see timescale.h; the table there is design section 4, "Counting, exactly". */
#include "core/timescale.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct unit_words {
	enum timescale_unit unit;
	const char *one;
	const char *many;
} units[] = {
	{ TIMESCALE_WORKING_DAYS, "working day", "working days" },
	{ TIMESCALE_WORKING_WEEKS, "working week", "working weeks" },
	{ TIMESCALE_WORKING_HOURS, "working hour", "working hours" },
	{ TIMESCALE_HOURS, "hour", "hours" },
	{ TIMESCALE_DAYS, "day", "days" },
	{ TIMESCALE_WEEKS, "week", "weeks" },
	{ TIMESCALE_MONTHS, "month", "months" },
};

static const struct whole_words {
	enum timescale_unit unit;
	const char *words;
} wholes[] = {
	{ TIMESCALE_SAME_WORKING_DAY, "same working day" },
	{ TIMESCALE_END_OF_NEXT_WORKING_DAY, "end of next working day" },
	{ TIMESCALE_AS_AGREED, "as agreed" },
};

int timescale_parse(const char *string, struct timescale *ret, struct error *error)
{
	const char *rest = string;
	int32_t amount = 0;

	for (size_t i = 0; i < COUNT(wholes); i++) {
		if (strcmp(string, wholes[i].words) == 0) {
			*ret = (struct timescale){ .unit = wholes[i].unit };
			return 0;
		}
	}
	while (*rest >= '0' && *rest <= '9' && amount <= TIMESCALE_MOST)
		amount = amount * 10 + (*rest++ - '0');
	if (rest == string || *rest != ' ')
		return error_set(error, EINVAL,
				 "\"%.60s\" is not a timescale; write for example "
				 "\"3 working days\", \"48 hours\" or \"same working day\"",
				 string);
	if (string[0] == '0' && amount != 0)
		return error_set(error, EINVAL,
				 "\"%.60s\": write the number without a leading 0", string);
	if (amount < 1 || amount > TIMESCALE_MOST)
		return error_set(error, EINVAL, "\"%.60s\": the number must be from 1 to %d",
				 string, TIMESCALE_MOST);
	for (size_t i = 0; i < COUNT(units); i++) {
		if (strcmp(rest + 1, units[i].one) == 0 ||
		    strcmp(rest + 1, units[i].many) == 0) {
			*ret = (struct timescale){ .unit = units[i].unit, .amount = amount };
			return 0;
		}
	}
	return error_set(
		error, EINVAL,
		"\"%.60s\": the unit must be working days, working weeks, working hours, "
		"hours, days, weeks or months",
		string);
}

const char *timescale_format(struct timescale timescale, char out[static TIMESCALE_TEXT_SIZE])
{
	const char *words = "no limit";

	for (size_t i = 0; i < COUNT(wholes); i++)
		if (wholes[i].unit == timescale.unit)
			words = wholes[i].words;
	(void)snprintf(out, TIMESCALE_TEXT_SIZE, "%s", words); /* fits */
	for (size_t i = 0; i < COUNT(units); i++)
		if (units[i].unit == timescale.unit)
			(void)snprintf(out, TIMESCALE_TEXT_SIZE, "%d %s", (int)timescale.amount,
				       timescale.amount == 1 ? units[i].one : units[i].many);
	return out;
}

bool timescale_is_late(const struct calendar *calendar, struct instant start)
{
	int32_t day = calendar_day(calendar, start);

	return !calendar_is_working(calendar, day) ||
	       !instant_before(start, calendar_closes(calendar, day));
}

/* --- counting around pauses ------------------------------------------------------------- */

/* Some pauses in order; the first `count` of them. */
struct pauses {
	const struct pause *pause;
	size_t count;
};

static bool is_paused(struct pauses pauses, struct instant at)
{
	for (size_t i = 0; i < pauses.count; i++)
		if (!instant_before(at, pauses.pause[i].from) &&
		    instant_before(at, pauses.pause[i].to))
			return true;
	return false;
}

/*
 * The nth working day after `day` at whose closing no pause holds; with n 0 that day itself,
 * which is one. With `back`, the nth before it.
 */
static int unpaused_day(const struct calendar *calendar, int32_t day, int32_t n, bool back,
			struct pauses pauses, int32_t *ret)
{
	int32_t found = day;

	if (pauses.count == 0)
		return calendar_step_days(calendar, day, back ? -n : n, ret);
	while (n > 0) { /* ends: each turn leaves a day of the calendar's table behind */
		if (calendar_step_days(calendar, found, back ? -1 : 1, &found) < 0)
			return -ERANGE;
		if (!is_paused(pauses, calendar_closes(calendar, found)))
			n--;
	}
	*ret = found;
	return 0;
}

/* `due` moved by the exact length of the pauses that begin before it and end after `start`. */
static struct instant shift(struct instant start, struct instant due, struct pauses pauses)
{
	for (size_t i = 0; i < pauses.count; i++) {
		struct instant from = instant_max(pauses.pause[i].from, start);

		if (instant_before(from, pauses.pause[i].to) && instant_before(from, due))
			due = instant_add(due, pauses.pause[i].to.seconds - from.seconds);
	}
	return due;
}

/* `seconds` of opening time after `start`, walking around the pauses. */
static int walk_open(const struct calendar *calendar, struct instant start, int64_t seconds,
		     struct pauses pauses, struct instant *ret)
{
	struct instant at = start;
	struct instant due;

	for (size_t i = 0; i < pauses.count; i++) {
		struct instant from = instant_max(pauses.pause[i].from, at);

		if (!instant_before(from, pauses.pause[i].to))
			continue;
		if (calendar_add_open(calendar, at, seconds, &due) < 0)
			return -ERANGE;
		if (!instant_before(from, due))
			break;
		seconds -= calendar_open_between(calendar, at, from);
		at = pauses.pause[i].to;
	}
	return calendar_add_open(calendar, at, seconds, ret);
}

/* The same backward from `due`. */
static int walk_open_back(const struct calendar *calendar, struct instant due, int64_t seconds,
			  struct pauses pauses, struct instant *ret)
{
	struct instant at = due;
	struct instant found;

	for (size_t i = pauses.count; i-- > 0;) {
		struct instant to = instant_min(pauses.pause[i].to, at);

		if (!instant_before(pauses.pause[i].from, to))
			continue;
		if (calendar_add_open(calendar, at, -seconds, &found) < 0)
			return -ERANGE;
		if (!instant_before(found, to))
			break;
		seconds -= calendar_open_between(calendar, to, at);
		at = pauses.pause[i].from;
	}
	return calendar_add_open(calendar, at, -seconds, ret);
}

static int64_t open_unpaused(const struct calendar *calendar, struct instant from,
			     struct instant to, struct pauses pauses)
{
	int64_t open = calendar_open_between(calendar, from, to);

	for (size_t i = 0; i < pauses.count; i++)
		open -= calendar_open_between(calendar, instant_max(from, pauses.pause[i].from),
					      instant_min(to, pauses.pause[i].to));
	return open;
}

/* --- the table -------------------------------------------------------------------------- */

/* The start's time of day, drawn into the opening hours of `day`. */
static struct instant at_time_of_day(const struct calendar *calendar, int32_t day,
				     int32_t second)
{
	const struct calendar_plan *plan = calendar_plan(calendar);
	const struct day_hours *hours = &plan->week[day_weekday(day)];

	for (size_t i = 0; i < hours->count; i++) {
		if (second < hours->opening[i].from)
			second = hours->opening[i].from;
		if (second <= hours->opening[i].to)
			return zone_instant(&plan->zone, day, second);
	}
	return calendar_closes(calendar, day);
}

static int working_days_due(int32_t n, const struct calendar *calendar,
			    struct counting counting, const struct timescale_start *start,
			    struct pauses pauses, struct instant *ret)
{
	struct instant from = start->at;
	bool late = timescale_is_late(calendar, from);
	int32_t zero;
	int32_t second;
	int32_t day;

	if (late && !start->derived && counting.late_arrival == LATE_NEXT_WORKING_DAY) {
		if (calendar_step_days(calendar, calendar_day(calendar, from), 1, &day) < 0)
			return -ERANGE;
		from = calendar_opens(calendar, day);
		late = false;
	}
	zone_local(calendar_zone(calendar), from, &zero, &second);
	if (counting.first_day == FIRST_DAY_SAME && !late &&
	    !is_paused(pauses, calendar_closes(calendar, zero)))
		n--;
	if (unpaused_day(calendar, zero, n, false, pauses, &day) < 0)
		return -ERANGE;
	*ret = counting.due == DUE_CLOSE ? calendar_closes(calendar, day)
					 : at_time_of_day(calendar, day, second);
	return 0;
}

/* The closing of the start's own day, or, late or paused then, of the next that is neither. */
static int same_day_due(const struct calendar *calendar, struct instant start,
			struct pauses pauses, struct instant *ret)
{
	int32_t day = calendar_day(calendar, start);

	if (timescale_is_late(calendar, start) ||
	    is_paused(pauses, calendar_closes(calendar, day)))
		if (unpaused_day(calendar, day, 1, false, pauses, &day) < 0)
			return -ERANGE;
	*ret = calendar_closes(calendar, day);
	return 0;
}

static struct instant civil_days_due(int64_t days, const struct calendar *calendar,
				     struct instant start)
{
	int32_t day;
	int32_t second;

	zone_local(calendar_zone(calendar), start, &day, &second);
	return zone_instant(calendar_zone(calendar), (int32_t)(day + days), second);
}

/* The due instant when just these pauses count. */
static int due_with(struct timescale timescale, const struct calendar *calendar,
		    struct counting counting, const struct timescale_start *start,
		    struct pauses pauses, struct instant *ret)
{
	const struct counting to_close = { counting.first_day, counting.late_arrival,
					   DUE_CLOSE };

	switch (timescale.unit) {
	case TIMESCALE_NONE:
	case TIMESCALE_MONTHS:
		*ret = INSTANT_NEVER;
		return 0;
	case TIMESCALE_AS_AGREED:
		*ret = start->agreed;
		return 0;
	case TIMESCALE_WORKING_DAYS:
		return working_days_due(timescale.amount, calendar, counting, start, pauses,
					ret);
	case TIMESCALE_WORKING_WEEKS:
		return working_days_due(timescale.amount * 5, calendar, counting, start, pauses,
					ret);
	case TIMESCALE_END_OF_NEXT_WORKING_DAY: {
		struct counting next = to_close;

		next.first_day = FIRST_DAY_NEXT;
		return working_days_due(1, calendar, next, start, pauses, ret);
	}
	case TIMESCALE_SAME_WORKING_DAY:
		return same_day_due(calendar, start->at, pauses, ret);
	case TIMESCALE_WORKING_HOURS:
		return walk_open(calendar, start->at, (int64_t)timescale.amount * 3600, pauses,
				 ret);
	case TIMESCALE_HOURS:
		*ret = shift(start->at,
			     instant_add(start->at, (int64_t)timescale.amount * 3600), pauses);
		return 0;
	case TIMESCALE_DAYS:
	case TIMESCALE_WEEKS:
		*ret = shift(start->at,
			     civil_days_due((int64_t)timescale.amount *
						    (timescale.unit == TIMESCALE_WEEKS ? 7 : 1),
					    calendar, start->at),
			     pauses);
		return 0;
	}
	return -EINVAL;
}

int timescale_due(struct timescale timescale, const struct calendar *calendar,
		  struct counting counting, const struct timescale_start *start,
		  struct instant *ret)
{
	struct pauses pauses = { start->pauses, 0 };
	struct instant due;

	/* A pause counts only when it begins before the due instant that those before it give.
	 */
	for (;;) {
		int r = due_with(timescale, calendar, counting, start, pauses, &due);

		if (r < 0)
			return r;
		if (pauses.count == start->pause_count ||
		    !instant_before(start->pauses[pauses.count].from, due))
			break;
		pauses.count++;
	}
	*ret = due;
	return 0;
}

/* --- repeats and reminders --------------------------------------------------------------- */

static int32_t add_months(int32_t day, int32_t months)
{
	struct date date = day_to_date(day);
	int64_t month = (int64_t)date.year * 12 + date.month - 1 + months;

	date.year = (int32_t)(month / 12);
	date.month = (int32_t)(month % 12) + 1;
	while (!date_is_real(date) && date.day > 28)
		date.day--;
	return date_to_day(date);
}

/* The opening of `day`, or of the next (the one before, with `back`) working day. */
static int opening_of(const struct calendar *calendar, int32_t day, bool back,
		      struct instant *ret)
{
	if (!calendar_is_working(calendar, day) &&
	    calendar_step_days(calendar, day, back ? -1 : 1, &day) < 0)
		return -ERANGE;
	*ret = calendar_opens(calendar, day);
	return 0;
}

/* The nth repeat when just these pauses count. */
static int repeat_with(struct timescale every, int32_t n, const struct calendar *calendar,
		       struct instant from, struct pauses pauses, struct instant *ret)
{
	int64_t amount = (int64_t)every.amount * n;
	struct instant moved;
	int32_t day;

	if (amount > INT32_MAX / 8)
		return -ERANGE;
	switch (every.unit) {
	case TIMESCALE_WORKING_WEEKS:
		amount *= 5;
		/* fall through */
	case TIMESCALE_WORKING_DAYS:
		if (unpaused_day(calendar, calendar_day(calendar, from), (int32_t)amount, false,
				 pauses, &day) < 0)
			return -ERANGE;
		*ret = calendar_opens(calendar, day);
		return 0;
	case TIMESCALE_WEEKS:
		amount *= 7;
		/* fall through */
	case TIMESCALE_DAYS:
		moved = shift(from, civil_days_due(amount, calendar, from), pauses);
		return opening_of(calendar, calendar_day(calendar, moved), false, ret);
	case TIMESCALE_MONTHS:
		day = calendar_day(calendar, from);
		moved = civil_days_due(add_months(day, (int32_t)amount) - day, calendar, from);
		moved = shift(from, moved, pauses);
		return opening_of(calendar, calendar_day(calendar, moved), false, ret);
	case TIMESCALE_HOURS:
		*ret = shift(from, instant_add(from, amount * 3600), pauses);
		return 0;
	case TIMESCALE_WORKING_HOURS:
		return walk_open(calendar, from, amount * 3600, pauses, ret);
	case TIMESCALE_NONE:
	case TIMESCALE_SAME_WORKING_DAY:
	case TIMESCALE_END_OF_NEXT_WORKING_DAY:
	case TIMESCALE_AS_AGREED:
		break;
	}
	return -EINVAL;
}

int timescale_repeat(struct timescale every, int32_t n, const struct calendar *calendar,
		     struct instant from, const struct pause *pauses, size_t pause_count,
		     struct instant *ret)
{
	struct pauses counted = { pauses, 0 };
	struct instant at;

	for (;;) {
		int r = repeat_with(every, n, calendar, from, counted, &at);

		if (r < 0)
			return r;
		if (counted.count == pause_count ||
		    !instant_before(pauses[counted.count].from, at))
			break;
		counted.count++;
	}
	*ret = at;
	return 0;
}

int timescale_before(struct timescale before, const struct calendar *calendar,
		     struct instant due, const struct pause *pauses, size_t pause_count,
		     struct instant *ret)
{
	struct pauses counted = { pauses, pause_count };
	int32_t amount = before.amount;
	int32_t day = calendar_day(calendar, due);

	switch (before.unit) {
	case TIMESCALE_WORKING_WEEKS:
		amount *= 5;
		/* fall through */
	case TIMESCALE_WORKING_DAYS:
		if (unpaused_day(calendar, day, amount, true, counted, &day) < 0)
			return -ERANGE;
		*ret = calendar_opens(calendar, day);
		return 0;
	case TIMESCALE_WEEKS:
		amount *= 7;
		/* fall through */
	case TIMESCALE_DAYS:
		return opening_of(calendar, day - amount, true, ret);
	case TIMESCALE_HOURS: {
		struct instant at = instant_add(due, -(int64_t)amount * 3600);

		for (size_t i = pause_count; i-- > 0;) {
			struct instant to = instant_min(pauses[i].to, due);

			if (instant_before(pauses[i].from, to) && instant_before(at, to))
				at = instant_add(at, pauses[i].from.seconds - to.seconds);
		}
		*ret = at;
		return 0;
	}
	case TIMESCALE_WORKING_HOURS:
		return walk_open_back(calendar, due, (int64_t)amount * 3600, counted, ret);
	case TIMESCALE_NONE:
	case TIMESCALE_MONTHS:
	case TIMESCALE_SAME_WORKING_DAY:
	case TIMESCALE_END_OF_NEXT_WORKING_DAY:
	case TIMESCALE_AS_AGREED:
		break;
	}
	return -EINVAL;
}

int timescale_percent(int32_t percent, const struct calendar *calendar, struct instant start,
		      struct instant due, const struct pause *pauses, size_t pause_count,
		      struct instant *ret)
{
	struct pauses counted = { pauses, pause_count };
	int64_t open = open_unpaused(calendar, start, due, counted);

	return walk_open(calendar, start, open * percent / 100, counted, ret);
}
