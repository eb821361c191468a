/*
 * explain.c - `challengectl explain REF`: how each deadline of a challenge came about, day by
 * day, what was sent, what comes next and what would stop it.
 */
#include "adapter/ledger.h"
#include "base/list.h"
#include "ctl/commands.h"
#include "ctl/entry.h"
#include "ctl/lookup.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NEXT_MOST = 5,   /* how many coming notices are shown */
	DAYS_MOST = 400, /* a longer count is cut, and says so */
};

struct owed_list {
	struct owed *item;
	size_t count;
	size_t capacity;
	bool failed;
};

struct explanation {
	struct ctl *ctl;
	const struct policy *policy;
	const struct challenge *challenge;
	struct timeline *timeline;
	struct timeline_state state;
	struct instant now;
	struct owed_list owed;
	struct entry next[NEXT_MOST];
	size_t next_count;
	struct ledger_notice *sent;
	size_t sent_count;
	enum { LEDGER_NONE_YET, LEDGER_NOT_OURS, LEDGER_IS_READ } ledger;
};

static void explanation_clear(struct explanation *explanation)
{
	timeline_destroy(explanation->timeline);
	free(explanation->owed.item);
	ledger_notices_free(explanation->sent, explanation->sent_count);
}

static void collect_owed(void *context, const struct owed *owed)
{
	struct owed_list *list = context;

	if (list_reserve(&list->item, list->count, &list->capacity, sizeof *list->item) < 0)
		list->failed = true;
	else
		list->item[list->count++] = *owed;
}

/* --- the count of one obligation ---------------------------------------------------------- */

static bool counts_days(struct timescale limit)
{
	return limit.unit == TIMESCALE_WORKING_DAYS || limit.unit == TIMESCALE_WORKING_WEEKS ||
	       limit.unit == TIMESCALE_WORKING_HOURS;
}

static struct timescale limit_of(const struct explanation *explanation,
				 const struct obligation *obligation)
{
	int urgency = policy_urgency(explanation->policy, explanation->challenge->urgency);

	return obligation->limit[urgency < 0 ? 0 : urgency];
}

static bool counts_hours(const struct explanation *explanation, const struct owed *owed)
{
	const struct obligation *obligation =
		&explanation->policy->obligations[owed->obligation];

	return limit_of(explanation, obligation).unit == TIMESCALE_WORKING_HOURS;
}

static bool pause_holds(const struct explanation *explanation, struct instant at)
{
	size_t count;
	const struct pause *pauses = timeline_pauses(explanation->timeline, &count);

	for (size_t i = 0; i < count; i++)
		if (!instant_before(at, pauses[i].from) && instant_before(at, pauses[i].to))
			return true;
	return false;
}

/* What one civil day did to the count: "counted" with its number, or why it was not. */
struct day_count {
	int32_t day;
	int32_t number;  /* the nth day counted; 0: not counted */
	int64_t seconds; /* of opening hours that counted, where these are what counts */
	const char *reason;
	const char *name; /* of the holiday or closure; NULL */
};

/* Why nobody works on that day; NULL: they do. */
static const char *closed_reason(const struct calendar *calendar, int32_t day,
				 const char **ret_name)
{
	switch (calendar_day_kind(calendar, day, ret_name)) {
	case DAY_NO_HOURS:
		return "closed";
	case DAY_HOLIDAY:
		return "bank holiday";
	case DAY_CLOSURE:
		return "closure";
	case DAY_WORKING:
		break;
	}
	return NULL;
}

static struct day_count judge_day(const struct explanation *explanation,
				  const struct owed *owed, int32_t day, int32_t counted)
{
	const struct policy *policy = explanation->policy;
	const struct calendar *calendar = policy->calendar;
	bool late = timescale_is_late(calendar, owed->started);
	bool moved = late && !owed->derived &&
		     policy->counting.late_arrival == LATE_NEXT_WORKING_DAY;
	int32_t start = calendar_day(calendar, owed->started);
	struct day_count judged = { .day = day };
	int32_t zero = start;

	/* The zero day of a late start that counts from the next opening; past the table, its
	 * own. */
	if (moved && calendar_step_days(calendar, start, 1, &zero) < 0)
		zero = start;
	judged.reason = closed_reason(calendar, day, &judged.name);
	if (judged.reason != NULL)
		return judged;
	if (pause_holds(explanation, calendar_closes(calendar, day)))
		judged.reason = "paused";
	else if (day < zero)
		judged.reason = "started after closing: counts from the next opening";
	else if (day == zero && late && !moved)
		judged.reason = "day of a start after closing: not counted";
	else if (day == zero && policy->counting.first_day == FIRST_DAY_NEXT)
		judged.reason = "day of the start: not counted";
	else
		judged.number = counted + 1;
	return judged;
}

