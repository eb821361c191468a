/* alarm.c - see alarm.h. */
#include "service/alarm.h"

#include "adapter/journal.h"
#include "service/render.h"

#include <errno.h>
#include <stdio.h>

enum { NAME_SIZE = 40, QUIET_SECONDS = 6 * 3600 };

static const struct {
	const char *name;
	int64_t patience; /* seconds that the trouble lasts before it is told */
} kinds[ALARM_KINDS] = {
	[ALARM_PAUSED] = { "paused", 0 },     [ALARM_HELD] = { "held", 0 },
	[ALARM_STORE] = { "store", 300 },     [ALARM_BEHIND] = { "behind", 0 },
	[ALARM_RELOAD] = { "reload", 0 },     [ALARM_APPROVAL] = { "approval", 0 },
	[ALARM_HOLIDAYS] = { "holidays", 0 }, [ALARM_ORPHANS] = { "orphans", 300 },
	[ALARM_PROMISE] = { "promise", 300 }, [ALARM_RESTORED] = { "restored", 0 },
};

static void level_name(size_t kind, char out[static NAME_SIZE])
{
	(void)snprintf(out, NAME_SIZE, "alarm/%s", kinds[kind].name);
}

static void time_name(size_t kind, char out[static NAME_SIZE])
{
	(void)snprintf(out, NAME_SIZE, "alarm_at/%s", kinds[kind].name);
}

static int recall(struct alarms *alarms, struct ledger *ledger, struct error *error)
{
	struct alarms known = { .known = true };

	for (size_t i = 0; i < ALARM_KINDS; i++) {
		char name[NAME_SIZE];
		int r;

		level_name(i, name);
		r = ledger_get_number(ledger, name, &known.told[i], error);
		if (r < 0)
			return r;
		time_name(i, name);
		r = ledger_get_number(ledger, name, &known.told_at[i], error);
		if (r < 0)
			return r;
	}
	*alarms = known;
	return 0;
}

static int store_mails(const struct world *world, size_t kind, int64_t level,
		       struct instant since, struct instant now, size_t *mails,
		       struct error *error)
{
	const struct config *config = world->config;
	struct summary summary = {
		.name = "alarm",
		.key = { (int64_t)kind, now.seconds },
		.count = level,
		.at = since,
		.trouble = kinds[kind].name,
		.recipient_name = "",
		.language = "en",
	};

	for (size_t i = 0; i < config->alarm_to_count; i++) {
		struct error why = { 0 };
		int r;

		summary.address = config->alarm_to[i];
		summary.place = (int64_t)i;
		r = render_summary(world, &summary, now, &why);
		if (r < 0 && r != -EINVAL)
			return error_set(error, why.code, "%s", why.text);
		if (r == 0)
			++*mails;
		else
			journal_send(JOURNAL_HELD, NULL, 0,
				     "an alarm mail cannot be written: %s", why.text);
	}
	return 0;
}

static int remember(struct ledger *ledger, size_t kind, int64_t level, int64_t at,
		    struct error *error)
{
	char name[NAME_SIZE];
	int r;

	level_name(kind, name);
	r = ledger_set_number(ledger, name, level, error);
	if (r < 0 || at == 0)
		return r;
	time_name(kind, name);
	return ledger_set_number(ledger, name, at, error);
}

/* The mails, and that they were sent, in one transaction. */
static int tell(struct alarms *alarms, const struct world *world, size_t kind, int64_t level,
		struct instant now, size_t *mails, struct error *error)
{
	const struct instant since = { alarms->since[kind] };
	size_t stored = 0;
	int r = ledger_begin(world->ledger, error);

	if (r < 0)
		return r;
	r = store_mails(world, kind, level, since, now, &stored, error);
	if (r == 0)
		r = remember(world->ledger, kind, level, now.seconds, error);
	if (r >= 0)
		r = ledger_commit(world->ledger, error);
	if (r < 0) {
		ledger_rollback(world->ledger);
		return r;
	}
	alarms->told[kind] = level;
	alarms->told_at[kind] = now.seconds;
	*mails += stored;
	return 0;
}

static bool must_be_told(const struct alarms *alarms, size_t kind, int64_t level,
			 struct instant now)
{
	return level > alarms->told[kind] &&
	       now.seconds - alarms->since[kind] >= kinds[kind].patience &&
	       (alarms->told_at[kind] == 0 ||
		now.seconds - alarms->told_at[kind] >= QUIET_SECONDS);
}

static int look_at(struct alarms *alarms, const struct world *world, size_t kind, int64_t level,
		   struct instant now, size_t *mails, struct error *error)
{
	int r = 0;

	if (level == ALARM_UNKNOWN)
		return 0;
	if (level == 0) {
		alarms->since[kind] = 0;
		if (alarms->told[kind] != 0)
			r = remember(world->ledger, kind, 0, 0, error);
		if (r >= 0)
			alarms->told[kind] = 0;
		return r < 0 ? r : 0;
	}
	if (alarms->since[kind] == 0)
		alarms->since[kind] = now.seconds;
	if (!must_be_told(alarms, kind, level, now))
		return 0;
	return tell(alarms, world, kind, level, now, mails, error);
}

int alarm_look(struct alarms *alarms, const struct world *world,
	       const int64_t levels[static ALARM_KINDS], struct instant now, size_t *ret_mails,
	       struct error *error)
{
	size_t mails = 0;
	int r = 0;

	if (!alarms->known)
		r = recall(alarms, world->ledger, error);
	for (size_t i = 0; i < ALARM_KINDS && r == 0; i++)
		r = look_at(alarms, world, i, levels[i], now, &mails, error);
	if (r == 0)
		*ret_mails = mails;
	return r;
}
