/*
 * list - growth for arrays that are kept as { T *item; size_t count; size_t capacity; }.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/cleanup.h"

/*
 * Makes room for one more item of `item_size` bytes behind the first `count` of *items
 * (the address of a T *). Doubles; *items and *capacity change only on success.
 * Returns 0 or -ENOMEM.
 */
MUST_CHECK int list_reserve(void *items, size_t count, size_t *capacity, size_t item_size);

#endif
