/*
 * arena - memory for things that are built together and go together.
 *
 * A loaded configuration is hundreds of small strings and lists that live exactly as
 * long as each other; they come from one arena and go with it. A zeroed arena is empty.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/cleanup.h"

struct arena {
	struct arena_block *last;
};

/* Zeroed memory, aligned for any type, or NULL when out of memory. Owned by the arena. */
MUST_CHECK void *arena_alloc(struct arena *arena, size_t size);

/* Copies; NULL when out of memory. */
MUST_CHECK char *arena_string(struct arena *arena, const char *string);
MUST_CHECK void *arena_copy(struct arena *arena, const void *from, size_t size);

/* Frees all of it. Safe on a zeroed arena and twice. */
void arena_clear(struct arena *arena);

#endif
