/*
 * config_policy_limit.c - an obligation's limit, by urgency or for all, and the reminders
 * before it.
 */
#include "adapter/config_policy_internal.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

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
	const struct policy *policy = policy_reading_of(reader)->policy;

	for (size_t i = 0; i < policy->urgency_count; i++) {
		config_setting_t *limit =
			config_setting_get_member(group, policy->urgencies[i]);

		if (limit == NULL)
			reader_fault_in(reader, group, policy->urgencies[i],
					"is required: every urgency needs its limit");
		else if (policy_scale_read(reader, limit, LIMIT_UNITS, &obligation->limit[i]))
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

void policy_limit_read(struct reader *reader, config_setting_t *setting, void *at)
{
	const struct policy *policy = policy_reading_of(reader)->policy;
	struct obligation *obligation = at;
	struct timescale limit;

	obligation->limit_line = setting_line(setting);
	if (config_setting_is_group(setting)) {
		read_limits_by_urgency(reader, setting, obligation);
		return;
	}
	if (!policy_scale_read(reader, setting, LIMIT_UNITS, &limit))
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
		if (!policy_scale_parse(reader, setting, distance, DISTANCE_UNITS,
					&reminder.before))
			return false;
	}
	reminder.text = reader_copy(reader, text);
	*ret = reminder;
	return true;
}

void policy_remind_read(struct reader *reader, config_setting_t *setting, void *at)
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
