/* decide.c - see decide.h. */
#include "service/decide.h"

#include "adapter/journal.h"
#include "base/text.h"

#include <string.h>

const char decide_replaced[] = "later reminder due";
static const char answered[] = "ended by a recorded event before it went";
static const char nothing_told[] = "nothing had been sent that needs standing down";
static const char taken_away[] = "the facts no longer ask for it";

/* What one call works on. */
struct task {
	struct ledger *ledger;
	const struct facts *facts;
	struct approval *approval;
	const struct config *config;
	const struct ledger_notice *history; /* NULL unless something was cleared */
	size_t history_count;
	const struct manner *manner;
	bool holds;           /* something of this challenge is held */
	bool approved_read;   /* what the approved configuration asks for is known */
	struct instant again; /* when to look again beside the timeline's next; NEVER */
	struct decided *count;
};

static void log_decision(const struct task *task, const struct ledger_notice *notice)
{
	const struct journal_field fields[] = {
		{ "CHALLENGE_REF", notice->reference },
		{ "POLICY", notice->policy },
		{ "STAGE", notice->stage },
		{ "OBLIGATION", notice->obligation },
		{ "NOTICE", notice_kind_name(notice->kind) },
		{ "ROLE", notice->role },
		{ "REASON", notice->reason[0] == '\0' ? NULL : notice->reason },
	};

	if (task->manner->adopt)
		return; /* one line for all of them, from the pass */
	if (notice->state == DELIVERY_DECIDED)
		journal_send(JOURNAL_DECIDED, fields, COUNT(fields), "%s: %s for %s decided",
			     notice->reference, notice_kind_name(notice->kind), notice->role);
	else
		journal_send(JOURNAL_NOT_SENT, fields, COUNT(fields),
			     "%s: %s for %s not sent: %s", notice->reference,
			     notice_kind_name(notice->kind), notice->role, notice->reason);
}

/* It may have been read, whatever became of a mail in doubt afterwards. */
static bool had_gone(const struct ledger_notice *told)
{
	return told->state == DELIVERY_ATTEMPTING || told->state == DELIVERY_ACCEPTED ||
	       told->doubted;
}

/* True when this role was mailed that the obligation's time ran out. */
static bool was_told(const struct task *task, const struct ledger_notice *cleared)
{
	for (size_t i = 0; i < task->history_count; i++) {
		const struct ledger_notice *told = &task->history[i];

		if ((told->kind == NOTICE_BREACH || told->kind == NOTICE_ESCALATION ||
		     told->kind == NOTICE_OVERDUE) &&
		    had_gone(told) && told->event == cleared->event &&
		    strcmp(told->obligation, cleared->obligation) == 0 &&
		    strcmp(told->role, cleared->role) == 0)
			return true;
	}
	return false;
}

/* Read only when something is to be held against it: for most challenges nothing is. */
static int read_approved(struct task *task, struct error *error)
{
	int r = task->approved_read ? 0 : approval_read(task->approval, task->facts, error);

	task->approved_read = r >= 0;
	return r;
}

/* Why the notice is not sent; "" when it is. */
static int reason_for_silence(struct task *task, size_t entry,
			      const struct ledger_notice *notice, const char **ret,
			      struct error *error)
{
	const char *reason = NULL;
	int r;

	if (task->manner->adopt)
		reason = ledger_adopted_reason;
	else if (facts_is_ended(task->facts, entry))
		reason = answered;
	else if (facts_is_replaced(task->facts, entry))
		reason = decide_replaced;
	else if (notice->kind == NOTICE_CLEARED && !was_told(task, notice))
		reason = nothing_told;
	if (reason == NULL) {
		r = read_approved(task, error);
		if (r < 0)
			return r;
		reason = approval_holds(task->approval, task->facts, entry, notice->role)
				 ? approval_reason
				 : "";
	}
	*ret = reason;
	return 0;
}

/*
 * The entry's own time to go, or, when that is past and it is night now, the next opening:
 * catching up keeps sending hours too. Immediate risk knows none.
 */
