/*
 * template - texts with named gaps, filled in one pass.
 *
 *   {name}              the value, as it is: a value is never read as a template
 *   {?name}...{/name}   kept when the value is not empty
 *   {!name}...{/name}   kept when it is
 *   {#name}...{/name}   once for each item (a digest's notices)
 *   {{                  one brace
 *
 * Only names on the caller's list exist. A line that holds nothing but section marks leaves no
 * line behind.
 */
#ifndef CORE_TEMPLATE_H
#define CORE_TEMPLATE_H

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>

enum { TEMPLATE_DEPTH = 8, TEMPLATE_NAME_SIZE = 32 };

/* How values land in the text. */
enum template_form {
	TEMPLATE_PLAIN, /* as they are */
	TEMPLATE_HTML,  /* escaped; the inside of <style> holds no gaps, so CSS keeps its braces
			 */
};

/* The names that may be used, and their values side by side; borrowed. */
struct template_data {
	const char *const *names;
	const char *const *values; /* none NULL */
	size_t count;
	enum template_form form;
	const bool *is_html; /* beside the names: values that are HTML already; NULL: none */
	const char *repeat;  /* the name that {#...} may have; NULL: none */
	const struct template_data *items;
	size_t item_count;
};

/*
 * Reads the whole source, every branch of it. 0, or -EINVAL with the line (from 1) in *ret_line
 * and what is wrong: a name that is not on the list, a section left open, a stray brace.
 * Values and items are not looked at.
 */
MUST_CHECK int template_check(const char *source, const struct template_data *data,
			      int *ret_line, struct error *error);

/*
 * Appends the filled text. 0; -EINVAL as above; -ENOMEM. On failure what was appended so far
 * stays: the caller throws it away.
 */
MUST_CHECK int template_render(const char *source, const struct template_data *data,
			       struct text *ret, struct error *error);

#endif
