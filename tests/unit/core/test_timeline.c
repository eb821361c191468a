/*
 * test_timeline.c - what is said when, in rows: a history, and the notices that the policy asks
 * for.
 *
 * The policy is built by hand here, so that the core is tested without any file: three stages
 * (practitioner, manager with obligations of its own, chair), a cap and feedback overall.
 * tests/oracle compares thousands of random policies besides.
 */
#include "base/text.h"
#include "core/timeline_internal.h"

#include "england.h"

enum {
	RECEIVING_PRACTITIONER,
	RECEIVING_MANAGER,
	RAISING_PRACTITIONER,
	RAISING_MANAGER,
	PARTNERSHIP_CHAIR,
	PARTNERSHIP_UNIT,
	ROLES
};

static const struct role roles[ROLES] = {
	{ "receiving.practitioner", SIDE_RECEIVING, "practitioner" },
	{ "receiving.manager", SIDE_RECEIVING, "manager" },
	{ "raising.practitioner", SIDE_RAISING, "practitioner" },
	{ "raising.manager", SIDE_RAISING, "manager" },
	{ "partnership.chair", SIDE_PARTNERSHIP, "chair" },
	{ "partnership.unit", SIDE_PARTNERSHIP, "unit" },
};

enum { PRACTITIONER, MANAGER, CHAIR };

#define LIMIT(text_standard, text_urgent)                \
	{                                                \
		limit(text_standard), limit(text_urgent) \
	}

static struct timescale limit(const char *text)
{
	struct timescale timescale = { 0 };
	struct error error = { 0 };

	if (text[0] != '\0' && timescale_parse(text, &timescale, &error) < 0)
		fail_msg("%s", error.text);
	return timescale;
}

static struct obligation shorthand(const char *id, int stage, const char *standard,
				   const char *urgent)
{
	return (struct obligation){
		.id = id,
		.stage = stage,
		.starts = KIND_STAGE_ENTRY,
		.limit = LIMIT(standard, urgent),
		.firm = true,
		.escalate_to = STAGE_NONE,
		.every_text = "",
	};
}

static void set_stages(struct policy *policy)
{
	policy->stage_count = 3;
	policy->stages[PRACTITIONER] = (struct stage){
		.id = "practitioner",
		.owner = { { RECEIVING_PRACTITIONER }, 1 },
		.first_obligation = 0,
		.obligation_count = 1,
	};
	policy->stages[MANAGER] = (struct stage){
		.id = "manager",
		.owner = { { RECEIVING_MANAGER }, 1 },
		.inform = { { RAISING_MANAGER, PARTNERSHIP_UNIT }, 2 },
		.first_obligation = 1,
		.obligation_count = 3,
	};
	policy->stages[CHAIR] = (struct stage){
		.id = "chair",
		.owner = { { PARTNERSHIP_CHAIR }, 1 },
		.first_obligation = 4,
		.obligation_count = 1,
	};
}

static void set_obligations(struct policy *policy)
{
	struct obligation *o = policy->obligations;

	policy->obligation_count = 7;
	o[0] = shorthand("practitioner", PRACTITIONER, "3 working days", "1 working day");
	o[0].reminders[0] = (struct reminder){ .text = "50%", .percent = 50 };
	o[0].reminders[1] = (struct reminder){ .text = "1 working day before",
					       .before = limit("1 working day") };
	o[0].reminder_count = 2;
	o[0].escalate_to = MANAGER;
	o[0].breach_to = (struct role_set){ { ROLE_OWNER, RAISING_PRACTITIONER }, 2 };

	o[1] = shorthand("agree", MANAGER, "2 working days", "1 working day");
	o[1].ends[0] = EVENT_AGREED;
	o[1].ends[1] = EVENT_NOT_AGREED;
	o[1].end_count = 2;
	o[1].firm = false;
	o[1].every = limit("1 working day");
	o[1].every_text = "1 working day";
	o[1].times = 2;

	o[2] = shorthand("meeting", MANAGER, "5 working days", "2 working days");
	o[2].starts = EVENT_NOT_AGREED;
	o[2].ends[0] = EVENT_MEETING_HELD;
	o[2].end_count = 1;
	o[2].escalate_to = CHAIR;

	o[3] = shorthand("letter", MANAGER, "48 hours", "24 hours");
	o[3].starts = EVENT_MEETING_HELD;
	o[3].ends[0] = EVENT_OUTCOME_SHARED;
	o[3].end_count = 1;

	o[4] = shorthand("chair", CHAIR, "", "");
	o[4].every = limit("1 month");
	o[4].every_text = "1 month";

	o[5] = shorthand("cap", STAGE_NONE, "20 working days", "20 working days");
	o[5].starts = EVENT_RAISED;
	o[5].ends[0] = EVENT_RESOLVED;
	o[5].end_count = 1;
	o[5].breach_to = (struct role_set){ { PARTNERSHIP_CHAIR }, 1 };

	o[6] = shorthand("feedback", STAGE_NONE, "2 working days", "2 working days");
	o[6].owner = (struct role_set){ { RECEIVING_MANAGER }, 1 };
	o[6].starts = EVENT_RESOLVED;
	o[6].ends[0] = EVENT_OUTCOME_SHARED;
	o[6].ends[1] = EVENT_CLOSED;
	o[6].end_count = 2;
}

static void example(struct policy *policy, const struct calendar *calendar)
{
	memset(policy, 0, sizeof *policy);
	policy->id = "example";
	policy->version = "1";
	policy->calendar = calendar;
	policy->urgencies[0] = "standard";
	policy->urgencies[1] = "urgent";
	policy->urgency_count = 2;
	policy->immediate_to = (struct role_set){ { PARTNERSHIP_UNIT }, 1 };
	policy->quiet_after = limit("5 working days");
	policy->quiet_to = (struct role_set){ { PARTNERSHIP_UNIT }, 1 };
	policy->acknowledge_mutes = limit("1 working day");
	memcpy(policy->roles, roles, sizeof roles);
	policy->role_count = ROLES;
	memcpy(policy->kinds, event_kinds, sizeof event_kinds);
	policy->kind_count = EVENT_KINDS;
	set_stages(policy);
	set_obligations(policy);
}

