/* report_count.c - see report_count.h. */
#include "ctl/report_count.h"

#include "base/list.h"
#include "base/text.h"
#include "core/unicode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { THEME_LENGTH = 60 };

static const struct {
	const char *id;
	const char *title;
	enum report_measure measure;
} sections[REPORT_SECTIONS] = {
	[REPORT_TOTALS] = { "totals", "In all", MEASURE_COUNT },
	[REPORT_POLICIES] = { "policies", "Raised, by policy", MEASURE_COUNT },
	[REPORT_CONCERNS] = { "concerns", "Raised, about children and adults", MEASURE_COUNT },
	[REPORT_CAUSES] = { "causes", "Raised, by cause", MEASURE_COUNT },
	[REPORT_PAIRS] = { "pairs", "Raised, by agencies", MEASURE_COUNT },
	[REPORT_STAGES] = { "stages", "Open at the end, by stage", MEASURE_COUNT },
	[REPORT_TIMESCALES] = { "timescales", "Answered within timescale", MEASURE_SHARE },
	[REPORT_FIRST] = { "first_stage", "Resolved at the first stage", MEASURE_SHARE },
	[REPORT_OUTCOMES] = { "outcomes", "Outcomes", MEASURE_COUNT },
	[REPORT_THEMES] = { "themes", "Themes of learning", MEASURE_COUNT },
	[REPORT_STAGE_TIME] = { "stage_time", "Mean days in each stage", MEASURE_DAYS },
	[REPORT_OLDEST] = { "oldest", "Age of the oldest open challenge, in days",
			    MEASURE_DAYS },
	[REPORT_SILENT] = { "silent", "Agencies that raised none", MEASURE_NONE },
	[REPORT_SERVICE] = { "service", "Notices of this service", MEASURE_COUNT },
};

const char *report_section_id(enum report_section section)
{
	return sections[section].id;
}

const char *report_section_title(enum report_section section)
{
	return sections[section].title;
}

enum report_measure report_section_measure(enum report_section section)
{
	return sections[section].measure;
}

/* --- cells ----------------------------------------------------------------------------------
 */

/* FNV-1a: the labels are our own and the administrator's. */
static size_t label_hash(const char *label)
{
	uint64_t hash = 14695981039346656037u;

	for (; *label != '\0'; label++)
		hash = (hash ^ (unsigned char)*label) * 1099511628211u;
	return (size_t)(hash ^ hash >> 32);
}

/* Where the label's row is noted, or would be; there is always an empty place. */
static uint32_t *place_of(const struct report_rows *rows, const char *label)
{
	size_t at = label_hash(label) & (rows->places - 1);

	while (rows->place[at] != 0 && strcmp(rows->row[rows->place[at] - 1].label, label) != 0)
		at = (at + 1) & (rows->places - 1);
	return &rows->place[at];
}

/* Pairs of agencies may be many: they are found by their hash. */
static bool reserve_place(struct report_rows *rows)
{
	size_t places = rows->places > 0 ? 2 * rows->places : 16;
	uint32_t *place;

	if (2 * (rows->count + 1) <= rows->places)
		return true;
	place = calloc(places, sizeof *place);
	if (place == NULL)
		return false;
	free(rows->place);
	rows->place = place;
	rows->places = places;
	for (size_t i = 0; i < rows->count; i++)
		*place_of(rows, rows->row[i].label) = (uint32_t)i + 1;
	return true;
}

static struct report_cell *cell_of(struct report *report, enum report_section section,
				   int column, const char *label)
{
	struct report_rows *rows = &report->section[section];
	uint32_t *place;
	char *copy;

	if (!reserve_place(rows)) {
		report->failed = true;
		return NULL;
	}
	place = place_of(rows, label);
	if (*place != 0)
		return &rows->row[*place - 1].cell[column];
	copy = strdup(label);
	if (copy == NULL ||
	    list_reserve(&rows->row, rows->count, &rows->capacity, sizeof *rows->row) < 0) {
		free(copy);
		report->failed = true;
		return NULL;
	}
	rows->row[rows->count++] = (struct report_row){ .label = copy };
	*place = (uint32_t)rows->count;
	return &rows->row[rows->count - 1].cell[column];
}

void report_tally(struct report *report, enum report_section section, int column,
		  const char *label, int64_t value, int64_t of)
{
	struct report_cell *cell = cell_of(report, section, column, label);

	if (cell == NULL)
		return;
	cell->value += value;
	cell->of += of;
}

