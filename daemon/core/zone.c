/* zone.c - see zone.h. */
#include "core/zone.h"

/* The offset of segment i: before the first change (0), or from change i - 1 on. */
static int32_t segment_offset(const struct zone *zone, size_t i)
{
	return i == 0 ? zone->first_offset : zone->changes[i - 1].offset;
}

/* How many changes have happened by `seconds`: the segment that holds it. */
static size_t segment_at(const struct zone *zone, int64_t seconds)
{
	size_t low = 0;
	size_t high = zone->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->changes[middle].at.seconds <= seconds)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int32_t zone_offset(const struct zone *zone, struct instant at)
{
	return segment_offset(zone, segment_at(zone, at.seconds));
}

void zone_local(const struct zone *zone, struct instant at, int32_t *ret_day,
		int32_t *ret_second)
{
	int64_t local = instant_add(at, zone_offset(zone, at)).seconds;
	int64_t day = local / SECONDS_PER_DAY;
	int64_t second = local % SECONDS_PER_DAY;

	if (second < 0) {
		second += SECONDS_PER_DAY;
		day--;
	}
	/* Hostile instants: kept within what an int32 holds, far outside any calendar. */
	if (day > INT32_MAX / 2)
		day = INT32_MAX / 2;
	if (day < INT32_MIN / 2)
		day = INT32_MIN / 2;
	*ret_day = (int32_t)day;
	*ret_second = (int32_t)second;
}

struct instant zone_instant(const struct zone *zone, int32_t day, int32_t second)
{
	int64_t local = (int64_t)day * SECONDS_PER_DAY + second;
	/* No offset reaches a day, so the right segment is this one or a later one. */
	size_t i = segment_at(zone, local - SECONDS_PER_DAY);

	for (; i < zone->count; i++) {
		int64_t change = zone->changes[i].at.seconds;
		int64_t before = local - segment_offset(zone, i);

		if (before < change)
			return (struct instant){ before }; /* of a repeated time, the first */
		if (local - zone->changes[i].offset < change)
			return (struct instant){
				before
			}; /* skipped: the old offset still held */
	}
	return (struct instant){ local - segment_offset(zone, i) };
}
