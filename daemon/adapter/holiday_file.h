/*
 * holiday_file - the government's bank-holidays.json, unchanged, read with jansson.
 *
 * https://www.gov.uk/bank-holidays.json: an object of divisions, each with `events` of `title`
 * and `date`.
 */
#ifndef ADAPTER_HOLIDAY_FILE_H
#define ADAPTER_HOLIDAY_FILE_H

#include "base/arena.h"
#include "core/calendar.h"

/*
 * Reads one division from the bytes of the file into the arena: holidays sorted by day, and in
 * *ret_until the last day of the last year in which it has an entry. Refused with -EINVAL and a
 * text (and the line, 0 when unknown): not JSON, no such division (those there are named), an
 * entry without a real date, a day twice, no entry at all.
 */
MUST_CHECK int holiday_file_read(const char *bytes, size_t length, const char *division,
				 struct arena *arena, const struct holiday **ret,
				 size_t *ret_count, int32_t *ret_until, int *ret_line,
				 struct error *error);

#endif
