/*
 * config_scan - what libconfig 1.5 would swallow in silence, found in the bytes beforehand.
 *
 * A number that does not fit wraps, 010 is read as ten, a string ends at "\x00", `@include`
 * of a folder ends the process (facts.md 2, 3). One pass over the tokens finds these, each at
 * its line; grammar and meaning are left to libconfig and to config_read.
 */
#ifndef ADAPTER_CONFIG_SCAN_H
#define ADAPTER_CONFIG_SCAN_H

#include "base/fault.h"

/* Lines on which a value was faulted already, so that nobody faults the wrecked value again. */
struct scanned {
	int *line;
	size_t count;
	size_t capacity;
	bool hopeless; /* libconfig must not see these bytes */
};

/* Notes every fault in `faults` under `file`. Free *ret with scanned_clear. */
void config_scan(const char *bytes, size_t length, const char *file, struct fault_list *faults,
		 struct scanned *ret);

bool scanned_has(const struct scanned *scanned, int line);
void scanned_clear(struct scanned *scanned);

/* True when the first name in these bytes is `name`: tells a policy from a main file. */
bool config_scan_begins(const char *bytes, size_t length, const char *name);

#endif
