/*
 * delivery - the states of a mail, and what one attempt's result means.
 *
 * The table of smtp.md 1.5 is the specification of delivery_classify; design section 5 of
 * the states. Pure: the sender reports what happened, this module says what it is called.
 */
#ifndef CORE_DELIVERY_H
#define CORE_DELIVERY_H

#include "base/error.h"
#include "base/instant.h"

#include <stdbool.h>

enum delivery_state {
	DELIVERY_DECIDED,    /* notices only: no mail is rendered yet */
	DELIVERY_READY,      /* rendered and stored */
	DELIVERY_ATTEMPTING, /* claimed: the attempt is counted, its outcome unknown */
	DELIVERY_ACCEPTED,   /* by the relay; never called delivered */
	DELIVERY_RETRY,
	DELIVERY_IN_DOUBT, /* the relay may have it: resent once, byte-identical, then held */
	DELIVERY_REFUSED,  /* the address: falls through to the next contact */
	DELIVERY_CANCELLED,
	DELIVERY_HELD, /* for a person to release or cancel */
};

/* "in_doubt" and so on, as in `queue list --json`. */
const char *delivery_state_name(enum delivery_state state);
/* -1: no such state. */
int delivery_state_parse(const char *name);

enum delivery_verdict {
	VERDICT_ACCEPTED,
	VERDICT_RETRY,     /* transient: backoff, the attempt counts */
	VERDICT_RETRY_NOW, /* a reused connection had died: at once on a new one, not counted */
	VERDICT_ADDRESS,   /* 5.1.x at RCPT: this address is bad */
	VERDICT_HOLD,      /* another 5xx: held and alarmed */
	VERDICT_RELAY_FAULT, /* login, TLS, DNS, connection, configuration: the queue pauses */
	VERDICT_IN_DOUBT,
};

enum { REPLY_SIZE = 300 };

/* What one attempt came to, in the sender's own words. */
struct attempt_result {
	int curl_code;      /* CURLcode; 0: OK */
	int reply_code;     /* last reply of the server, 0 before the greeting; may be stale */
	bool body_sent;     /* the last byte of the body was handed out */
	bool at_rcpt;       /* the last command was RCPT */
	bool greeted;       /* a greeting had come on this connection */
	bool reused;        /* the connection had carried a mail before */
	bool configuration; /* the sender could not even begin: no credential, bad relay */
	bool unfit;         /* the mail may not go on a wire: its address or its bytes */
	char reply[REPLY_SIZE]; /* last words of the relay or of libcurl, one printable line */
};

enum delivery_verdict delivery_classify(const struct attempt_result *result);

/*
 * Words of a relay or of libcurl, made fit for a ledger: one line of printable ASCII, cut to
 * REPLY_SIZE, whatever looks like an address replaced by "<address>" (facts.md 1.5).
 */
void delivery_reply_clean(const char *words, size_t length, char ret[static REPLY_SIZE]);

/*
 * The enhanced status code (RFC 3463) of a reply line as class*10000+subject*100+detail; 0:
 * none, or one whose subject or detail is above 99, which IANA has never given out.
 */
int delivery_enhanced(const char *reply);

/*
 * Seconds until the next attempt after `attempts` counted ones (1, 2, 4, 8, 15, 30, 60 minutes,
 * then hourly), with jitter: `random` is any number, drawn into a quarter up or down.
 */
int64_t delivery_backoff(int attempts, uint32_t random);

/*
 * A mail that keeps failing is parked (held) so long after it was written, once it has been
 * tried so often: one that had waited for days, held or for a relay that was down, has not.
 */
enum { DELIVERY_PARK_SECONDS = 5 * SECONDS_PER_DAY, DELIVERY_PARK_ATTEMPTS = 8 };

#endif
