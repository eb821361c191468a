/*
 * A pass against a real store and a real ledger in a temporary folder, at moments that the test
 * chooses: what is decided, what is rendered, and for whom.
 */
#include "service/pass.h"

#include "adapter/ledger_internal.h"
#include "adapter/register.h"
#include "service/reload.h"

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

/* November 2026 in London is UTC. The 23rd is a Monday. */
static const char main_file[] =
	"store = \"store.db\"; state = \"state\"; policies = \"policies\"; templates = "
	"\"%s\";\n"
	"calendars = ( { id = \"england\"; zone = \"Europe/London\"; hours = {\n"
	"  monday = \"09:00-17:00\"; tuesday = \"09:00-17:00\"; wednesday = \"09:00-17:00\";\n"
	"  thursday = \"09:00-17:00\"; friday = \"09:00-17:00\"; }; },\n"
	"  { id = \"school\"; zone = \"Europe/London\"; hours = {\n"
	"  monday = \"09:00-17:00\"; wednesday = \"12:00-17:00\"; };\n"
	"  closures = ( { from = \"2026-11-26\"; to = \"2026-12-18\"; } ); } );\n"
	"roles = ( { id = \"practitioner\"; title = \"Practitioner\"; instead = [ \"manager\" "
	"]; },\n"
	"  { id = \"manager\"; title = \"Line manager\"; },\n"
	"  { id = \"business_unit\"; title = \"Business unit\"; } );\n"
	"partnership = { agency = \"partnership\"; inbox = \"inbox@partnership.test\";\n"
	"  emergency = \"Telephone 999.\"; };\n"
	"mail = { relay = \"smtp://127.0.0.1:25\"; from = \"Challenge "
	"<no@partnership.test>\";\n"
	"  per_person_per_day = 1; allow_domains = [ \"partnership.test\", \"council.test\" ]; "
	"};\n"
	"alarm = { to = [ \"it@partnership.test\" ]; };\n";

static const char policy_file[] =
	"policy = { id = \"p\"; version = \"1\"; title = \"Policy\"; calendar = \"england\";\n"
	"  urgencies = [ \"standard\" ];\n"
	"  quiet = { after = \"20 working days\"; tell = [ \"partnership.business_unit\" ]; "
	"};\n"
	"  immediate = { tell = [ \"receiving.manager\" ]; };\n"
	"  stages = ( { id = \"one\"; title = \"Stage 1\"; owner = "
	"\"receiving.practitioner\";\n"
	"      limit = { standard = \"3 working days\"; };\n"
	"      remind = [ \"2 working days before\", \"1 working day before\" ];\n"
	"      breach = { escalate_to = \"two\"; tell = [ \"owner\" ]; }; },\n"
	"    { id = \"two\"; title = \"Stage 2\"; owner = \"receiving.manager\";\n"
	"      limit = { standard = \"10 working days\"; }; } ); };\n";

/* One person holds both rungs in the council, so that only the third brings somebody new. */
static const char flat_policy_file[] =
	"policy = { id = \"p\"; version = \"1\"; title = \"Policy\"; calendar = \"england\";\n"
	"  urgencies = [ \"standard\" ];\n"
	"  quiet = { after = \"20 working days\"; tell = [ \"partnership.business_unit\" ]; "
	"};\n"
	"  immediate = { tell = [ \"receiving.manager\" ]; };\n"
	"  stages = ( { id = \"one\"; title = \"Stage 1\"; owner = \"receiving.manager\";\n"
	"      limit = \"3 working days\"; breach = { escalate_to = \"two\"; tell = [ "
	"\"owner\" ]; "
	"}; },\n"
	"    { id = \"two\"; title = \"Stage 2\"; owner = \"receiving.manager\";\n"
	"      limit = \"3 working days\"; breach = { escalate_to = \"three\"; }; },\n"
	"    { id = \"three\"; title = \"Stage 3\"; owner = \"receiving.practitioner\";\n"
	"      limit = \"10 working days\"; } ); };\n";

struct bench {
	char folder[64];
	struct setup setup;
	struct ledger *ledger;
	struct registrar *registrar;
	struct pass *pass;
	struct instant now;
	int64_t boot;
	int64_t challenge;
	bool lost; /* one was raised under a policy version that is not loaded */
	int64_t events[8];
	size_t event_count;
	int standard_error;
};

static struct instant told_now(void *self)
{
	return ((struct bench *)self)->now;
}

static int64_t told_boot(void *self)
{
	return ((struct bench *)self)->boot;
}

static struct instant at(const char *written)
{
	struct written_time time;

	if (!written_time_parse(written, &time))
		fail_msg("\"%s\" is no time", written);
	return (struct instant){ (int64_t)time.day * SECONDS_PER_DAY + time.second -
				 time.offset };
}

static void write_file(const char *folder, const char *name, const char *format,
		       const char *argument)
{
	char path[200];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)fprintf(file, format, argument);
#pragma GCC diagnostic pop
	assert_int_equal(fclose(file), 0);
}

