/*
 * ledger_head.c - the one row that knows where the chain ends, when the daemon last wrote, and
 * how many mails and notices there are in each state.
 */
#include "adapter/ledger_internal.h"

#include <errno.h>
#include <string.h>

int head_read(struct ledger *ledger, struct head *ret, struct error *error)
{
	static const char sql[] =
		"SELECT seq, hash, latest, notices, mails, decided, ready, attempting,"
		" accepted, retry, in_doubt, refused, cancelled, held FROM head WHERE one = 1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql, NULL, 0, &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result < 0)
		return result;
	if (result == 0 || sqlite3_column_bytes(statement, 1) != HASH_SIZE)
		return error_set(error, EIO, "ledger: its head is damaged");
	ret->seq = sqlite3_column_int64(statement, 0);
	memcpy(ret->hash, sqlite3_column_blob(statement, 1), HASH_SIZE);
	ret->latest = sqlite3_column_int64(statement, 2);
	ret->notices = sqlite3_column_int64(statement, 3);
	ret->mails = sqlite3_column_int64(statement, 4);
	for (int i = 0; i < DELIVERY_STATE_COUNT; i++)
		ret->tally[i] = sqlite3_column_int64(statement, 5 + i);
	return 0;
}

int head_write(struct ledger *ledger, struct error *error)
{
	static const char sql[] =
		"UPDATE head SET seq = ?1, hash = ?2, latest = ?3, notices = ?4, mails = ?5,"
		" decided = ?6, ready = ?7, attempting = ?8, accepted = ?9, retry = ?10,"
		" in_doubt = ?11, refused = ?12, cancelled = ?13, held = ?14 WHERE one = 1";
	const struct head *head = &ledger->head;
	const int64_t *t = head->tally;

	_Static_assert(DELIVERY_DECIDED == 0 && DELIVERY_HELD == DELIVERY_STATE_COUNT - 1,
		       "the tally's columns stand in the order of the states");
	return ledger_change(ledger, sql,
			     VALUES(value_number(head->seq), value_blob(head->hash, HASH_SIZE),
				    value_number(head->latest), value_number(head->notices),
				    value_number(head->mails), value_number(t[0]),
				    value_number(t[1]), value_number(t[2]), value_number(t[3]),
				    value_number(t[4]), value_number(t[5]), value_number(t[6]),
				    value_number(t[7]), value_number(t[8])),
			     error);
}

int ledger_head(struct ledger *ledger, struct head *ret, struct error *error)
{
	if (!ledger->inside && !ledger->quiet.holds)
		return head_read(ledger, ret, error);
	*ret = ledger->inside ? ledger->head : ledger->quiet.head;
	return 0;
}

void ledger_tally(struct ledger *ledger, enum delivery_state state, int64_t difference)
{
	ledger->head.tally[state] += difference;
	ledger->head_changed = true;
}

int ledger_latest(struct ledger *ledger, struct instant *ret, struct error *error)
{
	struct head head = { 0 };
	int result = ledger_head(ledger, &head, error);

	if (result == 0)
		*ret = (struct instant){ head.latest };
	return result;
}

int ledger_count(struct ledger *ledger, int64_t ret[static DELIVERY_STATE_COUNT],
		 struct error *error)
{
	struct head head = { 0 };
	int result = ledger_head(ledger, &head, error);

	if (result == 0)
		memcpy(ret, head.tally, sizeof head.tally);
	return result;
}
