/* test_alarm.c - each trouble is told once, again when it is worse or back, and never in a
 * flood. */
#include "service/alarm.h"

#include "room.h"

static const struct scene {
	const char *name;
	struct {
		const char *at; /* NULL: the end; "": the ledger is closed and opened */
		int64_t levels[ALARM_KINDS];
	} looks[6];
	const char *mails; /* subjects of those to the first address */
} scenes[] = {
/* clang-format off */
#define T0 "2026-11-23T10:00:00Z"
#define T1 "2026-11-23T10:00:15Z"
#define T5 "2026-11-23T10:05:00Z"
#define HOURS5 "2026-11-23T15:00:00Z"
#define HOURS6 "2026-11-23T16:00:00Z"
#define HOURS7 "2026-11-23T17:00:00Z"
#define ALARM(what) "it@partnership.test: Challenge reminders need attention: " what "\n"
#define PAUSED ALARM("Mails could not be sent")
#define HELD ALARM("Mails are held for a person")
	{ "nothing wrong, nothing said", { { T0, { 0 } }, { T5, { 0 } } }, "" },
	{ "a trouble is told once", { { T0, { [ALARM_PAUSED] = 1 } }, { T1, { [ALARM_PAUSED] = 1 } },
	    { HOURS7, { [ALARM_PAUSED] = 1 } } }, PAUSED },
	{ "also over a restart", { { T0, { [ALARM_PAUSED] = 1 } }, { "", { 0 } }, { HOURS7, { [ALARM_PAUSED] = 1 } } }, PAUSED },
	{ "what cannot be known is neither over nor new", { { T0, { [ALARM_PAUSED] = 1 } }, { T1, { [ALARM_PAUSED] = ALARM_UNKNOWN } },
	    { HOURS7, { [ALARM_PAUSED] = 1, [ALARM_HELD] = ALARM_UNKNOWN } } }, PAUSED },
	{ "two troubles are two mails", { { T0, { [ALARM_PAUSED] = 1, [ALARM_HELD] = 2 } } }, PAUSED HELD },
	{ "it is back after it was over", { { T0, { [ALARM_HELD] = 1 } }, { HOURS6, { 0 } }, { HOURS7, { [ALARM_HELD] = 1 } } },
	  HELD HELD },
	{ "back and forth within six hours is one", { { T0, { [ALARM_PAUSED] = 1 } }, { T1, { 0 } }, { T5, { [ALARM_PAUSED] = 1 } },
	    { HOURS5, { [ALARM_PAUSED] = 1 } } }, PAUSED },
	{ "after six hours it is told that it lasts", { { T0, { [ALARM_PAUSED] = 1 } }, { T1, { 0 } }, { T5, { [ALARM_PAUSED] = 1 } },
	    { HOURS6, { [ALARM_PAUSED] = 1 } } }, PAUSED PAUSED },
	{ "worse is told, when six hours are over", { { T0, { [ALARM_HELD] = 1 } }, { T5, { [ALARM_HELD] = 2 } },
	    { HOURS6, { [ALARM_HELD] = 2 } }, { HOURS7, { [ALARM_HELD] = 2 } } }, HELD HELD },
	{ "better is not", { { T0, { [ALARM_HELD] = 2 } }, { HOURS6, { [ALARM_HELD] = 1 } } }, HELD },
	{ "a store that is away for a moment is not told", { { T0, { [ALARM_STORE] = 1 } }, { T1, { [ALARM_STORE] = 1 } }, { T5, { 0 } } },
	  "" },
	{ "one that is away for five minutes is", { { T0, { [ALARM_STORE] = 1 } }, { T1, { [ALARM_STORE] = 1 } },
	    { T5, { [ALARM_STORE] = 1 } } }, ALARM("The challenge store could not be read") },
	{ "a refused configuration", { { T0, { [ALARM_RELOAD] = 1 } } }, ALARM("A new configuration was refused") },
	{ "an approval that is missing", { { T0, { [ALARM_APPROVAL] = 1 } } }, ALARM("A new configuration waits for approval") },
	{ "the end of the holiday list", { { T0, { [ALARM_HOLIDAYS] = 1 } } }, ALARM("The list of bank holidays ends soon") },
	{ "notices without their challenge", { { T0, { [ALARM_ORPHANS] = 1 } }, { T5, { [ALARM_ORPHANS] = 1 } } },
	  ALARM("Some notices wait for their challenge or its policy") },
	{ "challenges that are not watched, once that lasts", { { T0, { [ALARM_PROMISE] = 2 } }, { T1, { [ALARM_PROMISE] = 2 } },
	    { T5, { [ALARM_PROMISE] = 2 } } }, ALARM("Some open challenges are not watched") },
	{ "a proof that has not spoken yet tells nothing", { { T0, { [ALARM_PROMISE] = ALARM_UNKNOWN } },
	    { T5, { [ALARM_PROMISE] = ALARM_UNKNOWN } } }, "" },
	/* clang-format on */
};

