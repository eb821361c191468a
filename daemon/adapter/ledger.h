/*
 * ledger - the daemon's own memory: decisions, mails, attempts, outcomes, and the chained
 * audit trail (SQLite, rollback journal PERSIST, synchronous FULL, mode 0600).
 *
 * Every function that changes a state does it in one transaction together with the
 * chain entry that tells of it. Between ledger_begin and ledger_commit several share one. The
 * notice key is UNIQUE: no restart, reload, second daemon or clock set back decides twice.
 */
#ifndef ADAPTER_LEDGER_H
#define ADAPTER_LEDGER_H

#include "base/error.h"
#include "base/text.h"
#include "core/delivery.h"
#include "core/timeline.h"

struct ledger;

enum ledger_access {
	LEDGER_WRITE,  /* as the daemon */
	LEDGER_READ,   /* changes nothing */
	LEDGER_PERSON, /* writes a person's decisions: never creates, never moves ledger_latest
			*/
};

/*
 * Opens ledger.db in the state folder. LEDGER_WRITE creates it (0600) when it is not there, and
 * brings an older one to this version: first a copy, ledger-version-N.db beside it (0600; the
 * copy of the latest migration only is kept), then all that is to be changed in one
 * transaction, so that a kill or a full disk leaves the older one. -EINVAL: not a ledger;
 * -EPROTO: a newer one; -ENOSPC and so on: it could not be migrated, or not be copied, which
 * comes to the same; for LEDGER_READ and LEDGER_PERSON -ENOENT, and -ESTALE: an older one. The
 * caller holds the folder's lock (ledger_lock) before writing as the daemon.
 */
MUST_CHECK int ledger_open(const char *state_folder, enum ledger_access access,
			   struct ledger **ret, struct error *error);

/* Where salts and the secret behind Message-IDs come from: fills `count` bytes; 0, or a
 * negative errno. */
struct ledger_random {
	int (*fill)(void *context, void *bytes, size_t count);
	void *context;
};

/* What makes a version of the schema of the one before: SQL, statement after statement. */
struct ledger_step {
	const char *what; /* in a few words, for errors */
	const char *sql;
};
struct ledger_steps {
	const struct ledger_step *step; /* [n] makes version n + 1 of version n */
	size_t count;
};
extern const struct ledger_steps ledger_released_steps; /* those of this program */

/* Zeroed: as ledger_open has it. */
struct ledger_setup {
	struct ledger_random random; /* getrandom */
	/* Called over and over while an older file is brought from one version to another,
	 * which may take minutes; nobody is told. */
	void (*migrating)(void *context, int from, int to);
	void *context;
	const struct ledger_steps *steps; /* ledger_released_steps; others are a test's */
};
MUST_CHECK int ledger_open_with(const char *state_folder, enum ledger_access access,
				const struct ledger_setup *setup, struct ledger **ret,
				struct error *error);

/* Did this opening migrate it? Both versions are told in either case. */
bool ledger_was_migrated(const struct ledger *ledger, int *ret_from, int *ret_to);

void ledger_close(struct ledger *ledger);
void ledger_closep(struct ledger **ledger);

/*
 * The lock that makes one daemon active per state folder: flock on the file `lock` in it. 0
 * with a descriptor the caller keeps open; -EWOULDBLOCK when another holds it, and still after
 * half a second: a child that a killed daemon was about to start has the descriptor, and so the
 * lock, until it is a program of its own (flock(2), fork(2)).
 */
MUST_CHECK int ledger_lock(const char *state_folder, int *ret_descriptor, struct error *error);

/*
 * Transactions (BEGIN IMMEDIATE). They do not nest. A rollback after failure is safe always.
 * Where a change failed half way, ledger_commit rolls back and answers -ECANCELED; a
 * change that was refused (-EINVAL, -EBUSY, -ENOENT) has written nothing and spoils nothing.
 * Functions that need not be inside one make their own. -EIO from a commit means that the disk
 * may have lost writes: close, exit, start anew (facts.md 1.1).
 */
MUST_CHECK int ledger_begin(struct ledger *ledger, struct error *error);
MUST_CHECK int ledger_commit(struct ledger *ledger, struct error *error);
void ledger_rollback(struct ledger *ledger);

/*
 * From hold to let_go the file stays locked for reading, so that a run of questions and commits
 * does not each lock it, look for a journal and read its header anew (twenty system calls and a
 * sync of the folder). Others read meanwhile, but none can commit: hold for moments, and let go
 * before a wait. Holding twice is holding once; not to hold, where the file cannot be read, is
 * no error. ledger_begin lets go by itself when another writer is first, and ledger_rollback
 * always does.
 */
