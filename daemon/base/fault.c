/* fault.c - see fault.h. */
#include "base/fault.h"

#include "base/list.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *copy_one_line(const char *string)
{
	char *copy = strdup(string);

	if (copy == NULL)
		return NULL;
	for (unsigned char *c = (unsigned char *)copy; *c != '\0'; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	return copy;
}

static void fault_clear(struct fault *fault)
{
	free(fault->file);
	free(fault->key);
	free(fault->text);
}

PRINTF_LIKE(6, 0)
static void note(struct fault_list *list, bool warning, const char *file, int line,
		 const char *key, const char *format, va_list arguments)
{
	char said[1000];
	struct fault fault = { .line = line, .warning = warning };

	(void)vsnprintf(said, sizeof said, format, arguments); /* cut is fine */
	if (!warning)
		list->errors++;
	fault.file = copy_one_line(file);
	fault.key = copy_one_line(key);
	fault.text = copy_one_line(said);
	if (fault.file == NULL || fault.key == NULL || fault.text == NULL ||
	    list_reserve(&list->item, list->count, &list->capacity, sizeof *list->item) < 0) {
		fault_clear(&fault);
		list->incomplete = true;
		return;
	}
	list->item[list->count++] = fault;
}

void fault_add(struct fault_list *list, const char *file, int line, const char *key,
	       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(list, false, file, line, key, format, arguments);
	va_end(arguments);
}

void fault_warn(struct fault_list *list, const char *file, int line, const char *key,
		const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(list, true, file, line, key, format, arguments);
	va_end(arguments);
}

void fault_of_machine(struct fault_list *list, int code)
{
	static const int codes[] = {
		EIO, EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR, EBUSY, ESTALE
	};

	for (size_t i = 0; i < COUNT(codes); i++)
		list->machine = list->machine || code == codes[i];
}

static size_t first_met(const struct fault_list *list, const char *file)
{
	size_t i = 0;

	while (i < list->count && strcmp(list->item[i].file, file) != 0)
		i++;
	return i;
}

void fault_sort(struct fault_list *list)
{
	/* Insertion sort: stable, and a list of faults is short. The rank of a file is taken
	 * before anything moves. */
	size_t *rank = calloc(list->count + 1, sizeof *rank);

	if (rank == NULL)
		return; /* unsorted is still complete */
	for (size_t i = 0; i < list->count; i++)
		rank[i] = first_met(list, list->item[i].file);
	for (size_t i = 1; i < list->count; i++) {
		struct fault fault = list->item[i];
		size_t of = rank[i];
		size_t to = i;

		while (to > 0 &&
		       (rank[to - 1] > of ||
			(rank[to - 1] == of && list->item[to - 1].line > fault.line))) {
			list->item[to] = list->item[to - 1];
			rank[to] = rank[to - 1];
			to--;
		}
		list->item[to] = fault;
		rank[to] = of;
	}
	free(rank);
}

void fault_format(const struct fault *fault, struct text *text)
{
	text_append(text, fault->file);
	if (fault->line > 0)
		text_appendf(text, ":%d", fault->line);
	text_append(text, ": ");
	if (fault->key[0] != '\0')
		text_appendf(text, "%s: ", fault->key);
	if (fault->warning)
		text_append(text, "warning: ");
	text_append(text, fault->text);
}

void fault_list_clear(struct fault_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		fault_clear(&list->item[i]);
	free(list->item);
	*list = (struct fault_list){ 0 };
}
