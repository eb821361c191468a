/*
 * adopt.c - challengectl adopt: what is past is recorded as adopted and never sent, as the
 * daemon itself does at its first cycle with a new ledger.
 *
 * For a ledger that came from an old backup, for old challenges that were entered late, and for
 * what a flood has held.
 */
#include "ctl/adopt.h"

#include "ctl/commands.h"
#include "ctl/ledger_access.h"
#include "ctl/lookup.h"
#include "ctl/terminal.h"

#include <jansson.h>
#include <stdlib.h>

enum { BATCH = 200 }; /* challenges of one transaction: the daemon is not kept waiting */

static int take_back(struct adopting *adopting, int64_t challenge, struct error *error)
{
	struct ledger_notice *pending = NULL;
	size_t count = 0;
	int result = ledger_pending(adopting->ledger, challenge, &pending, &count, error);

	for (size_t i = 0; i < count && result >= 0; i++) {
		if (pending[i].mail != 0 || instant_before(adopting->until, pending[i].at))
			continue;
		result = ledger_cancel_notice(adopting->ledger, pending[i].id,
					      ledger_adopted_reason, adopting->now, error);
		adopting->count++;
	}
	ledger_notices_free(pending, count);
	return result < 0 ? result : 0;
}

static int adopt_entry(struct adopting *adopting, const struct policy *policy,
		       const struct challenge *challenge, const struct entry *entry,
		       struct error *error)
{
	for (size_t i = 0; i < entry->to.count; i++) {
		struct ledger_notice notice = ledger_notice_of(policy, challenge, entry, i);
		int64_t id;
		int result;

		notice.state = DELIVERY_CANCELLED;
		notice.reason = ledger_adopted_reason;
		result = ledger_decide(adopting->ledger, &notice, adopting->now, &id, error);
		if (result < 0)
			return result;
		adopting->count += (size_t)result;
	}
	return 0;
}

int adopt_challenge(struct adopting *adopting, const struct policy *policy,
		    const struct challenge *challenge, struct error *error)
{
	struct entry entry;
	int result = take_back(adopting, challenge->id, error);

	if (result < 0)
		return result;
	timeline_begin(adopting->timeline, policy, challenge);
	while ((result = timeline_next(adopting->timeline, adopting->until, &entry, error)) >
	       0) {
		result = adopt_entry(adopting, policy, challenge, &entry, error);
		if (result < 0)
			break;
	}
	return result;
}

int adopt_note(const struct adopting *adopting, const char *by, const char *why,
	       struct error *error)
{
	json_t *payload = json_pack("{s:s, s:s, s:I}", "by", by, "why", why, "notices",
				    (json_int_t)adopting->count);
	char *text = payload == NULL ? NULL : json_dumps(payload, JSON_COMPACT);
	int result;

	json_decref(payload);
	if (text == NULL)
		return error_memory(error);
	result = ledger_note(adopting->ledger, "adopted", text, adopting->now, error);
	free(text);
	if (result >= 0)
		result = ledger_end_flood(adopting->ledger, adopting->now, error);
	return result < 0 ? result : 0;
}

/* --- adopt ---------------------------------------------------------------------------------
 */

struct all {
	struct ctl *ctl;
	struct store *store;
	struct adopting adopting;
	int64_t after; /* change_seq */
	size_t passed_over;
};

static int adopt_one(struct all *all, struct challenge *challenge, struct error *error)
{
	struct error unknown = { 0 };
	const struct policy *policy = config_policy(all->ctl->config, challenge->policy,
						    challenge->policy_version, &unknown);

	if (policy == NULL) {
		all->passed_over++;
		(void)fprintf(all->ctl->err, "%s: %s: %s\n", all->ctl->program,
			      challenge->reference, unknown.text);
		return 0;
	}
	challenge_settle(challenge);
	return adopt_challenge(&all->adopting, policy, challenge, error);
}

/* Inside transactions of both: 1 when there may be more. */
static int adopt_some(struct all *all, struct error *error)
{
	struct challenge *challenge;
	int result = store_changed_since(all->store, all->after, error);

	for (int i = 0; i < BATCH && result >= 0; i++) {
		struct error why = { 0 };

		result = store_next(all->store, &challenge, &why);
		if (result < 0)
			return error_set(error, why.code, "%s", why.text);
		if (result == 0)
			return 0;
		if (challenge == NULL) {
			all->passed_over++;
			(void)fprintf(all->ctl->err, "%s: %s\n", all->ctl->program, why.text);
			continue;
		}
		all->after = challenge->change_seq;
		result = adopt_one(all, challenge, error);
	}
	return result < 0 ? result : 1;
}

