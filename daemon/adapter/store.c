/*
 * store.c - see store.h. Prepared statements do the reading: what changed, together with its
 * events, or one challenge by its id. Each is reset as soon as its rows are copied, since one
 * left open holds the lock that writers wait for. One bad value spoils its challenge, no other:
 * where the walk over all meets one, it goes on by single challenges.
 */
#include "adapter/store.h"

#include "adapter/database.h"
#include "base/arena.h"
#include "base/list.h"
#include "core/unicode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	APPLICATION_ID = 0x43484E44, /* "CHND" */
	SCHEMA_VERSION = 1,
	BUSY_MS = 2000,
	LONGEST_TEXT = 500,  /* bytes of any text that leaves this file */
	MOST_EVENTS = 10000, /* of one challenge; more is no history but an attack */
	MOST_AGENCIES = 16,  /* the parameters of the directory's statements */
	IDENTITY_SIZE = 65,
};

/* Strings of the row at hand: appended while it is read, pointed to when it is complete. */
struct strings {
	char *data;
	size_t count;
	size_t capacity;
};

/* Where an event's strings lie in there. */
struct event_places {
	size_t kind;
	size_t stage;
	size_t value;
};

struct store {
	sqlite3 *db;
	char identity[IDENTITY_SIZE];
	bool wal;
	bool looked;
	int64_t data_version;
	bool counted;
	uint32_t counter;        /* the file's own count of commits, at the last look */
	int64_t schema_version;  /* of the schema that was checked */
	sqlite3_stmt *version;   /* PRAGMA data_version */
	sqlite3_stmt *walk;      /* challenges with their events, in order of change_seq */
	sqlite3_stmt *changed;   /* ids and change_seq alone, in the same order */
	sqlite3_stmt *sorted;    /* the same of all, in order of reference */
	sqlite3_stmt *ids_of;    /* of these two, the one that store_next goes on with */
	sqlite3_stmt *row;       /* one challenge */
	sqlite3_stmt *events;    /* of one challenge */
	sqlite3_stmt *reference; /* the id of one */
	sqlite3_stmt *ids;       /* in order of themselves */
	sqlite3_stmt *agencies;  /* those named */
	sqlite3_stmt *contacts;  /* theirs, and whoever these lead to */
	sqlite3_stmt *all_agencies;
	sqlite3_stmt *all_contacts;
	int64_t handed_out; /* by store_next: the id ... */
	int64_t change;     /* ... and the change_seq */
	int64_t passed_seq; /* the walk goes on behind this one ... */
	int64_t passed_id;  /* ... and among its equals behind this id */
	bool on_row;        /* the walk stands on the first row of the next challenge */
	bool careful;       /* it met a fault: ids, and each challenge by itself */
	struct challenge challenge;
	struct strings strings;
	struct event *event;
	size_t event_capacity;
	struct event_places *places;
	size_t places_capacity;
	struct arena directory;
};

/* --- opening --------------------------------------------------------------------------------
 */

/* What has to be there: columns that are read here, and triggers without which a change would
 * pass unseen. */
static const struct needed {
	const char *table;
	const char *select;
} needed_tables[] = {
	{ "agency", "SELECT id, name, telephone, calendar, cover FROM main.agency" },
	{ "contact", "SELECT id, agency, role, name, email, language, shared, away_from,"
		     " away_until, deputy, confirmed_at, active FROM main.contact" },
	{ "challenge",
	  "SELECT id, reference, policy, policy_version, urgency, concerns, category,"
	  " raising_agency, receiving_agency, raising_contact, receiving_contact,"
	  " protect_by, change_seq FROM main.challenge" },
	{ "event", "SELECT id, challenge, kind, stage, at, due, voids, value, recorded_at,"
		   " by, note FROM main.event" },
	{ "counter", "SELECT change_seq FROM main.counter" },
	{ "identity", "SELECT hex FROM main.identity" },
};
static const char *const needed_triggers[] = {
	"challenge_inserted",
	"challenge_updated",
	"event_inserted",
};

/* One object of that type and name; a view or a virtual table in a table's place is none. */
static int check_object(sqlite3 *db, const char *type, const char *name, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;
	int result =
		database_prepare(db,
				 "SELECT count(*) FROM main.sqlite_schema WHERE type = ?1 AND"
				 " name = ?2 AND upper(substr(sql, 1, 14)) <> 'CREATE VIRTUAL'",
				 &find, error);

	if (result == 0)
		result = database_bind(
			find, (struct database_value[]){ value_text(type), value_text(name) },
			2, error);
	if (result < 0)
		return result;
	if (sqlite3_step(find) != SQLITE_ROW)
		return database_fail(db, error, "read the schema");
	if (sqlite3_column_int64(find, 0) != 1)
		return error_set(error, EINVAL,
				 "the %s \"%s\" is missing: not a whole challenge store", type,
				 name);
	return 0;
}

