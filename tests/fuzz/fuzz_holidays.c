/* bank-holidays.json as anybody may have changed it: what is taken is sorted and covered. */
#include "adapter/holiday_file.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(freep) char *string = fuzz_string(data, size);
	CLEANUP(arena_clear) struct arena arena = { 0 };
	const struct holiday *holidays;
	struct error error = { 0 };
	size_t count;
	int32_t until;
	int line = 0;

	if (holiday_file_read(string, size, "england-and-wales", &arena, &holidays, &count,
			      &until, &line, &error) < 0) {
		ALWAYS(error.code != 0 && error.text[0] != '\0');
		return 0;
	}
	ALWAYS(count > 0 && holidays[count - 1].day <= until);
	for (size_t i = 1; i < count; i++)
		ALWAYS(holidays[i - 1].day < holidays[i].day);
	return 0;
}
