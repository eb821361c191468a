/* test_html.c - what a template in HTML may hold, and how values land in it. */
#include "core/html.h"

#include "core/template.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const links[] = { "link" };

/* ---- what is refused, and where ---------------------------------------------------------- */

static const struct check_case {
	const char *name;
	const char *source;
	int line; /* 0: nothing is wrong with it */
	const char *says;
} checks[] = {
	{ "text and gaps", "a {b} & c", 0, "" },
	{ "a whole document",
	  "<!doctype html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\">"
	  "<title>{x}</title></head><body></body></html>",
	  0, "" },
	{ "a style with braces of CSS", "<style>p { margin: 0 }</style>", 0, "" },
	{ "capitals", "<P CLASS=\"x\">a</p><BR>", 0, "" },
	{ "a comment", "<p><!-- <script> --></p>", 0, "" },
	{ "a link to a gap", "<a href=\"{link}\">x</a>", 0, "" },
	{ "a link of its own", "<a href=\"https://x.example/\">x</a>", 0, "" },
	{ "a gap among words in a title", "<abbr title=\"as {role}\">x</abbr>", 0, "" },
	{ "an attribute on the next line", "<p\n class=\"x\">a</p>", 0, "" },
	{ "a script", "<p>\n<script>x</script></p>", 2, "element: script" },
	{ "a picture", "\n\n<img src=\"x\">", 3, "element: img" },
	{ "a stylesheet from elsewhere", "<link href=\"x\">", 1, "element: link" },
	{ "a frame", "<iframe></iframe>", 1, "element: iframe" },
	{ "a form", "<form></form>", 1, "element: form" },
	{ "an event handler", "<p onclick=\"x\">a</p>", 1, "attribute: onclick" },
	{ "an event handler of a style", "<style onload=\"x\">p {}</style>", 1,
	  "no attribute" },
	{ "a background picture", "<table background=\"x\"></table>", 1, "background" },
	{ "a refresh", "<meta http-equiv=\"refresh\">", 1, "http-equiv" },
	{ "a link that runs", "<a href=\"javascript:x\">x</a>", 1, "href" },
	{ "a link that is relative", "<a href=\"x\">x</a>", 1, "href" },
	{ "a link to a gap that is none", "<a href=\"{name}\">x</a>", 1, "href" },
	{ "a link that begins with a gap", "<a href=\"{link}/x\">x</a>", 1, "href" },
	{ "a link with a gap in it", "<a href=\"https://x.example/{link}\">x</a>", 1, "href" },
	{ "a gap in a style", "<p style=\"color: {x}\">a</p>", 1, "style" },
	{ "a gap in a class", "<p class=\"{x}\">a</p>", 1, "class" },
	{ "a gap that makes an attribute", "<p {x}>a</p>", 1, "attribute" },
	{ "a section within a tag", "<p{?x} class=\"y\"{/x}>a</p>", 1, "tag" },
	{ "a style that fetches", "<style>p { background: URL(x) }</style>", 1, "url(" },
	{ "a style that imports", "<style>@import 'x';</style>", 1, "@import" },
	{ "a style that escapes", "<p style=\"a: \\75 rl(x)\">a</p>", 1, "\\" },
	{ "a style left open", "<p>a</p>\n<style>p {}", 2, "open: style" },
	{ "an attribute without quotation marks", "<p class=x>a</p>", 1, "class" },
	{ "a quotation mark left open", "<p class=\"x>a</p>", 1, "quotation" },
	{ "a tag left open", "<p class=\"x\"", 1, "not closed" },
	{ "an element left open", "<p>\n<b>a</b>\n", 3, "open: p" },
	{ "elements crossed", "<p>\n<b>a</p></b>", 2, "last opened: p" },
	{ "a closing tag alone", "a</p>", 1, "last opened: p" },
	{ "a void element closed", "<br></br>", 1, "last opened: br" },
	{ "a sign that begins no tag", "1 < 2", 1, "&lt;" },
	{ "a comment left open", "a\n<!-- x", 2, "comment" },
	{ "an element without a name", "<>", 1, "&lt;" },
	{ "a very long name", "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>", 1, "&lt;" },
	{ "too many within each other",
	  "<b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b><b>"
	  "<b><b><b><b><b>",
	  1, "too many" },
};

