/*
 * letter.c - see letter.h.
 *
 * Values are made harmless first (one line, sound UTF-8, a length), then phrases are filled
 * from them, then the template; what is filled is never read as a template again.
 */
#include "core/letter.h"

#include "base/arena.h"
#include "core/address.h"
#include "core/language.h"
#include "core/unicode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)TEMPLATE_RISK == (int)NOTICE_RISK &&
		       (int)TEMPLATE_CLEARED == (int)NOTICE_CLEARED &&
		       (int)TEMPLATE_ESCALATION == (int)NOTICE_ESCALATION &&
		       (int)TEMPLATE_QUIET == (int)NOTICE_QUIET,
	       "the templates of notices stand in the order of enum notice_kind");

enum {
	LINE_WIDTH = 76,
	REFERENCE_MOST = 60,
	TITLE_MOST = 200,
	TITLES_MOST = 1000, /* several, joined */
	PARAGRAPH_MOST = 2000,
	LINK_MOST = 1000,
	SUBJECT_MOST = 180,
	KEY_SIZE = 128,
	/* A digest lists all that it tells. In HTML no more than so many: mail programs cut a
	 * longer page off, and then the text says more. */
	HTML_ITEMS = 100,
};

/* Filled from templates, and so HTML already where the letter is. */
static const bool is_html[LETTER_FIELDS] = { [FIELD_FOOT] = true, [FIELD_CONTENT] = true };

static const char yes[] = "yes"; /* a flag's value: never shown, only asked for */

struct values {
	const char *of[LETTER_FIELDS];
};

struct writer {
	const struct language *language;
	const struct letter *letter;
	struct arena arena;
	bool no_memory;
	bool failed;      /* a phrase or template did not work out: the fixed text goes */
	bool html_failed; /* ... one in HTML: the text goes alone */
};

/* ---- values ------------------------------------------------------------------------------ */

/* Moves a text into the arena; "" when that fails, which is noted. */
static const char *keep(struct writer *writer, struct text *text)
{
	const char *kept = NULL;

	if (!text_failed(text))
		kept = arena_string(&writer->arena, text_string(text));
	text_clear(text);
	if (kept != NULL)
		return kept;
	writer->no_memory = true;
	return "";
}

/* One line of sound UTF-8, at most so many characters; longer ones end in an ellipsis. */
static const char *clean(struct writer *writer, const char *value, size_t most)
{
	struct text text = { 0 };

	if (value == NULL || value[0] == '\0')
		return "";
	for (size_t count = 0; *value != '\0'; count++) {
		uint32_t character;
		size_t length = unicode_decode(value, &character);

		if (count == most) {
			text_append(&text, "\xe2\x80\xa6");
			break;
		}
		if (*value == '\n' || *value == '\r' || *value == '\t')
			text_append_char(&text, ' ');
		else if (length == 0 || unicode_is_unsafe(character))
			text_append(&text, UNICODE_REPLACEMENT);
		else
			text_append_bytes(&text, value, length);
		value += length != 0 ? length : 1;
	}
	return keep(writer, &text);
}

/* A link as it is, or nothing: a link cut or altered leads elsewhere. */
static const char *clean_link(struct writer *writer, const char *link)
{
	if (link == NULL || strlen(link) > LINK_MOST ||
	    (strncasecmp(link, "https://", 8) != 0 && strncasecmp(link, "http://", 7) != 0))
		return "";
	for (const char *c = link; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || strchr("<>\"\\^`{|}", *c) != NULL)
			return "";
	return clean(writer, link, LINK_MOST);
}

/* RFC 6068 with RFC 3986: all but unreserved characters are encoded. */
static void append_percent_encoded(struct text *text, const char *value)
{
	static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789-._~";

	for (; *value != '\0'; value++)
		if (strchr(unreserved, *value) != NULL)
			text_append_char(text, *value);
		else
			text_appendf(text, "%%%02X", (unsigned char)*value);
}

/* ---- phrases ----------------------------------------------------------------------------- */

/* A source filled; "" when it cannot be, which sends the fixed text instead. */
static const char *fill(struct writer *writer, const char *source,
			const struct template_data *data)
{
	bool *failed = data->form == TEMPLATE_HTML ? &writer->html_failed : &writer->failed;
	struct text text = { 0 };
	struct error error = { 0 };

	if (source == NULL || source[0] == '\0') {
		*failed = true;
		return "";
	}
	if (template_render(source, data, &text, &error) == -EINVAL) {
		*failed = true;
		text_clear(&text);
		return "";
	}
	return keep(writer, &text);
}

