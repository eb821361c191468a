/* Each kind of event has a MESSAGE_ID of its own, and the catalog knows exactly these. */
#include "adapter/journal.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char catalog[] = "systemd/challenge-notifyd.catalog";

/* The one MESSAGE_ID that no program of ours has: a script tells of a unit that failed. */
static const char script[] = "systemd/unit-failed";

static char *read_whole(const char *name)
{
	FILE *file = fopen(name, "r");
	char *bytes = calloc(1, 1 << 16);

	assert_non_null(file);
	assert_non_null(bytes);
	assert_true(fread(bytes, 1, (1 << 16) - 1, file) > 0);
	(void)fclose(file);
	return bytes;
}

static void ids_are_unique(void **state)
{
	(void)state;
	for (int i = 0; i < JOURNAL_EVENT_COUNT; i++) {
		const char *id = journal_message_id((enum journal_event)i);

		assert_non_null(id);
		assert_int_equal(strlen(id), 32);
		assert_int_equal(strspn(id, "0123456789abcdef"), 32);
		for (int j = 0; j < i; j++) {
			assert_string_not_equal(id, journal_message_id((enum journal_event)j));
			assert_string_not_equal(journal_event_name((enum journal_event)i),
						journal_event_name((enum journal_event)j));
		}
	}
}

static void catalog_has_every_event(void **state)
{
	char *bytes = read_whole(catalog);

	(void)state;
	for (int i = 0; i < JOURNAL_EVENT_COUNT; i++) {
		char want[48];

		(void)snprintf(want, sizeof want,
			       "\n-- %s\nSubject: ", journal_message_id((enum journal_event)i));
		if (strstr(bytes, want) == NULL)
			fail_msg("%s has no entry for \"%s\"", catalog,
				 journal_event_name((enum journal_event)i));
	}
	free(bytes);
}

static void copy_script_id(char ret[static 33])
{
	char *bytes = read_whole(script);
	const char *at = strstr(bytes, "\nMESSAGE_ID=");

	assert_non_null(at);
	(void)snprintf(ret, 33, "%.32s", at + strlen("\nMESSAGE_ID="));
	free(bytes);
}

static void catalog_has_nothing_else(void **state)
{
	char *bytes = read_whole(catalog);
	char of_script[33];
	int entries = 0;

	(void)state;
	copy_script_id(of_script);
	for (const char *at = bytes; (at = strstr(at, "\n-- ")) != NULL; at += 4) {
		int known = strncmp(at + 4, of_script, 32) == 0;

		entries++;
		for (int i = 0; i < JOURNAL_EVENT_COUNT; i++)
			known += strncmp(at + 4, journal_message_id((enum journal_event)i),
					 32) == 0;
		if (known != 1)
			fail_msg("%s: no event has the id %.32s", catalog, at + 4);
	}
	assert_int_equal(entries, JOURNAL_EVENT_COUNT + 1);
	free(bytes);
}

/* What a callback writes to standard error, as a string that the caller frees. */
static char *standard_error_of(void (*speak)(void))
{
	char *said = calloc(1, 1 << 16);
	char name[] = "/tmp/test-journal-XXXXXX";
	int file = mkstemp(name);
	int kept = dup(STDERR_FILENO);

	assert_non_null(said);
	assert_true(file >= 0 && kept >= 0);
	(void)unlink(name);
	(void)dup2(file, STDERR_FILENO);
	speak();
	(void)dup2(kept, STDERR_FILENO);
	(void)close(kept);
	assert_true(pread(file, said, (1 << 16) - 1, 0) >= 0);
	(void)close(file);
	return said;
}

static void speak_hostile(void)
{
	const struct journal_field fields[] = { { "CHALLENGE_REF", "2026-014" },
						{ "REASON", NULL } };

	journal_send(JOURNAL_STORE_FAULT, fields, COUNT(fields), "store \"%s\"",
		     "a\nMESSAGE=forged\u202etxt.exe\u2066\xc2\x9b\xff");
}

static void one_event_stays_one_line(void **state)
{
	char *said;

	(void)state;
	(void)unsetenv("JOURNAL_STREAM");
	said = standard_error_of(speak_hostile);
	assert_string_equal(said, "<3>store \"a?MESSAGE=forged?txt.exe???\"\n");
	free(said);
}

static void speak_much(void)
{
	for (int i = 0; i < 300; i++) {
		if (i < 99 && !journal_is_open(JOURNAL_ACCEPTED))
			journal_send(JOURNAL_LEDGER_FAULT, NULL, 0, "shut too early");
		journal_send(JOURNAL_ACCEPTED, NULL, 0, "line %d", i);
	}
	if (journal_is_open(JOURNAL_ACCEPTED))
		journal_send(JOURNAL_LEDGER_FAULT, NULL, 0, "open still");
	if (!journal_is_open(JOURNAL_CHALLENGE_FAULT) || !journal_is_open(JOURNAL_LEDGER_FAULT))
		journal_send(JOURNAL_LEDGER_FAULT, NULL, 0, "shut for errors");
	for (int i = 0; i < 300; i++)
		journal_send(JOURNAL_CHALLENGE_FAULT, NULL, 0, "error %d", i);
	journal_send(JOURNAL_LEDGER_FAULT, NULL, 0, "what matters");
}

static int count(const char *text, const char *word)
{
	int found = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		found++;
	return found;
}

static void a_flood_is_capped_and_says_so(void **state)
{
	char *said = standard_error_of(speak_much);

	(void)state;
	/* The minute may turn once in between. */
	assert_in_range(count(said, "line "), 100, 200);
	/* Of their own: not drowned. One was logged by the test before. */
	assert_in_range(count(said, "error "), 99, 200);
	assert_int_equal(count(said, "shut"), 0);
	assert_true(count(said, "line ") > 100 || count(said, "open still") == 0);
	assert_in_range(count(said, "left out"), 1, 3);
	assert_int_equal(count(said, "<2>what matters\n"), 1);
	free(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_unique),
		cmocka_unit_test(catalog_has_every_event),
		cmocka_unit_test(catalog_has_nothing_else),
		cmocka_unit_test(one_event_stays_one_line),
		cmocka_unit_test(a_flood_is_capped_and_says_so),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
