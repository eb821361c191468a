/* test_delivery.c - every row of smtp.md 1.5, and what stands between the rows. */
#include "core/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GREETED .greeted = true
#define BODY .greeted = true, .body_sent = true
#define AT_RCPT .greeted = true, .at_rcpt = true
#define REUSED .greeted = true, .reused = true

static const struct verdict_case {
	const char *name;
	struct attempt_result result;
	enum delivery_verdict want;
} verdict_cases[] = {
	/* clang-format off */
	{ "250 to the dot is accepted",
	  { .curl_code = 0, .reply_code = 250, BODY, .reply = "250 2.0.0 Ok: queued" }, VERDICT_ACCEPTED },
	{ "success without a 2xx is in doubt, not accepted",
	  { .curl_code = 0, .reply_code = 354, BODY }, VERDICT_IN_DOUBT },
	{ "success without a body is no acceptance",
	  { .curl_code = 0, .reply_code = 250, GREETED }, VERDICT_RETRY },
	{ "a reused connection that says 421 is asked anew at once",
	  { .curl_code = 55, .reply_code = 421, REUSED }, VERDICT_RETRY_NOW },
	{ "421 at MAIL on a new connection is transient",
	  { .curl_code = 55, .reply_code = 421, GREETED }, VERDICT_RETRY },
	{ "a reused connection that had died is asked anew at once",
	  { .curl_code = 56, .reply_code = 0, REUSED }, VERDICT_RETRY_NOW },
	{ "so is one that could not be written to",
	  { .curl_code = 55, .reply_code = 0, REUSED }, VERDICT_RETRY_NOW },
	{ "a reused connection dropped after MAIL is transient",
	  { .curl_code = 56, .reply_code = 250, REUSED }, VERDICT_RETRY },
	{ "a reused connection that hangs is transient",
	  { .curl_code = 28, .reply_code = 0, REUSED }, VERDICT_RETRY },
	{ "a reused connection dropped after the dot is in doubt, never at once",
	  { .curl_code = 56, .reply_code = 354, REUSED, .body_sent = true }, VERDICT_IN_DOUBT },
	{ "450 at RCPT is transient",
	  { .curl_code = 55, .reply_code = 450, AT_RCPT, .reply = "450 4.2.1 Try later" }, VERDICT_RETRY },
	{ "451 at MAIL is transient",
	  { .curl_code = 55, .reply_code = 451, GREETED, .reply = "451 4.3.0 no" }, VERDICT_RETRY },
	{ "450 with 5.1.1: the three digits decide",
	  { .curl_code = 55, .reply_code = 450, AT_RCPT, .reply = "450 5.1.1 no" }, VERDICT_RETRY },
	{ "550 5.1.1 at RCPT is a bad address",
	  { .curl_code = 55, .reply_code = 550, AT_RCPT, .reply = "550 5.1.1 No such user" }, VERDICT_ADDRESS },
	{ "550 5.1.10 at RCPT is a bad address",
	  { .curl_code = 55, .reply_code = 550, AT_RCPT, .reply = "550 5.1.10 null MX" }, VERDICT_ADDRESS },
	{ "553-5.1.2 at RCPT is a bad address",
	  { .curl_code = 55, .reply_code = 553, AT_RCPT, .reply = "553-5.1.2 no" }, VERDICT_ADDRESS },
	{ "a bad address on a reused connection is a bad address",
	  { .curl_code = 55, .reply_code = 550, REUSED, .at_rcpt = true, .reply = "550 5.1.1 no" }, VERDICT_ADDRESS },
	{ "550 5.7.1 at RCPT is held",
	  { .curl_code = 55, .reply_code = 550, AT_RCPT, .reply = "550 5.7.1 Relaying denied" }, VERDICT_HOLD },
	{ "550 without an enhanced code at RCPT is held",
	  { .curl_code = 55, .reply_code = 550, AT_RCPT, .reply = "550 No such user" }, VERDICT_HOLD },
	{ "550 4.1.1 at RCPT is held: classes disagree",
	  { .curl_code = 55, .reply_code = 550, AT_RCPT, .reply = "550 4.1.1 no" }, VERDICT_HOLD },
	{ "550 5.10.1 is not 5.1.01",
	  { .curl_code = 55, .reply_code = 550, AT_RCPT, .reply = "550 5.10.1 no" }, VERDICT_HOLD },
	{ "5.1.8 at MAIL is about the sender: held",
	  { .curl_code = 55, .reply_code = 550, GREETED, .reply = "550 5.1.8 Bad sender" }, VERDICT_HOLD },
	{ "550 5.7.30 at MAIL is held",
	  { .curl_code = 55, .reply_code = 550, GREETED, .reply = "550 5.7.30 Basic authentication" }, VERDICT_HOLD },
	{ "5xx at MAIL on a reused connection may be about the mail before: asked anew",
	  { .curl_code = 55, .reply_code = 554, REUSED, .reply = "554 5.1.1 late" }, VERDICT_RETRY_NOW },
	{ "500 at MAIL is held", { .curl_code = 55, .reply_code = 500, GREETED }, VERDICT_HOLD },
	{ "599 at MAIL is held", { .curl_code = 55, .reply_code = 599, GREETED }, VERDICT_HOLD },
	{ "499 at MAIL is transient", { .curl_code = 55, .reply_code = 499, GREETED }, VERDICT_RETRY },
	{ "DATA failed: 250 is a protocol out of step: transient",
	  { .curl_code = 55, .reply_code = 250, GREETED }, VERDICT_RETRY },
	{ "451 after the dot is transient",
	  { .curl_code = 8, .reply_code = 451, BODY, .reply = "451 4.3.0" }, VERDICT_RETRY },
	{ "421 after the dot is transient, not in doubt",
	  { .curl_code = 8, .reply_code = 421, BODY }, VERDICT_RETRY },
	{ "554 after the dot is held",
	  { .curl_code = 8, .reply_code = 554, BODY, .reply = "554 5.6.0 no" }, VERDICT_HOLD },
	{ "5.1.1 after the dot is held: only RCPT speaks of one address",
	  { .curl_code = 8, .reply_code = 550, BODY, .reply = "550 5.1.1 no" }, VERDICT_HOLD },
	{ "an odd reply after the dot is in doubt",
	  { .curl_code = 8, .reply_code = 354, BODY }, VERDICT_IN_DOUBT },
	{ "421 as greeting is transient",
	  { .curl_code = 8, .reply_code = 421, GREETED }, VERDICT_RETRY },
	{ "554 as greeting is transient",
	  { .curl_code = 8, .reply_code = 554, GREETED }, VERDICT_RETRY },
	{ "535 is a relay fault", { .curl_code = 67, .reply_code = 535, GREETED }, VERDICT_RELAY_FAULT },
	{ "454 at AUTH is a relay fault", { .curl_code = 67, .reply_code = 454, GREETED }, VERDICT_RELAY_FAULT },
	{ "no common mechanism is a relay fault",
	  { .curl_code = 67, .reply_code = 250, GREETED }, VERDICT_RELAY_FAULT },
	{ "STARTTLS missing is a relay fault", { .curl_code = 64, .reply_code = 250, GREETED }, VERDICT_RELAY_FAULT },
	{ "a wrong certificate is a relay fault", { .curl_code = 60, .reply_code = 220, GREETED }, VERDICT_RELAY_FAULT },
	{ "a failed handshake is a relay fault", { .curl_code = 35, .reply_code = 0 }, VERDICT_RELAY_FAULT },
	{ "a bad client certificate is a relay fault", { .curl_code = 58 }, VERDICT_RELAY_FAULT },
	{ "a bad CA file is a relay fault", { .curl_code = 77 }, VERDICT_RELAY_FAULT },
	{ "an unknown host is a relay fault", { .curl_code = 6 }, VERDICT_RELAY_FAULT },
	{ "a refused connection is a relay fault", { .curl_code = 7 }, VERDICT_RELAY_FAULT },
	{ "a time-out before the greeting is a relay fault", { .curl_code = 28 }, VERDICT_RELAY_FAULT },
	{ "a time-out after the greeting is transient",
	  { .curl_code = 28, .reply_code = 220, GREETED }, VERDICT_RETRY },
	{ "a drop before the greeting is a relay fault", { .curl_code = 56 }, VERDICT_RELAY_FAULT },
	{ "so is a connection closed before it", { .curl_code = 52 }, VERDICT_RELAY_FAULT },
	{ "a drop mid-dialogue is transient, though 250 was the last reply",
	  { .curl_code = 56, .reply_code = 250, GREETED }, VERDICT_RETRY },
	{ "a drop after the dot is in doubt", { .curl_code = 56, .reply_code = 354, BODY }, VERDICT_IN_DOUBT },
	{ "a time-out after the dot is in doubt", { .curl_code = 28, .reply_code = 354, BODY }, VERDICT_IN_DOUBT },
	{ "an abort after the dot is in doubt", { .curl_code = 42, .reply_code = 354, BODY }, VERDICT_IN_DOUBT },
	{ "a write that fails after the dot is in doubt",
	  { .curl_code = 55, .reply_code = 354, BODY }, VERDICT_IN_DOUBT },
	{ "an empty answer after the dot is in doubt",
	  { .curl_code = 52, .reply_code = 354, BODY }, VERDICT_IN_DOUBT },
	{ "a drop after the dot is in doubt, though the last reply says 250",
	  { .curl_code = 56, .reply_code = 250, BODY }, VERDICT_IN_DOUBT },
	{ "even a TLS fault after the dot is in doubt",
	  { .curl_code = 35, .reply_code = 354, BODY }, VERDICT_IN_DOUBT },
	{ "an abort before the end of the body is transient",
	  { .curl_code = 42, .reply_code = 354, GREETED }, VERDICT_RETRY },
	{ "EHLO refused for good is a relay fault", { .curl_code = 9, .reply_code = 550, GREETED }, VERDICT_RELAY_FAULT },
	{ "EHLO refused for now is transient", { .curl_code = 9, .reply_code = 421, GREETED }, VERDICT_RETRY },
	{ "out of memory is transient", { .curl_code = 27 }, VERDICT_RETRY },
	{ "a URL that libcurl cannot read is a relay fault", { .curl_code = 3 }, VERDICT_RELAY_FAULT },
	{ "a sender that could not begin is a relay fault", { .configuration = true }, VERDICT_RELAY_FAULT },
	{ "a login left out is a relay fault, whatever else is said",
	  { .curl_code = 23, .reply_code = 250, GREETED, .configuration = true }, VERDICT_RELAY_FAULT },
	{ "a mail that may not go on a wire is held", { .unfit = true }, VERDICT_HOLD },
	{ "a code that nobody knows is transient before the body",
	  { .curl_code = 9999, GREETED }, VERDICT_RETRY },
	{ "a code that nobody knows is in doubt after it",
	  { .curl_code = 9999, BODY }, VERDICT_IN_DOUBT },
	/* clang-format on */
};

