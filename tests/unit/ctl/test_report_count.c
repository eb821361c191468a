/*
 * test_report_count.c - the numbers of a report, by rows of histories counted by hand.
 *
 * The policy: stage 1 has 3 working days and then escalates to stage 2, which has 5; 20 working
 * days from the raising to the resolution, 2 from there until it is closed. The period is
 * November 2026, the one before it October; nobody works at weekends, Monday to Friday 9 to 17.
 */
#include "base/text.h"
#include "ctl/report_count.h"

#include "../core/england.h"

enum { EVENTS_MOST = 8, CASES_MOST = 6 };

static struct timescale days(int32_t amount)
{
	return (struct timescale){ TIMESCALE_WORKING_DAYS, amount };
}

static struct obligation obligation(const char *id, int stage, int32_t limit)
{
	return (struct obligation){ .id = id,
				    .stage = stage,
				    .starts = KIND_STAGE_ENTRY,
				    .limit = { days(limit) },
				    .firm = true,
				    .escalate_to = STAGE_NONE,
				    .every_text = "" };
}

static void make_policy(struct policy *policy, const struct calendar *calendar)
{
	static const char *const causes[] = { "referral", "service" };
	static const char *const outcomes[] = { "changed", "stands" };

	*policy = (struct policy){
		.id = "test",
		.version = "1",
		.title = "Test",
		.causes = causes,
		.cause_count = 2,
		.outcomes = outcomes,
		.outcome_count = 2,
		.calendar = calendar,
		.urgencies = { "standard" },
		.urgency_count = 1,
		.quiet_after = days(200),
		.roles = { { "receiving.manager", SIDE_RECEIVING, "manager" } },
		.role_count = 1,
		.kind_count = EVENT_KINDS,
		.stages = { { .id = "one",
			      .title = "Stage 1",
			      .owner = { { 0 }, 1 },
			      .first_obligation = 0,
			      .obligation_count = 1 },
			    { .id = "two",
			      .title = "Stage 2",
			      .owner = { { 0 }, 1 },
			      .first_obligation = 1,
			      .obligation_count = 1 } },
		.stage_count = 2,
		.obligation_count = 4,
	};
	for (size_t i = 0; i < EVENT_KINDS; i++)
		policy->kinds[i] = event_kinds[i];
	/* As in every zeroed policy: from the next day, to the close of the last. */
	policy->obligations[0] = obligation("one", 0, 3);
	policy->obligations[0].escalate_to = 1;
	policy->obligations[1] = obligation("two", 1, 5);
	policy->obligations[2] = obligation("cap", STAGE_NONE, 20);
	policy->obligations[2].starts = EVENT_RAISED;
	policy->obligations[2].ends[0] = EVENT_RESOLVED;
	policy->obligations[2].end_count = 1;
	policy->obligations[3] = obligation("feedback", STAGE_NONE, 2);
	policy->obligations[3].starts = EVENT_RESOLVED;
	policy->obligations[3].ends[0] = EVENT_CLOSED;
	policy->obligations[3].end_count = 1;
}

/* "KIND[:VALUE]@TIME" each; for `stage` the value is the stage. */
struct history_row {
	const char *category;
	const char *event[EVENTS_MOST];
};

