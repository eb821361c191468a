/*
 * faults.c - every operation of the disk, and every allocation, fails in turn.
 *
 * T10 and T11 of the programme, over a scripted life: the ledger is made, challenges come in,
 * are decided, rendered, sent and answered, the configuration is read anew. Each case fails one
 * operation, once or for ten minutes from then on; when a daemon ends over it, it is started
 * again as systemd would. In the end the same people must have been told the same, and what
 * scene_check says must hold. Allocations are those of our own code, of SQLite and of jansson.
 *
 *   faults disk            operations of the disk, with every error that each can answer
 *   faults memory          allocations
 *   faults KIND CASE       that one, aloud
 *
 * FAULTS_EVERY=1 takes all of them, else each so-manieth from FAULTS_FIRST on, by default from
 * anywhere.
 */
#include "player.h"
#include "scene.h"

#include "adapter/ledger_internal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	WORKERS = 2,
	LASTS = 600, /* seconds that a lasting fault lasts */
	OPERATIONS_MOST = 20000,
	HOUR = 3600,
	DAY = 86400,
	RESTART = 20,
	SECONDS_MOST = 20, /* of one case, on a busy machine: it takes a tenth of one */
};

static const struct {
	enum disk_operation operation;
	int code;
} answers[] = {
	{ DISK_OPEN, SQLITE_CANTOPEN },       { DISK_OPEN, SQLITE_IOERR },
	{ DISK_READ, SQLITE_IOERR_READ },     { DISK_READ, SQLITE_CORRUPT },
	{ DISK_WRITE, SQLITE_IOERR_WRITE },   { DISK_WRITE, SQLITE_FULL },
	{ DISK_SYNC, SQLITE_IOERR_FSYNC },    { DISK_TRUNCATE, SQLITE_IOERR_TRUNCATE },
	{ DISK_SIZE, SQLITE_IOERR_FSTAT },    { DISK_LOCK, SQLITE_BUSY },
	{ DISK_LOCK, SQLITE_IOERR_LOCK },     { DISK_UNLOCK, SQLITE_IOERR_UNLOCK },
	{ DISK_DELETE, SQLITE_IOERR_DELETE }, { DISK_ACCESS, SQLITE_IOERR_ACCESS },
};

struct failure {
	long number; /* of the operation or the allocation, from 1; 0: none */
	int code;    /* SQLITE_NOMEM: an allocation */
	bool lasts;
};

struct outcome {
	bool done;
	bool failed;
	size_t ends; /* how often the daemon ended over it */
	char said[400];
};

static struct {
	struct failure fault;
	bool in_daemon;
	bool crowded; /* more mails were in hand than there are connections */
	long turns;
	long given;
	long operations;
	long allocations;
	int64_t fault_until;
	int64_t open_at;
	size_t ends;
	enum disk_operation operation; /* the one that failed */
	unsigned char kinds[OPERATIONS_MOST];
} life;

/* --- what fails ----------------------------------------------------------------------------
 */

static int gate(enum disk_operation operation, const char *path)
{
	(void)path;
	if (!life.in_daemon)
		return SQLITE_OK;
	life.operations++;
	if (life.operations < OPERATIONS_MOST)
		life.kinds[life.operations] = (unsigned char)operation;
	if (life.fault.code == SQLITE_NOMEM || life.fault.number == 0)
		return SQLITE_OK;
	if (life.operations == life.fault.number) {
		life.operation = operation;
		life.fault_until = scene.boot + LASTS;
		return life.fault.code;
	}
	return life.fault.lasts && life.operations > life.fault.number &&
			       operation == life.operation && scene.boot < life.fault_until
		       ? life.fault.code
		       : SQLITE_OK;
}

static bool is_refused(void)
{
	long number;

	if (!life.in_daemon)
		return false;
	number = ++life.allocations;
	if (life.fault.code != SQLITE_NOMEM || number < life.fault.number)
		return false;
	if (number == life.fault.number)
		life.fault_until = scene.boot + LASTS;
	return number == life.fault.number ||
	       (life.fault.lasts && scene.boot < life.fault_until);
}

/* The linker leads our own code's calls here (--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *string);
char *__real_strndup(const char *string, size_t count);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *string);
char *__wrap_strndup(const char *string, size_t count);

void *__wrap_malloc(size_t size)
{
	return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return is_refused() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *string)
{
	return is_refused() ? NULL : __real_strdup(string);
}

char *__wrap_strndup(const char *string, size_t count)
{
	return is_refused() ? NULL : __real_strndup(string, count);
}

static sqlite3_mem_methods own_methods;

static void *sqlite_malloc(int size)
{
	return is_refused() ? NULL : own_methods.xMalloc(size);
}

static void *sqlite_realloc(void *memory, int size)
{
	return is_refused() ? NULL : own_methods.xRealloc(memory, size);
}

static void refuse_libraries(void)
{
	sqlite3_mem_methods methods;

	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &own_methods) != SQLITE_OK)
		exit(2);
	methods = own_methods;
	methods.xMalloc = sqlite_malloc;
	methods.xRealloc = sqlite_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
		exit(2);
	json_set_alloc_funcs(__wrap_malloc, free);
}

/* --- the life ------------------------------------------------------------------------------
 */

