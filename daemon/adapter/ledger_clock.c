/*
 * ledger_clock.c - a person confirms that the clock is right, though the ledger knows a later
 * time.
 */
#include "adapter/ledger_internal.h"

#include <errno.h>
#include <jansson.h>

/* 2026-01-01T00:00:00Z: nothing of ours ran before. */
#define FIRST_SANE INT64_C(1767225600)

static const char clock_confirmed[] = "clock_confirmed";
static const char clock_disavowed[] = "clock_disavowed";

static int note_confirmation(struct ledger *ledger, struct instant now, const char *by,
			     const char *why, struct error *error)
{
	CLEANUP(freep) char *payload = NULL;
	json_t *object = json_pack("{s:s, s:s}", "by", by, "reason", why);

	payload = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (payload == NULL)
		return error_set(error, EINVAL, "ledger: who or why is not UTF-8");
	return ledger_note(ledger, clock_confirmed, payload, now, error);
}

static int write_confirmation(struct ledger *ledger, struct instant now, const char *by,
			      const char *why, struct error *error)
{
	struct instant latest;
	int result = ledger_latest(ledger, &latest, error);
	bool ahead = result == 0 && instant_before(now, latest);

	if (result == 0)
		result = ledger_set_number(ledger, clock_confirmed, now.seconds, error);
	if (result >= 0)
		result = ledger_set_number(ledger, clock_disavowed,
					   ahead ? latest.seconds : INSTANT_NEVER.seconds,
					   error);
	/* When each speaks next was worked out in a future that is not. */
	if (result >= 0 && ahead)
		result = ledger_set_number(ledger, "change_seq", 0, error);
	if (result >= 0)
		result = note_confirmation(ledger, now, by, why, error);
	return result < 0 ? result : 0;
}

int ledger_confirm_clock(struct ledger *ledger, struct instant now, const char *by,
			 const char *why, struct error *error)
{
	int result;

	if (now.seconds < FIRST_SANE)
		return error_set(error, EINVAL,
				 "the clock stands before 2026, which nobody can confirm: set "
				 "it first");
	result = ledger_begin(ledger, error);
	if (result < 0)
		return result;
	result = write_confirmation(ledger, now, by, why, error);
	if (result == 0)
		result = ledger_commit(ledger, error);
	if (result < 0)
		ledger_rollback(ledger);
	return result;
}

int ledger_confirmation(struct ledger *ledger, struct ledger_confirmation *ret,
			struct error *error)
{
	struct ledger_confirmation found = { INSTANT_NEVER, INSTANT_NEVER };
	int result = ledger_get_number(ledger, clock_confirmed, &found.at.seconds, error);

	if (result == 1)
		result = ledger_get_number(ledger, clock_disavowed, &found.disavowed.seconds,
					   error);
	if (result < 0)
		return result;
	*ret = found;
	return 0;
}
