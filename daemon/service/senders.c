/* senders.c - see senders.h. */
#include "service/senders.h"

#include "adapter/sender_process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LEAVE_SECONDS = 10,         /* for the relay's answer to QUIT */
	OUT_LIMIT = 4 * 1024 * 1024 /* one mail in one frame */
};

enum slot_state {
	SLOT_EMPTY,
	SLOT_IDLE,
	SLOT_BUSY,
	SLOT_LEAVING, /* channel closed; the process is expected to end by itself */
};

struct slot {
	enum slot_state state;
	pid_t pid;
	int channel;
	bool outdated; /* holds an earlier relay configuration */
	bool wants_write;
	int64_t since; /* of the state */
	int64_t mail;
	bool body_sent;
	bool hung; /* killed for taking too long; its end is still to be read */
	struct text out;
	size_t written;
	struct text in;
};

struct senders {
	char *program;
	struct text relay; /* its frame, ready to write */
	size_t connections;
	int epoll;
	struct slot slots[2 * SENDERS_MOST]; /* those of an old configuration beside new ones */
};

int senders_create(const char *program, const struct sender_relay *relay, int connections,
		   struct senders **ret, struct error *error)
{
	CLEANUP(senders_destroyp) struct senders *senders = calloc(1, sizeof *senders);
	int r;

	if (senders == NULL)
		return error_memory(error);
	senders->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (senders->epoll < 0)
		return error_set(error, errno, "epoll: %s", strerror(errno));
	senders->program = strdup(program);
	if (senders->program == NULL)
		return error_memory(error);
	r = senders_configure(senders, relay, connections, error);
	if (r < 0)
		return r;
	*ret = TAKE(senders);
	return 0;
}

static void close_channel(struct slot *slot)
{
	if (slot->channel >= 0)
		(void)close(slot->channel); /* epoll forgets it by itself */
	slot->channel = -1;
	text_clear(&slot->in);
	text_clear(&slot->out);
}

static void leave(struct slot *slot, int64_t now)
{
	close_channel(slot);
	slot->state = SLOT_LEAVING;
	slot->since = now;
	slot->mail = 0;
}

static bool reap(struct slot *slot, int flags)
{
	pid_t ended = waitpid(slot->pid, NULL, flags);

	if (ended == 0 || (ended < 0 && errno == EINTR))
		return false;
	*slot = (struct slot){ 0 };
	return true;
}

/* SIGKILL takes effect for certain, so the wait is a short one. */
static void end_now(struct slot *slot)
{
	close_channel(slot);
	(void)kill(slot->pid, SIGKILL); /* our own child, not yet reaped: the id is its own */
	while (!reap(slot, 0))
		;
}

void senders_destroy(struct senders *senders)
{
	if (senders == NULL)
		return;
	for (size_t i = 0; i < COUNT(senders->slots); i++)
		if (senders->slots[i].state != SLOT_EMPTY)
			end_now(&senders->slots[i]);
	if (senders->epoll >= 0)
		(void)close(senders->epoll);
	text_clear(&senders->relay);
	free(senders->program);
	free(senders);
}

void senders_destroyp(struct senders **senders)
{
	senders_destroy(*senders);
}

int senders_configure(struct senders *senders, const struct sender_relay *relay,
		      int connections, struct error *error)
{
	CLEANUP(text_clear) struct text frame = { 0 };

	assert(connections >= 1 && connections <= SENDERS_MOST);
	sender_put_relay(&frame, relay);
	if (text_failed(&frame))
		return error_memory(error);
	senders->connections = (size_t)connections;
	/* The same relay again, as most reloads are: connections may stay. */
	if (senders->relay.length == frame.length &&
	    memcmp(text_string(&senders->relay), frame.data, frame.length) == 0)
		return 0;
	text_clear(&senders->relay);
	senders->relay = TAKE(frame);
	for (size_t i = 0; i < COUNT(senders->slots); i++)
		senders->slots[i].outdated = true;
	return 0;
}

static size_t count_slots(const struct senders *senders, enum slot_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < COUNT(senders->slots); i++)
		count += senders->slots[i].state == state;
	return count;
}

size_t senders_busy(const struct senders *senders)
{
	return count_slots(senders, SLOT_BUSY);
}

size_t senders_leaving(const struct senders *senders)
{
	return count_slots(senders, SLOT_LEAVING);
}

size_t senders_free(const struct senders *senders)
{
	size_t busy = senders_busy(senders);

	return busy < senders->connections ? senders->connections - busy : 0;
}

