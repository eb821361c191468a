/*
 * config_lookup.c - policies and calendars of a configuration, found by their names.
 */
#include "adapter/config_file.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

static int no_policy(const struct config *config, const char *id, const char *version,
		     size_t same, struct error *error)
{
	CLEANUP(text_clear) struct text there = { .limit = 300 };

	for (size_t i = 0; i < config->policy_count; i++)
		text_appendf(&there, "%s%s@%s", i > 0 ? ", " : "", config->policies[i]->id,
			     config->policies[i]->version);
	if (same > 1)
		return error_set(error, ENOENT,
				 "policy \"%.80s\" has %zu versions; say which: %s", id, same,
				 text_string(&there));
	return error_set(error, ENOENT, "there is no policy \"%.80s%s%.80s\"; there are: %s",
			 id, version[0] != '\0' ? "@" : "", version, text_string(&there));
}

const struct policy *config_policy(const struct config *config, const char *id,
				   const char *version, struct error *error)
{
	const struct policy *found = NULL;
	size_t same = 0;

	if (version == NULL)
		version = "";
	for (size_t i = 0; i < config->policy_count; i++) {
		const struct policy *policy = config->policies[i];

		if (strcmp(policy->id, id) != 0 ||
		    (version[0] != '\0' && strcmp(policy->version, version) != 0))
			continue;
		found = policy;
		same++;
	}
	if (same == 1)
		return found;
	(void)no_policy(config, id, version, same, error); /* NULL says it */
	return NULL;
}

const struct calendar *config_calendar(const struct config *config, const char *id)
{
	for (size_t i = 0; i < config->calendar_count; i++)
		if (strcmp(config->calendars[i].id, id) == 0)
			return config->calendars[i].calendar;
	return NULL;
}

const struct named_calendar *config_calendar_of(const struct config *config,
						const struct policy *policy)
{
	for (size_t i = 0; i < config->calendar_count; i++)
		if (config->calendars[i].calendar == policy->calendar)
			return &config->calendars[i];
	return NULL;
}
