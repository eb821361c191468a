/*
 * flood - is it a flood, or a busy day? (design section 4, "Catch-up"; facts.md 1.2)
 */
#ifndef CORE_FLOOD_H
#define CORE_FLOOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLOOD_TIMES = 10, FLOOD_DAYS = 30 };

/*
 * True when `due` notices on one day are more than `least`, and more than FLOOD_TIMES the
 * median of the days before on which anything fell due. `before` (at most FLOOD_DAYS counts, in
 * any order) is sorted in place; a count of 0 is a day of nothing and left out. `least` 0:
 * never.
 */
bool flood_is_one(int64_t due, int64_t *before, size_t count, int64_t least);

#endif
