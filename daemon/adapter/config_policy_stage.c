/*
 * config_policy_stage.c - stages, the obligations in them and above them, and the ladder that
 * escalations make of them.
 */
#include "adapter/config_policy_internal.h"

#include "base/list.h"

#include <string.h>

enum { MOST_REPEATS = 1000 };

static void read_escalate_to(struct reader *reader, config_setting_t *setting, void *at)
{
	const struct policy_reading *reading = policy_reading_of(reader);
	const char *id = reader_text(reader, setting);
	struct nearest nearest = { .typed = id };
	char hint[HINT_SIZE];
	int place;

	if (id == NULL)
		return;
	place = policy_stage(reading->policy, id);
	if (place == STAGE_NONE) {
		for (size_t i = 0; i < reading->policy->stage_count; i++)
			nearest_offer(&nearest, reading->policy->stages[i].id);
		reader_fault(reader, setting, "no such stage as \"%s\"%s", id,
			     nearest_hint(&nearest, hint));
	} else if (place <= reading->stage) {
		reader_fault(reader, setting, "\"%s\" is %s; an escalation goes to a later one",
			     id,
			     place == reading->stage ? "this very stage" : "an earlier stage");
	} else {
		*(int *)at = place;
	}
}

/* --- the rows --- */

/* clang-format off */
static const struct field breach_fields[] = {
	{ .name = "escalate_to", .kind = FIELD_CUSTOM, .custom = read_escalate_to,
	  .at = offsetof(struct obligation, escalate_to) },
	{ .name = "tell", .kind = FIELD_CUSTOM, .custom = policy_told_read,
	  .at = offsetof(struct obligation, breach_to) },
};
/* clang-format on */

/* clang-format off */
static const struct field repeat_fields[] = {
	{ .name = "every", .kind = FIELD_CUSTOM, .custom = policy_every_read, .required = true },
	{ .name = "times", .kind = FIELD_NUMBER, .max = MOST_REPEATS,
	  .at = offsetof(struct obligation, times) },
};
/* clang-format on */

/* What a stage's shorthand and an obligation have in common; both begin with the struct. */
/* clang-format off */
#define OBLIGATION_ROWS                                                             \
	{ .name = "id", .kind = FIELD_TEXT, .required = true, .check = check_id,    \
	  .at = offsetof(struct obligation, id) },                                  \
	{ .name = "owner", .kind = FIELD_CUSTOM, .custom = policy_people_read,      \
	  .at = offsetof(struct obligation, owner) },                               \
	{ .name = "limit", .kind = FIELD_CUSTOM, .custom = policy_limit_read },     \
	{ .name = "firm", .kind = FIELD_FLAG, .fallback = 1,                        \
	  .at = offsetof(struct obligation, firm) },                                \
	{ .name = "remind", .kind = FIELD_CUSTOM, .custom = policy_remind_read },   \
	{ .name = "breach", .kind = FIELD_GROUP, .fields = breach_fields,           \
	  .field_count = COUNT(breach_fields) },                                    \
	{ .name = "repeat", .kind = FIELD_GROUP, .fields = repeat_fields,           \
	  .field_count = COUNT(repeat_fields) }
/* clang-format on */

/* clang-format off */
static const struct field obligation_fields[] = {
	OBLIGATION_ROWS,
	{ .name = "starts", .kind = FIELD_CUSTOM, .custom = policy_starts_read, .required = true,
	  .at = offsetof(struct obligation, starts) },
	{ .name = "ends", .kind = FIELD_CUSTOM, .custom = policy_ends_read, .required = true },
};
/* clang-format on */

struct stage_draft {
	struct obligation shorthand; /* first: OBLIGATION_ROWS counts from the beginning */
	const char *title;
	struct role_set inform;
	config_setting_t *obligations;
};

static void keep_setting(struct reader *reader, config_setting_t *setting, void *at)
{
	(void)reader;
	*(config_setting_t **)at = setting;
}

