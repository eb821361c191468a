/* pass.c - see pass.h. */
#include "service/pass.h"

#include "adapter/journal.h"
#include "base/list.h"
#include "service/approval.h"
#include "service/breaker.h"
#include "service/crash.h"
#include "service/decide.h"
#include "service/lineage.h"
#include "service/proof.h"
#include "service/render.h"
#include "service/routine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BATCH = 200,            /* scheduled challenges of one transaction: some milliseconds */
	LOOKED_AT = 5000,       /* changed ones of one transaction, mostly as they were known */
	WRITTEN = 500,          /* and what is written in it, at least */
	BATCHES_A_PASS = 50,    /* then the loop gets a turn: signals, watchdog, outcomes */
	BAD_ROW_SECONDS = 3600, /* a row that cannot be read is asked for again */
	DAMAGED_SECONDS = 600,  /* one that the disk did not give: it may, later */
};

static const struct instant first_sane = { 1767225600 }; /* 2026-01-01T00:00:00Z */

struct pass {
	struct world world;
	struct store *store;
	struct facts facts;
	struct approval approval;
	struct breaker breaker;
	struct deferrals deferrals;
	struct proof *proof;
	bool reread; /* look at what changed even if the store says that nothing did */
	bool doubt_told;
	bool store_told; /* each trouble is logged when it begins and when it ends */
	bool clock_told;
	bool clock_seen; /* the two below hold the latest moment at which the clock was right */
	struct instant seen;
	int64_t seen_boot;
	bool wal_told;
	size_t orphans_told;
	struct instant routine_looked;
	struct instant routine_at; /* when mails that come by the calendar are due again */
	int32_t horizon_told;      /* civil day */
};

int pass_create(const struct world *world, struct pass **ret, struct error *error)
{
	CLEANUP(pass_destroyp) struct pass *pass = calloc(1, sizeof *pass);
	int r;

	if (pass == NULL)
		return error_memory(error);
	r = proof_create(&pass->proof, error);
	if (r == 0)
		r = pass_configure(pass, world, error);
	if (r < 0)
		return r;
	*ret = TAKE(pass);
	return 0;
}

void pass_destroy(struct pass *pass)
{
	if (pass == NULL)
		return;
	store_close(pass->store);
	facts_clear(&pass->facts);
	approval_clear(&pass->approval);
	deferrals_clear(&pass->deferrals);
	proof_destroy(pass->proof);
	free(pass);
}

void pass_give_back(struct pass *pass)
{
	facts_clear(&pass->facts);
	ledger_give_back(pass->world.ledger);
	if (pass->store != NULL)
		store_give_back(pass->store);
}

void pass_destroyp(struct pass **pass)
{
	pass_destroy(*pass);
}

int pass_configure(struct pass *pass, const struct world *world, struct error *error)
{
	pass->world = *world;
	pass->reread = true;
	pass->horizon_told = 0;
	pass->routine_at = (struct instant){ INT64_MIN };
	proof_forget(pass->proof);
	/* It may name another store. */
	store_close(pass->store);
	pass->store = NULL;
	return approval_begin(&pass->approval, world->ledger, world->config, error);
}

/* --- clock -----------------------------------------------------------------------------------
 */

bool clock_is_sane(struct instant now, struct instant latest_written)
{
	if (instant_before(now, first_sane))
		return false;
	return latest_written.seconds == INT64_MIN ||
	       !instant_before(now, instant_add(latest_written, -CLOCK_BACKWARD_SECONDS));
}

/*
 * Within one process the clock cannot gain days on CLOCK_BOOTTIME, which counts suspends too:
 * somebody set it. Between two processes a gap is downtime. A person's confirmation counts when
 * it was given by the clock as it jumped, and just now: one from before the jump, or long ago,
 * says nothing of this one.
 */
