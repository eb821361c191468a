/*
 * challenge - the facts of one challenge, as the store holds them.
 *
 * Plain values, borrowed from whoever read them. Every string may be hostile; unknown
 * numbers are 0, unknown instants INSTANT_NEVER, unknown texts "".
 */
#ifndef CORE_CHALLENGE_H
#define CORE_CHALLENGE_H

#include "base/error.h"
#include "base/instant.h"

struct event {
	int64_t id;
	const char *kind;   /* "raised", "stage", ... or one that a policy names */
	const char *stage;  /* for kind "stage"; else "" */
	struct instant at;  /* when it happened */
	struct instant due; /* an agreed date, the end of a pause; INSTANT_NEVER: none */
	int64_t voids;      /* the event that this one takes back; 0: none */
	const char *value;  /* the coded outcome or theme; "" */
	struct instant recorded_at; /* when it was typed */
	int64_t key;                /* set by challenge_settle: the id that notices name */
	bool taken_back;            /* used by challenge_settle */
};

struct challenge {
	int64_t id;
	const char *reference;
	const char *policy;
	const char *policy_version;
	const char *urgency; /* "": the policy's default */
	const char *concerns;
	const char *category;
	const char *raising_agency;
	const char *receiving_agency;
	int64_t raising_contact;   /* 0: none */
	int64_t receiving_contact; /* 0: none */
	struct instant protect_by; /* INSTANT_NEVER: none */
	int64_t change_seq;
	struct event *events; /* in order of id until settled, then of (at, key) */
	size_t event_count;
	/* The name of a column whose value was not fit to leave the store: it counts as "", or
	 * as a word that nobody knows. NULL: there is none. */
	const char *unsound;
};

/*
 * Settles the history in place: drops what was taken back and the `voided` events
 * themselves, and puts the rest in order of time (at one instant, of key). An event of another
 * kind that voids one takes that one's place and key; voiding a `voided` event revives
 * what that one took back. An event that voids itself, a later one or one that is not there
 * counts as if it voided nothing (a `voided` one then does nothing).
 */
void challenge_settle(struct challenge *challenge);

/* The event kinds that design section 3 names, in the order of event_kinds. */
enum event_kind {
	EVENT_RAISED,
	EVENT_DECISION_RECEIVED,
	EVENT_STAGE,
	EVENT_ACKNOWLEDGED,
	EVENT_DISCUSSED,
	EVENT_RESPONDED,
	EVENT_AGREED,
	EVENT_NOT_AGREED,
	EVENT_MEETING_HELD,
	EVENT_IMMEDIATE_RISK,
	EVENT_LEARNED,
	EVENT_RESOLVED,
	EVENT_OUTCOME_SHARED,
	EVENT_CLOSED,
	EVENT_WITHDRAWN,
	EVENT_REOPENED,
	EVENT_PAUSED,
	EVENT_RESUMED,
	EVENT_VOIDED,
	EVENT_KINDS, /* how many; a policy's own kinds come after these */
};
extern const char *const event_kinds[EVENT_KINDS];

/* True for the kinds that end a challenge: resolved, withdrawn, closed. */
bool event_kind_is_terminal(int kind);

#endif
