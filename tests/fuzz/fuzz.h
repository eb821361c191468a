/*
 * fuzz - what every fuzzer here is made of: one function that takes bytes and must neither
 * crash, leak nor hang. libFuzzer calls it; `make fuzz FUZZ_TIME=30` runs all of them.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/cleanup.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* What must hold whatever the bytes are. */
#define ALWAYS(what)             \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

/* The bytes as a string of their own, so that ASan sees a read past its end. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
	char *string = malloc(size + 1);

	ALWAYS(string != NULL);
	if (size > 0)
		memcpy(string, data, size);
	string[size] = '\0';
	return string;
}

#endif