#define MUST(call)                                             \
	do {                                                   \
		if ((call) < 0)                                \
			fail_msg("%s: %s", #call, error.text); \
	} while (0)

static const struct clock bench_clock = { .now = told_now, .boot_seconds = told_boot };

struct world_of_bench {
	struct clock clock;
	struct world world;
};

static void open_pass(struct bench *bench, struct world_of_bench *room)
{
	struct error error = { 0 };

	room->clock = bench_clock;
	room->clock.self = bench;
	room->world = (struct world){ bench->setup.config, bench->setup.languages,
				      bench->ledger, &room->clock };
	MUST(pass_create(&room->world, &bench->pass, &error));
}

static int set_up(void **state)
{
	static struct world_of_bench room;
	struct bench *bench = calloc(1, sizeof *bench);
	struct fault_list faults = { 0 };
	struct error error = { 0 };
	char path[200];
	char templates[400];
	char here[300];

	assert_non_null(bench);
	(void)strcpy(bench->folder, "/tmp/test-pass-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	assert_non_null(getcwd(here, sizeof here));
	(void)snprintf(templates, sizeof templates, "%s/conf/templates", here);
	(void)snprintf(path, sizeof path, "%s/policies", bench->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(bench->folder, "main.conf", main_file, templates);
	write_file(path, "p.conf", "%s", policy_file);
	(void)snprintf(path, sizeof path, "%s/main.conf", bench->folder);
	MUST(setup_load(path, &bench->setup, &faults, &error));
	fault_list_clear(&faults);
	MUST(ledger_open(bench->folder, LEDGER_WRITE, &bench->ledger, &error));
	open_pass(bench, &room);
	/* Kept out of the tests' own output; what is logged is test_journal's. */
	bench->standard_error = dup(STDERR_FILENO);
	assert_true(bench->standard_error >= 0);
	assert_true(dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO) >= 0);
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	char command[100];

	(void)dup2(bench->standard_error, STDERR_FILENO);
	(void)close(bench->standard_error);
	pass_destroy(bench->pass);
	register_close(bench->registrar);
	ledger_close(bench->ledger);
	setup_clear(&bench->setup);
	(void)snprintf(command, sizeof command, "rm -r %s", bench->folder);
	assert_int_equal(system(command), 0);
	free(bench);
	return 0;
}

static void add_contact(struct bench *bench, const char *agency, const char *role,
			const char *email)
{
	struct contact contact = { .agency = agency,
				   .role = role,
				   .name = "Somebody",
				   .email = email,
				   .language = "en",
				   .active = true,
				   .away_from = INSTANT_NEVER,
				   .away_until = INSTANT_NEVER,
				   .confirmed_at = INSTANT_NEVER };
	struct error error = { 0 };
	int64_t id;

	MUST(register_contact(bench->registrar, &contact, &id, &error));
}

static void create_store(struct bench *bench)
{
	static const char *const agencies[] = { "partnership", "council", "health" };
	struct error error = { 0 };
	char path[200];

	(void)snprintf(path, sizeof path, "%s/store.db", bench->folder);
	MUST(register_init(path, &error));
	MUST(register_open(path, &bench->registrar, &error));
	for (size_t i = 0; i < COUNT(agencies); i++) {
		struct agency agency = {
			.id = agencies[i], .name = agencies[i], .telephone = "", .calendar = ""
		};

		MUST(register_agency(bench->registrar, &agency, &error));
	}
	add_contact(bench, "council", "practitioner", "pat@council.test");
	add_contact(bench, "council", "manager", "mo@council.test");
}

static struct recording recording_of(const char *kind, struct instant when, int64_t voids)
{
	return (struct recording){ .event = { .kind = kind,
					      .stage = "",
					      .at = when,
					      .due = INSTANT_NEVER,
					      .voids = voids,
					      .value = strcmp(kind, "resolved") == 0 ? "changed"
										     : "",
					      .recorded_at = when },
				   .by = "",
				   .note = "" };
}

static void raise(struct bench *bench, const char *version, struct instant when)
{
	struct challenge challenge = { .reference = "",
				       .policy = "p",
				       .policy_version = version,
				       .urgency = "",
				       .concerns = "child",
				       .category = "",
				       .raising_agency = "health",
				       .receiving_agency = "council",
				       .protect_by = INSTANT_NEVER };
	struct recording raised = recording_of("raised", when, 0);
	struct registered made;
	struct error error = { 0 };

	MUST(register_challenge(bench->registrar, &challenge, 2026, &raised, 1, &made, &error));
	bench->challenge = made.id;
	bench->lost = bench->lost || strcmp(version, "1") != 0;
}

/* --- scenes ----------------------------------------------------------------------------------
 */

enum act {
	END,
	STORE,   /* the store is created */
	RAISE,   /* a challenge is raised at that time, under policy version `word` or 1 */
	RECORD,  /* an event of kind `word` happened then */
	VOID,    /* the raising is taken back */
	UNDO,    /* the event recorded last is taken back */
	JUMP,    /* the clock is set to that time, and a pass taken */
	RUN,     /* the daemon takes a pass at that time */
	MAILED,  /* the relay has taken everything that is ready */
	DOUBT,   /* of everything that is ready nobody knows whether the relay has taken it */
	PERSON,  /* a person makes `word` of every mail that may become that */
	RESTART, /* the daemon ends and begins */
	LIMIT,   /* the first stage's limit becomes `word`, and the daemon reloads */
	CLOSE,   /* the calendar is closed on the day `word`, and the daemon reloads */
	SCHOOL,  /* the council keeps the school's hours; with a `word` that is its cover */
	FLAT,    /* the policy becomes the flat one, and the daemon reloads */
	APPROVE, /* somebody approves the configuration in use */
	CONFIRM, /* a person confirms the clock as it stands then */
};

struct scene {
	const char *name;
	struct {
		enum act act;
		const char *at;
		const char *word;
	} acts[14];
	const char *want;  /* notices of the last challenge: "kind role state[ (reason)]" */
	const char *mails; /* recipients of all mails, in order, each with a blank behind it */
	int moved;         /* deadlines whose move the ledger has recorded */
};

#define MON9 "2026-11-23T09:00:00Z"
#define MON10 "2026-11-23T10:00:00Z"
#define TUE9 "2026-11-24T09:00:00Z"
#define WED9 "2026-11-25T09:00:00Z"
#define WED10 "2026-11-25T10:00:00Z"
#define THU16 "2026-11-26T16:00:00Z"
#define THU17 "2026-11-26T17:00:00Z"
#define FRI9 "2026-11-27T09:00:00Z"
#define FRI10 "2026-11-27T10:00:00Z"
#define OLD "2026-01-05T10:00:00Z"

static const struct scene scenes[] = {
	/* clang-format off */
	{ "an open challenge is told of when its stage begins",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 } },
	  "inform receiving.practitioner ready\n", "pat@council.test " },
	{ "the same moment twice decides nothing twice",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 }, { RUN, MON10 } },
	  "inform receiving.practitioner ready\n", "pat@council.test " },
	{ "a restart decides nothing twice",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 }, { RESTART }, { RUN, MON10 } },
	  "inform receiving.practitioner ready\n", "pat@council.test " },
	{ "a raising at night waits for the morning",
	  { { STORE }, { RUN, MON9 }, { RAISE, "2026-11-23T20:00:00Z" }, { RUN, "2026-11-23T20:00:00Z" } },
	  "inform receiving.practitioner decided\n", "" },
	{ "in the morning it goes",
	  { { STORE }, { RUN, MON9 }, { RAISE, "2026-11-23T20:00:00Z" }, { RUN, "2026-11-23T20:00:00Z" },
	    { RUN, TUE9 } },
	  "inform receiving.practitioner ready\n"
	  "reminder receiving.practitioner ready\n", "pat@council.test " },
	{ "immediate risk goes at night, alone",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 },
	    { RECORD, "2026-11-23T22:00:00Z", "immediate_risk" }, { RUN, "2026-11-23T22:00:00Z" } },
	  "inform receiving.practitioner ready\n"
	  "risk receiving.manager ready\n", "pat@council.test mo@council.test " },
	{ "after downtime only the latest reminder goes",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 }, { MAILED }, { RUN, WED10 } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner ready\n", "pat@council.test pat@council.test " },
	{ "a second mail on one day waits for the next",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 } },
	  "inform receiving.practitioner decided\n", "pat@council.test " },
	{ "on the next day it goes, together with what that day brings",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 }, { RUN, TUE9 } },
	  "inform receiving.practitioner ready\n"
	  "reminder receiving.practitioner ready\n", "pat@council.test pat@council.test " },
	{ "no ceiling holds back an escalation",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 }, { RUN, TUE9 }, { RUN, WED9 }, { RAISE, "2026-11-27T09:00:00Z" },
	    { RUN, FRI9 }, { RAISE, FRI9 }, { RECORD, FRI10, "immediate_risk" }, { RUN, FRI10 } },
	  "inform receiving.practitioner decided\n"
	  "risk receiving.manager ready\n", NULL },
	{ "a day later the ceiling lets the reminder go",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 }, { MAILED }, { RUN, TUE9 } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner ready\n", "pat@council.test pat@council.test " },
	{ "a breach and an escalation are never skipped",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, FRI10 } },
	  "inform receiving.practitioner ready\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner ready\n"
	  "breach receiving.practitioner ready\n"
	  "escalation receiving.manager ready\n", "mo@council.test pat@council.test " },
	{ "an answer before it went takes a decision back",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, "2026-11-26T17:30:00Z" },
	    { RECORD, "2026-11-26T18:00:00Z", "withdrawn" }, { RUN, FRI9 } },
	  "inform receiving.practitioner cancelled (ended by a recorded event before it went)\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner cancelled (ended by a recorded event before it went)\n"
	  "breach receiving.practitioner cancelled (ended by a recorded event before it went)\n"
	  "escalation receiving.manager cancelled (ended by a recorded event before it went)\n", "" },
	{ "an answer that was recorded late is in time",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RECORD, THU16, "withdrawn" }, { RUN, FRI10 } },
	  "inform receiving.practitioner cancelled (ended by a recorded event before it went)\n"
	  "reminder receiving.practitioner cancelled (ended by a recorded event before it went)\n"
	  "reminder receiving.practitioner cancelled (ended by a recorded event before it went)\n", "" },
	{ "those who were told are stood down",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, FRI9 }, { MAILED },
	    { RECORD, FRI10, "withdrawn" }, { RUN, "2026-11-30T10:00:00Z" } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner accepted\n"
	  "escalation receiving.manager accepted\n"
	  "cleared receiving.practitioner ready\n"
	  "cleared receiving.manager ready\n",
	  "mo@council.test pat@council.test mo@council.test pat@council.test " },
	{ "nobody is stood down who was never told",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, FRI9 },
	    { RECORD, FRI10, "withdrawn" }, { RUN, FRI10 } },
	  "inform receiving.practitioner cancelled (ended by a recorded event before it went)\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner cancelled (ended by a recorded event before it went)\n"
	  "breach receiving.practitioner cancelled (ended by a recorded event before it went)\n"
	  "escalation receiving.manager cancelled (ended by a recorded event before it went)\n"
	  "cleared receiving.practitioner cancelled (nothing had been sent that needs standing down)\n"
	  "cleared receiving.manager cancelled (nothing had been sent that needs standing down)\n", NULL },
	{ "a raising that is taken back stands down those it told",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, FRI9 }, { MAILED },
	    { VOID, FRI10, "voided" }, { RUN, "2026-11-30T10:00:00Z" } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner accepted\n"
	  "escalation receiving.manager accepted\n"
	  "cleared receiving.practitioner ready\n"
	  "cleared receiving.manager ready\n",
	  "mo@council.test pat@council.test mo@council.test pat@council.test " },
	{ "so are those whom a mail in doubt may have told, though a person cancels its resend",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, FRI9 }, { DOUBT }, { PERSON, NULL, "ready" },
	    { PERSON, NULL, "cancelled" }, { RECORD, FRI10, "withdrawn" }, { RUN, "2026-11-30T10:00:00Z" } },
	  "inform receiving.practitioner cancelled\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner cancelled\n"
	  "breach receiving.practitioner cancelled\n"
	  "escalation receiving.manager cancelled\n"
	  "cleared receiving.practitioner ready\n"
	  "cleared receiving.manager ready\n", NULL },
	{ "or the answer does, after a person asked for it",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, FRI9 }, { DOUBT }, { PERSON, NULL, "ready" },
	    { RECORD, FRI10, "withdrawn" }, { RUN, "2026-11-30T10:00:00Z" } },
	  "inform receiving.practitioner cancelled (ended by a recorded event before it went)\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner cancelled (ended by a recorded event before it went)\n"
	  "breach receiving.practitioner cancelled (ended by a recorded event before it went)\n"
	  "escalation receiving.manager cancelled (ended by a recorded event before it went)\n"
	  "cleared receiving.practitioner ready\n"
	  "cleared receiving.manager ready\n", NULL },
	{ "or it is held after the second doubt",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, FRI9 }, { DOUBT }, { RUN, FRI10 }, { DOUBT },
	    { RECORD, "2026-11-27T11:00:00Z", "withdrawn" }, { RUN, "2026-11-30T10:00:00Z" } },
	  "inform receiving.practitioner held\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner held\n"
	  "breach receiving.practitioner held\n"
	  "escalation receiving.manager held\n"
	  "cleared receiving.practitioner ready\n"
	  "cleared receiving.manager ready\n", NULL },
	{ "or the raising is taken back",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, FRI9 }, { DOUBT }, { PERSON, NULL, "cancelled" },
	    { VOID, FRI10, "voided" }, { RUN, "2026-11-30T10:00:00Z" } },
	  "inform receiving.practitioner cancelled\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner cancelled\n"
	  "breach receiving.practitioner cancelled\n"
	  "escalation receiving.manager cancelled\n"
	  "cleared receiving.practitioner ready\n"
	  "cleared receiving.manager ready\n", NULL },
	{ "a new ledger adopts what is past, and says so once",
	  { { STORE }, { RAISE, OLD }, { RUN, MON10 }, { RUN, MON10 } },
	  NULL, "inbox@partnership.test " },
	{ "what comes after an empty first cycle is not adopted",
	  { { STORE }, { RUN, MON9 }, { RAISE, "2026-11-20T10:00:00Z" }, { RUN, MON10 } },
	  "inform receiving.practitioner ready\n"
	  "reminder receiving.practitioner ready\n", "pat@council.test " },
	{ "an unknown policy version decides nothing",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10, "9" }, { RUN, FRI10 } }, "", "" },
	{ "a clock before 2026 decides nothing",
	  { { STORE }, { RUN, "2025-12-31T23:59:59Z" }, { RAISE, "2025-12-01T10:00:00Z" },
	    { RUN, "2025-12-31T23:59:59Z" } }, "", "" },
	{ "a clock set back by ten minutes decides nothing",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { RUN, MON10 }, { RAISE, MON9 },
	    { RUN, "2026-11-23T09:49:00Z" } }, "", "pat@council.test " },
	{ "a clock set back by a few minutes is borne",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { RUN, MON10 }, { RAISE, MON9 },
	    { RUN, "2026-11-23T09:56:00Z" } }, "inform receiving.practitioner decided\n",
	  "pat@council.test " },
	{ "a clock that jumps forward by two days decides nothing",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { JUMP, WED9 } }, "", "" },
	{ "once it is set back, all goes on",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { JUMP, WED9 }, { JUMP, MON9 } },
	  "inform receiving.practitioner ready\n", "pat@council.test " },
	{ "a new start confirms it",
	  { { STORE }, { RUN, MON9 }, { RAISE, WED9 }, { JUMP, WED9 }, { RESTART }, { JUMP, WED9 } },
	  "inform receiving.practitioner ready\n", "pat@council.test " },
	{ "or a person does, and it goes on at the next poll",
	  { { STORE }, { RUN, MON9 }, { RAISE, WED9 }, { JUMP, WED9 }, { CONFIRM, WED9 }, { JUMP, WED10 } },
	  "inform receiving.practitioner ready\n", "pat@council.test " },
	{ "a confirmation from before the jump confirms nothing",
	  { { STORE }, { RUN, MON9 }, { CONFIRM, MON9 }, { RAISE, WED9 }, { JUMP, WED9 } }, "", "" },
	{ "nor does one of a jump for the next jump",
	  { { STORE }, { RUN, MON9 }, { RAISE, WED9 }, { JUMP, WED9 }, { CONFIRM, WED9 }, { JUMP, WED9 },
	    { RAISE, "2027-12-28T09:00:00Z" }, { JUMP, "2027-12-28T10:00:00Z" } }, "", "pat@council.test " },
	{ "nor one that was given by a clock further on",
	  { { STORE }, { RUN, MON9 }, { RAISE, WED9 }, { CONFIRM, FRI9 }, { JUMP, WED9 } }, "", "" },
	{ "a jump of 400 days decides nothing",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { JUMP, "2027-12-28T09:00:00Z" } }, "", "" },
	{ "nor one to the end of 32 bits",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { JUMP, "2038-01-19T03:14:08Z" } }, "", "" },
	{ "nor one to 2100",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { JUMP, "2100-01-01T09:00:00Z" } }, "", "" },
	{ "nor one back to 1970, and then all goes on",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { JUMP, "1970-01-01T00:00:00Z" }, { JUMP, MON10 } },
	  "inform receiving.practitioner ready\n", "pat@council.test " },
	{ "a clock of 1970 cannot be confirmed",
	  { { STORE }, { RUN, MON9 }, { RAISE, "1969-12-31T00:00:00Z" }, { JUMP, "1970-01-01T00:00:00Z" },
	    { CONFIRM, "1970-01-01T00:00:00Z" }, { JUMP, "1970-01-01T00:00:00Z" } }, "", "" },
	{ "an hour forward and back sends nothing twice",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { RUN, MON9 }, { JUMP, MON10 }, { JUMP, MON9 }, { JUMP, MON10 } },
	  "inform receiving.practitioner ready\n", "pat@council.test " },
	{ "a day back decides nothing until it is set",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { RUN, TUE9 }, { RAISE, MON9 }, { JUMP, MON9 } }, "",
	  "pat@council.test " },
	{ "a day back that is right as it stands is confirmed",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { RUN, WED9 }, { RAISE, TUE9 }, { JUMP, TUE9 },
	    { CONFIRM, TUE9 }, { JUMP, TUE9 } },
	  "inform receiving.practitioner ready\n", NULL },
	{ "and stays so at a new start",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { RUN, WED9 }, { RAISE, TUE9 }, { JUMP, TUE9 },
	    { CONFIRM, TUE9 }, { RESTART }, { JUMP, TUE9 } },
	  "inform receiving.practitioner ready\n", NULL },
	{ "what was worked out in a false future is worked out anew",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, "2100-01-01T09:00:00Z" }, { JUMP, TUE9 },
	    { CONFIRM, TUE9 }, { RAISE, MON10 }, { JUMP, TUE9 } },
	  "inform receiving.practitioner ready\nreminder receiving.practitioner ready\n", NULL },
	{ "once confirmed, another step back is seen",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { RUN, WED9 }, { RAISE, TUE9 }, { JUMP, TUE9 },
	    { CONFIRM, TUE9 }, { JUMP, MON10 } }, "", NULL },
	{ "a jump of a day is borne",
	  { { STORE }, { RUN, MON9 }, { RAISE, TUE9 }, { JUMP, TUE9 } },
	  "inform receiving.practitioner ready\n", "pat@council.test " },
	{ "without a store nothing is decided", { { RUN, MON9 } }, "", "" },
	{ "a store that appears is read",
	  { { RUN, MON9 }, { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 } },
	  "inform receiving.practitioner ready\n", "pat@council.test " },
	{ "what a changed policy alone makes due at once is held",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 }, { MAILED }, { RUN, WED9 }, { MAILED },
	    { LIMIT, NULL, "1 working day" }, { RUN, WED10 } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner held (due by a configuration that is not approved)\n"
	  "escalation receiving.manager held (due by a configuration that is not approved)\n",
	  "pat@council.test pat@council.test ", 1 },
	{ "a restart does not let it out",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, WED9 }, { MAILED },
	    { LIMIT, NULL, "1 working day" }, { RUN, WED10 }, { RESTART }, { RUN, WED10 }, { RUN, THU16 } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner held (due by a configuration that is not approved)\n"
	  "escalation receiving.manager held (due by a configuration that is not approved)\n",
	  "pat@council.test ", 1 },
	{ "somebody approves it, and it goes",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, WED9 }, { MAILED },
	    { LIMIT, NULL, "1 working day" }, { RUN, WED10 }, { APPROVE }, { RUN, WED10 } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner ready (approved)\n"
	  "escalation receiving.manager ready (approved)\n",
	  "pat@council.test mo@council.test pat@council.test ", 1 },
	{ "a slip that is corrected takes it back",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, WED9 }, { MAILED },
	    { LIMIT, NULL, "1 working day" }, { RUN, WED10 }, { LIMIT, NULL, "3 working days" }, { RUN, WED10 } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner cancelled (the facts no longer ask for it)\n"
	  "escalation receiving.manager cancelled (the facts no longer ask for it)\n",
	  "pat@council.test ", 2 },
	{ "and what was taken back goes when its time really comes",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, WED9 }, { MAILED },
	    { LIMIT, NULL, "1 working day" }, { RUN, WED10 }, { LIMIT, NULL, "3 working days" }, { RUN, WED10 },
	    { RUN, THU17 }, { RUN, FRI9 } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner ready\n"
	  "escalation receiving.manager ready\n",
	  "pat@council.test mo@council.test pat@council.test ", 2 },
	{ "what is held goes when the approved policy asks for it as well",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, WED9 }, { MAILED },
	    { LIMIT, NULL, "1 working day" }, { RUN, WED10 }, { RUN, THU17 }, { RUN, FRI9 } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner ready (the approved configuration asks for it as well)\n"
	  "escalation receiving.manager ready (the approved configuration asks for it as well)\n",
	  "pat@council.test mo@council.test pat@council.test ", 1 },
	{ "a challenge raised after the change follows it, approved or not",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON9 }, { RUN, TUE9 }, { RUN, WED9 }, { MAILED },
	    { LIMIT, NULL, "1 working day" }, { RUN, WED10 }, { RAISE, WED10 }, { RUN, THU17 }, { RUN, FRI9 } },
	  "inform receiving.practitioner ready\n" /* a reminder would fall before the start */
	  "breach receiving.practitioner ready\n"
	  "escalation receiving.manager ready\n", NULL, 1 },
	{ "what the change makes due later is told in its time",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 }, { MAILED },
	    { LIMIT, NULL, "1 working day" }, { RUN, MON10 }, { RUN, "2026-11-24T17:00:00Z" }, { RUN, WED9 } },
	  "inform receiving.practitioner accepted\n"
	  "breach receiving.practitioner ready\n"
	  "escalation receiving.manager ready\n",
	  NULL, 1 },
	{ "a longer limit sends nothing again and moves the rest",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, WED9 }, { MAILED },
	    { LIMIT, NULL, "5 working days" }, { RUN, WED10 }, { RUN, FRI9 }, { RUN, "2026-11-30T09:00:00Z" } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n",
	  "pat@council.test inbox@partnership.test ", 1 }, /* Monday's watch-list */
	{ "a holiday announced nine days ahead moves the breach by a day",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, WED9 }, { MAILED },
	    { CLOSE, NULL, "2026-11-26" }, { RUN, WED10 }, { RUN, THU17 }, { RUN, FRI10 }, { RUN, "2026-11-27T17:00:00Z" } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner decided\n"
	  "escalation receiving.manager decided\n", "pat@council.test ", 1 },
	{ "an answer that is taken back lets the breach go after all",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, WED9 }, { MAILED },
	    { RECORD, WED10, "withdrawn" }, { RUN, FRI9 }, { UNDO, FRI9, "voided" }, { RUN, FRI10 } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner ready\n"
	  "escalation receiving.manager ready\n", NULL },
	{ "an answer in time that was typed in late stands down those who were told",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, FRI9 }, { MAILED },
	    { RECORD, THU16, "withdrawn" }, { RUN, FRI10 } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner accepted\n"
	  "escalation receiving.manager accepted\n"
	  "cleared receiving.practitioner decided\n" /* one mail a day */
	  "cleared receiving.manager decided\n", NULL },
	{ "a deadline that moves after it was told stands nobody down",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, FRI9 }, { MAILED },
	    { LIMIT, NULL, "20 working days" }, { RUN, FRI10 } },
	  "inform receiving.practitioner accepted\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner accepted\n"
	  "breach receiving.practitioner accepted\n"
	  "escalation receiving.manager accepted\n", NULL, 1 },
	{ "a mail waits for the hours of its recipient's agency",
	  { { STORE }, { SCHOOL }, { RUN, MON9 }, { RAISE, "2026-11-25T09:30:00Z" }, { RUN, WED10 },
	    { RUN, "2026-11-25T11:59:00Z" } },
	  "inform receiving.practitioner decided\n", "" },
	{ "when the agency opens it goes",
	  { { STORE }, { SCHOOL }, { RUN, MON9 }, { RAISE, "2026-11-25T09:30:00Z" }, { RUN, WED10 },
	    { RUN, "2026-11-25T12:00:00Z" } },
	  "inform receiving.practitioner ready\n", "pat@council.test " },
	{ "school holidays silence nothing: after a working day it goes, to the cover and the business unit as well",
	  { { STORE }, { SCHOOL, NULL, "cover@partnership.test" }, { RUN, MON9 }, { RAISE, THU16 }, { RUN, THU16 },
	    { RUN, "2026-11-26T16:30:00Z" }, { RUN, FRI9 }, { RUN, FRI9 } },
	  "inform receiving.practitioner ready\n"
	  "reminder receiving.practitioner decided\n"
	  "inform receiving.practitioner/cover ready\n"
	  "inform receiving.practitioner/closed ready\n",
	  "pat@council.test cover@partnership.test inbox@partnership.test " },
	{ "it is deferred by no more than that, but by that",
	  { { STORE }, { SCHOOL, NULL, "cover@partnership.test" }, { RUN, MON9 }, { RAISE, THU16 }, { RUN, THU16 },
	    { RUN, "2026-11-27T08:59:00Z" } },
	  "inform receiving.practitioner decided\n", "" },
	{ "without a cover the partnership's inbox answers",
	  { { STORE }, { SCHOOL }, { RUN, MON9 }, { RAISE, THU16 }, { RUN, THU16 }, { RUN, FRI9 }, { RUN, FRI9 } },
	  "inform receiving.practitioner ready\n"
	  "reminder receiving.practitioner decided\n"
	  "inform receiving.practitioner/cover ready\n"
	  "inform receiving.practitioner/closed ready\n", "pat@council.test inbox@partnership.test " },
	{ "an answer while it waits takes it back",
	  { { STORE }, { SCHOOL }, { RUN, MON9 }, { RAISE, THU16 }, { RUN, THU16 },
	    { RECORD, THU17, "withdrawn" }, { RUN, FRI9 } },
	  "inform receiving.practitioner cancelled (ended by a recorded event before it went)\n", "" },
	{ "immediate risk waits for nobody's hours",
	  { { STORE }, { SCHOOL }, { RUN, MON9 }, { RAISE, THU16 }, { RECORD, THU16, "immediate_risk" }, { RUN, THU16 } },
	  "inform receiving.practitioner decided\n"
	  "risk receiving.manager ready\n", "mo@council.test " },
	{ "in a flat agency the next rung is told as well",
	  { { STORE }, { FLAT }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 }, { RUN, FRI9 }, { RUN, FRI9 } },
	  "inform receiving.manager ready\n"
	  "breach receiving.manager ready\n"
	  "escalation receiving.manager ready\n"
	  "escalation receiving.practitioner ready\n",
	  "mo@council.test mo@council.test pat@council.test " },
	{ "and it is stood down with the others",
	  { { STORE }, { FLAT }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, MON10 }, { RUN, FRI9 }, { RUN, FRI9 }, { MAILED },
	    { RECORD, FRI10, "withdrawn" }, { RUN, "2026-11-30T10:00:00Z" } },
	  "inform receiving.manager accepted\n"
	  "breach receiving.manager accepted\n"
	  "escalation receiving.manager accepted\n"
	  "escalation receiving.practitioner accepted\n"
	  "cleared receiving.manager ready\n"
	  "cleared receiving.practitioner ready\n", NULL },
	{ "where the rung brings somebody new, no other is told",
	  { { STORE }, { RUN, MON9 }, { RAISE, MON10 }, { RUN, FRI9 }, { RUN, FRI9 } },
	  "inform receiving.practitioner ready\n"
	  "reminder receiving.practitioner cancelled (later reminder due)\n"
	  "reminder receiving.practitioner ready\n"
	  "breach receiving.practitioner ready\n"
	  "escalation receiving.manager ready\n", NULL },
	/* clang-format on */
};

