/*
 * alarm - mails to the addresses of `alarm` when the program itself is in trouble.
 *
 * Each trouble is told once when it begins, and again only when it has grown worse or has come
 * back after it was over; of one kind never more often than every six hours. They
 * say counts and what to do, never what a relay or a file said: that may name people.
 */
#ifndef SERVICE_ALARM_H
#define SERVICE_ALARM_H

#include "service/pass.h"

enum alarm_kind {
	ALARM_PAUSED,   /* the relay cannot be used */
	ALARM_HELD,     /* mails or notices wait for a person */
	ALARM_STORE,    /* the store cannot be read, for five minutes now */
	ALARM_BEHIND,   /* it is an older copy, or another one, than the ledger knows */
	ALARM_RELOAD,   /* a new configuration was refused */
	ALARM_APPROVAL, /* the configuration in force is not the approved one */
	ALARM_HOLIDAYS, /* the list of bank holidays ends soon */
	ALARM_ORPHANS,  /* notices whose challenge or policy is gone */
	ALARM_PROMISE,  /* open challenges that are not watched */
	ALARM_RESTORED, /* what the ledger of a backup cannot know to be sent is held */
	ALARM_KINDS,
};

/* What was told; the ledger remembers it over a restart. Zeroed: not read yet. */
struct alarms {
	bool known;
	int64_t told[ALARM_KINDS];    /* the level that was told; 0: nothing, or it is over */
	int64_t told_at[ALARM_KINDS]; /* seconds; 0: never */
	int64_t since[ALARM_KINDS];   /* seconds; 0: there is no such trouble now */
};

/* A level: it cannot be known now, and counts as it did before. */
enum { ALARM_UNKNOWN = -1 };

/*
 * Compares the levels (0: no such trouble; a higher one is worse) with what was told, and
 * stores the mails that are due: *ret_mails of them. Writes nothing while nothing changes.
 */
MUST_CHECK int alarm_look(struct alarms *alarms, const struct world *world,
			  const int64_t levels[static ALARM_KINDS], struct instant now,
			  size_t *ret_mails, struct error *error);

#endif
