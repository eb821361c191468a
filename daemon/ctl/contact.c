/* contact.c - challengectl contact add, away and list: who holds which role. */
#include "base/text.h"
#include "core/address.h"
#include "ctl/commands.h"
#include "ctl/exchange.h"
#include "ctl/ledger_access.h"
#include "ctl/lookup.h"
#include "ctl/terminal.h"

#include <jansson.h>
#include <string.h>

/* Absences are typed in the partnership's own local time: that of the first calendar. */
static const struct zone *home_zone(const struct config *config)
{
	return config->calendar_count > 0 ? calendar_zone(config->calendars[0].calendar) : NULL;
}

/* --- add ------------------------------------------------------------------------------------
 */

/* An address that could never be written to is refused now, not found out in a crisis. */
static int check_address(struct ctl *ctl, const char *address)
{
	const struct config *config = ctl_config(ctl);
	struct error error = { 0 };

	if (config == NULL)
		return EXIT_COULD_NOT;
	if (address_check(address, &error) < 0)
		return ctl_usage(ctl, "--email: %s", error.text);
	if (!address_is_allowed(address, config->mail.allow_domains,
				config->mail.allow_domain_count))
		return ctl_unknown(ctl, "allowed domain for", address,
				   config->mail.allow_domains, config->mail.allow_domain_count);
	return EXIT_DONE;
}

static int check_contact(struct ctl *ctl, struct store *store, struct contact *contact,
			 const char *deputy)
{
	struct directory directory = { 0 };
	int status = ctl_directory(ctl, store, &directory);

	if (status == EXIT_DONE)
		status = ctl_check_agency(ctl, &directory, contact->agency);
	if (status == EXIT_DONE)
		status = ctl_find_contact(ctl, &directory, "--deputy", deputy, NULL,
					  &contact->deputy);
	return status;
}

static int run_add(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(writing_clear) struct writing writing = { 0 };
	struct contact contact = {
		.name = "",
		.language = "en",
		.active = true,
		.away_from = INSTANT_NEVER,
		.away_until = INSTANT_NEVER,
		.shared = ctl_flag(&argc, argv, "--shared"),
	};
	const char *deputy = NULL;
	struct error error = { 0 };
	int64_t id = 0;
	int status;

	if (!ctl_options(ctl, &argc, argv,
			 (struct ctl_option[]){ { "--agency", &contact.agency },
						{ "--role", &contact.role },
						{ "--email", &contact.email },
						{ "--name", &contact.name },
						{ "--language", &contact.language },
						{ "--deputy", &deputy } },
			 6))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 0, 0);
	if (status != EXIT_DONE)
		return status;
	if (contact.agency == NULL || contact.role == NULL || contact.email == NULL)
		return ctl_usage(ctl, "contact add needs --agency, --role and --email");
	if (ctl_config(ctl) == NULL)
		return EXIT_COULD_NOT;
	if (!ctl_now(ctl, home_zone(ctl->config), &contact.confirmed_at))
		return EXIT_USAGE;
	status = check_address(ctl, contact.email);
	if (status == EXIT_DONE)
		status = ctl_check_role(ctl, contact.role);
	if (status == EXIT_DONE)
		status = ctl_writing_begin(ctl, &writing);
	if (status == EXIT_DONE)
		status = check_contact(ctl, writing.store, &contact, deputy);
	if (status == EXIT_DONE &&
	    register_contact(writing.registrar, &contact, &id, &error) < 0)
		status = ctl_fail(ctl, &error, "");
	if (status == EXIT_DONE)
		status = ctl_writing_end(ctl, &writing, EXIT_DONE);
	if (status != EXIT_DONE)
		return status;
	if (ctl->json)
		return ctl_print_json(ctl, json_pack("{s:I}", "contact", (json_int_t)id));
	(void)fprintf(ctl->out, "contact %lld: %s of %s, %s\n", (long long)id, contact.role,
		      contact.agency, contact.email);
	return EXIT_DONE;
}

/* --- change --------------------------------------------------------------------------------
 */

/* As typed; NULL: stays as it is. */
struct typed {
	const char *role;
	const char *email;
	const char *name;
	const char *language;
	const char *deputy; /* a number, or "none" */
	const char *shared;
	const char *active;
	bool confirm;
};

static bool is_nothing(const struct typed *typed)
{
	return typed->role == NULL && typed->email == NULL && typed->name == NULL &&
	       typed->language == NULL && typed->deputy == NULL && typed->shared == NULL &&
	       typed->active == NULL && !typed->confirm;
}