static int check_header(sqlite3 *db, struct error *error)
{
	int64_t application = 0;
	int64_t version = 0;
	int result = database_number(db, "PRAGMA main.application_id", &application, error);

	if (result >= 0)
		result = database_number(db, "PRAGMA main.user_version", &version, error);
	if (result < 0)
		return result;
	if (application != APPLICATION_ID)
		return error_set(error, EINVAL,
				 "not a challenge store (challengectl init makes one)");
	if (version > SCHEMA_VERSION)
		return error_set(error, EINVAL,
				 "a store of version %lld, newer than the %d that this program"
				 " knows: update it first",
				 (long long)version, SCHEMA_VERSION);
	if (version < SCHEMA_VERSION)
		return error_set(error, EINVAL, "a store of version %lld, which nobody knows",
				 (long long)version);
	return 0;
}

static int check_schema(sqlite3 *db, struct error *error)
{
	for (size_t i = 0; i < COUNT(needed_tables); i++) {
		CLEANUP(database_finalizep) sqlite3_stmt *columns = NULL;
		int result = check_object(db, "table", needed_tables[i].table, error);

		if (result < 0)
			return result;
		if (database_prepare(db, needed_tables[i].select, &columns, error) < 0) {
			return error_set(error, EINVAL, "not a whole challenge store: %s",
					 sqlite3_errmsg(db));
		}
	}
	for (size_t i = 0; i < COUNT(needed_triggers); i++) {
		int result = check_object(db, "trigger", needed_triggers[i], error);

		if (result < 0)
			return result;
	}
	return 0;
}

/* Checks the schema unless it is the one that was checked. */
static int check_new_schema(struct store *store, struct error *error)
{
	int64_t version = 0;
	int result = database_number(store->db, "PRAGMA main.schema_version", &version, error);

	if (result < 0 || version == store->schema_version)
		return result < 0 ? result : 0;
	result = check_schema(store->db, error);
	if (result < 0)
		return result;
	store->schema_version = version;
	return 0;
}

static int read_identity(struct store *store, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;
	int result = database_prepare(store->db, "SELECT hex FROM main.identity", &find, error);

	if (result < 0)
		return result;
	if (sqlite3_step(find) != SQLITE_ROW || sqlite3_column_type(find, 0) != SQLITE_TEXT)
		return error_set(error, EINVAL, "the store has no identity");
	if (sqlite3_column_bytes(find, 0) >= IDENTITY_SIZE)
		return error_set(error, EINVAL, "the store's identity is too long");
	(void)snprintf(store->identity, sizeof store->identity, "%s",
		       (const char *)sqlite3_column_text(find, 0)); /* measured above */
	return 0;
}

static int read_journal_mode(struct store *store, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *mode = NULL;
	int result = database_prepare(store->db, "PRAGMA main.journal_mode", &mode, error);

	if (result < 0)
		return result;
	if (sqlite3_step(mode) != SQLITE_ROW)
		return database_fail(store->db, error, "ask for the journal mode");
	store->wal = sqlite3_stricmp((const char *)sqlite3_column_text(mode, 0), "wal") == 0;
	return 0;
}

#define SIXTEEN                                                                  \
	"(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16" \
	")"
#define AGENCY_COLUMNS "SELECT id, name, telephone, calendar, cover FROM main.agency"
#define CONTACT_COLUMNS                                                              \
	"SELECT id, agency, role, name, email, language, shared, active, away_from," \
	" away_until, deputy, confirmed_at FROM main.contact"

#define CHALLENGE_COLUMNS                                                              \
	"SELECT c.id, c.reference, c.policy, c.policy_version, c.urgency, c.concerns," \
	" c.category, c.raising_agency, c.receiving_agency, c.raising_contact,"        \
	" c.receiving_contact, c.protect_by, c.change_seq"
#define EVENT_COLUMNS " e.id, e.kind, e.stage, e.at, e.due, e.voids, e.value, e.recorded_at"
enum { CHALLENGE_COLUMN_COUNT = 13 };
#define BEHIND " WHERE (c.change_seq, c.id) > (?1, ?2) ORDER BY c.change_seq, c.id"

static int prepare_all(struct store *store, struct error *error)
{
	const struct {
		const char *sql;
		sqlite3_stmt **statement;
	} wanted[] = {
		{ "PRAGMA main.data_version", &store->version },
		{ CHALLENGE_COLUMNS "," EVENT_COLUMNS " FROM main.challenge c"
				    " LEFT JOIN main.event e ON e.challenge = c.id" BEHIND
				    ", e.id",
		  &store->walk },
		{ "SELECT c.id, c.change_seq FROM main.challenge c" BEHIND, &store->changed },
		{ "SELECT id, change_seq FROM main.challenge ORDER BY reference",
		  &store->sorted },
		{ CHALLENGE_COLUMNS " FROM main.challenge c WHERE c.id = ?1", &store->row },
		{ "SELECT" EVENT_COLUMNS " FROM main.event e WHERE e.challenge = ?1"
		  " ORDER BY e.id",
		  &store->events },
		{ "SELECT id FROM main.challenge WHERE reference = ?1", &store->reference },
		{ "SELECT id FROM main.challenge WHERE id >= ?1 ORDER BY id LIMIT ?2",
		  &store->ids },
		{ AGENCY_COLUMNS " WHERE id IN " SIXTEEN " ORDER BY id", &store->agencies },
		{ "WITH RECURSIVE wanted (id) AS ("
		  " SELECT id FROM main.contact WHERE agency IN " SIXTEEN
		  " UNION SELECT cover FROM main.agency WHERE id IN " SIXTEEN
		  " UNION SELECT deputy FROM main.contact, wanted"
		  " WHERE contact.id = wanted.id AND deputy IS NOT NULL"
		  ") " CONTACT_COLUMNS " WHERE id IN (SELECT id FROM wanted) ORDER BY id",
		  &store->contacts },
		{ AGENCY_COLUMNS " ORDER BY id", &store->all_agencies },
		{ CONTACT_COLUMNS " ORDER BY id", &store->all_contacts },
	};

	for (size_t i = 0; i < COUNT(wanted); i++) {
		int result =
			database_prepare(store->db, wanted[i].sql, wanted[i].statement, error);

		if (result < 0)
			return result;
	}
	return 0;
}

