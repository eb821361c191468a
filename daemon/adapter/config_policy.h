/*
 * config_policy - one policy file, read into a struct policy and checked.
 *
 * Private to config_file.c, which says what the main file knows of roles and calendars. What
 * the files config_policy_*.c share is config_policy_internal.h's.
 */
#ifndef ADAPTER_CONFIG_POLICY_H
#define ADAPTER_CONFIG_POLICY_H

#include "adapter/config_file.h"
#include "adapter/config_read.h"

/* What a policy may refer to; borrowed. A calendar that is NULL was faulted in the main file.
 */
struct policy_world {
	const struct named_calendar *calendars;
	size_t calendar_count;
	const struct role_rule *roles;
	size_t role_count;
};

/*
 * The policy, in the arena; it is fit for use only when no error was noted. NULL only when
 * out of memory. `digest` is the SHA-256 of the file's bytes, hexadecimal, borrowed.
 */
MUST_CHECK struct policy *policy_read(const struct source *source, const char *digest,
				      const struct policy_world *world, struct arena *arena,
				      struct fault_list *faults);

#endif
