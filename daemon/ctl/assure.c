/*
 * assure.c - `challengectl assure`: does every role that a loaded policy speaks of reach a real
 * person in every agency today, and who would stand in? A role that nobody holds is found here,
 * not on the day of an escalation.
 */
#include "base/list.h"
#include "core/address.h"
#include "ctl/commands.h"
#include "ctl/ledger_access.h"
#include "ctl/lookup.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	SOON_DAYS = 14, /* leave that begins within so many days counts as leave */
	ROLES_MOST = 2 * POLICY_ROLES,
	DEPUTIES_MOST = 8, /* as recipient_find follows */
};

struct assure {
	struct ctl *ctl;
	struct instant now;
	struct directory directory; /* of the agency looked at, and those who lead out of it */
	char **agency;              /* the ids of all */
	size_t agency_count;
	int64_t *refused; /* contacts whose address a relay refused, and room for one more */
	size_t refused_count;
	const struct role
		*role[ROLES_MOST]; /* each name once for people, once for partnership */
	size_t role_count;
	json_t *reached;
	json_t *findings;
	struct table table;
	bool failed; /* out of memory */
};

static void assure_clear(struct assure *assure)
{
	for (size_t i = 0; i < assure->agency_count; i++)
		free(assure->agency[i]);
	free(assure->agency);
	free(assure->refused);
	json_decref(assure->reached);
	json_decref(assure->findings);
	table_clear(&assure->table);
}

static void find_fault(struct assure *assure, const char *agency, const char *kind,
		       const char *format, ...) PRINTF_LIKE(4, 5);
static void find_fault(struct assure *assure, const char *agency, const char *kind,
		       const char *format, ...)
{
	char what[400];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(what, sizeof what, format, arguments); /* cut is fine */
	va_end(arguments);
	if (json_array_append_new(assure->findings,
				  json_pack("{s:s, s:s, s:s}", "agency", agency, "kind", kind,
					    "what", what)) < 0)
		assure->failed = true;
}

/* --- who is reached -------------------------------------------------------------------------
 */

/* With `without` (0: nobody) passed over, as if that address were refused, too. */
static struct recipient reach(struct assure *assure, const char *agency,
			      const struct role *role, int64_t without)
{
	const struct config *config = assure->ctl->config;
	const struct challenge challenge = { .raising_agency = agency,
					     .receiving_agency = agency,
					     .protect_by = INSTANT_NEVER };

	assure->refused[assure->refused_count] = without;
	return recipient_find(
		role, &challenge, &assure->directory, &config->partnership, config->roles,
		config->role_count, config->mail.allow_domains, config->mail.allow_domain_count,
		(struct refused){ assure->refused, assure->refused_count + (without != 0) },
		assure->now);
}

static const char *path_word(const struct recipient *recipient)
{
	static const char *const words[] = {
		[RECIPIENT_HOLDER] = "holds it",
		[RECIPIENT_DEPUTY] = "deputy",
		[RECIPIENT_STAND_IN] = "stands in",
		[RECIPIENT_INBOX] = "NOBODY: the partnership's inbox",
	};

	return words[recipient->path];
}

static const char *alternate_word(const struct recipient *alternate)
{
	return alternate->contact != NULL ? alternate->address : "nobody";
}

static void note_reached(struct assure *assure, const char *agency, const struct role *role,
			 const struct recipient *first, const struct recipient *second)
{
	const struct config *config = assure->ctl->config;
	json_t *object = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:o}", "agency", agency, "role", role->name, "title",
		role_title(config->roles, config->role_count, role->name), "reached",
		first->address, "how",
		first->path == RECIPIENT_HOLDER     ? "holder"
		: first->path == RECIPIENT_DEPUTY   ? "deputy"
		: first->path == RECIPIENT_STAND_IN ? "stand_in"
						    : "inbox",
		"alternate",
		second->contact != NULL ? json_string(second->address) : json_null());

	if (json_array_append_new(assure->reached, object) < 0)
		assure->failed = true;
	table_add(&assure->table, (const char *[]){ agency, role->name, path_word(first),
						    first->address, alternate_word(second) });
}

