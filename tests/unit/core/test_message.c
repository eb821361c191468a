/*
 * test_message.c - the bytes of mails: exact headers, words that are not ASCII, bodies,
 * refusals.
 *
 * With MESSAGES=FOLDER in the environment each accepted message is also written there, with
 * what a reader should find in it, for tests/integration/test_message.py.
 */
#include "core/message.h"

#include "core/mail_text.h"
#include "core/unicode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEN "abcdefghij"
#define FIFTY TEN TEN TEN TEN TEN
#define E_ACUTE "\xc3\xa9"
#define TEN_ACUTE \
	E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE

#define PLAIN                                                                                  \
	.from_name = "Professional Challenge", .from_address = "noreply@board.example",        \
	.to_name = "Sam Jones", .to_address = "sam.jones@school.example", .reply_to = "",      \
	.subject = "Reply needed", .date = { 1795514400 }, .message_id = "1.ab@board.example", \
	.root_id = "", .language = "en-GB", .body = "Hello\n", .html = ""

#define TAIL                                                        \
	"Auto-Submitted: auto-generated\r\n"                        \
	"X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply\r\n" \
	"MIME-Version: 1.0\r\nContent-Language: en-GB\r\n"          \
	"Content-Type: text/plain; charset=utf-8\r\n"               \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\n"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" /* a row says how it differs from PLAIN */

