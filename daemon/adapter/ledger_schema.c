/*
 * ledger_schema.c - the ledger's tables, and how a file of an older version becomes one of the
 * newest.
 */
#include "adapter/ledger_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "CHNL"; the store's is "CHND". */
enum { APPLICATION_ID = 0x43484E4C };

/* Instants are UTC seconds, NULL is "never". Words of state and kind are those that people see.
 */

/* clang-format off */
static const char schema_1[] =
	/* Small named values of the daemon itself: no evidence, not chained. */
	"CREATE TABLE meta ("
	"  name  TEXT PRIMARY KEY,"
	"  value ANY NOT NULL"
	") STRICT, WITHOUT ROWID;"

	/* One row: the end of the chain, the latest instant the daemon wrote, and the tallies
	 * (of mails by state, and of notices that have no mail). Written once a transaction. */
	"CREATE TABLE head ("
	"  one        INTEGER PRIMARY KEY CHECK (one = 1),"
	"  seq        INTEGER NOT NULL,"
	"  hash       BLOB NOT NULL,"
	"  latest     INTEGER NOT NULL,"
	"  notices    INTEGER NOT NULL,"
	"  mails      INTEGER NOT NULL,"
	"  decided    INTEGER NOT NULL DEFAULT 0,"
	"  ready      INTEGER NOT NULL DEFAULT 0,"
	"  attempting INTEGER NOT NULL DEFAULT 0,"
	"  accepted   INTEGER NOT NULL DEFAULT 0,"
	"  retry      INTEGER NOT NULL DEFAULT 0,"
	"  in_doubt   INTEGER NOT NULL DEFAULT 0,"
	"  refused    INTEGER NOT NULL DEFAULT 0,"
	"  cancelled  INTEGER NOT NULL DEFAULT 0,"
	"  held       INTEGER NOT NULL DEFAULT 0"
	") STRICT;"

	/* When each challenge's timeline speaks next: can be computed anew at any time. Negative:
	 * since that instant a mail that a person let go waits for it to be looked at. */
	"CREATE TABLE schedule ("
	"  challenge INTEGER PRIMARY KEY,"
	"  next      INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX schedule_next ON schedule (next);"

	/* A mail to one person; its final bytes lie in `body`. next_attempt: retry and
	 * in_doubt only. */
	"CREATE TABLE mail ("
	"  id            INTEGER PRIMARY KEY,"
	"  state         TEXT NOT NULL CHECK (state IN ('ready', 'attempting', 'accepted',"
	"                  'retry', 'in_doubt', 'refused', 'cancelled', 'held')),"
	"  contact       INTEGER NOT NULL," /* of the store; 0: the inbox */
	"  recipient     TEXT NOT NULL,"
	"  envelope_from TEXT NOT NULL,"
	"  message_id    TEXT NOT NULL,"
	"  date          INTEGER NOT NULL," /* the Date header */
	"  sha256        BLOB NOT NULL CHECK (length(sha256) = 32)," /* of the bytes */
	"  length        INTEGER NOT NULL,"
	"  attempts      INTEGER NOT NULL CHECK (attempts >= 0)," /* counted before connecting */
	"  doubts        INTEGER NOT NULL CHECK (doubts >= 0),"
	"  created       INTEGER NOT NULL,"
	"  next_attempt  INTEGER,"
	"  updated       INTEGER NOT NULL,"
	"  reply         TEXT NOT NULL" /* the relay's last words */
	") STRICT;"
	/* Small: mails leave it when they are settled. */
	"CREATE INDEX mail_live ON mail (state, next_attempt)"
	"  WHERE state IN ('ready', 'attempting', 'retry', 'in_doubt');"

	/* The bytes, erasable: purge deletes the row. */
	"CREATE TABLE body ("
	"  mail  INTEGER PRIMARY KEY REFERENCES mail,"
	"  bytes BLOB NOT NULL"
	") STRICT;"

	/* A decision to tell one role one thing, once: the key is UNIQUE. */
	"CREATE TABLE notice ("
	"  id             INTEGER PRIMARY KEY,"
	"  challenge      INTEGER NOT NULL," /* of the store */
	"  reference      TEXT NOT NULL,"
	"  policy         TEXT NOT NULL,"
	"  policy_version TEXT NOT NULL,"
	"  event          INTEGER NOT NULL," /* of the store: it started the clock */
	"  stage          TEXT NOT NULL," /* '': none */
	"  obligation     TEXT NOT NULL," /* '': none */
	"  kind           TEXT NOT NULL,"
	"  step           TEXT NOT NULL," /* '': none */
	"  occurrence     INTEGER NOT NULL,"
	"  role           TEXT NOT NULL," /* who holds it is looked up when it is rendered */
	"  at             INTEGER NOT NULL,"
	"  send_at        INTEGER NOT NULL,"
	"  started        INTEGER,"
	"  due            INTEGER,"
	"  firm           INTEGER NOT NULL CHECK (firm IN (0, 1)),"
	"  provisional    INTEGER NOT NULL CHECK (provisional IN (0, 1)),"
	"  state          TEXT NOT NULL CHECK (state IN ('decided', 'cancelled', 'held')),"
	"  reason         TEXT NOT NULL," /* why it is not sent; '' */
	"  mail           INTEGER REFERENCES mail,"
	"  UNIQUE (challenge, event, stage, obligation, kind, step, occurrence, role)"
	") STRICT;"
	"CREATE INDEX notice_waiting ON notice (send_at)"
	"  WHERE state = 'decided' AND mail IS NULL;"
	"CREATE INDEX notice_held ON notice (challenge)"
	"  WHERE state = 'held' AND mail IS NULL;"

	/* Which notices a mail carries or carried: stays when a notice moves to another mail. */
	"CREATE TABLE mail_notice ("
	"  mail   INTEGER NOT NULL REFERENCES mail,"
	"  notice INTEGER NOT NULL REFERENCES notice,"
	"  PRIMARY KEY (mail, notice)"
	") STRICT, WITHOUT ROWID;"

	/* Contacts whose address a relay has refused. */
	"CREATE TABLE refused ("
	"  contact INTEGER PRIMARY KEY,"
	"  at      INTEGER NOT NULL,"
	"  mail    INTEGER NOT NULL"
	") STRICT;"

	/* The chain. hash = SHA-256 over the hash of the entry before and all other columns
	 * of this one; commitment = SHA-256(salt || payload). Rows are never changed or
	 * deleted. */
	"CREATE TABLE chain ("
	"  seq        INTEGER PRIMARY KEY," /* from 1, without gaps */
	"  at         INTEGER NOT NULL,"
	"  kind       TEXT NOT NULL,"
	"  state      TEXT NOT NULL," /* of the notice or mail after it; '': of neither */
	"  challenge  INTEGER NOT NULL," /* 0: none; so too the next two */
	"  notice     INTEGER NOT NULL,"
	"  mail       INTEGER NOT NULL,"
	"  commitment BLOB NOT NULL CHECK (length(commitment) = 32),"
	"  hash       BLOB NOT NULL CHECK (length(hash) = 32)"
	") STRICT;"

	/* What the entries say; erasable, and without its salt a commitment tells nothing. */
	"CREATE TABLE payload ("
	"  seq  INTEGER PRIMARY KEY REFERENCES chain,"
	"  salt BLOB NOT NULL CHECK (length(salt) = 16),"
	"  text TEXT NOT NULL" /* one JSON object */
	") STRICT;";