static int open_checked(const char *path, struct store *store, struct error *error)
{
	int result = database_open(
		path, &(struct database_options){ .query_only = true, .busy_ms = BUSY_MS },
		&store->db, error);

	if (result < 0)
		return result;
	/* Should it be in WAL: whoever wrote it checkpoints it. */
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
				NULL); /* since 3.16: cannot fail */
	store->schema_version = -1;
	/* It is walked, not searched: more pages would be kept for nothing. */
	result = database_run(store->db, "PRAGMA cache_size = -256", error);
	if (result >= 0)
		result = check_header(store->db, error);
	if (result >= 0)
		result = check_new_schema(store, error);
	if (result >= 0)
		result = read_identity(store, error);
	if (result >= 0)
		result = read_journal_mode(store, error);
	if (result >= 0)
		result = prepare_all(store, error);
	if (result < 0)
		(void)error_wrap(error, "%s", path); /* it answers -EIO for a NULL error */
	return result < 0 ? result : 0;
}

int store_open(const char *path, struct store **ret, struct error *error)
{
	CLEANUP(store_closep) struct store *store = calloc(1, sizeof *store);
	int result;

	if (store == NULL)
		return error_memory(error);
	result = open_checked(path, store, error);
	if (result == -ENOENT)
		return error_set(error, ENOENT,
				 "%s: there is no store yet (challengectl init makes one)",
				 path);
	if (result < 0)
		return result;
	*ret = TAKE(store);
	return 0;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	database_finalizep(&store->version);
	database_finalizep(&store->walk);
	database_finalizep(&store->changed);
	database_finalizep(&store->sorted);
	database_finalizep(&store->row);
	database_finalizep(&store->events);
	database_finalizep(&store->reference);
	database_finalizep(&store->ids);
	database_finalizep(&store->agencies);
	database_finalizep(&store->contacts);
	database_finalizep(&store->all_agencies);
	database_finalizep(&store->all_contacts);
	database_closep(&store->db);
	free(store->strings.data);
	free(store->event);
	free(store->places);
	arena_clear(&store->directory);
	free(store);
}

void store_give_back(struct store *store)
{
	(void)sqlite3_db_release_memory(store->db); /* what is in use stays */
}

void store_closep(struct store **store)
{
	store_close(*store);
	*store = NULL;
}

/* --- has anything changed? ------------------------------------------------------------------
 */

static int read_data_version(struct store *store, int64_t *ret, struct error *error)
{
	int step = sqlite3_step(store->version);

	if (step != SQLITE_ROW) {
		int result = database_fail(store->db, error, "look for changes in the store");

		(void)sqlite3_reset(store->version); /* repeats that error */
		return result;
	}
	*ret = sqlite3_column_int64(store->version, 0);
	(void)sqlite3_reset(store->version); /* after a row: nothing to fail */
	return 0;
}

/* Asked without a lock; in WAL mode the file's count of commits stands still. */
static bool is_same_count(const struct store *store, uint32_t counter)
{
	return store->looked && store->counted && !store->wal && counter == store->counter;
}

int store_look(struct store *store, enum store_change *ret, struct error *error)
{
	int moved = 0;
	int64_t version = 0;
	uint32_t counter = 0;
	bool counted;
	int result;

	/* A read that could not be ended, for want of memory: it would show one moment for
	 * ever, and keep writers out. */
	if (sqlite3_get_autocommit(store->db) == 0)
		store_end(store);
	if (sqlite3_get_autocommit(store->db) == 0)
		return error_set(error, ENOMEM, "a read of the store cannot be ended");
	if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) !=
	    SQLITE_OK)
		return error_set(error, EIO, "cannot tell whether the store was replaced");
	if (moved != 0) {
		*ret = STORE_MOVED;
		return 0;
	}
	/* Before the data_version: what is committed in between is seen the next time. */
	counted = database_change_counter(store->db, &counter);
	if (counted && is_same_count(store, counter)) {
		*ret = STORE_SAME;
		return 0;
	}
	result = read_data_version(store, &version, error);
	if (result < 0)
		return result;
	store->counted = counted;
	store->counter = counter;
	if (store->looked && version == store->data_version) {
		*ret = STORE_SAME;
		return 0;
	}
	/* Somebody may have upgraded it, dropped a trigger, or switched it to WAL. */
	result = check_header(store->db, error);
	if (result >= 0)
		result = check_new_schema(store, error);
	if (result >= 0)
		result = read_journal_mode(store, error);
	if (result < 0)
		return result;
	store->looked = true;
	store->data_version = version;
	*ret = STORE_CHANGED;
	return 0;
}

