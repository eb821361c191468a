/* scene.c - see scene.h. */
#include "scene.h"

#include "adapter/ledger_internal.h"
#include "service/facts.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 2026-03-02T08:00:00Z, a Monday: the clocks change and Easter comes within 120 days. */
enum { FIRST_MOMENT = 1772438400, FIRST_BOOT = 100000 };

struct scene scene;
uint64_t scene_seed = 1;
uint64_t scene_trace;
size_t scene_said[JOURNAL_EVENT_COUNT];
bool scene_loud;
void (*scene_heard)(enum journal_event event, const char *line);

static const char main_file[] =
	"store = \"store.db\"; state = \"state\"; policies = \"policies%d\";\n"
	"templates = \"%s/conf/templates\";\n"
	"calendars = ( { id = \"england\"; zone = \"Europe/London\"; hours = {\n"
	"  monday = \"09:00-17:00\"; tuesday = \"09:00-17:00\"; wednesday = \"09:00-17:00\";\n"
	"  thursday = \"09:00-17:00\"; friday = \"09:00-16:30\"; };\n"
	"  holidays = { file = \"%s/conf/bank-holidays.json\";\n"
	"    division = \"england-and-wales\"; }; } );\n"
	"roles = ( { id = \"practitioner\"; title = \"Practitioner\"; instead = [ \"manager\" "
	"]; "
	"},\n"
	"  { id = \"manager\"; title = \"Line manager\"; },\n"
	"  { id = \"director\"; title = \"Director\"; },\n"
	"  { id = \"business_unit\"; title = \"Business unit\"; } );\n"
	"partnership = { agency = \"partnership\"; inbox = \"inbox@partnership.test\";\n"
	"  emergency = \"Telephone 999.\"; };\n"
	"mail = { relay = \"smtp://127.0.0.1:25\"; from = \"Challenge "
	"<no@partnership.test>\";\n"
	"  connections = %d; per_minute = %d; per_person_per_day = %d; hold_above = 200;\n"
	"  allow_domains = [ \"partnership.test\", \"council.test\", \"health.test\" ]; };\n"
	"alarm = { to = [ \"it@partnership.test\" ]; daily = \"08:30\"; };\n";

static const char policy_file[] =
	"policy = { id = \"p\"; version = \"1\"; title = \"Policy\"; calendar = \"england\";\n"
	"  urgencies = [ \"standard\" ];\n"
	"  acknowledge = { mutes = \"1 working day\"; };\n"
	"  quiet = { after = \"5 working days\"; tell = [ \"partnership.business_unit\" ]; };\n"
	"  immediate = { tell = [ \"receiving.manager\" ]; };\n"
	"  stages = ( { id = \"one\"; title = \"Stage 1\"; owner = "
	"\"receiving.practitioner\";\n"
	"      limit = \"%d working days\"; remind = [ \"50%%\", \"1 working day before\" ];\n"
	"      breach = { escalate_to = \"two\"; tell = [ \"owner\", \"raising.practitioner\" "
	"]; "
	"}; },\n"
	"    { id = \"two\"; title = \"Stage 2\"; owner = \"receiving.manager\";\n"
	"      inform = [ \"partnership.business_unit\" ]; obligations = (\n"
	"        { id = \"agree\"; starts = \"stage\"; ends = [ \"agreed\", \"not_agreed\" ];\n"
	"          limit = \"2 working days\"; firm = false; remind = [ \"1 working day "
	"before\" ];\n"
	"          breach = { tell = [ \"owner\" ]; };\n"
	"          repeat = { every = \"1 working day\"; times = 3; }; },\n"
	"        { id = \"meeting\"; starts = \"not_agreed\"; ends = [ \"meeting_held\" ];\n"
	"          limit = \"48 hours\"; breach = { escalate_to = \"three\"; }; } ); },\n"
	"    { id = \"three\"; title = \"Stage 3\"; owner = \"receiving.director\";\n"
	"      limit = \"10 working days\"; } );\n"
	"  overall = ( { id = \"feedback\"; owner = \"receiving.manager\"; starts = "
	"\"resolved\";\n"
	"      ends = [ \"outcome_shared\", \"closed\" ]; limit = \"2 working days\"; } ); "
	"};\n";

