/* test_check.c - what `challengectl check` prints and how it exits, on the files that ship. */
#include "ctl/commands.h"

#include "base/instant.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char shipped[] = "conf/challenge-notifyd.conf";

static struct instant some_day(void *self)
{
	return *(struct instant *)self;
}

/* Runs check and answers its exit status; *ret_said is what it printed, freed by the caller. */
static int check(bool json, const char *day, const char *file, char **ret_said)
{
	int32_t number = 0;
	struct instant now;
	struct clock clock = { .now = some_day, .self = &now };
	struct ctl ctl = { .program = "challengectl",
			   .config_file = shipped,
			   .json = json,
			   .err = stderr,
			   .clock = &clock };
	size_t size;
	char *name = file != NULL ? strdup(file) : NULL;
	int status;

	assert_true(day_parse(day, &number));
	now = (struct instant){ (int64_t)number * SECONDS_PER_DAY };
	ctl.out = open_memstream(ret_said, &size);
	assert_non_null(ctl.out);
	status = command_check.run(&ctl, file != NULL ? 1 : 0, &name);
	assert_int_equal(fclose(ctl.out), 0);
	free(name);
	return status;
}

static void expect(const char *said, const char *part)
{
	if (strstr(said, part) == NULL)
		fail_msg("\"%s\" is not in:\n%s", part, said);
}

static void what_ships_is_told_in_english(void **state)
{
	char *said;

	(void)state;
	assert_int_equal(check(false, "2026-11-23", NULL, &said), EXIT_DONE);
	expect(said, "coventry.conf:40: policy.stages[2].limit: warning: none");
	expect(said, "\nexample, version 2026-01: ");
	expect(said,
	       "Practitioner of the receiving agency; 3 working days if standard; 1 working "
	       "day if urgent, from entering the stage until the stage is left.\n");
	expect(said,
	       "tells whoever owes it and Practitioner of the raising agency, and goes to "
	       "Stage 2: line managers.\n");
	expect(said, "48 hours of the clock, nights and weekends too");
	expect(said, "After that asks again every 5 working days, until the challenge ends.\n");
	assert_null(strstr(said, "the holidays of"));
	free(said);
}

static void a_holiday_list_that_ends_soon_is_a_warning(void **state)
{
	char *said;

	(void)state;
	assert_int_equal(check(false, "2028-07-04", NULL, &said), EXIT_DONE);
	expect(said,
	       "calendars.holidays: warning: the holidays of \"england\" end on 2028-12-31");
	free(said);
	assert_int_equal(check(false, "2028-07-03", NULL, &said), EXIT_DONE);
	assert_null(strstr(said, "the holidays of"));
	free(said);
	assert_int_equal(check(false, "2029-01-01", NULL, &said), EXIT_DONE);
	expect(said, "the holidays of \"england\" ended on 2028-12-31");
	free(said);
}

static void json_is_one_document(void **state)
{
	char *said;
	json_t *document;

	(void)state;
	assert_int_equal(check(true, "2026-11-23", NULL, &said), EXIT_DONE);
	document = json_loads(said, 0, NULL);
	free(said);
	assert_non_null(document);
	assert_int_equal(json_array_size(json_object_get(document, "policies")), 3);
	assert_true(json_array_size(json_object_get(document, "faults")) > 0);
	json_decref(document);
}

static void one_policy_is_checked_alone(void **state)
{
	char *said;

	(void)state;
	assert_int_equal(check(false, "2026-11-23", "conf/policies/coventry.conf", &said),
			 EXIT_DONE);
	expect(said, "\ncoventry, version as-published: ");
	assert_null(strstr(said, "darlington"));
	assert_null(strstr(said, "retention"));
	free(said);
}

static void a_fault_is_no(void **state)
{
	static const char bad[] = "policy = {\n id = \"x\";\n titel = \"X\";\n};\n";
	char path[] = "/tmp/test_check.XXXXXX";
	int fd = mkstemp(path);
	char want[200];
	char *said;
	json_t *document;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bad, sizeof bad - 1), sizeof bad - 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(check(false, "2026-11-23", path, &said), EXIT_NO);
	(void)snprintf(
		want, sizeof want,
		"%s:3: policy.titel: no such setting; the nearest known one is \"title\"\n",
		path);
	expect(said, want);
	assert_null(strstr(said, "What the policies say"));
	free(said);
	assert_int_equal(check(true, "2026-11-23", path, &said), EXIT_NO);
	document = json_loads(said, 0, NULL);
	free(said);
	assert_non_null(document);
	assert_int_equal(json_array_size(json_object_get(document, "policies")), 0);
	json_decref(document);
	assert_int_equal(unlink(path), 0);
}

static void a_file_that_is_not_there_is_no(void **state)
{
	char *said;

	(void)state;
	assert_int_equal(check(false, "2026-11-23", "/nowhere.conf", &said), EXIT_NO);
	assert_string_equal(said,
			    "/nowhere.conf: cannot be opened: No such file or directory\n");
	free(said);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_ships_is_told_in_english),
		cmocka_unit_test(a_holiday_list_that_ends_soon_is_a_warning),
		cmocka_unit_test(json_is_one_document),
		cmocka_unit_test(one_policy_is_checked_alone),
		cmocka_unit_test(a_fault_is_no),
		cmocka_unit_test(a_file_that_is_not_there_is_no),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
