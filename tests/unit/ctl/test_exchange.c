/* test_exchange.c - flags as spreadsheets write them, and the columns. */
#include "ctl/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct flag_row {
	const char *name;
	const char *typed;
	int expect; /* -1: refused */
} flags[] = {
	{ "yes is yes", "yes", 1 },
	{ "in any case", "TRUE", 1 },
	{ "Y is yes", "Y", 1 },
	{ "1 is yes", "1", 1 },
	{ "no is no", "No", 0 },
	{ "0 is no", "0", 0 },
	{ "perhaps is neither", "perhaps", -1 },
	{ "nothing is neither", "", -1 },
};

static void test_flag(void **state)
{
	const struct flag_row *row = *state;
	bool flag = row->expect != 1;

	assert_int_equal(exchange_flag(row->typed, &flag), row->expect >= 0);
	if (row->expect >= 0)
		assert_int_equal(flag, row->expect);
}

/* exchange.h promises room for every kind's columns, and that each has its name. */
static void test_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXCHANGE_KINDS; i++) {
		assert_in_range(exchanges[i].count, 1, EXCHANGE_COLUMNS);
		for (size_t j = 0; j < exchanges[i].count; j++)
			assert_non_null(exchanges[i].columns[j]);
		assert_ptr_equal(exchange_find(exchanges[i].name), &exchanges[i]);
	}
	assert_null(exchange_find("contact"));
}

int main(void)
{
	struct CMUnitTest tests[COUNT(flags) + 1];
	size_t count = 0;

	for (size_t i = 0; i < COUNT(flags); i++)
		tests[count++] = (struct CMUnitTest){ flags[i].name, test_flag, NULL, NULL,
						      (void *)(uintptr_t)&flags[i] };
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_columns);
	return _cmocka_run_group_tests("exchange", tests, count, NULL, NULL);
}
