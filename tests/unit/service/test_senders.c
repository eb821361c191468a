/*
 * Sender processes as the daemon sees them. This program is its own fake sender: started under
 * the sender's name it does what the recipient of the mail in hand says.
 */
#include "service/senders.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the fake sender -------------------------------------------------------------------------
 */

enum { CHANNEL = 3 };

static void put(struct text *frame)
{
	size_t written = 0;

	while (written < frame->length) {
		ssize_t n = write(CHANNEL, frame->data + written, frame->length - written);

		if (n <= 0)
			_exit(1);
		written += (size_t)n;
	}
	text_cut(frame, 0);
}

/* The number of open descriptors, the signals that are blocked, and the environment. */
static void describe_self(char *ret, size_t size)
{
	extern char **environ;
	DIR *folder = opendir("/proc/self/fd");
	sigset_t blocked;
	struct sigaction pipe_action;
	int open_descriptors = -1; /* that of the listing itself */
	int variables = 0;

	while (readdir(folder) != NULL)
		open_descriptors++;
	(void)closedir(folder);
	for (char **entry = environ; *entry != NULL; entry++)
		variables++;
	(void)sigprocmask(SIG_BLOCK, NULL, &blocked);
	(void)sigaction(SIGPIPE, NULL, &pipe_action);
	(void)snprintf(
		ret, size, "descriptors %d, variables %d, credentials %s, TERM %s, PIPE %s",
		open_descriptors - 2, variables,
		getenv("CREDENTIALS_DIRECTORY") == NULL ? "none"
							: getenv("CREDENTIALS_DIRECTORY"),
		sigismember(&blocked, SIGTERM) ? "blocked" : "open",
		pipe_action.sa_handler == SIG_DFL ? "default" : "ignored");
}

static void behave(const struct sender_mail *mail, const char *url)
{
	CLEANUP(text_clear) struct text frame = { 0 };
	struct attempt_result result = { .reply_code = 250,
					 .body_sent = true,
					 .greeted = true };

	(void)snprintf(result.reply, sizeof result.reply, "%s %zu bytes", url, mail->length);
	if (strcmp(mail->recipient, "die") == 0)
		_exit(1);
	if (strcmp(mail->recipient, "garbage") == 0) {
		text_append(&frame, "what is this? no frame of ours");
		put(&frame);
		(void)pause();
	}
	if (strcmp(mail->recipient, "hang") == 0)
		(void)pause();
	if (strcmp(mail->recipient, "wrong") == 0) {
		sender_put_result(&frame, mail->id + 1, &result);
		put(&frame);
		(void)pause();
	}
	sender_put_body(&frame, mail->id);
	put(&frame);
	if (strcmp(mail->recipient, "die after body") == 0)
		_exit(1);
	if (strcmp(mail->recipient, "hang after body") == 0)
		(void)pause();
	if (strcmp(mail->recipient, "forget body") == 0)
		result.body_sent = false;
	if (strcmp(mail->recipient, "describe") == 0)
		describe_self(result.reply, sizeof result.reply);
	sender_put_result(&frame, mail->id, &result);
	put(&frame);
	if (strcmp(mail->recipient, "answer and die") == 0)
		_exit(0);
}

static int play_sender(void)
{
	CLEANUP(text_clear) struct text in = { .limit = 1 << 22 };
	char url[100] = "";

	/* Should a test fail, its senders do not outlive it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		enum sender_frame type;
		const char *payload;
		size_t length;
		size_t taken;
		char bytes[65536];
		ssize_t n;

		while (sender_take_frame(text_string(&in), in.length, &type, &payload, &length,
					 &taken) == 1) {
			struct sender_relay relay;
			struct sender_mail mail;

			if (type == FRAME_RELAY &&
			    sender_read_relay(payload, length, &relay) == 0)
				(void)snprintf(url, sizeof url, "%s", relay.url);
			else if (sender_read_mail(payload, length, &mail) == 0)
				behave(&mail, url);
			memmove(in.data, in.data + taken, in.length - taken);
			text_cut(&in, in.length - taken);
		}
		n = read(CHANNEL, bytes, sizeof bytes);
		if (n <= 0)
			return 0;
		text_append_bytes(&in, bytes, (size_t)n);
	}
}

/* --- tests -----------------------------------------------------------------------------------
 */

#define RELAY(address)                                                           \
	(struct sender_relay)                                                    \
	{                                                                        \
		.url = (address), .ca = "", .ehlo = "", .login = "", .user = "", \
		.credential = "", .tenant = "", .client = "", .token_url = "",   \
		.connect_seconds = 30, .reply_seconds = 120, .dot_seconds = 600  \
	}

static char *own_program(void)
{
	static char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);

	assert_true(length > 0);
	path[length] = '\0';
	return path;
}

