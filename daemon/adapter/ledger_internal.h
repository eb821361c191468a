/*
 * ledger_internal - what the files of the ledger share among themselves, and its tests.
 *
 * Nobody else includes this: SQL, the cached statements and the head of the chain end here.
 */
#ifndef ADAPTER_LEDGER_INTERNAL_H
#define ADAPTER_LEDGER_INTERNAL_H

#include "adapter/database.h"
#include "adapter/ledger.h"

/* A digest of a thousand notices, or the text of a large configuration. */
enum { LEDGER_LONGEST_VALUE = 8 << 20 };

enum { HASH_SIZE = 32, SALT_SIZE = 16, MOST_STATEMENTS = 64 };

/* The one row of table `head`: the end of the chain and the tallies, one page a commit. */
struct head {
	int64_t seq;
	unsigned char hash[HASH_SIZE];
	int64_t latest; /* seconds; INT64_MIN: the daemon has written nothing yet */
	int64_t notices;
	int64_t mails;
	int64_t tally[DELIVERY_STATE_COUNT];
};

/*
 * The rows of one key (a challenge, an entry of the chain), then those of another. Who asks in
 * ascending order, without gaps to speak of and without writing in between, is answered by one
 * statement that walks on: no search a key. Anybody else is answered by one that searches.
 */
struct follower {
	sqlite3_stmt *statement; /* stands on a row; NULL: on none */
	bool walks;              /* it goes on to the next key */
	int64_t at;              /* the key of that row */
	int64_t asked;           /* the key that was asked for last */
	int64_t changes;         /* rows changed on this connection when it was placed */
};

struct ledger {
	sqlite3 *db;
	enum ledger_access access;
	int64_t version; /* of the schema */
	int64_t found;   /* what it was before this opening migrated it; else the same */
	struct {
		const char *sql; /* its address is the key */
		sqlite3_stmt *statement;
	} kept[MOST_STATEMENTS];
	size_t kept_count;
	/* What the ledger said when it was last let go, while nobody commits. */
	struct {
		bool known;
		bool holds; /* within hold and let_go: the file is still the same */
		uint32_t counter;
		struct head head;
		struct instant wake;
	} quiet;
	sqlite3_stmt *held; /* stands on a row while the file is held; NULL: it is not */
	bool inside;        /* between begin and commit */
	bool broken;        /* a change failed half way: only a rollback is left */
	bool head_changed;
	struct head head;          /* true while inside */
	struct follower histories; /* stopped at the end of a transaction */
	struct follower schedules;
	struct ledger_random random;
	unsigned char pool[256]; /* random bytes fetched ahead; the last pool_left are unused */
	size_t pool_left;
	struct ledger_watcher watcher;
};

/* --- statements -------------------------------------------------------------------------- */

/* INSTANT_NEVER is SQL's NULL in every column that may hold it. */
struct database_value value_instant(struct instant at);
struct instant column_instant(sqlite3_stmt *statement, int column);
/* Never NULL; borrowed until the next step. */
const char *column_string(sqlite3_stmt *statement, int column);

/*
 * The statement for `sql` (a static string, prepared once), bound to the values and ready to
 * step. Declare it with CLEANUP(ledger_resetp), or it holds its lock.
 */
MUST_CHECK int ledger_ask(struct ledger *ledger, const char *sql,
			  const struct database_value *values, size_t count, sqlite3_stmt **ret,
			  struct error *error);
/* 1: a row, 0: the end. */
MUST_CHECK int ledger_step(struct ledger *ledger, sqlite3_stmt *statement, struct error *error);
void ledger_resetp(sqlite3_stmt **statement);
/* Runs a statement that answers no rows. */
MUST_CHECK int ledger_change(struct ledger *ledger, const char *sql,
			     const struct database_value *values, size_t count,
			     struct error *error);

/* What a follower asks: the key stands in `column` of both. No other follower asks the same:
 * the statement is one, and stands in one place. */
struct following {
	const char *sql_one; /* the rows of key ?1 */
	const char *sql_on;  /* those of ?1 and of all behind it, in order of the key */
	int column;
};
/*
 * 1 with a statement that stands on the key's first row, 0: there is none. follower_next: the
 * same for its next row; it ends by itself after the last one, follower_stop before. A walk
 * belongs to one transaction, and is stopped before its end.
 */
