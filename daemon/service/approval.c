/* approval.c - see approval.h. */
#include "service/approval.h"

#include "adapter/journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char approval_reason[] = "due by a configuration that is not approved";
const char approval_release_reason[] = "the approved configuration asks for it as well";

enum { TEXT_MOST = 64 << 20 }; /* of a whole configuration, as config_file has it */

/* Names in the ledger; challengectl approve uses the first four. */
static const char name_digest[] = "configuration";
static const char name_text[] = "configuration_text";
static const char name_approved[] = "approved";
static const char name_approved_text[] = "approved_text";
static const char name_since[] = "configuration_since";
static const char name_before[] = "before"; /* digest; "": read to its end */
static const char name_before_text[] = "before_text";

static int set_all(struct ledger *ledger, const char *const (*pairs)[2], size_t count,
		   struct error *error)
{
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++)
		r = ledger_set(ledger, pairs[i][0], pairs[i][1], error);
	return r < 0 ? r : 0;
}

static int end_transaction(struct ledger *ledger, int r, struct error *error)
{
	if (r >= 0)
		r = ledger_commit(ledger, error);
	if (r < 0)
		ledger_rollback(ledger);
	return r < 0 ? r : 0;
}

/* True when the ledger holds this text under the name. */
static int is_set_to(struct ledger *ledger, const char *name, const char *text, bool *ret,
		     struct error *error)
{
	CLEANUP(text_clear) struct text value = { 0 };
	int r = ledger_get(ledger, name, &value, error);

	if (r < 0)
		return r;
	*ret = r == 1 && strcmp(text_string(&value), text) == 0;
	return r;
}

/* --- taking one into use
 * -----------------------------------------------------------------------
 */

/* Digests only: no quotes in them, so the payload needs no escapes. */
static int note_change(struct ledger *ledger, const char *kind, const char *digest,
		       struct instant now, struct error *error)
{
	char payload[2 * APPROVAL_DIGEST_SIZE];

	(void)snprintf(payload, sizeof payload, "{\"digest\":\"%.64s\"}", digest); /* fits */
	return ledger_note(ledger, kind, payload, now, error);
}

static int remember(struct ledger *ledger, const struct config *config, struct error *error)
{
	CLEANUP(text_clear) struct text digest = { 0 };
	CLEANUP(text_clear) struct text text = { .limit = TEXT_MOST };
	const char *const values[][2] = { { name_digest, config->digest },
					  { name_text, config->text } };
	const char *const first[][2] = { { name_approved, config->digest },
					 { name_approved_text, config->text } };
	bool ignored = false;
	int r = ledger_get(ledger, name_digest, &digest, error);

	if (r >= 0)
		r = ledger_get(ledger, name_text, &text, error);
	/* A ledger of an older program knows the digest alone: nothing to compare with. */
	if (r == 1) {
		const char *const before[][2] = { { name_before, text_string(&digest) },
						  { name_before_text, text_string(&text) } };

		r = set_all(ledger, before, COUNT(before), error);
	}
	if (r >= 0)
		r = set_all(ledger, values, COUNT(values), error);
	if (r >= 0)
		r = ledger_set_number(ledger, name_since, INT64_MAX, error);
	if (r >= 0)
		r = ledger_set_number(ledger, "change_seq", 0, error);
	if (r >= 0)
		r = is_set_to(ledger, name_approved, "", &ignored, error);
	if (r == 0)
		r = set_all(ledger, first, COUNT(first), error);
	return r < 0 ? r : 0;
}

/* A configuration of the ledger; *ret is NULL where it is not there or cannot be read. */
static int read_kept(struct ledger *ledger, const char *name, struct config **ret,
		     struct error *error)
{
	CLEANUP(text_clear) struct text text = { .limit = TEXT_MOST };
	CLEANUP(fault_list_clear) struct fault_list faults = { 0 };
	struct error why = { 0 };
	int r = ledger_get(ledger, name, &text, error);

	*ret = NULL;
	if (r <= 0 || text_string(&text)[0] == '\0')
		return r < 0 ? r : 0;
	*ret = config_load_text(text_string(&text), &faults, &why);
	if (*ret == NULL && why.code == ENOMEM)
		return error_memory(error);
	if (*ret == NULL)
		journal_send(JOURNAL_CONFIG_FAULT, NULL, 0,
			     "the configuration that the ledger keeps as \"%s\" cannot be "
			     "read any more, and counts as asking for nothing: %s",
			     name, why.text);
	return 0;
}

static void forget(struct approval *approval)
{
	config_destroyp(&approval->known);
	config_destroyp(&approval->before);
	approval->waits = false;
	approval->told = false;
}

