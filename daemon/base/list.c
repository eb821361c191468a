/* list.c - see list.h. */
#include "base/list.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int list_reserve(void *items, size_t count, size_t *capacity, size_t item_size)
{
	size_t wanted = *capacity != 0 ? *capacity * 2 : 8;
	void *old;
	void *grown;

	if (count < *capacity)
		return 0;
	if (wanted > SIZE_MAX / 2 / item_size)
		return -ENOMEM;
	/* memcpy: the caller's variable is a T *, not a void *. */
	memcpy(&old, items, sizeof old);
	grown = realloc(old, wanted * item_size);
	if (grown == NULL)
		return -ENOMEM;
	memcpy(items, &grown, sizeof grown);
	*capacity = wanted;
	return 0;
}
