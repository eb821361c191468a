/* recipient.c - see recipient.h. */
#include "core/recipient.h"

#include "core/address.h"
#include "core/unicode.h"

#include <string.h>

enum {
	ROLES_TRIED = 64,  /* the most roles that one search looks at, stand-ins included */
	DEPUTIES_TRIED = 8 /* a deputy's deputy's deputy is nobody's plan; a ring ends here */
};

/* All that a search asks of the world. */
struct search {
	const struct challenge *challenge;
	const struct directory *directory;
	const struct role_rule *rules;
	size_t rule_count;
	const char *const *domains;
	size_t domain_count;
	struct refused refused;
	struct instant now;
	const char *agency;  /* whose people are looked through */
	int64_t own_contact; /* the challenge's own, on that side; 0: none */
};

const struct agency *directory_agency(const struct directory *directory, const char *id)
{
	size_t low = 0;
	size_t high = directory->agency_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(directory->agencies[middle].id, id);

		if (order == 0)
			return &directory->agencies[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct contact *directory_contact(const struct directory *directory, int64_t id)
{
	size_t low = 0;
	size_t high = directory->contact_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int64_t here = directory->contacts[middle].id;

		if (here == id)
			return &directory->contacts[middle];
		if (here < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static const struct role_rule *find_rule(const struct role_rule *rules, size_t count,
					 const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rules[i].id, id) == 0)
			return &rules[i];
	return NULL;
}

const char *role_title(const struct role_rule *rules, size_t count, const char *id)
{
	const struct role_rule *rule = find_rule(rules, count, id);

	return rule != NULL && rule->title != NULL && rule->title[0] != '\0' ? rule->title : id;
}

bool contact_is_away(const struct contact *contact, struct instant now)
{
	if (instant_is_never(contact->away_from))
		return false;
	return !instant_before(now, contact->away_from) &&
	       instant_before(now, contact->away_until);
}

/* Could be written to, were they here: leave is not looked at. */
static bool is_reachable(const struct search *search, const struct contact *contact)
{
	if (!contact->active)
		return false;
	for (size_t i = 0; i < search->refused.count; i++)
		if (search->refused.contact[i] == contact->id)
			return false;
	return address_check(contact->email, NULL) == 0 &&
	       address_is_allowed(contact->email, search->domains, search->domain_count);
}

static bool is_present(const struct search *search, const struct contact *contact)
{
	return is_reachable(search, contact) && !contact_is_away(contact, search->now);
}

/* The deputy of someone on leave, or that one's deputy, ...; NULL: nobody. */
static const struct contact *find_deputy(const struct search *search,
					 const struct contact *contact)
{
	for (int i = 0; i < DEPUTIES_TRIED; i++) {
		if (!contact->active || !contact_is_away(contact, search->now) ||
		    contact->deputy == 0)
			return NULL;
		contact = directory_contact(search->directory, contact->deputy);
		if (contact == NULL)
			return NULL;
		if (is_present(search, contact))
			return contact;
	}
	return NULL;
}

static bool holds(const struct search *search, const struct contact *contact, const char *role)
{
	return strcmp(contact->role, role) == 0 && strcmp(contact->agency, search->agency) == 0;
}

/* The challenge's own contact, or who stands in for them while they are away. */
static const struct contact *find_own(const struct search *search, const char *role,
				      enum recipient_path *ret_path)
{
	const struct contact *own =
		search->own_contact != 0
			? directory_contact(search->directory, search->own_contact)
			: NULL;

	if (own == NULL || !holds(search, own, role))
		return NULL;
	if (is_present(search, own)) {
		*ret_path = RECIPIENT_HOLDER;
		return own;
	}
	*ret_path = RECIPIENT_DEPUTY;
	return find_deputy(search, own);
}

/* Who holds the role in the agency: the lowest id present, else a deputy of who is away. */
static const struct contact *find_holder(const struct search *search, const char *role,
					 enum recipient_path *ret_path)
{
	const struct directory *directory = search->directory;
	const struct contact *found = find_own(search, role, ret_path);

	for (size_t i = 0; found == NULL && i < directory->contact_count; i++) {
		const struct contact *contact = &directory->contacts[i];

		*ret_path = RECIPIENT_HOLDER;
		if (holds(search, contact, role) && is_present(search, contact))
			found = contact;
	}
	for (size_t i = 0; found == NULL && i < directory->contact_count; i++) {
		*ret_path = RECIPIENT_DEPUTY;
		if (holds(search, &directory->contacts[i], role))
			found = find_deputy(search, &directory->contacts[i]);
	}
	return found;
}

static bool is_among(const char *const *roles, size_t count, const char *role)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(roles[i], role) == 0)
			return true;
	return false;
}

static struct recipient write_to(const struct contact *contact, const char *role,
				 enum recipient_path path)
{
	return (struct recipient){
		.contact = contact,
		.address = contact->email,
		/* A name that no header may hold must not keep the mail from going. */
		.name = unicode_is_safe_line(contact->name) ? contact->name : "",
		.language = contact->language[0] != '\0' ? contact->language : "en",
		.role = role,
		.path = path,
	};
}

/*
 * The role itself, then its stand-ins in their order, then theirs: whom the administrator named
 * for this role comes before whom they named for a stand-in.
 */
static bool search_roles(const struct search *search, const char *wanted, struct recipient *ret)
{
	const char *roles[ROLES_TRIED] = { wanted };
	size_t count = 1;

	for (size_t next = 0; next < count; next++) {
		const struct role_rule *rule;
		enum recipient_path path;
		const struct contact *contact = find_holder(search, roles[next], &path);

		if (contact != NULL) {
			*ret = write_to(contact, roles[next],
					next == 0 ? path : RECIPIENT_STAND_IN);
			return true;
		}
		rule = find_rule(search->rules, search->rule_count, roles[next]);
		for (size_t i = 0; rule != NULL && i < rule->instead_count; i++)
			if (count < ROLES_TRIED && !is_among(roles, count, rule->instead[i]))
				roles[count++] = rule->instead[i];
	}
	return false;
}

static void choose_side(struct search *search, enum side side,
			const struct partnership *partnership)
{
	switch (side) {
	case SIDE_RAISING:
		search->agency = search->challenge->raising_agency;
		search->own_contact = search->challenge->raising_contact;
		break;
	case SIDE_RECEIVING:
		search->agency = search->challenge->receiving_agency;
		search->own_contact = search->challenge->receiving_contact;
		break;
	case SIDE_PARTNERSHIP:
		search->agency = partnership->agency;
		break;
	}
}

struct recipient recipient_find(const struct role *role, const struct challenge *challenge,
				const struct directory *directory,
				const struct partnership *partnership,
				const struct role_rule *rules, size_t rule_count,
				const char *const *domains, size_t domain_count,
				struct refused refused, struct instant now)
{
	struct search search = {
		.challenge = challenge,
		.directory = directory,
		.rules = rules,
		.rule_count = rule_count,
		.domains = domains,
		.domain_count = domain_count,
		.refused = refused,
		.now = now,
	};
	bool to_inbox = role->side == SIDE_PARTNERSHIP && strcmp(role->name, "inbox") == 0;
	struct recipient found;

	choose_side(&search, role->side, partnership);
	if (!to_inbox && search_roles(&search, role->name, &found))
		return found;
	return (struct recipient){
		.address = partnership->inbox,
		.name = "",
		.language = "en",
		.role = role->name,
		.path = RECIPIENT_INBOX,
	};
}
