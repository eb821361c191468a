/* agency.c - challengectl agency add and list: the organisations of the partnership. */
#include "ctl/commands.h"
#include "ctl/lookup.h"
#include "ctl/terminal.h"

#include <jansson.h>
#include <string.h>

/* --- add ------------------------------------------------------------------------------------
 */

static int check_calendar(struct ctl *ctl, const char *id)
{
	const struct config *config = ctl_config(ctl);

	if (config == NULL)
		return EXIT_COULD_NOT;
	if (id[0] != '\0' && config_calendar(config, id) == NULL) {
		const char *known = config->calendar_count > 0 ? config->calendars[0].id : "";

		return ctl_unknown(ctl, "calendar", id, &known,
				   config->calendar_count > 0 ? 1 : 0);
	}
	return EXIT_DONE;
}

static int write_agency(struct ctl *ctl, struct agency *agency, const char *cover, bool replace)
{
	CLEANUP(register_closep) struct registrar *registrar = NULL;
	struct error error = { 0 };
	int status = check_calendar(ctl, agency->calendar);

	if (status == EXIT_DONE && cover != NULL &&
	    !ctl_number(ctl, "--cover", cover, &agency->cover))
		status = EXIT_USAGE;
	if (status == EXIT_DONE)
		status = ctl_open_register(ctl, &registrar);
	if (status != EXIT_DONE)
		return status;
	if (register_agency(registrar, agency, replace, &error) < 0)
		return ctl_fail(ctl, &error, "");
	if (ctl->json)
		return ctl_print_json(ctl, json_pack("{s:s}", "agency", agency->id));
	(void)fprintf(ctl->out, "%s: %s\n", agency->id, replace ? "changed" : "added");
	return EXIT_DONE;
}

static int run_add(struct ctl *ctl, int argc, char **argv)
{
	struct agency agency = { .name = "", .telephone = "", .calendar = "" };
	const char *cover = NULL;
	bool replace = ctl_flag(&argc, argv, "--replace");
	int status;

	if (!ctl_options(ctl, &argc, argv,
			 (struct ctl_option[]){ { "--name", &agency.name },
						{ "--telephone", &agency.telephone },
						{ "--calendar", &agency.calendar },
						{ "--cover", &cover } },
			 4))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 1, 1);
	if (status != EXIT_DONE)
		return status;
	if (agency.name[0] == '\0')
		return ctl_usage(ctl, "agency add needs --name");
	agency.id = argv[0];
	return write_agency(ctl, &agency, cover, replace);
}

/* --- list -----------------------------------------------------------------------------------
 */

static json_t *agency_json(const struct agency *agency)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "id", agency->id, "name", agency->name,
			 "telephone", agency->telephone, "calendar", agency->calendar, "cover",
			 agency->cover != 0 ? json_integer(agency->cover) : json_null());
}

static int run_list(struct ctl *ctl, int argc, char **argv)
{
	static const char *const heads[] = { "AGENCY", "NAME", "TELEPHONE", "CALENDAR" };
	CLEANUP(table_clear) struct table table = { .heads = heads, .columns = COUNT(heads) };
	CLEANUP(store_closep) struct store *store = NULL;
	struct directory directory = { 0 };
	struct error error = { 0 };
	int status = ctl_arguments(ctl, argc, argv, 0, 0);

	if (status == EXIT_DONE)
		status = ctl_open_store(ctl, &store);
	if (status != EXIT_DONE)
		return status;
	if (store_directory(store, NULL, 0, &directory, &error) < 0)
		return ctl_fail(ctl, &error, "");
	if (ctl->json) {
		json_t *list = json_array();

		for (size_t i = 0; i < directory.agency_count; i++)
			if (json_array_append_new(list, agency_json(&directory.agencies[i])) <
			    0) {
				json_decref(list);
				return ctl_cannot(ctl, "out of memory");
			}
		return ctl_print_json(ctl, list);
	}
	for (size_t i = 0; i < directory.agency_count; i++) {
		const struct agency *agency = &directory.agencies[i];

		table_add(&table, (const char *[]){ agency->id, agency->name, agency->telephone,
						    agency->calendar });
	}
	return table_print(ctl, &table);
}

const struct command command_agency_add = {
	.name = "agency add",
	.summary = "add an agency, or change one",
	.usage =
		"Usage: challengectl agency add ID --name NAME [--telephone NUMBER]\n"
		"         [--calendar CALENDAR] [--cover CONTACT] [--replace]\n"
		"\n"
		"  --calendar   its own hours, one of the main file's calendars\n"
		"  --cover      number of the contact who answers while it is closed for long\n"
		"  --replace    sets all of these anew for an agency that is there\n"
		"\n"
		"Example:\n"
		"  challengectl agency add school --name 'Example School' --telephone "
		"01632960001\n",
	.run = run_add,
};

const struct command command_agency_list = {
	.name = "agency list",
	.summary = "list the agencies",
	.usage = "Usage: challengectl agency list\n"
		 "\n"
		 "Example:\n"
		 "  challengectl agency list --json\n",
	.run = run_list,
};
