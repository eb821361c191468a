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
static const char settled_name[] = "flood_settled"; /* of today, no longer counted */

const char ledger_flood_reason[] = "held: far more fell due than usual";

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

int ledger_flood(struct ledger *ledger, bool *ret, struct error *error)
{
	int64_t since = 0;
	int result = ledger_get_number(ledger, since_name, &since, error);

	if (result < 0)
		return result;
	*ret = since != 0;
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
static int hold_all(struct ledger *ledger, struct instant now, struct error *error)
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
		result = ledger_hold_notice(ledger, notice, ledger_flood_reason, now, error);
		if (result < 0)
			return result;
	}
}

int ledger_hold_flood(struct ledger *ledger, struct instant now, struct error *error)
{
	struct ledger_scope scope;
	int result = ledger_enter_inside(ledger, &scope, error);

	if (result < 0)
		return result;
	result = hold_all(ledger, now, error);
	if (result >= 0)
		result = ledger_set_number(ledger, since_name, now.seconds, error);
	return ledger_leave(ledger, &scope, result < 0 ? result : 0, error);
}

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
	return ledger_leave(ledger, &scope, result < 0 ? result : 0, error);
}