void ledger_hold(struct ledger *ledger);
void ledger_let_go(struct ledger *ledger);

/*
 * While the ledger is held: true when nobody has committed since it was let go the last time,
 * and nothing in it waits for an instant that has come. Then ledger_latest, ledger_count and
 * ledger_next_wake answer from memory, and the file was not even locked.
 */
bool ledger_is_quiet(const struct ledger *ledger, struct instant now);

/* Gives back the pages that it keeps in memory: for when there is nothing to do. */
void ledger_give_back(struct ledger *ledger);

/* --- what it remembers of the store and of itself -------------------------------------------
 */

/* Small named values: "store_identity", "change_seq", "configuration", ... */
MUST_CHECK int ledger_get(struct ledger *ledger, const char *name, struct text *ret,
			  struct error *error); /* 1 found, 0 not */
MUST_CHECK int ledger_set(struct ledger *ledger, const char *name, const char *value,
			  struct error *error);
MUST_CHECK int ledger_get_number(struct ledger *ledger, const char *name, int64_t *ret,
				 struct error *error); /* 1 found, 0 not */
MUST_CHECK int ledger_set_number(struct ledger *ledger, const char *name, int64_t value,
				 struct error *error);

/*
 * The newest event of the store when it was last looked at as a whole, and when that was: a
 * store in which it is not found is not the one that was seen. 1, or 0: no event was seen yet.
 */
struct ledger_witness {
	int64_t event;
	int64_t challenge;
	int64_t at; /* seconds; so too the next two */
	int64_t recorded_at;
	int64_t seen;
};
MUST_CHECK int ledger_witness(struct ledger *ledger, struct ledger_witness *ret,
			      struct error *error);
MUST_CHECK int ledger_set_witness(struct ledger *ledger, const struct ledger_witness *witness,
				  struct error *error);

/* The small number that says whether the store is doubted just now: 1, or 0. */
#define LEDGER_STORE_DOUBTED "store_doubted"
/* While it is doubted: the newest event of the copy when it was first looked at. What has a
 * higher number was recorded since. */
#define LEDGER_STORE_COPIED "store_copied"

/* The highest numbers of the store that anything here is about; 0: none. Reads every notice and
 * mail. */
struct ledger_numbers {
	int64_t challenge;
	int64_t event;
	int64_t contact;
};
MUST_CHECK int ledger_numbers(struct ledger *ledger, struct ledger_numbers *ret,
			      struct error *error);

/*
 * A person confirms that the store of this identity is the right one: all of it is read anew,
 * and its newest event becomes the witness. Chained, with `payload` (a JSON object).
 */
MUST_CHECK int ledger_confirm_store(struct ledger *ledger, const char *identity,
				    const char *payload, struct instant now,
				    struct error *error);

/* True until the first cycle has been recorded (ledger_set_number "first_cycle"). */
MUST_CHECK int ledger_is_new(struct ledger *ledger, bool *ret, struct error *error);

/* The latest instant that the daemon itself wrote; INT64_MIN in a new ledger. */
MUST_CHECK int ledger_latest(struct ledger *ledger, struct instant *ret, struct error *error);

/*
 * A person confirmed at `now`, by the clock in question, that this clock is right. Chained,
 * with who and why. Where it stands before ledger_latest, that instant is disavowed and every
 * challenge is held against the right time once more. -EINVAL before 2026-01-01.
 */
MUST_CHECK int ledger_confirm_clock(struct ledger *ledger, struct instant now, const char *by,
				    const char *why, struct error *error);

/* The latest confirmation. NEVER, when there was none, is in each field. */
struct ledger_confirmation {
	struct instant at;
	struct instant disavowed; /* what ledger_latest answered, if that lay ahead of `at` */
};
MUST_CHECK int ledger_confirmation(struct ledger *ledger, struct ledger_confirmation *ret,
				   struct error *error);

enum { DELIVERY_STATE_COUNT = 9 };

/* --- when to look at a challenge again ------------------------------------------------------
 */

/*
 * Remembers the next instant at which the challenge's timeline speaks (INSTANT_NEVER forgets
 * it). Writes nothing when it is remembered so already.
 */
MUST_CHECK int ledger_schedule(struct ledger *ledger, int64_t challenge, struct instant next,
			       struct error *error);