/* Keeps the greatest. */
static void tally_most(struct report *report, enum report_section section, int column,
		       const char *label, int64_t value)
{
	struct report_cell *cell = cell_of(report, section, column, label);

	if (cell != NULL && cell->value < value)
		cell->value = value;
}

enum total { TOTAL_RAISED, TOTAL_RESOLVED, TOTAL_OPEN, TOTAL_OVERDUE, TOTAL_FEEDBACK, TOTALS };

static const char *const totals[TOTALS] = {
	[TOTAL_RAISED] = "Raised",
	[TOTAL_RESOLVED] = "Resolved",
	[TOTAL_OPEN] = "Open at the end",
	[TOTAL_OVERDUE] = "Overdue at the end",
	[TOTAL_FEEDBACK] = "Feedback owed at the end",
};

void report_begin(struct report *report, int column)
{
	for (int i = 0; i < TOTALS; i++)
		report_tally(report, REPORT_TOTALS, column, totals[i], 0, 0);
}

/* --- what happened to one challenge ---------------------------------------------------------
 */

/* A stay in a stage. */
struct visit {
	int stage;
	struct instant entered;
};

/* A limit that was running at some time. */
struct clock_run {
	size_t run;
	int obligation;
	struct instant due;
};

struct history {
	struct visit *visit;
	size_t visit_count;
	size_t visit_capacity;
	struct clock_run *run;
	size_t run_count;
	size_t run_capacity;
	bool failed;
};

static void history_clear(struct history *history)
{
	free(history->visit);
	free(history->run);
}

static void note_visit(struct history *history, int stage, struct instant entered)
{
	const struct visit *last =
		history->visit_count > 0 ? &history->visit[history->visit_count - 1] : NULL;

	if (stage == STAGE_NONE ||
	    (last != NULL && last->stage == stage && instant_equal(last->entered, entered)))
		return;
	if (list_reserve(&history->visit, history->visit_count, &history->visit_capacity,
			 sizeof *history->visit) < 0)
		history->failed = true;
	else
		history->visit[history->visit_count++] = (struct visit){ stage, entered };
}

static void note_run(void *context, const struct owed *owed)
{
	struct history *history = context;

	for (size_t i = 0; i < history->run_count; i++)
		if (history->run[i].run == owed->run) {
			history->run[i].due = owed->due; /* a pause may have moved it */
			return;
		}
	if (list_reserve(&history->run, history->run_count, &history->run_capacity,
			 sizeof *history->run) < 0)
		history->failed = true;
	else
		history->run[history->run_count++] =
			(struct clock_run){ owed->run, owed->obligation, owed->due };
}

/* Everything up to this moment: what entered a stage, and which limits are running. */
static int advance(struct timeline *timeline, struct instant until, struct history *history,
		   struct error *error)
{
	struct timeline_state state;
	struct entry entry;
	int result;

	while ((result = timeline_next(timeline, until, &entry, error)) > 0)
		if (entry.kind == NOTICE_ESCALATION)
			note_visit(history, entry.stage, entry.at);
	if (result < 0)
		return result;
	state = timeline_state(timeline);
	note_visit(history, state.stage, state.stage_entered);
	timeline_owed(timeline, note_run, history);
	return history->failed ? error_memory(error) : 0;
}

/* Stops just before every event, where what it ends is running still, and at the end. */
static int walk(struct timeline *timeline, const struct report_case *one, struct instant last,
		struct history *history, struct error *error)
{
	const struct challenge *challenge = one->challenge;
	int result = 0;

	timeline_begin(timeline, one->policy, challenge);
	for (size_t i = 0; i < challenge->event_count && result == 0; i++) {
		struct instant at = challenge->events[i].at;

		if (instant_before(last, at))
			break;
		result = advance(timeline, instant_add(at, -1), history, error);
		if (result == 0)
			result = advance(timeline, at, history, error);
	}
	return result < 0 ? result : advance(timeline, last, history, error);
}

/* --- counting it ----------------------------------------------------------------------------
 */

struct counting_one {
	struct report *report;
	int column;
	const struct report_case *one;
	struct report_period period;
	const struct history *history;
	const struct timeline *timeline;
	struct timeline_state state;
	struct instant raised;
	const struct event *resolved; /* the last in effect; NULL */
};

