/* routine.c - see routine.h. */
#include "service/routine.h"

#include "adapter/journal.h"
#include "core/language.h"
#include "service/crash.h"
#include "service/render.h"
#include "service/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_SIZE = 40, DAYS_A_WEEK = 7 };

/* One turn of a routine. */
struct turn {
	struct instant at; /* NEVER: this turn is left out */
	bool begun;        /* its time has come, whether or not it may go at this hour */
	int64_t key;       /* grows from turn to turn: the civil day that it belongs to */
	int64_t key_before;
	struct instant next;
};

struct task {
	const struct world *world;
	struct store *store;
	enum proof_verdict verdict;
	struct instant now;
	size_t mails;
	bool store_failed;
};

/* ---- when ---------------------------------------------------------------------------------
 */

/* Weekends and holidays too: a day without the mail must mean that something is wrong. */
static bool daily_turn(const struct config *config, struct instant now, struct turn *ret)
{
	const struct zone *zone;
	int32_t today;
	int32_t second;

	if (config->alarm_daily < 0 || config->alarm_to_count == 0)
		return false;
	zone = calendar_zone(config->calendars[0].calendar);
	zone_local(zone, now, &today, &second);
	*ret = (struct turn){
		.at = zone_instant(zone, today, config->alarm_daily),
		.begun = second >= config->alarm_daily,
		.key = today,
		.key_before = today - 1,
		.next = zone_instant(zone, today + 1, config->alarm_daily),
	};
	return true;
}

/* When the first working day of the week that begins on this Monday opens; NEVER: it has none.
 */
static struct instant week_opens(const struct calendar *calendar, int32_t monday)
{
	int32_t first;

	if (calendar_step_days(calendar, monday, 0, &first) < 0 ||
	    first >= monday + DAYS_A_WEEK)
		return INSTANT_NEVER;
	return calendar_opens(calendar, first);
}

static bool watch_turn(const struct config *config, struct instant now, struct turn *ret)
{
	const struct calendar *calendar = config->calendars[0].calendar;
	int32_t today = calendar_day(calendar, now);
	int32_t monday = today - (int32_t)day_weekday(today);
	struct instant at = week_opens(calendar, monday);
	bool begun = !instant_before(now, at);
	struct instant open;

	/* Late is better than never, but at an hour when somebody reads it. */
	if (begun && calendar_next_open(calendar, now, &open) == 0)
		at = open;
	*ret = (struct turn){
		.at = at,
		.begun = begun,
		.key = monday,
		.key_before = monday - DAYS_A_WEEK,
		.next = week_opens(calendar, monday + DAYS_A_WEEK),
	};
	if (instant_is_never(ret->next)) /* a week of holidays: the next may know more */
		ret->next = zone_instant(calendar_zone(calendar), monday + DAYS_A_WEEK, 0);
	return true;
}

/* ---- what ---------------------------------------------------------------------------------
 */

static int fail_store(struct task *task, int r)
{
	task->store_failed = true;
	return r;
}

/* One that cannot be written is told loudly; the others go. */
static int store_summary(struct task *task, const struct summary *summary, struct error *error)
{
	struct error why = { 0 };
	int r = render_summary(task->world, summary, task->now, &why);

	if (r == -EINVAL) {
		journal_send(JOURNAL_HELD, NULL, 0, "the %s mail cannot be written: %s",
			     summary->name, why.text);
		return 0;
	}
	if (r < 0)
		return error_set(error, why.code, "%s", why.text);
	task->mails++;
	return 0;
}

static int count_queue(struct task *task, struct summary *summary, struct error *error)
{
	int64_t counts[DELIVERY_STATE_COUNT] = { 0 };
	int r = ledger_count(task->world->ledger, counts, error);

	if (r < 0)
		return r;
	summary->counts.waiting = counts[DELIVERY_READY] + counts[DELIVERY_ATTEMPTING] +
				  counts[DELIVERY_RETRY] + counts[DELIVERY_IN_DOUBT];
	summary->counts.held = counts[DELIVERY_HELD];
	return ledger_next_wake(task->world->ledger, &summary->at, error);
}

static int send_daily(struct task *task, const struct turn *turn, struct error *error)
{
	const struct config *config = task->world->config;
	CLEANUP(survey_clear) struct survey survey = { 0 };
	struct summary summary = { .name = "daily",
				   .key = { turn->key },
				   .trouble = "",
				   .recipient_name = "",
				   .language = "en" };
	int r = survey_take(task->world, task->store,
			    template_file_language(task->world->languages, "en"), 0, task->now,
			    &survey, error);

	if (r < 0)
		return fail_store(task, r);
	summary.counts = survey.counts;
	r = count_queue(task, &summary, error);
	for (size_t i = 0; i < config->alarm_to_count && r == 0; i++) {
		summary.address = config->alarm_to[i];
		summary.place = (int64_t)i;
		r = store_summary(task, &summary, error);
	}
	return r;
}

