/* describe.c - see describe.h. Only what the policy holds is said, in the order of its file. */
#include "ctl/describe.h"

#include <string.h>

/* What every sentence needs at hand. */
struct telling {
	const struct policy *policy;
	const struct role_rule *roles;
	size_t role_count;
	struct text *text;
};

static void tell_role(const struct telling *telling, role_index index)
{
	static const char *const sides[] = {
		[SIDE_RAISING] = " of the raising agency",
		[SIDE_RECEIVING] = " of the receiving agency",
		[SIDE_PARTNERSHIP] = "",
	};
	const struct role *role;

	if (index == ROLE_OWNER) {
		text_append(telling->text, "whoever owes it");
		return;
	}
	role = &telling->policy->roles[index];
	if (strcmp(role->name, "inbox") == 0)
		text_append(telling->text, "the partnership's inbox");
	else
		text_append(telling->text,
			    role_title(telling->roles, telling->role_count, role->name));
	text_append(telling->text, sides[role->side]);
}

static void tell_roles(const struct telling *telling, const struct role_set *set)
{
	for (uint8_t i = 0; i < set->count; i++) {
		if (i > 0)
			text_append(telling->text, i + 1 == set->count ? " and " : ", ");
		tell_role(telling, set->role[i]);
	}
}

static void tell_scale(const struct telling *telling, struct timescale scale)
{
	char text[TIMESCALE_TEXT_SIZE];

	text_append(telling->text, timescale_format(scale, text));
	if (scale.unit == TIMESCALE_WORKING_WEEKS)
		text_appendf(telling->text, " (%d working days)", (int)scale.amount * 5);
	if (scale.unit == TIMESCALE_HOURS)
		text_append(telling->text, " of the clock, nights and weekends too");
}

static bool same_for_all(const struct policy *policy, const struct obligation *obligation)
{
	for (size_t i = 1; i < policy->urgency_count; i++)
		if (obligation->limit[i].unit != obligation->limit[0].unit ||
		    obligation->limit[i].amount != obligation->limit[0].amount)
			return false;
	return true;
}

static void tell_limit(const struct telling *telling, const struct obligation *obligation)
{
	const struct policy *policy = telling->policy;

	if (obligation->limit[0].unit == TIMESCALE_NONE) {
		text_append(telling->text, "no limit");
	} else if (same_for_all(policy, obligation)) {
		tell_scale(telling, obligation->limit[0]);
	} else {
		for (size_t i = 0; i < policy->urgency_count; i++) {
			text_append(telling->text, i > 0 ? "; " : "");
			tell_scale(telling, obligation->limit[i]);
			text_appendf(telling->text, " if %s", policy->urgencies[i]);
		}
	}
	if (!obligation->firm)
		text_append(telling->text, " (where possible)");
}

static void tell_span(const struct telling *telling, const struct obligation *obligation)
{
	const struct policy *policy = telling->policy;

	if (obligation->starts == KIND_STAGE_ENTRY)
		text_append(telling->text, "from entering the stage");
	else
		text_appendf(telling->text, "from \"%s\"", policy->kinds[obligation->starts]);
	text_append(telling->text, " until ");
	if (obligation->end_count == 0)
		text_append(telling->text, "the stage is left");
	for (size_t i = 0; i < obligation->end_count; i++)
		text_appendf(telling->text, "%s\"%s\"", i > 0 ? " or " : "",
			     policy->kinds[obligation->ends[i]]);
}

static void tell_late(const struct telling *telling, const struct obligation *obligation)
{
	const struct policy *policy = telling->policy;

	if (obligation->limit[0].unit == TIMESCALE_NONE)
		return;
	text_append(telling->text, "        Not done by then: tells ");
	if (obligation->breach_to.count > 0)
		tell_roles(telling, &obligation->breach_to);
	else
		text_append(telling->text, "whoever owes it");
	if (obligation->escalate_to != STAGE_NONE && obligation->firm)
		text_appendf(telling->text, ", and goes to %s",
			     policy->stages[obligation->escalate_to].title);
	text_append(telling->text, ".\n");
}

static void tell_repeat(const struct telling *telling, const struct obligation *obligation)
{
	if (obligation->every.unit == TIMESCALE_NONE)
		return;
	text_append(telling->text, obligation->limit[0].unit == TIMESCALE_NONE
					   ? "        Asks again every "
					   : "        After that asks again every ");
	tell_scale(telling, obligation->every);
	if (obligation->times > 0)
		text_appendf(telling->text, ", %d %s.\n", (int)obligation->times,
			     text_plural(obligation->times, "time", "times"));
	else
		text_append(telling->text, ", until the challenge ends.\n");
}

