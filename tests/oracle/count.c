/*
 * count - the daemon's counting, asked line by line, for compare_counting.py.
 *
 * count HOLIDAYS.json <CASES: one answer a line, seconds of UTC or "never", "range".
 *
 *   calendar ZONE DIVISION CLOSURES MONDAY .. SUNDAY   ("-": none; answers nothing)
 *   due FIRST LATE DUE START DERIVED AGREED PAUSES LIMIT
 *   repeat N FROM PAUSES EVERY           before DUE PAUSES DISTANCE
 *   percent SHARE START DUE PAUSES       send AT             provisional AT
 *   zone NAME FROM TO STEP
 *
 * PAUSES is "-" or from:to,from:to; openings are pairs of seconds in that form, closures pairs
 * of civil days. LIMIT and the like are a policy's own words with '_' for blanks.
 * `zone` answers one line: offsets and local times at every step, as runs.
 */
#include "adapter/holiday_file.h"
#include "adapter/zone_file.h"
#include "core/timescale.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PAIRS = 64, MOST_WORDS = 16 };

struct counter {
	const char *holidays; /* the bytes of the published file */
	size_t holidays_length;
	struct arena arena;
	struct calendar *calendar;
	struct calendar_plan plan;
	struct closure closures[MOST_PAIRS];
};

struct pair {
	int64_t from;
	int64_t to;
};

static void fail(const char *what)
{
	fprintf(stderr, "count: %s\n", what);
	exit(3);
}

static int64_t number(const char *word)
{
	char *end;
	long long value = strtoll(word, &end, 10);
	if (end == word || *end)
		fail(word);
	return value;
}

static size_t pairs(const char *word, struct pair out[static MOST_PAIRS])
{
	size_t count = 0;
	if (strcmp(word, "-") == 0)
		return 0;
	for (const char *at = word; *at && count < MOST_PAIRS; count++) {
		char *end;
		out[count].from = strtoll(at, &end, 10);
		if (*end != ':')
			fail(word);
		out[count].to = strtoll(end + 1, &end, 10);
		at = *end == ',' ? end + 1 : end;
	}
	return count;
}

static struct timescale scale(char *word)
{
	struct timescale timescale = { .unit = TIMESCALE_NONE };
	struct error error = { 0 };
	for (char *c = word; *c; c++)
		if (*c == '_')
			*c = ' ';
	if (strcmp(word, "none") != 0 && timescale_parse(word, &timescale, &error) < 0)
		fail(error.text);
	return timescale;
}

static void answer(int result, struct instant at)
{
	if (result == -ERANGE)
		puts("range");
	else if (result < 0)
		fail(strerror(-result));
	else if (instant_is_never(at))
		puts("never");
	else
		printf("%" PRId64 "\n", at.seconds);
}

static void new_calendar(struct counter *counter, char **word)
{
	struct error error = { 0 };
	struct pair pair[MOST_PAIRS];

	calendar_destroyp(&counter->calendar);
	arena_clear(&counter->arena);
	counter->plan = (struct calendar_plan){ .id = "tested", .covered_until = INT32_MAX };
	if (zone_file_read(word[1], &counter->arena, &counter->plan.zone, &error) < 0)
		fail(error.text);
	if (strcmp(word[2], "-") != 0) {
		int line = 0;
		if (holiday_file_read(counter->holidays, counter->holidays_length, word[2],
				      &counter->arena, &counter->plan.holidays,
				      &counter->plan.holiday_count,
				      &counter->plan.covered_until, &line, &error) < 0)
			fail(error.text);
	}
	counter->plan.closure_count = pairs(word[3], pair);
	for (size_t i = 0; i < counter->plan.closure_count; i++)
		counter->closures[i] = (struct closure){ .from = (int32_t)pair[i].from,
							 .to = (int32_t)pair[i].to,
							 .name = "closed" };
	counter->plan.closures = counter->closures;
	for (size_t day = 0; day < 7; day++) {
		struct day_hours *hours = &counter->plan.week[day];
		hours->count = pairs(word[4 + day], pair);
		for (size_t i = 0; i < hours->count && i < CALENDAR_OPENINGS; i++)
			hours->opening[i] = (struct opening){ .from = (int32_t)pair[i].from,
							      .to = (int32_t)pair[i].to };
	}
	if (calendar_create(&counter->plan, &counter->calendar, &error) < 0)
		fail(error.text);
}

static size_t read_pauses(const char *word, struct pause out[static MOST_PAIRS])
{
	struct pair pair[MOST_PAIRS];
	size_t count = pairs(word, pair);
	for (size_t i = 0; i < count; i++)
		out[i] = (struct pause){ .from = { pair[i].from }, .to = { pair[i].to } };
	return count;
}

static void ask_due(const struct counter *counter, char **word)
{
	struct pause pauses[MOST_PAIRS];
	struct counting counting = {
		.first_day = strcmp(word[1], "same") == 0 ? FIRST_DAY_SAME : FIRST_DAY_NEXT,
		.late_arrival = strcmp(word[2], "same_day") == 0 ? LATE_SAME_DAY
								 : LATE_NEXT_WORKING_DAY,
		.due = strcmp(word[3], "close") == 0 ? DUE_CLOSE : DUE_SAME_TIME,
	};
	struct timescale_start start = {
		.at = { number(word[4]) },
		.derived = number(word[5]) != 0,
		.agreed = strcmp(word[6], "-") == 0 ? INSTANT_NEVER
						    : (struct instant){ number(word[6]) },
		.pauses = pauses,
		.pause_count = read_pauses(word[7], pauses),
	};
	struct instant at = INSTANT_NEVER;
	int result = timescale_due(scale(word[8]), counter->calendar, counting, &start, &at);
	answer(result, at);
}

