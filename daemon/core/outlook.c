/* outlook.c - see outlook.h. */
#include "core/outlook.h"

#include "base/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *stage_of(const struct policy *policy, int stage)
{
	return stage < 0 ? "" : policy->stages[stage].id;
}

static const char *obligation_of(const struct policy *policy, int obligation)
{
	return obligation < 0 ? "" : policy->obligations[obligation].id;
}

/* --- the order of keys -----------------------------------------------------------------------
 */

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_keys(const struct policy *one, const struct entry *a,
			const struct policy *other, const struct entry *b)
{
	int order = compare_numbers(a->event, b->event);

	if (order == 0)
		order = compare_numbers((int64_t)a->kind, (int64_t)b->kind);
	if (order == 0)
		order = compare_numbers(a->occurrence, b->occurrence);
	if (order == 0)
		order = strcmp(stage_of(one, a->stage), stage_of(other, b->stage));
	if (order == 0)
		order = strcmp(obligation_of(one, a->obligation),
			       obligation_of(other, b->obligation));
	return order != 0 ? order : strcmp(a->step, b->step);
}

static int by_key(const void *a, const void *b, void *context)
{
	const struct outlook *outlook = context;

	return compare_keys(outlook->policy, &outlook->entries[*(const size_t *)a],
			    outlook->policy, &outlook->entries[*(const size_t *)b]);
}

/* --- reading
 * -----------------------------------------------------------------------------------
 */

static int read_until(struct outlook *outlook, struct instant until, struct error *error)
{
	struct entry entry;
	int r;

	while ((r = timeline_next(outlook->timeline, until, &entry, error)) == 1) {
		if (outlook->count == OUTLOOK_MOST)
			return error_set(error, E2BIG, "more than %d notices", OUTLOOK_MOST);
		if (list_reserve(&outlook->entries, outlook->count, &outlook->capacity,
				 sizeof entry) < 0)
			return error_memory(error);
		outlook->entries[outlook->count++] = entry;
	}
	return r;
}

static int add_deadline(struct outlook *outlook, const struct deadline *deadline)
{
	if (list_reserve(&outlook->deadlines, outlook->deadline_count,
			 &outlook->deadline_capacity, sizeof *deadline) < 0)
		return -ENOMEM;
	outlook->deadlines[outlook->deadline_count++] = *deadline;
	return 0;
}

struct owing {
	struct outlook *outlook;
	bool failed;
};

static void add_owed(void *context, const struct owed *owed)
{
	struct owing *owing = context;
	const struct policy *policy = owing->outlook->policy;
	const struct obligation *obligation = &policy->obligations[owed->obligation];
	struct deadline deadline = {
		.event = owed->event,
		.stage = stage_of(policy, obligation->stage),
		.obligation = obligation->id,
		.due = owed->due,
		.owed = true,
	};

	if (!instant_is_never(owed->due) && add_deadline(owing->outlook, &deadline) < 0)
		owing->failed = true;
}

/* What is owed at `now`, and how it stands: asked before anything later is read. */
static int read_present(struct outlook *outlook, struct error *error)
{
	struct owing owing = { .outlook = outlook };

	timeline_owed(outlook->timeline, add_owed, &owing);
	outlook->state = timeline_state(outlook->timeline);
	return owing.failed ? error_memory(error) : 0;
}

/* Each breach is a deadline that was, or will be. */
static int read_breaches(struct outlook *outlook, struct error *error)
{
	for (size_t i = 0; i < outlook->count; i++) {
		const struct entry *entry = &outlook->entries[i];
		struct deadline deadline = {
			.event = entry->event,
			.stage = stage_of(outlook->policy, entry->stage),
			.obligation = obligation_of(outlook->policy, entry->obligation),
			.due = entry->at,
		};

		if (entry->kind == NOTICE_BREACH &&
		    outlook_deadline(outlook, &deadline) == NULL &&
		    add_deadline(outlook, &deadline) < 0)
			return error_memory(error);
	}
	return 0;
}

static int note_waiting(struct outlook *outlook, struct error *error)
{
	bool *waits = realloc(outlook->waits, (outlook->count + 1) * sizeof *waits);

	if (waits == NULL)
		return error_memory(error);
	outlook->waits = waits;
	for (size_t i = 0; i < outlook->count; i++)
		waits[i] = instant_is_never(
			timeline_run_end(outlook->timeline, outlook->entries[i].run));
	return 0;
}

