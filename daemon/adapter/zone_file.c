/*
 * zone_file.c - see zone_file.h; the format is RFC 8536 (TZif) with the rule of POSIX TZ.
 *
 * Only the second data block counts (64 bit times); the first is there for old readers. Every
 * length is checked against the bytes there are before anything is read.
 */
#include "adapter/zone_file.h"

#include "adapter/digest.h"
#include "adapter/file_bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_FOLDER "/usr/share/zoneinfo"

enum {
	HEADER_SIZE = 44,
	LAST_YEAR = 2100,
	MOST_OFFSET = 26 * 3600 - 1, /* RFC 8536 3.2: utoff SHOULD be within 26 hours */
	MOST_CHANGES = 4096,
	HOURS_OF_RULE = 167, /* RFC 8536 3.3.1 */
};

/* The counts of one data block, in the order of the header. */
struct block {
	uint32_t isut, isstd, leap, time, type, chars;
	size_t time_size; /* bytes of a time: 4 or 8 */
};

static uint32_t big_endian_32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t big_endian_64(const unsigned char *at)
{
	return (int64_t)((uint64_t)big_endian_32(at) << 32 | big_endian_32(at + 4));
}

static bool header_read(const unsigned char *at, size_t left, size_t time_size,
			struct block *ret)
{
	if (left < HEADER_SIZE || memcmp(at, "TZif", 4) != 0)
		return false;
	*ret = (struct block){
		.isut = big_endian_32(at + 20),
		.isstd = big_endian_32(at + 24),
		.leap = big_endian_32(at + 28),
		.time = big_endian_32(at + 32),
		.type = big_endian_32(at + 36),
		.chars = big_endian_32(at + 40),
		.time_size = time_size,
	};
	return true;
}

static uint64_t block_size(const struct block *block)
{
	return (uint64_t)block->time * (block->time_size + 1) + (uint64_t)block->type * 6 +
	       block->chars + (uint64_t)block->leap * (block->time_size + 4) + block->isstd +
	       block->isut;
}

/* --- the rule in the footer, "GMT0BST,M3.5.0/1,M10.5.0" --- */

struct rule_day {
	enum { RULE_JULIAN, RULE_ZERO_BASED, RULE_MONTH } form;
	int32_t month, week, day;
	int32_t second; /* of local time, may lie outside the day */
};

struct rule {
	int32_t standard; /* seconds east of UTC */
	int32_t summer;
	bool has_summer;
	struct rule_day begin; /* of summer time, in standard time */
	struct rule_day end;   /* in summer time */
};

static bool number_read(const char **at, int32_t min, int32_t max, int32_t *ret)
{
	int32_t number = 0;
	const char *c = *at;

	if (*c < '0' || *c > '9')
		return false;
	for (; *c >= '0' && *c <= '9'; c++) {
		number = number * 10 + (*c - '0');
		if (number > 100000)
			return false;
	}
	if (number < min || number > max)
		return false;
	*at = c;
	*ret = number;
	return true;
}

/* [+-]hh[:mm[:ss]] as seconds. */
static bool clock_read(const char **at, int32_t most_hours, int32_t *ret)
{
	int32_t sign = 1;
	int32_t hours;
	int32_t minutes = 0;
	int32_t seconds = 0;

	if (**at == '+' || **at == '-')
		sign = *(*at)++ == '-' ? -1 : 1;
	if (!number_read(at, 0, most_hours, &hours))
		return false;
	if (**at == ':') {
		(*at)++;
		if (!number_read(at, 0, 59, &minutes))
			return false;
		if (**at == ':') {
			(*at)++;
			if (!number_read(at, 0, 59, &seconds))
				return false;
		}
	}
	*ret = sign * (hours * 3600 + minutes * 60 + seconds);
	return true;
}

