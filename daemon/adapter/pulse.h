/*
 * pulse - one page of memory that tells others when the daemon last polled well.
 *
 * A mapped file: keeping it up to date is a few stores to memory, no system call, so that an
 * idle poll writes nothing. It lies in the runtime folder (a tmpfs) where systemd makes one,
 * else in the state folder. Its blocks are allocated at once: a full disk cannot take them
 * away. Whoever reads it believes nothing that cannot be so.
 */
#ifndef ADAPTER_PULSE_H
#define ADAPTER_PULSE_H

#include "base/error.h"
#include "base/instant.h"

/* Where systemd makes the runtime folder, for those whose environment does not say. */
#define PULSE_FOLDER "/run/challenge-notifyd"

enum pulse_promise { PULSE_UNKNOWN, PULSE_KEPT, PULSE_BROKEN };

struct pulse_beat {
	int64_t pid;
	struct instant started;
	struct instant last_poll; /* the last good one; NEVER: none yet */
	struct instant next;      /* the next thing that is planned; NEVER: nothing */
	struct instant ended;     /* NEVER while it runs */
	int64_t poll_seconds;     /* from one poll to the next */
	enum pulse_promise promise;
	int64_t unwatched; /* open challenges that nothing is to come for */
};

struct pulse;

/*
 * Makes the page anew in `folder` for the daemon of that state folder; others may read it where
 * the folder lets them. -ENOSPC and so on: there is none, and nothing is left behind.
 */
MUST_CHECK int pulse_open(const char *folder, const char *state_folder, struct pulse **ret,
			  struct error *error);
void pulse_write(struct pulse *pulse, const struct pulse_beat *beat);
/* The page stays for those who ask later. NULL is fine. */
void pulse_close(struct pulse *pulse);

/*
 * What the page in `folder` says: 1, or 0 when there is none of the daemon of that state
 * folder. -EINVAL: one that is not to be believed, -EAGAIN: one that was written at every look;
 * others as open(2).
 */
MUST_CHECK int pulse_read(const char *folder, const char *state_folder, struct pulse_beat *ret,
			  struct error *error);

#endif
