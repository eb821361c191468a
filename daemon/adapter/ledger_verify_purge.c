/*
 * ledger_verify_purge.c - what purges erased, and that the rows behind it are as each purge
 * found them.
 */
#include "adapter/ledger_verify_internal.h"

#include "base/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_ranges(struct purged_list *list, const json_t *ranges, int64_t by)
{
	size_t i;
	json_t *pair;

	json_array_foreach((json_t *)ranges, i, pair)
	{
		struct purged purged = {
			.first = json_integer_value(json_array_get(pair, 0)),
			.last = json_integer_value(json_array_get(pair, 1)),
			.by = by,
		};

		if (list_reserve(&list->item, list->count, &list->capacity,
				 sizeof *list->item) < 0)
			return -ENOMEM;
		list->item[list->count++] = purged;
	}
	return 0;
}

static int by_first(const void *a, const void *b)
{
	const struct purged *left = a;
	const struct purged *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

static const char sql_purges[] = "SELECT c.seq, p.text FROM chain c JOIN payload p"
				 " ON p.seq = c.seq WHERE c.kind = 'purged' ORDER BY c.seq";

int verify_read_purges(struct walk *walk, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_prepare(walk->ledger->db, sql_purges, &statement, error);

	while (result >= 0 && (result = ledger_step(walk->ledger, statement, error)) == 1) {
		json_t *said = json_loads(column_string(statement, 1), 0, NULL);
		int64_t by = sqlite3_column_int64(statement, 0);

		if (add_ranges(&walk->payloads, json_object_get(said, "payloads"), by) < 0 ||
		    add_ranges(&walk->bodies, json_object_get(said, "bodies"), by) < 0)
			result = error_memory(error);
		json_decref(said);
	}
	if (result < 0)
		return result;
	if (walk->payloads.count > 0)
		qsort(walk->payloads.item, walk->payloads.count, sizeof(struct purged),
		      by_first);
	if (walk->bodies.count > 0)
		qsort(walk->bodies.item, walk->bodies.count, sizeof(struct purged), by_first);
	return 0;
}

/* No id is purged twice, so stretches do not overlap, and the one before is the only one. */
const struct purged *verify_purged_at(const struct purged_list *list, int64_t id)
{
	size_t low = 0;
	size_t high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->item[middle].first <= id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || list->item[low - 1].last < id)
		return NULL;
	return &list->item[low - 1];
}

static int check_purge(struct walk *walk, int64_t seq, const char *text, struct error *error)
{
	char digest[HEX_SIZE];
	json_t *said = json_loads(text, 0, NULL);
	const char *rows = json_string_value(json_object_get(said, "rows"));
	int result = chain_rows_digest(walk->ledger, json_object_get(said, "payloads"), digest,
				       error);

	if (result == 0 && (rows == NULL || strcmp(rows, digest) != 0))
		result = verify_bad(walk, seq,
				    "a row is not as it was when this purge erased its"
				    " entries");
	json_decref(said);
	return result;
}

int verify_purges(struct walk *walk, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_prepare(walk->ledger->db, sql_purges, &statement, error);

	while (result == 0 && (result = ledger_step(walk->ledger, statement, error)) == 1) {
		result = check_purge(walk, sqlite3_column_int64(statement, 0),
				     column_string(statement, 1), error);
		if (result != 0)
			return result;
	}
	return result;
}
