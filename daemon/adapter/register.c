/* register.c - see register.h; the schema it makes is conf/store.sql, word for word. */
#include "adapter/register.h"

#include "adapter/database.h"
#include "base/text.h"
#include "core/address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	APPLICATION_ID = 0x43484E44,
	SCHEMA_VERSION = 1,
	BUSY_MS = 5000,
	STORE_MODE = 0660,
};

/* ISO C promises 4095 characters of string; the compilers that build this have no limit. */
#pragma GCC diagnostic ignored "-Woverlength-strings"
static const char schema[] =
#include "store_sql.inc"
	;

struct registrar {
	sqlite3 *db;
	bool batch; /* between register_batch_begin and _end: each change is a savepoint */
};

/* --- init -----------------------------------------------------------------------------------
 */

static int sync_path(const char *path, int flags, struct error *error)
{
	int descriptor = open(path, flags | O_CLOEXEC);
	int result = 0;

	if (descriptor < 0 || fsync(descriptor) < 0) {
		int code = errno;

		result = error_set(error, code, "%s: %s", path, strerror(code));
	}
	if (descriptor >= 0)
		(void)close(descriptor); /* synced above */
	return result;
}

static int sync_folder(const char *path, struct error *error)
{
	CLEANUP(text_clear) struct text folder = { 0 };
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		text_append(&folder, ".");
	else if (slash == path)
		text_append(&folder, "/");
	else
		text_append_bytes(&folder, path, (size_t)(slash - path));
	if (text_failed(&folder))
		return error_memory(error);
	return sync_path(text_string(&folder), O_RDONLY | O_DIRECTORY, error);
}

static int build(const char *path, struct error *error)
{
	CLEANUP(database_closep) sqlite3 *db = NULL;
	int result = database_open(path, &(struct database_options){ 0 }, &db, error);

	if (result < 0)
		return result;
	if (sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return database_fail(db, error, "%s", path);
	return 0;
}

/* The file under its temporary name, whole and on disk; then linked to where nothing stands. */
static int build_and_link(const char *temporary, const char *path, struct error *error)
{
	/* A journal of that name would be played back into the new store. */
	int result = build(temporary, error);

	if (result == 0 && chmod(temporary, STORE_MODE) < 0)
		result = error_set(error, errno, "%s: its mode cannot be set", temporary);
	/* The connection is closed: no lock of this process on it is lost by opening it. */
	if (result == 0)
		result = sync_path(temporary, O_RDONLY, error);
	if (result == 0 && link(temporary, path) < 0) {
		int code = errno;

		result = error_set(error, code, "%s: %s", path,
				   code == EEXIST ? "there is a file already" : strerror(code));
	}
	return result;
}

/* A journal left beside the path by another store would be played back into this one. */
static int check_absent(const char *path, const char *suffix, struct error *error)
{
	CLEANUP(text_clear) struct text name = { 0 };
	struct stat status;

	text_appendf(&name, "%s%s", path, suffix);
	if (text_failed(&name))
		return error_memory(error);
	if (lstat(text_string(&name), &status) == 0)
		return error_set(error, EEXIST, "%s: there is a file already",
				 text_string(&name));
	return 0;
}

int register_init(const char *path, struct error *error)
{
	CLEANUP(text_clear) struct text temporary = { 0 };
	CLEANUP(text_clear) struct text journal = { 0 };
	int descriptor;
	int result = check_absent(path, "", error);

	if (result == 0)
		result = check_absent(path, "-journal", error);
	if (result == 0)
		result = check_absent(path, "-wal", error);
	if (result < 0)
		return result;
	text_appendf(&temporary, "%s.new-XXXXXX", path);
	if (text_failed(&temporary))
		return error_memory(error);
	descriptor = mkostemp(temporary.data, O_CLOEXEC);
	if (descriptor < 0) {
		int code = errno;

		return error_set(error, code, "%s: %s", path, strerror(code));
	}
	(void)close(descriptor); /* empty still: nothing to lose */
	text_appendf(&journal, "%s-journal", temporary.data);
	result = text_failed(&journal) ? error_memory(error)
				       : build_and_link(temporary.data, path, error);
	/* A name too many does no harm: it is told apart by ".new-". */
	(void)unlink(temporary.data);
	if (journal.data != NULL)
		(void)unlink(journal.data);
	return result < 0 ? result : sync_folder(path, error);
}

/* --- opening --------------------------------------------------------------------------------
 */

static int check_header(sqlite3 *db, struct error *error)
{
	int64_t application = 0;
	int64_t version = 0;
	int result = database_number(db, "PRAGMA application_id", &application, error);

	if (result >= 0)
		result = database_number(db, "PRAGMA user_version", &version, error);
	if (result < 0)
		return result;
	if (application != APPLICATION_ID)
		return error_set(error, EINVAL, "not a challenge store");
	if (version != SCHEMA_VERSION)
		return error_set(error, EINVAL,
				 "a store of version %lld; this program writes version %d",
				 (long long)version, SCHEMA_VERSION);
	return 0;
}

/* Somebody may have switched it to WAL; while he has it open it cannot be switched back. */
static int leave_wal(sqlite3 *db, struct error *error)
{
	int result = database_run(db, "PRAGMA journal_mode = TRUNCATE", error);

	if (result != -EBUSY)
		return result;
	return error_set(error, EBUSY,
			 "another program holds it, or has it open in WAL mode: end that "
			 "program, or have it run PRAGMA journal_mode = TRUNCATE");
}

int register_open(const char *path, struct registrar **ret, struct error *error)
{
	CLEANUP(register_closep) struct registrar *registrar = calloc(1, sizeof *registrar);
	int result;

	if (registrar == NULL)
		return error_memory(error);
	result = database_open(path, &(struct database_options){ .busy_ms = BUSY_MS },
			       &registrar->db, error);
	if (result == -ENOENT)
		return error_set(error, ENOENT,
				 "%s: there is no store yet (challengectl init makes one)",
				 path);
	if (result < 0)
		return result;
	result = check_header(registrar->db, error);
	if (result >= 0)
		result = leave_wal(registrar->db, error);
	if (result >= 0)
		result = database_run(registrar->db, "PRAGMA synchronous = EXTRA", error);
	if (result < 0) {
		(void)error_wrap(error, "%s", path); /* it answers -EIO for a NULL error */
		return result;
	}
	*ret = TAKE(registrar);
	return 0;
}

void register_close(struct registrar *registrar)
{
	if (registrar == NULL)
		return;
	database_closep(&registrar->db);
	free(registrar);
}

void register_closep(struct registrar **registrar)
{
	register_close(*registrar);
	*registrar = NULL;
}

/* --- checks ---------------------------------------------------------------------------------
 */

int register_check_reference(const char *reference, struct error *error)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-/._";
	size_t length = strlen(reference);

	if (length == 0 || length > REFERENCE_LENGTH || strspn(reference, allowed) != length)
		return error_set(error, EINVAL,
				 "reference \"%.60s\": 1 to %d letters, digits, '-', '/', '.'"
				 " and '_', no names or initials",
				 reference, (int)REFERENCE_LENGTH);
	return 0;
}