bool store_is_wal(const struct store *store)
{
	return store->wal;
}

const char *store_identity(const struct store *store)
{
	return store->identity;
}

/* --- which store is it? ---------------------------------------------------------------------
 */

/* 1 with *ret on the only row for this number, 0 without one; finalize it in any case. */
static int find_number(struct store *store, const char *sql, int64_t number, sqlite3_stmt **ret,
		       struct error *error)
{
	int result = database_prepare(store->db, sql, ret, error);

	if (result == 0)
		result = database_bind(*ret, (struct database_value[]){ value_number(number) },
				       1, error);
	if (result < 0)
		return result;
	switch (sqlite3_step(*ret)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return database_fail(store->db, error, "%.60s", sql);
	}
}

int store_event(struct store *store, int64_t id, struct store_event *ret, struct error *error)
{
	static const char sql_one[] = "SELECT id, challenge, at, recorded_at FROM main.event"
				      " WHERE id = ?1";
	static const char sql_newest[] = "SELECT id, challenge, at, recorded_at FROM main.event"
					 " WHERE id > ?1 ORDER BY id DESC LIMIT 1";
	CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;
	int found = find_number(store, id != 0 ? sql_one : sql_newest, id, &find, error);

	if (found == 1)
		*ret = (struct store_event){
			.id = sqlite3_column_int64(find, 0),
			.challenge = sqlite3_column_int64(find, 1),
			.at = { sqlite3_column_int64(find, 2) },
			.recorded_at = { sqlite3_column_int64(find, 3) },
		};
	return found;
}

int store_was_purged(struct store *store, int64_t challenge, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *find = NULL;

	return find_number(store, "SELECT 1 FROM main.purge WHERE challenge = ?1 LIMIT 1",
			   challenge, &find, error);
}

/* --- transactions ---------------------------------------------------------------------------
 */

static void reset_all(struct store *store)
{
	/* Each repeats the error of its last step, which was told then. */
	(void)sqlite3_reset(store->walk);
	(void)sqlite3_reset(store->changed);
	(void)sqlite3_reset(store->sorted);
	(void)sqlite3_reset(store->row);
	(void)sqlite3_reset(store->events);
	(void)sqlite3_reset(store->reference);
}

int store_begin(struct store *store, struct error *error)
{
	int64_t seq;
	int result;

	store_end(store);
	result = database_run(store->db, "BEGIN", error);
	/* BEGIN alone locks nothing: the first read chooses the moment that is seen. */
	if (result == 0)
		result = store_change_seq(store, &seq, error);
	if (result < 0) {
		store_end(store);
		(void)error_wrap(error, "read the store");
		return result;
	}
	return 0;
}

void store_end(struct store *store)
{
	reset_all(store);
	if (sqlite3_get_autocommit(store->db) == 0)
		(void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL,
				   NULL); /* nothing was written: nothing can be lost */
}

int store_change_seq(struct store *store, int64_t *ret, struct error *error)
{
	int result =
		database_number(store->db, "SELECT change_seq FROM main.counter", ret, error);

	if (result == 0)
		return error_set(error, EINVAL, "the store's counter of changes is gone");
	return result < 0 ? result : 0;
}

/* --- reading one challenge ------------------------------------------------------------------
 */

/* NULL when it is fit to leave this file, else what is wrong with it. Terminated; a NUL before
 * its end is a control character. */
static const char *unsound(const unsigned char *bytes, size_t length)
{
	if (length > LONGEST_TEXT)
		return "is too long";
	for (size_t i = 0; i < length;) {
		bool plain = bytes[i] >= 0x20 && bytes[i] < 0x7f; /* nearly all are */
		uint32_t character = bytes[i];
		size_t step = plain ? 1 : unicode_decode((const char *)bytes + i, &character);

		if (step == 0)
			return "is not UTF-8";
		if (character < 0x20 || (character >= 0x7f && character < 0xa0))
			return "holds control characters";
		i += step;
	}
	return NULL;
}

static int append_string(struct strings *strings, const unsigned char *bytes, size_t length,
			 size_t *ret)
{
	size_t wanted = strings->count + length + 1;

	if (wanted > strings->capacity) {
		size_t capacity = strings->capacity != 0 ? strings->capacity : 1024;
		char *data;

		while (capacity < wanted)
			capacity *= 2;
		data = realloc(strings->data, capacity);
		if (data == NULL)
			return -ENOMEM;
		strings->data = data;
		strings->capacity = capacity;
	}
	if (length > 0)
		memcpy(strings->data + strings->count, bytes, length);
	strings->data[strings->count + length] = '\0';
	*ret = strings->count;
	strings->count = wanted;
	return 0;
}

