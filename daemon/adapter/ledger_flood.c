/*
 * ledger_flood.c - how much falls due on a day, what is held because it is far more than
 * usual, and what a person makes of that. See ledger.h.
 *
 * The counts are small named values, one for each of 31 places that days come to in turn: they
 * outlive a restart and never grow.
 */
#include "adapter/ledger_internal.h"

#include "core/flood.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

enum { PLACES = FLOOD_DAYS + 1, RADIX = 1000000000 };

static const char since_name[] = "flood_since";
static const char until_name[] = "flood_until";     /* of a copy that was put back; 0: none */
static const char copied_name[] = "copied_at";      /* as ledger_copy writes it */
static const char settled_name[] = "flood_settled"; /* of today, no longer counted */

const char ledger_flood_reason[] = "held: far more fell due than usual";
const char ledger_restored_reason[] =
	"held: the ledger was put back from a copy, and this may have been sent already";

static int64_t day_of(struct instant at)
{
	return at.seconds / SECONDS_PER_DAY;
}

/* What is stored under a name for this very day; 0 when it is about another. */
static int get_of_day(struct ledger *ledger, const char *name, int64_t day, int64_t *ret,
		      struct error *error)
{
	int64_t stored = 0;
	int result = ledger_get_number(ledger, name, &stored, error);

	if (result < 0)
		return result;
	*ret = stored / RADIX == day ? stored % RADIX : 0;
	return 0;
}

static int set_of_day(struct ledger *ledger, const char *name, int64_t day, int64_t count,
		      struct error *error)
{
	return ledger_set_number(ledger, name,
				 day * RADIX + (count < RADIX ? count : RADIX - 1), error);
}

static void place_name(int64_t day, char out[static 40])
{
	(void)snprintf(out, 40, "due_of_day/%lld", (long long)(day % PLACES));
}

static int read_days(struct ledger *ledger, int64_t day, int64_t before[static FLOOD_DAYS],
		     struct error *error)
{
	for (int64_t i = 0; i < FLOOD_DAYS; i++) {
		char name[40];
		int result;

		place_name(day - 1 - i, name);
		result = get_of_day(ledger, name, day - 1 - i, &before[i], error);
		if (result < 0)
			return result;
	}
	return 0;
}

int ledger_flood(struct ledger *ledger, struct ledger_flood *ret, struct error *error)
{
	int64_t since = 0;
	int64_t until = 0;
	int result = ledger_get_number(ledger, since_name, &since, error);

	if (result >= 0 && since != 0)
		result = ledger_get_number(ledger, until_name, &until, error);
	if (result < 0)
		return result;
	ret->holds = since != 0;
	ret->until = INSTANT_NEVER;
	if (until != 0)
		ret->until.seconds = until;
	return 0;
}

int ledger_count_due(struct ledger *ledger, int64_t more, int64_t least, struct instant now,
		     struct error *error)
{
	int64_t before[FLOOD_DAYS];
	int64_t day = day_of(now);
	int64_t settled = 0;
	int64_t today = 0;
	char name[40];
	int result;

	place_name(day, name);
	result = get_of_day(ledger, name, day, &today, error);
	if (result >= 0)
		result = get_of_day(ledger, settled_name, day, &settled, error);
	if (result >= 0)
		result = set_of_day(ledger, name, day, today + more, error);
	if (result < 0 || today + more - settled <= least)
		return result < 0 ? result : 0;
	result = read_days(ledger, day, before, error);
	if (result < 0)
		return result;
	return flood_is_one(today + more - settled, before, FLOOD_DAYS, least);
}

/* Every notice that waits without a mail, but for immediate risk. */
static int hold_all(struct ledger *ledger, const char *reason, struct instant now,
		    struct error *error)
{
	static const char sql[] =
		"SELECT id FROM notice WHERE state = 'decided' AND mail IS NULL"
		" AND kind <> 'risk' LIMIT 1";

	for (;;) {
		CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
		int64_t notice;
		int result = ledger_ask(ledger, sql, NULL, 0, &statement, error);

		if (result == 0)
			result = ledger_step(ledger, statement, error);
		if (result != 1)
			return result;
		notice = sqlite3_column_int64(statement, 0);
		ledger_resetp(&statement); /* its index is about to change */
		result = ledger_hold_notice(ledger, notice, reason, now, error);
		if (result < 0)
			return result;
	}
}

static int begin_flood(struct ledger *ledger, struct instant now, int64_t until,
		       struct error *error)
{
	int result = hold_all(ledger, until != 0 ? ledger_restored_reason : ledger_flood_reason,
			      now, error);

	if (result >= 0)
		result = ledger_set_number(ledger, since_name, now.seconds, error);
	if (result >= 0)
		result = ledger_set_number(ledger, until_name, until, error);
	return result;
}

