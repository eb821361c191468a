/* server.c - see server.h. */
#include "server.h"

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_MOST = 4096, BODY_MOST = 1 << 18, SILENCE_SECONDS = 30 };

/* "\0u@relay.test\0example-password" and "user=u@relay.test\x01auth=Bearer
 * example-token\x01\x01" */
static const char plain_login[] = "PLAIN AHVAcmVsYXkudGVzdABleGFtcGxlLXBhc3N3b3Jk";
static const char token_login[] =
	"XOAUTH2 dXNlcj11QHJlbGF5LnRlc3QBYXV0aD1CZWFyZXIgZXhhbXBsZS10b2tlbgEB";

struct wire {
	int fd;
	SSL *tls; /* NULL: in clear */
	char bytes[16 * 1024];
	size_t length;
	size_t at;
};

struct dialogue {
	struct server *server;
	struct wire *wire;
	bool authenticated;
	bool sender_named;
	int mail; /* index of the one under way; -1: none */
};

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

/* --- bytes ---------------------------------------------------------------------------------
 */

static bool begin_tls(const struct server *server, struct wire *wire)
{
	static SSL_CTX *context;
	char key[300];
	char certificate[300];

	if (context == NULL) {
		(void)snprintf(key, sizeof key, "%s/key.pem", server->folder);
		(void)snprintf(certificate, sizeof certificate, "%s/certificate.pem",
			       server->folder);
		context = SSL_CTX_new(TLS_server_method());
		if (context == NULL ||
		    SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM) != 1 ||
		    SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
			fail("certificate");
	}
	wire->at = wire->length = 0;
	wire->tls = SSL_new(context);
	return wire->tls != NULL && SSL_set_fd(wire->tls, wire->fd) == 1 &&
	       SSL_accept(wire->tls) == 1;
}

static void say(struct wire *wire, const char *words)
{
	size_t length = strlen(words);

	/* A client that has gone is met at the next reading. */
	if (wire->tls != NULL)
		(void)SSL_write(wire->tls, words, (int)length);
	else
		(void)send(wire->fd, words, length, MSG_NOSIGNAL);
}

/* -1 at the end of the connection. */
static int next_byte(struct wire *wire)
{
	if (wire->at == wire->length) {
		ssize_t n = wire->tls != NULL
				    ? SSL_read(wire->tls, wire->bytes, sizeof wire->bytes)
				    : recv(wire->fd, wire->bytes, sizeof wire->bytes, 0);

		if (n <= 0)
			return -1;
		wire->length = (size_t)n;
		wire->at = 0;
	}
	return (unsigned char)wire->bytes[wire->at++];
}

/* Without its CRLF; false at the end of the connection, also within a line. */
static bool read_line(struct wire *wire, char line[static LINE_MOST])
{
	size_t length = 0;
	int c;

	while ((c = next_byte(wire)) >= 0) {
		if (c == '\n' && length > 0 && line[length - 1] == '\r') {
			line[length - 1] = '\0';
			return true;
		}
		if (length + 1 >= LINE_MOST)
			return false;
		line[length++] = (char)c;
	}
	return false;
}

/* --- SMTP ----------------------------------------------------------------------------------
 */

/* What stands before the dot, without what was put in front of its own dots. */
static bool read_body(struct wire *wire, struct text *body)
{
	char line[LINE_MOST];

	text_cut(body, 0);
	while (read_line(wire, line)) {
		if (strcmp(line, ".") == 0)
			return true;
		text_append(body, line + (line[0] == '.'));
		text_append(body, "\r\n");
	}
	return false;
}

/* Long, so that the sender asks for memory after the dot as well. */
static const char *long_acceptance(void)
{
	static struct text reply;

	while (reply.length < 10 * 1024)
		text_appendf(&reply, "250-2.0.0 %060zu\r\n", reply.length);
	if (reply.data[reply.length - 3] != 'k')
		text_append(&reply, "250 2.0.0 Ok\r\n");
	return text_string(&reply);
}

static void take_mail(struct dialogue *dialogue)
{
	static struct text body = { .limit = BODY_MOST };
	const struct sender_mail *mail = &dialogue->server->mails[dialogue->mail];

	say(dialogue->wire, "354 End with a dot\r\n");
	if (!read_body(dialogue->wire, &body))
		return; /* the next reading meets the end as well */
	if (body.length != mail->length || memcmp(body.data, mail->bytes, body.length) != 0) {
		dialogue->server->log->partial++;
		say(dialogue->wire, "554 5.6.0 That was not all\r\n");
		return;
	}
	dialogue->server->log->accepted[dialogue->mail]++;
	say(dialogue->wire, long_acceptance());
}

