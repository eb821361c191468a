/*
 * ledger_fixture - a ledger in a folder of its own, and a few short ways to fill it.
 *
 * Everything is given: the clock by each test, random bytes by a counter.
 */
#ifndef TESTS_LEDGER_FIXTURE_H
#define TESTS_LEDGER_FIXTURE_H

#include "adapter/ledger_internal.h"

/* cmocka asks for these first. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char folder[64];
	char path[96];
	struct ledger *ledger;
	struct error error;
};

#define NOW ((struct instant){ 1795430000 })
#define LATER(seconds) instant_add(NOW, (seconds))

/* Shows what went wrong before it fails. */
#define OK(fixture, call) ok_at((fixture), (call), #call, __LINE__)

static inline int ok_at(struct fixture *f, int result, const char *call, int line)
{
	if (result < 0)
		fail_msg("line %d: %s: %d: %s", line, call, result, f->error.text);
	return result;
}

static inline int counting_fill(void *context, void *bytes, size_t count)
{
	static const unsigned step = 0x9e3779b9u;
	unsigned *next = context;

	for (size_t i = 0; i < count; i++) {
		*next += step;
		((unsigned char *)bytes)[i] = (unsigned char)(*next >> 24);
	}
	return 0;
}

static inline int fixture_open(struct fixture *f)
{
	return ledger_open(f->folder, LEDGER_WRITE, &f->ledger, &f->error);
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	if (f == NULL)
		return -1;
	snprintf(f->folder, sizeof f->folder, "/tmp/test-ledger-XXXXXX");
	if (mkdtemp(f->folder) == NULL || fixture_open(f) < 0) {
		fprintf(stderr, "%s\n", f->error.text);
		free(f);
		return -1;
	}
	snprintf(f->path, sizeof f->path, "%s/ledger.db", f->folder);
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	static const char *const names[] = { "ledger.db", "ledger.db-journal", "lock" };
	struct fixture *f = *state;
	char path[128];

	ledger_close(f->ledger);
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
		unlink(path);
	}
	rmdir(f->folder);
	free(f);
	return 0;
}

static inline struct ledger_notice sample_notice(int64_t challenge, int32_t occurrence)
{
	return (struct ledger_notice){
		.challenge = challenge,
		.reference = "2026-014",
		.policy = "example",
		.policy_version = "2026-01",
		.event = 7,
		.stage = "manager",
		.obligation = "agree",
		.kind = NOTICE_REMINDER,
		.step = "50%",
		.occurrence = occurrence,
		.role = "receiving.manager",
		.at = NOW,
		.send_at = NOW,
		.started = NOW,
		.due = INSTANT_NEVER,
		.firm = true,
		.state = DELIVERY_DECIDED,
		.policy_digest = "d1g357",
	};
}

static inline int64_t decide_one(struct fixture *f, int64_t challenge, int32_t occurrence)
{
	struct ledger_notice notice = sample_notice(challenge, occurrence);
	int64_t id = 0;

	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(1, OK(f, ledger_decide(f->ledger, &notice, NOW, &id, &f->error)));
	OK(f, ledger_commit(f->ledger, &f->error));
	return id;
}

static inline int64_t store_one(struct fixture *f, const int64_t *notices, size_t count,
				int64_t contact)
{
	static const char bytes[] = "Subject: a reply is needed\r\n\r\nBy Thursday.\r\n";
	struct ledger_mail mail = {
		.contact = contact,
		.recipient = "manager@agency.example",
		.envelope_from = "noreply@partnership.example",
		.message_id = "0123@partnership.example",
		.date = NOW,
		.bytes = bytes,
		.length = sizeof bytes - 1,
	};
	int64_t id = 0;

	OK(f, ledger_begin(f->ledger, &f->error));
	assert_int_equal(0, OK(f, ledger_store_mail(f->ledger, &mail, notices, count, NOW, &id,
						    &f->error)));
	OK(f, ledger_commit(f->ledger, &f->error));
	return id;
}

/* A mail that is READY, with one notice of its own. */
static inline int64_t ready_mail(struct fixture *f, int32_t occurrence)
{
	int64_t notice = decide_one(f, 1, occurrence);

	return store_one(f, &notice, 1, 5);
}

/* The id of what was claimed, 0 when there was nothing. */
static inline int64_t claim_at(struct fixture *f, struct instant now)
{
	struct ledger_mail mail = { 0 };
	int64_t id;

	OK(f, ledger_begin(f->ledger, &f->error));
	OK(f, ledger_claim(f->ledger, now, &mail, &f->error));
	OK(f, ledger_commit(f->ledger, &f->error));
	id = mail.id;
	ledger_mail_clear(&mail);
	return id;
}

static inline int record_at(struct fixture *f, int64_t mail, enum delivery_state state,
			    struct instant next, struct instant now)
{
	const struct ledger_outcome outcome = { .state = state,
						.reply = "said the relay",
						.next_attempt = next };
	int result;

	OK(f, ledger_begin(f->ledger, &f->error));
	result = ledger_record(f->ledger, mail, &outcome, now, &f->error);
	OK(f, ledger_commit(f->ledger, &f->error));
	return result;
}

static inline enum delivery_state mail_state(struct fixture *f, int64_t id)
{
	struct ledger_mail mail = { 0 };
	enum delivery_state state;

	assert_int_equal(1, OK(f, ledger_mail(f->ledger, id, &mail, &f->error)));
	state = mail.state;
	ledger_mail_clear(&mail);
	return state;
}

static inline void assert_intact(struct fixture *f)
{
	struct ledger_verification found = { 0 };

	OK(f, ledger_verify(f->ledger, &found, &f->error));
	if (found.what[0] != '\0')
		fail_msg("entry %lld: %s", (long long)found.first_bad, found.what);
	assert_int_equal(0, found.first_bad);
}

static inline int64_t number_of(struct fixture *f, const char *sql)
{
	int64_t number = -1;

	OK(f, database_number(f->ledger->db, sql, &number, &f->error));
	return number;
}

#endif
