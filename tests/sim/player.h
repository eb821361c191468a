/* player.h - what the programs that play a scene many times ask of the machine they play on. */
#ifndef TESTS_SIM_PLAYER_H
#define TESTS_SIM_PLAYER_H

#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

/* A number in the environment, by which a night plays more than a change does. */
static inline size_t number_from(const char *name, size_t fallback)
{
	const char *value = getenv(name);

	return value != NULL ? strtoull(value, NULL, 10) : fallback;
}

/* Zeroed memory that the children share; ends the program with status 2 when there is none. */
static inline void *shared(size_t size)
{
	void *memory =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		exit(2);
	return memory;
}

#endif
