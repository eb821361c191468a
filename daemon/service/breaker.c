/* breaker.c - see breaker.h. */
#include "service/breaker.h"

#include "adapter/journal.h"
#include "service/render.h"

int breaker_restore(struct breaker *breaker, const struct world *world, struct instant now,
		    struct error *error)
{
	char copied[INSTANT_TEXT_SIZE];
	struct instant at;
	int r;

	if (breaker->copy_looked_for)
		return 0;
	r = ledger_is_copy(world->ledger, &at, error);
	if (r == 1)
		r = ledger_hold_restored(world->ledger, now, error);
	if (r < 0)
		return r;
	breaker->copy_looked_for = true;
	if (r == 1)
		journal_send(JOURNAL_LEDGER_RESTORED, NULL, 0,
			     "the ledger is a copy that was put back, and knows nothing after "
			     "%s: what fell due by now may have been sent, and is held",
			     instant_format(at, 0, copied));
	return 0;
}

bool breaker_is_restored(const struct breaker *breaker)
{
	return breaker->holds && !instant_is_never(breaker->until);
}

int breaker_look(struct breaker *breaker, const struct world *world, struct error *error)
{
	struct ledger_flood flood;
	int r = ledger_flood(world->ledger, &flood, error);

	if (r < 0)
		return r;
	breaker->holds = flood.holds;
	breaker->until = flood.until;
	if (flood.holds)
		return 0;
	if (breaker->announced)
		journal_send(JOURNAL_FLOOD_PASSED, NULL, 0,
			     "the notices that were held are settled: sending goes on");
	breaker->announced = false;
	breaker->told = 0;
	return 0;
}

int breaker_count(struct breaker *breaker, const struct world *world, size_t due,
		  struct instant now, struct error *error)
{
	int r;

	if (due == 0)
		return 0;
	r = ledger_count_due(world->ledger, (int64_t)due, world->config->mail.hold_above, now,
			     error);
	if (r <= 0 || (breaker->holds && !breaker_is_restored(breaker)))
		return r < 0 ? r : 0;
	r = ledger_hold_flood(world->ledger, now, error);
	if (r < 0)
		return r;
	breaker->holds = true;
	breaker->until = INSTANT_NEVER;
	return 0;
}

/* The mail is an alarm, not a notice: it may go while everything else is held. */
static int write_alarm(const struct world *world, int64_t held, struct instant now,
		       struct error *error)
{
	int r = ledger_begin(world->ledger, error);

	if (r < 0)
		return r;
	r = render_flood(world, held, now, error);
	if (r >= 0)
		r = ledger_commit(world->ledger, error);
	if (r < 0)
		ledger_rollback(world->ledger);
	return r;
}

static int tell_restored(struct breaker *breaker, const struct world *world, int64_t held,
			 struct instant now, struct error *error)
{
	int32_t today = (int32_t)(now.seconds / SECONDS_PER_DAY);

	if (held == 0) {
		breaker->holds = false;
		return ledger_end_flood(world->ledger, now, error);
	}
	if (breaker->told != today)
		journal_send(
			JOURNAL_LEDGER_RESTORED, NULL, 0,
			"%lld %s may have been sent after the copy of the ledger was made: "
			"%s held until a person lets them go (challengectl queue release "
			"--all) or leaves them unsent (challengectl adopt)",
			(long long)held, text_plural(held, "notice", "notices"),
			text_plural(held, "it is", "they are"));
	breaker->announced = true;
	breaker->told = today;
	return 0;
}

int breaker_tell(struct breaker *breaker, const struct world *world, struct instant now,
		 int64_t *ret, struct error *error)
{
	static const char told_name[] = "flood_told";
	int32_t today = (int32_t)(now.seconds / SECONDS_PER_DAY);
	int64_t mailed = 0;
	int64_t held = 0;
	int r;

	*ret = 0;
	if (!breaker->holds)
		return 0;
	r = ledger_count_flood(world->ledger, &held, error);
	if (r < 0)
		return r;
	*ret = held;
	if (breaker_is_restored(breaker))
		return tell_restored(breaker, world, held, now, error);
	if (breaker->told == today)
		return 0;
	journal_send(JOURNAL_FLOOD, NULL, 0,
		     "far more fell due than usual: %lld %s held until a person lets them go "
		     "(challengectl queue release --all) or leaves them unsent (challengectl "
		     "adopt)",
		     (long long)held, text_plural(held, "notice is", "notices are"));
	breaker->announced = true;
	breaker->told = today;
	/* With --once each cycle is a new process: the mail is one a day all the same. */
	r = ledger_get_number(world->ledger, told_name, &mailed, error);
	if (r < 0 || mailed == today)
		return r < 0 ? r : 0;
	r = write_alarm(world, held, now, error);
	return r < 0 ? r : ledger_set_number(world->ledger, told_name, today, error);
}
