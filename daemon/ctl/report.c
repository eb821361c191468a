/*
 * report.c - `challengectl report`: what a board asks of a period, counted from store, policies
 * and ledger; without any personal data.
 */
#include "adapter/ledger_care.h"
#include "base/list.h"
#include "ctl/commands.h"
#include "ctl/ledger_access.h"
#include "ctl/lookup.h"
#include "ctl/report_print.h"
#include "ctl/terminal.h"
#include "ctl/typed.h"

#include <stdlib.h>
#include <string.h>

enum {
	PATIENCE_SECONDS = 3600, /* a notice that much late is late by our own fault */
	SUPPRESS_HTML = 5,       /* a page is meant to be handed on */
	MONTHS_A_QUARTER = 3,
	QUARTERS = 4,
};

enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON, FORMAT_HTML };

/* Civil days, both included. */
struct days {
	int32_t first;
	int32_t last;
};

/* An event that was typed long after it happened: no notice of it could go before. */
struct late_entry {
	int64_t event;
	struct instant recorded;
};

struct gathering {
	struct ctl *ctl;
	struct report report;
	struct days days[REPORT_COLUMNS];
	struct report_period period[REPORT_COLUMNS];
	int columns;
	struct directory directory;
	bool *raised[REPORT_COLUMNS]; /* by agency: has it raised any? */
	size_t passed_over;           /* without a policy that is loaded, or not to be read */
	struct late_entry *late;      /* by event, once all are read */
	size_t late_count;
	size_t late_capacity;
};

static void gathering_clear(struct gathering *gathering)
{
	report_clear(&gathering->report);
	for (int i = 0; i < REPORT_COLUMNS; i++)
		free(gathering->raised[i]);
	free(gathering->late);
}

/* --- which period ---------------------------------------------------------------------------
 */

static struct days quarter_days(int32_t year, int32_t quarter)
{
	int32_t month = (quarter - 1) * MONTHS_A_QUARTER + 1;
	struct date first = { year, month, 1 };
	struct date after = { month + MONTHS_A_QUARTER > 12 ? year + 1 : year,
			      (month + MONTHS_A_QUARTER - 1) % 12 + 1, 1 };

	return (struct days){ date_to_day(first), date_to_day(after) - 1 };
}

/* "2026-Q3", or "last": the one that ended before `today`. */
static bool parse_quarter(const char *typed, int32_t today, struct days ret[static 2])
{
	struct date date = day_to_date(today);
	int32_t year = date.year;
	int32_t quarter =
		(date.month - 1) / MONTHS_A_QUARTER; /* of the last; 0: in the year before */

	if (strcmp(typed, "last") != 0) {
		if (strlen(typed) != 7 || strspn(typed, "0123456789") != 4 ||
		    (strncmp(typed + 4, "-Q", 2) != 0 && strncmp(typed + 4, "-q", 2) != 0) ||
		    typed[6] < '1' || typed[6] > '0' + QUARTERS)
			return false;
		year = (int32_t)strtol(typed, NULL, 10);
		quarter = typed[6] - '0';
	}
	for (int i = 0; i < REPORT_COLUMNS; i++) {
		if (quarter == 0) {
			year--;
			quarter = QUARTERS;
		}
		if (year < CALENDAR_FIRST_YEAR || year > CALENDAR_LAST_YEAR)
			return false;
		ret[i] = quarter_days(year, quarter--);
	}
	return true;
}

static int take_period(struct gathering *gathering, int *argc, char **argv, int32_t today)
{
	struct ctl *ctl = gathering->ctl;
	struct days *days = &gathering->days[REPORT_NOW];
	const char *from = NULL;
	const char *to = NULL;
	const char *quarter = NULL;

	if (!ctl_options(ctl, argc, argv,
			 (struct ctl_option[]){ { "--from", &from },
						{ "--to", &to },
						{ "--quarter", &quarter } },
			 3))
		return EXIT_USAGE;
	gathering->columns = quarter != NULL ? REPORT_COLUMNS : 1;
	if (quarter != NULL && (from != NULL || to != NULL))
		return ctl_usage(ctl, "--quarter goes with neither --from nor --to");
	if (quarter != NULL)
		return parse_quarter(quarter, today, gathering->days)
			       ? EXIT_DONE
			       : ctl_usage(ctl, "--quarter: write 2026-Q3 or last, not \"%s\"",
					   quarter);
	if (from == NULL || to == NULL)
		return ctl_usage(ctl, "report needs --from and --to, or --quarter");
	if (!typed_day(from, &days->first) || !typed_day(to, &days->last))
		return ctl_usage(ctl, "--from and --to are dates: 2026-07-01 or 01/07/2026");
	if (days->last < days->first)
		return ctl_usage(ctl, "--to lies before --from");
	return EXIT_DONE;
}