static const struct message_case {
	const char *name;
	struct message message;
	const char *has;  /* must stand in the message; NULL: refused */
	const char *says; /* what a refusal says */
	const char *read; /* the body as a reader sees it; NULL: as given */
} cases[] = {
	{ "a whole message, byte for byte",
	  { PLAIN },
	  "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
	  "From: \"Professional Challenge\" <noreply@board.example>\r\n"
	  "To: \"Sam Jones\" <sam.jones@school.example>\r\n"
	  "Subject: Reply needed\r\nMessage-ID: <1.ab@board.example>\r\n" TAIL "Hello\r\n",
	  NULL,
	  NULL },
	{ "everything that may stand there, in order",
	  { PLAIN, .reply_to = "replies@board.example", .root_id = "root.7@board.example",
	    .important = true },
	  "Message-ID: <1.ab@board.example>\r\nReply-To: replies@board.example\r\n"
	  "In-Reply-To: <root.7@board.example>\r\nReferences: <root.7@board.example>\r\n"
	  "Thread-Index: AQHcerGSJFiFHPqmnr5q/OgO+UAObUBSP7At\r\n"
	  "Auto-Submitted: auto-generated\r\n"
	  "X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply\r\nImportance: high\r\n"
	  "MIME-Version: 1.0\r\n",
	  NULL,
	  NULL },
	{ "a calendar entry is attached behind the text",
	  { PLAIN, .calendar = "BEGIN:VCALENDAR\nSUMMARY:\xc3\xa9\n" },
	  "Content-Type: text/calendar; charset=utf-8; method=PUBLISH\r\n"
	  "Content-Transfer-Encoding: quoted-printable\r\n"
	  "Content-Disposition: attachment; filename=\"due.ics\"\r\n\r\n"
	  "BEGIN:VCALENDAR\r\nSUMMARY:=C3=A9\r\n\r\n--=_m",
	  NULL,
	  NULL },
	{ "no name: the address alone",
	  { PLAIN, .to_name = "" },
	  "To: sam.jones@school.example\r\n",
	  NULL,
	  NULL },
	{ "summer time in the date",
	  { PLAIN, .date = { 1782909296 }, .date_offset = 3600 },
	  "Date: Wed, 01 Jul 2026 13:34:56 +0100\r\n",
	  NULL,
	  NULL },
	{ "west of Greenwich, on the day before",
	  { PLAIN, .date = { 1795485600 }, .date_offset = -12600 },
	  "Date: Mon, 23 Nov 2026 22:30:00 -0330\r\n",
	  NULL,
	  NULL },
	{ "quotes and backslashes in a name are escaped",
	  { PLAIN, .to_name = "A \"B\\C\" D" },
	  "To: \"A \\\"B\\\\C\\\" D\" <sam",
	  NULL,
	  NULL },
	{ "an at sign and a comma in a name stay in its quotes",
	  { PLAIN, .to_name = "Jones, Sam <x@y.example>" },
	  "To: \"Jones, Sam <x@y.example>\" <sam",
	  NULL,
	  NULL },
	{ "a name beyond ASCII is encoded",
	  { PLAIN, .to_name = "Si\xc3\xa2n Puw" },
	  "To: =?UTF-8?Q?Si=C3=A2n_Puw?= <sam",
	  NULL,
	  NULL },
	{ "a name that looks encoded is encoded",
	  { PLAIN, .to_name = "=?UTF-8?Q?x?=" },
	  "To: =?UTF-8?Q?=3D=3FUTF-8=3FQ=3Fx=3F=3D?= <sam",
	  NULL,
	  NULL },
	{ "a long name is encoded and folded",
	  { PLAIN, .to_name = FIFTY FIFTY },
	  "?=\r\n =?UTF-8?Q?",
	  NULL,
	  NULL },
	{ "a subject is encoded from its first word that must be",
	  { PLAIN,
	    .subject = "Reply needed by Thursday 26 November, 17:00 \xe2\x80\x93 2026-014" },
	  "Subject: Reply needed by Thursday 26 November, 17:00\r\n"
	  " =?UTF-8?Q?=E2=80=93_2026-014?=\r\n",
	  NULL,
	  NULL },
	{ "what a gateway looks for stays readable",
	  { PLAIN, .subject = "[secure] \xc3\xa9" },
	  "Subject: [secure] =?UTF-8?Q?=C3=A9?=\r\n",
	  NULL,
	  NULL },
	{ "two blanks within a subject are two",
	  { PLAIN, .subject = "one  two" },
	  "Subject: one =?UTF-8?Q?_two?=\r\n",
	  NULL,
	  NULL },
	{ "a blank at the end of a subject stays",
	  { PLAIN, .subject = "one two " },
	  "Subject: =?UTF-8?Q?one_two_?=\r\n",
	  NULL,
	  NULL },
	{ "a subject of whole characters only",
	  { PLAIN, .subject = TEN_ACUTE TEN_ACUTE "x" },
	  "Subject: =?UTF-8?Q?=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9?=\r\n =?",
	  NULL,
	  NULL },
	{ "a long subject is folded between words",
	  { PLAIN, .subject = FIFTY " " TEN " " TEN " " TEN " " FIFTY },
	  "Subject: " FIFTY " " TEN "\r\n " TEN " " TEN " " FIFTY "\r\n",
	  NULL,
	  NULL },
	{ "a subject with blanks at its ends keeps them",
	  { PLAIN, .subject = " two  blanks " },
	  "Subject: =?UTF-8?Q?_two__blanks_?=\r\n",
	  NULL,
	  NULL },
	{ "a word too long to fold is encoded",
	  { PLAIN, .subject = FIFTY FIFTY },
	  "Subject: =?UTF-8?Q?",
	  NULL,
	  NULL },
	{ "a subject that looks encoded is encoded",
	  { PLAIN, .subject = "=?utf-8?q?=0D=0ABcc?=" },
	  "Subject: =?UTF-8?Q?=3D=3Futf-8=3Fq=3F=3D0D=3D0ABcc=3F=3D?=\r\n",
	  NULL,
	  NULL },
	{ "a body that ends without a line end gets one",
	  { PLAIN, .body = "x" },
	  "\r\n\r\nx\r\n",
	  NULL,
	  "x\n" },
	{ "an empty body", { PLAIN, .body = "" }, TAIL, NULL, "" },
	{ "equals signs and letters beyond ASCII",
	  { PLAIN, .body = "a=b " E_ACUTE "\n" },
	  "\r\n\r\na=3Db =C3=A9\r\n",
	  NULL,
	  NULL },
	{ "blanks at the end of a line",
	  { PLAIN, .body = "a \nb\t\n c\n" },
	  "\r\n\r\na=20\r\nb=09\r\n c\r\n",
	  NULL,
	  NULL },
	{ "a dot at the start of a line",
	  { PLAIN, .body = ".\n.a\nb.\n" },
	  "\r\n\r\n=2E\r\n=2Ea\r\nb.\r\n",
	  NULL,
	  NULL },
	{ "a dot where a line is broken",
	  { PLAIN, .body = FIFTY TEN TEN "abcde..\n" },
	  TEN "abcde=\r\n=2E.\r\n",
	  NULL,
	  NULL },
	{ "a long line is broken softly",
	  { PLAIN, .body = FIFTY FIFTY "\n" },
	  "\r\n\r\n" FIFTY TEN TEN "abcde=\r\nfghij" TEN TEN "\r\n",
	  NULL,
	  NULL },
	{ "a character is not broken",
	  { PLAIN, .body = FIFTY TEN "abcdefghi" E_ACUTE E_ACUTE "\n" },
	  "abcdefghi=C3=A9=\r\n=C3=A9\r\n",
	  NULL,
	  NULL },
	{ "line ends of another system are line ends",
	  { PLAIN, .body = "a\r\nb\r\n" },
	  "\r\n\r\na\r\nb\r\n",
	  NULL,
	  "a\nb\n" },
	{ "a lone CR is replaced",
	  { PLAIN, .body = "a\rb\n" },
	  "\r\n\r\na=EF=BF=BDb\r\n",
	  NULL,
	  "a\xef\xbf\xbd"
	  "b\n" },
	{ "control characters are replaced",
	  { PLAIN, .body = "\x01\x1b\x7f\n" },
	  "\r\n\r\n=EF=BF=BD=EF=BF=BD=EF=BF=BD\r\n",
	  NULL,
	  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\n" },
	{ "bytes that are not UTF-8 are replaced",
	  { PLAIN, .body = "\xff\xc0\x80 \xed\xa0\x80\n" },
	  "\r\n\r\n=EF=BF=BD=EF=BF=BD=EF=BF=BD =EF=BF=BD=EF=BF=BD=EF=BF=BD\r\n",
	  NULL,
	  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\n" },
	{ "an override of direction is replaced in a body",
	  { PLAIN, .body = "\xe2\x80\xaex\n" },
	  "\r\n\r\n=EF=BF=BDx\r\n",
	  NULL,
	  "\xef\xbf\xbdx\n" },
	{ "text and HTML, text first",
	  { PLAIN, .html = "<p>Hello =</p>\n" },
	  "Hello\r\n\r\n--=_",
	  NULL,
	  NULL },
	{ "a body that tries to hold a boundary",
	  { PLAIN, .body = "--=_0000000000000000\n--=_x--\n", .html = "<p>--=_x--</p>\n" },
	  "\r\n\r\n--=3D_0000000000000000\r\n",
	  NULL,
	  NULL },

#define REFUSED(name, field, value, says)                         \
	{                                                         \
		name, { PLAIN, .field = value }, NULL, says, NULL \
	}
	REFUSED("CR LF in a subject", subject, "a\r\nBcc: x@y.example", "Subject"),
	REFUSED("LF in a subject", subject, "a\nb", "Subject"),
	REFUSED("CR in a subject", subject, "a\rb", "Subject"),
	REFUSED("a tab in a subject", subject, "a\tb", "Subject"),
	REFUSED("a control character in a subject", subject, "a\x01", "Subject"),
	REFUSED("DEL in a subject", subject, "a\x7f", "Subject"),
	REFUSED("a C1 control in a subject", subject, "a\xc2\x85", "Subject"),
	REFUSED("a line separator in a subject", subject, "a\xe2\x80\xa8", "Subject"),
	REFUSED("U+202A in a subject", subject, "\xe2\x80\xaa", "Subject"),
	REFUSED("U+202E in a subject", subject, "\xe2\x80\xae", "Subject"),
	REFUSED("U+2066 in a subject", subject, "\xe2\x81\xa6", "Subject"),
	REFUSED("U+2069 in a subject", subject, "\xe2\x81\xa9", "Subject"),
	REFUSED("overlong UTF-8 in a subject", subject, "\xc0\x8a", "Subject"),
	REFUSED("overlong UTF-8 of three bytes", subject, "\xe0\x80\x8a", "Subject"),
	REFUSED("overlong UTF-8 of four bytes", subject, "\xf0\x80\x80\x8a", "Subject"),
	REFUSED("a surrogate in a subject", subject, "\xed\xa0\x80", "Subject"),
	REFUSED("past Unicode in a subject", subject, "\xf4\x90\x80\x80", "Subject"),
	REFUSED("a character cut off in a subject", subject, "a\xc3", "Subject"),
	REFUSED("an empty subject", subject, "", "Subject"),
	REFUSED("CR LF in a name", to_name, "Sam\r\nBcc: x@y.example", "To"),
	REFUSED("an override in a name", to_name, "\xe2\x80\xaemas", "To"),
	REFUSED("LF in the sender's name", from_name, "a\nb", "From"),
	REFUSED("CR LF in an address", to_address, "a@b.example\r\nX: y", "To"),
	REFUSED("no recipient", to_address, "", "To"),
	REFUSED("an address with a name", from_address, "A <a@b.example>", "From"),
	REFUSED("two reply addresses", reply_to, "a@b.example, c@d.example", "Reply-To"),
	REFUSED("a Message-ID with brackets", message_id, "<a@b>", "Message-ID"),
	REFUSED("a Message-ID without @", message_id, "a", "Message-ID"),
	REFUSED("a Message-ID with two @", message_id, "a@b@c", "Message-ID"),
	REFUSED("a Message-ID with a line end", message_id, "a@b\r\n", "Message-ID"),
	REFUSED("no Message-ID", message_id, "", "Message-ID"),
	REFUSED("a root with a blank", root_id, "a b@c", "References"),
	REFUSED("a language with a line end", language, "en\r\nX: y", "Content-Language"),
	REFUSED("no language", language, "", "Content-Language"),
	REFUSED("an offset that is not whole minutes", date_offset, 61, "Date"),
	REFUSED("a date that never comes", date.seconds, INT64_MAX, "Date"),
	REFUSED("a date before 1970", date.seconds, -1, "Date"),
};
#pragma GCC diagnostic pop

static void write_file(const char *folder, size_t row, const char *ending, const char *content)
{
	char path[500];
	FILE *file;

	snprintf(path, sizeof path, "%s/%02zu.%s", folder, row, ending);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(content, file);
	assert_int_equal(fclose(file), 0);
}

static void keep_for_python(const struct message_case *c, const struct text *bytes)
{
	const struct message *m = &c->message;
	const char *folder = getenv("MESSAGES");
	size_t row = (size_t)(c - cases);
	struct text fields = { 0 };

	if (folder == NULL)
		return;
	text_appendf(
		&fields,
		"name=%s\nfrom_name=%s\nfrom=%s\nto_name=%s\nto=%s\nreply_to=%s\n"
		"subject=%s\ndate=%lld\nmessage_id=%s\nroot=%s\nlanguage=%s\nimportant=%d\n",
		c->name, m->from_name, m->from_address, m->to_name, m->to_address, m->reply_to,
		m->subject, (long long)m->date.seconds, m->message_id, m->root_id, m->language,
		m->important);
	write_file(folder, row, "eml", text_string(bytes));
	write_file(folder, row, "fields", text_string(&fields));
	write_file(folder, row, "text", c->read != NULL ? c->read : m->body);
	write_file(folder, row, "html", m->html);
	text_clear(&fields);
}

/* CRLF only, 7-bit, no line over 78, and CRLF at the very end. */
static void assert_sound_bytes(const struct text *bytes)
{
	size_t column = 0;

	for (size_t i = 0; i < bytes->length; i++) {
		unsigned char c = (unsigned char)bytes->data[i];

		assert_true(c == '\r' || c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f));
		if (c == '\r')
			assert_int_equal(bytes->data[i + 1], '\n');
		if (c == '\n')
			assert_true(i > 0 && bytes->data[i - 1] == '\r');
		column = c == '\n' ? 0 : column + 1;
		assert_true(column <= 78 + 1); /* with the CR */
	}
	assert_true(bytes->length > 2);
	assert_int_equal(column, 0);
}

static void assert_short_words(const struct text *bytes)
{
	const char *at = text_string(bytes);

	while ((at = strstr(at, "=?UTF-8?Q?")) != NULL) {
		const char *end = strstr(at + 10, "?=");

		assert_non_null(end);
		assert_true(end + 2 - at <= 75);
		at = end + 2;
	}
}

/* A person is shown what was written. */
static void assert_read_back(const struct message_case *c, const struct text *bytes)
{
	struct text subject = { 0 };
	struct text body = { 0 };

	mail_text_read(text_string(bytes), bytes->length, &subject, &body);
	assert_string_equal(text_string(&subject), c->message.subject);
	assert_string_equal(text_string(&body), c->read != NULL ? c->read : c->message.body);
	/* Cut anywhere, it is read without a step past its end. */
	for (size_t length = 0; length < bytes->length; length += 7) {
		char *cut = malloc(length + 1);

		assert_non_null(cut);
		memcpy(cut, text_string(bytes), length);
		mail_text_read(cut, length, &subject, &body);
		free(cut);
	}
	text_clear(&subject);
	text_clear(&body);
}

static void writes_or_refuses(void **state)
{
	const struct message_case *c = *state;
	struct text bytes = { 0 };
	struct text again = { 0 };
	struct error error = { 0 };
	int r = message_write(&c->message, &bytes, &error);

	if (c->has == NULL) {
		assert_int_equal(r, -EINVAL);
		assert_int_equal(bytes.length, 0);
		assert_int_equal(strncmp(error.text, c->says, strlen(c->says)), 0);
		assert_true(unicode_is_safe_line(error.text));
		return;
	}
	assert_int_equal(r, 0);
	assert_sound_bytes(&bytes);
	assert_short_words(&bytes);
	if (strstr(text_string(&bytes), c->has) == NULL)
		fail_msg("this is not in it:\n%s\n---\n%s", c->has, text_string(&bytes));
	assert_int_equal(message_write(&c->message, &again, &error), 0);
	assert_string_equal(text_string(&bytes), text_string(&again));
	assert_read_back(c, &bytes);
	keep_for_python(c, &bytes);
	text_clear(&bytes);
	text_clear(&again);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(cases)];

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = writes_or_refuses,
						.initial_state = (void *)&cases[i] };
	return cmocka_run_group_tests_name("message_write", tests, NULL, NULL);
}