static const struct row {
	const char *name;
	struct history_row history[CASES_MOST];
	const char *expect; /* "section/label=value of other; ..." in order, of November */
} rows[] = {
	{ "nothing at all", { { NULL } }, "" },
	{ "one that was answered at the first stage, in time, and closed",
	  { { "service",
	      { "raised@2026-11-02 10:00", "resolved:changed@2026-11-04 12:00",
		"closed@2026-11-05 12:00" } } },
	  "totals/Raised=1 of 0; totals/Resolved=1 of 0; policies/Test=1 of 0;"
	  " concerns/child=1 of 0; causes/service=1 of 0; pairs/A to B=1 of 0;"
	  " timescales/Stage 1=1 of 1; timescales/cap (Test)=1 of 1;"
	  " timescales/feedback (Test)=1 of 1; first_stage/Test=1 of 1;"
	  " outcomes/changed=1 of 0; stage_time/Stage 1=180000 of 1; " },
	{ "one that nobody answered at all",
	  { { "referral", { "raised@2026-11-02 10:00" } } },
	  "totals/Raised=1 of 0; totals/Open at the end=1 of 0;"
	  " totals/Overdue at the end=1 of 0; policies/Test=1 of 0; concerns/child=1 of 0;"
	  " causes/referral=1 of 0; pairs/A to B=1 of 0; stages/Stage 2=1 of 0;"
	  " timescales/Stage 1=0 of 1; timescales/Stage 2=0 of 1;"
	  " timescales/cap (Test)=0 of 1; stage_time/Stage 1=284400 of 1;"
	  " oldest/Test=2469600 of 0; " },
	{ "one of October, resolved in November at the second stage, feedback owed",
	  { { "", { "raised@2026-10-30 10:00", "resolved:stands@2026-11-10 12:00" } } },
	  "totals/Resolved=1 of 0; totals/Feedback owed at the end=1 of 0;"
	  " timescales/Stage 1=0 of 1; timescales/Stage 2=1 of 1;"
	  " timescales/cap (Test)=1 of 1; timescales/feedback (Test)=0 of 1;"
	  " first_stage/Test=0 of 1; outcomes/stands=1 of 0;"
	  " stage_time/Stage 1=457200 of 1; stage_time/Stage 2=500400 of 1; " },
	{ "what happens in December is not known yet",
	  { { "", { "raised@2026-11-30 10:00", "resolved:stands@2026-12-01 00:00" } } },
	  "totals/Raised=1 of 0; totals/Open at the end=1 of 0; policies/Test=1 of 0;"
	  " concerns/child=1 of 0; causes/not said=1 of 0; pairs/A to B=1 of 0;"
	  " stages/Stage 1=1 of 0; oldest/Test=50400 of 0; " },
	{ "one raised in December is not there",
	  { { "", { "raised@2026-12-01 00:00" } } },
	  "" },
	{ "one that ended in October is not there either",
	  { { "",
	      { "raised@2026-10-05 10:00", "resolved:stands@2026-10-06 10:00",
		"closed@2026-10-07 10:00" } } },
	  "" },
	{ "a stage that was stepped back to is stayed in twice",
	  { { "",
	      { "raised@2026-11-02 10:00", "stage:two@2026-11-03 10:00",
		"stage:one@2026-11-04 10:00", "withdrawn@2026-11-04 12:00" } } },
	  "totals/Raised=1 of 0; policies/Test=1 of 0; concerns/child=1 of 0;"
	  " causes/not said=1 of 0; pairs/A to B=1 of 0; timescales/Stage 1=1 of 1;"
	  " timescales/Stage 2=1 of 1;"
	  " stage_time/Stage 1=93600 of 2; stage_time/Stage 2=86400 of 1; " },
	{ "what was withdrawn in time was not answered in time, and what was late stays late",
	  { { "", { "raised@2026-11-02 10:00", "withdrawn@2026-11-03 12:00" } },
	    { "", { "raised@2026-11-02 10:00", "withdrawn@2026-11-09 12:00" } } },
	  "totals/Raised=2 of 0; policies/Test=2 of 0; concerns/child=2 of 0;"
	  " causes/not said=2 of 0; pairs/A to B=2 of 0; timescales/Stage 1=0 of 1;"
	  " stage_time/Stage 1=378000 of 2; stage_time/Stage 2=327600 of 1; " },
	{ "words that are not the policy's are not repeated",
	  { { "about Jo Bloggs",
	      { "raised@2026-11-30 10:00",
		"learned:a long sentence that somebody typed "
		"about Jo Bloggs and everybody@2026-11-30 11:00",
		"learned:drift@2026-11-30 11:00" } } },
	  "totals/Raised=1 of 0; totals/Open at the end=1 of 0; policies/Test=1 of 0;"
	  " concerns/child=1 of 0; causes/another=1 of 0; pairs/A to B=1 of 0;"
	  " stages/Stage 1=1 of 0; themes/another=1 of 0; themes/drift=1 of 0;"
	  " oldest/Test=50400 of 0; " },
	{ "two together: counts add up, the oldest is the older one",
	  { { "", { "raised@2026-11-30 10:00" } }, { "", { "raised@2026-11-30 09:00" } } },
	  "totals/Raised=2 of 0; totals/Open at the end=2 of 0; policies/Test=2 of 0;"
	  " concerns/child=2 of 0; causes/not said=2 of 0; pairs/A to B=2 of 0;"
	  " stages/Stage 1=2 of 0; oldest/Test=54000 of 0; " },
	{ "one that was reopened is open, and was not resolved",
	  { { "",
	      { "raised@2026-11-27 10:00", "resolved:stands@2026-11-27 12:00",
		"reopened@2026-11-30 10:00" } } },
	  "totals/Raised=1 of 0; totals/Open at the end=1 of 0; policies/Test=1 of 0;"
	  " concerns/child=1 of 0; causes/not said=1 of 0; pairs/A to B=1 of 0;"
	  " stages/Stage 1=1 of 0; timescales/Stage 1=1 of 1; timescales/cap (Test)=1 of 1;"
	  " stage_time/Stage 1=7200 of 1; oldest/Test=309600 of 0; " },
};