/* --- histories in words ------------------------------------------------------------------- */

enum { EVENTS = 16, TEXTS = 1000 };

struct history {
	char text[TEXTS];
	struct event events[EVENTS];
	struct challenge challenge;
};

/* "raised 2026-11-23 10:00; paused 2026-11-24 12:00 / 2026-11-26 09:00; voided 1 2026-..." */
static void tell(struct history *history, const struct calendar *calendar, const char *words)
{
	char *rest = history->text;
	size_t n = 0;

	memset(history->events, 0, sizeof history->events);
	assert_true(strlen(words) < sizeof history->text);
	memcpy(history->text, words, strlen(words) + 1);
	for (char *one; (one = strsep(&rest, ";")) != NULL; n++) {
		struct event *event = &history->events[n];
		char *due = strstr(one, " / ");
		char *word;

		assert_true(n < EVENTS);
		*event = (struct event){
			.id = (int64_t)n + 1, .stage = "", .value = "", .due = INSTANT_NEVER
		};
		if (due != NULL) {
			*due = '\0';
			event->due = time_of(calendar, due + 3);
		}
		one += strspn(one, " ");
		event->kind = strsep(&one, " ");
		if (strcmp(event->kind, "stage") == 0)
			event->stage = strsep(&one, " ");
		word = strstr(one, "voids ");
		if (word != NULL) {
			event->voids = strtol(word + 6, NULL, 10);
			word[-1] = '\0';
		}
		event->at = time_of(calendar, one);
	}
	history->challenge.events = history->events;
	history->challenge.event_count = n;
}

static void write_entry(const struct policy *policy, const struct entry *entry,
			struct text *out)
{
	char at[40];

	text_appendf(out, "%s %s", local_text(policy->calendar, entry->at, at),
		     notice_kind_name(entry->kind));
	if (entry->stage != STAGE_NONE)
		text_appendf(out, " %s", policy->stages[entry->stage].id);
	if (entry->obligation >= 0)
		text_appendf(out, " (%s)", policy->obligations[entry->obligation].id);
	if (entry->step[0] != '\0')
		text_appendf(out, " [%s]", entry->step);
	if (entry->occurrence != 1)
		text_appendf(out, " #%d", (int)entry->occurrence);
	text_append(out, ":");
	for (size_t i = 0; i < entry->to.count; i++)
		text_appendf(out, " %s", policy->roles[entry->to.role[i]].token);
	text_append(out, "\n");
}

#define RAISED "2026-11-23 10:00 inform practitioner: receiving.practitioner\n"
/* 31 hours of work from Monday 10:00 to Thursday 17:00: half of them are used up on Wednesday
 * 09:30. */
#define REMINDED                                                                         \
	"2026-11-25 09:00 reminder practitioner (practitioner) [1 working day before]: " \
	"receiving.practitioner\n"                                                       \
	"2026-11-25 09:30 reminder practitioner (practitioner) [50%]: "                  \
	"receiving.practitioner\n"
#define LATE                                                                           \
	"2026-11-26 17:00 breach practitioner (practitioner): receiving.practitioner " \
	"raising.practitioner\n"                                                       \
	"2026-11-26 17:00 escalation manager (practitioner): receiving.manager "       \
	"raising.manager partnership.unit\n"
#define AGREE_LATE                                                                      \
	"2026-11-30 17:00 breach manager (agree): receiving.manager\n"                  \
	"2026-12-01 09:00 overdue manager (agree) [1 working day]: receiving.manager\n" \
	"2026-12-02 09:00 overdue manager (agree) [1 working day] #2: receiving.manager\n"