static void attempt_all(struct bench *bench, enum delivery_state outcome)
{
	struct error error = { 0 };

	for (;;) {
		CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };
		struct ledger_outcome taken = { .state = outcome,
						.reply = "250 ok",
						.next_attempt = INSTANT_NEVER,
						.reason = "" };
		int found;

		MUST(ledger_begin(bench->ledger, &error));
		found = ledger_claim(bench->ledger, bench->now, &mail, &error);
		MUST(found);
		if (found == 1)
			MUST(ledger_record(bench->ledger, mail.id, &taken, bench->now, &error));
		MUST(ledger_commit(bench->ledger, &error));
		if (found == 0)
			return;
	}
}

struct mail_ids {
	int64_t id[64];
	size_t count;
};

static int note_mail(void *context, const struct ledger_mail *mail)
{
	struct mail_ids *ids = context;

	assert_true(ids->count < COUNT(ids->id));
	ids->id[ids->count++] = mail->id;
	return 0;
}

static void decide_all(struct bench *bench, const char *state)
{
	enum delivery_state to = (enum delivery_state)delivery_state_parse(state);
	struct mail_ids all = { 0 };
	struct error error = { 0 };

	MUST(ledger_mails(bench->ledger, -1, note_mail, &all, &error));
	for (size_t i = 0; i < all.count; i++) {
		int r = ledger_decide_mail(bench->ledger, all.id[i], to, "A. Person", "so",
					   bench->now, &error);

		assert_true(r == 0 || r == -EINVAL);
	}
}