static void watch(const struct senders *senders, struct slot *slot, int operation)
{
	struct epoll_event event = {
		.events = EPOLLIN | (slot->wants_write ? (uint32_t)EPOLLOUT : 0U),
		.data.ptr = slot,
	};

	/* Failing (ENOMEM) costs time, no mail: senders_take looks at every slot anyway. */
	(void)epoll_ctl(senders->epoll, operation, slot->channel, &event);
}

static int start(struct senders *senders, struct slot *slot, int64_t now, struct error *error)
{
	struct sender_process process;
	int r = sender_process_start(senders->program, getenv("CREDENTIALS_DIRECTORY"),
				     &process, error);

	if (r < 0)
		return r;
	(void)fcntl(process.channel, F_SETFL, O_NONBLOCK); /* only the sender's end may block */
	*slot = (struct slot){
		.state = SLOT_IDLE,
		.pid = process.pid,
		.channel = process.channel,
		.since = now,
		.out.limit = OUT_LIMIT,
		.in.limit = OUT_LIMIT,
	};
	text_append_bytes(&slot->out, senders->relay.data, senders->relay.length);
	watch(senders, slot, EPOLL_CTL_ADD);
	return 0;
}

static struct slot *find_slot(struct senders *senders, enum slot_state state)
{
	for (size_t i = 0; i < COUNT(senders->slots); i++) {
		struct slot *slot = &senders->slots[i];

		if (slot->state == state && !(state == SLOT_IDLE && slot->outdated))
			return slot;
	}
	return NULL;
}