/* Now and then there is no process to give a mail to. */
static struct relay_plan choose(const struct sender_mail *mail)
{
	(void)mail;
	return life.given++ % 4 == 1 ? (struct relay_plan){ .no_start = true }
				     : relay_accepts(1);
}

static void note_given(const struct sender_mail *mail)
{
	(void)mail;
	life.in_daemon = false; /* the test's own question */
	life.crowded = life.crowded || scene_is_crowded();
	life.in_daemon = true;
}

static void ended(const struct error *error)
{
	if (error->code == 0 || error->text[0] == '\0') {
		(void)printf("failed without a word\n");
		_exit(1);
	}
	if (error->code != EIO && error->code != EBADMSG && scene.engine.post != NULL)
		return; /* the service tries again at the next poll */
	scene_close();
	life.ends++;
	life.open_at = scene.boot + RESTART;
}

/* What the senders said, and the poll; either may come first. */
static int take_and_poll(struct error *error)
{
	struct pass_report report = { .wake = INSTANT_NEVER };
	bool poll_first = life.turns++ % 2 == 1;
	int r = poll_first ? scene_cycle(&report, error) : scene_take(error);

	if (r < 0)
		return r;
	return poll_first ? scene_take(error) : scene_cycle(&report, error);
}

static void daemon_turn(void)
{
	struct error error = { 0 };

	life.in_daemon = true;
	if (!scene.open && scene.boot >= life.open_at && scene_open(&error) < 0)
		ended(&error);
	else if (scene.open && take_and_poll(&error) < 0)
		ended(&error);
	life.in_daemon = false;
}

static void live(int64_t seconds, int64_t step)
{
	for (int64_t until = scene.boot + seconds; scene.boot < until; scene.boot += step)
		daemon_turn();
}

static void reload(void)
{
	struct error error = { 0 };

	if (!scene.open)
		return;
	life.in_daemon = true;
	if (scene_reload(3, &error) < 0)
		ended(&error);
	life.in_daemon = false;
}

/* Whoever finds the store locked, by a read that the daemon could not end for want of memory,
 * tries again after its next poll. */
static int64_t raise_until_it_is_there(int64_t days_ago)
{
	int64_t id = scene_raise(instant_add(scene_now(), -days_ago * DAY));

	for (int tries = 1; id == 0 && tries < 3; tries++) {
		live(60, 60);
		id = scene_raise(instant_add(scene_now(), -days_ago * DAY));
	}
	return id;
}

/* Every part is short against the deadlines, so that a fault delays and changes nothing. */
static void script(void)
{
	int64_t first;
	int64_t second;

	live(LASTS + 60, 60);
	first = raise_until_it_is_there(2);
	second = raise_until_it_is_there(8);
	live(2 * HOUR, 300);
	(void)scene_record(first, "immediate_risk", scene_now(), 0);
	(void)scene_record(second, "resolved", scene_now(), 0);
	live(30, 15);
	reload();
	live(HOUR, 300);
	life.fault = (struct failure){ 0 };
	live(2 * HOUR, 120);
	while (!scene.open || post_state(scene.engine.post).busy > 0) {
		daemon_turn();
		scene.boot++;
	}
	scene_close();
}

/* Who was told what: the same whatever the order, and however many mails it took. */
static uint64_t told(void)
{
	static const char sql[] = "SELECT n.challenge || n.kind || n.obligation || n.step ||"
				  " n.role FROM notice n JOIN mail m ON m.id = n.mail"
				  " WHERE m.state = 'accepted' AND n.state = 'decided'";
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	struct error error = { 0 };
	uint64_t sum = 0;

	if (ledger_open(scene.folder, LEDGER_READ, &ledger, &error) < 0 ||
	    database_prepare(ledger->db, sql, &statement, &error) < 0)
		return 0;
	while (sqlite3_step(statement) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		sum += relay_digest(text, "", 0);
	}
	return sum;
}

