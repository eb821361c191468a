/*
 * ledger_figures.c - how much there has been in all, and what relays accepted when.
 */
#include "adapter/ledger_care.h"
#include "adapter/ledger_internal.h"

int ledger_total(struct ledger *ledger, struct ledger_totals *ret, struct error *error)
{
	static const char sql[] =
		"SELECT min(created) FROM mail"
		" WHERE state IN ('ready', 'attempting', 'retry', 'in_doubt')";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	struct head head = { 0 };
	int result = ledger_head(ledger, &head, error);

	if (result == 0)
		result = database_prepare(ledger->db, sql, &statement, error);
	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result < 0)
		return result;
	*ret = (struct ledger_totals){ .notices = head.notices,
				       .mails = head.mails,
				       .oldest = column_instant(statement, 0) };
	return 0;
}

int ledger_accepted(struct ledger *ledger, struct instant from, struct instant until,
		    void (*each)(void *context, int64_t event, struct instant send_at,
				 struct instant accepted),
		    void *context, struct error *error)
{
	static const char sql[] =
		"SELECT n.event, n.send_at, m.updated FROM notice n JOIN mail m ON m.id = "
		"n.mail"
		" WHERE m.state = 'accepted' AND n.send_at >= ?1 AND n.send_at < ?2";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result =
		database_ask(ledger->db, sql,
			     VALUES(value_number(from.seconds), value_number(until.seconds)),
			     &statement, error);

	if (result < 0)
		return result;
	while ((result = ledger_step(ledger, statement, error)) > 0)
		each(context, sqlite3_column_int64(statement, 0),
		     (struct instant){ sqlite3_column_int64(statement, 1) },
		     (struct instant){ sqlite3_column_int64(statement, 2) });
	return result;
}
