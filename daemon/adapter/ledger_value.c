/*
 * ledger_value.c - small values by name, which the daemon and people leave for the next start.
 */
#include "adapter/ledger_internal.h"

#include <errno.h>
#include <string.h>

static const char sql_get[] = "SELECT value FROM meta WHERE name = ?1";

int ledger_get(struct ledger *ledger, const char *name, struct text *ret, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql_get, VALUES(value_text(name)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result != 1)
		return result;
	text_cut(ret, 0);
	text_append_bytes(ret, column_string(statement, 0),
			  (size_t)sqlite3_column_bytes(statement, 0));
	if (text_failed(ret))
		return error_memory(error);
	return 1;
}

int ledger_get_number(struct ledger *ledger, const char *name, int64_t *ret,
		      struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql_get, VALUES(value_text(name)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result == 1)
		*ret = sqlite3_column_int64(statement, 0);
	return result;
}

static int set_value(struct ledger *ledger, const char *name, struct database_value value,
		     struct error *error)
{
	static const char sql[] = "INSERT INTO meta (name, value) VALUES (?1, ?2)"
				  " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
				  " WHERE value IS NOT excluded.value";
	struct ledger_scope scope;
	int result;

	if (strcmp(name, "secret") == 0)
		return error_set(error, EINVAL, "ledger: the secret is not to be set");
	result = ledger_enter(ledger, &scope, error);
	if (result < 0)
		return result;
	result = ledger_change(ledger, sql, VALUES(value_text(name), value), error);
	return ledger_leave(ledger, &scope, result, error);
}

int ledger_set(struct ledger *ledger, const char *name, const char *value, struct error *error)
{
	return set_value(ledger, name, value_text(value), error);
}

int ledger_set_number(struct ledger *ledger, const char *name, int64_t value,
		      struct error *error)
{
	return set_value(ledger, name, value_number(value), error);
}

int ledger_is_new(struct ledger *ledger, bool *ret, struct error *error)
{
	int64_t cycle;
	int found = ledger_get_number(ledger, "first_cycle", &cycle, error);

	if (found < 0)
		return found;
	*ret = found == 0;
	return 0;
}