/* Up to `most` challenges whose instant is <= now, in order of it; *ret_count of them. */
MUST_CHECK int ledger_scheduled(struct ledger *ledger, struct instant now, size_t most,
				int64_t *ret, size_t *ret_count, struct error *error);

/*
 * The next instant at which anything here wants attention: a scheduled challenge, a deferred
 * notice, a retry. INSTANT_NEVER: nothing. What a person let go waits for no instant, and is
 * not among them.
 */
MUST_CHECK int ledger_next_wake(struct ledger *ledger, struct instant *ret,
				struct error *error);

/* --- notices ---------------------------------------------------------------------------------
 */

/* One decision about one role. Strings are borrowed on the way in, and on the way out until the
 * next call on the ledger. */
struct ledger_notice {
	int64_t id; /* the ledger's own; 0 on the way in */
	int64_t challenge;
	const char *reference;
	const char *policy;
	const char *policy_version;
	int64_t event;
	const char *stage;      /* id; "" none */
	const char *obligation; /* id; "" none */
	enum notice_kind kind;
	const char *step;
	int32_t occurrence;
	const char *role; /* token */
	struct instant at;
	struct instant send_at;
	struct instant started;
	struct instant due;
	bool firm;
	bool provisional;
	enum delivery_state state; /* DECIDED, CANCELLED (not to be sent), HELD */
	const char *reason;        /* why it is not sent; "" */
	int64_t mail;              /* 0: none yet */
	bool doubted; /* of a history only: its mail was in doubt once, a relay may have it */
	/* On the way in only, for the chain; NULL or "": not told. */
	const char *policy_digest;
	const char *calendar_version; /* of the holiday list, as the caller names it */
	const char *zone_version;     /* of tzdata */
	/* On the way in only: the reasons, ended by NULL, for which a notice that was cancelled
	 * without a mail may be told after all; NULL: none. */
	const char *const *revives;
};

/*
 * The decision that one of the entry's roles (its place in entry->to) is to be told: DECIDED,
 * to go at the entry's own time. Strings are borrowed from the policy, the challenge and the
 * entry. The one place where a key is made of facts: the daemon and challengectl share it.
 */
struct ledger_notice ledger_notice_of(const struct policy *policy,
				      const struct challenge *challenge,
				      const struct entry *entry, size_t role);

/* The reason of what is left unsent since it was past when somebody began to watch. */
extern const char ledger_adopted_reason[];

/*
 * Records the decision unless its key is there: 1 with *ret_id when it is new, 0 when it was
 * decided before (then *ret_id names that one), 2 when that one was cancelled for one of
 * the reasons of `revives` and may be revived. Must be inside a transaction.
 */
MUST_CHECK int ledger_decide(struct ledger *ledger, const struct ledger_notice *notice,
			     struct instant now, int64_t *ret_id, struct error *error);

/* Notices DECIDED without a mail and with send_at <= now, in order of send_at and id, copied
 * into *ret (free with ledger_notices_free); at most `most`. */
MUST_CHECK int ledger_decided(struct ledger *ledger, struct instant now, size_t most,
			      struct ledger_notice **ret, size_t *ret_count,
			      struct error *error);
/* All notices of one challenge that may still be cancelled, oldest first: decided or held
 * without a mail, or in a mail that is ready, retry or in doubt (`state` is the mail's then).
 */
MUST_CHECK int ledger_pending(struct ledger *ledger, int64_t challenge,
			      struct ledger_notice **ret, size_t *ret_count,
			      struct error *error);
/* Every notice of one challenge, oldest first, with the state of its mail in `state` and
 * whether that was ever in doubt: for standing down, explain and the audit. */
MUST_CHECK int ledger_history(struct ledger *ledger, int64_t challenge,
			      struct ledger_notice **ret, size_t *ret_count,
			      struct error *error);
void ledger_notices_free(struct ledger_notice *notices, size_t count);

/*
 * Cancels one notice, with why. When it was the last live notice of a mail that is ready, retry
 * or in doubt, that mail is cancelled too. When others remain in a mail that no relay can have,
 * that mail is taken back (cancelled) and the others are DECIDED again, to be rendered without
 * it; a mail that was ever in doubt stays as it is, since a resend must be byte-identical. Must
 * be inside a transaction. -EBUSY: its mail is being attempted; -EINVAL: it is final already;
 * -ENOENT.
 */
