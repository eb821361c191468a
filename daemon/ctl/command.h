/*
 * command - what every challengectl command is made of.
 *
 * One file a command, each ending in its `const struct command`; main.c holds the one table
 * that lists them. Commands speak through the helpers here, so that exit statuses, --json and
 * the one line on standard error are the same everywhere (design section 7).
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "adapter/clock.h"
#include "adapter/config_file.h"

#include <stdio.h>

enum exit_status {
	EXIT_DONE = 0,
	EXIT_NO = 1, /* the answer is "no" */
	EXIT_USAGE = 2,
	EXIT_COULD_NOT = 3, /* one line on stderr says what and what to do */
};

struct ctl {
	const char *program;     /* "challengectl" */
	const char *config_file; /* --config, else the installed one */
	const char *at;          /* --at as typed; NULL: now */
	bool json;               /* --json: one document on `out` and nothing else */
	FILE *out;
	FILE *err;
	const struct clock *clock;
	struct config *config;         /* NULL until ctl_config; owned here */
	const struct command *command; /* the one that runs; NULL until it is found */
};

struct command {
	const char *name;    /* "audit verify" is two words */
	const char *summary; /* one line for the list of commands */
	const char *usage;   /* arguments, options and an example, for --help */
	/* argv holds what follows the command's name, with a NULL behind it; common options are
	 * taken out already. */
	int (*run)(struct ctl *ctl, int argc, char **argv);
	bool has_config; /* a --config behind its name is an option of its own */
};

/* The configuration, loaded once; NULL after every fault has been printed (status
 * EXIT_COULD_NOT). */
const struct config *ctl_config(struct ctl *ctl);

/* Another one; the same when it has faults. Free with config_free. */
struct config *ctl_load_config(struct ctl *ctl, const char *file);

/* The folder of the ledger: $STATE_DIRECTORY when systemd set it, else the configuration's. */
const char *ctl_state_folder(const struct config *config);

/*
 * The instant of --at, read in the calendar's zone (NULL: UTC) when it has no offset, else the
 * clock's. False after saying what is wrong with it (status EXIT_USAGE).
 */
bool ctl_now(struct ctl *ctl, const struct zone *zone, struct instant *ret);

/* A time typed by a person, as --at; false after saying what is wrong, naming `what`. */
bool ctl_time(struct ctl *ctl, const struct zone *zone, const char *what, const char *typed,
	      struct instant *ret);

/* "challengectl: TEXT. ADVICE" on stderr; `advice` "" leaves it out. Returns EXIT_COULD_NOT. */
int ctl_fail(struct ctl *ctl, const struct error *error, const char *advice);

/* The same with a text of its own and without advice. Returns EXIT_COULD_NOT. */
int ctl_cannot(struct ctl *ctl, const char *format, ...) PRINTF_LIKE(2, 3);

/* "there is no WHAT "WORD"", with the nearest of the known ones. Returns EXIT_COULD_NOT. */
int ctl_unknown(struct ctl *ctl, const char *what, const char *word, const char *const *known,
		size_t count);

/* "challengectl: FORMAT" and a hint at the command's --help on stderr. Returns EXIT_USAGE. */
int ctl_usage(struct ctl *ctl, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Takes "--name VALUE" or "--name=VALUE" out of argv: 1 with *ret, 0 when it is not there, -1
 * after saying that its value is missing. `ctl_flag` takes a bare "--name".
 */
int ctl_option(struct ctl *ctl, int *argc, char **argv, const char *name, const char **ret);
bool ctl_flag(int *argc, char **argv, const char *name);

/* Takes several options, each where `to` points; unset ones stay. False after saying what is
 * wrong. */
struct ctl_option {
	const char *name;
	const char **to;
};
bool ctl_options(struct ctl *ctl, int *argc, char **argv, const struct ctl_option *options,
		 size_t count);

/*
 * Checks what the options left over: an option that nobody took, or fewer than `least` or more
 * than `most` arguments. Takes a "--" out; what is left in argv ends with NULL. EXIT_DONE, or
 * EXIT_USAGE after saying so.
 */
int ctl_arguments(struct ctl *ctl, int argc, char **argv, int least, int most);

/* A positive whole number as typed; false after saying what is wrong, naming `what`. */
bool ctl_number(struct ctl *ctl, const char *what, const char *typed, int64_t *ret);

/* The known word that a mistyped one most likely means; NULL when none is near. */
const char *ctl_nearest(const char *word, const char *const *known, size_t count);

/* The same; of so few that any of them helps, the first where none is near. */
const char *ctl_nearest_or_any(const char *word, const char *const *known, size_t count);

/*
 * The whole program but for its table: takes the common options out of argv, finds the command
 * (its words may stand behind its options) and runs it. Returns the exit status. `ctl` comes
 * with program, out, err and clock; its configuration is freed here.
 */
int ctl_main(struct ctl *ctl, const struct command *const *table, size_t count, int argc,
	     char **argv);

/* Prints one JSON document and a line end; takes the reference. EXIT_DONE or EXIT_COULD_NOT. */
struct json_t;
int ctl_print_json(struct ctl *ctl, struct json_t *document);

#endif
