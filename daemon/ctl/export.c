/* export.c - `challengectl export`: the store as CSV, for spreadsheets and for `import`. */
#include "adapter/csv_file.h"
#include "ctl/commands.h"
#include "ctl/exchange.h"
#include "ctl/lookup.h"
#include "ctl/terminal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct export
{
	struct ctl *ctl;
	const struct exchange *exchange;
	const struct zone *zone;
	json_t *list; /* NULL: CSV */
};

/* One row being made. Numbers and times need room of their own. */
struct cells {
	const char *cell[EXCHANGE_COLUMNS];
	char room[EXCHANGE_COLUMNS][INSTANT_TEXT_SIZE];
};

static void set_number(struct cells *cells, int column, int64_t number)
{
	cells->cell[column] = cells->room[column];
	cells->room[column][0] = '\0';
	if (number != 0)
		(void)snprintf(cells->room[column], INSTANT_TEXT_SIZE, "%lld",
			       (long long)number); /* fits */
}

static void set_time(const struct export *export, struct cells *cells, int column,
		     struct instant at)
{
	cells->cell[column] = ctl_time_text(export->zone, at, cells->room[column]);
}

static const char *flag_text(bool flag)
{
	return flag ? "yes" : "no";
}

/* 0, or -1 after which the row is missing: out of memory, or the answer cannot be written. */
static int put(const struct export *export, const struct cells *cells)
{
	json_t *object;

	if (export->list == NULL)
		return csv_write_row(export->ctl->out, cells->cell, export->exchange->count);
	object = json_object();
	for (size_t i = 0; i < export->exchange->count; i++)
		if (json_object_set_new(object, export->exchange->columns[i],
					json_string(cells->cell[i])) < 0) {
			json_decref(object);
			return -1;
		}
	return json_array_append_new(export->list, object);
}

static int put_agency(const struct export *export, const struct agency *agency)
{
	struct cells cells = { .cell = { [AGENCY_ID] = agency->id,
					 [AGENCY_NAME] = agency->name,
					 [AGENCY_TELEPHONE] = agency->telephone,
					 [AGENCY_CALENDAR] = agency->calendar } };

	set_number(&cells, AGENCY_COVER, agency->cover);
	return put(export, &cells);
}

static int put_contact(const struct export *export, const struct contact *contact)
{
	struct cells cells = { .cell = { [CONTACT_AGENCY] = contact->agency,
					 [CONTACT_ROLE] = contact->role,
					 [CONTACT_NAME] = contact->name,
					 [CONTACT_EMAIL] = contact->email,
					 [CONTACT_LANGUAGE] = contact->language,
					 [CONTACT_SHARED] = flag_text(contact->shared),
					 [CONTACT_ACTIVE] = flag_text(contact->active) } };

	set_number(&cells, CONTACT_ID, contact->id);
	set_time(export, &cells, CONTACT_AWAY_FROM, contact->away_from);
	set_time(export, &cells, CONTACT_AWAY_UNTIL, contact->away_until);
	set_number(&cells, CONTACT_DEPUTY, contact->deputy);
	set_time(export, &cells, CONTACT_CONFIRMED_AT, contact->confirmed_at);
	return put(export, &cells);
}

/* The first `raised` event, the last of any other kind; NULL when there is none. */
static const struct event *find_event(const struct challenge *challenge, const char *kind)
{
	const struct event *found = NULL;

	for (size_t i = 0; i < challenge->event_count; i++) {
		if (strcmp(challenge->events[i].kind, kind) != 0)
			continue;
		found = &challenge->events[i];
		if (strcmp(kind, "raised") == 0)
			break;
	}
	return found;
}

static void set_event(const struct export *export, struct cells *cells, int column,
		      const struct event *event)
{
	set_time(export, cells, column, event != NULL ? event->at : INSTANT_NEVER);
}