static bool clock_jumped(const struct pass *pass, struct instant now,
			 const struct ledger_confirmation *confirmed)
{
	int64_t boot = pass->world.clock->boot_seconds(pass->world.clock->self);
	int64_t most = pass->seen.seconds + (boot - pass->seen_boot) + CLOCK_FORWARD_SECONDS;

	if (!pass->clock_seen || now.seconds <= most)
		return false;
	return instant_is_never(confirmed->at) || confirmed->at.seconds <= most ||
	       confirmed->at.seconds > now.seconds + CLOCK_BACKWARD_SECONDS ||
	       confirmed->at.seconds < now.seconds - CLOCK_FORWARD_SECONDS;
}

/* What the clock may not stand before: where the latest instant in the ledger was disavowed,
 * the confirmation itself. */
static struct instant lower_bound(struct instant latest,
				  const struct ledger_confirmation *confirmed)
{
	return instant_equal(latest, confirmed->disavowed) ? confirmed->at : latest;
}

/* "" when it may be acted on, else what is wrong and what to do. */
static const char *what_is_wrong(const struct pass *pass, struct instant now,
				 struct instant latest,
				 const struct ledger_confirmation *confirmed)
{
	if (instant_before(now, first_sane))
		return "which cannot be: nothing is decided or sent until it is set";
	if (!clock_is_sane(now, lower_bound(latest, confirmed)))
		return "before what the ledger holds: nothing is decided or sent until it is "
		       "set; if it is right, say so with \"challengectl approve clock\"";
	if (clock_jumped(pass, now, confirmed))
		return "which is days ahead of what passed: nothing is decided or sent until "
		       "it "
		       "is set back, or confirmed with \"challengectl approve clock\"";
	return "";
}

static void clock_is_wrong(struct pass *pass, struct instant now, const char *wrong,
			   struct pass_report *report)
{
	char text[INSTANT_TEXT_SIZE];

	report->trouble = PASS_CLOCK;
	(void)snprintf(report->text, sizeof report->text, "the clock shows %s, %s",
		       instant_format(now, 0, text), wrong);
	if (!pass->clock_told)
		journal_send(JOURNAL_CLOCK_INSANE, NULL, 0, "%s", report->text);
	pass->clock_told = true;
}

static void clock_is_right(struct pass *pass, struct instant now)
{
	pass->clock_seen = true;
	pass->seen = now;
	pass->seen_boot = pass->world.clock->boot_seconds(pass->world.clock->self);
	if (pass->clock_told) {
		journal_send(JOURNAL_CLOCK_SANE, NULL, 0,
			     "the clock is right again: deciding and sending go on");
		/* What was worked out in another time is looked at once more. */
		pass->reread = true;
	}
	pass->clock_told = false;
}

/* 1: sane, 0: not. */
static int check_clock(struct pass *pass, struct instant now, struct pass_report *report,
		       struct error *error)
{
	struct ledger_confirmation confirmed = { INSTANT_NEVER, INSTANT_NEVER };
	struct instant latest;
	const char *wrong;
	int r = ledger_latest(pass->world.ledger, &latest, error);

	if (r < 0)
		return r;
	wrong = what_is_wrong(pass, now, latest, &confirmed);
	if (wrong[0] != '\0') {
		/* Asked for only then: it seldom is. */
		r = ledger_confirmation(pass->world.ledger, &confirmed, error);
		if (r < 0)
			return r;
		wrong = what_is_wrong(pass, now, latest, &confirmed);
	}
	if (wrong[0] != '\0') {
		clock_is_wrong(pass, now, wrong, report);
		return 0;
	}
	clock_is_right(pass, now);
	return 1;
}

/* --- store -----------------------------------------------------------------------------------
 */

static void forget_proof(struct pass *pass, struct pass_report *report)
{
	proof_forget(pass->proof);
	report->proof = proof_state(pass->proof, pass->world.clock);
}

/* An error of one of the two databases: which one decides what becomes of it. */
struct trouble {
	bool store;
};

static int fail_store(struct trouble *trouble, int r)
{
	trouble->store = true;
	return r;
}

