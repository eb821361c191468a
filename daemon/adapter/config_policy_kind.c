/*
 * config_policy_kind.c - the kinds of events that a policy knows, and those that start and end
 * an obligation.
 */
#include "adapter/config_policy_internal.h"

#include <errno.h>
#include <string.h>

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
	struct policy *policy = policy_reading_of(reader)->policy;

	if (policy->kind_count == POLICY_KINDS) {
		reader_fault(reader, setting, "more than %d event kinds in one policy",
			     POLICY_KINDS);
		return -1;
	}
	policy->kinds[policy->kind_count] = reader_copy(reader, kind);
	return (int)policy->kind_count++;
}

void policy_events_read(struct reader *reader, config_setting_t *setting, void *at)
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
	struct policy *policy = policy_reading_of(reader)->policy;
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

void policy_starts_read(struct reader *reader, config_setting_t *setting, void *at)
{
	const char *kind = reader_text(reader, setting);
	kind_index *starts = at;
	int place;

	if (kind == NULL)
		return;
	if (strcmp(kind, "stage") == 0) {
		if (policy_reading_of(reader)->stage == STAGE_NONE)
			reader_fault(reader, setting,
				     "an overall obligation has no stage to be entered");
		*starts = KIND_STAGE_ENTRY;
		return;
	}
	place = kind_place(reader, setting, kind);
	if (place >= 0)
		*starts = (kind_index)place;
}

void policy_ends_read(struct reader *reader, config_setting_t *setting, void *at)
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
