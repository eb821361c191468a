/*
 * restart.c - challengectl adopt --restart: fresh clocks for open challenges, at the stage each
 * really is at: the one that a person recorded last, not the one that silence escalated to.
 *
 * First everything is planned and shown; then, once somebody has agreed, what is past is
 * adopted in the ledger, and only then the events are recorded in the store: a failure in
 * between leaves nothing that a second run would not put right.
 */
#include "base/list.h"
#include "ctl/adopt.h"
#include "ctl/entry.h"
#include "ctl/ledger_access.h"
#include "ctl/lookup.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_WORKING_DAYS = 10 };

/* The event that is to be recorded: not there yet, so later than any of the same instant. */
static const int64_t new_event = INT64_MAX;

struct coming {
	size_t item;
	struct entry entry;
};

struct item {
	int64_t challenge;
	int64_t change_seq; /* by what was shown */
	char *reference;
	const struct policy *policy;
	const char
		*kind; /* "stage", or "reopened" where the stage in effect is the right one */
	const char *stage; /* id; the policy's */
};

struct plan {
	const struct restart *restart;
	struct timeline *timeline;
	struct instant now;
	struct instant from;  /* the clocks run from here */
	struct instant until; /* of the challenge looked at: end of what is shown */
	struct item *items;
	size_t item_count;
	size_t item_capacity;
	struct coming *coming;
	size_t coming_count;
	size_t coming_capacity;
	struct entry *past; /* of the challenge looked at */
	size_t past_count;
	size_t past_capacity;
};

static void plan_clear(struct plan *plan)
{
	for (size_t i = 0; i < plan->item_count; i++)
		free(plan->items[i].reference);
	free(plan->items);
	free(plan->coming);
	free(plan->past);
	timeline_destroy(plan->timeline);
}

static struct instant end_of_past(const struct plan *plan)
{
	return instant_before(plan->now, plan->from) ? plan->from : plan->now;
}

/* --- planning ------------------------------------------------------------------------------
 */

/* The stage that was recorded last by then; the policy's first where none was. */
static int recorded_stage(const struct policy *policy, const struct challenge *challenge,
			  struct instant by)
{
	int stage = 0;

	for (size_t i = 0; i < challenge->event_count; i++) {
		const struct event *event = &challenge->events[i];
		int named;

		if (instant_before(by, event->at) || strcmp(event->kind, "stage") != 0)
			continue;
		named = policy_stage(policy, event->stage);
		if (named != STAGE_NONE)
			stage = named;
	}
	return stage;
}

/* The facts as they will be: `challenge` with one event more, in its place. */
static int with_event(const struct challenge *challenge, const struct item *item,
		      struct instant at, struct challenge *ret, struct error *error)
{
	const struct event event = {
		.id = new_event,
		.kind = item->kind,
		.stage = strcmp(item->kind, "stage") == 0 ? item->stage : "",
		.at = at,
		.due = INSTANT_NEVER,
		.value = "",
		.recorded_at = at,
		.key = new_event,
	};
	size_t place = 0;

	*ret = *challenge;
	ret->events = calloc(challenge->event_count + 1, sizeof *ret->events);
	if (ret->events == NULL)
		return error_memory(error);
	while (place < challenge->event_count &&
	       !instant_before(at, challenge->events[place].at))
		place++;
	for (size_t i = 0; i < challenge->event_count; i++)
		ret->events[i + (i >= place)] = challenge->events[i];
	ret->events[place] = event;
	ret->event_count = challenge->event_count + 1;
	return 0;
}

static int collect_past(struct plan *plan, const struct policy *policy,
			const struct challenge *challenge, struct error *error)
{
	struct entry entry;
	int result;

	plan->past_count = 0;
	timeline_begin(plan->timeline, policy, challenge);
	while ((result = timeline_next(plan->timeline, end_of_past(plan), &entry, error)) > 0) {
		if (list_reserve(&plan->past, plan->past_count, &plan->past_capacity,
				 sizeof *plan->past) < 0)
			return error_memory(error);
		plan->past[plan->past_count++] = entry;
	}
	return result;
}