struct column {
	const char *name;
	/* What an unsound value counts as, so that the challenge is watched all the same: ""
	 * where nothing is decided by it, else a word that nobody has, so that it is met as
	 * any word is that the policy or the directory does not know. NULL: nothing can stand
	 * in for it. */
	const char *instead;
	size_t offset;
};

/* A column's text, appended, and its name to *unsound when something stands in for it. -EINVAL
 * with what is wrong when nothing does. */
static int read_text(struct store *store, sqlite3_stmt *from, int place,
		     const struct column *column, const char **unsound_column, size_t *ret,
		     struct error *error)
{
	int type = sqlite3_column_type(from, place);
	const unsigned char *bytes = (const unsigned char *)"";
	size_t length = 0;
	const char *wrong = NULL;

	if (type == SQLITE_TEXT) {
		bytes = sqlite3_column_text(from, place);
		if (bytes == NULL)
			return error_memory(error);
		length = (size_t)sqlite3_column_bytes(from, place);
		wrong = unsound(bytes, length);
	} else if (type != SQLITE_NULL) {
		wrong = "is no text";
	}
	if (wrong != NULL && column->instead == NULL)
		return error_set(error, EINVAL, "its %s %s", column->name, wrong);
	if (wrong != NULL) {
		*unsound_column = column->name;
		bytes = (const unsigned char *)column->instead;
		length = strlen(column->instead);
	}
	if (append_string(&store->strings, bytes, length, ret) < 0)
		return error_memory(error);
	return 0;
}

/* A column's number, or `none` for NULL. */
static int read_number(sqlite3_stmt *from, int column, const char *what, int64_t none,
		       int64_t *ret, struct error *error)
{
	switch (sqlite3_column_type(from, column)) {
	case SQLITE_INTEGER:
		*ret = sqlite3_column_int64(from, column);
		return 0;
	case SQLITE_NULL:
		*ret = none;
		return 0;
	default:
		return error_set(error, EINVAL, "its %s is no number", what);
	}
}

/* The texts of a challenge, in the order of the columns 1..8, and the numbers of 9..12. */
static const struct column row_texts[] = {
	{ "reference", NULL, offsetof(struct challenge, reference) },
	{ "policy", NULL, offsetof(struct challenge, policy) },
	{ "policy_version", NULL, offsetof(struct challenge, policy_version) },
	{ "urgency", UNICODE_REPLACEMENT, offsetof(struct challenge, urgency) },
	{ "concerns", "", offsetof(struct challenge, concerns) },
	{ "category", "", offsetof(struct challenge, category) },
	{ "raising_agency", UNICODE_REPLACEMENT, offsetof(struct challenge, raising_agency) },
	{ "receiving_agency", UNICODE_REPLACEMENT,
	  offsetof(struct challenge, receiving_agency) },
};
enum { ROW_TEXTS = COUNT(row_texts) };

static int read_row(struct store *store, sqlite3_stmt *row, struct challenge *ret,
		    size_t places[ROW_TEXTS], struct error *error)
{
	const struct {
		const char *name;
		int64_t none;
		int64_t *to;
	} numbers[] = {
		{ "raising_contact", 0, &ret->raising_contact },
		{ "receiving_contact", 0, &ret->receiving_contact },
		{ "protect_by", INSTANT_NEVER.seconds, &ret->protect_by.seconds },
		{ "change_seq", 0, &ret->change_seq },
	};
	int result = 0;

	for (int i = 0; i < (int)ROW_TEXTS && result == 0; i++)
		result = read_text(store, row, 1 + i, &row_texts[i], &ret->unsound, &places[i],
				   error);
	for (int i = 0; i < (int)COUNT(numbers) && result == 0; i++)
		result = read_number(row, 1 + (int)ROW_TEXTS + i, numbers[i].name,
				     numbers[i].none, numbers[i].to, error);
	if (result == 0 && store->strings.data[places[0]] == '\0')
		result = error_set(error, EINVAL, "its reference is empty");
	return result;
}

/* The event's columns begin at `first` with its id. */
static int read_event(struct store *store, sqlite3_stmt *from, int first, struct event *ret,
		      struct event_places *places, const char **unsound_column,
		      struct error *error)
{
	static const struct column kind = { "kind", UNICODE_REPLACEMENT, 0 };
	static const struct column stage = { "stage", UNICODE_REPLACEMENT, 0 };
	static const struct column value = { "value", "", 0 };
	int result =
		read_text(store, from, first + 1, &kind, unsound_column, &places->kind, error);

	if (result == 0)
		result = read_text(store, from, first + 2, &stage, unsound_column,
				   &places->stage, error);
	if (result == 0)
		result = read_number(from, first + 3, "at", 0, &ret->at.seconds, error);
	if (result == 0)
		result = read_number(from, first + 4, "due", INSTANT_NEVER.seconds,
				     &ret->due.seconds, error);
	if (result == 0)
		result = read_number(from, first + 5, "voids", 0, &ret->voids, error);
	if (result == 0)
		result = read_text(store, from, first + 6, &value, unsound_column,
				   &places->value, error);
	if (result == 0)
		result = read_number(from, first + 7, "recorded_at", 0,
				     &ret->recorded_at.seconds, error);
	return result;
}

