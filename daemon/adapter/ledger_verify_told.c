/*
 * ledger_verify_told.c - what an entry of the chain told of a notice or mail, to hold its row
 * against.
 */
#include "adapter/ledger_verify_internal.h"

#include <errno.h>
#include <stdio.h>

void told_clear(struct told *told)
{
	text_clear(&told->text);
	json_decref(told->parsed);
	told->parsed = NULL;
}

json_t *told_said(struct told *told)
{
	if (told->parsed == NULL)
		told->parsed = json_loads(text_string(&told->text), 0, NULL);
	return told->parsed;
}

static int take_told(sqlite3_stmt *statement, struct told *ret, struct error *error)
{
	(void)snprintf(ret->state, sizeof ret->state, "%s",
		       column_string(statement, 0)); /* the longest is "attempting" */
	ret->at = column_instant(statement, 1);
	ret->challenge = sqlite3_column_int64(statement, 3);
	ret->present = sqlite3_column_type(statement, 2) != SQLITE_NULL;
	text_cut(&ret->text, 0);
	if (ret->present)
		text_append(&ret->text, column_string(statement, 2));
	json_decref(ret->parsed);
	ret->parsed = NULL;
	return text_failed(&ret->text) ? error_memory(error) : 0;
}

static int vanished(int64_t seq, struct error *error)
{
	return error_set(error, EIO, "ledger: entry %lld vanished", (long long)seq);
}

#define ENTRY                                                           \
	"SELECT c.state, c.at, p.text, c.challenge, c.seq FROM chain c" \
	" LEFT JOIN payload p ON p.seq = c.seq"

int told_recall(struct walk *walk, int64_t seq, struct told *ret, struct error *error)
{
	static const char sql[] = ENTRY " WHERE c.seq = ?1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result =
		ledger_ask(walk->ledger, sql, VALUES(value_number(seq)), &statement, error);

	if (result == 0)
		result = ledger_step(walk->ledger, statement, error);
	if (result < 0)
		return result;
	return result == 0 ? vanished(seq, error) : take_told(statement, ret, error);
}

int told_recall_first(struct walk *walk, int64_t seq, struct told *ret, struct error *error)
{
	static const struct following what = {
		.sql_one = ENTRY " WHERE c.seq = ?1",
		.sql_on = ENTRY " WHERE c.seq >= ?1 ORDER BY c.seq",
		.column = 4,
	};
	sqlite3_stmt *statement = NULL;
	int result = follower_find(walk->ledger, &walk->firsts, &what, seq, &statement, error);

	if (result < 0)
		return result;
	result = result == 0 ? vanished(seq, error) : take_told(statement, ret, error);
	if (!walk->firsts.walks)
		follower_stop(&walk->firsts);
	return result;
}

int told_agrees(struct told *told, json_t *expected, bool *ret, struct error *error)
{
	const char *key;
	json_t *value;
	bool same = true;

	if (expected == NULL)
		return error_memory(error);
	json_object_foreach(expected, key, value)
	{
		same = same && json_equal(value, json_object_get(told_said(told), key)) == 1;
	}
	json_decref(expected);
	*ret = !told->present || same;
	return 0;
}

bool told_of(const int64_t *entries, int64_t id, int64_t most)
{
	return id > 0 && id <= most && entries[id] != 0;
}