/* A phrase with the gaps that a letter has. */
static const char *say(struct writer *writer, const char *key, const struct values *values)
{
	const struct template_data data = { .names = letter_field_names,
					    .values = values->of,
					    .count = LETTER_FIELDS };

	return fill(writer, language_phrase(writer->language, key), &data);
}

/* A phrase with gaps of its own. */
static const char *say_with(struct writer *writer, const char *key, const char *const *names,
			    const char *const *values, size_t count)
{
	const struct template_data data = { .names = names, .values = values, .count = count };

	return fill(writer, language_phrase(writer->language, key), &data);
}

static const char *number(struct writer *writer, int width, int64_t n)
{
	struct text text = { 0 };

	text_appendf(&text, "%0*lld", width, (long long)n);
	return keep(writer, &text);
}

/* "Thursday 26 November, 17:00", with the year where it is not this one; "" for never. */
static const char *say_moment(struct writer *writer, struct instant at)
{
	static const char *const weekdays[] = { "weekday.monday",    "weekday.tuesday",
						"weekday.wednesday", "weekday.thursday",
						"weekday.friday",    "weekday.saturday",
						"weekday.sunday" };
	static const char *const date_gaps[] = { "weekday", "day", "month", "year" };
	static const char *const time_gaps[] = { "hour", "minute" };
	static const char *const moment_gaps[] = { "date", "time" };
	const struct zone *zone = writer->letter->zone;
	char month[KEY_SIZE];
	int32_t today;
	int32_t day;
	int32_t second;
	struct date date;
	const char *moment[2];

	if (instant_is_never(at))
		return "";
	zone_local(zone, writer->letter->now, &today, &second);
	zone_local(zone, at, &day, &second);
	date = day_to_date(day);
	(void)snprintf(month, sizeof month, "month.%d", (int)date.month); /* fits */

	const char *const of_date[] = {
		say_with(writer, weekdays[day_weekday(day)], NULL, NULL, 0),
		number(writer, 1, date.day),
		say_with(writer, month, NULL, NULL, 0),
		number(writer, 1, date.year),
	};
	const char *const of_time[] = { number(writer, 2, second / 3600),
					number(writer, 2, second / 60 % 60) };

	moment[0] =
		say_with(writer, date.year == day_to_date(today).year ? "date" : "date.year",
			 date_gaps, of_date, COUNT(date_gaps));
	moment[1] = say_with(writer, "time", time_gaps, of_time, COUNT(time_gaps));
	return say_with(writer, "moment", moment_gaps, moment, COUNT(moment_gaps));
}

/* "3 working days"; the forms for one, two (where a language has it) and many. */
static const char *say_count(struct writer *writer, const char *unit, int64_t n)
{
	static const char *const gaps[] = { "n" };
	const char *const values[] = { number(writer, 1, n) };
	char key[KEY_SIZE];

	(void)snprintf(key, sizeof key, "%s.%s", unit,
		       n == 1   ? "one"
		       : n == 2 ? "two"
				: "many");
	if (n == 2 && language_phrase(writer->language, key) == NULL)
		(void)snprintf(key, sizeof key, "%s.many", unit);
	return say_with(writer, key, gaps, values, COUNT(gaps));
}

/* How long that is in working time, in the largest unit that fits; "" for under a minute. */
static const char *say_amount(struct writer *writer, int32_t days, int64_t seconds)
{
	if (days > 0)
		return say_count(writer, "days", days);
	if (seconds >= 3600)
		return say_count(writer, "hours", seconds / 3600);
	if (seconds >= 60)
		return say_count(writer, "minutes", seconds / 60);
	return "";
}

/* "A, B and C"; the items are clean. */
static const char *join(struct writer *writer, const char *const *items, size_t count)
{
	static const char *const gaps[] = { "a", "b" };
	const char *joined = count > 0 ? items[0] : "";

	for (size_t i = 1; i < count; i++) {
		const char *const both[] = { joined, items[i] };

		joined = say_with(writer, i + 1 < count ? "join" : "join.last", gaps, both,
				  COUNT(gaps));
	}
	return joined;
}