static bool is_within(struct report_period period, struct instant at)
{
	return !instant_before(at, period.from) && instant_before(at, period.until);
}

static void count(const struct counting_one *it, enum report_section section, const char *label)
{
	report_tally(it->report, section, it->column, label, 1, 0);
}

/* One of the policy's own words, so that nothing typed by hand comes through. */
static const char *own_word(const char *word, const char *const *known, size_t known_count)
{
	if (word[0] == '\0')
		return "not said";
	for (size_t i = 0; i < known_count; i++)
		if (strcmp(word, known[i]) == 0)
			return known[i];
	return "another";
}

static void count_raised(const struct counting_one *it)
{
	static const char *const concerns[] = { "child", "adult", "both" };
	const struct policy *policy = it->one->policy;
	const struct challenge *challenge = it->one->challenge;
	CLEANUP(text_clear) struct text pair = { 0 };

	if (!is_within(it->period, it->raised))
		return;
	text_appendf(&pair, "%s to %s", it->one->raising, it->one->receiving);
	if (text_failed(&pair))
		it->report->failed = true;
	count(it, REPORT_TOTALS, totals[TOTAL_RAISED]);
	count(it, REPORT_POLICIES, policy->title);
	count(it, REPORT_CONCERNS, own_word(challenge->concerns, concerns, COUNT(concerns)));
	count(it, REPORT_CAUSES,
	      own_word(challenge->category, policy->causes, policy->cause_count));
	count(it, REPORT_PAIRS, text_string(&pair));
}

static void count_resolved(const struct counting_one *it)
{
	const struct policy *policy = it->one->policy;
	bool first = it->history->visit_count == 1 && it->history->visit[0].stage == 0;

	if (it->resolved == NULL || !is_within(it->period, it->resolved->at))
		return;
	count(it, REPORT_TOTALS, totals[TOTAL_RESOLVED]);
	count(it, REPORT_OUTCOMES,
	      own_word(it->resolved->value, policy->outcomes, policy->outcome_count));
	report_tally(it->report, REPORT_FIRST, it->column, policy->title, first ? 1 : 0, 1);
}

static void count_open(const struct counting_one *it)
{
	const struct policy *policy = it->one->policy;
	int64_t age = it->period.until.seconds - it->raised.seconds;

	if (it->state.ended)
		return;
	if (!it->state.open) {
		count(it, REPORT_TOTALS, totals[TOTAL_FEEDBACK]);
		return;
	}
	count(it, REPORT_TOTALS, totals[TOTAL_OPEN]);
	if (it->state.overdue)
		count(it, REPORT_TOTALS, totals[TOTAL_OVERDUE]);
	if (it->state.stage != STAGE_NONE)
		count(it, REPORT_STAGES, policy->stages[it->state.stage].title);
	tally_most(it->report, REPORT_OLDEST, it->column, policy->title, age);
}

/* Nobody answered, and nobody has to any more. */
static bool is_withdrawn_at(const struct counting_one *it, struct instant at)
{
	const struct challenge *challenge = it->one->challenge;

	for (size_t i = 0; i < challenge->event_count; i++)
		if (strcmp(challenge->events[i].kind, "withdrawn") == 0 &&
		    instant_equal(challenge->events[i].at, at))
			return true;
	return false;
}

/* A limit counts in the period in which it was answered or fell due, whichever came first. */
static void count_limits(const struct counting_one *it)
{
	const struct policy *policy = it->one->policy;

	for (size_t i = 0; i < it->history->run_count; i++) {
		const struct clock_run *run = &it->history->run[i];
		const struct obligation *owed = &policy->obligations[run->obligation];
		struct instant end = timeline_run_end(it->timeline, run->run);
		CLEANUP(text_clear) struct text label = { 0 };

		if (!is_within(it->period, instant_min(run->due, end)) ||
		    (!instant_before(run->due, end) && is_withdrawn_at(it, end)))
			continue;
		if (owed->stage == STAGE_NONE)
			text_appendf(&label, "%s (%s)", owed->id, policy->title);
		else if (strcmp(policy->stages[owed->stage].id, owed->id) == 0)
			text_append(&label, policy->stages[owed->stage].title);
		else
			text_appendf(&label, "%s: %s", policy->stages[owed->stage].title,
				     owed->id);
		if (text_failed(&label))
			it->report->failed = true;
		report_tally(it->report, REPORT_TIMESCALES, it->column, text_string(&label),
			     instant_before(run->due, end) ? 0 : 1, 1);
	}
}

