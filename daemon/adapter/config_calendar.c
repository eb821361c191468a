/*
 * config_calendar.c - the main file's calendars: opening hours, closures, bank holidays and the
 * zone.
 */
#include "adapter/config_main.h"

#include "adapter/digest.h"
#include "adapter/holiday_file.h"
#include "adapter/zone_file.h"
#include "base/list.h"

#include <string.h>

/* "09:00-12:30,13:30-16:30" */
static bool hours_parse(const char *text, struct day_hours *ret)
{
	struct day_hours day = { 0 };
	int32_t before = 0;

	for (;;) {
		struct opening opening;

		if (day.count == CALENDAR_OPENINGS ||
		    !config_time_parse(&text, &opening.from) || *text++ != '-' ||
		    !config_time_parse(&text, &opening.to))
			return false;
		if (opening.from >= opening.to || (day.count > 0 && opening.from <= before))
			return false;
		before = opening.to;
		day.opening[day.count++] = opening;
		if (*text == '\0')
			break;
		if (*text++ != ',')
			return false;
		text += *text == ' ' ? 1 : 0;
	}
	*ret = day;
	return true;
}

static void read_day_hours(struct reader *reader, config_setting_t *setting, void *at)
{
	const char *text = reader_text(reader, setting);

	if (text != NULL && !hours_parse(text, at))
		reader_fault(
			reader, setting,
			"\"%s\" must be like \"09:00-17:00\" or \"09:00-12:30,13:30-16:30\", "
			"in order and apart, at most %d",
			text, CALENDAR_OPENINGS);
}

struct holiday_setting {
	const char *file;
	const char *division;
};

struct calendar_draft {
	struct calendar_plan plan;
	const char *zone;
	struct holiday_setting holidays;
};

#define DAY_ROW(place, day)                                                  \
	{                                                                    \
		.name = day, .kind = FIELD_CUSTOM, .custom = read_day_hours, \
		.at = offsetof(struct calendar_plan, week) +                 \
		      (place) * sizeof(struct day_hours)                     \
	}

static const struct field hours_fields[] = {
	DAY_ROW(0, "monday"),   DAY_ROW(1, "tuesday"), DAY_ROW(2, "wednesday"),
	DAY_ROW(3, "thursday"), DAY_ROW(4, "friday"),  DAY_ROW(5, "saturday"),
	DAY_ROW(6, "sunday"),
};

static void read_holidays(struct reader *reader, config_setting_t *group, void *at)
{
	static const struct field fields[] = {
		{ .name = "file",
		  .kind = FIELD_CUSTOM,
		  .custom = config_path_read,
		  .required = true,
		  .at = offsetof(struct holiday_setting, file) },
		{ .name = "division",
		  .kind = FIELD_TEXT,
		  .required = true,
		  .check = check_not_empty,
		  .at = offsetof(struct holiday_setting, division) },
	};
	CLEANUP(file_bytes_clear) struct file_bytes bytes = { 0 };
	struct calendar_draft *draft = at;
	struct calendar_plan *plan = &draft->plan;
	struct error error = { 0 };
	int line = 0;

	draft->holidays.file = "";
	reader_group(reader, group, fields, COUNT(fields), &draft->holidays);
	if (draft->holidays.file[0] == '\0' || draft->holidays.division[0] == '\0')
		return;
	if (loading_fetch(loading_of(reader), draft->holidays.file, &bytes, &error) < 0 ||
	    loading_note(loading_of(reader), BUNDLE_HOLIDAYS, draft->holidays.file, &bytes,
			 &error) < 0 ||
	    holiday_file_read(bytes.data, bytes.length, draft->holidays.division, reader->arena,
			      &plan->holidays, &plan->holiday_count, &plan->covered_until,
			      &line, &error) < 0) {
		fault_add(reader->faults, draft->holidays.file, line, "", "%s", error.text);
		fault_of_machine(reader->faults, error.code);
		return;
	}
}

static void read_day(struct reader *reader, config_setting_t *setting, void *at)
{
	const char *text = reader_text(reader, setting);

	if (text != NULL && !day_parse(text, at))
		reader_fault(reader, setting, "\"%s\" must be a real date, like \"2026-12-29\"",
			     text);
}

static void read_closure(struct reader *reader, config_setting_t *group, struct closure *ret)
{
	static const struct field fields[] = {
		{ .name = "from",
		  .kind = FIELD_CUSTOM,
		  .custom = read_day,
		  .required = true,
		  .at = offsetof(struct closure, from) },
		{ .name = "to",
		  .kind = FIELD_CUSTOM,
		  .custom = read_day,
		  .at = offsetof(struct closure, to) },
		{ .name = "name",
		  .kind = FIELD_TEXT,
		  .fallback_text = "Closed",
		  .check = check_not_empty,
		  .at = offsetof(struct closure, name) },
	};
	struct closure closure = { .from = INT32_MAX, .to = INT32_MAX };

	reader_group(reader, group, fields, COUNT(fields), &closure);
	if (closure.from != INT32_MAX && closure.to == INT32_MAX)
		closure.to = closure.from; /* one day */
	if (closure.to < closure.from && closure.from != INT32_MAX)
		reader_fault(reader, group, "ends before it begins");
	*ret = closure;
}