/* One line, not too long; `need` it not to be empty. */
static int check_line(const char *what, const char *text, bool need, struct error *error)
{
	if (need && text[0] == '\0')
		return error_set(error, EINVAL, "%s must not be empty", what);
	if (strlen(text) > REGISTER_TEXT_LENGTH)
		return error_set(error, EINVAL, "%s is longer than %d bytes", what,
				 (int)REGISTER_TEXT_LENGTH);
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
		if (*c < 0x20 || *c == 0x7f)
			return error_set(error, EINVAL, "%s holds control characters", what);
	return 0;
}

static int check_note(const char *note, struct error *error)
{
	if (strlen(note) > REGISTER_NOTE_LENGTH)
		return error_set(error, EINVAL, "the note is longer than %d bytes",
				 (int)REGISTER_NOTE_LENGTH);
	return 0;
}

/* What is named is there: `sql` counts it by its one parameter. */
static int check_there(sqlite3 *db, const char *sql, struct database_value value,
		       struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;
	int result = database_ask(db, sql, &value, 1, &find, error);

	if (result < 0)
		return result;
	switch (sqlite3_step(find)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return database_fail(db, error, "look it up");
	}
}

static int need_agency(sqlite3 *db, const char *id, struct error *error)
{
	int found =
		check_there(db, "SELECT 1 FROM agency WHERE id = ?1", value_text(id), error);

	if (found == 0)
		return error_set(error, ENOENT, "there is no agency \"%.60s\"", id);
	return found < 0 ? found : 0;
}

/* 0 names nobody, which is allowed. */
static int need_contact(sqlite3 *db, int64_t id, struct error *error)
{
	int found = id == 0 ? 1
			    : check_there(db, "SELECT 1 FROM contact WHERE id = ?1",
					  value_number(id), error);

	if (found == 0)
		return error_set(error, ENOENT, "there is no contact %lld", (long long)id);
	return found < 0 ? found : 0;
}

static struct database_value text_or_null(const char *text)
{
	return value_text(text[0] != '\0' ? text : NULL);
}

static struct database_value number_or_null(int64_t number)
{
	return number != 0 ? value_number(number) : value_null();
}

static struct database_value instant_or_null(struct instant at)
{
	return instant_is_never(at) ? value_null() : value_number(at.seconds);
}

