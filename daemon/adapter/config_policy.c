/*
 * config_policy.c - one policy file as a whole, and its settings beside the stages; see
 * config_policy.h. The language is design section 4.
 *
 * Tables of rows say which settings there are; what a row is made of stands in a file of its
 * own.
 */
#include "adapter/config_policy_internal.h"

#include "core/challenge.h"

#include <string.h>

struct policy_reading *policy_reading_of(const struct reader *reader)
{
	return reader->context;
}

static void read_calendar(struct reader *reader, config_setting_t *setting, void *at)
{
	const struct policy_world *world = policy_reading_of(reader)->world;
	const char *id = reader_text(reader, setting);
	struct nearest nearest = { .typed = id };
	char hint[HINT_SIZE];

	if (id == NULL)
		return;
	for (size_t i = 0; i < world->calendar_count; i++) {
		if (strcmp(world->calendars[i].id, id) == 0) {
			*(const struct calendar **)at = world->calendars[i].calendar;
			return;
		}
		nearest_offer(&nearest, world->calendars[i].id);
	}
	reader_fault(reader, setting, "the main file has no calendar \"%s\"%s", id,
		     nearest_hint(&nearest, hint));
}

static void read_urgencies(struct reader *reader, config_setting_t *setting, void *at)
{
	struct policy *policy = at;
	int count = reader_text_count(setting);

	if (count < 1 || count > POLICY_URGENCIES) {
		reader_fault(reader, setting, "must name 1 to %d urgencies", POLICY_URGENCIES);
		return;
	}
	policy->urgency_count = 0;
	for (int i = 0; i < count; i++) {
		const char *urgency = reader_text_at(reader, setting, i);
		struct error error = { 0 };

		if (urgency == NULL)
			continue;
		if (check_id(urgency, &error) < 0)
			reader_fault(reader, setting, "%s", error.text);
		else if (policy->urgency_count > 0 && policy_urgency(policy, urgency) >= 0)
			reader_fault(reader, setting, "names \"%s\" twice", urgency);
		else
			policy->urgencies[policy->urgency_count++] =
				reader_copy(reader, urgency);
	}
}

static const char *const first_day_words[] = {
	[FIRST_DAY_NEXT] = "next", [FIRST_DAY_SAME] = "same", NULL
};
static const char *const late_words[] = {
	[LATE_SAME_DAY] = "same_day", [LATE_NEXT_WORKING_DAY] = "next_working_day", NULL
};
static const char *const due_words[] = {
	[DUE_CLOSE] = "close", [DUE_SAME_TIME] = "same_time", NULL
};

/* clang-format off */
static const struct field counting_fields[] = {
	{ .name = "first_day", .kind = FIELD_CHOICE, .words = first_day_words,
	  .at = offsetof(struct counting, first_day) },
	{ .name = "late_arrival", .kind = FIELD_CHOICE, .words = late_words,
	  .at = offsetof(struct counting, late_arrival) },
	{ .name = "due", .kind = FIELD_CHOICE, .words = due_words,
	  .at = offsetof(struct counting, due) },
};
/* clang-format on */

/* clang-format off */
static const struct field learning_fields[] = {
	{ .name = "title", .kind = FIELD_TEXT, .required = true, .check = check_not_empty,
	  .at = offsetof(struct policy, learning_title) },
	{ .name = "url", .kind = FIELD_TEXT, .required = true, .check = check_link,
	  .at = offsetof(struct policy, learning_url) },
};
/* clang-format on */

/* clang-format off */
static const struct field immediate_fields[] = {
	{ .name = "tell", .kind = FIELD_CUSTOM, .custom = policy_people_read, .required = true,
	  .at = offsetof(struct policy, immediate_to) },
};
/* clang-format on */

/* clang-format off */
static const struct field quiet_fields[] = {
	{ .name = "after", .kind = FIELD_CUSTOM, .custom = policy_distance_read, .required = true,
	  .at = offsetof(struct policy, quiet_after) },
	{ .name = "tell", .kind = FIELD_CUSTOM, .custom = policy_people_read, .required = true,
	  .at = offsetof(struct policy, quiet_to) },
};
/* clang-format on */

/* clang-format off */
static const struct field acknowledge_fields[] = {
	{ .name = "mutes", .kind = FIELD_CUSTOM, .custom = policy_distance_read, .required = true,
	  .at = offsetof(struct policy, acknowledge_mutes) },
};
/* clang-format on */