/* As a sentence names it: "the Line manager (raising side)". */
static const char *name_role(struct writer *writer, const struct letter_role *role)
{
	static const char *const gaps[] = { "role" };
	static const char *const keys[] = { [SIDE_RAISING] = "role.raising",
					    [SIDE_RECEIVING] = "role.receiving",
					    [SIDE_PARTNERSHIP] = "role.partnership" };
	const char *const values[] = { clean(writer, role->title, TITLE_MOST) };

	/* An administrator's own words may be older than these phrases. */
	if (language_phrase(writer->language, keys[role->side]) == NULL)
		return values[0];
	return say_with(writer, keys[role->side], gaps, values, COUNT(gaps));
}

void letter_join(const struct language *language, const struct letter_role *roles, size_t count,
		 struct text *ret)
{
	const struct letter none = { 0 };
	struct writer writer = { .language = language, .letter = &none };
	const char **named = arena_alloc(&writer.arena, (count + 1) * sizeof *named);

	for (size_t i = 0; named != NULL && i < count; i++)
		named[i] = name_role(&writer, &roles[i]);
	if (named != NULL)
		text_append(ret, join(&writer, named, count));
	ret->failed = ret->failed || named == NULL || writer.no_memory;
	arena_clear(&writer.arena);
}

/* ---- one notice -------------------------------------------------------------------------- */

/* "owed.meeting" where the language has words for that obligation, else "owed". */
static const char *say_of(struct writer *writer, const char *key,
			  const struct letter_notice *notice, const struct values *values)
{
	char own[KEY_SIZE];

	(void)snprintf(own, sizeof own, "%s.%s", key,
		       notice->obligation != NULL ? notice->obligation : "");
	if (language_phrase(writer->language, own) != NULL)
		return say(writer, own, values);
	(void)snprintf(own, sizeof own, "%s.feedback", key);
	if (notice->feedback && language_phrase(writer->language, own) != NULL)
		return say(writer, own, values);
	return say(writer, key, values);
}

static const char *say_kind(struct writer *writer, const char *key, enum notice_kind kind,
			    const char *who, const struct values *values)
{
	char full[KEY_SIZE];

	(void)snprintf(full, sizeof full, "%s.%s%s%s", key, letter_template_names[kind],
		       who[0] != '\0' ? "." : "", who);
	return say(writer, full, values);
}

static const char *answer_link(struct writer *writer, const char *reference,
			       const char *answer_key)
{
	const char *reply_to = writer->letter->reply_to;
	const char *answer = say_with(writer, answer_key, NULL, NULL, 0);
	struct text link = { 0 };
	const char *at = strchr(reply_to, '@');

	text_append(&link, "mailto:");
	for (const char *c = reply_to; c < at; c++) {
		const char one[] = { *c, '\0' };

		append_percent_encoded(&link, one);
	}
	text_append(&link, at);
	text_append(&link, "?subject=");
	append_percent_encoded(&link, reference);
	append_percent_encoded(&link, ": ");
	append_percent_encoded(&link, answer);
	return keep(writer, &link);
}

/* What holds for the mail as a whole. */
static void set_letter_values(struct writer *writer, struct values *values)
{
	const struct letter *letter = writer->letter;

	for (size_t i = 0; i < LETTER_FIELDS; i++)
		values->of[i] = "";
	values->of[FIELD_NAME] = clean(writer, letter->recipient_name, TITLE_MOST);
	values->of[FIELD_PARTNERSHIP] = clean(writer, letter->partnership_name, TITLE_MOST);
	values->of[FIELD_TELEPHONE] = clean(writer, letter->partnership_telephone, TITLE_MOST);
	values->of[FIELD_INBOX] = clean(writer, letter->partnership_inbox, TITLE_MOST);
	values->of[FIELD_COUNT_OF] = number(writer, 1, (int64_t)letter->count);
	for (size_t i = 0; i < letter->count; i++)
		if (letter->notices[i].kind == NOTICE_RISK)
			values->of[FIELD_EMERGENCY] =
				clean(writer, letter->emergency, PARAGRAPH_MOST);
}

/* Whether the reader owes the step; the inbox, that opens others' mails, owes nothing itself.
 */
static bool is_owner(const struct writer *writer, const struct letter_notice *notice)
{
	return notice->is_owner && !writer->letter->misdirected;
}

/* True when something is wanted of the reader: once all is answered, nothing is. */
static bool is_asked(const struct writer *writer, const struct letter_notice *notice)
{
	return is_owner(writer, notice) && notice->kind != NOTICE_CLEARED;
}

