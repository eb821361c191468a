/* test_routine.c - the sign of life and the watch-list: when, to whom, once, and what they say.
 */
#include "service/routine.h"

#include "room.h"

enum act {
	END,
	RAISE,   /* a challenge `word` is raised then */
	RECORD,  /* an event of kind `word` on the last one */
	ASK,     /* what is due at that time is sent; every open challenge is watched */
	DOUBT,   /* the same, but whether they are is not known */
	BREACH,  /* the same, but they are not */
	RESTART, /* the ledger is closed and opened */
	UNIT,    /* the business unit gets somebody, whose language is `word` */
};

static const struct scene {
	const char *name;
	struct {
		enum act act;
		const char *at;
		const char *word;
	} acts[12];
	const char *mails;
	const char *next; /* when to ask again */
} scenes[] = {
/* clang-format off */
#define SUN "2026-11-22T12:00:00Z"
#define MON8 "2026-11-23T08:29:59Z"
#define MON830 "2026-11-23T08:30:00Z"
#define MON9 "2026-11-23T09:00:00Z"
#define TUE830 "2026-11-24T08:30:00Z"
#define LIFE(counts) "it@partnership.test: Challenge reminders are running: " counts "\n" \
	"duty@partnership.test: Challenge reminders are running: " counts "\n"
#define WATCH(counts) "inbox@partnership.test: Open challenges this week: " counts "\n"
	{ "a new ledger begins with the next turn", { { ASK, MON9 } }, "", TUE830 },
	{ "before its time nothing is sent", { { ASK, SUN }, { ASK, MON8 } }, "", MON830 },
	{ "the sign of life comes at its time, to all", { { ASK, SUN }, { ASK, MON830 } },
	  LIFE("0 open, 0 past their time"), MON9 },
	{ "once", { { ASK, SUN }, { ASK, MON830 }, { ASK, MON830 }, { RESTART }, { ASK, MON8 }, { ASK, MON9 } },
	  LIFE("0 open, 0 past their time"), TUE830 },
	{ "late, but on its day", { { ASK, MON9 }, { ASK, "2026-11-24T23:50:00Z" } },
	  LIFE("0 open, 0 past their time"), "2026-11-25T08:30:00Z" },
	{ "what was missed on another day stays unsent", { { ASK, MON9 }, { ASK, "2026-11-26T08:00:00Z" } },
	  "", "2026-11-26T08:30:00Z" },
	{ "while a challenge is not watched it stays away", { { ASK, SUN }, { BREACH, MON830 } }, "", MON9 },
	{ "nor does it come before that is known", { { ASK, SUN }, { DOUBT, MON830 } }, "", MON9 },
	{ "it comes late when all of them are watched again", { { ASK, SUN }, { BREACH, MON830 }, { DOUBT, MON830 }, { ASK, MON9 } },
	  LIFE("0 open, 0 past their time"), TUE830 },
	{ "but not on another day", { { ASK, SUN }, { BREACH, MON830 }, { BREACH, MON9 }, { ASK, "2026-11-24T08:00:00Z" } },
	  "", TUE830 },
	{ "the list of open challenges is no sign of life",
	  { { RAISE, "2026-11-20T10:00:00Z", "2026-1" }, { ASK, SUN }, { BREACH, MON9 } },
	  WATCH("1, past their time: 0"), "2026-11-24T08:30:00Z" },
	{ "on weekends too", { { ASK, MON9 }, { ASK, "2026-11-28T08:30:00Z" } },
	  LIFE("0 open, 0 past their time"), "2026-11-29T08:30:00Z" },
	{ "a list of nothing is not sent", { { ASK, SUN }, { ASK, MON830 }, { ASK, MON9 } },
	  LIFE("0 open, 0 past their time"), TUE830 },
	{ "the watch-list comes when Monday opens",
	  { { RAISE, "2026-11-20T10:00:00Z", "2026-1" }, { ASK, SUN }, { ASK, MON830 }, { ASK, MON9 }, { ASK, MON9 } },
	  LIFE("1 open, 0 past their time") WATCH("1, past their time: 0"), TUE830 },
	{ "to the business unit where there is one",
	  { { UNIT, NULL, "en" }, { RAISE, "2026-11-20T10:00:00Z", "2026-1" }, { ASK, MON830 }, { ASK, MON9 } },
	  "unit@partnership.test: Open challenges this week: 1, past their time: 0\n", TUE830 },
	{ "where Monday is closed, when Tuesday opens",
	  { { RAISE, "2026-11-27T10:00:00Z", "2026-1" }, { ASK, "2026-11-29T09:00:00Z" }, { ASK, "2026-11-30T09:00:00Z" },
	    { ASK, "2026-12-01T08:59:59Z" }, { ASK, "2026-12-01T09:00:00Z" } },
	  LIFE("1 open, 0 past their time") LIFE("1 open, 0 past their time") WATCH("1, past their time: 0"),
	  "2026-12-02T08:30:00Z" },
	{ "missed on Monday, it comes at the next opening",
	  { { RAISE, "2026-11-20T10:00:00Z", "2026-1" }, { ASK, SUN }, { ASK, "2026-11-25T03:00:00Z" }, { ASK, "2026-11-25T09:00:00Z" } },
	  LIFE("1 open, 0 past their time") WATCH("1, past their time: 0"), "2026-11-26T08:30:00Z" },
	{ "in a week of holidays there is none",
	  { { RAISE, "2026-12-18T10:00:00Z", "2026-1" }, { ASK, "2026-12-20T09:00:00Z" }, { ASK, "2026-12-23T09:00:00Z" } },
	  LIFE("1 open, 0 past their time"), "2026-12-24T08:30:00Z" },
	{ "what is overdue is counted, also where it was passed on",
	  { { RAISE, "2026-11-02T10:00:00Z", "2026-1" }, { RAISE, "2026-11-17T10:00:00Z", "2026-2" },
	    { RAISE, "2026-11-20T10:00:00Z", "2026-3" }, { ASK, SUN }, { ASK, MON830 } },
	  LIFE("3 open, 2 past their time"), MON9 },
	{ "what is settled is open while feedback is owed",
	  { { RAISE, "2026-11-17T10:00:00Z", "2026-1" }, { RECORD, "2026-11-19T10:00:00Z", "resolved" }, { ASK, SUN }, { ASK, MON830 } },
	  LIFE("1 open, 0 past their time"), MON9 },
	{ "what has ended is not open",
	  { { RAISE, "2026-11-17T10:00:00Z", "2026-1" }, { RECORD, "2026-11-19T10:00:00Z", "resolved" },
	    { RECORD, "2026-11-20T10:00:00Z", "outcome_shared" }, { ASK, SUN }, { ASK, MON830 } },
	  LIFE("0 open, 0 past their time"), MON9 },
	{ "a clock set back sends nothing again", { { ASK, SUN }, { ASK, TUE830 }, { ASK, MON830 } },
	  LIFE("0 open, 0 past their time"), MON9 },
	/* clang-format on */
};

