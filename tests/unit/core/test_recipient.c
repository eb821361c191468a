/* test_recipient.c - who is told, when people are away, gone, refused or not there at all. */
#include "core/recipient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NEVER             \
	{                 \
		INT64_MAX \
	}
#define PERSON(number, of, as, mail)                                                   \
	.id = (number), .agency = (of), .role = (as), .name = "Name", .email = (mail), \
	.language = "", .active = true, .away_from = NEVER, .away_until = NEVER,       \
	.confirmed_at = NEVER
#define AWAY .away_from = { 100 }, .away_until = { 200 }

enum { MOST_PEOPLE = 6 };

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" /* a row says how it differs from PERSON */

static const struct recipient_case {
	const char *name;
	const char *role; /* "receiving.manager" and so on */
	struct contact people[MOST_PEOPLE];
	size_t count;
	int64_t own; /* the receiving side's own contact */
	int64_t refused;
	int64_t now;
	int64_t want; /* contact id; 0: the inbox */
	enum recipient_path path;
	const char *found_as;
} cases[] = {
	{ "the lowest id that has the role",
	  "receiving.manager",
	  { { PERSON(1, "oak", "lead", "a@ok.example") },
	    { PERSON(2, "oak", "manager", "b@ok.example") },
	    { PERSON(3, "oak", "manager", "c@ok.example") } },
	  3,
	  0,
	  0,
	  150,
	  2,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "the challenge's own contact comes first",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example") },
	    { PERSON(3, "oak", "manager", "c@ok.example") } },
	  2,
	  3,
	  0,
	  150,
	  3,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "the own contact counts only in that role",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example") },
	    { PERSON(3, "oak", "lead", "c@ok.example") } },
	  2,
	  3,
	  0,
	  150,
	  2,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "an own contact of another agency is not theirs",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example") },
	    { PERSON(3, "elm", "manager", "c@ok.example") } },
	  2,
	  3,
	  0,
	  150,
	  2,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "an own contact that is not there is passed over",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example") } },
	  1,
	  99,
	  0,
	  150,
	  2,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "the raising side is the other agency",
	  "raising.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example") },
	    { PERSON(3, "elm", "manager", "c@ok.example") } },
	  2,
	  2,
	  0,
	  150,
	  3,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "the partnership's own people",
	  "partnership.chair",
	  { { PERSON(2, "oak", "chair", "b@ok.example") },
	    { PERSON(3, "board", "chair", "c@ok.example") } },
	  2,
	  0,
	  0,
	  150,
	  3,
	  RECIPIENT_HOLDER,
	  "chair" },
	{ "a deputy for the own contact who is away",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example") },
	    { PERSON(3, "oak", "manager", "c@ok.example"), AWAY, .deputy = 4 },
	    { PERSON(4, "oak", "lead", "d@ok.example") } },
	  3,
	  3,
	  0,
	  150,
	  4,
	  RECIPIENT_DEPUTY,
	  "manager" },
	{ "a deputy for the own contact comes before one who is present",
	  "receiving.manager",
	  { { PERSON(1, "oak", "manager", "b@ok.example"), AWAY, .deputy = 4 },
	    { PERSON(3, "oak", "manager", "c@ok.example") },
	    { PERSON(4, "oak", "lead", "d@ok.example") } },
	  3,
	  1,
	  0,
	  150,
	  4,
	  RECIPIENT_DEPUTY,
	  "manager" },
	{ "one who is present comes before a deputy",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example"), AWAY, .deputy = 4 },
	    { PERSON(3, "oak", "manager", "c@ok.example") },
	    { PERSON(4, "oak", "lead", "d@ok.example") } },
	  3,
	  0,
	  0,
	  150,
	  3,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "a deputy when everyone is away",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example"), AWAY },
	    { PERSON(3, "oak", "manager", "c@ok.example"), AWAY, .deputy = 4 },
	    { PERSON(4, "elm", "x", "d@ok.example") } },
	  3,
	  0,
	  0,
	  150,
	  4,
	  RECIPIENT_DEPUTY,
	  "manager" },
	{ "a deputy who is away too has a deputy",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example"), AWAY, .deputy = 3 },
	    { PERSON(3, "oak", "x", "c@ok.example"), AWAY, .deputy = 4 },
	    { PERSON(4, "oak", "x", "d@ok.example") } },
	  3,
	  0,
	  0,
	  150,
	  4,
	  RECIPIENT_DEPUTY,
	  "manager" },
	{ "a ring of deputies ends at the inbox",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example"), AWAY, .deputy = 3 },
	    { PERSON(3, "oak", "x", "c@ok.example"), AWAY, .deputy = 2 } },
	  2,
	  0,
	  0,
	  150,
	  0,
	  RECIPIENT_INBOX,
	  "manager" },
	{ "leave begins on its first second",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example"), AWAY } },
	  1,
	  0,
	  0,
	  100,
	  0,
	  RECIPIENT_INBOX,
	  "manager" },
	{ "the day before leave counts",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example"), AWAY } },
	  1,
	  0,
	  0,
	  99,
	  2,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "leave is over at its end",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example"), AWAY } },
	  1,
	  0,
	  0,
	  200,
	  2,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "leave without an end goes on",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example"), .away_from = { 100 } } },
	  1,
	  0,
	  0,
	  1000000,
	  0,
	  RECIPIENT_INBOX,
	  "manager" },
	{ "who has left is passed over",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example"), .active = false },
	    { PERSON(3, "oak", "manager", "c@ok.example") } },
	  2,
	  2,
	  0,
	  150,
	  3,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "who has left has no deputy",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example"), AWAY, .active = false, .deputy = 3 },
	    { PERSON(3, "oak", "x", "c@ok.example") } },
	  2,
	  0,
	  0,
	  150,
	  0,
	  RECIPIENT_INBOX,
	  "manager" },
	{ "a refused address falls through to the next",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example") },
	    { PERSON(3, "oak", "manager", "c@ok.example") } },
	  2,
	  2,
	  2,
	  150,
	  3,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "an address outside the domains is passed over",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@elsewhere.example") },
	    { PERSON(3, "oak", "manager", "c@ok.example") } },
	  2,
	  0,
	  0,
	  150,
	  3,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "an address with a line end is passed over",
	  "receiving.manager",
	  { { PERSON(2, "oak", "manager", "b@ok.example\r\nDATA") },
	    { PERSON(3, "oak", "manager", "c@ok.example") } },
	  2,
	  0,
	  0,
	  150,
	  3,
	  RECIPIENT_HOLDER,
	  "manager" },
	{ "the first stand-in",
	  "receiving.manager",
	  { { PERSON(2, "oak", "head", "b@ok.example") },
	    { PERSON(3, "oak", "lead", "c@ok.example") } },
	  2,
	  0,
	  0,
	  150,
	  3,
	  RECIPIENT_STAND_IN,
	  "lead" },
	{ "the second stand-in comes before the first one's own",
	  "receiving.manager",
	  { { PERSON(2, "oak", "nurse", "b@ok.example") },
	    { PERSON(3, "oak", "head", "c@ok.example") } },
	  2,
	  0,
	  0,
	  150,
	  3,
	  RECIPIENT_STAND_IN,
	  "head" },
	{ "a stand-in's stand-in",
	  "receiving.manager",
	  { { PERSON(2, "oak", "nurse", "b@ok.example") } },
	  1,
	  0,
	  0,
	  150,
	  2,
	  RECIPIENT_STAND_IN,
	  "nurse" },
	{ "a ring of stand-ins ends at the inbox",
	  "receiving.nurse",
	  { { PERSON(2, "oak", "x", "b@ok.example") } },
	  1,
	  0,
	  0,
	  150,
	  0,
	  RECIPIENT_INBOX,
	  "nurse" },
	{ "a stand-in of another agency does not count",
	  "receiving.manager",
	  { { PERSON(2, "elm", "lead", "b@ok.example") } },
	  1,
	  0,
	  0,
	  150,
	  0,
	  RECIPIENT_INBOX,
	  "manager" },
	{ "the inbox when it is meant",
	  "partnership.inbox",
	  { { PERSON(2, "board", "inbox", "b@ok.example") } },
	  1,
	  0,
	  0,
	  150,
	  0,
	  RECIPIENT_INBOX,
	  "inbox" },
	{ "nobody at all",
	  "receiving.manager",
	  { { .id = 0 } },
	  0,
	  0,
	  0,
	  150,
	  0,
	  RECIPIENT_INBOX,
	  "manager" },
};
#pragma GCC diagnostic pop