/* clang-format off */
static const struct timeline_case {
	const char *name;
	const char *history;
	const char *until;
	const char *want;
	const char *urgency;
	const char *protect_by;
	bool cap_escalates; /* to the chair */
	bool letter_agreed; /* its limit is the date that was agreed at the meeting */
	bool letter_from_raising;
	bool never_mutes;
	unsigned problems; /* that the history has */
} cases[] = {
	{ "a silent stage escalates by itself, and the next one runs",
	  "raised 2026-11-23 10:00", "2026-12-02 12:00", RAISED REMINDED LATE AGREE_LATE },
	{ "an urgent challenge has the urgent limits",
	  "raised 2026-11-23 10:00", "2026-11-25 08:00",
	  RAISED "2026-11-24 09:30 reminder practitioner (practitioner) [50%]: receiving.practitioner\n"
	         "2026-11-24 17:00 breach practitioner (practitioner): receiving.practitioner raising.practitioner\n"
	         "2026-11-24 17:00 escalation manager (practitioner): receiving.manager raising.manager partnership.unit\n",
	  .urgency = "urgent" },
	{ "an urgency the policy does not know gets the shortest limit",
	  "raised 2026-11-23 10:00", "2026-11-24 12:00",
	  RAISED "2026-11-24 09:30 reminder practitioner (practitioner) [50%]: receiving.practitioner\n",
	  .urgency = "whenever", .problems = PROBLEM_URGENCY },
	{ "resolved in time, only feedback is owed",
	  "raised 2026-11-23 10:00; resolved 2026-11-24 12:00", "2026-12-20 12:00",
	  RAISED "2026-11-26 17:00 breach (feedback): receiving.manager\n"
	         "2026-12-03 09:00 quiet practitioner: partnership.unit\n"
	         "2026-12-10 09:00 quiet practitioner #2: partnership.unit\n"
	         "2026-12-17 09:00 quiet practitioner #3: partnership.unit\n" },
	{ "feedback given, nothing more is said",
	  "raised 2026-11-23 10:00; resolved 2026-11-24 12:00; outcome_shared 2026-11-25 12:00",
	  "2027-06-01 12:00", RAISED },
	{ "an answer at the due instant is in time",
	  "raised 2026-11-23 10:00; resolved 2026-11-26 17:00; closed 2026-11-26 17:00", "2027-06-01 12:00",
	  RAISED REMINDED },
	{ "an answer a minute late clears those who were told, once they were",
	  "raised 2026-11-23 10:00; resolved 2026-11-27 10:00; closed 2026-11-27 10:00", "2027-06-01 12:00",
	  RAISED REMINDED LATE
	  "2026-11-27 10:00 cleared practitioner (practitioner): receiving.practitioner raising.practitioner "
	  "receiving.manager raising.manager partnership.unit\n" },
	{ "nobody is cleared of what was not mailed yet",
	  "raised 2026-11-23 10:00; withdrawn 2026-11-26 20:00", "2027-06-01 12:00",
	  RAISED REMINDED LATE },
	{ "an answered obligation clears only those it told",
	  "raised 2026-11-23 10:00; agreed 2026-12-01 12:00; withdrawn 2026-12-01 12:00", "2027-06-01 12:00",
	  RAISED REMINDED LATE
	  "2026-11-30 17:00 breach manager (agree): receiving.manager\n"
	  "2026-12-01 09:00 overdue manager (agree) [1 working day]: receiving.manager\n"
	  "2026-12-01 12:00 cleared manager (agree): receiving.manager\n"
	  "2026-12-01 12:00 cleared practitioner (practitioner): receiving.practitioner raising.practitioner "
	  "receiving.manager raising.manager partnership.unit\n" },
	{ "a jump to the last stage, which has no limit and repeats by the month",
	  "raised 2026-11-23 10:00; stage chair 2026-11-24 10:00", "2027-02-01 12:00",
	  RAISED "2026-11-24 10:00 inform chair: partnership.chair\n"
	         "2026-12-21 17:00 breach (cap): partnership.chair\n"
	         "2026-12-24 09:00 overdue chair (chair) [1 month]: partnership.chair\n"
	         "2027-01-25 09:00 overdue chair (chair) [1 month] #2: partnership.chair\n" },
	{ "a stage named at the raising is entered instead of the first",
	  "raised 2026-11-23 10:00; stage manager 2026-11-23 10:00", "2026-11-24 12:00",
	  "2026-11-23 10:00 inform manager: receiving.manager raising.manager partnership.unit\n" },
	{ "a stage recorded after the escalation that led there changes nothing",
	  "raised 2026-11-23 10:00; stage manager 2026-11-27 10:00", "2026-12-02 12:00",
	  RAISED REMINDED LATE AGREE_LATE },
	{ "a step back is a new visit with clocks of its own",
	  "raised 2026-11-23 10:00; stage manager 2026-11-23 11:00; stage practitioner 2026-11-24 10:00", "2026-11-27 12:00",
	  RAISED "2026-11-23 11:00 inform manager: receiving.manager raising.manager partnership.unit\n"
	         "2026-11-24 10:00 inform practitioner: receiving.practitioner\n"
	         "2026-11-26 09:00 reminder practitioner (practitioner) [1 working day before]: receiving.practitioner\n"
	         "2026-11-26 09:30 reminder practitioner (practitioner) [50%]: receiving.practitioner\n" },
	{ "not agreed starts the meeting's clock, which escalates when it runs out",
	  "raised 2026-11-23 10:00; stage manager 2026-11-23 11:00; not_agreed 2026-11-24 10:00", "2026-12-02 08:00",
	  RAISED "2026-11-23 11:00 inform manager: receiving.manager raising.manager partnership.unit\n"
	         "2026-12-01 17:00 breach manager (meeting): receiving.manager\n"
	         "2026-12-01 17:00 escalation chair (meeting): partnership.chair\n" },
	{ "in the first visit a clock may have started from an event before it",
	  "raised 2026-11-23 10:00; not_agreed 2026-11-23 12:00; stage manager 2026-11-24 10:00", "2026-11-30 18:00",
	  RAISED "2026-11-24 10:00 inform manager: receiving.manager raising.manager partnership.unit\n"
	         "2026-11-26 17:00 breach manager (agree): receiving.manager\n"
	         "2026-11-27 09:00 overdue manager (agree) [1 working day]: receiving.manager\n"
	         "2026-11-30 09:00 overdue manager (agree) [1 working day] #2: receiving.manager\n"
	         "2026-11-30 17:00 breach manager (meeting): receiving.manager\n"
	         "2026-11-30 17:00 escalation chair (meeting): partnership.chair\n" },
	{ "hours run at night and are mailed in the morning",
	  "raised 2026-11-23 10:00; stage manager 2026-11-23 11:00; meeting_held 2026-11-23 15:00", "2026-11-25 16:00",
	  RAISED "2026-11-23 11:00 inform manager: receiving.manager raising.manager partnership.unit\n"
	         "2026-11-25 15:00 breach manager (letter): receiving.manager\n" },
	{ "protect_by makes the first limit earlier and leaves the next one alone",
	  "raised 2026-11-23 10:00", "2026-11-26 18:00",
	  RAISED "2026-11-23 14:00 reminder practitioner (practitioner) [50%]: receiving.practitioner\n"
	         "2026-11-24 10:00 breach practitioner (practitioner): receiving.practitioner raising.practitioner\n"
	         "2026-11-24 10:00 breach (cap): partnership.chair\n"
	         "2026-11-24 10:00 escalation manager (practitioner): receiving.manager raising.manager partnership.unit\n"
	         "2026-11-26 17:00 breach manager (agree): receiving.manager\n",
	  .protect_by = "2026-11-24 10:00" },
	{ "a pause moves what is still to come, and nothing is said twice",
	  "raised 2026-11-23 10:00; paused 2026-11-25 10:00 / 2026-11-27 10:00", "2026-11-30 18:00",
	  RAISED REMINDED
	  "2026-11-30 17:00 breach practitioner (practitioner): receiving.practitioner raising.practitioner\n"
	  "2026-11-30 17:00 escalation manager (practitioner): receiving.manager raising.manager partnership.unit\n" },
	{ "resumed early, a pause is as long as it was",
	  "raised 2026-11-23 10:00; paused 2026-11-24 10:00 / 2026-12-24 10:00; resumed 2026-11-25 10:00", "2026-11-27 18:00",
	  RAISED "2026-11-26 09:00 reminder practitioner (practitioner) [1 working day before]: receiving.practitioner\n"
	         "2026-11-26 09:30 reminder practitioner (practitioner) [50%]: receiving.practitioner\n"
	         "2026-11-27 17:00 breach practitioner (practitioner): receiving.practitioner raising.practitioner\n"
	         "2026-11-27 17:00 escalation manager (practitioner): receiving.manager raising.manager partnership.unit\n" },
	{ "a pause without an end stops nothing",
	  "raised 2026-11-23 10:00; paused 2026-11-24 10:00", "2026-11-26 18:00", RAISED REMINDED LATE,
	  .problems = PROBLEM_PAUSE_NO_END },
	{ "an acknowledgement mutes reminders, not the breach",
	  "raised 2026-11-23 10:00; acknowledged 2026-11-24 10:00", "2026-11-26 18:00", RAISED LATE },
	{ "where the policy says nothing of it, an acknowledgement mutes nothing",
	  "raised 2026-11-23 10:00; acknowledged 2026-11-24 10:00", "2026-11-26 18:00", RAISED REMINDED LATE,
	  .never_mutes = true },
	{ "a pause that ends before it begins stops nothing",
	  "raised 2026-11-23 10:00; paused 2026-11-24 10:00 / 2026-11-24 09:00", "2026-11-26 18:00", RAISED REMINDED LATE,
	  .problems = PROBLEM_PAUSE_NO_END },
	{ "of two pauses that begin together the one recorded last counts",
	  "raised 2026-11-23 10:00; paused 2026-11-25 10:00 / 2026-12-25 10:00; paused 2026-11-25 10:00 / 2026-11-27 10:00",
	  "2026-11-30 18:00",
	  RAISED REMINDED
	  "2026-11-30 17:00 breach practitioner (practitioner): receiving.practitioner raising.practitioner\n"
	  "2026-11-30 17:00 escalation manager (practitioner): receiving.manager raising.manager partnership.unit\n" },
	{ "a stage that the policy does not have is a problem, and changes nothing",
	  "raised 2026-11-23 10:00; stage ombudsman 2026-11-23 12:00", "2026-11-26 18:00", RAISED REMINDED LATE,
	  .problems = PROBLEM_STAGE },
	{ "at the raising, too: then it is the first",
	  "raised 2026-11-23 10:00; stage ombudsman 2026-11-23 10:00", "2026-11-26 18:00", RAISED REMINDED LATE,
	  .problems = PROBLEM_STAGE },
	{ "an event that the policy does not know is a problem, and changes nothing",
	  "raised 2026-11-23 10:00; telephoned 2026-11-23 12:00", "2026-11-26 18:00", RAISED REMINDED LATE,
	  .problems = PROBLEM_KIND },
	{ "reopened without having been raised, it is in the first stage",
	  "reopened 2026-11-23 10:00", "2026-11-23 12:00", RAISED },
	{ "what was agreed is when it is due",
	  "raised 2026-11-23 10:00; stage manager 2026-11-23 11:00; meeting_held 2026-11-23 15:00 / 2026-11-24 12:30",
	  "2026-11-25 16:00",
	  RAISED "2026-11-23 11:00 inform manager: receiving.manager raising.manager partnership.unit\n"
	         "2026-11-24 12:30 breach manager (letter): receiving.manager\n", .letter_agreed = true },
	{ "nothing agreed is a problem, and no deadline",
	  "raised 2026-11-23 10:00; stage manager 2026-11-23 11:00; meeting_held 2026-11-23 15:00", "2026-11-25 16:00",
	  RAISED "2026-11-23 11:00 inform manager: receiving.manager raising.manager partnership.unit\n",
	  .letter_agreed = true, .problems = PROBLEM_NO_AGREED_DATE },
	{ "a later stage's clock may have started at the raising",
	  "raised 2026-11-23 10:00; stage manager 2026-11-23 11:00", "2026-11-25 16:00",
	  RAISED "2026-11-23 11:00 inform manager: receiving.manager raising.manager partnership.unit\n"
	         "2026-11-25 10:00 breach manager (letter): receiving.manager\n", .letter_from_raising = true },
	{ "immediate risk is told at once",
	  "raised 2026-11-21 03:00; immediate_risk 2026-11-21 03:00", "2026-11-23 09:00",
	  "2026-11-21 03:00 inform practitioner: receiving.practitioner\n"
	  "2026-11-21 03:00 risk practitioner: partnership.unit\n" },
	{ "what was taken back never happened",
	  "raised 2026-11-23 10:00; resolved 2026-11-24 10:00; voided 2026-11-25 08:00 voids 2", "2026-11-26 18:00",
	  RAISED REMINDED LATE },
	{ "reopened is a new visit of the stage, and a cap that ended stays ended",
	  "raised 2026-11-23 10:00; resolved 2026-11-23 12:00; closed 2026-11-23 13:00; reopened 2026-12-14 10:00", "2026-12-16 18:00",
	  RAISED "2026-12-14 10:00 inform practitioner: receiving.practitioner\n"
	         "2026-12-16 09:00 reminder practitioner (practitioner) [1 working day before]: receiving.practitioner\n"
	         "2026-12-16 09:30 reminder practitioner (practitioner) [50%]: receiving.practitioner\n" },
	{ "what was recorded while it was closed starts no clock when it is reopened",
	  "raised 2026-11-23 10:00; closed 2026-11-23 12:00; raised 2026-11-23 13:00; reopened 2026-12-14 10:00", "2026-12-22 08:00",
	  RAISED "2026-12-14 10:00 inform practitioner: receiving.practitioner\n"
	         "2026-12-16 09:00 reminder practitioner (practitioner) [1 working day before]: receiving.practitioner\n"
	         "2026-12-16 09:30 reminder practitioner (practitioner) [50%]: receiving.practitioner\n"
	         "2026-12-17 17:00 breach practitioner (practitioner): receiving.practitioner raising.practitioner\n"
	         "2026-12-17 17:00 escalation manager (practitioner): receiving.manager raising.manager partnership.unit\n"
	         "2026-12-21 17:00 breach manager (agree): receiving.manager\n" },
	{ "a stage recorded after the end enters none, and starts nothing",
	  "raised 2026-11-23 10:00; closed 2026-11-23 12:00; stage manager 2026-11-24 10:00; not_agreed 2026-11-24 11:00",
	  "2026-12-30 12:00", RAISED },
	{ "two clocks that run out together both escalate, the overall one higher",
	  "raised 2026-11-23 10:00", "2026-11-24 12:00",
	  RAISED "2026-11-23 14:00 reminder practitioner (practitioner) [50%]: receiving.practitioner\n"
	         "2026-11-24 10:00 breach practitioner (practitioner): receiving.practitioner raising.practitioner\n"
	         "2026-11-24 10:00 breach (cap): partnership.chair\n"
	         "2026-11-24 10:00 escalation manager (practitioner): receiving.manager raising.manager partnership.unit\n"
	         "2026-11-24 10:00 escalation chair (cap): partnership.chair\n",
	  .protect_by = "2026-11-24 10:00", .cap_escalates = true },
	{ "a cap that runs out at the stage it would lead to tells, and moves nothing",
	  "raised 2026-11-23 10:00; stage chair 2026-11-23 11:00", "2026-11-24 12:00",
	  RAISED "2026-11-23 11:00 inform chair: partnership.chair\n"
	         "2026-11-24 10:00 breach (cap): partnership.chair\n",
	  .protect_by = "2026-11-24 10:00", .cap_escalates = true },
	{ "a stage left by a recorded move is not cleared later",
	  "raised 2026-11-23 10:00; stage manager 2026-11-23 11:00; stage chair 2026-11-27 10:00; withdrawn 2026-11-30 10:00",
	  "2026-12-30 12:00",
	  RAISED "2026-11-23 11:00 inform manager: receiving.manager raising.manager partnership.unit\n"
	         "2026-11-25 17:00 breach manager (agree): receiving.manager\n"
	         "2026-11-26 09:00 overdue manager (agree) [1 working day]: receiving.manager\n"
	         "2026-11-27 09:00 overdue manager (agree) [1 working day] #2: receiving.manager\n"
	         "2026-11-27 10:00 inform chair: partnership.chair\n" },
	{ "what began before the raising is first told then",
	  "resolved 2026-11-16 10:00; raised 2026-11-23 10:00", "2026-11-23 12:00",
	  RAISED "2026-11-23 10:00 breach (feedback): receiving.manager\n" },
	{ "a repeat past the last year that is counted is a problem",
	  "raised 2059-12-01 10:00; stage chair 2059-12-02 10:00", "2059-12-16 12:00",
	  "2059-12-01 10:00 inform practitioner: receiving.practitioner\n"
	  "2059-12-02 10:00 inform chair: partnership.chair\n",
	  .problems = PROBLEM_RANGE },
	{ "what nothing has raised says nothing, and that is a problem",
	  "decision_received 2026-11-20 10:00; discussed 2026-11-23 10:00", "2027-06-01 12:00", "",
	  .problems = PROBLEM_NOT_RAISED },
};

