/* flood.c - see flood.h. */
#include "core/flood.h"

#include <stdlib.h>

static int by_count(const void *a, const void *b)
{
	const int64_t *x = a;
	const int64_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* Twice the median, so that the mean of the middle two needs no half. */
static int64_t median_twice(const int64_t *sorted, size_t count)
{
	if (count == 0)
		return 0;
	return sorted[(count - 1) / 2] + sorted[count / 2];
}

bool flood_is_one(int64_t due, int64_t *before, size_t count, int64_t least)
{
	size_t idle = 0;

	if (least == 0 || due <= least)
		return false;
	qsort(before, count, sizeof *before, by_count);
	while (idle < count && before[idle] <= 0)
		idle++;
	return 2 * due > FLOOD_TIMES * median_twice(before + idle, count - idle);
}
