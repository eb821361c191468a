/*
 * report_print - a report for people and programs: a table, CSV, JSON, or a page of HTML that
 * needs nothing but itself.
 */
#ifndef CTL_REPORT_PRINT_H
#define CTL_REPORT_PRINT_H

#include "ctl/command.h"
#include "ctl/report_count.h"

struct report_page {
	const struct report *report;
	char period[REPORT_COLUMNS][64]; /* "2026-07-01 to 2026-09-30"; [1] "": none */
	char words[REPORT_COLUMNS][80];  /* "1 July 2026 to 30 September 2026" */
	const char *partnership;         /* whose it is; "" */
	int64_t least;                   /* below which numbers are left out; 0: none are */
};

/* Each answers an exit status, after saying what is wrong. */
int report_print_table(struct ctl *ctl, const struct report_page *page);
int report_print_csv(struct ctl *ctl, const struct report_page *page);
int report_print_json(struct ctl *ctl, const struct report_page *page);
int report_print_html(struct ctl *ctl, const struct report_page *page);

/* "12", "8 of 10 (80 %)", "3.4"; "*" for what is suppressed, "-" for what is not there. */
enum { CELL_TEXT_SIZE = 80 };
const char *report_cell_text(enum report_section section, const struct report_cell *cell,
			     char out[static CELL_TEXT_SIZE]);

/* What a cell comes to, to be compared with others of its section: a count, percent or days. */
double report_cell_size(enum report_section section, const struct report_cell *cell);

#endif