/* The store is other people's: that it is away is a state, not an error. */
static void store_lost(struct pass *pass, const struct error *why, struct pass_report *report)
{
	const char *advice = why->code == ENOENT ? "create it with \"challengectl init\""
			     : why->code == EBUSY
				     ? "another program holds it"
				     : "check the file and the permissions of its folder";

	store_close(pass->store);
	pass->store = NULL;
	pass->reread = true;
	forget_proof(pass, report);
	report->trouble = PASS_STORE;
	(void)snprintf(report->text, sizeof report->text,
		       "the store cannot be read: %.180s; %s; trying again at every poll",
		       why->text, advice);
	if (!pass->store_told)
		journal_send(JOURNAL_STORE_FAULT, NULL, 0, "%s", report->text);
	pass->store_told = true;
}

static void store_found(struct pass *pass)
{
	if (pass->store_told)
		journal_send(JOURNAL_STORE_BACK, NULL, 0, "the store can be read again");
	pass->store_told = false;
	if (store_is_wal(pass->store) && !pass->wal_told)
		journal_send(JOURNAL_STORE_WAL, NULL, 0,
			     "the store was switched to WAL, which this SQLite can damage; "
			     "switch it back with PRAGMA journal_mode=TRUNCATE");
	pass->wal_told = store_is_wal(pass->store);
}

/* Opens the store or looks at it: 1 something may have changed, 0 nothing did. */
static int look_at_store(struct pass *pass, struct error *error)
{
	enum store_change change;
	int r;

	if (pass->store != NULL) {
		r = store_look(pass->store, &change, error);
		if (r < 0)
			return r;
		if (change == STORE_SAME)
			return pass->reread;
		if (change == STORE_CHANGED)
			return 1;
		journal_send(JOURNAL_STORE_REPLACED, NULL, 0,
			     "another file stands at the store's path: it is opened anew");
		store_close(pass->store);
		pass->store = NULL;
	}
	proof_forget(pass->proof);
	r = store_open(pass->world.config->store, &pass->store, error);
	return r < 0 ? r : 1;
}

/*
 * Another store, or an older copy put back, has numbers of its own: all is read again. Inside
 * transactions of both.
 */
static int check_identity(struct pass *pass, int64_t *after, int64_t highest,
			  struct error *error)
{
	struct ledger *ledger = pass->world.ledger;
	CLEANUP(text_clear) struct text known = { 0 };
	const char *identity = store_identity(pass->store);
	int r = ledger_get(ledger, "store_identity", &known, error);

	if (r < 0)
		return r;
	if (r == 1 && strcmp(text_string(&known), identity) == 0 && *after <= highest)
		return 0;
	if (r == 1)
		journal_send(JOURNAL_STORE_REPLACED, NULL, 0,
			     "the store is another one, or an older copy: every challenge is "
			     "read again");
	*after = 0;
	r = ledger_set(ledger, "store_identity", identity, error);
	if (r >= 0)
		r = ledger_set_number(ledger, "change_seq", 0, error);
	return r < 0 ? r : 0;
}

/* 1: the store is the one that the ledger knows; 0: it is not, and is not acted on. */
static int check_lineage(struct pass *pass, struct pass_report *report, bool *store_failed,
			 struct error *error)
{
	char text[LINEAGE_TEXT_SIZE];
	int r = lineage_check(pass->world.ledger, pass->store, text, store_failed, error);

	if (r < 0)
		return r;
	if (r == 1) {
		if (pass->doubt_told)
			journal_send(JOURNAL_STORE_BACK, NULL, 0,
				     "the store is the one that the ledger knows: deciding "
				     "goes on");
		pass->doubt_told = false;
		return 1;
	}
	pass->reread = true;
	forget_proof(pass, report);
	report->trouble = PASS_DOUBT;
	(void)snprintf(report->text, sizeof report->text, "%s", text);
	if (!pass->doubt_told)
		journal_send(JOURNAL_STORE_DOUBTED, NULL, 0, "%s", text);
	pass->doubt_told = true;
	return 0;
}

/* For deciding, of one moment in both; -ESTALE: the store was exchanged since it was looked at.
 */
