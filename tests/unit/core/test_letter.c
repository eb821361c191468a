/*
 * test_letter.c - whole letters, word for word, from the templates that ship.
 *
 * What is expected stands in tests/unit/core/letters/NAME.txt, subject first, and in NAME.html,
 * so that a person can read it; WRITE_LETTERS=1 in the environment writes those files anew, to
 * be read before they are committed. tests/system/test_html_mails.py looks at the latter in a
 * browser.
 */
#include "core/letter.h"

#include "core/address.h"
#include "core/language.h"
#include "core/unicode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEMPLATES "conf/templates"
#define LETTERS "tests/unit/core/letters"

/* 2026-11-24 10:00 UTC, a Tuesday, and the times around it. */
enum {
	TUESDAY_1000 = 1795514400,
	MONDAY_1100 = TUESDAY_1000 - 23 * 3600,
	MONDAY_1700 = TUESDAY_1000 - 17 * 3600,
	WEEK = 7 * 86400,
	THURSDAY_1700 = TUESDAY_1000 + 2 * 86400 + 7 * 3600,
	WEDNESDAY_0900 = TUESDAY_1000 + 23 * 3600,
	NEXT_JANUARY = TUESDAY_1000 + 45 * 86400,
};

static const struct zone london = { .name = "Europe/London" };

/* ---- the languages, read as simply as can be --------------------------------------------- */

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text;
	size_t length;

	if (file == NULL)
		return NULL;
	text = calloc(1, 65536);
	assert_non_null(text);
	length = fread(text, 1, 65535, file);
	assert_true(length < 65535);
	fclose(file);
	return text;
}

static void read_phrases(struct language *language, const char *path)
{
	char *text = read_whole(path);
	char *rest = text;
	char *line;

	assert_non_null(text);
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *equals = strstr(line, " = ");
		struct error error = { 0 };

		if (line[0] == '#' || equals == NULL)
			continue;
		*equals = '\0';
		if (language_set_phrase(language, line, equals + 3, &error) < 0)
			fail_msg("%s: %s: %s", path, line, error.text);
	}
	free(text);
}

static void read_template(struct language *language, const char *name,
			  enum letter_template which, enum template_form form)
{
	struct error error = { 0 };
	char path[200];
	int line = 0;
	int r = 0;
	char *text;

	snprintf(path, sizeof path, TEMPLATES "/%s/%s.%s", name, letter_template_names[which],
		 form == TEMPLATE_HTML ? "html" : "txt");
	text = read_whole(path);
	if (text != NULL && form == TEMPLATE_HTML)
		r = language_set_html(language, which, text, &line, &error);
	else if (text != NULL)
		r = language_set_template(language, which, text, &line, &error);
	if (r < 0)
		fail_msg("%s:%d: %s", path, line, error.text);
	free(text);
}

static struct language *read_language(const char *name, const struct language *fallback)
{
	struct language *language = language_create(name, fallback);
	char path[200];

	assert_non_null(language);
	for (size_t i = 0; i < LETTER_TEMPLATES; i++) {
		read_template(language, name, (enum letter_template)i, TEMPLATE_PLAIN);
		read_template(language, name, (enum letter_template)i, TEMPLATE_HTML);
	}
	snprintf(path, sizeof path, TEMPLATES "/%s/phrases", name);
	read_phrases(language, path);
	return language;
}

struct languages {
	struct language *english;
	struct language *welsh;
};

/* ---- whole letters ----------------------------------------------------------------------- */

/* INSTANT_NEVER, as a table takes it. */
#define NEVER             \
	{                 \
		INT64_MAX \
	}

/* What the notices of these tests have in common. */
#define COMMON                                                                         \
	.obligation = "practitioner", .reference = "2026-014",                         \
	.policy_title = "Professional Challenge and Resolution",                       \
	.stage_title = "Stage 1: practitioner to practitioner",                        \
	.owner_titles = "the Practitioner (answering side)", .due = { THURSDAY_1700 }, \
	.at = { TUESDAY_1000 }, .since = { MONDAY_1100 },                              \
	.open_seconds = 8 * 3600 * 2 + 7 * 3600, .working_days = 2, .next_at = NEVER,  \
	.link = "https://cases.example/challenge/2026-014",                            \
	.guidance = "https://partnership.example/challenge",                           \
	.learning_title = "Slides for your team",                                      \
	.learning_url = "https://partnership.example/learning",                        \
	.raising_agency = "Oak School", .raising_telephone = "01632 960001",           \
	.receiving_agency = "Children's Services", .receiving_telephone = "01632 960002"
