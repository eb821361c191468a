/* import_challenge.c - one row of challenges into the store, with the events it tells of. */
#include "ctl/import.h"

#include <stdlib.h>
#include <string.h>

enum { FUTURE_SECONDS = 300, EVENTS_MOST = 5 };

/* The columns that tell of one event each. */
static const struct {
	int column;
	const char *kind;
} event_columns[] = {
	{ CHALLENGE_RAISED_AT, "raised" },       { CHALLENGE_STAGE_AT, "stage" },
	{ CHALLENGE_RESOLVED_AT, "resolved" },   { CHALLENGE_CLOSED_AT, "closed" },
	{ CHALLENGE_WITHDRAWN_AT, "withdrawn" },
};

static const char *const concern_words[] = { "child", "adult", "both" };

/* One of the words known; "" and a list that is empty are fine. */
static bool check_word(struct import *import, const struct csv_row *row, int column,
		       const char *what, const char *word, const char *const *known,
		       size_t count)
{
	if (word[0] == '\0' || count == 0)
		return true;
	for (size_t i = 0; i < count; i++)
		if (strcmp(known[i], word) == 0)
			return true;
	return import_unknown(import, row, column, what, word, known, count);
}

static bool check_agency(struct import *import, const struct csv_row *row, int column,
			 const char *id)
{
	if (id[0] == '\0')
		return import_fault(import, row, column, "every challenge needs one");
	if (directory_agency(&import->directory, id) != NULL)
		return true;
	return import_no_agency(import, row, column, id);
}

static const struct policy *find_policy(struct import *import, const struct csv_row *row,
					struct challenge *challenge)
{
	struct error error = { 0 };
	const struct policy *policy;

	if (challenge->policy[0] == '\0') {
		(void)import_fault(import, row, CHALLENGE_POLICY, "every challenge needs one");
		return NULL;
	}
	policy = config_policy(import->ctl->config, challenge->policy,
			       challenge->policy_version, &error);
	if (policy == NULL) {
		(void)import_fault(import, row, CHALLENGE_POLICY, "%s", error.text);
		return NULL;
	}
	challenge->policy = policy->id;
	challenge->policy_version = policy->version;
	return policy;
}

static bool check_words(struct import *import, const struct csv_row *row,
			const struct challenge *challenge, const struct policy *policy)
{
	bool sound = check_word(import, row, CHALLENGE_URGENCY, "urgency", challenge->urgency,
				policy->urgencies, policy->urgency_count);

	sound = check_word(import, row, CHALLENGE_CATEGORY, "category", challenge->category,
			   policy->causes, policy->cause_count) &&
		sound;
	return check_word(import, row, CHALLENGE_OUTCOME, "outcome",
			  import_or(import, row, CHALLENGE_OUTCOME, ""), policy->outcomes,
			  policy->outcome_count) &&
	       sound;
}

/* What it says by itself; every fault of it is told, not only the first. */
static bool read_challenge(struct import *import, const struct csv_row *row,
			   struct challenge *ret)
{
	const char *doubt;
	bool sound;

	ret->policy = import_or(import, row, CHALLENGE_POLICY, ret->policy);
	ret->policy_version =
		import_or(import, row, CHALLENGE_POLICY_VERSION, ret->policy_version);
	ret->urgency = import_or(import, row, CHALLENGE_URGENCY, ret->urgency);
	ret->concerns = import_or(import, row, CHALLENGE_CONCERNS, ret->concerns);
	if (ret->concerns[0] == '\0')
		ret->concerns = "child";
	ret->category = import_or(import, row, CHALLENGE_CATEGORY, ret->category);
	ret->raising_agency =
		import_or(import, row, CHALLENGE_RAISING_AGENCY, ret->raising_agency);
	ret->receiving_agency =
		import_or(import, row, CHALLENGE_RECEIVING_AGENCY, ret->receiving_agency);
	doubt = ctl_doubt_of_sides(ret->raising_agency, ret->receiving_agency);
	sound = check_agency(import, row, CHALLENGE_RAISING_AGENCY, ret->raising_agency) &&
		import_person(import, row, CHALLENGE_RAISING_CONTACT, ret->raising_agency,
			      &ret->raising_contact);
	sound = check_agency(import, row, CHALLENGE_RECEIVING_AGENCY, ret->receiving_agency) &&
		import_person(import, row, CHALLENGE_RECEIVING_CONTACT, ret->receiving_agency,
			      &ret->receiving_contact) &&
		sound;
	if (ret->receiving_agency[0] != '\0' && doubt != NULL)
		import_warn(import, row, CHALLENGE_RECEIVING_AGENCY, doubt);
	sound = check_word(import, row, CHALLENGE_CONCERNS, "such word as", ret->concerns,
			   concern_words, COUNT(concern_words)) &&
		sound;
	return import_time(import, row, CHALLENGE_PROTECT_BY, &ret->protect_by) && sound;
}

