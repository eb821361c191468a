/*
 * senders - the daemon's children, which speak SMTP.
 *
 * A sender is started when there is a mail for it, holds one immutable relay configuration, is
 * given one mail at a time over a socket pair, and is let go after a minute without work. This
 * module knows processes and frames; what an outcome means, and the ledger, are post's.
 */
#ifndef SERVICE_SENDERS_H
#define SERVICE_SENDERS_H

#include "adapter/sender_channel.h"

struct senders;

enum {
	SENDERS_MOST = 8,
	SENDER_IDLE_SECONDS = 60,
	SENDER_HARD_STOP_SECONDS = 900, /* past the ten minutes that the final dot may take */
};

/* How one mail ended. */
struct sent {
	int64_t mail;
	bool has_result; /* `result` holds; else the sender was lost: it ended, or was ended */
	bool body_sent;  /* the last chunk may have gone: a lost sender leaves a doubt */
	bool hung;       /* it was ended after SENDER_HARD_STOP_SECONDS */
	struct attempt_result result;
};

/*
 * Nothing is started yet. `program` is copied; `relay` too. At most SENDERS_MOST connections.
 * -ENOMEM, -EMFILE.
 */
MUST_CHECK int senders_create(const char *program, const struct sender_relay *relay,
			      int connections, struct senders **ret, struct error *error);

/* Ends what is left at once, by process id. */
void senders_destroy(struct senders *senders);
void senders_destroyp(struct senders **senders);

/*
 * Another relay configuration: senders of the old one finish the mail in hand and are let go.
 * -ENOMEM, and then the old one stays.
 */
MUST_CHECK int senders_configure(struct senders *senders, const struct sender_relay *relay,
				 int connections, struct error *error);

/* How many mails are with senders now, and how many more may be given. */
size_t senders_busy(const struct senders *senders);
size_t senders_free(const struct senders *senders);
/* How many were let go and have not ended yet. */
size_t senders_leaving(const struct senders *senders);

/*
 * Gives a mail to an idle sender, or starts one. `now` is in seconds of CLOCK_BOOTTIME, here
 * and below. -ENOENT, -EACCES, -EAGAIN ...: no sender could be started, and the mail is as it
 * was; -EBUSY: senders_free was 0.
 */
MUST_CHECK int senders_give(struct senders *senders, const struct sender_mail *mail,
			    int64_t now, struct error *error);

/* A descriptor that is readable when senders_take has something to do; owned here. */
int senders_descriptor(const struct senders *senders);

/*
 * Reads what senders said, writes what is still to be written, ends those that hang and lets
 * idle ones go. 1 with *ret for a mail that ended: call again until it answers 0.
 */
int senders_take(struct senders *senders, int64_t now, struct sent *ret);

/*
 * Kills every sender that has a mail. Their mails end through senders_take as lost ones, within
 * milliseconds: what a sender said before it died is still read.
 */
void senders_kill(struct senders *senders);

/* When senders_take must be called again even if nothing is readable; INT64_MAX: never. */
int64_t senders_deadline(const struct senders *senders);

/* Since when the oldest mail in hand has been there; INT64_MAX: none. */
int64_t senders_oldest(const struct senders *senders);

/* Lets all idle senders go, so that their connections close in an orderly way. */
void senders_let_go(struct senders *senders, int64_t now);

#endif
