/* journal.c - see journal.h. */
#include "adapter/journal.h"

#include "base/text.h"
#include "core/unicode.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

enum {
	FIELDS_MOST = 24, /* of one line; more are left out */
	LINES_A_MINUTE = 100,
};

static const struct {
	const char *id;
	const char *name;
	int priority;
} events[JOURNAL_EVENT_COUNT] = {
	/* clang-format off */
	[JOURNAL_STARTED] = { "a71546f6fdca4fa0ab0c344164330dc8", "started", LOG_INFO },
	[JOURNAL_START_FAILED] = { "8441a968e93149b8a59e2f28bfa0f199", "start-failed", LOG_ERR },
	[JOURNAL_STOPPING] = { "30b99b66a2d848e19276e9fe1e145015", "stopping", LOG_INFO },
	[JOURNAL_RELOADED] = { "00b6c5e7ddb740dfa444dc395aded8b0", "reloaded", LOG_NOTICE },
	[JOURNAL_RELOAD_REFUSED] = { "244ecade16e44829b6f43b67adf5f95e", "reload-refused", LOG_ERR },
	[JOURNAL_CONFIG_FAULT] = { "cb2a32d439284819a15b239c25e8d1e8", "config-fault", LOG_ERR },
	[JOURNAL_DECIDED] = { "fdb16e0033b3466695c8831000c2f8d2", "decided", LOG_INFO },
	[JOURNAL_NOT_SENT] = { "ca07a666179d45c0a19911b146203f50", "not-sent", LOG_INFO },
	[JOURNAL_ADOPTED] = { "13461cba7a1c42b7a777685349c6a24a", "adopted", LOG_NOTICE },
	[JOURNAL_ACCEPTED] = { "8b5e9f3221974834a7c826155d743cf0", "accepted", LOG_INFO },
	[JOURNAL_RETRY] = { "5254106ba5f54c8685908f9ac18c7440", "retry", LOG_NOTICE },
	[JOURNAL_FAILING] = { "fdd2f172b208463c959ce8b0574f141a", "failing", LOG_ERR },
	[JOURNAL_REFUSED] = { "1b5f2bc4e7834c7d82907ca1c547d17b", "refused", LOG_WARNING },
	[JOURNAL_HELD] = { "d1e982eedd0642efb7d57ebf3ca32f65", "held", LOG_ERR },
	[JOURNAL_IN_DOUBT] = { "39e5a466c3114ff3bc9691331921b8e9", "in-doubt", LOG_WARNING },
	[JOURNAL_QUEUE_PAUSED] = { "6f1bb0daa86544ecbe0b398e4d9c506f", "queue-paused", LOG_ERR },
	[JOURNAL_QUEUE_RESUMED] = { "c9b1d98f9e614521bcba1d5d4c66f082", "queue-resumed", LOG_NOTICE },
	[JOURNAL_FLOOD] = { "c4e8f0d16bf749d5924abf5cc917a614", "flood", LOG_CRIT },
	[JOURNAL_FLOOD_PASSED] = { "f24dc8aac0bc4c9ba958fd093813c73e", "flood-passed", LOG_NOTICE },
	[JOURNAL_NO_RECIPIENT] = { "fc20a8da17814f258d887a7453c09b61", "no-recipient", LOG_WARNING },
	[JOURNAL_CHALLENGE_FAULT] = { "809e0759de414f0695b84fa4b4f2b3e6", "challenge-fault", LOG_ERR },
	[JOURNAL_STORE_FAULT] = { "cd82f86e006947e989a2a30e3cdf8b97", "store-fault", LOG_ERR },
	[JOURNAL_STORE_BACK] = { "5261bd4b591d40dda3de990982c4bc36", "store-back", LOG_NOTICE },
	[JOURNAL_STORE_REPLACED] = { "19b71c19d9a84b789f6552221cc351c9", "store-replaced", LOG_WARNING },
	[JOURNAL_STORE_WAL] = { "e77d5b35321f4768a4f342b2f57bc47d", "store-wal", LOG_WARNING },
	[JOURNAL_STORE_DOUBTED] = { "652583f3632043adaf35d64470f1e50f", "store-doubted", LOG_CRIT },
	[JOURNAL_LEDGER_FAULT] = { "0380e21444d34083816aa50f352aceeb", "ledger-fault", LOG_CRIT },
	[JOURNAL_LEDGER_NEWER] = { "f32d212d379d4f35a79729797ed73d03", "ledger-newer", LOG_CRIT },
	[JOURNAL_LEDGER_MIGRATED] = { "4ffb31bbc89a4a96ab4f4191d8b60618", "ledger-migrated", LOG_NOTICE },
	[JOURNAL_LEDGER_RESTORED] = { "567569f936fc42c2875bf3a64e11df1d", "ledger-restored", LOG_CRIT },
	[JOURNAL_CLOCK_INSANE] = { "2f0cd9fc1f3b4f82a8a3c2ca15376fb9", "clock-insane", LOG_CRIT },
	[JOURNAL_CLOCK_SANE] = { "46b2ba80bce8422c93a849a2faba7ece", "clock-sane", LOG_NOTICE },
	[JOURNAL_SENDER_FAULT] = { "dc81836c7c0f448a8c6d3164259834ee", "sender-fault", LOG_WARNING },
	[JOURNAL_MACHINE_FAULT] = { "93034370e308435d8a526519bb9dc73c", "machine-fault", LOG_ERR },
	[JOURNAL_HORIZON] = { "794af8772a9b4471b5c8c3efc1626887", "horizon", LOG_WARNING },
	[JOURNAL_UNAPPROVED] = { "5f0b6a9f4e0c4a55a8f2c1d67f4b9e21", "unapproved", LOG_ERR },
	[JOURNAL_APPROVED] = { "c2b7d1a4390e4a68b7c3f58e0d6a1b94", "approved", LOG_NOTICE },
	[JOURNAL_PROMISE_BROKEN] = { "c6c5fb9482e549149ce1bfc4b44e2616", "promise-broken", LOG_CRIT },
	[JOURNAL_PROMISE_KEPT] = { "9299bae2c2eb4e5381a3dcc848ec0d6d", "promise-kept", LOG_NOTICE },
	[JOURNAL_SIGN_FAULT] = { "6e0dc9ba00be4b2bb1d01b69ce848492", "sign-fault", LOG_ERR },
	[JOURNAL_SIGN_BACK] = { "5a4342e07b7f4ce4aef894f84d82fd4c", "sign-back", LOG_NOTICE },
	[JOURNAL_MOVED] = { "8e41f07cb95d4d21bb0f6a2c7d93e5a8", "moved", LOG_NOTICE },
	[JOURNAL_SUPPRESSED] = { "f303d0e626ba43e1861e121add7ab98c", "suppressed", LOG_WARNING },
	/* clang-format on */
};