static bool is_past(const struct plan *plan, const struct entry *entry)
{
	for (size_t i = 0; i < plan->past_count; i++) {
		const struct entry *past = &plan->past[i];

		if (past->event == entry->event && past->kind == entry->kind &&
		    past->stage == entry->stage && past->obligation == entry->obligation &&
		    past->occurrence == entry->occurrence &&
		    strcmp(past->step, entry->step) == 0)
			return true;
	}
	return false;
}

static int collect_coming(struct plan *plan, const struct item *item,
			  const struct challenge *challenge, struct error *error)
{
	struct entry entry;
	int result;

	timeline_begin(plan->timeline, item->policy, challenge);
	while ((result = timeline_next(plan->timeline, plan->until, &entry, error)) > 0) {
		if (is_past(plan, &entry) || instant_before(plan->until, entry.send_at) ||
		    entry.to.count == 0)
			continue;
		if (list_reserve(&plan->coming, plan->coming_count, &plan->coming_capacity,
				 sizeof *plan->coming) < 0)
			return error_memory(error);
		plan->coming[plan->coming_count++] = (struct coming){ plan->item_count, entry };
	}
	return result;
}

/* Ten working days, as this policy counts them. */
static int find_until(struct plan *plan, const struct policy *policy, struct error *error)
{
	const struct timescale days = { TIMESCALE_WORKING_DAYS, SHOWN_WORKING_DAYS };
	const struct timescale_start start = { .at = plan->from, .agreed = INSTANT_NEVER };

	if (timescale_due(days, policy->calendar, policy->counting, &start, &plan->until) < 0)
		return error_set(error, ERANGE, "--at: no calendar reaches that far");
	return 0;
}

static int plan_open(struct plan *plan, struct item *item, const struct challenge *challenge,
		     struct error *error)
{
	struct challenge after = { 0 };
	struct timeline_state state;
	int stage = recorded_stage(item->policy, challenge, plan->from);
	struct entry entry;
	int result;

	timeline_begin(plan->timeline, item->policy, challenge);
	while ((result = timeline_next(plan->timeline, plan->from, &entry, error)) > 0)
		;
	if (result < 0)
		return result;
	state = timeline_state(plan->timeline);
	item->stage = item->policy->stages[stage].id;
	/* A `stage` event for the stage in effect would change nothing. */
	item->kind = state.stage == stage ? "reopened" : "stage";
	result = find_until(plan, item->policy, error);
	if (result == 0)
		result = collect_past(plan, item->policy, challenge, error);
	if (result == 0)
		result = with_event(challenge, item, plan->from, &after, error);
	if (result == 0)
		result = collect_coming(plan, item, &after, error);
	free(after.events);
	return result;
}

/* Is it open now, and raised by the time from which its clocks are to run? */
static int is_open(struct plan *plan, const struct policy *policy,
		   const struct challenge *challenge, bool *ret, struct error *error)
{
	struct instant by = end_of_past(plan);
	struct timeline_state state;
	struct entry entry;
	int result;

	timeline_begin(plan->timeline, policy, challenge);
	while ((result = timeline_next(plan->timeline, by, &entry, error)) > 0)
		;
	if (result < 0)
		return result;
	state = timeline_state(plan->timeline);
	*ret = state.open && challenge->event_count > 0 &&
	       !instant_before(plan->from, challenge->events[0].at);
	return 0;
}

static int add_item(struct plan *plan, const struct item *item, const char *reference,
		    struct error *error)
{
	struct item copy = *item;

	copy.reference = strdup(reference);
	if (copy.reference == NULL || list_reserve(&plan->items, plan->item_count,
						   &plan->item_capacity, sizeof copy) < 0) {
		free(copy.reference);
		return error_memory(error);
	}
	plan->items[plan->item_count++] = copy;
	return 0;
}

