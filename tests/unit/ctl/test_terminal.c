/* test_terminal.c - tables as they are printed where there is no terminal. */
#include "ctl/terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CELLS_MOST = 6 };

static const char *const heads[] = { "NAME", ">COUNT", "REST" };

static const struct row {
	const char *name;
	const char *cell[CELLS_MOST];
	const char *expect;
} rows[] = {
	{ "no rows leave the heading", { NULL }, "NAME  COUNT  REST\n" },
	{ "columns are as wide as what stands in them",
	  { "a longer name", "1", "x", "b", "123456", "y" },
	  "NAME            COUNT  REST\na longer name       1  x\nb              123456  y\n" },
	{ "width is counted in characters, not bytes",
	  { "Zo\xC3\xAB\xC3\xAB\xC3\xAB", "1", "x", "abcdef", "2", "y" },
	  "NAME    COUNT  REST\nZo\xC3\xAB\xC3\xAB\xC3\xAB       1  x\nabcdef      2  y\n" },
	{ "the last column is never cut in a file",
	  { "a", "1",
	    "0123456789012345678901234567890123456789012345678901234567890123456789"
	    "012345678901234567890123456789" },
	  "NAME  COUNT  REST\na         1  "
	  "0123456789012345678901234567890123456789012345678901234567890123456789"
	  "012345678901234567890123456789\n" },
	{ "nothing moves the cursor, rings, or turns the line",
	  { "\033[2J", "\a",
	    "a\xE2\x80\xAE"
	    "b\xFF" },
	  "NAME  COUNT  REST\n?[2J      ?  a?b?\n" },
	{ "empty cells keep their room",
	  { "", "", "", "a", "1", "z" },
	  "NAME  COUNT  REST\n             \na         1  z\n" },
};

static void test_table(void **state)
{
	const struct row *row = *state;
	struct table table = { .heads = heads, .columns = COUNT(heads) };
	struct ctl ctl = { .program = "challengectl", .err = stderr };
	char *said = NULL;
	size_t size;

	ctl.out = open_memstream(&said, &size);
	assert_non_null(ctl.out);
	for (size_t i = 0; i < CELLS_MOST && row->cell[i] != NULL; i += COUNT(heads))
		table_add(&table, row->cell + i);
	assert_int_equal(table_print(&ctl, &table), EXIT_DONE);
	assert_int_equal(fclose(ctl.out), 0);
	assert_string_equal(said, row->expect);
	free(said);
	table_clear(&table);
}

/* Where nobody watches, nothing is said and no colour shown. */
static void test_no_terminal(void **state)
{
	struct ctl ctl = { .program = "challengectl" };
	char *said = NULL;
	size_t size;
	struct progress progress;

	(void)state;
	ctl.err = open_memstream(&said, &size);
	assert_non_null(ctl.err);
	progress = progress_begin(&ctl, "work");
	for (size_t i = 0; i < 1000; i++)
		progress_step(&progress, i);
	progress_end(&progress);
	assert_string_equal(terminal_shade(ctl.err, SHADE_BAD), "");
	assert_string_equal(terminal_plain(ctl.err), "");
	assert_int_equal(terminal_width(ctl.err), 0);
	assert_int_equal(fclose(ctl.err), 0);
	assert_string_equal(said, "");
	free(said);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(rows) + 1];

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, test_table, NULL, NULL,
						(void *)(uintptr_t)&rows[i] };
	tests[COUNT(rows)] = (struct CMUnitTest)cmocka_unit_test(test_no_terminal);
	return _cmocka_run_group_tests("terminal", tests, COUNT(tests), NULL, NULL);
}