/* The challenge's next event. */
static int add_event(struct store *store, sqlite3_stmt *from, int first,
		     struct challenge *challenge, struct error *error)
{
	size_t count = challenge->event_count;
	struct event event = { .id = sqlite3_column_int64(from, first) };
	struct event_places places = { 0 };
	int result;

	if (count == MOST_EVENTS)
		return error_set(error, EINVAL, "it has more than %d events", (int)MOST_EVENTS);
	result = read_event(store, from, first, &event, &places, &challenge->unsound, error);
	if (result < 0) {
		(void)error_wrap(error, "event %lld", (long long)event.id);
		return result;
	}
	if (list_reserve(&store->event, count, &store->event_capacity, sizeof event) < 0 ||
	    list_reserve(&store->places, count, &store->places_capacity, sizeof places) < 0)
		return error_memory(error);
	event.key = event.id;
	store->event[count] = event;
	store->places[count] = places;
	challenge->event_count++;
	return 0;
}

static int read_events(struct store *store, struct challenge *challenge, struct error *error)
{
	int result = database_bind(store->events,
				   (struct database_value[]){ value_number(challenge->id) }, 1,
				   error);
	int step = SQLITE_DONE;

	while (result == 0 && (step = sqlite3_step(store->events)) == SQLITE_ROW)
		result = add_event(store, store->events, 0, challenge, error);
	if (result == 0 && step != SQLITE_DONE)
		result = database_fail(store->db, error, "read its events");
	(void)sqlite3_reset(store->events); /* repeats the error told above */
	return result;
}

/* Strings stay where they are from now on: point at them. */
static void point(struct store *store, struct challenge *challenge,
		  const size_t places[ROW_TEXTS])
{
	for (size_t i = 0; i < ROW_TEXTS; i++) {
		const char *string = store->strings.data + places[i];

		memcpy((char *)challenge + row_texts[i].offset, &string, sizeof string);
	}
	for (size_t i = 0; i < challenge->event_count; i++) {
		store->event[i].kind = store->strings.data + store->places[i].kind;
		store->event[i].stage = store->strings.data + store->places[i].stage;
		store->event[i].value = store->strings.data + store->places[i].value;
	}
	challenge->events = store->event;
}

/* 1 with the challenge read into the store's own buffers; 0: no such row. */
static int load(struct store *store, int64_t id, struct error *error)
{
	struct challenge challenge = { .id = id };
	size_t places[ROW_TEXTS] = { 0 };
	int result = database_bind(store->row, (struct database_value[]){ value_number(id) }, 1,
				   error);
	int step = SQLITE_DONE;

	store->strings.count = 0;
	if (result == 0) {
		step = sqlite3_step(store->row);
		if (step == SQLITE_ROW)
			result = read_row(store, store->row, &challenge, places, error);
		else if (step != SQLITE_DONE)
			result = database_fail(store->db, error, "read it");
		(void)sqlite3_reset(store->row); /* repeats the error told above */
	}
	if (result == 0 && step == SQLITE_ROW)
		result = read_events(store, &challenge, error);
	if (result < 0) {
		(void)error_wrap(error, "challenge %lld", (long long)id);
		return result;
	}
	if (step != SQLITE_ROW)
		return 0;
	point(store, &challenge, places);
	store->challenge = challenge;
	return 1;
}

/* --- walking --------------------------------------------------------------------------------
 */

static int begin_behind(struct store *store, sqlite3_stmt *statement, struct error *error)
{
	return database_bind(statement,
			     (struct database_value[]){ value_number(store->passed_seq),
							value_number(store->passed_id) },
			     2, error);
}

int store_changed_since(struct store *store, int64_t after, struct error *error)
{
	store->passed_seq = after;
	store->passed_id = INT64_MAX;
	store->on_row = false;
	store->careful = false;
	/* Of a walk before, which may have been left half way. */
	(void)sqlite3_reset(store->changed);
	return begin_behind(store, store->walk, error);
}

int store_all(struct store *store, struct error *error)
{
	store->careful = true; /* each by itself, from the beginning */
	store->ids_of = store->sorted;
	(void)sqlite3_reset(store->walk);
	return database_bind(store->sorted, NULL, 0, error);
}

/* What is wrong with one row or with what stands in it, as against the machine or the file. */
static bool is_of_row(int result)
{
	return result == -EINVAL || result == -EFBIG || result == -EBADMSG;
}

/* The rows of one challenge: 1 with the last of them passed, 0 when something was wrong. */
static int gather(struct store *store, struct challenge *challenge, size_t places[ROW_TEXTS])
{
	sqlite3_stmt *walk = store->walk;
	int step = SQLITE_ROW;

	store->strings.count = 0;
	if (read_row(store, walk, challenge, places, NULL) < 0)
		return 0;
	while (step == SQLITE_ROW && sqlite3_column_int64(walk, 0) == challenge->id) {
		if (sqlite3_column_type(walk, CHALLENGE_COLUMN_COUNT) != SQLITE_NULL &&
		    add_event(store, walk, CHALLENGE_COLUMN_COUNT, challenge, NULL) < 0)
			return 0;
		step = sqlite3_step(walk);
	}
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		return 0;
	store->on_row = step == SQLITE_ROW;
	if (step == SQLITE_DONE)
		(void)sqlite3_reset(walk); /* after the last row: nothing to fail */
	return 1;
}

