/* sender.c - see sender.h. The outcome of a mail is said before any handle is put away. */
#include "sender/sender.h"

#include "adapter/credential.h"
#include "adapter/sender_channel.h"
#include "adapter/smtp.h"
#include "adapter/token.h"
#include "adapter/web.h"
#include "core/address.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	INPUT_MOST = SENDER_PAYLOAD_MOST + SENDER_FRAME_HEAD,
	LINE_MOST = 998, /* RFC 5322 section 2.1.1, without CRLF */
	TOKEN_EARLY_SECONDS = 300,
	CURL_LOGIN_DENIED = 67, /* a CURLcode */
};

struct sender {
	int channel;
	const char *credentials;
	const struct clock *clock;
	struct text input;
	struct text relay_payload; /* the strings of `relay` point into it */
	struct sender_relay relay;
	bool has_relay;
	struct smtp *smtp;
	struct text token;
	int64_t token_until; /* BOOTTIME seconds at which a new one is asked for */
	int64_t mail;        /* the one under way */
	int64_t listened;    /* BOOTTIME second of the last look at the channel */
};

static void sender_clear(struct sender *sender)
{
	smtp_destroy(sender->smtp);
	credential_wipe(&sender->token);
	text_clear(&sender->relay_payload);
	text_clear(&sender->input);
}

/* ---- the channel ---- */