static void play(const struct failure *fault, uint64_t wanted, struct outcome *outcome)
{
	uint64_t found;

	life.fault = *fault;
	disk_gate = gate;
	relay_choose = choose;
	relay_given = note_given;
	script();
	disk_gate = NULL;
	outcome->failed = scene_check(true, outcome->said) != 0;
	found = told();
	if (!outcome->failed && life.crowded) {
		outcome->failed = true;
		(void)snprintf(outcome->said, sizeof outcome->said,
			       "a mail went while another was not recorded yet");
	}
	if (!outcome->failed && wanted != 0 && found != wanted) {
		outcome->failed = true;
		(void)snprintf(outcome->said, sizeof outcome->said, "others were told");
	}
	outcome->ends = life.ends;
	outcome->done = true;
}

/* --- every case ----------------------------------------------------------------------------
 */

static struct failure *cases;
static size_t case_count;

static void add_case(long number, int code)
{
	for (int lasts = 0; lasts < 2; lasts++) {
		cases = realloc(cases, (case_count + 1) * sizeof *cases);
		if (cases == NULL)
			exit(2);
		cases[case_count++] =
			(struct failure){ .number = number, .code = code, .lasts = lasts != 0 };
	}
}

struct measure {
	struct outcome outcome;
	long operations;
	long allocations;
	uint64_t told;
	unsigned char kinds[OPERATIONS_MOST];
};

/* A child lives it without a fault. */
static void measure(struct measure *measure)
{
	struct failure none = { 0 };

	if (fork() == 0) {
		play(&none, 0, &measure->outcome);
		measure->operations = life.operations;
		measure->allocations = life.allocations;
		measure->told = told();
		memcpy(measure->kinds, life.kinds, sizeof life.kinds);
		_exit(0);
	}
	(void)wait(NULL);
	if (!measure->outcome.done || measure->outcome.failed || measure->told == 0) {
		(void)printf("without a fault: %s\n", measure->outcome.said);
		exit(1);
	}
}

/* Which of them are taken, so that in time all are. */
static long begin_at(size_t *every)
{
	*every = number_from("FAULTS_EVERY", 31);
	return 1 + (long)(number_from("FAULTS_FIRST", (size_t)time(NULL)) % *every);
}

static void plan_disk(const struct measure *measure, long first, size_t every)
{
	for (long n = first; n <= measure->operations && n < OPERATIONS_MOST; n += (long)every)
		for (size_t i = 0; i < COUNT(answers); i++)
			if (answers[i].operation == measure->kinds[n])
				add_case(n, answers[i].code);
}

static void plan_memory(const struct measure *measure, long first, size_t every)
{
	for (long n = first; n <= measure->allocations; n += (long)every)
		add_case(n, SQLITE_NOMEM);
}

static void run_cases(uint64_t wanted, struct outcome *outcomes)
{
	for (size_t i = 0; i < case_count; i++) {
		if (i >= WORKERS)
			(void)wait(NULL);
		if (fork() == 0) {
			(void)alarm(SECONDS_MOST);
			play(&cases[i], wanted, &outcomes[i]);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
}

static int report(const char *kind, const struct outcome *outcomes)
{
	size_t failed = 0;
	size_t ends = 0;

	for (size_t i = 0; i < case_count; i++) {
		ends += outcomes[i].ends;
		if (outcomes[i].done && !outcomes[i].failed)
			continue;
		(void)printf("case %zu: %s %ld, answer %d%s: %s\n", i, kind, cases[i].number,
			     cases[i].code, cases[i].lasts ? ", lasting" : "",
			     outcomes[i].done ? outcomes[i].said : "it broke off");
		failed++;
	}
	(void)printf("faults: %zu cases of %s, the daemon ended over %zu of them; %zu failed\n",
		     case_count, kind, ends, failed);
	return failed > 0 || case_count < 100;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	struct measure *measured = shared(sizeof *measured);
	struct outcome *outcomes;
	size_t every;
	long first;
	int failed;

	if (strcmp(kind, "disk") != 0 && strcmp(kind, "memory") != 0) {
		(void)fprintf(stderr, "Usage: faults disk|memory [CASE]\n");
		return 2;
	}
	refuse_libraries();
	scene_begin();
	measure(measured);
	first = begin_at(&every);
	(strcmp(kind, "disk") == 0 ? plan_disk : plan_memory)(measured, first, every);
	outcomes = shared((case_count + 1) * sizeof *outcomes);
	(void)printf("%ld operations of the disk, %ld allocations; each %zuth from "
		     "FAULTS_FIRST=%ld\n",
		     measured->operations, measured->allocations, every, first - 1);
	(void)fflush(stdout);
	if (argc > 2) {
		scene_loud = true;
		play(&cases[strtoull(argv[2], NULL, 10) % case_count], measured->told,
		     outcomes);
		(void)printf("%s\n", outcomes->failed ? outcomes->said : "well");
		return outcomes->failed;
	}
	run_cases(measured->told, outcomes);
	failed = report(kind, outcomes);
	scene_end();
	return failed;
}