static const struct {
	int connections;
	int per_minute;
	int per_person;
	int working_days;
} paces[SCENE_SETUPS] = { { 1, 30, 10, 3 }, { 3, 6, 2, 3 }, { 2, 0, 0, 2 }, { 3, 60, 0, 3 } };

static const struct {
	const char *agency;
	const char *role;
	const char *email;
} people[] = {
	{ "partnership", "business_unit", "unit@partnership.test" },
	{ "council", "practitioner", "cora@council.test" },
	{ "council", "practitioner", "carl@council.test" },
	{ "council", "manager", "colm@council.test" },
	{ "council", "director", "cleo@council.test" },
	{ "health", "practitioner", "hal@health.test" },
	{ "health", "manager", "hope@health.test" },
};

/* --- in the place of the world -------------------------------------------------------------
 */

ssize_t getrandom(void *bytes, size_t count, unsigned flags);

ssize_t getrandom(void *bytes, size_t count, unsigned flags)
{
	(void)flags;
	for (size_t i = 0; i < count; i++)
		((unsigned char *)bytes)[i] = (unsigned char)disk_random(&scene_seed);
	return (ssize_t)count;
}

int malloc_trim(size_t pad)
{
	(void)pad;
	return 0; /* a process that lives for a second gives nothing back */
}

static void trace(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		scene_trace = (scene_trace ^ (unsigned char)*c) * 0x100000001b3u;
}

void journal_send(enum journal_event event, const struct journal_field *fields,
		  size_t field_count, const char *format, ...)
{
	char line[1000];
	char when[40];
	va_list arguments;

	(void)fields;
	(void)field_count;
	va_start(arguments, format);
	(void)vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	(void)snprintf(when, sizeof when, "%lld %d ", (long long)scene.boot, (int)event);
	trace(when);
	trace(line);
	scene_said[event]++;
	if (scene_heard != NULL)
		scene_heard(event, line);
	if (scene_loud) {
		char now[INSTANT_TEXT_SIZE];

		(void)fprintf(stderr, "%s [%d] %s\n", instant_format(scene_now(), 0, now),
			      (int)event, line);
	}
}

bool journal_is_open(enum journal_event event)
{
	(void)event;
	return true;
}

const char *journal_message_id(enum journal_event event)
{
	(void)event;
	return "";
}

const char *journal_event_name(enum journal_event event)
{
	(void)event;
	return "";
}

struct instant scene_now(void)
{
	return (struct instant){ scene.boot + scene.offset };
}

static struct instant told_now(void *self)
{
	(void)self;
	return scene_now();
}

static int64_t told_boot(void *self)
{
	(void)self;
	return scene.boot;
}

/* What the writers of the store see is the right time: they are other machines. */
static int64_t disk_second(void)
{
	return scene.boot + FIRST_MOMENT - FIRST_BOOT;
}

/* --- the partnership -----------------------------------------------------------------------
 */

static void must(bool held, const char *what)
{
	if (held)
		return;
	perror(what);
	exit(2);
}