/* --- transactions ---------------------------------------------------------------------------
 */

/* SQLite's words for it name a statement; what a person wants to know is which file, whether
 * anything was written, and what to do. */
static int in_words(const struct registrar *registrar, int result, struct error *error)
{
	const char *path = sqlite3_db_filename(registrar->db, "main");

	if (result == -ENOSPC)
		return error_set(error, ENOSPC, "%s: the disk is full; nothing was written",
				 path);
	if (result == -EBUSY)
		return error_set(error, EBUSY,
				 "%s: another program has it for more than %d seconds; nothing "
				 "was written, try again",
				 path, BUSY_MS / 1000);
	return result;
}

static int begin(struct registrar *registrar, struct error *error)
{
	return in_words(registrar,
			database_run(registrar->db,
				     registrar->batch ? "SAVEPOINT change" : "BEGIN IMMEDIATE",
				     error),
			error);
}

static int finish_savepoint(struct registrar *registrar, int result, struct error *error)
{
	if (result == 0)
		return database_run(registrar->db, "RELEASE change", error);
	/* Where even this fails, SQLite has ended the whole transaction: the batch cannot be
	 * committed any more. */
	(void)sqlite3_exec(registrar->db, "ROLLBACK TO change; RELEASE change", NULL, NULL,
			   NULL);
	return in_words(registrar, result, error);
}

/* Commits what went well and takes back what did not. Returns `result`, or why not. */
static int finish(struct registrar *registrar, int result, struct error *error)
{
	if (registrar->batch)
		return finish_savepoint(registrar, result, error);
	if (result == 0)
		result = database_run(registrar->db, "COMMIT", error);
	if (result < 0 && sqlite3_get_autocommit(registrar->db) == 0)
		/* Should even this fail, closing takes it back. */
		(void)sqlite3_exec(registrar->db, "ROLLBACK", NULL, NULL, NULL);
	return in_words(registrar, result, error);
}

int register_batch_begin(struct registrar *registrar, struct error *error)
{
	/* Pages written early would lock out readers, this program's own among them. */
	int result = database_run(registrar->db, "PRAGMA cache_spill = OFF", error);

	if (result == 0)
		result = begin(registrar, error);
	if (result == 0)
		registrar->batch = true;
	return result;
}

int register_batch_end(struct registrar *registrar, bool keep, struct error *error)
{
	registrar->batch = false;
	if (sqlite3_get_autocommit(registrar->db) != 0)
		return error_set(error, ECANCELED,
				 "the store's transaction broke off: nothing was written");
	return keep ? finish(registrar, 0, error)
		    : database_run(registrar->db, "ROLLBACK", error);
}

/* --- changes --------------------------------------------------------------------------------
 */

enum { COLUMNS_MOST = 12 };

struct column {
	const char *name;
	struct database_value was;
	struct database_value is;
};

/* NULL: there was none. */
static bool differs(const char *was, const char *is)
{
	return was == NULL || strcmp(was, is) != 0;
}

static bool is_same_value(const struct database_value *a, const struct database_value *b)
{
	if (a->type != b->type)
		return false;
	return a->type == DATABASE_TEXT ? strcmp(a->bytes, b->bytes) == 0
					: a->number == b->number;
}

/* What is the same stays out of it, so that nothing that another has written there is lost. */
static int change_row(struct registrar *registrar, const char *table, struct database_value id,
		      const struct column *columns, size_t count, struct error *error)
{
	CLEANUP(text_clear) struct text sql = { 0 };
	struct database_value values[COLUMNS_MOST] = { id };
	size_t used = 1;

	text_appendf(&sql, "UPDATE %s SET ", table);
	for (size_t i = 0; i < count; i++) {
		if (is_same_value(&columns[i].was, &columns[i].is))
			continue;
		values[used++] = columns[i].is;
		text_appendf(&sql, "%s%s = ?%zu", used > 2 ? ", " : "", columns[i].name, used);
	}
	text_append(&sql, " WHERE id = ?1");
	if (used == 1)
		return 0;
	if (text_failed(&sql))
		return error_memory(error);
	return database_write(registrar->db, text_string(&sql), values, used, error);
}

/* --- agencies and contacts ------------------------------------------------------------------
 */

static int check_agency(const struct agency *was, const struct agency *is, struct error *error)
{
	int result = 0;

	if (differs(was->name, is->name))
		result = check_line("the agency's name", is->name, true, error);
	if (result == 0 && differs(was->telephone, is->telephone))
		result = check_line("the telephone number", is->telephone, false, error);
	if (result == 0 && differs(was->calendar, is->calendar))
		result = check_line("the calendar", is->calendar, false, error);
	return result;
}

