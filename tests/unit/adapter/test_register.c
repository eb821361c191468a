/* test_register.c - what the store's writer accepts, and that it writes all of it or nothing.
 */
#include "adapter/register.h"

#include "adapter/database.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct place {
	char folder[64];
	char path[96];
	struct registrar *registrar;
	const void *row;
};

static const struct agency school = {
	.id = "school", .name = "School", .telephone = "", .calendar = ""
};

static const struct contact teacher = {
	.agency = "school",
	.role = "practitioner",
	.name = "A. Teacher",
	.email = "a@school.example",
	.language = "en",
	.active = true,
	.away_from = { INT64_MAX },
	.away_until = { INT64_MAX },
	.confirmed_at = { 1000 },
};

static const struct challenge plain_challenge = {
	.reference = "2026-014",
	.policy = "example",
	.policy_version = "2026-01",
	.urgency = "",
	.concerns = "child",
	.category = "",
	.raising_agency = "school",
	.receiving_agency = "school",
	.protect_by = { INT64_MAX },
};

static const struct recording plain_recording = {
	.event = { .kind = "raised",
		   .stage = "",
		   .at = { 1000 },
		   .due = { INT64_MAX },
		   .value = "",
		   .recorded_at = { 1100 } },
	.by = "",
	.note = "",
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof *place);
	int64_t id;

	place->row = *state;
	(void)snprintf(place->folder, sizeof place->folder, "/tmp/test_register.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	(void)snprintf(place->path, sizeof place->path, "%s/store.db", place->folder);
	assert_int_equal(register_init(place->path, NULL), 0);
	assert_int_equal(register_open(place->path, &place->registrar, NULL), 0);
	assert_int_equal(register_agency(place->registrar, &school, NULL), 0);
	assert_int_equal(register_contact(place->registrar, &teacher, &id, NULL), 0);
	assert_int_equal(id, 1);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	char command[128];

	register_close(place->registrar);
	(void)snprintf(command, sizeof command, "rm -r %s", place->folder);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

/* A number read by a connection of its own. */
static int64_t number(const struct place *place, const char *sql)
{
	sqlite3 *db = NULL;
	int64_t ret = -1;

	assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
	assert_int_equal(database_number(db, sql, &ret, NULL), 1);
	(void)sqlite3_close(db);
	return ret;
}

static size_t files_in(const struct place *place)
{
	char command[128];
	char line[32] = "";
	FILE *list;

	(void)snprintf(command, sizeof command, "ls -A %s | wc -l", place->folder);
	list = popen(command, "r");
	assert_non_null(list);
	assert_non_null(fgets(line, sizeof line, list));
	(void)pclose(list);
	return strtoul(line, NULL, 10);
}

/* --- init ------------------------------------------------------------------------------------
 */

static void init_makes_a_store_for_its_group(void **state)
{
	struct place *place = *state;
	struct stat status;

	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	assert_int_equal(number(place, "PRAGMA application_id"), 0x43484E44);
	assert_int_equal(number(place, "PRAGMA user_version"), 1);
}

static void init_refuses_what_exists_and_leaves_nothing(void **state)
{
	struct place *place = *state;
	struct error error = { 0 };
	char path[160];

	register_closep(&place->registrar);
	size_t before = files_in(place);

	assert_int_equal(register_init(place->path, &error), -EEXIST);
	assert_non_null(strstr(error.text, "already"));
	assert_int_equal(number(place, "SELECT count(*) FROM contact"), 1);
	(void)snprintf(path, sizeof path, "%s/no/such/folder", place->folder);
	assert_int_equal(register_init(path, &error), -ENOENT);
	assert_int_equal(files_in(place), before);
}

static void init_refuses_a_place_where_an_old_journal_lies(void **state)
{
	struct place *place = *state;
	char path[160];
	FILE *journal;

	(void)snprintf(path, sizeof path, "%s/new.db-journal", place->folder);
	journal = fopen(path, "w");
	assert_non_null(journal);
	(void)fclose(journal);
	(void)snprintf(path, sizeof path, "%s/new.db", place->folder);
	assert_int_equal(register_init(path, NULL), -EEXIST);
}

static void opening_refuses_other_databases(void **state)
{
	struct place *place = *state;
	struct registrar *other = NULL;
	struct error error = { 0 };
	char path[160];
	sqlite3 *db = NULL;

	(void)snprintf(path, sizeof path, "%s/other.db", place->folder);
	assert_int_equal(register_open(path, &other, &error), -ENOENT);
	assert_non_null(strstr(error.text, "init"));
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	assert_int_equal(register_open(path, &other, &error), -EINVAL);
	assert_null(other);
}

/* --- references ------------------------------------------------------------------------------
 */

static const struct reference_row {
	const char *name;
	const char *reference;
	bool sound;
} reference_rows[] = {
	{ "a year and a number", "2026-014", true },
	{ "every allowed character", "aZ09-/._", true },
	{ "forty characters", "0123456789012345678901234567890123456789", true },
	{ "forty-one characters", "01234567890123456789012345678901234567890", false },
	{ "nothing", "", false },
	{ "a blank", "2026 014", false },
	{ "a line break", "2026\r\nBcc: x", false },
	{ "an umlaut", "\xc3\xbc", false },
	{ "a template", "{reference}", false },
};

static void checks_references(void **state)
{
	const struct reference_row *row = *state;

	assert_int_equal(register_check_reference(row->reference, NULL),
			 row->sound ? 0 : -EINVAL);
}

static void numbers_references_within_their_year(void **state)
{
	struct place *place = *state;
	struct challenge challenge = plain_challenge;
	struct registered made = { 0 };
	static const struct {
		const char *reference;
		int32_t year;
		const char *made;
	} steps[] = {
		{ "", 2026, "2026-001" },         { "", 2026, "2026-002" },
		{ "2026-041", 2026, "2026-041" }, { "2026-99x", 2026, "2026-99x" },
		{ "2027-500", 2027, "2027-500" }, { "", 2026, "2026-042" },
		{ "2026-999", 2026, "2026-999" }, { "", 2026, "2026-1000" },
		{ "", 2026, "2026-1001" },        { "", 2025, "2025-001" },
	};

	for (size_t i = 0; i < COUNT(steps); i++) {
		challenge.reference = steps[i].reference;
		assert_int_equal(register_challenge(place->registrar, &challenge, steps[i].year,
						    &plain_recording, 1, &made, NULL),
				 0);
		assert_string_equal(made.reference, steps[i].made);
	}
}

/* --- all or nothing --------------------------------------------------------------------------
 */

static void raises_with_its_events_in_one_go(void **state)
{
	struct place *place = *state;
	struct recording recordings[2] = { plain_recording, plain_recording };
	struct registered made = { 0 };

	recordings[1].event.kind = "immediate_risk";
	recordings[1].note = "two\nlines";
	assert_int_equal(register_challenge(place->registrar, &plain_challenge, 2026,
					    recordings, 2, &made, NULL),
			 0);
	assert_int_equal(made.id, 1);
	assert_int_equal(number(place, "SELECT count(*) FROM event WHERE challenge = 1"), 2);
	assert_int_equal(number(place, "SELECT change_seq FROM challenge"), 3);
	assert_int_equal(number(place, "SELECT recorded_at FROM event WHERE id = 1"), 1100);
	assert_int_equal(number(place, "SELECT stage IS NULL AND due IS NULL AND voids IS NULL"
				       " AND value IS NULL AND by IS NULL AND note IS NULL"
				       " FROM event WHERE id = 1"),
			 1);
}

/* Each row spoils one thing of a good challenge with two events. */
enum spoil {
	SPOIL_REFERENCE,
	SPOIL_TWICE,
	SPOIL_RAISING,
	SPOIL_RECEIVING,
	SPOIL_CONTACT,
	SPOIL_CONCERNS,
	SPOIL_CATEGORY,
	SPOIL_KIND,
	SPOIL_SECOND_KIND,
	SPOIL_STAGE,
	SPOIL_NOTE,
	SPOIL_VOIDS,
};
static const struct spoil_row {
	const char *name;
	enum spoil spoil;
	int code;
	const char *text;
} spoil_rows[] = {
	{ "a reference with a blank", SPOIL_REFERENCE, EINVAL, "reference" },
	{ "a reference that is there already", SPOIL_TWICE, EEXIST, "already" },
	{ "an unknown raising agency", SPOIL_RAISING, ENOENT, "no agency \"nobody\"" },
	{ "an unknown receiving agency", SPOIL_RECEIVING, ENOENT, "no agency \"nobody\"" },
	{ "an unknown contact", SPOIL_CONTACT, ENOENT, "no contact 77" },
	{ "concerns nobody", SPOIL_CONCERNS, EINVAL, "child, adult or both" },
	{ "a line break in the category", SPOIL_CATEGORY, EINVAL, "control characters" },
	{ "an event without a kind", SPOIL_KIND, EINVAL, "must not be empty" },
	{ "a second event with a bad kind", SPOIL_SECOND_KIND, EINVAL, "control characters" },
	{ "a stage event without a stage", SPOIL_STAGE, EINVAL, "stage must not be empty" },
	{ "a note without measure", SPOIL_NOTE, EINVAL, "longer than 10000" },
	{ "a second event that voids a stranger", SPOIL_VOIDS, EINVAL, "not one of this" },
};

static void spoil(enum spoil what, struct challenge *challenge, struct recording *second,
		  const char *long_note)
{
	switch (what) {
	case SPOIL_REFERENCE:
		challenge->reference = "2026 014";
		return;
	case SPOIL_TWICE:
		challenge->reference = "2026-000";
		return;
	case SPOIL_RAISING:
		challenge->raising_agency = "nobody";
		return;
	case SPOIL_RECEIVING:
		challenge->receiving_agency = "nobody";
		return;
	case SPOIL_CONTACT:
		challenge->receiving_contact = 77;
		return;
	case SPOIL_CONCERNS:
		challenge->concerns = "nobody";
		return;
	case SPOIL_CATEGORY:
		challenge->category = "a\nb";
		return;
	case SPOIL_KIND:
		second->event.kind = "";
		return;
	case SPOIL_SECOND_KIND:
		second->event.kind = "a\rb";
		return;
	case SPOIL_STAGE:
		second->event.kind = "stage";
		return;
	case SPOIL_NOTE:
		second->note = long_note;
		return;
	case SPOIL_VOIDS:
		second->event.voids = 99;
		return;
	}
}

static void writes_nothing_of_what_is_wrong(void **state)
{
	struct place *place = *state;
	const struct spoil_row *row = place->row;
	struct challenge challenge = plain_challenge;
	struct recording recordings[2] = { plain_recording, plain_recording };
	struct registered made = { 0 };
	struct error error = { 0 };
	static char note[REGISTER_NOTE_LENGTH + 2];

	memset(note, 'n', sizeof note - 1);
	challenge.reference = "2026-000";
	assert_int_equal(register_challenge(place->registrar, &challenge, 2026, recordings, 2,
					    &made, NULL),
			 0);
	challenge.reference = "2026-014";
	spoil(row->spoil, &challenge, &recordings[1], note);
	made = (struct registered){ 0 };
	assert_int_equal(register_challenge(place->registrar, &challenge, 2026, recordings, 2,
					    &made, &error),
			 -row->code);
	assert_non_null(strstr(error.text, row->text));
	assert_int_equal(made.id, 0);
	assert_int_equal(number(place, "SELECT count(*) FROM challenge"), 1);
	assert_int_equal(number(place, "SELECT count(*) FROM event"), 2);
	/* And the next one goes through: no transaction was left open. */
	assert_int_equal(register_challenge(place->registrar, &plain_challenge, 2026,
					    &plain_recording, 1, &made, NULL),
			 0);
}

static void records_events_of_the_right_challenge_only(void **state)
{
	struct place *place = *state;
	struct challenge challenge = plain_challenge;
	struct recording recording = plain_recording;
	struct registered made = { 0 };
	int64_t id = 0;

	for (int i = 0; i < 2; i++) {
		challenge.reference = "";
		assert_int_equal(register_challenge(place->registrar, &challenge, 2026,
						    &plain_recording, 1, &made, NULL),
				 0);
	}
	recording.event.kind = "voided";
	recording.event.voids = 1;
	assert_int_equal(register_event(place->registrar, 2, &recording, &id, NULL), -ENOENT);
	assert_int_equal(register_event(place->registrar, 9, &recording, &id, NULL), -ENOENT);
	assert_int_equal(id, 0);
	assert_int_equal(number(place, "SELECT count(*) FROM event"), 2);
	assert_int_equal(register_event(place->registrar, 1, &recording, &id, NULL), 0);
	assert_int_equal(id, 3);
	assert_int_equal(number(place, "SELECT voids FROM event WHERE id = 3"), 1);
}

/* --- people ----------------------------------------------------------------------------------
 */

static void refuses_addresses_that_carry_more(void **state)
{
	struct place *place = *state;
	struct contact contact = teacher;
	struct error error = { 0 };
	int64_t id = 0;

	contact.email = "a@b.example\r\nRCPT TO:<x@y.example>";
	assert_int_equal(register_contact(place->registrar, &contact, &id, &error), -EINVAL);
	contact = teacher;
	contact.agency = "nowhere";
	assert_int_equal(register_contact(place->registrar, &contact, &id, &error), -ENOENT);
	contact = teacher;
	contact.deputy = 5;
	assert_int_equal(register_contact(place->registrar, &contact, &id, &error), -ENOENT);
	assert_int_equal(id, 0);
	assert_int_equal(number(place, "SELECT count(*) FROM contact"), 1);
}

static void away_and_back(void **state)
{
	struct place *place = *state;
	struct absence absence = { .contact = 1, .from = { 500 }, .until = { 400 } };
	int64_t id = 0;

	assert_int_equal(register_contact(place->registrar, &teacher, &id, NULL), 0);
	assert_int_equal(register_away(place->registrar, &absence, NULL), -EINVAL);
	absence.until = (struct instant){ 600 };
	absence.deputy = 1;
	assert_int_equal(register_away(place->registrar, &absence, NULL), -EINVAL);
	absence.deputy = id;
	assert_int_equal(register_away(place->registrar, &absence, NULL), 0);
	assert_int_equal(number(place, "SELECT away_from + away_until + deputy FROM contact"
				       " WHERE id = 1"),
			 1102);
	absence = (struct absence){ 1, INSTANT_NEVER, INSTANT_NEVER, 0 };
	assert_int_equal(register_away(place->registrar, &absence, NULL), 0);
	assert_int_equal(number(place, "SELECT away_from IS NULL AND away_until IS NULL AND"
				       " deputy = 2 FROM contact WHERE id = 1"),
			 1);
	absence.contact = 9;
	assert_int_equal(register_away(place->registrar, &absence, NULL), -ENOENT);
}

static void agencies_are_added_once_and_changed_by_will(void **state)
{
	struct place *place = *state;
	struct agency agency = school;

	agency.name = "New name";
	assert_int_equal(register_agency(place->registrar, &agency, NULL), -EEXIST);
	assert_int_equal(register_change_agency(place->registrar, &school, &agency, NULL), 0);
	assert_int_equal(number(place, "SELECT name = 'New name' FROM agency"), 1);
	assert_int_equal(register_change_agency(place->registrar, &agency, &agency, NULL), 0);
	agency.id = "other";
	assert_int_equal(register_change_agency(place->registrar, &school, &agency, NULL),
			 -ENOENT);
	agency.cover = 44;
	assert_int_equal(register_agency(place->registrar, &agency, NULL), -ENOENT);
	agency.cover = 0;
	agency.id = "";
	assert_int_equal(register_agency(place->registrar, &agency, NULL), -EINVAL);
}

/* Others see nothing of a batch until its end, and one change that fails spoils no other. */
static void a_batch_is_written_whole_or_not_at_all(void **state)
{
	struct place *place = *state;
	struct agency agency = school;
	struct error error = { 0 };

	for (int keep = 0; keep <= 1; keep++) {
		assert_int_equal(register_batch_begin(place->registrar, NULL), 0);
		agency.id = "one";
		assert_int_equal(register_agency(place->registrar, &agency, NULL), 0);
		agency.id = "school";
		assert_int_equal(register_agency(place->registrar, &agency, NULL), -EEXIST);
		agency.id = "two";
		assert_int_equal(register_agency(place->registrar, &agency, NULL), 0);
		assert_int_equal(number(place, "SELECT count(*) FROM agency"), 1);
		assert_int_equal(register_batch_end(place->registrar, keep == 1, NULL), 0);
		assert_int_equal(number(place, "SELECT count(*) FROM agency"),
				 keep == 1 ? 3 : 1);
	}
	/* Each change stands alone again. */
	agency.id = "three";
	assert_int_equal(register_agency(place->registrar, &agency, NULL), 0);
	assert_int_equal(number(place, "SELECT count(*) FROM agency"), 4);
	assert_int_equal(register_batch_end(place->registrar, true, &error), -ECANCELED);
}

static void contacts_are_changed_and_may_bring_their_number(void **state)
{
	struct place *place = *state;
	struct contact contact = teacher;
	int64_t id = 0;

	contact.id = 40;
	assert_int_equal(register_contact(place->registrar, &contact, &id, NULL), 0);
	assert_int_equal(id, 40);
	assert_int_equal(register_contact(place->registrar, &contact, &id, NULL), -EEXIST);
	contact.name = "New name";
	contact.deputy = 1;
	assert_int_equal(register_change_contact(place->registrar, &teacher, &contact, NULL),
			 0);
	assert_int_equal(number(place, "SELECT name = 'New name' AND deputy = 1 AND active = 1"
				       " FROM contact WHERE id = 40"),
			 1);
	contact.deputy = 40;
	assert_int_equal(register_change_contact(place->registrar, &teacher, &contact, NULL),
			 -EINVAL);
	contact.deputy = 0;
	contact.id = 41;
	assert_int_equal(register_change_contact(place->registrar, &teacher, &contact, NULL),
			 -ENOENT);
	contact.id = 0;
	assert_int_equal(register_change_contact(place->registrar, &teacher, &contact, NULL),
			 -ENOENT);
}

static void raise_plain(const struct place *place, struct registered *ret)
{
	assert_int_equal(register_challenge(place->registrar, &plain_challenge, 2026,
					    &plain_recording, 1, ret, NULL),
			 0);
}

static void challenges_are_changed_but_for_their_reference(void **state)
{
	struct place *place = *state;
	struct challenge challenge = plain_challenge;
	struct registered made;

	raise_plain(place, &made);
	challenge.id = made.id;
	challenge.urgency = "urgent";
	challenge.reference = "ANOTHER";
	assert_int_equal(
		register_change_challenge(place->registrar, &plain_challenge, &challenge, NULL),
		0);
	assert_int_equal(number(place, "SELECT urgency = 'urgent' AND reference = '2026-014'"
				       " AND change_seq = 3 FROM challenge"),
			 1);
	challenge.raising_agency = "none";
	assert_int_equal(
		register_change_challenge(place->registrar, &plain_challenge, &challenge, NULL),
		-ENOENT);
	challenge.raising_agency = "school";
	challenge.id = 99;
	assert_int_equal(
		register_change_challenge(place->registrar, &plain_challenge, &challenge, NULL),
		-ENOENT);
}

static void what_is_purged_leaves_its_record(void **state)
{
	struct place *place = *state;
	struct contact contact = teacher;
	struct registered made;
	const struct instant now = { 5000 };

	raise_plain(place, &made);
	assert_int_equal(register_purge_challenge(place->registrar, made.id, "", "", now, NULL),
			 -EINVAL);
	assert_int_equal(
		register_purge_challenge(place->registrar, made.id, "a rule", "me", now, NULL),
		0);
	assert_int_equal(number(place, "SELECT (SELECT count(*) FROM challenge)"
				       " + (SELECT count(*) FROM event)"),
			 0);
	assert_int_equal(number(place, "SELECT challenge = 1 AND rule = 'a rule' AND by = 'me'"
				       " AND at = 5000 FROM purge"),
			 1);
	assert_int_equal(
		register_purge_challenge(place->registrar, made.id, "a rule", "me", now, NULL),
		-ENOENT);
	/* A contact that is active is nobody's to erase. */
	assert_int_equal(register_purge_contact(place->registrar, 1, NULL), -ENOENT);
	contact.id = 1;
	contact.active = false;
	assert_int_equal(register_change_contact(place->registrar, &teacher, &contact, NULL),
			 0);
	assert_int_equal(register_purge_contact(place->registrar, 1, NULL), 0);
	assert_int_equal(number(place, "SELECT count(*) FROM contact"), 0);
}

#define PLAIN(function)                                    \
	{                                                  \
#function, function, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest plain[] = {
		PLAIN(init_makes_a_store_for_its_group),
		PLAIN(init_refuses_what_exists_and_leaves_nothing),
		PLAIN(init_refuses_a_place_where_an_old_journal_lies),
		PLAIN(opening_refuses_other_databases),
		PLAIN(numbers_references_within_their_year),
		PLAIN(raises_with_its_events_in_one_go),
		PLAIN(records_events_of_the_right_challenge_only),
		PLAIN(refuses_addresses_that_carry_more),
		PLAIN(away_and_back),
		PLAIN(agencies_are_added_once_and_changed_by_will),
		PLAIN(a_batch_is_written_whole_or_not_at_all),
		PLAIN(contacts_are_changed_and_may_bring_their_number),
		PLAIN(challenges_are_changed_but_for_their_reference),
		PLAIN(what_is_purged_leaves_its_record),
	};
	struct CMUnitTest tests[COUNT(plain) + COUNT(reference_rows) + COUNT(spoil_rows)];
	size_t count = 0;

	for (size_t i = 0; i < COUNT(plain); i++)
		tests[count++] = plain[i];
	for (size_t i = 0; i < COUNT(reference_rows); i++)
		tests[count++] =
			(struct CMUnitTest){ .name = reference_rows[i].name,
					     .test_func = checks_references,
					     .initial_state = (void *)&reference_rows[i] };
	for (size_t i = 0; i < COUNT(spoil_rows); i++)
		tests[count++] = (struct CMUnitTest){ spoil_rows[i].name,
						      writes_nothing_of_what_is_wrong, setup,
						      teardown, (void *)&spoil_rows[i] };
	return cmocka_run_group_tests_name("register", tests, NULL, NULL);
}
