/*
 * sender_faults.c - every allocation of a sender process fails in turn.
 *
 * T11 of the programme, for the program that speaks SMTP. Each case starts the sender's code in
 * a process of its own, against a relay on loopback (server.c) and under the daemon's own
 * service/senders.c, and refuses one allocation, or all from one on, to whoever asks: our own
 * code, libcurl, OpenSSL, jansson or libc, since malloc itself is replaced. Afterwards:
 *
 *   - the sender has ended by itself, with what it owned given back;
 *   - "accepted" was said only of what the relay had answered with 250, and of what the relay
 *     took nothing was said but that, or that it is in doubt;
 *   - no part of a mail was ended with a dot, and nothing was said in clear or without login;
 *   - with memory again, each mail has come to its end.
 *
 *   sender_faults clear            scenes without TLS
 *   sender_faults tls              with it
 *   sender_faults SCENE            one of them
 *   sender_faults ... CASE         one case of it, aloud
 *
 * Nine of ten allocations are OpenSSL's, when it begins: of these FAULTS_EVERY=1 takes all,
 * else each so-manieth from FAULTS_FIRST on, by default from anywhere. All others are always
 * taken.
 */
#include "player.h"
#include "server.h"

#include "adapter/sender_process.h"
#include "core/delivery.h"
#include "sender/sender.h"
#include "service/senders.h"

#include <curl/curl.h>
#include <openssl/crypto.h>

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	WORKERS = 2,
	WAIT_SECONDS = 5, /* for each reply, and to connect */
	IDLE_SECONDS = 4, /* of a case that waited for one in vain: a tenth of one is usual */
	HANG_SECONDS = 30,
	ROUNDS = 4,
	FAILED_MOST = 10,      /* of one worker: then it stops */
	LONG_MAIL = 40 * 1024, /* more than one chunk of the body */
	ALLOCATIONS_MOST = 1 << 16,
	BLOCKS_MOST = 1 << 16,
	ORIGINS_MOST = 16,
};

static const struct scene {
	const char *name;
	enum server_tls tls;
	const char *login;
	bool beat; /* a heartbeat, and no mail */
} scenes[] = {
	{ "mails", SERVER_CLEAR, "", false },
	{ "login", SERVER_CLEAR, "PLAIN", false },
	{ "heartbeat", SERVER_CLEAR, "", true },
	{ "starttls", SERVER_STARTTLS, "PLAIN", false },
	{ "token", SERVER_IMPLICIT, "XOAUTH2", false },
	{ "heartbeat-tls", SERVER_IMPLICIT, "", true },
};

struct failure {
	const struct scene *scene;
	long number; /* of the allocation, from 1; 0: none */
	bool lasts;
};

/* Of the sender that the fault is for; written by its process. */
struct account {
	bool served; /* sender_serve has returned */
	int signal;
	atomic_long allocations;
	bool reached;
	void *refused_to;
	long left; /* blocks of ours, libcurl's or jansson's that were not given back */
	void *left_by;
};

/* Who asks, in a scene without a fault. */
struct measure {
	size_t origin_count;
	struct origin {
		char name[40];
		long count;
	} origins[ORIGINS_MOST];
	bool openssl[ALLOCATIONS_MOST]; /* by the number of the allocation */
};

struct outcome {
	bool done;
	bool failed;
	bool ended;   /* the sender gave up by itself */
	bool renewed; /* it took another to get on */
	bool doubted;
	bool waited;
	bool broke; /* over what OpenSSL could not set up */
	double seconds;
	char said[400];
	struct account account;
};

static struct {
	const struct failure *fault;
	struct account *account;
	bool armed; /* the next sender is the one that it is for */
	bool in_sender;
	bool aloud;
	struct measure *measure; /* NULL: it is known already */
	struct server server;
	const char *folder;
} test;

/* --- memory --------------------------------------------------------------------------------
 */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

/* What the sender holds: a table that is searched from where a block's address leads. */
static struct {
	void *memory;
	void *caller;
} blocks[BLOCKS_MOST];

static atomic_flag busy = ATOMIC_FLAG_INIT; /* libcurl may resolve a name in a thread */

static void lock(void)
{
	while (atomic_flag_test_and_set(&busy))
		;
}

