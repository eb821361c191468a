/* csv_file.c - see csv_file.h. */
#include "adapter/csv_file.h"

#include "adapter/file_bytes.h"
#include "base/arena.h"
#include "base/list.h"
#include "core/unicode.h"

#include <csv.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CSV_FILE_MOST = 64 << 20 }; /* a country's challenges fit many times */
enum { ROW_NOT_BEGUN = 0 }; /* csv_parser.pstate between rows: libcsv's header lacks its name */

static const char formula_starts[] = "=+-@'\t\r";

struct csv_storage {
	struct arena arena;
};

/* The row being read. */
struct reading {
	struct csv_table *table;
	const char **field;
	size_t count;
	size_t capacity;
	int line;       /* of the file, being fed */
	int began;      /* where the row began */
	bool inside;    /* the row began on an earlier line */
	int code;       /* a negative errno: what went wrong */
	char what[100]; /* and in words */
};

static void fail(struct reading *reading, int code, const char *what)
{
	if (reading->code != 0)
		return;
	reading->code = code;
	(void)snprintf(reading->what, sizeof reading->what, "%s", what); /* they fit */
}

static const char *check_field(const char *bytes, size_t length)
{
	size_t at = 0;

	if (memchr(bytes, '\0', length) != NULL)
		return "a NUL byte: this is no text";
	while (at < length) {
		uint32_t character;
		size_t step = unicode_decode(bytes + at, &character);

		if (step == 0)
			return "this is not UTF-8: save it as \"CSV UTF-8\"";
		at += step;
	}
	return NULL;
}

static bool is_guarded(const char *text)
{
	return text[0] == '\'' && text[1] != '\0' && strchr(formula_starts, text[1]) != NULL;
}

static void take_field(void *bytes, size_t length, void *context)
{
	struct reading *reading = context;
	const char *text = bytes != NULL ? bytes : "";
	const char *wrong = check_field(text, length);
	char *copy;

	if (wrong != NULL)
		fail(reading, -EINVAL, wrong);
	if (reading->code != 0)
		return;
	copy = arena_string(&reading->table->storage->arena,
			    is_guarded(text) ? text + 1 : text);
	if (copy == NULL || list_reserve(&reading->field, reading->count, &reading->capacity,
					 sizeof *reading->field) < 0) {
		fail(reading, -ENOMEM, "out of memory");
		return;
	}
	reading->field[reading->count++] = copy;
}

static void take_row(int end, void *context)
{
	struct reading *reading = context;
	struct csv_table *table = reading->table;
	struct csv_row row = { .line = reading->began, .count = reading->count };

	(void)end;
	reading->count = 0;
	if (reading->code != 0)
		return;
	row.field = arena_copy(&table->storage->arena, reading->field,
			       row.count * sizeof *row.field);
	if (row.field == NULL ||
	    list_reserve(&table->row, table->count, &table->capacity, sizeof row) < 0)
		fail(reading, -ENOMEM, "out of memory");
	else
		table->row[table->count++] = row;
}

/* One line of the file at a time, so that every row knows where it began. */
static void feed(struct csv_parser *parser, struct reading *reading, const char *bytes,
		 size_t length)
{
	size_t at = 0;

	while (at < length && reading->code == 0) {
		const char *end = memchr(bytes + at, '\n', length - at);
		size_t size = end != NULL ? (size_t)(end - (bytes + at)) + 1 : length - at;

		reading->line++;
		if (!reading->inside)
			reading->began = reading->line;
		if (csv_parse(parser, bytes + at, size, take_field, take_row, reading) != size)
			fail(reading, -EINVAL,
			     "a quotation mark out of place: a field that holds one is quoted, "
			     "and the mark doubled");
		reading->inside = parser->pstate != ROW_NOT_BEGUN;
		at += size;
	}
	if (reading->code == 0 && csv_fini(parser, take_field, take_row, reading) != 0) {
		reading->line = reading->began;
		fail(reading, -EINVAL, "a quotation mark that opens here is never closed");
	}
}

static int parse(struct reading *reading, const char *bytes, size_t length)
{
	struct csv_parser parser;

	if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0)
		return -ENOMEM;
	feed(&parser, reading, bytes, length);
	csv_free(&parser);
	free(reading->field);
	if (reading->code == 0 && reading->table->count == 0)
		fail(reading, -EINVAL, "nothing is in it");
	return reading->code;
}

int csv_table_read(const char *path, struct csv_table *ret, int *ret_line, struct error *error)
{
	static const char mark[] = "\xEF\xBB\xBF";
	CLEANUP(file_bytes_clear) struct file_bytes bytes = { 0 };
	CLEANUP(csv_table_clear) struct csv_table table = { 0 };
	struct reading reading = { .table = &table };
	size_t skip = 0;
	int result = file_bytes_read_most(path, CSV_FILE_MOST, &bytes, error);

	*ret_line = 0;
	if (result < 0)
		return result;
	table.storage = calloc(1, sizeof *table.storage);
	if (table.storage == NULL)
		return error_memory(error);
	if (bytes.length >= 3 && memcmp(bytes.data, mark, 3) == 0)
		skip = 3;
	result =
		parse(&reading, bytes.length > 0 ? bytes.data + skip : "", bytes.length - skip);
	if (result < 0) {
		*ret_line = reading.line;
		return error_set(error, -result, "%s",
				 reading.what[0] != '\0' ? reading.what : "out of memory");
	}
	*ret = TAKE(table);
	return 0;
}

void csv_table_clear(struct csv_table *table)
{
	free(table->row);
	if (table->storage != NULL)
		arena_clear(&table->storage->arena);
	free(table->storage);
	*table = (struct csv_table){ 0 };
}

static int write_field(FILE *out, const char *field)
{
	size_t length = strlen(field);
	CLEANUP(freep) char *guarded = NULL;

	if (field[0] == '\0' || strchr(formula_starts, field[0]) == NULL)
		return csv_fwrite(out, field, length);
	guarded = malloc(length + 2);
	if (guarded == NULL)
		return EOF;
	guarded[0] = '\'';
	memcpy(guarded + 1, field, length + 1);
	return csv_fwrite(out, guarded, length + 1);
}

int csv_write_row(FILE *out, const char *const *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if ((i > 0 && fputc(',', out) == EOF) || write_field(out, fields[i]) == EOF)
			return -EIO;
	return fputs("\r\n", out) == EOF ? -EIO : 0;
}
