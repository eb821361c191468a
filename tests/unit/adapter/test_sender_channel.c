/* test_sender_channel.c - frames go over whole, and nothing else is taken for one. */
#include "adapter/sender_channel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEED = 20261124, RANDOM_ROUNDS = 20000 };

static const struct sender_relay relay = {
	.url = "smtps://relay.test:465",
	.clear_text = true,
	.ca = "/etc/ca.pem",
	.ehlo = "daemon.test",
	.login = "PLAIN",
	.user = "u@relay.test",
	.credential = "smtp-password",
	.tenant = "tenant",
	.client = "",
	.token_url = "https://login.test/token",
	.connect_seconds = 30,
	.reply_seconds = 120,
	.dot_seconds = 600,
	.tell = true,
};

static const struct sender_mail mail = {
	.id = INT64_C(0x0123456789abcdef),
	.envelope_from = "noreply@partnership.test",
	.recipient = "manager@council.test",
	.bytes = "a\0b\r\n",
	.length = 5,
};

static const struct attempt_result outcome = {
	.curl_code = 56,
	.reply_code = 354,
	.body_sent = true,
	.greeted = true,
	.unfit = true,
	.reply = "response reading failed",
};

/* A frame as a heap block of exactly its length, so that a sanitizer sees one byte too far. */
struct bytes {
	char *data;
	size_t length;
};

static struct bytes exact(const char *data, size_t length)
{
	struct bytes bytes = { malloc(length != 0 ? length : 1), length };

	assert_non_null(bytes.data);
	if (length != 0)
		memcpy(bytes.data, data, length);
	return bytes;
}

/* The payload of the only frame in text; checks head and length on the way. */
static struct bytes payload_of(struct text *text, enum sender_frame want)
{
	enum sender_frame type;
	const char *payload;
	size_t length, taken;
	struct bytes bytes;

	assert_false(text_failed(text));
	assert_int_equal(
		sender_take_frame(text->data, text->length, &type, &payload, &length, &taken),
		1);
	assert_int_equal(type, want);
	assert_int_equal(taken, text->length);
	bytes = exact(payload, length);
	text_clear(text);
	return bytes;
}

static void relay_goes_over(void **state)
{
	struct text out = { 0 };
	struct sender_relay got;
	struct bytes payload;

	(void)state;
	sender_put_relay(&out, &relay);
	payload = payload_of(&out, FRAME_RELAY);
	assert_int_equal(sender_read_relay(payload.data, payload.length, &got), 0);
	assert_string_equal(got.url, relay.url);
	assert_true(got.clear_text);
	assert_string_equal(got.ca, relay.ca);
	assert_string_equal(got.ehlo, relay.ehlo);
	assert_string_equal(got.login, relay.login);
	assert_string_equal(got.user, relay.user);
	assert_string_equal(got.credential, relay.credential);
	assert_string_equal(got.tenant, relay.tenant);
	assert_string_equal(got.client, "");
	assert_string_equal(got.token_url, relay.token_url);
	assert_int_equal(got.connect_seconds, 30);
	assert_int_equal(got.reply_seconds, 120);
	assert_int_equal(got.dot_seconds, 600);
	assert_true(got.tell);
	free(payload.data);
}

static void mail_goes_over(void **state)
{
	struct text out = { 0 };
	struct sender_mail got;
	struct bytes payload;

	(void)state;
	sender_put_mail(&out, &mail);
	payload = payload_of(&out, FRAME_MAIL);
	assert_int_equal(sender_read_mail(payload.data, payload.length, &got), 0);
	assert_true(got.id == mail.id);
	assert_string_equal(got.envelope_from, mail.envelope_from);
	assert_string_equal(got.recipient, mail.recipient);
	assert_int_equal(got.length, mail.length);
	assert_memory_equal(got.bytes, mail.bytes, mail.length + 1);
	free(payload.data);
}

static void steps_go_over(void **state)
{
	struct text out = { 0 };
	struct sender_step got;
	struct bytes payload;

	(void)state;
	sender_put_step(&out, &(struct sender_step){ 7, SAID_BY_RELAY, "250 2.1.5 Ok" });
	payload = payload_of(&out, FRAME_STEP);
	assert_int_equal(sender_read_step(payload.data, payload.length, &got), 0);
	assert_true(got.mail == 7);
	assert_int_equal(got.who, SAID_BY_RELAY);
	assert_string_equal(got.words, "250 2.1.5 Ok");
	free(payload.data);
	sender_put_step(&out, &(struct sender_step){ 7, SAID_BY_RELAY, "two\nlines" });
	payload = payload_of(&out, FRAME_STEP);
	assert_int_equal(sender_read_step(payload.data, payload.length, &got), -EPROTO);
	free(payload.data);
}