/* clang-format off */
static const struct field stage_fields[] = {
	OBLIGATION_ROWS,
	{ .name = "title", .kind = FIELD_TEXT, .required = true, .check = check_not_empty,
	  .at = offsetof(struct stage_draft, title) },
	{ .name = "inform", .kind = FIELD_CUSTOM, .custom = policy_people_read,
	  .at = offsetof(struct stage_draft, inform) },
	{ .name = "obligations", .kind = FIELD_LIST, .custom = keep_setting,
	  .at = offsetof(struct stage_draft, obligations) },
};
/* clang-format on */

/* --- obligations --- */

static bool has_limit(const struct obligation *obligation)
{
	for (size_t i = 0; i < POLICY_URGENCIES; i++)
		if (obligation->limit[i].unit != TIMESCALE_NONE)
			return true;
	return false;
}

/* Unit and amount made comparable; false for those that only a calendar can compare. */
static bool as_steps(struct timescale scale, enum timescale_unit *ret_unit, int32_t *ret_steps)
{
	static const struct {
		enum timescale_unit unit, counts_as;
		int32_t times;
	} same[] = {
		{ TIMESCALE_WORKING_DAYS, TIMESCALE_WORKING_DAYS, 1 },
		{ TIMESCALE_WORKING_WEEKS, TIMESCALE_WORKING_DAYS, 5 },
		{ TIMESCALE_WORKING_HOURS, TIMESCALE_WORKING_HOURS, 1 },
		{ TIMESCALE_HOURS, TIMESCALE_HOURS, 1 },
		{ TIMESCALE_DAYS, TIMESCALE_DAYS, 1 },
		{ TIMESCALE_WEEKS, TIMESCALE_DAYS, 7 },
	};

	for (size_t i = 0; i < COUNT(same); i++)
		if (same[i].unit == scale.unit) {
			*ret_unit = same[i].counts_as;
			*ret_steps = scale.amount * same[i].times;
			return true;
		}
	return false;
}

/* A reminder so long before the due time that it falls before the start is never sent. */
static bool never_sent(const struct policy *policy, const struct obligation *obligation,
		       const struct reminder *reminder)
{
	enum timescale_unit unit;
	enum timescale_unit before_unit;
	int32_t steps;
	int32_t before;

	if (reminder->percent != 0 || !as_steps(reminder->before, &before_unit, &before))
		return false;
	for (size_t i = 0; i < policy->urgency_count; i++)
		if (!as_steps(obligation->limit[i], &unit, &steps) || unit != before_unit ||
		    before < steps)
			return false;
	return true;
}

static void check_reminders(struct reader *reader, config_setting_t *group,
			    const struct obligation *obligation)
{
	for (size_t i = 0; i < obligation->reminder_count; i++)
		if (never_sent(policy_reading_of(reader)->policy, obligation,
			       &obligation->reminders[i]))
			reader_warn(reader, config_setting_get_member(group, "remind"),
				    "\"%s\" falls before the start and is never sent",
				    obligation->reminders[i].text);
}

static void check_without_limit(struct reader *reader, const config_setting_t *group,
				const struct obligation *obligation)
{
	char every[TIMESCALE_TEXT_SIZE];

	if (obligation->reminder_count > 0)
		reader_fault_in(reader, group, "remind",
				"there is no limit to remind of; use repeat = { every = ... }");
	if (obligation->escalate_to != STAGE_NONE || obligation->breach_to.count > 0)
		reader_warn_in(reader, group, "breach",
			       "never happens: without a limit nothing is ever late");
	if (obligation->every.unit != TIMESCALE_NONE)
		reader_warn_in(reader, group, "limit",
			       "none: nobody is ever late here, only reminded every %s",
			       timescale_format(obligation->every, every));
	else
		reader_warn_in(reader, group, "limit",
			       "none, and no repeat: nobody is ever late or reminded here");
}