/* 1: planned; 0: there is nothing to restart in it. */
static int plan_challenge(struct plan *plan, struct challenge *challenge, struct error *error)
{
	struct item item = { .challenge = challenge->id, .change_seq = challenge->change_seq };
	bool open = false;
	int result;

	item.policy = config_policy(plan->restart->ctl->config, challenge->policy,
				    challenge->policy_version, error);
	if (item.policy == NULL)
		return -error->code;
	challenge_settle(challenge);
	result = is_open(plan, item.policy, challenge, &open, error);
	if (result < 0 || !open)
		return result;
	result = plan_open(plan, &item, challenge, error);
	if (result == 0)
		result = add_item(plan, &item, challenge->reference, error);
	return result < 0 ? result : 1;
}

static int plan_named(struct plan *plan, struct store *store)
{
	struct ctl *ctl = plan->restart->ctl;

	for (char **reference = plan->restart->references; *reference != NULL; reference++) {
		struct challenge *challenge;
		struct error error = { 0 };
		int status = ctl_find_challenge(ctl, store, *reference, &challenge);
		int result;

		if (status != EXIT_DONE)
			return status;
		result = plan_challenge(plan, challenge, &error);
		if (result < 0)
			return ctl_fail(ctl, &error, "");
		if (result == 0)
			return ctl_cannot(ctl,
					  "%s is not open, or was raised later: it has no "
					  "clocks to restart",
					  *reference);
	}
	return EXIT_DONE;
}

static int plan_every(struct plan *plan, struct store *store)
{
	struct ctl *ctl = plan->restart->ctl;
	struct error error = { 0 };
	int result = store_changed_since(store, 0, &error);

	while (result >= 0) {
		struct challenge *challenge;
		struct error why = { 0 };

		result = store_next(store, &challenge, &error);
		if (result <= 0)
			break;
		if (challenge == NULL)
			return ctl_fail(ctl, &error, "Nothing was restarted.");
		if (plan_challenge(plan, challenge, &why) < 0)
			return ctl_fail(ctl, &why, "Nothing was restarted.");
	}
	return result < 0 ? ctl_fail(ctl, &error, "") : EXIT_DONE;
}

static int make_plan(struct plan *plan)
{
	CLEANUP(store_closep) struct store *store = NULL;
	struct ctl *ctl = plan->restart->ctl;
	struct error error = { 0 };
	int status = ctl_open_store(ctl, &store);

	if (status != EXIT_DONE)
		return status;
	plan->now = clock_now(ctl->clock);
	if (!ctl_now(ctl, calendar_zone(ctl->config->calendars[0].calendar), &plan->from))
		return EXIT_USAGE;
	if (store_begin(store, &error) < 0)
		return ctl_fail(ctl, &error, "");
	status = plan->restart->references[0] != NULL ? plan_named(plan, store)
						      : plan_every(plan, store);
	store_end(store);
	return status;
}

/* --- showing -------------------------------------------------------------------------------
 */

static int by_time(const void *left, const void *right)
{
	const struct coming *a = left;
	const struct coming *b = right;

	if (a->entry.send_at.seconds != b->entry.send_at.seconds)
		return a->entry.send_at.seconds < b->entry.send_at.seconds ? -1 : 1;
	if (a->item != b->item)
		return a->item < b->item ? -1 : 1;
	return (a->entry.kind > b->entry.kind) - (a->entry.kind < b->entry.kind);
}

