/* render.c - see render.h. */
#include "service/render.h"

#include "adapter/journal.h"
#include "base/arena.h"
#include "base/list.h"
#include "core/appointment.h"
#include "core/language.h"
#include "core/letter.h"
#include "core/message.h"
#include "core/wording.h"
#include "service/crash.h"
#include "service/reach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A longer digest becomes several: a mail must fit through the pipe to its sender. */
enum { DIGEST_MOST = 250 };

/* 2026-01-01: versions of an appointment count minutes since. */
enum { SEQUENCE_EPOCH = 1767225600 };

/* One notice with all that its mail will say; strings live in the batch's arena. */
struct planned {
	const struct ledger_notice *notice;
	struct letter_notice letter;
	const char *address;
	const char *name; /* "": do not greet by name */
	const char *language;
	const struct policy *policy;
	int64_t contact;
	bool misdirected;
};

/* The same notice, for somebody else. */
struct further {
	struct ledger_notice notice; /* role in the batch's arena; else as the one it follows */
};

struct batch {
	const struct world *world;
	struct store *store;
	struct facts *facts;
	struct instant now;
	struct ledger_refusal *refusals; /* the times of those in `refused` */
	int64_t *refused_ids;
	struct refused refused;
	int64_t *confirmed; /* contacts whose refusal is to be forgotten */
	size_t confirmed_count;
	struct ledger_notice *notices;
	size_t notice_count;
	struct planned *planned;
	size_t planned_count;
	size_t planned_capacity;
	struct deferrals *deferrals;
	size_t waiting_count;    /* of the notices, those at the end of the list, deferred */
	struct further *further; /* to be decided beside what is planned */
	size_t further_count;
	size_t further_capacity;
	int64_t *ended; /* notices to cancel */
	size_t ended_count;
	struct arena arena;
	struct rendered *count;
	bool store_failed;
};

static int copy(struct batch *batch, const char *string, const char **ret, struct error *error)
{
	*ret = arena_string(&batch->arena, string == NULL ? "" : string);
	return *ret == NULL ? error_memory(error) : 0;
}

/* --- what the letter says -------------------------------------------------------------------
 */

static bool set_has(const struct role_set *set, const struct policy *policy, const char *token)
{
	if (set == NULL)
		return false;
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(policy->roles[set->role[i]].token, token) == 0)
			return true;
	return false;
}

static int join_titles(struct batch *batch, const struct language *language,
		       const struct role_set *set, const char *without, const char **ret,
		       struct error *error)
{
	const struct config *config = batch->world->config;

	return wording_titles(config->roles, config->role_count, batch->facts->policy, language,
			      set, without, &batch->arena, ret, error);
}

static int say_agencies(struct batch *batch, const struct directory *directory,
			struct letter_notice *letter, struct error *error)
{
	const struct challenge *challenge = batch->facts->challenge;
	bool show = batch->world->config->mail.show_agencies;
	const struct agency *raising =
		show ? directory_agency(directory, challenge->raising_agency) : NULL;
	const struct agency *receiving =
		show ? directory_agency(directory, challenge->receiving_agency) : NULL;
	int r = copy(batch, raising == NULL ? "" : raising->name, &letter->raising_agency,
		     error);

	if (r == 0)
		r = copy(batch, raising == NULL ? "" : raising->telephone,
			 &letter->raising_telephone, error);
	if (r == 0)
		r = copy(batch, receiving == NULL ? "" : receiving->name,
			 &letter->receiving_agency, error);
	if (r == 0)
		r = copy(batch, receiving == NULL ? "" : receiving->telephone,
			 &letter->receiving_telephone, error);
	return r;
}

