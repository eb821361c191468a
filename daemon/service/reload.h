/*
 * reload - the configuration as a whole: main file, policies and templates, all or nothing.
 */
#ifndef SERVICE_RELOAD_H
#define SERVICE_RELOAD_H

#include "adapter/config_file.h"
#include "adapter/template_file.h"

struct setup {
	struct config *config;
	struct language_set *languages;
};

/*
 * Reads everything anew. 0 with *ret (free with setup_clear); negative with *error when
 * anything at all has a fault, and then *ret is as it was: the caller keeps what it had. What
 * is wrong, warnings too, is in `faults`, sorted.
 */
MUST_CHECK int setup_load(const char *file, struct setup *ret, struct fault_list *faults,
			  struct error *error);
void setup_clear(struct setup *setup);

/* One journal line for each fault. */
void setup_log_faults(const struct fault_list *faults);

#endif
