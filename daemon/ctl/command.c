/* command.c - see command.h: options, the one line on standard error, JSON, exit statuses. */
#include "ctl/command.h"

#include "base/text.h"
#include "ctl/typed.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* --- speaking -------------------------------------------------------------------------------
 */

int ctl_fail(struct ctl *ctl, const struct error *error, const char *advice)
{
	size_t length = strlen(error->text);
	bool ended = length > 0 && error->text[length - 1] == '.';

	/* Nobody is left to tell when standard error itself fails. */
	(void)fprintf(ctl->err, "%s: %s%s%s%s\n", ctl->program, error->text,
		      advice[0] != '\0' && !ended ? "." : "", advice[0] != '\0' ? " " : "",
		      advice);
	return EXIT_COULD_NOT;
}

int ctl_cannot(struct ctl *ctl, const char *format, ...)
{
	struct error error = { 0 };
	char text[sizeof error.text];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments); /* cut is fine */
	va_end(arguments);
	(void)error_set(&error, EINVAL, "%s", text);
	return ctl_fail(ctl, &error, "");
}

const char *ctl_nearest_or_any(const char *word, const char *const *known, size_t count)
{
	const char *nearest = ctl_nearest(word, known, count);

	return nearest == NULL && count > 0 && count <= 4 ? known[0] : nearest;
}

int ctl_unknown(struct ctl *ctl, const char *what, const char *word, const char *const *known,
		size_t count)
{
	const char *nearest = ctl_nearest_or_any(word, known, count);

	if (nearest != NULL)
		return ctl_cannot(ctl, "there is no %s \"%.100s\"; the nearest is \"%s\"", what,
				  word, nearest);
	return ctl_cannot(ctl, "there is no %s \"%.100s\"", what, word);
}

int ctl_usage(struct ctl *ctl, const char *format, ...)
{
	char text[500];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments); /* cut is fine */
	va_end(arguments);
	for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?'; /* it quotes what was typed: one line it is */
	(void)fprintf(ctl->err, "%s: %s (see %s %s%s--help)\n", ctl->program, text,
		      ctl->program, ctl->command != NULL ? ctl->command->name : "",
		      ctl->command != NULL ? " " : "");
	return EXIT_USAGE;
}

int ctl_print_json(struct ctl *ctl, json_t *document)
{
	struct error error = { 0 };
	int result = -1;

	if (document != NULL)
		result = json_dumpf(document, ctl->out, JSON_INDENT(2) | JSON_ENCODE_ANY);
	json_decref(document);
	if (result < 0 || fputc('\n', ctl->out) == EOF) {
		(void)error_set(&error, EIO, "the JSON document could not be written");
		return ctl_fail(ctl, &error, "");
	}
	return EXIT_DONE;
}

/* --- the configuration and the time ---------------------------------------------------------
 */

struct config *ctl_load_config(struct ctl *ctl, const char *file)
{
	CLEANUP(fault_list_clear) struct fault_list faults = { 0 };
	struct error error = { 0 };
	struct config *config = config_load(file, &faults, &error);

	if (config != NULL)
		return config;
	fault_sort(&faults);
	for (size_t i = 0; i < faults.count; i++) {
		CLEANUP(text_clear) struct text line = { 0 };

		fault_format(&faults.item[i], &line);
		(void)fprintf(ctl->err, "%s\n", text_string(&line));
	}
	(void)ctl_fail(ctl, &error, "Check it with: challengectl check");
	return NULL;
}

const struct config *ctl_config(struct ctl *ctl)
{
	if (ctl->config == NULL)
		ctl->config = ctl_load_config(ctl, ctl->config_file);
	return ctl->config;
}

const char *ctl_state_folder(const struct config *config)
{
	const char *given = getenv("STATE_DIRECTORY");

	return given != NULL && given[0] != '\0' ? given : config->state;
}