static void check_obligation(struct reader *reader, config_setting_t *group,
			     const struct obligation *obligation)
{
	/* A limit that is there but was faulted says nothing about there being none. */
	if (obligation->limit_line == 0)
		check_without_limit(reader, group, obligation);
	else if (has_limit(obligation))
		check_reminders(reader, group, obligation);
	if (!obligation->firm && obligation->escalate_to != STAGE_NONE)
		reader_warn_in(reader, group, "breach.escalate_to",
			       "never happens: firm = false tells, but moves nothing");
}

static void obligation_add(struct reader *reader, const config_setting_t *group,
			   const struct obligation *obligation)
{
	struct policy *policy = policy_reading_of(reader)->policy;

	for (size_t i = 0; i < policy->obligation_count; i++)
		if (policy->obligations[i].stage == obligation->stage &&
		    strcmp(policy->obligations[i].id, obligation->id) == 0 &&
		    obligation->id[0] != '\0')
			reader_fault_in(reader, group, "id",
					"\"%s\" is the id of another obligation on line %d",
					obligation->id, policy->obligations[i].line);
	if (policy->obligation_count == POLICY_OBLIGATIONS)
		reader_fault(reader, group, "more than %d obligations in one policy",
			     POLICY_OBLIGATIONS);
	else
		policy->obligations[policy->obligation_count++] = *obligation;
}

/* True when the obligation has an owner of its own. */
static bool read_obligation(struct reader *reader, config_setting_t *group,
			    const struct role_set *stage_owner)
{
	struct obligation obligation = {
		.stage = policy_reading_of(reader)->stage,
		.escalate_to = STAGE_NONE,
		.line = setting_line(group),
	};
	bool owned;

	reader_group(reader, group, obligation_fields, COUNT(obligation_fields), &obligation);
	if (!config_setting_is_group(group))
		return true;
	/* One that was given and faulted counts as there. */
	owned = config_setting_get_member(group, "owner") != NULL;
	if (!owned && stage_owner != NULL)
		obligation.owner = *stage_owner;
	check_obligation(reader, group, &obligation);
	obligation_add(reader, group, &obligation);
	return owned;
}

/* --- stages --- */

static bool has_shorthand(const config_setting_t *group)
{
	static const char *const keys[] = { "limit", "remind", "breach", "repeat" };

	for (size_t i = 0; i < COUNT(keys); i++)
		if (config_setting_get_member(group, keys[i]) != NULL)
			return true;
	return false;
}

/* Reads all that the stage owes; true when some of it needs the stage to have an owner. */
static bool read_owed(struct reader *reader, config_setting_t *group,
		      const struct stage_draft *draft)
{
	bool needs_owner = false;
	int count = draft->obligations != NULL ? config_setting_length(draft->obligations) : 0;

	if (has_shorthand(group)) {
		needs_owner = true;
		check_obligation(reader, group, &draft->shorthand);
		obligation_add(reader, group, &draft->shorthand);
	} else if (count == 0) {
		reader_warn_in(reader, group, "obligations",
			       "none: in this stage nobody is ever late or reminded");
	}
	for (int i = 0; i < count; i++)
		if (!read_obligation(reader,
				     config_setting_get_elem(draft->obligations, (unsigned)i),
				     &draft->shorthand.owner))
			needs_owner = true;
	return needs_owner;
}

static void read_stage(struct reader *reader, config_setting_t *group, int place)
{
	struct policy_reading *reading = policy_reading_of(reader);
	struct stage *stage = &reading->policy->stages[place];
	struct stage_draft draft = {
		.shorthand = { .stage = place,
			       .starts = KIND_STAGE_ENTRY,
			       .escalate_to = STAGE_NONE,
			       .line = setting_line(group) },
	};

	reading->stage = place;
	reader_group(reader, group, stage_fields, COUNT(stage_fields), &draft);
	*stage = (struct stage){
		.id = draft.shorthand.id,
		.title = draft.title,
		.owner = draft.shorthand.owner,
		.inform = draft.inform,
		.first_obligation = reading->policy->obligation_count,
		.line = draft.shorthand.line,
	};
	if (!config_setting_is_group(group))
		return;
	if (read_owed(reader, group, &draft) &&
	    config_setting_get_member(group, "owner") == NULL) {
		reading->unowned[place] = true;
		reader_fault_in(reader, group, "owner",
				"is required: something in this stage is owed by nobody else");
	}
	stage->obligation_count = reading->policy->obligation_count - stage->first_obligation;
}

