/*
 * config_policy.c - see config_policy.h; the language is design section 4.
 *
 * Tables of rows say which settings there are; below them stands what each is made of, and at
 * the end what must hold between them.
 */
#include "adapter/config_policy.h"

#include "base/text.h"
#include "core/challenge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_REPEATS = 1000 };

/* What the rows' functions need besides the reader. */
struct policy_reading {
	struct policy *policy;
	const struct policy_world *world;
	int stage;                   /* the one being read; STAGE_NONE in `overall` */
	bool overall_unowned;        /* some overall obligation has no owner of its own */
	bool unowned[POLICY_STAGES]; /* faulted already for having no owner */
};

static struct policy_reading *reading_of(const struct reader *reader)
{
	return reader->context;
}

/* --- lengths of time --- */

#define UNIT(unit) (1u << (unit))
enum {
	DISTANCE_UNITS = UNIT(TIMESCALE_WORKING_DAYS) | UNIT(TIMESCALE_WORKING_WEEKS) |
			 UNIT(TIMESCALE_WORKING_HOURS) | UNIT(TIMESCALE_HOURS) |
			 UNIT(TIMESCALE_DAYS) | UNIT(TIMESCALE_WEEKS),
	REPEAT_UNITS = DISTANCE_UNITS | UNIT(TIMESCALE_MONTHS),
	LIMIT_UNITS = DISTANCE_UNITS | UNIT(TIMESCALE_SAME_WORKING_DAY) |
		      UNIT(TIMESCALE_END_OF_NEXT_WORKING_DAY) | UNIT(TIMESCALE_AS_AGREED),
};

static bool read_scale_text(struct reader *reader, const config_setting_t *setting,
			    const char *text, unsigned units, struct timescale *ret)
{
	struct error error = { 0 };
	struct timescale scale;

	if (timescale_parse(text, &scale, &error) < 0) {
		reader_fault(reader, setting, "%s", error.text);
		return false;
	}
	if ((units & UNIT(scale.unit)) == 0) {
		reader_fault(reader, setting, "\"%s\" cannot be used here%s", text,
			     scale.unit == TIMESCALE_MONTHS
				     ? ": months are for `every` of a repeat only"
				     : "");
		return false;
	}
	*ret = scale;
	return true;
}

static bool read_scale(struct reader *reader, const config_setting_t *setting, unsigned units,
		       struct timescale *ret)
{
	const char *text = reader_text(reader, setting);

	return text != NULL && read_scale_text(reader, setting, text, units, ret);
}

static void read_distance(struct reader *reader, config_setting_t *setting, void *at)
{
	(void)read_scale(reader, setting, DISTANCE_UNITS, at); /* noted already */
}

static void read_every(struct reader *reader, config_setting_t *setting, void *at)
{
	struct obligation *obligation = at;

	/* Its text is the step of an `overdue` notice. Faults are noted already. */
	if (read_scale(reader, setting, REPEAT_UNITS, &obligation->every))
		obligation->every_text = reader_copy(reader, reader_text(reader, setting));
}

/* --- roles --- */

static bool role_is_known(const struct policy_world *world, enum side side, const char *name)
{
	if (side == SIDE_PARTNERSHIP && strcmp(name, "inbox") == 0)
		return true;
	for (size_t i = 0; i < world->role_count; i++)
		if (strcmp(world->roles[i].id, name) == 0)
			return true;
	return false;
}

static void unknown_role(struct reader *reader, const config_setting_t *setting,
			 const char *token, const char *name)
{
	const struct policy_world *world = reading_of(reader)->world;
	struct nearest nearest = { .typed = name };
	char hint[HINT_SIZE];

	for (size_t i = 0; i < world->role_count; i++)
		nearest_offer(&nearest, world->roles[i].id);
	reader_fault(reader, setting,
		     "\"%s\" names a role that the main file's `roles` lacks%s", token,
		     nearest_hint(&nearest, hint));
}

