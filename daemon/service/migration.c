/* migration.c - see migration.h. */
#include "service/migration.h"

#include "adapter/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

struct telling {
	const struct clock *clock;
	bool told;
	int64_t told_at; /* seconds of CLOCK_BOOTTIME */
};

static void tell_systemd(void *context, int from, int to)
{
	struct telling *telling = context;
	int64_t now = telling->clock->boot_seconds(telling->clock->self);

	if (telling->told && now - telling->told_at < MIGRATION_TELL_SECONDS)
		return;
	telling->told = true;
	telling->told_at = now;
	/* Nobody listens outside systemd: that is fine. */
	(void)sd_notifyf(0,
			 "EXTEND_TIMEOUT_USEC=%lld\nSTATUS=Bringing the ledger from version %d "
			 "to %d, after a copy of it; a large one takes minutes",
			 MIGRATION_EXTEND_SECONDS * 1000000LL, from, to);
}

static void say_what_was_done(const struct ledger *ledger)
{
	int from;
	int to;

	if (ledger_was_migrated(ledger, &from, &to))
		journal_send(JOURNAL_LEDGER_MIGRATED, NULL, 0,
			     "the ledger was brought from version %d to %d; as it was before "
			     "it is kept beside it, as ledger-version-%d.db",
			     from, to, from);
}

#ifdef CRASH_POINTS
/* Test builds know a version more, if $CHALLENGE_NOTIFYD_STEP names a file with its SQL. */
static const struct ledger_steps *more_steps(void)
{
	static char sql[10000];
	static struct ledger_step step[8];
	static struct ledger_steps steps;
	const char *name = getenv("CHALLENGE_NOTIFYD_STEP");
	FILE *file = name != NULL ? fopen(name, "re") : NULL;

	if (file == NULL)
		return NULL;
	sql[fread(sql, 1, sizeof sql - 1, file)] = '\0';
	(void)fclose(file);
	for (size_t i = 0; i < ledger_released_steps.count; i++)
		step[i] = ledger_released_steps.step[i];
	step[ledger_released_steps.count] = (struct ledger_step){ "a test's", sql };
	steps = (struct ledger_steps){ step, ledger_released_steps.count + 1 };
	return &steps;
}
#else
static const struct ledger_steps *more_steps(void)
{
	return NULL;
}
#endif

int migration_open_ledger(const char *folder, const struct clock *clock, struct ledger **ret,
			  struct error *error)
{
	struct telling telling = { .clock = clock };
	const struct ledger_setup setup = { .migrating = tell_systemd,
					    .context = &telling,
					    .steps = more_steps() };
	int r = ledger_open_with(folder, LEDGER_WRITE, &setup, ret, error);

	if (r < 0)
		return r;
	say_what_was_done(*ret);
	return 0;
}