static struct senders *create(int connections)
{
	struct sender_relay relay = RELAY("smtp://first:25");
	struct senders *senders = NULL;
	struct error error = { 0 };

	assert_int_equal(senders_create(own_program(), &relay, connections, &senders, &error),
			 0);
	return senders;
}

static int give(struct senders *senders, int64_t id, const char *recipient, int64_t now)
{
	struct sender_mail mail = { .id = id,
				    .envelope_from = "a@b.test",
				    .recipient = recipient,
				    .bytes = "Hello",
				    .length = 5 };
	struct error error = { 0 };

	return senders_give(senders, &mail, now, &error);
}

/* Waits for the next mail to end; fails the test when none does within five seconds. */
static struct sent next_end(struct senders *senders, int64_t now)
{
	struct sent sent = { 0 };

	for (int i = 0; i < 100; i++) {
		struct pollfd ready = { .fd = senders_descriptor(senders), .events = POLLIN };

		if (senders_take(senders, now, &sent) == 1)
			return sent;
		(void)poll(&ready, 1, 50);
	}
	fail_msg("no mail ended");
	return sent;
}

static void no_process_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static const struct ending {
	const char *name;
	const char *recipient;
	int64_t later; /* seconds after which it is looked at */
	bool has_result;
	bool body_sent;
	bool hung;
} endings[] = {
	/* clang-format off */
	{ "a result comes back", "fine", 0, true, true, false },
	{ "a result is kept though the sender ends with it", "answer and die", 0, true, true, false },
	{ "that the text went is not taken back", "forget body", 0, true, true, false },
	{ "an end before the text went leaves no doubt", "die", 0, false, false, false },
	{ "an end after the text went is a doubt", "die after body", 0, false, true, false },
	{ "nonsense on the channel ends the sender", "garbage", 0, false, false, false },
	{ "a result for another mail is nonsense", "wrong", 0, false, false, false },
	{ "a sender that hangs is ended", "hang", SENDER_HARD_STOP_SECONDS, false, false, true },
	{ "one that hangs after the text leaves a doubt", "hang after body", SENDER_HARD_STOP_SECONDS, false, true, true },
	/* clang-format on */
};

static void ends(void **state)
{
	const struct ending *want = *state;
	struct senders *senders = create(1);
	struct sent sent;

	assert_int_equal(give(senders, 7, want->recipient, 100), 0);
	if (want->hung) /* lets BODY, if any, come first */
		for (int i = 0; i < 4; i++) {
			assert_int_equal(senders_take(senders, 100, &sent), 0);
			(void)poll(NULL, 0, 50);
		}
	sent = next_end(senders, 100 + want->later);
	assert_int_equal(sent.mail, 7);
	assert_int_equal(sent.has_result, want->has_result);
	assert_int_equal(sent.body_sent, want->body_sent);
	if (sent.has_result) /* by which it is judged */
		assert_int_equal(sent.result.body_sent, want->body_sent);
	assert_int_equal(sent.hung, want->hung);
	assert_int_equal(senders_busy(senders), 0);
	/* The next mail finds a sender again, also where the last one has just ended. */
	(void)poll(NULL, 0, 50);
	assert_int_equal(give(senders, 8, "fine", 101 + want->later), 0);
	sent = next_end(senders, 101 + want->later);
	assert_true(sent.mail == 8 && sent.has_result);
	senders_destroy(senders);
	no_process_is_left();
}

static void one_sender_carries_many_mails(void **state)
{
	struct senders *senders = create(1);

	(void)state;
	for (int64_t id = 1; id <= 200; id++) {
		struct sent sent;

		assert_int_equal(give(senders, id, "fine", 100), 0);
		assert_int_equal(give(senders, id, "fine", 100), -EBUSY);
		sent = next_end(senders, 100);
		assert_true(sent.mail == id && sent.has_result);
		assert_string_equal(sent.result.reply, "smtp://first:25 5 bytes");
	}
	senders_destroy(senders);
	no_process_is_left();
}

static void a_mail_larger_than_the_socket_arrives_whole(void **state)
{
	struct senders *senders = create(1);
	size_t length = 900000;
	char *bytes = malloc(length);
	struct sender_mail mail = {
		.id = 1, .envelope_from = "a@b.test", .recipient = "fine", .length = length
	};
	struct error error = { 0 };

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'x', length);
	mail.bytes = bytes;
	assert_int_equal(senders_give(senders, &mail, 100, &error), 0);
	assert_string_equal(next_end(senders, 100).result.reply,
			    "smtp://first:25 900000 bytes");
	free(bytes);
	senders_destroy(senders);
}

