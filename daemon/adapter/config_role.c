/*
 * config_role.c - the main file's roles, and who stands in for whom.
 */
#include "adapter/config_main.h"

#include <string.h>

/* clang-format off */
static const struct field role_fields[] = {
	{ .name = "id", .kind = FIELD_TEXT, .required = true, .check = check_id,
	  .at = offsetof(struct role_rule, id) },
	{ .name = "title", .kind = FIELD_TEXT, .required = true, .check = check_not_empty,
	  .at = offsetof(struct role_rule, title) },
	{ .name = "instead", .kind = FIELD_TEXTS, .check = check_id,
	  .at = offsetof(struct role_rule, instead),
	  .count_at = offsetof(struct role_rule, instead_count) },
};
/* clang-format on */

static const struct role_rule *role_named(const struct role_rule *roles, size_t count,
					  const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(roles[i].id, id) == 0)
			return &roles[i];
	return NULL;
}

static void check_stand_ins(struct reader *reader, const config_setting_t *group,
			    const struct role_rule *role, const struct role_rule *roles,
			    size_t count)
{
	const config_setting_t *instead = config_setting_get_member(group, "instead");

	for (size_t i = 0; i < role->instead_count; i++) {
		struct nearest nearest = { .typed = role->instead[i] };
		char hint[HINT_SIZE];

		if (strcmp(role->instead[i], role->id) == 0)
			reader_fault(reader, instead, "\"%s\" cannot stand in for itself",
				     role->id);
		if (role_named(roles, count, role->instead[i]) != NULL)
			continue;
		for (size_t j = 0; j < count; j++)
			nearest_offer(&nearest, roles[j].id);
		reader_fault(reader, instead, "there is no role \"%s\"%s", role->instead[i],
			     nearest_hint(&nearest, hint));
	}
}

void config_roles_read(struct reader *reader, config_setting_t *list, void *at)
{
	struct config *config = at;
	size_t count = (size_t)config_setting_length(list);
	struct role_rule *roles = reader_alloc(reader, (count + 1) * sizeof *roles);

	if (roles == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		config_setting_t *group = config_setting_get_elem(list, (unsigned)i);

		reader_group(reader, group, role_fields, COUNT(role_fields), &roles[i]);
		if (roles[i].id[0] != '\0' && role_named(roles, i, roles[i].id) != NULL)
			reader_fault_in(reader, group, "id", "\"%s\" is there already",
					roles[i].id);
		if (strcmp(roles[i].id, "inbox") == 0)
			reader_fault_in(reader, group, "id",
					"\"inbox\" is the partnership's own and no role");
	}
	for (size_t i = 0; i < count; i++)
		check_stand_ins(reader, config_setting_get_elem(list, (unsigned)i), &roles[i],
				roles, count);
	config->roles = roles;
	config->role_count = count;
}