/* The file anew, with one thing in it replaced. */
static void rewrite(struct bench *bench, const char *name, const char *text, const char *find,
		    const char *with)
{
	CLEANUP(text_clear) struct text changed = { 0 };
	const char *place = strstr(text, find);

	assert_non_null(place);
	text_append_bytes(&changed, text, (size_t)(place - text));
	text_append(&changed, with);
	text_append(&changed, place + strlen(find));
	write_file(bench->folder, name, "%s", text_string(&changed));
}

static void close_day(struct bench *bench, const char *day)
{
	CLEANUP(text_clear) struct text main = { 0 };
	const char *place = strstr(main_file, "%s");
	char closures[100];

	text_append_bytes(&main, main_file, (size_t)(place - main_file));
	text_append(&main, bench->setup.config->templates);
	text_append(&main, place + 2);
	(void)snprintf(closures, sizeof closures,
		       "\"09:00-17:00\"; }; closures = ( { from = \"%s\"; } ); },", day);
	rewrite(bench, "main.conf", text_string(&main), "\"09:00-17:00\"; }; },", closures);
}

/* As the daemon does on SIGHUP. */
static void reload(struct bench *bench)
{
	static struct world_of_bench room;
	struct setup before = bench->setup;
	struct fault_list faults = { 0 };
	struct error error = { 0 };
	char path[200];

	(void)snprintf(path, sizeof path, "%s/main.conf", bench->folder);
	MUST(setup_load(path, &bench->setup, &faults, &error));
	fault_list_clear(&faults);
	room.clock = bench_clock;
	room.clock.self = bench;
	room.world = (struct world){ bench->setup.config, bench->setup.languages, bench->ledger,
				     &room.clock };
	MUST(pass_configure(bench->pass, &room.world, &error));
	setup_clear(&before);
}

