/* test_pulse.c - the page is what was written last, and nothing else is believed. */
#include "adapter/pulse.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct room {
	char folder[64];
	char state[96];
	char path[96];
	struct pulse *pulse;
};

static const struct pulse_beat beat = {
	.pid = 4711,
	.started = { 1795428000 },
	.last_poll = { 1795428060 },
	.next = { 1795500000 },
	.ended = { INT64_MAX },
	.poll_seconds = 15,
	.promise = PULSE_KEPT,
};

static int set_up(void **state)
{
	struct room *room = calloc(1, sizeof *room);
	struct error error = { 0 };

	assert_non_null(room);
	(void)snprintf(room->folder, sizeof room->folder, "/tmp/test-pulse-XXXXXX");
	assert_non_null(mkdtemp(room->folder));
	(void)snprintf(room->state, sizeof room->state, "%s/state", room->folder);
	(void)snprintf(room->path, sizeof room->path, "%s/pulse", room->folder);
	assert_int_equal(mkdir(room->state, 0700), 0);
	assert_int_equal(pulse_open(room->folder, room->state, &room->pulse, &error), 0);
	pulse_write(room->pulse, &beat);
	*state = room;
	return 0;
}

static int tear_down(void **state)
{
	struct room *room = *state;
	char command[100];

	pulse_close(room->pulse);
	(void)snprintf(command, sizeof command, "rm -r %s", room->folder);
	assert_int_equal(system(command), 0);
	free(room);
	return 0;
}

static int look(const struct room *room, struct pulse_beat *ret)
{
	struct error error = { 0 };
	int r = pulse_read(room->folder, room->state, ret, &error);

	assert_int_equal(r < 0, error.code != 0);
	return r;
}

static void what_was_written_is_read(void **state)
{
	struct pulse_beat later = beat;
	struct pulse_beat found = { 0 };

	assert_int_equal(look(*state, &found), 1);
	assert_memory_equal(&found, &beat, sizeof beat);
	later.last_poll.seconds += 15;
	later.promise = PULSE_BROKEN;
	later.unwatched = 3;
	pulse_write(((struct room *)*state)->pulse, &later);
	assert_int_equal(look(*state, &found), 1);
	assert_memory_equal(&found, &later, sizeof later);
}

static void it_stays_when_the_daemon_is_gone(void **state)
{
	struct room *room = *state;
	struct pulse_beat found = { 0 };

	pulse_close(room->pulse);
	room->pulse = NULL;
	assert_int_equal(look(room, &found), 1);
	assert_memory_equal(&found, &beat, sizeof beat);
}

static void a_new_daemon_begins_with_an_empty_page(void **state)
{
	struct room *room = *state;
	struct pulse_beat found = { 0 };
	struct error error = { 0 };

	pulse_close(room->pulse);
	assert_int_equal(pulse_open(room->folder, room->state, &room->pulse, &error), 0);
	assert_int_equal(look(room, &found), -EINVAL);
	pulse_write(room->pulse, &beat);
	assert_int_equal(look(room, &found), 1);
}

static void another_daemons_page_is_none_of_ours(void **state)
{
	struct room *room = *state;
	struct pulse_beat found = { 0 };
	struct error error = { 0 };

	assert_int_equal(pulse_read(room->folder, room->folder, &found, &error), 0);
	assert_int_equal(pulse_read(room->folder, "/nowhere", &found, &error), 0);
	assert_int_equal(pulse_read(room->state, room->state, &found, &error), 0);
}

static void others_may_read_it(void **state)
{
	struct stat about;

	assert_int_equal(stat(((struct room *)*state)->path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0644);
	assert_int_equal(about.st_size, 4096);
	assert_true(about.st_blocks * 512 >= 4096); /* allocated: no full disk takes it away */
}

static void what_cannot_be_had_is_an_error_and_leaves_nothing(void **state)
{
	const struct rlimit small = { 100, RLIM_INFINITY };
	struct rlimit before;
	struct room *room = *state;
	struct pulse *other = NULL;
	struct error error = { 0 };
	char path[128];

	(void)snprintf(path, sizeof path, "%s/pulse", room->state);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_true(pulse_open(room->state, room->state, &other, &error) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_null(other);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(pulse_open("/nowhere", room->state, &other, &error), -ENOENT);
}

/* One number of the page is changed, by its place in words of eight bytes. */
static void what_cannot_be_is_not_believed(void **state)
{
	static const struct {
		int word;
		int64_t value;
	} lies[] = {
		{ 0, 0 },  { 1, 2 },       { 2, 9 },   { 5, 0 },
		{ 5, -1 }, { 5, 1 << 30 }, { 6, -1 },  { 7, INT64_MIN },
		{ 8, -1 }, { 9, -1 },      { 10, 0 },  { 10, 3601 },
		{ 11, 3 }, { 11, -1 },     { 12, -1 }, { 7, INT64_MAX - 1 },
	};
	struct room *room = *state;
	struct pulse_beat found = { 0 };

	for (size_t i = 0; i < COUNT(lies); i++) {
		int fd = open(room->path, O_WRONLY | O_CLOEXEC);
		int64_t value = lies[i].value;

		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, &value, 8, 8 * (off_t)lies[i].word), 8);
		(void)close(fd);
		if (look(room, &found) != (lies[i].word == 2 ? -EAGAIN : -EINVAL))
			fail_msg("lie %zu is believed", i);
		pulse_close(room->pulse);
		room->pulse = NULL;
		assert_int_equal(pulse_open(room->folder, room->state, &room->pulse, NULL), 0);
		pulse_write(room->pulse, &beat);
	}
}

static void a_page_that_is_none_is_refused(void **state)
{
	struct room *room = *state;
	struct pulse_beat found = { 0 };

	assert_int_equal(truncate(room->path, 50), 0);
	/* Nothing may be written to the mapping now. */
	assert_int_equal(look(room, &found), -EINVAL);
	assert_int_equal(unlink(room->path), 0);
	assert_int_equal(look(room, &found), 0);
	assert_int_equal(mkfifo(room->path, 0600), 0);
	assert_int_equal(look(room, &found), -EINVAL);
	assert_int_equal(unlink(room->path), 0);
	assert_int_equal(symlink("/etc/passwd", room->path), 0);
	assert_int_equal(look(room, &found), -ELOOP);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(what_was_written_is_read),
		TEST(it_stays_when_the_daemon_is_gone),
		TEST(a_new_daemon_begins_with_an_empty_page),
		TEST(another_daemons_page_is_none_of_ours),
		TEST(others_may_read_it),
		TEST(what_cannot_be_had_is_an_error_and_leaves_nothing),
		TEST(what_cannot_be_is_not_believed),
		TEST(a_page_that_is_none_is_refused),
	};

	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests_name("pulse", tests, NULL, NULL);
}
