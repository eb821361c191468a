/*
 * journal - one event, one structured line (libsystemd's sd_journal_sendv).
 *
 * Every kind of event has a MESSAGE_ID of its own, listed in one table together with its
 * priority; where there is no journal the line goes to standard error in the form "<N>text". No
 * personal data comes here: references, roles and ids only.
 */
#ifndef ADAPTER_JOURNAL_H
#define ADAPTER_JOURNAL_H

#include "base/cleanup.h"

#include <stdbool.h>

/* Adding one: the table in journal.c, the catalog in systemd/, and the manual page. */
enum journal_event {
	JOURNAL_STARTED,
	JOURNAL_START_FAILED, /* no good look at the store in good time */
	JOURNAL_STOPPING,
	JOURNAL_RELOADED,
	JOURNAL_RELOAD_REFUSED,
	JOURNAL_CONFIG_FAULT,
	JOURNAL_DECIDED,
	JOURNAL_NOT_SENT, /* a decision not to send, with its reason */
	JOURNAL_ADOPTED,
	JOURNAL_ACCEPTED,
	JOURNAL_RETRY,
	JOURNAL_FAILING, /* still, an hour after it was written */
	JOURNAL_REFUSED,
	JOURNAL_HELD,
	JOURNAL_IN_DOUBT,
	JOURNAL_QUEUE_PAUSED,
	JOURNAL_QUEUE_RESUMED,
	JOURNAL_FLOOD,           /* far more is due than usual: held */
	JOURNAL_FLOOD_PASSED,    /* a person let it go, or it was adopted */
	JOURNAL_NO_RECIPIENT,    /* went to the inbox instead */
	JOURNAL_CHALLENGE_FAULT, /* unknown policy, pause without end, ... */
	JOURNAL_STORE_FAULT,
	JOURNAL_STORE_BACK,
	JOURNAL_STORE_REPLACED,
	JOURNAL_STORE_WAL,
	JOURNAL_STORE_DOUBTED, /* an older copy, or another one: not acted on */
	JOURNAL_LEDGER_FAULT,
	JOURNAL_LEDGER_NEWER,    /* than this program: it does not start */
	JOURNAL_LEDGER_MIGRATED, /* to the version of this program */
	JOURNAL_LEDGER_RESTORED, /* from a copy: what may have been sent is held */
	JOURNAL_CLOCK_INSANE,
	JOURNAL_CLOCK_SANE,
	JOURNAL_SENDER_FAULT,
	JOURNAL_MACHINE_FAULT, /* the kernel refused what a daemon needs */
	JOURNAL_HORIZON,       /* the holiday list ends soon */
	JOURNAL_UNAPPROVED,    /* what a new configuration alone makes due is held */
	JOURNAL_APPROVED,
	JOURNAL_PROMISE_BROKEN, /* open challenges are not watched */
	JOURNAL_PROMISE_KEPT,   /* all of them are, again */
	JOURNAL_SIGN_FAULT,     /* a sign of life could not be given */
	JOURNAL_SIGN_BACK,
	JOURNAL_MOVED,      /* deadlines moved with the configuration */
	JOURNAL_SUPPRESSED, /* lines left out by the cap below */
	JOURNAL_EVENT_COUNT,
};

/* A field beside the message; value NULL leaves it out. */
struct journal_field {
	const char *name; /* "CHALLENGE_REF" */
	const char *value;
};

/*
 * Logs; never fails a caller: a journal that is away costs a line, not a mail. Of more than
 * a hundred lines within a minute the rest is left out, and one JOURNAL_SUPPRESSED line tells
 * how many; errors have a hundred of their own, and what is worse (LOG_CRIT) is never left out.
 */
void journal_send(enum journal_event event, const struct journal_field *fields,
		  size_t field_count, const char *format, ...) PRINTF_LIKE(4, 5);

/* False while the rest of the minute is left out: what only such a line needs can be spared. */
bool journal_is_open(enum journal_event event);

/* The MESSAGE_ID as 32 hexadecimal digits, and the event's short name; for tests and manuals.
 */
const char *journal_message_id(enum journal_event event);
const char *journal_event_name(enum journal_event event);

#endif
