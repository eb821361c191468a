/* proof.c - see proof.h. */
#include "service/proof.h"

#include "adapter/journal.h"
#include "adapter/ledger_care.h"
#include "core/promise.h"
#include "service/survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFERENCE_SIZE = 80 };

/* One challenge of which the promise is broken. */
struct broken {
	int64_t challenge;
	char reference[REFERENCE_SIZE]; /* "": it could not be read */
	enum promise promise;
};

struct round {
	struct instant at; /* when it began */
	int64_t boot;      /* the same, in seconds of CLOCK_BOOTTIME */
	int64_t from;      /* the next id that it looks at */
	int64_t looked_at;
	int64_t broken;
	bool queued; /* some promise is kept by nothing but a mail that waits */
	struct letter_counts counts;
	struct broken named[PROOF_NAMED];
	size_t named_count;
};

struct proof {
	struct timeline *timeline;
	bool doubted; /* since the last round began */
	bool under_way;
	bool proved; /* `last` holds */
	struct round round;
	struct round last;
	int64_t rests_until; /* CLOCK_BOOTTIME */
	int64_t told;        /* broken promises that were told of; 0: none */
	int64_t told_ids[PROOF_NAMED];
	size_t told_count;
};

int proof_create(struct proof **ret, struct error *error)
{
	struct proof *proof = calloc(1, sizeof *proof);

	if (proof == NULL)
		return error_memory(error);
	proof->timeline = timeline_create();
	if (proof->timeline == NULL) {
		free(proof);
		return error_memory(error);
	}
	*ret = proof;
	return 0;
}

void proof_destroy(struct proof *proof)
{
	if (proof == NULL)
		return;
	timeline_destroy(proof->timeline);
	free(proof);
}

void proof_doubt(struct proof *proof)
{
	proof->doubted = true;
}

void proof_forget(struct proof *proof)
{
	proof->under_way = false;
	proof->proved = false;
}

/* ---- one challenge ------------------------------------------------------------------------
 */

struct task {
	struct proof *proof;
	const struct world *world;
	struct store *store;
	struct instant now;
	int64_t seen; /* the last change that was decided on: later ones are not judged yet */
	bool store_failed;
};

static int fail_store(struct task *task, int r)
{
	task->store_failed = true;
	return r;
}

/* The rare one of which only the queue can keep the promise. */
static int ask_the_queue(struct task *task, int64_t challenge, enum promise *promise,
			 struct error *error)
{
	struct ledger_notice *pending = NULL;
	size_t count = 0;
	int r;

	if (*promise != PROMISE_SILENT)
		return 0;
	r = ledger_pending(task->world->ledger, challenge, &pending, &count, error);
	ledger_notices_free(pending, count);
	if (r < 0)
		return r;
	if (count > 0) {
		*promise = PROMISE_QUEUED;
		task->proof->round.queued = true;
	}
	return 0;
}

static int judge(struct task *task, struct challenge *challenge, struct instant look,
		 enum promise *ret, struct error *error)
{
	struct proof *proof = task->proof;
	struct promise_facts facts = { .readable = challenge != NULL };
	const struct policy *policy =
		challenge == NULL ? NULL
				  : config_policy(task->world->config, challenge->policy,
						  challenge->policy_version, NULL);
	struct standing standing;
	int r = 0;

	if (policy != NULL) {
		r = survey_look(proof->timeline, policy, challenge, task->now, &standing,
				error);
		if (r == 0)
			r = promise_read(proof->timeline, &facts, error);
		if (r < 0)
			return r;
		if (facts.open)
			survey_count(&proof->round.counts, policy, &standing, task->now);
	}
	facts.look = look;
	*ret = promise_judge(&facts, task->now);
	return challenge == NULL ? 0 : ask_the_queue(task, challenge->id, ret, error);
}

static void note_broken(struct round *round, int64_t id, const struct challenge *challenge,
			enum promise promise)
{
	struct broken *named;

	round->broken++;
	if (round->named_count == PROOF_NAMED)
		return;
	named = &round->named[round->named_count++];
	*named = (struct broken){ .challenge = id, .promise = promise };
	(void)snprintf(named->reference, sizeof named->reference, "%s",
		       challenge == NULL ? "" : challenge->reference); /* cut: still a hint */
}

static int look_at(struct task *task, int64_t id, struct instant look, struct error *error)
{
	struct challenge *challenge = NULL;
	struct error why = { 0 };
	enum promise promise = PROMISE_NOT_OPEN;
	int r = store_challenge(task->store, id, &challenge, &why);

	if (r < 0)
		return fail_store(task, error_set(error, why.code, "%s", why.text));
	if (r == 0 || (challenge != NULL && challenge->change_seq > task->seen))
		return 0;
	r = judge(task, challenge, look, &promise, error);
	if (r == 0 && !promise_is_kept(promise))
		note_broken(&task->proof->round, id, challenge, promise);
	return r;
}

/* ---- what is told -------------------------------------------------------------------------
 */