static int take_flag(struct ctl *ctl, const char *what, const char *typed, bool *ret)
{
	if (typed == NULL || exchange_flag(typed, ret))
		return EXIT_DONE;
	return ctl_usage(ctl, "%s: write yes or no, not \"%s\"", what, typed);
}

/* A new address, and one that was put out of use before, is as good as confirmed now. */
static int apply_typed(struct ctl *ctl, const struct directory *directory,
		       const struct typed *typed, const struct contact *was,
		       struct contact *ret)
{
	int status = EXIT_DONE;

	*ret = *was;
	if (typed->email != NULL)
		status = check_address(ctl, typed->email);
	if (status == EXIT_DONE && typed->role != NULL)
		status = ctl_check_role(ctl, typed->role);
	if (status == EXIT_DONE)
		status = take_flag(ctl, "--shared", typed->shared, &ret->shared);
	if (status == EXIT_DONE)
		status = take_flag(ctl, "--active", typed->active, &ret->active);
	if (status == EXIT_DONE && typed->deputy != NULL)
		status = ctl_find_contact(ctl, directory, "--deputy",
					  strcmp(typed->deputy, "none") != 0 ? typed->deputy
									     : NULL,
					  NULL, &ret->deputy);
	if (status != EXIT_DONE)
		return status;
	ret->role = typed->role != NULL ? typed->role : was->role;
	ret->email = typed->email != NULL ? typed->email : was->email;
	ret->name = typed->name != NULL ? typed->name : was->name;
	ret->language = typed->language != NULL ? typed->language : was->language;
	if ((typed->confirm || typed->email != NULL || ret->active != was->active) &&
	    !ctl_now(ctl, home_zone(ctl->config), &ret->confirmed_at))
		return EXIT_USAGE;
	return EXIT_DONE;
}

static int write_change(struct ctl *ctl, struct writing *writing, const struct typed *typed,
			const char *number, int64_t *ret_id, struct text *said)
{
	struct directory directory = { 0 };
	struct contact contact;
	struct error error = { 0 };
	int status = ctl_directory(ctl, writing->store, &directory);

	if (status == EXIT_DONE)
		status = ctl_find_contact(ctl, &directory, "contact change", number, NULL,
					  ret_id);
	if (status == EXIT_DONE)
		status = apply_typed(ctl, &directory, typed,
				     directory_contact(&directory, *ret_id), &contact);
	if (status != EXIT_DONE)
		return status;
	if (register_change_contact(writing->registrar, directory_contact(&directory, *ret_id),
				    &contact, &error) < 0)
		return ctl_fail(ctl, &error, "");
	text_appendf(said, "contact %lld: %s of %s, %s%s\n", (long long)*ret_id, contact.role,
		     contact.agency, contact.email, contact.active ? "" : ", not active");
	return EXIT_DONE;
}

/* Said is only what has been written, by when the contact is not there to be read any more. */
static int change_and_say(struct ctl *ctl, const struct typed *typed, const char *number)
{
	CLEANUP(writing_clear) struct writing writing = { 0 };
	CLEANUP(text_clear) struct text said = { 0 };
	int64_t id = 0;
	int status = ctl_writing_begin(ctl, &writing);

	if (status == EXIT_DONE)
		status = ctl_writing_end(
			ctl, &writing, write_change(ctl, &writing, typed, number, &id, &said));
	if (status != EXIT_DONE)
		return status;
	if (ctl->json)
		return ctl_print_json(ctl, json_pack("{s:I}", "contact", (json_int_t)id));
	(void)fputs(text_string(&said), ctl->out);
	return EXIT_DONE;
}

static int run_change(struct ctl *ctl, int argc, char **argv)
{
	struct typed typed = { .confirm = ctl_flag(&argc, argv, "--confirm") };
	int status;

	if (!ctl_options(ctl, &argc, argv,
			 (struct ctl_option[]){ { "--role", &typed.role },
						{ "--email", &typed.email },
						{ "--name", &typed.name },
						{ "--language", &typed.language },
						{ "--deputy", &typed.deputy },
						{ "--shared", &typed.shared },
						{ "--active", &typed.active } },
			 7))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 1, 1);
	if (status != EXIT_DONE)
		return status;
	if (is_nothing(&typed))
		return ctl_usage(ctl, "contact change needs what is to be changed");
	return change_and_say(ctl, &typed, argv[0]);
}

/* --- away -----------------------------------------------------------------------------------
 */

static bool parse_absence(struct ctl *ctl, const char *from, const char *until,
			  struct absence *ret)
{
	const struct zone *zone = home_zone(ctl->config);