/* clang-format on */
static void says(void **state)
{
	const struct timeline_case *c = *state;
	struct england england;
	struct policy policy;
	struct history history = { .text = "" };
	CLEANUP(text_clear) struct text got = { 0 };
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct error error = { 0 };
	struct entry entry;
	int r;

	england_plan(&england);
	england_create(&england);
	example(&policy, england.calendar);
	if (c->cap_escalates)
		policy.obligations[5].escalate_to = CHAIR;
	if (c->letter_agreed)
		policy.obligations[3].limit[0].unit = TIMESCALE_AS_AGREED;
	if (c->letter_from_raising)
		policy.obligations[3].starts = EVENT_RAISED;
	if (c->never_mutes)
		policy.acknowledge_mutes = (struct timescale){ .unit = TIMESCALE_NONE };
	tell(&history, england.calendar, c->history);
	history.challenge.urgency = c->urgency != NULL ? c->urgency : "";
	history.challenge.protect_by =
		time_of(england.calendar, c->protect_by != NULL ? c->protect_by : "never");
	challenge_settle(&history.challenge);
	timeline_begin(timeline, &policy, &history.challenge);
	while ((r = timeline_next(timeline, time_of(england.calendar, c->until), &entry,
				  &error)) > 0)
		write_entry(&policy, &entry, &got);
	assert_int_equal(r, 0);
	assert_string_equal(text_string(&got), c->want);
	assert_int_equal(timeline_state(timeline).problems, c->problems);
	calendar_destroy(england.calendar);
}

