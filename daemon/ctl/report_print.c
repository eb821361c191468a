/* report_print.c - see report_print.h; the page of HTML is in report_html.c. */
#include "ctl/report_print.h"

#include "adapter/csv_file.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

double report_cell_size(enum report_section section, const struct report_cell *cell)
{
	double of = cell->of > 0 ? (double)cell->of : 1;

	switch (report_section_measure(section)) {
	case MEASURE_COUNT:
	case MEASURE_NONE:
		return (double)cell->value;
	case MEASURE_SHARE:
		return cell->of > 0 ? 100.0 * (double)cell->value / of : 0;
	case MEASURE_DAYS:
		return (double)cell->value / of / SECONDS_PER_DAY;
	}
	return 0;
}

/* Nothing was measured, which is not the same as 0. */
static bool is_empty(enum report_section section, const struct report_cell *cell)
{
	switch (report_section_measure(section)) {
	case MEASURE_COUNT:
		return false;
	case MEASURE_NONE:
		return cell->value == 0;
	case MEASURE_SHARE:
		return cell->of == 0;
	case MEASURE_DAYS:
		return cell->value == 0 && cell->of == 0;
	}
	return false;
}

const char *report_cell_text(enum report_section section, const struct report_cell *cell,
			     char out[static CELL_TEXT_SIZE])
{
	double size = report_cell_size(section, cell);

	if (cell->suppressed)
		return "*";
	if (is_empty(section, cell))
		return "-";
	switch (report_section_measure(section)) {
	case MEASURE_COUNT:
		(void)snprintf(out, CELL_TEXT_SIZE, "%lld", (long long)cell->value); /* fits */
		break;
	case MEASURE_NONE:
		return "none";
	case MEASURE_SHARE:
		(void)snprintf(out, CELL_TEXT_SIZE, "%lld of %lld (%.0f %%)",
			       (long long)cell->value, (long long)cell->of, size); /* fits */
		break;
	case MEASURE_DAYS:
		(void)snprintf(out, CELL_TEXT_SIZE, "%.1f", size); /* fits */
		break;
	}
	return out;
}

static bool has_before(const struct report_page *page)
{
	return page->period[REPORT_BEFORE][0] != '\0';
}

/* --- table ----------------------------------------------------------------------------------
 */

static int print_section(struct ctl *ctl, const struct report_page *page,
			 enum report_section section)
{
	static const char *const heads[] = { ">NOW", ">BEFORE", "" };
	static const char *const heads_alone[] = { ">NOW", "" };
	const struct report_rows *rows = &page->report->section[section];
	bool before = has_before(page);
	CLEANUP(table_clear)
	struct table table = { .heads = before ? heads : heads_alone,
			       .columns = before ? 3 : 2 };

	(void)fprintf(ctl->out, "\n%s%s%s\n", terminal_shade(ctl->out, SHADE_HEAD),
		      report_section_title(section), terminal_plain(ctl->out));
	for (size_t i = 0; i < rows->count; i++) {
		const struct report_row *row = &rows->row[i];
		char texts[REPORT_COLUMNS][CELL_TEXT_SIZE];
		const char *now =
			report_cell_text(section, &row->cell[REPORT_NOW], texts[REPORT_NOW]);
		const char *then = report_cell_text(section, &row->cell[REPORT_BEFORE],
						    texts[REPORT_BEFORE]);

		if (before)
			table_add(&table, (const char *[]){ now, then, row->label });
		else
			table_add(&table, (const char *[]){ now, row->label });
	}
	return table_print(ctl, &table);
}

int report_print_table(struct ctl *ctl, const struct report_page *page)
{
	(void)fprintf(ctl->out, "Report for %s", page->period[REPORT_NOW]);
	if (has_before(page))
		(void)fprintf(ctl->out, ", and before it %s", page->period[REPORT_BEFORE]);
	(void)fputc('\n', ctl->out);
	for (int i = 0; i < REPORT_SECTIONS; i++) {
		int status = EXIT_DONE;

		if (page->report->section[i].count > 0)
			status = print_section(ctl, page, (enum report_section)i);
		if (status != EXIT_DONE)
			return status;
	}
	if (page->least > 1)
		(void)fprintf(ctl->out,
			      "\n* fewer than %lld, or left out so that such a "
			      "number cannot be worked out\n",
			      (long long)page->least);
	return EXIT_DONE;
}

/* --- CSV ------------------------------------------------------------------------------------
 */

