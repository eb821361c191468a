/*
 * approve_clock.c - `challengectl approve clock`: a person says that the system clock is right,
 * although it jumped, or stands before what the ledger holds.
 */
#include "ctl/commands.h"
#include "ctl/ledger_access.h"

#include <jansson.h>

static int say(struct ctl *ctl, struct instant now)
{
	char rfc3339[INSTANT_TEXT_SIZE];
	char when[WHEN_TEXT_SIZE];

	if (ctl->json)
		return ctl_print_json(
			ctl, json_pack("{s:s}", "confirmed", instant_format(now, 0, rfc3339)));
	(void)fprintf(ctl->out,
		      "The clock is confirmed at %s; the daemon goes on at its next poll.\n",
		      ctl_when(ctl, now, when));
	return EXIT_DONE;
}

static int run_approve_clock(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	/* Not --at: it is the machine's own clock that somebody has looked at. */
	struct instant now = clock_now(ctl->clock);
	struct error error = { 0 };
	const char *by = NULL;
	const char *why = NULL;
	int status;

	if (ctl_option(ctl, &argc, argv, "--by", &by) < 0 ||
	    ctl_option(ctl, &argc, argv, "--why", &why) < 0)
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 0, 0);
	if (status == EXIT_DONE)
		status = ctl_who_and_why(ctl, by, why);
	if (status == EXIT_DONE)
		status = ctl_ledger(ctl, LEDGER_PERSON, &ledger);
	if (status != EXIT_DONE)
		return status;
	if (ledger_confirm_clock(ledger, now, by, why, &error) < 0)
		return ctl_fail(ctl, &error, "");
	return say(ctl, now);
}

const struct command command_approve_clock = {
	.name = "approve clock",
	.summary = "confirm that the system clock is right",
	.usage =
		"Usage: challengectl approve clock --by NAME --why TEXT\n"
		"\n"
		"The daemon decides and sends nothing while the clock makes no sense: when it\n"
		"jumped forward by more than 36 hours, or stands before what the ledger "
		"holds.\n"
		"Set the clock right first, and say so with this command if the daemon goes "
		"on\n"
		"waiting. A clock before the year 2026 cannot be confirmed.\n"
		"\n"
		"Example:\n"
		"  challengectl approve clock --by 'A. Person' --why 'compared with the "
		"radio'\n",
	.run = run_approve_clock,
};
