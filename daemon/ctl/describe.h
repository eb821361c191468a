/*
 * describe - a policy in plain English, for a policy officer to hold against the published
 * text.
 */
#ifndef CTL_DESCRIBE_H
#define CTL_DESCRIBE_H

#include "adapter/config_file.h"
#include "base/text.h"

/* Who owes what, by when, and what follows; lines that end in '\n'. Text_failed says if cut. */
void describe_policy(const struct policy *policy, const struct role_rule *roles,
		     size_t role_count, struct text *text);

#endif
