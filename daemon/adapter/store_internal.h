/*
 * store_internal - what the files of the store's reader share among themselves. For no others.
 */
#ifndef ADAPTER_STORE_INTERNAL_H
#define ADAPTER_STORE_INTERNAL_H

#include "adapter/database.h"
#include "adapter/store.h"
#include "base/arena.h"

enum {
	STORE_IDENTITY_SIZE = 65,
	STORE_MOST_AGENCIES = 16, /* the parameters of the directory's statements */
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
	char identity[STORE_IDENTITY_SIZE];
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

/* Is it a challenge store of the version that is known here? -EINVAL with what it is instead.
 */
MUST_CHECK int store_check_header(sqlite3 *db, struct error *error);
/* Checks the schema unless it is the one that was checked. */
MUST_CHECK int store_check_new_schema(struct store *store, struct error *error);
/* Both of these, and what store_identity and store_is_wal answer from now on. */
MUST_CHECK int store_know(struct store *store, struct error *error);

/*
 * NULL when a text is fit to leave these files, else what is wrong with it. Terminated; a NUL
 * before its end is a control character.
 */
const char *store_text_fault(const unsigned char *bytes, size_t length);

/* --- one challenge --------------------------------------------------------------------------
 */

/* The columns of a challenge, then those of an event, as store_read_row and store_add_event
 * read them. */
#define CHALLENGE_COLUMNS                                                              \
	"SELECT c.id, c.reference, c.policy, c.policy_version, c.urgency, c.concerns," \
	" c.category, c.raising_agency, c.receiving_agency, c.raising_contact,"        \
	" c.receiving_contact, c.protect_by, c.change_seq"
enum { CHALLENGE_COLUMN_COUNT = 13, ROW_TEXTS = 8 };
#define EVENT_COLUMNS " e.id, e.kind, e.stage, e.at, e.due, e.voids, e.value, e.recorded_at"

/* A challenge's own columns; its texts go to the store's strings, at `places`. */
MUST_CHECK int store_read_row(struct store *store, sqlite3_stmt *row, struct challenge *ret,
			      size_t places[ROW_TEXTS], struct error *error);
/* The challenge's next event, whose columns begin at `first` with its id. */
MUST_CHECK int store_add_event(struct store *store, sqlite3_stmt *from, int first,
			       struct challenge *challenge, struct error *error);
/* Strings stay where they are from now on: points at them. */
void store_point(struct store *store, struct challenge *challenge,
		 const size_t places[ROW_TEXTS]);
/* 1 with the challenge read into the store's own buffers; 0: no such row. */
MUST_CHECK int store_load(struct store *store, int64_t id, struct error *error);
/* What is wrong with one row or with what stands in it, as against the machine or the file. */
bool store_is_of_row(int result);

#endif