static void set_facts(struct writer *writer, const struct letter_notice *notice,
		      struct values *values)
{
	const struct {
		enum letter_field field;
		const char *value;
		size_t most;
	} texts[] = {
		{ FIELD_REFERENCE, notice->reference, REFERENCE_MOST },
		{ FIELD_POLICY, notice->policy_title, TITLE_MOST },
		{ FIELD_STAGE, notice->stage_title, TITLE_MOST },
		{ FIELD_ROLE, notice->role_title, TITLE_MOST },
		{ FIELD_OWNER, notice->owner_titles, TITLES_MOST },
		{ FIELD_TOLD, notice->told_titles, TITLES_MOST },
		{ FIELD_LEARNING_TITLE, notice->learning_title, TITLE_MOST },
		{ FIELD_RAISING_AGENCY, notice->raising_agency, TITLE_MOST },
		{ FIELD_RAISING_TELEPHONE, notice->raising_telephone, TITLE_MOST },
		{ FIELD_RECEIVING_AGENCY, notice->receiving_agency, TITLE_MOST },
		{ FIELD_RECEIVING_TELEPHONE, notice->receiving_telephone, TITLE_MOST },
	};

	for (size_t i = 0; i < COUNT(texts); i++)
		values->of[texts[i].field] = clean(writer, texts[i].value, texts[i].most);
	values->of[FIELD_LINK] = clean_link(writer, notice->link);
	values->of[FIELD_GUIDANCE] = clean_link(writer, notice->guidance);
	values->of[FIELD_LEARNING_URL] = clean_link(writer, notice->learning_url);
	values->of[FIELD_YOU_OWE] = is_asked(writer, notice) ? yes : "";
	values->of[FIELD_FEEDBACK] = notice->feedback ? yes : "";
	values->of[FIELD_PROVISIONAL] = notice->provisional ? yes : "";
	values->of[FIELD_AGENCY_CLOSED] = notice->agency_closed ? yes : "";
}

static void set_times(struct writer *writer, const struct letter_notice *notice,
		      struct values *values)
{
	int32_t days = notice->working_days;
	int64_t seconds = notice->open_seconds;

	values->of[FIELD_DUE] = say_moment(writer, notice->due);
	values->of[FIELD_AT] = say_moment(writer, notice->at);
	values->of[FIELD_SINCE] = say_moment(writer, notice->since);
	values->of[FIELD_NEXT_AT] = say_moment(writer, notice->next_at);
	if (!instant_is_never(notice->due) && !instant_before(writer->letter->now, notice->due))
		values->of[FIELD_PAST] = yes;
	if (!instant_is_never(notice->due) && seconds > 0)
		values->of[FIELD_LEFT] = say_amount(writer, days, seconds);
	if (!instant_is_never(notice->due) && seconds < 0)
		values->of[FIELD_LATE] = say_amount(writer, -days, -seconds);
}

/* Who hears next. The reader is asked for apart, unless this is the inbox, which reads for
 * others. */
static void set_next_to(struct writer *writer, const struct letter_notice *notice,
			struct values *values)
{
	const struct letter_role own = { notice->role_title, notice->role_side };
	const char *names[2];
	size_t count = 0;

	if (notice->next_to_reader && writer->letter->misdirected)
		names[count++] = name_role(writer, &own);
	else if (notice->next_to_reader)
		values->of[FIELD_NEXT_YOU] = yes;
	if (notice->next_titles != NULL && notice->next_titles[0] != '\0')
		names[count++] = clean(writer, notice->next_titles, TITLES_MOST);
	values->of[FIELD_NEXT_TO] = join(writer, names, count);
}

static void set_notice_values(struct writer *writer, const struct letter_notice *notice,
			      struct values *values)
{
	const char *reply_to = writer->letter->reply_to != NULL ? writer->letter->reply_to : "";

	set_facts(writer, notice, values);
	set_times(writer, notice, values);
	values->of[FIELD_OWED] = say_of(writer, "owed", notice, values);
	values->of[FIELD_NEEDED] = say_of(writer, "needed", notice, values);
	set_next_to(writer, notice, values);
	if (!instant_is_never(notice->next_at))
		values->of[FIELD_NEXT] =
			say_kind(writer, "next", notice->next_kind, "", values);
	if (is_asked(writer, notice) && address_check(reply_to, NULL) == 0) {
		const char *reference = values->of[FIELD_REFERENCE];

		values->of[FIELD_ANSWER_TO] = clean(writer, reply_to, TITLE_MOST);

		values->of[FIELD_ANSWERED_LINK] =
			answer_link(writer, reference, "answer.answered");
		values->of[FIELD_AGREED_LINK] = answer_link(writer, reference, "answer.agreed");
		values->of[FIELD_NOT_AGREED_LINK] =
			answer_link(writer, reference, "answer.not_agreed");
	}
	values->of[FIELD_HEADLINE] =
		say_kind(writer, "headline", notice->kind,
			 is_owner(writer, notice) ? "owner" : "told", values);
}