static int write_agency(struct registrar *registrar, const struct agency *agency,
			struct error *error)
{
	const struct database_value values[] = {
		value_text(agency->id),        value_text(agency->name),
		value_text(agency->telephone), text_or_null(agency->calendar),
		number_or_null(agency->cover),
	};
	int result = need_contact(registrar->db, agency->cover, error);

	if (result < 0)
		return result;
	result = database_write(registrar->db,
				"INSERT INTO agency (id, name, telephone, calendar, cover)"
				" VALUES (?1, ?2, ?3, ?4, ?5)",
				values, COUNT(values), error);
	if (result == -EEXIST)
		return error_set(error, EEXIST, "there is an agency \"%.60s\" already",
				 agency->id);
	return result;
}

int register_agency(struct registrar *registrar, const struct agency *agency,
		    struct error *error)
{
	int result = check_line("the agency's id", agency->id, true, error);

	if (result == 0)
		result = check_agency(&(struct agency){ .id = "" }, agency, error);
	if (result == 0)
		result = begin(registrar, error);
	if (result < 0)
		return result;
	return finish(registrar, write_agency(registrar, agency, error), error);
}

static int change_agency(struct registrar *registrar, const struct agency *was,
			 const struct agency *is, struct error *error)
{
	const struct column columns[] = {
		{ "name", value_text(was->name), value_text(is->name) },
		{ "telephone", value_text(was->telephone), value_text(is->telephone) },
		{ "calendar", text_or_null(was->calendar), text_or_null(is->calendar) },
		{ "cover", number_or_null(was->cover), number_or_null(is->cover) },
	};
	int result = need_agency(registrar->db, is->id, error);

	if (result == 0 && was->cover != is->cover)
		result = need_contact(registrar->db, is->cover, error);
	return result < 0 ? result
			  : change_row(registrar, "agency", value_text(is->id), columns,
				       COUNT(columns), error);
}

int register_change_agency(struct registrar *registrar, const struct agency *was,
			   const struct agency *is, struct error *error)
{
	int result = check_agency(was, is, error);

	if (result == 0)
		result = begin(registrar, error);
	if (result < 0)
		return result;
	return finish(registrar, change_agency(registrar, was, is, error), error);
}

static int write_contact(struct registrar *registrar, const struct contact *contact,
			 int64_t *ret_id, struct error *error)
{
	const struct database_value values[] = {
		value_text(contact->agency),
		value_text(contact->role),
		value_text(contact->name),
		value_text(contact->email),
		value_text(contact->language),
		value_number(contact->shared ? 1 : 0),
		value_number(contact->active ? 1 : 0),
		instant_or_null(contact->away_from),
		instant_or_null(contact->away_until),
		number_or_null(contact->deputy),
		instant_or_null(contact->confirmed_at),
		number_or_null(contact->id),
	};
	int result = need_agency(registrar->db, contact->agency, error);

	if (result == 0)
		result = need_contact(registrar->db, contact->deputy, error);
	if (result == 0)
		result = database_write(
			registrar->db,
			"INSERT INTO contact (agency, role, name, email, language, shared,"
			" active, away_from, away_until, deputy, confirmed_at, id)"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
			values, COUNT(values), error);
	if (result == -EEXIST)
		return error_set(error, EEXIST, "there is a contact %lld already",
				 (long long)contact->id);
	if (result == 0)
		*ret_id = sqlite3_last_insert_rowid(registrar->db);
	return result;
}

static int check_contact(const struct contact *was, const struct contact *is,
			 struct error *error)
{
	int result = 0;

	if (differs(was->role, is->role))
		result = check_line("the role", is->role, true, error);
	if (result == 0 && differs(was->name, is->name))
		result = check_line("the name", is->name, false, error);
	if (result == 0 && differs(was->language, is->language))
		result = check_line("the language", is->language, true, error);
	if (result == 0 && differs(was->email, is->email))
		result = address_check(is->email, error);
	if (result == 0 && is->deputy != was->deputy && is->deputy == is->id)
		return error_set(error, EINVAL, "nobody is a deputy of their own");
	return result;
}

int register_contact(struct registrar *registrar, const struct contact *contact,
		     int64_t *ret_id, struct error *error)
{
	int64_t id = 0;
	int result = check_contact(&(struct contact){ 0 }, contact, error);

	if (result == 0)
		result = begin(registrar, error);
	if (result < 0)
		return result;
	result = finish(registrar, write_contact(registrar, contact, &id, error), error);
	if (result == 0)
		*ret_id = id;
	return result;
}

