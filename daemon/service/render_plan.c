/*
 * render_plan.c - who gets each notice: whoever holds its role now or stands in, when their
 * agency is open, and who else has to be told.
 */
#include "service/render_internal.h"

#include "adapter/journal.h"
#include "base/list.h"
#include "base/text.h"
#include "core/language.h"
#include "service/lineage.h"

#include <stdlib.h>
#include <string.h>

static void log_inbox(const struct ledger_notice *notice)
{
	const struct journal_field fields[] = {
		{ "CHALLENGE_REF", notice->reference },
		{ "ROLE", notice->role },
		{ "NOTICE", notice_kind_name(notice->kind) },
	};

	journal_send(JOURNAL_NO_RECIPIENT, fields, COUNT(fields),
		     "%s: nobody holds %s, nor stands in: the %s goes to the partnership's "
		     "inbox",
		     notice->reference, notice->role, notice_kind_name(notice->kind));
}

/* A language names a folder and a header: letters and '-' only. */
static const char *sound_language(const char *language)
{
	size_t length =
		strspn(language, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");

	return length >= 2 && length <= 12 && language[length] == '\0' ? language : "en";
}

static struct reach_world reach_world_of(const struct batch *batch,
					 const struct directory *directory)
{
	return (struct reach_world){ .config = batch->world->config,
				     .directory = directory,
				     .challenge = batch->facts->challenge,
				     .refused = batch->refused,
				     .now = batch->now };
}

static int address_to(struct batch *batch, const struct directory *directory,
		      const struct role *role, enum reach reach, struct planned *planned,
		      struct error *error)
{
	struct reach_world world = reach_world_of(batch, directory);
	struct recipient found = reach_recipient(&world, role, reach);
	bool meant = role->side == SIDE_PARTNERSHIP && strcmp(role->name, "inbox") == 0;
	bool greet = found.contact != NULL && !found.contact->shared;
	int r = render_copy(batch, found.address, &planned->address, error);

	planned->contact = found.contact == NULL ? 0 : found.contact->id;
	planned->misdirected = found.path == RECIPIENT_INBOX && !meant;
	if (planned->misdirected)
		log_inbox(planned->notice);
	if (r == 0)
		r = render_copy(batch, greet ? found.name : "", &planned->name, error);
	if (r == 0)
		r = render_copy(batch,
				sound_language(found.language == NULL ? "" : found.language),
				&planned->language, error);
	return r;
}

/*
 * A notice of a voided event has no entry any more: it says that nothing is needed, from the
 * ledger's own record.
 */
static struct entry entry_of_notice(const struct policy *policy,
				    const struct ledger_notice *notice)
{
	struct entry entry = {
		.at = notice->at,
		.send_at = notice->send_at,
		.kind = notice->kind,
		.stage = policy_stage(policy, notice->stage),
		.obligation = -1,
		.step = notice->step,
		.occurrence = notice->occurrence,
		.event = notice->event,
		.started = notice->started,
		.due = notice->due,
	};

	for (size_t i = 0; i < policy->obligation_count; i++)
		if (strcmp(policy->obligations[i].id, notice->obligation) == 0 &&
		    policy->obligations[i].stage == entry.stage)
			entry.obligation = (int)i;
	return entry;
}

/* The place of the notice's entry among the facts'; one is added for a voided event's. */
static int place_of(struct batch *batch, const struct ledger_notice *notice)
{
	struct facts *facts = batch->facts;
	int place = facts_find(facts, notice);

	if (place >= 0 || notice->kind != NOTICE_CLEARED)
		return place;
	if (list_reserve(&facts->entries, facts->count, &facts->capacity,
			 sizeof *facts->entries) < 0)
		return -1;
	/* `ended` has room for one more by construction; further ones reuse the place. */
	facts->entries[facts->count] = entry_of_notice(facts->policy, notice);
	facts->ended[facts->count] = batch->now;
	return (int)facts->count;
}

/* Another notice of the same key but for its role, to go at once. */
static int add_further(struct batch *batch, const struct ledger_notice *notice,
		       const char *role, const char *suffix, struct error *error)
{
	CLEANUP(text_clear) struct text token = { 0 };
	struct further further = { .notice = *notice };
	int r;

	text_append(&token, role);
	text_append(&token, suffix);
	if (text_failed(&token) || list_reserve(&batch->further, batch->further_count,
						&batch->further_capacity, sizeof further) < 0)
		return error_memory(error);
	r = render_copy(batch, text_string(&token), &further.notice.role, error);
	if (r < 0)
		return r;
	further.notice.id = 0;
	further.notice.mail = 0;
	further.notice.state = DELIVERY_DECIDED;
	further.notice.reason = "";
	further.notice.send_at = batch->now;
	batch->further[batch->further_count++] = further;
	return 0;
}

static int defer(struct batch *batch, int64_t notice, struct instant until, struct error *error)
{
	struct deferrals *deferrals = batch->deferrals;

	if (list_reserve(&deferrals->item, deferrals->count, &deferrals->capacity,
			 sizeof *deferrals->item) < 0)
		return error_memory(error);
	deferrals->item[deferrals->count++] = (struct deferral){ notice, until };
	return 0;
}

/* 1: it may go; 0: its recipient's agency is closed, and it waits. */
static int keep_hours(struct batch *batch, const struct directory *directory,
		      const struct role *role, const struct ledger_notice *notice,
		      struct error *error)
{
	struct reach_world world = reach_world_of(batch, directory);
	struct recipient holder = reach_recipient(&world, role, REACH_HOLDER);
	struct instant until;
	int r;

	switch (reach_hours(&world, batch->facts->policy, &holder, notice->send_at, &until)) {
	case REACH_NOW:
		return 1;
	case REACH_LATER:
		r = defer(batch, notice->id, until, error);
		return r < 0 ? r : 0;
	case REACH_PAST:
		break;
	}
	r = add_further(batch, notice, notice->role, reach_cover, error);
	if (r == 0)
		r = add_further(batch, notice, notice->role, reach_closed, error);
	return r < 0 ? r : 1;
}

/* In a flat agency nobody new would hear of the escalation: the next rung does. */
static int climb(struct batch *batch, const struct directory *directory, size_t place,
		 const struct ledger_notice *notice, struct error *error)
{
	const struct policy *policy = batch->facts->policy;
	struct reach_world world = reach_world_of(batch, directory);
	struct role_set rungs =
		reach_further_rungs(&world, batch->facts, &batch->facts->entries[place]);
	int r = 0;

	for (size_t i = 0; i < rungs.count && r == 0; i++)
		r = add_further(batch, notice, policy->roles[rungs.role[i]].token, "", error);
	return r;
}

/* Whom else it must reach, and whether it may go now: 1; 0: it waits. */
static int reach_further(struct batch *batch, const struct directory *directory,
			 const struct role *role, enum reach reach, size_t place,
			 const struct ledger_notice *notice, struct error *error)
{
	int r = 1;

	if (reach != REACH_HOLDER || notice->kind == NOTICE_RISK)
		return 1;
	r = keep_hours(batch, directory, role, notice, error);
	if (r == 1 && place < batch->facts->count && notice->kind == NOTICE_ESCALATION) {
		int climbed = climb(batch, directory, place, notice, error);

		return climbed < 0 ? climbed : 1;
	}
	return r;
}

static int plan_notice(struct batch *batch, const struct directory *directory,
		       const struct ledger_notice *notice, struct error *error)
{
	struct planned planned = { .notice = notice, .policy = batch->facts->policy };
	enum reach reach;
	const struct role *role = reach_role(batch->facts->policy, notice->role, &reach);
	const struct language *language;
	int place = place_of(batch, notice);
	int r;

	if (place < 0 || role == NULL ||
	    ((size_t)place < batch->facts->count &&
	     facts_is_ended(batch->facts, (size_t)place))) {
		batch->ended[batch->ended_count++] = notice->id;
		return 0;
	}
	r = reach_further(batch, directory, role, reach, (size_t)place, notice, error);
	if (r <= 0)
		return r;
	r = address_to(batch, directory, role, reach, &planned, error);
	if (r < 0)
		return r;
	language = template_file_language(batch->world->languages, planned.language);
	r = render_say(batch, language, directory, reach == REACH_CLOSED ? NULL : role,
		       (size_t)place, &planned.letter, error);
	if (r < 0)
		return r;
	planned.letter.agency_closed = reach != REACH_HOLDER;
	if (list_reserve(&batch->planned, batch->planned_count, &batch->planned_capacity,
			 sizeof *batch->planned) < 0)
		return error_memory(error);
	batch->planned[batch->planned_count++] = planned;
	return 0;
}

static bool is_refused(const struct batch *batch, const struct contact *contact, size_t *ret)
{
	for (size_t i = 0; i < batch->refused.count; i++)
		if (batch->refused_ids[i] == contact->id) {
			*ret = i;
			return true;
		}
	return false;
}

/* Somebody made sure of the contact after its address had been refused: it may be used again.
 */
static void pardon_confirmed(struct batch *batch, const struct directory *directory)
{
	for (size_t i = 0; i < directory->contact_count; i++) {
		const struct contact *contact = &directory->contacts[i];
		size_t place;

		if (instant_is_never(contact->confirmed_at) ||
		    !is_refused(batch, contact, &place) ||
		    !instant_before(batch->refusals[place].at, contact->confirmed_at))
			continue;
		batch->confirmed[batch->confirmed_count++] = contact->id;
		batch->refused.count--;
		batch->refusals[place] = batch->refusals[batch->refused.count];
		batch->refused_ids[place] = batch->refused_ids[batch->refused.count];
	}
}

/* All notices of one challenge, from one reading of its facts. */
static int plan_challenge(struct batch *batch, const struct ledger_notice *notices,
			  size_t count, struct error *error)
{
	const struct config *config = batch->world->config;
	struct challenge *challenge = NULL;
	struct directory directory;
	const char *agencies[3];
	const struct policy *policy;
	struct error why = { 0 };
	int r = store_challenge(batch->store, notices[0].challenge, &challenge, error);

	batch->store_failed = r < 0;
	if (r < 0)
		return r;
	policy = r == 0 || challenge == NULL ? NULL
					     : config_policy(config, challenge->policy,
							     challenge->policy_version, &why);
	if (policy == NULL) {
		/* Gone, unreadable or without its policy: it waits; nothing is lost. */
		batch->count->orphaned += count;
		return 0;
	}
	challenge_settle(challenge);
	r = facts_read(batch->facts, policy, challenge, batch->now, error);
	if (r < 0)
		return r;
	agencies[0] = challenge->raising_agency;
	agencies[1] = challenge->receiving_agency;
	agencies[2] = config->partnership.agency;
	r = store_directory(batch->store, agencies, COUNT(agencies), &directory, error);
	batch->store_failed = r < 0;
	if (r == 0)
		pardon_confirmed(batch, &directory);
	for (size_t i = 0; i < count && r == 0; i++)
		r = plan_notice(batch, &directory, &notices[i], error);
	return r;
}

static int by_challenge(const void *a, const void *b)
{
	const struct ledger_notice *x = a;
	const struct ledger_notice *y = b;

	if (x->challenge != y->challenge)
		return x->challenge < y->challenge ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

int render_plan(struct batch *batch, struct error *error)
{
	size_t count = batch->notice_count - batch->waiting_count;
	int r = store_begin(batch->store, error);

	batch->store_failed = r < 0;
	if (r == 0)
		r = lineage_confirm(batch->world->ledger, batch->store, &batch->store_failed,
				    error);
	if (r < 0) {
		store_end(batch->store);
		return r;
	}
	qsort(batch->notices, count, sizeof *batch->notices, by_challenge);
	for (size_t from = 0, to; from < count && r == 0; from = to) {
		for (to = from + 1; to < count && batch->notices[to].challenge ==
							  batch->notices[from].challenge;
		     to++)
			;
		r = plan_challenge(batch, &batch->notices[from], to - from, error);
	}
	store_end(batch->store);
	return r;
}