/* Three letters or more, or anything of letters, digits and signs between '<' and '>'. */
static bool abbreviation_skip(const char **at)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	static const char quoted[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
	size_t length;

	if (**at == '<') {
		length = strspn(*at + 1, quoted);
		if (length == 0 || (*at)[length + 1] != '>')
			return false;
		*at += length + 2;
		return true;
	}
	length = strspn(*at, letters);
	*at += length;
	return length >= 3;
}

static bool month_day_read(const char **at, struct rule_day *day)
{
	(*at)++;
	if (!number_read(at, 1, 12, &day->month) || *(*at)++ != '.')
		return false;
	if (!number_read(at, 1, 5, &day->week) || *(*at)++ != '.')
		return false;
	return number_read(at, 0, 6, &day->day);
}

static bool rule_day_read(const char **at, struct rule_day *ret)
{
	struct rule_day day = { .form = RULE_ZERO_BASED, .second = 2 * 3600 };
	bool good;

	if (**at == 'M') {
		day.form = RULE_MONTH;
		good = month_day_read(at, &day);
	} else if (**at == 'J') {
		(*at)++;
		day.form = RULE_JULIAN;
		good = number_read(at, 1, 365, &day.day);
	} else {
		good = number_read(at, 0, 365, &day.day);
	}
	if (good && **at == '/') {
		(*at)++;
		good = clock_read(at, HOURS_OF_RULE, &day.second);
	}
	if (good)
		*ret = day;
	return good;
}

static bool rule_parse(const char *at, struct rule *ret)
{
	struct rule rule = { 0 };
	int32_t west;

	if (!abbreviation_skip(&at) || !clock_read(&at, 24, &west))
		return false;
	rule.standard = -west; /* POSIX counts west of Greenwich */
	if (*at != '\0') {
		rule.has_summer = true;
		rule.summer = rule.standard + 3600;
		if (!abbreviation_skip(&at))
			return false;
		if (*at != ',') {
			if (!clock_read(&at, 24, &west))
				return false;
			rule.summer = -west;
		}
		if (*at++ != ',' || !rule_day_read(&at, &rule.begin) || *at++ != ',' ||
		    !rule_day_read(&at, &rule.end) || *at != '\0')
			return false;
	}
	*ret = rule;
	return true;
}

/* The civil day on which a rule's day falls in a year. */
static int32_t rule_day_in(const struct rule_day *rule, int32_t year)
{
	int32_t first = date_to_day((struct date){ year, 1, 1 });
	bool leap = date_is_real((struct date){ year, 2, 29 });
	int32_t day;

	switch (rule->form) {
	case RULE_ZERO_BASED:
		return first + rule->day;
	case RULE_JULIAN: /* 29 February is never counted */
		return first + rule->day - 1 + (leap && rule->day >= 60 ? 1 : 0);
	case RULE_MONTH:
		break;
	}
	first = date_to_day((struct date){ year, rule->month, 1 });
	/* day_weekday counts from Monday, POSIX from Sunday. */
	day = first + (rule->day + 6 - day_weekday(first)) % 7 + (rule->week - 1) * 7;
	while (day_to_date(day).month != rule->month)
		day -= 7; /* "5" is the last one */
	return day;
}

/* --- the table --- */

struct table {
	struct zone_change change[MOST_CHANGES];
	size_t count;
	int32_t first_offset;
};

/* Later calls come with later times; where two fall together, the last one holds. */
static int table_add(struct table *table, int64_t at, int32_t offset)
{
	int32_t before;

	while (table->count > 0 && table->change[table->count - 1].at.seconds >= at)
		table->count--;
	before =
		table->count > 0 ? table->change[table->count - 1].offset : table->first_offset;
	if (offset == before)
		return 0; /* another name or another kind of time, but the same clock */
	if (table->count == MOST_CHANGES)
		return -EINVAL;
	table->change[table->count++] = (struct zone_change){ { at }, offset };
	return 0;
}

static int times_read(struct table *table, const unsigned char *at, const struct block *block,
		      struct error *error)
{
	const unsigned char *types = at + (size_t)block->time * 8;
	const unsigned char *kinds = types + block->time;
	int64_t before = INT64_MIN;