static int begin_both(struct pass *pass, struct trouble *trouble, struct error *error)
{
	struct ledger *ledger = pass->world.ledger;
	int r = store_begin(pass->store, error);

	if (r < 0)
		return fail_store(trouble, r);
	r = ledger_begin(ledger, error);
	if (r >= 0)
		r = lineage_confirm(ledger, pass->store, &trouble->store, error);
	if (r < 0) {
		store_end(pass->store);
		ledger_rollback(ledger);
	}
	return r;
}

/* --- the first cycle -------------------------------------------------------------------------
 */

struct first_cycle {
	bool is_first;
	int64_t until; /* change_seq: what came later is not adopted */
};

static int read_first_cycle(struct pass *pass, int64_t highest, struct first_cycle *ret,
			    struct error *error)
{
	struct ledger *ledger = pass->world.ledger;
	int r = ledger_is_new(ledger, &ret->is_first, error);

	if (r < 0 || !ret->is_first)
		return r;
	r = ledger_get_number(ledger, "adopt_until", &ret->until, error);
	if (r != 0)
		return r < 0 ? r : 0;
	ret->until = highest;
	r = ledger_set_number(ledger, "adopt_until", highest, error);
	return r < 0 ? r : 0;
}

/* Inside a transaction: the ledger is no longer new, and if anything was adopted it is told. */
static int end_first_cycle(struct pass *pass, struct instant now, struct error *error)
{
	struct ledger *ledger = pass->world.ledger;
	int64_t adopted = 0;
	int r = ledger_get_number(ledger, "adopted", &adopted, error);

	if (r < 0)
		return r;
	if (r == 1 && adopted > 0) {
		journal_send(JOURNAL_ADOPTED, NULL, 0,
			     "the ledger is new: %lld %s recorded unsent", (long long)adopted,
			     text_plural(adopted, "notice that was past already is",
					 "notices that were past already are"));
		r = render_adoption(&pass->world, (size_t)adopted, now, error);
		if (r < 0)
			return r;
	}
	r = ledger_set_number(ledger, "first_cycle", now.seconds, error);
	return r < 0 ? r : 0;
}

static int add_adopted(struct pass *pass, size_t adopted, struct error *error)
{
	int64_t before = 0;
	int r;

	if (adopted == 0)
		return 0;
	r = ledger_get_number(pass->world.ledger, "adopted", &before, error);
	if (r < 0)
		return r;
	r = ledger_set_number(pass->world.ledger, "adopted", before + (int64_t)adopted, error);
	return r < 0 ? r : 0;
}

/* --- what changed ----------------------------------------------------------------------------
 */

static void log_bad_row(const struct error *why)
{
	journal_send(JOURNAL_CHALLENGE_FAULT, NULL, 0,
		     "a challenge in the store cannot be read and is passed over: %s",
		     why->text);
}

/*
 * A row that cannot be read now is logged and asked for again, whether or not it changes: an
 * error of the disk may go by itself.
 */
static int pass_over(struct ledger *ledger, int64_t id, struct instant now,
		     const struct error *why, struct error *error)
{
	int64_t wait = why->code == EBADMSG ? DAMAGED_SECONDS : BAD_ROW_SECONDS;

	log_bad_row(why);
	return ledger_schedule(ledger, id, instant_add(now, wait), error);
}

static struct manner manner_of(const struct pass *pass)
{
	const char *reason = breaker_is_restored(&pass->breaker) ? ledger_restored_reason
								 : ledger_flood_reason;

	return (struct manner){ .hold = pass->breaker.holds ? reason : NULL,
				.hold_until = pass->breaker.until };
}

static size_t written(const struct decided *count)
{
	return count->to_send + count->not_sent + count->adopted + count->held + count->moved +
	       count->cancelled;
}

/* How far a transaction has come through what changed. */
struct changes {
	struct first_cycle first;
	struct instant now;
	int64_t highest;      /* change_seq of the store */
	int64_t after;        /* the last one that was looked at */
	struct decided found; /* what came of them */
};

