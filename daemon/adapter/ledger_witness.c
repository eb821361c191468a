/*
 * ledger_witness.c - by what the ledger knows its store again: the newest event that it saw
 * there, the highest numbers that it holds itself, and a person's word that another store is
 * the right one.
 */
#include "adapter/ledger_internal.h"

#include <stdio.h>
#include <stdlib.h>

static const char witness_name[] = "store_witness";

int ledger_witness(struct ledger *ledger, struct ledger_witness *ret, struct error *error)
{
	CLEANUP(text_clear) struct text text = { 0 };
	const char *rest;
	int64_t n[5];
	int result = ledger_get(ledger, witness_name, &text, error);

	if (result <= 0)
		return result;
	rest = text_string(&text);
	for (size_t i = 0; i < COUNT(n); i++) {
		char *end;

		n[i] = strtoll(rest, &end, 10);
		if (end == rest)
			return 0; /* confirmed just now, and not looked at yet */
		rest = end;
	}
	*ret = (struct ledger_witness){ n[0], n[1], n[2], n[3], n[4] };
	return 1;
}

int ledger_set_witness(struct ledger *ledger, const struct ledger_witness *witness,
		       struct error *error)
{
	char text[5 * 22];

	(void)snprintf(text, sizeof text, "%lld %lld %lld %lld %lld", (long long)witness->event,
		       (long long)witness->challenge, (long long)witness->at,
		       (long long)witness->recorded_at, (long long)witness->seen); /* fits */
	return ledger_set(ledger, witness_name, text, error);
}

int ledger_numbers(struct ledger *ledger, struct ledger_numbers *ret, struct error *error)
{
	static const char sql_challenge[] =
		"SELECT max(coalesce((SELECT max(challenge) FROM notice), 0),"
		" coalesce((SELECT max(challenge) FROM schedule), 0))";
	static const char sql_event[] = "SELECT coalesce(max(event), 0) FROM notice";
	static const char sql_contact[] =
		"SELECT max(coalesce((SELECT max(contact) FROM mail), 0),"
		" coalesce((SELECT max(contact) FROM refused), 0))";
	struct ledger_witness witness = { 0 };
	struct ledger_numbers found = { 0 };
	int result = database_number(ledger->db, sql_challenge, &found.challenge, error);

	if (result >= 0)
		result = database_number(ledger->db, sql_event, &found.event, error);
	if (result >= 0)
		result = database_number(ledger->db, sql_contact, &found.contact, error);
	if (result >= 0)
		result = ledger_witness(ledger, &witness, error);
	if (result < 0)
		return result;
	if (found.challenge < witness.challenge)
		found.challenge = witness.challenge;
	if (found.event < witness.event)
		found.event = witness.event;
	*ret = found;
	return 0;
}

static int confirm_store(struct ledger *ledger, const char *identity, const char *payload,
			 struct instant now, struct error *error)
{
	int result = ledger_set(ledger, "store_identity", identity, error);

	if (result >= 0)
		result = ledger_set_number(ledger, "change_seq", 0, error);
	if (result >= 0)
		result = ledger_set(ledger, witness_name, "", error);
	if (result >= 0)
		result = ledger_set_number(ledger, LEDGER_STORE_DOUBTED, 0, error);
	return result < 0 ? result
			  : ledger_note(ledger, "store_confirmed", payload, now, error);
}

int ledger_confirm_store(struct ledger *ledger, const char *identity, const char *payload,
			 struct instant now, struct error *error)
{
	struct ledger_scope scope;
	int result = ledger_enter(ledger, &scope, error);

	if (result < 0)
		return result;
	result = confirm_store(ledger, identity, payload, now, error);
	return ledger_leave(ledger, &scope, result < 0 ? result : 0, error);
}