static int say_next(struct batch *batch, const struct language *language, const char *own,
		    size_t place, struct letter_notice *letter, struct error *error)
{
	struct entry next;
	int r;

	letter->next_at = INSTANT_NEVER;
	letter->next_titles = "";
	if (letter->kind == NOTICE_CLEARED)
		return 0;
	r = facts_next(batch->facts, place, &next, error);
	if (r <= 0)
		return r;
	/* To whom the matter passes is told by its own breach: that date is what they need. */
	if (letter->kind == NOTICE_ESCALATION || letter->kind == NOTICE_INFORM)
		if (next.kind == NOTICE_BREACH || next.kind == NOTICE_ESCALATION) {
			letter->obligation = facts_obligation_id(batch->facts->policy, &next);
			letter->due = next.due;
			letter->provisional = next.provisional;
		}
	letter->next_at = next.at;
	letter->next_kind = next.kind;
	letter->next_to_reader = set_has(&next.to, batch->facts->policy, own);
	return join_titles(batch, language, &next.to, own, &letter->next_titles, error);
}

/* `role` is the reader's; NULL: they are told of what others are asked. */
static int say(struct batch *batch, const struct language *language,
	       const struct directory *directory, const struct role *role, size_t place,
	       struct letter_notice *letter, struct error *error)
{
	const struct config *config = batch->world->config;
	const struct facts *facts = batch->facts;
	const struct policy *policy = facts->policy;
	const struct entry *entry = &facts->entries[place];
	const struct role_set *owner = facts_owner(facts, entry);
	const char *own = role != NULL ? role->token : "";
	struct role_set told = wording_told(facts->entries, facts->count, entry);
	int stage = entry->stage >= 0 ? entry->stage : facts->state.stage;
	int r;

	*letter = (struct letter_notice){
		.kind = entry->kind,
		.obligation = facts_obligation_id(policy, entry),
		.feedback = wording_is_feedback(policy, entry->obligation),
		.policy_title = policy->title,
		.stage_title = stage >= 0 ? policy->stages[stage].title : "",
		.role_title = role == NULL ? ""
					   : role_title(config->roles, config->role_count,
							role->name),
		.role_side = role == NULL ? SIDE_PARTNERSHIP : role->side,
		.is_owner = set_has(owner, policy, own),
		.due = entry->due,
		.at = entry->at,
		.since = entry->started,
		.provisional = entry->provisional,
		.guidance = policy->guidance,
		.learning_title = policy->learning_title,
		.learning_url = policy->learning_url,
	};
	if (entry->kind == NOTICE_CLEARED)
		letter->since =
			instant_is_never(facts->ended[place]) ? entry->at : facts->ended[place];
	r = copy(batch, facts->challenge->reference, &letter->reference, error);
	if (r == 0)
		r = join_titles(batch, language, owner, "", &letter->owner_titles, error);
	if (r == 0)
		r = join_titles(batch, language, &told, own, &letter->told_titles, error);
	if (r == 0)
		r = wording_link(config->mail.link, facts->challenge->reference, &batch->arena,
				 &letter->link, error);
	if (r == 0)
		r = say_agencies(batch, directory, letter, error);
	if (r == 0)
		r = say_next(batch, language, own, place, letter, error);
	if (r == 0)
		wording_time(letter, policy->calendar, batch->now);
	return r;
}

/* --- who gets it -----------------------------------------------------------------------------
 */

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

static void log_further(const struct ledger_notice *notice)
{
	const struct journal_field fields[] = {
		{ "CHALLENGE_REF", notice->reference },
		{ "ROLE", notice->role },
		{ "NOTICE", notice_kind_name(notice->kind) },
	};

	journal_send(JOURNAL_DECIDED, fields, COUNT(fields),
		     strchr(notice->role, '/') != NULL
			     ? "%s: %s for %s decided: the agency is closed by its own calendar"
			     : "%s: %s for %s decided: everybody below was told already",
		     notice->reference, notice_kind_name(notice->kind), notice->role);
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
	int r = copy(batch, found.address, &planned->address, error);

	planned->contact = found.contact == NULL ? 0 : found.contact->id;
	planned->misdirected = found.path == RECIPIENT_INBOX && !meant;
	if (planned->misdirected)
		log_inbox(planned->notice);
	if (r == 0)
		r = copy(batch, greet ? found.name : "", &planned->name, error);
	if (r == 0)
		r = copy(batch, sound_language(found.language == NULL ? "" : found.language),
			 &planned->language, error);
	return r;
}