#define LATE .due = { MONDAY_1700 }, .open_seconds = -3600, .working_days = 0
#define OWNER .is_owner = true, .role_title = "Practitioner", .role_side = SIDE_RECEIVING
#define TOLD .role_title = "Business unit", .role_side = SIDE_PARTNERSHIP
#define NEXT(kind, titles) \
	.next_at = { THURSDAY_1700 }, .next_kind = kind, .next_titles = titles

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" /* a row says how it differs from COMMON */

static const struct letter_case {
	const char *file;
	bool welsh;
	const char *name;
	bool misdirected;
	const char *summary;
	int64_t summary_count;
	struct letter_counts counts;
	struct instant summary_at; /* zero: on Monday */
	const char *trouble;
	size_t count;
	struct letter_notice notices[4];
} cases[] = {
	{ "inform-owner", .name = "Sam Jones", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_INFORM, OWNER, NEXT(NOTICE_REMINDER, ""),
			 .next_to_reader = true, .next_at = { WEDNESDAY_0900 } } } },
	{ "inform-told", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_INFORM, TOLD,
			 .told_titles = "the Practitioner (raising side)" } } },
	{ "reminder-owner", .name = "Sam Jones", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_REMINDER, OWNER,
			 NEXT(NOTICE_ESCALATION,
			      "the Line manager (answering side) and the Business unit") } } },
	{ "reminder-told", .name = "Ann Other", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_REMINDER, TOLD,
			 NEXT(NOTICE_BREACH, "the Line manager (answering side)"),
			 .next_to_reader = true } } },
	{ "reminder-late", .name = "Sam Jones", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_REMINDER, OWNER, LATE } } },
	{ "reminder-provisional-next-year", .name = "Sam Jones", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_REMINDER, OWNER, .due = { NEXT_JANUARY },
			 .working_days = 28, .provisional = true } } },
	{ "reminder-without-limit", .name = "Sam Jones", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_REMINDER, OWNER, .due = NEVER } } },
	{ "reminder-feedback", .name = "Sam Jones", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_REMINDER, OWNER, .feedback = true,
			 .working_days = 1 } } },
	{ "reminder-misdirected", .misdirected = true, .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_REMINDER, OWNER,
			 NEXT(NOTICE_BREACH, "the Line manager (answering side)"),
			 .next_to_reader = true } } },
	{ "reminder-welsh", .welsh = true, .name = "Siân Puw", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_REMINDER, OWNER } } },
	{ "breach-owner", .name = "Sam Jones", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_BREACH, OWNER, LATE,
			 .told_titles = "the Designated lead (raising side)",
			 NEXT(NOTICE_OVERDUE, ""), .next_to_reader = true,
			 .next_at = { WEDNESDAY_0900 } } } },
	{ "breach-told", .name = "Ann Other", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_BREACH, TOLD, LATE } } },
	{ "escalation-owner", .name = "Kim Lee", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_ESCALATION, OWNER, .role_title = "Line manager",
			 .owner_titles = "the Line manager (answering side)",
			 .stage_title = "Stage 2: line managers", .obligation = "agree" } } },
	{ "escalation-told", .name = "Ann Other", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_ESCALATION, TOLD,
			 .owner_titles = "the Line manager (answering side)",
			 .stage_title = "Stage 2: line managers" } } },
	{ "overdue-owner", .name = "Sam Jones", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_OVERDUE, OWNER, .open_seconds = -147600,
			 .due = { MONDAY_1700 - WEEK }, .working_days = -5 } } },
	{ "overdue-told", .name = "Ann Other", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_OVERDUE, TOLD, LATE } } },
	{ "risk-told", .name = "Ann Other", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_RISK, TOLD,
			 .role_title = "Designated lead" } } },
	{ "quiet-told", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_QUIET, TOLD, .due = NEVER, .open_seconds = 0,
			 .since = { MONDAY_1100 - WEEK }, .working_days = 0,
			 NEXT(NOTICE_QUIET, ""), .next_to_reader = true } } },
	{ "cleared-owner", .name = "Sam Jones", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_CLEARED, OWNER } } },
	{ "cleared-told", .name = "Ann Other", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_CLEARED, TOLD } } },
	{ "inform-closed", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_INFORM, .role_title = "", .agency_closed = true,
			 .told_titles = "the Practitioner (answering side)" } } },
	{ "digest", .name = "Sam Jones", .count = 4,
	  .notices = { { COMMON, .kind = NOTICE_REMINDER, OWNER,
			 NEXT(NOTICE_ESCALATION,
			      "the Line manager (answering side) and the Business unit") },
		       { COMMON, .kind = NOTICE_BREACH, OWNER, LATE, .reference = "2026-015",
			 .link = "https://cases.example/challenge/2026-015" },
		       { COMMON, .kind = NOTICE_QUIET, TOLD, .reference = "2026-016",
			 .due = NEVER, .since = { MONDAY_1100 - WEEK }, .link = "" },
		       { COMMON, .kind = NOTICE_CLEARED, TOLD, .reference = "2026-016",
			 .told_titles = "the Line manager (answering side)", .link = "" } } },
	{ "digest-in-time", .name = "Sam Jones", .count = 2,
	  .notices = { { COMMON, .kind = NOTICE_CLEARED, TOLD, .reference = "2026-016",
			 .link = "" },
		       { COMMON, .kind = NOTICE_REMINDER, OWNER } } },
	{ "digest-risk", .count = 2,
	  .notices = { { COMMON, .kind = NOTICE_QUIET, TOLD, .due = NEVER,
			 .since = { MONDAY_1100 - WEEK } },
		       { COMMON, .kind = NOTICE_RISK, TOLD, .reference = "2026-017",
			 .link = "https://cases.example/challenge/2026-017" } } },
	{ "reminder-feedback-told", .name = "Ann Other", .count = 1,
	  .notices = { { COMMON, .kind = NOTICE_OVERDUE, TOLD, LATE, .feedback = true } } },
	{ "adoption", .summary = "adoption", .summary_count = 12 },
	{ "watch", .name = "Ann Other", .summary = "watch",
	  .counts = { .open = 4, .overdue = 1, .more = 1 }, .count = 3,
	  .notices = { { COMMON, .kind = NOTICE_BREACH, TOLD, LATE },
		       { COMMON, .kind = NOTICE_REMINDER, TOLD, .reference = "2026-015",
			 .link = "" },
		       { COMMON, .kind = NOTICE_QUIET, TOLD, .reference = "2026-016",
			 .due = NEVER, .since = { MONDAY_1100 - WEEK }, .link = "" } } },
	{ "daily", .summary = "daily",
	  .counts = { .open = 12, .due_today = 2, .overdue = 1, .waiting = 3, .held = 0 },
	  .summary_at = { WEDNESDAY_0900 } },
	{ "test", .summary = "test" },
	{ "refused", .summary = "refused", .summary_count = 17 },
	{ "flood", .summary = "flood", .summary_count = 1000 },
	{ "alarm", .summary = "alarm" },
	{ "alarm-paused", .summary = "alarm", .trouble = "paused" },
	{ "alarm-held", .summary = "alarm", .trouble = "held", .summary_count = 3 },
};
#pragma GCC diagnostic pop

