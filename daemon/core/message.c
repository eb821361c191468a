/*
 * message.c - see message.h. RFC 5322 (fields, folding, dates), RFC 2045 (quoted-printable),
 * RFC 2046 (multipart/alternative), RFC 2047 (words that are not ASCII).
 */
#include "core/message.h"

#include "core/address.h"
#include "core/unicode.h"

#include <errno.h>
#include <string.h>

enum {
	FIELD_LINE = 78,   /* RFC 5322 2.1.1: should not be longer */
	ENCODED_LINE = 76, /* RFC 2047 2: a line with an encoded word */
	ENCODED_WORD = 75,
	BODY_LINE = 76,
	PLAIN_WORD = 60, /* a longer word could not be folded: it is encoded */
	PLAIN_NAME = 60,
	ID_MOST = 250,
	LANGUAGE_MOST = 35,
	FILETIME_SECOND = 10000000, /* of 100 ns */
};

static const uint64_t FNV_BASIS = 14695981039346656037U;
static const char word_head[] = "=?UTF-8?Q?";
static const char word_tail[] = "?=";

/* ---- checks ------------------------------------------------------------------------------ */

static int check_line(const char *field, const char *value, struct error *error)
{
	if (!unicode_is_safe_line(value))
		return error_set(error, EINVAL,
				 "%s: a control character, a turn of direction or bytes that "
				 "are not UTF-8",
				 field);
	return 0;
}

static int check_address(const char *field, const char *address, struct error *error)
{
	if (address_check(address, error) < 0)
		return error_wrap(error, "%s", field);
	return 0;
}

static bool is_id_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL;
}

/* "left@right" of dots and atom characters, as this program makes them. */
static int check_id(const char *field, const char *id, struct error *error)
{
	const char *at = strchr(id, '@');

	if (at == NULL || at == id || at[1] == '\0' || strchr(at + 1, '@') != NULL ||
	    strlen(id) > ID_MOST)
		return error_set(error, EINVAL, "%s: not of the form left@right", field);
	for (const char *c = id; *c != '\0'; c++)
		if (c != at && !is_id_character(*c))
			return error_set(error, EINVAL, "%s: a character that no id may hold",
					 field);
	return 0;
}

static int check_language(const char *language, struct error *error)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	size_t length = strlen(language);

	if (length == 0 || length > LANGUAGE_MOST || strspn(language, allowed) != length)
		return error_set(error, EINVAL, "Content-Language: not a language tag");
	return 0;
}

static int check_date(const struct message *message, struct error *error)
{
	/* 1970 to 9999: four digits of year, as RFC 5322 3.3 asks. */
	if (message->date.seconds < 0 || message->date.seconds >= 253402214400 ||
	    message->date_offset % 60 != 0 || message->date_offset < -14 * 3600 ||
	    message->date_offset > 14 * 3600)
		return error_set(error, EINVAL, "Date: not a time that a mail can bear");
	return 0;
}

static int check(const struct message *message, struct error *error)
{
	const struct {
		const char *field;
		const char *value;
	} lines[] = {
		{ "From", message->from_name },
		{ "To", message->to_name },
		{ "Subject", message->subject },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(lines); i++)
		r = check_line(lines[i].field, lines[i].value, error);
	if (r == 0 && message->subject[0] == '\0')
		r = error_set(error, EINVAL, "Subject: empty");
	if (r == 0)
		r = check_address("From", message->from_address, error);
	if (r == 0)
		r = check_address("To", message->to_address, error);
	if (r == 0 && message->reply_to[0] != '\0')
		r = check_address("Reply-To", message->reply_to, error);
	if (r == 0)
		r = check_id("Message-ID", message->message_id, error);
	if (r == 0 && message->root_id[0] != '\0')
		r = check_id("References", message->root_id, error);
	if (r == 0)
		r = check_language(message->language, error);
	if (r == 0)
		r = check_date(message, error);
	return r;
}

/* ---- header fields ----------------------------------------------------------------------- */

/* Octets since the last line end. */
static size_t column(const struct text *out)
{
	size_t from = out->length;

	while (from > 0 && out->data[from - 1] != '\n')
		from--;
	return out->length - from;
}

