/* wording.c - see wording.h. */
#include "core/wording.h"

#include <string.h>

static int keep(struct arena *arena, const struct text *text, const char **ret,
		struct error *error)
{
	*ret = text_failed(text) ? NULL : arena_string(arena, text_string(text));
	return *ret == NULL ? error_memory(error) : 0;
}

int wording_titles(const struct role_rule *rules, size_t rule_count,
		   const struct policy *policy, const struct language *language,
		   const struct role_set *set, const char *without, struct arena *arena,
		   const char **ret, struct error *error)
{
	struct letter_role roles[POLICY_TOLD];
	CLEANUP(text_clear) struct text joined = { 0 };
	size_t count = 0;

	for (size_t i = 0; set != NULL && i < set->count; i++) {
		const struct role *role = &policy->roles[set->role[i]];
		const char *title = role_title(rules, rule_count, role->name);
		bool known = strcmp(role->token, without) == 0;

		for (size_t j = 0; j < count; j++)
			known = known || (strcmp(roles[j].title, title) == 0 &&
					  roles[j].side == role->side);
		if (!known)
			roles[count++] = (struct letter_role){ title, role->side };
	}
	if (count > 0)
		letter_join(language, roles, count, &joined);
	return keep(arena, &joined, ret, error);
}

/* Where a time runs out and the challenge moves up, two notices speak of one moment. */
static bool is_half_of_moment(const struct entry *entry)
{
	return entry->kind == NOTICE_BREACH || entry->kind == NOTICE_ESCALATION;
}

struct role_set wording_told(const struct entry *entries, size_t count,
			     const struct entry *entry)
{
	struct role_set told = entry->to;

	for (size_t i = 0; is_half_of_moment(entry) && i < count; i++)
		if (is_half_of_moment(&entries[i]) && entries[i].run == entry->run &&
		    instant_equal(entries[i].at, entry->at))
			for (size_t j = 0; j < entries[i].to.count; j++)
				/* Full: some are not named. */
				(void)role_set_add(&told, entries[i].to.role[j]);
	return told;
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

int wording_link(const char *link, const char *reference, struct arena *arena, const char **ret,
		 struct error *error)
{
	static const char place[] = "{reference}";
	CLEANUP(text_clear) struct text made = { 0 };
	const char *hole;

	while ((hole = strstr(link, place)) != NULL) {
		text_append_bytes(&made, link, (size_t)(hole - link));
		for (const char *c = reference; *c != '\0'; c++)
			if (is_unreserved(*c))
				text_append_char(&made, *c);
			else
				text_appendf(&made, "%%%02X", (unsigned char)*c);
		link = hole + sizeof place - 1;
	}
	text_append(&made, link);
	return keep(arena, &made, ret, error);
}

/* Whole working days from `a` to the later `b`: those after a's own, less one when b's time of
 * day comes before a's. */
static int32_t whole_days(const struct calendar *calendar, struct instant a, struct instant b)
{
	const struct zone *zone = calendar_zone(calendar);
	int32_t day_a;
	int32_t day_b;
	int32_t second_a;
	int32_t second_b;
	int32_t days;

	zone_local(zone, a, &day_a, &second_a);
	zone_local(zone, b, &day_b, &second_b);
	days = calendar_count_days(calendar, day_a + 1, day_b);
	if (days > 0 && second_b < second_a && calendar_is_working(calendar, day_b))
		days--;
	return days;
}

void wording_time(struct letter_notice *letter, const struct calendar *calendar,
		  struct instant now)
{
	if (instant_is_never(letter->due))
		return;
	if (instant_before(now, letter->due)) {
		letter->open_seconds = calendar_open_between(calendar, now, letter->due);
		letter->working_days = whole_days(calendar, now, letter->due);
	} else {
		letter->open_seconds = -calendar_open_between(calendar, letter->due, now);
		letter->working_days = -whole_days(calendar, letter->due, now);
	}
}

bool wording_is_feedback(const struct policy *policy, int obligation)
{
	kind_index starts;

	if (obligation < 0)
		return false;
	starts = policy->obligations[obligation].starts;
	return starts < policy->kind_count && strcmp(policy->kinds[starts], "resolved") == 0;
}
