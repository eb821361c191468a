/*
 * reload - the configuration as a whole: main file, policies and templates, all or nothing.
 */
#ifndef SERVICE_RELOAD_H
#define SERVICE_RELOAD_H

#include "adapter/config_file.h"
#include "adapter/template_file.h"

#include <stdint.h>

/* What a file was when it was read; all zero: it could not be looked at. */
struct file_stamp {
	uint64_t device;
	uint64_t inode;
	int64_t size;
	int64_t changed; /* nanoseconds */
};

struct setup {
	struct config *config;
	struct language_set *languages;
	struct file_stamp *zones; /* beside config.calendars; owned */
};

/*
 * Reads everything anew. 0 with *ret (free with setup_clear); negative with *error when
 * anything at all has a fault, and then *ret is as it was: the caller keeps what it had. What
 * is wrong, warnings too, is in `faults`, sorted.
 */
MUST_CHECK int setup_load(const char *file, struct setup *ret, struct fault_list *faults,
			  struct error *error);
void setup_clear(struct setup *setup);

/*
 * True once for each time that a zone's file was replaced since it was read (an upgrade of
 * tzdata under a running daemon): read everything anew then. A file that is away for the
 * moment counts as unchanged.
 */
bool setup_is_stale(struct setup *setup);

/* One journal line for each fault. */
void setup_log_faults(const struct fault_list *faults);

#endif