/* The place of side.name among the policy's roles, added when new; -1 after a fault. */
static int role_place(struct reader *reader, const config_setting_t *setting, enum side side,
		      const char *name)
{
	static const char *const words[] = { [SIDE_RAISING] = "raising",
					     [SIDE_RECEIVING] = "receiving",
					     [SIDE_PARTNERSHIP] = "partnership" };
	struct policy *policy = reading_of(reader)->policy;
	char token[100];

	for (size_t i = 0; i < policy->role_count; i++)
		if (policy->roles[i].side == side && strcmp(policy->roles[i].name, name) == 0)
			return (int)i;
	if (policy->role_count == POLICY_ROLES) {
		reader_fault(reader, setting, "more than %d different roles in one policy",
			     POLICY_ROLES);
		return -1;
	}
	(void)snprintf(token, sizeof token, "%s.%s", words[side], name); /* ids are short */
	policy->roles[policy->role_count] = (struct role){
		.token = reader_copy(reader, token),
		.side = side,
		.name = reader_copy(reader, name),
	};
	return (int)policy->role_count++;
}

static void add_side(struct reader *reader, const config_setting_t *setting, enum side side,
		     const char *name, struct role_set *set)
{
	int place = role_place(reader, setting, side, name);

	if (place >= 0 && !role_set_add(set, (role_index)place))
		reader_fault(reader, setting, "tells more than %d roles", POLICY_TOLD);
}

static const struct role_prefix {
	const char *word;
	enum side side;
	bool both;
} role_prefixes[] = {
	{ "raising.", SIDE_RAISING, false },
	{ "receiving.", SIDE_RECEIVING, false },
	{ "both.", SIDE_RAISING, true },
	{ "partnership.", SIDE_PARTNERSHIP, false },
};

static void add_role(struct reader *reader, const config_setting_t *setting, const char *token,
		     struct role_set *set, bool owner_may)
{
	const struct role_prefix *prefix = NULL;
	const char *name = token;

	if (strcmp(token, "owner") == 0) {
		if (!owner_may)
			reader_fault(reader, setting, "\"owner\" means nothing here");
		else if (!role_set_add(set, ROLE_OWNER))
			reader_fault(reader, setting, "tells more than %d roles", POLICY_TOLD);
		return;
	}
	for (size_t i = 0; i < COUNT(role_prefixes); i++)
		if (strncmp(token, role_prefixes[i].word, strlen(role_prefixes[i].word)) == 0)
			prefix = &role_prefixes[i];
	if (prefix == NULL) {
		reader_fault(reader, setting,
			     "\"%s\" must begin with raising., receiving., both. or "
			     "partnership.%s",
			     token, owner_may ? ", or be owner" : "");
		return;
	}
	name += strlen(prefix->word);
	if (!role_is_known(reading_of(reader)->world, prefix->side, name)) {
		unknown_role(reader, setting, token, name);
		return;
	}
	add_side(reader, setting, prefix->side, name, set);
	if (prefix->both)
		add_side(reader, setting, SIDE_RECEIVING, name, set);
}

static void read_roles(struct reader *reader, config_setting_t *setting, struct role_set *set,
		       bool owner_may)
{
	int count = reader_text_count(setting);

	if (count == 0)
		reader_fault(reader, setting, "must name at least one role");
	for (int i = 0; i < count; i++) {
		const char *token = reader_text_at(reader, setting, i);

		if (token != NULL)
			add_role(reader, setting, token, set, owner_may);
	}
}

static void read_people(struct reader *reader, config_setting_t *setting, void *at)
{
	read_roles(reader, setting, at, false);
}

static void read_told(struct reader *reader, config_setting_t *setting, void *at)
{
	read_roles(reader, setting, at, true);
}

/* --- event kinds --- */

