/* cleanup.c - the one helper of cleanup.h that needs a body. */
#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

void freep(void *pointer)
{
	void *owned;

	/* memcpy: the caller's variable is a T *, not a void *. */
	memcpy(&owned, pointer, sizeof owned);
	free(owned);
}