static void read_closures(struct reader *reader, config_setting_t *list, void *at)
{
	struct calendar_plan *plan = at;
	int count = config_setting_length(list);
	struct closure *closures = reader_alloc(reader, ((size_t)count + 1) * sizeof *closures);

	if (closures == NULL)
		return;
	for (int i = 0; i < count; i++)
		read_closure(reader, config_setting_get_elem(list, (unsigned)i), &closures[i]);
	plan->closures = closures;
	plan->closure_count = (size_t)count;
}

/* New tzdata make another configuration: what is due may be due at another time. */
static int fetch_zone(struct loading *loading, const char *name, struct file_bytes *ret,
		      struct error *error)
{
	char path[ZONE_PATH_SIZE];
	int rc = zone_file_path(name, path, error);

	if (rc == 0)
		rc = loading->kept != NULL ? bundle_read(loading->kept, name, ret, error)
					   : zone_file_bytes(path, name, ret, error);
	return rc < 0 ? rc : loading_note(loading, BUNDLE_ZONE, name, ret, error);
}

static void read_zone(struct reader *reader, config_setting_t *setting, void *at)
{
	CLEANUP(file_bytes_clear) struct file_bytes bytes = { 0 };
	struct calendar_draft *draft = at;
	const char *name = reader_text(reader, setting);
	struct error error = { 0 };

	if (name == NULL)
		return;
	if (fetch_zone(loading_of(reader), name, &bytes, &error) < 0 ||
	    zone_file_parse((const unsigned char *)bytes.data, bytes.length, name,
			    reader->arena, &draft->plan.zone, &error) < 0) {
		reader_fault(reader, setting, "%s", error.text);
		fault_of_machine(reader->faults, error.code);
	}
}

/* clang-format off */
static const struct field calendar_fields[] = {
	{ .name = "id", .kind = FIELD_TEXT, .required = true, .check = check_id,
	  .at = offsetof(struct calendar_draft, plan.id) },
	{ .name = "zone", .kind = FIELD_CUSTOM, .custom = read_zone, .required = true },
	{ .name = "hours", .kind = FIELD_GROUP, .required = true, .fields = hours_fields,
	  .field_count = COUNT(hours_fields), .at = offsetof(struct calendar_draft, plan) },
	{ .name = "holidays", .kind = FIELD_CUSTOM, .custom = read_holidays },
	{ .name = "closures", .kind = FIELD_LIST, .custom = read_closures,
	  .at = offsetof(struct calendar_draft, plan) },
};
/* clang-format on */

static void read_calendar(struct reader *reader, config_setting_t *group,
			  struct named_calendar *ret)
{
	struct calendar_draft draft = { .plan = { .covered_until = INT32_MAX } };
	struct calendar_plan *plan;
	struct calendar *calendar = NULL;
	struct error error = { 0 };
	char version[DIGEST_TEXT_SIZE];
	size_t errors = reader->faults->errors;

	reader_group(reader, group, calendar_fields, COUNT(calendar_fields), &draft);
	ret->id = draft.plan.id;
	ret->line = setting_line(group);
	if (reader->faults->errors > errors)
		return; /* its name is known, so that policies that use it are not faulted too
			 */
	if (config_setting_get_member(group, "holidays") == NULL)
		reader_warn_in(reader, group, "holidays",
			       "left out: bank holidays count as working days");
	/* The calendar borrows its plan. */
	plan = arena_copy(reader->arena, &draft.plan, sizeof draft.plan);
	if (plan == NULL || digest_calendar(plan, version, &error) < 0)
		reader->out_of_memory = true;
	else if (calendar_create(plan, &calendar, &error) < 0)
		reader_fault(reader, group, "%s", error.text);
	else
		ret->version = reader_copy(reader, version);
	ret->calendar = calendar;
}

void config_calendars_read(struct reader *reader, config_setting_t *list, void *at)
{
	struct loading *loading = loading_of(reader);
	struct config *config = at;
	int count = config_setting_length(list);

	if (count == 0)
		reader_fault(reader, list, "must have at least one calendar");
	loading->calendars =
		reader_alloc(reader, ((size_t)count + 1) * sizeof *loading->calendars);
	if (loading->calendars == NULL)
		return;
	config->calendars = loading->calendars;
	for (int i = 0; i < count; i++) {
		config_setting_t *group = config_setting_get_elem(list, (unsigned)i);
		struct named_calendar *calendar = &loading->calendars[i];

		read_calendar(reader, group, calendar);
		for (int j = 0; j < i; j++)
			if (strcmp(loading->calendars[j].id, calendar->id) == 0 &&
			    calendar->id[0] != '\0')
				reader_fault_in(reader, group, "id",
						"\"%s\" is the id of the calendar on line %d",
						calendar->id, loading->calendars[j].line);
		config->calendar_count++;
	}
}