static void kinds_have_names(void **state)
{
	(void)state;
	for (int kind = NOTICE_RISK; kind <= NOTICE_QUIET; kind++)
		assert_int_equal(notice_kind_parse(notice_kind_name((enum notice_kind)kind)),
				 kind);
	assert_string_equal(notice_kind_name(NOTICE_BREACH), "breach");
	assert_int_equal(notice_kind_parse("late"), -1);
	assert_int_equal(notice_kind_parse(""), -1);
}

/* Where the list of holidays ends, what is due and what is said become provisional. */
static void knows_what_is_provisional(void **state)
{
	struct england england;
	struct policy policy;
	struct history history = { .text = "" };
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct error error = { 0 };
	struct entry entry;
	int provisional = 0;

	(void)state;
	england_plan(&england);
	england.plan.covered_until = day_of("2026-11-25");
	england_create(&england);
	example(&policy, england.calendar);
	tell(&history, england.calendar, "raised 2026-11-23 10:00");
	history.challenge.urgency = "";
	history.challenge.protect_by = INSTANT_NEVER;
	challenge_settle(&history.challenge);
	timeline_begin(timeline, &policy, &history.challenge);
	while (timeline_next(timeline, time_of(england.calendar, "2026-11-26 18:00"), &entry,
			     &error) > 0) {
		/* The reminders lie before the end of the list, what they remind of after it.
		 */
		assert_int_equal(entry.provisional, entry.kind != NOTICE_INFORM);
		provisional += entry.provisional;
	}
	assert_int_equal(provisional, 4);
	calendar_destroy(england.calendar);
}

