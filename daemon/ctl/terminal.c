/* terminal.c - see terminal.h. */
#include "ctl/terminal.h"

#include "base/list.h"
#include "core/unicode.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000, REFRESH_MS = 200, NARROWEST = 8 };

/* A stream in memory has no descriptor, and is no terminal. */
static bool is_terminal(FILE *stream)
{
	int descriptor = fileno(stream);

	return descriptor >= 0 && isatty(descriptor) != 0;
}

int terminal_width(FILE *out)
{
	struct winsize size = { 0 };

	if (!is_terminal(out) || ioctl(fileno(out), TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

static bool has_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return is_terminal(out) && (no == NULL || no[0] == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

const char *terminal_shade(FILE *out, enum shade shade)
{
	static const char *const codes[] = {
		[SHADE_HEAD] = "\033[1m",
		[SHADE_GOOD] = "\033[32m",
		[SHADE_WARNING] = "\033[33m",
		[SHADE_BAD] = "\033[1;31m",
	};

	return has_colour(out) ? codes[shade] : "";
}

const char *terminal_plain(FILE *out)
{
	return has_colour(out) ? "\033[0m" : "";
}

/* --- tables ---------------------------------------------------------------------------------
 */

/* What stands in a store may be hostile: nothing of it moves the cursor or turns the line. */
static char *printable(const char *text)
{
	CLEANUP(text_clear) struct text copy = { 0 };

	unicode_append_line(&copy, text, "?");
	return text_detach(&copy);
}

void terminal_put(FILE *out, const char *text)
{
	while (*text != '\0') {
		uint32_t character = 0;
		size_t length = unicode_decode(text, &character);
		bool safe = length > 0 && (character == '\n' || !unicode_is_unsafe(character));

		length = length > 0 ? length : 1;
		if (safe)
			(void)fwrite(text, 1, length, out); /* a failure shows at the end */
		else
			(void)fputc('?', out);
		text += length;
	}
}

void table_add(struct table *table, const char *const *cells)
{
	for (size_t i = 0; i < table->columns && !table->failed; i++) {
		char *copy = printable(cells[i]);

		if (copy == NULL || list_reserve(&table->cells, table->count, &table->capacity,
						 sizeof *table->cells) < 0) {
			free(copy);
			table->failed = true;
			return;
		}
		table->cells[table->count++] = copy;
	}
}

void table_clear(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	table->cells = NULL;
	table->count = 0;
	table->capacity = 0;
}

static bool is_right(const char *head)
{
	return head[0] == '>';
}

/* A date cut in half is no date, nor is a number one. */
static bool is_whole(const char *head)
{
	return head[0] == '=' || is_right(head);
}

static const char *head_text(const char *head)
{
	return is_whole(head) ? head + 1 : head;
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = unicode_length(head_text(table->heads[column]));

	for (size_t i = column; i < table->count; i += table->columns) {
		size_t length = unicode_length(table->cells[i]);

		width = length > width ? length : width;
	}
	return width;
}

/* The text, or as many of its characters as fit and a sign that there was more. */
static void print_cut(FILE *out, const char *text, size_t room)
{
	if (room == 0 || unicode_length(text) <= room) {
		(void)fputs(text, out); /* a failed write shows at the end of the program */
		return;
	}
	(void)fwrite(text, 1, unicode_prefix(text, room - 1), out);
	(void)fputs("…", out);
}

static void print_pad(FILE *out, size_t width, const char *text)
{
	for (size_t i = unicode_length(text); i < width; i++)
		(void)fputc(' ', out);
}

static void print_row(FILE *out, const struct table *table, const char *const *cells,
		      const size_t *width, bool cut)
{
	for (size_t i = 0; i < table->columns; i++) {
		bool last = i + 1 == table->columns;
		bool right = is_right(table->heads[i]);
		const char *text = cells == table->heads ? head_text(cells[i]) : cells[i];

		if (right)
			print_pad(out, width[i], text);
		print_cut(out, text, cut ? width[i] : 0);
		if (!last && !right)
			print_pad(out, width[i], text);
		(void)fputs(last ? "\n" : "  ", out);
	}
}

/*
 * Takes from the widest column that may be cut, again and again, until the lines fit. Less than
 * NARROWEST says nothing: then lines are longer.
 */
static void fit(const struct table *table, size_t *width, size_t room)
{
	size_t all = 2 * (table->columns - 1);

	for (size_t i = 0; i < table->columns; i++)
		all += width[i];
	for (; all > room; all--) {
		size_t widest = 0; /* the first stays whole: it is what a row is looked up by */

		for (size_t i = 1; i < table->columns; i++)
			if (!is_whole(table->heads[i]) &&
			    (widest == 0 || width[i] >= width[widest]))
				widest = i;
		if (widest == 0 || width[widest] <= NARROWEST)
			return;
		width[widest]--;
	}
}

int table_print(struct ctl *ctl, const struct table *table)
{
	CLEANUP(freep) size_t *width = calloc(table->columns + 1, sizeof *width);
	size_t room = (size_t)terminal_width(ctl->out);

	if (width == NULL || table->failed)
		return ctl_cannot(ctl, "out of memory");
	for (size_t i = 0; i < table->columns; i++)
		width[i] = column_width(table, i);
	if (room > 0)
		fit(table, width, room);
	(void)fputs(terminal_shade(ctl->out, SHADE_HEAD), ctl->out);
	print_row(ctl->out, table, table->heads, width, room > 0);
	(void)fputs(terminal_plain(ctl->out), ctl->out);
	for (size_t i = 0; i < table->count; i += table->columns)
		print_row(ctl->out, table, (const char *const *)table->cells + i, width,
			  room > 0);
	return EXIT_DONE;
}

/* --- progress -------------------------------------------------------------------------------
 */

static int64_t milliseconds(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* it cannot fail */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct progress progress_begin(const struct ctl *ctl, const char *what)
{
	struct progress progress = { .what = what };

	if (is_terminal(ctl->err)) {
		progress.to = ctl->err;
		progress.next = milliseconds() + PATIENCE_MS;
	}
	return progress;
}

void progress_step(struct progress *progress, size_t done)
{
	if (progress->to == NULL || milliseconds() < progress->next)
		return;
	(void)fprintf(progress->to, "\r%s: %zu", progress->what, done);
	(void)fflush(progress->to);
	progress->next = milliseconds() + REFRESH_MS;
	progress->spoken = true;
}

void progress_end(struct progress *progress)
{
	if (progress->spoken)
		(void)fprintf(progress->to, "\r\033[K");
	progress->spoken = false;
}

/* --- asking ---------------------------------------------------------------------------------
 */

int ctl_confirm(struct ctl *ctl, bool yes, const char *question)
{
	char answer[16] = "";

	if (yes)
		return EXIT_DONE;
	if (!is_terminal(stdin) || ctl->json)
		return ctl_usage(ctl, "%s Nobody can be asked here: say --yes", question);
	(void)fprintf(ctl->err, "%s [yes/no] ", question);
	(void)fflush(ctl->err);
	if (fgets(answer, sizeof answer, stdin) != NULL &&
	    (strcmp(answer, "yes\n") == 0 || strcmp(answer, "y\n") == 0))
		return EXIT_DONE;
	(void)fprintf(ctl->err, "%s: nothing was done\n", ctl->program);
	return EXIT_NO;
}
