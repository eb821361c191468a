/*
 * smtp - one connection's worth of SMTP, by libcurl.
 *
 * A struct smtp is one easy handle with one immutable relay configuration; it carries one mail
 * to one recipient at a time and keeps the connection for the next, unless anything but a
 * complete reply of the server ended the last (smtp.md 1.6). It blocks: only sender processes
 * use it. curl_global_init is called by the first smtp_create or token_fetch.
 */
#ifndef ADAPTER_SMTP_H
#define ADAPTER_SMTP_H

#include "adapter/sender_channel.h"

struct smtp;

/* What the caller is asked while a mail is under way. */
struct smtp_watch {
	/* Just before the last chunk of the body is let go; false: do not, the mail fails. */
	bool (*body)(void *self);
	/* At every turn of the dialogue, at least once a second; false: give up now. */
	bool (*go_on)(void *self);
	/*
	 * Each line that either says, and what lies below SMTP, without any secret;
	 * not NUL-terminated, and still to be cleaned. NULL: nobody asks.
	 */
	void (*step)(void *self, enum sender_speaker who, const char *words, size_t length);
	void *self;
};

/*
 * Checks the relay and makes a handle for it; nothing is connected yet. `secret` is the
 * password, or the bearer token for XOAUTH2, "" without a login; it is copied by libcurl.
 * -EINVAL says what is wrong with the relay, -ENOMEM. Free with smtp_destroy.
 */
MUST_CHECK int smtp_create(const struct sender_relay *relay, const char *secret,
			   struct smtp **ret, struct error *error);

/*
 * Sends one mail, whose addresses and bytes the caller has checked, and says in *ret what came
 * of it; every field is set. When false is returned the handle is of no further use: report the
 * outcome first, then destroy it.
 */
MUST_CHECK bool smtp_send(struct smtp *smtp, const struct sender_mail *mail,
			  const struct smtp_watch *watch, struct attempt_result *ret);

/* Says QUIT where the connection is sound, but never waits for an answer. NULL is fine. */
void smtp_destroy(struct smtp *smtp);
void smtp_destroyp(struct smtp **smtp);

#endif