/* ---- layout ------------------------------------------------------------------------------ */

/* Characters in so many bytes of sound UTF-8. */
static size_t width(const char *bytes, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += ((unsigned char)bytes[i] & 0xc0) != 0x80;
	return count;
}

static void append_blanks(struct text *out, size_t count)
{
	while (count-- > 0)
		text_append_char(out, ' ');
}

/* Where a line goes on when it is broken: behind its indent and its "- " or "1. ". */
static size_t hanging_indent(const char *line, size_t indent)
{
	size_t digits = strspn(line + indent, "0123456789");

	if (strncmp(line + indent, "- ", 2) == 0)
		return indent + 2;
	if (digits > 0 && strncmp(line + indent + digits, ". ", 2) == 0)
		return indent + digits + 2;
	return indent;
}

static void lay_out_line(struct text *out, const char *line, size_t length)
{
	size_t at = strspn(line, " ");
	size_t hang = hanging_indent(line, at);
	size_t column = at;
	bool first = true;

	append_blanks(out, at);
	while (at < length) {
		size_t word = strcspn(line + at, " \n");
		size_t wide = width(line + at, word);

		if (!first && column + 1 + wide > LINE_WIDTH && column > hang) {
			text_append_char(out, '\n');
			append_blanks(out, hang);
			column = hang;
		} else if (!first) {
			text_append_char(out, ' ');
			column++;
		}
		text_append_bytes(out, line + at, word);
		column += wide;
		at += word;
		at += strspn(line + at, " ");
		first = false;
	}
	text_append_char(out, '\n');
}

/* Breaks long lines at blanks, and leaves one empty line where sections left several. */
static void lay_out(struct text *out, const char *body)
{
	bool gap = false;

	while (*body != '\0') {
		size_t length = strcspn(body, "\n");
		size_t used = length;

		while (used > 0 && body[used - 1] == ' ')
			used--;
		if (used == 0) {
			gap = out->length > 0;
		} else {
			if (gap)
				text_append_char(out, '\n');
			gap = false;
			lay_out_line(out, body, used);
		}
		body += length + (body[length] == '\n');
	}
}

/* Without the blanks and empty lines that sections leave: HTML reads the same without. */
static void lay_out_html(struct text *out, const char *html)
{
	while (*html != '\0') {
		size_t indent = strspn(html, " \t");
		size_t length = strcspn(html, "\n");

		if (indent < length) {
			text_append_bytes(out, html + indent, length - indent);
			text_append_char(out, '\n');
		}
		html += length + (html[length] == '\n');
	}
}

/* ---- the letter -------------------------------------------------------------------------- */

/* What one letter is made from: the template, and the values in its gaps. */
struct draft {
	enum letter_template which;
	struct values values;
	const struct template_data *items; /* of {#notices} */
	size_t item_count;
	bool has_foot;
};

static void set_subject(struct writer *writer, struct draft *draft, const char *subject,
			struct text *out)
{
	const char *prefix = clean(writer, writer->letter->subject_prefix, REFERENCE_MOST);
	size_t length = strlen(prefix);

	draft->values.of[FIELD_SUBJECT] = clean(writer, subject, SUBJECT_MOST);
	while (length > 0 && prefix[length - 1] == ' ')
		length--;
	if (length > 0)
		text_appendf(out, "%.*s ", (int)length, prefix);
	text_append(out, draft->values.of[FIELD_SUBJECT]);
}

static const char *fill_template(struct writer *writer, const struct draft *draft,
				 enum letter_template which, enum template_form form)
{
	const struct template_data data = {
		.names = letter_field_names,
		.values = draft->values.of,
		.count = LETTER_FIELDS,
		.form = form,
		.is_html = is_html,
		.repeat = which == TEMPLATE_DIGEST || which == TEMPLATE_WATCH ? LETTER_REPEAT
									      : NULL,
		.items = draft->items,
		.item_count = draft->item_count,
	};
	const char *source = form == TEMPLATE_HTML ? language_html(writer->language, which)
						   : language_template(writer->language, which);

	return fill(writer, source, &data);
}