/* Every second mail goes to the other address. */
static void keep_first(struct text *mails)
{
	CLEANUP(text_clear) struct text kept = { 0 };
	const char *line = text_string(mails);
	size_t others = 0;

	while (*line != '\0') {
		size_t length = strcspn(line, "\n") + 1;

		if (strncmp(line, "it@", 3) == 0)
			text_append_bytes(&kept, line, length);
		else
			others++;
		line += length;
	}
	text_cut(mails, 0);
	text_append(mails, text_string(&kept));
	for (const char *c = text_string(&kept); *c != '\0'; c++)
		others -= *c == '\n';
	assert_int_equal(others, 0);
}

static void plays(void **state)
{
	const struct scene *scene = *state;
	CLEANUP(text_clear) struct text mails = { 0 };
	struct error error = { 0 };
	struct alarms alarms = { 0 };
	struct room room;

	room_open(&room);
	for (size_t i = 0; i < COUNT(scene->looks) && scene->looks[i].at != NULL; i++) {
		size_t count = 0;

		if (scene->looks[i].at[0] == '\0') {
			room_reopen_ledger(&room);
			alarms = (struct alarms){ 0 };
			continue;
		}
		ROOM_MUST(alarm_look(&alarms, &room.world, scene->looks[i].levels,
				     room_time(scene->looks[i].at), &count, &error));
	}
	room_say_mails(&room, &mails);
	room_close(&room);
	keep_first(&mails);
	assert_string_equal(text_string(&mails), scene->mails);
}

static void a_count_and_a_time_are_all_that_it_tells(void **state)
{
	CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };
	const int64_t levels[ALARM_KINDS] = { [ALARM_HELD] = 17, [ALARM_PAUSED] = 1 };
	struct alarms alarms = { 0 };
	struct room_ids ids = { 0 };
	struct error error = { 0 };
	struct room room;
	size_t count = 0;

	(void)state;
	room_open(&room);
	ROOM_MUST(alarm_look(&alarms, &room.world, levels, room_time(T0), &count, &error));
	assert_int_equal(count, 4);
	ROOM_MUST(ledger_mails(room.ledger, -1, room_note_id, &ids, &error));
	ROOM_MUST(ledger_mail(room.ledger, ids.id[0], &mail, &error));
	assert_non_null(strstr(mail.bytes, "Since Monday 23 November, 10:00 the relay"));
	ledger_mail_clear(&mail);
	ROOM_MUST(ledger_mail(room.ledger, ids.id[2], &mail, &error));
	assert_non_null(strstr(mail.bytes, "17 mails or notices wait"));
	room_close(&room);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_count_and_a_time_are_all_that_it_tells),
	};
	struct CMUnitTest tests[COUNT(scenes)];
	int failed;

	for (size_t i = 0; i < COUNT(scenes); i++)
		tests[i] = (struct CMUnitTest){ .name = scenes[i].name,
						.test_func = plays,
						.initial_state = (void *)&scenes[i] };
	failed = cmocka_run_group_tests_name("alarm", tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("what they say", others, NULL, NULL);
	return failed;
}