static void classifies(void **state)
{
	const struct verdict_case *c = *state;

	assert_int_equal(delivery_classify(&c->result), c->want);
}

/* The table of smtp.md 1.5, written once more and by hand. */
static void knows_faults_of_the_relay_by_their_codes(void **state)
{
	static const int faults[] = { 1,  2,  3,  4,  5,  6,  7,  35, 41, 43, 45, 48, 53, 54,
				      58, 59, 60, 64, 66, 67, 77, 80, 82, 83, 90, 91, 94, 98 };
	size_t next = 0;

	(void)state;
	for (int code = 0; code < 200; code++) {
		const struct attempt_result result = { .curl_code = code,
						       .reply_code = 250,
						       .greeted = true };
		bool fault = next < COUNT(faults) && faults[next] == code;

		if (fault)
			next++;
		if ((delivery_classify(&result) == VERDICT_RELAY_FAULT) != fault)
			fail_msg("code %d", code);
	}
}

/* For every CURLcode, reply and mix of flags: no mail is lost or doubled by its name. */
static void never_names_wrongly(void **state)
{
	(void)state;
	for (int code = 0; code < 100; code++)
		for (int reply = 0; reply < 600; reply += 1)
			for (unsigned flags = 0; flags < 16; flags++) {
				struct attempt_result r = {
					.curl_code = code,
					.reply_code = reply,
					.body_sent = flags & 1,
					.at_rcpt = flags & 2,
					.greeted = flags & 4,
					.reused = flags & 8,
					.reply = "550 5.1.1 no",
				};
				enum delivery_verdict v = delivery_classify(&r);

				if (v == VERDICT_ACCEPTED)
					assert_true(code == 0 && r.body_sent &&
						    reply / 100 == 2);
				if (v == VERDICT_ADDRESS)
					assert_true(code == 55 && r.at_rcpt && !r.body_sent &&
						    reply / 100 == 5);
				if (v == VERDICT_IN_DOUBT)
					assert_true(r.body_sent);
				if (v == VERDICT_RETRY_NOW)
					assert_true(r.reused && !r.body_sent);
				if (r.body_sent && (v == VERDICT_RETRY || v == VERDICT_HOLD))
					assert_true(code == 8 && reply >= 400);
				if (v == VERDICT_RELAY_FAULT)
					assert_false(r.body_sent);
			}
}