static struct letter letter_of(const struct letter_case *c)
{
	return (struct letter){
		.zone = &london,
		.now = { TUESDAY_1000 },
		.recipient_name = c->name,
		.misdirected = c->misdirected,
		.notices = c->notices,
		.count = c->count,
		.subject_prefix = "",
		.partnership_name = "Example Partnership",
		.partnership_telephone = "01632 960000",
		.partnership_inbox = "business.unit@partnership.example",
		.reply_to = "replies@partnership.example",
		.emergency = "If someone is in danger now, telephone 999. Otherwise telephone "
			     "the duty team on 01632 960999, at any hour.",
		.summary = c->summary,
		.summary_count = c->summary_count,
		.counts = c->counts,
		.trouble = c->trouble,
		.summary_at = c->summary_at.seconds > 0 ? c->summary_at
							: (struct instant){ MONDAY_1100 },
	};
}

/* Compares with the file, or writes it anew where that is asked for. */
static void compare(const char *name, const char *ending, const char *got)
{
	char path[200];
	char *wanted;

	snprintf(path, sizeof path, LETTERS "/%s.%s", name, ending);
	if (getenv("WRITE_LETTERS") != NULL) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		fputs(got, file);
		fclose(file);
	}
	wanted = read_whole(path);
	assert_non_null(wanted);
	assert_string_equal(got, wanted);
	free(wanted);
}