static struct instant ask_when(struct room *room, enum proof_verdict verdict, const char *when)
{
	struct error error = { 0 };
	struct instant next = INSTANT_NEVER;
	size_t mails = 0;
	bool store_failed = false;

	ROOM_MUST(routine_run(&room->world, room->store, verdict, room_time(when), &mails,
			      &next, &store_failed, &error));
	assert_false(store_failed);
	return next;
}

static struct instant ask(struct room *room, const char *when)
{
	return ask_when(room, PROOF_KEPT, when);
}

static void plays(void **state)
{
	const struct scene *scene = *state;
	CLEANUP(text_clear) struct text mails = { 0 };
	struct room room;
	struct instant next = INSTANT_NEVER;
	int64_t challenge = 0;
	char text[INSTANT_TEXT_SIZE];

	room_open(&room);
	for (size_t i = 0; i < COUNT(scene->acts); i++) {
		const char *when = scene->acts[i].at;
		const char *word = scene->acts[i].word;

		switch (scene->acts[i].act) {
		case END:
			break;
		case RAISE:
			challenge = room_raise(&room, word, when);
			break;
		case RECORD:
			room_record(&room, challenge, word, when);
			break;
		case ASK:
			next = ask(&room, when);
			break;
		case DOUBT:
			next = ask_when(&room, PROOF_UNKNOWN, when);
			break;
		case BREACH:
			next = ask_when(&room, PROOF_BROKEN, when);
			break;
		case RESTART:
			room_reopen_ledger(&room);
			break;
		case UNIT:
			room_add_contact(&room, "partnership", "business_unit",
					 "unit@partnership.test", word);
			break;
		}
	}
	room_say_mails(&room, &mails);
	room_close(&room);
	assert_string_equal(text_string(&mails), scene->mails);
	if (!instant_equal(next, room_time(scene->next)))
		fail_msg("asks again at %s, not at %s", instant_format(next, 0, text),
			 scene->next);
}

