/*
 * report_html.c - the report as one page of HTML for a board: a chart and its numbers side by
 * side for each section, drawn in SVG, with no script, no font and no picture from elsewhere.
 */
#include "ctl/report_print.h"

#include "base/text.h"
#include "core/unicode.h"

#include <string.h>

enum {
	CHART_WIDTH = 328, /* a telephone's, so that labels are never scaled down */
	BAR_MOST = CHART_WIDTH - 1,
	BAR_HEIGHT = 14,
	BAR_GAP = 10,
	LABEL_HEIGHT = 18,
	LABEL_LENGTH = 46, /* characters that fit; the table beside it has them all */
	BARS_MOST = 20,
};

/* Colour is never alone: every bar has its number beside it, and "before" is outlined. */
static const char style[] =
	":root{color-scheme:light "
	"dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--line:#d0d7de;"
	"--bar:#1f5f99}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#a9b2bb;--paper:#16191d;"
	"--line:#3d444d;--bar:#7db8ec}}"
	"body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
	"max-width:64rem;margin:2rem auto;padding:0 1rem;overflow-wrap:break-word}"
	"h1{font-size:1.6rem;line-height:1.3;margin:0}"
	"h2{font-size:1.15rem;margin:2.4rem 0 .6rem}"
	".soft{color:var(--soft);margin:.3rem 0}"
	".side{display:grid;grid-template-columns:minmax(0,1fr);gap:1rem 2.5rem;"
	"align-items:start}"
	"@media(min-width:50rem){.side{grid-template-columns:minmax(0,26rem) minmax(0,1fr)}"
	".alone{grid-template-columns:minmax(0,1fr)}}"
	"table{border-collapse:collapse;width:100%}"
	"th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid "
	"var(--line);vertical-align:top;font-weight:400}"
	"thead th{font-weight:600;vertical-align:bottom;font-size:.9rem;line-height:1.3}"
	".n{text-align:right;padding-right:0;padding-left:.8rem;width:1%;min-width:5rem}"
	"svg{display:block;width:100%;max-width:26rem;height:auto}"
	".now{fill:var(--bar);stroke:var(--bar)}.then{fill:none;stroke:var(--bar)}"
	"text{font:13px system-ui,sans-serif;fill:var(--ink)}"
	"@media print{:root{--ink:#000;--soft:#444;--paper:#fff;--line:#bbb;--bar:#1f5f99}"
	"body{margin:0;max-width:none;font-size:11pt}h2{break-after:avoid;margin-top:1.4rem}"
	"tr,svg{break-inside:avoid}"
	".side{grid-template-columns:minmax(0,5fr) minmax(0,6fr)}"
	".alone{grid-template-columns:minmax(0,1fr)}}";

/* Text in an element or a quoted attribute. */
static void put_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		switch (*text) {
		case '&':
			(void)fputs("&amp;", out);
			break;
		case '<':
			(void)fputs("&lt;", out);
			break;
		case '>':
			(void)fputs("&gt;", out);
			break;
		case '"':
			(void)fputs("&quot;", out);
			break;
		default:
			(void)fputc(*text, out);
			break;
		}
}

static int column_count(const struct report_page *page)
{
	return page->period[REPORT_BEFORE][0] != '\0' ? REPORT_COLUMNS : 1;
}

/* The size that fills the width; shares fill it at 100 percent. */
static double largest(const struct report_page *page, enum report_section section)
{
	const struct report_rows *rows = &page->report->section[section];
	double most = report_section_measure(section) == MEASURE_SHARE ? 100 : 0;

	for (size_t i = 0; i < rows->count; i++)
		for (int j = 0; j < column_count(page); j++) {
			const struct report_cell *cell = &rows->row[i].cell[j];
			double size = cell->suppressed ? 0 : report_cell_size(section, cell);

			most = size > most ? size : most;
		}
	return most;
}

static void put_bar(FILE *out, enum report_section section, const struct report_cell *cell,
		    int column, double most, int y)
{
	double size = cell->suppressed ? 0 : report_cell_size(section, cell);

	/* What is left out has no length that could be measured. */
	(void)fprintf(out,
		      "<rect class=\"%s\" x=\"0.5\" y=\"%d.5\" width=\"%.1f\" "
		      "height=\"%d\"/>",
		      column == REPORT_NOW ? "now" : "then", y,
		      most > 0 ? BAR_MOST * size / most : 0.0, BAR_HEIGHT - 2);
}

static void put_label(FILE *out, const char *label, int y)
{
	CLEANUP(text_clear) struct text cut = { 0 };

	if (unicode_length(label) > LABEL_LENGTH) {
		text_append_bytes(&cut, label, unicode_prefix(label, LABEL_LENGTH - 1));
		text_append(&cut, "\xE2\x80\xA6");
		label = text_failed(&cut) ? "" : text_string(&cut);
	}
	(void)fprintf(out, "<text x=\"0\" y=\"%d\">", y);
	put_text(out, label);
	(void)fputs("</text>", out);
}