/*
 * The cap's count belongs to the process as its standard error does; nothing else is kept
 * here. Atomic, so that it stays right should a second thread ever log.
 */
struct cap {
	_Atomic int64_t minute;
	_Atomic int lines;
	_Atomic int errors; /* of them apart: what goes well must not drown what does not */
	_Atomic int left_out;
};

static struct cap *cap_of_process(void)
{
	static struct cap cap;

	return &cap;
}

const char *journal_message_id(enum journal_event event)
{
	return events[event].id;
}

const char *journal_event_name(enum journal_event event)
{
	return events[event].name;
}

/*
 * sd_journal_sendv answers 0 when there is no journal (facts.md 12), so it is asked only when
 * systemd says that our standard error is the journal's stream (systemd.exec(5),
 * $JOURNAL_STREAM): a person at a terminal then sees the lines there.
 */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat about;

	if (stream == NULL || fstat(STDERR_FILENO, &about) < 0 ||
	    access("/run/systemd/journal/socket", W_OK) < 0)
		return false;
	(void)snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)about.st_dev,
		       (uintmax_t)about.st_ino);
	return strcmp(stream, ours) == 0;
}

static void write_plain(enum journal_event event, const char *said)
{
	CLEANUP(text_clear) struct text line = { 0 };

	text_appendf(&line, "<%d>%s\n", events[event].priority, said);
	if (!text_failed(&line))
		(void)!write(STDERR_FILENO, line.data, line.length); /* nobody left to tell */
}