static void set_periods(struct gathering *gathering, struct instant now)
{
	const struct zone *zone = calendar_zone(gathering->ctl->config->calendars[0].calendar);

	for (int i = 0; i < gathering->columns; i++) {
		const struct days *days = &gathering->days[i];

		gathering->period[i] = (struct report_period){
			zone_instant(zone, days->first, 0),
			/* This moment is part of it, what is to come is not. */
			instant_min(zone_instant(zone, days->last + 1, 0), instant_add(now, 1)),
		};
	}
}

/* --- counting -------------------------------------------------------------------------------
 */

static size_t agency_place(const struct directory *directory, const char *id)
{
	size_t place = 0;

	while (place < directory->agency_count &&
	       strcmp(directory->agencies[place].id, id) != 0)
		place++;
	return place;
}

static const char *agency_name(const struct directory *directory, const char *id)
{
	size_t place = agency_place(directory, id);

	if (place == directory->agency_count || directory->agencies[place].name[0] == '\0')
		return "an agency without a name";
	return directory->agencies[place].name;
}

static void note_raising(struct gathering *gathering, const struct challenge *challenge)
{
	size_t place = agency_place(&gathering->directory, challenge->raising_agency);

	for (size_t i = 0; i < challenge->event_count; i++) {
		const struct event *event = &challenge->events[i];

		if (strcmp(event->kind, "raised") != 0)
			continue;
		for (int j = 0; j < gathering->columns; j++)
			if (!instant_before(event->at, gathering->period[j].from) &&
			    instant_before(event->at, gathering->period[j].until) &&
			    place < gathering->directory.agency_count)
				gathering->raised[j][place] = true;
		return; /* the first is the raising */
	}
}

static int note_late_entries(struct gathering *gathering, const struct challenge *challenge,
			     struct error *error)
{
	for (size_t i = 0; i < challenge->event_count; i++) {
		const struct event *event = &challenge->events[i];

		if (!instant_before(instant_add(event->at, PATIENCE_SECONDS),
				    event->recorded_at))
			continue;
		if (list_reserve(&gathering->late, gathering->late_count,
				 &gathering->late_capacity, sizeof *gathering->late) < 0)
			return error_memory(error);
		gathering->late[gathering->late_count++] =
			(struct late_entry){ event->id, event->recorded_at };
	}
	return 0;
}

static int count_challenge(struct gathering *gathering, struct timeline *timeline,
			   struct challenge *challenge, struct error *error)
{
	struct report_case one = {
		.policy = config_policy(gathering->ctl->config, challenge->policy,
					challenge->policy_version, NULL),
		.challenge = challenge,
		.raising = agency_name(&gathering->directory, challenge->raising_agency),
		.receiving = agency_name(&gathering->directory, challenge->receiving_agency),
	};
	int result = note_late_entries(gathering, challenge, error);

	challenge_settle(challenge);
	note_raising(gathering, challenge);
	if (one.policy == NULL) {
		gathering->passed_over++;
		return result;
	}
	for (int i = 0; i < gathering->columns && result == 0; i++)
		result = report_add(&gathering->report, i, &one, gathering->period[i], timeline,
				    error);
	return result;
}

static int count_challenges(struct gathering *gathering, struct store *store,
			    struct error *error)
{
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	CLEANUP(progress_end)
	struct progress progress = progress_begin(gathering->ctl, "challenges");
	struct challenge *challenge;
	size_t done = 0;
	int result =
		timeline == NULL ? error_memory(error) : store_changed_since(store, 0, error);

	while (result >= 0 && (result = store_next(store, &challenge, error)) > 0) {
		progress_step(&progress, ++done);
		if (challenge == NULL)
			gathering->passed_over++;
		else
			result = count_challenge(gathering, timeline, challenge, error);
	}
	return result;
}

static void count_silent(struct gathering *gathering)
{
	const struct directory *directory = &gathering->directory;

	for (size_t i = 0; i < directory->agency_count; i++) {
		const struct agency *agency = &directory->agencies[i];

		if (strcmp(agency->id, gathering->ctl->config->partnership.agency) == 0)
			continue;
		for (int j = 0; j < gathering->columns; j++)
			if (!gathering->raised[j][i])
				report_tally(&gathering->report, REPORT_SILENT, j,
					     agency_name(directory, agency->id), 1, 0);
	}
}

