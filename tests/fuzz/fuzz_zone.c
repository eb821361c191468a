/* tzdata files: what is taken can be asked for every moment, and its changes are in order. */
#include "adapter/zone_file.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(freep) char *bytes = fuzz_string(data, size);
	CLEANUP(arena_clear) struct arena arena = { 0 };
	struct error error = { 0 };
	struct zone zone;

	if (zone_file_parse((const unsigned char *)bytes, size, "Test/Zone", &arena, &zone,
			    &error) < 0) {
		ALWAYS(error.code != 0 && error.text[0] != '\0');
		return 0;
	}
	for (int64_t at = -2208988800; at < 4133980800; at += 86400 * 97) {
		int32_t day;
		int32_t second;

		zone_local(&zone, (struct instant){ at }, &day, &second);
		ALWAYS(second >= 0 && second < SECONDS_PER_DAY);
		(void)zone_instant(&zone, day, second);
	}
	return 0;
}
