/*
 * register - the challenge store's writer: what challengectl records (SQLite).
 *
 * Every function is one transaction (BEGIN IMMEDIATE): all of it is written, durably, or
 * nothing. What the store itself demands is checked here: who and what is referred to is there,
 * references are unique, texts are one line and short, addresses are sound. What only a policy
 * can know (kinds, stages, causes, outcomes) is the caller's.
 */
#ifndef ADAPTER_REGISTER_H
#define ADAPTER_REGISTER_H

#include "base/error.h"
#include "core/challenge.h"
#include "core/recipient.h"

struct registrar; /* `register` is a word of C */

enum {
	REFERENCE_LENGTH = 40, /* letters, digits, '-', '/', '.', '_' */
	REGISTER_TEXT_LENGTH = 200,
	REGISTER_NOTE_LENGTH = 10000,
};

/*
 * Makes an empty store at `path`, mode 0660. It is built beside it under another name and
 * linked when it is whole and on disk, so that no half of it is ever seen and nothing is ever
 * overwritten. -EEXIST: something stands there; -ENOENT: no such folder; -EACCES, -ENOSPC,
 * -EIO.
 */
MUST_CHECK int register_init(const char *path, struct error *error);

/* -ENOENT, -EINVAL (no challenge store, or a newer one), -EACCES, -EIO. */
MUST_CHECK int register_open(const char *path, struct registrar **ret, struct error *error);
void register_close(struct registrar *registrar);
void register_closep(struct registrar **registrar);

/*
 * In all of the following: -EINVAL with what is wrong with a value, -EEXIST where there is one
 * already, -ENOENT where what is named is not there, -EBUSY when another writer held the
 * store for five seconds, -ENOSPC, -EIO. Texts may be "" where the store allows NULL.
 */

/*
 * In changes `was` is the row as it was read, and `is` what it is to be: what differs between
 * the two is checked and written, and every other column stays as it is by now. That the one
 * still follows from the other is sure where the reading, too, lies between
 * register_batch_begin and _end.
 */

MUST_CHECK int register_agency(struct registrar *registrar, const struct agency *agency,
			       struct error *error);
MUST_CHECK int register_change_agency(struct registrar *registrar, const struct agency *was,
				      const struct agency *is, struct error *error);

/* A new contact; with an `id` of 0 it gets the next. *ret_id is what it has got. */
MUST_CHECK int register_contact(struct registrar *registrar, const struct contact *contact,
				int64_t *ret_id, struct error *error);

MUST_CHECK int register_change_contact(struct registrar *registrar, const struct contact *was,
				       const struct contact *is, struct error *error);

/* Away from..until (INSTANT_NEVER as `from`: back again; as `until`: until further notice).
 * `deputy` 0 leaves the deputy as it was. */
struct absence {
	int64_t contact;
	struct instant from;
	struct instant until;
	int64_t deputy;
};
MUST_CHECK int register_away(struct registrar *registrar, const struct absence *absence,
			     struct error *error);

/* An event to be recorded, with what the daemon never reads. `event.id` is ignored. */
struct recording {
	struct event event;
	const char *by;   /* "": not said */
	const char *note; /* may have several lines; "": none */
};

/*
 * A new challenge with its first events (the `raised` one among them), which are given in
 * order. A reference of "" becomes the next of the year: "2026-001". `id`, `change_seq`
 * and `events` of the challenge are ignored.
 */
struct registered {
	int64_t id;
	char reference[REFERENCE_LENGTH + 1];
};
MUST_CHECK int register_challenge(struct registrar *registrar,
				  const struct challenge *challenge, int32_t year,
				  const struct recording *recordings, size_t count,
				  struct registered *ret, struct error *error);

/* Its reference and events stay in any case. */
MUST_CHECK int register_change_challenge(struct registrar *registrar,
					 const struct challenge *was,
					 const struct challenge *is, struct error *error);

/* Appends an event to a challenge; *ret_id is its id. -ENOENT: no such challenge, or the event
 * it voids is not one of this challenge. */
MUST_CHECK int register_event(struct registrar *registrar, int64_t challenge,
			      const struct recording *recording, int64_t *ret_id,
			      struct error *error);

/* The note and the author of an event, which the reader never hands out: calls back for each
 * event of the challenge, in order of id, with borrowed texts ("" where none). */
MUST_CHECK int register_notes(struct registrar *registrar, int64_t challenge,
			      void (*each)(void *context, int64_t event, const char *by,
					   const char *note),
			      void *context, struct error *error);

/*
 * Several changes as one: between these two nothing is written for others to see, and a change
 * that fails takes back itself alone, so that the next ones may be tried. With `keep` all is
 * committed, else nothing is. -EBUSY, -ENOSPC, -EIO; -ECANCELED: it broke off, nothing is
 * written.
 */
MUST_CHECK int register_batch_begin(struct registrar *registrar, struct error *error);
MUST_CHECK int register_batch_end(struct registrar *registrar, bool keep, struct error *error);

/*
 * Erases a challenge with its events; a row of table `purge` stays, with the rule that asked
 * for it. A contact must not be active; what pointed at it points at nobody then.
 */
MUST_CHECK int register_purge_challenge(struct registrar *registrar, int64_t challenge,
					const char *rule, const char *by, struct instant now,
					struct error *error);
MUST_CHECK int register_purge_contact(struct registrar *registrar, int64_t contact,
				      struct error *error);

/* Numbers that new rows are to be past; a number that is past already stays. */
struct register_numbers {
	int64_t challenge;
	int64_t event;
	int64_t contact;
};
MUST_CHECK int register_skip_numbers(struct registrar *registrar,
				     const struct register_numbers *numbers,
				     struct error *error);

/* Numbers that a store had given before an older copy of it took its place. */
struct register_lost {
	int64_t last;   /* the highest of them */
	int64_t seen;   /* seconds: what was recorded later is not of the copy */
	int64_t copied; /* what has a higher number is not of the copy */
};
/* Calls back for each event not of the copy that has got one of them and is not taken back,
 * with borrowed texts; `voided` events aside. */
MUST_CHECK int register_reused(struct registrar *registrar, const struct register_lost *lost,
			       void (*each)(void *context, const char *reference, int64_t event,
					    const char *kind),
			       void *context, struct error *error);

/* 0, or -EINVAL: 1 to 40 letters, digits, '-', '/', '.' and '_'. */
MUST_CHECK int register_check_reference(const char *reference, struct error *error);

#endif