/* A number and what it is of, each "" where it must not be shown or is not there. */
static void csv_cell(enum report_section section, const struct report_cell *cell,
		     char value[static CELL_TEXT_SIZE], char of[static CELL_TEXT_SIZE])
{
	bool days = report_section_measure(section) == MEASURE_DAYS;

	value[0] = '\0';
	of[0] = '\0';
	if (cell->suppressed || is_empty(section, cell))
		return;
	if (days)
		(void)snprintf(value, CELL_TEXT_SIZE, "%.1f",
			       report_cell_size(section, cell)); /* fits */
	else
		(void)snprintf(value, CELL_TEXT_SIZE, "%lld",
			       (long long)cell->value); /* fits */
	if (cell->of > 0)
		(void)snprintf(of, CELL_TEXT_SIZE, "%lld", (long long)cell->of); /* fits */
}

static int csv_row(struct ctl *ctl, const struct report_page *page, enum report_section section,
		   const struct report_row *row)
{
	char texts[2 * REPORT_COLUMNS][CELL_TEXT_SIZE];
	const char *fields[2 + 2 * REPORT_COLUMNS] = { report_section_id(section), row->label };
	size_t columns = has_before(page) ? REPORT_COLUMNS : 1;

	for (size_t i = 0; i < columns; i++) {
		csv_cell(section, &row->cell[i], texts[2 * i], texts[2 * i + 1]);
		fields[2 + 2 * i] = texts[2 * i];
		fields[3 + 2 * i] = texts[2 * i + 1];
	}
	return csv_write_row(ctl->out, fields, 2 + 2 * columns);
}

int report_print_csv(struct ctl *ctl, const struct report_page *page)
{
	static const char *const heads[] = { "section", "label",        "value",
					     "of",      "before_value", "before_of" };
	int result = csv_write_row(ctl->out, heads, has_before(page) ? 6 : 4);

	for (int i = 0; i < REPORT_SECTIONS; i++)
		for (size_t j = 0; j < page->report->section[i].count && result == 0; j++)
			result = csv_row(ctl, page, (enum report_section)i,
					 &page->report->section[i].row[j]);
	return result == 0 ? EXIT_DONE : ctl_cannot(ctl, "the answer could not be written");
}

/* --- JSON -----------------------------------------------------------------------------------
 */

static json_t *cell_json(enum report_section section, const struct report_cell *cell)
{
	bool days = report_section_measure(section) == MEASURE_DAYS;

	if (cell->suppressed)
		return json_pack("{s:n, s:n, s:b}", "value", "of", "suppressed", 1);
	if (is_empty(section, cell))
		return json_pack("{s:n, s:n, s:b}", "value", "of", "suppressed", 0);
	return json_pack(
		"{s:o, s:o, s:b}", "value",
		days ? json_real(report_cell_size(section, cell)) : json_integer(cell->value),
		"of", cell->of > 0 ? json_integer(cell->of) : json_null(), "suppressed", 0);
}

static json_t *row_json(const struct report_page *page, enum report_section section,
			const struct report_row *row)
{
	json_t *object = json_pack("{s:s, s:o}", "label", row->label, "now",
				   cell_json(section, &row->cell[REPORT_NOW]));

	if (object != NULL && has_before(page) &&
	    json_object_set_new(object, "before",
				cell_json(section, &row->cell[REPORT_BEFORE])) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *section_json(const struct report_page *page, enum report_section section)
{
	static const char *const measures[] = {
		[MEASURE_COUNT] = "count",
		[MEASURE_SHARE] = "share",
		[MEASURE_DAYS] = "days",
		[MEASURE_NONE] = "none",
	};
	const struct report_rows *rows = &page->report->section[section];
	json_t *list = json_array();

	for (size_t i = 0; i < rows->count; i++)
		if (json_array_append_new(list, row_json(page, section, &rows->row[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return json_pack("{s:s, s:s, s:o}", "title", report_section_title(section), "measure",
			 measures[report_section_measure(section)], "rows", list);
}

int report_print_json(struct ctl *ctl, const struct report_page *page)
{
	json_t *all = json_object();

	for (int i = 0; i < REPORT_SECTIONS; i++)
		if (json_object_set_new(all, report_section_id((enum report_section)i),
					section_json(page, (enum report_section)i)) < 0) {
			json_decref(all);
			return ctl_cannot(ctl, "out of memory");
		}
	return ctl_print_json(
		ctl, json_pack("{s:s, s:s?, s:I, s:o}", "period", page->period[REPORT_NOW],
			       "before", has_before(page) ? page->period[REPORT_BEFORE] : NULL,
			       "suppress_below", (json_int_t)page->least, "sections", all));
}