/* What the day's opening hours, less pauses, added to the count of a limit in working hours. */
static struct day_count judge_hours(const struct explanation *explanation,
				    const struct owed *owed, int32_t day)
{
	const struct calendar *calendar = explanation->policy->calendar;
	const struct zone *zone = calendar_zone(calendar);
	struct instant from = instant_max(owed->started, zone_instant(zone, day, 0));
	struct instant to = instant_min(owed->due, zone_instant(zone, day + 1, 0));
	struct day_count judged = { .day = day };
	size_t count;
	const struct pause *pauses = timeline_pauses(explanation->timeline, &count);
	int64_t paused = 0;

	judged.reason = closed_reason(calendar, day, &judged.name);
	if (judged.reason != NULL)
		return judged;
	for (size_t i = 0; i < count; i++)
		paused += calendar_open_between(calendar, instant_max(from, pauses[i].from),
						instant_min(to, pauses[i].to));
	judged.seconds = calendar_open_between(calendar, from, to) - paused;
	if (paused > 0)
		judged.reason = judged.seconds > 0 ? "paused for a part of it" : "paused";
	else if (judged.seconds <= 0)
		judged.reason = "outside opening hours";
	return judged;
}

/* Calls for each civil day from the start to the due day. Only limits counted in working days
 * or working hours. */
static void each_day(const struct explanation *explanation, const struct owed *owed,
		     void (*each)(void *context, const struct day_count *day), void *context)
{
	const struct calendar *calendar = explanation->policy->calendar;
	int32_t first = calendar_day(calendar, owed->started);
	int32_t last = calendar_day(calendar, owed->due);
	int32_t counted = 0;

	if (last - first > DAYS_MOST)
		last = first + DAYS_MOST;
	for (int32_t day = first; day <= last; day++) {
		struct day_count judged = counts_hours(explanation, owed)
						  ? judge_hours(explanation, owed, day)
						  : judge_day(explanation, owed, day, counted);

		if (judged.number > 0)
			counted = judged.number;
		each(context, &judged);
	}
}

/* How limits that are not counted in days are reckoned, in a sentence. */
static const char *rule_of(struct timescale limit)
{
	switch (limit.unit) {
	case TIMESCALE_HOURS:
		return "every hour counts, nights, weekends and holidays too";
	case TIMESCALE_DAYS:
	case TIMESCALE_WEEKS:
		return "every day counts, weekends and holidays too, to the same time of day";
	case TIMESCALE_SAME_WORKING_DAY:
		return "closing of the day of the start, or of the next working day after "
		       "hours";
	case TIMESCALE_END_OF_NEXT_WORKING_DAY:
		return "closing of the first working day after the start";
	case TIMESCALE_AS_AGREED:
		return "the date that was agreed";
	case TIMESCALE_NONE:
	case TIMESCALE_MONTHS:
	case TIMESCALE_WORKING_HOURS:
	case TIMESCALE_WORKING_DAYS:
	case TIMESCALE_WORKING_WEEKS:
		break;
	}
	return "no limit";
}

/* Whether protect_by, rather than the limit, gave the due instant. */
static bool is_capped(const struct explanation *explanation, const struct owed *owed)
{
	return !instant_is_never(owed->due) &&
	       instant_equal(owed->due, explanation->challenge->protect_by) &&
	       instant_before(owed->started, owed->due);
}

/* "a, b or c": what would stop the clock of an obligation. */
static void stops_text(const struct explanation *explanation, const struct owed *owed,
		       struct text *ret)
{
	const struct policy *policy = explanation->policy;
	const struct obligation *obligation = &policy->obligations[owed->obligation];
	/* What starts from the end of a challenge, like feedback, ends by its own `ends` alone.
	 */
	bool outlives = event_kind_is_terminal(obligation->starts);
	const char *separator = "";