/* In the order of reading: urgencies and events are needed by the stages. */
/* clang-format off */
static const struct field policy_fields[] = {
	{ .name = "id", .kind = FIELD_TEXT, .required = true, .check = check_id,
	  .at = offsetof(struct policy, id) },
	{ .name = "version", .kind = FIELD_TEXT, .required = true, .check = check_id,
	  .at = offsetof(struct policy, version) },
	{ .name = "title", .kind = FIELD_TEXT, .required = true, .check = check_not_empty,
	  .at = offsetof(struct policy, title) },
	{ .name = "source", .kind = FIELD_TEXT, .at = offsetof(struct policy, source) },
	{ .name = "guidance", .kind = FIELD_TEXT, .check = check_link,
	  .at = offsetof(struct policy, guidance) },
	{ .name = "learning", .kind = FIELD_GROUP, .fields = learning_fields,
	  .field_count = COUNT(learning_fields) },
	{ .name = "causes", .kind = FIELD_TEXTS, .check = check_not_empty,
	  .at = offsetof(struct policy, causes),
	  .count_at = offsetof(struct policy, cause_count) },
	{ .name = "outcomes", .kind = FIELD_TEXTS, .check = check_not_empty,
	  .at = offsetof(struct policy, outcomes),
	  .count_at = offsetof(struct policy, outcome_count) },
	{ .name = "calendar", .kind = FIELD_CUSTOM, .custom = read_calendar, .required = true,
	  .at = offsetof(struct policy, calendar) },
	{ .name = "urgencies", .kind = FIELD_CUSTOM, .custom = read_urgencies },
	{ .name = "counting", .kind = FIELD_GROUP, .fields = counting_fields,
	  .field_count = COUNT(counting_fields), .at = offsetof(struct policy, counting) },
	{ .name = "immediate", .kind = FIELD_GROUP, .fields = immediate_fields,
	  .field_count = COUNT(immediate_fields) },
	{ .name = "quiet", .kind = FIELD_GROUP, .fields = quiet_fields,
	  .field_count = COUNT(quiet_fields) },
	{ .name = "acknowledge", .kind = FIELD_GROUP, .fields = acknowledge_fields,
	  .field_count = COUNT(acknowledge_fields) },
	{ .name = "events", .kind = FIELD_CUSTOM, .custom = policy_events_read },
	{ .name = "stages", .kind = FIELD_LIST, .custom = policy_stages_read, .required = true },
	{ .name = "overall", .kind = FIELD_LIST, .custom = policy_overall_read },
};
/* clang-format on */

static void default_told(struct reader *reader, config_setting_t *group, const char *key,
			 struct role_set *set, const char *what)
{
	if (config_setting_get_member(group, key) != NULL)
		return;
	policy_role_add(reader, group, "partnership.inbox", set, false);
	reader_warn_in(reader, group, key, "left out: %s", what);
}

static void read_policy(struct reader *reader, config_setting_t *group, void *at)
{
	struct policy *policy = at;

	reader_group(reader, group, policy_fields, COUNT(policy_fields), policy);
	if (!config_setting_is_group(group))
		return;
	if (config_setting_get_member(group, "quiet") == NULL)
		policy->quiet_after = (struct timescale){ TIMESCALE_WORKING_DAYS, 5 };
	default_told(reader, group, "quiet", &policy->quiet_to,
		     "the partnership's inbox is told after 5 working days without an event");
	default_told(reader, group, "immediate", &policy->immediate_to,
		     "only the partnership's inbox is told of an immediate risk");
	if (config_setting_get_member(group, "stages") != NULL && policy->stage_count > 0)
		policy_ladder_check(reader, group, policy, policy_reading_of(reader));
}

struct policy *policy_read(const struct source *source, const char *digest,
			   const struct policy_world *world, struct arena *arena,
			   struct fault_list *faults)
{
	static const struct field root_fields[] = {
		{ .name = "policy",
		  .kind = FIELD_CUSTOM,
		  .custom = read_policy,
		  .required = true },
	};
	struct policy_reading reading = { .world = world, .stage = STAGE_NONE };
	struct reader reader = {
		.source = source, .arena = arena, .faults = faults, .context = &reading
	};
	struct policy *policy = reader_alloc(&reader, sizeof *policy);

	if (policy == NULL)
		return NULL;
	reading.policy = policy;
	reader_fallbacks(policy_fields, COUNT(policy_fields), policy);
	policy->file = reader_copy(&reader, source->name);
	policy->digest = reader_copy(&reader, digest);
	policy->urgencies[policy->urgency_count++] = "standard";
	for (size_t i = 0; i < EVENT_KINDS; i++)
		policy->kinds[policy->kind_count++] = event_kinds[i];
	reader_group(&reader, config_root_setting(&source->parsed), root_fields,
		     COUNT(root_fields), policy);
	return reader.out_of_memory ? NULL : policy;
}
