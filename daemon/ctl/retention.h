/*
 * retention - how long things are kept, in words and as a day.
 */
#ifndef CTL_RETENTION_H
#define CTL_RETENTION_H

#include "adapter/config_file.h"

/*
 * The civil day before which everything is past its period, as seen from `today`; a month or
 * year ends on the same day of the month, or on the last one where that month has no such day.
 * False: no period is set, or it reaches back past the year 1.
 */
MUST_CHECK bool retention_before(struct period period, int32_t today, int32_t *ret);

/* "6 years", "1 month"; "not set". Returns `out`. */
enum { PERIOD_TEXT_SIZE = 32 };
const char *retention_text(struct period period, char out[static PERIOD_TEXT_SIZE]);

#endif