static void look_at_role(struct assure *assure, const char *agency, const struct role *role)
{
	struct recipient first = reach(assure, agency, role, 0);
	struct recipient second = first;

	if (first.contact != NULL)
		second = reach(assure, agency, role, first.contact->id);
	note_reached(assure, agency, role, &first, &second);
	if (first.contact == NULL)
		find_fault(assure, agency, "gap",
			   "nobody is reached as %s: it goes to the partnership's inbox. Add "
			   "one: challengectl contact add --agency %s --role %s",
			   role->name, agency, role->name);
	else if (second.contact == NULL)
		find_fault(assure, agency, "no_alternate",
			   "nobody stands in for %s as %s: name a deputy, or a second contact "
			   "of a role that may stand in",
			   first.address, role->name);
}

/* --- self-escalation ------------------------------------------------------------------------
 */

static void look_at_step(struct assure *assure, const char *agency, const struct policy *policy,
			 const struct stage *from, const struct stage *to)
{
	for (size_t i = 0; i < from->owner.count; i++)
		for (size_t j = 0; j < to->owner.count; j++) {
			const struct role *lower = &policy->roles[from->owner.role[i]];
			const struct role *upper = &policy->roles[to->owner.role[j]];
			struct recipient a = reach(assure, agency, lower, 0);
			struct recipient b = reach(assure, agency, upper, 0);

			if (lower->side == SIDE_PARTNERSHIP || lower->side != upper->side ||
			    a.contact == NULL || a.contact != b.contact)
				continue;
			find_fault(assure, agency, "self_escalation",
				   "%s@%s: from stage %s to stage %s it escalates from %s to "
				   "the same person",
				   policy->id, policy->version, from->id, to->id, a.address);
		}
}

/* Whether an earlier obligation leads from the same stage to the same one. */
static bool is_known_step(const struct policy *policy, size_t which)
{
	const struct obligation *obligation = &policy->obligations[which];

	for (size_t i = 0; i < which; i++)
		if (policy->obligations[i].stage == obligation->stage &&
		    policy->obligations[i].escalate_to == obligation->escalate_to)
			return true;
	return false;
}

static void look_at_policy(struct assure *assure, const char *agency,
			   const struct policy *policy)
{
	for (size_t i = 0; i < policy->obligation_count; i++) {
		const struct obligation *obligation = &policy->obligations[i];

		if (obligation->stage != STAGE_NONE && obligation->escalate_to != STAGE_NONE &&
		    !is_known_step(policy, i))
			look_at_step(assure, agency, policy, &policy->stages[obligation->stage],
				     &policy->stages[obligation->escalate_to]);
	}
}

/* --- contacts -------------------------------------------------------------------------------
 */

static bool is_refused(const struct assure *assure, int64_t contact)
{
	for (size_t i = 0; i < assure->refused_count; i++)
		if (assure->refused[i] == contact)
			return true;
	return false;
}

/* Somebody in the chain of deputies is there at that moment. */
static bool has_deputy(const struct assure *assure, const struct contact *contact,
		       struct instant at)
{
	for (int i = 0; i < DEPUTIES_MOST && contact != NULL && contact->deputy != 0; i++) {
		contact = directory_contact(&assure->directory, contact->deputy);
		if (contact != NULL && contact->active && !is_refused(assure, contact->id) &&
		    !contact_is_away(contact, at))
			return true;
	}
	return false;
}

/* Leave that has begun, or begins soon. */
static void look_at_leave(struct assure *assure, const struct contact *contact)
{
	struct instant soon = instant_add(assure->now, (int64_t)SOON_DAYS * SECONDS_PER_DAY);
	bool away = contact_is_away(contact, assure->now);
	char from[WHEN_TEXT_SIZE];

	if ((!away && !contact_is_away(contact, soon)) ||
	    has_deputy(assure, contact, away ? assure->now : contact->away_from))
		return;
	find_fault(
		assure, contact->agency, "leave",
		contact->deputy == 0
			? "contact %lld: %s is away from %s, and has no deputy: challengectl "
			  "contact away %lld --deputy N"
			: "contact %lld: %s is away from %s, and the deputy is not there "
			  "then: challengectl contact away %lld --deputy N",
		(long long)contact->id, contact->email,
		ctl_when(assure->ctl, contact->away_from, from), (long long)contact->id);
}

