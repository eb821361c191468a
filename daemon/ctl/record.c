/* record.c - challengectl record: appends an event to a challenge's history. */
#include "ctl/commands.h"
#include "ctl/lookup.h"

#include <jansson.h>
#include <string.h>

/* What was typed; NULL where nothing was. */
struct typed {
	const char *reference;
	const char *kind;
	const char *stage;
	const char *due;
	const char *until;
	const char *value;
	const char *note;
	const char *voids;
	const char *by;
};

static bool is_kind(const struct typed *typed, const char *kind)
{
	return strcmp(typed->kind, kind) == 0;
}

/* What each kind of event needs, and which option belongs to one kind only. */
static int check_options(struct ctl *ctl, const struct typed *typed)
{
	if (is_kind(typed, "stage") && typed->stage == NULL)
		return ctl_usage(ctl, "record stage needs --stage");
	if (!is_kind(typed, "stage") && typed->stage != NULL)
		return ctl_usage(ctl, "--stage goes with the event \"stage\" only");
	if (is_kind(typed, "paused") && typed->until == NULL)
		return ctl_usage(ctl,
				 "record paused needs --until: no pause is without an end");
	if (!is_kind(typed, "paused") && typed->until != NULL)
		return ctl_usage(ctl, "--until goes with the event \"paused\" only; a date that"
				      " was agreed is --due");
	if (is_kind(typed, "paused") && typed->due != NULL)
		return ctl_usage(ctl, "the end of a pause is --until, not --due");
	if (is_kind(typed, "voided") && typed->voids == NULL)
		return ctl_usage(ctl, "record voided needs --voids N, an event's number in "
				      "challengectl show");
	return EXIT_DONE;
}

static int check_value(struct ctl *ctl, const struct typed *typed, const struct policy *policy)
{
	if (!is_kind(typed, "resolved") || policy->outcome_count == 0)
		return EXIT_DONE;
	if (typed->value == NULL)
		return ctl_usage(ctl, "record resolved needs --value, such as \"%s\"",
				 policy->outcomes[0]);
	for (size_t i = 0; i < policy->outcome_count; i++)
		if (strcmp(policy->outcomes[i], typed->value) == 0)
			return EXIT_DONE;
	return ctl_unknown(ctl, "outcome", typed->value, policy->outcomes,
			   policy->outcome_count);
}

static int unknown_stage(struct ctl *ctl, const char *stage, const struct policy *policy)
{
	const char *known[POLICY_STAGES];

	for (size_t i = 0; i < policy->stage_count; i++)
		known[i] = policy->stages[i].id;
	return ctl_unknown(ctl, "stage", stage, known, policy->stage_count);
}

static int check_words(struct ctl *ctl, const struct typed *typed, const struct policy *policy)
{
	if (policy_kind(policy, typed->kind) < 0)
		return ctl_unknown(ctl, "event", typed->kind, policy->kinds,
				   policy->kind_count);
	if (typed->stage != NULL && policy_stage(policy, typed->stage) == STAGE_NONE)
		return unknown_stage(ctl, typed->stage, policy);
	return check_value(ctl, typed, policy);
}

static int fill_event(struct ctl *ctl, const struct typed *typed, const struct zone *zone,
		      struct event *ret)
{
	const char *due = typed->until != NULL ? typed->until : typed->due;

	if (!ctl_happened(ctl, zone, &ret->at))
		return EXIT_USAGE;
	if (due != NULL &&
	    !ctl_time(ctl, zone, typed->until != NULL ? "--until" : "--due", due, &ret->due))
		return EXIT_USAGE;
	if (typed->until != NULL && !instant_before(ret->at, ret->due))
		return ctl_usage(ctl, "--until: the pause must end after it began");
	if (typed->voids != NULL && !ctl_number(ctl, "--voids", typed->voids, &ret->voids))
		return EXIT_USAGE;
	return EXIT_DONE;
}

static int write_event(struct ctl *ctl, struct registrar *registrar, const struct typed *typed,
		       int64_t challenge, const struct event *event, int64_t *ret_id)
{
	const struct recording recording = {
		.event = *event,
		.by = typed->by != NULL ? typed->by : "",
		.note = typed->note != NULL ? typed->note : "",
	};
	struct error error = { 0 };

	return register_event(registrar, challenge, &recording, ret_id, &error) < 0
		       ? ctl_fail(ctl, &error, "")
		       : EXIT_DONE;
}

/* What happens once, until the challenge is reopened, and is there already: its id; or 0. Two
 * people may record one thing, and a wrong date is better taken back than said twice. */