/* One octet in "Q", safe in a phrase as well (RFC 2047 5 (3)); returns its length. */
static size_t encode_octet(unsigned char octet, char out[static 4])
{
	static const char hexadecimal[] = "0123456789ABCDEF";

	if ((octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
	    (octet >= '0' && octet <= '9') || (octet != 0 && strchr("!*+-/", octet) != NULL)) {
		out[0] = (char)octet;
		return 1;
	}
	if (octet == ' ') {
		out[0] = '_';
		return 1;
	}
	out[0] = '=';
	out[1] = hexadecimal[octet >> 4];
	out[2] = hexadecimal[octet & 15];
	return 3;
}

/* Words of whole characters, each at most 75 octets, one a line. The value is valid UTF-8. */
static void append_encoded(struct text *out, const char *value)
{
	size_t room = ENCODED_LINE - column(out);
	size_t used = 0;

	if (room > ENCODED_WORD)
		room = ENCODED_WORD;
	while (*value != '\0') {
		char encoded[4 * 4];
		size_t length = 0;
		uint32_t character;
		size_t octets = unicode_decode(value, &character);

		for (size_t i = 0; i < octets; i++)
			length += encode_octet((unsigned char)value[i], encoded + length);
		if (used > 0 && used + length + strlen(word_tail) > room) {
			text_appendf(out, "%s\r\n ", word_tail);
			room = ENCODED_WORD;
			used = 0;
		}
		if (used == 0) {
			text_append(out, word_head);
			used = strlen(word_head);
		}
		text_append_bytes(out, encoded, length);
		used += length;
		value += octets;
	}
	text_append(out, word_tail);
}

/* The length of a word that can stand as it is; 0: it cannot, or there is none. */
static size_t plain_word(const char *value)
{
	size_t length = 0;

	while (value[length] > ' ' && value[length] <= '~') {
		if (strncmp(value + length, "=?", 2) == 0)
			return 0;
		length++;
	}
	return (value[length] == ' ' || value[length] == '\0') && length <= PLAIN_WORD ? length
										       : 0;
}

/*
 * The length of what can stand as it is, whole words with one blank between two of them; blanks
 * at its ends or side by side would not survive. The rest begins with a blank, or is "".
 */
static size_t plain_words(const char *value)
{
	size_t length = 0;

	for (;;) {
		size_t word = plain_word(value + length + (length > 0));

		if (word == 0)
			return length;
		length += word + (length > 0);
		if (value[length] == '\0' || value[length + 1] == '\0')
			return value[length] == '\0' ? length : 0;
	}
}

static bool is_plain(const char *value)
{
	return value[0] != '\0' && value[plain_words(value)] == '\0';
}

static void append_folded(struct text *out, const char *value, size_t length)
{
	size_t at = column(out);

	for (const char *end = value + length; value < end;) {
		size_t word = strcspn(value + 1, " ") + 1; /* with the blank before it */

		if (*value == ' ' && at + word > FIELD_LINE) {
			text_append(out, "\r\n");
			at = 0;
		}
		text_append_bytes(out, value, word);
		at += word;
		value += word;
	}
}

/*
 * What is plain at its beginning stays: "[secure]", which a gateway may look for, and most of a
 * subject, which may then be read anywhere.
 */
static void append_unstructured(struct text *out, const char *field, const char *value)
{
	size_t plain = plain_words(value);

	text_appendf(out, "%s: ", field);
	append_folded(out, value, plain);
	value += plain;
	if (*value != '\0') {
		if (plain > 0)
			text_append(out, column(out) > ENCODED_LINE / 2 ? "\r\n " : " ");
		append_encoded(out, value + (plain > 0));
	}
	text_append(out, "\r\n");
}

/* As a quoted string: nobody need then ask which characters a phrase takes. */
static void append_quoted(struct text *out, const char *name)
{
	text_append_char(out, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"' || *name == '\\')
			text_append_char(out, '\\');
		text_append_char(out, *name);
	}
	text_append_char(out, '"');
}

static void append_mailbox(struct text *out, const char *field, const char *name,
			   const char *address)
{
	text_appendf(out, "%s: ", field);
	if (name[0] == '\0') {
		text_appendf(out, "%s\r\n", address);
		return;
	}
	if (is_plain(name) && strlen(name) <= PLAIN_NAME)
		append_quoted(out, name);
	else
		append_encoded(out, name);
	if (column(out) + strlen(address) + strlen(" <>") > ENCODED_LINE)
		text_append(out, "\r\n");
	text_appendf(out, " <%s>\r\n", address);
}

/* RFC 5322 3.3; its English names belong to the protocol, not to any person's language. */
static void append_date(struct text *out, struct instant at, int32_t offset)
{
	static const char weekdays[7][4] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int64_t local = at.seconds + offset;
	int64_t second = (local % SECONDS_PER_DAY + SECONDS_PER_DAY) % SECONDS_PER_DAY;
	int32_t day = (int32_t)((local - second) / SECONDS_PER_DAY);
	struct date date = day_to_date(day);
	int32_t minutes = (offset < 0 ? -offset : offset) / 60;

	text_appendf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d %c%02d%02d\r\n",
		     weekdays[day_weekday(day)], date.day, months[date.month - 1], date.year,
		     (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60),
		     offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/* FNV-1a, 64 bits, from this or another basis: the same text has the same number in every run.
 */
static uint64_t number_of(const char *text, uint64_t basis)
{
	uint64_t hash = basis;

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211U;
	return hash;
}

static void append_base64(struct text *out, const unsigned char *bytes, size_t thirds)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";

	for (; thirds > 0; thirds--, bytes += 3) {
		uint32_t word = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];

		for (int shift = 18; shift >= 0; shift -= 6)
			text_append_char(out, digits[word >> shift & 63]);
	}
}