static int change_contact(struct registrar *registrar, const struct contact *was,
			  const struct contact *is, struct error *error)
{
	const struct column columns[] = {
		{ "agency", value_text(was->agency), value_text(is->agency) },
		{ "role", value_text(was->role), value_text(is->role) },
		{ "name", value_text(was->name), value_text(is->name) },
		{ "email", value_text(was->email), value_text(is->email) },
		{ "language", value_text(was->language), value_text(is->language) },
		{ "shared", value_number(was->shared), value_number(is->shared) },
		{ "active", value_number(was->active), value_number(is->active) },
		{ "away_from", instant_or_null(was->away_from),
		  instant_or_null(is->away_from) },
		{ "away_until", instant_or_null(was->away_until),
		  instant_or_null(is->away_until) },
		{ "deputy", number_or_null(was->deputy), number_or_null(is->deputy) },
		{ "confirmed_at", instant_or_null(was->confirmed_at),
		  instant_or_null(is->confirmed_at) },
	};
	int result = is->id == 0 ? error_set(error, ENOENT, "there is no contact 0")
				 : need_contact(registrar->db, is->id, error);

	if (result == 0 && differs(was->agency, is->agency))
		result = need_agency(registrar->db, is->agency, error);
	if (result == 0 && was->deputy != is->deputy)
		result = need_contact(registrar->db, is->deputy, error);
	return result < 0 ? result
			  : change_row(registrar, "contact", value_number(is->id), columns,
				       COUNT(columns), error);
}

int register_change_contact(struct registrar *registrar, const struct contact *was,
			    const struct contact *is, struct error *error)
{
	int result = check_contact(was, is, error);

	if (result == 0)
		result = begin(registrar, error);
	if (result < 0)
		return result;
	return finish(registrar, change_contact(registrar, was, is, error), error);
}

static int write_away(struct registrar *registrar, const struct absence *absence,
		      struct error *error)
{
	const struct database_value values[] = {
		value_number(absence->contact),
		instant_or_null(absence->from),
		instant_or_null(absence->until),
		number_or_null(absence->deputy),
	};
	int result = need_contact(registrar->db, absence->contact, error);

	if (result == 0)
		result = need_contact(registrar->db, absence->deputy, error);
	if (result < 0)
		return result;
	return database_write(registrar->db,
			      "UPDATE contact SET away_from = ?2, away_until = ?3,"
			      " deputy = coalesce(?4, deputy) WHERE id = ?1",
			      values, COUNT(values), error);
}

int register_away(struct registrar *registrar, const struct absence *absence,
		  struct error *error)
{
	int result;

	if (absence->contact <= 0)
		return error_set(error, ENOENT, "there is no contact %lld",
				 (long long)absence->contact);
	if (absence->deputy == absence->contact)
		return error_set(error, EINVAL, "nobody is a deputy of their own");
	if (instant_before(absence->until, absence->from) && !instant_is_never(absence->from))
		return error_set(error, EINVAL, "the absence ends before it begins");
	result = begin(registrar, error);
	if (result < 0)
		return result;
	return finish(registrar, write_away(registrar, absence, error), error);
}

/* --- challenges and events ------------------------------------------------------------------
 */

static int check_recording(const struct recording *recording, struct error *error)
{
	const struct event *event = &recording->event;
	int result = check_line("the event's kind", event->kind, true, error);

	if (result == 0)
		result = check_line("the stage", event->stage,
				    strcmp(event->kind, "stage") == 0, error);
	if (result == 0)
		result = check_line("the value", event->value, false, error);
	if (result == 0)
		result = check_line("the name of who records it", recording->by, false, error);
	if (result == 0)
		result = check_note(recording->note, error);
	return result;
}

static int write_event(struct registrar *registrar, int64_t challenge,
		       const struct recording *recording, struct error *error)
{
	const struct event *event = &recording->event;
	const struct database_value values[] = {
		value_number(challenge),     value_text(event->kind),
		text_or_null(event->stage),  value_number(event->at.seconds),
		instant_or_null(event->due), number_or_null(event->voids),
		text_or_null(event->value),  value_number(event->recorded_at.seconds),
		text_or_null(recording->by), text_or_null(recording->note),
	};

	return database_write(
		registrar->db,
		"INSERT INTO event (challenge, kind, stage, at, due, voids, value,"
		" recorded_at, by, note)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
		values, COUNT(values), error);
}

/*
 * The number behind the highest one of the year in use: references of other shapes do not
 * count, nor do gaps get filled, which a purge may have left.
 */
