/* list.c - challengectl list: every challenge, and where it stands. */
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/entry.h"
#include "ctl/lookup.h"
#include "ctl/standing.h"
#include "ctl/terminal.h"

#include <jansson.h>

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

/* What is owed next. */
struct owing {
	struct instant due; /* the first still to come, else the last past; NEVER: none */
	struct role_set owner;
	bool past;
};

/* Sooner than what was found is what is still to come; of what is past, the later. */
static bool comes_first(const struct owing *owing, const struct owed *owed)
{
	if (instant_is_never(owing->due))
		return true;
	if (owed->breached != owing->past)
		return owing->past;
	return owing->past ? instant_before(owing->due, owed->due)
			   : instant_before(owed->due, owing->due);
}

static void look_at_owed(void *context, const struct owed *owed)
{
	struct owing *owing = context;

	if (instant_is_never(owed->due) || !comes_first(owing, owed))
		return;
	*owing = (struct owing){ owed->due, owed->owner, owed->breached };
}

/* Right behind standing_find, whose timeline it asks. */
static struct owing find_owing(const struct standing *standing, const struct timeline *timeline)
{
	struct owing owing = { .due = INSTANT_NEVER };

	if (standing->policy != NULL && !instant_is_never(standing->raised) &&
	    !standing->state.ended)
		timeline_owed(timeline, look_at_owed, &owing);
	return owing;
}

static json_t *challenge_json(const struct challenge *challenge,
			      const struct standing *standing, const struct owing *owing)
{
	char raised[INSTANT_TEXT_SIZE];
	bool known = standing->policy != NULL;

	(void)ctl_time_text(standing_zone(standing), standing->raised, raised);
	return json_pack(
		"{s:s, s:s, s:s, s:o, s:b, s:s, s:b, s:b, s:b, s:o, s:o, s:o, s:b}",
		"reference", challenge->reference, "policy", challenge->policy,
		"policy_version", challenge->policy_version, "stage",
		text_or_null(standing_stage(standing)), "derived",
		known && standing->state.derived, "state", standing_word(standing), "open",
		known && standing->state.open, "paused", known && standing->state.paused,
		"ended", known && standing->state.ended, "raised_at", text_or_null(raised),
		"due",
		known ? instant_json(standing->policy->calendar, owing->due) : json_null(),
		"owed_by", known ? roles_json(standing->policy, &owing->owner) : json_array(),
		"overdue", standing->state.overdue);
}

static void add_challenge(struct table *table, const struct challenge *challenge,
			  const struct standing *standing, const struct owing *owing)
{
	CLEANUP(text_clear) struct text policy = { 0 };
	CLEANUP(text_clear) struct text state = { 0 };
	CLEANUP(text_clear) struct text owner = { 0 };
	char due[MOMENT_TEXT_SIZE];
	const char *stage = standing_stage(standing);
	bool owed = standing->policy != NULL && !instant_is_never(owing->due);

	text_appendf(&policy, "%s@%s", challenge->policy, challenge->policy_version);
	text_appendf(&state, "%s%s", standing_word(standing),
		     standing->state.overdue ? ", overdue" : "");
	if (owed)
		roles_text(standing->policy, &owing->owner, &owner);
	table_add(table,
		  (const char *[]){
			  challenge->reference,
			  text_string(&state),
			  stage[0] != '\0' ? stage : "-",
			  owed ? moment_text(standing->policy->calendar, owing->due, due) : "-",
			  owed ? text_string(&owner) : "-",
			  text_string(&policy),
		  });
}

/* Which of them are wanted. */
struct choice {
	bool open;    /* leave out what has ended */
	bool overdue; /* only what is late */
};

static bool is_wanted(const struct choice *choice, const struct standing *standing)
{
	/* What no policy speaks for is not known to have ended. */
	if (choice->open && standing->policy != NULL && standing->state.ended)
		return false;
	return !choice->overdue || standing->state.overdue;
}

/* Adds each challenge to the table, or appends it to `list`; one that cannot be read is told on
 * stderr. */
static int walk(struct ctl *ctl, struct store *store, struct instant now, struct choice choice,
		struct table *table, json_t *list)
{
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct challenge *challenge;
	struct error error = { 0 };
	int result = timeline == NULL ? error_memory(&error) : store_all(store, &error);
	int status = EXIT_DONE;

	while (result >= 0 && (result = store_next(store, &challenge, &error)) > 0) {
		struct standing standing;
		struct owing owing;

		if (challenge == NULL) {
			status = ctl_fail(ctl, &error, "");
			continue;
		}
		result =
			standing_find(ctl->config, timeline, challenge, now, &standing, &error);
		if (result < 0)
			break;
		if (!is_wanted(&choice, &standing))
			continue;
		owing = find_owing(&standing, timeline);
		if (list == NULL)
			add_challenge(table, challenge, &standing, &owing);
		else if (json_array_append_new(
				 list, challenge_json(challenge, &standing, &owing)) < 0)
			result = error_memory(&error);
	}
	return result < 0 ? ctl_fail(ctl, &error, "") : status;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	static const char *const heads[] = { "REFERENCE", "=STATE",  "STAGE",
					     "=NEXT DUE", "OWED BY", "POLICY" };
	CLEANUP(table_clear) struct table table = { .heads = heads, .columns = COUNT(heads) };
	CLEANUP(store_closep) struct store *store = NULL;
	struct choice choice = { .open = ctl_flag(&argc, argv, "--open"),
				 .overdue = ctl_flag(&argc, argv, "--overdue") };
	struct error error = { 0 };
	struct instant now;
	json_t *list = NULL;
	int status = ctl_arguments(ctl, argc, argv, 0, 0);

	if (status == EXIT_DONE)
		status = ctl_open_store(ctl, &store);
	if (status != EXIT_DONE)
		return status;
	if (!ctl_now(ctl,
		     ctl->config->calendar_count > 0
			     ? calendar_zone(ctl->config->calendars[0].calendar)
			     : NULL,
		     &now))
		return EXIT_USAGE;
	if (store_begin(store, &error) < 0)
		return ctl_fail(ctl, &error, "");
	if (ctl->json)
		list = json_array();
	status = walk(ctl, store, now, choice, &table, list);
	store_end(store);

	int printed = ctl->json ? ctl_print_json(ctl, list) : table_print(ctl, &table);

	return status != EXIT_DONE ? status : printed;
}

const struct command command_list = {
	.name = "list",
	.summary = "list the challenges and where they stand",
	.usage =
		"Usage: challengectl list [--open] [--overdue]\n"
		"\n"
		"In order of reference: the state, the stage in effect, when something is due "
		"next\n"
		"and from whom, and the policy. The state is open, paused,\n"
		"resolved (something is owed still), ended, not raised, or no policy (none of "
		"that\n"
		"version is loaded); and \"overdue\" when anything has passed its time without "
		"an\n"
		"answer, also where the policy has moved it up a stage since.\n"
		"\n"
		"  --open       leave out what has ended\n"
		"  --overdue    only what is overdue\n"
		"\n"
		"Example:\n"
		"  challengectl list --overdue\n",
	.run = run,
};