static void keep_school_hours(struct bench *bench, const char *cover)
{
	struct agency agency = {
		.id = "council", .name = "council", .telephone = "", .calendar = "school"
	};
	struct contact contact = { .agency = "health",
				   .role = "practitioner",
				   .name = "Cover",
				   .email = cover,
				   .language = "en",
				   .active = true,
				   .away_from = INSTANT_NEVER,
				   .away_until = INSTANT_NEVER,
				   .confirmed_at = INSTANT_NEVER };
	const struct agency was = {
		.id = agency.id, .name = "", .telephone = "", .calendar = ""
	};
	struct error error = { 0 };

	if (cover != NULL)
		MUST(register_contact(bench->registrar, &contact, &agency.cover, &error));
	MUST(register_change_agency(bench->registrar, &was, &agency, &error));
}

/* As challengectl does. */
static void approve(struct bench *bench)
{
	CLEANUP(text_clear) struct text digest = { 0 };
	struct error error = { 0 };
	size_t released;

	MUST(ledger_get(bench->ledger, "configuration", &digest, &error));
	MUST(ledger_set(bench->ledger, "approved", text_string(&digest), &error));
	MUST(ledger_release_notices(bench->ledger, 0, "A. Person", "approved", bench->now,
				    &released, &error));
}

static void confirm_clock(struct bench *bench, struct instant when)
{
	struct ledger *ledger;
	struct error error = { 0 };
	int r;

	MUST(ledger_open(bench->folder, LEDGER_PERSON, &ledger, &error));
	r = ledger_confirm_clock(ledger, when, "A. Person", "looked at it", &error);
	ledger_close(ledger);
	assert_int_equal(r, instant_before(when, (struct instant){ 1767225600 }) ? -EINVAL : 0);
}

