/*
 * ledger_verify.c - does the ledger still say what it said? See ledger.h.
 *
 * Two walks in one read transaction: along the chain (every hash, every commitment), then over
 * the rows, each against the last that the chain told of it. The first fault found ends it.
 */
#include "adapter/ledger_verify_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE_PAGES = 4096 }; /* 16 MiB: walked in a second */

static void walk_clear(struct walk *walk)
{
	follower_stop(&walk->firsts);
	told_clear(&walk->told);
	text_clear(&walk->expected);
	text_clear(&walk->reason);
	free(walk->payloads.item);
	free(walk->bodies.item);
	free(walk->notice_entry);
	free(walk->notice_first);
	free(walk->notice_mail);
	free(walk->notice_sent);
	free(walk->mail_entry);
	free(walk->mail_first);
	free(walk->mail_loosened);
}

int verify_bad(struct walk *walk, int64_t seq, const char *format, ...)
{
	va_list arguments;

	walk->found->first_bad = seq;
	va_start(arguments, format);
	(void)vsnprintf(walk->found->what, sizeof walk->found->what, format,
			arguments); /* cut is fine */
	va_end(arguments);
	return 1;
}

void verify_count_row(struct walk *walk)
{
	enum { NOW_AND_THEN = 1024 };
	const struct ledger_watcher *watcher = &walk->ledger->watcher;

	if (++walk->rows % NOW_AND_THEN == 0 && watcher->tell != NULL)
		watcher->tell(watcher->context, walk->rows);
}

int verify_rows(struct walk *walk, const char *sql,
		int (*check)(struct walk *walk, sqlite3_stmt *statement, struct error *error),
		int64_t *ret_count, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int64_t count = 0;
	int result = database_prepare(walk->ledger->db, sql, &statement, error);

	while (result == 0 && (result = ledger_step(walk->ledger, statement, error)) == 1) {
		count++;
		verify_count_row(walk);
		result = check(walk, statement, error);
	}
	if (result == 0)
		*ret_count = count;
	return result;
}

int64_t verify_behind(const struct walk *walk)
{
	return walk->found->entries + 1;
}

bool verify_hides_bytes(sqlite3_stmt *statement, int columns)
{
	for (int i = 0; i < columns; i++) {
		if (sqlite3_column_type(statement, i) != SQLITE_TEXT)
			continue;
		if (strlen(column_string(statement, i)) !=
		    (size_t)sqlite3_column_bytes(statement, i))
			return true;
	}
	return false;
}

/* Rows that hang on nothing: as many as were met on the walks, or somebody added one. */
static int check_counts(struct walk *walk, struct error *error)
{
	const struct {
		const char *sql;
		const char *what;
		int64_t seen;
	} tables[] = {
		{ "SELECT count(*) FROM payload", "payloads", walk->payloads_seen },
		{ "SELECT count(*) FROM body", "bodies", walk->bodies_seen },
		{ "SELECT count(*) FROM mail_notice", "ties", walk->ties_seen },
	};

	for (size_t i = 0; i < COUNT(tables); i++) {
		int64_t count = 0;
		int result = database_number(walk->ledger->db, tables[i].sql, &count, error);

		if (result < 0)
			return result;
		if (count != tables[i].seen)
			return verify_bad(walk, verify_behind(walk),
					  "%lld %s, and the chain knows %lld", (long long)count,
					  tables[i].what, (long long)tables[i].seen);
	}
	if (memcmp(walk->tally, walk->head.tally, sizeof walk->tally) != 0)
		return verify_bad(walk, verify_behind(walk),
				  "the tallies do not match the rows");
	return 0;
}

static int prepare_walk(struct walk *walk, struct error *error)
{
	int64_t **arrays[] = { &walk->notice_entry, &walk->notice_first, &walk->notice_mail,
			       &walk->notice_sent,  &walk->mail_entry,   &walk->mail_first,
			       &walk->mail_loosened };
	int64_t entries = 0;
	int result = ledger_head(walk->ledger, &walk->head, error);

	if (result == 0)
		result = database_number(walk->ledger->db, "SELECT count(*) FROM chain",
					 &entries, error);
	if (result < 0)
		return result;
	/* A head that claims more than there is must not claim memory. */
	if (walk->head.seq < 0 || walk->head.seq > entries) {
		walk->found->entries = entries;
		return verify_bad(walk, verify_behind(walk),
				  "the chain was cut: it ended at entry %lld",
				  (long long)walk->head.seq);
	}
	for (size_t i = 0; i < COUNT(arrays); i++) {
		*arrays[i] = calloc((size_t)walk->head.seq + 1, sizeof **arrays[i]);
		if (*arrays[i] == NULL)
			return error_memory(error);
	}
	for (int64_t i = 0; i <= walk->head.seq; i++)
		walk->notice_sent[i] = walk->mail_loosened[i] = INT64_MIN;
	return verify_read_purges(walk, error);
}

static int walk_all(struct ledger *ledger, struct ledger_verification *found,
		    struct error *error)
{
	CLEANUP(walk_clear) struct walk walk = { .ledger = ledger, .found = found };
	int result = prepare_walk(&walk, error);

	if (result == 0)
		result = verify_chain(&walk, error);
	if (result == 0)
		result = verify_mails(&walk, error);
	if (result == 0)
		result = verify_notices(&walk, error);
	if (result == 0)
		result = verify_purges(&walk, error);
	if (result == 0)
		result = check_counts(&walk, error);
	return result;
}

static int verify_in_place(struct ledger *ledger, struct ledger_verification *found,
			   struct error *error)
{
	bool own = sqlite3_get_autocommit(ledger->db) != 0;
	int result = 0;

	if (own)
		result = database_run(ledger->db, "BEGIN", error); /* one moment of the file */
	if (result < 0)
		return result;
	result = walk_all(ledger, found, error);
	if (own)
		(void)sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL,
				   NULL); /* nothing was written */
	return result;
}

static bool is_large(struct ledger *ledger)
{
	int64_t pages = 0;

	return sqlite3_get_autocommit(ledger->db) != 0 &&
	       database_number(ledger->db, "PRAGMA page_count", &pages, NULL) == 1 &&
	       pages > LARGE_PAGES;
}

/* The daemon cannot commit while a large file is walked for seconds: a copy is walked instead.
 */
static int verify_copy(const struct ledger *ledger, sqlite3 *copy,
		       struct ledger_verification *found, struct error *error)
{
	CLEANUP(ledger_closep) struct ledger *other = calloc(1, sizeof *other);

	if (other == NULL) {
		database_closep(&copy);
		return error_memory(error);
	}
	other->db = copy;
	other->access = LEDGER_READ;
	other->random = ledger->random;
	other->watcher = ledger->watcher;
	return verify_in_place(other, found, error);
}

int ledger_verify(struct ledger *ledger, struct ledger_verification *ret, struct error *error)
{
	struct ledger_verification found = { 0 };
	sqlite3 *copy = NULL;
	int result;

	if (ledger->inside)
		return error_set(error, EINVAL, "ledger: not within a transaction");
	/* No room for a copy: then it is walked where it is. */
	if (is_large(ledger) && database_copy(ledger->db, &copy, NULL) == 0)
		result = verify_copy(ledger, copy, &found, error);
	else
		result = verify_in_place(ledger, &found, error);
	if (result < 0)
		return result;
	*ret = found;
	return 0;
}
