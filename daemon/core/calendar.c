/*
 * calendar.c - see calendar.h.
 *
 * Two running counts are kept for every civil day of the years covered, of working days and of
 * open seconds; a step of any length is a difference of counts and one look-up.
 */
#include "core/calendar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OFFSET_CHANGES = INT16_MIN, SECONDS_PER_MINUTE = 60 };

struct calendar {
	struct calendar_plan plan;
	int32_t first;        /* civil day of index 0 */
	int32_t days;         /* how many days the tables hold */
	int32_t working_days; /* how many of them work */
	bool *works;          /* [day] */
	/* As small as they can be: the main process keeps them for good. */
	int16_t *offset;  /* [day]: minutes, of its clocks all day long, or OFFSET_CHANGES */
	uint16_t *worked; /* [day]: working days before it; [days]: all */
	uint16_t *nth;    /* [n]: index of the nth working day */
	uint32_t *opened; /* [day]: open seconds before it; [days]: all */
};

_Static_assert((CALENDAR_LAST_YEAR - CALENDAR_FIRST_YEAR + 1) * 366 <= UINT16_MAX,
	       "the days can be counted in 16 bits");

static const struct day_hours *hours_of(const struct calendar *calendar, int32_t day)
{
	return &calendar->plan.week[day_weekday(day)];
}

static bool is_covered(const struct calendar *calendar, int32_t day)
{
	return day >= calendar->first && day < calendar->first + calendar->days;
}

/*
 * zone_instant of a day that the tables hold. Only on the few days on which clocks change must
 * the zone itself be searched.
 */
static struct instant day_instant(const struct calendar *calendar, int32_t day, int32_t second)
{
	int offset = calendar->offset[day - calendar->first];

	if (offset == OFFSET_CHANGES)
		return zone_instant(&calendar->plan.zone, day, second);
	return (struct instant){ (int64_t)day * SECONDS_PER_DAY + second -
				 offset * SECONDS_PER_MINUTE };
}

/* One opening of a day as instants. Spring may shrink it to nothing, never below. */
struct span {
	int64_t from;
	int64_t to;
};

static struct span opening_span(const struct calendar *calendar, int32_t day, size_t place)
{
	const struct day_hours *hours = hours_of(calendar, day);
	struct span span = {
		.from = day_instant(calendar, day, hours->opening[place].from).seconds,
		.to = day_instant(calendar, day, hours->opening[place].to).seconds,
	};

	/* A time that spring skips lies later: an opening that ends in it may reach into the
	 * next. */
	if (place > 0 && calendar->offset[day - calendar->first] == OFFSET_CHANGES) {
		int64_t before = opening_span(calendar, day, place - 1).to;

		if (span.from < before)
			span.from = before;
	}
	if (span.to < span.from)
		span.to = span.from;
	return span;
}

static const struct holiday *find_holiday(const struct calendar_plan *plan, int32_t day)
{
	for (size_t i = 0; i < plan->holiday_count; i++)
		if (plan->holidays[i].day == day)
			return &plan->holidays[i];
	return NULL;
}

static const struct closure *find_closure(const struct calendar_plan *plan, int32_t day)
{
	for (size_t i = 0; i < plan->closure_count; i++)
		if (plan->closures[i].from <= day && day <= plan->closures[i].to)
			return &plan->closures[i];
	return NULL;
}

static int check_plan(const struct calendar_plan *plan, struct error *error)
{
	size_t open = 0;

	for (size_t weekday = 0; weekday < 7; weekday++) {
		const struct day_hours *hours = &plan->week[weekday];
		int32_t last = 0;

		if (hours->count > CALENDAR_OPENINGS)
			return error_set(error, EINVAL, "a day has more than %d openings",
					 CALENDAR_OPENINGS);
		for (size_t i = 0; i < hours->count; i++) {
			const struct opening *opening = &hours->opening[i];

			if (opening->from < last || opening->from >= opening->to ||
			    opening->to > SECONDS_PER_DAY)
				return error_set(error, EINVAL,
						 "openings of a day must follow each other, "
						 "each ending after it starts");
			last = opening->to;
		}
		open += hours->count;
	}
	if (open == 0)
		return error_set(error, EINVAL, "no day of the week has opening hours");
	return 0;
}