	for (size_t i = 0; i < obligation->end_count; i++) {
		if (!outlives && event_kind_is_terminal(obligation->ends[i]))
			continue;
		text_appendf(ret, "%s%s", separator, policy->kinds[obligation->ends[i]]);
		separator = outlives && i + 2 == obligation->end_count ? " or " : ", ";
	}
	if (outlives)
		return;
	if (obligation->stage != STAGE_NONE && !owed->lapsed) {
		text_appendf(ret, "%sa move to another stage", separator);
		separator = ", ";
	}
	text_appendf(ret, "%sresolved, withdrawn or closed", separator);
}

/* --- words -------------------------------------------------------------------------------- */

static void print_day(void *context, const struct day_count *day)
{
	FILE *out = context;
	static const char *const weekdays[] = {
		"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"
	};
	char date[DAY_TEXT_SIZE];

	(void)fprintf(out, "      %s %s  ", weekdays[day_weekday(day->day)],
		      day_format(day->day, date));
	if (day->number > 0)
		(void)fprintf(out, "%3d\n", (int)day->number);
	else if (day->seconds > 0)
		(void)fprintf(out, "%2d h %02d min%s%s\n", (int)(day->seconds / 3600),
			      (int)(day->seconds / 60 % 60), day->reason != NULL ? ", " : "",
			      day->reason != NULL ? day->reason : "");
	else if (day->name != NULL)
		(void)fprintf(out, "  -  %s: %s\n", day->reason, day->name);
	else
		(void)fprintf(out, "  -  %s\n", day->reason);
}

/* Where no days are shown, what of the time between did not count. */
static void print_pauses(const struct explanation *explanation, const struct owed *owed)
{
	const struct calendar *calendar = explanation->policy->calendar;
	size_t count;
	const struct pause *pauses = timeline_pauses(explanation->timeline, &count);

	for (size_t i = 0; i < count; i++) {
		char from[MOMENT_TEXT_SIZE];
		char to[MOMENT_TEXT_SIZE];

		if (instant_before(owed->started, pauses[i].to) &&
		    instant_before(pauses[i].from, owed->due))
			(void)fprintf(explanation->ctl->out,
				      "            paused from %s to %s: that does not count\n",
				      moment_text(calendar, pauses[i].from, from),
				      moment_text(calendar, pauses[i].to, to));
	}
}

static void print_owed(const struct explanation *explanation, const struct owed *owed)
{
	const struct policy *policy = explanation->policy;
	const struct obligation *obligation = &policy->obligations[owed->obligation];
	struct timescale limit = limit_of(explanation, obligation);
	FILE *out = explanation->ctl->out;
	CLEANUP(text_clear) struct text owner = { 0 };
	CLEANUP(text_clear) struct text stops = { 0 };
	char text[TIMESCALE_TEXT_SIZE];
	char at[MOMENT_TEXT_SIZE];

	roles_text(policy, &owed->owner, &owner);
	stops_text(explanation, owed, &stops);
	(void)fprintf(out, "\n  %s, owed by %s%s\n", obligation->id, text_string(&owner),
		      obligation->firm ? "" : " (a guide, not a firm limit)");
	(void)fprintf(out, "    rule    %s:%d: %s\n", policy->file,
		      obligation->limit_line > 0 ? obligation->limit_line : obligation->line,
		      timescale_format(limit, text));
	(void)fprintf(out, "    started %s%s\n",
		      moment_text(policy->calendar, owed->started, at),
		      owed->derived ? " by escalation, without anybody recording it" : "");
	if (instant_is_never(owed->due)) {
		(void)fprintf(out, "    due     no date: %s\n", rule_of(limit));
	} else {
		if (counts_days(limit) && !is_capped(explanation, owed))
			each_day(explanation, owed, print_day, out);
		else
			(void)fprintf(out, "    count   %s\n",
				      is_capped(explanation, owed)
					      ? "the date to protect by comes first"
					      : rule_of(limit));
		if (!counts_days(limit) && !is_capped(explanation, owed) &&
		    limit.unit != TIMESCALE_AS_AGREED)
			print_pauses(explanation, owed);
		(void)fprintf(out, "    due     %s%s%s\n",
			      moment_text(policy->calendar, owed->due, at),
			      owed->breached ? " - this has passed without an answer" : "",
			      calendar_is_provisional(policy->calendar, owed->due)
				      ? " (provisional: past the published holidays)"
				      : "");
	}
	(void)fprintf(out, "    stops   when one of these is recorded: %s\n",
		      text_string(&stops));
}

