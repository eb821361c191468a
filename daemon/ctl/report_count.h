/*
 * report_count - the numbers of a report, counted from the facts of one challenge after the
 * other. Pure: no store, no ledger, no clock; and no personal data comes in but in a reference,
 * which is not counted.
 */
#ifndef CTL_REPORT_COUNT_H
#define CTL_REPORT_COUNT_H

#include "core/recipient.h"
#include "core/timeline.h"

enum report_section {
	REPORT_TOTALS,
	REPORT_POLICIES,   /* raised, by policy */
	REPORT_CONCERNS,   /* raised, by whom they concern */
	REPORT_CAUSES,     /* raised, by cause */
	REPORT_PAIRS,      /* raised, by raising and receiving agency */
	REPORT_STAGES,     /* open at the end, by the stage in effect */
	REPORT_TIMESCALES, /* limits that ended in time, by what was owed */
	REPORT_FIRST,      /* resolved without leaving the first stage, by policy */
	REPORT_OUTCOMES,   /* of those resolved */
	REPORT_THEMES,     /* learned */
	REPORT_STAGE_TIME, /* mean days spent in stages that were left */
	REPORT_OLDEST,     /* days since the oldest open one was raised, by policy */
	REPORT_SILENT,     /* agencies that raised none */
	REPORT_SERVICE,    /* notices, and those late by the service's own fault */
	REPORT_SECTIONS,
};

/* What the cells of a section say. */
enum report_measure {
	MEASURE_COUNT,
	MEASURE_SHARE, /* value of `of` */
	MEASURE_DAYS,  /* value in seconds; the mean over `of` where that is not 0 */
	MEASURE_NONE,  /* 1: it raised none */
};

struct report_cell {
	int64_t value;
	int64_t of;
	bool suppressed; /* too few: must not be shown */
};

enum { REPORT_NOW, REPORT_BEFORE, REPORT_COLUMNS };

struct report_row {
	char *label;
	struct report_cell cell[REPORT_COLUMNS];
};

struct report_rows {
	struct report_row *row;
	size_t count;
	size_t capacity;
	uint32_t *place; /* by hash of the label: 1 + its place in `row`; 0: nothing there */
	size_t places;   /* a power of two, or 0 */
};

struct report {
	struct report_rows section[REPORT_SECTIONS];
	bool failed; /* out of memory: the numbers are not whole */
};

/* "timescales", "Within timescale" and so on: for programs and for people. */
const char *report_section_id(enum report_section section);
const char *report_section_title(enum report_section section);
enum report_measure report_section_measure(enum report_section section);

/* From..until, the second excluded; `until` is not after the moment of the report. */
struct report_period {
	struct instant from;
	struct instant until;
};

/* Has the totals of that column there, even if they stay 0. */
void report_begin(struct report *report, int column);

/*
 * Counts one challenge, settled, of a policy that is loaded, in that column. What lies past
 * `until` is as if it had not happened yet. -ENOMEM.
 */
struct report_case {
	const struct policy *policy;
	const struct challenge *challenge;
	const char *raising; /* how the agencies are called */
	const char *receiving;
};
MUST_CHECK int report_add(struct report *report, int column, const struct report_case *one,
			  struct report_period period, struct timeline *timeline,
			  struct error *error);

/* Adds to one cell; for what is not counted from challenges. */
void report_tally(struct report *report, enum report_section section, int column,
		  const char *label, int64_t value, int64_t of);

/*
 * Marks what would tell of too few: counts above 0 and below `least`; shares of so few, or of
 * which so few are or are not; means of so few. Where the parts of a section add up to a total
 * that is shown, so many more are marked, the smallest first, that subtraction leads to no
 * number that is marked. `least` 0 or 1: nothing.
 */
void report_suppress(struct report *report, int64_t least);

/*
 * Puts the rows in order: most first, what is marked last, so that its place says nothing, then
 * by label; totals stay as they came. The last step: nothing is counted or marked after it.
 */
void report_sort(struct report *report);

void report_clear(struct report *report);

#endif
