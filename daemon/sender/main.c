/*
 * challenge-notify-sender - the one program that speaks SMTP and holds the relay's credential.
 *
 * Started by challenge-notifyd with one end of a socket pair as descriptor 3; it ends when the
 * daemon closes the other. Exit status: 0 so ended, 1 with one line on standard error, 2 usage.
 */
#include "sender/sender.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { CHANNEL = 3 };

/* No image of a process that knows a password may reach a disk. */
static int forbid_dumps(struct error *error)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return error_set(error, errno, "forbid memory dumps: %s", strerror(errno));
	return 0;
}

/*
 * The daemon alone decides when a sender ends, by closing the channel: a stop that signals the
 * whole group must not cut a mail off after its final dot. Should the daemon die, the kernel
 * ends the sender as well; what was let go by then is in doubt in either case.
 */
static int settle_signals(struct error *error)
{
	static const int ignored[] = { SIGPIPE, SIGTERM, SIGINT, SIGHUP };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t none;

	(void)sigemptyset(&none); /* cannot fail */
	for (size_t i = 0; i < COUNT(ignored); i++)
		if (sigaction(ignored[i], &ignore, NULL) < 0)
			return error_set(error, errno, "ignore signals: %s", strerror(errno));
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_set(error, errno, "settle signals: %s", strerror(errno));
	return 0;
}

static bool is_channel(void)
{
	int type = 0;
	socklen_t length = sizeof type;

	return getsockopt(CHANNEL, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
	       type == SOCK_STREAM;
}

int main(int argc, char **argv)
{
	struct error error = { 0 };
	int r;

	(void)argv;
	if (argc != 1 || !is_channel()) {
		(void)fputs("challenge-notify-sender: is started by challenge-notifyd, not by "
			    "hand\n",
			    stderr);
		return 2;
	}
	r = forbid_dumps(&error);
	if (r == 0)
		r = settle_signals(&error);
	if (r == 0)
		r = sender_serve(CHANNEL, getenv("CREDENTIALS_DIRECTORY"), &clock_system,
				 &error);
	if (r == 0)
		return 0;
	(void)fprintf(stderr, "challenge-notify-sender: %s\n", error.text);
	return 1;
}