static int find_mail(const struct server *server, const char *argument)
{
	char wanted[300];

	for (int i = 0; i < SERVER_MAILS; i++) {
		(void)snprintf(wanted, sizeof wanted, "TO:<%s>", server->mails[i].recipient);
		if (strncmp(argument, wanted, strlen(wanted)) == 0)
			return i;
	}
	return -1;
}

static void name_recipient(struct dialogue *dialogue, const char *argument)
{
	struct server_log *log = dialogue->server->log;
	int mail = find_mail(dialogue->server, argument);

	if (mail < 0 || !dialogue->sender_named) {
		log->amiss++;
		say(dialogue->wire, "503 5.5.1 Out of order\r\n");
	} else if (strcmp(dialogue->server->mails[mail].recipient, SERVER_REFUSED) == 0) {
		log->refused[mail]++;
		say(dialogue->wire, "550 5.1.1 <" SERVER_REFUSED "> is not known here\r\n");
	} else {
		dialogue->mail = mail;
		say(dialogue->wire, "250 2.1.5 Recipient ok\r\n");
	}
}

static void name_sender(struct dialogue *dialogue)
{
	struct server_log *log = dialogue->server->log;

	dialogue->sender_named = (log->tls == SERVER_CLEAR || dialogue->wire->tls != NULL) &&
				 (log->login == 0 || dialogue->authenticated);
	log->amiss += !dialogue->sender_named;
	say(dialogue->wire,
	    dialogue->sender_named ? "250 2.1.0 Sender ok\r\n" : "530 5.7.0 Not like this\r\n");
}

static void greet_back(struct dialogue *dialogue)
{
	const struct server_log *log = dialogue->server->log;
	bool secure = log->tls == SERVER_CLEAR || dialogue->wire->tls != NULL;

	say(dialogue->wire, "250-relay.test\r\n250-SIZE 1000000\r\n");
	if (!secure)
		say(dialogue->wire, "250-STARTTLS\r\n");
	if (secure && log->login)
		say(dialogue->wire, "250-AUTH PLAIN XOAUTH2\r\n");
	say(dialogue->wire, "250 ENHANCEDSTATUSCODES\r\n");
}

/* False: the connection is over. */
static bool obey(struct dialogue *dialogue, const char *line)
{
	struct wire *wire = dialogue->wire;
	const char *argument = strchr(line, ' ');

	argument = argument != NULL ? argument + 1 : "";
	if (strncmp(line, "EHLO ", 5) == 0) {
		greet_back(dialogue);
	} else if (strcmp(line, "STARTTLS") == 0) {
		say(wire, "220 2.0.0 Go ahead\r\n");
		return begin_tls(dialogue->server, wire);
	} else if (strncmp(line, "AUTH ", 5) == 0) {
		dialogue->authenticated = strcmp(argument, plain_login) == 0 ||
					  strcmp(argument, token_login) == 0;
		dialogue->server->log->amiss += !dialogue->authenticated;
		say(wire,
		    dialogue->authenticated ? "235 2.7.0 Welcome\r\n" : "535 5.7.8 Wrong\r\n");
	} else if (strncmp(line, "MAIL ", 5) == 0) {
		name_sender(dialogue);
	} else if (strncmp(line, "RCPT ", 5) == 0) {
		name_recipient(dialogue, argument);
	} else if (strcmp(line, "DATA") == 0 && dialogue->mail >= 0) {
		take_mail(dialogue);
		dialogue->mail = -1;
		dialogue->sender_named = false;
	} else if (strcmp(line, "QUIT") == 0) {
		say(wire, "221 2.0.0 Bye\r\n");
		return false;
	} else {
		dialogue->server->log->amiss++;
		say(wire, "500 5.5.1 What?\r\n");
	}
	return true;
}

static void serve_smtp(struct server *server, struct wire *wire)
{
	struct dialogue dialogue = { .server = server, .wire = wire, .mail = -1 };
	char line[LINE_MOST];

	if (server->log->tls == SERVER_IMPLICIT && !begin_tls(server, wire))
		return;
	say(wire, "220 relay.test ESMTP\r\n");
	while (read_line(wire, line) && obey(&dialogue, line))
		;
}