/* --- events ---------------------------------------------------------------------------------
 */

/* The first `raised`, the last of any other kind. */
static const struct event *recorded_event(const struct challenge *challenge, const char *kind)
{
	const struct event *found = NULL;

	for (size_t i = 0; i < challenge->event_count; i++)
		if (strcmp(challenge->events[i].kind, kind) == 0 &&
		    (found == NULL || strcmp(kind, "raised") != 0))
			found = &challenge->events[i];
	return found;
}

static bool check_stage(struct import *import, const struct csv_row *row,
			const struct policy *policy, const char *stage)
{
	const char *known[POLICY_STAGES];

	for (size_t i = 0; i < policy->stage_count; i++)
		known[i] = policy->stages[i].id;
	return check_word(import, row, CHALLENGE_STAGE, "stage", stage, known,
			  policy->stage_count);
}

/* When the stage was entered, where the file does not say: as recorded, or at the raising. */
static bool stage_time(struct import *import, const struct csv_row *row,
		       const struct event *recorded, struct instant raised, struct instant *ret)
{
	const char *stage = import_or(import, row, CHALLENGE_STAGE, "");

	if (stage[0] == '\0')
		return instant_is_never(*ret) ||
		       import_fault(import, row, CHALLENGE_STAGE, "stage_at is of no stage");
	if (!instant_is_never(*ret))
		return true;
	if (recorded != NULL && strcmp(recorded->stage, stage) == 0)
		*ret = recorded->at;
	else if (!instant_is_never(raised))
		*ret = raised;
	else
		return import_fault(import, row, CHALLENGE_STAGE_AT, "when was it entered?");
	return true;
}

/* One event told of by a column: appended to `list` unless it is recorded already. */
static bool take_event(struct import *import, const struct csv_row *row, size_t which,
		       const struct challenge *old, struct recording *list, size_t *count)
{
	int column = event_columns[which].column;
	const char *kind = event_columns[which].kind;
	bool is_stage = column == CHALLENGE_STAGE_AT;
	const struct event *recorded = old != NULL ? recorded_event(old, kind) : NULL;
	const char *stage = is_stage ? import_or(import, row, CHALLENGE_STAGE, "") : "";
	struct instant at = INSTANT_NEVER;

	if (!import_time(import, row, column, &at))
		return false;
	if (is_stage && !stage_time(import, row, recorded,
				    *count > 0 ? list[0].event.at : INSTANT_NEVER, &at))
		return false;
	if (instant_is_never(at))
		return column != CHALLENGE_RAISED_AT || old != NULL ||
		       import_fault(import, row, column, "when was it raised?");
	if (instant_before(instant_add(import->now, FUTURE_SECONDS), at))
		return import_fault(import, row, column, "lies in the future");
	if (recorded != NULL && instant_equal(recorded->at, at) &&
	    strcmp(recorded->stage, stage) == 0)
		return true;
	if (recorded != NULL && !is_stage)
		return import_fault(import, row, column,
				    "another time is recorded; take that back first: "
				    "challengectl record %.40s voided --voids %lld",
				    old->reference, (long long)recorded->id);
	list[(*count)++] = (struct recording){
		.event = { .kind = kind,
			   .stage = stage,
			   .at = at,
			   .due = INSTANT_NEVER,
			   .value = column == CHALLENGE_RESOLVED_AT
					    ? import_or(import, row, CHALLENGE_OUTCOME, "")
					    : "",
			   .recorded_at = import->now },
		.by = import->by,
		.note = "",
	};
	return true;
}

