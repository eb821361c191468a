/*
 * import - what the files of `challengectl import` share: one CSV file on its way into the
 * store, in one transaction, with every fault in it.
 */
#ifndef CTL_IMPORT_H
#define CTL_IMPORT_H

#include "adapter/csv_file.h"
#include "ctl/exchange.h"
#include "ctl/lookup.h"

struct import {
	struct ctl *ctl;
	const char *file;
	const struct exchange *exchange;
	const struct zone *zone;
	struct instant now;
	bool update;
	const char *by;
	struct csv_table table;
	int place[EXCHANGE_COLUMNS]; /* field of a row by column; -1: not in the file */
	struct writing writing;      /* its store is as it was before */
	struct directory directory;  /* of it */
	struct fault_list faults;
	bool broken; /* the store cannot be written, which has been told */
	size_t added;
	size_t changed;
	size_t unchanged;
	struct contact *contacts; /* as written, by row of the table; id 0: it was not */
	bool *repeated;           /* by row: its key stands in an earlier one */
};

/* What the row says in this column; NULL when the file has no such column. */
const char *import_value(const struct import *import, const struct csv_row *row, int column);

/* Where this column is in the file, what the row says; else `otherwise`. */
const char *import_or(const struct import *import, const struct csv_row *row, int column,
		      const char *otherwise);

/* Notes a fault of the row; `column` < 0: of the row as a whole. Returns false. */
bool import_fault(struct import *import, const struct csv_row *row, int column,
		  const char *format, ...) PRINTF_LIKE(4, 5);

/* What the store said of a row: a fault of it, but for what is wrong with the store itself,
 * which ends the import. Returns false. */
bool import_refused(struct import *import, const struct csv_row *row, int column,
		    const struct error *error);

/* Notes what is doubtful about it, and hinders nothing. */
void import_warn(struct import *import, const struct csv_row *row, int column,
		 const char *what);

/* "there is no WHAT "WORD"", with the nearest of the known ones. Returns false. */
bool import_unknown(struct import *import, const struct csv_row *row, int column,
		    const char *what, const char *word, const char *const *known, size_t count);

/* The same for an agency that is not in the store. */
bool import_no_agency(struct import *import, const struct csv_row *row, int column,
		      const char *id);

/* Where the column is in the file: a time ("": never), a flag ("": *ret stays). False after
 * noting a fault. */
bool import_time(struct import *import, const struct csv_row *row, int column,
		 struct instant *ret);
bool import_flag(struct import *import, const struct csv_row *row, int column, bool *ret);

/*
 * The contact of an id or an e-mail address (of that agency; NULL: of any), among those of the
 * store and those written by this import. "" is 0. False after noting a fault.
 */
bool import_person(struct import *import, const struct csv_row *row, int column,
		   const char *agency, int64_t *ret);

/* One row into the store. False after noting a fault, with nothing of the row written. */
bool import_agency(struct import *import, const struct csv_row *row);
bool import_contact(struct import *import, const struct csv_row *row);
/* Deputies may stand further down in the file: they are set at the end. */
bool import_deputy(struct import *import, const struct csv_row *row);
bool import_challenge(struct import *import, const struct csv_row *row);

#endif
