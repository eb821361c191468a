/* list.c - challengectl list: every challenge, and where it stands. */
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/lookup.h"
#include "ctl/standing.h"
#include "ctl/terminal.h"

#include <jansson.h>

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *challenge_json(const struct challenge *challenge,
			      const struct standing *standing)
{
	char raised[INSTANT_TEXT_SIZE];
	bool known = standing->policy != NULL;

	(void)ctl_time_text(standing_zone(standing), standing->raised, raised);
	return json_pack("{s:s, s:s, s:s, s:o, s:b, s:s, s:b, s:b, s:b, s:o}", "reference",
			 challenge->reference, "policy", challenge->policy, "policy_version",
			 challenge->policy_version, "stage",
			 text_or_null(standing_stage(standing)), "derived",
			 known && standing->state.derived, "state", standing_word(standing),
			 "open", known && standing->state.open, "paused",
			 known && standing->state.paused, "ended",
			 known && standing->state.ended, "raised_at", text_or_null(raised));
}

static void add_challenge(struct table *table, const struct challenge *challenge,
			  const struct standing *standing)
{
	CLEANUP(text_clear) struct text policy = { 0 };
	char raised[INSTANT_TEXT_SIZE];
	const char *stage = standing_stage(standing);

	(void)ctl_time_text(standing_zone(standing), standing->raised, raised);
	text_appendf(&policy, "%s@%s", challenge->policy, challenge->policy_version);
	table_add(table, (const char *[]){ challenge->reference, text_string(&policy),
					   stage[0] != '\0' ? stage : "-",
					   standing_word(standing), raised });
}

/* Adds each challenge to the table, or appends it to `list`; one that cannot be read is told on
 * stderr. */
static int walk(struct ctl *ctl, struct store *store, struct instant now, bool open_only,
		struct table *table, json_t *list)
{
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct challenge *challenge;
	struct error error = { 0 };
	int result =
		timeline == NULL ? error_memory(&error) : store_changed_since(store, 0, &error);
	int status = EXIT_DONE;

	while (result >= 0 && (result = store_next(store, &challenge, &error)) > 0) {
		struct standing standing;

		if (challenge == NULL) {
			status = ctl_fail(ctl, &error, "");
			continue;
		}
		result =
			standing_find(ctl->config, timeline, challenge, now, &standing, &error);
		if (result < 0)
			break;
		/* What no policy speaks for is not known to have ended. */
		if (open_only && standing.policy != NULL && standing.state.ended)
			continue;
		if (list == NULL)
			add_challenge(table, challenge, &standing);
		else if (json_array_append_new(list, challenge_json(challenge, &standing)) < 0)
			result = error_memory(&error);
	}
	return result < 0 ? ctl_fail(ctl, &error, "") : status;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	static const char *const heads[] = { "REFERENCE", "POLICY", "STAGE", "STATE",
					     "RAISED" };
	CLEANUP(table_clear) struct table table = { .heads = heads, .columns = COUNT(heads) };
	CLEANUP(store_closep) struct store *store = NULL;
	bool open_only = ctl_flag(&argc, argv, "--open");
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
	status = walk(ctl, store, now, open_only, &table, list);
	store_end(store);

	int printed = ctl->json ? ctl_print_json(ctl, list) : table_print(ctl, &table);

	return status != EXIT_DONE ? status : printed;
}

const struct command command_list = {
	.name = "list",
	.summary = "list the challenges and where they stand",
	.usage = "Usage: challengectl list [--open]\n"
		 "\n"
		 "Reference, policy, stage in effect, state and when it was raised. The state "
		 "is\n"
		 "open, paused, resolved (something is owed still), ended, not raised, or no "
		 "policy\n"
		 "(none of that version is loaded).\n"
		 "\n"
		 "  --open    leave out what has ended\n"
		 "\n"
		 "Example:\n"
		 "  challengectl list --open\n",
	.run = run,
};