static int by_event(const void *left, const void *right)
{
	const struct late_entry *a = left;
	const struct late_entry *b = right;

	return (a->event > b->event) - (a->event < b->event);
}

/* What became of the notices of one period. */
struct punctuality {
	const struct gathering *gathering;
	int64_t accepted;
	int64_t late;
	int64_t late_entry;
};

static void count_notice(void *context, int64_t event, struct instant send_at,
			 struct instant accepted)
{
	struct punctuality *found = context;
	const struct gathering *gathering = found->gathering;
	const struct late_entry key = { .event = event };
	const struct late_entry *entry =
		gathering->late_count == 0
			? NULL
			: bsearch(&key, gathering->late, gathering->late_count, sizeof key,
				  by_event);
	struct instant due = instant_add(send_at, PATIENCE_SECONDS);

	found->accepted++;
	if (!instant_before(due, accepted))
		return;
	if (entry != NULL &&
	    !instant_before(instant_add(entry->recorded, PATIENCE_SECONDS), accepted))
		found->late_entry++;
	else
		found->late++;
}

/* Without a ledger nothing is said of the service. */
static int count_service(struct gathering *gathering)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct ctl *ctl = gathering->ctl;
	struct error error = { 0 };

	if (ledger_open(ctl_state_folder(ctl->config), LEDGER_READ, &ledger, &error) < 0) {
		(void)fprintf(ctl->err, "%s: notices are not counted: %s\n", ctl->program,
			      error.text);
		return EXIT_DONE;
	}
	if (gathering->late_count > 0)
		qsort(gathering->late, gathering->late_count, sizeof *gathering->late,
		      by_event);
	for (int i = 0; i < gathering->columns; i++) {
		struct report_period period = gathering->period[i];
		struct punctuality found = { .gathering = gathering };

		if (ledger_accepted(ledger, period.from, period.until, count_notice, &found,
				    &error) < 0)
			return ctl_fail(ctl, &error, "");
		report_tally(&gathering->report, REPORT_SERVICE, i,
			     "Notices that the relay accepted", found.accepted, 0);
		report_tally(&gathering->report, REPORT_SERVICE, i,
			     "More than an hour late, by the service's own fault", found.late,
			     0);
		report_tally(&gathering->report, REPORT_SERVICE, i,
			     "Late because what happened was recorded late", found.late_entry,
			     0);
	}
	return EXIT_DONE;
}

static int gather(struct gathering *gathering, struct store *store)
{
	struct ctl *ctl = gathering->ctl;
	struct error error = { 0 };
	int result = store_directory(store, NULL, 0, &gathering->directory, &error);

	for (int i = 0; i < gathering->columns; i++)
		report_begin(&gathering->report, i);
	for (int i = 0; i < REPORT_COLUMNS && result >= 0; i++) {
		gathering->raised[i] = calloc(gathering->directory.agency_count + 1,
					      sizeof *gathering->raised[i]);
		if (gathering->raised[i] == NULL)
			result = error_memory(&error);
	}
	if (result >= 0)
		result = store_begin(store, &error);
	if (result >= 0) {
		result = count_challenges(gathering, store, &error);
		store_end(store);
	}
	if (result < 0)
		return ctl_fail(ctl, &error, "");
	count_silent(gathering);
	if (gathering->passed_over > 0)
		(void)fprintf(
			ctl->err, "%s: %zu %s cannot be read\n", ctl->program,
			gathering->passed_over,
			text_plural((int64_t)gathering->passed_over,
				    "challenge is not counted: its policy is not loaded, or it",
				    "challenges are not counted: their policy is not loaded, "
				    "or they"));
	return count_service(gathering);
}

/* --- the whole ------------------------------------------------------------------------------
 */

static int take_format(struct ctl *ctl, int *argc, char **argv, enum format *ret)
{
	const char *typed = NULL;

	*ret = ctl->json ? FORMAT_JSON : FORMAT_TABLE;
	if (ctl_option(ctl, argc, argv, "--format", &typed) < 0)
		return EXIT_USAGE;
	if (typed == NULL)
		return EXIT_DONE;
	if (ctl->json)
		return ctl_usage(ctl, "--json and --format exclude each other");
	if (strcmp(typed, "csv") == 0)
		*ret = FORMAT_CSV;
	else if (strcmp(typed, "html") == 0)
		*ret = FORMAT_HTML;
	else if (strcmp(typed, "table") != 0)
		return ctl_usage(ctl, "--format is table, csv or html, not \"%s\"", typed);
	return EXIT_DONE;
}

