/*
 * typed - times and dates as people write them, at a terminal or in a spreadsheet.
 */
#ifndef CTL_TYPED_H
#define CTL_TYPED_H

#include "base/error.h"
#include "base/instant.h"
#include "core/zone.h"

#include <stdbool.h>

/*
 * "24/11/2026", "24/11/2026 10:00" or "24/11/2026 10:00:30", the day before the month; or
 * anything that written_time_parse takes. Without an offset it is local to the zone (NULL:
 * UTC). *ret is as it was when it is none of these.
 */
MUST_CHECK bool typed_time(const char *typed, const struct zone *zone, struct instant *ret);

/* A date alone, "2026-11-24" or "24/11/2026", as a day since 1970-01-01. */
MUST_CHECK bool typed_day(const char *typed, int32_t *ret);

#endif
