/*
 * fault - a list of what is wrong in files that people edit, each at its line.
 *
 * A reader of configuration collects every fault and goes on; whoever speaks prints
 * them all as "FILE:LINE: key: what is wrong" (warnings as "FILE:LINE: key: warning: ...").
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/cleanup.h"

#include <stdbool.h>

struct fault {
	char *file; /* as the person named it */
	int line;   /* from 1; 0: the file as a whole */
	char *key;  /* dotted path of the setting; "" where there is none */
	char *text;
	bool warning; /* doubtful but legal */
};

struct fault_list {
	struct fault *item;
	size_t count;
	size_t capacity;
	size_t errors;   /* how many of them are not warnings */
	bool incomplete; /* out of memory while noting one: then errors counts it all the same
			  */
	bool machine;    /* one of them may be gone at the next try: see fault_of_machine */
};

/* Notes a fault; arguments are copied. Control characters in them become '?'. */
void fault_add(struct fault_list *list, const char *file, int line, const char *key,
	       const char *format, ...) PRINTF_LIKE(5, 6);
void fault_warn(struct fault_list *list, const char *file, int line, const char *key,
		const char *format, ...) PRINTF_LIKE(5, 6);

/*
 * Told why a fault just noted came about, as an errno: where the machine was at fault (EIO,
 * EMFILE, ENOMEM, EAGAIN, ...) and not the file, `machine` is set. Whoever gives up then should
 * try again later instead of waiting for a person.
 */
void fault_of_machine(struct fault_list *list, int code);

/* In order of file (as first met), then line; equal ones keep their order. */
void fault_sort(struct fault_list *list);

struct text;
/* Appends "FILE:LINE: key: text" without a line end; ":LINE" and "key: " left out where none.
 */
void fault_format(const struct fault *fault, struct text *text);

void fault_list_clear(struct fault_list *list);

#endif
