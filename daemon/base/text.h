/*
 * text - a string that knows its length and how long it may grow.
 *
 * data is NULL or terminated by a NUL that length does not count. A failed append
 * (out of memory, or past the limit) marks the text as failed and every later append
 * does nothing, so that a long run of appends needs one check at its end: text_failed().
 * A zeroed text is empty, with the default limit of 1 MiB.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct text {
	char *data;
	size_t length;
	size_t capacity;
	size_t limit; /* 0: 1 MiB */
	bool failed;
};

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t length);
void text_append_char(struct text *text, char c);
void text_append_number(struct text *text, int64_t number); /* decimal */
void text_appendf(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* Cuts back to `length` bytes; does nothing when it is shorter already. */
void text_cut(struct text *text, size_t length);

/* True when any append since init, clear or cut-to-zero did not fit. */
MUST_CHECK bool text_failed(const struct text *text);

/* The string, never NULL; owned by the text and gone with the next append. */
const char *text_string(const struct text *text);

/* Hands the string to the caller, who frees it; the text is empty again. NULL: out of memory.
 */
MUST_CHECK char *text_detach(struct text *text);

/* Which of the two fits the number: "challenge is", "challenges are". */
const char *text_plural(int64_t count, const char *one, const char *many);

/* Frees what it holds; safe on a zeroed text and twice. Fit for CLEANUP. */
void text_clear(struct text *text);

#endif