static void heartbeats_go_over(void **state)
{
	struct text out = { 0 };
	struct sender_get get;
	struct sender_got got;
	struct bytes payload;

	(void)state;
	sender_put_get(&out, &(struct sender_get){ "https://hc.test/x", "url", "/ca.pem", 30 });
	payload = payload_of(&out, FRAME_GET);
	for (size_t i = 0; i < payload.length; i++)
		assert_int_equal(sender_read_get(payload.data, i, &get), -EPROTO);
	assert_int_equal(sender_read_get(payload.data, payload.length, &get), 0);
	assert_string_equal(get.url, "https://hc.test/x");
	assert_string_equal(get.credential, "url");
	assert_string_equal(get.ca, "/ca.pem");
	assert_int_equal(get.seconds, 30);
	free(payload.data);

	sender_put_got(&out, &(struct sender_got){ true, "HTTP 200" });
	payload = payload_of(&out, FRAME_GOT);
	for (size_t i = 0; i < payload.length; i++)
		assert_int_equal(sender_read_got(payload.data, i, &got), -EPROTO);
	assert_int_equal(sender_read_got(payload.data, payload.length, &got), 0);
	assert_true(got.well);
	assert_string_equal(got.words, "HTTP 200");
	free(payload.data);

	sender_put_got(&out, &(struct sender_got){ true, "two\nlines" });
	payload = payload_of(&out, FRAME_GOT);
	assert_int_equal(sender_read_got(payload.data, payload.length, &got), -EPROTO);
	free(payload.data);
	sender_put_get(&out, &(struct sender_get){ "", "", "", 0 });
	payload = payload_of(&out, FRAME_GET);
	assert_int_equal(sender_read_get(payload.data, payload.length, &get), -EPROTO);
	free(payload.data);
}

static void answers_go_over(void **state)
{
	struct text out = { 0 };
	struct attempt_result got;
	struct bytes payload;
	int64_t id = 0;

	(void)state;
	sender_put_body(&out, INT64_MIN);
	payload = payload_of(&out, FRAME_BODY);
	assert_int_equal(sender_read_body(payload.data, payload.length, &id), 0);
	assert_true(id == INT64_MIN);
	free(payload.data);

	sender_put_result(&out, -7, &outcome);
	payload = payload_of(&out, FRAME_RESULT);
	assert_int_equal(sender_read_result(payload.data, payload.length, &id, &got), 0);
	assert_true(id == -7);
	assert_int_equal(got.curl_code, 56);
	assert_int_equal(got.reply_code, 354);
	assert_true(got.body_sent && got.greeted && got.unfit);
	assert_false(got.at_rcpt || got.reused || got.configuration);
	assert_string_equal(got.reply, outcome.reply);
	free(payload.data);
}

static void frames_are_taken_one_by_one(void **state)
{
	struct text out = { 0 };
	enum sender_frame type;
	const char *payload;
	size_t length, taken, first;

	(void)state;
	sender_put_body(&out, 1);
	first = out.length;
	sender_put_mail(&out, &mail);
	for (size_t i = 0; i < first; i++) {
		struct bytes part = exact(out.data, i);

		assert_int_equal(
			sender_take_frame(part.data, i, &type, &payload, &length, &taken), 0);
		free(part.data);
	}
	assert_int_equal(
		sender_take_frame(out.data, out.length, &type, &payload, &length, &taken), 1);
	assert_int_equal(type, FRAME_BODY);
	assert_int_equal(taken, first);
	assert_int_equal(sender_take_frame(out.data + taken, out.length - taken, &type,
					   &payload, &length, &taken),
			 1);
	assert_int_equal(type, FRAME_MAIL);
	text_clear(&out);
}