static const struct enhanced_case {
	const char *name;
	const char *reply;
	int want;
} enhanced_cases[] = {
	{ "after a space", "550 5.1.1 No such user", 50101 },
	{ "after a hyphen", "550-5.1.1 No such user", 50101 },
	{ "alone", "250 2.0.0", 20000 },
	{ "two digits", "550 5.10.30 no", 51030 },
	{ "nines", "599 5.9.9 no", 50909 },
	{ "ninety-nines", "599 5.99.99 no", 59999 },
	{ "a reply below 100", "099 5.1.1 no", 0 },
	{ "a subject above 99", "550 5.100.1 no", 0 },
	{ "class 2 and class 4 are some", "450 4.2.1 no", 40201 },
	{ "no code", "550 No such user", 0 },
	{ "an address of a host", "550 5.1.1.1 no", 0 },
	{ "class 3 is none", "354 3.1.1 go", 0 },
	{ "four digits", "550 5.1.1000 no", 0 },
	{ "above 99 cannot be said", "550 5.1.100 no", 0 },
	{ "a missing detail", "550 5.1. no", 0 },
	{ "a missing subject", "550 5..1 no", 0 },
	{ "glued to a word", "550 5.1.1x", 0 },
	{ "no reply at all", "", 0 },
	{ "a short code", "55 5.1.1 no", 0 },
	{ "a long code", "5500 5.1.1 no", 0 },
	{ "words of libcurl", "Failed to connect to 127.0.0.1", 0 },
	{ "three digits alone", "550", 0 },
};