static void put_octets(unsigned char *out, uint64_t value, size_t count)
{
	while (count-- > 0) {
		out[count] = (unsigned char)(value & 0xff);
		value >>= 8;
	}
}

/* The time since the head's, and a number that tells mails of one second apart, mostly. */
static void put_child_block(unsigned char out[static 5], int64_t seconds, uint64_t number)
{
	uint64_t passed = (uint64_t)seconds * FILETIME_SECOND;
	bool is_short = passed >> 49 == 0; /* 20 months: the finer of two units is enough */

	put_octets(out, is_short ? passed >> 18 : 1U << 31 | (passed >> 23 & 0x7fffffff), 4);
	put_octets(out + 4, number, 1);
}

/*
 * Outlook threads by this ([MS-OXOMSG] 2.2.1.3), and not by References where subjects differ,
 * as ours do: a head of 22 octets that all of a thread share, made from a fixed time and the
 * root, and a block of five for this mail.
 */
static void append_thread_index(struct text *out, const struct message *message)
{
	const int64_t head = 1767225600; /* 2026-01-01: before any mail of ours */
	const uint64_t since_1601 = ((uint64_t)head + 11644473600U) * FILETIME_SECOND;
	int64_t passed = message->date.seconds > head ? message->date.seconds - head : 0;
	unsigned char index[27] = { 1 };

	put_octets(index + 1, since_1601 >> 24, 5);
	put_octets(index + 6, number_of(message->root_id, FNV_BASIS), 8);
	put_octets(index + 14, number_of(message->root_id, ~FNV_BASIS), 8);
	put_child_block(index + 22, passed, number_of(message->message_id, FNV_BASIS));
	text_append(out, "Thread-Index: ");
	append_base64(out, index, sizeof index / 3);
	text_append(out, "\r\n");
}

static void append_header(struct text *out, const struct message *message)
{
	append_date(out, message->date, message->date_offset);
	append_mailbox(out, "From", message->from_name, message->from_address);
	append_mailbox(out, "To", message->to_name, message->to_address);
	append_unstructured(out, "Subject", message->subject);
	text_appendf(out, "Message-ID: <%s>\r\n", message->message_id);
	if (message->reply_to[0] != '\0')
		text_appendf(out, "Reply-To: %s\r\n", message->reply_to);
	if (message->root_id[0] != '\0') {
		text_appendf(out, "In-Reply-To: <%s>\r\nReferences: <%s>\r\n", message->root_id,
			     message->root_id);
		append_thread_index(out, message);
	}
	text_append(out, "Auto-Submitted: auto-generated\r\n"
			 /* Not "All", whose NDR bit would hide bounces (smtp.md 2). */
			 "X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply\r\n");
	if (message->important)
		text_append(out, "Importance: high\r\n");
	text_append(out, "MIME-Version: 1.0\r\n");
	text_appendf(out, "Content-Language: %s\r\n", message->language);
}

/* ---- bodies ------------------------------------------------------------------------------ */

/* A quoted-printable line in the making. */
struct body_line {
	struct text *out;
	size_t column;
};