/* The bytes of the last mail that was stored. */
static void last_mail(struct room *room, struct ledger_mail *ret)
{
	struct room_ids ids = { 0 };
	struct error error = { 0 };

	ROOM_MUST(ledger_mails(room->ledger, -1, room_note_id, &ids, &error));
	assert_true(ids.count > 0);
	ROOM_MUST(ledger_mail(room->ledger, ids.id[ids.count - 1], ret, &error));
}

static void the_list_names_each_with_the_most_urgent_first(void **state)
{
	CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };
	const char *first;
	struct room room;

	(void)state;
	room_open(&room);
	(void)room_raise(&room, "2026-NEW", "2026-11-20T10:00:00Z");
	(void)room_raise(&room, "2026-OLD", "2026-11-02T10:00:00Z");
	(void)ask(&room, SUN);
	(void)ask(&room, MON9);
	last_mail(&room, &mail);
	room_close(&room);
	first = strstr(mail.bytes, "1. Challenge 2026-OLD is still waiting for a reply from");
	assert_non_null(first);
	assert_non_null(strstr(first, "2. Challenge 2026-NEW is waiting for a reply from"));
	assert_non_null(strstr(mail.bytes, "https://cases.test/2026-OLD"));
	assert_non_null(strstr(mail.bytes, "text/html"));
	assert_null(strstr(mail.bytes, "Importance:"));
	assert_null(strstr(mail.bytes, "References:"));
}

static void a_long_list_says_how_many_more_there_are(void **state)
{
	CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };
	struct room room;

	(void)state;
	room_open(&room);
	for (int i = 0; i < ROUTINE_ROWS + 3; i++) {
		char reference[20];

		(void)snprintf(reference, sizeof reference, "2026-%03d", i);
		(void)room_raise(&room, reference, "2026-11-20T10:00:00Z");
	}
	(void)ask(&room, SUN);
	(void)ask(&room, MON9);
	last_mail(&room, &mail);
	room_close(&room);
	assert_non_null(strstr(mail.bytes, "200. Challenge 2026-199"));
	assert_null(strstr(mail.bytes, "201. "));
	assert_non_null(strstr(mail.bytes, "And 3 more"));
}

/* Two mails of one kind, to two people or on two days, are never taken for copies. */
static void every_mail_has_its_own_message_id(void **state)
{
	char ids[4][100];
	struct room_ids mails = { 0 };
	struct error error = { 0 };
	struct room room;

	(void)state;
	room_open(&room);
	(void)ask(&room, SUN);
	(void)ask(&room, MON830);
	(void)ask(&room, TUE830);
	ROOM_MUST(ledger_mails(room.ledger, -1, room_note_id, &mails, &error));
	assert_int_equal(mails.count, 4);
	for (size_t i = 0; i < 4; i++) {
		CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };

		ROOM_MUST(ledger_mail(room.ledger, mails.id[i], &mail, &error));
		(void)snprintf(ids[i], sizeof ids[i], "%s", mail.message_id);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(ids[i], ids[k]);
	}
	room_close(&room);
}

static void a_welsh_unit_gets_its_own_phrases(void **state)
{
	CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };
	struct room room;

	(void)state;
	room_open(&room);
	room_add_contact(&room, "partnership", "business_unit", "unit@partnership.test",
			 "cy-GB");
	(void)room_raise(&room, "2026-1", "2026-11-20T10:00:00Z");
	(void)ask(&room, SUN);
	(void)ask(&room, MON9);
	last_mail(&room, &mail);
	room_close(&room);
	/* The template is English as long as the Welsh folder has none. */
	assert_non_null(strstr(mail.bytes, "\r\nContent-Language: en-GB\r\n"));
	assert_non_null(strstr(mail.bytes, "dydd Mercher"));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(the_list_names_each_with_the_most_urgent_first),
		cmocka_unit_test(a_long_list_says_how_many_more_there_are),
		cmocka_unit_test(every_mail_has_its_own_message_id),
		cmocka_unit_test(a_welsh_unit_gets_its_own_phrases),
	};
	struct CMUnitTest tests[COUNT(scenes)];
	int failed;

	for (size_t i = 0; i < COUNT(scenes); i++)
		tests[i] = (struct CMUnitTest){ .name = scenes[i].name,
						.test_func = plays,
						.initial_state = (void *)&scenes[i] };
	failed = cmocka_run_group_tests_name("routine", tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("what they say", others, NULL, NULL);
	return failed;
}