static void unlock(void)
{
	atomic_flag_clear(&busy);
}

static size_t place_of(const void *memory)
{
	return ((uintptr_t)memory >> 4) * 0x9e3779b97f4a7c15u >> 48;
}

static const char *object_of(void *caller)
{
	Dl_info found;
	const char *slash;

	if (dladdr(caller, &found) == 0 || found.dli_fname == NULL)
		return "?";
	slash = strrchr(found.dli_fname, '/');
	return slash != NULL ? slash + 1 : found.dli_fname;
}

static void count_origin(long number, void *caller)
{
	struct measure *measure = test.measure;
	const char *name = object_of(caller);
	size_t i = 0;

	while (i < measure->origin_count && strcmp(measure->origins[i].name, name) != 0)
		i++;
	if (i == ORIGINS_MOST || number >= ALLOCATIONS_MOST)
		_exit(2); /* neither comes near */
	if (i == measure->origin_count)
		(void)snprintf(measure->origins[measure->origin_count++].name, 40, "%s", name);
	measure->origins[i].count++;
	measure->openssl[number] =
		strncmp(name, "libcrypto", 9) == 0 || strncmp(name, "libssl", 6) == 0;
}

static void show_callers(const char *what)
{
	void *callers[40];

	test.in_sender = false;
	(void)fprintf(stderr, "%s\n", what);
	backtrace_symbols_fd(callers, backtrace(callers, 40), STDERR_FILENO);
	test.in_sender = true;
}

static bool is_refused(void *caller)
{
	struct account *account = test.account;
	long number;

	if (!test.in_sender)
		return false;
	number = ++account->allocations;
	if (test.measure != NULL)
		count_origin(number, caller);
	if (test.fault->number == 0 || number < test.fault->number ||
	    (number > test.fault->number && !test.fault->lasts))
		return false;
	if (!account->reached) {
		account->reached = true;
		account->refused_to = caller;
		if (test.aloud)
			show_callers("the allocation that fails:");
	}
	errno = ENOMEM;
	return true;
}

static void *note_block(void *memory, void *caller)
{
	size_t at = place_of(memory);

	if (!test.in_sender || memory == NULL)
		return memory;
	lock();
	while (blocks[at].memory != NULL && blocks[at].memory != memory)
		at = (at + 1) % BLOCKS_MOST;
	blocks[at].memory = memory;
	blocks[at].caller = caller;
	unlock();
	return memory;
}

/* Its place stays taken, so that those behind it are still found. */
static void forget_block(const void *memory)
{
	size_t at = place_of(memory);

	if (test.account == NULL || memory == NULL)
		return;
	lock();
	while (blocks[at].memory != NULL && blocks[at].memory != memory)
		at = (at + 1) % BLOCKS_MOST;
	if (blocks[at].memory != NULL)
		blocks[at].caller = NULL;
	unlock();
}

void *malloc(size_t size)
{
	void *caller = __builtin_return_address(0);

	return is_refused(caller) ? NULL : note_block(__libc_malloc(size), caller);
}

void *calloc(size_t count, size_t size)
{
	void *caller = __builtin_return_address(0);

	return is_refused(caller) ? NULL : note_block(__libc_calloc(count, size), caller);
}

void *realloc(void *memory, size_t size)
{
	void *caller = __builtin_return_address(0);
	void *moved;

	if (is_refused(caller))
		return NULL;
	forget_block(memory);
	moved = __libc_realloc(memory, size);
	return note_block(moved, caller);
}

/* libc's own would hide who asks. */
char *strdup(const char *string)
{
	void *caller = __builtin_return_address(0);
	size_t size = strlen(string) + 1;
	char *copy = is_refused(caller) ? NULL : note_block(__libc_malloc(size), caller);

	return copy == NULL ? NULL : memcpy(copy, string, size);
}

void free(void *memory)
{
	forget_block(memory);
	__libc_free(memory);
}

/*
 * What is still held when everybody has cleaned up. OpenSSL, libc and the loader, which keeps
 * the stack of a thread for the next, hold on to some things in any case.
 */
