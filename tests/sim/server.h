/*
 * server - a relay on loopback in a process of its own, for the sender's real code.
 *
 * It speaks SMTP, in clear or by TLS, and on a second port gives out tokens and answers
 * heartbeats. What it took it notes in shared memory before it says so, as a relay that syncs
 * before its 250; one connection after the other.
 */
#ifndef TESTS_SIM_SERVER_H
#define TESTS_SIM_SERVER_H

#include "adapter/sender_channel.h"

#include <stdatomic.h>
#include <sys/types.h>

enum { SERVER_MAILS = 4 };

#define SERVER_USER "u@relay.test"
#define SERVER_PASSWORD "example-password"
#define SERVER_TOKEN "example-token"
#define SERVER_REFUSED "nobody@council.test" /* with 550 5.1.1 at RCPT */

enum server_tls { SERVER_CLEAR, SERVER_STARTTLS, SERVER_IMPLICIT };

/* Shared between the server and whoever started it; counted since server_forget. */
struct server_log {
	atomic_int tls;                    /* enum server_tls of the relay; of the web, any */
	atomic_int login;                  /* no mail without one */
	atomic_int accepted[SERVER_MAILS]; /* whole, and answered with 250 */
	atomic_int refused[SERVER_MAILS];  /* at RCPT */
	atomic_int partial;                /* a dot after anything but the whole of a mail */
	atomic_int beats;
	atomic_int amiss; /* commands out of order, in clear, or without the login */
};

struct server {
	pid_t pid;
	int listeners[2];
	int smtp_port;
	int web_port;
	struct server_log *log;
	const struct sender_mail *mails; /* SERVER_MAILS of them, with ids from 1 */
	const char *folder; /* with key.pem and certificate.pem, where TLS is asked for */
};

/* Ends the program when it cannot. `mails` and `folder` are borrowed. */
void server_start(struct server *server, const struct sender_mail *mails, const char *folder);
void server_stop(struct server *server);

void server_forget(struct server *server, enum server_tls tls, bool login);

/*
 * False when a connection is still open after so many seconds; else all that was sent to the
 * server so far has been read.
 */
bool server_wait(const struct server *server, int seconds);

/* A key and a certificate for 127.0.0.1, into `folder`. */
void server_make_certificate(const char *folder);

#endif