static void act(struct bench *bench, enum act what, const char *when, const char *word)
{
	struct pass_report report;
	struct error error = { 0 };
	struct recording recording;

	switch (what) {
	case END:
		return;
	case STORE:
		create_store(bench);
		return;
	case RAISE:
		raise(bench, word == NULL ? "1" : word, at(when));
		return;
	case RECORD:
	case VOID:
	case UNDO:
		recording = recording_of(word, at(when),
					 what == VOID ? bench->challenge /* raising: one each */
					 : what == UNDO ? bench->events[bench->event_count - 1]
							: 0);
		MUST(register_event(bench->registrar, bench->challenge, &recording,
				    &bench->events[bench->event_count++], &error));
		return;
	case JUMP:
	case RUN:
		if (what == RUN)
			bench->boot += at(when).seconds - bench->now.seconds;
		bench->now = at(when);
		do
			MUST(pass_run(bench->pass, &report, &error));
		while (report.more || report.proving);
		if (report.trouble == PASS_GOOD)
			assert_int_equal(report.proof.verdict,
					 bench->lost ? PROOF_BROKEN : PROOF_KEPT);
		return;
	case MAILED:
		attempt_all(bench, DELIVERY_ACCEPTED);
		return;
	case DOUBT:
		attempt_all(bench, DELIVERY_IN_DOUBT);
		return;
	case PERSON:
		decide_all(bench, word);
		return;
	case LIMIT:
		rewrite(bench, "policies/p.conf", policy_file, "3 working days", word);
		reload(bench);
		return;
	case CLOSE:
		close_day(bench, word);
		reload(bench);
		return;
	case SCHOOL:
		keep_school_hours(bench, word);
		return;
	case FLAT:
		write_file(bench->folder, "policies/p.conf", "%s", flat_policy_file);
		reload(bench);
		return;
	case APPROVE:
		approve(bench);
		return;
	case CONFIRM:
		confirm_clock(bench, at(when));
		return;
	case RESTART:
		pass_destroy(bench->pass);
		bench->pass = NULL;
		ledger_close(bench->ledger);
		bench->ledger = NULL;
		MUST(ledger_open(bench->folder, LEDGER_WRITE, &bench->ledger, &error));
		{
			static struct world_of_bench room;

			open_pass(bench, &room);
		}
		return;
	}
}