/* Inside both transactions: from where on, and up to which number, the store is to be read. */
static int begin_changes(struct pass *pass, struct changes *changes, struct trouble *trouble,
			 struct error *error)
{
	int r = store_change_seq(pass->store, &changes->highest, error);

	if (r < 0)
		return fail_store(trouble, r);
	r = ledger_get_number(pass->world.ledger, "change_seq", &changes->after, error);
	if (r >= 0)
		r = check_identity(pass, &changes->after, changes->highest, error);
	if (r >= 0)
		r = read_first_cycle(pass, changes->highest, &changes->first, error);
	if (r < 0)
		return r;
	r = store_changed_since(pass->store, changes->after, error);
	return r < 0 ? fail_store(trouble, r) : 0;
}

/* The next one that changed: 1, or 0 when there is none left. */
static int decide_next(struct pass *pass, struct changes *changes, struct trouble *trouble,
		       struct error *error)
{
	struct ledger *ledger = pass->world.ledger;
	struct challenge *challenge = NULL;
	struct error why = { 0 };
	struct manner manner = manner_of(pass);
	int r = store_next(pass->store, &challenge, &why);

	if (r < 0) {
		(void)error_set(error, why.code, "%s", why.text);
		return fail_store(trouble, r);
	}
	if (r == 0)
		return 0;
	if (challenge == NULL) {
		/* Else a transaction's worth of them would come again for ever. */
		if (store_row_change(pass->store) > changes->after)
			changes->after = store_row_change(pass->store);
		r = pass_over(ledger, store_row(pass->store), changes->now, &why, error);
		return r < 0 ? r : 1;
	}
	changes->after = challenge->change_seq;
	manner.loud = true;
	manner.adopt = changes->first.is_first && challenge->change_seq <= changes->first.until;
	r = decide_challenge(ledger, pass->world.config, &pass->approval, &pass->facts,
			     challenge, &manner, changes->now, &changes->found, error);
	return r < 0 ? r : 1;
}

/* All there is has been looked at. */
static int end_changes(struct pass *pass, struct changes *changes, struct trouble *trouble,
		       struct error *error)
{
	changes->after = changes->highest; /* past rows whose number is none */
	return lineage_remember(pass->world.ledger, pass->store, changes->now, &trouble->store,
				error);
}

/* Reads changed challenges, a transaction's worth: 1 when there may be more. Inside both
 * transactions. */
static int decide_changed(struct pass *pass, struct instant now, struct decided *count,
			  struct trouble *trouble, struct error *error)
{
	struct changes changes = { .now = now };
	const struct decided *found = &changes.found;
	int more = 1;
	int r = begin_changes(pass, &changes, trouble, error);

	for (size_t n = 0; n < LOOKED_AT && written(found) < WRITTEN && r >= 0 && more == 1;
	     n++)
		r = more = decide_next(pass, &changes, trouble, error);
	if (r >= 0 && more == 0)
		r = end_changes(pass, &changes, trouble, error);
	if (r >= 0 && changes.first.is_first)
		r = add_adopted(pass, found->adopted, error);
	if (r >= 0 && changes.first.is_first && more == 0)
		r = end_first_cycle(pass, now, error);
	if (r >= 0)
		r = breaker_count(&pass->breaker, &pass->world, found->to_send, now, error);
	if (r >= 0)
		r = ledger_set_number(pass->world.ledger, "change_seq", changes.after, error);
	if (r < 0)
		return r;
	count->to_send += found->to_send;
	count->not_sent += found->not_sent + found->cancelled;
	count->adopted += found->adopted;
	count->held += found->held;
	count->moved += found->moved;
	return more;
}

static int decide_batch(struct pass *pass, struct instant now, struct decided *count,
			struct trouble *trouble, struct error *error)
{
	struct ledger *ledger = pass->world.ledger;
	int more;
	int r = begin_both(pass, trouble, error);