/* clang-format on */

/* step[n] makes version n + 1 of version n. Add, never edit: somebody's ledger is of each. */
static const struct ledger_step released[] = {
	{ .what = "the first", .sql = schema_1 },
};
const struct ledger_steps ledger_released_steps = { released, COUNT(released) };

/* --- migration -----------------------------------------------------------------------------
 */

static int version_of(sqlite3 *db, const struct bringing *bringing, int64_t *ret,
		      struct error *error)
{
	int64_t id = 0;
	int64_t tables = 0;
	int result = database_number(db, "PRAGMA application_id", &id, error);

	if (result >= 0)
		result = database_number(db, "PRAGMA user_version", ret, error);
	if (result >= 0)
		result = database_number(db, "SELECT count(*) FROM sqlite_schema", &tables,
					 error);
	if (result < 0)
		return error_wrap(error, "%s", bringing->path);
	if (id == 0 && *ret == 0 && tables == 0)
		return 0; /* just created, or its creator was killed */
	if (id != APPLICATION_ID || *ret < 1)
		return error_set(error, EINVAL, "%s: this database is not a ledger",
				 bringing->path);
	if (*ret > (int64_t)bringing->steps->count)
		return error_set(error, EPROTO,
				 "%s: its version %lld was written by a newer challenge-notifyd"
				 " (this one knows %zu)",
				 bringing->path, (long long)*ret, bringing->steps->count);
	return 0;
}

static int first_rows(struct ledger *ledger, struct error *error)
{
	static const char sql_head[] = "INSERT INTO head (one, seq, hash, latest, notices,"
				       " mails) VALUES (1, 0, ?1, ?2, 0, 0)";
	static const char sql_secret[] = "INSERT INTO meta (name, value) VALUES ('secret', ?1)";
	unsigned char none[HASH_SIZE] = { 0 };
	unsigned char secret[HASH_SIZE];
	int result = ledger_random_bytes(ledger, secret, sizeof secret, error);

	if (result == 0)
		result = database_write(
			ledger->db, sql_head,
			VALUES(value_blob(none, sizeof none), value_number(INT64_MIN)), error);
	if (result == 0)
		result = database_write(ledger->db, sql_secret,
					VALUES(value_blob(secret, sizeof secret)), error);
	return result;
}

static void tell(const struct bringing *bringing)
{
	if (bringing->watch.tell != NULL)
		bringing->watch.tell(bringing->watch.context);
}