/* Nobody works on [from, to], where those days fall within the tables. */
static void close_days(struct calendar *calendar, int32_t from, int32_t to)
{
	int32_t low = from < calendar->first ? calendar->first : from;
	int32_t high = to < calendar->first + calendar->days - 1
			       ? to
			       : calendar->first + calendar->days - 1;

	for (int32_t day = low; day <= high; day++)
		calendar->works[day - calendar->first] = false;
}

/* A day keeps one offset when its two midnights lie a plain day apart: clocks do not change
 * twice in a day. An offset that is no whole minutes is left to the zone, too: nobody has had
 * any for long.
 */
static void mark_offsets(struct calendar *calendar)
{
	const struct zone *zone = &calendar->plan.zone;

	for (int32_t i = 0; i < calendar->days; i++) {
		int64_t local = (int64_t)(calendar->first + i) * SECONDS_PER_DAY;
		struct instant from = zone_instant(zone, calendar->first + i, 0);
		struct instant to = zone_instant(zone, calendar->first + i, SECONDS_PER_DAY);
		int32_t offset = (int32_t)(local - from.seconds);
		bool lasts = to.seconds - from.seconds == SECONDS_PER_DAY &&
			     offset % SECONDS_PER_MINUTE == 0;

		calendar->offset[i] =
			(int16_t)(lasts ? offset / SECONDS_PER_MINUTE : OFFSET_CHANGES);
	}
}

static void mark_working(struct calendar *calendar)
{
	const struct calendar_plan *plan = &calendar->plan;

	for (int32_t i = 0; i < calendar->days; i++)
		calendar->works[i] = hours_of(calendar, calendar->first + i)->count > 0;
	for (size_t i = 0; i < plan->closure_count; i++)
		close_days(calendar, plan->closures[i].from, plan->closures[i].to);
	for (size_t i = 0; i < plan->holiday_count; i++)
		close_days(calendar, plan->holidays[i].day, plan->holidays[i].day);
}

static int count_up(struct calendar *calendar, struct error *error)
{
	uint16_t worked = 0;
	int64_t opened = 0;

	for (int32_t i = 0; i < calendar->days; i++) {
		calendar->worked[i] = worked;
		calendar->opened[i] = (uint32_t)opened;
		if (!calendar->works[i])
			continue;
		calendar->nth[worked++] = (uint16_t)i;
		for (size_t o = 0; o < hours_of(calendar, calendar->first + i)->count; o++) {
			struct span span = opening_span(calendar, calendar->first + i, o);

			opened += span.to - span.from;
		}
	}
	/* Open day and night it is a third of this; only clocks that jump by a day could do it.
	 */
	if (opened > UINT32_MAX)
		return error_set(error, EINVAL, "the clocks of its zone cannot be counted by");
	calendar->worked[calendar->days] = worked;
	calendar->opened[calendar->days] = (uint32_t)opened;
	calendar->working_days = worked;
	return 0;
}

int calendar_create(const struct calendar_plan *plan, struct calendar **ret,
		    struct error *error)
{
	CLEANUP(calendar_destroyp) struct calendar *calendar = NULL;
	size_t days;

	if (check_plan(plan, error) < 0)
		return -EINVAL;
	calendar = calloc(1, sizeof *calendar);
	if (calendar == NULL)
		return error_memory(error);
	calendar->plan = *plan;
	calendar->first = date_to_day((struct date){ CALENDAR_FIRST_YEAR, 1, 1 });
	calendar->days =
		date_to_day((struct date){ CALENDAR_LAST_YEAR + 1, 1, 1 }) - calendar->first;
	days = (size_t)calendar->days;
	calendar->works = calloc(days, sizeof *calendar->works);
	calendar->offset = calloc(days, sizeof *calendar->offset);
	calendar->worked = calloc(days + 1, sizeof *calendar->worked);
	calendar->nth = calloc(days, sizeof *calendar->nth);
	calendar->opened = calloc(days + 1, sizeof *calendar->opened);
	if (calendar->works == NULL || calendar->offset == NULL || calendar->worked == NULL ||
	    calendar->nth == NULL || calendar->opened == NULL)
		return error_memory(error);
	mark_offsets(calendar);
	mark_working(calendar);
	if (count_up(calendar, error) < 0)
		return -EINVAL;

	*ret = TAKE(calendar);
	return 0;
}

