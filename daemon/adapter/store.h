/*
 * store - the challenge store, read only (SQLite, query_only).
 *
 * Other people's file: never migrated, never checkpointed, every value hostile. Read
 * transactions are short. The rows that an iteration hands out are borrowed until the next
 * one.
 */
#ifndef ADAPTER_STORE_H
#define ADAPTER_STORE_H

#include "base/error.h"
#include "core/challenge.h"
#include "core/recipient.h"

struct store;

/*
 * Opens the store for reading. Refused with a text that says what to do: not there
 * (-ENOENT), not a challenge store or a newer one (-EINVAL), not to be opened (-EACCES, -EIO).
 */
MUST_CHECK int store_open(const char *path, struct store **ret, struct error *error);
void store_close(struct store *store);
void store_closep(struct store **store);

/* Gives back the pages that it keeps in memory: for when there is nothing to do. */
void store_give_back(struct store *store);

enum store_change {
	STORE_SAME,    /* nothing was committed by anybody since the last look */
	STORE_CHANGED, /* look at what changed */
	STORE_MOVED,   /* another file stands at the path now: reopen */
};

/* Costs microseconds and writes nothing. -EIO, -EBUSY with text. */
MUST_CHECK int store_look(struct store *store, enum store_change *ret, struct error *error);

/* True when somebody switched the file to WAL (facts.md 1: to be warned of). */
bool store_is_wal(const struct store *store);

/*
 * An identity of the file's contents that survives a copy but not a new `init`; used to notice
 * a store that was replaced. Borrowed.
 */
const char *store_identity(const struct store *store);

/* What tells an event from another that may have got its number. */
struct store_event {
	int64_t id;
	int64_t challenge;
	struct instant at;
	struct instant recorded_at;
};
/* The event of that number (0: the newest there is): 1, or 0 when there is none. */
MUST_CHECK int store_event(struct store *store, int64_t id, struct store_event *ret,
			   struct error *error);
/* 1: this very event is there, or its challenge went by a recorded purge; 0: neither. */
MUST_CHECK int store_has_event(struct store *store, const struct store_event *event,
			       struct error *error);

/* A read transaction: what is read between these two is one moment of the store. */
MUST_CHECK int store_begin(struct store *store, struct error *error);
void store_end(struct store *store);

/* A copy of the whole store at one moment, as database_backup makes it: to a new file. */
MUST_CHECK int store_backup(struct store *store, const char *path, struct error *error);

/* The highest change_seq ever given, to what has been purged as well; 0 in a new store. */
MUST_CHECK int store_change_seq(struct store *store, int64_t *ret, struct error *error);

/*
 * A text that is not UTF-8, holds control characters or is longer than 500 bytes counts as ""
 * where nothing is decided by it (concerns, category, an event's value), and as a word that
 * nobody knows (U+FFFD) in urgency, the agencies, an event's kind and stage; `unsound` of the
 * challenge names the column. Only without its reference and policy a challenge cannot be read.
 *
 * Walks challenges with their events (in order of id), in order of change_seq, beginning with
 * the one after `after`. store_next: 1 with *ret, borrowed until the next call and owned by the
 * store; 0 at the end; negative errors. A row that cannot be read is handed
 * out as *ret = NULL with a text in `error`, and 1: one bad row never hides the others.
 */
MUST_CHECK int store_changed_since(struct store *store, int64_t after, struct error *error);
MUST_CHECK int store_next(struct store *store, struct challenge **ret, struct error *error);

/* Ids of challenges from `from` on, in order; at most `most`, *ret_count of them. */
MUST_CHECK int store_ids(struct store *store, int64_t from, size_t most, int64_t *ret,
			 size_t *ret_count, struct error *error);
/* The same walk through all of them, in order of reference: for what people read. */
MUST_CHECK int store_all(struct store *store, struct error *error);

/* The id of the row that store_next handed out last, also of one that could not be read. */
int64_t store_row(const struct store *store);
/* Its change_seq; 0 where that is no number. */
int64_t store_row_change(const struct store *store);

/*
 * One challenge with its events: 1, or 0 when there is none. Same ownership; what cannot be
 * read is handed out as store_next does, but for store_challenge_by_reference, where it is an
 * error.
 */
MUST_CHECK int store_challenge(struct store *store, int64_t id, struct challenge **ret,
			       struct error *error);
MUST_CHECK int store_challenge_by_reference(struct store *store, const char *reference,
					    struct challenge **ret, struct error *error);

/*
 * The directory of the agencies named (NULL entries are skipped), the people of these, and
 * their deputies and covers wherever they work; `agencies` NULL, or more than 16: everybody. A
 * text that is not fit to be shown counts as "". Owned by the store until the next call of this
 * function.
 */
MUST_CHECK int store_directory(struct store *store, const char *const *agencies,
			       size_t agency_count, struct directory *ret, struct error *error);

#endif
