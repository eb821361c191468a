/* promise.c - see promise.h. */
#include "core/promise.h"

static enum promise judge_look(const struct promise_facts *facts, struct instant now)
{
	if (instant_before(instant_add(facts->look, PROMISE_LATE_SECONDS), now))
		return PROMISE_OVERDUE;
	/* What is due now is decided by the look that is due now. */
	if (instant_before(facts->next, facts->look))
		return PROMISE_TOO_LATE;
	return PROMISE_ACTION;
}

enum promise promise_judge(const struct promise_facts *facts, struct instant now)
{
	if (!facts->readable)
		return PROMISE_UNREADABLE;
	if (!facts->has_policy)
		return PROMISE_NO_POLICY;
	if (!facts->open)
		return PROMISE_NOT_OPEN;
	if (!instant_is_never(facts->look))
		return judge_look(facts, now);
	if (!instant_is_never(facts->next))
		return PROMISE_FORGOTTEN;
	if (facts->ends)
		return PROMISE_ENDS;
	return facts->queued ? PROMISE_QUEUED : PROMISE_SILENT;
}

bool promise_is_kept(enum promise promise)
{
	return promise < PROMISE_UNREADABLE;
}

const char *promise_reason(enum promise promise)
{
	static const char *const reasons[] = {
		[PROMISE_NOT_OPEN] = "",
		[PROMISE_ACTION] = "",
		[PROMISE_QUEUED] = "",
		[PROMISE_ENDS] = "",
		[PROMISE_UNREADABLE] = "its record in the store cannot be read",
		[PROMISE_NO_POLICY] = "its policy version is not loaded",
		[PROMISE_FORGOTTEN] = "the ledger has no plan to look at it again",
		[PROMISE_TOO_LATE] = "the ledger plans to look at it later than it must",
		[PROMISE_OVERDUE] = "it should have been looked at by now",
		[PROMISE_SILENT] = "nothing is to come for it, and nothing waits to be sent",
	};

	return reasons[promise];
}

int promise_read(struct timeline *timeline, struct promise_facts *ret, struct error *error)
{
	struct timeline_state state = timeline_state(timeline);
	struct promise_facts facts = {
		.readable = true,
		.has_policy = true,
		.open = state.stage != STAGE_NONE && !state.ended,
		.next = INSTANT_NEVER,
		.look = INSTANT_NEVER,
	};
	int r = facts.open ? timeline_peek(timeline, &facts.next, error) : 0;

	if (r < 0)
		return r;
	facts.ends = facts.open && timeline_state(timeline).ended;
	*ret = facts;
	return 0;
}
