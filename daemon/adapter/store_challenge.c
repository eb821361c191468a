/*
 * store_challenge.c - one challenge with its events, read by its id or its reference. One bad
 * value spoils its challenge, no other.
 */
#include "adapter/store_internal.h"

#include "base/list.h"
#include "core/unicode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_EVENTS = 10000 }; /* of one challenge; more is no history but an attack */

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
		wrong = store_text_fault(bytes, length);
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
_Static_assert(COUNT(row_texts) == ROW_TEXTS, "each has a place");

int store_read_row(struct store *store, sqlite3_stmt *row, struct challenge *ret,
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

int store_add_event(struct store *store, sqlite3_stmt *from, int first,
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
		result = store_add_event(store, store->events, 0, challenge, error);
	if (result == 0 && step != SQLITE_DONE)
		result = database_fail(store->db, error, "read its events");
	(void)sqlite3_reset(store->events); /* repeats the error told above */
	return result;
}

void store_point(struct store *store, struct challenge *challenge,
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

int store_load(struct store *store, int64_t id, struct error *error)
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
			result = store_read_row(store, store->row, &challenge, places, error);
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
	store_point(store, &challenge, places);
	store->challenge = challenge;
	return 1;
}

bool store_is_of_row(int result)
{
	return result == -EINVAL || result == -EFBIG || result == -EBADMSG;
}

int store_challenge(struct store *store, int64_t id, struct challenge **ret,
		    struct error *error)
{
	int result = store_load(store, id, error);

	if (result == 0 || (result < 0 && !store_is_of_row(result)))
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
	result = store_load(store, id, error);
	if (result > 0)
		*ret = &store->challenge;
	return result;
}
