/* test_template.c - gaps, sections and repeats, and what is refused. */
#include "core/template.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FULL_7 "{?full}{?full}{?full}{?full}{?full}{?full}{?full}"
#define CLOSE_7 "{/full}{/full}{/full}{/full}{/full}{/full}{/full}"
#define DEEP_7(inside) FULL_7 inside CLOSE_7

static const char *const names[] = { "full", "empty", "brace", "number" };
static const char *const values[] = { "value", "", "{full}{?empty}{#items}", "0" };
static const char *const first[] = { "one", "", "", "1" };
static const char *const second[] = { "two", "", "", "2" };

static const struct template_data items[] = {
	{ .names = names, .values = first, .count = COUNT(names) },
	{ .names = names, .values = second, .count = COUNT(names) },
};
static const struct template_data data = {
	.names = names,
	.values = values,
	.count = COUNT(names),
	.repeat = "items",
	.items = items,
	.item_count = COUNT(items),
};

static const struct template_case {
	const char *name;
	const char *source;
	const char *want; /* NULL: refused */
	int line;
	const char *says; /* NULL: anything */
} cases[] = {
	{ "plain text stays", "a } b\n", "a } b\n", 0 },
	{ "a gap is filled", "<{full}>", "<value>", 0 },
	{ "two braces are one", "{{full}", "{full}", 0 },
	{ "a value is never a template", "{brace}", "{full}{?empty}{#items}", 0 },
	{ "a section of something stays", "a{?full}b{/full}c", "abc", 0 },
	{ "a section of nothing goes", "a{?empty}b{/empty}c", "ac", 0 },
	{ "an unless of something goes", "a{!full}b{/full}c", "ac", 0 },
	{ "an unless of nothing stays", "a{!empty}b{/empty}c", "abc", 0 },
	{ "nothing inside nothing comes back", "{?empty}{?full}x{/full}{/empty}", "", 0 },
	{ "nothing inside something goes", "{?full}a{?empty}x{/empty}b{/full}", "ab", 0 },
	{ "a line of marks alone leaves no line", "a\n{?full}\nb\n{/full}\nc\n", "a\nb\nc\n",
	  0 },
	{ "a dropped section leaves no line", "a\n{?empty}\nb\n{/empty}\nc\n", "a\nc\n", 0 },
	{ "a line with a gap and marks stays a line", "{?full}{full}{/full}\n", "value\n", 0 },
	{ "a repeat speaks once for each", "{#items}{full},{/items}.", "one,two,.", 0 },
	{ "a repeat over lines", "{#items}\n{number}: {full}\n{/items}\nend\n",
	  "1: one\n2: two\nend\n", 0 },
	{ "a repeat inside nothing says nothing", "{?empty}{#items}x{/items}{/empty}", "", 0 },
	{ "a name not on the list is refused", "a\nb\n{secret}", NULL, 3 },
	{ "so it is in a branch not taken", "{?empty}\n{secret}{/empty}", NULL, 2 },
	{ "so it is in a repeat", "{#items}\n\n{secret}{/items}", NULL, 3 },
	{ "so it is as a section", "{?secret}x{/secret}", NULL, 1 },
	{ "so it is as a section that nothing closes", "{?secret}x", NULL, 1 },
	{ "a section left open is refused", "{?full}\na", NULL, 2, "left open: full" },
	{ "a repeat left open is refused", "{#items}a", NULL, 1 },
	{ "a section closed twice is refused", "{?full}{/full}{/full}", NULL, 1 },
	{ "sections that cross are refused", "{?full}{?empty}{/full}{/empty}", NULL, 1 },
	{ "a repeat within a repeat is refused", "{#items}{#items}{/items}{/items}", NULL, 1 },
	{ "a repeat of a gap is refused", "{#full}x{/full}", NULL, 1 },
	{ "a stray brace is refused", "a { b", NULL, 1 },
	{ "a brace at the end is refused", "a {", NULL, 1 },
	{ "an unfinished gap is refused", "{full", NULL, 1 },
	{ "an empty gap is refused", "{}", NULL, 1, "two stand for one" },
	{ "two braces at a repeat's end are none", "{#items}x{{/items}", NULL, 1 },
	{ "a name that anything else follows is refused", "{full }", NULL, 1 },
	{ "blanks around marks alone leave no line", "a\n \t{?full} \nb\n{/full}\nc\n",
	  "a\nb\nc\n", 0 },
	{ "capitals are refused", "{FULL}", NULL, 1 },
	{ "a name too long is refused", "{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", NULL, 1 },
	{ "eight sections deep is enough", DEEP_7("{?full}x{/full}"), "x", 0 },
	{ "nine sections deep is refused", DEEP_7("{?full}{?full}x{/full}{/full}"), NULL, 1 },
};

