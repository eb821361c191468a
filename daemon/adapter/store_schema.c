/*
 * store_schema.c - is a file a challenge store, whole, and of a version that is known here?
 */
#include "adapter/store_internal.h"

#include "base/list.h"

#include <errno.h>

enum {
	APPLICATION_ID = 0x43484E44, /* "CHND" */
	SCHEMA_VERSION = 1,
};

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
	{ "purge", "SELECT challenge FROM main.purge" },
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
		database_ask(db,
			     "SELECT count(*) FROM main.sqlite_schema WHERE type = ?1 AND"
			     " name = ?2 AND upper(substr(sql, 1, 14)) <> 'CREATE VIRTUAL'",
			     VALUES(value_text(type), value_text(name)), &find, error);

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

int store_check_header(sqlite3 *db, struct error *error)
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
int store_check_new_schema(struct store *store, struct error *error)
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