static int sort_keys(struct outlook *outlook, struct error *error)
{
	size_t *sorted = realloc(outlook->sorted, (outlook->count + 1) * sizeof *sorted);

	if (sorted == NULL)
		return error_memory(error);
	outlook->sorted = sorted;
	for (size_t i = 0; i < outlook->count; i++)
		sorted[i] = i;
	qsort_r(sorted, outlook->count, sizeof *sorted, by_key, outlook);
	return 0;
}

int outlook_read(struct outlook *outlook, const struct policy *policy,
		 const struct challenge *challenge, struct instant now, struct instant until,
		 struct error *error)
{
	int r;

	outlook->policy = policy;
	outlook->now = now;
	outlook->count = 0;
	outlook->deadline_count = 0;
	outlook->state = (struct timeline_state){ .stage = STAGE_NONE };
	if (policy == NULL)
		return 0;
	if (outlook->timeline == NULL)
		outlook->timeline = timeline_create();
	if (outlook->timeline == NULL)
		return error_memory(error);
	timeline_begin(outlook->timeline, policy, challenge);
	r = read_until(outlook, now, error);
	if (r == 0)
		r = note_waiting(outlook, error);
	if (r == 0)
		r = read_present(outlook, error);
	if (r == 0)
		r = read_until(outlook, until, error);
	if (r == 0)
		r = read_breaches(outlook, error);
	return r < 0 ? r : sort_keys(outlook, error);
}

void outlook_clear(struct outlook *outlook)
{
	timeline_destroy(outlook->timeline);
	free(outlook->entries);
	free(outlook->waits);
	free(outlook->sorted);
	free(outlook->deadlines);
	*outlook = (struct outlook){ 0 };
}

/* --- comparing
 * ---------------------------------------------------------------------------------
 */

const struct entry *outlook_find(const struct outlook *outlook, const struct policy *policy,
				 const struct entry *entry)
{
	size_t low = 0;
	size_t high = outlook->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct entry *here = &outlook->entries[outlook->sorted[middle]];
		int order = compare_keys(policy, entry, outlook->policy, here);

		if (order == 0)
			return here;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool outlook_tells(const struct outlook *outlook, const struct policy *policy,
		   const struct entry *entry, const char *role, struct instant by)
{
	const struct entry *same = outlook_find(outlook, policy, entry);

	if (same == NULL || instant_before(by, same->at))
		return false;
	for (size_t i = 0; i < same->to.count; i++)
		if (strcmp(outlook->policy->roles[same->to.role[i]].token, role) == 0)
			return true;
	return false;
}

const struct deadline *outlook_deadline(const struct outlook *outlook,
					const struct deadline *deadline)
{
	for (size_t i = 0; i < outlook->deadline_count; i++) {
		const struct deadline *other = &outlook->deadlines[i];

		if (other->event == deadline->event &&
		    strcmp(other->stage, deadline->stage) == 0 &&
		    strcmp(other->obligation, deadline->obligation) == 0)
			return other;
	}
	return NULL;
}

/* Of reminders, repeats and words about silence only the latest goes (design, "Catch-up"). */
static bool is_replaceable(enum notice_kind kind)
{
	return kind == NOTICE_REMINDER || kind == NOTICE_OVERDUE || kind == NOTICE_QUIET;
}

bool outlook_is_due(const struct outlook *outlook, size_t place)
{
	const struct entry *entry = &outlook->entries[place];

	/* `cleared` follows a notice that went; what only another policy would have said did
	 * not. Only entries up to `now` have a mark in `waits`. */
	if (instant_before(outlook->now, entry->at) || entry->kind == NOTICE_CLEARED ||
	    !outlook->waits[place])
		return false;
	for (size_t i = place + 1; is_replaceable(entry->kind) && i < outlook->count; i++) {
		const struct entry *later = &outlook->entries[i];

		if (!instant_before(outlook->now, later->at) && later->kind == entry->kind &&
		    later->event == entry->event && later->stage == entry->stage &&
		    later->obligation == entry->obligation)
			return false;
	}
	return true;
}
