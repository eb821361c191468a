/*
 * render_letter.c - what a letter says of one notice, out of the challenge's facts.
 */
#include "service/render_internal.h"

#include "core/language.h"
#include "core/wording.h"

#include <string.h>

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
	int r = render_copy(batch, raising == NULL ? "" : raising->name,
			    &letter->raising_agency, error);

	if (r == 0)
		r = render_copy(batch, raising == NULL ? "" : raising->telephone,
				&letter->raising_telephone, error);
	if (r == 0)
		r = render_copy(batch, receiving == NULL ? "" : receiving->name,
				&letter->receiving_agency, error);
	if (r == 0)
		r = render_copy(batch, receiving == NULL ? "" : receiving->telephone,
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

int render_say(struct batch *batch, const struct language *language,
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
	r = render_copy(batch, facts->challenge->reference, &letter->reference, error);
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