static int put_challenge(const struct export *export, struct challenge *challenge)
{
	struct cells cells = { .cell = { [CHALLENGE_REFERENCE] = challenge->reference,
					 [CHALLENGE_POLICY] = challenge->policy,
					 [CHALLENGE_POLICY_VERSION] = challenge->policy_version,
					 [CHALLENGE_URGENCY] = challenge->urgency,
					 [CHALLENGE_CONCERNS] = challenge->concerns,
					 [CHALLENGE_CATEGORY] = challenge->category,
					 [CHALLENGE_RAISING_AGENCY] = challenge->raising_agency,
					 [CHALLENGE_RECEIVING_AGENCY] =
						 challenge->receiving_agency } };
	const struct event *stage;
	const struct event *resolved;

	challenge_settle(challenge);
	stage = find_event(challenge, "stage");
	resolved = find_event(challenge, "resolved");
	set_number(&cells, CHALLENGE_RAISING_CONTACT, challenge->raising_contact);
	set_number(&cells, CHALLENGE_RECEIVING_CONTACT, challenge->receiving_contact);
	set_time(export, &cells, CHALLENGE_PROTECT_BY, challenge->protect_by);
	set_event(export, &cells, CHALLENGE_RAISED_AT, find_event(challenge, "raised"));
	cells.cell[CHALLENGE_STAGE] = stage != NULL ? stage->stage : "";
	set_event(export, &cells, CHALLENGE_STAGE_AT, stage);
	set_event(export, &cells, CHALLENGE_RESOLVED_AT, resolved);
	cells.cell[CHALLENGE_OUTCOME] = resolved != NULL ? resolved->value : "";
	set_event(export, &cells, CHALLENGE_CLOSED_AT, find_event(challenge, "closed"));
	set_event(export, &cells, CHALLENGE_WITHDRAWN_AT, find_event(challenge, "withdrawn"));
	return put(export, &cells);
}

static int put_directory(const struct export *export, struct store *store, struct error *error)
{
	struct directory directory = { 0 };
	int result = store_directory(store, NULL, 0, &directory, error);

	if (result < 0)
		return result;
	if (export->exchange == &exchanges[EXCHANGE_AGENCIES])
		for (size_t i = 0; i < directory.agency_count && result == 0; i++)
			result = put_agency(export, &directory.agencies[i]);
	else
		for (size_t i = 0; i < directory.contact_count && result == 0; i++)
			result = put_contact(export, &directory.contacts[i]);
	return result < 0 ? error_memory(error) : 0;
}

static int put_challenges(const struct export *export, struct store *store, struct error *error)
{
	CLEANUP(progress_end)
	struct progress progress = progress_begin(export->ctl, "challenges");
	struct challenge *challenge;
	size_t done = 0;
	int result = store_all(store, error);

	while (result >= 0 && (result = store_next(store, &challenge, error)) > 0) {
		progress_step(&progress, ++done);
		/* What is left out without a word would be thought exported. */
		if (challenge == NULL)
			return error->code != 0 ? -error->code : -1;
		if (put_challenge(export, challenge) < 0)
			return error_memory(error);
	}
	return result;
}

static int write_all(struct export *export, struct store *store)
{
	struct error error = { 0 };
	int result = store_begin(store, &error);

	if (result < 0)
		return ctl_fail(export->ctl, &error, "");
	if (export->list == NULL && csv_write_row(export->ctl->out, export->exchange->columns,
						  export->exchange->count) < 0)
		result = error_memory(&error);
	if (result >= 0)
		result = export->exchange == &exchanges[EXCHANGE_CHALLENGES]
				 ? put_challenges(export, store, &error)
				 : put_directory(export, store, &error);
	store_end(store);
	if (result < 0) {
		json_decref(export->list);
		return ctl_fail(export->ctl, &error, "What was written is not whole.");
	}
	return export->list != NULL ? ctl_print_json(export->ctl, export->list) : EXIT_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(store_closep) struct store *store = NULL;
	struct export export = { .ctl = ctl };
	int status = ctl_arguments(ctl, argc, argv, 1, 1);

	if (status != EXIT_DONE)
		return status;
	export.exchange = exchange_find(argv[0]);
	if (export.exchange == NULL)
		return ctl_usage(ctl, "export agencies, contacts or challenges, not \"%s\"",
				 argv[0]);
	status = ctl_open_store(ctl, &store);
	if (status != EXIT_DONE)
		return status;
	export.zone = calendar_zone(ctl->config->calendars[0].calendar);
	if (ctl->json)
		export.list = json_array();
	return write_all(&export, store);
}

const struct command command_export = {
	.name = "export",
	.summary = "write agencies, contacts or challenges as CSV",
	.usage = "Usage: challengectl export agencies|contacts|challenges\n"
		 "\n"
		 "CSV on standard output, as a spreadsheet or `challengectl import` reads it. "
		 "Of a\n"
		 "challenge's events only those of the columns are written, and no notes; to "
		 "keep\n"
		 "everything, use `challengectl backup`.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl export contacts > contacts.csv\n",
	.run = run,
};
