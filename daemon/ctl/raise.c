/* raise.c - challengectl raise: a new challenge, with the events that begin it. */
#include "ctl/commands.h"
#include "ctl/lookup.h"

#include <jansson.h>
#include <string.h>

/* What was typed; NULL where nothing was. */
struct typed {
	const char *reference;
	const char *policy;
	const char *raising;
	const char *receiving;
	const char *urgency;
	const char *category;
	const char *concerns;
	const char *raising_contact;
	const char *receiving_contact;
	const char *protect_by;
	const char *outcome;
	const char *by;
	const char *note;
	bool immediate;
	bool already_resolved;
};

static bool parse(struct ctl *ctl, int *argc, char **argv, struct typed *ret)
{
	const struct ctl_option options[] = {
		{ "--reference", &ret->reference },
		{ "--policy", &ret->policy },
		{ "--raising", &ret->raising },
		{ "--receiving", &ret->receiving },
		{ "--urgency", &ret->urgency },
		{ "--category", &ret->category },
		{ "--concerns", &ret->concerns },
		{ "--raising-contact", &ret->raising_contact },
		{ "--receiving-contact", &ret->receiving_contact },
		{ "--protect-by", &ret->protect_by },
		{ "--outcome", &ret->outcome },
		{ "--by", &ret->by },
		{ "--note", &ret->note },
	};

	ret->immediate = ctl_flag(argc, argv, "--immediate");
	ret->already_resolved = ctl_flag(argc, argv, "--already-resolved");
	return ctl_options(ctl, argc, argv, options, COUNT(options));
}

static int check_typed(struct ctl *ctl, const struct typed *typed)
{
	static const char *const concerns[] = { "child", "adult", "both" };
	struct error error = { 0 };

	if (typed->policy == NULL || typed->raising == NULL || typed->receiving == NULL)
		return ctl_usage(ctl, "raise needs --policy, --raising and --receiving");
	if (typed->reference != NULL && register_check_reference(typed->reference, &error) < 0)
		return ctl_usage(ctl, "--reference: %s", error.text);
	if (typed->outcome != NULL && !typed->already_resolved)
		return ctl_usage(ctl, "--outcome goes with --already-resolved");
	for (size_t i = 0; typed->concerns != NULL && i < COUNT(concerns); i++)
		if (strcmp(typed->concerns, concerns[i]) == 0)
			return EXIT_DONE;
	return typed->concerns == NULL ? EXIT_DONE
				       : ctl_usage(ctl, "--concerns is child, adult or both");
}

/* One of the policy's words; a policy that lists none takes any. */
static int check_word(struct ctl *ctl, const char *what, const char *word,
		      const char *const *known, size_t count)
{
	if (word == NULL || count == 0)
		return EXIT_DONE;
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, known[i]) == 0)
			return EXIT_DONE;
	return ctl_unknown(ctl, what, word, known, count);
}

static int check_policy(struct ctl *ctl, const struct typed *typed, const struct policy *policy)
{
	int status = check_word(ctl, "urgency", typed->urgency, policy->urgencies,
				policy->urgency_count);

	if (status == EXIT_DONE)
		status = check_word(ctl, "category", typed->category, policy->causes,
				    policy->cause_count);
	if (status == EXIT_DONE)
		status = check_word(ctl, "outcome", typed->outcome, policy->outcomes,
				    policy->outcome_count);
	if (status == EXIT_DONE && typed->already_resolved && typed->outcome == NULL &&
	    policy->outcome_count > 0)
		return ctl_usage(ctl, "--already-resolved needs --outcome, such as \"%s\"",
				 policy->outcomes[0]);
	return status;
}

static int check_people(struct ctl *ctl, const struct typed *typed, struct store *store,
			struct challenge *ret)
{
	struct directory directory = { 0 };
	int status = ctl_directory(ctl, store, &directory);

	if (status == EXIT_DONE)
		status = ctl_check_agency(ctl, &directory, typed->raising);
	if (status == EXIT_DONE)
		status = ctl_check_agency(ctl, &directory, typed->receiving);
	if (status == EXIT_DONE)
		status = ctl_find_contact(ctl, &directory, "--raising-contact",
					  typed->raising_contact, typed->raising,
					  &ret->raising_contact);
	if (status == EXIT_DONE)
		status = ctl_find_contact(ctl, &directory, "--receiving-contact",
					  typed->receiving_contact, typed->receiving,
					  &ret->receiving_contact);
	return status;
}

static const char *or_empty(const char *string)
{
	return string != NULL ? string : "";
}

/* The events that begin it: raised, and what was known at once. */
static size_t first_events(const struct ctl *ctl, const struct typed *typed, struct instant at,
			   struct recording ret[static 3])
{
	size_t count = 1;
	struct recording plain = {
		.event = { .kind = "raised",
			   .stage = "",
			   .at = at,
			   .due = INSTANT_NEVER,
			   .value = "",
			   .recorded_at = clock_now(ctl->clock) },
		.by = or_empty(typed->by),
		.note = "",
	};