MUST_CHECK int ledger_cancel_notice(struct ledger *ledger, int64_t notice, const char *reason,
				    struct instant now, struct error *error);

/* Held notices that have no mail, but for those of a flood, are DECIDED again (a configuration
 * was approved); who and why are chained. challenge 0: all of them. *ret_count of them. */
MUST_CHECK int ledger_release_notices(struct ledger *ledger, int64_t challenge, const char *by,
				      const char *why, struct instant now, size_t *ret_count,
				      struct error *error);

/* The same for one, because the reason to hold it is gone. Must be inside a transaction.
 * -EINVAL: it is not held, or has a mail. */
MUST_CHECK int ledger_release_notice(struct ledger *ledger, const struct ledger_notice *notice,
				     const char *why, struct instant now, struct error *error);

/*
 * After ledger_decide answered 2: the notice of that id (`id`, `challenge`, `state` DECIDED or
 * HELD and `reason` count) is decided again, with the times of its first decision. Must be
 * inside a transaction.
 */
MUST_CHECK int ledger_revive(struct ledger *ledger, const struct ledger_notice *notice,
			     struct instant now, struct error *error);

/* How many notices without a mail are held, but for those of a flood. */
MUST_CHECK int ledger_held_notices(struct ledger *ledger, int64_t *ret, struct error *error);

/* A deadline that another configuration moved: a chained entry of its own ("moved"), in the
 * trail of its challenge. Must be inside a transaction. */
struct ledger_move {
	int64_t challenge;
	const char *reference;
	const char *policy;
	const char *policy_version;
	int64_t event;
	const char *stage; /* id; "" overall */
	const char *obligation;
	struct instant from;
	struct instant to;
	const char *configuration; /* digest of the one that moved it */
};
MUST_CHECK int ledger_note_move(struct ledger *ledger, const struct ledger_move *move,
				struct instant now, struct error *error);

/* One notice that waits without a mail is HELD, with why. Must be inside a transaction; errors
 * as ledger_cancel_notice. */
MUST_CHECK int ledger_hold_notice(struct ledger *ledger, int64_t notice, const char *reason,
				  struct instant now, struct error *error);

/* --- floods ----------------------------------------------------------------------------------
 *
 * A day's count of notices far above the usual (core/flood.h) holds whatever waits, and all
 * that is decided from then on, until a person has released or adopted it.
 */

/* The reasons with which such notices are held, those of a flood and those of a ledger that was
 * put back; whoever decides while ledger_flood says so uses them. */
extern const char ledger_flood_reason[];
extern const char ledger_restored_reason[];

/* Whether notices are being held: asked anew each cycle, for it ends in another process. */
struct ledger_flood {
	bool holds;
	/* NEVER: everything is. Else the ledger is a copy that was put back: what fell due by
	 * then is, for it may have been sent. */
	struct instant until;
};
MUST_CHECK int ledger_flood(struct ledger *ledger, struct ledger_flood *ret,
			    struct error *error);

/*
 * 1: this is a copy (ledger_backup, or the one of before a migration) that stands in the
 * ledger's place, with the latest instant that is in it; 0: it is not, or it was seen to.
 */
MUST_CHECK int ledger_is_copy(struct ledger *ledger, struct instant *ret, struct error *error);

/*
 * Sees to such a copy: whatever waits in it may have gone out after it was made. Every notice
 * that waits, with a mail or without, is held as in a flood, but for immediate risk; a mail in
 * doubt, or of none, is HELD itself. Chained; the flood is on, until `now`. 1: done, 0: it is
 * no copy.
 */
MUST_CHECK int ledger_hold_restored(struct ledger *ledger, struct instant now,
				    struct error *error);

/*
 * Counts `more` notices that fell due today, and remembers them as a part of what is usual. 1
 * when today's are a flood by `least`, 0 when not. Must be inside a transaction.
 */
MUST_CHECK int ledger_count_due(struct ledger *ledger, int64_t more, int64_t least,
				struct instant now, struct error *error);

/* Holds every notice that waits without a mail, but for immediate risk. Must be inside a
 * transaction. */
MUST_CHECK int ledger_hold_flood(struct ledger *ledger, struct instant now,
				 struct error *error);
/* How many are held so. Looks at every held notice. */
MUST_CHECK int ledger_count_flood(struct ledger *ledger, int64_t *ret, struct error *error);

/* Those held so are DECIDED again; who and why are chained. The flood is over. */
MUST_CHECK int ledger_release_flood(struct ledger *ledger, const char *by, const char *why,
				    struct instant now, size_t *ret_count, struct error *error);