void calendar_destroy(struct calendar *calendar)
{
	if (calendar == NULL)
		return;
	free(calendar->works);
	free(calendar->offset);
	free(calendar->worked);
	free(calendar->nth);
	free(calendar->opened);
	free(calendar);
}

void calendar_destroyp(struct calendar **calendar)
{
	calendar_destroy(*calendar);
	*calendar = NULL;
}

const struct calendar_plan *calendar_plan(const struct calendar *calendar)
{
	return &calendar->plan;
}

const struct zone *calendar_zone(const struct calendar *calendar)
{
	return &calendar->plan.zone;
}

enum day_kind calendar_day_kind(const struct calendar *calendar, int32_t day,
				const char **ret_name)
{
	const struct holiday *holiday = find_holiday(&calendar->plan, day);
	const struct closure *closure = find_closure(&calendar->plan, day);
	enum day_kind kind = DAY_WORKING;
	const char *name = NULL;

	if (hours_of(calendar, day)->count == 0) {
		kind = DAY_NO_HOURS;
	} else if (holiday != NULL) {
		kind = DAY_HOLIDAY;
		name = holiday->name;
	} else if (closure != NULL) {
		kind = DAY_CLOSURE;
		name = closure->name;
	}
	if (ret_name != NULL)
		*ret_name = name;
	return kind;
}

bool calendar_is_working(const struct calendar *calendar, int32_t day)
{
	return is_covered(calendar, day) && calendar->works[day - calendar->first];
}

int32_t calendar_day(const struct calendar *calendar, struct instant at)
{
	int64_t guess = at.seconds / SECONDS_PER_DAY; /* within a day of the civil one */
	int32_t day;
	int32_t second;

	if (guess > calendar->first && guess < calendar->first + calendar->days - 1) {
		int offset = calendar->offset[guess - calendar->first];

		if (offset != OFFSET_CHANGES) {
			day = (int32_t)((at.seconds + offset * SECONDS_PER_MINUTE) /
					SECONDS_PER_DAY);
			if (calendar->offset[day - calendar->first] == offset)
				return day;
		}
	}
	zone_local(&calendar->plan.zone, at, &day, &second);
	return day;
}

bool calendar_is_provisional(const struct calendar *calendar, struct instant at)
{
	return !instant_is_never(at) &&
	       calendar_day(calendar, at) > calendar->plan.covered_until;
}

/* To the letter, as the limits are counted: what spring skips of a day moves both, and an
 * opening that it skips whole may end before it begins. */
struct instant calendar_opens(const struct calendar *calendar, int32_t day)
{
	return day_instant(calendar, day, hours_of(calendar, day)->opening[0].from);
}

struct instant calendar_closes(const struct calendar *calendar, int32_t day)
{
	const struct day_hours *hours = hours_of(calendar, day);

	return day_instant(calendar, day, hours->opening[hours->count - 1].to);
}

/* The first opening of the day that is still to come or running at `at`; false: none. */
static bool open_on_day(const struct calendar *calendar, int32_t day, struct instant at,
			struct instant *ret)
{
	const struct day_hours *hours = hours_of(calendar, day);

	for (size_t i = 0; i < hours->count; i++) {
		struct span span = opening_span(calendar, day, i);

		if (span.from < span.to && at.seconds < span.to) {
			ret->seconds = at.seconds > span.from ? at.seconds : span.from;
			return true;
		}
	}
	return false;
}

bool calendar_is_open(const struct calendar *calendar, struct instant at)
{
	int32_t day = calendar_day(calendar, at);
	struct instant opens;

	return calendar_is_working(calendar, day) && open_on_day(calendar, day, at, &opens) &&
	       instant_equal(opens, at);
}

int calendar_next_open(const struct calendar *calendar, struct instant at, struct instant *ret)
{
	int32_t day = calendar_day(calendar, at);

	if (!is_covered(calendar, day))
		return -ERANGE;
	if (calendar_is_working(calendar, day) && open_on_day(calendar, day, at, ret))
		return 0;
	/* A day whose every opening spring skipped has none: hence a loop, ending with the
	 * table. */
	while (calendar_step_days(calendar, day, 1, &day) == 0)
		if (open_on_day(calendar, day, at, ret))
			return 0;
	return -ERANGE;
}