	for (uint32_t i = 0; i < block->type; i++) {
		int32_t offset = (int32_t)big_endian_32(kinds + (size_t)i * 6);

		if (offset < -MOST_OFFSET || offset > MOST_OFFSET)
			return error_set(error, EINVAL,
					 "has an offset from UTC beyond 26 hours");
	}
	table->first_offset = (int32_t)big_endian_32(kinds); /* RFC 8536 3.2: type 0 */
	for (uint32_t i = 0; i < block->time; i++) {
		int64_t time = big_endian_64(at + (size_t)i * 8);

		if (types[i] >= block->type)
			return error_set(error, EINVAL, "names a local time type it lacks");
		if (time <= before)
			return error_set(error, EINVAL, "has changes out of order");
		before = time;
		if (table_add(table, time,
			      (int32_t)big_endian_32(kinds + (size_t)types[i] * 6)) < 0)
			return error_set(error, EINVAL, "has too many changes");
	}
	return 0;
}

/* The year in which the unrolling begins: no calendar counts days before 1900. */
static int32_t year_of(int64_t at)
{
	int64_t first = (int64_t)date_to_day((struct date){ 1900, 1, 1 }) * SECONDS_PER_DAY;
	int64_t day = at / SECONDS_PER_DAY - (at % SECONDS_PER_DAY < 0 ? 1 : 0);

	return at < first ? 1900 : day_to_date((int32_t)day).year;
}

/*
 * Each year's two changes in order of time. Where summer lasts all year, the end of one
 * falls together with the beginning of the next, which comes later and so holds.
 */
static int rule_unroll(struct table *table, const struct rule *rule, int64_t after)
{
	int rc = 0;

	for (int32_t year = year_of(after); rc == 0 && year <= LAST_YEAR; year++) {
		int64_t begin = (int64_t)rule_day_in(&rule->begin, year) * SECONDS_PER_DAY +
				rule->begin.second - rule->standard;
		int64_t end = (int64_t)rule_day_in(&rule->end, year) * SECONDS_PER_DAY +
			      rule->end.second - rule->summer;
		bool north = begin < end;
		int64_t early = north ? begin : end;
		int64_t late = north ? end : begin;

		if (early > after)
			rc = table_add(table, early, north ? rule->summer : rule->standard);
		if (rc == 0 && late > after)
			rc = table_add(table, late, north ? rule->standard : rule->summer);
	}
	return rc;
}

static int footer_read(struct table *table, const unsigned char *at, size_t left, int64_t last,
		       struct error *error)
{
	char text[256];
	const unsigned char *end;
	struct rule rule;

	if (left < 2 || at[0] != '\n')
		return error_set(error, EINVAL, "ends without its footer");
	end = memchr(at + 1, '\n', left - 1);
	if (end == NULL || (size_t)(end - at) > sizeof text)
		return error_set(error, EINVAL, "ends inside its footer");
	memcpy(text, at + 1, (size_t)(end - at) - 1);
	text[end - at - 1] = '\0';
	if (text[0] == '\0')
		return 0; /* nobody knows what comes after the last change */
	if (strlen(text) != (size_t)(end - at) - 1 || !rule_parse(text, &rule))
		return error_set(error, EINVAL, "has a rule that cannot be read: \"%s\"", text);
	if (rule.has_summer && rule_unroll(table, &rule, last) < 0)
		return error_set(error, EINVAL, "has too many changes");
	return 0;
}

static int parse_into(struct table *table, const unsigned char *bytes, size_t length,
		      struct error *error)
{
	struct block block;
	size_t at;
	int rc;
	int64_t last = INT64_MIN;

