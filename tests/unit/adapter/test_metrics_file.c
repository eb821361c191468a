/* test_metrics_file.c - the file is the old one or the new one, whole, and readable by others.
 */
#include "adapter/metrics_file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct room {
	char folder[64];
	char path[96];
	char beside[96];
};

static int set_up(void **state)
{
	struct room *room = calloc(1, sizeof *room);

	assert_non_null(room);
	(void)snprintf(room->folder, sizeof room->folder, "/tmp/test-metrics-XXXXXX");
	assert_non_null(mkdtemp(room->folder));
	(void)snprintf(room->path, sizeof room->path, "%s/x.prom", room->folder);
	(void)snprintf(room->beside, sizeof room->beside, "%s/x.prom.tmp", room->folder);
	*state = room;
	return 0;
}

static int tear_down(void **state)
{
	struct room *room = *state;
	char command[100];

	(void)snprintf(command, sizeof command, "rm -r %s", room->folder);
	assert_int_equal(system(command), 0);
	free(room);
	return 0;
}

static void expect(const char *path, const char *text)
{
	char found[100] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	(void)!fread(found, 1, sizeof found - 1, file);
	(void)fclose(file);
	assert_string_equal(found, text);
}

static void the_new_one_stands_in_place_of_the_old(void **state)
{
	const struct room *room = *state;
	struct stat about;
	mode_t mask = umask(0077);

	assert_int_equal(metrics_file_write(room->path, "old\n", 4, NULL), 0);
	assert_int_equal(metrics_file_write(room->path, "new\n", 4, NULL), 0);
	(void)umask(mask);
	expect(room->path, "new\n");
	assert_int_equal(stat(room->path, &about), 0);
	assert_int_equal(about.st_mode & 07777, 0644);
	assert_int_equal(access(room->beside, F_OK), -1);
}

static void a_full_disk_leaves_the_old_one(void **state)
{
	const struct room *room = *state;
	const struct rlimit small = { 5, RLIM_INFINITY };
	struct rlimit before;
	struct error error = { 0 };

	assert_int_equal(metrics_file_write(room->path, "old\n", 4, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(metrics_file_write(room->path, "newer than that\n", 16, &error),
			 -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect(room->path, "old\n");
	assert_int_equal(access(room->beside, F_OK), -1);
	assert_non_null(strstr(error.text, room->path));
}

static void what_a_killed_one_left_does_no_harm(void **state)
{
	const struct room *room = *state;

	assert_int_equal(
		metrics_file_write(room->beside, "half a line, and a long one", 27, NULL), 0);
	assert_int_equal(metrics_file_write(room->path, "new\n", 4, NULL), 0);
	expect(room->path, "new\n");
}

static void a_link_is_not_followed(void **state)
{
	const struct room *room = *state;
	char target[96];

	(void)snprintf(target, sizeof target, "%s/target", room->folder);
	assert_int_equal(metrics_file_write(target, "keep\n", 5, NULL), 0);
	assert_int_equal(symlink(target, room->beside), 0);
	assert_int_equal(metrics_file_write(room->path, "new\n", 4, &(struct error){ 0 }),
			 -ELOOP);
	expect(target, "keep\n");
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct error error = { 0 };

	(void)state;
	assert_int_equal(metrics_file_write("/nowhere/x.prom", "", 0, &error), -ENOENT);
	assert_string_equal(error.text, "/nowhere/x.prom.tmp: No such file or directory");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(the_new_one_stands_in_place_of_the_old),
		TEST(a_full_disk_leaves_the_old_one),
		TEST(what_a_killed_one_left_does_no_harm),
		TEST(a_link_is_not_followed),
		TEST(a_folder_that_is_not_there_is_an_error),
	};

	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests_name("metrics_file", tests, NULL, NULL);
}