/* --- planning --------------------------------------------------------------------------------
 */

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
	r = copy(batch, text_string(&token), &further.notice.role, error);
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
	r = say(batch, language, directory, reach == REACH_CLOSED ? NULL : role, (size_t)place,
		&planned.letter, error);
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

static int plan(struct batch *batch, struct error *error)
{
	size_t count = batch->notice_count - batch->waiting_count;
	int r = store_begin(batch->store, error);

	batch->store_failed = r < 0;
	if (r < 0)
		return r;
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

/* --- mails -----------------------------------------------------------------------------------
 */

static bool is_risk(const struct planned *planned)
{
	return planned->notice->kind == NOTICE_RISK;
}

/* Never swallowed by the ceiling for one person and day. */
static bool must_go(const struct planned *planned)
{
	return is_risk(planned) || planned->notice->kind == NOTICE_BREACH ||
	       planned->notice->kind == NOTICE_ESCALATION;
}

/* People in order of address; a person's risks first, each challenge apart; the rest by time.
 */
static int by_mail(const void *a, const void *b)
{
	const struct planned *x = a;
	const struct planned *y = b;
	int order = strcmp(x->address, y->address);

	if (order == 0)
		order = is_risk(y) - is_risk(x);
	if (order == 0 && is_risk(x))
		order = (x->notice->challenge > y->notice->challenge) -
			(x->notice->challenge < y->notice->challenge);
	if (order == 0)
		order = (x->notice->at.seconds > y->notice->at.seconds) -
			(x->notice->at.seconds < y->notice->at.seconds);
	if (order == 0)
		order = (x->notice->id > y->notice->id) - (x->notice->id < y->notice->id);
	return order;
}

static bool share_mail(const struct planned *a, const struct planned *b)
{
	return strcmp(a->address, b->address) == 0 && !is_risk(a) && !is_risk(b);
}

/* The same thing, told to one person in two roles. */
static bool is_same_thing(const struct planned *a, const struct planned *b)
{
	const struct ledger_notice *x = a->notice;
	const struct ledger_notice *y = b->notice;

	return strcmp(a->address, b->address) == 0 && x->challenge == y->challenge &&
	       x->event == y->event && x->kind == y->kind && x->occurrence == y->occurrence &&
	       strcmp(x->stage, y->stage) == 0 && strcmp(x->obligation, y->obligation) == 0 &&
	       strcmp(x->step, y->step) == 0;
}

static bool belongs(const struct planned *group, const struct planned *candidate)
{
	return share_mail(group, candidate) || is_same_thing(group, candidate);
}

/*
 * Beside word that the time has run out, what came before says less, and of a date gone by.
 * After a long downtime all go (design section 4, "Catch-up"), but the mail says it once.
 */
static bool is_said_by(const struct planned *early, const struct planned *late)
{
	const struct ledger_notice *x = early->notice;
	const struct ledger_notice *y = late->notice;
	bool same = x->kind == NOTICE_INFORM ||
		    (x->kind == NOTICE_REMINDER && strcmp(x->obligation, y->obligation) == 0);

	return same && (y->kind == NOTICE_BREACH || y->kind == NOTICE_OVERDUE) &&
	       early->letter.is_owner == late->letter.is_owner &&
	       x->challenge == y->challenge && x->event == y->event &&
	       strcmp(x->stage, y->stage) == 0;
}

static bool is_said_by_any(const struct planned *planned, size_t count, size_t place)
{
	for (size_t i = 0; i < count; i++)
		if (is_said_by(&planned[place], &planned[i]))
			return true;
	return false;
}

struct mail_plan {
	const struct planned *planned;
	size_t count;
	int64_t *ids;
	struct letter_notice *letters; /* each thing once */
	size_t letter_count;
};

static int gather(const struct planned *planned, size_t count, struct arena *arena,
		  struct mail_plan *ret, struct error *error)
{
	struct mail_plan plan = {
		.planned = planned,
		.count = count,
		.ids = arena_alloc(arena, count * sizeof *plan.ids),
		.letters = arena_alloc(arena, count * sizeof *plan.letters),
	};

	bool *said = arena_alloc(arena, count * sizeof *said);

	if (plan.ids == NULL || plan.letters == NULL || said == NULL)
		return error_memory(error);
	for (size_t i = 0; i < count; i++) {
		size_t same = 0;

		plan.ids[i] = planned[i].notice->id;
		said[i] = is_said_by_any(planned, count, i);
		if (said[i])
			continue;
		while (same < i && (said[same] || !is_same_thing(&planned[same], &planned[i])))
			same++;
		if (same == i)
			plan.letters[plan.letter_count++] = planned[i].letter;
		else if (planned[i].letter.is_owner)
			for (size_t j = 0; j < plan.letter_count; j++)
				if (plan.letters[j].reference == planned[same].letter.reference)
					plan.letters[j] = planned[i].letter;
	}
	*ret = plan;
	return 0;
}

static const char *domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at == NULL ? "localhost" : at + 1;
}

