/*
 * config_file.c - the main file, and what holds all files together; see config_file.h.
 *
 * Its settings are the rows of the tables below. Policies are config_policy's, the bytes and
 * the rows config_read's.
 */
#include "adapter/config_file.h"

#include "adapter/config_bundle.h"
#include "adapter/config_policy.h"
#include "adapter/config_read.h"
#include "adapter/digest.h"
#include "adapter/holiday_file.h"
#include "adapter/zone_file.h"
#include "base/list.h"
#include "base/text.h"
#include "core/address.h"
#include "core/url.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_POLICY_FILES = 200,
	TEXT_MOST = 64 << 20, /* of all files together */
};

/* The configuration with all that it borrows. */
struct loaded {
	struct config config; /* first: config_free goes back from it */
	struct arena arena;
};

/* What the rows' functions need besides the reader. */
struct loading {
	struct loaded *loaded;
	struct fault_list *faults;
	const char *folder;        /* of the main file, with the '/' behind it, or "" */
	const char *policies;      /* folder */
	const struct bundle *kept; /* read from here instead of from the disk; NULL */
	struct bundle read;        /* all that was read */
	struct sha256_ctx digest;
	struct named_calendar *calendars; /* as config.calendars, writable */
};

static struct loading *loading_of(const struct reader *reader)
{
	return reader->context;
}

static int fetch(const struct loading *loading, const char *path, struct file_bytes *ret,
		 struct error *error)
{
	return loading->kept != NULL ? bundle_read(loading->kept, path, ret, error)
				     : file_bytes_read(path, ret, error);
}

/* What was read counts for the digest, and is kept. */
static int note_read(struct loading *loading, enum bundle_kind kind, const char *path,
		     const struct file_bytes *bytes, struct error *error)
{
	sha256_update(&loading->digest, bytes->length, (const uint8_t *)bytes->data);
	return bundle_add(&loading->read, kind, path, bytes, error);
}

/* A file that libconfig reads; false: faults say why. */
static bool open_source(struct loading *loading, enum bundle_kind kind, const char *path,
			struct source *source)
{
	struct error error = { 0 };

	if (fetch(loading, path, &source->bytes, &error) < 0 ||
	    note_read(loading, kind, path, &source->bytes, &error) < 0) {
		fault_add(loading->faults, path, 0, "", "%s", error.text);
		fault_of_machine(loading->faults, error.code);
		return false;
	}
	return source_parse(source, path, loading->faults);
}

/* A path of the main file, which counts from the main file's folder. */
static const char *resolve(struct reader *reader, const char *path)
{
	CLEANUP(text_clear) struct text text = { 0 };

	if (path[0] == '/' || path[0] == '\0')
		return reader_copy(reader, path);
	text_appendf(&text, "%s%s", loading_of(reader)->folder, path);
	return reader_copy(reader, text_string(&text));
}

static void read_path(struct reader *reader, config_setting_t *setting, void *at)
{
	const char *text = reader_text(reader, setting);

	if (text != NULL && text[0] == '\0')
		reader_fault(reader, setting, "must not be empty");
	else if (text != NULL)
		*(const char **)at = resolve(reader, text);
}

/* --- numbers with a unit, and times of day --- */

/* "15 seconds": the amount and the place of the word, with or without its s, in `words`. */
static bool amount_parse(const char *text, const char *const *words, size_t count,
			 int32_t *ret_amount, size_t *ret_word)
{
	char *end;
	long amount;

	if (text[0] < '1' || text[0] > '9')
		return false;
	amount = strtol(text, &end, 10);
	if (*end != ' ' || amount > 100000)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(words[i]);

		if (strncmp(end + 1, words[i], length) != 0)
			continue;
		if (end[1 + length] == '\0' || strcmp(end + 1 + length, "s") == 0) {
			*ret_amount = (int32_t)amount;
			*ret_word = i;
			return true;
		}
	}
	return false;
}

/* From one second to `most`, which is an hour or a day. */
static void read_interval(struct reader *reader, config_setting_t *setting, int64_t most,
			  int64_t *ret)
{
	static const char *const words[] = { "second", "minute", "hour" };
	static const int64_t seconds[] = { 1, 60, 3600 };
	const char *text = reader_text(reader, setting);
	int32_t amount;
	size_t word;

	if (text == NULL)
		return;
	if (!amount_parse(text, words, COUNT(words), &amount, &word) ||
	    amount * seconds[word] > most)
		reader_fault(reader, setting,
			     "\"%s\" must be like \"15 seconds\", from 1 second to 1 %s", text,
			     most == SECONDS_PER_DAY ? "day" : "hour");
	else
		*ret = amount * seconds[word];
}

static void read_poll(struct reader *reader, config_setting_t *setting, void *at)
{
	read_interval(reader, setting, 3600, at);
}

static void read_every(struct reader *reader, config_setting_t *setting, void *at)
{
	read_interval(reader, setting, SECONDS_PER_DAY, at);
}

