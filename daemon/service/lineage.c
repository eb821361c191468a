/* lineage.c - see lineage.h. */
#include "service/lineage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int look(struct ledger *ledger, struct store *store,
		char ret_text[static LINEAGE_TEXT_SIZE], bool *store_failed,
		struct error *error)
{
	CLEANUP(text_clear) struct text identity = { 0 };
	struct ledger_witness witness;
	int r = ledger_witness(ledger, &witness, error);

	if (r <= 0)
		return r < 0 ? r : 1;
	r = ledger_get(ledger, "store_identity", &identity, error);
	if (r < 0)
		return r;
	if (strcmp(text_string(&identity), store_identity(store)) != 0) {
		(void)snprintf(ret_text, LINEAGE_TEXT_SIZE,
			       "the store is another one than the ledger knows; nothing is "
			       "decided until the right one is back, the ledger moved away, or "
			       "it is confirmed: \"challengectl approve store\"");
		return 0;
	}
	r = store_has_event(store,
			    &(struct store_event){ .id = witness.event,
						   .challenge = witness.challenge,
						   .at = { witness.at },
						   .recorded_at = { witness.recorded_at } },
			    error);
	*store_failed = r < 0;
	if (r == 0)
		(void)snprintf(ret_text, LINEAGE_TEXT_SIZE,
			       "the store is an older copy: event %lld, which was seen in it, "
			       "is not there; nothing is decided until the newer one is back, "
			       "or it is confirmed: \"challengectl approve store\"",
			       (long long)witness.event);
	return r;
}

/* Another copy, older still, may take the place of the first: the lowest number counts. */
static int note_doubt(struct ledger *ledger, struct store *store, bool new, bool *store_failed,
		      struct error *error)
{
	struct store_event newest = { 0 };
	int64_t noted = INT64_MAX;
	int r = store_event(store, 0, &newest, error);

	*store_failed = r < 0;
	if (r >= 0 && !new)
		r = ledger_get_number(ledger, LEDGER_STORE_COPIED, &noted, error);
	if (r >= 0 && newest.id < noted)
		r = ledger_set_number(ledger, LEDGER_STORE_COPIED, newest.id, error);
	if (r >= 0 && new)
		r = ledger_set_number(ledger, LEDGER_STORE_DOUBTED, 1, error);
	return r < 0 ? r : 0;
}

int lineage_check(struct ledger *ledger, struct store *store,
		  char ret_text[static LINEAGE_TEXT_SIZE], bool *store_failed,
		  struct error *error)
{
	int good = look(ledger, store, ret_text, store_failed, error);
	int64_t doubted = 0;
	int r;

	if (good < 0)
		return good;
	r = ledger_get_number(ledger, LEDGER_STORE_DOUBTED, &doubted, error);
	if (r >= 0 && good == 0)
		r = note_doubt(ledger, store, doubted == 0, store_failed, error);
	else if (r >= 0 && doubted != 0) /* seldom: no transaction without need */
		r = ledger_set_number(ledger, LEDGER_STORE_DOUBTED, 0, error);
	return r < 0 ? r : good;
}

int lineage_confirm(struct ledger *ledger, struct store *store, bool *store_failed,
		    struct error *error)
{
	char text[LINEAGE_TEXT_SIZE];
	int good = look(ledger, store, text, store_failed, error);

	if (good == 0)
		return error_set(error, ESTALE, "%s", text);
	return good < 0 ? good : 0;
}

int lineage_remember(struct ledger *ledger, struct store *store, struct instant now,
		     bool *store_failed, struct error *error)
{
	struct store_event event;
	int found = store_event(store, 0, &event, error);

	*store_failed = found < 0;
	if (found <= 0)
		return found;
	return ledger_set_witness(ledger,
				  &(struct ledger_witness){
					  .event = event.id,
					  .challenge = event.challenge,
					  .at = event.at.seconds,
					  .recorded_at = event.recorded_at.seconds,
					  .seen = now.seconds,
				  },
				  error);
}
