/* agency.c - challengectl agency add, change and list: the organisations of the partnership. */
#include "ctl/commands.h"
#include "ctl/lookup.h"
#include "ctl/terminal.h"

#include <errno.h>
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

/* NULL or "none": nobody. */
static int find_cover(struct ctl *ctl, const struct directory *directory, const char *typed,
		      int64_t *ret)
{
	if (typed != NULL && strcmp(typed, "none") == 0)
		typed = NULL;
	return ctl_find_contact(ctl, directory, "--cover", typed, NULL, ret);
}

static int say(struct ctl *ctl, const char *id, const char *what)
{
	if (ctl->json)
		return ctl_print_json(ctl, json_pack("{s:s}", "agency", id));
	(void)fprintf(ctl->out, "%s: %s\n", id, what);
	return EXIT_DONE;
}

static int add(struct ctl *ctl, struct agency *agency, const char *cover)
{
	CLEANUP(writing_clear) struct writing writing = { 0 };
	struct directory directory = { 0 };
	struct error error = { 0 };
	int status = check_calendar(ctl, agency->calendar);

	if (status == EXIT_DONE)
		status = ctl_writing_begin(ctl, &writing);
	if (status == EXIT_DONE)
		status = ctl_directory(ctl, writing.store, &directory);
	if (status == EXIT_DONE)
		status = find_cover(ctl, &directory, cover, &agency->cover);
	if (status != EXIT_DONE)
		return status;
	if (register_agency(writing.registrar, agency, &error) < 0)
		return ctl_fail(ctl, &error,
				error.code == EEXIST ? "\"agency change\" changes it." : "");
	status = ctl_writing_end(ctl, &writing, EXIT_DONE);
	return status == EXIT_DONE ? say(ctl, agency->id, "added") : status;
}

static int run_add(struct ctl *ctl, int argc, char **argv)
{
	struct agency agency = { .name = "", .telephone = "", .calendar = "" };
	const char *cover = NULL;
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
	return add(ctl, &agency, cover);
}

/* --- change --------------------------------------------------------------------------------
 */

/* As typed; NULL: stays as it is. */
struct typed {
	const char *name;
	const char *telephone;
	const char *calendar;
	const char *cover;
};

static int apply(struct ctl *ctl, struct writing *writing, const char *id,
		 const struct typed *typed)
{
	struct directory directory = { 0 };
	struct error error = { 0 };
	struct agency agency;
	int status = ctl_directory(ctl, writing->store, &directory);

	if (status == EXIT_DONE)
		status = ctl_check_agency(ctl, &directory, id);
	if (status != EXIT_DONE)
		return status;

	const struct agency *was = directory_agency(&directory, id);

	agency = *was;
	agency.name = typed->name != NULL ? typed->name : agency.name;
	agency.telephone = typed->telephone != NULL ? typed->telephone : agency.telephone;
	agency.calendar = typed->calendar != NULL ? typed->calendar : agency.calendar;
	if (typed->cover != NULL)
		status = find_cover(ctl, &directory, typed->cover, &agency.cover);
	if (status == EXIT_DONE &&
	    register_change_agency(writing->registrar, was, &agency, &error) < 0)
		status = ctl_fail(ctl, &error, "");
	return status;
}

static int run_change(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(writing_clear) struct writing writing = { 0 };
	struct typed typed = { 0 };
	int status;

	if (!ctl_options(ctl, &argc, argv,
			 (struct ctl_option[]){ { "--name", &typed.name },
						{ "--telephone", &typed.telephone },
						{ "--calendar", &typed.calendar },
						{ "--cover", &typed.cover } },
			 4))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 1, 1);
	if (status != EXIT_DONE)
		return status;
	if (typed.name == NULL && typed.telephone == NULL && typed.calendar == NULL &&
	    typed.cover == NULL)
		return ctl_usage(ctl, "agency change needs what is to be changed");
	if (typed.calendar != NULL && strcmp(typed.calendar, "none") == 0)
		typed.calendar = "";
	status = check_calendar(ctl, typed.calendar != NULL ? typed.calendar : "");
	if (status == EXIT_DONE)
		status = ctl_writing_begin(ctl, &writing);
	if (status == EXIT_DONE)
		status = ctl_writing_end(ctl, &writing, apply(ctl, &writing, argv[0], &typed));
	return status == EXIT_DONE ? say(ctl, argv[0], "changed") : status;
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
	int status = ctl_arguments(ctl, argc, argv, 0, 0);

	if (status == EXIT_DONE)
		status = ctl_open_store(ctl, &store);
	if (status == EXIT_DONE)
		status = ctl_directory(ctl, store, &directory);
	if (status != EXIT_DONE)
		return status;
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
	.summary = "add an agency",
	.usage =
		"Usage: challengectl agency add ID --name NAME [--telephone NUMBER]\n"
		"         [--calendar CALENDAR] [--cover CONTACT]\n"
		"\n"
		"  --calendar   its own hours, one of the main file's calendars\n"
		"  --cover      number of the contact who answers while it is closed for long\n"
		"\n"
		"Example:\n"
		"  challengectl agency add school --name 'Example School' --telephone "
		"01632960001\n",
	.run = run_add,
};

const struct command command_agency_change = {
	.name = "agency change",
	.summary = "correct an agency",
	.usage = "Usage: challengectl agency change ID [--name NAME] [--telephone NUMBER]\n"
		 "         [--calendar CALENDAR|none] [--cover CONTACT|none]\n"
		 "\n"
		 "What is not given stays as it is.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl agency change school --telephone '01632 960009'\n",
	.run = run_change,
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
