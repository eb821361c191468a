/* Limits and times as people type them: what is read is written back to the same. */
#include "core/timescale.h"
#include "fuzz.h"

static void try_limit(const char *string)
{
	struct timescale scale;
	struct timescale again;
	struct error error = { 0 };
	char text[TIMESCALE_TEXT_SIZE];

	if (timescale_parse(string, &scale, &error) < 0) {
		ALWAYS(error.code != 0 && error.text[0] != '\0');
		return;
	}
	ALWAYS(timescale_parse(timescale_format(scale, text), &again, &error) == 0);
	ALWAYS(again.unit == scale.unit && again.amount == scale.amount);
}

static void try_time(const char *string)
{
	struct written_time time;
	int32_t day;
	char text[INSTANT_TEXT_SIZE];

	if (day_parse(string, &day)) {
		ALWAYS(strcmp(day_format(day, text), string) == 0);
		ALWAYS(date_to_day(day_to_date(day)) == day);
	}
	if (!written_time_parse(string, &time))
		return;
	ALWAYS(time.second >= 0 && time.second < SECONDS_PER_DAY);
	if (time.has_offset) {
		struct instant at = { (int64_t)time.day * SECONDS_PER_DAY + time.second -
				      time.offset };
		struct written_time again;

		ALWAYS(written_time_parse(instant_format(at, time.offset, text), &again));
		ALWAYS(again.second == time.second && again.day == time.day);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(freep) char *string = fuzz_string(data, size);

	try_limit(string);
	try_time(string);
	return 0;
}