static void write_some(const struct senders *senders, struct slot *slot)
{
	bool wanted = slot->wants_write;

	while (slot->written < slot->out.length) {
		ssize_t n = send(slot->channel, slot->out.data + slot->written,
				 slot->out.length - slot->written, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* full: later; broken: reading meets the end and says so */
		slot->written += (size_t)n;
	}
	slot->wants_write = slot->written < slot->out.length;
	if (!slot->wants_write) {
		text_cut(&slot->out, 0);
		slot->written = 0;
	}
	if (slot->wants_write != wanted)
		watch(senders, slot, EPOLL_CTL_MOD);
}

/* A sender that ended while it was idle is no reason to count an attempt. */
static bool has_ended(const struct slot *slot)
{
	char byte;

	return recv(slot->channel, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static struct slot *find_idle(struct senders *senders, int64_t now)
{
	struct slot *slot;

	while ((slot = find_slot(senders, SLOT_IDLE)) != NULL && has_ended(slot))
		leave(slot, now);
	return slot;
}

int senders_give(struct senders *senders, const struct sender_mail *mail, int64_t now,
		 struct error *error)
{
	struct slot *slot;
	size_t kept;
	int r;

	if (senders_free(senders) == 0)
		return error_set(error, EBUSY, "every sender has a mail already");
	slot = find_idle(senders, now);
	if (slot == NULL) {
		slot = find_slot(senders, SLOT_EMPTY);
		if (slot == NULL)
			return error_set(error, EAGAIN, "earlier senders have not ended yet");
		r = start(senders, slot, now, error);
		if (r < 0)
			return r;
	}
	kept = slot->out.length;
	sender_put_mail(&slot->out, mail);
	if (text_failed(&slot->out)) {
		text_cut(&slot->out, kept);
		leave(slot, now);
		return error_memory(error);
	}
	slot->state = SLOT_BUSY;
	slot->since = now;
	slot->mail = mail->id;
	slot->body_sent = false;
	write_some(senders, slot);
	return 0;
}

int senders_descriptor(const struct senders *senders)
{
	return senders->epoll;
}

/* True at the end of the channel. */
static bool read_some(struct slot *slot)
{
	char bytes[4096];

	for (;;) {
		ssize_t n = recv(slot->channel, bytes, sizeof bytes, MSG_DONTWAIT);

		if (n > 0) {
			text_append_bytes(&slot->in, bytes, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
	}
}

static void drop_front(struct text *text, size_t length)
{
	size_t left = text->length - length;

	memmove(text->data, text->data + length, left);
	text_cut(text, left);
}

static struct sent lost(const struct slot *slot)
{
	return (struct sent){ .mail = slot->mail,
			      .body_sent = slot->body_sent,
			      .hung = slot->hung };
}

/* Its channel is read to the end afterwards: BODY may stand there as its last word. */
static void stop_one(struct slot *slot)
{
	(void)kill(slot->pid, SIGKILL); /* our own child, not yet reaped: the id is its own */
}

/* One frame of a busy sender: 1 with *ret at a result, 0 otherwise, -EPROTO for nonsense. */
static int take_frame(struct slot *slot, enum sender_frame type, const char *payload,
		      size_t length, int64_t now, struct sent *ret)
{
	struct attempt_result result;
	int64_t mail = 0;
	int r;

	if (type == FRAME_BODY) {
		r = sender_read_body(payload, length, &mail);
		if (r < 0 || slot->state != SLOT_BUSY || mail != slot->mail)
			return -EPROTO;
		slot->body_sent = true;
		return 0;
	}
	if (type != FRAME_RESULT)
		return -EPROTO;
	r = sender_read_result(payload, length, &mail, &result);
	if (r < 0 || slot->state != SLOT_BUSY || mail != slot->mail)
		return -EPROTO;
	/* Either's word is enough for a doubt. */
	result.body_sent = result.body_sent || slot->body_sent;
	*ret = (struct sent){
		.mail = mail,
		.has_result = true,
		.body_sent = result.body_sent,
		.result = result,
	};
	slot->state = SLOT_IDLE;
	slot->since = now;
	slot->mail = 0;
	return 1;
}

static int take_frames(struct slot *slot, int64_t now, struct sent *ret)
{
	for (;;) {
		enum sender_frame type;
		const char *payload;
		size_t length;
		size_t taken;
		int r = sender_take_frame(text_string(&slot->in), slot->in.length, &type,
					  &payload, &length, &taken);

		if (r == 1) {
			r = take_frame(slot, type, payload, length, now, ret);
			if (r >= 0)
				drop_front(&slot->in, taken);
		} else if (r == 0) {
			return text_failed(&slot->in) ? -EPROTO : 0;
		}
		if (r != 0)
			return r;
	}
}

/* Looks after one live sender: 1 with *ret when its mail ended one way or the other. */
static int serve(const struct senders *senders, struct slot *slot, int64_t now,
		 struct sent *ret)
{
	bool at_end;
	int r;

	write_some(senders, slot);
	at_end = read_some(slot);
	r = take_frames(slot, now, ret);
	if (r == 1) {
		if (at_end)
			leave(slot, now);
		return 1;
	}
	if (slot->state == SLOT_BUSY && now - slot->since >= SENDER_HARD_STOP_SECONDS &&
	    !slot->hung) {
		slot->hung = true;
		stop_one(slot);
	}
	if (r == 0 && !at_end)
		return 0;
	r = slot->state == SLOT_BUSY;
	if (r == 1)
		*ret = lost(slot);
	end_now(slot);
	return r;
}

int senders_take(struct senders *senders, int64_t now, struct sent *ret)
{
	for (size_t i = 0; i < COUNT(senders->slots); i++) {
		struct slot *slot = &senders->slots[i];

		if (slot->state == SLOT_BUSY || slot->state == SLOT_IDLE)
			if (serve(senders, slot, now, ret) == 1)
				return 1;
		if (slot->state == SLOT_IDLE &&
		    (slot->outdated || now - slot->since >= SENDER_IDLE_SECONDS))
			leave(slot, now);
		if (slot->state == SLOT_LEAVING && !reap(slot, WNOHANG) &&
		    now - slot->since >= LEAVE_SECONDS)
			end_now(slot);
	}
	return 0;
}

void senders_kill(struct senders *senders)
{
	for (size_t i = 0; i < COUNT(senders->slots); i++)
		if (senders->slots[i].state == SLOT_BUSY)
			stop_one(&senders->slots[i]);
}

int64_t senders_deadline(const struct senders *senders)
{
	static const int64_t seconds[] = {
		[SLOT_IDLE] = SENDER_IDLE_SECONDS,
		[SLOT_BUSY] = SENDER_HARD_STOP_SECONDS,
		[SLOT_LEAVING] = 1, /* look often: the process ends without a sign to us */
	};
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < COUNT(senders->slots); i++) {
		const struct slot *slot = &senders->slots[i];

		if (slot->state != SLOT_EMPTY && slot->since + seconds[slot->state] < first)
			first = slot->since + seconds[slot->state];
	}
	return first;
}

int64_t senders_oldest(const struct senders *senders)
{
	int64_t oldest = INT64_MAX;

	for (size_t i = 0; i < COUNT(senders->slots); i++)
		if (senders->slots[i].state == SLOT_BUSY && senders->slots[i].since < oldest)
			oldest = senders->slots[i].since;
	return oldest;
}

void senders_let_go(struct senders *senders, int64_t now)
{
	for (size_t i = 0; i < COUNT(senders->slots); i++)
		if (senders->slots[i].state == SLOT_IDLE)
			leave(&senders->slots[i], now);
}
