/* delivery.c - see delivery.h; the rows of smtp.md 1.5 in the order in which they decide. */
#include "core/delivery.h"

#include <string.h>

/* The CURLcodes that mean something here; core knows libcurl by its numbers alone. */
enum curl_code {
	CURL_OK = 0,
	CURL_WEIRD_REPLY = 8,
	CURL_ACCESS_DENIED = 9,
	CURL_TIMED_OUT = 28,
	CURL_GOT_NOTHING = 52,
	CURL_SEND_ERROR = 55,
	CURL_RECV_ERROR = 56,
};

static const char *const state_names[] = {
	[DELIVERY_DECIDED] = "decided",
	[DELIVERY_READY] = "ready",
	[DELIVERY_ATTEMPTING] = "attempting",
	[DELIVERY_ACCEPTED] = "accepted",
	[DELIVERY_RETRY] = "retry",
	[DELIVERY_IN_DOUBT] = "in_doubt",
	[DELIVERY_REFUSED] = "refused",
	[DELIVERY_CANCELLED] = "cancelled",
	[DELIVERY_HELD] = "held",
};

const char *delivery_state_name(enum delivery_state state)
{
	return (size_t)state < COUNT(state_names) ? state_names[state] : "unknown";
}

int delivery_state_parse(const char *name)
{
	for (size_t i = 0; i < COUNT(state_names); i++)
		if (strcmp(state_names[i], name) == 0)
			return (int)i;
	return -1;
}

/* Faults of the relay or of our settings for it, whatever the server said last. */
static bool is_relay_code(int code)
{
	static const int codes[] = {
		1,  2,  3,  4,  41, 43, 48, /* settings that this libcurl cannot follow */
		5,  6,  7,  45,             /* names and connections */
		35, 53, 54, 58, 59, 60, 64, 66, 77, 80, 82, 83, 90, 91, 98, /* TLS */
		67, 94,                                                     /* login */
	};

	for (size_t i = 0; i < COUNT(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

/* Once the last byte is out, only a complete refusal or acceptance says where the mail is. */
static enum delivery_verdict classify_after_body(const struct attempt_result *result)
{
	int class = result->reply_code / 100;

	if (result->curl_code == CURL_OK && class == 2)
		return VERDICT_ACCEPTED;
	if (result->curl_code == CURL_WEIRD_REPLY && class == 4)
		return VERDICT_RETRY;
	if (result->curl_code == CURL_WEIRD_REPLY && class == 5)
		return VERDICT_HOLD;
	return VERDICT_IN_DOUBT;
}

/* MAIL, RCPT or DATA was answered, and not with yes. */
static enum delivery_verdict classify_refusal(const struct attempt_result *result)
{
	if (result->reply_code / 100 != 5)
		return result->reused && result->reply_code == 421 ? VERDICT_RETRY_NOW
								   : VERDICT_RETRY;
	if (result->at_rcpt)
		return delivery_enhanced(result->reply) / 100 == 501 ? VERDICT_ADDRESS
								     : VERDICT_HOLD;

	/* On a reused connection this may be a surplus reply to the mail before: ask anew. */
	return result->reused ? VERDICT_RETRY_NOW : VERDICT_HOLD;
}

/* Nothing was heard of the server in this attempt, on a connection that had worked before. */
static bool had_died_idle(const struct attempt_result *result)
{
	return result->reused && result->reply_code == 0 &&
	       (result->curl_code == CURL_SEND_ERROR || result->curl_code == CURL_RECV_ERROR ||
		result->curl_code == CURL_GOT_NOTHING);
}

/* It took the connection and let it go without a word: a balancer before relays that are down.
 */
static bool never_greeted(const struct attempt_result *result)
{
	return !result->greeted && !result->reused &&
	       (result->curl_code == CURL_GOT_NOTHING || result->curl_code == CURL_SEND_ERROR ||
		result->curl_code == CURL_RECV_ERROR || result->curl_code == CURL_TIMED_OUT);
}

enum delivery_verdict delivery_classify(const struct attempt_result *result)
{
	int code = result->curl_code;

	if (result->unfit)
		return VERDICT_HOLD;
	if (result->configuration)
		return VERDICT_RELAY_FAULT;
	if (result->body_sent)
		return classify_after_body(result);
	if (is_relay_code(code) || never_greeted(result))
		return VERDICT_RELAY_FAULT;
	if (code == CURL_ACCESS_DENIED && result->reply_code / 100 == 5)
		return VERDICT_RELAY_FAULT; /* EHLO refused: no mail had been named yet */
	if (had_died_idle(result))
		return VERDICT_RETRY_NOW;
	if (code == CURL_SEND_ERROR)
		return classify_refusal(result);
	return VERDICT_RETRY;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One to three digits from *at on; -1: none, or a fourth. */
static int take_number(const char **at)
{
	int value = 0;
	int digits = 0;

	while (is_digit(**at) && digits < 4) {
		value = value * 10 + (**at - '0');
		(*at)++;
		digits++;
	}
	return digits >= 1 && digits <= 3 ? value : -1;
}

int delivery_enhanced(const char *reply)
{
	const char *at = reply;
	int class, subject, detail;

	if (take_number(&at) < 100 || at != reply + 3 || (*at != ' ' && *at != '-'))
		return 0;
	at++;
	class = take_number(&at);
	if ((class != 2 && class != 4 && class != 5) || *at++ != '.')
		return 0;
	subject = take_number(&at);
	if (subject < 0 || subject > 99 || *at++ != '.')
		return 0;
	detail = take_number(&at);
	if (detail < 0 || detail > 99 || (*at != ' ' && *at != '\0'))
		return 0;
	return class * 10000 + subject * 100 + detail;
}

/* What may surround an address in a relay's sentence, but is no part of one. */
static bool ends_word(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f || strchr("<>()[]{},;:\"'", c) != NULL;
}

static size_t word_length(const char *words, size_t length)
{
	size_t n = 0;

	while (n < length && !ends_word(words[n]))
		n++;
	return n;
}

struct clean {
	char *out;
	size_t used;
};

static void clean_put(struct clean *clean, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length && clean->used < REPLY_SIZE - 1; i++) {
		unsigned char c = (unsigned char)bytes[i];

		clean->out[clean->used++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
}

void delivery_reply_clean(const char *words, size_t length, char ret[static REPLY_SIZE])
{
	static const char instead[] = "<address>";
	struct clean clean = { .out = ret };
	size_t at = 0;

	while (at < length) {
		size_t n = word_length(words + at, length - at);
		bool address = memchr(words + at, '@', n) != NULL;

		if (address && clean.used > 0 && ret[clean.used - 1] == '<')
			clean.used--;
		if (address)
			clean_put(&clean, instead, sizeof instead - 1);
		else
			clean_put(&clean, words + at, n);
		at += n;
		if (address && at < length && words[at] == '>')
			at++;
		else if (n == 0)
			clean_put(&clean, words + at++, 1);
	}
	while (clean.used > 0 && ret[clean.used - 1] == ' ')
		clean.used--;
	ret[clean.used] = '\0';
}

int64_t delivery_backoff(int attempts, uint32_t random)
{
	static const int minutes[] = { 1, 2, 4, 8, 15, 30, 60 };
	size_t last = COUNT(minutes) - 1;
	size_t step = attempts < 1 ? 0 : (size_t)attempts - 1;
	int64_t seconds = minutes[step < last ? step : last] * (int64_t)60;

	return seconds - seconds / 4 + (int64_t)random % (seconds / 2 + 1);
}