static void look_at_contact(struct assure *assure, const struct contact *contact)
{
	const struct config *config = assure->ctl->config;
	struct error error = { 0 };

	if (!contact->active)
		return;
	if (address_check(contact->email, &error) < 0)
		find_fault(assure, contact->agency, "address",
			   "contact %lld: %s: challengectl contact change %lld --email ADDRESS",
			   (long long)contact->id, error.text, (long long)contact->id);
	else if (!address_is_allowed(contact->email, config->mail.allow_domains,
				     config->mail.allow_domain_count))
		find_fault(assure, contact->agency, "domain",
			   "contact %lld: %s is in no domain of mail.allow_domains, and is "
			   "never mailed: challengectl contact change %lld --email ADDRESS",
			   (long long)contact->id, contact->email, (long long)contact->id);
	if (is_refused(assure, contact->id))
		find_fault(
			assure, contact->agency, "bounced",
			"contact %lld: the relay refused %s: challengectl contact change %lld "
			"--email ADDRESS, or --confirm if it is right after all",
			(long long)contact->id, contact->email, (long long)contact->id);
	look_at_leave(assure, contact);
}

/* --- the whole ------------------------------------------------------------------------------
 */

static void add_role(struct assure *assure, const struct role *role)
{
	for (size_t i = 0; i < assure->role_count; i++) {
		const struct role *known = assure->role[i];

		if (strcmp(known->name, role->name) == 0 &&
		    (known->side == SIDE_PARTNERSHIP) == (role->side == SIDE_PARTNERSHIP))
			return;
	}
	if (role->side == SIDE_PARTNERSHIP && strcmp(role->name, "inbox") == 0)
		return; /* meant to be read by whoever reads it */
	if (assure->role_count < ROLES_MOST)
		assure->role[assure->role_count++] = role;
}

static void look_at_agency(struct assure *assure, const char *agency)
{
	const struct config *config = assure->ctl->config;
	bool partnership = strcmp(agency, config->partnership.agency) == 0;

	for (size_t i = 0; i < assure->role_count; i++)
		if ((assure->role[i]->side == SIDE_PARTNERSHIP) == partnership)
			look_at_role(assure, agency, assure->role[i]);
	for (size_t i = 0; !partnership && i < config->policy_count; i++)
		look_at_policy(assure, agency, config->policies[i]);
	for (size_t i = 0; i < assure->directory.contact_count; i++)
		if (strcmp(assure->directory.contacts[i].agency, agency) == 0)
			look_at_contact(assure, &assure->directory.contacts[i]);
}

static int copy_agencies(struct assure *assure)
{
	const struct directory *directory = &assure->directory;

	assure->agency = calloc(directory->agency_count + 1, sizeof *assure->agency);
	for (size_t i = 0; assure->agency != NULL && i < directory->agency_count; i++) {
		assure->agency[i] = strdup(directory->agencies[i].id);
		if (assure->agency[i] == NULL)
			break;
		assure->agency_count++;
	}
	return assure->agency != NULL && assure->agency_count == directory->agency_count
		       ? EXIT_DONE
		       : ctl_cannot(assure->ctl, "out of memory");
}

/* Without a ledger nothing has bounced yet, as far as is known. */
static int read_refused(struct assure *assure)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	CLEANUP(freep) struct ledger_refusal *refusals = NULL;
	struct error error = { 0 };
	size_t count = 0;

	if (ledger_open(ctl_state_folder(assure->ctl->config), LEDGER_READ, &ledger, &error) <
	    0)
		(void)fprintf(assure->ctl->err,
			      "%s: which addresses the relay refused is not known: %s%s\n",
			      assure->ctl->program,
			      error.code == ENOENT ? "the daemon has not run yet" : error.text,
			      error.code == EACCES
				      ? " (run this as root or as the daemon's user)"
				      : "");
	else if (ledger_refused_contacts(ledger, &refusals, &count, &error) < 0)
		return ctl_fail(assure->ctl, &error, "");
	assure->refused = calloc(count + 1, sizeof *assure->refused);
	if (assure->refused == NULL)
		return ctl_cannot(assure->ctl, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const struct contact *contact =
			directory_contact(&assure->directory, refusals[i].contact);

		/* Confirmed since: the daemon forgets the refusal when it next writes. */
		if (contact != NULL && (instant_is_never(contact->confirmed_at) ||
					!instant_before(refusals[i].at, contact->confirmed_at)))
			assure->refused[assure->refused_count++] = refusals[i].contact;
	}
	return EXIT_DONE;
}