static void tell_obligation(const struct telling *telling, const struct obligation *obligation)
{
	text_appendf(telling->text, "    %s (line %d): ", obligation->id, obligation->line);
	if (obligation->owner.count > 0)
		tell_roles(telling, &obligation->owner);
	else
		text_append(telling->text, "whoever owns the stage");
	text_append(telling->text, "; ");
	tell_limit(telling, obligation);
	text_append(telling->text, ", ");
	tell_span(telling, obligation);
	text_append(telling->text, ".\n");
	for (size_t i = 0; i < obligation->reminder_count; i++)
		text_appendf(telling->text, "%s%s%s%s%s", i == 0 ? "        Reminds " : ", ",
			     obligation->reminders[i].percent > 0 ? "after " : "",
			     obligation->reminders[i].text,
			     obligation->reminders[i].percent > 0 ? " of the time" : "",
			     i + 1 == obligation->reminder_count ? ".\n" : "");
	tell_late(telling, obligation);
	tell_repeat(telling, obligation);
}

static void tell_stage(const struct telling *telling, const struct stage *stage)
{
	text_appendf(telling->text, "\n  %s [%s]\n", stage->title, stage->id);
	if (stage->owner.count + stage->inform.count > 0) {
		text_append(telling->text, "    Entering it tells ");
		tell_roles(telling, &stage->owner);
		if (stage->owner.count > 0 && stage->inform.count > 0)
			text_append(telling->text, "; and ");
		tell_roles(telling, &stage->inform);
		text_append(telling->text, ".\n");
	}
	for (size_t i = 0; i < stage->obligation_count; i++)
		tell_obligation(telling,
				&telling->policy->obligations[stage->first_obligation + i]);
	if (stage->obligation_count == 0)
		text_append(telling->text, "    Nobody owes anything here.\n");
}

static void tell_counting(const struct telling *telling)
{
	const struct counting *counting = &telling->policy->counting;

	text_appendf(telling->text, "  Counted by the calendar \"%s\" (%s). ",
		     calendar_plan(telling->policy->calendar)->id,
		     calendar_zone(telling->policy->calendar)->name);
	text_append(telling->text, counting->first_day == FIRST_DAY_NEXT
					   ? "The day of the start is not counted; "
					   : "The day of the start is counted; ");
	text_append(telling->text,
		    counting->late_arrival == LATE_SAME_DAY
			    ? "what arrives out of hours counts as of that day; "
			    : "what arrives out of hours counts from the next opening; ");
	text_append(telling->text, counting->due == DUE_CLOSE
					   ? "due at closing time.\n"
					   : "due at the time of day of the start.\n");
}

static void tell_whole(const struct telling *telling)
{
	const struct policy *policy = telling->policy;

	text_append(telling->text, "  Immediate risk, at any hour: tells ");
	tell_roles(telling, &policy->immediate_to);
	text_append(telling->text, ".\n  Nothing recorded for ");
	tell_scale(telling, policy->quiet_after);
	text_append(telling->text, ": tells ");
	tell_roles(telling, &policy->quiet_to);
	text_append(telling->text, ".\n");
	if (policy->acknowledge_mutes.unit != TIMESCALE_NONE) {
		text_append(telling->text, "  An acknowledgement quiets reminders for ");
		tell_scale(telling, policy->acknowledge_mutes);
		text_append(telling->text, "; it stops no clock.\n");
	}
}

void describe_policy(const struct policy *policy, const struct role_rule *roles,
		     size_t role_count, struct text *text)
{
	const struct telling telling = { policy, roles, role_count, text };
	bool overall = false;

	text_appendf(text, "%s, version %s: %s\n  (%s)\n", policy->id, policy->version,
		     policy->title, policy->file);
	if (policy->source[0] != '\0')
		text_appendf(text, "  Source: %s\n", policy->source);
	tell_counting(&telling);
	tell_whole(&telling);
	for (size_t i = 0; i < policy->stage_count; i++)
		tell_stage(&telling, &policy->stages[i]);
	for (size_t i = 0; i < policy->obligation_count; i++) {
		if (policy->obligations[i].stage != STAGE_NONE)
			continue;
		if (!overall)
			text_append(text, "\n  At every stage\n");
		overall = true;
		tell_obligation(&telling, &policy->obligations[i]);
	}
}