static bool take_events(struct import *import, const struct csv_row *row,
			const struct challenge *old, struct recording list[static EVENTS_MOST],
			size_t *count)
{
	bool sound = true;

	if (import_or(import, row, CHALLENGE_OUTCOME, "")[0] != '\0' &&
	    import_or(import, row, CHALLENGE_RESOLVED_AT, "")[0] == '\0' &&
	    (old == NULL || recorded_event(old, "resolved") == NULL))
		sound = import_fault(import, row, CHALLENGE_OUTCOME,
				     "an outcome needs resolved_at");
	for (size_t i = 0; i < COUNT(event_columns); i++)
		sound = take_event(import, row, i, old, list, count) && sound;
	return sound;
}

/* --- writing --------------------------------------------------------------------------------
 */

static bool same_challenge(const struct challenge *a, const struct challenge *b)
{
	return strcmp(a->policy, b->policy) == 0 &&
	       strcmp(a->policy_version, b->policy_version) == 0 &&
	       strcmp(a->urgency, b->urgency) == 0 && strcmp(a->concerns, b->concerns) == 0 &&
	       strcmp(a->category, b->category) == 0 &&
	       strcmp(a->raising_agency, b->raising_agency) == 0 &&
	       strcmp(a->receiving_agency, b->receiving_agency) == 0 &&
	       a->raising_contact == b->raising_contact &&
	       a->receiving_contact == b->receiving_contact &&
	       instant_equal(a->protect_by, b->protect_by);
}

static bool add_challenge(struct import *import, const struct csv_row *row,
			  const struct challenge *challenge, const struct recording *list,
			  size_t count)
{
	struct registered made = { 0 };
	struct error error = { 0 };

	if (register_challenge(import->writing.registrar, challenge, 0, list, count, &made,
			       &error) < 0)
		return import_refused(import, row, -1, &error);
	import->added++;
	return true;
}

static bool change_challenge(struct import *import, const struct csv_row *row,
			     const struct challenge *old, const struct challenge *challenge,
			     const struct recording *list, size_t count)
{
	struct error error = { 0 };
	bool same = same_challenge(old, challenge);
	int64_t id = 0;
	int result = 0;

	if (!same)
		result = register_change_challenge(import->writing.registrar, old, challenge,
						   &error);
	for (size_t i = 0; i < count && result == 0; i++)
		result = register_event(import->writing.registrar, challenge->id, &list[i], &id,
					&error);
	if (result < 0)
		return import_refused(import, row, -1, &error);
	same &&count == 0 ? import->unchanged++ : import->changed++;
	return true;
}

/* The challenge of that reference as it stands, settled; NULL: there is none. */
static bool find_old(struct import *import, const struct csv_row *row, const char *reference,
		     struct challenge **ret)
{
	struct error error = { 0 };
	int result =
		store_challenge_by_reference(import->writing.store, reference, ret, &error);

	if (result < 0)
		return import_fault(import, row, CHALLENGE_REFERENCE, "%s", error.text);
	if (result == 0)
		*ret = NULL;
	else
		challenge_settle(*ret);
	return true;
}

bool import_challenge(struct import *import, const struct csv_row *row)
{
	const char *reference = import_or(import, row, CHALLENGE_REFERENCE, "");
	struct challenge *old = NULL;
	struct challenge challenge = {
		.policy = "",
		.policy_version = "",
		.urgency = "",
		.concerns = "child",
		.category = "",
		.raising_agency = "",
		.receiving_agency = "",
		.protect_by = INSTANT_NEVER,
	};
	struct recording list[EVENTS_MOST];
	size_t count = 0;
	const struct policy *policy;
	struct error error = { 0 };
	bool sound;

	if (register_check_reference(reference, &error) < 0)
		return import_fault(import, row, CHALLENGE_REFERENCE, "%s", error.text);
	if (!find_old(import, row, reference, &old))
		return false;
	if (old != NULL && !import->update)
		return import_fault(import, row, CHALLENGE_REFERENCE,
				    "there is a challenge \"%s\" already; --update changes it",
				    reference);
	if (old != NULL)
		challenge = *old;
	challenge.reference = reference;
	sound = read_challenge(import, row, &challenge);
	policy = find_policy(import, row, &challenge);
	if (policy != NULL) {
		sound = check_words(import, row, &challenge, policy) && sound;
		sound = check_stage(import, row, policy,
				    import_or(import, row, CHALLENGE_STAGE, "")) &&
			sound;
	}
	sound = take_events(import, row, old, list, &count) && sound;
	if (!sound || policy == NULL)
		return false;
	return old != NULL ? change_challenge(import, row, old, &challenge, list, count)
			   : add_challenge(import, row, &challenge, list, count);
}
