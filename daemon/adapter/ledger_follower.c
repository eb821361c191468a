/*
 * ledger_follower.c - rows asked for key after key: one statement that walks on answers whoever
 * asks in order, one that searches anybody else. See struct follower.
 */
#include "adapter/ledger_internal.h"

/* Keys apart, and rows passed over, at which a search is not yet the shorter way. */
enum { NEAR = 8 };

void follower_stop(struct follower *follower)
{
	ledger_resetp(&follower->statement);
	follower->walks = false;
}

static int follower_step(struct ledger *ledger, struct follower *follower,
			 const struct following *what, struct error *error)
{
	int result = ledger_step(ledger, follower->statement, error);

	if (result == 1)
		follower->at = sqlite3_column_int64(follower->statement, what->column);
	else
		follower_stop(follower);
	return result;
}

/* Places it anew: by a walk where the last question was for one just before. */
static int follower_from(struct ledger *ledger, struct follower *follower,
			 const struct following *what, bool walks, int64_t key,
			 struct error *error)
{
	int result;

	follower_stop(follower);
	result = ledger_ask(ledger, walks ? what->sql_on : what->sql_one,
			    VALUES(value_number(key)), &follower->statement, error);
	if (result < 0)
		return result;
	follower->walks = walks;
	follower->changes = sqlite3_total_changes64(ledger->db);
	return follower_step(ledger, follower, what, error);
}

int follower_find(struct ledger *ledger, struct follower *follower,
		  const struct following *what, int64_t key, sqlite3_stmt **ret,
		  struct error *error)
{
	/* Ids may lie at both ends of what a number holds: unsigned, the way is never too long.
	 */
	bool near = sqlite3_get_autocommit(ledger->db) == 0 && key > follower->asked &&
		    (uint64_t)key - (uint64_t)follower->asked <= NEAR;
	bool stands = near && follower->statement != NULL && follower->walks &&
		      follower->changes == sqlite3_total_changes64(ledger->db);
	int result = 1;

	follower->asked = key;
	for (int i = 0; stands && i < NEAR && follower->at < key; i++) {
		result = follower_step(ledger, follower, what, error);
		stands = result == 1;
	}
	if (result == 1 && (!stands || follower->at < key))
		result = follower_from(ledger, follower, what, near, key, error);
	*ret = follower->statement;
	return result == 1 ? follower->at == key : result;
}

int follower_next(struct ledger *ledger, struct follower *follower,
		  const struct following *what, struct error *error)
{
	int64_t key = follower->at;
	int result = follower_step(ledger, follower, what, error);

	return result == 1 ? follower->at == key : result;
}