static void print_heading(const struct explanation *explanation)
{
	const struct policy *policy = explanation->policy;
	const struct timeline_state *state = &explanation->state;
	FILE *out = explanation->ctl->out;
	char at[MOMENT_TEXT_SIZE];

	(void)fprintf(out, "%s under %s version %s\n", explanation->challenge->reference,
		      policy->id, policy->version);
	if (state->stage == STAGE_NONE) {
		(void)fprintf(out, "  no stage: nothing has been raised yet\n");
		return;
	}
	(void)fprintf(out, "  stage   %s (%s), since %s%s\n", policy->stages[state->stage].id,
		      policy->stages[state->stage].title,
		      moment_text(policy->calendar, state->stage_entered, at),
		      state->derived ? ", entered because no reply came in time" : "");
	if (!state->open)
		(void)fprintf(out, "  ended   %s\n",
			      explanation->owed.count > 0 ? "resolved, and this is owed still:"
							  : "nothing is owed any more");
	if (state->paused)
		(void)fprintf(out, "  paused until %s\n",
			      moment_text(policy->calendar, state->paused_until, at));
}

static void print_problems(const struct explanation *explanation)
{
	static const struct {
		unsigned problem;
		const char *words;
	} problems[] = {
		{ PROBLEM_URGENCY,
		  "its urgency is unknown to the policy: the shortest limits count" },
		{ PROBLEM_PAUSE_NO_END, "a pause has no end: the clock runs" },
		{ PROBLEM_STAGE, "a stage was recorded that the policy does not have" },
		{ PROBLEM_KIND, "an event was recorded that the policy does not know" },
		{ PROBLEM_NO_AGREED_DATE, "a date was to be agreed and none was recorded" },
		{ PROBLEM_RANGE, "a time lies outside the years that can be counted" },
	};

	for (size_t i = 0; i < COUNT(problems); i++)
		if ((explanation->state.problems & problems[i].problem) != 0)
			(void)fprintf(explanation->ctl->out, "  wrong   %s\n",
				      problems[i].words);
}

static void print_sent(const struct explanation *explanation)
{
	const struct policy *policy = explanation->policy;
	FILE *out = explanation->ctl->out;
	char at[MOMENT_TEXT_SIZE];

	(void)fprintf(out, "\nDecided so far%s\n",
		      explanation->ledger == LEDGER_NONE_YET ? ": the daemon has no ledger yet"
		      : explanation->ledger == LEDGER_NOT_OURS
			      ? ": only root and the daemon's user may see that"
		      : explanation->sent_count == 0 ? ": nothing"
						     : "");
	for (size_t i = 0; i < explanation->sent_count; i++) {
		const struct ledger_notice *notice = &explanation->sent[i];

		CLEANUP(text_clear) struct text about = { 0 };

		about_text(notice->stage, notice->obligation, &about);
		(void)fprintf(out, "  %s  %-10s  %-20s  to %-26s  %s%s%s\n",
			      moment_text(policy->calendar, notice->at, at),
			      notice_kind_name(notice->kind), text_string(&about), notice->role,
			      delivery_state_name(notice->state),
			      notice->reason[0] != '\0' ? ": " : "", notice->reason);
	}
}

static void print_next(const struct explanation *explanation)
{
	const struct policy *policy = explanation->policy;
	FILE *out = explanation->ctl->out;
	char at[MOMENT_TEXT_SIZE];

	(void)fprintf(out, "\nComes next, unless something is recorded%s\n",
		      explanation->next_count == 0 ? ": nothing" : "");
	for (size_t i = 0; i < explanation->next_count; i++) {
		const struct entry *entry = &explanation->next[i];
		CLEANUP(text_clear) struct text to = { 0 };
		CLEANUP(text_clear) struct text about = { 0 };

		roles_text(policy, &entry->to, &to);
		subject_text(policy, entry, &about);
		(void)fprintf(out, "  %s  %-10s  %-20s  to %s\n",
			      moment_text(policy->calendar, entry->send_at, at),
			      notice_kind_name(entry->kind), text_string(&about),
			      text_string(&to));
	}
}

static int print_words(const struct explanation *explanation)
{
	print_heading(explanation);
	print_problems(explanation);
	for (size_t i = 0; i < explanation->owed.count; i++)
		print_owed(explanation, &explanation->owed.item[i]);
	print_sent(explanation);
	print_next(explanation);
	return EXIT_DONE;
}

