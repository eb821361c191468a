/*
 * health - is the daemon doing its work, and how does it say so?
 *
 * The watchdog of systemd is pinged only for work that succeeds: polls, and mails that end. A
 * loop that merely turns proves nothing (facts.md 1.4).
 */
#ifndef SERVICE_HEALTH_H
#define SERVICE_HEALTH_H

#include "base/text.h"

#include <stdint.h>

enum {
	HEALTH_POLLS = 3,          /* a good poll must not be older than so many intervals */
	HEALTH_SEND_SECONDS = 660, /* nor a mail with a sender older than this */
	HEALTH_POLL_LEAST = 60,    /* seconds; short intervals get some air */
};

/* Times are seconds of CLOCK_BOOTTIME. */
struct health {
	int64_t now;
	int64_t poll_interval;
	int64_t last_poll; /* the last good one; INT64_MIN: none yet */
	/* A store or clock that cannot be used is survived: it is polled, and said. */
	const char *trouble; /* ""; what is wrong */
	int64_t oldest_send; /* INT64_MAX: none */
	size_t in_hand;
	int64_t ready;        /* mails that wait to be sent */
	int64_t held;         /* mails that wait for a person */
	int64_t flood;        /* notices held since far more fell due than usual; 0: no flood */
	bool restored;        /* they are held since the ledger is a copy that was put back */
	int64_t unwatched;    /* open challenges that nothing is to come for */
	int64_t decided;      /* notices that wait for sending hours */
	const char *pause;    /* ""; why the queue is paused */
	const char *approval; /* ""; what waits for the configuration to be approved */
	const char *reload;   /* ""; what the last reload came to, if it was refused */
};

/* May the watchdog be pinged? */
bool health_is_alive(const struct health *health);

/* STATUS= in one sentence that an administrator understands. */
void health_status(const struct health *health, struct text *ret);

#endif
