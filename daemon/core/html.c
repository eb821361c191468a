/* html.c - see html.h. A reader of tags, not a parser of HTML: what it does not know, it
 * refuses. */
#include "core/html.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { NAME_SIZE = 24, DEPTH = 32 };

static const char *const elements[] = {
	"html", "head", "title",   "style",  "body", "main",    "div",   "span",  "p",
	"h1",   "h2",   "h3",      "ul",     "ol",   "li",      "dl",    "dt",    "dd",
	"a",    "b",    "i",       "strong", "em",   "small",   "table", "tbody", "thead",
	"tr",   "th",   "caption", "td",     "abbr", "section",
};
static const char *const void_elements[] = { "meta", "br", "hr" };

static const char *const attributes[] = {
	"href",    "lang",  "dir",    "title",   "class",   "id",          "style",
	"role",    "align", "valign", "width",   "border",  "cellpadding", "cellspacing",
	"colspan", "scope", "name",   "content", "charset", "aria-label",  "aria-labelledby",
};
/* Their values are words, in which a gap may stand. */
static const char *const word_attributes[] = { "lang", "title", "aria-label" };
static const char *const schemes[] = { "https://", "http://", "mailto:", "tel:" };
/* In CSS: what fetches, or could be read as something that does. */
static const char *const forbidden_css[] = {
	"url(", "@import", "expression(", "\\", "</", "<!"
};

struct reader {
	const char *at;
	const char *const *links;
	size_t link_count;
	char open[DEPTH][NAME_SIZE];
	size_t depth;
	struct error *error;
};

/* ---- escaping -----------------------------------------------------------------------------
 */

void html_escape(struct text *out, const char *value)
{
	for (; *value != '\0'; value++)
		switch (*value) {
		case '&':
			text_append(out, "&amp;");
			break;
		case '<':
			text_append(out, "&lt;");
			break;
		case '>':
			text_append(out, "&gt;");
			break;
		case '"':
			text_append(out, "&quot;");
			break;
		case '\'':
			text_append(out, "&#39;");
			break;
		default:
			text_append_char(out, *value);
		}
}

bool html_is_style(const char *at, size_t *ret_length)
{
	static const char opening[] = "<style";
	static const char closing[] = "</style>";
	const char *end;

	if (strncasecmp(at, opening, sizeof opening - 1) != 0 ||
	    isalnum((unsigned char)at[sizeof opening - 1]))
		return false;
	end = strcasestr(at, closing);
	*ret_length = end == NULL ? strlen(at) : (size_t)(end - at) + sizeof closing - 1;
	return true;
}

/* ---- checking -----------------------------------------------------------------------------
 */

