/*
 * lookup - what people type, found in the store and the configuration.
 *
 * Each helper answers EXIT_DONE, or another exit status after one line that names the nearest
 * thing known, so that a command may end with `return`.
 */
#ifndef CTL_LOOKUP_H
#define CTL_LOOKUP_H

#include "adapter/register.h"
#include "adapter/store.h"
#include "ctl/command.h"

int ctl_open_store(struct ctl *ctl, struct store **ret);
int ctl_open_register(struct ctl *ctl, struct registrar **ret);

/* Everybody in it; borrowed from the store. */
int ctl_directory(struct ctl *ctl, struct store *store, struct directory *ret);

/*
 * The store, to be read and then written: from begin to end nobody else writes, so that what
 * was read, and checked by it, is true still when what follows from it is written. Nobody is to
 * be asked anything meanwhile. End it with what has become of it: only after EXIT_DONE
 * is anything written. It answers that, or EXIT_COULD_NOT.
 */
struct writing {
	struct store *store;
	struct registrar *registrar;
};
int ctl_writing_begin(struct ctl *ctl, struct writing *ret);
int ctl_writing_end(struct ctl *ctl, struct writing *writing, int status);
void writing_clear(struct writing *writing);

/* Borrowed from the store until its next call. */
int ctl_find_challenge(struct ctl *ctl, struct store *store, const char *reference,
		       struct challenge **ret);

/* "ID" or "ID@VERSION". */
int ctl_find_policy(struct ctl *ctl, const char *typed, const struct policy **ret);

/* The policy that a challenge was raised under. */
int ctl_policy_of(struct ctl *ctl, const struct challenge *challenge,
		  const struct policy **ret);

/* What is doubtful about these two sides; NULL: nothing is. Departments of one agency may
 * disagree, so it is a warning. */
const char *ctl_doubt_of_sides(const char *raising, const char *receiving);

int ctl_check_agency(struct ctl *ctl, const struct directory *directory, const char *id);

/* The contact of that number as typed, NULL answering 0. `agency` (NULL: any) is where it must
 * work. */
int ctl_find_contact(struct ctl *ctl, const struct directory *directory, const char *what,
		     const char *typed, const char *agency, int64_t *ret);

/* One of the main file's roles. */
int ctl_check_role(struct ctl *ctl, const char *role);

/* A time that something happened at: refused when it lies more than five minutes ahead. */
bool ctl_happened(struct ctl *ctl, const struct zone *zone, struct instant *ret);

/* RFC 3339 in the zone (NULL: UTC), or "" for INSTANT_NEVER; returns `out`. */
const char *ctl_time_text(const struct zone *zone, struct instant at,
			  char out[static INSTANT_TEXT_SIZE]);

#endif