static int64_t find_earlier(const struct challenge *challenge, const struct typed *typed)
{
	static const char *const once[] = { "raised", "resolved", "closed", "withdrawn" };
	int64_t found = 0;

	for (size_t i = 0; i < challenge->event_count; i++) {
		const struct event *event = &challenge->events[i];

		if (strcmp(event->kind, "reopened") == 0)
			found = 0;
		else if (is_kind(typed, event->kind))
			found = event->id;
	}
	for (size_t i = 0; i < COUNT(once); i++)
		if (is_kind(typed, once[i]))
			return found;
	return 0;
}

static int record_in(struct ctl *ctl, struct writing *writing, const struct typed *typed,
		     int64_t *ret_id, int64_t *ret_earlier)
{
	struct challenge *challenge = NULL;
	const struct policy *policy = NULL;
	struct event event = {
		.kind = typed->kind,
		.stage = typed->stage != NULL ? typed->stage : "",
		.due = INSTANT_NEVER,
		.value = typed->value != NULL ? typed->value : "",
		.recorded_at = clock_now(ctl->clock),
	};
	int status = ctl_find_challenge(ctl, writing->store, typed->reference, &challenge);

	if (status == EXIT_DONE)
		status = ctl_policy_of(ctl, challenge, &policy);
	if (status == EXIT_DONE)
		status = check_words(ctl, typed, policy);
	if (status == EXIT_DONE)
		status = check_options(ctl, typed);
	if (status == EXIT_DONE)
		status = fill_event(ctl, typed, calendar_zone(policy->calendar), &event);
	if (status == EXIT_DONE)
		status = write_event(ctl, writing->registrar, typed, challenge->id, &event,
				     ret_id);
	if (status == EXIT_DONE) {
		challenge_settle(challenge);
		*ret_earlier = find_earlier(challenge, typed);
	}
	return status;
}

static int record(struct ctl *ctl, const struct typed *typed)
{
	CLEANUP(writing_clear) struct writing writing = { 0 };
	int64_t id = 0;
	int64_t earlier = 0;
	int status = ctl_writing_begin(ctl, &writing);

	if (status == EXIT_DONE)
		status = ctl_writing_end(ctl, &writing,
					 record_in(ctl, &writing, typed, &id, &earlier));
	if (status != EXIT_DONE)
		return status;
	if (earlier != 0)
		(void)fprintf(
			ctl->err,
			"%s: warning: event %lld says %s already; to take it back: %s record "
			"%s voided --voids %lld\n",
			ctl->program, (long long)earlier, typed->kind, ctl->program,
			typed->reference, (long long)earlier);
	if (ctl->json)
		return ctl_print_json(ctl, json_pack("{s:s, s:I, s:s}", "reference",
						     typed->reference, "event", (json_int_t)id,
						     "kind", typed->kind));
	(void)fprintf(ctl->out, "%s: event %lld, %s\n", typed->reference, (long long)id,
		      typed->kind);
	return EXIT_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	struct typed typed = { 0 };
	const struct ctl_option options[] = {
		{ "--stage", &typed.stage }, { "--due", &typed.due },
		{ "--until", &typed.until }, { "--value", &typed.value },
		{ "--note", &typed.note },   { "--voids", &typed.voids },
		{ "--by", &typed.by },
	};
	int status;

	if (!ctl_options(ctl, &argc, argv, options, COUNT(options)))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 2, 2);
	if (status != EXIT_DONE)
		return status;
	typed.reference = argv[0];
	typed.kind = argv[1];
	return record(ctl, &typed);
}

const struct command command_record = {
	.name = "record",
	.summary = "record what happened in a challenge",
	.usage = "Usage: challengectl record REFERENCE EVENT [--at TIME] [--stage S]\n"
		 "         [--due TIME] [--until TIME] [--value V] [--voids N] [--by NAME]\n"
		 "         [--note TEXT]\n"
		 "\n"
		 "EVENT is one of: raised, decision_received, stage, acknowledged, discussed,\n"
		 "responded, agreed, not_agreed, meeting_held, immediate_risk, learned, "
		 "resolved,\n"
		 "outcome_shared, closed, withdrawn, reopened, paused, resumed, voided, or one "
		 "that\n"
		 "the policy names.\n"
		 "\n"
		 "  --at      when it happened; now, unless given\n"
		 "  --stage   the stage entered, for the event stage\n"
		 "  --due     a date that was agreed\n"
		 "  --until   the end of a pause\n"
		 "  --value   the outcome of resolved, the theme of learned\n"
		 "  --voids   number of the event that this one takes back\n"
		 "  --note    never mailed\n"
		 "\n"
		 "Example:\n"
		 "  challengectl record 2026-014 responded --at '2026-11-24 10:00'\n",
	.run = run,
};