static struct instant time_to_go(const struct facts *facts, const struct entry *entry)
{
	struct instant opening;

	if (entry->kind == NOTICE_RISK || !instant_before(entry->send_at, facts->now) ||
	    calendar_next_open(facts->policy->calendar, facts->now, &opening) < 0 ||
	    instant_equal(opening, facts->now))
		return entry->send_at;
	return opening;
}

/* What a decision rests on besides the facts: for the case review that asks years later. */
static void name_the_basis(const struct task *task, struct ledger_notice *notice)
{
	const struct policy *policy = task->facts->policy;
	const struct named_calendar *calendar = config_calendar_of(task->config, policy);

	notice->policy_digest = policy->digest;
	notice->calendar_version = calendar != NULL ? calendar->version : "";
	notice->zone_version = calendar_zone(policy->calendar)->digest;
}

/* Taken back, and asked for again: an answer that was voided, a policy that was corrected. */
static const char *const revivable[] = { answered, taken_away, NULL };

static void count_decision(struct task *task, const struct ledger_notice *notice)
{
	if (task->manner->adopt)
		task->count->adopted++;
	else if (notice->state == DELIVERY_DECIDED || notice->reason == task->manner->hold)
		task->count->to_send++;
	else if (notice->state == DELIVERY_HELD)
		task->count->held++;
	else
		task->count->not_sent++;
	task->holds = task->holds || notice->reason == approval_reason;
	log_decision(task, notice);
}

/* The first decision's sending hours are past: one made out of hours waits to be looked at. */
static int revive(struct task *task, struct ledger_notice *notice, struct error *error)
{
	if (instant_before(task->facts->now, notice->send_at)) {
		task->again = instant_min(task->again, notice->send_at);
		return 0;
	}
	return ledger_revive(task->ledger, notice, task->facts->now, error);
}

static bool is_same_key(const struct ledger_notice *a, const struct ledger_notice *b)
{
	return a->event == b->event && a->kind == b->kind && a->occurrence == b->occurrence &&
	       strcmp(a->role, b->role) == 0 && strcmp(a->stage, b->stage) == 0 &&
	       strcmp(a->obligation, b->obligation) == 0 && strcmp(a->step, b->step) == 0;
}

/* The history says so already, and there is nothing to revive: the ledger need not be asked. */
static bool is_known(const struct task *task, const struct ledger_notice *notice)
{
	for (size_t i = 0; i < task->history_count; i++)
		if (is_same_key(&task->history[i], notice))
			return task->history[i].state != DELIVERY_CANCELLED ||
			       task->history[i].reason == NULL ||
			       strcmp(task->history[i].reason, ledger_adopted_reason) == 0;
	return false;
}

static bool is_to_be_held(const struct manner *manner, const struct ledger_notice *notice)
{
	return manner->hold != NULL && notice->kind != NOTICE_RISK &&
	       !instant_before(manner->hold_until, notice->at);
}

static int record(struct task *task, struct ledger_notice *notice, const char *reason,
		  struct error *error)
{
	int r;

	notice->reason = reason;
	notice->state = reason[0] == '\0'           ? DELIVERY_DECIDED
			: reason == approval_reason ? DELIVERY_HELD
						    : DELIVERY_CANCELLED;
	if (notice->state == DELIVERY_DECIDED && is_to_be_held(task->manner, notice)) {
		notice->state = DELIVERY_HELD;
		notice->reason = task->manner->hold;
	}
	name_the_basis(task, notice);
	notice->revives = notice->state == DELIVERY_CANCELLED ? NULL : revivable;
	r = ledger_decide(task->ledger, notice, task->facts->now, &notice->id, error);
	if (r == 2)
		r = revive(task, notice, error);
	else if (r == 0)
		return 0;
	if (r < 0)
		return r;
	count_decision(task, notice);
	return 0;
}