MUST_CHECK int follower_find(struct ledger *ledger, struct follower *follower,
			     const struct following *what, int64_t key, sqlite3_stmt **ret,
			     struct error *error);
MUST_CHECK int follower_next(struct ledger *ledger, struct follower *follower,
			     const struct following *what, struct error *error);
void follower_stop(struct follower *follower);

/* --- the schema and its versions ------------------------------------------------------------
 */

/* A file on its way to the newest version. */
struct bringing {
	const char *folder;
	const char *path;
	const struct ledger_steps *steps;
	struct database_watch watch;
	int64_t from; /* the version it was found at; 0: it is new */
};

/*
 * Makes what is there one of the newest version, or refuses it (see ledger_open). An older one
 * is copied first to ledger-version-N.db beside it; then all steps are one transaction.
 */
MUST_CHECK int ledger_bring_up(struct ledger *ledger, struct bringing *bringing,
			       struct error *error);

/* As database_backup, and the copy knows that it is one, and of which moment. */
MUST_CHECK int ledger_copy(sqlite3 *db, const char *path, const struct database_watch *watch,
			   struct error *error);
/* The copy of what a migration found. One for each version; an earlier one of the same version
 * gives way. */
MUST_CHECK int ledger_copy_before(const struct bringing *bringing, struct error *error);

/* Takes away the copies that migrations left of versions below this one; how many. */
size_t ledger_remove_copies(const char *folder, int64_t below);

/* --- transactions ------------------------------------------------------------------------- */

/*
 * A change opens a scope first and returns through ledger_leave: outside a transaction that
 * makes one of its own, committed or rolled back; inside one, a failure after the first write
 * spoils the transaction, so that nobody commits half a change.
 */
struct ledger_scope {
	bool own;
	int64_t changes; /* rows changed on this connection before */
};
MUST_CHECK int ledger_enter(struct ledger *ledger, struct ledger_scope *ret,
			    struct error *error);
MUST_CHECK int ledger_leave(struct ledger *ledger, const struct ledger_scope *scope, int result,
			    struct error *error);
/* As ledger_enter, but -EINVAL outside a transaction. */
MUST_CHECK int ledger_enter_inside(struct ledger *ledger, struct ledger_scope *ret,
				   struct error *error);

/* The head as the file has it; within a transaction, after a change of it, written back. */
MUST_CHECK int head_read(struct ledger *ledger, struct head *ret, struct error *error);
MUST_CHECK int head_write(struct ledger *ledger, struct error *error);
/* The head as it stands: within a transaction the one being written. */
MUST_CHECK int ledger_head(struct ledger *ledger, struct head *ret, struct error *error);
/* Within a transaction: one mail or mail-less notice more (or less) in this state. */
void ledger_tally(struct ledger *ledger, enum delivery_state state, int64_t difference);

MUST_CHECK int ledger_random_bytes(struct ledger *ledger, unsigned char *ret, size_t count,
				   struct error *error);

/* --- chain ---------------------------------------------------------------------------------
 */

struct json_t;

/* What an entry tells; what it does not concern is 0 or -1. */
struct chain_entry {
	const char *kind;
	struct instant at;
	int64_t challenge;
	int64_t notice;
	int64_t mail;
	int state; /* enum delivery_state after it; -1: no state */
};

/* Appends; takes the reference of `payload` (NULL: building it failed for want of memory). */
MUST_CHECK int chain_append(struct ledger *ledger, const struct chain_entry *entry,
			    struct json_t *payload, struct error *error);

/* As chain_append writes a payload, on one line; malloc'd. NULL: out of memory, or not UTF-8.
 */
char *chain_text(const struct json_t *json, size_t flags);

/* commitment = SHA-256(salt || payload); hash over all that an entry says, unambiguously. */
void chain_commit(const unsigned char salt[static SALT_SIZE], const char *payload,
		  size_t length, unsigned char ret[static HASH_SIZE]);
