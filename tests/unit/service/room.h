/*
 * room.h - a partnership in a temporary folder: configuration, store and ledger, real ones.
 *
 * For tests of the parts of the service that need no pass. November 2026 in London is UTC, and
 * the 23rd is a Monday; the 30th is closed.
 */
#ifndef TEST_ROOM_H
#define TEST_ROOM_H

#include "adapter/register.h"
#include "service/pass.h"
#include "service/reload.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM_MUST(call)                                        \
	do {                                                   \
		if ((call) < 0)                                \
			fail_msg("%s: %s", #call, error.text); \
	} while (0)

static const char room_main[] =
	"store = \"store.db\"; state = \"state\"; policies = \"policies\"; templates = "
	"\"%s/conf/templates\";\n"
	"calendars = ( { id = \"england\"; zone = \"Europe/London\"; hours = {\n"
	"  monday = \"09:00-17:00\"; tuesday = \"09:00-17:00\"; wednesday = \"09:00-17:00\";\n"
	"  thursday = \"09:00-17:00\"; friday = \"09:00-17:00\"; };\n"
	"  closures = ( { from = \"2026-11-30\"; to = \"2026-11-30\"; name = \"Closed\"; },\n"
	"    { from = \"2026-12-21\"; to = \"2026-12-27\"; name = \"A week\"; } ); } );\n"
	"roles = ( { id = \"practitioner\"; title = \"Practitioner\"; },\n"
	"  { id = \"manager\"; title = \"Line manager\"; },\n"
	"  { id = \"business_unit\"; title = \"Business unit\"; } );\n"
	"partnership = { agency = \"partnership\"; inbox = \"inbox@partnership.test\";\n"
	"  emergency = \"Telephone 999.\"; };\n"
	"mail = { relay = \"smtp://127.0.0.1:25\"; from = \"Challenge "
	"<no@partnership.test>\";\n"
	"  link = \"https://cases.test/{reference}\";\n"
	"  allow_domains = [ \"partnership.test\", \"council.test\" ]; };\n"
	"alarm = { to = [ \"it@partnership.test\", \"duty@partnership.test\" ]; daily = "
	"\"08:30\"; };\n";

static const char room_policy[] =
	"policy = { id = \"p\"; version = \"1\"; title = \"Policy\"; calendar = \"england\";\n"
	"  urgencies = [ \"standard\" ];\n"
	"  quiet = { after = \"20 working days\"; tell = [ \"partnership.business_unit\" ]; "
	"};\n"
	"  stages = ( { id = \"one\"; title = \"Stage 1\"; owner = "
	"\"receiving.practitioner\";\n"
	"      limit = { standard = \"3 working days\"; };\n"
	"      breach = { escalate_to = \"two\"; tell = [ \"owner\" ]; }; },\n"
	"    { id = \"two\"; title = \"Stage 2\"; owner = \"receiving.manager\";\n"
	"      limit = { standard = \"5 working days\"; }; } );\n"
	"  overall = ( { id = \"feedback\"; owner = \"receiving.manager\"; starts = "
	"\"resolved\"; ends = [ \"outcome_shared\" ]; limit = \"2 working days\"; } ); };\n";

struct room {
	char folder[64];
	struct setup setup;
	struct ledger *ledger;
	struct registrar *registrar;
	struct store *store;
	struct world world;
};

static inline struct instant room_time(const char *written)
{
	struct written_time time;

	if (!written_time_parse(written, &time))
		fail_msg("\"%s\" is no time", written);
	return (struct instant){ (int64_t)time.day * SECONDS_PER_DAY + time.second -
				 time.offset };
}

static inline void room_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline void room_add_contact(struct room *room, const char *agency, const char *role,
				    const char *email, const char *language)
{
	struct contact contact = { .agency = agency,
				   .role = role,
				   .name = "Somebody",
				   .email = email,
				   .language = language,
				   .active = true,
				   .away_from = INSTANT_NEVER,
				   .away_until = INSTANT_NEVER,
				   .confirmed_at = INSTANT_NEVER };
	struct error error = { 0 };
	int64_t id;

	ROOM_MUST(register_contact(room->registrar, &contact, &id, &error));
}

static inline struct recording room_recording(const char *kind, struct instant when)
{
	return (struct recording){ .event = { .kind = kind,
					      .stage = "",
					      .at = when,
					      .due = INSTANT_NEVER,
					      .value = strcmp(kind, "resolved") == 0 ? "changed"
										     : "",
					      .recorded_at = when },
				   .by = "",
				   .note = "" };
}

static inline int64_t room_raise(struct room *room, const char *reference, const char *when)
{
	struct challenge challenge = { .reference = reference,
				       .policy = "p",
				       .policy_version = "1",
				       .urgency = "",
				       .concerns = "child",
				       .category = "",
				       .raising_agency = "council",
				       .receiving_agency = "council",
				       .protect_by = INSTANT_NEVER };
	struct recording raised = room_recording("raised", room_time(when));
	struct registered made;
	struct error error = { 0 };

	ROOM_MUST(register_challenge(room->registrar, &challenge, 2026, &raised, 1, &made,
				     &error));
	return made.id;
}

static inline void room_record(struct room *room, int64_t challenge, const char *kind,
			       const char *when)
{
	struct recording recording = room_recording(kind, room_time(when));
	struct error error = { 0 };
	int64_t id;

	ROOM_MUST(register_event(room->registrar, challenge, &recording, &id, &error));
}

static inline void room_fill_store(struct room *room)
{
	static const char *const agencies[] = { "partnership", "council" };
	struct error error = { 0 };
	char path[200];

	(void)snprintf(path, sizeof path, "%s/store.db", room->folder);
	ROOM_MUST(register_init(path, &error));
	ROOM_MUST(register_open(path, &room->registrar, &error));
	for (size_t i = 0; i < COUNT(agencies); i++) {
		struct agency agency = {
			.id = agencies[i], .name = agencies[i], .telephone = "", .calendar = ""
		};

		ROOM_MUST(register_agency(room->registrar, &agency, &error));
	}
	ROOM_MUST(store_open(path, &room->store, &error));
}

static inline void room_open(struct room *room)
{
	struct fault_list faults = { 0 };
	struct error error = { 0 };
	char path[200];
	char here[300];
	char text[sizeof room_main + sizeof here];

	*room = (struct room){ .folder = "/tmp/test-room-XXXXXX" };
	assert_non_null(mkdtemp(room->folder));
	assert_non_null(getcwd(here, sizeof here));
	(void)snprintf(path, sizeof path, "%s/policies", room->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof path, "%s/policies/p.conf", room->folder);
	room_write(path, room_policy);
	(void)snprintf(text, sizeof text, room_main, here);
	(void)snprintf(path, sizeof path, "%s/main.conf", room->folder);
	room_write(path, text);
	ROOM_MUST(setup_load(path, &room->setup, &faults, &error));
	fault_list_clear(&faults);
	ROOM_MUST(ledger_open(room->folder, LEDGER_WRITE, &room->ledger, &error));
	room_fill_store(room);
	room->world = (struct world){ .config = room->setup.config,
				      .languages = room->setup.languages,
				      .ledger = room->ledger };
}

static inline void room_reopen_ledger(struct room *room)
{
	struct error error = { 0 };

	ledger_close(room->ledger);
	ROOM_MUST(ledger_open(room->folder, LEDGER_WRITE, &room->ledger, &error));
	room->world.ledger = room->ledger;
}

static inline void room_close(struct room *room)
{
	char command[100];

	store_close(room->store);
	register_close(room->registrar);
	ledger_close(room->ledger);
	setup_clear(&room->setup);
	(void)snprintf(command, sizeof command, "rm -r %s", room->folder);
	assert_int_equal(system(command), 0);
}

/* The relay has taken everything that is ready then. */
static inline void room_accept_mails(struct room *room, struct instant now)
{
	const struct ledger_outcome taken = { .state = DELIVERY_ACCEPTED,
					      .reply = "250 ok",
					      .next_attempt = INSTANT_NEVER,
					      .reason = "" };
	struct error error = { 0 };
	int found;

	do {
		CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };

		ROOM_MUST(ledger_begin(room->ledger, &error));
		ROOM_MUST(found = ledger_claim(room->ledger, now, &mail, &error));
		if (found == 1)
			ROOM_MUST(ledger_record(room->ledger, mail.id, &taken, now, &error));
		ROOM_MUST(ledger_commit(room->ledger, &error));
	} while (found == 1);
}