	if (!header_read(bytes, length, 4, &block))
		return error_set(error, EINVAL, "is not a time zone file (TZif)");
	if (bytes[4] < '2')
		return error_set(error, EINVAL,
				 "is of TZif version 1, which has no 64 bit times");
	if (block_size(&block) > length - HEADER_SIZE)
		return error_set(error, EINVAL, "is cut short");
	at = HEADER_SIZE + (size_t)block_size(&block);
	if (!header_read(bytes + at, length - at, 8, &block))
		return error_set(error, EINVAL, "lacks its second header");
	at += HEADER_SIZE;
	if (block_size(&block) > length - at)
		return error_set(error, EINVAL, "is cut short");
	if (block.leap != 0)
		return error_set(error, EINVAL, "counts leap seconds; use the zone without");
	if (block.type == 0)
		return error_set(error, EINVAL, "has no local time type");
	rc = times_read(table, bytes + at, &block, error);
	if (rc < 0)
		return rc;
	if (block.time > 0)
		last = big_endian_64(bytes + at + (size_t)(block.time - 1) * 8);
	/* A day number must fit: tzdata has no change past the rule's horizon. */
	if (last > (int64_t)date_to_day((struct date){ LAST_YEAR, 12, 31 }) * SECONDS_PER_DAY)
		return 0;
	at += (size_t)block_size(&block);
	return footer_read(table, bytes + at, length - at, last, error);
}

int zone_file_parse(const unsigned char *bytes, size_t length, const char *name,
		    struct arena *arena, struct zone *ret, struct error *error)
{
	CLEANUP(freep) struct table *table = calloc(1, sizeof *table);
	struct zone zone = { 0 };
	char digest[DIGEST_TEXT_SIZE];
	int rc;

	if (table == NULL)
		return error_memory(error);
	rc = parse_into(table, bytes, length, error);
	if (rc < 0)
		return rc;
	zone.first_offset = table->first_offset;
	zone.count = table->count;
	zone.name = arena_string(arena, name);
	zone.changes = arena_copy(arena, table->change, table->count * sizeof table->change[0]);
	digest_bytes((const char *)bytes, length, digest);
	zone.digest = arena_string(arena, digest);
	if (zone.name == NULL || zone.changes == NULL || zone.digest == NULL)
		return error_memory(error);
	*ret = zone;
	return 0;
}

static bool name_is_sound(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
	size_t length = strlen(name);

	return length > 0 && length <= 100 && strspn(name, allowed) == length &&
	       name[0] != '/' && name[length - 1] != '/' && strstr(name, "//") == NULL;
}

int zone_file_path(const char *name, char out[static ZONE_PATH_SIZE], struct error *error)
{
	const char *folder = getenv("TZDIR");

	/* No dot is allowed, so ".." is not either. */
	if (!name_is_sound(name))
		return error_set(error, EINVAL,
				 "\"%.100s\" is no name of a time zone, such as Europe/London",
				 name);
	if (folder == NULL || folder[0] != '/' || strlen(folder) > ZONE_FOLDER_MOST)
		folder = ZONE_FOLDER;
	(void)snprintf(out, ZONE_PATH_SIZE, "%s/%s", folder, name); /* fits by the checks */
	return 0;
}

int zone_file_read(const char *name, struct arena *arena, struct zone *ret, struct error *error)
{
	CLEANUP(file_bytes_clear) struct file_bytes bytes = { 0 };
	char path[ZONE_PATH_SIZE];
	int rc = zone_file_path(name, path, error);

	if (rc < 0)
		return rc;
	rc = zone_file_bytes(path, name, &bytes, error);
	if (rc < 0)
		return rc;
	rc = zone_file_parse((const unsigned char *)bytes.data, bytes.length, name, arena, ret,
			     error);
	return rc < 0 ? error_wrap(error, "%s", path) : 0;
}

int zone_file_bytes(const char *path, const char *name, struct file_bytes *ret,
		    struct error *error)
{
	int rc = file_bytes_read(path, ret, error);

	if (rc == -ENOENT || rc == -EISDIR || rc == -ENOTDIR)
		return error_set(error, -rc, "there is no time zone \"%s\" in %.*s", name,
				 (int)(strlen(path) - strlen(name) - 1), path);
	return rc < 0 ? error_wrap(error, "%s", path) : 0;
}