static void count_left(struct account *account)
{
	static const char *const judged[] = { "sender_faults", "libcurl", "libjansson" };

	for (size_t i = 0; i < BLOCKS_MOST; i++)
		for (size_t j = 0; j < COUNT(judged) && blocks[i].caller != NULL; j++)
			if (strncmp(object_of(blocks[i].caller), judged[j],
				    strlen(judged[j])) == 0) {
				account->left++;
				account->left_by = blocks[i].caller;
			}
}

/* --- the sender ----------------------------------------------------------------------------
 */

static void broken(int number)
{
	if (test.in_sender && test.aloud)
		show_callers("it breaks here:");
	test.in_sender = false;
	test.account->signal = number;
	_exit(1);
}

static void catch_breaks(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	const struct sigaction action = { .sa_handler = broken };
	void *callers[2];

	(void)backtrace(callers, 2); /* loads what it needs while there is memory */
	for (size_t i = 0; i < COUNT(numbers); i++)
		(void)sigaction(numbers[i], &action, NULL);
}

static _Noreturn void be_sender(int channel, const char *credentials)
{
	static struct account unheeded;
	struct error error = { 0 };
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	catch_breaks();
	if (!test.armed)
		test.account = &unheeded;
	test.in_sender = test.armed;
	r = sender_serve(channel, credentials, &clock_system, &error);
	test.in_sender = false;
	if (test.aloud && r < 0)
		(void)fprintf(stderr, "the sender ends: %s\n", error.text);
	test.account->served = true;
	if (r < 0 && error.text[0] == '\0')
		test.account->served = false; /* it must say why */
	for (int i = 0; i < 100; i++)         /* as often as it was initialised, and more */
		curl_global_cleanup();
	OPENSSL_thread_stop();
	OPENSSL_cleanup();
	count_left(test.account);
	_exit(r < 0);
}

/* Linked instead of adapter/sender_process.c: no program is loaded, so a case takes
 * milliseconds. */
int sender_process_start(const char *program, const char *credentials,
			 struct sender_process *ret, struct error *error)
{
	int pair[2];
	pid_t pid;

	(void)program;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(error, errno, "socket pair");
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		be_sender(pair[1], credentials);
	}
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return error_set(error, EAGAIN, "fork");
	}
	test.armed = false;
	*ret = (struct sender_process){ .pid = pid, .channel = pair[0] };
	return 0;
}

/* --- the mails -----------------------------------------------------------------------------
 */

static struct sender_mail mails[SERVER_MAILS];

/* Two on one connection, one whose recipient is refused, and a long one full of dots. */
static void write_mails(void)
{
	static const char *const recipients[SERVER_MAILS] = { "first@council.test",
							      "second@council.test",
							      SERVER_REFUSED,
							      "fourth@council.test" };
	static struct text bytes[SERVER_MAILS];

	for (int i = 0; i < SERVER_MAILS; i++) {
		text_appendf(&bytes[i],
			     "From: noreply@partnership.test\r\nTo: %s\r\nSubject: Mail %d\r\n"
			     "\r\n.\r\nReply needed by Thursday.\r\n",
			     recipients[i], i + 1);
		while (i == SERVER_MAILS - 1 && bytes[i].length < LONG_MAIL)
			text_append(&bytes[i], "..\r\n.a line that begins with a dot\r\n");
		mails[i] = (struct sender_mail){ .id = i + 1,
						 .envelope_from = "noreply@partnership.test",
						 .recipient = recipients[i],
						 .bytes = text_string(&bytes[i]),
						 .length = bytes[i].length };
	}
}

/* --- one case ------------------------------------------------------------------------------
 */

static double seconds_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int64_t boot_now(void)
{
	return clock_system.boot_seconds(NULL);
}

PRINTF_LIKE(2, 3)
static void complain(struct outcome *outcome, const char *format, ...)
{
	va_list arguments;

	if (outcome->failed) /* the first says it */
		return;
	outcome->failed = true;
	va_start(arguments, format);
	(void)vsnprintf(outcome->said, sizeof outcome->said, format, arguments);
	va_end(arguments);
}

/* False when nothing came for too long. */
static bool hear(struct senders *senders, struct sent *ret)
{
	double until = seconds_now() + HANG_SECONDS;

	while (senders_take(senders, boot_now(), ret) == 0) {
		struct pollfd ready = { .fd = senders_descriptor(senders), .events = POLLIN };

		if (seconds_now() > until)
			return false;
		(void)poll(&ready, 1, 100);
	}
	return true;
}