static int check_kind(const char *text, struct error *error)
{
	size_t length = strlen(text);

	if (length < 1 || length > 40 || text[0] < 'a' || text[0] > 'z' ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") != length)
		return error_set(error, EINVAL,
				 "\"%.60s\" is no event kind: small letters, digits and '_'",
				 text);
	return 0;
}

/* The place of a new kind; -1 after noting that there is no room. */
static int kind_add(struct reader *reader, const config_setting_t *setting, const char *kind)
{
	struct policy *policy = reading_of(reader)->policy;

	if (policy->kind_count == POLICY_KINDS) {
		reader_fault(reader, setting, "more than %d event kinds in one policy",
			     POLICY_KINDS);
		return -1;
	}
	policy->kinds[policy->kind_count] = reader_copy(reader, kind);
	return (int)policy->kind_count++;
}

static void read_events(struct reader *reader, config_setting_t *setting, void *at)
{
	struct policy *policy = at;
	int count = reader_text_count(setting);

	for (int i = 0; i < count; i++) {
		const char *kind = reader_text_at(reader, setting, i);
		struct error error = { 0 };

		if (kind == NULL)
			continue;
		if (check_kind(kind, &error) < 0)
			reader_fault(reader, setting, "%s", error.text);
		else if (policy_kind(policy, kind) >= 0)
			reader_warn(reader, setting, "\"%s\" is known already", kind);
		else
			(void)kind_add(reader, setting, kind); /* noted already */
	}
}

/*
 * A kind that is not known may be the policy's own or a slip; one that is almost a known one
 * is taken for a slip.
 */
static int kind_place(struct reader *reader, const config_setting_t *setting, const char *kind)
{
	struct policy *policy = reading_of(reader)->policy;
	struct nearest nearest = { .typed = kind };
	struct error error = { 0 };
	int place = policy_kind(policy, kind);

	if (place >= 0)
		return place;
	if (check_kind(kind, &error) < 0) {
		reader_fault(reader, setting, "%s", error.text);
		return -1;
	}
	for (size_t i = 0; i < policy->kind_count; i++)
		nearest_offer(&nearest, policy->kinds[i]);
	if (nearest.best != NULL && nearest.distance <= 2) {
		reader_fault(reader, setting,
			     "no such event as \"%s\"; the nearest known one is \"%s\"", kind,
			     nearest.best);
		return -1;
	}
	reader_warn(reader, setting,
		    "\"%s\" is no event of the store's own; taken as one of this policy (list "
		    "it in `events`)",
		    kind);
	return kind_add(reader, setting, kind);
}

static void read_starts(struct reader *reader, config_setting_t *setting, void *at)
{
	const char *kind = reader_text(reader, setting);
	kind_index *starts = at;
	int place;

	if (kind == NULL)
		return;
	if (strcmp(kind, "stage") == 0) {
		if (reading_of(reader)->stage == STAGE_NONE)
			reader_fault(reader, setting,
				     "an overall obligation has no stage to be entered");
		*starts = KIND_STAGE_ENTRY;
		return;
	}
	place = kind_place(reader, setting, kind);
	if (place >= 0)
		*starts = (kind_index)place;
}

static void read_ends(struct reader *reader, config_setting_t *setting, void *at)
{
	struct obligation *obligation = at;
	int count = reader_text_count(setting);

	if (count == 0)
		reader_fault(reader, setting, "must name at least one event");
	for (int i = 0; i < count; i++) {
		const char *kind = reader_text_at(reader, setting, i);
		int place = kind != NULL ? kind_place(reader, setting, kind) : -1;

		for (size_t j = 0; place >= 0 && j < obligation->end_count; j++)
			if (obligation->ends[j] == place) {
				reader_fault(reader, setting, "names \"%s\" twice", kind);
				place = -1;
			}
		/* At most one of each kind, and ends[] has room for every kind. */
		if (place >= 0)
			obligation->ends[obligation->end_count++] = (kind_index)place;
	}
}

/* --- limits and reminders --- */

static void hint_at_hours(struct reader *reader, const config_setting_t *setting,
			  struct timescale limit)
{
	if (limit.unit == TIMESCALE_HOURS && limit.amount % 24 == 0)
		reader_warn(reader, setting,
			    "%d hours run through nights and weekends; %d %s is something else",
			    (int)limit.amount, (int)limit.amount / 24,
			    text_plural(limit.amount / 24, "working day", "working days"));
}

static void read_limits_by_urgency(struct reader *reader, config_setting_t *group,
				   struct obligation *obligation)
{
	const struct policy *policy = reading_of(reader)->policy;

	for (size_t i = 0; i < policy->urgency_count; i++) {
		config_setting_t *limit =
			config_setting_get_member(group, policy->urgencies[i]);

		if (limit == NULL)
			reader_fault_in(reader, group, policy->urgencies[i],
					"is required: every urgency needs its limit");
		else if (read_scale(reader, limit, LIMIT_UNITS, &obligation->limit[i]))
			hint_at_hours(reader, limit, obligation->limit[i]);
	}
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *limit = config_setting_get_elem(group, (unsigned)i);
		struct nearest nearest = { .typed = config_setting_name(limit) };
		char hint[HINT_SIZE];

		if (policy_urgency(policy, nearest.typed) >= 0)
			continue;
		for (size_t j = 0; j < policy->urgency_count; j++)
			nearest_offer(&nearest, policy->urgencies[j]);
		reader_fault(reader, limit, "no such urgency%s", nearest_hint(&nearest, hint));
	}
}