/* The items' values are the same in both forms; how they land is not. */
static void set_form(struct draft *draft, struct template_data *items, enum template_form form)
{
	for (size_t i = 0; i < draft->item_count; i++) {
		items[i].form = form;
		items[i].is_html = is_html;
	}
}

/* Whose template the text is. Phrases among its words may be of another: what most of a mail is
 * in is what it is in. */
static const struct language *language_of(const struct writer *writer,
					  enum letter_template which)
{
	const struct language *owner =
		language_of_template(writer->language, which, TEMPLATE_PLAIN);

	return owner != NULL ? owner : writer->language;
}

static void write_html(struct writer *writer, struct draft *draft, struct text *out)
{
	const struct language *owner =
		language_of_template(writer->language, draft->which, TEMPLATE_HTML);

	/* No frame, or no template within it: this language's mails are text. Where the HTML is
	 * another language's, it would be shown in place of the reader's own words. */
	if (draft->item_count > HTML_ITEMS || owner == NULL ||
	    owner != language_of(writer, draft->which) ||
	    language_html(writer->language, TEMPLATE_FRAME) == NULL)
		return;
	if (draft->has_foot)
		draft->values.of[FIELD_FOOT] =
			fill_template(writer, draft, TEMPLATE_FOOT, TEMPLATE_HTML);
	draft->values.of[FIELD_CONTENT] =
		fill_template(writer, draft, draft->which, TEMPLATE_HTML);
	lay_out_html(out, fill_template(writer, draft, TEMPLATE_FRAME, TEMPLATE_HTML));
}

/* Text first: it is whole by itself, and what the HTML makes of the foot replaces its own. */
static void write_bodies(struct writer *writer, struct draft *draft,
			 struct template_data *items, struct letter_text *out)
{
	draft->items = items;
	set_form(draft, items, TEMPLATE_PLAIN);
	out->language = language_tag(language_of(writer, draft->which));
	draft->values.of[FIELD_LANGUAGE] = out->language;
	if (draft->has_foot)
		draft->values.of[FIELD_FOOT] =
			fill_template(writer, draft, TEMPLATE_FOOT, TEMPLATE_PLAIN);
	lay_out(&out->body, fill_template(writer, draft, draft->which, TEMPLATE_PLAIN));
	set_form(draft, items, TEMPLATE_HTML);
	write_html(writer, draft, &out->html);
}

/* What every letter of notices has around it. */
static void set_frame(struct writer *writer, struct draft *draft)
{
	struct values *values = &draft->values;

	if (writer->letter->misdirected)
		values->of[FIELD_MISDIRECTED] = say(writer, "misdirected", values);
	values->of[FIELD_GREETING] = say(writer, "greeting", values);
	draft->has_foot = true;
}

/* Feedback to whoever raised the challenge has words of its own, however late it is. */
static enum letter_template template_of(const struct letter_notice *notice)
{
	bool waits = notice->kind == NOTICE_REMINDER || notice->kind == NOTICE_BREACH ||
		     notice->kind == NOTICE_OVERDUE;

	return notice->feedback && waits ? TEMPLATE_FEEDBACK
					 : (enum letter_template)notice->kind;
}

static void write_notice(struct writer *writer, struct letter_text *out)
{
	const struct letter_notice *notice = &writer->letter->notices[0];
	struct draft draft = { .which = template_of(notice) };

	set_letter_values(writer, &draft.values);
	set_notice_values(writer, notice, &draft.values);
	set_frame(writer, &draft);
	set_subject(writer, &draft,
		    say_kind(writer, "subject", notice->kind, "", &draft.values),
		    &out->subject);
	write_bodies(writer, &draft, NULL, out);
}

/* Titles or references of all notices, each once, as one phrase that begins with the `first`.
 */
static const char *join_all(struct writer *writer, const struct values *items, size_t count,
			    size_t first, enum letter_field field)
{
	const char **each = arena_alloc(&writer->arena, (count + 1) * sizeof *each);
	size_t used = 0;

	if (each == NULL) {
		writer->no_memory = true;
		return "";
	}
	for (size_t i = 0; i <= count; i++) {
		const char *item = items[i == 0 ? first : i - 1].of[field];
		size_t k = 0;

		while (k < used && strcmp(each[k], item) != 0)
			k++;
		if (k == used && item[0] != '\0')
			each[used++] = item;
	}
	return join(writer, each, used);
}

