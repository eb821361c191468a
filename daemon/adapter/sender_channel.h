/*
 * sender_channel - the words that the daemon and its sender processes exchange over a socket
 * pair.
 *
 * Frames: type (1 byte), length (4 bytes, big endian), payload of length-prefixed fields. The
 * daemon sends one RELAY first, then one MAIL at a time; the sender answers each MAIL with
 * BODY, just before it lets the last chunk go, and RESULT. An EOF before BODY means the mail
 * cannot have been taken, after it that it is in doubt. Where the relay frame asks for it, STEP
 * frames tell the conversation as it goes, for a person who tests the relay.
 *
 * A sender that is told of no relay may be sent one GET instead, the heartbeat, and answers
 * GOT.
 */
#ifndef ADAPTER_SENDER_CHANNEL_H
#define ADAPTER_SENDER_CHANNEL_H

#include "base/error.h"
#include "base/text.h"
#include "core/delivery.h"

/* Of a payload, in bytes; a longer one is not a frame of ours. */
enum { SENDER_PAYLOAD_MOST = (1 << 20) - 8, SENDER_FRAME_HEAD = 5 };

enum sender_frame {
	FRAME_RELAY = 'R',
	FRAME_MAIL = 'M',
	FRAME_BODY = 'B',
	FRAME_STEP = 'S',
	FRAME_RESULT = 'O',
	FRAME_GET = 'G',
	FRAME_GOT = 'A',
};

/* One immutable relay configuration; a changed one is a new process. Strings "" where not set.
 */
struct sender_relay {
	const char *url; /* smtps://host:port or smtp://host:port */
	bool clear_text; /* literal loopback address, no TLS asked for */
	const char *ca;  /* file; "": the system's */
	const char *ehlo;
	const char *login; /* "", "PLAIN", "LOGIN", "XOAUTH2" */
	const char *user;
	const char *credential; /* name below $CREDENTIALS_DIRECTORY; never the secret itself */
	const char *tenant;
	const char *client;
	const char *token_url;
	int connect_seconds; /* 30 */
	int reply_seconds;   /* 120 */
	int dot_seconds;     /* 600 */
	bool tell;           /* each step of the conversation, as STEP frames */
};

struct sender_mail {
	int64_t id;
	const char *envelope_from;
	const char *recipient;
	const char *bytes;
	size_t length;
};

/* A note tells what lies below SMTP. */
enum sender_speaker { SAID_BY_RELAY, SAID_BY_US, SAID_AS_NOTE };

/* One step of the conversation. Secrets never stand in it: of AUTH only the mechanism does. */
struct sender_step {
	int64_t mail;
	enum sender_speaker who;
	const char *words; /* one printable line, shorter than REPLY_SIZE */
};

/* An address to be fetched once (adapter/web.h). Strings "" where not set. */
struct sender_get {
	const char *url;        /* "": it stands in the credential */
	const char *credential; /* name below $CREDENTIALS_DIRECTORY */
	const char *ca;         /* file; "": the system's */
	int seconds;            /* in all */
};

struct sender_got {
	bool well;              /* answered with a status of 2xx */
	char words[REPLY_SIZE]; /* what came of it, one printable line, never the address */
};

/*
 * Each appends one whole frame; a failed text says out of memory or too large. No string may
 * be NULL.
 */
void sender_put_relay(struct text *out, const struct sender_relay *relay);
void sender_put_mail(struct text *out, const struct sender_mail *mail);
void sender_put_body(struct text *out, int64_t mail);
void sender_put_result(struct text *out, int64_t mail, const struct attempt_result *result);
void sender_put_step(struct text *out, const struct sender_step *step);
void sender_put_get(struct text *out, const struct sender_get *get);
void sender_put_got(struct text *out, const struct sender_got *got);

/*
 * The first frame in bytes. 1 with its type, payload and the number of bytes it takes; 0: not
 * whole yet; -EPROTO: not a frame of ours.
 */
MUST_CHECK int sender_take_frame(const char *bytes, size_t length, enum sender_frame *ret_type,
				 const char **ret_payload, size_t *ret_payload_length,
				 size_t *ret_taken);

/* Reads a payload. Strings stay borrowed and NUL-terminated within it. 0 or -EPROTO. */
MUST_CHECK int sender_read_relay(const char *payload, size_t length, struct sender_relay *ret);
MUST_CHECK int sender_read_mail(const char *payload, size_t length, struct sender_mail *ret);
MUST_CHECK int sender_read_body(const char *payload, size_t length, int64_t *ret_mail);
MUST_CHECK int sender_read_result(const char *payload, size_t length, int64_t *ret_mail,
				  struct attempt_result *ret);
MUST_CHECK int sender_read_step(const char *payload, size_t length, struct sender_step *ret);
MUST_CHECK int sender_read_get(const char *payload, size_t length, struct sender_get *ret);
MUST_CHECK int sender_read_got(const char *payload, size_t length, struct sender_got *ret);

#endif