/* The ids of all stages come first, so that an escalation may name a later one. */
static void read_stage_ids(struct reader *reader, config_setting_t *list, struct policy *policy)
{
	policy->stage_count = 0;
	for (int i = 0; i < config_setting_length(list); i++) {
		config_setting_t *group = config_setting_get_elem(list, (unsigned)i);
		const char *id = "";

		if (config_setting_is_group(group) &&
		    config_setting_lookup_string(group, "id", &id) == CONFIG_TRUE &&
		    policy_stage(policy, id) != STAGE_NONE)
			reader_fault_in(reader, group, "id",
					"\"%s\" is the id of an earlier stage", id);
		policy->stages[policy->stage_count++].id = reader_copy(reader, id);
	}
}

void policy_stages_read(struct reader *reader, config_setting_t *list, void *at)
{
	struct policy *policy = at;
	int count = config_setting_length(list);

	if (count < 1 || count > POLICY_STAGES) {
		reader_fault(reader, list, "must have 1 to %d stages", POLICY_STAGES);
		return;
	}
	read_stage_ids(reader, list, policy);
	for (int i = 0; i < count; i++)
		read_stage(reader, config_setting_get_elem(list, (unsigned)i), i);
}

void policy_overall_read(struct reader *reader, config_setting_t *list, void *at)
{
	struct policy_reading *reading = policy_reading_of(reader);

	(void)at;
	reading->stage = STAGE_NONE;
	for (int i = 0; i < config_setting_length(list); i++)
		if (!read_obligation(reader, config_setting_get_elem(list, (unsigned)i), NULL))
			reading->overall_unowned = true;
}

/* --- the ladder --- */

static bool stage_is_reached(const struct policy *policy, int stage)
{
	for (size_t i = 0; i < policy->obligation_count; i++)
		if (policy->obligations[i].escalate_to == stage)
			return true;
	return stage == 0;
}

static bool stage_is_left(const struct policy *policy, const struct stage *stage)
{
	for (size_t i = 0; i < policy->obligation_count; i++) {
		const struct obligation *obligation = &policy->obligations[i];

		if (obligation->escalate_to != STAGE_NONE && obligation->firm &&
		    has_limit(obligation) &&
		    (obligation->stage == STAGE_NONE ||
		     stage == &policy->stages[obligation->stage]))
			return true;
	}
	return false;
}

void policy_ladder_check(struct reader *reader, config_setting_t *group,
			 const struct policy *policy, const struct policy_reading *reading)
{
	config_setting_t *list = config_setting_get_member(group, "stages");

	for (size_t i = 0; i < policy->stage_count; i++) {
		config_setting_t *one = config_setting_get_elem(list, (unsigned)i);

		if (!config_setting_is_group(one))
			continue;
		if (!stage_is_reached(policy, (int)i))
			reader_warn(reader, one,
				    "no escalation leads to this stage; only people enter it");
		if (i + 1 < policy->stage_count && !stage_is_left(policy, &policy->stages[i]))
			reader_warn(reader, one,
				    "no escalation leads out of this stage: silence ends here");
		if (reading->overall_unowned && !reading->unowned[i] &&
		    config_setting_get_member(one, "owner") == NULL)
			reader_fault_in(
				reader, one, "owner",
				"is required: an overall obligation has no owner of its "
				"own, so the stage's owes it");
	}
}