int ledger_hold_flood(struct ledger *ledger, struct instant now, struct error *error)
{
	struct ledger_scope scope;
	int result = ledger_enter_inside(ledger, &scope, error);

	if (result < 0)
		return result;
	result = begin_flood(ledger, now, 0, error);
	return ledger_leave(ledger, &scope, result < 0 ? result : 0, error);
}

/* --- a copy that was put back --------------------------------------------------------------
 */

int ledger_is_copy(struct ledger *ledger, struct instant *ret, struct error *error)
{
	return ledger_get_number(ledger, copied_name, &ret->seconds, error);
}

static const char may_have_gone[] = "the ledger was put back from a copy: it may have been "
				    "sent after that was made";

/* Its notices wait without it, to be rendered again when they are let go. */
static int take_apart(struct ledger *ledger, int64_t id, struct instant now,
		      struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	struct ledger_mail mail;
	int result = mail_find(ledger, id, &statement, &mail, error);

	if (result == 1)
		result =
			mail_cancel(ledger, &mail, chain_taken_back, may_have_gone, now, error);
	return result < 0 ? result : mail_loosen(ledger, id, now, error);
}

/* 1 when one of the mails that wait has been dealt with; 0: none does. */
static int hold_a_mail(struct ledger *ledger, struct instant now, struct error *error)
{
	/* A resend has to be the same to the byte, and an alarm has no notices to wait. */
	static const char sql[] =
		"SELECT m.id, m.doubts > 0 OR NOT EXISTS (SELECT 1 FROM mail_notice mn"
		"   WHERE mn.mail = m.id)"
		" FROM mail m WHERE m.state IN ('ready', 'retry', 'in_doubt')"
		" AND NOT EXISTS (SELECT 1 FROM mail_notice mn JOIN notice n ON n.id = "
		"mn.notice"
		"   WHERE mn.mail = m.id AND n.kind = 'risk') LIMIT 1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql, NULL, 0, &statement, error);
	bool whole;
	int64_t id;

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result != 1)
		return result;
	id = sqlite3_column_int64(statement, 0);
	whole = sqlite3_column_int(statement, 1) != 0;
	ledger_resetp(&statement); /* its index is about to change */
	result = whole ? ledger_decide_mail(ledger, id, DELIVERY_HELD, "challenge-notifyd",
					    may_have_gone, now, error)
		       : take_apart(ledger, id, now, error);
	return result < 0 ? result : 1;
}

static int hold_restored(struct ledger *ledger, struct instant copied, struct instant now,
			 struct error *error)
{
	size_t doubts = 0;
	json_t *payload = json_pack("{s:o}", "copied", json_instant(copied));
	CLEANUP(freep) char *text = payload != NULL ? json_dumps(payload, JSON_COMPACT) : NULL;
	int result;

	json_decref(payload);
	if (text == NULL)
		return error_memory(error);
	result = ledger_recover(ledger, now, &doubts, error);
	while (result >= 0 && (result = hold_a_mail(ledger, now, error)) == 1)
		;
	if (result >= 0)
		result = begin_flood(ledger, now, now.seconds, error);
	if (result >= 0)
		result = ledger_change(ledger, "DELETE FROM meta WHERE name = ?1",
				       VALUES(value_text(copied_name)), error);
	return result < 0 ? result : ledger_note(ledger, "restored", text, now, error);
}

int ledger_hold_restored(struct ledger *ledger, struct instant now, struct error *error)
{
	struct instant copied;
	struct ledger_scope scope;
	int result = ledger_is_copy(ledger, &copied, error);

	if (result <= 0)
		return result;
	result = ledger_enter(ledger, &scope, error);
	if (result < 0)
		return result;
	result = hold_restored(ledger, copied, now, error);
	result = ledger_leave(ledger, &scope, result < 0 ? result : 0, error);
	return result < 0 ? result : 1;
}

/* --- the end -------------------------------------------------------------------------------
 */

int ledger_end_flood(struct ledger *ledger, struct instant now, struct error *error)
{
	int64_t day = day_of(now);
	int64_t today = 0;
	struct ledger_scope scope;
	char name[40];
	int result = ledger_enter(ledger, &scope, error);

	if (result < 0)
		return result;
	place_name(day, name);
	result = get_of_day(ledger, name, day, &today, error);
	if (result >= 0)
		result = set_of_day(ledger, settled_name, day, today, error);
	if (result >= 0)
		result = ledger_set_number(ledger, since_name, 0, error);
	if (result >= 0)
		result = ledger_set_number(ledger, until_name, 0, error);
	return ledger_leave(ledger, &scope, result < 0 ? result : 0, error);
}