/* A letter, turned into bytes and stored; what both kinds of mail share. */
struct outgoing {
	const struct letter *letter;
	const char *address;
	const char *language;
	int64_t contact;
	int64_t thread; /* challenge; 0: none */
	bool important;
	const int64_t *notices;
	size_t notice_count;
	const struct ledger_notice *notice; /* the only one; NULL: none, or several */
	const int64_t *serial;              /* what the Message-ID is made from */
	size_t serial_count;
};

/* A number for a name that lasts as long as the name. */
static int64_t name_number(const char *name)
{
	uint64_t number = 0;

	for (const char *c = name; *c != '\0'; c++)
		number = number * 31 + (unsigned char)*c;
	return (int64_t)(number >> 1); /* never negative */
}

/* What the reader owes by a date that stands, which may go into a calendar; NULL: nothing. */
static const struct letter_notice *appointment_of(const struct config *config,
						  const struct outgoing *out)
{
	const struct letter_notice *owed;

	if (!config->mail.calendar_attachment || out->notice == NULL ||
	    out->letter->misdirected)
		return NULL;
	owed = &out->letter->notices[0];
	if (!owed->is_owner || owed->provisional || instant_is_never(owed->due) ||
	    !instant_before(out->letter->now, owed->due))
		return NULL;
	return owed->kind == NOTICE_INFORM || owed->kind == NOTICE_REMINDER ||
			       owed->kind == NOTICE_ESCALATION
		       ? owed
		       : NULL;
}

/* The entry of one thing owed keeps its name, so that a later one takes its place. */
static int write_appointment(const struct world *world, const struct outgoing *out,
			     const char *subject, struct text *ret, struct error *error)
{
	const struct letter_notice *owed = appointment_of(world->config, out);
	CLEANUP(text_clear) struct text uid = { 0 };
	struct appointment appointment;
	int r;

	if (owed == NULL)
		return 0;

	const int64_t serial[] = { -1 - name_number("appointment"), out->notice->challenge,
				   out->notice->event, name_number(owed->obligation) };

	r = ledger_message_id(world->ledger, serial, COUNT(serial), out->contact,
			      domain_of(world->config->mail.from_address), &uid, error);
	if (r < 0)
		return r;
	appointment = (struct appointment){
		.uid = text_string(&uid),
		.sequence = (out->letter->now.seconds - SEQUENCE_EPOCH) / 60,
		.stamp = out->letter->now,
		.at = owed->due,
		.summary = subject,
		.link = owed->link,
	};
	appointment_write(&appointment, ret);
	return text_failed(ret) ? error_memory(error) : 0;
}

