/* test_policy.c - places in a policy's tables, and sets of roles. */
#include "core/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct policy two_of_each(void)
{
	struct policy policy = {
		.urgencies = { "standard", "urgent" },
		.urgency_count = 2,
		.kinds = { "raised", "agreed", "panel_convened" },
		.kind_count = 3,
		.stages = { { .id = "practitioner" }, { .id = "manager" } },
		.stage_count = 2,
	};

	return policy;
}

static const struct place_case {
	const char *name;
	enum { URGENCY, STAGE, KIND } table;
	const char *sought;
	int want;
} place_cases[] = {
	{ "no urgency is the default one", URGENCY, "", 0 },
	{ "the first urgency", URGENCY, "standard", 0 },
	{ "another urgency", URGENCY, "urgent", 1 },
	{ "an urgency that the policy does not know", URGENCY, "Urgent", -1 },
	{ "the first stage", STAGE, "practitioner", 0 },
	{ "another stage", STAGE, "manager", 1 },
	{ "a stage that there is not", STAGE, "chair", STAGE_NONE },
	{ "no stage has an empty id", STAGE, "", STAGE_NONE },
	{ "a known kind", KIND, "agreed", 1 },
	{ "a kind of the policy's own", KIND, "panel_convened", 2 },
	{ "the beginning of a kind is not that kind", KIND, "panel", -1 },
};

static void finds(void **state)
{
	const struct place_case *c = *state;
	struct policy policy = two_of_each();
	int (*const look_up[])(const struct policy *, const char *) = {
		[URGENCY] = policy_urgency,
		[STAGE] = policy_stage,
		[KIND] = policy_kind,
	};

	assert_int_equal(look_up[c->table](&policy, c->sought), c->want);
}

static void a_role_is_in_a_set_once(void **state)
{
	struct role_set set = { 0 };

	(void)state;
	assert_true(role_set_add(&set, 3));
	assert_true(role_set_add(&set, ROLE_OWNER));
	assert_true(role_set_add(&set, 3));
	assert_int_equal(set.count, 2);
	assert_int_equal(set.role[0], 3);
	assert_int_equal(set.role[1], ROLE_OWNER);
}

static void a_full_set_takes_only_what_it_has(void **state)
{
	struct role_set set = { 0 };

	(void)state;
	for (int i = 0; i < POLICY_TOLD; i++)
		assert_true(role_set_add(&set, (role_index)i));
	assert_false(role_set_add(&set, POLICY_TOLD));
	assert_true(role_set_add(&set, 0));
	assert_int_equal(set.count, POLICY_TOLD);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(place_cases) + 2] = {
		cmocka_unit_test(a_role_is_in_a_set_once),
		cmocka_unit_test(a_full_set_takes_only_what_it_has),
	};

	for (size_t i = 0; i < COUNT(place_cases); i++)
		tests[2 + i] = (struct CMUnitTest){
			.name = place_cases[i].name,
			.test_func = finds,
			.initial_state = (void *)&place_cases[i],
		};
	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
