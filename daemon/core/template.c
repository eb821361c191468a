/* template.c - see template.h. Checking is a rendering that takes every branch and keeps
 * nothing. */
#include "core/template.h"

#include "core/html.h"

#include <errno.h>
#include <string.h>

enum mark { MARK_VALUE, MARK_IF, MARK_UNLESS, MARK_REPEAT, MARK_CLOSE };

struct tag {
	enum mark mark;
	char name[TEMPLATE_NAME_SIZE];
	size_t length; /* in the source, braces included */
};

struct open_section {
	char name[TEMPLATE_NAME_SIZE];
	bool kept;
};

struct walk {
	const struct template_data *data;
	const struct template_data *outer; /* inside a repeat: the letter around it */
	struct text *out;                  /* NULL: only checking */
	struct open_section open[TEMPLATE_DEPTH];
	size_t depth;
	int line;
	bool bare; /* the line at hand holds nothing but section marks */
};

/* The tag at `at`, which is a brace; false: not one. */
static bool read_tag(const char *at, const char *end, struct tag *ret)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
	static const char marks[] = "?!#/";
	const char *name = at + 1;
	const char *mark = *name != '\0' ? strchr(marks, *name) : NULL;
	size_t length;

	*ret = (struct tag){ .mark = MARK_VALUE };
	if (mark != NULL) {
		ret->mark = (enum mark)(MARK_IF + (mark - marks));
		name++;
	}
	length = strspn(name, letters);
	if (length == 0 || length >= sizeof ret->name || name + length >= end ||
	    name[length] != '}')
		return false;
	memcpy(ret->name, name, length);
	ret->length = (size_t)(name + length + 1 - at);
	return true;
}

static int fault(struct error *error, const char *what, const char *name)
{
	return error_set(error, EINVAL, "%s%s%s", what, name[0] != '\0' ? ": " : "", name);
}

