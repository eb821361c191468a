/* When the watchdog is pinged, and what the status line says. */
#include "service/health.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

#define WELL                                                                              \
	.now = 10000, .poll_interval = 30, .last_poll = 9990, .trouble = "", .pause = "", \
	.reload = "", .approval = "", .oldest_send = INT64_MAX

/* Each row is a well daemon but for what it names. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct health_case {
	const char *name;
	struct health health;
	bool alive;
	const char *says;  /* part of the status */
	const char *omits; /* NULL; not part of it */
} cases[] = {
	/* clang-format off */
	{ "all is well", { WELL }, true, "Watching the store; 0 mails ready", "TROUBLE" },
	{ "before the first good poll it is not alive", { WELL, .last_poll = INT64_MIN }, false, "Watching", NULL },
	{ "a poll just under three intervals old will do", { WELL, .last_poll = 10000 - 89 }, true, "", NULL },
	{ "three intervals without a good poll will not", { WELL, .last_poll = 10000 - 90 }, false, "", NULL },
	{ "short intervals get a minute", { WELL, .poll_interval = 1, .last_poll = 10000 - 59 }, true, "", NULL },
	{ "and no more", { WELL, .poll_interval = 1, .last_poll = 10000 - 60 }, false, "", NULL },
	{ "a mail may take its ten minutes", { WELL, .oldest_send = 10000 - 659 }, true, "", NULL },
	{ "a mail that takes eleven is stuck", { WELL, .oldest_send = 10000 - 660 }, false, "", NULL },
	{ "trouble stands first", { WELL, .trouble = "the store is gone" }, true, "TROUBLE: the store is gone; ", "Watching" },
	{ "a pause is told with its reason", { WELL, .pause = "certificate expired" }, true, "sending is PAUSED: certificate expired", NULL },
	{ "held mails are told with what to do", { WELL, .held = 2 }, true, "2 mails are HELD for a person: challengectl queue list", NULL },
	{ "challenges that are not watched stand before the counts", { WELL, .unwatched = 3 }, true,
	  "Watching the store; 3 open challenges are NOT WATCHED: challengectl status; 0 mails ready", NULL },
	{ "a refused reload is told", { WELL, .reload = "the last reload was REFUSED" }, true, "; the last reload was REFUSED", NULL },
	{ "an unapproved configuration is told", { WELL, .approval = "configuration 1 is NOT APPROVED" }, true, "; configuration 1 is NOT APPROVED", NULL },
	{ "what is being sent is counted", { WELL, .in_hand = 1, .ready = 3, .decided = 4 }, true, "3 mails ready, 4 notices wait for sending hours, 1 being sent", "HELD" },
	/* clang-format on */
};
#pragma GCC diagnostic pop

static void tells(void **state)
{
	const struct health_case *c = *state;
	CLEANUP(text_clear) struct text status = { 0 };

	health_status(&c->health, &status);
	assert_int_equal(health_is_alive(&c->health), c->alive);
	assert_non_null(strstr(text_string(&status), c->says));
	if (c->omits != NULL)
		assert_null(strstr(text_string(&status), c->omits));
}

int main(void)
{
	struct CMUnitTest tests[COUNT(cases)];

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = tells,
						.initial_state = (void *)&cases[i] };
	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
