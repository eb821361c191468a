/* error.c - see error.h; nothing here may fail, allocate or print. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text may quote hostile values: one line it is, whatever they hold. */
static void keep_one_line(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
}

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list arguments;

	if (error == NULL)
		return -code;
	error->code = code;
	va_start(arguments, format);
	(void)vsnprintf(error->text, sizeof error->text, format, arguments); /* cut is fine */
	va_end(arguments);
	keep_one_line(error->text);
	return -code;
}

int error_wrap(struct error *error, const char *format, ...)
{
	char before[sizeof error->text];
	char rest[sizeof error->text];
	va_list arguments;
	size_t used;

	if (error == NULL)
		return -EIO;
	va_start(arguments, format);
	(void)vsnprintf(before, sizeof before, format, arguments); /* cut is fine */
	va_end(arguments);
	keep_one_line(before);

	memcpy(rest, error->text, sizeof rest);
	used = strlen(before);
	if (used > sizeof error->text - 3)
		used = sizeof error->text - 3;
	memcpy(error->text, before, used);
	memcpy(error->text + used, ": ", 3);
	used += 2;
	memcpy(error->text + used, rest, sizeof error->text - used - 1);
	error->text[sizeof error->text - 1] = '\0';
	return -error->code;
}

int error_memory(struct error *error)
{
	return error_set(error, ENOMEM, "out of memory");
}
