/* test_appointment.c - calendar entries, byte for byte. */
#include "core/appointment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                              \
	"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//challenge-notifyd//EN\nMETHOD:PUBLISH\n" \
	"BEGIN:VEVENT\nUID:1.ab@board.example\nSEQUENCE:7\nDTSTAMP:20261124T100000Z\n"    \
	"DTSTART:20261126T170000Z\n"
#define TAIL "TRANSP:TRANSPARENT\nEND:VEVENT\nEND:VCALENDAR\n"
#define TEN "abcdefghij"

static const struct appointment_case {
	const char *name;
	const char *summary;
	const char *link;
	const char *middle;
} cases[] = {
	{ "plain words", "Reply needed", "", "SUMMARY:Reply needed\n" },
	{ "a link is the description", "x", "https://x.example/1",
	  "SUMMARY:x\nDESCRIPTION:https://x.example/1\n" },
	{ "signs that mean something are escaped", "a\\b;c,d", "", "SUMMARY:a\\\\b\\;c\\,d\n" },
	{ "a colon and quotes need no escape", "by 17:00 \"x\"", "",
	  "SUMMARY:by 17:00 \"x\"\n" },
	{ "75 octets stay one line", TEN TEN TEN TEN TEN TEN "1234567", "",
	  "SUMMARY:" TEN TEN TEN TEN TEN TEN "1234567\n" },
	{ "the 76th is folded", TEN TEN TEN TEN TEN TEN "12345678", "",
	  "SUMMARY:" TEN TEN TEN TEN TEN TEN "1234567\n 8\n" },
	{ "never within a character", TEN TEN TEN TEN TEN TEN "123456\xc3\xa9", "",
	  "SUMMARY:" TEN TEN TEN TEN TEN TEN "123456\n \xc3\xa9\n" },
};

static void is_written(void **state)
{
	const struct appointment_case *c = *state;
	const struct appointment appointment = { .uid = "1.ab@board.example",
						 .sequence = 7,
						 .stamp = { 1795514400 },
						 .at = { 1795514400 + 2 * 86400 + 7 * 3600 },
						 .summary = c->summary,
						 .link = c->link };
	struct text out = { 0 };
	struct text wanted = { 0 };

	text_appendf(&wanted, "%s%s%s", HEAD, c->middle, TAIL);
	appointment_write(&appointment, &out);
	assert_string_equal(text_string(&out), text_string(&wanted));
	text_clear(&wanted);
	text_clear(&out);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(cases)];

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = is_written,
						.initial_state = (void *)&cases[i] };
	return cmocka_run_group_tests_name("appointment", tests, NULL, NULL);
}
