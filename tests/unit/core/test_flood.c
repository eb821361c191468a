/* What is a flood, and what is only a busy day. */
#include "core/flood.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct flood_case {
	const char *name;
	int64_t due;
	int64_t before[8];
	size_t count;
	int64_t least;
	bool want;
} cases[] = {
	{ "fifty are no flood in a ledger without a history", 50, { 0 }, 0, 50, false },
	{ "fifty-one are", 51, { 0 }, 0, 50, true },
	{ "days of nothing are no history", 51, { 0, 0, 0 }, 3, 50, true },
	{ "ten times the usual are no flood", 100, { 10, 10, 10 }, 3, 50, false },
	{ "one more is", 101, { 10, 10, 10 }, 3, 50, true },
	{ "ten times the usual, but few", 40, { 1, 2, 3 }, 3, 50, false },
	{ "one busy day before does not make it usual", 200, { 10, 900, 10 }, 3, 50, true },
	{ "weekends of nothing do not lower what is usual",
	  100,
	  { 0, 12, 0, 11, 0, 10 },
	  6,
	  50,
	  false },
	{ "of two days the mean counts", 150, { 10, 20 }, 2, 50, false },
	{ "and one more than ten times that is a flood", 151, { 10, 20 }, 2, 50, true },
	{ "a large partnership has large days", 2000, { 300, 250, 310 }, 3, 50, false },
	{ "never, when it is switched off", 1000000, { 1 }, 1, 0, false },
};

static void judges(void **state)
{
	const struct flood_case *c = *state;
	int64_t before[COUNT(c->before)];

	for (size_t i = 0; i < COUNT(before); i++)
		before[i] = c->before[i];
	assert_int_equal(flood_is_one(c->due, before, c->count, c->least), c->want);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(cases)];

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[i] = (struct CMUnitTest){
			.name = cases[i].name,
			.test_func = judges,
			.initial_state = (void *)(uintptr_t)&cases[i],
		};
	return cmocka_run_group_tests_name("flood", tests, NULL, NULL);
}