static const struct head_case {
	const char *name;
	const char *bytes;
	size_t length;
	int want;
} head_cases[] = {
	{ "nothing is not whole yet", "", 0, 0 },
	{ "a type alone is not whole yet", "M", 1, 0 },
	{ "an unknown type is refused at its first byte", "X", 1, -EPROTO },
	{ "a NUL is no type", "\0\0\0\0\0", 5, -EPROTO },
	{ "an empty payload is whole", "B\0\0\0\0", 5, 1 },
	{ "a length past the limit is refused before its bytes come", "M\x00\x10\x00\x00", 5,
	  -EPROTO },
	{ "the greatest length is refused", "M\xff\xff\xff\xff", 5, -EPROTO },
	{ "a length up to the limit is waited for", "M\x00\x0f\xff\xf8", 5, 0 },
};

static void judges_heads(void **state)
{
	const struct head_case *c = *state;
	struct bytes bytes = exact(c->bytes, c->length);
	enum sender_frame type;
	const char *payload;
	size_t length, taken;

	assert_int_equal(
		sender_take_frame(bytes.data, bytes.length, &type, &payload, &length, &taken),
		c->want);
	free(bytes.data);
}

/* Reads a payload as each kind of frame; what is accepted must be sound. */
static int read_as_everything(const char *data, size_t length)
{
	struct bytes bytes = exact(data, length);
	struct sender_relay r;
	struct sender_mail m;
	struct attempt_result a;
	struct sender_step step;
	int64_t id;
	int accepted = 0;

	if (sender_read_relay(bytes.data, length, &r) == 0) {
		accepted++;
		assert_true(strlen(r.url) < length && strlen(r.token_url) < length);
		assert_true(r.dot_seconds >= 1);
	}
	if (sender_read_mail(bytes.data, length, &m) == 0) {
		accepted++;
		assert_true(m.length < length && m.bytes[m.length] == '\0');
		assert_true(strlen(m.recipient) < length);
	}
	if (sender_read_body(bytes.data, length, &id) == 0)
		accepted++;
	if (sender_read_result(bytes.data, length, &id, &a) == 0) {
		accepted++;
		assert_true(strlen(a.reply) < REPLY_SIZE);
		(void)delivery_classify(&a);
	}
	if (sender_read_step(bytes.data, length, &step) == 0) {
		accepted++;
		assert_true(strlen(step.words) < REPLY_SIZE);
	}
	free(bytes.data);
	return accepted;
}

enum { FRAMES = 5 };

static void whole_frames(struct text out[static FRAMES])
{
	sender_put_relay(&out[0], &relay);
	sender_put_mail(&out[1], &mail);
	sender_put_body(&out[2], 1);
	sender_put_result(&out[3], 1, &outcome);
	sender_put_step(&out[4], &(struct sender_step){ 1, SAID_BY_US, "DATA" });
}

/* A mail, a result and a step begin with the number that alone is what BODY says. */
enum { NUMBER_FIELD = 12 };

static void no_part_is_taken_for_the_whole(void **state)
{
	struct text frames[FRAMES] = { 0 };

	(void)state;
	whole_frames(frames);
	for (size_t f = 0; f < COUNT(frames); f++) {
		const char *payload = frames[f].data + SENDER_FRAME_HEAD;
		size_t length = frames[f].length - SENDER_FRAME_HEAD;

		assert_int_equal(read_as_everything(payload, length), 1);
		for (size_t i = 0; i < length; i++)
			assert_int_equal(read_as_everything(payload, i),
					 i == NUMBER_FIELD && (f == 1 || f >= 3));
		text_append(&frames[f], "x");
		assert_int_equal(
			read_as_everything(frames[f].data + SENDER_FRAME_HEAD, length + 1), 0);
		text_clear(&frames[f]);
	}
}