struct chain_link {
	int64_t seq;
	int64_t at;
	int64_t challenge;
	int64_t notice;
	int64_t mail;
	const char *kind;
	const char *state; /* "": none */
	const unsigned char *commitment;
};
struct sha256_ctx;
/* Its length goes before it: no two rows of strings read the same. */
void chain_add_string(struct sha256_ctx *sha, const char *string);
void chain_hash(const unsigned char previous[static HASH_SIZE], const struct chain_link *link,
		unsigned char ret[static HASH_SIZE]);

/*
 * A digest of the notices and mails that the entries in these [first, last] stretches tell of,
 * as their rows stand: what a purge puts in place of the payloads it erases, so that an edit
 * of such a row is found still. They are settled, so their rows change no more.
 */
MUST_CHECK int chain_rows_digest(struct ledger *ledger, const struct json_t *ranges,
				 char ret[static 2 * HASH_SIZE + 1], struct error *error);

/* RFC 3339 in UTC, or JSON's null for INSTANT_NEVER. */
struct json_t *json_instant(struct instant at);

/* Kinds of entries that speak of the ledger's own rows; ledger_note refuses them. */
extern const char *const chain_decided;
extern const char *const chain_rendered;
extern const char *const chain_fallen_through;
extern const char *const chain_taken_back;
extern const char *const chain_purged;

/* --- rows as JSON: what the chain commits to, and what verify compares rows with ------------
 */

/* The columns of a notice that never change, and send_at. NULL: out of memory. */
struct json_t *notice_facts(const struct ledger_notice *notice);
/*
 * The text that notice_facts is written as, without the closing brace, and the member `reason`:
 * what a payload that begins so certainly says. False: these facts have to be compared as JSON.
 */
MUST_CHECK bool notice_facts_text(const struct ledger_notice *notice, struct text *ret);
MUST_CHECK bool reason_text(const char *reason, struct text *ret);
/* SELECT list and reader for a notice of table `notice` as n (and its mail as m). */
#define NOTICE_COLUMNS                                                                   \
	"n.id, n.challenge, n.reference, n.policy, n.policy_version, n.event,"           \
	" n.stage, n.obligation, n.kind, n.step, n.occurrence, n.role, n.at, n.send_at," \
	" n.started, n.due, n.firm, n.provisional, n.state, n.reason, n.mail"
enum { NOTICE_COLUMN_COUNT = 21 };
/* Borrowed from the statement. -EIO when a word in it is none of ours. */
MUST_CHECK int notice_read(sqlite3_stmt *statement, struct ledger_notice *ret,
			   struct error *error);
/* A state by its name; -EIO for a word that is none. */
MUST_CHECK int state_read(const char *name, enum delivery_state *ret, struct error *error);

#define MAIL_COLUMNS                                                                       \
	"m.id, m.state, m.contact, m.recipient, m.envelope_from, m.message_id, m.date,"    \
	" m.attempts, m.doubts, m.created, m.next_attempt, m.updated, m.reply, m.length, " \
	"m.sha256"
enum { MAIL_COLUMN_COUNT = 15 };
MUST_CHECK int mail_read(sqlite3_stmt *statement, struct ledger_mail *ret, struct error *error);
/* What never changes in a mail; `sha256` is hexadecimal; takes the reference of `notices`. */
struct json_t *mail_facts(const struct ledger_mail *mail, const char *sha256,
			  struct json_t *notices);
/* What changes with every entry. */
struct json_t *mail_progress(const struct ledger_mail *mail);

/* Ties loose again: every notice of the mail is without one, and to be sent at `now`. */
MUST_CHECK int mail_loosen(struct ledger *ledger, int64_t mail, struct instant now,
			   struct error *error);
/* Cancels a mail that is to carry only notices that are none any more; kind names why. */
MUST_CHECK int mail_cancel(struct ledger *ledger, const struct ledger_mail *mail,
			   const char *kind, const char *reason, struct instant now,
			   struct error *error);
/* One mail without its bytes, borrowed until `*statement` is reset: 1, or 0. */
MUST_CHECK int mail_find(struct ledger *ledger, int64_t id, sqlite3_stmt **statement,
			 struct ledger_mail *ret, struct error *error);

enum { HEX_SIZE = 2 * HASH_SIZE + 1 };
const char *hex(const unsigned char *bytes, size_t count, char *out);
void sha256_of(const void *bytes, size_t length, unsigned char ret[static HASH_SIZE]);

#endif