/* The flood is over: what was due today so far is not held against the rest of the day. */
MUST_CHECK int ledger_end_flood(struct ledger *ledger, struct instant now, struct error *error);

/* --- mails -----------------------------------------------------------------------------------
 */

struct ledger_mail {
	int64_t id;
	enum delivery_state state;
	int64_t contact;       /* 0: the inbox */
	const char *recipient; /* bare address */
	const char *envelope_from;
	const char *message_id; /* without <> */
	struct instant date;
	const char *bytes; /* final; NULL once purged or where not asked for */
	size_t length;
	int attempts;
	int doubts; /* how often it was in doubt */
	struct instant created;
	struct instant next_attempt;
	struct instant updated;
	const char *reply;
	/* References and kinds of its notices, each joined with '\n'; "" on storing. */
	const char *references;
	const char *kinds;
};

/*
 * A Message-ID for a mail that carries these notices: HMAC-SHA-256 of their ids with the
 * ledger's own secret, so that no reference leaks; `domain` behind the @. Deterministic.
 */
MUST_CHECK int ledger_message_id(struct ledger *ledger, const int64_t *notices, size_t count,
				 int64_t contact, const char *domain, struct text *ret,
				 struct error *error);
/* The id of the thread root of one challenge and contact, made the same way. */
MUST_CHECK int ledger_root_id(struct ledger *ledger, int64_t challenge, const char *domain,
			      struct text *ret, struct error *error);

/* Stores a rendered mail as READY and ties the notices to it. Must be inside a transaction. */
MUST_CHECK int ledger_store_mail(struct ledger *ledger, const struct ledger_mail *mail,
				 const int64_t *notices, size_t notice_count,
				 struct instant now, int64_t *ret_id, struct error *error);

/*
 * Claims the next mail to attempt (READY, or RETRY or IN_DOUBT whose next_attempt has come),
 * oldest first: counts the attempt and makes it ATTEMPTING. 1 with a copy in *ret (free with
 * ledger_mail_clear), 0 when there is none. One that is READY waits while a challenge of its
 * own is to be looked at since a person let a mail go. Must be inside a transaction that is
 * committed before anybody connects.
 */
MUST_CHECK int ledger_claim(struct ledger *ledger, struct instant now, struct ledger_mail *ret,
			    struct error *error);
void ledger_mail_clear(struct ledger_mail *mail);

/*
 * Records the outcome of the attempt: `state` ACCEPTED, RETRY, IN_DOUBT, REFUSED, HELD or READY
 * (put back; with `refund` the attempt is not counted). A second IN_DOUBT becomes HELD. Must be
 * inside a transaction; the next claim may share it. -EINVAL: the mail is not ATTEMPTING.
 */
struct ledger_outcome {
	enum delivery_state state;
	const char *reply;
	struct instant next_attempt;
	bool refund;
	const char *reason;
};
MUST_CHECK int ledger_record(struct ledger *ledger, int64_t mail,
			     const struct ledger_outcome *outcome, struct instant now,
			     struct error *error);

/* After a refused address: unties the notices, which are DECIDED again (send_at now), and
 * remembers the contact as refused. Once for a mail that is REFUSED (else -EINVAL). */
MUST_CHECK int ledger_fall_through(struct ledger *ledger, int64_t mail, struct instant now,
				   struct error *error);
/* Contacts whose address was refused and not forgotten, in order of id; malloc'd, freed by the
 * caller. */
struct ledger_refusal {
	int64_t contact;
	struct instant at; /* the latest */
};
MUST_CHECK int ledger_refused_contacts(struct ledger *ledger, struct ledger_refusal **ret,
				       size_t *ret_count, struct error *error);
/* The contact's address was confirmed or changed: it may be used again. */
MUST_CHECK int ledger_forget_refused(struct ledger *ledger, int64_t contact,
				     struct error *error);

/* The wait before a mail in doubt is sent again: the relay may still be at the first copy
 * (RFC 5321 4.5.3.2.6). */
enum { LEDGER_DOUBT_SECONDS = 600 };

/* At start: every mail still ATTEMPTING becomes IN_DOUBT (resent once, LEDGER_DOUBT_SECONDS
 * from now) or HELD. *ret_count of them. */
MUST_CHECK int ledger_recover(struct ledger *ledger, struct instant now, size_t *ret_count,
			      struct error *error);

