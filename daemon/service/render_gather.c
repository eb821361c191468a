/*
 * render_gather.c - which notices share a mail, what of them is said, and how many mails a
 * person gets in a day.
 */
#include "service/render_internal.h"

#include "adapter/journal.h"
#include "base/list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A longer digest becomes several: a mail must fit through the pipe to its sender. */
enum { DIGEST_MOST = 250 };

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
	struct letter letter = render_letter_for(
		batch->world, calendar_zone(first->policy->calendar), batch->now);
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
	r = render_store_mail(batch->world, &out, error);
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

int render_make_mails(struct batch *batch, struct error *error)
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