/* What the entry says to the notice's role, unless that is known already. */
static int record_entry(struct task *task, size_t place, struct ledger_notice *notice,
			struct error *error)
{
	const char *reason = "";
	int r;

	if (is_known(task, notice))
		return 0;
	notice->send_at = time_to_go(task->facts, &task->facts->entries[place]);
	r = reason_for_silence(task, place, notice, &reason, error);
	return r < 0 ? r : record(task, notice, reason, error);
}

/* Roles beside the policy's own were told of this obligation (reach.h): they are stood down,
 * too. */
static int clear_others(struct task *task, size_t place, struct error *error)
{
	const struct entry *entry = &task->facts->entries[place];

	for (size_t i = 0; i < task->history_count; i++) {
		const struct ledger_notice *told = &task->history[i];
		struct ledger_notice notice =
			ledger_notice_of(task->facts->policy, task->facts->challenge, entry, 0);
		int r;

		notice.role = told->role;
		if (told->event != entry->event || !had_gone(told) ||
		    (told->kind != NOTICE_BREACH && told->kind != NOTICE_ESCALATION) ||
		    strcmp(told->obligation, notice.obligation) != 0)
			continue;
		/* Decided already where the policy names the role. */
		r = record_entry(task, place, &notice, error);
		if (r < 0)
			return r;
	}
	return 0;
}

static int decide_entry(struct task *task, size_t place, struct error *error)
{
	const struct entry *entry = &task->facts->entries[place];

	for (size_t i = 0; i < entry->to.count; i++) {
		struct ledger_notice notice =
			ledger_notice_of(task->facts->policy, task->facts->challenge, entry, i);
		int r = record_entry(task, place, &notice, error);

		if (r < 0)
			return r;
	}
	return entry->kind == NOTICE_CLEARED ? clear_others(task, place, error) : 0;
}

/* Why an earlier decision goes no further; NULL when it stands. */
static const char *reason_to_take_back(const struct facts *facts,
				       const struct ledger_notice *notice)
{
	int place = facts_find(facts, notice);

	if (place < 0)
		return instant_before(facts->now, notice->at) || notice->kind == NOTICE_CLEARED
			       ? NULL
			       : taken_away;
	if (facts_is_ended(facts, (size_t)place))
		return answered;
	if (notice->mail == 0 && facts_is_replaced(facts, (size_t)place))
		return decide_replaced;
	return NULL;
}

static int cancel(struct task *task, struct ledger_notice notice, const char *reason,
		  struct error *error)
{
	int r = ledger_cancel_notice(task->ledger, notice.id, reason, task->facts->now, error);

	if (r < 0)
		return r;
	notice.reason = reason;
	notice.state = DELIVERY_CANCELLED;
	task->count->cancelled++;
	log_decision(task, &notice);
	return 0;
}

/* Held until the configuration is approved, or until the approved one asks for it as well. */
static int look_at_held(struct task *task, const struct ledger_notice *notice,
			struct error *error)
{
	int place = facts_find(task->facts, notice);
	int r;

	if (strcmp(notice->reason, approval_reason) != 0)
		return 0; /* by somebody, or something, else */
	r = read_approved(task, error);
	if (r < 0)
		return r;
	if (place < 0 ||
	    approval_holds(task->approval, task->facts, (size_t)place, notice->role)) {
		task->holds = true;
		return 0;
	}
	return ledger_release_notice(task->ledger, notice, approval_release_reason,
				     task->facts->now, error);
}

static bool is_pending(const struct ledger_notice *notice)
{
	switch (notice->state) {
	case DELIVERY_DECIDED:
	case DELIVERY_READY:
	case DELIVERY_RETRY:
	case DELIVERY_IN_DOUBT:
		return true;
	case DELIVERY_HELD:
		return notice->mail == 0; /* else a person holds its mail */
	case DELIVERY_ATTEMPTING:
	case DELIVERY_ACCEPTED:
	case DELIVERY_REFUSED:
	case DELIVERY_CANCELLED:
		break;
	}
	return false;
}

