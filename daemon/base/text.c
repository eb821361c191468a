/* text.c - see text.h. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_LIMIT = 1 << 20 };

/* Room for `more` bytes and the NUL behind them, or failed. */
static bool make_room(struct text *text, size_t more)
{
	size_t limit = text->limit != 0 ? text->limit : DEFAULT_LIMIT;
	size_t capacity = text->capacity != 0 ? text->capacity : 64;
	char *data;

	if (text->failed)
		return false;
	if (more > limit || text->length > limit - more) {
		text->failed = true;
		return false;
	}
	if (text->length + more + 1 <= text->capacity)
		return true;
	while (capacity < text->length + more + 1)
		capacity *= 2;
	data = realloc(text->data, capacity);
	if (data == NULL) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->capacity = capacity;
	return true;
}

void text_append_bytes(struct text *text, const char *bytes, size_t length)
{
	if (!make_room(text, length))
		return;
	if (length > 0)
		memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

void text_append(struct text *text, const char *string)
{
	text_append_bytes(text, string, strlen(string));
}

void text_append_char(struct text *text, char c)
{
	text_append_bytes(text, &c, 1);
}

void text_append_number(struct text *text, int64_t number)
{
	char digits[20]; /* as many as the lowest has with its sign */
	size_t at = sizeof digits;
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		digits[--at] = '-';
	text_append_bytes(text, digits + at, sizeof digits - at);
}

void text_appendf(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0) {
		text->failed = true;
		return;
	}
	if (!make_room(text, (size_t)length))
		return;
	va_start(arguments, format);
	(void)vsnprintf(text->data + text->length, (size_t)length + 1, format,
			arguments); /* measured above */
	va_end(arguments);
	text->length += (size_t)length;
}

void text_cut(struct text *text, size_t length)
{
	if (length >= text->length)
		return;
	text->length = length;
	text->data[length] = '\0';
	if (length == 0)
		text->failed = false;
}

bool text_failed(const struct text *text)
{
	return text->failed;
}

const char *text_string(const struct text *text)
{
	return text->data != NULL ? text->data : "";
}

char *text_detach(struct text *text)
{
	char *data;

	if (text->failed)
		return NULL;
	if (text->data == NULL)
		return calloc(1, 1);
	data = text->data;
	*text = (struct text){ .limit = text->limit };
	return data;
}

const char *text_plural(int64_t count, const char *one, const char *many)
{
	return count == 1 ? one : many;
}

void text_clear(struct text *text)
{
	free(text->data);
	*text = (struct text){ .limit = text->limit };
}
