/* test_command.c - how challengectl finds commands and options, and what it says when it
 * cannot. */
#include "ctl/command.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A command that tells what it was given: "NAME|argument|...|at=...|json". */
static int tell(struct ctl *ctl, int argc, char **argv)
{
	const char *own = "-";
	int found = ctl_option(ctl, &argc, argv, "--own", &own);
	bool flag = ctl_flag(&argc, argv, "--flag");
	int status = found < 0 ? EXIT_USAGE : ctl_arguments(ctl, argc, argv, 0, 2);

	if (status != EXIT_DONE)
		return status;
	(void)fprintf(ctl->out, "own=%s%s%s at=%s config=%s", own, flag ? " flag" : "",
		      ctl->json ? " json" : "", ctl->at != NULL ? ctl->at : "-",
		      ctl->config_file);
	for (int i = 0; argv[i] != NULL; i++)
		(void)fprintf(ctl->out, " [%s]", argv[i]);
	return EXIT_DONE;
}

static int say_no(struct ctl *ctl, int argc, char **argv)
{
	(void)ctl;
	(void)argc;
	(void)argv;
	return EXIT_NO;
}

static const struct command tell_command = { "tell", "tells", "Usage: tell\n", tell };
static const struct command tell_twice = { "tell twice", "tells", "Usage: twice", tell };
static const struct command no_command = { "no", "says no", "Usage: no\n", say_no };

/* A command with a --config of its own. */
static int tell_both(struct ctl *ctl, int argc, char **argv)
{
	const char *own = "-";

	if (ctl_option(ctl, &argc, argv, "--config", &own) < 0)
		return EXIT_USAGE;
	(void)fprintf(ctl->out, "config=%s own=%s", ctl->config_file, own);
	return ctl_arguments(ctl, argc, argv, 0, 0);
}

static const struct command both_command = {
	.name = "both", .summary = "two", .usage = "", .run = tell_both, .has_config = true
};
static const struct command *const table[] = { &no_command, &tell_command, &tell_twice,
					       &both_command };

static struct instant then(void *self)
{
	(void)self;
	return (struct instant){ 1000 };
}

static const struct clock test_clock = { .now = then };

struct spoken {
	int status;
	char *out;
	char *err;
};

enum { MOST_WORDS = 10 };

static struct spoken run(const char *const *words)
{
	struct spoken spoken = { 0 };
	size_t out_size;
	size_t err_size;
	char *argv[MOST_WORDS + 2] = { 0 };
	int argc = 0;
	struct ctl ctl = { .program = "ctl",
			   .config_file = "default",
			   .out = open_memstream(&spoken.out, &out_size),
			   .err = open_memstream(&spoken.err, &err_size),
			   .clock = &test_clock };

	argv[argc++] = strdup("ctl");
	for (; words[argc - 1] != NULL; argc++)
		argv[argc] = strdup(words[argc - 1]);

	char *owned[MOST_WORDS + 2];

	memcpy(owned, argv, sizeof owned);
	spoken.status = ctl_main(&ctl, table, COUNT(table), argc, argv);
	for (int i = 0; i < argc; i++)
		free(owned[i]);
	(void)fclose(ctl.out);
	(void)fclose(ctl.err);
	return spoken;
}

