/*
 * store_directory.c - agencies and the people in them.
 */
#include "adapter/store_internal.h"

#include "base/list.h"

/* A text that is not fit to leave the store counts as empty: an address, say, that nobody can
 * be reached at, so that the role's stand-ins are asked. */
static const char *arena_text(struct arena *arena, sqlite3_stmt *from, int column)
{
	const unsigned char *bytes;

	if (sqlite3_column_type(from, column) != SQLITE_TEXT)
		return "";
	bytes = sqlite3_column_text(from, column);
	if (bytes == NULL)
		return NULL;
	if (store_text_fault(bytes, (size_t)sqlite3_column_bytes(from, column)) != NULL)
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

static void resetp(sqlite3_stmt **statement)
{
	(void)sqlite3_reset(*statement); /* repeats an error that was told */
}

/* Every row of the statement, read into an array of the arena. */
static int read_all(struct store *store, sqlite3_stmt *bound, size_t item_size,
		    bool (*read)(struct arena *, sqlite3_stmt *, void *item), void **ret,
		    size_t *ret_count, struct error *error)
{
	CLEANUP(resetp) sqlite3_stmt *find = bound;
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

int store_directory(struct store *store, const char *const *agencies, size_t agency_count,
		    struct directory *ret, struct error *error)
{
	struct database_value values[STORE_MOST_AGENCIES] = { 0 };
	/* More than the statement has room for: everybody holds those, too. */
	bool everybody = agencies == NULL || agency_count > STORE_MOST_AGENCIES;
	size_t count = everybody ? 0 : STORE_MOST_AGENCIES;
	sqlite3_stmt *find_agencies = everybody ? store->all_agencies : store->agencies;
	sqlite3_stmt *find_contacts = everybody ? store->all_contacts : store->contacts;
	struct directory directory = { 0 };
	void *found_agencies = NULL;
	void *found_contacts = NULL;
	int result;

	for (size_t i = 0; !everybody && i < agency_count; i++)
		values[i] = value_text(agencies[i]);
	arena_clear(&store->directory);
	result = database_bind(find_agencies, values, count, error);
	if (result == 0)
		result = database_bind(find_contacts, values, count, error);
	if (result == 0)
		result = read_all(store, find_agencies, sizeof(struct agency), read_agency,
				  &found_agencies, &directory.agency_count, error);
	if (result == 0)
		result = read_all(store, find_contacts, sizeof(struct contact), read_contact,
				  &found_contacts, &directory.contact_count, error);
	if (result < 0)
		return result;
	directory.agencies = found_agencies;
	directory.contacts = found_contacts;
	*ret = directory;
	return 0;
}