/* --- the web -------------------------------------------------------------------------------
 */

static void serve_web(struct server *server, struct wire *wire)
{
	static const char token[] =
		"HTTP/1.1 200 OK\r\nConnection: close\r\n"
		"Content-Length: 53\r\n\r\n"
		"{\"access_token\": \"" SERVER_TOKEN "\", \"expires_in\": 3600}";
	char line[LINE_MOST];
	unsigned length = 0;
	bool beat;

	if ((server->log->tls != SERVER_CLEAR && !begin_tls(server, wire)) ||
	    !read_line(wire, line))
		return;
	beat = strncmp(line, "GET ", 4) == 0;
	while (line[0] != '\0') {
		if (!read_line(wire, line))
			return;
		(void)sscanf(line, "Content-Length: %u", &length);
	}
	while (length-- > 0)
		if (next_byte(wire) < 0)
			return;
	if (beat)
		server->log->beats++;
	say(wire, beat ? "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n" : token);
}

/* --- the process ---------------------------------------------------------------------------
 */

static void serve(struct server *server, int listener, bool web)
{
	const struct timeval silence = { .tv_sec = SILENCE_SECONDS };
	struct wire wire = { .fd = accept(listener, NULL, NULL) };
	int yes = 1;

	if (wire.fd < 0)
		return;
	(void)setsockopt(wire.fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
	(void)setsockopt(wire.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	if (web)
		serve_web(server, &wire);
	else
		serve_smtp(server, &wire);
	if (wire.tls != NULL) {
		(void)SSL_shutdown(wire.tls);
		SSL_free(wire.tls);
	}
	(void)close(wire.fd);
}

static _Noreturn void run(struct server *server)
{
	struct pollfd ready[2] = { { .fd = server->listeners[0], .events = POLLIN },
				   { .fd = server->listeners[1], .events = POLLIN } };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	for (;;) {
		if (poll(ready, 2, -1) < 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (ready[i].revents != 0)
				serve(server, server->listeners[i], i == 1);
	}
}

static int listen_on(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		fail("listen");
	*ret_port = ntohs(address.sin_port);
	return fd;
}

void server_start(struct server *server, const struct sender_mail *mails, const char *folder)
{
	*server = (struct server){ .mails = mails, .folder = folder };
	server->listeners[0] = listen_on(&server->smtp_port);
	server->listeners[1] = listen_on(&server->web_port);
	server->log = mmap(NULL, sizeof *server->log, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (server->log == MAP_FAILED)
		fail("mmap");
	server->pid = fork();
	if (server->pid < 0)
		fail("fork");
	if (server->pid == 0)
		run(server);
}

void server_stop(struct server *server)
{
	(void)kill(server->pid, SIGKILL); /* our own child, not yet reaped: the id is its own */
	(void)waitpid(server->pid, NULL, 0);
	(void)munmap(server->log, sizeof *server->log);
	(void)close(server->listeners[0]);
	(void)close(server->listeners[1]);
}

void server_forget(struct server *server, enum server_tls tls, bool login)
{
	struct server_log *log = server->log;

	log->tls = tls;
	log->login = login;
	for (int i = 0; i < SERVER_MAILS; i++)
		log->accepted[i] = log->refused[i] = 0;
	log->partial = log->beats = log->amiss = 0;
}

/* Connections are served in the order in which they came: this one is answered when those
 * before it are over. */
static bool answers(int port, int seconds)
{
	const struct timeval limit = { .tv_sec = seconds };
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte;
	bool answered;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		fail("connect");
	/* By TLS it would wait for a handshake: the end of our half is answered by its own. */
	(void)shutdown(fd, SHUT_WR);
	answered = recv(fd, &byte, 1, 0) >= 0;
	(void)close(fd);
	return answered;
}

bool server_wait(const struct server *server, int seconds)
{
	return answers(server->smtp_port, seconds) && answers(server->web_port, seconds);
}

void server_make_certificate(const char *folder)
{
	char command[900];

	(void)snprintf(
		command, sizeof command,
		"exec openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
		" -days 2 -subj /CN=relay.test -addext subjectAltName=IP:127.0.0.1"
		" -keyout %s/key.pem -out %s/certificate.pem 2>/dev/null",
		folder, folder);
	if (system(command) != 0)
		fail("openssl");
}
