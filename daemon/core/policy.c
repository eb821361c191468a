/* policy.c - see policy.h; look-ups in small tables, in the order of the file. */
#include "core/policy.h"

#include <string.h>

int policy_urgency(const struct policy *policy, const char *urgency)
{
	if (urgency[0] == '\0')
		return 0;
	for (size_t i = 0; i < policy->urgency_count; i++)
		if (strcmp(policy->urgencies[i], urgency) == 0)
			return (int)i;
	return -1;
}

int policy_stage(const struct policy *policy, const char *id)
{
	for (size_t i = 0; i < policy->stage_count; i++)
		if (strcmp(policy->stages[i].id, id) == 0)
			return (int)i;
	return STAGE_NONE;
}

int policy_kind(const struct policy *policy, const char *kind)
{
	for (size_t i = 0; i < policy->kind_count; i++)
		if (strcmp(policy->kinds[i], kind) == 0)
			return (int)i;
	return -1;
}

bool role_set_add(struct role_set *set, role_index role)
{
	for (uint8_t i = 0; i < set->count; i++)
		if (set->role[i] == role)
			return true;
	if (set->count == POLICY_TOLD)
		return false;
	set->role[set->count++] = role;
	return true;
}
