/* test_promise.c - when an open challenge has something to come, and when it has been
 * forgotten. */
#include "core/promise.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOW = 1000000 };
#define OPEN .readable = true, .has_policy = true, .open = true
#define SEEN .readable = true, .has_policy = true

static const struct row {
	const char *name;
	struct promise_facts facts;
	enum promise want;
} rows[] = {
	/* clang-format off */
	{ "looked at when its timeline speaks", { OPEN, .next = { NOW + 60 }, .look = { NOW + 60 } }, PROMISE_ACTION },
	{ "looked at sooner", { OPEN, .next = { NOW + 60 }, .look = { NOW + 1 } }, PROMISE_ACTION },
	{ "looked at although its timeline says no more", { OPEN, .next = { INT64_MAX }, .look = { NOW + 1 } }, PROMISE_ACTION },
	{ "looked at a second after its timeline speaks", { OPEN, .next = { NOW + 60 }, .look = { NOW + 61 } }, PROMISE_TOO_LATE },
	{ "a look that is due now", { OPEN, .next = { NOW + 60 }, .look = { NOW } }, PROMISE_ACTION },
	{ "a look five minutes late", { OPEN, .next = { NOW + 60 }, .look = { NOW - 300 } }, PROMISE_ACTION },
	{ "a look later than that", { OPEN, .next = { NOW + 60 }, .look = { NOW - 301 } }, PROMISE_OVERDUE },
	{ "no look, though its timeline speaks on", { OPEN, .next = { NOW + 60 }, .look = { INT64_MAX } }, PROMISE_FORGOTTEN },
	{ "a queued mail does not replace the look", { OPEN, .queued = true, .next = { NOW + 60 }, .look = { INT64_MAX } },
	  PROMISE_FORGOTTEN },
	{ "nothing to come", { OPEN, .next = { INT64_MAX }, .look = { INT64_MAX } }, PROMISE_SILENT },
	{ "nothing to come but a queued mail", { OPEN, .queued = true, .next = { INT64_MAX }, .look = { INT64_MAX } }, PROMISE_QUEUED },
	{ "nothing to come but its end", { OPEN, .ends = true, .next = { INT64_MAX }, .look = { INT64_MAX } }, PROMISE_ENDS },
	{ "what has ended needs nothing", { SEEN, .next = { INT64_MAX }, .look = { INT64_MAX } }, PROMISE_NOT_OPEN },
	{ "its policy is not loaded", { .readable = true, .next = { INT64_MAX }, .look = { NOW + 60 } }, PROMISE_NO_POLICY },
	{ "its record cannot be read", { .next = { INT64_MAX }, .look = { NOW + 60 } }, PROMISE_UNREADABLE },
	/* clang-format on */
};

static void judges(void **state)
{
	const struct row *row = *state;
	enum promise got = promise_judge(&row->facts, (struct instant){ NOW });

	assert_int_equal(got, row->want);
	assert_int_equal(promise_is_kept(got), promise_reason(got)[0] == '\0');
	assert_int_equal(promise_is_kept(got), got < PROMISE_UNREADABLE);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(rows)];

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
						.test_func = judges,
						.initial_state = (void *)&rows[i] };
	return cmocka_run_group_tests_name("promise", tests, NULL, NULL);
}