/* 1 with the next challenge, 0 at the end, -1 when a fault has to be looked at by itself. */
static int next_of_walk(struct store *store)
{
	struct challenge challenge = { 0 };
	size_t places[ROW_TEXTS] = { 0 };

	if (!store->on_row) {
		int step = begin_behind(store, store->walk, NULL) < 0
				   ? SQLITE_ERROR
				   : sqlite3_step(store->walk);

		if (step == SQLITE_DONE)
			(void)sqlite3_reset(store->walk); /* as above */
		if (step != SQLITE_ROW)
			return step == SQLITE_DONE ? 0 : -1;
	}
	store->on_row = false;
	/* What is no number stands behind every number, so the walk would not get past it. */
	if (sqlite3_column_type(store->walk, 0) != SQLITE_INTEGER)
		return -1;
	challenge.id = sqlite3_column_int64(store->walk, 0);
	if (gather(store, &challenge, places) == 0)
		return -1;
	point(store, &challenge, places);
	store->challenge = challenge;
	store->handed_out = challenge.id;
	store->change = challenge.change_seq;
	store->passed_seq = challenge.change_seq;
	store->passed_id = challenge.id;
	return 1;
}

static int begin_careful(struct store *store, struct error *error)
{
	store->careful = true;
	store->ids_of = store->changed;
	(void)sqlite3_reset(store->walk); /* its error comes again, and is told then */
	return begin_behind(store, store->changed, error);
}

static int next_by_itself(struct store *store, struct challenge **ret, struct error *error)
{
	for (;;) {
		int step = sqlite3_step(store->ids_of);
		int result;

		if (step != SQLITE_ROW) {
			result = step == SQLITE_DONE ? 0
						     : database_fail(store->db, error,
								     "read the challenges");
			(void)sqlite3_reset(store->ids_of); /* repeats the error told above */
			return result;
		}
		store->handed_out = sqlite3_column_int64(store->ids_of, 0);
		store->change = sqlite3_column_type(store->ids_of, 1) == SQLITE_INTEGER
					? sqlite3_column_int64(store->ids_of, 1)
					: 0;
		result = load(store, store->handed_out, error);
		if (result == 0)
			continue; /* purged since; outside a transaction that may be */
		if (result < 0 && !is_of_row(result)) {
			(void)sqlite3_reset(store->ids_of); /* the error is told already */
			return result;
		}
		*ret = result > 0 ? &store->challenge : NULL;
		return 1;
	}
}

int store_next(struct store *store, struct challenge **ret, struct error *error)
{
	int result = store->careful ? -1 : next_of_walk(store);

	if (result > 0)
		*ret = &store->challenge;
	if (result >= 0)
		return result;
	if (!store->careful) {
		result = begin_careful(store, error);
		if (result < 0)
			return result;
	}
	return next_by_itself(store, ret, error);
}

int store_ids(struct store *store, int64_t from, size_t most, int64_t *ret, size_t *ret_count,
	      struct error *error)
{
	size_t count = 0;
	int step = SQLITE_DONE;
	int result = database_bind(
		store->ids,
		(struct database_value[]){ value_number(from), value_number((int64_t)most) }, 2,
		error);

	if (result < 0)
		return result;
	while (count < most && (step = sqlite3_step(store->ids)) == SQLITE_ROW)
		ret[count++] = sqlite3_column_int64(store->ids, 0);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		result = database_fail(store->db, error, "read which challenges there are");
	(void)sqlite3_reset(store->ids); /* repeats the error told above */
	*ret_count = count;
	return result;
}

int64_t store_row(const struct store *store)
{
	return store->handed_out;
}

int64_t store_row_change(const struct store *store)
{
	return store->change;
}

int store_challenge(struct store *store, int64_t id, struct challenge **ret,
		    struct error *error)
{
	int result = load(store, id, error);

	if (result == 0 || (result < 0 && !is_of_row(result)))
		return result;
	*ret = result > 0 ? &store->challenge : NULL;
	return 1;
}

int store_challenge_by_reference(struct store *store, const char *reference,
				 struct challenge **ret, struct error *error)
{
	int64_t id = 0;
	int step;
	int result = database_bind(
		store->reference, (struct database_value[]){ value_text(reference) }, 1, error);

	if (result < 0)
		return result;
	step = sqlite3_step(store->reference);
	if (step == SQLITE_ROW)
		id = sqlite3_column_int64(store->reference, 0);
	else if (step != SQLITE_DONE)
		result = database_fail(store->db, error, "look for a reference");
	(void)sqlite3_reset(store->reference); /* repeats the error told above */
	if (result < 0 || step == SQLITE_DONE)
		return result;
	result = load(store, id, error);
	if (result > 0)
		*ret = &store->challenge;
	return result;
}

/* --- the directory --------------------------------------------------------------------------
 */

/* A text that is not fit to leave this file counts as empty: an address, say, that nobody can
 * be reached at, so that the role's stand-ins are asked. */