static void show(const struct plan *plan)
{
	FILE *out = plan->restart->ctl->out;

	for (size_t i = 0; i < plan->item_count; i++)
		(void)fprintf(out, "%-14s  fresh clocks at stage %s\n",
			      plan->items[i].reference, plan->items[i].stage);
	(void)fprintf(out,
		      "\nMails of the %d working days from then on, if nobody records "
		      "anything:\n",
		      SHOWN_WORKING_DAYS);
	for (size_t i = 0; i < plan->coming_count; i++) {
		const struct coming *coming = &plan->coming[i];
		const struct item *item = &plan->items[coming->item];
		CLEANUP(text_clear) struct text subject = { 0 };
		CLEANUP(text_clear) struct text to = { 0 };
		char at[MOMENT_TEXT_SIZE];

		subject_text(item->policy, &coming->entry, &subject);
		roles_text(item->policy, &coming->entry.to, &to);
		(void)fprintf(out, "%s  %-14s  %-10s  %-22s  %s\n",
			      moment_text(item->policy->calendar, coming->entry.send_at, at),
			      item->reference, notice_kind_name(coming->entry.kind),
			      text_string(&subject), text_string(&to));
	}
	if (plan->coming_count == 0)
		(void)fprintf(out, "none\n");
}

static int print_json(const struct plan *plan, bool restarted, size_t adopted)
{
	json_t *challenges = json_array();
	json_t *mails = json_array();

	for (size_t i = 0; i < plan->item_count; i++)
		(void)json_array_append_new(
			challenges,
			json_pack("{s:s, s:s, s:s}", "reference", plan->items[i].reference,
				  "stage", plan->items[i].stage, "event", plan->items[i].kind));
	for (size_t i = 0; i < plan->coming_count; i++) {
		const struct item *item = &plan->items[plan->coming[i].item];
		json_t *mail = entry_json(item->policy, &plan->coming[i].entry);

		(void)json_object_set_new(mail, "reference", json_string(item->reference));
		(void)json_array_append_new(mails, mail);
	}
	return ctl_print_json(plan->restart->ctl,
			      json_pack("{s:b, s:I, s:o, s:o}", "restarted", restarted,
					"adopted", (json_int_t)adopted, "challenges",
					challenges, "mails", mails));
}

/* --- doing ---------------------------------------------------------------------------------
 */

/* Inside a transaction of the ledger; the store is read once more. */
static int adopt_items(const struct plan *plan, struct store *store, struct adopting *adopting,
		       struct error *error)
{
	for (size_t i = 0; i < plan->item_count; i++) {
		struct challenge *challenge = NULL;
		int result =
			store_challenge(store, plan->items[i].challenge, &challenge, error);

		if (result > 0 && challenge != NULL) {
			challenge_settle(challenge);
			result = adopt_challenge(adopting, plan->items[i].policy, challenge,
						 error);
		}
		if (result < 0)
			return result;
	}
	return adopt_note(adopting, plan->restart->by, plan->restart->why, error);
}

static int adopt_in(const struct plan *plan, struct ledger *ledger, size_t *ret)
{
	CLEANUP(store_closep) struct store *store = NULL;
	struct ctl *ctl = plan->restart->ctl;
	struct adopting adopting = {
		.ledger = ledger,
		.timeline = plan->timeline,
		.until = end_of_past(plan),
		.now = plan->now,
	};
	struct error error = { 0 };
	int status = ctl_open_store(ctl, &store);
	int result;

	if (status != EXIT_DONE)
		return status;
	result = ledger_begin(ledger, &error);
	if (result >= 0)
		result = adopt_items(plan, store, &adopting, &error);
	if (result >= 0)
		result = ledger_commit(ledger, &error);
	if (result < 0) {
		ledger_rollback(ledger);
		return ctl_fail(ctl, &error, "Nothing was restarted.");
	}
	*ret = adopting.count;
	return EXIT_DONE;
}

/* Without a ledger the daemon's first cycle adopts what is past by itself, up to that moment.
 */
static int adopt_past(const struct plan *plan, size_t *ret)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct ctl *ctl = plan->restart->ctl;
	struct error error = { 0 };
	int result = ledger_open(ctl_state_folder(ctl->config), LEDGER_PERSON, &ledger, &error);

	if (result == -ENOENT && !instant_before(plan->now, plan->from))
		return EXIT_DONE;
	if (result < 0)
		return ctl_fail(ctl, &error,
				result == -ENOENT
					? "Start the daemon once before, or give a time that "
					  "has come."
					: "Run this as root or as the daemon's user.");
	return adopt_in(plan, ledger, ret);
}