#define MUST(call)                                                                          \
	do {                                                                                \
		if ((call) < 0) {                                                           \
			(void)fprintf(stderr, "%s: %s: %s\n", __func__, #call, error.text); \
			exit(2);                                                            \
		}                                                                           \
	} while (0)

static void write_setup(int number)
{
	char path[200];
	char here[300];
	FILE *file;

	must(getcwd(here, sizeof here) != NULL, "getcwd");
	(void)snprintf(path, sizeof path, "%s/policies%d", scene.folder, number);
	must(mkdir(path, 0700) == 0, path);
	(void)snprintf(path, sizeof path, "%s/policies%d/p.conf", scene.folder, number);
	file = fopen(path, "w");
	must(file != NULL, path);
	(void)fprintf(file, policy_file, paces[number].working_days);
	(void)fclose(file);
	(void)snprintf(path, sizeof path, "%s/main%d.conf", scene.folder, number);
	file = fopen(path, "w");
	must(file != NULL, path);
	(void)fprintf(file, main_file, number, here, here, paces[number].connections,
		      paces[number].per_minute, paces[number].per_person);
	(void)fclose(file);
}

static void load_setups(void)
{
	for (int i = 0; i < SCENE_SETUPS; i++) {
		struct fault_list faults = { 0 };
		struct error error = { 0 };
		char path[200];

		write_setup(i);
		(void)snprintf(path, sizeof path, "%s/main%d.conf", scene.folder, i);
		if (setup_load(path, &scene.setups[i], &faults, &error) < 0) {
			scene_loud = true;
			setup_log_faults(&faults);
			exit(2);
		}
		fault_list_clear(&faults);
	}
}

static void fill_store(void)
{
	static const char *const agencies[] = { "partnership", "council", "health" };
	struct error error = { 0 };

	MUST(register_init(scene.store, &error));
	disk_begin();
	disk_now = disk_second;
	disk_import(scene.store);
	MUST(register_open(scene.store, &scene.registrar, &error));
	for (size_t i = 0; i < COUNT(agencies); i++) {
		struct agency agency = {
			.id = agencies[i], .name = agencies[i], .telephone = "", .calendar = ""
		};

		MUST(register_agency(scene.registrar, &agency, &error));
	}
	for (size_t i = 0; i < COUNT(people); i++) {
		struct contact contact = { .agency = people[i].agency,
					   .role = people[i].role,
					   .name = "Somebody",
					   .email = people[i].email,
					   .language = "en",
					   .active = true,
					   .away_from = INSTANT_NEVER,
					   .away_until = INSTANT_NEVER,
					   .confirmed_at = INSTANT_NEVER };
		int64_t id;

		MUST(register_contact(scene.registrar, &contact, &id, &error));
	}
}

void scene_begin(void)
{
	char path[200];
	int made;

	(void)mallopt(M_MMAP_THRESHOLD, 64 << 20); /* whole files come and go */
	(void)strcpy(scene.folder, "/tmp/test-sim-XXXXXX");
	must(mkdtemp(scene.folder) != NULL, scene.folder);
	scene.boot = FIRST_BOOT;
	scene.offset = FIRST_MOMENT - FIRST_BOOT;
	scene.clock = (struct clock){ .now = told_now, .boot_seconds = told_boot };
	load_setups();
	(void)snprintf(scene.store, sizeof scene.store, "%s/store.db", scene.folder);
	(void)snprintf(scene.ledger, sizeof scene.ledger, "%s/ledger.db", scene.folder);
	made = creat(scene.ledger, 0600); /* the ledger looks whether there is a file */
	must(made >= 0, scene.ledger);
	(void)close(made);
	(void)snprintf(path, sizeof path, "%s", scene.ledger);
	fill_store();
	disk_import(scene.ledger);
}

void scene_end(void)
{
	char command[100];

	register_close(scene.registrar);
	for (size_t i = 0; i < SCENE_SETUPS; i++)
		setup_clear(&scene.setups[i]);
	(void)snprintf(command, sizeof command, "rm -r %s", scene.folder);
	must(system(command) == 0, command);
}

/* --- the daemon ----------------------------------------------------------------------------
 */

int scene_open(struct error *error)
{
	struct engine *engine = &scene.engine;
	struct world world;
	int r;

	*engine = (struct engine){ .clock = &scene.clock,
				   .setup = scene.setups[scene.setup],
				   .lock = -1 };
	scene.open = true;
	r = ledger_open(scene.folder, LEDGER_WRITE, &engine->ledger, error);
	if (r < 0)
		return r;
	world = (struct world){ engine->setup.config, engine->setup.languages, engine->ledger,
				engine->clock };
	r = heartbeat_create("sender", engine->clock, &engine->heartbeat, error);
	if (r == 0)
		r = pass_create(&world, &engine->pass, error);
	if (r == 0)
		r = post_create(&world, "sender", &engine->post, error);
	return r;
}

void scene_close(void)
{
	heartbeat_destroy(scene.engine.heartbeat);
	post_destroy(scene.engine.post);
	pass_destroy(scene.engine.pass);
	ledger_close(scene.engine.ledger);
	scene.engine = (struct engine){ .lock = -1 };
	scene.open = false;
}

void scene_killed(uint64_t *random)
{
	relay_daemon_died(random);
	scene.engine = (struct engine){ .lock = -1 };
	scene.open = false;
	scene.registrar =
		NULL; /* its locks went with the daemon's: the disk is one process's */
	disk_all_closed();
}

int scene_cycle(struct pass_report *ret, struct error *error)
{
	int r;

	ledger_hold(scene.engine.ledger);
	r = engine_cycle(&scene.engine, ret, error);
	ledger_let_go(scene.engine.ledger);
	if (r >= 0 && ret->trouble == PASS_GOOD)
		scene.good_at = scene.boot;
	return r;
}

int scene_take(struct error *error)
{
	int r;

	ledger_hold(scene.engine.ledger);
	r = post_take(scene.engine.post, scene_now(), error);
	ledger_let_go(scene.engine.ledger);
	return r;
}

bool scene_is_crowded(void)
{
	int64_t counts[DELIVERY_STATE_COUNT] = { 0 };
	struct error error = { 0 };

	return ledger_count(scene.engine.ledger, counts, &error) == 0 &&
	       counts[DELIVERY_ATTEMPTING] > scene.engine.setup.config->mail.connections;
}

int scene_reload(size_t setup, struct error *error)
{
	struct engine *engine = &scene.engine;
	struct world world;
	int r;

	scene.setup = setup;
	engine->setup = scene.setups[setup];
	world = (struct world){ engine->setup.config, engine->setup.languages, engine->ledger,
				engine->clock };
	r = pass_configure(engine->pass, &world, error);
	if (r >= 0)
		r = post_configure(engine->post, &world, error);
	if (r >= 0 && engine->recovered)
		engine_note(engine, "reloaded");
	return r;
}

/* --- the people ----------------------------------------------------------------------------
 */

static struct recording recording(const char *kind, struct instant at, int64_t voids)
{
	return (struct recording){
		.event = { .kind = kind,
			   .stage = "",
			   .at = at,
			   .due = strcmp(kind, "paused") == 0
					  ? instant_add(at, 3 * (int64_t)SECONDS_PER_DAY)
					  : INSTANT_NEVER,
			   .voids = voids,
			   .value = strcmp(kind, "resolved") == 0 ? "changed" : "",
			   .recorded_at = { disk_second() } },
		.by = "",
		.note = "",
	};
}

static int open_register(struct error *error)
{
	return scene.registrar != NULL ? 0
				       : register_open(scene.store, &scene.registrar, error);
}

int64_t scene_raise(struct instant at)
{
	struct challenge challenge = { .reference = "",
				       .policy = "p",
				       .policy_version = "1",
				       .urgency = "",
				       .concerns = "child",
				       .category = "",
				       .raising_agency = "health",
				       .receiving_agency = "council",
				       .protect_by = INSTANT_NEVER };
	struct recording raised = recording("raised", at, 0);
	struct registered made = { 0 };
	struct error error = { 0 };

	/* Whoever records tries again, when the store is locked. */
	if (open_register(&error) < 0 || register_challenge(scene.registrar, &challenge, 2026,
							    &raised, 1, &made, &error) < 0)
		return 0;
	return made.id;
}

int64_t scene_record(int64_t challenge, const char *kind, struct instant at, int64_t voids)
{
	struct recording event = recording(kind, at, voids);
	struct error error = { 0 };
	int64_t id = 0;

	if (open_register(&error) < 0 ||
	    register_event(scene.registrar, challenge, &event, &id, &error) < 0)
		return 0;
	return id;
}

/* --- what must hold ------------------------------------------------------------------------
 */

struct check {
	struct ledger *ledger;
	bool settled;
	char *said;
};

static int bad(struct check *check, const char *format, ...) PRINTF_LIKE(2, 3);
static int bad(struct check *check, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(check->said, 400, format, arguments);
	va_end(arguments);
	return 1;
}

static int check_file(struct check *check)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	struct ledger_verification found = { 0 };
	struct error error = { 0 };

	if (database_prepare(check->ledger->db, "PRAGMA integrity_check(1)", &statement,
			     &error) < 0 ||
	    sqlite3_step(statement) != SQLITE_ROW)
		return bad(check, "the ledger cannot be checked: %s", error.text);
	if (strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0)
		return bad(check, "the ledger's file is damaged: %s",
			   (const char *)sqlite3_column_text(statement, 0));
	database_finalizep(&statement);
	if (ledger_verify(check->ledger, &found, &error) < 0)
		return bad(check, "the chain cannot be verified: %s", error.text);
	if (found.what[0] != '\0')
		return bad(check, "the chain is not intact: %s", found.what);
	return 0;
}

