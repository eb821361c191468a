/* test_challenge.c - what counts of a history after entries were taken back. */
#include "core/challenge.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct settle_case {
	const char *name;
	struct event events[6]; /* until one without id */
	const char *want;       /* "key:kind@time ..." in order */
} cases[] = {
	{ "in order of time, then of id",
	  { { .id = 3, .kind = "agreed", .at = { 10 } },
	    { .id = 1, .kind = "raised", .at = { 10 } },
	    { .id = 2, .kind = "discussed", .at = { 5 } } },
	  "2:discussed@5 1:raised@10 3:agreed@10 " },
	{ "a voided event counts as never recorded",
	  { { .id = 1, .kind = "raised", .at = { 1 } },
	    { .id = 2, .kind = "resolved", .at = { 2 } },
	    { .id = 3, .kind = "voided", .at = { 3 }, .voids = 2 } },
	  "1:raised@1 " },
	{ "a correction takes the place and the key of what it takes back",
	  { { .id = 1, .kind = "raised", .at = { 1 } },
	    { .id = 2, .kind = "agreed", .at = { 2 } },
	    { .id = 3, .kind = "raised", .at = { 9 }, .voids = 1 } },
	  "2:agreed@2 1:raised@9 " },
	{ "a correction of a correction keeps the first key",
	  { { .id = 1, .kind = "raised", .at = { 1 } },
	    { .id = 2, .kind = "raised", .at = { 2 }, .voids = 1 },
	    { .id = 3, .kind = "raised", .at = { 3 }, .voids = 2 } },
	  "1:raised@3 " },
	{ "taking back a taking back revives",
	  { { .id = 1, .kind = "raised", .at = { 1 } },
	    { .id = 2, .kind = "voided", .at = { 2 }, .voids = 1 },
	    { .id = 3, .kind = "voided", .at = { 3 }, .voids = 2 } },
	  "1:raised@1 " },
	{ "nothing takes back itself, a later one, or one that is not there",
	  { { .id = 1, .kind = "raised", .at = { 1 }, .voids = 2 },
	    { .id = 2, .kind = "agreed", .at = { 2 }, .voids = 2 },
	    { .id = 3, .kind = "voided", .at = { 3 }, .voids = 77 } },
	  "1:raised@1 2:agreed@2 " },
	{ "no events are no events", { { .id = 0 } }, "" },
};

static void settles(void **state)
{
	const struct settle_case *c = *state;
	struct event events[COUNT(c->events)];
	struct challenge challenge = { .events = events };
	CLEANUP(text_clear) struct text got = { 0 };

	memcpy(events, c->events, sizeof events);
	while (challenge.event_count < COUNT(c->events) &&
	       events[challenge.event_count].id != 0)
		challenge.event_count++;
	challenge_settle(&challenge);
	for (size_t i = 0; i < challenge.event_count; i++)
		text_appendf(&got, "%d:%s@%d ", (int)events[i].key, events[i].kind,
			     (int)events[i].at.seconds);
	assert_string_equal(text_string(&got), c->want);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(cases)];

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = settles,
						.initial_state = (void *)&cases[i] };
	return cmocka_run_group_tests_name("challenge", tests, NULL, NULL);
}
