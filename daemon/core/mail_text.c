/* mail_text.c - see mail_text.h: RFC 2047 words with Q, quoted-printable (RFC 2045). */
#include "core/mail_text.h"

#include <stdbool.h>
#include <string.h>

static const char word_head[] = "=?UTF-8?Q?";
static const char word_tail[] = "?=";

/* What is left to be read. */
struct span {
	const char *at;
	size_t length;
};

static bool begins(struct span span, const char *with)
{
	size_t length = strlen(with);

	return span.length >= length && memcmp(span.at, with, length) == 0;
}

static void skip(struct span *span, size_t count)
{
	span->at += count;
	span->length -= count;
}

/* Moves to what stands behind the first of these; false, and nothing moves, where it is not. */
static bool skip_past(struct span *span, const char *mark)
{
	const char *found = memmem(span->at, span->length, mark, strlen(mark));

	if (found == NULL)
		return false;
	skip(span, (size_t)(found - span->at) + strlen(mark));
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "=E2" at the front: the octet, with the span moved past it; -1: it is none. */
static int take_octet(struct span *span)
{
	int high;
	int low;

	if (span->length < 3 || span->at[0] != '=')
		return -1;
	high = digit(span->at[1]);
	low = digit(span->at[2]);
	if (high < 0 || low < 0)
		return -1;
	skip(span, 3);
	return high * 16 + low;
}

static void take_one(struct span *span, struct text *ret)
{
	text_append_bytes(ret, span->at, 1);
	skip(span, 1);
}

/* Line ends and the blanks behind them fold a field. Between encoded words they are nothing. */
static void read_subject(struct span span, struct text *ret)
{
	bool word = false;   /* within an encoded word */
	bool behind = false; /* right behind one */

	while (span.length > 0) {
		int octet = word ? take_octet(&span) : -1;

		if (octet >= 0) {
			text_append_char(ret, (char)octet);
		} else if (word && begins(span, word_tail)) {
			skip(&span, strlen(word_tail));
			word = false;
			behind = true;
		} else if (!word && begins(span, word_head)) {
			skip(&span, strlen(word_head));
			word = true;
		} else if (begins(span, "\r\n ")) {
			skip(&span, behind ? 3 : 2);
		} else if (begins(span, "\r\n")) {
			return; /* the next field */
		} else if (word && span.at[0] == '_') {
			text_append_char(ret, ' ');
			skip(&span, 1);
		} else {
			behind = false;
			take_one(&span, ret);
		}
	}
}

static void read_body(struct span span, struct text *ret)
{
	while (span.length > 0) {
		int octet = take_octet(&span);

		if (octet >= 0) {
			text_append_char(ret, (char)octet);
		} else if (begins(span, "=\r\n")) {
			skip(&span, 3);
		} else if (begins(span, "\r\n--=_")) {
			return; /* a boundary: no quoted-printable text holds it */
		} else if (begins(span, "\r\n")) {
			text_append_char(ret, '\n');
			skip(&span, 2);
		} else {
			take_one(&span, ret);
		}
	}
}

void mail_text_read(const char *bytes, size_t length, struct text *subject, struct text *body)
{
	struct span span = { bytes, length };
	struct span head = span;

	if (skip_past(&head, "\r\nSubject: "))
		read_subject(head, subject);
	if (skip_past(&span, "\r\nContent-Type: text/plain;") && skip_past(&span, "\r\n\r\n"))
		read_body(span, body);
}
