/* entry.c - see entry.h. */
#include "ctl/entry.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const weekdays[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };

json_t *instant_json(const struct calendar *calendar, struct instant at)
{
	char text[INSTANT_TEXT_SIZE];

	if (instant_is_never(at))
		return json_null();
	return json_string(instant_format(at, zone_offset(calendar_zone(calendar), at), text));
}

json_t *roles_json(const struct policy *policy, const struct role_set *roles)
{
	json_t *array = json_array();

	for (size_t i = 0; i < roles->count; i++)
		if (json_array_append_new(
			    array, json_string(policy->roles[roles->role[i]].token)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static const char *stage_id(const struct policy *policy, const struct entry *entry)
{
	return entry->stage == STAGE_NONE ? NULL : policy->stages[entry->stage].id;
}

static const char *obligation_id(const struct policy *policy, const struct entry *entry)
{
	return entry->obligation < 0 ? NULL : policy->obligations[entry->obligation].id;
}

json_t *entry_json(const struct policy *policy, const struct entry *entry)
{
	return json_pack("{s:o, s:o, s:s, s:s?, s:s?, s:s?, s:i, s:o, s:b, s:b}", "at",
			 instant_json(policy->calendar, entry->at), "send_at",
			 instant_json(policy->calendar, entry->send_at), "kind",
			 notice_kind_name(entry->kind), "stage", stage_id(policy, entry),
			 "obligation", obligation_id(policy, entry), "step",
			 entry->step[0] != '\0' ? entry->step : NULL, "occurrence",
			 (int)entry->occurrence, "to", roles_json(policy, &entry->to), "firm",
			 (int)entry->firm, "provisional", (int)entry->provisional);
}

const char *moment_text(const struct calendar *calendar, struct instant at,
			char out[static MOMENT_TEXT_SIZE])
{
	char date[DAY_TEXT_SIZE];
	int32_t day;
	int32_t second;

	if (instant_is_never(at)) {
		(void)snprintf(out, MOMENT_TEXT_SIZE, "never"); /* fits */
		return out;
	}
	zone_local(calendar_zone(calendar), at, &day, &second);
	(void)snprintf(out, MOMENT_TEXT_SIZE, "%s %s %02d:%02d", weekdays[day_weekday(day)],
		       day_format(day, date), (int)(second / 3600),
		       (int)(second / 60 % 60)); /* fits */
	return out;
}

void roles_text(const struct policy *policy, const struct role_set *roles, struct text *ret)
{
	for (size_t i = 0; i < roles->count; i++)
		text_appendf(ret, "%s%s", i > 0 ? ", " : "",
			     policy->roles[roles->role[i]].token);
}

void about_text(const char *stage, const char *obligation, struct text *ret)
{
	bool owed = obligation[0] != '\0';

	text_append(ret, stage[0] != '\0' ? stage : owed ? "overall" : "-");
	if (owed && strcmp(stage, obligation) != 0)
		text_appendf(ret, "/%s", obligation);
}

void subject_text(const struct policy *policy, const struct entry *entry, struct text *ret)
{
	const char *stage = stage_id(policy, entry);
	const char *obligation = obligation_id(policy, entry);

	about_text(stage != NULL ? stage : "", obligation != NULL ? obligation : "", ret);
}
