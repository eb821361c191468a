/* init.c - challengectl init: makes the store that the configuration names. */
#include "ctl/commands.h"
#include "ctl/lookup.h"

#include <errno.h>
#include <jansson.h>

static int run(struct ctl *ctl, int argc, char **argv)
{
	const struct config *config;
	struct error error = { 0 };
	int status = ctl_arguments(ctl, argc, argv, 0, 0);

	if (status != EXIT_DONE)
		return status;
	config = ctl_config(ctl);
	if (config == NULL)
		return EXIT_COULD_NOT;
	if (register_init(config->store, &error) < 0)
		return ctl_fail(
			ctl, &error,
			error.code == EEXIST
				? "A store that exists is never overwritten"
				: "The folder must exist and be writable for this user");
	if (ctl->json)
		return ctl_print_json(ctl, json_pack("{s:s}", "store", config->store));
	(void)fprintf(ctl->out, "%s: an empty store, ready to be filled\n", config->store);
	return EXIT_DONE;
}

const struct command command_init = {
	.name = "init",
	.summary = "make the store that the configuration names",
	.usage = "Usage: challengectl init\n"
		 "\n"
		 "Refuses when there is a file already. The file is for its group, too (0660), "
		 "and\n"
		 "its folder should be setgid to that group (2770).\n"
		 "\n"
		 "Example:\n"
		 "  challengectl init\n",
	.run = run,
};