	if (r < 0)
		return r;
	more = decide_changed(pass, now, count, trouble, error);
	store_end(pass->store);
	crash_point("changed challenges decided, not committed");
	r = more < 0 ? more : ledger_commit(ledger, error);
	if (r < 0) {
		ledger_rollback(ledger);
		return r;
	}
	crash_point("changed challenges committed");
	return more;
}

/* True when there is nothing in the store that the ledger has not seen. One of an older program
 * has no witness of the store yet: then all is looked at, and there is one. */
static int is_unchanged(struct pass *pass, bool *ret, struct trouble *trouble,
			struct error *error)
{
	CLEANUP(text_clear) struct text identity = { 0 };
	struct ledger_witness witness;
	int64_t after = -1;
	int64_t highest;
	bool is_new;
	int r = store_change_seq(pass->store, &highest, error);

	if (r < 0)
		return fail_store(trouble, r);
	r = ledger_get_number(pass->world.ledger, "change_seq", &after, error);
	if (r >= 0)
		r = ledger_is_new(pass->world.ledger, &is_new, error);
	if (r >= 0)
		r = ledger_get(pass->world.ledger, "store_identity", &identity, error);
	if (r >= 0)
		r = ledger_witness(pass->world.ledger, &witness, error);
	if (r < 0)
		return r;
	*ret = !is_new && after == highest && r == 1 &&
	       strcmp(text_string(&identity), store_identity(pass->store)) == 0;
	return 0;
}

static int decide_all_changed(struct pass *pass, struct instant now, struct decided *count,
			      struct pass_report *report, struct trouble *trouble,
			      struct error *error)
{
	bool unchanged;
	int r = is_unchanged(pass, &unchanged, trouble, error);

	if (r < 0 || unchanged)
		return r;
	r = 1;
	for (int i = 0; i < BATCHES_A_PASS && r == 1; i++)
		r = decide_batch(pass, now, count, trouble, error);
	report->more = report->more || r == 1;
	return r < 0 ? r : 0;
}

/* --- what was scheduled ----------------------------------------------------------------------
 */

static int decide_one(struct pass *pass, int64_t id, struct instant now, struct decided *count,
		      struct trouble *trouble, struct error *error)
{
	struct ledger *ledger = pass->world.ledger;
	struct manner manner = manner_of(pass);
	struct challenge *challenge = NULL;
	struct error why = { 0 };
	int r = store_challenge(pass->store, id, &challenge, &why);

	if (r < 0) {
		(void)error_set(error, why.code, "%s", why.text);
		return fail_store(trouble, r);
	}
	if (r == 0) /* purged */
		return ledger_schedule(ledger, id, INSTANT_NEVER, error);
	if (challenge == NULL)
		return pass_over(ledger, id, now, &why, error);
	return decide_challenge(ledger, pass->world.config, &pass->approval, &pass->facts,
				challenge, &manner, now, count, error);
}

static int decide_scheduled_batch(struct pass *pass, const int64_t *ids, size_t count,
				  struct instant now, struct decided *ret,
				  struct trouble *trouble, struct error *error)
{
	struct ledger *ledger = pass->world.ledger;
	int r = begin_both(pass, trouble, error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count && r >= 0; i++)
		r = decide_one(pass, ids[i], now, ret, trouble, error);
	if (r >= 0)
		r = breaker_count(&pass->breaker, &pass->world, ret->to_send, now, error);
	store_end(pass->store);
	crash_point("scheduled challenges decided, not committed");
	if (r >= 0)
		r = ledger_commit(ledger, error);
	if (r < 0) {
		ledger_rollback(ledger);
		return r;
	}
	crash_point("scheduled challenges committed");
	return 0;
}

static int decide_scheduled(struct pass *pass, struct instant now, struct decided *count,
			    struct pass_report *report, struct trouble *trouble,
			    struct error *error)
{
	int64_t ids[BATCH];
	size_t n = 0;