static bool is_terminal(const struct event *event)
{
	for (int kind = 0; kind < EVENT_KINDS; kind++)
		if (strcmp(event->kind, event_kinds[kind]) == 0)
			return event_kind_is_terminal(kind);
	return false;
}

/* When the visit ended: by the next one, or by what ended the challenge; NEVER: it has not. */
static struct instant visit_end(const struct counting_one *it, size_t which)
{
	const struct challenge *challenge = it->one->challenge;
	struct instant end = which + 1 < it->history->visit_count
				     ? it->history->visit[which + 1].entered
				     : INSTANT_NEVER;

	for (size_t i = 0; i < challenge->event_count; i++) {
		const struct event *event = &challenge->events[i];

		if (is_terminal(event) &&
		    !instant_before(event->at, it->history->visit[which].entered))
			return instant_min(end, event->at);
	}
	return end;
}

static void count_visits(const struct counting_one *it)
{
	const struct policy *policy = it->one->policy;

	for (size_t i = 0; i < it->history->visit_count; i++) {
		const struct visit *visit = &it->history->visit[i];
		struct instant end = visit_end(it, i);

		if (is_within(it->period, end) && !instant_before(end, visit->entered))
			report_tally(it->report, REPORT_STAGE_TIME, it->column,
				     policy->stages[visit->stage].title,
				     end.seconds - visit->entered.seconds, 1);
	}
}

/* A theme is a code that the agencies agreed on; what looks like a sentence is none. */
static const char *theme(const char *value)
{
	if (value[0] == '\0')
		return "not said";
	return unicode_is_safe_line(value) && unicode_length(value) <= THEME_LENGTH ? value
										    : "another";
}

static void count_events(const struct counting_one *it)
{
	const struct challenge *challenge = it->one->challenge;

	for (size_t i = 0; i < challenge->event_count; i++) {
		const struct event *event = &challenge->events[i];

		if (is_within(it->period, event->at) && strcmp(event->kind, "learned") == 0)
			count(it, REPORT_THEMES, theme(event->value));
	}
}

/* What was so at the last moment of the period: the raising, and the last resolution. */
static void find_events(struct counting_one *it, struct instant last)
{
	const struct challenge *challenge = it->one->challenge;

	for (size_t i = 0; i < challenge->event_count; i++) {
		const struct event *event = &challenge->events[i];

		if (instant_before(last, event->at))
			return;
		if (strcmp(event->kind, "raised") == 0 && instant_is_never(it->raised))
			it->raised = event->at;
		else if (strcmp(event->kind, "resolved") == 0)
			it->resolved = event;
		else if (strcmp(event->kind, "reopened") == 0)
			it->resolved = NULL;
	}
}

int report_add(struct report *report, int column, const struct report_case *one,
	       struct report_period period, struct timeline *timeline, struct error *error)
{
	CLEANUP(history_clear) struct history history = { 0 };
	struct instant last = instant_add(period.until, -1);
	struct counting_one it = { .report = report,
				   .column = column,
				   .one = one,
				   .period = period,
				   .history = &history,
				   .timeline = timeline,
				   .raised = INSTANT_NEVER };
	int result;

	find_events(&it, last);
	if (instant_is_never(it.raised))
		return 0;
	result = walk(timeline, one, last, &history, error);
	if (result < 0)
		return result;
	it.state = timeline_state(timeline);
	count_raised(&it);
	count_resolved(&it);
	count_open(&it);
	count_limits(&it);
	count_visits(&it);
	count_events(&it);
	return report->failed ? error_memory(error) : 0;
}

/* --- the whole ------------------------------------------------------------------------------
 */

static int by_label(const void *left, const void *right)
{
	const struct report_row *a = left;
	const struct report_row *b = right;

	return strcmp(a->label, b->label);
}

/* Behind all that is shown. */
static int64_t rank(const struct report_cell *cell)
{
	return cell->suppressed ? -1 : cell->value;
}

static int by_count(const void *left, const void *right)
{
	const struct report_row *a = left;
	const struct report_row *b = right;
	int64_t first = rank(&a->cell[REPORT_NOW]);
	int64_t second = rank(&b->cell[REPORT_NOW]);

	return first == second ? by_label(left, right) : first < second ? 1 : -1;
}