static const char *const manager_instead[] = { "lead", "head" };
static const char *const lead_instead[] = { "nurse" };
static const char *const nurse_instead[] = { "manager", "nurse" };
static const struct role_rule rules[] = {
	{ "manager", "Line manager", manager_instead, COUNT(manager_instead) },
	{ "lead", "Designated lead", lead_instead, COUNT(lead_instead) },
	{ "nurse", "", nurse_instead, COUNT(nurse_instead) },
};
static const struct partnership partnership = { .agency = "board",
						.inbox = "inbox@board.example" };
static const char *const allowed[] = { "ok.example" };

static struct recipient find(const struct recipient_case *c)
{
	const char *dot = strchr(c->role, '.');
	const struct role role = {
		.token = c->role,
		.side = c->role[0] == 'p'   ? SIDE_PARTNERSHIP
			: c->role[1] == 'a' ? SIDE_RAISING
					    : SIDE_RECEIVING,
		.name = dot + 1,
	};
	const struct challenge challenge = {
		.raising_agency = "elm",
		.receiving_agency = "oak",
		.receiving_contact = c->own,
	};
	const struct directory directory = { .contacts = c->people, .contact_count = c->count };
	const struct refused refused = { &c->refused, c->refused != 0 };

	return recipient_find(&role, &challenge, &directory, &partnership, rules, COUNT(rules),
			      allowed, COUNT(allowed), refused, (struct instant){ c->now });
}