static int take_least(struct ctl *ctl, int *argc, char **argv, enum format format, int64_t *ret)
{
	const char *typed = NULL;

	*ret = format == FORMAT_HTML ? SUPPRESS_HTML : 0;
	if (ctl_option(ctl, argc, argv, "--suppress-below", &typed) < 0)
		return EXIT_USAGE;
	if (typed == NULL)
		return EXIT_DONE;
	if (strcmp(typed, "0") == 0) {
		*ret = 0;
		return EXIT_DONE;
	}
	return ctl_number(ctl, "--suppress-below", typed, ret) ? EXIT_DONE : EXIT_USAGE;
}

/* "1 October 2026", for a board. */
enum { DAY_WORDS_SIZE = 32 };
static const char *day_words(int32_t day, char out[static DAY_WORDS_SIZE])
{
	static const char *const months[] = { "January",   "February", "March",    "April",
					      "May",       "June",     "July",     "August",
					      "September", "October",  "November", "December" };
	struct date date = day_to_date(day);

	(void)snprintf(out, DAY_WORDS_SIZE, "%d %s %d", (int)date.day, months[date.month - 1],
		       (int)date.year); /* fits */
	return out;
}

static int print(struct gathering *gathering, enum format format, int64_t least)
{
	struct ctl *ctl = gathering->ctl;
	struct report_page page = { .report = &gathering->report,
				    .partnership = ctl->config->partnership.name,
				    .least = least };

	for (int i = 0; i < gathering->columns; i++) {
		char first[DAY_TEXT_SIZE];
		char last[DAY_TEXT_SIZE];
		char first_words[DAY_WORDS_SIZE];
		char last_words[DAY_WORDS_SIZE];

		(void)snprintf(page.period[i], sizeof page.period[i], "%s to %s",
			       day_format(gathering->days[i].first, first),
			       day_format(gathering->days[i].last, last)); /* fits */
		(void)snprintf(page.words[i], sizeof page.words[i], "%s to %s",
			       day_words(gathering->days[i].first, first_words),
			       day_words(gathering->days[i].last, last_words)); /* fits */
	}
	report_suppress(&gathering->report, least);
	report_sort(&gathering->report);
	if (gathering->report.failed)
		return ctl_cannot(ctl, "out of memory");
	switch (format) {
	case FORMAT_TABLE:
		return report_print_table(ctl, &page);
	case FORMAT_CSV:
		return report_print_csv(ctl, &page);
	case FORMAT_JSON:
		return report_print_json(ctl, &page);
	case FORMAT_HTML:
		return report_print_html(ctl, &page);
	}
	return EXIT_COULD_NOT;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(gathering_clear) struct gathering gathering = { .ctl = ctl };
	CLEANUP(store_closep) struct store *store = NULL;
	const struct config *config = ctl_config(ctl);
	enum format format;
	struct instant now;
	int64_t least;
	int status;

	if (config == NULL)
		return EXIT_COULD_NOT;
	if (!ctl_now(ctl, calendar_zone(config->calendars[0].calendar), &now))
		return EXIT_USAGE;
	status = take_format(ctl, &argc, argv, &format);
	if (status == EXIT_DONE)
		status = take_least(ctl, &argc, argv, format, &least);
	if (status == EXIT_DONE)
		status = take_period(&gathering, &argc, argv,
				     calendar_day(config->calendars[0].calendar, now));
	if (status == EXIT_DONE)
		status = ctl_arguments(ctl, argc, argv, 0, 0);
	if (status == EXIT_DONE)
		status = ctl_open_store(ctl, &store);
	if (status != EXIT_DONE)
		return status;
	set_periods(&gathering, now);
	status = gather(&gathering, store);
	return status == EXIT_DONE ? print(&gathering, format, least) : status;
}

const struct command command_report = {
	.name = "report",
	.summary = "count what a board asks of a period",
	.usage =
		"Usage: challengectl report --from DATE --to DATE [--format table|csv|html]\n"
		"       challengectl report --quarter 2026-Q3|last [...] [--suppress-below N]\n"
		"\n"
		"Both dates are included. A quarter has the one before beside it. Counted are\n"
		"challenges by policy, agencies, cause and stage, what was answered within "
		"its\n"
		"timescale, what was resolved at the first stage, outcomes, themes, time in "
		"each\n"
		"stage, agencies that raised none, and notices late by the service's own "
		"fault.\n"
		"No personal data.\n"
		"\n"
		"  --format            html is one page with charts, to be handed on\n"
		"  --suppress-below    leaves out numbers below N; 5 for html, else 0\n"
		"\n"
		"Example:\n"
		"  challengectl report --quarter last --format html > report.html\n",
	.run = run,
};
