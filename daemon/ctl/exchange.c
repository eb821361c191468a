/* exchange.c - see exchange.h. */
#include "ctl/exchange.h"

#include <string.h>
#include <strings.h>

static const char *const agency_columns[] = {
	[AGENCY_ID] = "id",
	[AGENCY_NAME] = "name",
	[AGENCY_TELEPHONE] = "telephone",
	[AGENCY_CALENDAR] = "calendar",
	[AGENCY_COVER] = "cover",
};

static const char *const contact_columns[] = {
	[CONTACT_ID] = "id",
	[CONTACT_AGENCY] = "agency",
	[CONTACT_ROLE] = "role",
	[CONTACT_NAME] = "name",
	[CONTACT_EMAIL] = "email",
	[CONTACT_LANGUAGE] = "language",
	[CONTACT_SHARED] = "shared",
	[CONTACT_AWAY_FROM] = "away_from",
	[CONTACT_AWAY_UNTIL] = "away_until",
	[CONTACT_DEPUTY] = "deputy",
	[CONTACT_CONFIRMED_AT] = "confirmed_at",
	[CONTACT_ACTIVE] = "active",
};

static const char *const challenge_columns[] = {
	[CHALLENGE_REFERENCE] = "reference",
	[CHALLENGE_POLICY] = "policy",
	[CHALLENGE_POLICY_VERSION] = "policy_version",
	[CHALLENGE_URGENCY] = "urgency",
	[CHALLENGE_CONCERNS] = "concerns",
	[CHALLENGE_CATEGORY] = "category",
	[CHALLENGE_RAISING_AGENCY] = "raising_agency",
	[CHALLENGE_RECEIVING_AGENCY] = "receiving_agency",
	[CHALLENGE_RAISING_CONTACT] = "raising_contact",
	[CHALLENGE_RECEIVING_CONTACT] = "receiving_contact",
	[CHALLENGE_PROTECT_BY] = "protect_by",
	[CHALLENGE_RAISED_AT] = "raised_at",
	[CHALLENGE_STAGE] = "stage",
	[CHALLENGE_STAGE_AT] = "stage_at",
	[CHALLENGE_RESOLVED_AT] = "resolved_at",
	[CHALLENGE_OUTCOME] = "outcome",
	[CHALLENGE_CLOSED_AT] = "closed_at",
	[CHALLENGE_WITHDRAWN_AT] = "withdrawn_at",
};

const struct exchange exchanges[EXCHANGE_KINDS] = {
	[EXCHANGE_AGENCIES] = { "agencies", agency_columns, COUNT(agency_columns) },
	[EXCHANGE_CONTACTS] = { "contacts", contact_columns, COUNT(contact_columns) },
	[EXCHANGE_CHALLENGES] = { "challenges", challenge_columns, COUNT(challenge_columns) },
};

const struct exchange *exchange_find(const char *name)
{
	for (size_t i = 0; i < COUNT(exchanges); i++)
		if (strcmp(exchanges[i].name, name) == 0)
			return &exchanges[i];
	return NULL;
}

bool exchange_flag(const char *typed, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "yes", true }, { "y", true },  { "true", true },   { "1", true },
		{ "no", false }, { "n", false }, { "false", false }, { "0", false },
	};

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcasecmp(words[i].word, typed) == 0) {
			*ret = words[i].value;
			return true;
		}
	return false;
}