static void read_limit(struct reader *reader, config_setting_t *setting, void *at)
{
	const struct policy *policy = reading_of(reader)->policy;
	struct obligation *obligation = at;
	struct timescale limit;

	obligation->limit_line = setting_line(setting);
	if (config_setting_is_group(setting)) {
		read_limits_by_urgency(reader, setting, obligation);
		return;
	}
	if (!read_scale(reader, setting, LIMIT_UNITS, &limit))
		return;
	hint_at_hours(reader, setting, limit);
	for (size_t i = 0; i < policy->urgency_count; i++)
		obligation->limit[i] = limit;
}

static bool percent_parse(const char *text, int32_t *ret)
{
	char *end;
	long percent;

	if (text[0] < '1' || text[0] > '9')
		return false;
	percent = strtol(text, &end, 10);
	if (strcmp(end, "%") != 0 || percent > 99)
		return false;
	*ret = (int32_t)percent;
	return true;
}

static bool read_reminder(struct reader *reader, const config_setting_t *setting,
			  const char *text, struct reminder *ret)
{
	static const char before[] = " before";
	struct reminder reminder = { 0 };
	size_t length = strlen(text);
	char distance[100];

	if (strchr(text, '%') != NULL) {
		if (!percent_parse(text, &reminder.percent)) {
			reader_fault(reader, setting, "\"%s\" must be 1%% to 99%%", text);
			return false;
		}
	} else if (length < sizeof before || length >= sizeof distance ||
		   strcmp(text + length - (sizeof before - 1), before) != 0) {
		reader_fault(reader, setting,
			     "\"%s\" must be like \"50%%\" or \"1 working day before\"", text);
		return false;
	} else {
		memcpy(distance, text, length - (sizeof before - 1));
		distance[length - (sizeof before - 1)] = '\0';
		if (!read_scale_text(reader, setting, distance, DISTANCE_UNITS,
				     &reminder.before))
			return false;
	}
	reminder.text = reader_copy(reader, text);
	*ret = reminder;
	return true;
}

static void read_remind(struct reader *reader, config_setting_t *setting, void *at)
{
	struct obligation *obligation = at;
	int count = reader_text_count(setting);

	if (count > POLICY_REMINDERS) {
		reader_fault(reader, setting, "more than %d reminders", POLICY_REMINDERS);
		return;
	}
	for (int i = 0; i < count; i++) {
		const char *text = reader_text_at(reader, setting, i);
		struct reminder *next = &obligation->reminders[obligation->reminder_count];

		if (text == NULL || !read_reminder(reader, setting, text, next))
			continue;
		/* The text is part of the notice key: each may stand once. */
		for (size_t j = 0; j < obligation->reminder_count; j++)
			if (strcmp(obligation->reminders[j].text, next->text) == 0)
				reader_fault(reader, setting, "names \"%s\" twice", text);
		obligation->reminder_count++;
	}
}

static void read_escalate_to(struct reader *reader, config_setting_t *setting, void *at)
{
	const struct policy_reading *reading = reading_of(reader);
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
	{ .name = "tell", .kind = FIELD_CUSTOM, .custom = read_told,
	  .at = offsetof(struct obligation, breach_to) },
};
/* clang-format on */

/* clang-format off */
static const struct field repeat_fields[] = {
	{ .name = "every", .kind = FIELD_CUSTOM, .custom = read_every, .required = true },
	{ .name = "times", .kind = FIELD_NUMBER, .max = MOST_REPEATS,
	  .at = offsetof(struct obligation, times) },
};
/* clang-format on */