static void a_sender_inherits_nothing(void **state)
{
	struct senders *senders;
	int leak = open("/dev/null", O_RDONLY); /* without CLOEXEC, as a library might */
	sigset_t block;

	(void)state;
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &block, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x", 1), 0);
	senders = create(1);
	assert_int_equal(give(senders, 1, "describe", 100), 0);
	assert_string_equal(next_end(senders, 100).result.reply,
			    "descriptors 4, variables 1, credentials /run/credentials/x, "
			    "TERM open, PIPE default");
	(void)sigprocmask(SIG_UNBLOCK, &block, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	(void)close(leak);
	senders_destroy(senders);
}

static void two_connections_work_side_by_side(void **state)
{
	struct senders *senders = create(2);
	struct sent sent;

	(void)state;
	assert_int_equal(give(senders, 1, "hang", 100), 0);
	assert_int_equal(senders_oldest(senders), 100);
	assert_int_equal(give(senders, 2, "fine", 105), 0);
	assert_int_equal(senders_free(senders), 0);
	sent = next_end(senders, 105);
	assert_int_equal(sent.mail, 2);
	assert_int_equal(senders_busy(senders), 1);
	senders_kill(senders);
	sent = next_end(senders, 105);
	assert_true(sent.mail == 1 && !sent.has_result && !sent.body_sent);
	assert_int_equal(senders_oldest(senders), INT64_MAX);
	senders_destroy(senders);
	no_process_is_left();
}

static void another_relay_is_another_process(void **state)
{
	struct senders *senders = create(1);
	struct sender_relay second = RELAY("smtp://second:25");
	struct error error = { 0 };

	(void)state;
	assert_int_equal(give(senders, 1, "fine", 100), 0);
	assert_int_equal(senders_configure(senders, &second, 1, &error), 0);
	assert_string_equal(next_end(senders, 100).result.reply, "smtp://first:25 5 bytes");
	assert_int_equal(give(senders, 2, "fine", 100), 0);
	assert_string_equal(next_end(senders, 100).result.reply, "smtp://second:25 5 bytes");
	senders_destroy(senders);
	no_process_is_left();
}

static void an_idle_sender_is_let_go(void **state)
{
	struct senders *senders = create(1);
	struct sent sent;

	(void)state;
	assert_int_equal(senders_deadline(senders), INT64_MAX);
	assert_int_equal(give(senders, 1, "fine", 100), 0);
	(void)next_end(senders, 100);
	assert_int_equal(senders_deadline(senders), 100 + SENDER_IDLE_SECONDS);
	assert_int_equal(senders_take(senders, 99 + SENDER_IDLE_SECONDS, &sent), 0);
	assert_int_equal(senders_leaving(senders), 0);
	for (int i = 0; i < 100 && senders_deadline(senders) != INT64_MAX; i++) {
		assert_int_equal(senders_take(senders, 100 + SENDER_IDLE_SECONDS, &sent), 0);
		(void)poll(NULL, 0, 20);
	}
	assert_int_equal(senders_deadline(senders), INT64_MAX);
	no_process_is_left();
	senders_destroy(senders);
}

static void a_program_that_is_not_there_is_said(void **state)
{
	struct sender_relay relay = RELAY("smtp://first:25");
	struct senders *senders = NULL;
	struct sender_mail mail = {
		.id = 1, .envelope_from = "", .recipient = "", .bytes = ""
	};
	struct error error = { 0 };

	(void)state;
	/* There vfork copies, and posix_spawn's answer never comes back: a flaw of valgrind's.
	 */
	if (getenv("UNDER_VALGRIND") != NULL)
		skip();
	assert_int_equal(senders_create("/nonexistent/sender", &relay, 1, &senders, &error), 0);
	assert_int_equal(senders_give(senders, &mail, 100, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/nonexistent/sender"));
	assert_int_equal(senders_busy(senders), 0);
	senders_destroy(senders);
	no_process_is_left();
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(one_sender_carries_many_mails),
		cmocka_unit_test(a_mail_larger_than_the_socket_arrives_whole),
		cmocka_unit_test(a_sender_inherits_nothing),
		cmocka_unit_test(two_connections_work_side_by_side),
		cmocka_unit_test(another_relay_is_another_process),
		cmocka_unit_test(an_idle_sender_is_let_go),
		cmocka_unit_test(a_program_that_is_not_there_is_said),
	};
	struct CMUnitTest tests[COUNT(endings) + COUNT(others)];

	(void)argc;
	if (strcmp(argv[0], "challenge-notify-sender") == 0)
		return play_sender();
	for (size_t i = 0; i < COUNT(endings); i++)
		tests[i] = (struct CMUnitTest){ .name = endings[i].name,
						.test_func = ends,
						.initial_state = (void *)&endings[i] };
	memcpy(&tests[COUNT(endings)], others, sizeof others);
	return cmocka_run_group_tests_name("senders", tests, NULL, NULL);
}