static void finds(void **state)
{
	const struct recipient_case *c = *state;
	struct recipient got = find(c);

	assert_int_equal(got.contact != NULL ? got.contact->id : 0, c->want);
	assert_int_equal(got.path, c->path);
	assert_string_equal(got.role, c->found_as);
	assert_string_equal(got.language, "en");
	if (c->want == 0) {
		assert_string_equal(got.address, "inbox@board.example");
		assert_string_equal(got.name, "");
	} else {
		assert_string_equal(got.address, got.contact->email);
		assert_string_equal(got.name, "Name");
	}
}

static void a_name_that_no_header_may_hold_is_left_out(void **state)
{
	struct recipient_case c = cases[0];

	(void)state;
	c.people[1].name = "Sam\r\nBcc: x@y.example";
	assert_string_equal(find(&c).name, "");
	assert_int_equal(find(&c).contact->id, 2);
	c.people[1].language = "cy";
	assert_string_equal(find(&c).language, "cy");
}

static void each_refused_address_is_passed_over(void **state)
{
	static const struct role role = { "receiving.manager", SIDE_RECEIVING, "manager" };
	static const struct contact people[] = {
		{ PERSON(2, "oak", "manager", "b@ok.example") },
		{ PERSON(3, "oak", "manager", "c@ok.example") },
		{ PERSON(4, "oak", "manager", "d@ok.example") },
	};
	static const int64_t refused[] = { 9, 3, 2, 4 };
	const struct directory directory = { .contacts = people, .contact_count = 3 };
	const struct challenge challenge = { .raising_agency = "elm",
					     .receiving_agency = "oak" };
	struct recipient got;

	(void)state;
	got = recipient_find(&role, &challenge, &directory, &partnership, rules, COUNT(rules),
			     allowed, COUNT(allowed), (struct refused){ refused, 3 },
			     (struct instant){ 150 });
	assert_int_equal(got.contact->id, 4);
}

/* A search has an end, however many stand-ins are named. */
static void the_64th_role_is_the_last_that_is_tried(void **state)
{
	static const struct role role = { "receiving.first", SIDE_RECEIVING, "first" };
	static char names[80][8];
	const char *instead[80];
	const struct role_rule long_rule = { "first", "", instead, COUNT(instead) };
	const struct challenge challenge = { .raising_agency = "elm",
					     .receiving_agency = "oak" };

	(void)state;
	for (size_t i = 0; i < COUNT(instead); i++) {
		(void)snprintf(names[i], sizeof names[i], "r%zu", i + 2);
		instead[i] = names[i];
	}
	for (int last = 63; last <= 66; last++) {
		const struct contact person = { PERSON(2, "oak", names[last - 2],
						       "b@ok.example") };
		const struct directory directory = { .contacts = &person, .contact_count = 1 };
		struct recipient got = recipient_find(
			&role, &challenge, &directory, &partnership, &long_rule, 1, allowed,
			COUNT(allowed), (struct refused){ 0 }, (struct instant){ 150 });

		assert_int_equal(got.path, last <= 64 ? RECIPIENT_STAND_IN : RECIPIENT_INBOX);
	}
}

static void titles_come_from_the_main_file(void **state)
{
	(void)state;
	assert_string_equal(role_title(rules, COUNT(rules), "manager"), "Line manager");
	assert_string_equal(role_title(rules, COUNT(rules), "nurse"), "nurse");
	assert_string_equal(role_title(rules, COUNT(rules), "chair"), "chair");
}

static void a_directory_is_searched(void **state)
{
	static const struct agency agencies[] = { { .id = "a" }, { .id = "b" }, { .id = "d" } };
	const struct directory directory = { .agencies = agencies, .agency_count = 3 };

	(void)state;
	assert_ptr_equal(directory_agency(&directory, "a"), &agencies[0]);
	assert_ptr_equal(directory_agency(&directory, "d"), &agencies[2]);
	assert_null(directory_agency(&directory, "c"));
	assert_null(directory_agency(&directory, ""));
	assert_null(directory_contact(&directory, 1));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_name_that_no_header_may_hold_is_left_out),
		cmocka_unit_test(each_refused_address_is_passed_over),
		cmocka_unit_test(the_64th_role_is_the_last_that_is_tried),
		cmocka_unit_test(titles_come_from_the_main_file),
		cmocka_unit_test(a_directory_is_searched),
	};
	struct CMUnitTest tests[COUNT(cases)];
	int failed;

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = finds,
						.initial_state = (void *)&cases[i] };
	failed = cmocka_run_group_tests_name("recipient_find", tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("directory", others, NULL, NULL);
	return failed;
}