static int send_all(int channel, const struct text *frame, struct error *error)
{
	size_t sent = 0;

	if (text_failed(frame))
		return error_memory(error);
	while (sent < frame->length) {
		ssize_t n =
			send(channel, frame->data + sent, frame->length - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(error, errno, "answer the daemon: %s",
					 strerror(errno));
		sent += (size_t)n;
	}
	return 0;
}

/* 1: more came; 0: the daemon closed the channel. */
static int receive(struct sender *sender, struct error *error)
{
	char buffer[16 * 1024];
	ssize_t n;

	do
		n = recv(sender->channel, buffer, sizeof buffer, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return error_set(error, errno, "hear the daemon: %s", strerror(errno));
	if (n <= 0)
		return 0;
	text_append_bytes(&sender->input, buffer, (size_t)n);
	return text_failed(&sender->input) ? error_memory(error) : 1;
}

static void drop_input(struct text *input, size_t length)
{
	if (input->data == NULL)
		return;
	memmove(input->data, input->data + length, input->length - length);
	text_cut(input, input->length - length);
}

static int say_result(struct sender *sender, const struct attempt_result *result,
		      struct error *error)
{
	CLEANUP(text_clear) struct text frame = { 0 };

	sender_put_result(&frame, sender->mail, result);
	return send_all(sender->channel, &frame, error);
}

/* ---- while a mail is under way ---- */

static bool say_body(void *self)
{
	struct sender *sender = self;
	CLEANUP(text_clear) struct text frame = { 0 };

	sender_put_body(&frame, sender->mail);
	return send_all(sender->channel, &frame, NULL) == 0;
}

/* A step that cannot be told (nobody listens any more) is noticed by is_heard. */
static void say_step(void *self, enum sender_speaker who, const char *words, size_t length)
{
	struct sender *sender = self;
	CLEANUP(text_clear) struct text frame = { 0 };
	char clean[REPLY_SIZE];

	delivery_reply_clean(words, length, clean);
	sender_put_step(&frame, &(struct sender_step){ sender->mail, who, clean });
	(void)!send_all(sender->channel, &frame, NULL);
}

static void say_note(struct sender *sender, const char *words)
{
	if (sender->relay.tell)
		say_step(sender, SAID_AS_NOTE, words, strlen(words));
}

/* A daemon that has closed the channel will not hear the outcome: stop there. */
static bool is_heard(void *self)
{
	struct sender *sender = self;
	struct pollfd channel = { .fd = sender->channel, .events = POLLRDHUP };
	int64_t now = sender->clock->boot_seconds(sender->clock->self);

	if (now == sender->listened) /* asked at every turn of the dialogue */
		return true;
	sender->listened = now;
	return poll(&channel, 1, 0) <= 0 ||
	       (channel.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0;
}

/* ---- is this mail fit for a wire? ---- */

static bool holds(const char *bytes, size_t length, char c)
{
	return length > 0 && memchr(bytes, c, length) != NULL;
}

/* CRLF only, no NUL, no line over 998, a CRLF at the end (smtp.md 1.7). */
static int check_bytes(const struct sender_mail *mail, struct error *error)
{
	const char *line = mail->bytes;
	size_t left = mail->length;

	while (left > 0) {
		const char *end = memchr(line, '\n', left);
		bool whole = end != NULL && end > line && end[-1] == '\r';
		size_t length = whole ? (size_t)(end - line) - 1 : left;

		if ((end != NULL && !whole) || holds(line, length, '\r') ||
		    holds(line, length, '\0'))
			return error_set(error, EINVAL,
					 "the mail holds a bare CR, LF or NUL after byte %zu",
					 mail->length - left);
		if (!whole)
			break;
		if (length > LINE_MOST)
			return error_set(error, EINVAL,
					 "the mail has a line over %d octets at byte %zu",
					 LINE_MOST, mail->length - left);
		left -= length + 2;
		line = end + 1;
	}
	if (mail->length == 0 || left > 0)
		return error_set(error, EINVAL, "the mail does not end in CRLF");
	return 0;
}

static int check_mail(const struct sender_mail *mail, struct error *error)
{
	if (address_check(mail->envelope_from, error) < 0)
		return error_wrap(error, "envelope sender");
	if (address_check(mail->recipient, error) < 0)
		return error_wrap(error, "recipient");
	return check_bytes(mail, error);
}

/* ---- the relay ---- */

static bool uses_token(const struct sender *sender)
{
	return strcmp(sender->relay.login, "XOAUTH2") == 0;
}

static int refresh_token(struct sender *sender, const char *secret, struct error *error)
{
	int64_t seconds = 0;
	char words[80];
	int r;

	say_note(sender, "asking for a token");
	r = token_fetch(&sender->relay, secret, &sender->token, &seconds, error);
	if (r < 0)
		return r;
	(void)snprintf(words, sizeof words, "a token that holds for %lld seconds",
		       (long long)seconds);
	say_note(sender, words);
	if (seconds > TOKEN_EARLY_SECONDS)
		seconds -= TOKEN_EARLY_SECONDS;
	sender->token_until = sender->clock->boot_seconds(sender->clock->self) + seconds;
	return 0;
}

/* A handle whose token is about to run out is replaced; a new token is a new connection. */
static void drop_old_token(struct sender *sender)
{
	if (sender->token.length == 0 ||
	    sender->clock->boot_seconds(sender->clock->self) < sender->token_until)
		return;
	credential_wipe(&sender->token);
	smtp_destroy(TAKE(sender->smtp));
}

static int make_handle(struct sender *sender, struct error *error)
{
	CLEANUP(credential_wipe) struct text secret = { 0 };
	bool token = uses_token(sender);
	int r = 0;

	if (sender->relay.login[0] != '\0' && (!token || sender->token.length == 0))
		r = credential_read(sender->credentials, sender->relay.credential, &secret,
				    error);
	if (r == 0 && token && sender->token.length == 0)
		r = refresh_token(sender, text_string(&secret), error);
	if (r < 0)
		return r;
	return smtp_create(&sender->relay, text_string(token ? &sender->token : &secret),
			   &sender->smtp, error);
}

/* Could not begin, or may not: said in the result's own words, addresses cut out. */
static struct attempt_result not_tried(const struct error *why)
{
	struct attempt_result result = { 0 };

	delivery_reply_clean(why->text, strlen(why->text), result.reply);
	return result;
}

/* One attempt; *ret_sound says whether the handle may carry another mail. */
static struct attempt_result attempt(struct sender *sender, const struct sender_mail *mail,
				     bool *ret_sound)
{
	const struct smtp_watch watch = {
		.body = say_body,
		.go_on = is_heard,
		.step = sender->relay.tell ? say_step : NULL,
		.self = sender,
	};
	struct attempt_result result = { 0 };
	struct error why = { 0 };

	*ret_sound = true;
	drop_old_token(sender);
	if (sender->smtp == NULL && make_handle(sender, &why) < 0) {
		result = not_tried(&why);
		result.configuration = true;
		return result;
	}
	*ret_sound = smtp_send(sender->smtp, mail, &watch, &result);
	return result;
}

/*
 * The relay refuses the token: with 535, or first with 334 and a note of why (RFC 7628 section
 * 3.2.2, as Google's and others do), at which libcurl gives up.
 */
static bool is_stale_token(const struct sender *sender, const struct attempt_result *result)
{
	return uses_token(sender) && !result->body_sent && !result->configuration &&
	       (result->reply_code == 535 ||
		(result->reply_code == 334 && result->curl_code == CURL_LOGIN_DENIED));
}

/* A login that failed with a token is tried once more with a new one (smtp.md 1.8). */
static struct attempt_result
attempt_with_fresh_token(struct sender *sender, const struct sender_mail *mail, bool *ret_sound)
{
	bool had_token = sender->token.length > 0;
	struct attempt_result result = attempt(sender, mail, ret_sound);

	if (!is_stale_token(sender, &result))
		return result;
	credential_wipe(&sender->token);
	if (!had_token)
		return result;
	smtp_destroy(TAKE(sender->smtp));
	return attempt(sender, mail, ret_sound);
}

static int serve_mail(struct sender *sender, const struct sender_mail *mail,
		      struct error *error)
{
	struct attempt_result result;
	struct error why = { 0 };
	bool sound = true;
	int r;

	sender->mail = mail->id;
	if (check_mail(mail, &why) < 0) {
		result = not_tried(&why);
		result.unfit = true;
		return say_result(sender, &result, error);
	}
	result = attempt_with_fresh_token(sender, mail, &sound);
	r = say_result(sender, &result, error);
	if (!sound)
		smtp_destroy(TAKE(sender->smtp));
	return r;
}

/* ---- frames ---- */

static int serve_relay(struct sender *sender, const char *payload, size_t length,
		       struct error *error)
{
	if (sender->has_relay)
		return error_set(error, EPROTO, "the daemon named a second relay");
	text_append_bytes(&sender->relay_payload, payload, length);
	if (text_failed(&sender->relay_payload))
		return error_memory(error);
	if (sender_read_relay(text_string(&sender->relay_payload), length, &sender->relay) < 0)
		return error_set(error, EPROTO, "the daemon's relay makes no sense");
	sender->has_relay = true;
	return 0;
}

/* The address may stand in a credential, since whoever knows it can speak for us. */
static int serve_get(struct sender *sender, const char *payload, size_t length,
		     struct error *error)
{
	CLEANUP(credential_wipe) struct text secret = { 0 };
	CLEANUP(text_clear) struct text frame = { 0 };
	struct error why = { 0 };
	struct sender_got got = { 0 };
	struct sender_get get;

	if (sender_read_get(payload, length, &get) < 0)
		return error_set(error, EPROTO, "the daemon's address makes no sense");
	if (get.credential[0] == '\0')
		web_get(get.url, &get, &got);
	else if (credential_read(sender->credentials, get.credential, &secret, &why) == 0)
		web_get(text_string(&secret), &get, &got);
	else
		delivery_reply_clean(why.text, strlen(why.text), got.words);
	sender_put_got(&frame, &got);
	return send_all(sender->channel, &frame, error);
}

static int serve_frame(struct sender *sender, enum sender_frame type, const char *payload,
		       size_t length, struct error *error)
{
	struct sender_mail mail;

	if (type == FRAME_RELAY)
		return serve_relay(sender, payload, length, error);
	if (type == FRAME_GET && !sender->has_relay)
		return serve_get(sender, payload, length, error);
	if (type != FRAME_MAIL || !sender->has_relay)
		return error_set(error, EPROTO, "the daemon sent a frame out of turn");
	if (sender_read_mail(payload, length, &mail) < 0)
		return error_set(error, EPROTO, "the daemon's mail makes no sense");
	return serve_mail(sender, &mail, error);
}

/* Serves every whole frame there is. */
static int serve_input(struct sender *sender, struct error *error)
{
	enum sender_frame type;
	const char *payload;
	size_t length, taken;
	int r;

	for (;;) {
		r = sender_take_frame(text_string(&sender->input), sender->input.length, &type,
				      &payload, &length, &taken);
		if (r < 0)
			return error_set(error, EPROTO, "what the daemon sent is not a frame");
		if (r == 0)
			return 0;
		r = serve_frame(sender, type, payload, length, error);
		if (r < 0)
			return r;
		drop_input(&sender->input, taken);
	}
}

int sender_serve(int channel, const char *credentials, const struct clock *clock,
		 struct error *error)
{
	CLEANUP(sender_clear)
	struct sender sender = {
		.channel = channel,
		.credentials = credentials,
		.clock = clock,
		.input = { .limit = INPUT_MOST + 16 * 1024 },
	};
	int r;

	for (;;) {
		r = receive(&sender, error);
		if (r <= 0)
			return r;
		r = serve_input(&sender, error);
		if (r < 0)
			return r;
	}
}
