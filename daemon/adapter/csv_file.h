/*
 * csv_file - tables as spreadsheets write and read them (RFC 4180), with libcsv.
 *
 * The only file that includes csv.h. Read strictly: a quotation mark out of place is a fault
 * with its line, not a guess. A byte order mark, as Excel writes one, is taken off; what is not
 * UTF-8 is refused.
 */
#ifndef ADAPTER_CSV_FILE_H
#define ADAPTER_CSV_FILE_H

#include "base/error.h"

#include <stdio.h>

struct csv_row {
	int line; /* of the file, from 1, where the row begins */
	const char **field;
	size_t count;
};

struct csv_table {
	struct csv_row *row; /* row[0] is the heading */
	size_t count;
	size_t capacity;
	struct csv_storage *storage;
};

/*
 * Reads a whole file of at most 64 MiB. Blank lines are left out; blanks around a field that is
 * not quoted are, too. -EINVAL: no CSV, not UTF-8, or nothing in it, and *ret_line says where
 * (0: nowhere in particular); otherwise as file_bytes_read_most.
 */
MUST_CHECK int csv_table_read(const char *path, struct csv_table *ret, int *ret_line,
			      struct error *error);
void csv_table_clear(struct csv_table *table);

/*
 * Writes one row, every field in quotation marks, ended by CRLF. What a spreadsheet would take
 * for a formula (a field that begins with = + - @, a tab, a line end or an apostrophe) gets an
 * apostrophe in front, which csv_table_read takes off again. 0, or -EIO.
 */
MUST_CHECK int csv_write_row(FILE *out, const char *const *fields, size_t count);

#endif