static int write_bytes(const struct world *world, const struct outgoing *out,
		       const char *message_id, struct text *ret, struct error *error)
{
	const struct config *config = world->config;
	CLEANUP(letter_text_clear) struct letter_text letter = { 0 };
	CLEANUP(text_clear) struct text root = { 0 };
	CLEANUP(text_clear) struct text calendar = { 0 };
	const struct language *language =
		template_file_language(world->languages, out->language);
	struct message message;
	int r = letter_write(language, out->letter, &letter, error);

	if (r < 0)
		return r;
	if (r != LETTER_WHOLE)
		journal_send(JOURNAL_CONFIG_FAULT, NULL, 0,
			     "a template of language \"%s\" failed: %s",
			     language_name(language),
			     r == LETTER_SAFE ? "the fixed text went instead"
					      : "the mail went without HTML");
	if (out->thread != 0) {
		r = ledger_root_id(world->ledger, out->thread,
				   domain_of(config->mail.from_address), &root, error);
		if (r < 0)
			return r;
	}
	r = write_appointment(world, out, text_string(&letter.subject), &calendar, error);
	if (r < 0)
		return r;
	message = (struct message){
		.from_name = config->mail.from_name,
		.from_address = config->mail.from_address,
		.to_name = out->letter->recipient_name,
		.to_address = out->address,
		.reply_to = config->mail.reply_to,
		.subject = text_string(&letter.subject),
		.date = out->letter->now,
		.date_offset = zone_offset(out->letter->zone, out->letter->now),
		.message_id = message_id,
		.root_id = text_string(&root),
		.language = letter.language,
		.important = out->important,
		.body = text_string(&letter.body),
		.html = text_string(&letter.html),
		.calendar = text_string(&calendar),
	};
	r = message_write(&message, ret, error);
	if (r == -EINVAL && message.to_name[0] != '\0') {
		/* A name from the store that may not stand in a header: the address can. */
		text_cut(ret, 0);
		message.to_name = "";
		r = message_write(&message, ret, error);
	}
	return r;
}

static int store_mail(const struct world *world, const struct outgoing *out,
		      struct error *error)
{
	const struct config *config = world->config;
	CLEANUP(text_clear) struct text id = { 0 };
	CLEANUP(text_clear) struct text bytes = { 0 };
	struct ledger_mail mail;
	int64_t stored;
	int r = ledger_message_id(world->ledger, out->serial, out->serial_count, out->contact,
				  domain_of(config->mail.from_address), &id, error);

	if (r < 0)
		return r;
	r = write_bytes(world, out, text_string(&id), &bytes, error);
	if (r < 0)
		return r;
	mail = (struct ledger_mail){
		.state = DELIVERY_READY,
		.contact = out->contact,
		.recipient = out->address,
		.envelope_from = config->mail.envelope_from,
		.message_id = text_string(&id),
		.date = out->letter->now,
		.bytes = bytes.data,
		.length = bytes.length,
		.created = out->letter->now,
		.next_attempt = out->letter->now,
		.reply = "",
	};
	return ledger_store_mail(world->ledger, &mail, out->notices, out->notice_count,
				 out->letter->now, &stored, error);
}

static struct letter letter_for(const struct world *world, const struct zone *zone,
				struct instant now)
{
	const struct config *config = world->config;

	return (struct letter){
		.zone = zone,
		.now = now,
		.recipient_name = "",
		.subject_prefix = config->mail.subject_prefix,
		.partnership_name = config->partnership.name,
		.partnership_telephone = config->partnership.telephone,
		.partnership_inbox = config->partnership.inbox,
		.reply_to = config->mail.reply_to,
		.emergency = config->partnership.emergency,
		.summary = "",
		.trouble = "",
		.summary_at = INSTANT_NEVER,
	};
}

/*
 * The count of a person's mails of one day, as day * 10000 + count under one name for each
 * contact: it outlives a restart and never grows past the number of contacts.
 */
static void ceiling_name(int64_t contact, char out[static 40])
{
	(void)snprintf(out, 40, "mails_of_day/%lld", (long long)contact);
}