/* The channel is closed: the sender says QUIT, and ends. */
static void let_go(struct senders *senders, struct outcome *outcome)
{
	double until = seconds_now() + HANG_SECONDS;
	struct sent none;

	senders_let_go(senders, boot_now());
	while (senders_take(senders, boot_now(), &none) == 0 && senders_leaving(senders) > 0) {
		if (seconds_now() > until) {
			complain(outcome, "it does not end");
			return;
		}
		(void)poll(NULL, 0, 1);
	}
}

/* As service/post.c takes it. */
static enum delivery_verdict verdict_of(const struct sent *sent)
{
	if (!sent->has_result)
		return sent->body_sent ? VERDICT_IN_DOUBT : VERDICT_RETRY;
	return delivery_classify(&sent->result);
}

/* What was said of each mail; how often the relay took it is the server's to know. */
struct told {
	int accepted;
	int doubted;
	bool settled;
};

static void judge(int mail, const struct sent *sent, struct told *told, struct outcome *outcome)
{
	static const char *const names[] = { "accepted", "retry",       "retry now", "address",
					     "hold",     "relay fault", "in doubt" };
	const struct server_log *log = test.server.log;
	enum delivery_verdict verdict = verdict_of(sent);

	if (test.aloud)
		(void)fprintf(stderr, "mail %d: %s (%s)\n", mail + 1, names[verdict],
			      sent->has_result ? sent->result.reply : "the sender was lost");
	told->accepted += verdict == VERDICT_ACCEPTED;
	told->doubted += verdict == VERDICT_IN_DOUBT;
	told->settled = verdict == VERDICT_ACCEPTED || verdict == VERDICT_ADDRESS;
	outcome->ended |= !sent->has_result;
	outcome->doubted |= verdict == VERDICT_IN_DOUBT;
	if (told->accepted > log->accepted[mail])
		complain(outcome, "mail %d is called accepted, and the relay has not it",
			 mail + 1);
	if ((verdict == VERDICT_ADDRESS && log->refused[mail] == 0) || verdict == VERDICT_HOLD)
		complain(outcome, "mail %d is called \"%s\": %s", mail + 1, names[verdict],
			 sent->result.reply);
}

static void send_mails(struct senders *senders, struct told told[static SERVER_MAILS],
		       struct outcome *outcome)
{
	struct error error = { 0 };
	struct sent sent;

	for (int i = 0; i < SERVER_MAILS && !outcome->failed; i++) {
		if (told[i].settled)
			continue;
		if (senders_give(senders, &mails[i], boot_now(), &error) < 0)
			complain(outcome, "mail %d: %s", i + 1, error.text);
		else if (!hear(senders, &sent))
			complain(outcome, "mail %d: nothing was heard of it", i + 1);
		else
			judge(i, &sent, &told[i], outcome);
	}
}

static bool all_settled(const struct told told[static SERVER_MAILS])
{
	for (int i = 0; i < SERVER_MAILS; i++)
		if (!told[i].settled)
			return false;
	return true;
}

/* What the relay came to have, held against what was said of it. */
static void compare(const struct told told[static SERVER_MAILS], struct outcome *outcome)
{
	const struct server_log *log = test.server.log;

	for (int i = 0; i < SERVER_MAILS; i++) {
		if (!told[i].settled)
			complain(outcome, "mail %d never came to its end", i + 1);
		if (log->accepted[i] > told[i].accepted + told[i].doubted)
			complain(outcome, "the relay took mail %d, and nobody knew", i + 1);
	}
}