static int next_reference(sqlite3 *db, int32_t year, char out[static REFERENCE_LENGTH + 1],
			  struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;
	char prefix[16];
	int64_t number;
	int result;

	(void)snprintf(prefix, sizeof prefix, "%04d-", year); /* 2010..2059 by the caller */
	result = database_ask(db,
			      "SELECT coalesce(max(CAST(substr(reference, 6) AS INTEGER)),"
			      " 0) + 1 FROM challenge WHERE reference GLOB ?1 || '[0-9]*'"
			      " AND length(reference) BETWEEN 6 AND 14"
			      " AND substr(reference, 6) NOT GLOB '*[^0-9]*'",
			      VALUES(value_text(prefix)), &find, error);
	if (result < 0)
		return result;
	if (sqlite3_step(find) != SQLITE_ROW)
		return database_fail(db, error, "find the next reference");
	number = sqlite3_column_int64(find, 0);
	(void)snprintf(out, REFERENCE_LENGTH + 1, "%s%03lld", prefix, (long long)number);
	return 0;
}

static int check_challenge(const struct challenge *challenge, struct error *error)
{
	int result = 0;

	if (challenge->reference[0] != '\0')
		result = register_check_reference(challenge->reference, error);
	if (result == 0)
		result = check_line("the policy", challenge->policy, true, error);
	if (result == 0)
		result = check_line("the policy's version", challenge->policy_version, true,
				    error);
	if (result == 0)
		result = check_line("the urgency", challenge->urgency, false, error);
	if (result == 0)
		result = check_line("the category", challenge->category, false, error);
	if (result == 0 && strcmp(challenge->concerns, "child") != 0 &&
	    strcmp(challenge->concerns, "adult") != 0 &&
	    strcmp(challenge->concerns, "both") != 0)
		result = error_set(error, EINVAL, "concerns is child, adult or both");
	return result;
}

static int need_parties(sqlite3 *db, const struct challenge *was, const struct challenge *is,
			struct error *error)
{
	int result = 0;

	if (differs(was->raising_agency, is->raising_agency))
		result = need_agency(db, is->raising_agency, error);
	if (result == 0 && differs(was->receiving_agency, is->receiving_agency))
		result = need_agency(db, is->receiving_agency, error);
	if (result == 0 && was->raising_contact != is->raising_contact)
		result = need_contact(db, is->raising_contact, error);
	if (result == 0 && was->receiving_contact != is->receiving_contact)
		result = need_contact(db, is->receiving_contact, error);
	return result;
}

static int check_references(sqlite3 *db, const struct challenge *challenge, struct error *error)
{
	int result = need_parties(db, &(struct challenge){ 0 }, challenge, error);

	if (result == 0 && challenge->reference[0] != '\0') {
		int found = check_there(db, "SELECT 1 FROM challenge WHERE reference = ?1",
					value_text(challenge->reference), error);

		result = found == 0 ? 0 : found;
		if (found == 1)
			result = error_set(error, EEXIST, "there is a challenge \"%s\" already",
					   challenge->reference);
	}
	return result;
}

static int write_challenge(struct registrar *registrar, const struct challenge *challenge,
			   int32_t year, struct registered *ret, struct error *error)
{
	int result = check_references(registrar->db, challenge, error);

	(void)snprintf(ret->reference, sizeof ret->reference, "%s",
		       challenge->reference); /* checked to fit */
	if (result == 0 && challenge->reference[0] == '\0')
		result = next_reference(registrar->db, year, ret->reference, error);
	if (result < 0)
		return result;

	const struct database_value values[] = {
		value_text(ret->reference),
		value_text(challenge->policy),
		value_text(challenge->policy_version),
		text_or_null(challenge->urgency),
		value_text(challenge->concerns),
		text_or_null(challenge->category),
		value_text(challenge->raising_agency),
		value_text(challenge->receiving_agency),
		number_or_null(challenge->raising_contact),
		number_or_null(challenge->receiving_contact),
		instant_or_null(challenge->protect_by),
	};
	result = database_write(
		registrar->db,
		"INSERT INTO challenge (reference, policy, policy_version, urgency,"
		" concerns, category, raising_agency, receiving_agency,"
		" raising_contact, receiving_contact, protect_by)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
		values, COUNT(values), error);
	if (result == 0)
		ret->id = sqlite3_last_insert_rowid(registrar->db);
	return result;
}

int register_challenge(struct registrar *registrar, const struct challenge *challenge,
		       int32_t year, const struct recording *recordings, size_t count,
		       struct registered *ret, struct error *error)
{
	struct registered made = { 0 };
	int result = check_challenge(challenge, error);

	for (size_t i = 0; i < count && result == 0; i++)
		result = check_recording(&recordings[i], error);
	if (result == 0)
		result = begin(registrar, error);
	if (result < 0)
		return result;
	result = write_challenge(registrar, challenge, year, &made, error);
	for (size_t i = 0; i < count && result == 0; i++)
		result = write_event(registrar, made.id, &recordings[i], error);
	result = finish(registrar, result, error);
	if (result == 0)
		*ret = made;
	return result;
}

