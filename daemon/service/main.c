/* main.c - challenge-notifyd: reads the command line, and starts the loop or one cycle. */
#include "base/text.h"
#include "service/engine.h"
#include "service/once.h"
#include "service/service.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static const char help[] =
	"Usage: challenge-notifyd [--config FILE] [--once | --check-config]\n"
	"\n"
	"Watches the challenge store, holds open challenges against the policy's timescales,\n"
	"and mails reminders and escalations.\n"
	"\n"
	"  --config FILE    the main file (default " CONFIG_FILE ")\n"
	"  --once           one full cycle: poll, decide, try every ready mail once; then "
	"exit\n"
	"  --check-config   print every fault as FILE:LINE: key: what is wrong; exit 1 if any\n"
	"  --version        print the version\n"
	"  --help           print this\n"
	"\n"
	"Exit status: 0 done; 1 faults found; 2 usage; 3 another daemon holds the lock, or "
	"the\n"
	"state, the store (--once) or the clock cannot be used; 78 the configuration is bad, "
	"or\n"
	"the ledger of a newer version.\n";

enum mode { MODE_SERVICE, MODE_ONCE, MODE_CHECK, MODE_VERSION, MODE_HELP };

struct options {
	const char *config_file;
	enum mode mode;
};

/* False after getopt_long has said what is wrong. */
static bool read_options(int argc, char **argv, struct options *ret)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "once", no_argument, NULL, MODE_ONCE },
		{ "check-config", no_argument, NULL, MODE_CHECK },
		{ "version", no_argument, NULL, MODE_VERSION },
		{ "help", no_argument, NULL, MODE_HELP },
		{ 0 },
	};
	struct options options = { .config_file = CONFIG_FILE };
	int found;

	while ((found = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (found == '?')
			return false;
		if (found == 'c')
			options.config_file = optarg;
		else if (options.mode < (enum mode)found)
			options.mode = (enum mode)found;
	}
	if (optind < argc) {
		(void)fprintf(stderr, "challenge-notifyd: unexpected \"%s\"\n", argv[optind]);
		return false;
	}
	*ret = options;
	return true;
}

static int check_config(const char *file)
{
	CLEANUP(fault_list_clear) struct fault_list faults = { 0 };
	CLEANUP(setup_clear) struct setup setup = { 0 };
	struct error error = { 0 };
	int r = setup_load(file, &setup, &faults, &error);

	for (size_t i = 0; i < faults.count; i++) {
		CLEANUP(text_clear) struct text line = { 0 };

		fault_format(&faults.item[i], &line);
		(void)puts(text_string(&line));
	}
	if (r < 0 && faults.errors == 0)
		(void)printf("%s: %s\n", file, error.text);
	return r < 0 ? SERVICE_NO : SERVICE_DONE;
}

/* What has to hold before anything is opened. */
static void prepare(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)umask(0077);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigaction(SIGXFSZ, &ignore, NULL); /* a full disk is an error of the write */
#ifndef __SANITIZE_ADDRESS__
	/* No core file, no other process looks in: there are mails in this memory. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

#ifdef CRASH_POINTS
/* The seconds in that file, by which a test sets the clock of a running daemon forward or back.
 */
static long long read_step(const char *file)
{
	char line[32] = "0";
	FILE *stream = fopen(file, "re");

	if (stream != NULL) {
		(void)!fgets(line, sizeof line, stream);
		(void)fclose(stream);
	}
	return strtoll(line, NULL, 10);
}

/* Test builds take the time from $CHALLENGE_NOTIFYD_NOW: UTC seconds, or "@FILE" as above. */
static struct instant told_now(void *self)
{
	const char *told = getenv("CHALLENGE_NOTIFYD_NOW");

	(void)self;
	if (told == NULL)
		return clock_now(&clock_system);
	if (told[0] == '@')
		return instant_add(clock_now(&clock_system), read_step(told + 1));
	return (struct instant){ strtoll(told, NULL, 10) };
}

/* And lets more of it go by, as the file in $CHALLENGE_NOTIFYD_WAITED says. */
static int64_t told_boot_seconds(void *self)
{
	const char *told = getenv("CHALLENGE_NOTIFYD_WAITED");

	return clock_system.boot_seconds(self) + (told != NULL ? read_step(told) : 0);
}
#endif

static const struct clock *choose_clock(struct clock *room)
{
#ifdef CRASH_POINTS
	*room = (struct clock){ .now = told_now, .boot_seconds = told_boot_seconds };
	return room;
#else
	(void)room;
	return &clock_system;
#endif
}

int main(int argc, char **argv)
{
	struct options options;
	struct clock room;

	if (!read_options(argc, argv, &options)) {
		(void)fputs("Try: challenge-notifyd --help\n", stderr);
		return SERVICE_USAGE;
	}
	prepare();
	switch (options.mode) {
	case MODE_HELP:
		(void)fputs(help, stdout);
		return SERVICE_DONE;
	case MODE_VERSION:
		(void)puts("challenge-notifyd " VERSION);
		return SERVICE_DONE;
	case MODE_CHECK:
		return check_config(options.config_file);
	case MODE_ONCE:
		return once_run(options.config_file, choose_clock(&room));
	case MODE_SERVICE:
		break;
	}
	return service_run(options.config_file, choose_clock(&room));
}