static void append_octets(struct body_line *line, const char *bytes, size_t count, bool literal)
{
	size_t width = literal ? count : 3 * count;

	if (line->column + width > BODY_LINE - 1) { /* room for the soft break's '=' */
		text_append(line->out, "=\r\n");
		line->column = 0;
		/* A dot at the start of a line is what relays have lost. */
		literal = literal && bytes[0] != '.';
		width = literal ? count : 3 * count;
	}
	if (literal)
		text_append_bytes(line->out, bytes, count);
	else
		for (size_t i = 0; i < count; i++)
			text_appendf(line->out, "=%02X", (unsigned char)bytes[i]);
	line->column += width;
}

static bool ends_line(const char *rest)
{
	return *rest == '\0' || *rest == '\n' || (rest[0] == '\r' && rest[1] == '\n');
}

/* One character of a body; what a mail must not carry becomes U+FFFD. Returns what it ate. */
static size_t append_character(struct body_line *line, const char *at)
{
	uint32_t character = 0;
	size_t length = unicode_decode(at, &character);
	bool blank = *at == ' ' || *at == '\t';

	if (length == 0 || (unicode_is_unsafe(character) && *at != '\t')) {
		append_octets(line, UNICODE_REPLACEMENT, strlen(UNICODE_REPLACEMENT), false);
		return length != 0 ? length : 1;
	}
	append_octets(line, at, length,
		      length == 1 && *at != '=' && !(*at == '.' && line->column == 0) &&
			      !(blank && ends_line(at + 1)));
	return length;
}

static void append_quoted_printable(struct text *out, const char *body)
{
	struct body_line line = { .out = out };

	while (*body != '\0') {
		if (ends_line(body)) {
			text_append(out, "\r\n");
			line.column = 0;
			body += *body == '\r' ? 2 : 1;
			continue;
		}
		body += append_character(&line, body);
	}
	if (line.column > 0)
		text_append(out, "\r\n");
}

static void append_part(struct text *out, const char *type, const char *body)
{
	text_appendf(out,
		     "Content-Type: text/%s; charset=utf-8\r\n"
		     "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
		     type);
	append_quoted_printable(out, body);
}

/*
 * A boundary from the Message-ID, so that a mail made again has the same bytes. "=_" cannot
 * occur in quoted-printable, so no body can hold it.
 */
static unsigned long long boundary_of(const struct message *message)
{
	return number_of(message->message_id, FNV_BASIS);
}

static void append_alternatives(struct text *out, const struct message *message)
{
	unsigned long long boundary = boundary_of(message);

	text_appendf(out,
		     "Content-Type: multipart/alternative; boundary=\"=_%016llx\"\r\n"
		     "Content-Transfer-Encoding: 7bit\r\n\r\n--=_%016llx\r\n",
		     boundary, boundary);
	append_part(out, "plain", message->body);
	text_appendf(out, "\r\n--=_%016llx\r\n", boundary);
	append_part(out, "html", message->html);
	text_appendf(out, "\r\n--=_%016llx--\r\n", boundary);
}

static void append_bodies(struct text *out, const struct message *message)
{
	if (message->html[0] != '\0')
		append_alternatives(out, message);
	else
		append_part(out, "plain", message->body);
}

/* RFC 6047 2.4: the method stands in both places. */
static void append_with_calendar(struct text *out, const struct message *message)
{
	unsigned long long boundary = boundary_of(message);

	text_appendf(out,
		     "Content-Type: multipart/mixed; boundary=\"=_m%016llx\"\r\n"
		     "Content-Transfer-Encoding: 7bit\r\n\r\n--=_m%016llx\r\n",
		     boundary, boundary);
	append_bodies(out, message);
	text_appendf(out,
		     "\r\n--=_m%016llx\r\n"
		     "Content-Type: text/calendar; charset=utf-8; method=PUBLISH\r\n"
		     "Content-Transfer-Encoding: quoted-printable\r\n"
		     "Content-Disposition: attachment; filename=\"due.ics\"\r\n\r\n",
		     boundary);
	append_quoted_printable(out, message->calendar);
	text_appendf(out, "\r\n--=_m%016llx--\r\n", boundary);
}

int message_write(const struct message *message, struct text *ret, struct error *error)
{
	int r = check(message, error);

	if (r < 0)
		return r;
	append_header(ret, message);
	if (message->calendar != NULL && message->calendar[0] != '\0')
		append_with_calendar(ret, message);
	else
		append_bodies(ret, message);
	if (text_failed(ret))
		return error_memory(error);
	return 0;
}
