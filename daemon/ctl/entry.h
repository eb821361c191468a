/*
 * entry - timeline entries as challengectl shows them: JSON by the contract of section 7, and
 * words for a table. Shared by timeline, explain, forecast and simulate.
 */
#ifndef CTL_ENTRY_H
#define CTL_ENTRY_H

#include "base/text.h"
#include "core/timeline.h"

struct json_t;

/* One element of the array of `timeline --json`; NULL when out of memory. */
struct json_t *entry_json(const struct policy *policy, const struct entry *entry);

/* An array of role tokens; NULL when out of memory. */
struct json_t *roles_json(const struct policy *policy, const struct role_set *roles);

/* RFC 3339 with the offset that the calendar's zone has then; null for INSTANT_NEVER. */
struct json_t *instant_json(const struct calendar *calendar, struct instant at);

/* "Thu 2026-11-26 17:00", local to the calendar; "never". */
enum { MOMENT_TEXT_SIZE = 32 };
const char *moment_text(const struct calendar *calendar, struct instant at,
			char out[static MOMENT_TEXT_SIZE]);

/* "receiving.manager, raising.practitioner" */
void roles_text(const struct policy *policy, const struct role_set *roles, struct text *ret);

/* "manager/agree", "manager", "overall/cap": what an entry is about. */
void subject_text(const struct policy *policy, const struct entry *entry, struct text *ret);
/* The same of ids; "": none. */
void about_text(const char *stage, const char *obligation, struct text *ret);

#endif