/* One row of SQL, to which the present second may be added, that finds what must not be, with a
 * text in its first column. */
static int check_none(struct check *check, const char *what, const char *format)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	struct error error = { 0 };
	char sql[500];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
	(void)snprintf(sql, sizeof sql, format, (long long)scene_now().seconds);
#pragma GCC diagnostic pop
	if (database_prepare(check->ledger->db, sql, &statement, &error) < 0)
		return bad(check, "%s: %s", what, error.text);
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		return bad(check, "%s: %s", what,
			   (const char *)sqlite3_column_text(statement, 0));
	case SQLITE_DONE:
		return 0;
	default:
		return bad(check, "%s: %s", what, sqlite3_errmsg(check->ledger->db));
	}
}

struct mail_row {
	int64_t id;
	bool accepted;
	int64_t doubts;
	size_t copies;
};

static size_t let_go[LET_GO_MOST];

void scene_let_go(int64_t mail)
{
	if (mail > 0 && mail < LET_GO_MOST)
		let_go[mail]++;
}

/* Two at most, and the second after a doubt; each more is one that a person asked for. */
static size_t most_copies(const struct mail_row *mail)
{
	size_t most = mail->doubts == 0 ? 1 : 2;

	return most + (mail->id > 0 && mail->id < LET_GO_MOST ? let_go[mail->id] : 0);
}

