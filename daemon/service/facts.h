/*
 * facts - one challenge held against its policy at one instant.
 *
 * What has fallen due by then, what of it a recorded event has ended, what a later one of its
 * kind replaces, and what follows next: the one reading of the timeline that deciding and
 * rendering share. It reads no clock, store or ledger.
 */
#ifndef SERVICE_FACTS_H
#define SERVICE_FACTS_H

#include "adapter/ledger.h"
#include "core/timeline.h"

struct facts {
	const struct policy *policy;       /* borrowed, as is the challenge */
	const struct challenge *challenge; /* settled */
	struct timeline *timeline;
	struct instant now;
	struct entry *entries; /* with at <= now, in order; owned */
	struct instant *ended; /* beside each: when a recorded event ended it, or NEVER */
	size_t count;
	size_t capacity;
	struct instant next; /* when the timeline speaks again, or NEVER */
	struct timeline_state state;
	struct entry *later; /* past `now`, read on demand by facts_next */
	size_t later_count;
	size_t later_capacity;
	bool later_read;
};

/* A zeroed struct facts is empty and may be read into again and again. */
MUST_CHECK int facts_read(struct facts *facts, const struct policy *policy,
			  const struct challenge *challenge, struct instant now,
			  struct error *error);
void facts_clear(struct facts *facts);

/* The place of the entry that this notice was decided from; -1 when the facts no longer ask
 * for it. */
int facts_find(const struct facts *facts, const struct ledger_notice *notice);

/* Reminders, repeats and words about silence: true when a later one of the same clock is due
 * too. */
bool facts_is_replaced(const struct facts *facts, size_t entry);

/* True when the entry waits no longer because of a recorded event. */
bool facts_is_ended(const struct facts *facts, size_t entry);

/* True when the event that started this notice's clock counts no more (voided, or taken away).
 */
bool facts_event_is_gone(const struct facts *facts, int64_t event);

/*
 * What follows after this entry unless an answer is recorded: of its clock, or of the stage
 * that was entered with it. 1 with *ret, 0 when nothing follows within a year; -ENOMEM. Reads
 * the timeline past `now`, so facts_is_ended holds what facts_read saw.
 */
MUST_CHECK int facts_next(struct facts *facts, size_t entry, struct entry *ret,
			  struct error *error);

/* Who owes what the entry speaks of; borrowed from the policy, NULL when nobody in particular
 * does. */
const struct role_set *facts_owner(const struct facts *facts, const struct entry *entry);

const char *facts_stage_id(const struct policy *policy, const struct entry *entry);
const char *facts_obligation_id(const struct policy *policy, const struct entry *entry);

#endif