/* What is told of late must be known as ended when an answer was recorded, and only then. */
static void knows_what_ended(void **state)
{
	struct england england;
	struct policy policy;
	struct history history = { .text = "" };
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct error error = { 0 };
	struct entry entry;
	size_t reminder = 0;
	size_t overdue = 0;

	(void)state;
	england_plan(&england);
	england_create(&england);
	example(&policy, england.calendar);
	tell(&history, england.calendar,
	     "raised 2026-11-23 10:00; agreed 2026-12-01 12:00; discussed 2026-12-03 12:00");
	history.challenge.urgency = "";
	history.challenge.protect_by = INSTANT_NEVER;
	challenge_settle(&history.challenge);
	timeline_begin(timeline, &policy, &history.challenge);
	while (timeline_next(timeline, time_of(england.calendar, "2026-12-03 12:00"), &entry,
			     &error) > 0) {
		if (entry.kind == NOTICE_REMINDER)
			reminder = entry.run;
		if (entry.kind == NOTICE_OVERDUE)
			overdue = entry.run;
	}
	/* The first stage was left by escalation, which answers nothing. */
	assert_true(instant_is_never(timeline_run_end(timeline, reminder)));
	assert_true(instant_equal(timeline_run_end(timeline, overdue),
				  time_of(england.calendar, "2026-12-01 12:00")));
	assert_int_equal(timeline_state(timeline).stage, MANAGER);
	assert_true(timeline_state(timeline).derived);
	assert_true(timeline_state(timeline).open);
	calendar_destroy(england.calendar);
}

static void begin(struct timeline *timeline, struct england *england, struct policy *policy,
		  struct history *history, const char *words)
{
	england_plan(england);
	england_create(england);
	example(policy, england->calendar);
	if (words[0] != '\0')
		tell(history, england->calendar, words);
	history->challenge.urgency = "";
	history->challenge.protect_by = INSTANT_NEVER;
	challenge_settle(&history->challenge);
	timeline_begin(timeline, policy, &history->challenge);
}

/* The first look ahead passes over nothing, and looking twice changes nothing. */
static void looks_ahead(void **state)
{
	struct england england;
	struct policy policy;
	struct history history = { .text = "" };
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	CLEANUP(text_clear) struct text got = { 0 };
	struct error error = { 0 };
	struct entry entry;
	struct instant at;

	(void)state;
	begin(timeline, &england, &policy, &history,
	      "raised 2026-11-23 10:00; withdrawn 2026-11-27 10:00");
	for (;;) {
		struct instant again;

		assert_int_equal(timeline_peek(timeline, &at, &error), 0);
		assert_int_equal(timeline_peek(timeline, &again, &error), 0);
		assert_true(instant_equal(at, again));
		if (instant_is_never(at))
			break;
		assert_int_equal(timeline_next(timeline, instant_add(at, -1), &entry, &error),
				 0);
		assert_int_equal(timeline_next(timeline, at, &entry, &error), 1);
		assert_true(instant_equal(entry.at, at));
		write_entry(&policy, &entry, &got);
	}
	assert_int_equal(timeline_next(timeline, INSTANT_NEVER, &entry, &error), 0);
	assert_string_equal(text_string(&got), RAISED REMINDED LATE
			    "2026-11-27 10:00 cleared practitioner (practitioner): "
			    "receiving.practitioner raising.practitioner "
			    "receiving.manager raising.manager partnership.unit\n");
	assert_true(timeline_state(timeline).ended);
	calendar_destroy(england.calendar);
}

struct telling {
	const struct policy *policy;
	struct text *out;
};

static void tell_owed(void *context, const struct owed *owed)
{
	const struct telling *telling = context;
	char at[40];

	text_appendf(
		telling->out,
		"%s%s%s since %lld, due %s:", telling->policy->obligations[owed->obligation].id,
		owed->lapsed ? ", left behind," : "", owed->breached ? ", late," : "",
		(long long)owed->event, local_text(telling->policy->calendar, owed->due, at));
	for (size_t i = 0; i < owed->owner.count; i++)
		text_appendf(telling->out, " %s",
			     telling->policy->roles[owed->owner.role[i]].token);
	text_append(telling->out, "\n");
}

/* What was left by escalation is owed still; the rest runs. */
static void knows_what_is_owed(void **state)
{
	struct england england;
	struct policy policy;
	struct history history = { .text = "" };
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	CLEANUP(text_clear) struct text got = { 0 };
	struct telling telling = { &policy, &got };
	struct error error = { 0 };
	struct entry entry;

	(void)state;
	begin(timeline, &england, &policy, &history, "raised 2026-11-23 10:00");
	while (timeline_next(timeline, time_of(england.calendar, "2026-11-27 12:00"), &entry,
			     &error) > 0)
		continue;
	timeline_owed(timeline, tell_owed, &telling);
	assert_string_equal(text_string(&got),
			    "practitioner, left behind,, late, since 1, due 2026-11-26 17:00: "
			    "receiving.manager\n"
			    "agree since 1, due 2026-11-30 17:00: receiving.manager\n"
			    "cap since 1, due 2026-12-21 17:00: receiving.manager\n");
	calendar_destroy(england.calendar);
}

/* An answer ends what was left behind, too. */
static void knows_that_what_was_left_behind_ended(void **state)
{
	struct england england;
	struct policy policy;
	struct history history = { .text = "" };
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct error error = { 0 };
	struct entry entry;
	size_t inform = 0;
	size_t reminder = 0;

	(void)state;
	begin(timeline, &england, &policy, &history,
	      "raised 2026-11-23 10:00; withdrawn 2026-11-30 10:00");
	while (timeline_next(timeline, INSTANT_NEVER, &entry, &error) > 0) {
		if (entry.kind == NOTICE_REMINDER)
			reminder = entry.run;
		if (entry.kind == NOTICE_INFORM)
			inform = entry.run;
	}
	assert_true(instant_equal(timeline_run_end(timeline, reminder),
				  time_of(england.calendar, "2026-11-30 10:00")));
	assert_true(instant_equal(timeline_run_end(timeline, inform),
				  time_of(england.calendar, "2026-11-30 10:00")));
	calendar_destroy(england.calendar);
}

