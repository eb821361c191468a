/*
 * terminal - what a person sees: tables, colour, progress, and being asked.
 *
 * Colour is used on a terminal only, never where NO_COLOR is set (to anything but ""), and is
 * never the only sign of anything.
 */
#ifndef CTL_TERMINAL_H
#define CTL_TERMINAL_H

#include "ctl/command.h"

/* Columns of the terminal behind `out`; 0: it is none, and nothing is to be cut. */
int terminal_width(FILE *out);

enum shade { SHADE_HEAD, SHADE_GOOD, SHADE_WARNING, SHADE_BAD };
/* The bytes that begin a shade on `out`, and those that end any; "" where there is no colour.
 */
const char *terminal_shade(FILE *out, enum shade shade);
const char *terminal_plain(FILE *out);

/*
 * A table whose columns are as wide as what stands in them. On a terminal that is narrower, the
 * widest are cut until lines fit, but for the first, and those whose head begins with '=' or
 * with '>', which sets it to the right.
 */
struct table {
	const char *const *heads; /* borrowed; without that sign when printed */
	size_t columns;
	char **cells; /* rows one after the other */
	size_t count;
	size_t capacity;
	bool failed; /* out of memory: told by table_print */
};

/* Prints the text with a ? for each byte that must not reach a terminal; it may have several
 * lines. */
void terminal_put(FILE *out, const char *text);

/* `cells` has as many texts as there are columns; they are copied, with a ? for each byte that
 * must not reach a terminal. */
void table_add(struct table *table, const char *const *cells);
/* EXIT_DONE, or EXIT_COULD_NOT after saying why. */
int table_print(struct ctl *ctl, const struct table *table);
void table_clear(struct table *table);

/*
 * Progress of work that takes more than a second, on standard error where that is a terminal;
 * otherwise these do nothing.
 */
struct progress {
	FILE *to; /* NULL: nobody watches */
	const char *what;
	int64_t next; /* milliseconds: when to speak again */
	bool spoken;
};
struct progress progress_begin(const struct ctl *ctl, const char *what);
void progress_step(struct progress *progress, size_t done);
void progress_end(struct progress *progress); /* wipes the line; fit for CLEANUP */

/*
 * Asks on the terminal before something that cannot be undone. EXIT_DONE after "yes", or at
 * once with `yes` (--yes); EXIT_NO after any other answer; EXIT_USAGE where nobody can be
 * asked.
 */
int ctl_confirm(struct ctl *ctl, bool yes, const char *question);

#endif