static void reads_as_expected(void **state)
{
	const struct letter_case *c = *state;
	struct language *english = read_language("en", NULL);
	struct language *welsh = read_language("cy", english);
	struct letter letter = letter_of(c);
	struct letter_text text = { 0 };
	struct text whole = { 0 };
	struct error error = { 0 };
	int r = letter_write(c->welsh ? welsh : english, &letter, &text, &error);

	language_destroy(welsh);
	language_destroy(english);
	assert_int_equal(r, LETTER_WHOLE);
	text_appendf(&whole, "Subject: %s\n\n%s", text_string(&text.subject),
		     text_string(&text.body));
	compare(c->file, "txt", text_string(&whole));
	compare(c->file, "html", text_string(&text.html));
	text_clear(&whole);
	letter_text_clear(&text);
}

/* ---- rules that hold for every letter ---------------------------------------------------- */

static void each_letter(void (*check)(const struct letter_case *c,
				      const struct letter_text *text))
{
	struct language *english = read_language("en", NULL);

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct letter letter = letter_of(&cases[i]);
		struct letter_text text = { 0 };

		assert_int_equal(letter_write(english, &letter, &text, NULL), 0);
		check(&cases[i], &text);
		letter_text_clear(&text);
	}
	language_destroy(english);
}

static void check_words(const struct letter_case *c, const struct letter_text *text)
{
	(void)c;
	assert_null(strcasestr(text_string(&text->subject), "breach"));
	assert_null(strcasestr(text_string(&text->body), "breach"));
	assert_null(strchr(text_string(&text->body), '{'));
	assert_null(strstr(text_string(&text->body), "yes"));
	assert_null(strcasestr(text_string(&text->html), "breach"));
	assert_null(strstr(text_string(&text->html), ">yes<"));
	/* Behind the style there is no brace left. */
	assert_null(strchr(strstr(text_string(&text->html), "</style>"), '{'));
}

static void never_says_breach_or_shows_a_gap(void **state)
{
	(void)state;
	each_letter(check_words);
}

static void check_lines(const struct letter_case *c, const struct letter_text *text)
{
	const char *line = text_string(&text->body);

	(void)c;
	while (*line != '\0') {
		size_t length = strcspn(line, "\n");
		bool breakable = memmem(line, length, "mailto:", 7) == NULL;

		/* Links are not broken; octets beyond ASCII are not characters. */
		assert_true(length <= 76 + 20 || !breakable);
		line += length + 1;
	}
}

static void lines_are_short(void **state)
{
	(void)state;
	each_letter(check_lines);
}

/* ---- hostile values ---------------------------------------------------------------------- */

static const struct hostile_case {
	const char *name;
	const char *value;
} hostile_values[] = {
	{ "a placeholder is not filled", "{reference}" },
	{ "a section and a repeat mark stay text", "{?link}x{/link}{#notices}" },
	{ "a lone pair of braces stays text", "{{" },
	{ "printf directives stay text", "%n%s%x" },
	{ "CR LF adds no line", "a\r\nBcc: x@y.example\r\n\r\nb" },
	{ "LF adds no paragraph", "a\nb\n\nc" },
	{ "an override of direction goes", "\xe2\x80\xae"
					   "desrever" },
	{ "an isolate goes", "\xe2\x81\xa6isolate" },
	{ "overlong UTF-8 goes", "bad \xc0\x80 overlong" },
	{ "a byte that is no UTF-8 goes", "bad \xff byte" },
	{ "control characters go", "\x01\x02\x7f" },
	{ "an encoded word stays text", "=?utf-8?q?=0D=0ABcc?=" },
	{ "a line separator goes", "\xe2\x80\xa8line separator" },
	{ "a tag stays text", "<script>" },
	{ "quotation marks stay text", "\"'><b class=\"" },
	{ "an entity stays text", "&lt;b&gt;" },
	{ "a link that runs is left out", "javascript:alert(1)" },
	{ "a link that breaks out is left out", "https://x.example/\"onclick=\"x" },
	{ "a dot stays a dot", "." },
};

