/*
 * relay - stands in the place of service/senders.c: senders and a relay that do what a test
 * says.
 *
 * It is linked instead of the real one, so that post.c is the shipped one. Every mail that the
 * relay took is in its log, whatever the daemon came to know of it.
 */
#ifndef TESTS_SIM_RELAY_H
#define TESTS_SIM_RELAY_H

#include "service/senders.h"

/* What becomes of one attempt. */
struct relay_plan {
	bool no_start;   /* no sender can be started */
	bool takes;      /* the relay has the mail in the end */
	int64_t seconds; /* until the daemon hears of it */
	struct sent sent;
};

/* Asked at each attempt. */
extern struct relay_plan (*relay_choose)(const struct sender_mail *mail);

/* Told of each attempt, after the daemon has committed it. */
extern void (*relay_given)(const struct sender_mail *mail);

struct relay_copy {
	int64_t mail;    /* the ledger's id */
	uint64_t digest; /* of recipient and bytes */
	int64_t at;      /* boot seconds */
};
extern struct relay_copy *relay_log;
extern size_t relay_count;

void relay_forget(void);
void relay_append(const struct relay_copy *copy);

/* Mails that the relay may come to have although nobody has heard of it yet. */
size_t relay_under_way(struct relay_copy ret[static SENDERS_MOST]);

/* The daemon is gone: mails that were under way arrive or not, as `random` says. */
void relay_daemon_died(uint64_t *random);

uint64_t relay_digest(const char *recipient, const char *bytes, size_t length);

struct relay_plan relay_accepts(int64_t seconds);
struct relay_plan relay_replies(int curl_code, const char *reply, bool at_rcpt, bool body_sent);
/* The relay has the text; its answer never came. */
struct relay_plan relay_doubt(bool takes, int64_t seconds);
/* The sender process ended by itself. */
struct relay_plan relay_lost(bool body_sent, bool takes, bool hung);

#endif