struct world {
	struct england england;
	struct policy policy;
	struct timeline *timeline;
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	england_plan(&world->england);
	england_create(&world->england);
	make_policy(&world->policy, world->england.calendar);
	world->timeline = timeline_create();
	assert_non_null(world->timeline);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	timeline_destroy(world->timeline);
	calendar_destroy(world->england.calendar);
	free(world);
	return 0;
}

/* Fills the event and the room for its words. */
static void parse_event(const struct world *world, const char *text, int64_t id, char *room,
			struct event *ret)
{
	char *at;
	char *value;

	strcpy(room, text);
	at = strrchr(room, '@');
	assert_non_null(at);
	*at = '\0';
	value = strchr(room, ':');
	if (value != NULL)
		*value++ = '\0';
	*ret = (struct event){ .id = id,
			       .kind = room,
			       .stage = strcmp(room, "stage") == 0 ? value : "",
			       .at = time_of(world->england.calendar, at + 1),
			       .due = INSTANT_NEVER,
			       .value = value != NULL ? value : "" };
}

static struct report_period month(const struct world *world, const char *from,
				  const char *until)
{
	return (struct report_period){ time_of(world->england.calendar, from),
				       time_of(world->england.calendar, until) };
}

static void add(struct world *world, struct report *report, const struct history_row *row)
{
	char room[EVENTS_MOST][200];
	struct event events[EVENTS_MOST];
	struct challenge challenge = { .id = 1,
				       .reference = "R",
				       .policy = "test",
				       .policy_version = "1",
				       .urgency = "",
				       .concerns = "child",
				       .category = row->category,
				       .raising_agency = "a",
				       .receiving_agency = "b",
				       .protect_by = INSTANT_NEVER,
				       .events = events };
	const struct report_case one = { &world->policy, &challenge, "A", "B" };
	struct error error = { 0 };

	while (challenge.event_count < EVENTS_MOST &&
	       row->event[challenge.event_count] != NULL) {
		size_t i = challenge.event_count++;

		parse_event(world, row->event[i], (int64_t)i + 1, room[i], &events[i]);
	}
	challenge_settle(&challenge);
	assert_int_equal(report_add(report, REPORT_NOW, &one,
				    month(world, "2026-11-01", "2026-12-01"), world->timeline,
				    &error),
			 0);
	assert_int_equal(report_add(report, REPORT_BEFORE, &one,
				    month(world, "2026-10-01", "2026-11-01"), world->timeline,
				    &error),
			 0);
}

static void say(const struct report *report, int column, struct text *ret)
{
	for (int i = 0; i < REPORT_SECTIONS; i++)
		for (size_t j = 0; j < report->section[i].count; j++) {
			const struct report_row *row = &report->section[i].row[j];
			const struct report_cell *cell = &row->cell[column];

			if (cell->value != 0 || cell->of != 0)
				text_appendf(ret, "%s/%s=%lld of %lld; ",
					     report_section_id((enum report_section)i),
					     row->label, (long long)cell->value,
					     (long long)cell->of);
		}
}

static void test_row(const struct row *row)
{
	struct report report = { 0 };
	struct text said = { 0 };
	void *state = NULL;
	struct world *world;

	assert_int_equal(setup(&state), 0);
	world = state;
	for (size_t i = 0; i < CASES_MOST && row->history[i].category != NULL; i++)
		add(world, &report, &row->history[i]);
	report_sort(&report);
	say(&report, REPORT_NOW, &said);
	assert_string_equal(text_string(&said), row->expect);
	text_clear(&said);
	report_clear(&report);
	assert_int_equal(teardown(&state), 0);
}

static void test_history(void **state)
{
	test_row(*state);
}