/* The place of a name in the data; false: not on the list. */
static bool find(const struct template_data *data, const char *name, size_t *ret)
{
	for (size_t i = 0; data != NULL && i < data->count; i++)
		if (strcmp(data->names[i], name) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

/* *ret is "" when only checking. *ret_is_html (may be NULL): it is HTML already. */
static int look_up(const struct walk *walk, const char *name, const char **ret,
		   bool *ret_is_html, struct error *error)
{
	const struct template_data *data = walk->data;
	size_t place;

	if (!find(data, name, &place)) {
		data = walk->outer;
		if (!find(data, name, &place))
			return fault(error, "no mail may use this placeholder", name);
	}
	*ret = walk->out != NULL ? data->values[place] : "";
	if (ret_is_html != NULL)
		*ret_is_html = data->is_html != NULL && data->is_html[place];
	return 0;
}

static bool is_kept(const struct walk *walk)
{
	return walk->depth == 0 || walk->open[walk->depth - 1].kept;
}

static void emit(struct walk *walk, const char *bytes, size_t length)
{
	if (walk->out != NULL && is_kept(walk))
		text_append_bytes(walk->out, bytes, length);
}

static void emit_value(struct walk *walk, const char *value, bool is_html)
{
	if (walk->data->form == TEMPLATE_PLAIN || is_html)
		emit(walk, value, strlen(value));
	else if (walk->out != NULL && is_kept(walk))
		html_escape(walk->out, value);
}

/* True when the line beginning here has section marks and blanks only, and at least one mark.
 */
static bool is_bare_line(const char *at, const char *end)
{
	bool marks = false;

	while (at < end && *at != '\n') {
		struct tag tag;

		if (*at == ' ' || *at == '\t') {
			at++;
			continue;
		}
		if (*at != '{' || !read_tag(at, end, &tag) || tag.mark == MARK_VALUE)
			return false;
		marks = true;
		at += tag.length;
	}
	return marks;
}

static int open_section(struct walk *walk, const struct tag *tag, struct error *error)
{
	const char *value;
	int r = look_up(walk, tag->name, &value, NULL, error);
	struct open_section *section;

	if (r < 0)
		return r;
	if (walk->depth == TEMPLATE_DEPTH)
		return fault(error, "too many sections within each other", tag->name);
	section = &walk->open[walk->depth];
	memcpy(section->name, tag->name, sizeof section->name);
	section->kept = is_kept(walk) && (value[0] != '\0') == (tag->mark == MARK_IF);
	walk->depth++;
	return 0;
}

static int close_section(struct walk *walk, const struct tag *tag, struct error *error)
{
	if (walk->depth == 0 || strcmp(walk->open[walk->depth - 1].name, tag->name) != 0)
		return fault(error, "closes a section that is not the last opened", tag->name);
	walk->depth--;
	return 0;
}

/* `end` is only used as a limit: a repeat's inside is a piece of a longer source. */
static int walk_over(struct walk *walk, const char *at, const char *end, struct error *error);

/* The inside of a repeat, once for each item; `inside` to `end`. */
static int repeat(struct walk *walk, const char *inside, const char *end, struct error *error)
{
	const struct template_data *data = walk->data;
	size_t times = walk->out != NULL && is_kept(walk) ? data->item_count : 1;
	int line = walk->line;

	for (size_t i = 0; i < times; i++) {
		struct walk item = {
			.data = walk->out != NULL && is_kept(walk) ? &data->items[i] : data,
			.outer = data,
			.out = is_kept(walk) ? walk->out : NULL,
			.line = line,
		};
		int r = walk_over(&item, inside, end, error);

		walk->line = item.line;
		if (r < 0)
			return r;
	}
	return 0;
}

/* From behind the opening mark to behind the closing one; *ret_at is where to go on. */
static int take_repeat(struct walk *walk, const char *at, const char *end,
		       const struct tag *tag, const char **ret_at, struct error *error)
{
	char closing[TEMPLATE_NAME_SIZE + 4] = "{/";
	const char *close;

	if (walk->outer != NULL || walk->data->repeat == NULL ||
	    strcmp(walk->data->repeat, tag->name) != 0)
		return fault(error, "nothing to repeat here by this name", tag->name);
	strncat(closing, tag->name, TEMPLATE_NAME_SIZE);
	strncat(closing, "}", 2);
	close = strstr(at, closing);
	if (close == NULL || close >= end)
		return fault(error, "a section is left open", tag->name);
	if (walk->bare && *at == '\n') {
		at++;
		walk->line++;
	}
	*ret_at = close + strlen(closing);
	return repeat(walk, at, close, error);
}

static int take_tag(struct walk *walk, const char **at, const char *end, struct error *error)
{
	struct tag tag;
	const char *value;
	bool is_html;

	if ((*at)[1] == '{' && *at + 1 < end) {
		emit(walk, "{", 1);
		*at += 2;
		return 0;
	}
	if (!read_tag(*at, end, &tag))
		return fault(error, "a brace that begins no placeholder (two stand for one)",
			     "");
	*at += tag.length;
	switch (tag.mark) {
	case MARK_IF:
	case MARK_UNLESS:
		return open_section(walk, &tag, error);
	case MARK_CLOSE:
		return close_section(walk, &tag, error);
	case MARK_REPEAT:
		return take_repeat(walk, *at, end, &tag, at, error);
	case MARK_VALUE:
		break;
	}
	if (look_up(walk, tag.name, &value, &is_html, error) < 0)
		return -EINVAL;
	emit_value(walk, value, is_html);
	return 0;
}

/* Takes a <style> element as it is; 0 when there is none here. */
static size_t take_style(struct walk *walk, const char *at, const char *end)
{
	size_t length;

	if (walk->data->form != TEMPLATE_HTML || !html_is_style(at, &length))
		return 0;
	if (length > (size_t)(end - at))
		length = (size_t)(end - at);
	emit(walk, at, length);
	for (size_t i = 0; i < length; i++)
		walk->line += at[i] == '\n';
	return length;
}

static int walk_over(struct walk *walk, const char *at, const char *end, struct error *error)
{
	walk->bare = is_bare_line(at, end);
	while (at < end) {
		size_t style = *at == '<' ? take_style(walk, at, end) : 0;

		if (style > 0) { /* a line that has one is never bare */
			at += style;
			continue;
		}
		if (*at == '{') {
			int r = take_tag(walk, &at, end, error);

			if (r < 0)
				return r;
			continue;
		}
		if (!walk->bare)
			emit(walk, at, 1);
		if (*at == '\n') {
			walk->line++;
			walk->bare = is_bare_line(at + 1, end);
		}
		at++;
	}
	if (walk->depth > 0)
		return fault(error, "a section is left open", walk->open[walk->depth - 1].name);
	return 0;
}

int template_check(const char *source, const struct template_data *data, int *ret_line,
		   struct error *error)
{
	struct walk walk = { .data = data, .line = 1 };
	int r = walk_over(&walk, source, source + strlen(source), error);

	if (r < 0)
		*ret_line = walk.line;
	return r;
}

int template_render(const char *source, const struct template_data *data, struct text *ret,
		    struct error *error)
{
	struct walk walk = { .data = data, .out = ret, .line = 1 };
	int r = walk_over(&walk, source, source + strlen(source), error);

	if (r < 0)
		return r;
	if (text_failed(ret))
		return error_memory(error);
	return 0;
}