enum { CEILING_RADIX = 10000 };

/* 1: the person may get one more today (and it is counted), 0: not, negative: error. */
static int count_for_day(const struct world *world, const struct mail_plan *plan,
			 struct instant now, struct error *error)
{
	int64_t day = calendar_day(plan->planned[0].policy->calendar, now);
	int64_t most = world->config->mail.per_person_per_day;
	int64_t counted = 0;
	char name[40];
	bool urgent = false;
	int r;

	if (most == 0 || plan->planned[0].contact == 0)
		return 1;
	ceiling_name(plan->planned[0].contact, name);
	r = ledger_get_number(world->ledger, name, &counted, error);
	if (r < 0)
		return r;
	counted = counted / CEILING_RADIX == day ? counted % CEILING_RADIX : 0;
	for (size_t i = 0; i < plan->count; i++)
		urgent = urgent || must_go(&plan->planned[i]);
	if (counted >= most && !urgent)
		return 0;
	if (counted < CEILING_RADIX - 1)
		counted++;
	r = ledger_set_number(world->ledger, name, day * CEILING_RADIX + counted, error);
	return r < 0 ? r : 1;
}

static int make_mail(struct batch *batch, const struct mail_plan *plan, struct error *error)
{
	const struct planned *first = plan->planned;
	struct letter letter =
		letter_for(batch->world, calendar_zone(first->policy->calendar), batch->now);
	struct outgoing out = {
		.letter = &letter,
		.address = first->address,
		.language = first->language,
		.contact = first->contact,
		.thread = first->notice->challenge,
		.notices = plan->ids,
		.notice_count = plan->count,
		.serial = plan->ids,
		.serial_count = plan->count,
	};
	int r = count_for_day(batch->world, plan, batch->now, error);

	if (r <= 0) {
		batch->count->waiting += r == 0 ? plan->count : 0;
		return r;
	}
	out.notice = plan->letter_count == 1 ? first->notice : NULL;
	letter.recipient_name = first->name;
	letter.notices = plan->letters;
	letter.count = plan->letter_count;
	for (size_t i = 0; i < plan->count; i++) {
		letter.misdirected = letter.misdirected || first[i].misdirected;
		out.important = out.important || must_go(&first[i]);
		if (first[i].notice->challenge != out.thread)
			out.thread = 0; /* a digest belongs to no thread */
	}
	r = store_mail(batch->world, &out, error);
	if (r == 0)
		batch->count->mails++;
	return r;
}

/* One mail that cannot be written is told loudly and stays decided; others go on. */
static int try_mail(struct batch *batch, const struct mail_plan *plan, struct error *error)
{
	struct error why = { 0 };
	int r = make_mail(batch, plan, &why);

	if (r == -EINVAL) {
		const struct journal_field fields[] = {
			{ "CHALLENGE_REF", plan->planned[0].notice->reference },
			{ "REASON", why.text },
		};

		journal_send(JOURNAL_HELD, fields, COUNT(fields),
			     "%s: its mail cannot be written, and waits: %s",
			     plan->planned[0].notice->reference, why.text);
		return 0;
	}
	if (r < 0)
		return error_set(error, why.code, "%s", why.text);
	return 0;
}

static int make_mails(struct batch *batch, struct error *error)
{
	int r = 0;

	qsort(batch->planned, batch->planned_count, sizeof *batch->planned, by_mail);
	for (size_t from = 0, to; from < batch->planned_count && r == 0; from = to) {
		struct mail_plan plan = { 0 };

		for (to = from + 1; to < batch->planned_count && to - from < DIGEST_MOST &&
				    belongs(&batch->planned[from], &batch->planned[to]);
		     to++)
			;
		r = gather(&batch->planned[from], to - from, &batch->arena, &plan, error);
		if (r == 0)
			r = try_mail(batch, &plan, error);
	}
	return r;
}

