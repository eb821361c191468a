/*
 * sender_channel.c - see sender_channel.h.
 *
 * Every field is its length (4 bytes, big endian) and that many bytes; numbers are eight bytes
 * big endian, strings end in a NUL that is part of the field.
 */
#include "adapter/sender_channel.h"

#include <errno.h>
#include <string.h>

enum { LONGEST_WAIT_SECONDS = SECONDS_PER_DAY };

static void put_u32(unsigned char out[static 4], size_t value)
{
	for (size_t i = 0; i < 4; i++)
		out[i] = (unsigned char)(value >> (24 - 8 * i));
}

static size_t get_u32(const char *bytes)
{
	const unsigned char *b = (const unsigned char *)bytes;

	return (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | (size_t)b[3];
}

/* ---- writing ---- */

/* Returns where the frame begins, for frame_end. */
static size_t frame_begin(struct text *out, enum sender_frame type)
{
	size_t start = out->length;

	text_append_char(out, (char)type);
	text_append_bytes(out, "\0\0\0\0", 4);
	return start;
}

static void frame_end(struct text *out, size_t start)
{
	size_t payload;

	if (text_failed(out))
		return;
	payload = out->length - start - SENDER_FRAME_HEAD;
	if (payload > SENDER_PAYLOAD_MOST) {
		out->failed = true;
		return;
	}
	put_u32((unsigned char *)out->data + start + 1, payload);
}

static void put_bytes(struct text *out, const char *bytes, size_t length)
{
	unsigned char head[4];

	if (length >= SENDER_PAYLOAD_MOST) {
		out->failed = true;
		return;
	}
	put_u32(head, length + 1);
	text_append_bytes(out, (const char *)head, sizeof head);
	text_append_bytes(out, bytes, length);
	text_append_char(out, '\0');
}

static void put_string(struct text *out, const char *string)
{
	put_bytes(out, string, strlen(string));
}

static void put_number(struct text *out, int64_t number)
{
	unsigned char field[12];

	put_u32(field, 8);
	put_u32(field + 4, (size_t)((uint64_t)number >> 32));
	put_u32(field + 8, (size_t)((uint64_t)number & UINT32_MAX));
	text_append_bytes(out, (const char *)field, sizeof field);
}

void sender_put_relay(struct text *out, const struct sender_relay *relay)
{
	size_t start = frame_begin(out, FRAME_RELAY);

	put_string(out, relay->url);
	put_number(out, relay->clear_text);
	put_string(out, relay->ca);
	put_string(out, relay->ehlo);
	put_string(out, relay->login);
	put_string(out, relay->user);
	put_string(out, relay->credential);
	put_string(out, relay->tenant);
	put_string(out, relay->client);
	put_string(out, relay->token_url);
	put_number(out, relay->connect_seconds);
	put_number(out, relay->reply_seconds);
	put_number(out, relay->dot_seconds);
	put_number(out, relay->tell);
	frame_end(out, start);
}

void sender_put_mail(struct text *out, const struct sender_mail *mail)
{
	size_t start = frame_begin(out, FRAME_MAIL);

	put_number(out, mail->id);
	put_string(out, mail->envelope_from);
	put_string(out, mail->recipient);
	put_bytes(out, mail->bytes, mail->length);
	frame_end(out, start);
}

void sender_put_body(struct text *out, int64_t mail)
{
	size_t start = frame_begin(out, FRAME_BODY);

	put_number(out, mail);
	frame_end(out, start);
}

void sender_put_result(struct text *out, int64_t mail, const struct attempt_result *result)
{
	size_t start = frame_begin(out, FRAME_RESULT);

	put_number(out, mail);
	put_number(out, result->curl_code);
	put_number(out, result->reply_code);
	put_number(out, result->body_sent);
	put_number(out, result->at_rcpt);
	put_number(out, result->greeted);
	put_number(out, result->reused);
	put_number(out, result->configuration);
	put_number(out, result->unfit);
	put_string(out, result->reply);
	frame_end(out, start);
}

void sender_put_step(struct text *out, const struct sender_step *step)
{
	size_t start = frame_begin(out, FRAME_STEP);

	put_number(out, step->mail);
	put_number(out, (int64_t)step->who);
	put_string(out, step->words);
	frame_end(out, start);
}

void sender_put_get(struct text *out, const struct sender_get *get)
{
	size_t start = frame_begin(out, FRAME_GET);

	put_string(out, get->url);
	put_string(out, get->credential);
	put_string(out, get->ca);
	put_number(out, get->seconds);
	frame_end(out, start);
}

void sender_put_got(struct text *out, const struct sender_got *got)
{
	size_t start = frame_begin(out, FRAME_GOT);

	put_number(out, got->well);
	put_string(out, got->words);
	frame_end(out, start);
}

/* ---- reading ---- */

static bool is_frame_type(char type)
{
	switch ((enum sender_frame)type) {
	case FRAME_RELAY:
	case FRAME_MAIL:
	case FRAME_BODY:
	case FRAME_STEP:
	case FRAME_RESULT:
	case FRAME_GET:
	case FRAME_GOT:
		return true;
	}
	return false;
}

int sender_take_frame(const char *bytes, size_t length, enum sender_frame *ret_type,
		      const char **ret_payload, size_t *ret_payload_length, size_t *ret_taken)
{
	size_t payload;

	if (length >= 1 && !is_frame_type(bytes[0]))
		return -EPROTO;
	if (length < SENDER_FRAME_HEAD)
		return 0;
	payload = get_u32(bytes + 1);
	if (payload > SENDER_PAYLOAD_MOST)
		return -EPROTO;
	if (length - SENDER_FRAME_HEAD < payload)
		return 0;
	*ret_type = (enum sender_frame)bytes[0];
	*ret_payload = bytes + SENDER_FRAME_HEAD;
	*ret_payload_length = payload;
	*ret_taken = SENDER_FRAME_HEAD + payload;
	return 1;
}

/* What is left of a payload; after one bad field everything read is empty. */
struct cursor {
	const char *at;
	size_t left;
	bool bad;
};

static const char *take_field(struct cursor *cursor, size_t *ret_length)
{
	const char *field;
	size_t length;

	if (!cursor->bad && cursor->left >= 4) {
		length = get_u32(cursor->at);
		if (length <= cursor->left - 4) {
			field = cursor->at + 4;
			cursor->at += 4 + length;
			cursor->left -= 4 + length;
			*ret_length = length;
			return field;
		}
	}
	cursor->bad = true;
	*ret_length = 0;
	return "";
}

/* Bytes with a NUL behind them that *ret_length does not count. */
static const char *take_bytes(struct cursor *cursor, size_t *ret_length)
{
	size_t length;
	const char *field = take_field(cursor, &length);

	if (cursor->bad || length < 1 || field[length - 1] != '\0') {
		cursor->bad = true;
		*ret_length = 0;
		return "";
	}
	*ret_length = length - 1;
	return field;
}

static const char *take_string(struct cursor *cursor)
{
	size_t length;
	const char *string = take_bytes(cursor, &length);

	if (strlen(string) == length)
		return string;
	cursor->bad = true;
	return "";
}

static int64_t take_number(struct cursor *cursor)
{
	size_t length;
	const char *field = take_field(cursor, &length);

	if (cursor->bad || length != 8) {
		cursor->bad = true;
		return 0;
	}
	return (int64_t)((uint64_t)get_u32(field) << 32 | (uint64_t)get_u32(field + 4));
}

static int take_range(struct cursor *cursor, int least, int most)
{
	int64_t number = take_number(cursor);

	if (number >= least && number <= most)
		return (int)number;
	cursor->bad = true;
	return least;
}

static bool take_flag(struct cursor *cursor)
{
	return take_range(cursor, 0, 1) == 1;
}

/* 0 when every field was there and nothing stands behind the last. */
static int cursor_end(const struct cursor *cursor)
{
	return cursor->bad || cursor->left != 0 ? -EPROTO : 0;
}

int sender_read_relay(const char *payload, size_t length, struct sender_relay *ret)
{
	struct cursor cursor = { payload, length, false };
	struct sender_relay relay = { 0 };

	relay.url = take_string(&cursor);
	relay.clear_text = take_flag(&cursor);
	relay.ca = take_string(&cursor);
	relay.ehlo = take_string(&cursor);
	relay.login = take_string(&cursor);
	relay.user = take_string(&cursor);
	relay.credential = take_string(&cursor);
	relay.tenant = take_string(&cursor);
	relay.client = take_string(&cursor);
	relay.token_url = take_string(&cursor);
	relay.connect_seconds = take_range(&cursor, 1, LONGEST_WAIT_SECONDS);
	relay.reply_seconds = take_range(&cursor, 1, LONGEST_WAIT_SECONDS);
	relay.dot_seconds = take_range(&cursor, 1, LONGEST_WAIT_SECONDS);
	relay.tell = take_flag(&cursor);
	if (cursor_end(&cursor) < 0)
		return -EPROTO;
	*ret = relay;
	return 0;
}

int sender_read_mail(const char *payload, size_t length, struct sender_mail *ret)
{
	struct cursor cursor = { payload, length, false };
	struct sender_mail mail = { 0 };

	mail.id = take_number(&cursor);
	mail.envelope_from = take_string(&cursor);
	mail.recipient = take_string(&cursor);
	mail.bytes = take_bytes(&cursor, &mail.length);
	if (cursor_end(&cursor) < 0)
		return -EPROTO;
	*ret = mail;
	return 0;
}

int sender_read_body(const char *payload, size_t length, int64_t *ret_mail)
{
	struct cursor cursor = { payload, length, false };
	int64_t mail = take_number(&cursor);

	if (cursor_end(&cursor) < 0)
		return -EPROTO;
	*ret_mail = mail;
	return 0;
}

/* The sender has cleaned the words already; the daemon believes that only after looking. */
static bool is_clean(const char *reply)
{
	size_t length = strlen(reply);

	if (length >= REPLY_SIZE)
		return false;
	for (size_t i = 0; i < length; i++)
		if (reply[i] < 0x20 || reply[i] > 0x7e)
			return false;
	return true;
}

int sender_read_result(const char *payload, size_t length, int64_t *ret_mail,
		       struct attempt_result *ret)
{
	struct cursor cursor = { payload, length, false };
	struct attempt_result result = { 0 };
	int64_t mail = take_number(&cursor);
	const char *reply;

	result.curl_code = take_range(&cursor, 0, INT16_MAX);
	result.reply_code = take_range(&cursor, 0, 999);
	result.body_sent = take_flag(&cursor);
	result.at_rcpt = take_flag(&cursor);
	result.greeted = take_flag(&cursor);
	result.reused = take_flag(&cursor);
	result.configuration = take_flag(&cursor);
	result.unfit = take_flag(&cursor);
	reply = take_string(&cursor);
	if (cursor_end(&cursor) < 0 || !is_clean(reply))
		return -EPROTO;
	memcpy(result.reply, reply, strlen(reply) + 1);
	*ret_mail = mail;
	*ret = result;
	return 0;
}

int sender_read_step(const char *payload, size_t length, struct sender_step *ret)
{
	struct cursor cursor = { payload, length, false };
	struct sender_step step = { 0 };

	step.mail = take_number(&cursor);
	step.who = (enum sender_speaker)take_range(&cursor, SAID_BY_RELAY, SAID_AS_NOTE);
	step.words = take_string(&cursor);
	if (cursor_end(&cursor) < 0 || !is_clean(step.words))
		return -EPROTO;
	*ret = step;
	return 0;
}

int sender_read_get(const char *payload, size_t length, struct sender_get *ret)
{
	struct cursor cursor = { payload, length, false };
	struct sender_get get = { 0 };

	get.url = take_string(&cursor);
	get.credential = take_string(&cursor);
	get.ca = take_string(&cursor);
	get.seconds = take_range(&cursor, 1, LONGEST_WAIT_SECONDS);
	if (cursor_end(&cursor) < 0)
		return -EPROTO;
	*ret = get;
	return 0;
}

int sender_read_got(const char *payload, size_t length, struct sender_got *ret)
{
	struct cursor cursor = { payload, length, false };
	struct sender_got got = { 0 };
	const char *words;

	got.well = take_flag(&cursor);
	words = take_string(&cursor);
	if (cursor_end(&cursor) < 0 || !is_clean(words))
		return -EPROTO;
	memcpy(got.words, words, strlen(words) + 1);
	*ret = got;
	return 0;
}
