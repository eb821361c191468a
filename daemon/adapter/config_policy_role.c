/*
 * config_policy_role.c - who is meant in a policy: raising.ROLE, receiving.ROLE, both.ROLE,
 * partnership.ROLE and owner.
 */
#include "adapter/config_policy_internal.h"

#include "base/list.h"

#include <stdio.h>
#include <string.h>

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
	const struct policy_world *world = policy_reading_of(reader)->world;
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
	struct policy *policy = policy_reading_of(reader)->policy;
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

void policy_role_add(struct reader *reader, const config_setting_t *setting, const char *token,
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
	if (!role_is_known(policy_reading_of(reader)->world, prefix->side, name)) {
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
			policy_role_add(reader, setting, token, set, owner_may);
	}
}

void policy_people_read(struct reader *reader, config_setting_t *setting, void *at)
{
	read_roles(reader, setting, at, false);
}

void policy_told_read(struct reader *reader, config_setting_t *setting, void *at)
{
	read_roles(reader, setting, at, true);
}