static void put_chart(FILE *out, const struct report_page *page, enum report_section section)
{
	const struct report_rows *rows = &page->report->section[section];
	size_t bars = rows->count < BARS_MOST ? rows->count : BARS_MOST;
	int columns = column_count(page);
	int height = LABEL_HEIGHT + columns * BAR_HEIGHT + BAR_GAP;
	double most = largest(page, section);

	(void)fprintf(out, "<div><svg role=\"img\" viewBox=\"0 0 %d %zu\" aria-label=\"",
		      CHART_WIDTH, (size_t)height * bars);
	put_text(out, report_section_title(section));
	(void)fputs(": the numbers are in the table beside\">", out);
	for (size_t i = 0; i < bars; i++) {
		int top = (int)i * height;

		put_label(out, rows->row[i].label, top + LABEL_HEIGHT - 5);
		for (int j = 0; j < columns; j++)
			put_bar(out, section, &rows->row[i].cell[j], j, most,
				top + LABEL_HEIGHT + j * BAR_HEIGHT);
	}
	(void)fputs("</svg>\n", out);
	if (bars < rows->count)
		(void)fprintf(out,
			      "<p class=\"soft\">The first %zu; the table has all %zu.</p>\n",
			      bars, rows->count);
	(void)fputs("</div>\n", out);
}

/* "8 of 10 (80 %)" on one line, or on two where there is no room. */
static void put_number(FILE *out, const char *text)
{
	(void)fputs("<td class=\"n\">", out);
	for (; *text != '\0'; text++)
		if (*text == ' ' && text[1] != '(')
			(void)fputs("&nbsp;", out);
		else
			(void)fputc(*text, out);
	(void)fputs("</td>", out);
}

static void put_table(FILE *out, const struct report_page *page, enum report_section section)
{
	const struct report_rows *rows = &page->report->section[section];

	(void)fprintf(out, "<table aria-labelledby=\"%s\"><thead><tr><td></td>",
		      report_section_id(section));
	for (int j = 0; j < column_count(page); j++)
		(void)fprintf(out, "<th scope=\"col\" class=\"n\">%s</th>",
			      j == REPORT_NOW ? "This period" : "The one before");
	(void)fputs("</tr></thead><tbody>\n", out);
	for (size_t i = 0; i < rows->count; i++) {
		(void)fputs("<tr><th scope=\"row\">", out);
		put_text(out, rows->row[i].label);
		(void)fputs("</th>", out);
		for (int j = 0; j < column_count(page); j++) {
			char text[CELL_TEXT_SIZE];

			put_number(out, report_cell_text(section, &rows->row[i].cell[j], text));
		}
		(void)fputs("</tr>\n", out);
	}
	(void)fputs("</tbody></table>\n", out);
}

static void put_section(FILE *out, const struct report_page *page, enum report_section section)
{
	bool has_chart = report_section_measure(section) != MEASURE_NONE;

	if (page->report->section[section].count == 0)
		return;
	(void)fprintf(out, "<section><h2 id=\"%s\">", report_section_id(section));
	put_text(out, report_section_title(section));
	(void)fprintf(out, "</h2>\n<div class=\"side%s\">\n", has_chart ? "" : " alone");
	if (has_chart)
		put_chart(out, page, section);
	put_table(out, page, section);
	(void)fputs("</div></section>\n", out);
}

static void put_head(FILE *out, const struct report_page *page)
{
	(void)fputs("<!DOCTYPE html>\n<html lang=\"en-GB\"><head><meta charset=\"utf-8\">"
		    "<meta name=\"viewport\" content=\"width=device-width\">"
		    "<meta http-equiv=\"Content-Security-Policy\""
		    " content=\"default-src 'none'; style-src 'unsafe-inline'\">"
		    "<title>Professional challenge, ",
		    out);
	put_text(out, page->words[REPORT_NOW]);
	(void)fprintf(
		out,
		"</title><style>%s</style></head><body><main>\n<h1>Professional challenge "
		"and resolution</h1>\n",
		style);
	if (page->partnership[0] != '\0') {
		(void)fputs("<p class=\"soft\">", out);
		put_text(out, page->partnership);
		(void)fputs("</p>\n", out);
	}
	(void)fputs("<p class=\"soft\">", out);
	put_text(out, page->words[REPORT_NOW]);
	if (column_count(page) > 1) {
		(void)fputs(" (filled bars), and the period before: ", out);
		put_text(out, page->words[REPORT_BEFORE]);
		(void)fputs(" (outlined bars)", out);
	}
	(void)fputs("</p>\n", out);
}

int report_print_html(struct ctl *ctl, const struct report_page *page)
{
	put_head(ctl->out, page);
	for (int i = 0; i < REPORT_SECTIONS; i++)
		put_section(ctl->out, page, (enum report_section)i);
	if (page->least > 1)
		(void)fprintf(ctl->out,
			      "<p class=\"soft\">* fewer than %lld, or left out so that such a "
			      "number cannot be worked out.</p>\n",
			      (long long)page->least);
	(void)fputs(
		"<p class=\"soft\">A challenge is a positive sign of good practice: more of "
		"them is not worse.</p>\n</main></body></html>\n",
		ctl->out);
	return EXIT_DONE; /* a failed write shows at the end of the program */
}
