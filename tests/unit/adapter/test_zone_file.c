/* test_zone_file.c - offsets of real zones to 2100, invented rules, and spoilt files. */
#include "adapter/zone_file.h"

#include "adapter/digest.h"

#include "adapter/file_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct instant utc(const char *written)
{
	struct written_time time;

	assert_true(written_time_parse(written, &time));
	return (struct instant){ (int64_t)time.day * SECONDS_PER_DAY + time.second };
}

/* --- real zones --- */

/* clang-format off */
static const struct offset_case {
	const char *name;
	const char *zone;
	const char *at; /* UTC */
	int offset;
} offset_cases[] = {
	{ "London in winter", "Europe/London", "2026-01-15 12:00", 0 },
	{ "London the second before summer", "Europe/London", "2026-03-29 00:59:59", 0 },
	{ "London as summer begins", "Europe/London", "2026-03-29 01:00", 3600 },
	{ "London the second before winter", "Europe/London", "2026-10-25 00:59:59", 3600 },
	{ "London as winter begins", "Europe/London", "2026-10-25 01:00", 0 },
	{ "London in summer, by the rule, in 2099", "Europe/London", "2099-07-01 12:00", 3600 },
	{ "London in December 2100", "Europe/London", "2100-12-01 12:00", 0 },
	{ "London through the winter of 1970", "Europe/London", "1970-01-15 12:00", 3600 },
	{ "Dublin, whose winter is negative summer time", "Europe/Dublin", "2050-01-15 12:00", 0 },
	{ "Dublin in summer", "Europe/Dublin", "2050-07-15 12:00", 3600 },
	{ "New York in summer", "America/New_York", "2060-07-01 12:00", -14400 },
	{ "New York in winter", "America/New_York", "2060-01-01 12:00", -18000 },
	{ "Sydney, where summer spans the new year", "Australia/Sydney", "2060-01-01 12:00", 39600 },
	{ "Sydney in its winter", "Australia/Sydney", "2060-07-01 12:00", 36000 },
	{ "Kathmandu, a quarter of an hour off", "Asia/Kathmandu", "2060-07-01 12:00", 20700 },
	{ "UTC", "UTC", "2060-07-01 12:00", 0 },
	{ "a zone of fixed offset", "Etc/GMT+5", "2060-07-01 12:00", -18000 },
};
/* clang-format on */

static void knows_offset(void **state)
{
	const struct offset_case *c = *state;
	struct arena arena = { 0 };
	struct zone zone;
	struct error error = { 0 };
	int rc = zone_file_read(c->zone, &arena, &zone, &error);
	int offset = rc == 0 ? zone_offset(&zone, utc(c->at)) : 0;

	arena_clear(&arena);
	if (rc != 0)
		fail_msg("%s", error.text);
	assert_int_equal(offset, c->offset);
}

/* --- invented files --- */

