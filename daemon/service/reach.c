/* reach.c - see reach.h. */
#include "service/reach.h"

#include "core/address.h"

#include <string.h>
#include <strings.h>

const char reach_cover[] = "/cover";
const char reach_closed[] = "/closed";

enum { PEOPLE_MOST = 2 * POLICY_TOLD };

const struct role *reach_role(const struct policy *policy, const char *token,
			      enum reach *ret_reach)
{
	size_t length = strcspn(token, "/");

	*ret_reach = strcmp(token + length, reach_cover) == 0    ? REACH_COVER
		     : strcmp(token + length, reach_closed) == 0 ? REACH_CLOSED
								 : REACH_HOLDER;
	for (size_t i = 0; i < policy->role_count; i++)
		if (strncmp(policy->roles[i].token, token, length) == 0 &&
		    policy->roles[i].token[length] == '\0')
			return &policy->roles[i];
	return NULL;
}

/* --- who
 * ---------------------------------------------------------------------------------------
 */

static struct recipient find(const struct reach_world *world, const struct role *role)
{
	const struct config *config = world->config;

	return recipient_find(role, world->challenge, world->directory, &config->partnership,
			      config->roles, config->role_count, config->mail.allow_domains,
			      config->mail.allow_domain_count, world->refused, world->now);
}

static const struct agency *agency_of(const struct reach_world *world,
				      const struct recipient *recipient)
{
	return recipient->contact == NULL
		       ? NULL
		       : directory_agency(world->directory, recipient->contact->agency);
}

static bool is_refused(const struct reach_world *world, int64_t contact)
{
	for (size_t i = 0; i < world->refused.count; i++)
		if (world->refused.contact[i] == contact)
			return true;
	return false;
}

/* The agency's cover, if that is somebody who can be mailed. */
static const struct contact *find_cover(const struct reach_world *world,
					const struct agency *agency)
{
	const struct config *config = world->config;
	const struct contact *cover =
		agency == NULL || agency->cover == 0
			? NULL
			: directory_contact(world->directory, agency->cover);

	if (cover == NULL || !cover->active || contact_is_away(cover, world->now) ||
	    is_refused(world, cover->id) || address_check(cover->email, NULL) < 0 ||
	    !address_is_allowed(cover->email, config->mail.allow_domains,
				config->mail.allow_domain_count))
		return NULL;
	return cover;
}

struct recipient reach_recipient(const struct reach_world *world, const struct role *role,
				 enum reach reach)
{
	static const struct role unit = { .token = "partnership.business_unit",
					  .side = SIDE_PARTNERSHIP,
					  .name = "business_unit" };
	static const struct role inbox = { .token = "partnership.inbox",
					   .side = SIDE_PARTNERSHIP,
					   .name = "inbox" };
	struct recipient holder = find(world, role);
	const struct contact *cover;

	if (reach == REACH_HOLDER)
		return holder;
	if (reach == REACH_CLOSED)
		return find(world, &unit);
	cover = find_cover(world, agency_of(world, &holder));
	if (cover == NULL)
		return find(world, &inbox);
	return (struct recipient){
		.contact = cover,
		.address = cover->email,
		.name = cover->name,
		.language = cover->language[0] != '\0' ? cover->language : "en",
		.role = role->name,
		.path = RECIPIENT_STAND_IN,
	};
}

/* --- when
 * --------------------------------------------------------------------------------------
 */

enum reach_hours reach_hours(const struct reach_world *world, const struct policy *policy,
			     const struct recipient *recipient, struct instant send_at,
			     struct instant *ret_until)
{
	const struct agency *agency = agency_of(world, recipient);
	const struct calendar *own =
		agency == NULL || agency->calendar == NULL || agency->calendar[0] == '\0'
			? NULL
			: config_calendar(world->config, agency->calendar);
	struct instant opening;
	struct instant latest;

	/* A calendar that the main file does not have, or a year it cannot count, defers
	 * nothing. */
	if (own == NULL || own == policy->calendar || calendar_is_open(own, world->now) ||
	    timescale_repeat(world->config->defer_at_most, 1, policy->calendar, send_at, NULL,
			     0, &latest) < 0)
		return REACH_NOW;
	if (!instant_before(world->now, latest))
		return REACH_PAST;
	*ret_until = latest;
	if (calendar_next_open(own, world->now, &opening) == 0)
		*ret_until = instant_min(opening, latest);
	return REACH_LATER;
}

/* --- how high
 * ----------------------------------------------------------------------------------
 */

/* Whom the rungs up to here have told. */
struct people {
	const char *address[PEOPLE_MOST];
	size_t count;
};

static bool knows(const struct people *people, const char *address)
{
	for (size_t i = 0; i < people->count; i++)
		if (strcasecmp(people->address[i], address) == 0)
			return true;
	return false;
}

/* Adds who holds these roles; true when each of them was there already. */
static bool add_people(const struct reach_world *world, const struct policy *policy,
		       const struct role_set *set, struct people *people)
{
	bool nobody_new = true;

	for (size_t i = 0; i < set->count; i++) {
		const char *address = find(world, &policy->roles[set->role[i]]).address;

		if (knows(people, address))
			continue;
		nobody_new = false;
		if (people->count < PEOPLE_MOST)
			people->address[people->count++] = address;
	}
	return nobody_new;
}

/* The stage whose time ran out in this escalation. */
static int stage_below(const struct facts *facts, const struct entry *entry)
{
	for (size_t i = 0; i < facts->count; i++)
		if (facts->entries[i].kind == NOTICE_BREACH &&
		    facts->entries[i].run == entry->run)
			return facts->entries[i].stage;
	return STAGE_NONE;
}

static int stage_above(const struct policy *policy, int stage)
{
	const struct stage *here = &policy->stages[stage];

	for (size_t i = 0; i < here->obligation_count; i++) {
		const struct obligation *owed =
			&policy->obligations[here->first_obligation + i];

		if (owed->firm && owed->escalate_to != STAGE_NONE)
			return owed->escalate_to;
	}
	return STAGE_NONE;
}

struct role_set reach_further_rungs(const struct reach_world *world, const struct facts *facts,
				    const struct entry *entry)
{
	const struct policy *policy = facts->policy;
	struct role_set further = { .count = 0 };
	struct people people = { .count = 0 };
	int stage = entry->kind == NOTICE_ESCALATION ? stage_below(facts, entry) : STAGE_NONE;
	bool flat;

	if (stage == STAGE_NONE)
		return further;
	(void)add_people(world, policy, &policy->stages[stage].owner, &people);
	(void)add_people(world, policy, &policy->stages[stage].inform, &people);
	flat = add_people(world, policy, &entry->to, &people);
	/* Escalations lead to later stages only, so this ends. */
	for (stage = stage_above(policy, entry->stage); flat && stage != STAGE_NONE;
	     stage = stage_above(policy, stage)) {
		const struct role_set *owner = &policy->stages[stage].owner;

		for (size_t i = 0; i < owner->count; i++)
			(void)role_set_add(&further, owner->role[i]);
		flat = add_people(world, policy, owner, &people);
	}
	return further;
}