/* Appends "recipient: subject\n" of a mail whose subject needs no encoding. */
static inline int room_say_mail(struct room *room, int64_t id, struct text *ret)
{
	CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };
	struct error error = { 0 };
	const char *subject;

	ROOM_MUST(ledger_mail(room->ledger, id, &mail, &error));
	subject = strstr(mail.bytes, "\r\nSubject: ");
	assert_non_null(subject);
	subject += strlen("\r\nSubject: ");
	text_appendf(ret, "%s: ", mail.recipient);
	/* Unfolded. */
	for (; strncmp(subject, "\r\n", 2) != 0 || subject[2] == ' '; subject++)
		if (*subject != '\r' && *subject != '\n')
			text_append_char(ret, *subject);
	text_append_char(ret, '\n');
	return 0;
}

struct room_ids {
	int64_t id[64];
	size_t count;
};

static inline int room_note_id(void *context, const struct ledger_mail *mail)
{
	struct room_ids *ids = context;

	assert_true(ids->count < COUNT(ids->id));
	ids->id[ids->count++] = mail->id;
	return 0;
}

/* All mails, in order, each on a line. */
static inline void room_say_mails(struct room *room, struct text *ret)
{
	struct room_ids ids = { 0 };
	struct error error = { 0 };

	ROOM_MUST(ledger_mails(room->ledger, -1, room_note_id, &ids, &error));
	for (size_t i = 0; i < ids.count; i++)
		(void)room_say_mail(room, ids.id[i], ret);
}

#endif