/* --- JSON --------------------------------------------------------------------------------- */

static void json_day(void *context, const struct day_count *day)
{
	json_t *days = context;
	char date[DAY_TEXT_SIZE];

	/* A day that does not fit into memory is found by the check of the whole document. */
	(void)json_array_append_new(days, json_pack("{s:s, s:b, s:i, s:I, s:s?, s:s?}", "date",
						    day_format(day->day, date), "counted",
						    day->number > 0 || day->seconds > 0,
						    "number", (int)day->number, "seconds",
						    (json_int_t)day->seconds, "reason",
						    day->reason, "name", day->name));
}

static json_t *owed_json(const struct explanation *explanation, const struct owed *owed)
{
	const struct policy *policy = explanation->policy;
	const struct obligation *obligation = &policy->obligations[owed->obligation];
	struct timescale limit = limit_of(explanation, obligation);
	char text[TIMESCALE_TEXT_SIZE];
	json_t *days = json_array();
	json_t *ends = json_array();

	if (!instant_is_never(owed->due) && counts_days(limit) && !is_capped(explanation, owed))
		each_day(explanation, owed, json_day, days);
	for (size_t i = 0; i < obligation->end_count; i++)
		(void)json_array_append_new(ends,
					    json_string(policy->kinds[obligation->ends[i]]));
	return json_pack(
		"{s:s, s:s?, s:o, s:s, s:i, s:s, s:b, s:o, s:b, s:o, s:b, s:b, s:o, s:o}",
		"obligation", obligation->id, "stage",
		obligation->stage == STAGE_NONE ? NULL : policy->stages[obligation->stage].id,
		"owner", roles_json(policy, &owed->owner), "file", policy->file, "line",
		obligation->limit_line > 0 ? obligation->limit_line : obligation->line, "limit",
		timescale_format(limit, text), "firm", (int)obligation->firm, "started",
		instant_json(policy->calendar, owed->started), "derived", (int)owed->derived,
		"due", instant_json(policy->calendar, owed->due), "passed", (int)owed->breached,
		"capped", (int)is_capped(explanation, owed), "days", days, "ends", ends);
}

static json_t *notice_json(const struct policy *policy, const struct ledger_notice *notice)
{
	return json_pack("{s:o, s:o, s:s, s:s?, s:s?, s:s?, s:i, s:s, s:s, s:s?}", "at",
			 instant_json(policy->calendar, notice->at), "send_at",
			 instant_json(policy->calendar, notice->send_at), "kind",
			 notice_kind_name(notice->kind), "stage",
			 notice->stage[0] != '\0' ? notice->stage : NULL, "obligation",
			 notice->obligation[0] != '\0' ? notice->obligation : NULL, "step",
			 notice->step[0] != '\0' ? notice->step : NULL, "occurrence",
			 (int)notice->occurrence, "role", notice->role, "state",
			 delivery_state_name(notice->state), "reason",
			 notice->reason[0] != '\0' ? notice->reason : NULL);
}

static int print_json(const struct explanation *explanation)
{
	const struct policy *policy = explanation->policy;
	const struct timeline_state *state = &explanation->state;
	json_t *owed = json_array();
	json_t *sent = json_array();
	json_t *next = json_array();

	for (size_t i = 0; i < explanation->owed.count; i++)
		(void)json_array_append_new(owed,
					    owed_json(explanation, &explanation->owed.item[i]));
	for (size_t i = 0; i < explanation->sent_count; i++)
		(void)json_array_append_new(sent, notice_json(policy, &explanation->sent[i]));
	if (explanation->ledger == LEDGER_NOT_OURS) {
		json_decref(sent);
		sent = json_null(); /* not known, which is not nothing */
	}
	for (size_t i = 0; i < explanation->next_count; i++)
		(void)json_array_append_new(next, entry_json(policy, &explanation->next[i]));
	return ctl_print_json(
		explanation->ctl,
		json_pack("{s:s, s:s, s:s, s:o, s:s?, s:o, s:b, s:b, s:b, s:o, s:o, s:o}",
			  "reference", explanation->challenge->reference, "policy", policy->id,
			  "version", policy->version, "at",
			  instant_json(policy->calendar, explanation->now), "stage",
			  state->stage == STAGE_NONE ? NULL : policy->stages[state->stage].id,
			  "stage_entered", instant_json(policy->calendar, state->stage_entered),
			  "derived", (int)state->derived, "open", (int)state->open, "paused",
			  (int)state->paused, "owed", owed, "decided", sent, "next", next));
}

