/* sender_process.c - see sender_process.h. */
#include "adapter/sender_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHANNEL_DESCRIPTOR = 3 }; /* where a sender finds its end */

static bool is_own_program(const char *path)
{
	return access(path, X_OK) == 0;
}

char *sender_process_program(void)
{
	static const char name[] = "challenge-notify-sender";
	const char *named = getenv("CHALLENGE_NOTIFY_SENDER");
	char self[PATH_MAX];
	ssize_t length;
	char *slash;
	char *beside = NULL;

	if (named != NULL && named[0] != '\0')
		return strdup(named);
	length = readlink("/proc/self/exe", self, sizeof self - 1);
	if (length <= 0)
		return strdup(SENDER_PROGRAM);
	self[length] = '\0';
	slash = strrchr(self, '/');
	if (slash == NULL || asprintf(&beside, "%.*s/%s", (int)(slash - self), self, name) < 0)
		return strdup(SENDER_PROGRAM);
	if (is_own_program(beside))
		return beside;
	free(beside);
	return strdup(SENDER_PROGRAM);
}

struct sender_relay sender_process_relay(const struct mail_settings *mail)
{
	static const char *const logins[] = {
		[LOGIN_NONE] = "",
		[LOGIN_PLAIN] = "PLAIN",
		[LOGIN_LOGIN] = "LOGIN",
		[LOGIN_XOAUTH2] = "XOAUTH2",
	};

	return (struct sender_relay){
		.url = mail->relay,
		.clear_text = mail->clear_text,
		.ca = mail->relay_ca,
		.ehlo = mail->ehlo,
		.login = logins[mail->login],
		.user = mail->user,
		.credential = mail->credential,
		.tenant = mail->tenant,
		.client = mail->client,
		.token_url = mail->token_url,
		.connect_seconds = 30,
		.reply_seconds = 120,
		.dot_seconds = 600,
	};
}

/* Only what a sender needs: where its secret is. No PATH, no proxy, no locale. */
static int build_environment(const char *credentials, char *ret[2], char **ret_owned)
{
	size_t count = 0;

	*ret_owned = NULL;
	if (credentials != NULL) {
		if (asprintf(ret_owned, "CREDENTIALS_DIRECTORY=%s", credentials) < 0) {
			*ret_owned = NULL;
			return -ENOMEM;
		}
		ret[count++] = *ret_owned;
	}
	ret[count] = NULL;
	return 0;
}

static int spawn_actions(posix_spawn_file_actions_t *actions, int channel)
{
	int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY,
						 0);

	if (r == 0)
		r = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null",
						     O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, channel, CHANNEL_DESCRIPTOR);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, CHANNEL_DESCRIPTOR + 1);
	return r;
}

/* Default signals and none blocked, whatever the event loop did to ours. */
static int spawn_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all;
	sigset_t none;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)posix_spawnattr_setsigdefault(attributes, &all);
	(void)posix_spawnattr_setsigmask(attributes, &none);
	return posix_spawnattr_setflags(attributes,
					POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

static int spawn(const char *program, const char *credentials, int channel, pid_t *ret)
{
	char name[] = "challenge-notify-sender";
	char *arguments[] = { name, NULL };
	char *environment[2];
	CLEANUP(freep) char *owned = NULL;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	if (build_environment(credentials, environment, &owned) < 0)
		return ENOMEM;
	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return r;
	r = posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = spawn_actions(&actions, channel);
		if (r == 0)
			r = spawn_attributes(&attributes);
		if (r == 0)
			r = posix_spawn(ret, program, &actions, &attributes, arguments,
					environment);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

int sender_process_start(const char *program, const char *credentials,
			 struct sender_process *ret, struct error *error)
{
	int pair[2];
	pid_t pid;
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(error, errno, "socket pair: %s", strerror(errno));
	r = spawn(program, credentials, pair[1], &pid);
	(void)close(pair[1]);
	if (r != 0) {
		(void)close(pair[0]);
		return error_set(error, r, "cannot start %s: %s", program, strerror(r));
	}
	*ret = (struct sender_process){ .pid = pid, .channel = pair[0] };
	return 0;
}