	ret[0] = plain;
	ret[0].note = or_empty(typed->note);
	if (typed->immediate) {
		ret[count] = plain;
		ret[count++].event.kind = "immediate_risk";
	}
	if (typed->already_resolved) {
		ret[count] = plain;
		ret[count].event.kind = "resolved";
		ret[count++].event.value = or_empty(typed->outcome);
	}
	return count;
}

static int write_challenge(struct ctl *ctl, const struct typed *typed,
			   const struct policy *policy, struct challenge *challenge,
			   struct instant at)
{
	CLEANUP(writing_clear) struct writing writing = { 0 };
	struct recording recordings[3];
	size_t count = first_events(ctl, typed, at, recordings);
	struct registered made = { 0 };
	struct error error = { 0 };
	int32_t year = day_to_date(calendar_day(policy->calendar, at)).year;
	int status = ctl_writing_begin(ctl, &writing);

	if (status == EXIT_DONE)
		status = check_people(ctl, typed, writing.store, challenge);
	if (status == EXIT_DONE && register_challenge(writing.registrar, challenge, year,
						      recordings, count, &made, &error) < 0)
		status = ctl_fail(ctl, &error, "");
	if (status == EXIT_DONE)
		status = ctl_writing_end(ctl, &writing, EXIT_DONE);
	if (status != EXIT_DONE)
		return status;
	if (ctl->json)
		return ctl_print_json(ctl, json_pack("{s:s, s:I, s:s, s:s}", "reference",
						     made.reference, "id", (json_int_t)made.id,
						     "policy", policy->id, "policy_version",
						     policy->version));
	(void)fprintf(ctl->out, "%s raised under %s@%s. What is due when: %s explain %s\n",
		      made.reference, policy->id, policy->version, ctl->program,
		      made.reference);
	return EXIT_DONE;
}

static int raise_challenge(struct ctl *ctl, const struct typed *typed)
{
	const struct policy *policy = NULL;
	const char *doubt = ctl_doubt_of_sides(typed->raising, typed->receiving);
	struct instant at;
	struct challenge challenge = {
		.reference = or_empty(typed->reference),
		.urgency = or_empty(typed->urgency),
		.concerns = typed->concerns != NULL ? typed->concerns : "child",
		.category = or_empty(typed->category),
		.raising_agency = typed->raising,
		.receiving_agency = typed->receiving,
		.protect_by = INSTANT_NEVER,
	};
	int status = ctl_find_policy(ctl, typed->policy, &policy);

	if (status == EXIT_DONE)
		status = check_policy(ctl, typed, policy);
	if (status != EXIT_DONE)
		return status;
	challenge.policy = policy->id;
	challenge.policy_version = policy->version;
	if (!ctl_happened(ctl, calendar_zone(policy->calendar), &at))
		return EXIT_USAGE;
	if (typed->protect_by != NULL &&
	    !ctl_time(ctl, calendar_zone(policy->calendar), "--protect-by", typed->protect_by,
		      &challenge.protect_by))
		return EXIT_USAGE;
	if (instant_before(challenge.protect_by, at))
		return ctl_usage(ctl, "--protect-by: %s lies before the raising",
				 typed->protect_by);
	status = write_challenge(ctl, typed, policy, &challenge, at);
	if (status == EXIT_DONE && doubt != NULL)
		(void)fprintf(ctl->err, "%s: warning: \"%.100s\" is %s\n", ctl->program,
			      typed->receiving, doubt);
	return status;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	struct typed typed = { 0 };
	int status;

	if (!parse(ctl, &argc, argv, &typed))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 0, 0);
	if (status == EXIT_DONE)
		status = check_typed(ctl, &typed);
	return status == EXIT_DONE ? raise_challenge(ctl, &typed) : status;
}

const struct command command_raise = {
	.name = "raise",
	.summary = "record a new challenge",
	.usage = "Usage: challengectl raise --policy ID[@VERSION] --raising AGENCY\n"
		 "         --receiving AGENCY [--reference R] [--at TIME] [--urgency U]\n"
		 "         [--category C] [--concerns child|adult|both] [--raising-contact N]\n"
		 "         [--receiving-contact N] [--protect-by TIME] [--immediate]\n"
		 "         [--already-resolved --outcome O] [--by NAME] [--note TEXT]\n"
		 "\n"
		 "  --reference         letters, digits, '-', '/', '.' and '_'; no names, "
		 "initials\n"
		 "                      or birth dates. Without it: the next of the year\n"
		 "  --at                when it was raised; now, unless given\n"
		 "  --protect-by        when protection is needed: limits get earlier, never "
		 "later\n"
		 "  --immediate         a child or adult is at immediate risk\n"
		 "  --already-resolved  recorded for what can be learned from it\n"
		 "  --note              never mailed\n"
		 "\n"
		 "Example:\n"
		 "  challengectl raise --policy example --raising school --receiving "
		 "social-care\n",
	.run = run,
};