static void reads_enhanced(void **state)
{
	const struct enhanced_case *c = *state;

	assert_int_equal(delivery_enhanced(c->reply), c->want);
}

static const struct clean_case {
	const char *name;
	const char *words;
	size_t length; /* 0: strlen */
	const char *want;
} clean_cases[] = {
	{ "plain words stay", "250 2.0.0 Ok: queued as 4F1", 0, "250 2.0.0 Ok: queued as 4F1" },
	{ "an address in angles", "550 <a.b@c.test>: no", 0, "550 <address>: no" },
	{ "an address in angles before all", "<a@b.test> no", 0, "<address> no" },
	{ "a bare address", "no a.b+c@d.test here", 0, "no <address> here" },
	{ "an address at either end", "a@b x c@d", 0, "<address> x <address>" },
	{ "an address in quotes", "user \"a@b.test\" unknown", 0,
	  "user \"<address>\" unknown" },
	{ "an address after a colon", "mailto:a@b.test,c@d.test", 0,
	  "mailto:<address>,<address>" },
	{ "an address that is not closed", "550 <a@b.test", 0, "550 <address>" },
	{ "an @ alone is cut as well", "550 @ here", 0, "550 <address> here" },
	{ "control characters", "a\r\nb\x1b[31m\x7f", 0, "a??b?[31m?" },
	{ "a NUL", "a\0b@c.test d", 12, "a?<address> d" },
	{ "bytes that are not ASCII", "caf\xc3\xa9 \xff", 0, "caf?? ?" },
	{ "blanks at the end", "250 ok   ", 0, "250 ok" },
	{ "nothing", "", 0, "" },
};