static void tell_one(const struct broken *broken)
{
	const char *reason = promise_reason(broken->promise);
	const struct journal_field fields[] = {
		{ "CHALLENGE_REF", broken->reference[0] != '\0' ? broken->reference : NULL },
		{ "REASON", reason },
	};

	if (broken->reference[0] != '\0')
		journal_send(JOURNAL_PROMISE_BROKEN, fields, COUNT(fields),
			     "challenge %s is not watched: %s; challengectl status",
			     broken->reference, reason);
	else
		journal_send(JOURNAL_PROMISE_BROKEN, fields, COUNT(fields),
			     "the challenge with id %lld is not watched: %s; challengectl "
			     "status",
			     (long long)broken->challenge, reason);
}

static bool is_told(const struct proof *proof, int64_t challenge)
{
	for (size_t i = 0; i < proof->told_count; i++)
		if (proof->told_ids[i] == challenge)
			return true;
	return false;
}

/* Each once, and of many the number when it changes: no line a poll. */
static void tell(struct proof *proof)
{
	const struct round *last = &proof->last;

	for (size_t i = 0; i < last->named_count; i++)
		if (!is_told(proof, last->named[i].challenge))
			tell_one(&last->named[i]);
	if (last->broken > PROOF_NAMED && last->broken != proof->told)
		journal_send(JOURNAL_PROMISE_BROKEN, NULL, 0,
			     "%lld challenges are not watched; challengectl status",
			     (long long)last->broken);
	if (last->broken == 0 && proof->told > 0)
		journal_send(JOURNAL_PROMISE_KEPT, NULL, 0,
			     "every open challenge is watched again: signs of life go on");
	proof->told = last->broken;
	proof->told_count = last->named_count;
	for (size_t i = 0; i < last->named_count; i++)
		proof->told_ids[i] = last->named[i].challenge;
}

/* ---- rounds -------------------------------------------------------------------------------
 */

static int64_t boot_seconds(const struct clock *clock)
{
	return clock->boot_seconds(clock->self);
}

static bool is_wanted(const struct proof *proof, int64_t boot)
{
	int64_t age = boot - proof->last.boot;

	if (!proof->proved)
		return true;
	if (age >= PROOF_AGAIN_SECONDS || (proof->last.queued && age >= PROOF_QUEUED_SECONDS))
		return true;
	return proof->doubted && boot >= proof->rests_until;
}

static void begin_round(struct proof *proof, struct instant now, int64_t boot)
{
	proof->round = (struct round){ .at = now, .boot = boot, .from = INT64_MIN };
	proof->under_way = true;
	proof->doubted = false;
}

static void end_round(struct proof *proof, int64_t boot)
{
	proof->under_way = false;
	proof->proved = true;
	proof->last = proof->round;
	proof->rests_until = boot + proof->round.looked_at / PROOF_A_SECOND;
	tell(proof);
}

/* One slice, inside a read transaction: 1 when ids are left. */
static int take_slice(struct task *task, struct error *error)
{
	struct round *round = &task->proof->round;
	int64_t ids[PROOF_SLICE];
	struct instant looks[PROOF_SLICE];
	size_t count = 0;
	int r = store_ids(task->store, round->from, PROOF_SLICE, ids, &count, error);

	if (r < 0)
		return fail_store(task, r);
	r = ledger_get_number(task->world->ledger, "change_seq", &task->seen, error);
	if (r >= 0)
		r = ledger_plans(task->world->ledger, ids, count, looks, error);
	for (size_t i = 0; i < count && r >= 0; i++)
		r = look_at(task, ids[i], looks[i], error);
	if (r < 0)
		return r;
	round->looked_at += (int64_t)count;
	if (count < PROOF_SLICE || ids[count - 1] == INT64_MAX)
		return 0;
	round->from = ids[count - 1] + 1;
	return 1;
}

int proof_run(struct proof *proof, const struct world *world, struct store *store,
	      struct instant now, bool *ret_store_failed, struct error *error)
{
	struct task task = { .proof = proof, .world = world, .store = store, .now = now };
	int64_t boot = boot_seconds(world->clock);
	int r;

	if (!proof->under_way && !is_wanted(proof, boot))
		return 0;
	if (!proof->under_way)
		begin_round(proof, now, boot);
	r = store_begin(store, error);
	if (r < 0) {
		*ret_store_failed = true;
		return r;
	}
	r = take_slice(&task, error);
	store_end(store);
	if (r < 0)
		*ret_store_failed = task.store_failed;
	if (r == 0)
		end_round(proof, boot_seconds(world->clock));
	return r;
}

struct proof_state proof_state(const struct proof *proof, const struct clock *clock)
{
	const struct round *last = &proof->last;
	bool busy = proof->doubted || proof->under_way;
	struct proof_state state = { .at = INSTANT_NEVER };

	if (!proof->proved)
		return state;
	state = (struct proof_state){
		.verdict = last->broken > 0 ? PROOF_BROKEN : PROOF_KEPT,
		.broken = last->broken,
		.counts = last->counts,
		.at = last->at,
	};
	if (busy && boot_seconds(clock) - last->boot >= PROOF_FRESH_SECONDS &&
	    state.verdict == PROOF_KEPT)
		state.verdict = PROOF_UNKNOWN;
	return state;
}
