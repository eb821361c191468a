/* lineage.c - see lineage.h. */
#include "service/lineage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_same_event(const struct store_event *event, const struct ledger_witness *witness)
{
	return event->challenge == witness->challenge && event->at.seconds == witness->at &&
	       event->recorded_at.seconds == witness->recorded_at;
}

/* 1: the witness is there, or went by a recorded purge; 0: neither. */
static int find_witness(struct store *store, const struct ledger_witness *witness,
			struct error *error)
{
	struct store_event event;
	int found = store_event(store, witness->event, &event, error);

	if (found < 0)
		return found;
	if (found == 1 && is_same_event(&event, witness))
		return 1;
	return found == 1 ? 0 : store_was_purged(store, witness->challenge, error);
}

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
	r = find_witness(store, &witness, error);
	*store_failed = r < 0;
	if (r == 0)
		(void)snprintf(ret_text, LINEAGE_TEXT_SIZE,
			       "the store is an older copy: event %lld, which was seen in it, "
			       "is not there; nothing is decided until the newer one is back, "
			       "or it is confirmed: \"challengectl approve store\"",
			       (long long)witness.event);
	return r;
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
	if (r >= 0 && doubted != (good == 0)) /* seldom: no transaction without need */
		r = ledger_set_number(ledger, LEDGER_STORE_DOUBTED, good == 0, error);
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
