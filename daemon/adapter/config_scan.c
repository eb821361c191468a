/* config_scan.c - see config_scan.h. */
#include "adapter/config_scan.h"

#include "base/list.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* bison's own limit is 10000 levels of its stack; no honest file comes near this one. */
enum { DEEPEST = 40 };

struct scan {
	const unsigned char *at;
	const unsigned char *end;
	int line;
	int depth;
	const char *name; /* the setting being read, as far as names tell; not terminated */
	size_t name_length;
	const char *file;
	struct fault_list *faults;
	struct scanned *scanned;
};

static void mark(struct scan *scan, int line)
{
	struct scanned *scanned = scan->scanned;

	if (list_reserve(&scanned->line, scanned->count, &scanned->capacity, sizeof(int)) < 0)
		scanned->hopeless =
			true; /* out of memory: better no value than a wrecked one */
	else
		scanned->line[scanned->count++] = line;
}

static void note(struct scan *scan, int line, const char *text)
{
	char key[65] = "";

	if (scan->name_length > 0 && scan->name_length < sizeof key)
		memcpy(key, scan->name, scan->name_length);
	fault_add(scan->faults, scan->file, line, key, "%s", text);
}

static void hopeless(struct scan *scan, int line, const char *text)
{
	fault_add(scan->faults, scan->file, line, "", "%s", text);
	scan->scanned->hopeless = true;
}

static bool is_name_start(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*' || c == '_';
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(unsigned char c)
{
	return is_name_start(c) || is_digit(c) || c == '-' || c == '+' || c == '.';
}

static void skip_line(struct scan *scan)
{
	while (scan->at < scan->end && *scan->at != '\n')
		scan->at++;
}

static void skip_comment(struct scan *scan)
{
	int began = scan->line;

	for (scan->at += 2; scan->at + 1 < scan->end; scan->at++) {
		if (scan->at[0] == '*' && scan->at[1] == '/') {
			scan->at += 2;
			return;
		}
		if (*scan->at == '\n')
			scan->line++;
	}
	scan->at = scan->end;
	hopeless(scan, began, "a comment begins here and never ends");
}

/* The escapes that libconfig knows; "\x" with anything else is taken literally by it. */
static void check_escape(struct scan *scan)
{
	const unsigned char *at = scan->at;
	size_t left = (size_t)(scan->end - at);

	if (left >= 2 && strchr("nrtf\\\"", at[1]) != NULL && at[1] != '\0')
		return;
	if (left >= 4 && at[1] == 'x' && at[2] == '0' && at[3] == '0') {
		note(scan, scan->line, "\"\\x00\" would cut the text off");
		mark(scan, scan->line);
		return;
	}
	if (left >= 4 && at[1] == 'x' &&
	    strspn((const char *)at + 2, "0123456789abcdefABCDEF") >= 2)
		return;
	note(scan, scan->line,
	     "a backslash in a text must be followed by n, r, t, f, \\, \" or x and two "
	     "hexadecimal digits");
	mark(scan, scan->line);
}

/*
 * A text ends on its line (a long one is written as several, one behind the other): otherwise a
 * forgotten quotation mark would turn the rest of the file inside out.
 */
static void skip_string(struct scan *scan)
{
	for (scan->at++; scan->at < scan->end && *scan->at != '\n'; scan->at++) {
		if (*scan->at == '"') {
			scan->at++;
			return;
		}
		if (*scan->at != '\\')
			continue;
		check_escape(scan);
		if (scan->at + 1 < scan->end && scan->at[1] != '\n')
			scan->at++; /* whatever it escapes is no end of the text */
	}
	scan->at = scan->end;
	note(scan, scan->line, "its text has no closing '\"' on this line");
	scan->scanned->hopeless = true;
}

/* Whole decimal numbers that fit 32 bits are all that any setting takes. */
static const char *number_wrong(const char *word, size_t length)
{
	int64_t value = 0;
	size_t i = word[0] == '-' || word[0] == '+' ? 1 : 0;

	if (length - i > 1 && word[i] == '0' && (word[i + 1] == 'x' || word[i + 1] == 'X'))
		return "is hexadecimal; write it in decimal";
	if (length - i > 1 && strspn(word + i, "0123456789") >= length - i && word[i] == '0')
		return "begins with a zero, which some would read as octal; leave the zero out";
	for (; i < length && is_digit((unsigned char)word[i]); i++) {
		value = value * 10 + (word[i] - '0');
		if (value > INT32_MAX)
			return "is too large a number";
	}
	return i < length ? "is not a whole number (a time goes in quotation marks: \"2 days\")"
			  : NULL;
}

static void check_number(struct scan *scan)
{
	const char *word = (const char *)scan->at;
	size_t length = 0;
	const char *wrong;
	char text[200];

	while (scan->at < scan->end && is_word(*scan->at)) {
		scan->at++;
		length++;
	}
	wrong = number_wrong(word, length);
	if (wrong == NULL)
		return;
	(void)snprintf(text, sizeof text, "%.*s %s", length > 40 ? 40 : (int)length, word,
		       wrong); /* fits */
	note(scan, scan->line, text);
	mark(scan, scan->line);
}

static void check_bracket(struct scan *scan)
{
	if (strchr("{([", *scan->at) != NULL && ++scan->depth == DEEPEST)
		hopeless(scan, scan->line, "too many brackets inside each other");
	if (strchr("})]", *scan->at) != NULL)
		scan->depth--;
	scan->at++;
}

static void scan_token(struct scan *scan)
{
	unsigned char c = *scan->at;
	unsigned char next = scan->at + 1 < scan->end ? scan->at[1] : '\0';

	if (c == '#' || (c == '/' && next == '/')) {
		skip_line(scan);
	} else if (c == '/' && next == '*') {
		skip_comment(scan);
	} else if (c == '"') {
		skip_string(scan);
	} else if (c == '@') {
		hopeless(scan, scan->line,
			 "@include is refused: everything is in one file, or a policy of its "
			 "own");
		skip_line(scan);
	} else if (is_name_start(c)) {
		scan->name = (const char *)scan->at;
		while (scan->at < scan->end && is_word(*scan->at))
			scan->at++;
		scan->name_length = (size_t)((const char *)scan->at - scan->name);
	} else if (is_digit(c) || ((c == '-' || c == '+' || c == '.') && is_digit(next))) {
		check_number(scan);
	} else if (c != '\0' && strchr("{}()[]", c) != NULL) {
		check_bracket(scan);
	} else {
		if (c == '\n')
			scan->line++;
		scan->at++;
	}
}

/* Length of the UTF-8 sequence at `at`, 0 when it is none (RFC 3629: no surrogates). */
static size_t utf8_length(const unsigned char *at, size_t left)
{
	uint32_t code;
	size_t length = at[0] < 0x80   ? 1
			: at[0] < 0xc2 ? 0
			: at[0] < 0xe0 ? 2
			: at[0] < 0xf0 ? 3
			: at[0] < 0xf5 ? 4
				       : 0;

	if (length < 2 || length > left)
		return length > left ? 0 : length;
	code = at[0] & (0xffu >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3fu);
	}
	if ((length == 3 && code < 0x800) ||
	    (length == 4 && (code < 0x10000 || code > 0x10ffff)))
		return 0;
	return code >= 0xd800 && code <= 0xdfff ? 0 : length;
}