/* A version 2 file with one change, at 2000-01-01, from UTC-1 to UTC, and this footer. */
static size_t build(unsigned char *out, const char *footer)
{
	static const unsigned char header[44] = "TZif2";
	static const unsigned char times[] = { 0, 0, 0, 0, 0x38, 0x6d, 0x43, 0x80, 1 };
	static const unsigned char types[] = { 0xff, 0xff, 0xf1, 0xf0, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const unsigned char names[] = { 'A', 0 };
	size_t at = 0;

	memcpy(out + at, header, sizeof header);
	at += sizeof header;
	memcpy(out + at, header, sizeof header);
	out[at + 35] = 1; /* times */
	out[at + 39] = 2; /* types */
	out[at + 43] = 2; /* characters */
	at += sizeof header;
	memcpy(out + at, times, sizeof times);
	at += sizeof times;
	memcpy(out + at, types, sizeof types);
	at += sizeof types;
	memcpy(out + at, names, sizeof names);
	at += sizeof names;
	at += (size_t)sprintf((char *)out + at, "\n%s\n", footer);
	return at;
}

/* clang-format off */
static const struct rule_case {
	const char *name;
	const char *footer;
	const char *at;
	int offset; /* 99999: refused */
} rule_cases[] = {
	{ "before its only change", "", "1999-12-31 23:59:59", -3600 },
	{ "after its only change", "", "2050-06-01 00:00", 0 },
	{ "an hour of summer without saying so", "AAA0BBB,M3.5.0,M10.5.0", "2026-07-01 00:00", 3600 },
	{ "summer by its own offset", "AAA0BBB-2,M3.5.0,M10.5.0", "2026-07-01 00:00", 7200 },
	{ "quoted names", "<+00>0<+0030>-0:30,M3.5.0,M10.5.0", "2026-07-01 00:00", 1800 },
	{ "summer begins at two by default", "AAA0BBB,M3.5.0,M10.5.0", "2026-03-29 01:59:59", 0 },
	{ "and not later", "AAA0BBB,M3.5.0,M10.5.0", "2026-03-29 02:00", 3600 },
	{ "the second Sunday", "AAA0BBB,M3.2.0/0,M10.5.0", "2026-03-08 00:00", 3600 },
	{ "not the first", "AAA0BBB,M3.2.0/0,M10.5.0", "2026-03-07 23:59:59", 0 },
	{ "the fifth Sunday of a month with four is the last", "AAA0BBB,M2.5.0,M10.5.0", "2026-02-22 02:00", 3600 },
	{ "and not a day before it", "AAA0BBB,M2.5.0,M10.5.0", "2026-02-22 01:59:59", 0 },
	{ "Julian days skip 29 February", "AAA0BBB,J60/0,J300", "2028-03-01 00:00", 3600 },
	{ "Julian day 60 is never 29 February", "AAA0BBB,J60/0,J300", "2028-02-29 23:59:59", 0 },
	{ "days from zero count 29 February", "AAA0BBB,59/0,300", "2028-02-29 00:00", 3600 },
	{ "a time before midnight", "AAA0BBB,M3.5.0/-1,M10.5.0", "2026-03-28 23:00", 3600 },
	{ "summer all year, in March", "AAA3BBB,0/0,J365/25", "2026-03-01 00:00", -7200 },
	{ "summer all year, over the new year", "AAA3BBB,0/0,J365/25", "2027-01-01 03:00", -7200 },
	{ "a footer that is no rule", "rubbish!", "2026-01-01 00:00", 99999 },
	{ "a month 13", "AAA0BBB,M13.5.0,M10.5.0", "2026-01-01 00:00", 99999 },
	{ "a week 6", "AAA0BBB,M3.6.0,M10.5.0", "2026-01-01 00:00", 99999 },
	{ "a rule without its end", "AAA0BBB,M3.5.0", "2026-01-01 00:00", 99999 },
	{ "more behind the rule", "AAA0BBB,M3.5.0,M10.5.0x", "2026-01-01 00:00", 99999 },
	{ "a number without end", "AAA99999999999999999999", "2026-01-01 00:00", 99999 },
	{ "a name of two letters", "AA0", "2026-01-01 00:00", 99999 },
	{ "summer without a rule", "AAA0BBB", "2026-01-01 00:00", 99999 },
};
/* clang-format on */

static void unrolls_rule(void **state)
{
	const struct rule_case *c = *state;
	unsigned char bytes[400];
	size_t length = build(bytes, c->footer);
	struct arena arena = { 0 };
	struct zone zone;
	struct error error = { 0 };
	int rc = zone_file_parse(bytes, length, "Test/Zone", &arena, &zone, &error);
	int offset = rc == 0 ? zone_offset(&zone, utc(c->at)) : 99999;

	arena_clear(&arena);
	assert_int_equal(offset, c->offset);
	assert_int_equal(rc, c->offset == 99999 ? -22 : 0);
}

/* So that `sha256sum /usr/share/zoneinfo/...` tells whether a decision rested on that file. */
static void carries_the_digest_of_its_file(void **state)
{
	unsigned char bytes[400];
	size_t length = build(bytes, "AAA0");
	char want[DIGEST_TEXT_SIZE];
	struct arena arena = { 0 };
	struct zone zone;

	(void)state;
	digest_bytes((const char *)bytes, length, want);
	assert_int_equal(zone_file_parse(bytes, length, "Test/Zone", &arena, &zone, NULL), 0);
	assert_string_equal(zone.digest, want);
	arena_clear(&arena);
	digest_bytes("abc", 3, want); /* FIPS 180-2, B.1 */
	assert_string_equal(want, "ba7816bf8f01cfea414140de5dae2223"
				  "b00361a396177a9cb410ff61f20015ad");
}

/* clang-format off */
static const struct spoil_case {
	const char *name;
	size_t at;
	unsigned char byte;
	const char *want;
} spoil_cases[] = {
	{ "another kind of file", 0, 'X', "is not a time zone file" },
	{ "version 1", 4, 0, "version 1" },
	{ "a first block longer than the file", 36, 0x7f, "is cut short" },
	{ "no second header", 44, 'X', "lacks its second header" },
	{ "more times than bytes", 44 + 32, 0x7f, "is cut short" },
	{ "leap seconds", 44 + 31, 1, "" },
	{ "no types", 44 + 39, 0, "no local time type" },
	{ "a type that is not there", 88 + 8, 9, "names a local time type it lacks" },
	{ "an offset of days", 88 + 9, 0x7f, "beyond 26 hours" },
	{ "no line end before the footer", 88 + 9 + 14, 'x', "without its footer" },
};
/* clang-format on */

static void refuses_spoilt(void **state)
{
	const struct spoil_case *c = *state;
	unsigned char bytes[400];
	size_t length = build(bytes, "AAA0");
	struct arena arena = { 0 };
	struct zone zone;
	struct error error = { 0 };
	int rc;

	bytes[c->at] = c->byte;
	rc = zone_file_parse(bytes, length, "Test/Zone", &arena, &zone, &error);
	arena_clear(&arena);
	assert_int_equal(rc, -22);
	if (strstr(error.text, c->want) == NULL)
		fail_msg("said \"%s\"", error.text);
}

/* Every length but the whole is refused, without a byte read past its end (ASan sees). */
static void refuses_every_cut(void **state)
{
	unsigned char bytes[400];
	size_t length = build(bytes, "AAA0BBB,M3.5.0,M10.5.0");

	(void)state;
	for (size_t cut = 0; cut < length; cut++) {
		struct arena arena = { 0 };
		struct zone zone;
		int rc = zone_file_parse(bytes, cut, "Test/Zone", &arena, &zone, NULL);

		arena_clear(&arena);
		if (rc != -22)
			fail_msg("%zu of %zu bytes were taken", cut, length);
	}
}

/* clang-format off */
static const struct name_case {
	const char *name;
	const char *zone;
} name_cases[] = {
	{ "an empty name", "" },
	{ "a way out of the folder", "../../../etc/passwd" },
	{ "an absolute path", "/etc/passwd" },
	{ "a folder", "Europe" },
	{ "a folder with a slash", "Europe/" },
	{ "a zone that is not there", "Europe/Lodnon" },
	{ "a control character", "Europe/London\n" },
	{ "a file that is no zone", "tzdata.zi" },
};
/* clang-format on */

static void refuses_name(void **state)
{
	const struct name_case *c = *state;
	struct arena arena = { 0 };
	struct zone zone;
	struct error error = { 0 };
	int rc = zone_file_read(c->zone, &arena, &zone, &error);

	arena_clear(&arena);
	assert_true(rc < 0);
	assert_true(error.text[0] != '\0');
}

enum {
	TESTS = COUNT(offset_cases) + COUNT(rule_cases) + COUNT(spoil_cases) + COUNT(name_cases)
};

int main(void)
{
	struct CMUnitTest tests[TESTS + 2] = { cmocka_unit_test(refuses_every_cut),
					       cmocka_unit_test(
						       carries_the_digest_of_its_file) };
	struct CMUnitTest *next = tests + 2;

	for (size_t i = 0; i < COUNT(offset_cases); i++)
		*next++ = (struct CMUnitTest){ .name = offset_cases[i].name,
					       .test_func = knows_offset,
					       .initial_state = (void *)&offset_cases[i] };
	for (size_t i = 0; i < COUNT(rule_cases); i++)
		*next++ = (struct CMUnitTest){ .name = rule_cases[i].name,
					       .test_func = unrolls_rule,
					       .initial_state = (void *)&rule_cases[i] };
	for (size_t i = 0; i < COUNT(spoil_cases); i++)
		*next++ = (struct CMUnitTest){ .name = spoil_cases[i].name,
					       .test_func = refuses_spoilt,
					       .initial_state = (void *)&spoil_cases[i] };
	for (size_t i = 0; i < COUNT(name_cases); i++)
		*next++ = (struct CMUnitTest){ .name = name_cases[i].name,
					       .test_func = refuses_name,
					       .initial_state = (void *)&name_cases[i] };
	return cmocka_run_group_tests_name("zone_file", tests, NULL, NULL);
}