static int adopt_batch(struct all *all, struct error *error)
{
	struct ledger *ledger = all->adopting.ledger;
	int more = store_begin(all->store, error);
	int result;

	if (more < 0)
		return more;
	more = ledger_begin(ledger, error);
	if (more >= 0)
		more = adopt_some(all, error);
	store_end(all->store);
	result = more < 0 ? more : ledger_commit(ledger, error);
	if (result < 0)
		ledger_rollback(ledger);
	return result < 0 ? result : more;
}

static int adopt_all(struct all *all, const char *by, const char *why, struct error *error)
{
	struct progress progress = progress_begin(all->ctl, "adopting");
	size_t batches = 0;
	int result;

	while ((result = adopt_batch(all, error)) == 1)
		progress_step(&progress, ++batches * BATCH);
	progress_end(&progress);
	return result < 0 ? result : adopt_note(&all->adopting, by, why, error);
}

static int ask(struct ctl *ctl, struct instant until, bool yes)
{
	char question[160];
	char when[WHEN_TEXT_SIZE];

	(void)snprintf(
		question, sizeof question,
		"Nothing that fell due by %s and has no mail yet will ever be sent. Go on?",
		ctl_when(ctl, until, when)); /* fits */
	return ctl_confirm(ctl, yes, question);
}

static int run_all(struct ctl *ctl, const char *by, const char *why, bool yes)
{
	CLEANUP(store_closep) struct store *store = NULL;
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct all all = { .ctl = ctl };
	struct error error = { 0 };
	struct instant now;
	int status = ctl_open_store(ctl, &store);

	if (status != EXIT_DONE)
		return status;
	if (!ctl_happened(ctl, calendar_zone(ctl->config->calendars[0].calendar), &now))
		return EXIT_USAGE;
	status = ctl_ledger(ctl, LEDGER_PERSON, &ledger);
	if (status != EXIT_DONE)
		return status;
	if (timeline == NULL) {
		(void)error_memory(&error);
		return ctl_fail(ctl, &error, "");
	}
	status = ask(ctl, now, yes);
	if (status != EXIT_DONE)
		return status;
	all.store = store;
	all.adopting = (struct adopting){ .ledger = ledger,
					  .timeline = timeline,
					  .until = now,
					  .now = clock_now(ctl->clock) };
	if (adopt_all(&all, by, why, &error) < 0)
		return ctl_fail(ctl, &error, "What was adopted so far stays so; run it again.");
	if (ctl->json)
		return ctl_print_json(
			ctl, json_pack("{s:I, s:I}", "adopted", (json_int_t)all.adopting.count,
				       "passed_over", (json_int_t)all.passed_over));
	(void)fprintf(ctl->out, "%zu notice(s) were past, and are never sent.\n",
		      all.adopting.count);
	return EXIT_DONE;
}

static int run_adopt(struct ctl *ctl, int argc, char **argv)
{
	struct restart restart = { .ctl = ctl, .references = argv };
	const struct ctl_option options[] = {
		{ "--by", &restart.by },
		{ "--why", &restart.why },
	};
	bool is_restart = ctl_flag(&argc, argv, "--restart");
	int status;

	restart.yes = ctl_flag(&argc, argv, "--yes");
	if (!ctl_options(ctl, &argc, argv, options, COUNT(options)))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 0, is_restart ? argc : 0);
	if (status == EXIT_DONE)
		status = ctl_who_and_why(ctl, restart.by, restart.why);
	if (status != EXIT_DONE)
		return status;
	if (is_restart && ctl->at == NULL)
		return ctl_usage(ctl, "from when are the clocks to run? --at TIME");
	return is_restart ? adopt_restart(&restart)
			  : run_all(ctl, restart.by, restart.why, restart.yes);
}

const struct command command_adopt = {
	.name = "adopt",
	.summary = "leave unsent what is past, or give open challenges fresh clocks",
	.usage =
		"Usage: challengectl adopt --by NAME --why TEXT [--at TIME] [--yes]\n"
		"       challengectl adopt --restart --at TIME --by NAME --why TEXT [--yes]\n"
		"         [REFERENCE ...]\n"
		"\n"
		"Every notice that fell due by now (or --at), and that has no mail yet, is "
		"recorded as\n"
		"adopted and never sent: for a ledger from an old backup, for old challenges "
		"entered\n"
		"late, and for what a flood or a restore has held. Stop the daemon before, or "
		"it may\n"
		"be faster. Asks, or takes --yes.\n"
		"\n"
		"--restart gives each open challenge fresh clocks from TIME on, at the stage "
		"that was\n"
		"recorded last: it shows the mails of the ten working days after it, asks (or "
		"takes\n"
		"--yes), leaves unsent what is past, and records an event in each "
		"challenge.\n"
		"Who and why are kept.\n"
		"\n"
		"Examples:\n"
		"  challengectl adopt --by 'A. Person' --why 'the ledger is from the backup of "
		"Friday'\n"
		"  challengectl adopt --restart --at '2026-11-30 09:00' --by 'A. Person' "
		"--why 'go-live'\n",
	.run = run_adopt,
};