static int take_back(struct task *task, const struct ledger_notice *notices, size_t count,
		     struct error *error)
{
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++) {
		const char *reason;

		if (!is_pending(&notices[i]))
			continue;
		reason = reason_to_take_back(task->facts, &notices[i]);
		if (reason != NULL)
			r = cancel(task, notices[i], reason, error);
		else if (notices[i].state == DELIVERY_HELD && notices[i].mail == 0)
			r = look_at_held(task, &notices[i], error);
	}
	return r < 0 ? r : 0;
}

static int take_back_pending(struct task *task, struct error *error)
{
	struct ledger_notice *pending = NULL;
	size_t count = 0;
	int r = ledger_pending(task->ledger, task->facts->challenge->id, &pending, &count,
			       error);

	if (r < 0)
		return r;
	r = take_back(task, pending, count, error);
	ledger_notices_free(pending, count);
	return r;
}

struct search {
	const struct policy *policy;
	const struct ledger_notice *told;
	bool found;
};

static void look_for_owed(void *context, const struct owed *owed)
{
	struct search *search = context;

	search->found =
		search->found || (owed->event == search->told->event &&
				  strcmp(search->policy->obligations[owed->obligation].id,
					 search->told->obligation) == 0);
}

static bool has_obligation(const struct policy *policy, const char *id)
{
	for (size_t i = 0; i < policy->obligation_count; i++)
		if (strcmp(policy->obligations[i].id, id) == 0)
			return true;
	return false;
}

/*
 * What was told never came to pass: its event was taken back, or an answer that was typed in
 * late had come in time. A deadline that merely moved is owed still, and an obligation that a
 * policy no longer names says nothing about an answer.
 */
static bool is_undone(const struct task *task, const struct ledger_notice *told)
{
	struct search search = { .policy = task->facts->policy, .told = told };

	if (facts_event_is_gone(task->facts, told->event))
		return true;
	if (facts_find(task->facts, told) >= 0 ||
	    !has_obligation(task->facts->policy, told->obligation))
		return false;
	timeline_owed(task->facts->timeline, look_for_owed, &search);
	return !search.found;
}

/*
 * A clock had run out and people had been told, but the timeline no longer knows of it: the
 * ledger does.
 */