	for (int i = 0; i < BATCHES_A_PASS; i++) {
		struct decided found = { 0 };
		int r = ledger_scheduled(pass->world.ledger, now, BATCH, ids, &n, error);

		if (r < 0 || n == 0)
			return r < 0 ? r : 0;
		r = decide_scheduled_batch(pass, ids, n, now, &found, trouble, error);
		if (r < 0)
			return r;
		count->to_send += found.to_send;
		count->not_sent += found.not_sent + found.cancelled;
		if (n < BATCH)
			return 0;
	}
	report->more = true;
	return 0;
}

/* --- the cycle -------------------------------------------------------------------------------
 */

static void warn_of_horizon(struct pass *pass, struct instant now)
{
	const struct config *config = pass->world.config;
	int32_t today = (int32_t)(now.seconds / SECONDS_PER_DAY);

	if (pass->horizon_told == today)
		return;
	pass->horizon_told = today;
	for (size_t i = 0; i < config->calendar_count; i++) {
		const struct calendar_plan *plan = calendar_plan(config->calendars[i].calendar);
		char until[DAY_TEXT_SIZE];

		if (plan->covered_until == INT32_MAX ||
		    plan->covered_until - today >= PASS_HORIZON_DAYS)
			continue;
		journal_send(JOURNAL_HORIZON, NULL, 0,
			     "the bank holidays of calendar \"%s\" are known until %s only: "
			     "install a newer list",
			     config->calendars[i].id, day_format(plan->covered_until, until));
	}
}

static void tell_orphans(struct pass *pass, size_t orphans)
{
	if (orphans > 0 && orphans != pass->orphans_told)
		journal_send(JOURNAL_CHALLENGE_FAULT, NULL, 0,
			     "%zu %s: the challenge, or its policy version, is not there any "
			     "more",
			     orphans,
			     text_plural((int64_t)orphans, "notice waits", "notices wait"));
	pass->orphans_told = orphans;
}

/* After what is due has been decided: what is not yet would count as forgotten. */
static int prove(struct pass *pass, struct instant now, struct pass_report *report,
		 struct trouble *trouble, struct error *error)
{
	struct proof_state before = report->proof;
	int r;

	if (report->more)
		return 0;
	r = proof_run(pass->proof, &pass->world, pass->store, now, &trouble->store, error);
	if (r < 0)
		return r;
	report->proving = r == 1;
	report->proof = proof_state(pass->proof, pass->world.clock);
	report->proved = report->proving || !instant_equal(report->proof.at, before.at);
	/* A sign of life that had to wait for its word is asked for again. */
	if (report->proof.verdict != before.verdict)
		pass->routine_at = (struct instant){ INT64_MIN };
	return 0;
}

/* After what is due has been decided, so that it counts the same. */
static int run_routines(struct pass *pass, struct instant now, struct pass_report *report,
			struct trouble *trouble, struct error *error)
{
	size_t mails = 0;
	int r;

	/* The end of a long catching-up is waited for; a clock set back is looked at anew. */
	if (report->more || (instant_before(now, pass->routine_at) &&
			     !instant_before(now, pass->routine_looked)))
		return 0;
	r = routine_run(&pass->world, pass->store, report->proof.verdict, now, &mails,
			&pass->routine_at, &trouble->store, error);
	if (r < 0)
		return r;
	pass->routine_looked = now;
	report->mails += mails;
	return 0;
}

static int look_round(struct pass *pass, struct instant now, struct pass_report *report,
		      struct trouble *trouble, struct error *error)
{
	int r = prove(pass, now, report, trouble, error);

	return r < 0 ? r : run_routines(pass, now, report, trouble, error);
}

static void tell_moves(const struct pass *pass, size_t moved)
{
	if (moved > 0)
		journal_send(JOURNAL_MOVED, NULL, 0,
			     "configuration %.12s moved %zu %s of open challenges; each is "
			     "recorded in the ledger",
			     pass->approval.digest, moved,
			     text_plural((int64_t)moved, "deadline", "deadlines"));
}