static void count_lapsed(void *context, const struct owed *owed)
{
	int64_t *lapsed = context;

	if (!owed->lapsed)
		return;
	if (lapsed[0]++ == 0)
		lapsed[1] = owed->event;
}

/* Back to the first stage every week for twenty years, and each time nobody answers: of what
 * was left behind the oldest is forgotten. */
static void what_was_left_behind_is_not_kept_without_end(void **state)
{
	enum { TIMES = LAPSED_MOST + 8 };
	static struct event events[TIMES];
	struct england england;
	struct policy policy;
	struct history history = { .text = "" };
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct error error = { 0 };
	struct entry entry;
	int64_t lapsed[2] = { 0 }; /* how many, and the event of the first */

	(void)state;
	begin(timeline, &england, &policy, &history, "raised 2026-11-23 10:00");
	for (int64_t i = 0; i < TIMES; i++)
		events[i] = (struct event){ .id = i + 1,
					    .key = i + 1,
					    .kind = i == 0 ? "raised" : "stage",
					    .stage = i == 0 ? "" : "practitioner",
					    .value = "",
					    .at = instant_add(history.events[0].at,
							      i * 7 * SECONDS_PER_DAY),
					    .due = INSTANT_NEVER };
	history.challenge.events = events;
	history.challenge.event_count = TIMES;
	timeline_begin(timeline, &policy, &history.challenge);
	while (timeline_next(timeline, instant_add(events[TIMES - 1].at, 86400), &entry,
			     &error) > 0)
		continue;
	timeline_owed(timeline, count_lapsed, lapsed);
	assert_int_equal(lapsed[0], LAPSED_MOST);
	assert_true(lapsed[1] > 1 && lapsed[1] < 10);
	calendar_destroy(england.calendar);
}

static void knows_where_it_stands(void **state)
{
	struct england england;
	struct policy policy;
	struct history history = { .text = "" };
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct error error = { 0 };
	struct entry entry;
	const struct pause *pauses;
	size_t pause_count;
	struct timeline_state now;

	(void)state;
	begin(timeline, &england, &policy, &history, "");
	assert_int_equal(timeline_next(timeline, INSTANT_NEVER, &entry, &error), 0);
	now = timeline_state(timeline);
	assert_int_equal(now.problems, PROBLEM_NOT_RAISED);
	assert_int_equal(now.stage, STAGE_NONE);
	assert_false(now.open || now.ended || now.paused);
	calendar_destroy(england.calendar);

	begin(timeline, &england, &policy, &history,
	      "raised 2026-11-23 10:00; stage manager 2026-11-23 11:00; paused 2026-11-23 "
	      "12:00 / "
	      "2026-11-25 10:00");
	while (timeline_next(timeline, time_of(england.calendar, "2026-11-24 12:00"), &entry,
			     &error) > 0)
		continue;
	now = timeline_state(timeline);
	assert_int_equal(now.problems, 0);
	assert_int_equal(now.stage, MANAGER);
	assert_int_equal(now.stage_event, 2);
	assert_true(instant_equal(now.stage_entered,
				  time_of(england.calendar, "2026-11-23 11:00")));
	assert_true(
		instant_equal(now.last_event, time_of(england.calendar, "2026-11-23 12:00")));
	assert_true(now.open && now.paused);
	pauses = timeline_pauses(timeline, &pause_count);
	assert_int_equal(pause_count, 1);
	assert_true(instant_equal(pauses[0].to, now.paused_until));
	assert_false(now.derived || now.ended);
	assert_true(
		instant_equal(now.paused_until, time_of(england.calendar, "2026-11-25 10:00")));
	while (timeline_next(timeline, time_of(england.calendar, "2026-12-01 12:00"), &entry,
			     &error) > 0)
		continue;
	now = timeline_state(timeline);
	assert_false(now.paused);
	assert_true(
		instant_equal(now.paused_until, time_of(england.calendar, "2026-11-25 10:00")));
	calendar_destroy(england.calendar);
}

/* A generator of our own, so that a seed replays on every machine (xorshift64*). */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

/* Events that any hand might record, from half an hour to three days apart. */
static size_t some_history(uint64_t *seed, struct event events[static EVENTS])
{
	static const char *const stages[] = { "practitioner", "manager", "chair" };
	int64_t at = 1795428000 + (int64_t)(draw(seed) % (120 * 86400));
	size_t count = 2 + draw(seed) % (EVENTS - 2);

	for (size_t i = 0; i < count; i++) {
		size_t kind = i == 0 ? EVENT_RAISED : draw(seed) % EVENT_VOIDED;

		events[i] =
			(struct event){ .id = (int64_t)i + 1,
					.key = (int64_t)i + 1,
					.kind = event_kinds[kind],
					.stage = stages[draw(seed) % 3],
					.value = "",
					.at = { at },
					.due = { at + (int64_t)(draw(seed) % (6 * 86400)) } };
		at += 1800 + (int64_t)(draw(seed) % (3 * 86400));
	}
	return count;
}

/* What is said before `until`, in words. */
static void write_before(struct timeline *timeline, const struct policy *policy,
			 const struct challenge *challenge, struct instant until,
			 struct text *out)
{
	struct error error = { 0 };
	struct entry entry;

	timeline_begin(timeline, policy, challenge);
	while (timeline_next(timeline, instant_add(until, -1), &entry, &error) > 0)
		write_entry(policy, &entry, out);
}

static void write_owed(void *context, const struct owed *owed)
{
	text_appendf(context, "owed %d %lld %lld %d %lld %d %d %zu %d\n", owed->obligation,
		     (long long)owed->event, (long long)owed->started.seconds, owed->derived,
		     (long long)owed->due.seconds, owed->breached, owed->lapsed, owed->run,
		     owed->owner.count);
}

