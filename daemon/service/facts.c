/* facts.c - see facts.h. */
#include "service/facts.h"

#include "base/list.h"

#include <stdlib.h>
#include <string.h>

enum {
	/* What follows is looked for so far ahead: policies count in days and weeks, and a
	 * repeat without end must not keep us. */
	NEXT_SECONDS = 366 * SECONDS_PER_DAY,
	NEXT_ENTRIES = 200,
};

const char *facts_stage_id(const struct policy *policy, const struct entry *entry)
{
	return entry->stage < 0 ? "" : policy->stages[entry->stage].id;
}

const char *facts_obligation_id(const struct policy *policy, const struct entry *entry)
{
	return entry->obligation < 0 ? "" : policy->obligations[entry->obligation].id;
}

static int push(struct entry **list, size_t *count, size_t *capacity, const struct entry *entry,
		struct error *error)
{
	if (list_reserve(list, *count, capacity, sizeof **list) < 0)
		return error_memory(error);
	(*list)[(*count)++] = *entry;
	return 0;
}

static int read_entries(struct facts *facts, struct error *error)
{
	struct entry entry;
	int r;

	facts->count = 0;
	while ((r = timeline_next(facts->timeline, facts->now, &entry, error)) == 1) {
		r = push(&facts->entries, &facts->count, &facts->capacity, &entry, error);
		if (r < 0)
			return r;
	}
	return r;
}

/* Asked before anything later is read, since the timeline answers for the latest `until`. */
static int read_ends(struct facts *facts, struct error *error)
{
	struct instant *ended = calloc(facts->count + 1, sizeof *ended);

	if (ended == NULL)
		return error_memory(error);
	for (size_t i = 0; i < facts->count; i++)
		ended[i] = timeline_run_end(facts->timeline, facts->entries[i].run);
	free(facts->ended);
	facts->ended = ended;
	return 0;
}

int facts_read(struct facts *facts, const struct policy *policy,
	       const struct challenge *challenge, struct instant now, struct error *error)
{
	int r;

	if (facts->timeline == NULL) {
		facts->timeline = timeline_create();
		if (facts->timeline == NULL)
			return error_memory(error);
	}
	facts->policy = policy;
	facts->challenge = challenge;
	facts->now = now;
	facts->later_read = false;
	facts->later_count = 0;
	timeline_begin(facts->timeline, policy, challenge);
	r = read_entries(facts, error);
	if (r < 0)
		return r;
	r = read_ends(facts, error);
	if (r < 0)
		return r;
	facts->state = timeline_state(facts->timeline);
	return timeline_peek(facts->timeline, &facts->next, error);
}

void facts_clear(struct facts *facts)
{
	timeline_destroy(facts->timeline);
	free(facts->entries);
	free(facts->ended);
	free(facts->later);
	*facts = (struct facts){ 0 };
}

static bool has_token(const struct policy *policy, const struct role_set *set,
		      const char *token, size_t length)
{
	for (size_t i = 0; i < set->count; i++) {
		const char *known = policy->roles[set->role[i]].token;

		if (strncmp(known, token, length) == 0 && known[length] == '\0')
			return true;
	}
	return false;
}

/* Who else was reached (reach.h) has a token that begins with the holder's, or is the owner of
 * a later rung than that of the escalation. */
static bool tells(const struct facts *facts, const struct entry *entry, const char *token)
{
	const struct policy *policy = facts->policy;
	size_t length = strcspn(token, "/");
	bool told = has_token(policy, &entry->to, token, length);

	for (int i = entry->stage + 1;
	     entry->kind == NOTICE_ESCALATION && i < (int)policy->stage_count && !told; i++)
		told = has_token(policy, &policy->stages[i].owner, token, length);
	return told;
}

int facts_find(const struct facts *facts, const struct ledger_notice *notice)
{
	for (size_t i = 0; i < facts->count; i++) {
		const struct entry *entry = &facts->entries[i];

		if (entry->event == notice->event && entry->kind == notice->kind &&
		    entry->occurrence == notice->occurrence &&
		    strcmp(facts_stage_id(facts->policy, entry), notice->stage) == 0 &&
		    strcmp(facts_obligation_id(facts->policy, entry), notice->obligation) ==
			    0 &&
		    strcmp(entry->step, notice->step) == 0 && tells(facts, entry, notice->role))
			return (int)i;
	}
	return -1;
}

