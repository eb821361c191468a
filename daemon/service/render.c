/*
 * render.c - a batch of decided notices: read, planned, and committed as mails with all that
 * follows from them; see render.h.
 */
#include "service/render_internal.h"

#include "adapter/journal.h"
#include "base/list.h"
#include "service/crash.h"

#include <stdlib.h>
#include <string.h>

int render_copy(struct batch *batch, const char *string, const char **ret, struct error *error)
{
	*ret = arena_string(&batch->arena, string == NULL ? "" : string);
	return *ret == NULL ? error_memory(error) : 0;
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
	r = render_make_mails(batch, error);
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
		r = render_plan(&batch, error);
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