/* The place of what this person owes first, late or not; the count when nothing is owed. */
static size_t first_owed(const struct writer *writer)
{
	const struct letter *letter = writer->letter;
	size_t first = letter->count;

	for (size_t i = 0; i < letter->count; i++)
		if (is_asked(writer, &letter->notices[i]) &&
		    (first == letter->count ||
		     instant_before(letter->notices[i].due, letter->notices[first].due)))
			first = i;
	return first;
}

/* The values of each notice, for a template that repeats; NULL with no_memory set. */
static struct values *set_items(struct writer *writer, struct draft *draft,
				struct template_data **ret)
{
	size_t count = writer->letter->count;
	struct values *items = arena_alloc(&writer->arena, (count + 1) * sizeof *items);
	struct template_data *data = arena_alloc(&writer->arena, (count + 1) * sizeof *data);

	if (items == NULL || data == NULL) {
		writer->no_memory = true;
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		items[i] = draft->values;
		set_notice_values(writer, &writer->letter->notices[i], &items[i]);
		items[i].of[FIELD_NUMBER] = number(writer, 1, (int64_t)i + 1);
		data[i] = (struct template_data){ .names = letter_field_names,
						  .values = items[i].of,
						  .count = LETTER_FIELDS };
	}
	draft->item_count = count;
	*ret = data;
	return items;
}

/* What is owed and by when comes first, here too. */
static void set_first_owed(const struct values *owed, struct values *values)
{
	static const enum letter_field fields[] = { FIELD_HEADLINE, FIELD_NEEDED, FIELD_DUE,
						    FIELD_PAST };

	for (size_t i = 0; i < COUNT(fields); i++)
		values->of[fields[i]] = owed->of[fields[i]];
}

static void write_digest(struct writer *writer, struct letter_text *out)
{
	size_t count = writer->letter->count;
	struct draft draft = { .which = TEMPLATE_DIGEST };
	struct values *values = &draft.values;
	size_t first = first_owed(writer);
	struct template_data *data;
	struct values *items;

	set_letter_values(writer, values);
	items = set_items(writer, &draft, &data);
	if (items == NULL)
		return;
	values->of[FIELD_REFERENCE] =
		join_all(writer, items, count, first % count, FIELD_REFERENCE);
	values->of[FIELD_ROLE] = join_all(writer, items, count, 0, FIELD_ROLE);
	if (first < count)
		set_first_owed(&items[first], values);
	values->of[FIELD_GUIDANCE] = items[0].of[FIELD_GUIDANCE];
	values->of[FIELD_LEARNING_TITLE] = items[0].of[FIELD_LEARNING_TITLE];
	values->of[FIELD_LEARNING_URL] = items[0].of[FIELD_LEARNING_URL];
	for (size_t i = 0; i < count; i++) {
		if (items[i].of[FIELD_YOU_OWE][0] != '\0')
			values->of[FIELD_YOU_OWE] = yes;
		if (items[i].of[FIELD_ANSWER_TO][0] != '\0')
			values->of[FIELD_ANSWER_TO] = items[i].of[FIELD_ANSWER_TO];
	}
	set_frame(writer, &draft);
	set_subject(writer, &draft, say(writer, "subject.digest", values), &out->subject);
	write_bodies(writer, &draft, data, out);
}

static enum letter_template summary_template(const char *name)
{
	static const enum letter_template all[] = { TEMPLATE_ADOPTION, TEMPLATE_WATCH,
						    TEMPLATE_DAILY,    TEMPLATE_TEST,
						    TEMPLATE_REFUSED,  TEMPLATE_FLOOD };

	for (size_t i = 0; i < COUNT(all); i++)
		if (strcmp(name, letter_template_names[all[i]]) == 0)
			return all[i];
	return TEMPLATE_ALARM;
}

static void set_counts(struct writer *writer, struct values *values)
{
	const struct letter_counts *counts = &writer->letter->counts;

	values->of[FIELD_COUNT_OF] = number(writer, 1, writer->letter->summary_count);
	values->of[FIELD_OPEN] = number(writer, 1, counts->open);
	values->of[FIELD_DUE_TODAY] = number(writer, 1, counts->due_today);
	values->of[FIELD_OVERDUE] = number(writer, 1, counts->overdue);
	values->of[FIELD_WAITING] = number(writer, 1, counts->waiting);
	values->of[FIELD_HELD] = number(writer, 1, counts->held);
	if (counts->more > 0)
		values->of[FIELD_MORE] = number(writer, 1, counts->more);
}