	if (from == NULL) {
		if (!ctl_now(ctl, zone, &ret->from))
			return false;
	} else if (!ctl_time(ctl, zone, "--from", from, &ret->from)) {
		return false;
	}
	return until == NULL || ctl_time(ctl, zone, "--until", until, &ret->until);
}

static int write_absence(struct ctl *ctl, struct writing *writing, struct absence *absence,
			 const char *typed, const char *deputy)
{
	struct directory directory = { 0 };
	struct error error = { 0 };
	int status = ctl_directory(ctl, writing->store, &directory);

	if (status == EXIT_DONE)
		status = ctl_find_contact(ctl, &directory, "contact away", typed, NULL,
					  &absence->contact);
	if (status == EXIT_DONE)
		status = ctl_find_contact(ctl, &directory, "--deputy", deputy, NULL,
					  &absence->deputy);
	if (status == EXIT_DONE && register_away(writing->registrar, absence, &error) < 0)
		status = ctl_fail(ctl, &error, "");
	return status;
}

static int say_absence(struct ctl *ctl, const struct absence *absence)
{
	char from[WHEN_TEXT_SIZE];
	char until[WHEN_TEXT_SIZE];

	if (ctl->json)
		return ctl_print_json(
			ctl, json_pack("{s:I}", "contact", (json_int_t)absence->contact));
	if (instant_is_never(absence->from)) {
		(void)fprintf(ctl->out, "contact %lld: back\n", (long long)absence->contact);
		return EXIT_DONE;
	}
	(void)fprintf(ctl->out, "contact %lld: away from %s until %s",
		      (long long)absence->contact, ctl_when(ctl, absence->from, from),
		      instant_is_never(absence->until) ? "further notice"
						       : ctl_when(ctl, absence->until, until));
	if (absence->deputy != 0)
		(void)fprintf(ctl->out, "; deputy: %lld", (long long)absence->deputy);
	(void)fputc('\n', ctl->out);
	return EXIT_DONE;
}

static int run_away(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(writing_clear) struct writing writing = { 0 };
	struct absence absence = { .from = INSTANT_NEVER, .until = INSTANT_NEVER };
	bool back = ctl_flag(&argc, argv, "--back");
	const char *from = NULL;
	const char *until = NULL;
	const char *deputy = NULL;
	int status;

	if (!ctl_options(ctl, &argc, argv,
			 (struct ctl_option[]){ { "--from", &from },
						{ "--until", &until },
						{ "--deputy", &deputy } },
			 3))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 1, 1);
	if (status != EXIT_DONE)
		return status;
	if (back && (from != NULL || until != NULL))
		return ctl_usage(ctl, "--back goes with neither --from nor --until");
	if (ctl_config(ctl) == NULL)
		return EXIT_COULD_NOT;
	if (!back && !parse_absence(ctl, from, until, &absence))
		return EXIT_USAGE;
	status = ctl_writing_begin(ctl, &writing);
	if (status == EXIT_DONE)
		status = ctl_writing_end(
			ctl, &writing, write_absence(ctl, &writing, &absence, argv[0], deputy));
	return status == EXIT_DONE ? say_absence(ctl, &absence) : status;
}

/* --- list -----------------------------------------------------------------------------------
 */

static json_t *number_or_null(int64_t number)
{
	return number != 0 ? json_integer(number) : json_null();
}

static json_t *time_or_null(const struct zone *zone, struct instant at)
{
	char text[INSTANT_TEXT_SIZE];

	return instant_is_never(at) ? json_null() : json_string(ctl_time_text(zone, at, text));
}

static json_t *contact_json(const struct zone *zone, const struct contact *contact)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:o, s:o, s:o, s:o}", "id",
			 (json_int_t)contact->id, "agency", contact->agency, "role",
			 contact->role, "name", contact->name, "email", contact->email,
			 "language", contact->language, "shared", contact->shared, "active",
			 contact->active, "away_from", time_or_null(zone, contact->away_from),
			 "away_until", time_or_null(zone, contact->away_until), "deputy",
			 number_or_null(contact->deputy), "confirmed_at",
			 time_or_null(zone, contact->confirmed_at));
}