static int change_challenge(struct registrar *registrar, const struct challenge *was,
			    const struct challenge *is, struct error *error)
{
	const struct column columns[] = {
		{ "policy", value_text(was->policy), value_text(is->policy) },
		{ "policy_version", value_text(was->policy_version),
		  value_text(is->policy_version) },
		{ "urgency", text_or_null(was->urgency), text_or_null(is->urgency) },
		{ "concerns", value_text(was->concerns), value_text(is->concerns) },
		{ "category", text_or_null(was->category), text_or_null(is->category) },
		{ "raising_agency", value_text(was->raising_agency),
		  value_text(is->raising_agency) },
		{ "receiving_agency", value_text(was->receiving_agency),
		  value_text(is->receiving_agency) },
		{ "raising_contact", number_or_null(was->raising_contact),
		  number_or_null(is->raising_contact) },
		{ "receiving_contact", number_or_null(was->receiving_contact),
		  number_or_null(is->receiving_contact) },
		{ "protect_by", instant_or_null(was->protect_by),
		  instant_or_null(is->protect_by) },
	};
	int result = need_parties(registrar->db, was, is, error);

	if (result < 0)
		return result;
	result = check_there(registrar->db, "SELECT 1 FROM challenge WHERE id = ?1",
			     value_number(is->id), error);
	if (result == 0)
		return error_set(error, ENOENT, "there is no challenge %lld",
				 (long long)is->id);
	return result < 0 ? result
			  : change_row(registrar, "challenge", value_number(is->id), columns,
				       COUNT(columns), error);
}

int register_change_challenge(struct registrar *registrar, const struct challenge *was,
			      const struct challenge *is, struct error *error)
{
	int result = check_challenge(is, error);

	if (result == 0)
		result = begin(registrar, error);
	if (result < 0)
		return result;
	return finish(registrar, change_challenge(registrar, was, is, error), error);
}

static int append_event(struct registrar *registrar, int64_t challenge,
			const struct recording *recording, int64_t *ret_id, struct error *error)
{
	int64_t voids = recording->event.voids;
	int64_t of = 0;
	int found = check_there(registrar->db, "SELECT 1 FROM challenge WHERE id = ?1",
				value_number(challenge), error);

	if (found == 0)
		return error_set(error, ENOENT, "there is no challenge %lld",
				 (long long)challenge);
	if (found > 0 && voids != 0) {
		CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;

		found = database_ask(registrar->db, "SELECT challenge FROM event WHERE id = ?1",
				     VALUES(value_number(voids)), &find, error);
		if (found == 0 && sqlite3_step(find) == SQLITE_ROW)
			of = sqlite3_column_int64(find, 0);
		if (found == 0 && of != challenge)
			return error_set(error, ENOENT,
					 "event %lld is not one of this challenge",
					 (long long)voids);
	}
	if (found < 0)
		return found;
	found = write_event(registrar, challenge, recording, error);
	if (found == 0)
		*ret_id = sqlite3_last_insert_rowid(registrar->db);
	return found;
}

int register_event(struct registrar *registrar, int64_t challenge,
		   const struct recording *recording, int64_t *ret_id, struct error *error)
{
	int64_t id = 0;
	int result = check_recording(recording, error);

	if (result == 0)
		result = begin(registrar, error);
	if (result < 0)
		return result;
	result = finish(registrar, append_event(registrar, challenge, recording, &id, error),
			error);
	if (result == 0)
		*ret_id = id;
	return result;
}

int register_notes(struct registrar *registrar, int64_t challenge,
		   void (*each)(void *context, int64_t event, const char *by, const char *note),
		   void *context, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;
	int step;
	int result = database_ask(registrar->db,
				  "SELECT id, coalesce(by, ''), coalesce(note, '')"
				  " FROM event WHERE challenge = ?1 ORDER BY id",
				  VALUES(value_number(challenge)), &find, error);

	if (result < 0)
		return result;
	while ((step = sqlite3_step(find)) == SQLITE_ROW) {
		const char *by = (const char *)sqlite3_column_text(find, 1);
		const char *note = (const char *)sqlite3_column_text(find, 2);

		if (by == NULL || note == NULL)
			return error_memory(error);
		each(context, sqlite3_column_int64(find, 0), by, note);
	}
	if (step != SQLITE_DONE)
		return database_fail(registrar->db, error, "read the notes");
	return 0;
}

/* --- erasure --------------------------------------------------------------------------------
 */

