/*
 * report_html.c - the report as one page of HTML for a board: a chart and its numbers side by
 * side for each section, drawn in SVG, with no script, no font and no picture from elsewhere.
 */
#include "ctl/report_print.h"

#include <string.h>

enum {
	CHART_WIDTH = 420,
	BAR_MOST = 400,
	BAR_HEIGHT = 14,
	BAR_GAP = 10,
	LABEL_HEIGHT = 16,
};

/* Colour is never alone: every bar has its number beside it, and "before" is outlined. */
static const char style[] =
	"body{font:16px/1.5 system-ui,sans-serif;color:#1b1f24;background:#fff;max-width:60rem;"
	"margin:2rem auto;padding:0 1rem}"
	"h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .5rem}"
	".period{color:#57606a;margin:.2rem 0 0}"
	".side{display:flex;flex-wrap:wrap;gap:1.5rem;align-items:flex-start}"
	"table{border-collapse:collapse;flex:1 1 20rem}"
	"th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #d0d7de;"
	"vertical-align:top}"
	"th{font-weight:600}td.n,th.n{text-align:right;white-space:nowrap}"
	"svg{flex:0 1 420px;max-width:100%;height:auto}"
	".now{fill:#1f5f99}.then{fill:#fff;stroke:#1f5f99}"
	"text{font:13px system-ui,sans-serif;fill:#1b1f24}"
	".note{color:#57606a;font-size:.9rem}"
	"@media print{body{margin:0}h2,.side{break-inside:avoid}}";

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
		      "<rect class=\"%s\" x=\"0.5\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
		      column == REPORT_NOW ? "now" : "then", y,
		      most > 0 ? BAR_MOST * size / most : 0.0, BAR_HEIGHT);
}

static void put_chart(FILE *out, const struct report_page *page, enum report_section section)
{
	const struct report_rows *rows = &page->report->section[section];
	int columns = column_count(page);
	int height = LABEL_HEIGHT + columns * BAR_HEIGHT + BAR_GAP;
	double most = largest(page, section);

	(void)fprintf(out, "<svg role=\"img\" viewBox=\"0 0 %d %zu\" aria-label=\"",
		      CHART_WIDTH, (size_t)height * rows->count);
	put_text(out, report_section_title(section));
	(void)fputs(": the numbers are in the table beside\">", out);
	for (size_t i = 0; i < rows->count; i++) {
		int top = (int)i * height;

		(void)fprintf(out, "<text x=\"0\" y=\"%d\">", top + LABEL_HEIGHT - 4);
		put_text(out, rows->row[i].label);
		(void)fputs("</text>", out);
		for (int j = 0; j < columns; j++)
			put_bar(out, section, &rows->row[i].cell[j], j, most,
				top + LABEL_HEIGHT + j * BAR_HEIGHT);
	}
	(void)fputs("</svg>\n", out);
}

static void put_table(FILE *out, const struct report_page *page, enum report_section section)
{
	const struct report_rows *rows = &page->report->section[section];

	(void)fputs("<table><thead><tr><th scope=\"col\"></th>", out);
	for (int j = 0; j < column_count(page); j++) {
		(void)fputs("<th scope=\"col\" class=\"n\">", out);
		put_text(out, page->period[j]);
		(void)fputs("</th>", out);
	}
	(void)fputs("</tr></thead><tbody>\n", out);
	for (size_t i = 0; i < rows->count; i++) {
		(void)fputs("<tr><th scope=\"row\">", out);
		put_text(out, rows->row[i].label);
		(void)fputs("</th>", out);
		for (int j = 0; j < column_count(page); j++) {
			char text[CELL_TEXT_SIZE];

			(void)fprintf(out, "<td class=\"n\">%s</td>",
				      report_cell_text(section, &rows->row[i].cell[j], text));
		}
		(void)fputs("</tr>\n", out);
	}
	(void)fputs("</tbody></table>\n", out);
}

static void put_section(FILE *out, const struct report_page *page, enum report_section section)
{
	if (page->report->section[section].count == 0)
		return;
	(void)fputs("<section><h2>", out);
	put_text(out, report_section_title(section));
	(void)fputs("</h2>\n", out);
	(void)fputs("<div class=\"side\">\n", out);
	if (section != REPORT_SILENT)
		put_chart(out, page, section);
	put_table(out, page, section);
	(void)fputs("</div></section>\n", out);
}

static void put_head(FILE *out, const struct report_page *page)
{
	(void)fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		    "<meta name=\"viewport\" content=\"width=device-width\">"
		    "<meta http-equiv=\"Content-Security-Policy\""
		    " content=\"default-src 'none'; style-src 'unsafe-inline'\">"
		    "<title>Professional challenge, ",
		    out);
	put_text(out, page->period[REPORT_NOW]);
	(void)fprintf(out,
		      "</title><style>%s</style></head><body>\n<h1>Professional challenge "
		      "and resolution</h1>\n<p class=\"period\">",
		      style);
	put_text(out, page->partnership);
	(void)fputs(page->partnership[0] != '\0' ? ", " : "", out);
	put_text(out, page->period[REPORT_NOW]);
	if (column_count(page) > 1) {
		(void)fputs("; outlined: ", out);
		put_text(out, page->period[REPORT_BEFORE]);
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
			      "<p class=\"note\">* fewer than %lld, or left out so that such a "
			      "number cannot be worked out.</p>\n",
			      (long long)page->least);
	(void)fputs(
		"<p class=\"note\">A challenge is a positive sign of good practice: more of "
		"them is not worse.</p>\n</body></html>\n",
		ctl->out);
	return EXIT_DONE; /* a failed write shows at the end of the program */
}