/* One agency at a time: a country's people would be searched through for each role of each. */
static int look_at_all(struct assure *assure, struct store *store)
{
	const struct config *config = assure->ctl->config;
	bool partnership = false;
	struct error error = { 0 };

	for (size_t i = 0; i < config->policy_count; i++)
		for (size_t j = 0; j < config->policies[i]->role_count; j++)
			add_role(assure, &config->policies[i]->roles[j]);
	for (size_t i = 0; i < assure->agency_count; i++) {
		const char *agency = assure->agency[i];

		if (store_directory(store, &agency, 1, &assure->directory, &error) < 0)
			return ctl_fail(assure->ctl, &error, "");
		look_at_agency(assure, agency);
		partnership |= strcmp(agency, config->partnership.agency) == 0;
	}
	if (!partnership)
		find_fault(assure, config->partnership.agency, "gap",
			   "the partnership's own agency is not in the store: all that it is "
			   "told goes to its inbox. Add it: challengectl agency add %s --name "
			   "NAME",
			   config->partnership.agency);
	return assure->failed ? ctl_cannot(assure->ctl, "out of memory") : EXIT_DONE;
}

static int print(struct assure *assure)
{
	FILE *out = assure->ctl->out;
	size_t count = json_array_size(assure->findings);
	int status = table_print(assure->ctl, &assure->table);

	if (status != EXIT_DONE)
		return status;
	(void)fputc('\n', out);
	for (size_t i = 0; i < count; i++) {
		const json_t *finding = json_array_get(assure->findings, i);

		(void)fprintf(out, "%s%s:%s %s\n", terminal_shade(out, SHADE_BAD),
			      json_string_value(json_object_get(finding, "agency")),
			      terminal_plain(out),
			      json_string_value(json_object_get(finding, "what")));
	}
	(void)fprintf(out, "%s\n",
		      count == 0 ? "Everybody is reached, and somebody stands in for each."
				 : "");
	return EXIT_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	static const char *const heads[] = { "AGENCY", "ROLE", "HOW", "REACHED TODAY", "ELSE" };
	CLEANUP(store_closep) struct store *store = NULL;
	CLEANUP(assure_clear)
	struct assure assure = { .ctl = ctl,
				 .table = { .heads = heads, .columns = COUNT(heads) } };
	struct error error = { 0 };
	size_t count;
	int status = ctl_arguments(ctl, argc, argv, 0, 0);

	if (status == EXIT_DONE)
		status = ctl_open_store(ctl, &store);
	if (status != EXIT_DONE)
		return status;
	if (!ctl_now(ctl, calendar_zone(ctl->config->calendars[0].calendar), &assure.now))
		return EXIT_USAGE;
	if (store_begin(store, &error) < 0 ||
	    store_directory(store, NULL, 0, &assure.directory, &error) < 0)
		return ctl_fail(ctl, &error, "");
	status = copy_agencies(&assure);
	if (status == EXIT_DONE)
		status = read_refused(&assure);
	if (status != EXIT_DONE)
		return status;
	assure.reached = json_array();
	assure.findings = json_array();
	if (assure.reached == NULL || assure.findings == NULL)
		return ctl_cannot(ctl, "out of memory");
	status = look_at_all(&assure, store);
	if (status != EXIT_DONE)
		return status;
	store_end(store);
	count = json_array_size(assure.findings);
	status = ctl->json ? ctl_print_json(ctl,
					    json_pack("{s:O, s:O}", "reached", assure.reached,
						      "findings", assure.findings))
			   : print(&assure);
	return status != EXIT_DONE ? status : count == 0 ? EXIT_DONE : EXIT_NO;
}

const struct command command_assure = {
	.name = "assure",
	.summary = "does every role in every agency reach somebody, and an alternate?",
	.usage = "Usage: challengectl assure [--at TIME]\n"
		 "\n"
		 "For every agency and every role of the loaded policies: who is reached, and "
		 "who\n"
		 "would be if that person were not. Then all that is in the way: nobody in a "
		 "role,\n"
		 "nobody to stand in, somebody who would escalate to themselves, leave without "
		 "a\n"
		 "deputy who is there, addresses that are never mailed or that bounced. Exit "
		 "status\n"
		 "1 when there is anything.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl assure --at 2026-12-24\n",
	.run = run,
};