/* One statement after the other, and a word before each. */
static int run_step(sqlite3 *db, const struct bringing *bringing,
		    const struct ledger_step *step, struct error *error)
{
	const char *rest = step->sql;

	while (rest[0] != '\0') {
		CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
		int code;

		if (sqlite3_prepare_v2(db, rest, -1, &statement, &rest) != SQLITE_OK)
			return database_fail(db, error, "%s", step->what);
		if (statement == NULL)
			return 0; /* a comment, or the end */
		tell(bringing);
		do
			code = sqlite3_step(statement);
		while (code == SQLITE_ROW);
		if (code != SQLITE_DONE)
			return database_fail(db, error, "%s: %.60s", step->what,
					     sqlite3_sql(statement));
	}
	return 0;
}

/* What the steps made of it has to hold together before it is committed. */
static int check_result(sqlite3 *db, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *check = NULL;
	int64_t rows = 0;
	int result = database_number(db, "SELECT count(*) FROM pragma_foreign_key_check", &rows,
				     error);

	if (result >= 0 && rows != 0)
		return error_set(error, EBADMSG, "%lld rows would point at what is not there",
				 (long long)rows);
	if (result >= 0)
		result = database_prepare(db, "PRAGMA integrity_check(1)", &check, error);
	if (result < 0)
		return result;
	if (sqlite3_step(check) != SQLITE_ROW)
		return database_fail(db, error, "check the result");
	if (strcmp(column_string(check, 0), "ok") != 0)
		return error_set(error, EBADMSG, "the result is damaged: %s",
				 column_string(check, 0));
	return 0;
}

static int run_steps(struct ledger *ledger, const struct bringing *bringing,
		     struct error *error)
{
	const struct ledger_steps *steps = bringing->steps;
	char stamp[100];
	int result = 0;

	for (size_t i = (size_t)bringing->from; i < steps->count && result == 0; i++)
		result = run_step(ledger->db, bringing, &steps->step[i], error);
	if (result == 0 && bringing->from == 0)
		result = first_rows(ledger, error);
	if (result == 0 && bringing->from != 0)
		result = check_result(ledger->db, error);
	(void)snprintf(stamp, sizeof stamp,
		       "PRAGMA application_id = %d; PRAGMA user_version = %zu", APPLICATION_ID,
		       steps->count); /* fits */
	if (result == 0)
		result = database_run(ledger->db, stamp, error);
	return result;
}

/* Inside the transaction: another may have been first. */
static int migrate(struct ledger *ledger, struct bringing *bringing, struct error *error)
{
	int result = version_of(ledger->db, bringing, &bringing->from, error);

	if (result < 0 || bringing->from == (int64_t)bringing->steps->count)
		return result;
	/* Nobody else can write from here on, so the copy is of what the steps find. */
	if (bringing->from != 0)
		result = ledger_copy_before(bringing, error);
	if (result == 0)
		result = run_steps(ledger, bringing, error);
	if (result == 0)
		result = database_run(ledger->db, "COMMIT", error);
	if (result < 0 && bringing->from != 0)
		(void)error_wrap(error, "%s stays at version %lld", bringing->path,
				 (long long)bringing->from);
	return result;
}

static int migrate_whole(struct ledger *ledger, struct bringing *bringing, struct error *error)
{
	int result = database_run(ledger->db, "BEGIN IMMEDIATE", error);

	if (result == 0)
		result = migrate(ledger, bringing, error);
	if (sqlite3_get_autocommit(ledger->db) == 0)
		(void)sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL,
				   NULL); /* nothing to do, or the first error is told */
	return result;
}

static int refuse_older(const struct bringing *bringing, struct error *error)
{
	if (bringing->from == 0)
		return error_set(error, ENOENT, "%s: nothing is in it yet", bringing->path);
	return error_set(error, ESTALE,
			 "%s: its version %lld is older than the %zu that this program works "
			 "with",
			 bringing->path, (long long)bringing->from, bringing->steps->count);
}

int ledger_bring_up(struct ledger *ledger, struct bringing *bringing, struct error *error)
{
	int result = version_of(ledger->db, bringing, &bringing->from, error);

	ledger->version = (int64_t)bringing->steps->count;
	ledger->found = ledger->version;
	if (result < 0 || bringing->from == ledger->version)
		return result;
	if (ledger->access != LEDGER_WRITE)
		return refuse_older(bringing, error);
	database_watch(ledger->db, &bringing->watch);
	/* A step may build a table anew; check_result looks at what points where. */
	result = database_run(ledger->db, "PRAGMA foreign_keys = OFF", error);
	if (result == 0)
		result = migrate_whole(ledger, bringing, error);
	if (result == 0)
		result = database_run(ledger->db, "PRAGMA foreign_keys = ON", error);
	database_watch(ledger->db, &(struct database_watch){ 0 });
	if (result < 0)
		return result;
	/* The copy of the version before this one stays. */
	(void)ledger_remove_copies(bringing->folder, bringing->from);
	if (bringing->from != 0)
		ledger->found = bringing->from;
	return 0;
}