/* The shape of a body: which lines are empty. Words may differ, structure must not. */
static size_t paragraphs(const char *body)
{
	size_t count = 1;

	while ((body = strstr(body, "\n\n")) != NULL) {
		count++;
		body += 2;
	}
	return count;
}

static void write_with(const struct language *language, const char *value,
		       struct letter_text *ret)
{
	const struct letter_notice notice = {
		.kind = NOTICE_REMINDER,
		.obligation = value,
		.reference = value,
		.policy_title = value,
		.stage_title = value,
		.role_title = value,
		.is_owner = true,
		.owner_titles = value,
		.due = { THURSDAY_1700 },
		.at = { TUESDAY_1000 },
		.since = { MONDAY_1100 },
		.open_seconds = 3600,
		.told_titles = value,
		.next_at = { THURSDAY_1700 },
		.next_kind = NOTICE_ESCALATION,
		.next_titles = value,
		.link = value,
		.guidance = value,
		.learning_title = value,
		.learning_url = value,
		.raising_agency = value,
		.raising_telephone = value,
		.receiving_agency = value,
		.receiving_telephone = value,
	};
	const struct letter letter = {
		.zone = &london,
		.now = { TUESDAY_1000 },
		.recipient_name = value,
		.notices = &notice,
		.count = 1,
		.subject_prefix = value,
		.partnership_name = value,
		.partnership_telephone = value,
		.partnership_inbox = value,
		.reply_to = value,
		.emergency = value,
	};

	assert_int_equal(letter_write(language, &letter, ret, NULL), 0);
}

/* No value makes a tag, or ends one. */
static size_t count_tags(const struct letter_text *text)
{
	size_t count = 0;

	for (const char *c = text_string(&text->html); *c != '\0'; c++)
		count += *c == '<' || *c == '>' || *c == '"';
	return count;
}

static void stays_whole(void **state)
{
	const struct hostile_case *c = *state;
	const char *value = c->value;
	struct language *english = read_language("en", NULL);
	struct letter_text plain = { 0 };
	struct letter_text hostile = { 0 };

	write_with(english, "{plain", &plain); /* no link either: a brace has no place in one */
	write_with(english, value, &hostile);
	assert_true(unicode_is_safe_line(text_string(&hostile.subject)));
	assert_int_equal(paragraphs(text_string(&hostile.body)),
			 paragraphs(text_string(&plain.body)));
	assert_null(strstr(text_string(&hostile.body), "\nBcc"));
	assert_null(strstr(text_string(&hostile.body), "mailto:"));
	assert_true(count_tags(&hostile) == count_tags(&plain));
	for (const char *at = text_string(&hostile.body); *at != '\0';) {
		uint32_t character;
		size_t length = unicode_decode(at, &character);

		assert_true(length > 0);
		assert_true(*at == '\n' || !unicode_is_unsafe(character));
		at += length;
	}
	letter_text_clear(&plain);
	letter_text_clear(&hostile);
	language_destroy(english);
}

static void ten_kilobytes_are_cut(void **state)
{
	struct language *english = read_language("en", NULL);
	struct letter_text text = { 0 };
	char *value = malloc(10001);

	(void)state;
	assert_non_null(value);
	memset(value, 'x', 10000);
	value[10000] = '\0';
	write_with(english, value, &text);
	assert_true(unicode_length(text_string(&text.subject)) <= 260);
	assert_true(text.body.length < 20000);
	letter_text_clear(&text);
	free(value);
	language_destroy(english);
}

static void a_line_end_in_a_value_is_a_blank(void **state)
{
	struct language *english = read_language("en", NULL);
	struct letter_text text = { 0 };

	(void)state;
	write_with(english, "one\ntwo", &text);
	assert_non_null(strstr(text_string(&text.subject), "one two"));
	letter_text_clear(&text);
	language_destroy(english);
}