static void ask_repeat(const struct counter *counter, char **word)
{
	struct pause pauses[MOST_PAIRS];
	struct instant at = INSTANT_NEVER;
	size_t count = read_pauses(word[3], pauses);
	int result =
		timescale_repeat(scale(word[4]), (int32_t)number(word[1]), counter->calendar,
				 (struct instant){ number(word[2]) }, pauses, count, &at);
	answer(result, at);
}

static void ask_before(const struct counter *counter, char **word)
{
	struct pause pauses[MOST_PAIRS];
	struct instant at = INSTANT_NEVER;
	size_t count = read_pauses(word[2], pauses);
	int result = timescale_before(scale(word[3]), counter->calendar,
				      (struct instant){ number(word[1]) }, pauses, count, &at);
	answer(result, at);
}

static void ask_percent(const struct counter *counter, char **word)
{
	struct pause pauses[MOST_PAIRS];
	struct instant at = INSTANT_NEVER;
	size_t count = read_pauses(word[4], pauses);
	int result = timescale_percent((int32_t)number(word[1]), counter->calendar,
				       (struct instant){ number(word[2]) },
				       (struct instant){ number(word[3]) }, pauses, count, &at);
	answer(result, at);
}

static void ask_send(const struct counter *counter, char **word)
{
	struct instant at = INSTANT_NEVER;
	int result =
		calendar_next_open(counter->calendar, (struct instant){ number(word[1]) }, &at);
	answer(result, at);
}

/* Prints INDEX:VALUE whenever the value changes. */
static void run(int64_t index, int64_t value, int64_t *last)
{
	if (value == *last)
		return;
	printf("%" PRId64 ":%" PRId64 " ", index, value);
	*last = value;
}

static void ask_zone(struct counter *counter, char **word)
{
	struct error error = { 0 };
	struct zone zone = { 0 };
	int64_t from = number(word[2]);
	int64_t to = number(word[3]);
	int64_t step = number(word[4]);
	int64_t last = INT64_MIN;

	if (zone_file_read(word[1], &counter->arena, &zone, &error) < 0)
		fail(error.text);
	for (int64_t at = from; at < to; at += step)
		run((at - from) / step, zone_offset(&zone, (struct instant){ at }), &last);
	fputs("| ", stdout);
	last = INT64_MIN;
	for (int64_t at = from; at < to; at += step) {
		int32_t day;
		int32_t second;
		zone_local(&zone, (struct instant){ at }, &day, &second);
		run((at - from) / step, (int64_t)day * SECONDS_PER_DAY + second - at, &last);
	}
	fputs("| ", stdout);
	last = INT64_MIN;
	for (int64_t at = from; at < to; at += step) {
		struct instant shown = zone_instant(&zone, (int32_t)(at / SECONDS_PER_DAY),
						    (int32_t)(at % SECONDS_PER_DAY));
		run((at - from) / step, at - shown.seconds, &last);
	}
	putchar('\n');
}

static void ask(struct counter *counter, char **word, size_t count)
{
	if (strcmp(word[0], "calendar") == 0 && count == 11)
		new_calendar(counter, word);
	else if (strcmp(word[0], "zone") == 0 && count == 5)
		ask_zone(counter, word);
	else if (!counter->calendar)
		fail("a calendar comes first");
	else if (strcmp(word[0], "due") == 0 && count == 9)
		ask_due(counter, word);
	else if (strcmp(word[0], "repeat") == 0 && count == 5)
		ask_repeat(counter, word);
	else if (strcmp(word[0], "before") == 0 && count == 4)
		ask_before(counter, word);
	else if (strcmp(word[0], "percent") == 0 && count == 5)
		ask_percent(counter, word);
	else if (strcmp(word[0], "send") == 0 && count == 2)
		ask_send(counter, word);
	else if (strcmp(word[0], "provisional") == 0 && count == 2)
		printf("%d\n", calendar_is_provisional(counter->calendar,
						       (struct instant){ number(word[1]) }));
	else
		fail(word[0]);
}

static char *read_whole(const char *path, size_t *ret_length)
{
	enum { MOST = 1 << 20 };
	char *bytes = malloc(MOST);
	FILE *file = fopen(path, "re");
	if (!bytes || !file)
		fail(path);
	*ret_length = fread(bytes, 1, MOST - 1, file);
	bytes[*ret_length] = '\0';
	fclose(file);
	return bytes;
}

int main(int argc, char **argv)
{
	CLEANUP(freep) char *holidays = NULL;
	CLEANUP(freep) char *line = NULL;
	struct counter counter = { 0 };
	size_t size = 0;

	if (argc != 2)
		fail("usage: count HOLIDAYS.json <CASES");
	holidays = read_whole(argv[1], &counter.holidays_length);
	counter.holidays = holidays;
	while (getline(&line, &size, stdin) > 0) {
		char *word[MOST_WORDS] = { 0 };
		size_t count = 0;
		char *rest = NULL;
		for (char *w = strtok_r(line, " \n", &rest); w && count < MOST_WORDS;
		     w = strtok_r(NULL, " \n", &rest))
			word[count++] = w;
		if (count > 0)
			ask(&counter, word, count);
	}
	calendar_destroyp(&counter.calendar);
	arena_clear(&counter.arena);
	return 0;
}