/* What a stage's shorthand and an obligation have in common; both begin with the struct. */
/* clang-format off */
#define OBLIGATION_ROWS                                                                     \
	{ .name = "id", .kind = FIELD_TEXT, .required = true, .check = check_id,            \
	  .at = offsetof(struct obligation, id) },                                          \
	{ .name = "owner", .kind = FIELD_CUSTOM, .custom = read_people,                     \
	  .at = offsetof(struct obligation, owner) },                                       \
	{ .name = "limit", .kind = FIELD_CUSTOM, .custom = read_limit },                    \
	{ .name = "firm", .kind = FIELD_FLAG, .fallback = 1,                                \
	  .at = offsetof(struct obligation, firm) },                                        \
	{ .name = "remind", .kind = FIELD_CUSTOM, .custom = read_remind },                  \
	{ .name = "breach", .kind = FIELD_GROUP, .fields = breach_fields,                   \
	  .field_count = COUNT(breach_fields) },                                            \
	{ .name = "repeat", .kind = FIELD_GROUP, .fields = repeat_fields,                   \
	  .field_count = COUNT(repeat_fields) }
/* clang-format on */

/* clang-format off */
static const struct field obligation_fields[] = {
	OBLIGATION_ROWS,
	{ .name = "starts", .kind = FIELD_CUSTOM, .custom = read_starts, .required = true,
	  .at = offsetof(struct obligation, starts) },
	{ .name = "ends", .kind = FIELD_CUSTOM, .custom = read_ends, .required = true },
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
	{ .name = "inform", .kind = FIELD_CUSTOM, .custom = read_people,
	  .at = offsetof(struct stage_draft, inform) },
	{ .name = "obligations", .kind = FIELD_LIST, .custom = keep_setting,
	  .at = offsetof(struct stage_draft, obligations) },
};
/* clang-format on */

/* --- obligations and stages --- */

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
		if (never_sent(reading_of(reader)->policy, obligation,
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
	struct policy *policy = reading_of(reader)->policy;

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
		.stage = reading_of(reader)->stage,
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
	struct policy_reading *reading = reading_of(reader);
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

static void read_stages(struct reader *reader, config_setting_t *list, void *at)
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

static void read_overall(struct reader *reader, config_setting_t *list, void *at)
{
	struct policy_reading *reading = reading_of(reader);

	(void)at;
	reading->stage = STAGE_NONE;
	for (int i = 0; i < config_setting_length(list); i++)
		if (!read_obligation(reader, config_setting_get_elem(list, (unsigned)i), NULL))
			reading->overall_unowned = true;
}

/* --- the policy itself --- */

static void read_calendar(struct reader *reader, config_setting_t *setting, void *at)
{
	const struct policy_world *world = reading_of(reader)->world;
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
	{ .name = "tell", .kind = FIELD_CUSTOM, .custom = read_people, .required = true,
	  .at = offsetof(struct policy, immediate_to) },
};
/* clang-format on */

/* clang-format off */
static const struct field quiet_fields[] = {
	{ .name = "after", .kind = FIELD_CUSTOM, .custom = read_distance, .required = true,
	  .at = offsetof(struct policy, quiet_after) },
	{ .name = "tell", .kind = FIELD_CUSTOM, .custom = read_people, .required = true,
	  .at = offsetof(struct policy, quiet_to) },
};
/* clang-format on */

/* clang-format off */
static const struct field acknowledge_fields[] = {
	{ .name = "mutes", .kind = FIELD_CUSTOM, .custom = read_distance, .required = true,
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
	{ .name = "events", .kind = FIELD_CUSTOM, .custom = read_events },
	{ .name = "stages", .kind = FIELD_LIST, .custom = read_stages, .required = true },
	{ .name = "overall", .kind = FIELD_LIST, .custom = read_overall },
};
/* clang-format on */

/* --- what must hold between the settings --- */

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

static void check_ladder(struct reader *reader, config_setting_t *group,
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

static void default_told(struct reader *reader, config_setting_t *group, const char *key,
			 struct role_set *set, const char *what)
{
	if (config_setting_get_member(group, key) != NULL)
		return;
	add_role(reader, group, "partnership.inbox", set, false);
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
		check_ladder(reader, group, policy, reading_of(reader));
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