/* A template can ask for what is on the list and nothing else: no such gap is accepted. */
static void names_and_notes_are_out_of_reach(void **state)
{
	static const char *const forbidden[] = { "note",     "notes", "category",
						 "concerns", "child", "initials",
						 "by",       "value", "address",
						 "email",    "id",    "contact",
						 "reply_to", "event", "owner_name" };
	struct language *language = language_create("en", NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(forbidden); i++) {
		struct error error = { 0 };
		char source[80];
		int line = 0;

		snprintf(source, sizeof source, "ok\n{%s}\n", forbidden[i]);
		assert_int_equal(language_set_template(language, TEMPLATE_REMINDER, source,
						       &line, &error),
				 -EINVAL);
		assert_int_equal(line, 2);
		snprintf(source, sizeof source, "{%s}", forbidden[i]);
		assert_int_equal(language_set_phrase(language, "greeting", source, NULL),
				 -EINVAL);
	}
	language_destroy(language);
}

/* Ids from the policy choose phrases; they are never shown themselves. */
static void an_obligation_s_id_is_never_shown(void **state)
{
	struct language *english = read_language("en", NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct letter_notice notices[4];
		struct letter letter = letter_of(&cases[i]);
		struct letter_text text = { 0 };

		memcpy(notices, cases[i].notices, sizeof notices);
		for (size_t k = 0; k < COUNT(notices); k++)
			notices[k].obligation = "CANARY";
		letter.notices = notices;
		assert_int_equal(letter_write(english, &letter, &text, NULL), 0);
		assert_null(strstr(text_string(&text.subject), "CANARY"));
		assert_null(strstr(text_string(&text.body), "CANARY"));
		assert_null(strstr(text_string(&text.html), "CANARY"));
		letter_text_clear(&text);
	}
	language_destroy(english);
}

static void a_failing_template_gives_the_fixed_text(void **state)
{
	struct language *partial = language_create("xx", NULL);
	struct letter letter = letter_of(&cases[2]);
	struct letter_text text = { 0 };
	int line;

	(void)state;
	assert_int_equal(language_set_template(partial, TEMPLATE_SAFE, "News: {reference}\n",
					       &line, NULL),
			 0);
	assert_int_equal(language_set_phrase(partial, "subject.safe", "See {reference}", NULL),
			 0);
	assert_int_equal(letter_write(partial, &letter, &text, NULL), 1);
	assert_string_equal(text_string(&text.subject), "See 2026-014");
	assert_string_equal(text_string(&text.body), "News: 2026-014\n");
	letter_text_clear(&text);
	language_destroy(partial);
}

static void failing_html_leaves_the_text(void **state)
{
	struct language *english = read_language("en", NULL);
	struct language *spoilt = language_create("xx", NULL);
	struct letter letter = letter_of(&cases[2]);
	struct letter_text wanted = { 0 };
	struct letter_text text = { 0 };

	(void)state;
	/* Its HTML lacks a foot, which no check of single files finds. */
	read_phrases(spoilt, TEMPLATES "/en/phrases");
	for (size_t i = 0; i < LETTER_TEMPLATES; i++) {
		read_template(spoilt, "en", (enum letter_template)i, TEMPLATE_PLAIN);
		if (i != TEMPLATE_FOOT)
			read_template(spoilt, "en", (enum letter_template)i, TEMPLATE_HTML);
	}
	assert_int_equal(letter_write(english, &letter, &wanted, NULL), LETTER_WHOLE);
	assert_int_equal(letter_write(spoilt, &letter, &text, NULL), LETTER_TEXT_ALONE);
	assert_string_equal(text_string(&text.subject), text_string(&wanted.subject));
	assert_string_equal(text_string(&text.body), text_string(&wanted.body));
	assert_int_equal(text.html.length, 0);
	letter_text_clear(&wanted);
	letter_text_clear(&text);
	language_destroy(spoilt);
	language_destroy(english);
}

