/* holiday_file.c - see holiday_file.h; the only file that reads JSON as configuration. */
#include "adapter/holiday_file.h"

#include "base/text.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HOLIDAYS = 5000 };

static void decrefp(json_t **json)
{
	json_decref(*json);
}

static int no_such_division(json_t *root, const char *division, struct error *error)
{
	CLEANUP(text_clear) struct text known = { .limit = 200 };

	for (void *i = json_object_iter(root); i != NULL; i = json_object_iter_next(root, i))
		text_appendf(&known, "%s\"%s\"", known.length > 0 ? ", " : "",
			     json_object_iter_key(i));
	return error_set(error, EINVAL, "has no division \"%s\"; there are: %s", division,
			 known.length > 0 ? text_string(&known) : "none");
}

static int by_day(const void *a, const void *b)
{
	const struct holiday *first = a;
	const struct holiday *second = b;

	return (first->day > second->day) - (first->day < second->day);
}

static int entry_read(json_t *entry, size_t place, struct arena *arena, struct holiday *ret,
		      struct error *error)
{
	const char *title = json_string_value(json_object_get(entry, "title"));
	const char *date = json_string_value(json_object_get(entry, "date"));
	struct holiday holiday;

	if (title == NULL || title[0] == '\0')
		return error_set(error, EINVAL, "entry %zu has no title", place);
	if (date == NULL || !day_parse(date, &holiday.day))
		return error_set(error, EINVAL, "entry %zu (\"%.100s\") has no real date",
				 place, title);
	holiday.name = arena_string(arena, title);
	if (holiday.name == NULL)
		return error_memory(error);
	*ret = holiday;
	return 0;
}

static int events_read(json_t *events, struct arena *arena, struct holiday **ret,
		       struct error *error)
{
	size_t count = json_array_size(events);
	struct holiday *holidays;

	if (count == 0)
		return error_set(error, EINVAL, "has no list \"events\" with entries in it");
	if (count > MOST_HOLIDAYS)
		return error_set(error, EINVAL, "has more than %d entries", MOST_HOLIDAYS);
	holidays = arena_alloc(arena, count * sizeof *holidays);
	if (holidays == NULL)
		return error_memory(error);
	for (size_t i = 0; i < count; i++) {
		int rc = entry_read(json_array_get(events, i), i + 1, arena, &holidays[i],
				    error);

		if (rc < 0)
			return rc;
	}
	qsort(holidays, count, sizeof *holidays, by_day);
	for (size_t i = 1; i < count; i++) {
		char day[DAY_TEXT_SIZE];

		if (holidays[i].day == holidays[i - 1].day)
			return error_set(error, EINVAL, "has %s twice",
					 day_format(holidays[i].day, day));
	}
	*ret = holidays;
	return 0;
}

int holiday_file_read(const char *bytes, size_t length, const char *division,
		      struct arena *arena, const struct holiday **ret, size_t *ret_count,
		      int32_t *ret_until, int *ret_line, struct error *error)
{
	json_error_t why;
	/* A key twice is a slip of whoever edited the file: which one counts would be luck. */
	CLEANUP(decrefp) json_t *root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &why);
	json_t *found = json_object_get(root, division);
	json_t *events = json_object_get(found, "events");
	struct holiday *holidays = NULL;
	struct date last;
	int rc;

	*ret_line = 0;
	if (root == NULL) {
		*ret_line = why.line > 0 ? why.line : 0;
		return error_set(error, EINVAL, "is not JSON: %s", why.text);
	}
	if (!json_is_object(root))
		return error_set(error, EINVAL, "is not an object of divisions");
	if (found == NULL)
		return no_such_division(root, division, error);
	rc = events_read(events, arena, &holidays, error);
	if (rc < 0)
		return rc == -ENOMEM ? rc : error_wrap(error, "division \"%s\"", division);
	*ret_count = json_array_size(events);
	last = day_to_date(holidays[*ret_count - 1].day);
	*ret_until = date_to_day((struct date){ last.year, 12, 31 });
	*ret = holidays;
	return 0;
}