static int check_copies(struct check *check, const struct mail_row *mail)
{
	uint64_t digest = 0;
	size_t copies = 0;

	for (size_t i = 0; i < relay_count; i++) {
		if (relay_log[i].mail != mail->id)
			continue;
		if (copies++ > 0 && relay_log[i].digest != digest)
			return bad(check, "mail %lld was resent with other bytes",
				   (long long)mail->id);
		digest = relay_log[i].digest;
	}
	if (copies > most_copies(mail) || copies > (size_t)mail->doubts + 1)
		return bad(check, "mail %lld was taken %zu times, with %lld doubts",
			   (long long)mail->id, copies, (long long)mail->doubts);
	if (mail->accepted && copies == 0)
		return bad(check, "mail %lld is called accepted, and no relay has it",
			   (long long)mail->id);
	return 0;
}

static int check_mails(struct check *check)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	struct error error = { 0 };

	if (database_prepare(check->ledger->db,
			     "SELECT id, state = 'accepted', doubts FROM mail ORDER BY id",
			     &statement, &error) < 0)
		return bad(check, "mails: %s", error.text);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		struct mail_row mail = { .id = sqlite3_column_int64(statement, 0),
					 .accepted = sqlite3_column_int(statement, 1) != 0,
					 .doubts = sqlite3_column_int64(statement, 2) };

		if (check_copies(check, &mail) != 0)
			return 1;
	}
	for (size_t i = 0; i < relay_count; i++) {
		int64_t there = 0;
		char sql[100];

		(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM mail WHERE id = %lld",
			       (long long)relay_log[i].mail);
		if (database_number(check->ledger->db, sql, &there, &error) != 1 || there != 1)
			return bad(check, "the relay has mail %lld, the ledger knows none",
				   (long long)relay_log[i].mail);
	}
	return 0;
}

/* Each told once: in another mail again only after a doubt. */
static const char sql_told_twice[] =
	"SELECT mn.notice FROM mail_notice mn JOIN mail m ON m.id = mn.mail"
	" WHERE m.state = 'accepted' GROUP BY mn.notice HAVING count(*) > 1";
static const char sql_without_reason[] =
	"SELECT id FROM notice WHERE state IN ('cancelled', 'held') AND reason = ''";
static const char sql_mail_waits[] =
	"SELECT state || ' mail ' || id || ', next ' || coalesce(next_attempt, 'never')"
	" FROM mail WHERE state IN ('ready', 'attempting', 'retry', 'in_doubt')";