bool ctl_time(struct ctl *ctl, const struct zone *zone, const char *what, const char *typed,
	      struct instant *ret)
{
	if (typed_time(typed, zone, ret))
		return true;
	(void)ctl_usage(ctl,
			"%s: \"%s\" is not a time; write 2026-11-24 10:00, 24/11/2026 10:00 or"
			" 2026-11-24T10:00:00+00:00",
			what, typed);
	return false;
}

bool ctl_now(struct ctl *ctl, const struct zone *zone, struct instant *ret)
{
	if (ctl->at != NULL)
		return ctl_time(ctl, zone, "--at", ctl->at, ret);
	*ret = clock_now(ctl->clock);
	return true;
}

/* --- options --------------------------------------------------------------------------------
 */

static void take_out(int *argc, char **argv, int at, int count)
{
	memmove(argv + at, argv + at + count, (size_t)(*argc - at - count) * sizeof *argv);
	*argc -= count;
	argv[*argc] = NULL;
}

/* "--" ends the options: what follows is arguments, whatever it looks like. */
static bool ends_options(const char *argument)
{
	return strcmp(argument, "--") == 0;
}

int ctl_option(struct ctl *ctl, int *argc, char **argv, const char *name, const char **ret)
{
	size_t length = strlen(name);

	for (int i = 0; i < *argc && !ends_options(argv[i]); i++) {
		if (strncmp(argv[i], name, length) != 0)
			continue;
		if (argv[i][length] == '=') {
			*ret = argv[i] + length + 1;
			take_out(argc, argv, i, 1);
			return 1;
		}
		if (argv[i][length] != '\0')
			continue; /* a longer name that begins alike */
		if (i + 1 >= *argc || strncmp(argv[i + 1], "--", 2) == 0) {
			(void)ctl_usage(ctl, "%s needs a value", name);
			return -1;
		}
		*ret = argv[i + 1];
		take_out(argc, argv, i, 2);
		return 1;
	}
	return 0;
}

bool ctl_options(struct ctl *ctl, int *argc, char **argv, const struct ctl_option *options,
		 size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ctl_option(ctl, argc, argv, options[i].name, options[i].to) < 0)
			return false;
	return true;
}

bool ctl_number(struct ctl *ctl, const char *what, const char *typed, int64_t *ret)
{
	size_t length = strlen(typed);

	if (length == 0 || length > 18 || strspn(typed, "0123456789") != length ||
	    strspn(typed, "0") == length) {
		(void)ctl_usage(ctl, "%s: \"%s\" is not a positive number", what, typed);
		return false;
	}
	*ret = strtoll(typed, NULL, 10); /* 18 digits: fits */
	return true;
}

bool ctl_flag(int *argc, char **argv, const char *name)
{
	for (int i = 0; i < *argc && !ends_options(argv[i]); i++)
		if (strcmp(argv[i], name) == 0) {
			take_out(argc, argv, i, 1);
			return true;
		}
	return false;
}

int ctl_arguments(struct ctl *ctl, int argc, char **argv, int least, int most)
{
	int count = 0;
	bool options = true;

	for (int i = 0; i < argc; i++) {
		if (options && ends_options(argv[i])) {
			take_out(&argc, argv, i--, 1);
			options = false;
			continue;
		}
		if (options && argv[i][0] == '-' && argv[i][1] != '\0')
			return ctl_usage(ctl,
					 "%s is no option of this command, or is given twice",
					 argv[i]);
		if (++count > most)
			return ctl_usage(ctl, "\"%s\" is one argument too many", argv[i]);
	}
	if (count < least)
		return ctl_usage(ctl, "too few arguments");
	return EXIT_DONE;
}

/* --- the nearest known word -----------------------------------------------------------------
 */

enum { LONGEST_WORD = 64 };

/* How many letters to change, add or leave out (Levenshtein); words longer than that are far.
 */