static void add_contact(struct ctl *ctl, struct table *table, const struct contact *contact)
{
	CLEANUP(text_clear) struct text id = { 0 };
	CLEANUP(text_clear) struct text name = { 0 };
	char from[WHEN_TEXT_SIZE];
	char until[WHEN_TEXT_SIZE];

	text_appendf(&id, "%lld", (long long)contact->id);
	text_appendf(&name, "%s%s%s", contact->name, contact->shared ? " (a team)" : "",
		     contact->active ? "" : " (not active)");
	if (!instant_is_never(contact->away_from))
		text_appendf(&name, " (away from %s until %s)",
			     ctl_when(ctl, contact->away_from, from),
			     instant_is_never(contact->away_until)
				     ? "further notice"
				     : ctl_when(ctl, contact->away_until, until));
	if (contact->deputy != 0)
		text_appendf(&name, " (deputy: %lld)", (long long)contact->deputy);
	table_add(table, (const char *[]){ text_string(&id), contact->agency, contact->role,
					   contact->email, text_string(&name) });
}

static int run_list(struct ctl *ctl, int argc, char **argv)
{
	static const char *const heads[] = { ">CONTACT", "AGENCY", "ROLE", "ADDRESS", "NAME" };
	CLEANUP(table_clear) struct table table = { .heads = heads, .columns = COUNT(heads) };
	CLEANUP(store_closep) struct store *store = NULL;
	struct directory directory = { 0 };
	const char *agency = NULL;
	json_t *list;
	int status;

	if (ctl_option(ctl, &argc, argv, "--agency", &agency) < 0)
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 0, 0);
	if (status == EXIT_DONE)
		status = ctl_open_store(ctl, &store);
	if (status == EXIT_DONE)
		status = ctl_directory(ctl, store, &directory);
	if (status == EXIT_DONE && agency != NULL)
		status = ctl_check_agency(ctl, &directory, agency);
	if (status != EXIT_DONE)
		return status;

	const struct zone *zone = home_zone(ctl->config);

	list = json_array();
	for (size_t i = 0; i < directory.contact_count; i++) {
		const struct contact *contact = &directory.contacts[i];

		if (agency != NULL && strcmp(contact->agency, agency) != 0)
			continue;
		if (!ctl->json)
			add_contact(ctl, &table, contact);
		else if (json_array_append_new(list, contact_json(zone, contact)) < 0)
			status = ctl_cannot(ctl, "out of memory");
	}
	if (ctl->json && status == EXIT_DONE)
		return ctl_print_json(ctl, list);
	json_decref(list);
	return status == EXIT_DONE ? table_print(ctl, &table) : status;
}

const struct command command_contact_add = {
	.name = "contact add",
	.summary = "add a person or a team's mailbox to an agency",
	.usage = "Usage: challengectl contact add --agency ID --role ROLE --email ADDRESS\n"
		 "         [--name NAME] [--language en] [--shared] [--deputy CONTACT]\n"
		 "\n"
		 "  --role      one of the main file's roles\n"
		 "  --shared    a team's mailbox: mails greet nobody by name\n"
		 "  --deputy    number of the contact who stands in while this one is away\n"
		 "\n"
		 "Example:\n"
		 "  challengectl contact add --agency school --role practitioner \\\n"
		 "    --email a.teacher@school.example --name 'A. Teacher'\n",
	.run = run_add,
};

const struct command command_contact_change = {
	.name = "contact change",
	.summary = "correct a contact, or put one out of use",
	.usage = "Usage: challengectl contact change CONTACT [--role ROLE] [--email ADDRESS]\n"
		 "         [--name NAME] [--language L] [--deputy CONTACT|none]\n"
		 "         [--shared yes|no] [--active yes|no] [--confirm]\n"
		 "\n"
		 "What is not given stays as it is. Whoever has left is made inactive, and is "
		 "written\n"
		 "to no more; the record of earlier mails stays.\n"
		 "\n"
		 "  --confirm   the address is right, although a relay refused it once; a new "
		 "one\n"
		 "              needs no confirming\n"
		 "\n"
		 "Examples:\n"
		 "  challengectl contact change 7 --email a.teacher@new-school.example\n"
		 "  challengectl contact change 7 --active no\n",
	.run = run_change,
};

const struct command command_contact_away = {
	.name = "contact away",
	.summary = "say that somebody is away, or back",
	.usage = "Usage: challengectl contact away CONTACT [--from TIME] [--until TIME]\n"
		 "         [--deputy CONTACT] | --back\n"
		 "\n"
		 "Without --from: from now; without --until: until further notice.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl contact away 7 --from 2026-12-24 --until 2027-01-04 --deputy "
		 "9\n",
	.run = run_away,
};

const struct command command_contact_list = {
	.name = "contact list",
	.summary = "list the people and mailboxes",
	.usage = "Usage: challengectl contact list [--agency ID]\n"
		 "\n"
		 "Example:\n"
		 "  challengectl contact list --agency school\n",
	.run = run_list,
};