static void say_history(struct bench *bench, struct text *ret)
{
	struct ledger_notice *notices = NULL;
	struct error error = { 0 };
	size_t count = 0;

	MUST(ledger_history(bench->ledger, bench->challenge, &notices, &count, &error));
	for (size_t i = 0; i < count; i++)
		text_appendf(ret, "%s %s %s%s%s%s\n", notice_kind_name(notices[i].kind),
			     notices[i].role, delivery_state_name(notices[i].state),
			     notices[i].reason[0] == '\0' ? "" : " (", notices[i].reason,
			     notices[i].reason[0] == '\0' ? "" : ")");
	ledger_notices_free(notices, count);
}

static int say_mail(void *context, const struct ledger_mail *mail)
{
	text_appendf(context, "%s ", mail->recipient);
	return 0;
}

static int count_moves(void *context, const struct ledger_entry *entry)
{
	*(int *)context += strcmp(entry->kind, "moved") == 0;
	return 0;
}

static void plays(void **state)
{
	const struct scene *scene = *state;
	struct bench *bench = NULL;
	CLEANUP(text_clear) struct text history = { 0 };
	CLEANUP(text_clear) struct text mails = { 0 };
	struct error error = { 0 };
	int moved = 0;

	assert_int_equal(set_up((void **)&bench), 0);
	for (size_t i = 0; i < COUNT(scene->acts); i++)
		act(bench, scene->acts[i].act, scene->acts[i].at, scene->acts[i].word);
	say_history(bench, &history);
	MUST(ledger_mails(bench->ledger, -1, say_mail, &mails, &error));
	if (getenv("SHOW") != NULL)
		printf("%s:\n%s%s\n", scene->name, text_string(&history), text_string(&mails));
	MUST(ledger_trail(bench->ledger, 0, 0, count_moves, &moved, &error));
	assert_int_equal(moved, scene->moved);
	if (scene->want != NULL)
		assert_string_equal(text_string(&history), scene->want);
	if (scene->mails != NULL)
		assert_string_equal(text_string(&mails), scene->mails);
	assert_int_equal(tear_down((void **)&bench), 0);
}