static size_t distance(const char *a, const char *b)
{
	size_t row[LONGEST_WORD + 1];
	size_t n = strlen(b);

	if (n > LONGEST_WORD || strlen(a) > LONGEST_WORD)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t best = diagonal + (a[i] == b[j] ? 0 : 1);

			diagonal = row[j + 1];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (diagonal + 1 < best)
				best = diagonal + 1;
			row[j + 1] = best;
		}
	}
	return row[n];
}

const char *ctl_nearest(const char *word, const char *const *known, size_t count)
{
	const char *nearest = NULL;
	size_t best = strlen(word) / 3 + 2; /* further than that it is another word */

	for (size_t i = 0; i < count; i++) {
		size_t far = distance(word, known[i]);

		if (far < best) {
			best = far;
			nearest = known[i];
		}
	}
	return nearest;
}

/* --- finding the command --------------------------------------------------------------------
 */

/* How many of the words at argv[0..argc) are this name; 0: it is not this one. */
static int match_name(const char *name, int argc, char **argv)
{
	int words = 0;

	for (;;) {
		size_t length = strcspn(name, " ");

		if (words == argc || strlen(argv[words]) != length ||
		    strncmp(argv[words], name, length) != 0)
			return 0;
		words++;
		if (name[length] == '\0')
			return words;
		name += length + 1;
	}
}

static const struct command *find_at(const struct command *const *table, size_t count, int argc,
				     char **argv, int *ret_words)
{
	const struct command *found = NULL;

	*ret_words = 0;
	for (size_t i = 0; i < count; i++) {
		int words = match_name(table[i]->name, argc, argv);

		if (words > *ret_words) {
			*ret_words = words;
			found = table[i];
		}
	}
	return found;
}

/* The command and its words taken out of argv. Before it only options may stand. */
static const struct command *find_command(const struct command *const *table, size_t count,
					  int *argc, char **argv)
{
	for (int i = 0; i < *argc; i++) {
		int words;
		const struct command *command =
			find_at(table, count, *argc - i, argv + i, &words);

		if (command != NULL) {
			take_out(argc, argv, i, words);
			return command;
		}
		if (i == 0 && argv[0][0] != '-')
			return NULL; /* a word that is no command: no search behind it */
	}
	return NULL;
}

/* What may follow a word that begins the names of several commands: "" of any other word. */
static void add_followers(const char *word, const struct command *const *table, size_t count,
			  struct text *ret)
{
	size_t length = strlen(word);

	for (size_t i = 0; i < count; i++) {
		const char *name = table[i]->name;

		if (strncmp(name, word, length) == 0 && name[length] == ' ')
			text_appendf(ret, "%s%s", ret->length > 0 ? ", " : "",
				     name + length + 1);
	}
}

static int unknown_command(struct ctl *ctl, const struct command *const *table, size_t count,
			   int argc, char **argv)
{
	CLEANUP(text_clear) struct text followers = { 0 };
	char typed[LONGEST_WORD + 1];
	const char *nearest = NULL;
	size_t best = SIZE_MAX;

	add_followers(argv[0], table, count, &followers);
	if (argc == 1 && followers.length > 0)
		return ctl_usage(ctl, "\"%s\" is followed by one of: %s", argv[0],
				 text_string(&followers));
	for (int words = 1; words <= 2 && words <= argc; words++) {
		(void)snprintf(typed, sizeof typed, "%s%s%s", argv[0], words == 2 ? " " : "",
			       words == 2 ? argv[1] : ""); /* cut: then none is near */
		for (size_t i = 0; i < count; i++) {
			const char *name = table[i]->name;
			size_t far = distance(typed, name);
			bool begins = strncmp(name, argv[0], strlen(argv[0])) == 0;

			if (far < best && (begins || far < strlen(typed) / 3 + 2)) {
				best = far;
				nearest = name;
			}
		}
	}
	if (nearest != NULL)
		return ctl_usage(ctl, "\"%s\" is no command; did you mean \"%s\"?", argv[0],
				 nearest);
	return ctl_usage(ctl, "\"%s\" is no command", argv[0]);
}

