/* challenge.c - see challenge.h. */
#include "core/challenge.h"

#include <stdlib.h>
#include <string.h>

const char *const event_kinds[EVENT_KINDS] = {
	[EVENT_RAISED] = "raised",
	[EVENT_DECISION_RECEIVED] = "decision_received",
	[EVENT_STAGE] = "stage",
	[EVENT_ACKNOWLEDGED] = "acknowledged",
	[EVENT_DISCUSSED] = "discussed",
	[EVENT_RESPONDED] = "responded",
	[EVENT_AGREED] = "agreed",
	[EVENT_NOT_AGREED] = "not_agreed",
	[EVENT_MEETING_HELD] = "meeting_held",
	[EVENT_IMMEDIATE_RISK] = "immediate_risk",
	[EVENT_LEARNED] = "learned",
	[EVENT_RESOLVED] = "resolved",
	[EVENT_OUTCOME_SHARED] = "outcome_shared",
	[EVENT_CLOSED] = "closed",
	[EVENT_WITHDRAWN] = "withdrawn",
	[EVENT_REOPENED] = "reopened",
	[EVENT_PAUSED] = "paused",
	[EVENT_RESUMED] = "resumed",
	[EVENT_VOIDED] = "voided",
};

bool event_kind_is_terminal(int kind)
{
	return kind == EVENT_RESOLVED || kind == EVENT_WITHDRAWN || kind == EVENT_CLOSED;
}

static int by_id(const void *left, const void *right)
{
	const struct event *a = left;
	const struct event *b = right;

	return (a->id > b->id) - (a->id < b->id);
}

static int by_time(const void *left, const void *right)
{
	const struct event *a = left;
	const struct event *b = right;

	if (a->at.seconds != b->at.seconds)
		return a->at.seconds < b->at.seconds ? -1 : 1;
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return by_id(a, b);
}

/* The event that `event` takes back; NULL when it names none that came before it. */
static struct event *target_of(struct challenge *challenge, const struct event *event)
{
	struct event wanted = { .id = event->voids };

	if (event->voids == 0 || event->voids >= event->id)
		return NULL;
	return bsearch(&wanted, challenge->events, challenge->event_count,
		       sizeof *challenge->events, by_id);
}

static bool is_voided_event(const struct event *event)
{
	return strcmp(event->kind, event_kinds[EVENT_VOIDED]) == 0;
}

/*
 * Takes back what `event` names. A correction also stands for what the one it corrects took
 * back; a `voided` event makes its target never recorded, so that what that one took back
 * returns.
 */
static void take_back(struct challenge *challenge, const struct event *event)
{
	struct event *target = target_of(challenge, event);
	bool corrects = !is_voided_event(event);

	while (target != NULL) {
		target->taken_back = true;
		if (!corrects || is_voided_event(target))
			return;
		target = target_of(challenge, target);
	}
}

void challenge_settle(struct challenge *challenge)
{
	struct event *events = challenge->events;
	size_t kept = 0;

	if (challenge->event_count == 0)
		return;
	qsort(events, challenge->event_count, sizeof *events, by_id);
	for (size_t i = 0; i < challenge->event_count; i++)
		events[i].taken_back = false;
	/* From the last: whether one counts is known before what it takes back is reached. */
	for (size_t i = challenge->event_count; i-- > 0;)
		if (!events[i].taken_back)
			take_back(challenge, &events[i]);
	/* From the first: a replacement of a replacement inherits the first one's key. */
	for (size_t i = 0; i < challenge->event_count; i++) {
		const struct event *target = target_of(challenge, &events[i]);

		events[i].key = target != NULL && !is_voided_event(&events[i]) ? target->key
									       : events[i].id;
	}
	for (size_t i = 0; i < challenge->event_count; i++)
		if (!events[i].taken_back && !is_voided_event(&events[i]))
			events[kept++] = events[i];
	challenge->event_count = kept;
	qsort(events, kept, sizeof *events, by_time);
}
