/*
 * sender_process - starts a sender program, with a channel to talk to it (sender_channel).
 *
 * The daemon keeps its senders; challengectl test-mail starts one for one mail. Both hand it
 * nothing but the channel and the folder of the credentials.
 */
#ifndef ADAPTER_SENDER_PROCESS_H
#define ADAPTER_SENDER_PROCESS_H

#include "adapter/config_file.h"
#include "adapter/sender_channel.h"

#include <sys/types.h>

struct sender_process {
	pid_t pid;   /* a child of ours: whoever started it reaps it */
	int channel; /* our end, close-on-exec and blocking; closing it ends the sender */
};

/*
 * Starts `program` with default signals and an environment of one variable:
 * CREDENTIALS_DIRECTORY, unless `credentials` is NULL. Its standard error stays ours. 0 with
 * *ret; -ENOENT, -EACCES, -EAGAIN, -EMFILE, -ENOMEM with a text that names the program.
 */
MUST_CHECK int sender_process_start(const char *program, const char *credentials,
				    struct sender_process *ret, struct error *error);

/*
 * Where the sender program is: $CHALLENGE_NOTIFY_SENDER, else beside this executable when one
 * stands there, else where it is installed. Freed by the caller; NULL: out of memory.
 */
MUST_CHECK char *sender_process_program(void);

/* The relay of the configuration, with the waits of smtp.md section 0; strings are borrowed. */
struct sender_relay sender_process_relay(const struct mail_settings *mail);

#endif