/* False after noting the first byte that no text has. */
static bool check_bytes(struct scan *scan)
{
	const unsigned char *at = scan->at;
	int line = 1;

	if (scan->end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
		hopeless(scan, 1,
			 "begins with a byte order mark; save it as UTF-8 without one");
		return false;
	}
	while (at < scan->end) {
		size_t length = utf8_length(at, (size_t)(scan->end - at));

		if (*at == '\0' || length == 0) {
			hopeless(scan, line,
				 *at == '\0' ? "a NUL byte: this is not a text file"
					     : "a byte that is not UTF-8");
			return false;
		}
		if (*at == '\n')
			line++;
		at += length;
	}
	return true;
}

void config_scan(const char *bytes, size_t length, const char *file, struct fault_list *faults,
		 struct scanned *ret)
{
	struct scan scan = {
		.at = (const unsigned char *)bytes,
		.end = (const unsigned char *)bytes + length,
		.line = 1,
		.file = file,
		.faults = faults,
		.scanned = ret,
	};

	*ret = (struct scanned){ 0 };
	if (!check_bytes(&scan))
		return;
	while (scan.at < scan.end && scan.depth < DEEPEST)
		scan_token(&scan);
}

bool scanned_has(const struct scanned *scanned, int line)
{
	for (size_t i = 0; i < scanned->count; i++)
		if (scanned->line[i] == line)
			return true;
	return false;
}

void scanned_clear(struct scanned *scanned)
{
	free(scanned->line);
	*scanned = (struct scanned){ 0 };
}

bool config_scan_begins(const char *bytes, size_t length, const char *name)
{
	struct fault_list unheard = { 0 };
	struct scanned scanned = { 0 };
	struct scan scan = {
		.at = (const unsigned char *)bytes,
		.end = (const unsigned char *)bytes + length,
		.line = 1,
		.file = "",
		.faults = &unheard,
		.scanned = &scanned,
	};
	size_t name_length = strlen(name);
	bool begins = false;

	while (scan.at < scan.end && !is_name_start(*scan.at))
		scan_token(&scan);
	if ((size_t)(scan.end - scan.at) >= name_length)
		begins = memcmp(scan.at, name, name_length) == 0 &&
			 (scan.at + name_length == scan.end || !is_word(scan.at[name_length]));
	fault_list_clear(&unheard);
	scanned_clear(&scanned);
	return begins;
}