static int read_both(struct approval *approval, struct ledger *ledger, struct error *error)
{
	bool same = false;
	bool read = false;
	int r = is_set_to(ledger, name_approved, approval->digest, &same, error);

	if (r >= 0)
		r = is_set_to(ledger, name_before, "", &read, error);
	if (r < 0)
		return r;
	approval->waits = !same;
	if (r == 1 && !read)
		r = read_kept(ledger, name_before_text, &approval->before, error);
	if (r >= 0 && approval->waits)
		r = read_kept(ledger, name_approved_text, &approval->known, error);
	return r < 0 ? r : 0;
}

int approval_begin(struct approval *approval, struct ledger *ledger,
		   const struct config *config, struct error *error)
{
	bool same = false;
	int r = is_set_to(ledger, name_digest, config->digest, &same, error);

	if (r >= 0 && same) /* an older program kept no text */
		r = is_set_to(ledger, name_text, config->text, &same, error);
	if (r < 0)
		return r;
	if (!same) {
		r = ledger_begin(ledger, error);
		if (r < 0)
			return r;
		r = end_transaction(ledger, remember(ledger, config, error), error);
		if (r < 0)
			return r;
	}
	forget(approval);
	(void)snprintf(approval->digest, sizeof approval->digest, "%s", config->digest);
	approval->since = INSTANT_NEVER;
	return read_both(approval, ledger, error);
}

void approval_clear(struct approval *approval)
{
	forget(approval);
	outlook_clear(&approval->against);
	outlook_clear(&approval->was);
	outlook_clear(&approval->is);
}

/* --- from pass to pass
 * ---------------------------------------------------------------------------
 */

/* Not before the clock is sane: a wrong one would hold too little, or mark the chain. */
static int note_since(struct approval *approval, struct ledger *ledger, struct instant now,
		      struct error *error)
{
	int r = ledger_begin(ledger, error);

	if (r < 0)
		return r;
	r = ledger_set_number(ledger, name_since, now.seconds, error);
	if (r >= 0)
		r = note_change(ledger, "configured", approval->digest, now, error);
	return end_transaction(ledger, r, error);
}

static int read_since(struct approval *approval, struct ledger *ledger, struct instant now,
		      struct error *error)
{
	int64_t since = INT64_MAX;
	int r = ledger_get_number(ledger, name_since, &since, error);

	if (r >= 0 && since == INT64_MAX) {
		since = now.seconds;
		r = note_since(approval, ledger, now, error);
	}
	if (r >= 0)
		approval->since = (struct instant){ since };
	return r < 0 ? r : 0;
}

int approval_look(struct approval *approval, struct ledger *ledger, struct instant now,
		  struct error *error)
{
	bool approved = false;
	int r = 0;

	if (instant_is_never(approval->since))
		r = read_since(approval, ledger, now, error);
	if (r < 0 || !approval->waits)
		return r;
	r = is_set_to(ledger, name_approved, approval->digest, &approved, error);
	if (r < 0)
		return r;
	if (approved) {
		journal_send(JOURNAL_APPROVED, NULL, 0, "configuration %.12s is approved",
			     approval->digest);
		config_destroyp(&approval->known);
		approval->waits = false;
	}
	return 0;
}

bool approval_is_reading(const struct approval *approval)
{
	return approval->before != NULL || (approval->waits && !approval->told);
}

static int approve_itself(struct ledger *ledger, const struct config *config,
			  struct instant now, struct error *error)
{
	const char *const values[][2] = { { name_approved, config->digest },
					  { name_approved_text, config->text } };
	int r = set_all(ledger, values, COUNT(values), error);

	return r < 0 ? r : note_change(ledger, "approved", config->digest, now, error);
}

static int settle(struct ledger *ledger, const struct config *config, bool approve,
		  struct instant now, struct error *error)
{
	static const char *const none[][2] = { { name_before, "" }, { name_before_text, "" } };
	int r = set_all(ledger, none, COUNT(none), error);

	return r < 0 || !approve ? r : approve_itself(ledger, config, now, error);
}

int approval_end_reading(struct approval *approval, struct ledger *ledger,
			 const struct config *config, struct instant now, struct error *error)
{
	int64_t held = 0;
	int r = ledger_held_notices(ledger, &held, error);

	if (r == 0)
		r = ledger_begin(ledger, error);
	if (r < 0)
		return r;
	r = end_transaction(ledger,
			    settle(ledger, config, approval->waits && held == 0, now, error),
			    error);
	if (r < 0)
		return r;
	config_destroyp(&approval->before);
	approval->told = true;
	if (approval->waits && held > 0)
		journal_send(JOURNAL_UNAPPROVED, NULL, 0,
			     "configuration %.12s is in use but not approved: %lld %s "
			     "HELD; if it is meant, run "
			     "\"challengectl approve %.12s\", else correct it and reload",
			     approval->digest, (long long)held,
			     text_plural(held, "notice that it alone makes due at once is",
					 "notices that it alone makes due at once are"),
			     approval->digest);
	/* Approved by itself: the next look sees it. */
	return 0;
}

