/* breaker.c - see breaker.h. */
#include "service/breaker.h"

#include "adapter/journal.h"
#include "service/render.h"

int breaker_look(struct breaker *breaker, const struct world *world, struct error *error)
{
	int r = ledger_flood(world->ledger, &breaker->holds, error);

	if (r < 0 || breaker->holds)
		return r;
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
	if (r <= 0 || breaker->holds)
		return r < 0 ? r : 0;
	r = ledger_hold_flood(world->ledger, now, error);
	if (r < 0)
		return r;
	breaker->holds = true;
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
	if (breaker->told == today)
		return 0;
	journal_send(JOURNAL_FLOOD, NULL, 0,
		     "far more fell due than usual: %lld notices are held until a person lets "
		     "them go (challengectl queue release --all) or leaves them unsent "
		     "(challengectl adopt)",
		     (long long)held);
	breaker->announced = true;
	breaker->told = today;
	/* With --once each cycle is a new process: the mail is one a day all the same. */
	r = ledger_get_number(world->ledger, told_name, &mailed, error);
	if (r < 0 || mailed == today)
		return r < 0 ? r : 0;
	r = write_alarm(world, held, now, error);
	return r < 0 ? r : ledger_set_number(world->ledger, told_name, today, error);
}