static int use_store(struct pass *pass, struct instant now, struct pass_report *report,
		     struct trouble *trouble, struct error *error)
{
	struct decided count = { 0 };
	struct rendered rendered = { 0 };
	int changed = look_at_store(pass, error);
	bool quiet = ledger_is_quiet(pass->world.ledger, now);
	int r = 0;

	if (changed < 0)
		return fail_store(trouble, changed);
	store_found(pass);
	crash_point("store looked at");
	if (changed == 1) {
		r = check_lineage(pass, report, &trouble->store, error);
		if (r <= 0)
			return r;
		pass->deferrals.count = 0; /* other people may hold the roles now */
	}
	if (changed == 0 && quiet && !pass->breaker.holds)
		return look_round(pass, now, report, trouble, error);
	if (changed == 1 || !quiet)
		proof_doubt(pass->proof);
	r = breaker_look(&pass->breaker, &pass->world, error);
	if (r >= 0 && changed == 1)
		r = decide_all_changed(pass, now, &count, report, trouble, error);
	tell_moves(pass, count.moved);
	if (r >= 0 && !report->more && approval_is_reading(&pass->approval))
		r = approval_end_reading(&pass->approval, pass->world.ledger,
					 pass->world.config, now, error);
	if (r >= 0)
		r = decide_scheduled(pass, now, &count, report, trouble, error);
	if (r < 0)
		return r;
	pass->reread = report->more;
	report->held = count.held;
	report->decided = count.to_send;
	report->not_sent = count.not_sent;
	report->adopted = count.adopted;
	if (!report->more) {
		r = breaker_tell(&pass->breaker, &pass->world, now, &report->flood, error);
		report->restored = r == 0 && breaker_is_restored(&pass->breaker);
		if (r < 0)
			return r;
	}
	r = render_mails(&pass->world, pass->store, &pass->facts, &pass->deferrals, now,
			 &rendered, &trouble->store, error);
	if (r < 0)
		return r;
	report->mails = rendered.mails;
	report->not_sent += rendered.taken_back;
	report->more = report->more || rendered.more;
	tell_orphans(pass, rendered.orphaned);
	return look_round(pass, now, report, trouble, error);
}

/* What was decided until then stands: it was read from the right one. */
static int store_exchanged(struct pass *pass, struct pass_report *report,
			   struct trouble *trouble, struct error *error)
{
	int r = check_lineage(pass, report, &trouble->store, error);

	pass->reread = true;
	report->more = r == 1; /* it is back already */
	return r;
}

int pass_run(struct pass *pass, struct pass_report *ret, struct error *error)
{
	struct instant now = clock_now(pass->world.clock);
	struct pass_report report = { .wake = INSTANT_NEVER, .proof.at = INSTANT_NEVER };
	struct trouble trouble = { false };
	struct error why = { 0 };
	int r = check_clock(pass, now, &report, error);

	if (r < 0)
		return r;
	if (r == 0) {
		*ret = report;
		return 0;
	}
	warn_of_horizon(pass, now);
	report.proof = proof_state(pass->proof, pass->world.clock);
	r = breaker_restore(&pass->breaker, &pass->world, now, error);
	if (r >= 0)
		r = approval_look(&pass->approval, pass->world.ledger, now, error);
	if (r < 0)
		return r;
	r = use_store(pass, now, &report, &trouble, &why);
	if (r == -ESTALE && !trouble.store)
		r = store_exchanged(pass, &report, &trouble, &why);
	if (r < 0 && trouble.store) {
		store_lost(pass, &why, &report);
	} else if (r < 0) {
		pass->reread = true;
		return error_set(error, why.code, "%s", why.text);
	}
	r = ledger_next_wake(pass->world.ledger, &report.wake, error);
	if (r >= 0)
		r = approval_text(&pass->approval, pass->world.ledger, &report.held_notices,
				  report.approval, error);
	if (r < 0)
		return r;
	report.orphans = pass->orphans_told;
	if (instant_before(now, pass->routine_at))
		report.wake = instant_min(report.wake, pass->routine_at);
	*ret = report;
	return 0;
}
