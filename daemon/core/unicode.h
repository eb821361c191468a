/*
 * unicode - UTF-8 read one character at a time, and the characters that no line may hold.
 *
 * Values from the store are hostile: overlong forms, surrogates, and characters that break a
 * line or turn the direction of what a person reads are found here, and nowhere else.
 */
#ifndef CORE_UNICODE_H
#define CORE_UNICODE_H

#include "base/text.h"

#include <stdint.h>

/*
 * The character at the start of a non-empty terminated string and its length in bytes, 1..4;
 * 0 when the bytes there are not UTF-8 as RFC 3629 has it (*ret is then as it was, and one byte
 * is to be skipped).
 */
size_t unicode_decode(const char *string, uint32_t *ret);

/*
 * True for what must not stand in a line: C0 and C1 controls, DEL, the line and paragraph
 * separators, and the characters that embed, override or isolate a direction (U+202A..U+202E,
 * U+2066..U+2069).
 */
bool unicode_is_unsafe(uint32_t character);

/* True when the whole string is UTF-8 without an unsafe character. */
bool unicode_is_safe_line(const char *string);

/* Appends the string as it may stand in a line: `instead` for each unsafe character, and for
 * each byte that is not UTF-8. */
void unicode_append_line(struct text *text, const char *string, const char *instead);

/* What stands in for bytes or characters that were not let through: U+FFFD. */
#define UNICODE_REPLACEMENT "\xef\xbf\xbd"

/* How many characters a string shows as; a byte that is not UTF-8 counts as one. */
size_t unicode_length(const char *string);

/* How many bytes the first `count` of these characters have; all, where there are fewer. */
size_t unicode_prefix(const char *string, size_t count);

#endif