static int cancel_ended(struct batch *batch, struct error *error)
{
	for (size_t i = 0; i < batch->ended_count; i++) {
		int r = ledger_cancel_notice(batch->world->ledger, batch->ended[i],
					     "ended by a recorded event before it went",
					     batch->now, error);

		if (r < 0)
			return r;
		batch->count->taken_back++;
	}
	return 0;
}

static int forget_confirmed(struct batch *batch, struct error *error)
{
	int r = 0;

	for (size_t i = 0; i < batch->confirmed_count && r == 0; i++)
		r = ledger_forget_refused(batch->world->ledger, batch->confirmed[i], error);
	return r;
}

static int decide_further(struct batch *batch, struct error *error)
{
	struct ledger *ledger = batch->world->ledger;

	for (size_t i = 0; i < batch->further_count; i++) {
		struct ledger_notice *notice = &batch->further[i].notice;
		int64_t id;
		int r = ledger_decide(ledger, notice, batch->now, &id, error);

		if (r < 0)
			return r;
		if (r != 1)
			continue;
		batch->count->further++;
		log_further(notice);
	}
	return 0;
}

static int commit_batch(struct batch *batch, struct error *error)
{
	struct ledger *ledger = batch->world->ledger;
	int r;

	if (batch->planned_count == 0 && batch->ended_count == 0)
		return 0;
	r = ledger_begin(ledger, error);
	if (r < 0)
		return r;
	r = make_mails(batch, error);
	if (r == 0)
		r = decide_further(batch, error);
	if (r == 0)
		r = cancel_ended(batch, error);
	if (r == 0)
		r = forget_confirmed(batch, error);
	crash_point("mails rendered, not committed");
	if (r == 0)
		r = ledger_commit(ledger, error);
	if (r < 0)
		ledger_rollback(ledger);
	crash_point("mails committed");
	return r;
}

static void batch_clear(struct batch *batch)
{
	ledger_notices_free(batch->notices, batch->notice_count);
	free(batch->planned);
	free(batch->further);
	free(batch->ended);
	free(batch->refusals);
	free(batch->refused_ids);
	free(batch->confirmed);
	arena_clear(&batch->arena);
}

static int read_refused(struct batch *batch, struct error *error)
{
	size_t count = 0;
	int r = ledger_refused_contacts(batch->world->ledger, &batch->refusals, &count, error);

	if (r < 0)
		return r;
	batch->refused_ids = calloc(count + 1, sizeof *batch->refused_ids);
	batch->confirmed = calloc(count + 1, sizeof *batch->confirmed);
	if (batch->refused_ids == NULL || batch->confirmed == NULL)
		return error_memory(error);
	for (size_t i = 0; i < count; i++)
		batch->refused_ids[i] = batch->refusals[i].contact;
	batch->refused = (struct refused){ batch->refused_ids, count };
	return 0;
}

void deferrals_clear(struct deferrals *deferrals)
{
	free(deferrals->item);
	*deferrals = (struct deferrals){ 0 };
}

/* Forgets those whose time has come. */
static void end_deferrals(struct deferrals *deferrals, struct instant now)
{
	size_t kept = 0;

	for (size_t i = 0; i < deferrals->count; i++)
		if (instant_before(now, deferrals->item[i].until))
			deferrals->item[kept++] = deferrals->item[i];
	deferrals->count = kept;
}

static bool is_deferred(const struct deferrals *deferrals, int64_t notice)
{
	for (size_t i = 0; i < deferrals->count; i++)
		if (deferrals->item[i].notice == notice)
			return true;
	return false;
}

/* To the end of the list with those that wait: they need no look at the store. */
static void set_deferred_aside(struct batch *batch)
{
	size_t count = batch->notice_count;

	for (size_t i = 0; i < count;) {
		struct ledger_notice swapped = batch->notices[i];

		if (!is_deferred(batch->deferrals, swapped.id)) {
			i++;
			continue;
		}
		count--;
		batch->notices[i] = batch->notices[count];
		batch->notices[count] = swapped;
	}
	batch->waiting_count = batch->notice_count - count;
}

