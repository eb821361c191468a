/*
 * ledger_verify_internal - what the walks of ledger_verify share. For no others.
 */
#ifndef ADAPTER_LEDGER_VERIFY_INTERNAL_H
#define ADAPTER_LEDGER_VERIFY_INTERNAL_H

#include "adapter/ledger_internal.h"

#include <jansson.h>

/* One purged stretch, told by the entry `by`. */
struct purged {
	int64_t first;
	int64_t last;
	int64_t by;
};

struct purged_list {
	struct purged *item;
	size_t count;
	size_t capacity;
};

/* What an entry of the chain told of a notice or mail. */
struct told {
	bool present; /* false: purged */
	char state[16];
	struct instant at;
	int64_t challenge;
	struct text text;
	json_t *parsed; /* NULL: not asked for yet, or no JSON */
};

struct walk {
	struct ledger *ledger;
	struct ledger_verification *found;
	struct purged_list payloads;
	struct purged_list bodies;
	struct head head;
	/* By id of notice or mail, which are never more than entries: */
	int64_t *notice_entry; /* the last entry that told of it; 0: none */
	int64_t *notice_first; /* its `decided` entry */
	int64_t *notice_mail;  /* the mail it must be tied to; 0: none */
	int64_t *notice_sent;  /* send_at after it was loosened; INT64_MIN: as decided */
	int64_t *mail_entry;
	int64_t *mail_first;    /* its `rendered` entry */
	int64_t *mail_loosened; /* when its notices left it; INT64_MIN: they did not */
	int64_t notices;        /* entries "decided" */
	int64_t mails;          /* entries "rendered" */
	int64_t payloads_seen;
	int64_t ties_seen;
	int64_t bodies_seen;
	int64_t tally[DELIVERY_STATE_COUNT];
	struct follower firsts; /* the entries that began a notice or mail */
	size_t rows;            /* looked at */
	/* Kept from row to row for their memory: */
	struct told told;
	struct text expected;
	struct text reason;
};

/* --- what each walk needs: ledger_verify.c --------------------------------------------------
 */

/* Notes the fault and answers 1, which ends the walk; 0 goes on. */
int verify_bad(struct walk *walk, int64_t seq, const char *format, ...) PRINTF_LIKE(3, 4);
/* One row more was looked at: whoever watches is told now and then. */
void verify_count_row(struct walk *walk);
/* Holds every row of a statement up to `check`, which answers as the walks do; 0 with how many
 * there are. */
MUST_CHECK int verify_rows(struct walk *walk, const char *sql,
			   int (*check)(struct walk *walk, sqlite3_stmt *statement,
					struct error *error),
			   int64_t *ret_count, struct error *error);
/* A fault of a row: it has no place in the chain, so it stands behind its end. */
int64_t verify_behind(const struct walk *walk);
/* A NUL in a text hides what stands behind it from everybody who compares strings. */
bool verify_hides_bytes(sqlite3_stmt *statement, int columns);

/* --- what the chain told: ledger_verify_told.c ----------------------------------------------
 */

void told_clear(struct told *told);
/* What it said as JSON, parsed once. Borrowed; NULL: it is none. */
json_t *told_said(struct told *told);
/* What an entry said, which the walk along the chain has found sound. */
MUST_CHECK int told_recall(struct walk *walk, int64_t seq, struct told *ret,
			   struct error *error);
/* The same of entries that began a row: rows stand in their order, or nearly. */
MUST_CHECK int told_recall_first(struct walk *walk, int64_t seq, struct told *ret,
				 struct error *error);
/* Whether all that is expected stands in what was said; takes the reference of `expected`. */
MUST_CHECK int told_agrees(struct told *told, json_t *expected, bool *ret, struct error *error);
/* Does one of the entries, which are kept by id, tell of this one? Ids go up to `most`. */
bool told_of(const int64_t *entries, int64_t id, int64_t most);

/* --- the walks: each 0, or 1 with the first fault noted -------------------------------------
 */

MUST_CHECK int verify_chain(struct walk *walk, struct error *error);
MUST_CHECK int verify_mails(struct walk *walk, struct error *error);
MUST_CHECK int verify_notices(struct walk *walk, struct error *error);
/* Rows whose payloads were erased. */
MUST_CHECK int verify_purges(struct walk *walk, struct error *error);

/* Which stretches were purged. They are believed only once the walk along the chain has passed
 * the entries that say so. */
MUST_CHECK int verify_read_purges(struct walk *walk, struct error *error);
/* The stretch that this one was purged in, or NULL. */
const struct purged *verify_purged_at(const struct purged_list *list, int64_t id);

#endif
