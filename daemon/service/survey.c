/* survey.c - see survey.h. */
#include "service/survey.h"

#include "base/list.h"
#include "core/wording.h"

#include <stdlib.h>
#include <string.h>

/* A challenge that may become a row. */
struct candidate {
	int64_t challenge;
	bool overdue;
	struct instant due; /* NEVER: nothing is owed, or without a limit */
};

struct task {
	const struct world *world;
	struct store *store;
	const struct language *language;
	struct instant now;
	struct timeline *timeline;
	struct candidate *candidates; /* in order, the most urgent first */
	size_t count;
	size_t most;
	struct survey survey;
};

static void task_clear(struct task *task)
{
	timeline_destroy(task->timeline);
	free(task->candidates);
	survey_clear(&task->survey);
}

void survey_clear(struct survey *survey)
{
	arena_clear(&survey->arena);
	*survey = (struct survey){ 0 };
}

/* ---- one challenge ------------------------------------------------------------------------
 */

/* What was passed on to the next level matters less than what that level owes. */
static bool comes_first(const struct owed *a, const struct owed *b)
{
	if (a->lapsed != b->lapsed)
		return b->lapsed;
	return instant_before(a->due, b->due);
}

static void note_owed(void *context, const struct owed *owed)
{
	struct standing *standing = context;

	if (standing->is_owed && !comes_first(owed, &standing->owed))
		return;
	standing->owed = *owed;
	standing->is_owed = true;
}

static bool is_open(const struct standing *standing)
{
	/* Settled, but with feedback still owed, is open to those who watch. */
	return standing->state.stage != STAGE_NONE && !standing->state.ended;
}

static struct instant due_of(const struct standing *standing)
{
	return standing->is_owed ? standing->owed.due : INSTANT_NEVER;
}

/* NULL when its policy is not loaded. */
static const struct policy *policy_of(const struct task *task,
				      const struct challenge *challenge)
{
	struct error unknown = { 0 };

	return config_policy(task->world->config, challenge->policy, challenge->policy_version,
			     &unknown);
}

int survey_look(struct timeline *timeline, const struct policy *policy,
		struct challenge *challenge, struct instant now, struct standing *ret,
		struct error *error)
{
	struct entry entry;
	int r;

	challenge_settle(challenge);
	timeline_begin(timeline, policy, challenge);
	do
		r = timeline_next(timeline, now, &entry, error);
	while (r == 1);
	if (r < 0)
		return r;
	*ret = (struct standing){ .state = timeline_state(timeline) };
	timeline_owed(timeline, note_owed, ret);
	return 0;
}

void survey_count(struct letter_counts *counts, const struct policy *policy,
		  const struct standing *standing, struct instant now)
{
	struct instant due = due_of(standing);

	counts->open++;
	if (standing->state.overdue)
		counts->overdue++;
	else if (!instant_is_never(due) &&
		 calendar_day(policy->calendar, due) == calendar_day(policy->calendar, now))
		counts->due_today++;
}

/* ---- the whole store ----------------------------------------------------------------------
 */

static bool is_more_urgent(const struct candidate *a, const struct candidate *b)
{
	if (a->overdue != b->overdue)
		return a->overdue;
	if (!instant_equal(a->due, b->due))
		return instant_before(a->due, b->due);
	return a->challenge < b->challenge;
}

/* Keeps the most urgent ones in order; there are few, so shifting them is cheap. */
static void consider(struct task *task, struct candidate candidate)
{
	size_t place = task->count;

	while (place > 0 && is_more_urgent(&candidate, &task->candidates[place - 1]))
		place--;
	if (place == task->most)
		return;
	if (task->count < task->most)
		task->count++;
	memmove(&task->candidates[place + 1], &task->candidates[place],
		(task->count - place - 1) * sizeof *task->candidates);
	task->candidates[place] = candidate;
}