static void play_mails(const struct scene *scene, struct outcome *outcome)
{
	CLEANUP(senders_destroyp) struct senders *senders = NULL;
	char url[60];
	char token_url[60];
	char ca[300];
	struct sender_relay relay = {
		.url = url,
		.clear_text = scene->tls == SERVER_CLEAR,
		.ca = scene->tls == SERVER_CLEAR ? "" : ca,
		.ehlo = "daemon.test",
		.login = scene->login,
		.user = scene->login[0] != '\0' ? SERVER_USER : "",
		.credential = scene->login[0] != '\0' ? "secret" : "",
		.tenant = "",
		.client = "client",
		.token_url = token_url,
		.connect_seconds = WAIT_SECONDS,
		.reply_seconds = WAIT_SECONDS,
		.dot_seconds = WAIT_SECONDS,
	};
	struct told told[SERVER_MAILS] = { 0 };
	struct error error = { 0 };

	(void)snprintf(url, sizeof url, "%s://127.0.0.1:%d",
		       scene->tls == SERVER_IMPLICIT ? "smtps" : "smtp", test.server.smtp_port);
	(void)snprintf(token_url, sizeof token_url, "https://127.0.0.1:%d/token",
		       test.server.web_port);
	(void)snprintf(ca, sizeof ca, "%s/certificate.pem", test.folder);
	if (senders_create("", &relay, 1, &senders, &error) < 0) {
		complain(outcome, "%s", error.text);
		return;
	}
	for (int round = 0; round < ROUNDS && !all_settled(told); round++) {
		/* Memory is there again in the next process, as it is after a pause. */
		if (round > 1 || (round == 1 && test.fault->lasts)) {
			let_go(senders, outcome);
			outcome->renewed = true;
		}
		send_mails(senders, told, outcome);
	}
	let_go(senders, outcome);
	if (!server_wait(&test.server, HANG_SECONDS))
		complain(outcome, "a connection was left open");
	compare(told, outcome);
}