void report_sort(struct report *report)
{
	for (size_t i = 0; i < REPORT_SECTIONS; i++) {
		struct report_rows *rows = &report->section[i];

		if (i == REPORT_TOTALS || i == REPORT_SERVICE || rows->count == 0)
			continue;
		qsort(rows->row, rows->count, sizeof *rows->row,
		      sections[i].measure == MEASURE_COUNT ||
				      sections[i].measure == MEASURE_NONE
			      ? by_count
			      : by_label);
	}
}

/* How many challenges the cell tells of. */
static int64_t cell_weight(enum report_section section, const struct report_cell *cell)
{
	return sections[section].measure == MEASURE_COUNT ? cell->value : cell->of;
}

static bool is_few(int64_t number, int64_t least)
{
	return number > 0 && number < least;
}

static bool tells_of_few(enum report_section section, const struct report_cell *cell,
			 int64_t least)
{
	if (is_few(cell_weight(section, cell), least))
		return true;
	return sections[section].measure == MEASURE_SHARE &&
	       (is_few(cell->value, least) || is_few(cell->of - cell->value, least));
}

/* Whether its parts add up to a total that may be shown. */
static bool has_total(enum report_section section)
{
	switch (section) {
	case REPORT_POLICIES:
	case REPORT_CONCERNS:
	case REPORT_CAUSES:
	case REPORT_PAIRS:
	case REPORT_STAGES:
	case REPORT_OUTCOMES:
	case REPORT_FIRST:
	case REPORT_THEMES:
		return true;
	case REPORT_TOTALS:
	case REPORT_TIMESCALES:
	case REPORT_STAGE_TIME:
	case REPORT_OLDEST:
	case REPORT_SILENT:
	case REPORT_SERVICE:
	case REPORT_SECTIONS:
		break;
	}
	return false;
}

/* What subtraction from the total gives: so many marked cells come to that sum. */
struct marked {
	int64_t count;
	int64_t sum;
	bool second; /* one of them is marked for the others' sake alone */
};

/* Each is from 1 to least - 1, but for one marked second, which is `least` or more: is there
 * more than one way to make the sum? */
static bool is_ambiguous(const struct marked *marked, int64_t least)
{
	if (marked->second)
		return marked->sum > least + marked->count - 1;
	return marked->count > 1 && marked->sum >= least &&
	       marked->sum < marked->count * (least - 1);
}

static void suppress_second(struct report_rows *rows, enum report_section section, int column,
			    int64_t least)
{
	struct marked marked = { 0 };

	for (size_t i = 0; i < rows->count; i++) {
		const struct report_cell *cell = &rows->row[i].cell[column];

		if (!cell->suppressed)
			continue;
		marked.count++;
		marked.sum += cell_weight(section, cell);
	}
	while (marked.count > 0 && !is_ambiguous(&marked, least)) {
		struct report_cell *smallest = NULL;

		for (size_t i = 0; i < rows->count; i++) {
			struct report_cell *cell = &rows->row[i].cell[column];
			int64_t weight = cell_weight(section, cell);

			if (!cell->suppressed && weight > 0 &&
			    (smallest == NULL || weight < cell_weight(section, smallest)))
				smallest = cell;
		}
		if (smallest == NULL)
			return;
		smallest->suppressed = true;
		marked.count++;
		marked.sum += cell_weight(section, smallest);
		marked.second = true;
	}
}

static void suppress_section(struct report_rows *rows, enum report_section section, int column,
			     int64_t least)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct report_cell *cell = &rows->row[i].cell[column];

		cell->suppressed = tells_of_few(section, cell, least);
	}
	if (has_total(section))
		suppress_second(rows, section, column, least);
}

void report_suppress(struct report *report, int64_t least)
{
	for (int i = 0; i < REPORT_SECTIONS; i++)
		for (int column = 0; column < REPORT_COLUMNS; column++)
			if (i != REPORT_SERVICE && i != REPORT_SILENT && least > 1)
				suppress_section(&report->section[i], (enum report_section)i,
						 column, least);
}

void report_clear(struct report *report)
{
	for (size_t i = 0; i < REPORT_SECTIONS; i++) {
		for (size_t j = 0; j < report->section[i].count; j++)
			free(report->section[i].row[j].label);
		free(report->section[i].row);
		free(report->section[i].place);
	}
	*report = (struct report){ 0 };
}