/* Mail programs cut a long page off; the text lists every one. */
static void a_very_long_digest_is_text_alone(void **state)
{
	struct language *english = read_language("en", NULL);
	struct letter letter = letter_of(&cases[2]);
	struct letter_notice notices[101];
	struct letter_text text = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(notices); i++)
		notices[i] = cases[2].notices[0];
	letter.notices = notices;
	letter.count = 100;
	assert_int_equal(letter_write(english, &letter, &text, NULL), LETTER_WHOLE);
	assert_true(text.html.length > 0);
	letter_text_clear(&text);
	letter.count = 101;
	assert_int_equal(letter_write(english, &letter, &text, NULL), LETTER_WHOLE);
	assert_int_equal(text.html.length, 0);
	assert_non_null(strstr(text_string(&text.body), "\n101. "));
	letter_text_clear(&text);
	language_destroy(english);
}

static void without_any_words_the_reference_is_left(void **state)
{
	struct language *empty = language_create("xx", NULL);
	struct letter letter = letter_of(&cases[2]);
	struct letter_text text = { 0 };

	(void)state;
	assert_int_equal(letter_write(empty, &letter, &text, NULL), 1);
	assert_string_equal(text_string(&text.subject), "2026-014");
	assert_string_equal(text_string(&text.body), "2026-014\n");
	letter_text_clear(&text);
	language_destroy(empty);
}

static void one_blank_follows_a_prefix(void **state)
{
	static const char *const prefixes[] = { "[secure]", "[secure] ", "[secure]  " };
	struct language *english = read_language("en", NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		struct letter letter = letter_of(&cases[2]);
		struct letter_text text = { 0 };

		letter.subject_prefix = prefixes[i];
		assert_int_equal(letter_write(english, &letter, &text, NULL), LETTER_WHOLE);
		assert_int_equal(
			strncmp(text_string(&text.subject), "[secure] Reply needed", 21), 0);
		letter_text_clear(&text);
	}
	language_destroy(english);
}

static void roles_are_joined(void **state)
{
	static const struct letter_role roles[] = { { "A", SIDE_RAISING },
						    { "A", SIDE_RECEIVING },
						    { "B", SIDE_PARTNERSHIP } };
	static const char *const wanted[] = {
		"", "the A (raising side)", "the A (raising side) and the A (answering side)",
		"the A (raising side), the A (answering side) and the B"
	};
	struct language *english = read_language("en", NULL);
	struct language *bare = language_create("xx", NULL);
	struct text joined = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(wanted); i++) {
		letter_join(english, roles, i, &joined);
		assert_string_equal(text_string(&joined), wanted[i]);
		text_clear(&joined);
	}
	letter_join(bare, roles, 1, &joined);
	assert_string_equal(text_string(&joined), "A");
	text_clear(&joined);
	language_destroy(bare);
	language_destroy(english);
}

int main(void)
{
	static const struct CMUnitTest rules[] = {
		cmocka_unit_test(never_says_breach_or_shows_a_gap),
		cmocka_unit_test(lines_are_short),
		cmocka_unit_test(ten_kilobytes_are_cut),
		cmocka_unit_test(a_line_end_in_a_value_is_a_blank),
		cmocka_unit_test(names_and_notes_are_out_of_reach),
		cmocka_unit_test(an_obligation_s_id_is_never_shown),
		cmocka_unit_test(a_failing_template_gives_the_fixed_text),
		cmocka_unit_test(failing_html_leaves_the_text),
		cmocka_unit_test(a_very_long_digest_is_text_alone),
		cmocka_unit_test(without_any_words_the_reference_is_left),
		cmocka_unit_test(one_blank_follows_a_prefix),
		cmocka_unit_test(roles_are_joined),
	};
	struct CMUnitTest letters[COUNT(cases)];
	struct CMUnitTest hostile[COUNT(hostile_values)];
	int failed;

	for (size_t i = 0; i < COUNT(cases); i++)
		letters[i] = (struct CMUnitTest){ .name = cases[i].file,
						  .test_func = reads_as_expected,
						  .initial_state = (void *)&cases[i] };
	for (size_t i = 0; i < COUNT(hostile_values); i++)
		hostile[i] = (struct CMUnitTest){ .name = hostile_values[i].name,
						  .test_func = stays_whole,
						  .initial_state = (void *)&hostile_values[i] };
	failed = cmocka_run_group_tests_name("letter_write", letters, NULL, NULL);
	failed += cmocka_run_group_tests_name("hostile values", hostile, NULL, NULL);
	failed += cmocka_run_group_tests_name("rules", rules, NULL, NULL);
	return failed;
}
