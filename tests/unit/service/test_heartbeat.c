/* test_heartbeat.c - when a beat is due, and senders that answer nonsense, nothing, or too
 * late. */
#include "service/heartbeat.h"

#include "adapter/sender_channel.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, EVERY = 300 };

/* The fake sender is a shell that does what the test wrote for it; the channel is descriptor 3.
 */
struct trial {
	char folder[64];
	char program[96];
	int64_t boot;
	struct clock clock;
	struct heartbeat *heartbeat;
	int standard_error;
	char logged[96];
};

static struct instant told_now(void *self)
{
	return (struct instant){ 1795428000 + ((struct trial *)self)->boot };
}

static int64_t told_boot(void *self)
{
	return ((struct trial *)self)->boot;
}

static const struct heartbeat_settings settings = {
	.url = "https://hc.test/x", .credential = "", .ca = "", .every_seconds = EVERY
};

static int set_up(void **state)
{
	struct trial *trial = calloc(1, sizeof *trial);
	struct error error = { 0 };
	int log;

	assert_non_null(trial);
	(void)snprintf(trial->folder, sizeof trial->folder, "/tmp/test-heartbeat-XXXXXX");
	assert_non_null(mkdtemp(trial->folder));
	(void)snprintf(trial->program, sizeof trial->program, "%s/sender", trial->folder);
	(void)snprintf(trial->logged, sizeof trial->logged, "%s/log", trial->folder);
	trial->clock = (struct clock){ told_now, told_boot, trial };
	assert_int_equal(
		heartbeat_create(trial->program, &trial->clock, &trial->heartbeat, &error), 0);
	assert_int_equal(heartbeat_configure(trial->heartbeat, &settings, &error), 0);
	trial->standard_error = dup(STDERR_FILENO);
	log = open(trial->logged, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(trial->standard_error >= 0 && log >= 0);
	assert_true(dup2(log, STDERR_FILENO) >= 0);
	(void)close(log);
	*state = trial;
	return 0;
}

static int tear_down(void **state)
{
	struct trial *trial = *state;
	char command[100];

	(void)dup2(trial->standard_error, STDERR_FILENO);
	(void)close(trial->standard_error);
	heartbeat_destroy(trial->heartbeat);
	(void)snprintf(command, sizeof command, "rm -r %s", trial->folder);
	assert_int_equal(system(command), 0);
	free(trial);
	return 0;
}

static void write_file(const char *path, const char *bytes, size_t length)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static void play(struct trial *trial, const char *script)
{
	CLEANUP(text_clear) struct text text = { 0 };

	/* The question is read to its end: with some of it unread the answer would be lost. */
	text_appendf(&text, "#!/bin/sh\ncd %s\ndd bs=4096 count=1 <&3 >/dev/null 2>&1\n%s\n",
		     trial->folder, script);
	write_file(trial->program, text_string(&text), text.length);
	assert_int_equal(chmod(trial->program, 0700), 0);
}

static void answer(struct trial *trial, const struct sender_got *got)
{
	CLEANUP(text_clear) struct text frame = { 0 };
	char path[128];

	sender_put_got(&frame, got);
	(void)snprintf(path, sizeof path, "%s/answer", trial->folder);
	write_file(path, frame.data, frame.length);
	play(trial, "echo x >> begun; cat answer >&3");
}

static bool is_busy(const struct trial *trial)
{
	return heartbeat_state(trial->heartbeat).busy;
}

/* Until what is under way has ended. */
static void hear(struct trial *trial)
{
	struct pollfd heard = { .fd = heartbeat_descriptor(trial->heartbeat),
				.events = POLLIN };

	for (int i = 0; i < 10 && is_busy(trial); i++) {
		assert_int_equal(poll(&heard, 1, PATIENCE_MS), 1);
		heartbeat_take(trial->heartbeat);
	}
	assert_false(is_busy(trial));
}

static int count_lines(const struct trial *trial, const char *name, const char *word)
{
	char path[128];
	char line[500];
	int count = 0;
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", trial->folder, name);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		count += strstr(line, word) != NULL;
	if (file != NULL)
		(void)fclose(file);
	return count;
}

static int beats(const struct trial *trial)
{
	return count_lines(trial, "begun", "x");
}

static int logged(const struct trial *trial, const char *word)
{
	return count_lines(trial, "log", word);
}

static void run(struct trial *trial)
{
	heartbeat_run(trial->heartbeat);
	hear(trial);
}

static void one_comes_at_once_and_then_in_its_time(void **state)
{
	struct trial *trial = *state;

	answer(trial, &(struct sender_got){ true, "HTTP 200" });
	assert_true(instant_is_never(heartbeat_state(trial->heartbeat).heard));
	run(trial);
	assert_int_equal(heartbeat_state(trial->heartbeat).heard.seconds, 1795428000);
	trial->boot = EVERY - 1;
	run(trial);
	assert_int_equal(beats(trial), 1);
	trial->boot = EVERY;
	run(trial);
	assert_int_equal(beats(trial), 2);
	assert_int_equal(logged(trial, "heartbeat"), 0);
}

static void a_failure_is_told_once_and_tried_again_sooner(void **state)
{
	struct trial *trial = *state;

	answer(trial, &(struct sender_got){ false, "HTTP 500" });
	run(trial);
	assert_true(heartbeat_state(trial->heartbeat).failing);
	trial->boot = HEARTBEAT_AGAIN_SECONDS - 1;
	run(trial);
	assert_int_equal(beats(trial), 1);
	trial->boot = HEARTBEAT_AGAIN_SECONDS;
	run(trial);
	assert_int_equal(beats(trial), 2);
	assert_int_equal(logged(trial, "not answered: HTTP 500"), 1);
	answer(trial, &(struct sender_got){ true, "HTTP 200" });
	trial->boot = 2 * HEARTBEAT_AGAIN_SECONDS;
	run(trial);
	assert_false(heartbeat_state(trial->heartbeat).failing);
	assert_int_equal(logged(trial, "answered again"), 1);
}

static void one_that_takes_too_long_is_ended(void **state)
{
	struct trial *trial = *state;

	play(trial, "echo x >> begun; exec sleep 600");
	heartbeat_run(trial->heartbeat);
	trial->boot = HEARTBEAT_STOP_SECONDS - 1;
	heartbeat_take(trial->heartbeat);
	assert_true(is_busy(trial));
	heartbeat_run(trial->heartbeat); /* one at a time */
	trial->boot = HEARTBEAT_STOP_SECONDS;
	heartbeat_take(trial->heartbeat);
	assert_false(is_busy(trial));
	assert_int_equal(logged(trial, "its process took too long"), 1);
}

static void what_is_no_answer_is_a_failure(void **state)
{
	static const char *const scripts[] = {
		"exit 0",
		"printf 'this is no frame of ours, and it is long enough' >&3; exec sleep 600",
		"printf 'O\\000\\000\\000\\001x' >&3; exec sleep 600",
		"head -c 100000 /dev/zero | tr '\\0' 'A' >&3; exec sleep 600",
	};
	struct trial *trial = *state;

	for (size_t i = 0; i < COUNT(scripts); i++) {
		play(trial, scripts[i]);
		trial->boot += HEARTBEAT_AGAIN_SECONDS;
		run(trial);
		assert_true(heartbeat_state(trial->heartbeat).failing);
	}
	assert_int_equal(logged(trial, "ended without a word"), 1);
}

static void a_sender_that_cannot_be_started_is_a_failure(void **state)
{
	struct trial *trial = *state;

	/* As in test_senders.c: there the answer of posix_spawn never comes back. */
	if (getenv("UNDER_VALGRIND") != NULL)
		skip();
	heartbeat_run(trial->heartbeat); /* there is no such file */
	assert_false(is_busy(trial));
	assert_int_equal(logged(trial, "cannot start"), 1);
}

static void an_answer_in_two_parts_is_one(void **state)
{
	struct trial *trial = *state;

	answer(trial, &(struct sender_got){ true, "HTTP 200" });
	play(trial, "head -c 7 answer >&3; sleep 0.2; tail -c +8 answer >&3");
	run(trial);
	assert_false(heartbeat_state(trial->heartbeat).failing);
	assert_false(instant_is_never(heartbeat_state(trial->heartbeat).heard));
}

static void other_settings_are_tried_out_at_once(void **state)
{
	struct heartbeat_settings other = settings;
	struct trial *trial = *state;

	answer(trial, &(struct sender_got){ true, "HTTP 200" });
	run(trial);
	assert_int_equal(heartbeat_configure(trial->heartbeat, &settings, NULL), 0);
	run(trial);
	assert_int_equal(beats(trial), 1); /* they are the same */
	other.url = "https://hc.test/y";
	assert_int_equal(heartbeat_configure(trial->heartbeat, &other, NULL), 0);
	run(trial);
	assert_int_equal(beats(trial), 2);
	other.every_seconds = EVERY / 2; /* who waits for it would not hear it in time */
	assert_int_equal(heartbeat_configure(trial->heartbeat, &other, NULL), 0);
	run(trial);
	assert_int_equal(beats(trial), 3);
	other.every_seconds = 0;
	assert_int_equal(heartbeat_configure(trial->heartbeat, &other, NULL), 0);
	trial->boot += 10 * EVERY;
	run(trial);
	assert_int_equal(beats(trial), 3);
	assert_false(heartbeat_state(trial->heartbeat).configured);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(one_comes_at_once_and_then_in_its_time),
		TEST(a_failure_is_told_once_and_tried_again_sooner),
		TEST(one_that_takes_too_long_is_ended),
		TEST(what_is_no_answer_is_a_failure),
		TEST(a_sender_that_cannot_be_started_is_a_failure),
		TEST(an_answer_in_two_parts_is_one),
		TEST(other_settings_are_tried_out_at_once),
	};

	return cmocka_run_group_tests_name("heartbeat", tests, NULL, NULL);
}
