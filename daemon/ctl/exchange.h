/*
 * exchange - the columns of the CSV files that import reads and export writes, one list for
 * both, so that what was exported can be imported.
 */
#ifndef CTL_EXCHANGE_H
#define CTL_EXCHANGE_H

#include "base/instant.h"
#include "core/zone.h"

enum exchange_kind {
	EXCHANGE_AGENCIES,
	EXCHANGE_CONTACTS,
	EXCHANGE_CHALLENGES,
	EXCHANGE_KINDS
};

enum agency_column { AGENCY_ID, AGENCY_NAME, AGENCY_TELEPHONE, AGENCY_CALENDAR, AGENCY_COVER };

enum contact_column {
	CONTACT_ID,
	CONTACT_AGENCY,
	CONTACT_ROLE,
	CONTACT_NAME,
	CONTACT_EMAIL,
	CONTACT_LANGUAGE,
	CONTACT_SHARED,
	CONTACT_AWAY_FROM,
	CONTACT_AWAY_UNTIL,
	CONTACT_DEPUTY,
	CONTACT_CONFIRMED_AT,
	CONTACT_ACTIVE,
};

enum challenge_column {
	CHALLENGE_REFERENCE,
	CHALLENGE_POLICY,
	CHALLENGE_POLICY_VERSION,
	CHALLENGE_URGENCY,
	CHALLENGE_CONCERNS,
	CHALLENGE_CATEGORY,
	CHALLENGE_RAISING_AGENCY,
	CHALLENGE_RECEIVING_AGENCY,
	CHALLENGE_RAISING_CONTACT,
	CHALLENGE_RECEIVING_CONTACT,
	CHALLENGE_PROTECT_BY,
	CHALLENGE_RAISED_AT,
	CHALLENGE_STAGE,
	CHALLENGE_STAGE_AT,
	CHALLENGE_RESOLVED_AT,
	CHALLENGE_OUTCOME,
	CHALLENGE_CLOSED_AT,
	CHALLENGE_WITHDRAWN_AT,
};

enum { EXCHANGE_COLUMNS = 24 }; /* no kind has more */

/* What a kind is called on the command line, and its columns in order. */
struct exchange {
	const char *name;
	const char *const *columns;
	size_t count;
};
extern const struct exchange exchanges[EXCHANGE_KINDS];

/* NULL: no such kind. */
const struct exchange *exchange_find(const char *name);

/* yes, y, true, 1 or no, n, false, 0, in any case. */
MUST_CHECK bool exchange_flag(const char *typed, bool *ret);

#endif