static const char sql_notice_waits[] =
	"SELECT 'notice ' || id || ' for ' || send_at FROM notice"
	" WHERE state = 'decided' AND mail IS NULL AND send_at <= %lld";
static const char sql_refused_with_notice[] =
	"SELECT 'notice ' || n.id || ' in mail ' || m.id FROM notice n JOIN mail m ON m.id ="
	" n.mail WHERE m.state IN ('refused', 'cancelled') AND n.state = 'decided' AND NOT"
	" EXISTS (SELECT 1 FROM chain c WHERE c.mail = m.id AND c.kind = 'person')";

static int check_entries(struct check *check, struct facts *facts)
{
	for (size_t i = 0; i < facts->count; i++)
		for (size_t j = 0; j < facts->entries[i].to.count; j++) {
			struct ledger_notice notice = ledger_notice_of(
				facts->policy, facts->challenge, &facts->entries[i], j);
			static const char sql[] =
				"SELECT 1 FROM notice WHERE challenge = ?1 AND event = ?2 AND"
				" stage = ?3 AND obligation = ?4 AND kind = ?5 AND step = ?6"
				" AND occurrence = ?7 AND role = ?8";
			CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
			struct error error = { 0 };
			int r = ledger_ask(
				check->ledger, sql,
				VALUES(value_number(notice.challenge),
				       value_number(notice.event), value_text(notice.stage),
				       value_text(notice.obligation),
				       value_text(notice_kind_name(notice.kind)),
				       value_text(notice.step), value_number(notice.occurrence),
				       value_text(notice.role)),
				&statement, &error);

			if (r == 0)
				r = ledger_step(check->ledger, statement, &error);
			if (r != 1)
				return bad(check,
					   "lost: %s of %s, stage \"%s\", for %s, due %lld",
					   notice_kind_name(notice.kind), notice.reference,
					   notice.stage, notice.role,
					   (long long)notice.at.seconds);
		}
	return 0;
}

/* All that the policy asks for of what stands in the store now was decided, one way or another.
 */
static int check_store(struct check *check)
{
	CLEANUP(facts_clear) struct facts facts = { 0 };
	CLEANUP(store_closep) struct store *store = NULL;
	struct challenge *challenge = NULL;
	struct error error = { 0 };
	int r = store_open(scene.store, &store, &error);
	int wrong = 0;

	if (r == 0)
		r = store_begin(store, &error);
	if (r == 0)
		r = store_changed_since(store, 0, &error);
	while (r >= 0 && wrong == 0 && (r = store_next(store, &challenge, &error)) == 1) {
		const struct config *config = scene.setups[scene.setup].config;
		const struct policy *policy = config_policy(config, challenge->policy,
							    challenge->policy_version, &error);

		challenge_settle(challenge);
		r = facts_read(&facts, policy, challenge, scene_now(), &error);
		if (r >= 0)
			wrong = check_entries(check, &facts);
	}
	store_end(store);
	return wrong != 0 ? wrong : r < 0 ? bad(check, "the store: %s", error.text) : 0;
}

int scene_check(bool settled, char ret[static 400])
{
	int (*gate)(enum disk_operation, const char *) = disk_gate;
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct check check = { .settled = settled, .said = ret };
	struct error error = { 0 };
	int wrong;

	disk_gate = NULL;
	if (ledger_open(scene.folder, LEDGER_READ, &ledger, &error) < 0) {
		disk_gate = gate;
		return bad(&check, "the ledger cannot be opened: %s", error.text);
	}
	check.ledger = ledger;
	wrong = check_file(&check);
	if (wrong == 0)
		wrong = check_mails(&check);
	if (wrong == 0)
		wrong = check_none(&check, "told twice, and never in doubt", sql_told_twice);
	if (wrong == 0)
		wrong = check_none(&check, "not sent, and no reason given", sql_without_reason);
	if (wrong == 0)
		wrong = check_none(&check, "decided, and its mail will not go",
				   sql_refused_with_notice);
	if (wrong == 0 && settled)
		wrong = check_none(&check, "left waiting", sql_mail_waits);
	if (wrong == 0 && settled)
		wrong = check_none(&check, "left waiting", sql_notice_waits);
	if (wrong == 0 && settled)
		wrong = check_store(&check);
	disk_gate = gate;
	return wrong;
}
