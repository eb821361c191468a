/*
 * recipient - who holds a role now.
 *
 * Pure: the people come in as a directory read from the store, the stand-ins from the main
 * file. Rules (design section 4, "Roles"): the challenge's own contact if it has that role,
 * else the lowest id present; a deputy replaces who is away; then the role's stand-ins, in
 * order and transitively, each once; then the partnership's inbox, loudly.
 */
#ifndef CORE_RECIPIENT_H
#define CORE_RECIPIENT_H

#include "core/challenge.h"
#include "core/policy.h"

struct contact {
	int64_t id;
	const char *agency;
	const char *role;
	const char *name;
	const char *email;
	const char *language; /* "en" */
	bool shared;          /* a team's mailbox: no greeting by name */
	bool active;
	struct instant away_from;  /* INSTANT_NEVER: not away */
	struct instant away_until; /* INSTANT_NEVER with away_from: no end */
	int64_t deputy;            /* contact id; 0: none */
	struct instant confirmed_at;
};

struct agency {
	const char *id;
	const char *name;
	const char *telephone;
	const char *calendar; /* "": the policy's */
	int64_t cover;        /* contact id; 0: none */
};

/* What the store says of some agencies and their people; sorted by id. Borrowed. */
struct directory {
	const struct agency *agencies;
	size_t agency_count;
	const struct contact *contacts;
	size_t contact_count;
};

/* A role of the main file. */
struct role_rule {
	const char *id;
	const char *title;
	const char *const *instead;
	size_t instead_count;
};

struct partnership {
	const char *agency;    /* id of the agency that holds partnership.R roles */
	const char *name;      /* how mails sign; "" */
	const char *inbox;     /* address of last resort */
	const char *telephone; /* "" */
	const char *emergency; /* the text of risk mails: mail is not the safeguard */
};

enum recipient_path {
	RECIPIENT_HOLDER,   /* has the role */
	RECIPIENT_DEPUTY,   /* stands in for a holder who is away */
	RECIPIENT_STAND_IN, /* has a role that stands in */
	RECIPIENT_INBOX,    /* nobody was found, or "partnership.inbox" was meant */
};

struct recipient {
	const struct contact *contact; /* NULL: the partnership's inbox */
	const char *address;
	const char *name; /* "" for the inbox */
	const char *language;
	const char *role; /* id of the role under which the person was found */
	enum recipient_path path;
};

/* Contacts that must not be used: their address was refused. */
struct refused {
	const int64_t *contact;
	size_t count;
};

/*
 * Who is told at `now` for this role. Always answers: at worst the inbox. Contacts that are
 * inactive, away, refused, or whose address is not sound or not in `domains` are passed over.
 * The result borrows from its arguments.
 */
struct recipient recipient_find(const struct role *role, const struct challenge *challenge,
				const struct directory *directory,
				const struct partnership *partnership,
				const struct role_rule *rules, size_t rule_count,
				const char *const *domains, size_t domain_count,
				struct refused refused, struct instant now);

const struct agency *directory_agency(const struct directory *directory, const char *id);
const struct contact *directory_contact(const struct directory *directory, int64_t id);

/* The title of a role ("Line manager"), or its id where the main file has none. */
const char *role_title(const struct role_rule *rules, size_t count, const char *id);

/* True when the contact is away at that instant. */
bool contact_is_away(const struct contact *contact, struct instant now);

#endif