/* --- one challenge
 * -------------------------------------------------------------------------------
 */

static const struct policy *policy_in(const struct config *config,
				      const struct challenge *challenge)
{
	struct error unknown = { 0 };

	return config == NULL ? NULL
			      : config_policy(config, challenge->policy,
					      challenge->policy_version, &unknown);
}

int approval_read(struct approval *approval, const struct facts *facts, struct error *error)
{
	if (!approval->waits)
		return 0;
	return outlook_read(&approval->against, policy_in(approval->known, facts->challenge),
			    facts->challenge, facts->now, facts->now, error);
}

/* Due when the configuration came into use, and by the approved one not even now. */
static bool is_at_once(const struct approval *approval, const struct facts *facts,
		       const struct entry *entry, const char *role)
{
	return !instant_before(approval->since, entry->at) &&
	       !outlook_tells(&approval->against, facts->policy, entry, role, facts->now);
}

/* Its stage was entered by an escalation that is held itself. */
static bool follows_held(const struct approval *approval, const struct facts *facts,
			 const struct entry *entry)
{
	for (size_t i = 0; i < facts->count; i++) {
		const struct entry *led = &facts->entries[i];

		if (led->kind == NOTICE_ESCALATION && led->stage == entry->stage &&
		    led->event == entry->event && led->to.count > 0 &&
		    is_at_once(approval, facts, led,
			       facts->policy->roles[led->to.role[0]].token))
			return true;
	}
	return false;
}

bool approval_holds(const struct approval *approval, const struct facts *facts, size_t place,
		    const char *role)
{
	const struct entry *entry = &facts->entries[place];

	if (!approval->waits)
		return false;
	return is_at_once(approval, facts, entry, role) ||
	       (!outlook_tells(&approval->against, facts->policy, entry, role, facts->now) &&
		follows_held(approval, facts, entry));
}

int approval_next(struct approval *approval, struct instant *ret, struct error *error)
{
	*ret = INSTANT_NEVER;
	if (!approval->waits || approval->against.policy == NULL)
		return 0;
	return timeline_peek(approval->against.timeline, ret, error);
}

int approval_record_moves(struct approval *approval, struct ledger *ledger,
			  const struct facts *facts, size_t *ret_moved, struct error *error)
{
	const struct policy *before = policy_in(approval->before, facts->challenge);
	int r;

	if (before == NULL)
		return 0;
	r = outlook_read(&approval->was, before, facts->challenge, facts->now, facts->now,
			 error);
	if (r == 0)
		r = outlook_read(&approval->is, facts->policy, facts->challenge, facts->now,
				 facts->now, error);
	for (size_t i = 0; i < approval->is.deadline_count && r == 0; i++) {
		const struct deadline *to = &approval->is.deadlines[i];
		const struct deadline *from = outlook_deadline(&approval->was, to);
		struct ledger_move move = { .challenge = facts->challenge->id,
					    .reference = facts->challenge->reference,
					    .policy = facts->policy->id,
					    .policy_version = facts->policy->version,
					    .event = to->event,
					    .stage = to->stage,
					    .obligation = to->obligation,
					    .to = to->due,
					    .configuration = approval->digest };

		if (!to->owed || from == NULL || instant_equal(from->due, to->due))
			continue;
		move.from = from->due;
		r = ledger_note_move(ledger, &move, facts->now, error);
		++*ret_moved;
	}
	return r;
}

/* --- what people are told
 * ------------------------------------------------------------------------
 */

int approval_text(const struct approval *approval, struct ledger *ledger, int64_t *ret_held,
		  char out[static APPROVAL_TEXT_SIZE], struct error *error)
{
	int64_t held = 0;
	int r = 0;

	out[0] = '\0';
	if (approval->waits)
		r = ledger_held_notices(ledger, &held, error);
	if (r < 0)
		return r;
	*ret_held = held;
	if (held > 0)
		(void)snprintf(out, APPROVAL_TEXT_SIZE,
			       "configuration %.12s is NOT APPROVED: %lld %s "
			       "HELD: challengectl approve %.12s",
			       approval->digest, (long long)held,
			       text_plural(held, "notice that it alone makes due at once is",
					   "notices that it alone makes due at once are"),
			       approval->digest);
	return 0;
}