/* Who is told for the partnership's business unit; borrowed from the store's directory. */
static int find_business_unit(struct task *task, struct recipient *ret, struct error *error)
{
	const struct config *config = task->world->config;
	const struct role role = { "partnership.business_unit", SIDE_PARTNERSHIP,
				   "business_unit" };
	const struct challenge none = { 0 };
	const char *const agencies[] = { config->partnership.agency };
	CLEANUP(freep) struct ledger_refusal *refusals = NULL;
	CLEANUP(freep) int64_t *ids = NULL;
	struct refused refused = { 0 };
	struct directory directory;
	int r = ledger_refused_contacts(task->world->ledger, &refusals, &refused.count, error);

	if (r < 0)
		return r;
	ids = calloc(refused.count + 1, sizeof *ids);
	if (ids == NULL)
		return error_memory(error);
	for (size_t i = 0; i < refused.count; i++)
		ids[i] = refusals[i].contact;
	refused.contact = ids;
	r = store_directory(task->store, agencies, COUNT(agencies), &directory, error);
	if (r < 0)
		return fail_store(task, r);
	*ret = recipient_find(&role, &none, &directory, &config->partnership, config->roles,
			      config->role_count, config->mail.allow_domains,
			      config->mail.allow_domain_count, refused, task->now);
	return 0;
}

static int send_watch(struct task *task, const struct turn *turn, struct error *error)
{
	CLEANUP(survey_clear) struct survey survey = { 0 };
	const struct language *language;
	struct recipient recipient;
	struct summary summary;
	int r = find_business_unit(task, &recipient, error);

	if (r < 0)
		return r;
	language = template_file_language(task->world->languages,
					  recipient.language == NULL ? "" : recipient.language);
	r = survey_take(task->world, task->store, language, ROUTINE_ROWS, task->now, &survey,
			error);
	if (r < 0)
		return fail_store(task, r);
	if (survey.counts.open == 0)
		return 0; /* nothing to watch: that all is well is the daily mail's to say */
	summary = (struct summary){
		.name = "watch",
		.key = { turn->key },
		.counts = survey.counts,
		.at = INSTANT_NEVER,
		.trouble = "",
		.rows = survey.rows,
		.row_count = survey.row_count,
		.address = recipient.address,
		.recipient_name = recipient.contact == NULL || recipient.contact->shared
					  ? ""
					  : recipient.name,
		.language = language_name(language),
		.contact = recipient.contact == NULL ? 0 : recipient.contact->id,
	};
	return store_summary(task, &summary, error);
}

/* ---- once ---------------------------------------------------------------------------------
 */

static const struct routine {
	const char *name;
	bool is_sign_of_life;
	bool (*turn)(const struct config *config, struct instant now, struct turn *ret);
	int (*send)(struct task *task, const struct turn *turn, struct error *error);
} routines[] = {
	{ "daily", true, daily_turn, send_daily },
	{ "watch", false, watch_turn, send_watch },
};

/* The mail, and that it was sent, in one transaction. */
static int send_and_remember(struct task *task, const struct routine *routine,
			     const struct turn *turn, const char *name, struct error *error)
{
	struct ledger *ledger = task->world->ledger;
	int r = store_begin(task->store, error);

	if (r < 0)
		return fail_store(task, r);
	r = ledger_begin(ledger, error);
	if (r == 0)
		r = routine->send(task, turn, error);
	store_end(task->store);
	if (r == 0)
		r = ledger_set_number(ledger, name, turn->key, error);
	crash_point("routine mails written, not committed");
	if (r >= 0)
		r = ledger_commit(ledger, error);
	if (r < 0)
		ledger_rollback(ledger);
	crash_point("routine mails committed");
	return r < 0 ? r : 0;
}

static int run_one(struct task *task, const struct routine *routine, struct instant *next,
		   struct error *error)
{
	struct ledger *ledger = task->world->ledger;
	char name[NAME_SIZE];
	struct turn turn;
	int64_t last = 0;
	bool due;
	int r;

	if (!routine->turn(task->world->config, task->now, &turn))
		return 0;
	(void)snprintf(name, sizeof name, "routine/%s", routine->name);
	due = !instant_is_never(turn.at) && !instant_before(task->now, turn.at);
	r = ledger_get_number(ledger, name, &last, error);
	if (r == 0) {
		/* Never seen: a turn that has begun already is left out. */
		last = turn.begun ? turn.key : turn.key_before;
		r = ledger_set_number(ledger, name, last, error);
	}
	if (r >= 0 && due && last < turn.key &&
	    !(routine->is_sign_of_life && task->verdict != PROOF_KEPT))
		r = send_and_remember(task, routine, &turn, name, error);
	if (r < 0)
		return r;
	*next = instant_min(*next, due || last >= turn.key || instant_is_never(turn.at)
					   ? turn.next
					   : turn.at);
	return 0;
}

int routine_run(const struct world *world, struct store *store, enum proof_verdict verdict,
		struct instant now, size_t *ret_mails, struct instant *ret_next,
		bool *ret_store_failed, struct error *error)
{
	struct task task = { .world = world, .store = store, .verdict = verdict, .now = now };
	struct instant next = INSTANT_NEVER;
	int r = 0;

	for (size_t i = 0; i < COUNT(routines) && r == 0; i++)
		r = run_one(&task, &routines[i], &next, error);
	if (r < 0) {
		*ret_store_failed = task.store_failed;
		return r;
	}
	*ret_mails = task.mails;
	*ret_next = next;
	return 0;
}