/* What service/heartbeat.c does, but for ending the process before it can be looked at. */
static bool ask_once(const struct sender_get *get, struct outcome *outcome)
{
	CLEANUP(text_clear) struct text frame = { 0 };
	CLEANUP(text_clear) struct text in = { 0 };
	struct sender_process process;
	struct sender_got got = { .well = false };
	struct error error = { 0 };
	const struct timeval limit = { .tv_sec = HANG_SECONDS };
	int beats = test.server.log->beats;
	enum sender_frame type;
	const char *payload;
	size_t length;
	size_t taken;
	char bytes[512];
	ssize_t n;
	int r = 0;

	sender_put_get(&frame, get);
	if (sender_process_start("", test.folder, &process, &error) < 0 ||
	    setsockopt(process.channel, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
	    send(process.channel, frame.data, frame.length, 0) != (ssize_t)frame.length) {
		complain(outcome, "the heartbeat's sender: %s", error.text);
		return false;
	}
	while (r == 0 && (n = recv(process.channel, bytes, sizeof bytes, 0)) > 0) {
		text_append_bytes(&in, bytes, (size_t)n);
		r = sender_take_frame(text_string(&in), in.length, &type, &payload, &length,
				      &taken);
	}
	if (r == 0 && n < 0)
		complain(outcome, "nothing was heard of the heartbeat");
	if ((r == 0 && in.length > 0) || r < 0 ||
	    (r == 1 && (type != FRAME_GOT || sender_read_got(payload, length, &got) < 0 ||
			taken != in.length)))
		complain(outcome, "the heartbeat's answer is no frame");
	if (test.aloud)
		(void)fprintf(stderr, "heartbeat: %s (%s)\n", got.well ? "well" : "not well",
			      r == 0 ? "the sender was lost" : got.words);
	outcome->ended |= r == 0;
	if (got.well && test.server.log->beats == beats)
		complain(outcome, "a heartbeat is called answered, and none came");
	(void)shutdown(process.channel, SHUT_RDWR);
	(void)waitpid(process.pid, NULL, 0);
	(void)close(process.channel);
	return got.well;
}

static void play_heartbeat(const struct scene *scene, struct outcome *outcome)
{
	char url[60];
	char ca[300];
	const struct sender_get get = { .url = url,
					.credential = "",
					.ca = scene->tls == SERVER_CLEAR ? "" : ca,
					.seconds = WAIT_SECONDS };

	(void)snprintf(url, sizeof url, "%s://127.0.0.1:%d/beat",
		       scene->tls == SERVER_CLEAR ? "http" : "https", test.server.web_port);
	(void)snprintf(ca, sizeof ca, "%s/certificate.pem", test.folder);
	if (!ask_once(&get, outcome) && !ask_once(&get, outcome))
		complain(outcome, "the next heartbeat fails as well");
	if (!server_wait(&test.server, HANG_SECONDS))
		complain(outcome, "a connection was left open");
}

/*
 * Some of what OpenSSL 3.0 sets up but once is NULL ever after when that failed, libcurl does
 * not ask whether it did, and the first connection by TLS breaks over it. No word has been said
 * by then: it is a sender that ended, and another begins anew.
 */
static bool breaks_by_itself(const struct account *account)
{
	return strncmp(object_of(account->refused_to), "libcrypto", 9) == 0;
}

static void play(const struct failure *fault, struct outcome *outcome)
{
	const struct scene *scene = fault->scene;
	const struct server_log *log = test.server.log;
	struct account *account = &outcome->account;
	double begun = seconds_now();

	test.fault = fault;
	test.account = account;
	test.armed = true;
	server_forget(&test.server, scene->tls, scene->login[0] != '\0');
	if (scene->beat)
		play_heartbeat(scene, outcome);
	else
		play_mails(scene, outcome);
	outcome->broke = account->signal != 0 && breaks_by_itself(account);
	if (account->signal != 0 && (!outcome->broke || outcome->doubted))
		complain(outcome, "the sender broke: %s", strsignal(account->signal));
	else if (account->signal == 0 && !account->served)
		complain(outcome, "the sender was ended, or said no word of why it ended");
	if (log->partial > 0)
		complain(outcome, "a part of a mail was ended with a dot");
	if (log->amiss > 0)
		complain(outcome, "something was said out of order, in clear or without login");
	if (account->left > 0)
		complain(outcome, "%ld blocks were not given back, one of them by %s",
			 account->left, object_of(account->left_by));
	outcome->seconds = seconds_now() - begun;
	/* Within TLS a reply can be lost with the memory that it needed: time ends the waiting.
	 */
	outcome->waited = outcome->seconds > IDLE_SECONDS;
	if (outcome->waited && scene->tls == SERVER_CLEAR)
		complain(outcome, "something was waited for in vain");
	outcome->done = true;
}

/* --- every case ----------------------------------------------------------------------------
 */

static struct failure *cases;
static size_t case_count;
static size_t case_room;

static void add_case(const struct scene *scene, long number, bool lasts)
{
	if (case_count == case_room) {
		case_room = case_room * 2 + 1000;
		cases = reallocarray(cases, case_room, sizeof *cases);
		if (cases == NULL)
			exit(2);
	}
	cases[case_count++] =
		(struct failure){ .scene = scene, .number = number, .lasts = lasts };
}

/* The scene without a fault: how many allocations, and whose. */
static long measure_scene(const struct scene *scene, struct measure *measure)
{
	const struct failure none = { .scene = scene };
	struct outcome *outcome = shared(sizeof *outcome);
	long allocations;

	test.measure = measure;
	play(&none, outcome);
	test.measure = NULL;
	allocations = outcome->account.allocations;
	if (outcome->failed || outcome->renewed || outcome->ended || allocations == 0) {
		(void)printf("%s, without a fault: %s\n", scene->name, outcome->said);
		exit(1);
	}
	(void)printf("%s: %ld allocations:", scene->name, allocations);
	for (size_t i = 0; i < measure->origin_count; i++)
		(void)printf(" %ld %s%s", measure->origins[i].count, measure->origins[i].name,
			     i + 1 < measure->origin_count ? "," : "\n");
	(void)munmap(outcome, sizeof *outcome);
	return allocations;
}

static bool is_wanted(const struct scene *scene, const char *what)
{
	const char *group = scene->tls == SERVER_CLEAR ? "clear" : "tls";

	return strcmp(what, group) == 0 || strcmp(what, scene->name) == 0;
}

static void plan_scene(const struct scene *scene, size_t every, size_t first)
{
	struct measure *measure = shared(sizeof *measure);
	long allocations = measure_scene(scene, measure);

	for (long n = 1; n <= allocations; n++)
		for (int lasts = 0; lasts < 2; lasts++)
			if (!measure->openssl[n] || (size_t)n % every == first % every)
				add_case(scene, n, lasts != 0);
	(void)munmap(measure, sizeof *measure);
}

static void plan(const char *what, size_t every, size_t first)
{
	for (size_t i = 0; i < COUNT(scenes); i++)
		if (is_wanted(&scenes[i], what))
			plan_scene(&scenes[i], every, first);
}

/* Each worker has a relay of its own. */
static void run_cases(struct outcome *outcomes)
{
	pid_t workers[WORKERS];
	size_t failed = 0;

	for (size_t worker = 0; worker < WORKERS; worker++) {
		workers[worker] = fork();
		if (workers[worker] != 0)
			continue;
		server_start(&test.server, mails, test.folder);
		for (size_t i = worker; i < case_count && failed < FAILED_MOST; i += WORKERS) {
			play(&cases[i], &outcomes[i]);
			failed += outcomes[i].failed;
		}
		server_stop(&test.server);
		_exit(0);
	}
	for (size_t worker = 0; worker < WORKERS; worker++)
		(void)waitpid(workers[worker], NULL, 0);
}

static int report(const char *what, const struct outcome *outcomes)
{
	size_t failed = 0;
	size_t played = 0;
	size_t reached = 0;
	size_t ended = 0;
	size_t doubted = 0;
	size_t renewed = 0;
	size_t broke = 0;
	size_t waited = 0;

	for (size_t i = 0; i < case_count; i++) {
		const struct outcome *outcome = &outcomes[i];

		played += outcome->done;
		reached += outcome->account.reached;
		ended += outcome->ended;
		doubted += outcome->doubted;
		renewed += outcome->renewed && !cases[i].lasts;
		broke += outcome->broke;
		waited += outcome->waited;
		if (!outcome->failed)
			continue;
		(void)printf("case %zu: %s, allocation %ld of %s%s: %s\n", i,
			     cases[i].scene->name, cases[i].number,
			     object_of(outcome->account.refused_to),
			     cases[i].lasts ? ", and all after it" : "", outcome->said);
		failed++;
	}
	(void)printf(
		"sender_faults: %zu of %zu cases of %s, %zu reached; the sender gave up in "
		"%zu, broke over OpenSSL in %zu, another had to take over in %zu, a mail was "
		"in doubt in %zu, a reply was waited for in vain in %zu; %zu failed\n",
		played, case_count, what, reached, ended, broke, renewed, doubted, waited,
		failed);
	return failed > 0 || played < case_count || reached * 10 < case_count * 9;
}

static void fill_folder(char *folder)
{
	char path[300];
	FILE *file;

	if (mkdtemp(folder) == NULL)
		exit(2);
	(void)snprintf(path, sizeof path, "%s/secret", folder);
	file = fopen(path, "w");
	if (file == NULL || fputs(SERVER_PASSWORD "\n", file) < 0 || fclose(file) != 0)
		exit(2);
	server_make_certificate(folder);
	test.folder = folder;
	if (setenv("CREDENTIALS_DIRECTORY", folder, 1) < 0)
		exit(2);
}

static void empty_folder(const char *folder)
{
	static const char *const names[] = { "secret", "key.pem", "certificate.pem" };
	char path[300];

	for (size_t i = 0; i < COUNT(names); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(folder);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	char folder[] = "/tmp/sender-faults-XXXXXX";
	size_t every = number_from("FAULTS_EVERY", 31);
	size_t first = number_from("FAULTS_FIRST", (size_t)time(NULL));
	struct outcome *outcomes;
	int failed = 0;

	fill_folder(folder);
	write_mails();
	server_start(&test.server, mails, folder);
	plan(what, every, first);
	if (case_count == 0) {
		(void)fprintf(stderr, "Usage: sender_faults clear|tls|SCENE [CASE]\n");
		failed = 2;
	} else if (argc > 2) {
		outcomes = shared(sizeof *outcomes);
		test.aloud = true;
		play(&cases[strtoull(argv[2], NULL, 10) % case_count], outcomes);
		(void)printf("%s\n", outcomes->failed ? outcomes->said : "well");
		failed = outcomes->failed;
	} else {
		(void)printf("of OpenSSL's each %zuth from FAULTS_FIRST=%zu\n", every,
			     first % every);
		(void)fflush(stdout);
		outcomes = shared(case_count * sizeof *outcomes);
		run_cases(outcomes);
		failed = report(what, outcomes);
	}
	server_stop(&test.server);
	empty_folder(folder);
	return failed;
}