static void set_trouble(struct writer *writer, struct values *values)
{
	const char *trouble = writer->letter->trouble;
	char key[KEY_SIZE];

	if (trouble == NULL || trouble[0] == '\0')
		return;
	(void)snprintf(key, sizeof key, "trouble.%s", trouble);
	values->of[FIELD_TROUBLE] = say(writer, key, values);
	(void)snprintf(key, sizeof key, "trouble.%s.help", trouble);
	values->of[FIELD_FACTS] = say(writer, key, values);
}

static void write_summary(struct writer *writer, struct letter_text *out)
{
	struct draft draft = { .which = summary_template(writer->letter->summary) };
	struct template_data *data;
	char key[KEY_SIZE];

	set_letter_values(writer, &draft.values);
	set_counts(writer, &draft.values);
	draft.values.of[FIELD_AT] = say_moment(writer, writer->letter->now);
	if (writer->letter->summary_at.seconds > 0) { /* a zeroed letter has none */
		draft.values.of[FIELD_SINCE] = say_moment(writer, writer->letter->summary_at);
		draft.values.of[FIELD_NEXT_AT] = draft.values.of[FIELD_SINCE];
	}
	set_trouble(writer, &draft.values);
	draft.values.of[FIELD_GREETING] = say(writer, "greeting", &draft.values);
	if (set_items(writer, &draft, &data) == NULL)
		return;
	(void)snprintf(key, sizeof key, "subject.%s", letter_template_names[draft.which]);
	set_subject(writer, &draft, say(writer, key, &draft.values), &out->subject);
	write_bodies(writer, &draft, data, out);
}

/* The references of all notices, each once, as the fixed text has them. */
static const char *list_references(struct writer *writer)
{
	const struct letter_notice *notices = writer->letter->notices;
	struct text all = { 0 };

	for (size_t i = 0; i < writer->letter->count; i++) {
		const char *reference = clean(writer, notices[i].reference, REFERENCE_MOST);
		size_t k = 0;

		while (k < i && strcmp(notices[k].reference, notices[i].reference) != 0)
			k++;
		if (k == i)
			text_appendf(&all, "%s%s", all.length > 0 ? ", " : "", reference);
	}
	return keep(writer, &all);
}

/* The fixed text: nothing but the references goes into it. */
static void write_safe(struct writer *writer, struct letter_text *out)
{
	struct draft draft = { .which = TEMPLATE_SAFE };
	struct values *values = &draft.values;
	const char *subject;
	const char *body;

	for (size_t i = 0; i < LETTER_FIELDS; i++)
		values->of[i] = "";
	values->of[FIELD_REFERENCE] = list_references(writer);
	out->language = language_tag(language_of(writer, TEMPLATE_SAFE));
	subject = say(writer, "subject.safe", values);
	body = fill_template(writer, &draft, TEMPLATE_SAFE, TEMPLATE_PLAIN);
	text_cut(&out->subject, 0);
	text_cut(&out->body, 0);
	text_cut(&out->html, 0);
	set_subject(writer, &draft, subject[0] != '\0' ? subject : values->of[FIELD_REFERENCE],
		    &out->subject);
	lay_out(&out->body, body[0] != '\0' ? body : values->of[FIELD_REFERENCE]);
}

static enum letter_result result_of(const struct writer *writer)
{
	if (writer->failed)
		return LETTER_SAFE;
	return writer->html_failed ? LETTER_TEXT_ALONE : LETTER_WHOLE;
}

int letter_write(const struct language *language, const struct letter *letter,
		 struct letter_text *ret, struct error *error)
{
	struct writer writer = { .language = language, .letter = letter };
	CLEANUP(letter_text_clear)
	struct letter_text text = { 0 };

	if (letter->summary != NULL && letter->summary[0] != '\0')
		write_summary(&writer, &text);
	else if (letter->count == 1)
		write_notice(&writer, &text);
	else if (letter->count == 0)
		writer.failed = true; /* a letter about nothing */
	else
		write_digest(&writer, &text);
	if (writer.failed && !writer.no_memory)
		write_safe(&writer, &text);
	if (writer.html_failed ||
	    text_failed(&text.html)) { /* too long: the text says it all */
		text_clear(&text.html);
		writer.html_failed = true;
	}
	arena_clear(&writer.arena);

	if (writer.no_memory || text_failed(&text.subject) || text_failed(&text.body) ||
	    text_failed(&text.html))
		return error_memory(error);
	*ret = TAKE(text);
	return (int)result_of(&writer);
}

void letter_text_clear(struct letter_text *text)
{
	text_clear(&text->subject);
	text_clear(&text->body);
	text_clear(&text->html);
}
