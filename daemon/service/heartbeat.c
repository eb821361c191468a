/* heartbeat.c - see heartbeat.h. */
#include "service/heartbeat.h"

#include "adapter/journal.h"
#include "adapter/sender_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MOST = 4096 };

struct heartbeat {
	const struct clock *clock;
	char *program;
	int epoll;
	struct text frame; /* ready to write; empty: no heartbeat */
	int64_t every;
	int64_t due;   /* CLOCK_BOOTTIME second of the next */
	pid_t pid;     /* 0: none is under way */
	int64_t since; /* CLOCK_BOOTTIME second at which it began */
	int channel;
	struct text in;
	bool failing; /* which was told */
	struct instant heard;
};

int heartbeat_create(const char *program, const struct clock *clock, struct heartbeat **ret,
		     struct error *error)
{
	struct heartbeat *heartbeat = calloc(1, sizeof *heartbeat);

	if (heartbeat == NULL)
		return error_memory(error);
	heartbeat->clock = clock;
	heartbeat->channel = -1;
	heartbeat->heard = INSTANT_NEVER;
	heartbeat->epoll = epoll_create1(EPOLL_CLOEXEC);
	heartbeat->program = strdup(program);
	if (heartbeat->epoll < 0 || heartbeat->program == NULL) {
		int code = heartbeat->epoll < 0 ? errno : ENOMEM;

		heartbeat_destroy(heartbeat);
		return error_set(error, code, "heartbeat: %s", strerror(code));
	}
	*ret = heartbeat;
	return 0;
}

static int64_t boot_seconds(const struct heartbeat *heartbeat)
{
	return heartbeat->clock->boot_seconds(heartbeat->clock->self);
}

/* SIGKILL takes effect for certain, so the wait is a short one. */
static void end_process(struct heartbeat *heartbeat)
{
	if (heartbeat->pid == 0)
		return;
	(void)close(heartbeat->channel); /* epoll forgets it by itself */
	(void)kill(heartbeat->pid,
		   SIGKILL); /* our own child, not yet reaped: the id is its own */
	while (waitpid(heartbeat->pid, NULL, 0) < 0 && errno == EINTR)
		;
	heartbeat->pid = 0;
	heartbeat->channel = -1;
	text_clear(&heartbeat->in);
}

void heartbeat_destroy(struct heartbeat *heartbeat)
{
	if (heartbeat == NULL)
		return;
	end_process(heartbeat);
	if (heartbeat->epoll >= 0)
		(void)close(heartbeat->epoll);
	text_clear(&heartbeat->frame);
	free(heartbeat->program);
	free(heartbeat);
}

int heartbeat_configure(struct heartbeat *heartbeat, const struct heartbeat_settings *settings,
			struct error *error)
{
	CLEANUP(text_clear) struct text frame = { 0 };

	if (settings->every_seconds > 0)
		sender_put_get(&frame,
			       &(struct sender_get){ settings->url, settings->credential,
						     settings->ca, HEARTBEAT_SECONDS });
	if (text_failed(&frame))
		return error_memory(error);
	if (heartbeat->every != settings->every_seconds)
		heartbeat->due = INT64_MIN; /* who listens may expect it sooner from now on */
	heartbeat->every = settings->every_seconds;
	if (heartbeat->frame.length == frame.length &&
	    memcmp(text_string(&heartbeat->frame), text_string(&frame), frame.length) == 0)
		return 0;
	end_process(heartbeat);
	text_clear(&heartbeat->frame);
	heartbeat->frame = TAKE(frame);
	heartbeat->due = INT64_MIN;
	heartbeat->failing = false; /* that was another */
	return 0;
}

/* ---- what came of one ---------------------------------------------------------------------
 */

static void went_well(struct heartbeat *heartbeat)
{
	static const struct journal_field fields[] = { { "SIGN", "heartbeat" } };

	if (heartbeat->failing)
		journal_send(JOURNAL_SIGN_BACK, fields, COUNT(fields),
			     "the heartbeat is answered again");
	heartbeat->failing = false;
	heartbeat->heard = clock_now(heartbeat->clock);
	heartbeat->due = heartbeat->since + heartbeat->every;
}

