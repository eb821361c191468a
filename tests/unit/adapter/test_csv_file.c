/* test_csv_file.c - CSV as spreadsheets write it, with the line of every row and fault. */
#include "adapter/csv_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct row {
	const char *name;
	const char *bytes;
	const char *expect; /* "LINE:[field][field]" for each row; NULL: refused */
	int line;           /* of the fault */
	size_t length;      /* of the bytes where they hold a NUL; 0: to the first one */
} rows[] = {
	{ "lines may end as on any system", "a,b\r\n1,2\n", "1:[a][b]2:[1][2]" },
	{ "the last line may end with the file", "a,b\n1,2", "1:[a][b]2:[1][2]" },
	{ "Excel's byte order mark is taken off",
	  "\xEF\xBB\xBF"
	  "a,b\n",
	  "1:[a][b]" },
	{ "a mark behind which a quoted field begins", "\xEF\xBB\xBF\"a\",b\n", "1:[a][b]" },
	{ "a quoted field holds commas, marks and lines", "\"a,\"\"x\"\"\nb\",c\nd,e\n",
	  "1:[a,\"x\"\nb][c]3:[d][e]" },
	{ "a quoted first field may hold a blank line", "\"a\n\nb\",c\nd,e\n",
	  "1:[a\n\nb][c]4:[d][e]" },
	{ "blank lines are left out and counted", "\r\n  \n\na,b\n\n1,2\n",
	  "4:[a][b]6:[1][2]" },
	{ "empty fields are fields", ",\n\"\",x\n", "1:[][]2:[][x]" },
	{ "blanks around a field are not of it", " a , b\n", "1:[a][b]" },
	{ "an apostrophe that guards from formulas is taken off", "'=1+1,'+44 1,'a\n",
	  "1:[=1+1][+44 1]['a]" },
	{ "letters beyond ASCII", "Zo\xC3\xAB,\xE2\x82\xAC\n", "1:[Zo\xC3\xAB][\xE2\x82\xAC]" },
	{ "Excel's other encoding is no UTF-8", "a\nZo\xEB\n", NULL, 2 },
	{ "a mark in the middle of a field", "a\nb\"c,d\n", NULL, 2 },
	{ "text behind a closing mark", "a\n1\n\"b\"c\n", NULL, 3 },
	{ "a mark that is never closed is told where it opened", "a\n\"b\nc\nd\n", NULL, 2 },
	{ "nothing at all", "", NULL, 0 },
	{ "nothing but blank lines", "\n \n", NULL, 2 },
	{ "a NUL byte", "a\nb\0c\n", NULL, 2, 6 },
};

static void write_file(const char *path, const char *bytes, size_t length)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static void temporary(char path[static 32])
{
	int descriptor;

	memcpy(path, "/tmp/test-csv-XXXXXX", 21);
	descriptor = mkstemp(path);
	assert_true(descriptor >= 0);
	assert_int_equal(close(descriptor), 0);
}

static char *written_out(const struct csv_table *table)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (size_t i = 0; i < table->count; i++) {
		fprintf(out, "%d:", table->row[i].line);
		for (size_t j = 0; j < table->row[i].count; j++)
			fprintf(out, "[%s]", table->row[i].field[j]);
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

static void test_read(void **state)
{
	const struct row *row = *state;
	struct csv_table table = { 0 };
	struct error error = { 0 };
	char path[32];
	int line = -1;
	int result;

	temporary(path);
	write_file(path, row->bytes, row->length > 0 ? row->length : strlen(row->bytes));
	result = csv_table_read(path, &table, &line, &error);
	assert_int_equal(unlink(path), 0);
	if (row->expect == NULL) {
		assert_int_equal(result, -EINVAL);
		assert_int_equal(line, row->line);
		assert_string_not_equal(error.text, "");
		return;
	}
	assert_int_equal(result, 0);

	char *said = written_out(&table);

	assert_string_equal(said, row->expect);
	free(said);
	csv_table_clear(&table);
}

static void test_no_file(void **state)
{
	struct csv_table table = { 0 };
	struct error error = { 0 };
	int line;

	(void)state;
	assert_int_equal(csv_table_read("/tmp/test-csv-none", &table, &line, &error), -ENOENT);
	assert_int_equal(csv_table_read("/tmp", &table, &line, &error), -EISDIR);
}

/* What is written is read back as it was, whatever it holds. */
static void test_round_trip(void **state)
{
	static const char *const fields[] = { "plain", "",       "a,b", "\"", "x\r\ny",
					      "=1+1",  "+44 20", "'it", "'=", " blanks " };
	struct csv_table table = { 0 };
	struct error error = { 0 };
	char path[32];
	int line;
	FILE *out;

	(void)state;
	temporary(path);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(csv_write_row(out, fields, COUNT(fields)), 0);
	assert_int_equal(csv_write_row(out, fields, COUNT(fields)), 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(csv_table_read(path, &table, &line, &error), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(table.count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(table.row[i].count, COUNT(fields));
		for (size_t j = 0; j < COUNT(fields); j++)
			assert_string_equal(table.row[i].field[j], fields[j]);
	}
	assert_int_equal(table.row[1].line, 3); /* one field holds a line end */
	csv_table_clear(&table);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(rows) + 2];

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, test_read, NULL, NULL,
						(void *)(uintptr_t)&rows[i] };
	tests[COUNT(rows)] = (struct CMUnitTest)cmocka_unit_test(test_no_file);
	tests[COUNT(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(test_round_trip);
	return _cmocka_run_group_tests("csv_file", tests, COUNT(tests), NULL, NULL);
}
