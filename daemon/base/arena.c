/* arena.c - see arena.h; blocks in a chain, the newest first. */
#include "base/arena.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 16 * 1024 };

struct arena_block {
	struct arena_block *before;
	size_t used;
	size_t size;
	alignas(max_align_t) unsigned char bytes[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *block = arena->last;
	void *result;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + align - 1) / align * align;
	if (block == NULL || block->size - block->used < size) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		block = calloc(1, sizeof *block + room);
		if (block == NULL)
			return NULL;
		block->size = room;
		block->before = arena->last;
		arena->last = block;
	}
	result = block->bytes + block->used;
	block->used += size;
	return result;
}

void *arena_copy(struct arena *arena, const void *from, size_t size)
{
	void *copy = arena_alloc(arena, size);

	if (copy != NULL && size > 0)
		memcpy(copy, from, size);
	return copy;
}

char *arena_string(struct arena *arena, const char *string)
{
	return arena_copy(arena, string, strlen(string) + 1);
}

void arena_clear(struct arena *arena)
{
	struct arena_block *block = arena->last;

	while (block != NULL) {
		struct arena_block *before = block->before;

		free(block);
		block = before;
	}
	arena->last = NULL;
}