static void went_wrong(struct heartbeat *heartbeat, const char *why)
{
	const struct journal_field fields[] = { { "SIGN", "heartbeat" }, { "REASON", why } };
	int64_t wait = heartbeat->every < HEARTBEAT_AGAIN_SECONDS ? heartbeat->every
								  : HEARTBEAT_AGAIN_SECONDS;

	if (!heartbeat->failing)
		journal_send(JOURNAL_SIGN_FAULT, fields, COUNT(fields),
			     "the heartbeat was not answered: %s; trying again", why);
	heartbeat->failing = true;
	heartbeat->due = boot_seconds(heartbeat) + wait;
}

/* 1 with *ret when the answer is whole; 0: not yet; -EPROTO: none will come. */
static int read_answer(struct heartbeat *heartbeat, struct sender_got *ret)
{
	char bytes[512];
	enum sender_frame type;
	const char *payload;
	size_t length;
	size_t taken;
	ssize_t n;
	int r;

	while ((n = recv(heartbeat->channel, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		text_append_bytes(&heartbeat->in, bytes, (size_t)n);
	r = sender_take_frame(text_string(&heartbeat->in), heartbeat->in.length, &type,
			      &payload, &length, &taken);
	if (r == 1)
		return type == FRAME_GOT && sender_read_got(payload, length, ret) == 0
			       ? 1
			       : -EPROTO;
	if (r == 0 && n < 0 && (errno == EAGAIN || errno == EINTR) &&
	    !text_failed(&heartbeat->in))
		return 0;
	return -EPROTO;
}

void heartbeat_take(struct heartbeat *heartbeat)
{
	struct sender_got got = { .well = false };
	int r;

	if (heartbeat->pid == 0)
		return;
	r = read_answer(heartbeat, &got);
	if (r == 0 && boot_seconds(heartbeat) - heartbeat->since < HEARTBEAT_STOP_SECONDS)
		return;
	end_process(heartbeat);
	if (r == 1 && got.well)
		went_well(heartbeat);
	else
		went_wrong(heartbeat, r == 1   ? got.words
				      : r == 0 ? "its process took too long"
					       : "its process ended without a word");
}

/* ---- the next -----------------------------------------------------------------------------
 */

/* One small frame into an empty socket: it is taken whole or the socket is broken. */
static bool ask(struct heartbeat *heartbeat)
{
	struct epoll_event event = { .events = EPOLLIN };
	const struct text *frame = &heartbeat->frame;

	return epoll_ctl(heartbeat->epoll, EPOLL_CTL_ADD, heartbeat->channel, &event) == 0 &&
	       send(heartbeat->channel, frame->data, frame->length,
		    MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)frame->length;
}

static void begin(struct heartbeat *heartbeat)
{
	struct sender_process process;
	struct error error = { 0 };
	int r = sender_process_start(heartbeat->program, getenv("CREDENTIALS_DIRECTORY"),
				     &process, &error);

	if (r < 0) {
		went_wrong(heartbeat, error.text);
		return;
	}
	heartbeat->pid = process.pid;
	heartbeat->channel = process.channel;
	heartbeat->since = boot_seconds(heartbeat);
	heartbeat->in.limit = ANSWER_MOST;
	if (!ask(heartbeat)) {
		end_process(heartbeat);
		went_wrong(heartbeat, "its process does not listen");
	}
}

void heartbeat_run(struct heartbeat *heartbeat)
{
	if (heartbeat->frame.length > 0 && heartbeat->pid == 0 &&
	    boot_seconds(heartbeat) >= heartbeat->due)
		begin(heartbeat);
}

int heartbeat_descriptor(const struct heartbeat *heartbeat)
{
	return heartbeat->epoll;
}

struct heartbeat_state heartbeat_state(const struct heartbeat *heartbeat)
{
	return (struct heartbeat_state){
		.configured = heartbeat->frame.length > 0,
		.busy = heartbeat->pid != 0,
		.failing = heartbeat->failing,
		.heard = heartbeat->heard,
	};
}