static int walk(struct task *task, struct error *error)
{
	struct challenge *challenge = NULL;
	struct error unreadable = { 0 };
	int r = store_changed_since(task->store, 0, error);

	while (r >= 0 && (r = store_next(task->store, &challenge, &unreadable)) == 1) {
		const struct policy *policy =
			challenge == NULL ? NULL : policy_of(task, challenge);
		struct standing standing;

		if (policy == NULL)
			continue;
		r = survey_look(task->timeline, policy, challenge, task->now, &standing, error);
		if (r < 0 || !is_open(&standing))
			continue;
		survey_count(&task->survey.counts, policy, &standing, task->now);
		consider(task, (struct candidate){ challenge->id, standing.state.overdue,
						   due_of(&standing) });
	}
	if (r < 0 && unreadable.code != 0)
		return error_set(error, unreadable.code, "%s", unreadable.text);
	return r;
}

/* ---- rows ---------------------------------------------------------------------------------
 */

static int write_row(struct task *task, const struct policy *policy,
		     const struct challenge *challenge, const struct standing *standing,
		     struct letter_notice *ret, struct error *error)
{
	const struct config *config = task->world->config;
	struct arena *arena = &task->survey.arena;
	const struct owed *owed = standing->is_owed ? &standing->owed : NULL;
	int r;

	*ret = (struct letter_notice){
		.kind = owed == NULL     ? NOTICE_QUIET
			: owed->breached ? NOTICE_BREACH
					 : NOTICE_REMINDER,
		.obligation = owed == NULL ? "" : policy->obligations[owed->obligation].id,
		.feedback = owed != NULL && wording_is_feedback(policy, owed->obligation),
		.reference = arena_string(arena, challenge->reference),
		.policy_title = policy->title,
		.stage_title = policy->stages[standing->state.stage].title,
		.due = due_of(standing),
		.at = task->now,
		.since = owed == NULL ? standing->state.last_event : owed->started,
		.next_at = INSTANT_NEVER,
	};
	if (ret->reference == NULL)
		return error_memory(error);
	r = wording_titles(config->roles, config->role_count, policy, task->language,
			   owed == NULL ? NULL : &owed->owner, "", arena, &ret->owner_titles,
			   error);
	if (r == 0)
		r = wording_link(config->mail.link, challenge->reference, arena, &ret->link,
				 error);
	if (r == 0)
		wording_time(ret, policy->calendar, task->now);
	return r;
}

/* Read once more, all in one transaction: to keep every challenge's words would cost memory. */
static int write_rows(struct task *task, struct error *error)
{
	struct survey *survey = &task->survey;

	survey->rows = arena_alloc(&survey->arena, (task->count + 1) * sizeof *survey->rows);
	if (survey->rows == NULL)
		return error_memory(error);
	for (size_t i = 0; i < task->count; i++) {
		struct challenge *challenge = NULL;
		struct standing standing;
		const struct policy *policy;
		int r = store_challenge(task->store, task->candidates[i].challenge, &challenge,
					error);

		if (r < 0)
			return r;
		policy = challenge == NULL ? NULL : policy_of(task, challenge);
		if (policy == NULL)
			continue;
		r = survey_look(task->timeline, policy, challenge, task->now, &standing, error);
		if (r == 0)
			r = write_row(task, policy, challenge, &standing,
				      &survey->rows[survey->row_count], error);
		if (r < 0)
			return r;
		survey->row_count++;
	}
	return 0;
}

int survey_take(const struct world *world, struct store *store, const struct language *language,
		size_t most, struct instant now, struct survey *ret, struct error *error)
{
	CLEANUP(task_clear)
	struct task task = {
		.world = world,
		.store = store,
		.language = language,
		.now = now,
		.most = most,
		.timeline = timeline_create(),
		.candidates = calloc(most + 1, sizeof *task.candidates),
	};
	int r;

	if (task.timeline == NULL || task.candidates == NULL)
		return error_memory(error);
	r = walk(&task, error);
	if (r == 0)
		r = write_rows(&task, error);
	if (r < 0)
		return r;
	task.survey.counts.more = task.survey.counts.open - (int64_t)task.survey.row_count;
	*ret = TAKE(task.survey);
	return 0;
}