static const struct row {
	const char *name;
	const char *words[MOST_WORDS];
	int status;
	const char *out; /* exact; NULL: something */
	const char *err; /* part of it; "": nothing at all */
} rows[] = {
	{ "a command without anything",
	  { "tell" },
	  EXIT_DONE,
	  "own=- at=- config=default",
	  "" },
	{ "options stand behind the command",
	  { "tell", "--own", "x", "--flag", "--json", "a" },
	  EXIT_DONE,
	  "own=x flag json at=- config=default [a]",
	  "" },
	{ "options stand before the command",
	  { "--json", "--config", "f", "--own=x", "tell", "a" },
	  EXIT_DONE,
	  "own=x json at=- config=f [a]",
	  "" },
	{ "a --config before a command that has one of its own is the common one",
	  { "--config", "old", "both" },
	  EXIT_DONE,
	  "config=old own=-",
	  "" },
	{ "a --config behind a command that has one of its own is that one",
	  { "both", "--config", "new" },
	  EXIT_DONE,
	  "config=default own=new",
	  "" },
	{ "both may be given",
	  { "--at", "both", "--config=old", "both", "--config=new" },
	  EXIT_DONE,
	  "config=old own=new",
	  "" },
	{ "a command's own option with its value before the command",
	  { "--own", "x", "tell", "a" },
	  EXIT_DONE,
	  "own=x at=- config=default [a]",
	  "" },
	{ "the longest name wins",
	  { "tell", "twice", "a" },
	  EXIT_DONE,
	  "own=- at=- config=default [a]",
	  "" },
	{ "an option between the words of an argument list",
	  { "tell", "a", "--at=T", "b" },
	  EXIT_DONE,
	  "own=- at=T config=default [a] [b]",
	  "" },
	{ "two dashes end the options",
	  { "tell", "--", "--flag", "--json" },
	  EXIT_DONE,
	  "own=- at=- config=default [--flag] [--json]",
	  "" },
	{ "an empty value is a value",
	  { "tell", "--own=" },
	  EXIT_DONE,
	  "own= at=- config=default",
	  "" },
	{ "the answer no is a status of its own", { "no" }, EXIT_NO, "", "" },
	{ "nothing at all", { NULL }, EXIT_USAGE, "", "which command?" },
	{ "an unknown command names the nearest",
	  { "tel" },
	  EXIT_USAGE,
	  "",
	  "did you mean \"tell\"?" },
	{ "a word far from all",
	  { "abracadabra" },
	  EXIT_USAGE,
	  "",
	  "\"abracadabra\" is no command (" },
	{ "an argument too many",
	  { "tell", "a", "b", "c" },
	  EXIT_USAGE,
	  "",
	  "\"c\" is one argument too many" },
	{ "an unknown option",
	  { "tell", "--nosuch" },
	  EXIT_USAGE,
	  "",
	  "--nosuch is no option" },
	{ "an option without its value",
	  { "tell", "--own" },
	  EXIT_USAGE,
	  "",
	  "--own needs a value" },
	{ "an option that is followed by another",
	  { "tell", "--at", "--json" },
	  EXIT_USAGE,
	  "",
	  "--at needs a value" },
	{ "an option given twice",
	  { "tell", "--own=a", "--own=b" },
	  EXIT_USAGE,
	  "",
	  "given twice" },
	{ "a name that begins alike is another option",
	  { "tell", "--owner", "x" },
	  EXIT_USAGE,
	  "",
	  "--owner is no option" },
	{ "control characters are not echoed", { "a\nb\033[2J" }, EXIT_USAGE, "", "a?b?[2J" },
	{ "the version", { "--version" }, EXIT_DONE, "ctl " VERSION "\n", "" },
	{ "help of one command",
	  { "tell", "--help" },
	  EXIT_DONE,
	  "ctl tell - tells\n\nUsage: tell\n",
	  "" },
	{ "help ends with a line end",
	  { "help", "tell", "twice" },
	  EXIT_DONE,
	  "ctl tell twice - tells\n\nUsage: twice\n",
	  "" },
};

static void runs(void **state)
{
	const struct row *row = *state;
	struct spoken spoken = run(row->words);

	assert_int_equal(spoken.status, row->status);
	assert_string_equal(spoken.out, row->out);
	if (row->err[0] == '\0')
		assert_string_equal(spoken.err, "");
	else
		assert_non_null(strstr(spoken.err, row->err));
	/* Never more than one line. */
	if (spoken.err[0] != '\0')
		assert_ptr_equal(strchr(spoken.err, '\n'), spoken.err + strlen(spoken.err) - 1);
	free(spoken.out);
	free(spoken.err);
}

static void help_lists_every_command(void **state)
{
	struct spoken spoken = run((const char *const[]){ "--help", NULL });

	(void)state;
	assert_int_equal(spoken.status, EXIT_DONE);
	for (size_t i = 0; i < COUNT(table); i++)
		assert_non_null(strstr(spoken.out, table[i]->name));
	assert_string_equal(spoken.err, "");
	free(spoken.out);
	free(spoken.err);
}

/* --- times -----------------------------------------------------------------------------------
 */

static const struct time_row {
	const char *name;
	const char *typed;
	bool local; /* read in a zone an hour ahead of UTC */
	bool sound;
	int64_t want;
} time_rows[] = {
	{ "local time without a zone is UTC", "1970-01-02 00:00", false, true, 86400 },
	{ "local time counts in the zone", "1970-01-02 00:00", true, true, 82800 },
	{ "an offset wins over the zone", "1970-01-02T00:00:00+02:00", true, true, 79200 },
	{ "Z is UTC", "1970-01-02T00:00:00Z", true, true, 86400 },
	{ "no such day", "2026-02-30 10:00", false, false, 0 },
	{ "the British order", "24.11.2026", false, false, 0 },
	{ "words", "tomorrow", false, false, 0 },
	{ "nothing", "", false, false, 0 },
};

static void reads_times(void **state)
{
	static const struct zone hour_ahead = { .name = "x", .first_offset = 3600 };
	const struct time_row *row = *state;
	char *err = NULL;
	size_t size;
	struct ctl ctl = { .program = "ctl", .err = open_memstream(&err, &size) };
	struct instant at = { -1 };
	bool sound = ctl_time(&ctl, row->local ? &hour_ahead : NULL, "--due", row->typed, &at);

	(void)fclose(ctl.err);
	assert_int_equal(sound, row->sound);
	assert_int_equal(at.seconds, row->sound ? row->want : -1);
	if (!row->sound)
		assert_non_null(strstr(err, "--due"));
	free(err);
}