static int stand_down_undone(struct task *task, struct error *error)
{
	for (size_t i = 0; i < task->history_count; i++) {
		struct ledger_notice notice = task->history[i];
		int r;

		if ((notice.kind != NOTICE_BREACH && notice.kind != NOTICE_ESCALATION) ||
		    !had_gone(&notice) || !is_undone(task, &task->history[i]))
			continue;
		notice.kind = NOTICE_CLEARED;
		notice.step = "";
		notice.occurrence = 1;
		notice.at = task->facts->now;
		notice.mail = 0;
		if (calendar_next_open(task->facts->policy->calendar, notice.at,
				       &notice.send_at) < 0)
			notice.send_at = notice.at;
		r = is_known(task, &notice) ? 0 : record(task, &notice, "", error);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool needs_history(const struct facts *facts)
{
	for (size_t i = 0; i < facts->count; i++)
		if (facts->entries[i].kind == NOTICE_CLEARED)
			return true;
	return false;
}

/*
 * The history is read before anything is taken back: a mail in doubt may have arrived, so those
 * it told are stood down although its resend is cancelled.
 */
static int decide_entries(struct task *task, bool changed, struct error *error)
{
	struct ledger_notice *history = NULL;
	size_t count = 0;
	bool known = !task->manner->adopt && (changed || needs_history(task->facts));
	int r = 0;

	if (known) {
		r = ledger_history(task->ledger, task->facts->challenge->id, &history, &count,
				   error);
		if (r < 0)
			return r;
		task->history = history;
		task->history_count = count;
	}
	/* What is pending stands in the history, where that was read. */
	r = known ? take_back(task, history, count, error) : take_back_pending(task, error);
	for (size_t i = 0; i < task->facts->count && r >= 0; i++)
		r = decide_entry(task, i, error);
	if (r >= 0)
		r = stand_down_undone(task, error);
	ledger_notices_free(history, count);
	task->history = NULL;
	task->history_count = 0;
	return r;
}

static const struct {
	enum timeline_problem problem;
	const char *text;
} problems[] = {
	{ PROBLEM_URGENCY,
	  "its urgency is not one of the policy's: the shortest limit counts" },
	{ PROBLEM_PAUSE_NO_END, "it is paused without an end: the clock runs on" },
	{ PROBLEM_STAGE, "it names a stage that the policy does not have" },
	{ PROBLEM_KIND, "it has an event of a kind that the policy does not know" },
	{ PROBLEM_NO_AGREED_DATE, "a limit is \"as agreed\", but no date was recorded" },
	{ PROBLEM_RANGE, "a time lies outside the years that calendars count" },
	{ PROBLEM_NOT_RAISED, "nothing has raised it, so that no clock runs" },
};

static void log_fault(const struct challenge *challenge, const char *text)
{
	const struct journal_field fields[] = {
		{ "CHALLENGE_REF", challenge->reference },
		{ "POLICY", challenge->policy },
		{ "REASON", text },
	};

	journal_send(JOURNAL_CHALLENGE_FAULT, fields, COUNT(fields), "challenge %s: %s",
		     challenge->reference, text);
}

static void log_problems(const struct challenge *challenge, unsigned found)
{
	CLEANUP(text_clear) struct text unsound = { 0 };

	for (size_t i = 0; i < COUNT(problems); i++)
		if ((found & (unsigned)problems[i].problem) != 0)
			log_fault(challenge, problems[i].text);
	if (challenge->unsound == NULL)
		return;
	text_appendf(&unsound,
		     "its %s cannot be shown (a control character, not UTF-8, or too long) and "
		     "counts as unknown; it is watched all the same",
		     challenge->unsound);
	log_fault(challenge, text_string(&unsound));
}

/* When the challenge is to be looked at again. */
static int schedule(struct task *task, struct error *error)
{
	struct instant next = instant_min(task->facts->next, task->again);
	struct instant approved = INSTANT_NEVER;
	int r = 0;

	/* The approved configuration may come to ask for what is held. */
	if (task->holds)
		r = read_approved(task, error);
	if (task->holds && r >= 0)
		r = approval_next(task->approval, &approved, error);
	return r < 0 ? r
		     : ledger_schedule(task->ledger, task->facts->challenge->id,
				       instant_min(next, approved), error);
}

static int decide_facts(struct task *task, struct error *error)
{
	bool loud = task->manner->loud;
	int r = 0;

	if (loud && !task->manner->adopt)
		r = approval_record_moves(task->approval, task->ledger, task->facts,
					  &task->count->moved, error);
	if (r >= 0)
		r = decide_entries(task, loud, error);
	return r < 0 ? r : schedule(task, error);
}

int decide_challenge(struct ledger *ledger, const struct config *config,
		     struct approval *approval, struct facts *facts,
		     struct challenge *challenge, const struct manner *manner,
		     struct instant now, struct decided *ret, struct error *error)
{
	struct error unknown = { 0 };
	const struct policy *policy;
	struct task task = { .ledger = ledger,
			     .facts = facts,
			     .config = config,
			     .approval = approval,
			     .manner = manner,
			     .again = INSTANT_NEVER,
			     .count = ret };
	int r;

	policy = config_policy(config, challenge->policy, challenge->policy_version, &unknown);
	if (policy == NULL) {
		if (manner->loud)
			log_fault(challenge, unknown.text);
		return ledger_schedule(ledger, challenge->id, INSTANT_NEVER, error);
	}
	challenge_settle(challenge);
	r = facts_read(facts, policy, challenge, now, error);
	if (r < 0)
		return r;
	if (manner->loud)
		log_problems(challenge, facts->state.problems);
	return decide_facts(&task, error);
}