int render_mails(const struct world *world, struct store *store, struct facts *facts,
		 struct deferrals *deferrals, struct instant now, struct rendered *ret,
		 bool *ret_store_failed, struct error *error)
{
	struct rendered count = { 0 };
	CLEANUP(batch_clear)
	struct batch batch = { .world = world,
			       .store = store,
			       .facts = facts,
			       .deferrals = deferrals,
			       .now = now,
			       .count = &count };
	size_t most;
	int r;

	end_deferrals(deferrals, now);
	most = RENDER_MOST + deferrals->count;
	r = ledger_decided(world->ledger, now, most, &batch.notices, &batch.notice_count,
			   error);
	if (r < 0)
		return r;
	set_deferred_aside(&batch);
	if (batch.notice_count > batch.waiting_count) {
		r = read_refused(&batch, error);
		if (r < 0)
			return r;
		batch.ended = calloc(batch.notice_count, sizeof *batch.ended);
		if (batch.ended == NULL)
			return error_memory(error);
		r = plan(&batch, error);
		if (r < 0) {
			*ret_store_failed = batch.store_failed;
			return r;
		}
		r = commit_batch(&batch, error);
		if (r < 0)
			return r;
	}
	count.more = count.further > 0 ||
		     (batch.notice_count == most && count.mails + count.taken_back > 0);
	*ret = count;
	return 0;
}

static const struct zone *house_zone(const struct config *config)
{
	static const struct zone utc = { .name = "UTC" };

	return config->calendar_count > 0 ? calendar_zone(config->calendars[0].calendar) : &utc;
}

int render_summary(const struct world *world, const struct summary *summary, struct instant now,
		   struct error *error)
{
	struct letter letter = letter_for(world, house_zone(world->config), now);
	/* It carries no notice, whose ids are positive: this is never the serial of one that
	 * does. */
	const int64_t serial[] = { -1 - name_number(summary->name), summary->key[0],
				   summary->key[1], summary->place };
	struct outgoing out = {
		.letter = &letter,
		.address = summary->address,
		.language = summary->language,
		.contact = summary->contact,
		.serial = serial,
		.serial_count = COUNT(serial),
	};

	letter.recipient_name = summary->recipient_name;
	letter.summary = summary->name;
	letter.summary_count = summary->count;
	letter.counts = summary->counts;
	letter.summary_at = summary->at;
	letter.trouble = summary->trouble;
	letter.notices = summary->rows;
	letter.count = summary->row_count;
	return store_mail(world, &out, error);
}

/* To the partnership's inbox, with one number. What cannot be written is told loudly, and holds
 * up nothing: it comes with outcomes that must be recorded. */
static int tell_inbox(const struct world *world, const char *name, int64_t count,
		      struct instant now, struct error *error)
{
	const struct summary summary = {
		.name = name,
		.key = { count, now.seconds },
		.count = count,
		.at = INSTANT_NEVER,
		.trouble = "",
		.address = world->config->partnership.inbox,
		.recipient_name = "",
		.language = "en",
	};

	struct error why = { 0 };
	int r = render_summary(world, &summary, now, &why);

	if (r == -EINVAL) {
		journal_send(JOURNAL_HELD, NULL, 0, "the %s mail cannot be written: %s", name,
			     why.text);
		return 0;
	}
	return r < 0 ? error_set(error, why.code, "%s", why.text) : r;
}

int render_adoption(const struct world *world, size_t adopted, struct instant now,
		    struct error *error)
{
	return tell_inbox(world, "adoption", (int64_t)adopted, now, error);
}

int render_flood(const struct world *world, int64_t held, struct instant now,
		 struct error *error)
{
	return tell_inbox(world, "flood", held, now, error);
}

int render_refusal(const struct world *world, int64_t contact, struct instant now,
		   struct error *error)
{
	return tell_inbox(world, "refused", contact, now, error);
}