/* --- help -----------------------------------------------------------------------------------
 */

static int help_all(struct ctl *ctl, const struct command *const *table, size_t count)
{
	(void)fprintf(ctl->out,
		      "Usage: %s [--config FILE] [--at TIME] [--json] COMMAND ...\n\n",
		      ctl->program);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(ctl->out, "  %-16s %s\n", table[i]->name, table[i]->summary);
	(void)fprintf(
		ctl->out,
		"\n"
		"  --config FILE    another main file than %s\n"
		"  --at TIME        as if it were then: 2026-11-24 10:00, 24/11/2026 10:00\n"
		"                   or RFC 3339\n"
		"  --json           one JSON document on standard output, nothing else\n"
		"  --help           this list, or with COMMAND its options\n"
		"  --version        which version this is\n"
		"\n"
		"Exit status: 0 done; 1 the answer is \"no\"; 2 wrong usage; 3 could not.\n",
		CONFIG_FILE);
	return EXIT_DONE;
}

static int help_command(struct ctl *ctl, const struct command *command)
{
	(void)fprintf(ctl->out, "%s %s - %s\n\n%s", ctl->program, command->name,
		      command->summary, command->usage);
	if (command->usage[0] != '\0' && command->usage[strlen(command->usage) - 1] != '\n')
		(void)fputc('\n', ctl->out);
	return EXIT_DONE;
}

/* --- the whole ------------------------------------------------------------------------------
 */

/* A --config behind the name of a command that has one of its own is not the common one. */
static bool is_common_config(const struct command *const *table, size_t count, int argc,
			     char **argv)
{
	for (int i = 0; i < argc; i++) {
		const struct command *command;
		int words;

		if (strncmp(argv[i], "--config", strlen("--config")) == 0)
			break;
		if (strcmp(argv[i], "--at") == 0) {
			i++; /* its value is no command */
			continue;
		}
		command = find_at(table, count, argc - i, argv + i, &words);
		if (command != NULL)
			return !command->has_config;
	}
	return true;
}

static int dispatch(struct ctl *ctl, const struct command *const *table, size_t count, int argc,
		    char **argv)
{
	bool help = ctl_flag(&argc, argv, "--help");
	const struct command *command;

	if (ctl_flag(&argc, argv, "--version")) {
		(void)fprintf(ctl->out, "%s %s\n", ctl->program, VERSION);
		return EXIT_DONE;
	}
	if (is_common_config(table, count, argc, argv) &&
	    ctl_option(ctl, &argc, argv, "--config", &ctl->config_file) < 0)
		return EXIT_USAGE;
	if (ctl_option(ctl, &argc, argv, "--at", &ctl->at) < 0)
		return EXIT_USAGE;
	ctl->json = ctl_flag(&argc, argv, "--json") || ctl->json;
	if (argc > 0 && strcmp(argv[0], "help") == 0) {
		help = true;
		take_out(&argc, argv, 0, 1);
	}
	if (argc == 0)
		return help ? help_all(ctl, table, count) : ctl_usage(ctl, "which command?");
	command = find_command(table, count, &argc, argv);
	if (command == NULL)
		return unknown_command(ctl, table, count, argc, argv);
	ctl->command = command;
	return help ? help_command(ctl, command) : command->run(ctl, argc, argv);
}

int ctl_main(struct ctl *ctl, const struct command *const *table, size_t count, int argc,
	     char **argv)
{
	int status;

	/* Begun without even a name (execve with an empty list): nothing to take out. */
	if (argc > 0)
		take_out(&argc, argv, 0, 1);
	status = dispatch(ctl, table, count, argc, argv);
	config_destroyp(&ctl->config);
	if (fflush(ctl->out) != 0 || ferror(ctl->out) != 0) {
		struct error error = { 0 };

		(void)error_set(&error, EIO, "the answer could not be written: %s",
				strerror(errno));
		return ctl_fail(ctl, &error, "");
	}
	return status;
}