static bool is_replaceable(enum notice_kind kind)
{
	return kind == NOTICE_REMINDER || kind == NOTICE_OVERDUE || kind == NOTICE_QUIET;
}

bool facts_is_replaced(const struct facts *facts, size_t entry)
{
	const struct entry *this = &facts->entries[entry];

	if (!is_replaceable(this->kind))
		return false;
	for (size_t i = entry + 1; i < facts->count; i++) {
		const struct entry *other = &facts->entries[i];

		if (other->kind == this->kind && other->event == this->event &&
		    other->stage == this->stage && other->obligation == this->obligation)
			return true;
	}
	return false;
}

bool facts_is_ended(const struct facts *facts, size_t entry)
{
	/* That an answer came is what `cleared` is about. */
	return facts->entries[entry].kind != NOTICE_CLEARED &&
	       !instant_is_never(facts->ended[entry]);
}

bool facts_event_is_gone(const struct facts *facts, int64_t event)
{
	for (size_t i = 0; i < facts->challenge->event_count; i++)
		if (facts->challenge->events[i].key == event)
			return false;
	return true;
}

static int read_later(struct facts *facts, struct error *error)
{
	struct instant until = instant_add(facts->now, NEXT_SECONDS);
	struct entry entry;
	int r = 0;

	if (facts->later_read)
		return 0;
	while (facts->later_count < NEXT_ENTRIES &&
	       (r = timeline_next(facts->timeline, until, &entry, error)) == 1) {
		r = push(&facts->later, &facts->later_count, &facts->later_capacity, &entry,
			 error);
		if (r < 0)
			return r;
	}
	facts->later_read = true;
	return r < 0 ? r : 0;
}

/* The stage that this entry's moment led into, when it did. */
static int stage_entered(const struct facts *facts, const struct entry *entry)
{
	if (entry->kind == NOTICE_ESCALATION || entry->kind == NOTICE_INFORM)
		return entry->stage;
	if (entry->kind != NOTICE_BREACH)
		return STAGE_NONE;
	for (size_t i = 0; i < facts->count; i++)
		if (facts->entries[i].kind == NOTICE_ESCALATION &&
		    facts->entries[i].run == entry->run)
			return facts->entries[i].stage;
	return STAGE_NONE;
}

static bool follows(const struct entry *later, const struct entry *entry, int entered)
{
	if (later->kind != NOTICE_BREACH && later->kind != NOTICE_ESCALATION &&
	    later->kind != NOTICE_OVERDUE)
		return false;
	return later->run == entry->run ||
	       (entered != STAGE_NONE && later->kind == NOTICE_BREACH &&
		later->stage == entered);
}

/* True where the clock of this escalation is one whose running out `follows`. */
static bool is_its_escalation(const struct facts *facts, size_t place,
			      const struct entry *entry, int entered)
{
	const struct entry *escalation = &facts->later[place];
	bool its = false;

	for (size_t i = 0; i < place && !its; i++)
		its = facts->later[i].run == escalation->run &&
		      instant_equal(facts->later[i].at, escalation->at) &&
		      follows(&facts->later[i], entry, entered);
	return its && escalation->kind == NOTICE_ESCALATION;
}

int facts_next(struct facts *facts, size_t entry, struct entry *ret, struct error *error)
{
	const struct entry *this = &facts->entries[entry];
	int entered = stage_entered(facts, this);
	const struct entry *found = NULL;
	int r = read_later(facts, error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < facts->later_count; i++) {
		const struct entry *later = &facts->later[i];

		if (found != NULL && !instant_equal(later->at, found->at))
			break;
		/* Of what happens at that instant the escalation says the most. */
		if ((found == NULL && follows(later, this, entered)) ||
		    is_its_escalation(facts, i, this, entered))
			found = later;
	}
	if (found == NULL)
		return 0;
	*ret = *found;
	return 1;
}

const struct role_set *facts_owner(const struct facts *facts, const struct entry *entry)
{
	const struct policy *policy = facts->policy;
	int stage = entry->stage;

	if (entry->obligation >= 0 && entry->kind != NOTICE_ESCALATION) {
		const struct obligation *owed = &policy->obligations[entry->obligation];

		if (owed->owner.count > 0)
			return &owed->owner;
		stage = owed->stage;
	}
	if (stage == STAGE_NONE)
		stage = facts->state.stage;
	return stage == STAGE_NONE ? NULL : &policy->stages[stage].owner;
}