int calendar_step_days(const struct calendar *calendar, int32_t day, int32_t n, int32_t *ret)
{
	int64_t ordinal;

	if (!is_covered(calendar, day))
		return -ERANGE;
	if (n > 0)
		ordinal = (int64_t)calendar->worked[day - calendar->first + 1] + n - 1;
	else
		ordinal = (int64_t)calendar->worked[day - calendar->first] + n;
	if (ordinal < 0 || ordinal >= calendar->working_days)
		return -ERANGE;
	*ret = calendar->first + calendar->nth[ordinal];
	return 0;
}

int32_t calendar_count_days(const struct calendar *calendar, int32_t from, int32_t to)
{
	int32_t low = from < calendar->first ? 0 : from - calendar->first;
	int32_t high = to >= calendar->first + calendar->days ? calendar->days
							      : to - calendar->first + 1;

	if (high <= low || from >= calendar->first + calendar->days)
		return 0;
	return calendar->worked[high] - calendar->worked[low];
}

/* Open seconds of the tables before `at`. */
static int64_t opened_before(const struct calendar *calendar, struct instant at)
{
	int32_t day = calendar_day(calendar, at);
	const struct day_hours *hours;
	int64_t opened;

	if (day < calendar->first)
		return 0;
	if (day >= calendar->first + calendar->days)
		return calendar->opened[calendar->days];
	opened = calendar->opened[day - calendar->first];
	if (!calendar->works[day - calendar->first])
		return opened;
	hours = hours_of(calendar, day);
	for (size_t i = 0; i < hours->count; i++) {
		struct span span = opening_span(calendar, day, i);

		if (at.seconds <= span.from)
			break;
		opened += (at.seconds < span.to ? at.seconds : span.to) - span.from;
	}
	return opened;
}

/*
 * The day, as index, in which the count of open seconds passes `target`: opened[i] < target <=
 * opened[i + 1] going forward, opened[i] <= target < opened[i + 1] going back. `near` is where
 * to begin: most steps are short, so the search doubles outward before it halves.
 */
static int32_t day_passing(const struct calendar *calendar, int64_t target, int32_t near,
			   bool forward)
{
	const uint32_t *opened = calendar->opened;
	/* Forward, the last index with opened < target; back, the last with opened <= target.
	 */
	int64_t bound = forward ? target - 1 : target;
	int32_t low = near;
	int32_t high = near;
	int32_t reach = 1;

	if (opened[near] > bound) {
		do {
			high = low;
			low = low > reach ? low - reach : 0;
			reach *= 2;
		} while (opened[low] > bound); /* ends: before the first day nothing is open */
	} else {
		while (high < calendar->days && opened[high] <= bound) {
			low = high;
			high = high + reach < calendar->days ? high + reach : calendar->days;
			reach *= 2;
		}
	}
	while (high - low > 1) {
		int32_t middle = low + (high - low) / 2;

		if (opened[middle] <= bound)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Where, on that day, `seconds` of opening time have passed since it opened. */
static struct instant within_day(const struct calendar *calendar, int32_t day, int64_t seconds,
				 bool forward)
{
	const struct day_hours *hours = hours_of(calendar, day);
	struct span span = { 0 };

	for (size_t i = 0; i < hours->count; i++) {
		int64_t length;

		span = opening_span(calendar, day, i);
		length = span.to - span.from;
		if (seconds < length || (forward && seconds == length && length > 0))
			return (struct instant){ span.from + seconds };
		seconds -= length;
	}
	return (struct instant){ span.to };
}

int calendar_add_open(const struct calendar *calendar, struct instant start, int64_t seconds,
		      struct instant *ret)
{
	int32_t day = calendar_day(calendar, start);
	bool forward = seconds > 0;
	int64_t target;
	int32_t index;

	if (!is_covered(calendar, day))
		return -ERANGE;
	if (seconds == 0) {
		*ret = start;
		return 0;
	}
	if (__builtin_add_overflow(opened_before(calendar, start), seconds, &target) ||
	    target < 0 || target > calendar->opened[calendar->days])
		return -ERANGE;
	index = day_passing(calendar, target, day - calendar->first, forward);
	*ret = within_day(calendar, calendar->first + index, target - calendar->opened[index],
			  forward);
	return 0;
}

int64_t calendar_open_between(const struct calendar *calendar, struct instant from,
			      struct instant to)
{
	if (!instant_before(from, to))
		return 0;
	return opened_before(calendar, to) - opened_before(calendar, from);
}