/* --- a store that is exchanged in the middle of a pass --------------------------------------
 */

struct exchange {
	const char *name;
	const char *before; /* in the question to the ledger, ahead of which it happens */
	const char *when;
	const char *want; /* then, and once the right store is back */
	const char *back;
	struct bench *bench;
	bool done;
};

static struct exchange exchanges[] = {
	/* clang-format off */
	{ .name = "an older copy, put there before what changed is decided, decides nothing",
	  .before = "'change_seq'", .when = "2026-11-23T11:00:00Z",
	  .want = "inform receiving.practitioner accepted\n",
	  .back = "inform receiving.practitioner accepted\nrisk receiving.manager ready\n" },
	{ .name = "nor before what is due is",
	  .before = "FROM schedule WHERE next <=", .when = TUE9,
	  .want = "inform receiving.practitioner accepted\n",
	  .back = "inform receiving.practitioner accepted\nreminder receiving.practitioner ready\n" },
	{ .name = "nor does it take back what is about to be written",
	  .before = "n.mail IS NULL AND n.send_at <=", .when = "2026-11-23T11:00:00Z",
	  .want = "inform receiving.practitioner accepted\nrisk receiving.manager decided\n",
	  .back = "inform receiving.practitioner accepted\nrisk receiving.manager ready\n" },
	/* clang-format on */
};

/* As cp does: the file is the same, what is in it is not. */
static void copy_file(struct bench *bench, const char *from, const char *to)
{
	char command[300];

	(void)snprintf(command, sizeof command, "cp %s/%s %s/%s", bench->folder, from,
		       bench->folder, to);
	assert_int_equal(system(command), 0);
}

static int note_question(unsigned type, void *context, void *statement, void *text)
{
	struct exchange *exchange = context;
	char *sql = sqlite3_expanded_sql(statement);

	(void)type;
	(void)text;
	if (!exchange->done && sql != NULL && strstr(sql, exchange->before) != NULL) {
		exchange->done = true;
		copy_file(exchange->bench, "older.db", "store.db");
	}
	sqlite3_free(sql);
	return 0;
}

static void assert_history(struct bench *bench, const char *want)
{
	CLEANUP(text_clear) struct text history = { 0 };

	say_history(bench, &history);
	assert_string_equal(text_string(&history), want);
}

static void decides_nothing_from_an_older_copy(void **state)
{
	struct exchange *exchange = *state;
	struct bench *bench = NULL;
	struct pass_report report;
	struct error error = { 0 };

	assert_int_equal(set_up((void **)&bench), 0);
	exchange->bench = bench;
	act(bench, STORE, NULL, NULL);
	act(bench, RUN, MON9, NULL);
	act(bench, RAISE, MON10, NULL);
	act(bench, RUN, MON10, NULL);
	act(bench, MAILED, NULL, NULL);
	copy_file(bench, "store.db", "older.db");
	act(bench, RECORD, MON10, "acknowledged");
	act(bench, RUN, MON10, NULL);
	if (strcmp(exchange->when, TUE9) != 0) /* then the reminder is due */
		act(bench, RECORD, "2026-11-23T10:30:00Z", "immediate_risk");
	copy_file(bench, "store.db", "right.db");
	(void)sqlite3_trace_v2(bench->ledger->db, SQLITE_TRACE_STMT, note_question, exchange);
	bench->boot += at(exchange->when).seconds - bench->now.seconds;
	bench->now = at(exchange->when);
	MUST(pass_run(bench->pass, &report, &error));
	assert_true(exchange->done);
	assert_int_equal(report.trouble, PASS_DOUBT);
	assert_false(report.more);
	assert_history(bench, exchange->want);
	MUST(pass_run(bench->pass, &report, &error));
	assert_int_equal(report.trouble, PASS_DOUBT);
	assert_history(bench, exchange->want);
	copy_file(bench, "right.db", "store.db");
	act(bench, RUN, exchange->when, NULL);
	assert_history(bench, exchange->back);
	assert_int_equal(tear_down((void **)&bench), 0);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(scenes) + COUNT(exchanges)];

	for (size_t i = 0; i < COUNT(exchanges); i++)
		tests[COUNT(scenes) + i] =
			(struct CMUnitTest){ .name = exchanges[i].name,
					     .test_func = decides_nothing_from_an_older_copy,
					     .initial_state = &exchanges[i] };
	for (size_t i = 0; i < COUNT(scenes); i++)
		tests[i] = (struct CMUnitTest){ .name = scenes[i].name,
						.test_func = plays,
						.initial_state = (void *)&scenes[i] };
	return cmocka_run_group_tests_name("pass", tests, NULL, NULL);
}