/* --- gathering ---------------------------------------------------------------------------- */

/* Runs the timeline to now, notes what is owed, then looks ahead. */
static int look_through(struct explanation *explanation, struct error *error)
{
	struct entry entry;
	int r;

	explanation->timeline = timeline_create();
	if (explanation->timeline == NULL)
		return error_memory(error);
	timeline_begin(explanation->timeline, explanation->policy, explanation->challenge);
	while ((r = timeline_next(explanation->timeline, explanation->now, &entry, error)) > 0)
		;
	if (r < 0)
		return r;
	explanation->state = timeline_state(explanation->timeline);
	timeline_owed(explanation->timeline, collect_owed, &explanation->owed);
	return explanation->owed.failed ? error_memory(error) : 0;
}

/*
 * Continues past now for what comes next. Last, since the timeline's own state moves on with
 * it: a pause that ends is gone from the count by then, so the words are printed from a second
 * run.
 */
static int look_ahead(struct explanation *explanation, struct error *error)
{
	struct instant horizon = instant_add(explanation->now, INT64_C(400) * SECONDS_PER_DAY);
	CLEANUP(timeline_destroyp) struct timeline *ahead = timeline_create();
	struct entry entry;
	int r = 0;

	if (ahead == NULL)
		return error_memory(error);
	timeline_begin(ahead, explanation->policy, explanation->challenge);
	while (explanation->next_count < NEXT_MOST &&
	       (r = timeline_next(ahead, horizon, &entry, error)) > 0)
		if (instant_before(explanation->now, entry.at))
			explanation->next[explanation->next_count++] = entry;
	return r < 0 ? r : 0;
}

/* What the daemon decided about it. No ledger yet, or one that this user may not read, is no
 * fault here: the count needs the store alone. */
static int read_ledger(struct explanation *explanation, const struct config *config,
		       struct error *error)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	int r = ledger_open(ctl_state_folder(config), LEDGER_READ, &ledger, error);

	if (r == -ENOENT || r == -EACCES) {
		explanation->ledger = r == -ENOENT ? LEDGER_NONE_YET : LEDGER_NOT_OURS;
		return 0;
	}
	if (r < 0)
		return r;
	explanation->ledger = LEDGER_IS_READ;
	return ledger_history(ledger, explanation->challenge->id, &explanation->sent,
			      &explanation->sent_count, error);
}

static int explain(struct explanation *explanation)
{
	struct ctl *ctl = explanation->ctl;
	struct error error = { 0 };
	int status = ctl_policy_of(ctl, explanation->challenge, &explanation->policy);

	if (status != EXIT_DONE)
		return status;
	if (!ctl_now(ctl, calendar_zone(explanation->policy->calendar), &explanation->now))
		return EXIT_USAGE;
	if (look_through(explanation, &error) < 0 || look_ahead(explanation, &error) < 0 ||
	    read_ledger(explanation, ctl->config, &error) < 0)
		return ctl_fail(ctl, &error, "");
	return ctl->json ? print_json(explanation) : print_words(explanation);
}

static int run_explain(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(explanation_clear) struct explanation explanation = { .ctl = ctl };
	CLEANUP(store_closep) struct store *store = NULL;
	struct challenge *challenge = NULL;
	int status = ctl_arguments(ctl, argc, argv, 1, 1);

	if (status == EXIT_DONE)
		status = ctl_open_store(ctl, &store);
	if (status == EXIT_DONE)
		status = ctl_find_challenge(ctl, store, argv[0], &challenge);
	if (status != EXIT_DONE)
		return status;
	challenge_settle(challenge);
	explanation.challenge = challenge;
	return explain(&explanation);
}

const struct command command_explain = {
	.name = "explain",
	.summary = "show how each deadline of a challenge is counted, day by day",
	.usage = "Usage: challengectl explain REF [--at TIME]\n"
		 "\n"
		 "Shows which days counted and which did not and why, the rule's file and "
		 "line, what "
		 "was\n"
		 "decided and sent, what comes next and what would stop it.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl explain 2026-014\n",
	.run = run_explain,
};