/* All that a timeline tells of a challenge until then, to the last number. */
static void write_all(struct timeline *timeline, const struct policy *policy,
		      const struct challenge *challenge, struct instant until, struct text *out)
{
	struct timeline_state now;
	struct error error = { 0 };
	struct entry entry;
	size_t last = 0;
	size_t pauses;

	timeline_begin(timeline, policy, challenge);
	while (timeline_next(timeline, until, &entry, &error) > 0) {
		write_entry(policy, &entry, out);
		text_appendf(out, " %lld %lld %lld %lld %zu %d %d\n",
			     (long long)entry.send_at.seconds, (long long)entry.event,
			     (long long)entry.started.seconds, (long long)entry.due.seconds,
			     entry.run, entry.firm, entry.provisional);
		last = entry.run > last ? entry.run : last;
	}
	for (size_t run = 0; run <= last + 1; run++)
		text_appendf(out, "%zu ended %lld\n", run,
			     (long long)timeline_run_end(timeline, run).seconds);
	now = timeline_state(timeline);
	text_appendf(out, "%d %lld %lld %d %d %d %lld %u %d %lld\n", now.stage,
		     (long long)now.stage_entered.seconds, (long long)now.stage_event,
		     now.derived, now.open, now.ended, (long long)now.last_event.seconds,
		     now.problems, now.paused, (long long)now.paused_until.seconds);
	(void)timeline_pauses(timeline, &pauses);
	text_appendf(out, "%zu pauses\n", pauses);
	timeline_owed(timeline, write_owed, out);
}

/* One timeline serves challenge after challenge, and nothing of one shows in the next. */
static void what_was_told_before_leaves_no_trace(void **state)
{
	struct england england;
	struct policy policy;
	CLEANUP(timeline_destroyp) struct timeline *used = timeline_create();
	uint64_t seed = 20261124;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	england_plan(&england);
	england_create(&england);
	example(&policy, england.calendar);
	for (int i = 0; i < 2000; i++) {
		CLEANUP(timeline_destroyp) struct timeline *fresh = timeline_create();
		CLEANUP(text_clear) struct text before = { 0 };
		CLEANUP(text_clear) struct text with_used = { 0 };
		CLEANUP(text_clear) struct text with_fresh = { 0 };
		struct event events[EVENTS];
		struct event others[EVENTS];
		struct challenge challenge = { .urgency = i % 3 == 0 ? "whenever" : "",
					       .events = events,
					       .protect_by = INSTANT_NEVER };
		struct challenge next = { .urgency = "", .protect_by = INSTANT_NEVER };
		struct instant until;

		challenge.event_count = some_history(&seed, events);
		next.event_count = some_history(&seed, others);
		/* Some are not even raised, or not known at all. */
		next.events = others + i % 2;
		next.event_count = i % 5 == 0 ? 0 : next.event_count - (size_t)(i % 2);
		write_all(used, &policy, &challenge,
			  instant_add(events[challenge.event_count - 1].at,
				      (int64_t)(draw(&seed) % (40 * 86400))),
			  &before);
		until = instant_add(others[0].at, (int64_t)(draw(&seed) % (60 * 86400)));
		write_all(used, &policy, &next, until, &with_used);
		write_all(fresh, &policy, &next, until, &with_fresh);
		assert_string_equal(text_string(&with_used), text_string(&with_fresh));
	}
	calendar_destroy(england.calendar);
}

static void a_longer_history_never_changes_the_past(void **state)
{
	struct england england;
	struct policy policy;
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	uint64_t seed = 20261123;
	size_t said = 0;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	england_plan(&england);
	split_fridays(&england);
	england_create(&england);
	example(&policy, england.calendar);
	for (int i = 0; i < 3000; i++) {
		struct event events[EVENTS];
		size_t count = some_history(&seed, events);
		struct challenge challenge = { .urgency = "", .events = events };

		challenge.protect_by = draw(&seed) % 3 == 0
					       ? instant_add(events[0].at, 4 * SECONDS_PER_DAY)
					       : INSTANT_NEVER;
		for (size_t known = 1; known < count; known++) {
			CLEANUP(text_clear) struct text shorter = { 0 };
			CLEANUP(text_clear) struct text longer = { 0 };

			challenge.event_count = known;
			write_before(timeline, &policy, &challenge, events[known].at, &shorter);
			challenge.event_count = known + 1;
			write_before(timeline, &policy, &challenge, events[known].at, &longer);
			assert_string_equal(text_string(&shorter), text_string(&longer));
			said += shorter.length;
		}
	}
	assert_true(said > 1000000); /* it compares something */
	calendar_destroy(england.calendar);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(cases) + 10];

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = says,
						.initial_state = (void *)&cases[i] };
	tests[COUNT(cases)] = (struct CMUnitTest){
		.name = "a recorded answer ends a clock, an escalation does not",
		.test_func = knows_what_ended
	};
	tests[COUNT(cases) + 1] = (struct CMUnitTest){
		.name = "a longer history never changes the past",
		.test_func = a_longer_history_never_changes_the_past,
	};
	tests[COUNT(cases) + 2] = (struct CMUnitTest){
		.name = "past the list of holidays all is provisional",
		.test_func = knows_what_is_provisional,
	};
	tests[COUNT(cases) + 3] = (struct CMUnitTest){
		.name = "what was told before leaves no trace",
		.test_func = what_was_told_before_leaves_no_trace,
	};
	tests[COUNT(cases) + 4] = (struct CMUnitTest)cmocka_unit_test(looks_ahead);
	tests[COUNT(cases) + 5] = (struct CMUnitTest)cmocka_unit_test(knows_where_it_stands);
	tests[COUNT(cases) + 6] = (struct CMUnitTest)cmocka_unit_test(knows_what_is_owed);
	tests[COUNT(cases) + 7] =
		(struct CMUnitTest)cmocka_unit_test(knows_that_what_was_left_behind_ended);
	tests[COUNT(cases) + 8] = (struct CMUnitTest)cmocka_unit_test(
		what_was_left_behind_is_not_kept_without_end);
	tests[COUNT(cases) + 9] = (struct CMUnitTest)cmocka_unit_test(kinds_have_names);
	return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