static void is_checked(void **state)
{
	const struct check_case *c = *state;
	struct error error = { 0 };
	int line = 0;
	int r = html_check(c->source, links, COUNT(links), &line, &error);

	assert_int_equal(r, c->line == 0 ? 0 : -EINVAL);
	assert_int_equal(line, c->line);
	if (strstr(error.text, c->says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.text, c->says);
}

/* ---- how values land --------------------------------------------------------------------- */

static const struct fill_case {
	const char *name;
	const char *source;
	const char *value;
	const char *wanted;
} fills[] = {
	{ "plain words", "<p>{a}</p>", "x y", "<p>x y</p>" },
	{ "a tag", "<p>{a}</p>", "<b>&amp;", "<p>&lt;b&gt;&amp;amp;</p>" },
	{ "quotation marks", "<p title=\"{a}\">", "\"'", "<p title=\"&quot;&#39;\">" },
	{ "a gap in a value stays text", "{a}", "{a}{?a}", "{a}{?a}" },
	{ "what is HTML already", "{b}", "<b>", "<i>b</i>" },
	{ "letters of other alphabets", "{a}", "Siân ŵ", "Siân ŵ" },
	{ "a section goes by the value", "{?a}<b>{a}</b>{/a}", "", "" },
	{ "CSS keeps its braces", "<style>a { b: {a} }</style>{a}", "x",
	  "<style>a { b: {a} }</style>x" },
	{ "capitals too", "<STYLE>{a}</STYLE>{a}", "x", "<STYLE>{a}</STYLE>x" },
	{ "an element that only begins like it", "<styled>{a}", "x", "<styled>x" },
};

static void lands(void **state)
{
	static const char *const names[] = { "a", "b" };
	static const bool is_html[] = { false, true };
	const struct fill_case *c = *state;
	const char *const values[] = { c->value, "<i>b</i>" };
	const struct template_data data = { .names = names,
					    .values = values,
					    .count = 2,
					    .form = TEMPLATE_HTML,
					    .is_html = is_html };
	struct text out = { 0 };

	assert_int_equal(template_render(c->source, &data, &out, NULL), 0);
	assert_string_equal(text_string(&out), c->wanted);
	text_clear(&out);
}

static void lines_count_through_a_style(void **state)
{
	static const char *const names[] = { "a" };
	const struct template_data data = { .names = names, .count = 1, .form = TEMPLATE_HTML };
	int line = 0;

	(void)state;
	assert_int_equal(template_check("<style>\n{x}\n</style>\n\n{b}", &data, &line, NULL),
			 -EINVAL);
	assert_int_equal(line, 5);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(lines_count_through_a_style),
	};
	struct CMUnitTest of_checks[COUNT(checks)];
	struct CMUnitTest of_fills[COUNT(fills)];
	int failed;

	for (size_t i = 0; i < COUNT(checks); i++)
		of_checks[i] = (struct CMUnitTest){ .name = checks[i].name,
						    .test_func = is_checked,
						    .initial_state = (void *)&checks[i] };
	for (size_t i = 0; i < COUNT(fills); i++)
		of_fills[i] = (struct CMUnitTest){ .name = fills[i].name,
						   .test_func = lands,
						   .initial_state = (void *)&fills[i] };
	failed = cmocka_run_group_tests_name("html_check", of_checks, NULL, NULL);
	failed += cmocka_run_group_tests_name("values", of_fills, NULL, NULL);
	failed += cmocka_run_group_tests_name("others", others, NULL, NULL);
	return failed;
}
