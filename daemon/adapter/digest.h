/*
 * digest - SHA-256 in hexadecimal: of files, and of what a calendar counts by.
 *
 * By these a decision in the ledger names what it rested on.
 */
#ifndef ADAPTER_DIGEST_H
#define ADAPTER_DIGEST_H

#include "base/error.h"
#include "core/calendar.h"

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 32, DIGEST_TEXT_SIZE = 65 };

/* As 64 lower-case hexadecimal digits. */
void digest_text(const uint8_t digest[static DIGEST_SIZE], char out[static DIGEST_TEXT_SIZE]);

/* Of these bytes, as sha256sum(1) prints it. */
void digest_bytes(const char *bytes, size_t length, char out[static DIGEST_TEXT_SIZE]);

/*
 * Of the opening hours, holidays and closures with their names, and the day that the holiday
 * list reaches to. Two calendars with the same answer count alike in the same zone. The zone
 * has a digest of its own. -ENOMEM.
 */
MUST_CHECK int digest_calendar(const struct calendar_plan *plan,
			       char out[static DIGEST_TEXT_SIZE], struct error *error);

#endif