static void cleans(void **state)
{
	const struct clean_case *c = *state;
	char out[REPLY_SIZE];

	delivery_reply_clean(c->words, c->length != 0 ? c->length : strlen(c->words), out);
	assert_string_equal(out, c->want);
}

static void cuts_what_is_long(void **state)
{
	static char words[100000];
	char out[REPLY_SIZE];

	(void)state;
	memset(words, 'x', sizeof words);
	delivery_reply_clean(words, sizeof words, out);
	assert_int_equal(strlen(out), REPLY_SIZE - 1);
	memset(words, '@', sizeof words);
	delivery_reply_clean(words, sizeof words, out);
	assert_string_equal(out, "<address>");
	for (size_t i = 0; i < sizeof words; i++)
		words[i] = "a@b "[i % 4];
	delivery_reply_clean(words, sizeof words, out);
	assert_int_equal(strlen(out), REPLY_SIZE - 1);
	assert_null(strchr(out, '@'));
}

static void backs_off(void **state)
{
	static const int64_t minutes[] = { 1, 1, 2, 4, 8, 15, 30, 60, 60, 60 };

	(void)state;
	for (int attempts = 0; attempts < 10; attempts++) {
		int64_t base = minutes[attempts] * 60;
		bool below = false, above = false;

		for (uint32_t random = 0; random < 20000; random++) {
			int64_t seconds = delivery_backoff(attempts, random * 214013u);

			assert_in_range(seconds, base - base / 4, base + base / 4);
			below = below || seconds < base;
			above = above || seconds > base;
		}
		assert_true(below && above);
	}
	assert_in_range(delivery_backoff(-1, UINT32_MAX), 45, 75);
	assert_in_range(delivery_backoff(INT32_MAX, UINT32_MAX), 2700, 4500);
}

static void names_states(void **state)
{
	(void)state;
	for (int s = DELIVERY_DECIDED; s <= DELIVERY_HELD; s++)
		assert_int_equal(
			delivery_state_parse(delivery_state_name((enum delivery_state)s)), s);
	assert_string_equal(delivery_state_name(DELIVERY_IN_DOUBT), "in_doubt");
	assert_int_equal(delivery_state_parse("delivered"), -1);
	assert_int_equal(delivery_state_parse(""), -1);
	assert_string_equal(delivery_state_name((enum delivery_state)99), "unknown");
}

enum { OTHERS = 5 };

#define ROWS(cases, function)                                             \
	for (size_t i = 0; i < COUNT(cases); i++)                         \
		tests[count++] = (struct CMUnitTest)                      \
		{                                                         \
			.name = (cases)[i].name, .test_func = (function), \
			.initial_state = (void *)(uintptr_t) & (cases)[i] \
		}

int main(void)
{
	struct CMUnitTest tests[COUNT(verdict_cases) + COUNT(enhanced_cases) +
				COUNT(clean_cases) + OTHERS];
	size_t count = 0;

	ROWS(verdict_cases, classifies);
	ROWS(enhanced_cases, reads_enhanced);
	ROWS(clean_cases, cleans);
	tests[count++] =
		(struct CMUnitTest)cmocka_unit_test(knows_faults_of_the_relay_by_their_codes);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(never_names_wrongly);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(cuts_what_is_long);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(backs_off);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(names_states);
	return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
