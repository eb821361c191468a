/*
 * html - what the HTML of a mail may hold, and how a value lands in it.
 *
 * Templates are edited by administrators, values come from strangers. A template is held to a
 * short list of elements and attributes: nothing that runs, nothing that is fetched from
 * elsewhere, and gaps only where an escaped value can do no harm.
 */
#ifndef CORE_HTML_H
#define CORE_HTML_H

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>

/* Appends the value so that it reads as itself in text and in a double-quoted attribute. */
void html_escape(struct text *out, const char *value);

/*
 * True at "<style", whose inside is no place for gaps: braces are CSS there. *ret_length is
 * the length up to and with "</style>", or to the end of the string.
 */
bool html_is_style(const char *at, size_t *ret_length);

/*
 * Reads a template (core/template has read its gaps already): elements and attributes of the
 * lists in html.c, closed in order; gaps in text, alone in href="{link}" by one of the names in
 * `links`, and in the attributes that hold words. 0, or -EINVAL with the line (from 1) and what
 * is wrong.
 */
MUST_CHECK int html_check(const char *source, const char *const *links, size_t link_count,
			  int *ret_line, struct error *error);

#endif