/* The month before is counted from the same facts, as they were then. */
static void test_before(void **state)
{
	struct world *world = *state;
	struct report report = { 0 };
	struct text said = { 0 };

	add(world, &report,
	    &(struct history_row){
		    "", { "raised@2026-10-30 10:00", "resolved:stands@2026-11-10 12:00" } });
	report_sort(&report);
	say(&report, REPORT_BEFORE, &said);
	assert_string_equal(
		text_string(&said),
		"totals/Raised=1 of 0; totals/Open at the end=1 of 0; policies/Test=1 of 0; "
		"concerns/child=1 of 0; causes/not said=1 of 0; pairs/A to B=1 of 0; "
		"stages/Stage 1=1 of 0; oldest/Test=136800 of 0; ");
	text_clear(&said);
	report_clear(&report);
}

/* What is marked, as a string of x and . in order of the rows. */
static const struct suppression {
	const char *name;
	enum report_section section;
	int64_t value[4]; /* -1: no such row */
	int64_t of;
	int64_t least;
	const char *expect;
} suppressions[] = {
	{ "nothing is marked where none is asked for",
	  REPORT_CAUSES,
	  { 1, 2, 3, 4 },
	  0,
	  0,
	  "...." },
	{ "small numbers are marked", REPORT_CAUSES, { 9, 4, 3, 5 }, 0, 5, ".xx." },
	{ "none is no small number", REPORT_CAUSES, { 9, 0, 3, 4 }, 0, 5, "..xx" },
	{ "two that can only be one each take another with them",
	  REPORT_CAUSES,
	  { 9, 1, 1, 7 },
	  0,
	  5,
	  ".xxx" },
	{ "so do two that can only be as many as may be marked",
	  REPORT_CAUSES,
	  { 9, 4, 4, 7 },
	  0,
	  5,
	  ".xxx" },
	{ "where one more leaves one way to make the sum, two more are taken",
	  REPORT_CAUSES,
	  { 5, 1, 0, 8 },
	  0,
	  5,
	  "xx.x" },
	{ "a single one takes the next smallest with it",
	  REPORT_CAUSES,
	  { 9, 7, 20, 1 },
	  0,
	  5,
	  ".x.x" },
	{ "but for the totals, which are no parts",
	  REPORT_TOTALS,
	  { 9, 7, 20, 1 },
	  0,
	  5,
	  "...x" },
	{ "a lone row has no other to hide behind", REPORT_CAUSES, { 1, -1 }, 0, 5, "x" },
	{ "a share of few is marked, whatever it is",
	  REPORT_TIMESCALES,
	  { 0, 3, -1 },
	  3,
	  5,
	  "xx" },
	{ "a share of many is shown, if as many or none of them are and are not",
	  REPORT_TIMESCALES,
	  { 0, 5, 10, -1 },
	  10,
	  5,
	  "..." },
	{ "a share that few of many have, or lack, is marked",
	  REPORT_TIMESCALES,
	  { 1, 9, 5, -1 },
	  10,
	  5,
	  "xx." },
	{ "the first stage's shares are of parts of those resolved",
	  REPORT_FIRST,
	  { 1, 5, -1 },
	  10,
	  5,
	  "xx" },
	{ "the service itself is nobody", REPORT_SERVICE, { 1, 2, -1 }, 0, 5, ".." },
};

static void test_suppression(void **state)
{
	const struct suppression *row = *state;
	struct report report = { 0 };
	char said[5] = "";

	for (size_t i = 0; i < 4 && row->value[i] >= 0; i++)
		report_tally(&report, row->section, REPORT_NOW,
			     (const char *[]){ "a", "b", "c", "d" }[i], row->value[i], row->of);
	report_suppress(&report, row->least);
	for (size_t i = 0; i < report.section[row->section].count; i++)
		said[i] = report.section[row->section].row[i].cell[REPORT_NOW].suppressed ? 'x'
											  : '.';
	assert_string_equal(said, row->expect);
	report_clear(&report);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(rows) + COUNT(suppressions) + 1];
	size_t count = 0;

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[count++] = (struct CMUnitTest){ rows[i].name, test_history, NULL, NULL,
						      (void *)(uintptr_t)&rows[i] };
	for (size_t i = 0; i < COUNT(suppressions); i++)
		tests[count++] =
			(struct CMUnitTest){ suppressions[i].name, test_suppression, NULL, NULL,
					     (void *)(uintptr_t)&suppressions[i] };
	tests[count++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(test_before, setup,
									    teardown);
	return _cmocka_run_group_tests("report_count", tests, count, NULL, NULL);
}