static void now_is_the_clock_unless_said(void **state)
{
	struct ctl ctl = { .clock = &test_clock };
	struct instant at;

	(void)state;
	assert_true(ctl_now(&ctl, NULL, &at));
	assert_int_equal(at.seconds, 1000);
	ctl.at = "1970-01-02";
	assert_true(ctl_now(&ctl, NULL, &at));
	assert_int_equal(at.seconds, 86400);
}

/* --- words and numbers -----------------------------------------------------------------------
 */

static const char *const known[] = { "responded", "resolved", "reopened", "agreed" };
static const struct word_row {
	const char *name;
	const char *word;
	const char *nearest;
} word_rows[] = {
	{ "a letter left out", "respnded", "responded" },
	{ "a letter too many", "reesolved", "resolved" },
	{ "two letters swapped", "argeed", "agreed" },
	{ "the word itself", "agreed", "agreed" },
	{ "another word", "telephone", NULL },
	{ "nothing is near to nothing", "", NULL },
	{ "a word beyond all measure",
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  NULL },
};

static void finds_the_nearest(void **state)
{
	const struct word_row *row = *state;
	const char *nearest = ctl_nearest(row->word, known, COUNT(known));

	if (row->nearest == NULL)
		assert_null(nearest);
	else
		assert_string_equal(nearest, row->nearest);
}

static void numbers_are_whole_and_positive(void **state)
{
	static const char *const bad[] = { "",    "0",    "000", "-1", "1.5",
					   "1e3", "0x10", " 1",  "1 ", "12345678901234567890" };
	char *err = NULL;
	size_t size;
	struct ctl ctl = { .program = "ctl", .err = open_memstream(&err, &size) };
	int64_t number = -1;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(ctl_number(&ctl, "--n", bad[i], &number));
	assert_int_equal(number, -1);
	assert_true(ctl_number(&ctl, "--n", "042", &number));
	assert_int_equal(number, 42);
	(void)fclose(ctl.err);
	free(err);
}

/* --- failing ---------------------------------------------------------------------------------
 */

static void a_failure_is_one_line_with_advice(void **state)
{
	char *err = NULL;
	size_t size;
	struct ctl ctl = { .program = "ctl", .err = open_memstream(&err, &size) };
	const struct error error = { .code = EIO, .text = "it broke" };

	(void)state;
	assert_int_equal(ctl_fail(&ctl, &error, "Mend it"), EXIT_COULD_NOT);
	(void)fclose(ctl.err);
	assert_string_equal(err, "ctl: it broke. Mend it\n");
	free(err);
}

static void an_answer_that_cannot_be_written_is_a_failure(void **state)
{
	char *argv[] = { (char *)(uintptr_t) "ctl", (char *)(uintptr_t) "--version", NULL };
	char *err = NULL;
	size_t size;
	struct ctl ctl = { .program = "ctl",
			   .config_file = "",
			   .out = fopen("/dev/full", "w"),
			   .err = open_memstream(&err, &size),
			   .clock = &test_clock };

	(void)state;
	assert_int_equal(ctl_main(&ctl, table, COUNT(table), 2, argv), EXIT_COULD_NOT);
	(void)fclose(ctl.out);
	(void)fclose(ctl.err);
	assert_non_null(strstr(err, "could not be written"));
	free(err);
}

static void json_that_could_not_be_built_is_a_failure(void **state)
{
	char *out = NULL;
	char *err = NULL;
	size_t out_size;
	size_t err_size;
	struct ctl ctl = { .program = "ctl",
			   .out = open_memstream(&out, &out_size),
			   .err = open_memstream(&err, &err_size) };

	(void)state;
	assert_int_equal(ctl_print_json(&ctl, NULL), EXIT_COULD_NOT);
	assert_int_equal(ctl_print_json(&ctl, json_pack("[i]", 1)), EXIT_DONE);
	(void)fclose(ctl.out);
	(void)fclose(ctl.err);
	assert_string_equal(out, "[\n  1\n]\n");
	free(out);
	free(err);
}

#define ROWS(rows, function)                                                   \
	for (size_t i = 0; i < COUNT(rows); i++)                               \
		tests[count++] = (struct CMUnitTest){ .name = (rows)[i].name,  \
						      .test_func = (function), \
						      .initial_state = (void *)&(rows)[i] };

int main(void)
{
	static const struct CMUnitTest plain[] = {
		cmocka_unit_test(help_lists_every_command),
		cmocka_unit_test(now_is_the_clock_unless_said),
		cmocka_unit_test(numbers_are_whole_and_positive),
		cmocka_unit_test(a_failure_is_one_line_with_advice),
		cmocka_unit_test(an_answer_that_cannot_be_written_is_a_failure),
		cmocka_unit_test(json_that_could_not_be_built_is_a_failure),
	};
	struct CMUnitTest
		tests[COUNT(plain) + COUNT(rows) + COUNT(time_rows) + COUNT(word_rows)];
	size_t count = 0;

	for (; count < COUNT(plain); count++)
		tests[count] = plain[count];
	ROWS(rows, runs)
	ROWS(time_rows, reads_times)
	ROWS(word_rows, finds_the_nearest)
	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