static int purge_challenge(struct registrar *registrar, int64_t challenge, const char *rule,
			   const char *by, struct instant now, struct error *error)
{
	static const char *const deletes[] = {
		"DELETE FROM event WHERE challenge = ?1",
		"DELETE FROM challenge WHERE id = ?1",
	};
	const struct database_value values[] = { value_number(challenge), value_text(rule),
						 value_number(now.seconds), text_or_null(by) };
	int result = check_there(registrar->db, "SELECT 1 FROM challenge WHERE id = ?1",
				 values[0], error);

	if (result == 0)
		return error_set(error, ENOENT, "there is no challenge %lld",
				 (long long)challenge);
	if (result > 0)
		result = database_write(
			registrar->db,
			"INSERT INTO purge (challenge, rule, at, by) VALUES (?1, ?2, ?3, ?4)",
			values, COUNT(values), error);
	for (size_t i = 0; i < COUNT(deletes) && result == 0; i++)
		result = database_write(registrar->db, deletes[i], values, 1, error);
	return result;
}

int register_purge_challenge(struct registrar *registrar, int64_t challenge, const char *rule,
			     const char *by, struct instant now, struct error *error)
{
	int result = check_line("the rule", rule, true, error);

	if (result == 0)
		result = check_line("the name of who purges", by, false, error);
	if (result == 0)
		result = begin(registrar, error);
	if (result < 0)
		return result;
	return finish(registrar, purge_challenge(registrar, challenge, rule, by, now, error),
		      error);
}

static int purge_contact(struct registrar *registrar, int64_t contact, struct error *error)
{
	static const char *const changes[] = {
		"UPDATE contact SET deputy = NULL WHERE deputy = ?1",
		"UPDATE agency SET cover = NULL WHERE cover = ?1",
		"UPDATE challenge SET raising_contact = NULL WHERE raising_contact = ?1",
		"UPDATE challenge SET receiving_contact = NULL WHERE receiving_contact = ?1",
		"DELETE FROM contact WHERE id = ?1",
	};
	const struct database_value values[] = { value_number(contact) };
	int result =
		check_there(registrar->db, "SELECT 1 FROM contact WHERE id = ?1 AND active = 0",
			    values[0], error);

	if (result == 0)
		return error_set(error, ENOENT, "there is no contact %lld that is not active",
				 (long long)contact);
	result = result > 0 ? 0 : result;
	for (size_t i = 0; i < COUNT(changes) && result == 0; i++)
		result = database_write(registrar->db, changes[i], values, 1, error);
	return result;
}

int register_purge_contact(struct registrar *registrar, int64_t contact, struct error *error)
{
	int result = begin(registrar, error);

	if (result < 0)
		return result;
	return finish(registrar, purge_contact(registrar, contact, error), error);
}

/* --- numbers --------------------------------------------------------------------------------
 */

static int skip_number(struct registrar *registrar, const char *table, int64_t number,
		       struct error *error)
{
	/* A table that never had a row has none here either. */
	static const char sql_add[] = "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0"
				      " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence"
				      " WHERE name = ?1)";
	static const char sql_raise[] = "UPDATE sqlite_sequence SET seq = ?2 WHERE name = ?1"
					" AND seq < ?2";
	const struct database_value values[] = { value_text(table), value_number(number) };
	int result = database_write(registrar->db, sql_add, values, 1, error);

	return result < 0 ? result : database_write(registrar->db, sql_raise, values, 2, error);
}

int register_skip_numbers(struct registrar *registrar, const struct register_numbers *numbers,
			  struct error *error)
{
	int result = begin(registrar, error);

	if (result < 0)
		return result;
	result = skip_number(registrar, "challenge", numbers->challenge, error);
	if (result == 0)
		result = skip_number(registrar, "event", numbers->event, error);
	if (result == 0)
		result = skip_number(registrar, "contact", numbers->contact, error);
	return finish(registrar, result, error);
}

int register_reused(struct registrar *registrar, const struct register_lost *lost,
		    void (*each)(void *context, const char *reference, int64_t event,
				 const char *kind),
		    void *context, struct error *error)
{
	static const char sql[] =
		"SELECT c.reference, e.id, e.kind FROM event e JOIN challenge c"
		" ON c.id = e.challenge WHERE e.id <= ?1 AND (e.recorded_at > ?2 OR e.id > ?3)"
		" AND e.kind <> 'voided' AND NOT EXISTS (SELECT 1 FROM event v"
		" WHERE v.challenge = e.challenge AND v.voids = e.id) ORDER BY e.id";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_ask(registrar->db, sql,
				  VALUES(value_number(lost->last), value_number(lost->seen),
					 value_number(lost->copied)),
				  &statement, error);
	int step;

	if (result < 0)
		return result;
	while ((step = sqlite3_step(statement)) == SQLITE_ROW)
		each(context, (const char *)sqlite3_column_text(statement, 0),
		     sqlite3_column_int64(statement, 1),
		     (const char *)sqlite3_column_text(statement, 2));
	return step == SQLITE_DONE ? 0 : database_fail(registrar->db, error, "read the events");
}