/* Mails, newest last; state < 0: all. Calls back with borrowed values; stops when it answers
 * nonzero. */
MUST_CHECK int ledger_mails(struct ledger *ledger, int state,
			    int (*each)(void *context, const struct ledger_mail *mail),
			    void *context, struct error *error);
/* One mail with its bytes: 1, 0 when there is none; free with ledger_mail_clear. */
MUST_CHECK int ledger_mail(struct ledger *ledger, int64_t id, struct ledger_mail *ret,
			   struct error *error);
/* How many mails, and notices without a mail, there are in each state, indexed by
 * delivery_state. Costs the same however many there are. */
MUST_CHECK int ledger_count(struct ledger *ledger, int64_t ret[static DELIVERY_STATE_COUNT],
			    struct error *error);

/*
 * A person's decision about one mail: HELD, READY (retry now, release) or CANCELLED; who and
 * why are chained. What becomes READY may be over: its challenges are scheduled for the next
 * look, whatever the clock shows, and it is not claimed before ledger_schedule has been told
 * what came of that for each. -EBUSY: it is being attempted; -EINVAL: not possible from its
 * state, and the text says from which; -ENOENT.
 */
MUST_CHECK int ledger_decide_mail(struct ledger *ledger, int64_t mail,
				  enum delivery_state state, const char *by, const char *why,
				  struct instant now, struct error *error);

/* --- the chain -------------------------------------------------------------------------------
 */

/*
 * Appends an entry of its own (started, reloaded, adopted, ...). `payload` is one JSON object;
 * `kind` none of the ledger's own words ("decided", "purged", a state, ...), else -EINVAL.
 */
MUST_CHECK int ledger_note(struct ledger *ledger, const char *kind, const char *payload,
			   struct instant now, struct error *error);

/*
 * Erases what was written before `before`: payloads and bytes of mails that are accepted,
 * refused or cancelled, and payloads of notices that are cancelled or went with such a mail.
 * Hashes, states and the entries themselves stay, and one chained entry lists what went. At
 * most `most` entries at a call, so that no transaction grows long: *ret_count of them; call
 * again until 0.
 */
MUST_CHECK int ledger_purge(struct ledger *ledger, struct instant before, size_t most,
			    const char *by, const char *why, struct instant now,
			    size_t *ret_count, struct error *error);

/* One entry as it stands in the chain. Borrowed. */
struct ledger_entry {
	int64_t seq;
	struct instant at;
	const char *kind;
	const char *state; /* after it; "" none */
	int64_t challenge; /* 0: none; so too the next two */
	int64_t notice;
	int64_t mail;
	const char *payload; /* JSON; NULL: purged */
	char hash[65];
};
/*
 * The entries that concern one challenge (its notices and the mails that carried them), or
 * one mail (challenge 0), or neither (both 0: the whole chain), in order. Stops when the
 * callback answers nonzero.
 */
MUST_CHECK int ledger_trail(struct ledger *ledger, int64_t challenge, int64_t mail,
			    int (*each)(void *context, const struct ledger_entry *entry),
			    void *context, struct error *error);
/* The challenge that the ledger knows by this reference: 1, or 0 when it knows none. */
MUST_CHECK int ledger_challenge(struct ledger *ledger, const char *reference, int64_t *ret,
				struct error *error);

/* Somebody who waits for ledger_verify: told now and then how many rows it has looked at. */
struct ledger_watcher {
	void (*tell)(void *context, size_t rows); /* NULL: nobody waits */
	void *context;
};
void ledger_watch(struct ledger *ledger, struct ledger_watcher watcher);

struct ledger_verification {
	int64_t entries;
	int64_t purged;    /* payloads purged by rule */
	int64_t first_bad; /* seq of the first bad entry; 0: intact */
	char head[65];     /* hash of the last entry, hexadecimal */
	char what[200];    /* what is wrong with the first bad entry */
};
/*
 * 0: verified, *ret says how; the chain itself may be bad (`what` is not empty; first_bad is
 * the number of entries + 1 when it is a row and no entry that is wrong). Compares every
 * entry with the one before it, every payload with its commitment, every notice, mail and
 * body with what the chain says of it, and the end with the head that is kept apart.
 * Whoever rewrites all of these together is shown only by an anchor elsewhere: `head`
 * as the journal or an alarm mail had it.
 */
MUST_CHECK int ledger_verify(struct ledger *ledger, struct ledger_verification *ret,
			     struct error *error);

#endif
