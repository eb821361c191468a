/*
 * error - what went wrong, in words fit to show, and as a number.
 *
 * The lowest layer sets what happened; each caller may put what it was attempting
 * in front. Nothing here prints: the service and challengectl alone speak. An
 * untouched struct error is { 0 } and stays so on success, so calls chain.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/cleanup.h"

struct error {
	int code;       /* a positive errno value; 0: no error */
	char text[500]; /* one line, always terminated; control characters replaced by '?' */
};

/*
 * Sets code (a positive errno) and text, cut to fit. Returns -code, so that a
 * failing function ends with `return error_set(...)`. `error` may be NULL: then only
 * the return value speaks.
 */
int error_set(struct error *error, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "FORMAT: " in front of the text there is. Returns -code as it was (-EIO for NULL). */
int error_wrap(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* The usual sentence for -ENOMEM. Returns -ENOMEM. */
int error_memory(struct error *error);

#endif