static bool is_one_of(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

static int fault(const struct reader *reader, const char *what, const char *name)
{
	return error_set(reader->error, EINVAL, "%s%s%s", what, name[0] != '\0' ? ": " : "",
			 name);
}

/* Letters, digits and '-', in lower case; false when there is no name, or a longer one. */
static bool read_name(struct reader *reader, char ret[static NAME_SIZE])
{
	size_t length = 0;

	while (isalnum((unsigned char)reader->at[length]) || reader->at[length] == '-')
		length++;
	if (length == 0 || length >= NAME_SIZE)
		return false;
	for (size_t i = 0; i < length; i++)
		ret[i] = (char)tolower((unsigned char)reader->at[i]);
	ret[length] = '\0';
	reader->at += length;
	return true;
}

static void skip_blanks(struct reader *reader)
{
	reader->at += strspn(reader->at, " \t\n");
}

static int check_css(const struct reader *reader, const char *css)
{
	for (size_t i = 0; i < COUNT(forbidden_css); i++)
		if (strcasestr(css, forbidden_css[i]) != NULL)
			return fault(reader, "a mail's style may not hold this",
				     forbidden_css[i]);
	return 0;
}

static int check_link(const struct reader *reader, const char *value)
{
	size_t length = strlen(value);
	char name[NAME_SIZE] = "";

	for (size_t i = 0; i < COUNT(schemes); i++)
		if (strncmp(value, schemes[i], strlen(schemes[i])) == 0 &&
		    strchr(value, '{') == NULL)
			return 0;
	if (length > 2 && length < NAME_SIZE && value[0] == '{' && value[length - 1] == '}')
		memcpy(name, value + 1, length - 2);
	if (name[0] != '\0' && is_one_of(name, reader->links, reader->link_count))
		return 0;
	return fault(reader, "href takes a whole address, or one placeholder of a link alone",
		     "");
}

static int check_value(const struct reader *reader, const char *name, const char *value)
{
	if (strcmp(name, "href") == 0)
		return check_link(reader, value);
	if (strcmp(name, "style") == 0 && check_css(reader, value) < 0)
		return -EINVAL;
	if (strchr(value, '{') != NULL &&
	    !is_one_of(name, word_attributes, COUNT(word_attributes)))
		return fault(reader, "a placeholder may not stand in this attribute", name);
	return 0;
}

/* name="value"; `at` is on the name. */
static int read_attribute(struct reader *reader)
{
	CLEANUP(text_clear) struct text value = { 0 };
	char name[NAME_SIZE];
	size_t length;
	int r;

	if (!read_name(reader, name))
		return fault(reader, "not an attribute", "");
	if (!is_one_of(name, attributes, COUNT(attributes)))
		return fault(reader, "no mail may use this attribute", name);
	if (reader->at[0] != '=' || reader->at[1] != '"')
		return fault(reader, "an attribute is written name=\"value\"", name);
	length = strcspn(reader->at + 2, "\"");
	if (reader->at[2 + length] == '\0')
		return fault(reader, "a quotation mark is not closed", name);
	text_append_bytes(&value, reader->at + 2, length);
	if (text_failed(&value))
		return error_memory(reader->error);
	r = check_value(reader, name, text_string(&value));
	if (r < 0)
		return r;
	reader->at += length + 3;
	return 0;
}

static int read_attributes(struct reader *reader, const char *element)
{
	for (;;) {
		const char *before = reader->at;
		int r;

		skip_blanks(reader);
		if (*reader->at == '>') {
			reader->at++;
			return 0;
		}
		if (*reader->at == '\0')
			return fault(reader, "a tag is not closed", element);
		if (reader->at == before)
			return fault(reader, "a tag cannot be read here", element);
		r = read_attribute(reader);
		if (r < 0)
			return r;
	}
}

static int read_opening(struct reader *reader)
{
	char name[NAME_SIZE];
	bool is_void;
	int r;

	if (!read_name(reader, name))
		return fault(reader, "\"<\" begins no tag (&lt; stands for one)", "");
	is_void = is_one_of(name, void_elements, COUNT(void_elements));
	if (!is_void && !is_one_of(name, elements, COUNT(elements)))
		return fault(reader, "no mail may use this element", name);
	r = read_attributes(reader, name);
	if (r < 0 || is_void)
		return r;
	if (reader->depth == DEPTH)
		return fault(reader, "too many elements within each other", name);
	memcpy(reader->open[reader->depth++], name, sizeof name);
	return 0;
}

static int read_closing(struct reader *reader)
{
	char name[NAME_SIZE];

	if (!read_name(reader, name) || *reader->at != '>')
		return fault(reader, "a closing tag cannot be read", "");
	if (reader->depth == 0 || strcmp(reader->open[reader->depth - 1], name) != 0)
		return fault(reader, "closes an element that is not the last opened", name);
	reader->depth--;
	reader->at++;
	return 0;
}

/* A tag, a comment or the doctype; `at` is on its '<'. */
static int read_markup(struct reader *reader)
{
	static const char doctype[] = "<!doctype html>";
	const char *end;

	if (strncasecmp(reader->at, doctype, sizeof doctype - 1) == 0) {
		reader->at += sizeof doctype - 1;
		return 0;
	}
	if (strncmp(reader->at, "<!--", 4) == 0) {
		end = strstr(reader->at, "-->");
		if (end == NULL)
			return fault(reader, "a comment is not closed", "");
		reader->at = end + 3;
		return 0;
	}
	if (reader->at[1] == '/') {
		reader->at += 2;
		return read_closing(reader);
	}
	reader->at++;
	return read_opening(reader);
}

static int read_style(struct reader *reader, size_t length)
{
	static const char closing[] = "</style>";
	CLEANUP(text_clear) struct text css = { 0 };
	const char *end = reader->at + length;
	int r;

	if (length < sizeof closing || strncasecmp(end - 8, closing, 8) != 0)
		return fault(reader, "an element is left open", "style");
	if (reader->at[6] != '>')
		return fault(reader, "this element takes no attribute", "style");
	text_append_bytes(&css, reader->at, length - 8);
	if (text_failed(&css))
		return error_memory(reader->error);
	r = check_css(reader, text_string(&css));
	if (r == 0)
		reader->at = end;
	return r;
}

static int read_all(struct reader *reader)
{
	while (*reader->at != '\0') {
		size_t length;
		int r = 0;

		if (*reader->at != '<')
			reader->at += strcspn(reader->at, "<");
		else if (html_is_style(reader->at, &length))
			r = read_style(reader, length);
		else
			r = read_markup(reader);
		if (r < 0)
			return r;
	}
	if (reader->depth > 0)
		return fault(reader, "an element is left open",
			     reader->open[reader->depth - 1]);
	return 0;
}

int html_check(const char *source, const char *const *links, size_t link_count, int *ret_line,
	       struct error *error)
{
	struct reader reader = {
		.at = source, .links = links, .link_count = link_count, .error = error
	};
	int r = read_all(&reader);
	int line = 1;

	if (r == 0)
		return 0;
	for (const char *c = source; c < reader.at; c++)
		line += *c == '\n';
	*ret_line = line;
	return r;
}
