/*
 * ledger_statement.c - SQL of the ledger: each statement prepared once and kept, values in and
 * columns out.
 */
#include "adapter/ledger_internal.h"

#include <errno.h>

struct database_value value_instant(struct instant at)
{
	return instant_is_never(at) ? value_null() : value_number(at.seconds);
}

struct instant column_instant(sqlite3_stmt *statement, int column)
{
	if (sqlite3_column_type(statement, column) == SQLITE_NULL)
		return INSTANT_NEVER;
	/* "Never" is written in one way only: a number is a number. */
	if (sqlite3_column_int64(statement, column) == INT64_MAX)
		return (struct instant){ INT64_MAX - 1 };
	return (struct instant){ sqlite3_column_int64(statement, column) };
}

const char *column_string(sqlite3_stmt *statement, int column)
{
	const unsigned char *string = sqlite3_column_text(statement, column);

	return string != NULL ? (const char *)string : "";
}

static int keep(struct ledger *ledger, const char *sql, sqlite3_stmt **ret, struct error *error)
{
	size_t i = 0;
	int result;

	while (i < ledger->kept_count && ledger->kept[i].sql != sql)
		i++;
	if (i == ledger->kept_count) {
		if (i == MOST_STATEMENTS)
			return error_set(error, ENOMEM, "more statements than are kept");
		result = database_prepare(ledger->db, sql, &ledger->kept[i].statement, error);
		if (result < 0)
			return result;
		ledger->kept[i].sql = sql;
		ledger->kept_count++;
	}
	*ret = ledger->kept[i].statement;
	return 0;
}

int ledger_ask(struct ledger *ledger, const char *sql, const struct database_value *values,
	       size_t count, sqlite3_stmt **ret, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	int result = keep(ledger, sql, &statement, error);

	if (result < 0)
		return result;
	result = database_bind(statement, values, count, error);
	if (result < 0)
		return result;
	*ret = statement;
	return 0;
}

int ledger_step(struct ledger *ledger, sqlite3_stmt *statement, struct error *error)
{
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return database_fail(ledger->db, error, "ledger: %.60s",
				     sqlite3_sql(statement));
	}
}

void ledger_resetp(sqlite3_stmt **statement)
{
	if (*statement != NULL) {
		(void)sqlite3_reset(*statement); /* repeats the error of the last step */
		/* What was bound was borrowed and may be gone before the next use. */
		(void)sqlite3_clear_bindings(*statement);
	}
	*statement = NULL;
}

int ledger_change(struct ledger *ledger, const char *sql, const struct database_value *values,
		  size_t count, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql, values, count, &statement, error);

	if (result < 0)
		return result;
	return ledger_step(ledger, statement, error);
}