static void read_period(struct reader *reader, config_setting_t *setting, void *at)
{
	static const char *const words[] = { "day", "week", "month", "year" };
	const char *text = reader_text(reader, setting);
	int32_t amount;
	size_t word;

	if (text == NULL)
		return;
	if (!amount_parse(text, words, COUNT(words), &amount, &word))
		reader_fault(reader, setting,
			     "\"%s\" must be a number of days, weeks, months or years, like "
			     "\"6 years\"",
			     text);
	else
		*(struct period *)at =
			(struct period){ amount,
					 (enum period_unit)((size_t)PERIOD_DAYS + word) };
}

/* "HH:MM", 00:00 to 24:00, as seconds; moves *text past it. */
static bool time_parse(const char **text, int32_t *ret)
{
	const char *t = *text;

	if (strspn(t, "0123456789") != 2 || t[2] != ':' || strspn(t + 3, "0123456789") != 2)
		return false;
	*ret = ((t[0] - '0') * 10 + t[1] - '0') * 3600 + ((t[3] - '0') * 10 + t[4] - '0') * 60;
	*text = t + 5;
	return t[3] <= '5' && *ret <= SECONDS_PER_DAY;
}

static void read_daily(struct reader *reader, config_setting_t *setting, void *at)
{
	const char *text = reader_text(reader, setting);
	const char *rest = text;
	int32_t second;

	if (text == NULL)
		return;
	if (!time_parse(&rest, &second) || *rest != '\0' || second == SECONDS_PER_DAY)
		reader_fault(reader, setting, "\"%s\" must be a time of day, like \"08:30\"",
			     text);
	else
		*(int32_t *)at = second;
}

static void read_defer(struct reader *reader, config_setting_t *setting, void *at)
{
	const char *text = reader_text(reader, setting);
	struct error error = { 0 };
	struct timescale scale;

	if (text == NULL)
		return;
	if (timescale_parse(text, &scale, &error) < 0)
		reader_fault(reader, setting, "%s", error.text);
	else if (scale.unit < TIMESCALE_WORKING_DAYS || scale.unit > TIMESCALE_WEEKS)
		reader_fault(reader, setting, "\"%s\" cannot be used here", text);
	else
		*(struct timescale *)at = scale;
}

/* --- calendars --- */