/* What somebody agreed to is only what was shown: nothing may have happened since. */
static int check_unchanged(const struct plan *plan, struct store *store)
{
	struct ctl *ctl = plan->restart->ctl;
	struct error error = { 0 };

	for (size_t i = 0; i < plan->item_count; i++) {
		const struct item *item = &plan->items[i];
		struct challenge *now = NULL;
		int result = store_challenge(store, item->challenge, &now, &error);

		if (result < 0)
			return ctl_fail(ctl, &error, "Nothing was restarted.");
		if (now == NULL || now->change_seq != item->change_seq)
			return ctl_cannot(ctl,
					  "%s has changed meanwhile. Nothing was restarted: "
					  "run it again",
					  item->reference);
	}
	return EXIT_DONE;
}

static int record_events(const struct plan *plan, struct registrar *registrar)
{
	for (size_t i = 0; i < plan->item_count; i++) {
		const struct item *item = &plan->items[i];
		const struct recording recording = {
			.event = {
				.kind = item->kind,
				.stage = strcmp(item->kind, "stage") == 0 ? item->stage : "",
				.at = plan->from,
				.due = INSTANT_NEVER,
				.value = "",
				.recorded_at = plan->now,
			},
			.by = plan->restart->by,
			.note = plan->restart->why,
		};
		struct error error = { 0 };
		int64_t id;

		if (register_event(registrar, item->challenge, &recording, &id, &error) < 0)
			return ctl_fail(plan->restart->ctl, &error, "Nothing was restarted.");
	}
	return EXIT_DONE;
}

static int carry_out(const struct plan *plan, size_t *ret_adopted)
{
	CLEANUP(writing_clear) struct writing writing = { 0 };
	int status = ctl_writing_begin(plan->restart->ctl, &writing);

	if (status == EXIT_DONE)
		status = check_unchanged(plan, writing.store);
	if (status == EXIT_DONE)
		status = adopt_past(plan, ret_adopted);
	if (status == EXIT_DONE)
		status = record_events(plan, writing.registrar);
	return status == EXIT_DONE ? ctl_writing_end(plan->restart->ctl, &writing, EXIT_DONE)
				   : status;
}

static int ask(const struct plan *plan)
{
	char question[120];

	(void)snprintf(question, sizeof question, "Give %zu challenge(s) these clocks?",
		       plan->item_count);
	return ctl_confirm(plan->restart->ctl, plan->restart->yes, question);
}

int adopt_restart(const struct restart *restart)
{
	CLEANUP(plan_clear) struct plan plan = { .restart = restart };
	struct ctl *ctl = restart->ctl;
	size_t adopted = 0;
	int status;

	plan.timeline = timeline_create();
	if (plan.timeline == NULL) {
		struct error error = { 0 };

		(void)error_memory(&error);
		return ctl_fail(ctl, &error, "");
	}
	status = make_plan(&plan);
	if (status != EXIT_DONE)
		return status;
	if (plan.coming_count > 0)
		qsort(plan.coming, plan.coming_count, sizeof *plan.coming, by_time);
	if (!ctl->json && plan.item_count > 0)
		show(&plan);
	if (plan.item_count == 0 && !ctl->json)
		(void)fprintf(ctl->out,
			      "Nothing to restart: no challenge that is open was raised "
			      "by that time.\n");
	if (plan.item_count == 0)
		return ctl->json ? print_json(&plan, false, 0) : EXIT_DONE;
	if (ctl->json && !restart->yes)
		return print_json(&plan, false, 0); /* a look: nobody can be asked */
	status = ask(&plan);
	if (status == EXIT_DONE)
		status = carry_out(&plan, &adopted);
	if (status != EXIT_DONE)
		return status;
	if (ctl->json)
		return print_json(&plan, true, adopted);
	(void)fprintf(ctl->out,
		      "%zu challenge(s) have fresh clocks; %zu notice(s) were past.\n",
		      plan.item_count, adopted);
	return EXIT_DONE;
}