/* xorshift: the same bytes on every machine. */
static uint32_t draw(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void changed_frames_do_no_harm(void **state)
{
	struct text frames[FRAMES] = { 0 };
	uint32_t seed = SEED;

	(void)state;
	print_message("seed %d\n", SEED);
	whole_frames(frames);
	for (int round = 0; round < RANDOM_ROUNDS; round++) {
		struct text *frame = &frames[draw(&seed) % FRAMES];
		struct bytes bytes = exact(frame->data, frame->length);

		for (uint32_t n = draw(&seed) % 4 + 1; n > 0; n--)
			bytes.data[5 + draw(&seed) % (bytes.length - 5)] =
				(char)(draw(&seed) & 0xff);
		(void)read_as_everything(bytes.data + 5, bytes.length - 5);
		free(bytes.data);
	}
	for (size_t f = 0; f < COUNT(frames); f++)
		text_clear(&frames[f]);
}

static void random_bytes_do_no_harm(void **state)
{
	uint32_t seed = SEED;
	char bytes[128];

	(void)state;
	print_message("seed %d\n", SEED);
	for (int round = 0; round < RANDOM_ROUNDS; round++) {
		size_t length = draw(&seed) % sizeof bytes;
		enum sender_frame type;
		const char *payload;
		size_t payload_length, taken;

		for (size_t i = 0; i < length; i++)
			bytes[i] = (char)(draw(&seed) & (draw(&seed) % 3 == 0 ? 0xff : 0x03));
		if (sender_take_frame(bytes, length, &type, &payload, &payload_length,
				      &taken) == 1)
			assert_true(taken <= length && payload_length <= length);
		(void)read_as_everything(bytes, length);
	}
}

static const struct bad_result {
	const char *name;
	struct attempt_result result;
} bad_results[] = {
	{ "a negative code", { .curl_code = -1 } },
	{ "a code past all", { .curl_code = 100000 } },
	{ "a reply of four digits", { .reply_code = 1000 } },
	{ "a line end in the reply", { .reply = "a\nb" } },
	{ "a byte that is not ASCII in the reply", { .reply = "caf\xc3\xa9" } },
};

static void refuses_result(void **state)
{
	const struct bad_result *c = *state;
	struct text out = { 0 };
	struct attempt_result got;
	int64_t id;

	sender_put_result(&out, 1, &c->result);
	assert_int_equal(sender_read_result(out.data + 5, out.length - 5, &id, &got), -EPROTO);
	text_clear(&out);
}

static void refuses_times_of_nothing(void **state)
{
	struct sender_relay bad = relay;
	struct sender_relay got;
	struct text out = { 0 };

	(void)state;
	bad.dot_seconds = 0;
	sender_put_relay(&out, &bad);
	assert_int_equal(sender_read_relay(out.data + 5, out.length - 5, &got), -EPROTO);
	text_clear(&out);
}

static void a_mail_that_is_too_large_fails(void **state)
{
	static char large[2 << 20];
	struct sender_mail big = mail;
	struct text out = { .limit = 4 << 20 };

	(void)state;
	memset(large, 'x', sizeof large);
	big.bytes = large;
	big.length = sizeof large;
	sender_put_mail(&out, &big);
	assert_true(text_failed(&out));
	text_cut(&out, 0);
	text_clear(&out);

	big.length = SENDER_PAYLOAD_MOST - 1; /* fits alone, but not with its addresses */
	out = (struct text){ .limit = 4 << 20 };
	sender_put_mail(&out, &big);
	assert_true(text_failed(&out));
	text_clear(&out);
}

enum { OTHERS = 11 };

int main(void)
{
	static void (*const others[OTHERS])(void **) = {
		relay_goes_over,
		mail_goes_over,
		answers_go_over,
		steps_go_over,
		heartbeats_go_over,
		frames_are_taken_one_by_one,
		no_part_is_taken_for_the_whole,
		changed_frames_do_no_harm,
		random_bytes_do_no_harm,
		refuses_times_of_nothing,
		a_mail_that_is_too_large_fails,
	};
	static const char *const names[OTHERS] = {
		"a relay goes over whole",
		"a mail goes over whole, NUL and all",
		"answers go over whole",
		"steps go over whole, in one line each",
		"heartbeats go over whole",
		"frames are taken one by one, never before they are whole",
		"no part of a frame is taken for the whole",
		"changed frames do no harm",
		"random bytes do no harm",
		"a time of nothing is refused",
		"a mail that is too large fails at once",
	};
	struct CMUnitTest tests[OTHERS + COUNT(head_cases) + COUNT(bad_results)];
	size_t count = 0;

	for (size_t i = 0; i < OTHERS; i++)
		tests[count++] =
			(struct CMUnitTest){ .name = names[i], .test_func = others[i] };
	for (size_t i = 0; i < COUNT(head_cases); i++)
		tests[count++] = (struct CMUnitTest){
			.name = head_cases[i].name,
			.test_func = judges_heads,
			.initial_state = (void *)(uintptr_t)&head_cases[i],
		};
	for (size_t i = 0; i < COUNT(bad_results); i++)
		tests[count++] = (struct CMUnitTest){
			.name = bad_results[i].name,
			.test_func = refuses_result,
			.initial_state = (void *)(uintptr_t)&bad_results[i],
		};
	return cmocka_run_group_tests_name("sender_channel", tests, NULL, NULL);
}