/* "09:00-12:30,13:30-16:30" */
static bool hours_parse(const char *text, struct day_hours *ret)
{
	struct day_hours day = { 0 };
	int32_t before = 0;

	for (;;) {
		struct opening opening;

		if (day.count == CALENDAR_OPENINGS || !time_parse(&text, &opening.from) ||
		    *text++ != '-' || !time_parse(&text, &opening.to))
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
		  .custom = read_path,
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
	if (fetch(loading_of(reader), draft->holidays.file, &bytes, &error) < 0 ||
	    note_read(loading_of(reader), BUNDLE_HOLIDAYS, draft->holidays.file, &bytes,
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
	return rc < 0 ? rc : note_read(loading, BUNDLE_ZONE, name, ret, error);
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

static void read_calendars(struct reader *reader, config_setting_t *list, void *at)
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

/* --- roles --- */

/* clang-format off */
static const struct field role_fields[] = {
	{ .name = "id", .kind = FIELD_TEXT, .required = true, .check = check_id,
	  .at = offsetof(struct role_rule, id) },
	{ .name = "title", .kind = FIELD_TEXT, .required = true, .check = check_not_empty,
	  .at = offsetof(struct role_rule, title) },
	{ .name = "instead", .kind = FIELD_TEXTS, .check = check_id,
	  .at = offsetof(struct role_rule, instead),
	  .count_at = offsetof(struct role_rule, instead_count) },
};
/* clang-format on */

static const struct role_rule *role_named(const struct role_rule *roles, size_t count,
					  const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(roles[i].id, id) == 0)
			return &roles[i];
	return NULL;
}

static void check_stand_ins(struct reader *reader, const config_setting_t *group,
			    const struct role_rule *role, const struct role_rule *roles,
			    size_t count)
{
	const config_setting_t *instead = config_setting_get_member(group, "instead");

	for (size_t i = 0; i < role->instead_count; i++) {
		struct nearest nearest = { .typed = role->instead[i] };
		char hint[HINT_SIZE];

		if (strcmp(role->instead[i], role->id) == 0)
			reader_fault(reader, instead, "\"%s\" cannot stand in for itself",
				     role->id);
		if (role_named(roles, count, role->instead[i]) != NULL)
			continue;
		for (size_t j = 0; j < count; j++)
			nearest_offer(&nearest, roles[j].id);
		reader_fault(reader, instead, "there is no role \"%s\"%s", role->instead[i],
			     nearest_hint(&nearest, hint));
	}
}

static void read_roles(struct reader *reader, config_setting_t *list, void *at)
{
	struct config *config = at;
	size_t count = (size_t)config_setting_length(list);
	struct role_rule *roles = reader_alloc(reader, (count + 1) * sizeof *roles);

	if (roles == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		config_setting_t *group = config_setting_get_elem(list, (unsigned)i);

		reader_group(reader, group, role_fields, COUNT(role_fields), &roles[i]);
		if (roles[i].id[0] != '\0' && role_named(roles, i, roles[i].id) != NULL)
			reader_fault_in(reader, group, "id", "\"%s\" is there already",
					roles[i].id);
		if (strcmp(roles[i].id, "inbox") == 0)
			reader_fault_in(reader, group, "id",
					"\"inbox\" is the partnership's own and no role");
	}
	for (size_t i = 0; i < count; i++)
		check_stand_ins(reader, config_setting_get_elem(list, (unsigned)i), &roles[i],
				roles, count);
	config->roles = roles;
	config->role_count = count;
}

/* --- mail --- */

static const char *after(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : NULL;
}

static int check_relay(const char *text, struct error *error)
{
	const char *authority = after(text, "smtps://");
	char host[URL_HOST_SIZE];

	if (authority == NULL)
		authority = after(text, "smtp://");
	if (authority == NULL || !url_split_authority(authority, host))
		return error_set(error, EINVAL,
				 "\"%.100s\" must be smtps://host[:465] or smtp://host[:587], "
				 "with nothing after it",
				 text);
	return 0;
}

/* True for smtp:// to a literal loopback address: a name could come to mean another host. */
static bool relay_is_loopback(const char *relay)
{
	const char *authority = after(relay, "smtp://");
	char host[URL_HOST_SIZE];

	return authority != NULL && url_split_authority(authority, host) &&
	       url_is_loopback(host);
}

static int check_ehlo(const char *text, struct error *error)
{
	return text[0] == '\0' || url_is_host(text)
		       ? 0
		       : error_set(error, EINVAL, "\"%.100s\" is no host name", text);
}

/* The client's secret goes there: not in clear, not even to this machine. */
static int check_token_url(const char *text, struct error *error)
{
	if (text[0] != '\0' && after(text, "https://") == NULL)
		return error_set(error, EINVAL, "must begin with https://");
	return text[0] == '\0' ? 0 : url_check_web(text, error);
}

static int check_one_line(const char *text, struct error *error)
{
	return strlen(text) <= 500 ? 0 : error_set(error, EINVAL, "is longer than 500 bytes");
}

static int check_prefix(const char *text, struct error *error)
{
	return strlen(text) <= 60 ? 0 : error_set(error, EINVAL, "is longer than 60 bytes");
}

/* "Name <address>" or the address alone. */
static void read_from(struct reader *reader, config_setting_t *setting, void *at)
{
	struct mail_settings *mail = at;
	const char *text = reader_text(reader, setting);
	const char *open = text != NULL ? strchr(text, '<') : NULL;
	char address[300];
	size_t name = 0;
	struct error error = { 0 };

	if (text == NULL)
		return;
	if (open == NULL) {
		(void)snprintf(address, sizeof address, "%s", text); /* too long: faulted */
	} else {
		(void)snprintf(address, sizeof address, "%s", open + 1);
		if (strlen(open + 1) < 2 || strchr(open, '>') != open + strlen(open) - 1) {
			reader_fault(reader, setting,
				     "\"%s\" must be \"Name <address>\" or an address", text);
			return;
		}
		address[strcspn(address, ">")] = '\0';
		for (name = (size_t)(open - text); name > 0 && text[name - 1] == ' ';)
			name--;
	}
	if (address_check(address, &error) < 0) {
		reader_fault(reader, setting, "%s", error.text);
		return;
	}
	mail->from_address = reader_copy(reader, address);
	if (name > 0) {
		char *copy = arena_copy(reader->arena, text, name + 1);

		if (copy == NULL) {
			reader->out_of_memory = true;
			return;
		}
		copy[name] = '\0';
		mail->from_name = copy;
	}
}

static const char *const mechanisms[] = {
	[LOGIN_NONE] = "none",
	[LOGIN_PLAIN] = "PLAIN",
	[LOGIN_LOGIN] = "LOGIN",
	[LOGIN_XOAUTH2] = "XOAUTH2",
	NULL,
};

/* clang-format off */
static const struct field login_fields[] = {
	{ .name = "user", .kind = FIELD_TEXT, .required = true, .check = check_not_empty,
	  .at = offsetof(struct mail_settings, user) },
	{ .name = "mechanism", .kind = FIELD_CHOICE, .required = true, .words = mechanisms,
	  .at = offsetof(struct mail_settings, login) },
	{ .name = "credential", .kind = FIELD_TEXT, .required = true, .check = check_id,
	  .at = offsetof(struct mail_settings, credential) },
	{ .name = "tenant", .kind = FIELD_TEXT, .check = check_id,
	  .at = offsetof(struct mail_settings, tenant) },
	{ .name = "client", .kind = FIELD_TEXT, .check = check_id,
	  .at = offsetof(struct mail_settings, client) },
	{ .name = "token_url", .kind = FIELD_TEXT, .check = check_token_url,
	  .at = offsetof(struct mail_settings, token_url) },
};
/* clang-format on */

static void read_login(struct reader *reader, config_setting_t *group, void *at)
{
	struct mail_settings *mail = at;

	reader_group(reader, group, login_fields, COUNT(login_fields), mail);
	if (mail->login == LOGIN_XOAUTH2) {
		if (mail->client[0] == '\0')
			reader_fault_in(reader, group, "client", "is required for XOAUTH2");
		if (mail->tenant[0] == '\0' && mail->token_url[0] == '\0')
			reader_fault_in(reader, group, "tenant",
					"is required for XOAUTH2 (or a token_url)");
	} else if (mail->tenant[0] != '\0' || mail->client[0] != '\0' ||
		   mail->token_url[0] != '\0') {
		reader_fault(reader, group,
			     "tenant, client and token_url are for XOAUTH2 only");
	}
}

/* clang-format off */
static const struct field mail_fields[] = {
	{ .name = "relay", .kind = FIELD_TEXT, .required = true, .check = check_relay,
	  .at = offsetof(struct mail_settings, relay) },
	{ .name = "ca", .kind = FIELD_CUSTOM, .custom = read_path,
	  .at = offsetof(struct mail_settings, relay_ca) },
	{ .name = "ehlo", .kind = FIELD_TEXT, .check = check_ehlo,
	  .at = offsetof(struct mail_settings, ehlo) },
	{ .name = "from", .kind = FIELD_CUSTOM, .custom = read_from, .required = true },
	{ .name = "reply_to", .kind = FIELD_TEXT, .check = address_check,
	  .at = offsetof(struct mail_settings, reply_to) },
	{ .name = "envelope_from", .kind = FIELD_TEXT, .check = address_check,
	  .at = offsetof(struct mail_settings, envelope_from) },
	{ .name = "login", .kind = FIELD_CUSTOM, .custom = read_login },
	{ .name = "connections", .kind = FIELD_NUMBER, .min = 1, .max = 8, .fallback = 1,
	  .at = offsetof(struct mail_settings, connections) },
	{ .name = "per_minute", .kind = FIELD_NUMBER, .max = 10000, .fallback = 30,
	  .at = offsetof(struct mail_settings, per_minute) },
	{ .name = "per_person_per_day", .kind = FIELD_NUMBER, .max = 1000, .fallback = 10,
	  .at = offsetof(struct mail_settings, per_person_per_day) },
	{ .name = "hold_above", .kind = FIELD_NUMBER, .max = 1000000, .fallback = 50,
	  .at = offsetof(struct mail_settings, hold_above) },
	{ .name = "allow_domains", .kind = FIELD_TEXTS, .required = true,
	  .check = address_check_domain, .at = offsetof(struct mail_settings, allow_domains),
	  .count_at = offsetof(struct mail_settings, allow_domain_count) },
	{ .name = "subject_prefix", .kind = FIELD_TEXT, .check = check_prefix,
	  .at = offsetof(struct mail_settings, subject_prefix) },
	{ .name = "link", .kind = FIELD_TEXT, .check = check_link,
	  .at = offsetof(struct mail_settings, link) },
	{ .name = "show_agencies", .kind = FIELD_FLAG, .fallback = 1,
	  .at = offsetof(struct mail_settings, show_agencies) },
	{ .name = "calendar_attachment", .kind = FIELD_FLAG,
	  .at = offsetof(struct mail_settings, calendar_attachment) },
};
/* clang-format on */

static void read_mail(struct reader *reader, config_setting_t *group, void *at)
{
	struct mail_settings *mail = at;

	reader_group(reader, group, mail_fields, COUNT(mail_fields), mail);
	if (mail->envelope_from[0] == '\0')
		mail->envelope_from = mail->from_address;
	mail->clear_text = relay_is_loopback(mail->relay) && mail->login == LOGIN_NONE;
	if (mail->link[0] != '\0' && strstr(mail->link, "{reference}") == NULL)
		reader_warn(reader, config_setting_get_member(group, "link"),
			    "has no {reference}: every mail links to the same page");
}

/* --- the rest of the main file --- */

/* clang-format off */
static const struct field partnership_fields[] = {
	{ .name = "agency", .kind = FIELD_TEXT, .required = true, .check = check_id,
	  .at = offsetof(struct partnership, agency) },
	{ .name = "name", .kind = FIELD_TEXT, .check = check_one_line,
	  .at = offsetof(struct partnership, name) },
	{ .name = "inbox", .kind = FIELD_TEXT, .required = true, .check = address_check,
	  .at = offsetof(struct partnership, inbox) },
	{ .name = "telephone", .kind = FIELD_TEXT, .check = check_one_line,
	  .at = offsetof(struct partnership, telephone) },
	{ .name = "emergency", .kind = FIELD_TEXT, .required = true, .check = check_not_empty,
	  .at = offsetof(struct partnership, emergency) },
};
/* clang-format on */

/* clang-format off */
static const struct field heartbeat_fields[] = {
	{ .name = "url", .kind = FIELD_TEXT, .check = url_check_web,
	  .at = offsetof(struct heartbeat_settings, url) },
	{ .name = "credential", .kind = FIELD_TEXT, .check = check_id,
	  .at = offsetof(struct heartbeat_settings, credential) },
	{ .name = "ca", .kind = FIELD_CUSTOM, .custom = read_path,
	  .at = offsetof(struct heartbeat_settings, ca) },
	{ .name = "every", .kind = FIELD_CUSTOM, .custom = read_every,
	  .at = offsetof(struct heartbeat_settings, every_seconds) },
};
/* clang-format on */

static void read_heartbeat(struct reader *reader, config_setting_t *group, void *at)
{
	struct heartbeat_settings *heartbeat = at;

	heartbeat->every_seconds = 300;
	reader_group(reader, group, heartbeat_fields, COUNT(heartbeat_fields), heartbeat);
	if ((config_setting_get_member(group, "url") != NULL) ==
	    (config_setting_get_member(group, "credential") != NULL))
		reader_fault(reader, group,
			     "must have either a url, or, where that holds a secret, the "
			     "credential that it stands in");
}

/* clang-format off */
static const struct field alarm_fields[] = {
	{ .name = "to", .kind = FIELD_TEXTS, .required = true, .check = address_check,
	  .at = offsetof(struct config, alarm_to),
	  .count_at = offsetof(struct config, alarm_to_count) },
	{ .name = "daily", .kind = FIELD_CUSTOM, .custom = read_daily,
	  .at = offsetof(struct config, alarm_daily) },
	{ .name = "heartbeat", .kind = FIELD_CUSTOM, .custom = read_heartbeat,
	  .at = offsetof(struct config, heartbeat) },
};
/* clang-format on */

/* clang-format off */
static const struct field retention_fields[] = {
	{ .name = "bodies", .kind = FIELD_CUSTOM, .custom = read_period,
	  .at = offsetof(struct retention, bodies) },
	{ .name = "challenges", .kind = FIELD_CUSTOM, .custom = read_period,
	  .at = offsetof(struct retention, challenges) },
	{ .name = "contacts", .kind = FIELD_CUSTOM, .custom = read_period,
	  .at = offsetof(struct retention, contacts) },
	{ .name = "ledger", .kind = FIELD_CUSTOM, .custom = read_period,
	  .at = offsetof(struct retention, ledger) },
};
/* clang-format on */

static void read_policies_path(struct reader *reader, config_setting_t *setting, void *at)
{
	(void)at;
	read_path(reader, setting, &loading_of(reader)->policies);
}

/* clang-format off */
static const struct field main_fields[] = {
	{ .name = "store", .kind = FIELD_CUSTOM, .custom = read_path, .required = true,
	  .at = offsetof(struct config, store) },
	{ .name = "state", .kind = FIELD_CUSTOM, .custom = read_path,
	  .at = offsetof(struct config, state) },
	{ .name = "poll", .kind = FIELD_CUSTOM, .custom = read_poll,
	  .at = offsetof(struct config, poll_seconds) },
	{ .name = "policies", .kind = FIELD_CUSTOM, .custom = read_policies_path },
	{ .name = "templates", .kind = FIELD_CUSTOM, .custom = read_path,
	  .at = offsetof(struct config, templates) },
	{ .name = "calendars", .kind = FIELD_LIST, .custom = read_calendars, .required = true },
	{ .name = "roles", .kind = FIELD_LIST, .custom = read_roles },
	{ .name = "partnership", .kind = FIELD_GROUP, .required = true,
	  .fields = partnership_fields, .field_count = COUNT(partnership_fields),
	  .at = offsetof(struct config, partnership) },
	{ .name = "mail", .kind = FIELD_CUSTOM, .custom = read_mail, .required = true,
	  .at = offsetof(struct config, mail) },
	{ .name = "alarm", .kind = FIELD_GROUP, .fields = alarm_fields,
	  .field_count = COUNT(alarm_fields) },
	{ .name = "metrics", .kind = FIELD_CUSTOM, .custom = read_path,
	  .at = offsetof(struct config, metrics) },
	{ .name = "defer_at_most", .kind = FIELD_CUSTOM, .custom = read_defer,
	  .at = offsetof(struct config, defer_at_most) },
	{ .name = "retention", .kind = FIELD_GROUP, .fields = retention_fields,
	  .field_count = COUNT(retention_fields), .at = offsetof(struct config, retention) },
};
/* clang-format on */

/* Whom this program itself must be able to reach has to be in an allowed domain as well. */
static void check_own_address(struct reader *reader, const char *path, const char *address)
{
	const struct mail_settings *mail = &loading_of(reader)->loaded->config.mail;
	const config_setting_t *setting = config_lookup(&reader->source->parsed, path);

	if (address[0] != '\0' && setting != NULL && mail->allow_domain_count > 0 &&
	    !address_is_allowed(address, mail->allow_domains, mail->allow_domain_count))
		reader_fault(reader, setting, "\"%s\" is in no domain of mail.allow_domains",
			     address);
}

static void copy_folder(const char *file, char ret[static PATH_MAX])
{
	const char *slash = strrchr(file, '/');
	char folder[PATH_MAX];
	size_t length = slash == NULL ? 1 : (size_t)(slash - file) + 1;

	(void)snprintf(folder, sizeof folder, "%.*s", (int)length, slash == NULL ? "." : file);
	/* One that is not there yet is known by its name alone. */
	if (realpath(folder, ret) == NULL)
		(void)snprintf(ret, PATH_MAX, "%s", folder);
}

/* Others write to the store's folder, and node_exporter reads nothing but *.prom. */
static void check_metrics(struct reader *reader, config_setting_t *root)
{
	const struct config *config = &loading_of(reader)->loaded->config;
	const config_setting_t *setting = config_setting_get_member(root, "metrics");
	size_t length = strlen(config->metrics);
	char store[PATH_MAX];
	char metrics[PATH_MAX];

	if (setting == NULL || length == 0)
		return;
	copy_folder(config->store, store);
	copy_folder(config->metrics, metrics);
	if (length < 6 || strcmp(config->metrics + length - 5, ".prom") != 0 ||
	    config->metrics[length - 6] == '/')
		reader_fault(reader, setting,
			     "must be a file whose name ends in .prom: nothing else is read by "
			     "node_exporter");
	else if (strcmp(store, metrics) == 0)
		reader_fault(reader, setting, "must not be in the folder of the store");
}

static void check_main(struct reader *reader)
{
	const struct config *config = &loading_of(reader)->loaded->config;
	config_setting_t *root = config_root_setting(&reader->source->parsed);
	const config_setting_t *retention = config_setting_get_member(root, "retention");
	bool unset = false;

	check_metrics(reader, root);
	check_own_address(reader, "partnership.inbox", config->partnership.inbox);
	for (size_t i = 0; i < config->alarm_to_count; i++)
		check_own_address(reader, "alarm.to", config->alarm_to[i]);
	if (config_setting_get_member(root, "alarm") == NULL)
		reader_warn_in(
			reader, root, "alarm",
			"left out: nobody is mailed when the program itself is in trouble");
	for (size_t i = 0; i < COUNT(retention_fields); i++)
		if (retention == NULL ||
		    config_setting_get_member(retention, retention_fields[i].name) == NULL)
			unset = true;
	if (unset)
		reader_warn_in(
			reader, root, "retention",
			"bodies, challenges, contacts and ledger are not all set: how long "
			"to keep them is the partnership's decision");
}

static void set_defaults(struct reader *reader, struct config *config)
{
	struct mail_settings *mail = &config->mail;

	reader_fallbacks(main_fields, COUNT(main_fields), config);
	reader_fallbacks(mail_fields, COUNT(mail_fields), mail);
	reader_fallbacks(login_fields, COUNT(login_fields), mail);
	mail->relay_ca = "";
	mail->from_name = "";
	mail->from_address = "";
	config->store = "";
	config->state = "/var/lib/challenge-notifyd";
	config->templates = resolve(reader, "templates");
	config->poll_seconds = 15;
	config->defer_at_most = (struct timescale){ TIMESCALE_WORKING_DAYS, 1 };
	config->alarm_daily = -1;
	reader_fallbacks(heartbeat_fields, COUNT(heartbeat_fields), &config->heartbeat);
	config->heartbeat.ca = "";
	config->metrics = "";
	loading_of(reader)->policies = resolve(reader, "policies");
}

/* --- policies --- */

static void check_twin(const struct config *config, const struct policy *const *policies,
		       const struct source *source, const struct policy *policy,
		       struct fault_list *faults)
{
	const config_setting_t *version = config_lookup(&source->parsed, "policy.version");
	int line = version != NULL ? setting_line(version) : 1;

	for (size_t i = 0; i < config->policy_count; i++)
		if (policy->id[0] != '\0' && strcmp(policies[i]->id, policy->id) == 0 &&
		    strcmp(policies[i]->version, policy->version) == 0)
			fault_add(faults, policy->file, line, "policy.version",
				  "\"%s\" of \"%s\" is in %s as well", policy->version,
				  policy->id, policies[i]->file);
}

static int load_policy(struct loading *loading, const char *path,
		       const struct policy **policies, struct error *error)
{
	CLEANUP(source_clear) struct source source = { 0 };
	struct config *config = &loading->loaded->config;
	struct policy_world world = { config->calendars, config->calendar_count, config->roles,
				      config->role_count };
	char digest[DIGEST_TEXT_SIZE];
	struct policy *policy;

	if (!open_source(loading, BUNDLE_POLICY, path, &source))
		return 0; /* noted; the others are checked all the same */
	digest_bytes(source.bytes.data, source.bytes.length, digest);
	policy = policy_read(&source, digest, &world, &loading->loaded->arena, loading->faults);
	if (policy == NULL)
		return error_memory(error);
	check_twin(config, policies, &source, policy, loading->faults);
	policies[config->policy_count++] = policy;
	return 0;
}

static int load_policies(struct loading *loading, const char *const *paths, size_t count,
			 struct error *error)
{
	struct config *config = &loading->loaded->config;
	const struct policy **policies =
		arena_alloc(&loading->loaded->arena, (count + 1) * sizeof *policies);

	if (policies == NULL)
		return error_memory(error);
	config->policies = policies;
	for (size_t i = 0; i < count; i++) {
		int rc = load_policy(loading, paths[i], policies, error);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Every file that ends in .conf and does not begin with a dot. */
static int is_policy_name(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
	       strcmp(entry->d_name + length - 5, ".conf") == 0;
}

/* By bytes: the order must not hang on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

struct names {
	struct dirent **entry;
	int count;
};

static void names_clear(struct names *names)
{
	for (int i = 0; i < names->count; i++)
		free(names->entry[i]);
	free(names->entry);
}

static int load_policy_folder(struct loading *loading, struct error *error)
{
	CLEANUP(names_clear) struct names names = { 0 };
	struct arena *arena = &loading->loaded->arena;
	const char **paths;
	int count = scandir(loading->policies, &names.entry, is_policy_name, by_name);
	int code = errno;

	if (count < 0) {
		fault_add(loading->faults, loading->policies, 0, "",
			  "the folder of policies cannot be read: %s", strerror(code));
		fault_of_machine(loading->faults, code);
		return 0;
	}
	names.count = count;
	if (count == 0 || count > MOST_POLICY_FILES) {
		fault_add(loading->faults, loading->policies, 0, "",
			  "holds %d policies (*.conf), not 1 to %d", count, MOST_POLICY_FILES);
		return 0;
	}
	paths = arena_alloc(arena, (size_t)count * sizeof *paths);
	for (int i = 0; paths != NULL && i < count; i++) {
		CLEANUP(text_clear) struct text path = { 0 };

		text_appendf(&path, "%s/%s", loading->policies, names.entry[i]->d_name);
		paths[i] = arena_string(arena, text_string(&path));
		if (paths[i] == NULL)
			paths = NULL;
	}
	if (paths == NULL)
		return error_memory(error);
	return load_policies(loading, paths, (size_t)count, error);
}

/* --- all of it --- */

static int load_main(struct loading *loading, const char *file, struct error *error)
{
	CLEANUP(source_clear) struct source source = { 0 };
	struct config *config = &loading->loaded->config;
	struct reader reader = {
		.source = &source,
		.arena = &loading->loaded->arena,
		.faults = loading->faults,
		.context = loading,
	};

	set_defaults(&reader, config);
	config->file = reader_copy(&reader, file);
	if (open_source(loading, BUNDLE_MAIN, file, &source)) {
		reader_group(&reader, config_root_setting(&source.parsed), main_fields,
			     COUNT(main_fields), config);
		check_main(&reader);
	}
	return reader.out_of_memory ? error_memory(error) : 0;
}

/* The policies of a configuration that was kept, in their order. */
static int load_kept_policies(struct loading *loading, struct error *error)
{
	const struct bundle *kept = loading->kept;
	const char **paths =
		arena_alloc(&loading->loaded->arena, (kept->count + 1) * sizeof *paths);
	size_t count = 0;

	if (paths == NULL)
		return error_memory(error);
	for (size_t i = 0; i < kept->count; i++) {
		if (kept->files[i].kind != BUNDLE_POLICY)
			continue;
		paths[count] = arena_string(&loading->loaded->arena, kept->files[i].path);
		if (paths[count++] == NULL)
			return error_memory(error);
	}
	return load_policies(loading, paths, count, error);
}

/* All that was read, in one text. */
static int keep_text(struct loading *loading, struct error *error)
{
	CLEANUP(text_clear) struct text text = { .limit = TEXT_MOST };
	struct loaded *loaded = loading->loaded;

	bundle_write(&loading->read, &text);
	if (text_failed(&text))
		return error_memory(error);
	loaded->config.text = arena_string(&loaded->arena, text_string(&text));
	return loaded->config.text == NULL ? error_memory(error) : 0;
}

static const char *folder_of(const char *file, struct arena *arena)
{
	const char *slash = strrchr(file, '/');
	char *folder = arena_string(arena, file);

	if (folder != NULL)
		folder[slash != NULL ? slash - file + 1 : 0] = '\0';
	return folder;
}

static int load_all(struct loading *loading, const char *file, const char *const *policies,
		    size_t count, struct error *error)
{
	struct loaded *loaded = loading->loaded;
	size_t errors = loading->faults->errors;
	char digest[DIGEST_TEXT_SIZE];
	uint8_t bytes[SHA256_DIGEST_SIZE];
	int rc;

	sha256_init(&loading->digest);
	loading->folder = folder_of(file, &loaded->arena);
	if (loading->folder == NULL)
		return error_memory(error);
	rc = load_main(loading, file, error);
	/* Without any calendar the main file was not read at all: its policies would only be
	 * faulted for what it lacks. */
	if (rc == 0 && loaded->config.calendar_count > 0)
		rc = loading->kept != NULL ? load_kept_policies(loading, error)
		     : policies != NULL    ? load_policies(loading, policies, count, error)
					   : load_policy_folder(loading, error);
	if (rc == 0)
		rc = keep_text(loading, error);
	if (rc < 0)
		return rc;
	sha256_digest(&loading->digest, sizeof bytes, bytes);
	digest_text(bytes, digest);
	loaded->config.digest = arena_string(&loaded->arena, digest);
	if (loaded->config.digest == NULL)
		return error_memory(error);
	errors = loading->faults->errors - errors;
	return errors == 0 ? 0
			   : error_set(error, EINVAL, "%s: %zu %s", file, errors,
				       text_plural((int64_t)errors, "fault", "faults"));
}

static struct config *load(const char *file, const char *const *policies, size_t count,
			   const struct bundle *kept, struct fault_list *faults,
			   struct error *error)
{
	struct loaded *loaded = calloc(1, sizeof *loaded);
	struct loading loading = { .loaded = loaded, .faults = faults, .kept = kept };
	int rc;

	if (loaded == NULL) {
		(void)error_memory(error); /* NULL says it */
		return NULL;
	}
	rc = load_all(&loading, file, policies, count, error);
	bundle_clear(&loading.read);
	fault_sort(faults);
	if (rc < 0) {
		config_free(&loaded->config);
		return NULL;
	}
	return &loaded->config;
}

struct config *config_load_policies(const char *file, const char *const *policies, size_t count,
				    struct fault_list *faults, struct error *error)
{
	return load(file, policies, count, NULL, faults, error);
}

struct config *config_load_text(const char *text, struct fault_list *faults,
				struct error *error)
{
	CLEANUP(bundle_clear) struct bundle kept = { 0 };

	if (bundle_parse(text, &kept, error) < 0)
		return NULL;
	return load(kept.files[0].path, NULL, 0, &kept, faults, error);
}

struct config *config_load(const char *file, struct fault_list *faults, struct error *error)
{
	return config_load_policies(file, NULL, 0, faults, error);
}

void config_free(struct config *config)
{
	struct loaded *loaded = (struct loaded *)(void *)config;

	if (loaded == NULL)
		return;
	for (size_t i = 0; i < config->calendar_count; i++)
		calendar_destroy((struct calendar *)config->calendars[i].calendar);
	arena_clear(&loaded->arena);
	free(loaded);
}

void config_destroyp(struct config **config)
{
	config_free(*config);
	*config = NULL;
}

bool config_is_policy_file(const char *file)
{
	CLEANUP(file_bytes_clear) struct file_bytes bytes = { 0 };

	return file_bytes_read(file, &bytes, NULL) == 0 &&
	       config_scan_begins(bytes.data, bytes.length, "policy");
}

/* --- looking things up --- */

static int no_policy(const struct config *config, const char *id, const char *version,
		     size_t same, struct error *error)
{
	CLEANUP(text_clear) struct text there = { .limit = 300 };

	for (size_t i = 0; i < config->policy_count; i++)
		text_appendf(&there, "%s%s@%s", i > 0 ? ", " : "", config->policies[i]->id,
			     config->policies[i]->version);
	if (same > 1)
		return error_set(error, ENOENT,
				 "policy \"%.80s\" has %zu versions; say which: %s", id, same,
				 text_string(&there));
	return error_set(error, ENOENT, "there is no policy \"%.80s%s%.80s\"; there are: %s",
			 id, version[0] != '\0' ? "@" : "", version, text_string(&there));
}

const struct policy *config_policy(const struct config *config, const char *id,
				   const char *version, struct error *error)
{
	const struct policy *found = NULL;
	size_t same = 0;

	if (version == NULL)
		version = "";
	for (size_t i = 0; i < config->policy_count; i++) {
		const struct policy *policy = config->policies[i];

		if (strcmp(policy->id, id) != 0 ||
		    (version[0] != '\0' && strcmp(policy->version, version) != 0))
			continue;
		found = policy;
		same++;
	}
	if (same == 1)
		return found;
	(void)no_policy(config, id, version, same, error); /* NULL says it */
	return NULL;
}

const struct calendar *config_calendar(const struct config *config, const char *id)
{
	for (size_t i = 0; i < config->calendar_count; i++)
		if (strcmp(config->calendars[i].id, id) == 0)
			return config->calendars[i].calendar;
	return NULL;
}

const struct named_calendar *config_calendar_of(const struct config *config,
						const struct policy *policy)
{
	for (size_t i = 0; i < config->calendar_count; i++)
		if (config->calendars[i].calendar == policy->calendar)
			return &config->calendars[i];
	return NULL;
}