static void fills_or_refuses(void **state)
{
	const struct template_case *c = *state;
	struct text text = { 0 };
	struct error error = { 0 };
	int line = 0;
	int checked = template_check(c->source, &data, &line, &error);
	int rendered = template_render(c->source, &data, &text, &error);

	assert_int_equal(checked, c->want != NULL ? 0 : -EINVAL);
	if (c->want != NULL) {
		assert_int_equal(rendered, 0);
		assert_string_equal(text_string(&text), c->want);
		assert_int_equal(line, 0);
	} else {
		assert_int_equal(line, c->line);
		assert_true(error.text[0] != '\0');
		if (c->says != NULL && strstr(error.text, c->says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", error.text, c->says);
	}
	text_clear(&text);
}

static const struct html_case {
	const char *name;
	const char *source;
	const char *want;
} html_cases[] = {
	{ "a value is escaped", "<b>{odd}</b>", "<b>&lt;{&gt;</b>" },
	{ "but not when it is HTML already", "{made}", "<i>{x}</i>" },
	{ "a style keeps its braces", "{full}<style>a {b}\n{?c}</style>{full}",
	  "value<style>a {b}\n{?c}</style>value" },
	{ "a style may be the end", "{full}\n<style>{a}</style>", "value\n<style>{a}</style>" },
	{ "a style that is not closed goes to the end", "<style>{a", "<style>{a" },
	{ "a style in a section of nothing goes", "{?empty}<style>{a}</style>{/empty}x", "x" },
	{ "a style in a repeat", "{#items}<style>{a}</style>{full}{/items}",
	  "<style>{a}</style>one<style>{a}</style>two" },
	{ "a line with a style and marks stays a line", "{?full}<style></style>{/full}\n",
	  "<style></style>\n" },
};

static const char *const html_names[] = { "full", "empty", "odd", "made" };
static const char *const html_values[] = { "value", "", "<{>", "<i>{x}</i>" };
static const char *const html_first[] = { "one", "", "", "" };
static const char *const html_second[] = { "two", "", "", "" };
static const bool html_is_html[] = { false, false, false, true };
static const struct template_data html_items[] = {
	{ .names = html_names, .values = html_first, .count = 4, .form = TEMPLATE_HTML },
	{ .names = html_names, .values = html_second, .count = 4, .form = TEMPLATE_HTML },
};
static const struct template_data html_data = {
	.names = html_names,
	.values = html_values,
	.count = 4,
	.form = TEMPLATE_HTML,
	.is_html = html_is_html,
	.repeat = "items",
	.items = html_items,
	.item_count = COUNT(html_items),
};

static void fills_html(void **state)
{
	const struct html_case *c = *state;
	struct text text = { 0 };
	struct error error = { 0 };
	int line = 0;

	assert_int_equal(template_check(c->source, &html_data, &line, &error), 0);
	assert_int_equal(template_render(c->source, &html_data, &text, &error), 0);
	assert_int_equal(text.length, strlen(c->want));
	assert_string_equal(text_string(&text), c->want);
	text_clear(&text);
}

/* What an item has not got, it has from the letter around it. */
static void an_item_falls_back_on_its_letter(void **state)
{
	static const char *const item_names[] = { "number" };
	static const char *const item_values[] = { "7" };
	static const struct template_data item = { .names = item_names,
						   .values = item_values,
						   .count = 1 };
	const struct template_data letter = { .names = names,
					      .values = values,
					      .count = COUNT(names),
					      .repeat = "items",
					      .items = &item,
					      .item_count = 1 };
	struct text text = { 0 };
	struct error error = { 0 };

	(void)state;
	assert_int_equal(template_render("{number} {#items}{full} {number}{/items}", &letter,
					 &text, &error),
			 0);
	assert_string_equal(text_string(&text), "0 value 7");
	text_clear(&text);
}

/* A letter has few lines; a fault behind a style is still on its own. */
static void counts_the_lines_of_a_style(void **state)
{
	struct error error = { 0 };
	int line = 0;

	(void)state;
	assert_int_equal(
		template_check("<style>\n\n</style>\n{secret}", &html_data, &line, &error),
		-EINVAL);
	assert_int_equal(line, 4);
}

/* Nothing is said, and yet it is read, and the lines in it count. */
static void a_repeat_of_nothing_says_nothing(void **state)
{
	const struct template_data none = {
		.names = names, .values = values, .count = COUNT(names), .repeat = "items"
	};
	struct text text = { 0 };
	struct error error = { 0 };
	int line = 0;

	(void)state;
	assert_int_equal(
		template_render("a\n{#items}\n{number}\n{/items}\nb\n", &none, &text, &error),
		0);
	assert_string_equal(text_string(&text), "a\nb\n");
	assert_int_equal(
		template_check("{#items}\n\n{number}{/items}\n{secret}", &none, &line, &error),
		-EINVAL);
	assert_int_equal(line, 4);
	assert_int_equal(template_check("{#items}{secret}{/items}", &none, &line, &error),
			 -EINVAL);
	text_clear(&text);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(cases) + COUNT(html_cases) + 3];

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = fills_or_refuses,
						.initial_state = (void *)&cases[i] };
	for (size_t i = 0; i < COUNT(html_cases); i++)
		tests[COUNT(cases) + i] =
			(struct CMUnitTest){ .name = html_cases[i].name,
					     .test_func = fills_html,
					     .initial_state = (void *)&html_cases[i] };
	tests[COUNT(tests) - 3] =
		(struct CMUnitTest)cmocka_unit_test(an_item_falls_back_on_its_letter);
	tests[COUNT(tests) - 2] =
		(struct CMUnitTest)cmocka_unit_test(a_repeat_of_nothing_says_nothing);
	tests[COUNT(tests) - 1] =
		(struct CMUnitTest)cmocka_unit_test(counts_the_lines_of_a_style);
	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
