/*
 * bench_time.c - what counting costs: one JSON line a figure, medians of several rounds.
 *
 * Prints working-time addition (hours, zone, holidays), working-day limits, and a timeline of a
 * four-stage policy to its next entry, in nanoseconds; and the memory of one compiled calendar.
 * The calendar is the one shipped: usage: bench_time CONFIG
 */
#include "adapter/config_file.h"
#include "core/timeline.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 7, CASES = 200000 };

static int64_t nanoseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int compare(const void *left, const void *right)
{
	const double *a = left;
	const double *b = right;

	return (*a > *b) - (*a < *b);
}

static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

/* The same starts in every round, spread over 2024 to 2028. */
static struct instant *make_starts(void)
{
	struct instant *starts = calloc(CASES, sizeof *starts);
	uint64_t seed = 7;

	for (size_t i = 0; starts != NULL && i < CASES; i++)
		starts[i].seconds = 1704067200 + (int64_t)(draw(&seed) % (1700 * 86400));
	return starts;
}

struct measured {
	const struct calendar *calendar;
	const struct policy *policy;
	struct timeline *timeline;
	const struct instant *starts;
	int64_t sum; /* so that nothing is optimised away */
};

static void add_hours(struct measured *m, size_t i)
{
	struct instant at = { 0 };

	if (calendar_add_open(m->calendar, m->starts[i], 3600 + (int64_t)(i % 90) * 3600,
			      &at) == 0)
		m->sum += at.seconds;
}

static void add_days(struct measured *m, size_t i)
{
	const struct timescale limit = { TIMESCALE_WORKING_DAYS, (int32_t)(i % 20) + 1 };
	const struct counting counting = { FIRST_DAY_NEXT, LATE_NEXT_WORKING_DAY, DUE_CLOSE };
	const struct timescale_start start = { .at = m->starts[i], .agreed = INSTANT_NEVER };
	struct instant at = { 0 };

	if (timescale_due(limit, m->calendar, counting, &start, &at) == 0)
		m->sum += at.seconds;
}

/* A challenge raised, and what is said first after that. */
static void next_entry(struct measured *m, size_t i)
{
	struct event event = { .id = 1,
			       .key = 1,
			       .kind = "raised",
			       .stage = "",
			       .value = "",
			       .at = m->starts[i],
			       .due = INSTANT_NEVER };
	struct challenge challenge = {
		.urgency = "", .protect_by = INSTANT_NEVER, .events = &event, .event_count = 1
	};
	struct entry entry;
	struct instant next = { 0 };

	timeline_begin(m->timeline, m->policy, &challenge);
	while (timeline_next(m->timeline, m->starts[i], &entry, NULL) > 0)
		m->sum += entry.at.seconds;
	if (timeline_peek(m->timeline, &next, NULL) == 0)
		m->sum += next.seconds;
}

static void measure(struct measured *m, const char *name,
		    void (*one)(struct measured *, size_t))
{
	double round[ROUNDS];

	for (size_t r = 0; r < ROUNDS; r++) {
		int64_t before = nanoseconds();

		for (size_t i = 0; i < CASES; i++)
			one(m, i);
		round[r] = (double)(nanoseconds() - before) / CASES;
	}
	qsort(round, ROUNDS, sizeof round[0], compare);
	printf("{\"figure\": \"%s\", \"ns\": %.1f, \"best\": %.1f, \"worst\": %.1f}\n", name,
	       round[ROUNDS / 2], round[0], round[ROUNDS - 1]);
}

int main(int argc, char **argv)
{
	struct fault_list faults = { 0 };
	struct error error = { 0 };
	struct config *config = argc == 2 ? config_load(argv[1], &faults, &error) : NULL;
	struct measured m = { 0 };
	struct calendar *again = NULL;
	struct mallinfo2 before;

	if (config == NULL) {
		fprintf(stderr, "bench_time: %s\n",
			argc == 2 ? error.text : "usage: bench_time CONFIG");
		return 1;
	}
	m.calendar = config_calendar(config, "england");
	m.policy = config_policy(config, "example", "", &error);
	m.timeline = timeline_create();
	m.starts = make_starts();
	if (m.calendar == NULL || m.policy == NULL || m.timeline == NULL || m.starts == NULL)
		return 1;
	measure(&m, "working-time addition, hours with zone and holidays", add_hours);
	measure(&m, "working-day limit", add_days);
	measure(&m, "timeline of a raised challenge to its next entry", next_entry);
	before = mallinfo2();
	if (calendar_create(calendar_plan(m.calendar), &again, &error) < 0)
		return 1;
	printf("{\"figure\": \"memory of a loaded calendar\", \"bytes\": %zu}\n",
	       mallinfo2().uordblks + mallinfo2().hblkhd - before.uordblks - before.hblkhd);
	calendar_destroy(again);
	timeline_destroy(m.timeline);
	free((void *)m.starts);
	config_destroyp(&config);
	fault_list_clear(&faults);
	return m.sum == 42;
}