static void append_field(struct text *bytes, size_t ends[], size_t *count, const char *name,
			 const char *value)
{
	if (*count >= FIELDS_MOST)
		return;
	text_appendf(bytes, "%s=", name);
	unicode_append_line(bytes, value, "?");
	ends[(*count)++] = bytes->length;
}

static void write_journal(enum journal_event event, const struct journal_field *fields,
			  size_t field_count, const char *said)
{
	CLEANUP(text_clear) struct text bytes = { 0 };
	size_t ends[FIELDS_MOST];
	struct iovec parts[FIELDS_MOST];
	size_t count = 0;
	char priority[16];

	(void)snprintf(priority, sizeof priority, "%d", events[event].priority);
	append_field(&bytes, ends, &count, "MESSAGE", said);
	append_field(&bytes, ends, &count, "PRIORITY", priority);
	append_field(&bytes, ends, &count, "MESSAGE_ID", events[event].id);
	append_field(&bytes, ends, &count, "SYSLOG_IDENTIFIER", "challenge-notifyd");
	append_field(&bytes, ends, &count, "EVENT", events[event].name);
	for (size_t i = 0; i < field_count; i++)
		if (fields[i].value != NULL)
			append_field(&bytes, ends, &count, fields[i].name, fields[i].value);
	if (text_failed(&bytes)) {
		write_plain(event, said);
		return;
	}
	for (size_t i = 0, from = 0; i < count; from = ends[i++])
		parts[i] = (struct iovec){ bytes.data + from, ends[i] - from };
	if (sd_journal_sendv(parts, (int)count) < 0)
		write_plain(event, said);
}

static void write_line(enum journal_event event, const struct journal_field *fields,
		       size_t field_count, const char *said)
{
	if (stderr_is_journal())
		write_journal(event, fields, field_count, said);
	else
		write_plain(event, said);
}

static void tell_left_out(int left_out)
{
	char said[80];

	(void)snprintf(said, sizeof said, "%d messages within a minute were left out",
		       left_out);
	write_line(JOURNAL_SUPPRESSED, NULL, 0, said);
}

static int64_t this_minute(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &now); /* exists on every kernel this runs on */
	return now.tv_sec / 60;
}

/* What the event's lines are counted in; NULL: they are never left out. Those that are worse
 * than errors come once, not once for each challenge or mail. */
static _Atomic int *lines_of(enum journal_event event)
{
	struct cap *cap = cap_of_process();

	if (events[event].priority < LOG_ERR)
		return NULL;
	return events[event].priority == LOG_ERR ? &cap->errors : &cap->lines;
}

bool journal_is_open(enum journal_event event)
{
	_Atomic int *lines = lines_of(event);

	return lines == NULL || atomic_load(lines) < LINES_A_MINUTE ||
	       atomic_load(&cap_of_process()->minute) != this_minute();
}

/* Counts the line; false when it is one too many. */
static bool may_write(enum journal_event event)
{
	struct cap *cap = cap_of_process();
	_Atomic int *lines = lines_of(event);
	int64_t minute = this_minute();

	if (atomic_exchange(&cap->minute, minute) != minute) {
		int left_out = atomic_exchange(&cap->left_out, 0);

		atomic_store(&cap->lines, 0);
		atomic_store(&cap->errors, 0);
		if (left_out > 0)
			tell_left_out(left_out);
	}
	if (lines == NULL || atomic_fetch_add(lines, 1) < LINES_A_MINUTE)
		return true;
	if (atomic_fetch_add(&cap->left_out, 1) == 0)
		write_line(JOURNAL_SUPPRESSED, NULL, 0,
			   "more than 100 messages within a minute: the rest is left out");
	return false;
}

void journal_send(enum journal_event event, const struct journal_field *fields,
		  size_t field_count, const char *format, ...)
{
	CLEANUP(text_clear) struct text line = { 0 };
	char said[1000];
	va_list arguments;

	if (!may_write(event))
		return;
	va_start(arguments, format);
	(void)vsnprintf(said, sizeof said, format, arguments); /* cut is fine */
	va_end(arguments);
	/* Values come from a hostile store: one event stays one line, read as it was written.
	 */
	unicode_append_line(&line, said, "?");
	write_line(event, fields, field_count, text_string(&line));
}