static const char *arena_text(struct arena *arena, sqlite3_stmt *from, int column)
{
	const unsigned char *bytes;

	if (sqlite3_column_type(from, column) != SQLITE_TEXT)
		return "";
	bytes = sqlite3_column_text(from, column);
	if (bytes == NULL)
		return NULL;
	if (unsound(bytes, (size_t)sqlite3_column_bytes(from, column)) != NULL)
		return "";
	return arena_string(arena, (const char *)bytes);
}

static struct instant column_instant(sqlite3_stmt *from, int column)
{
	if (sqlite3_column_type(from, column) != SQLITE_INTEGER)
		return INSTANT_NEVER;
	return (struct instant){ sqlite3_column_int64(from, column) };
}

static bool read_agency(struct arena *arena, sqlite3_stmt *from, void *item)
{
	struct agency *agency = item;

	*agency = (struct agency){
		.id = arena_text(arena, from, 0),
		.name = arena_text(arena, from, 1),
		.telephone = arena_text(arena, from, 2),
		.calendar = arena_text(arena, from, 3),
		.cover = sqlite3_column_int64(from, 4),
	};
	return agency->id != NULL && agency->name != NULL && agency->telephone != NULL &&
	       agency->calendar != NULL;
}

static bool read_contact(struct arena *arena, sqlite3_stmt *from, void *item)
{
	struct contact *contact = item;

	*contact = (struct contact){
		.id = sqlite3_column_int64(from, 0),
		.agency = arena_text(arena, from, 1),
		.role = arena_text(arena, from, 2),
		.name = arena_text(arena, from, 3),
		.email = arena_text(arena, from, 4),
		.language = arena_text(arena, from, 5),
		.shared = sqlite3_column_int64(from, 6) == 1,
		.active = sqlite3_column_int64(from, 7) == 1,
		.away_from = column_instant(from, 8),
		.away_until = column_instant(from, 9),
		.deputy = sqlite3_column_int64(from, 10),
		.confirmed_at = column_instant(from, 11),
	};
	return contact->agency != NULL && contact->role != NULL && contact->name != NULL &&
	       contact->email != NULL && contact->language != NULL;
}

/* Every row of the statement, read into an array of the arena. The statement stays open. */
static int read_all(struct store *store, sqlite3_stmt *find, size_t item_size,
		    bool (*read)(struct arena *, sqlite3_stmt *, void *item), void **ret,
		    size_t *ret_count, struct error *error)
{
	CLEANUP(freep) char *items = NULL;
	size_t count = 0;
	size_t capacity = 0;
	int step;

	for (; (step = sqlite3_step(find)) == SQLITE_ROW; count++)
		if (list_reserve(&items, count, &capacity, item_size) < 0 ||
		    !read(&store->directory, find, items + count * item_size))
			return error_memory(error);
	if (step != SQLITE_DONE)
		return database_fail(store->db, error, "read the directory");
	*ret = arena_copy(&store->directory, items != NULL ? items : "", count * item_size);
	if (*ret == NULL)
		return error_memory(error);
	*ret_count = count;
	return 0;
}

static int read_agencies(struct store *store, sqlite3_stmt *find, struct directory *ret,
			 struct error *error)
{
	void *items = NULL;
	int result = read_all(store, find, sizeof(struct agency), read_agency, &items,
			      &ret->agency_count, error);

	(void)sqlite3_reset(find); /* repeats the error told above */
	ret->agencies = items;
	return result;
}

static int read_contacts(struct store *store, sqlite3_stmt *find, struct directory *ret,
			 struct error *error)
{
	void *items = NULL;
	int result = read_all(store, find, sizeof(struct contact), read_contact, &items,
			      &ret->contact_count, error);

	(void)sqlite3_reset(find); /* repeats the error told above */
	ret->contacts = items;
	return result;
}

int store_directory(struct store *store, const char *const *agencies, size_t agency_count,
		    struct directory *ret, struct error *error)
{
	struct database_value values[MOST_AGENCIES] = { 0 };
	/* More than the statement has room for: everybody holds those, too. */
	bool everybody = agencies == NULL || agency_count > MOST_AGENCIES;
	size_t count = everybody ? 0 : MOST_AGENCIES;
	sqlite3_stmt *find_agencies = everybody ? store->all_agencies : store->agencies;
	sqlite3_stmt *find_contacts = everybody ? store->all_contacts : store->contacts;
	struct directory directory = { 0 };
	int result;

	for (size_t i = 0; !everybody && i < agency_count; i++)
		values[i] = value_text(agencies[i]);
	arena_clear(&store->directory);
	result = database_bind(find_agencies, values, count, error);
	if (result == 0)
		result = database_bind(find_contacts, values, count, error);
	if (result == 0)
		result = read_agencies(store, find_agencies, &directory, error);
	if (result == 0)
		result = read_contacts(store, find_contacts, &directory, error);
	if (result == 0)
		*ret = directory;
	return result;
}

int store_backup(struct store *store, const char *path, struct error *error)
{
	return database_backup(store->db, path, &(struct database_watch){ 0 }, error);
}
