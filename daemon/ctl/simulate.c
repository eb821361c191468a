/*
 * simulate.c - `challengectl simulate --config NEW`: what another configuration would change,
 * before it changes anything. Every challenge of the store, open or past, is held against both;
 * nothing is sent or written.
 */
#include "adapter/store.h"
#include "core/outlook.h"
#include "ctl/commands.h"
#include "ctl/entry.h"
#include "ctl/lookup.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DAYS = 60, /* as far as `timeline` looks */
	DAYS_MOST = 3660,
	/* Both are read so much further than they are shown: what moves across the end of the
	 * days shown was neither added nor dropped. */
	MARGIN_DAYS = 90,
};

/* Why a mail stands in the answer. */
enum change { CHANGE_AT_ONCE, CHANGE_ADDED, CHANGE_DROPPED, CHANGES };
static const char *const change_keys[CHANGES] = { "at_once", "added", "dropped" };
static const char *const change_words[CHANGES] = { "AT ONCE", "added", "dropped" };

struct summary {
	size_t challenges;
	size_t differing;
	size_t earlier;
	size_t later;
	size_t mails[CHANGES];
	size_t problems;
};

struct simulation {
	struct ctl *ctl;
	const struct config *before;
	const struct config *after;
	struct instant now;
	struct instant until;
	struct outlook old;
	struct outlook new;
	json_t *found;    /* NULL: words are printed as they come */
	json_t *problems; /* NULL as well */
	json_t *object;   /* of the challenge at hand; NULL: nothing differs so far */
	struct summary summary;
	struct progress progress;
};

static void simulation_clear(struct simulation *simulation)
{
	outlook_clear(&simulation->old);
	outlook_clear(&simulation->new);
	json_decref(simulation->found);
	json_decref(simulation->problems);
	json_decref(simulation->object);
}

/* --- telling
 * -----------------------------------------------------------------------------------
 */

/* The object of the challenge at hand, begun by the first thing that differs. */
static int begin_object(struct simulation *simulation, const struct challenge *challenge,
			struct error *error)
{
	if (simulation->object != NULL)
		return 0;
	progress_end(&simulation->progress); /* what differs is printed now */
	simulation->summary.differing++;
	simulation->object =
		json_pack("{s:s, s:s, s:s, s:b, s:[], s:[], s:[], s:[]}", "reference",
			  challenge->reference, "policy", challenge->policy, "policy_version",
			  challenge->policy_version, "open",
			  simulation->new.state.open || simulation->old.state.open, "deadlines",
			  "at_once", "added", "dropped");
	return simulation->object == NULL ? error_memory(error) : 0;
}

static int tell_deadline(struct simulation *simulation, const struct challenge *challenge,
			 const struct deadline *from, const struct deadline *to,
			 struct error *error)
{
	const struct calendar *was = simulation->old.policy->calendar;
	const struct calendar *becomes = simulation->new.policy->calendar;
	bool earlier = instant_before(to->due, from->due);
	char old[MOMENT_TEXT_SIZE];
	char new[MOMENT_TEXT_SIZE];
	int r = begin_object(simulation, challenge, error);

	if (r < 0)
		return r;
	if (earlier)
		simulation->summary.earlier++;
	else
		simulation->summary.later++;
	if (simulation->found != NULL)
		return json_array_append_new(json_object_get(simulation->object, "deadlines"),
					     json_pack("{s:s?, s:s, s:o, s:o, s:b}", "stage",
						       to->stage[0] != '\0' ? to->stage : NULL,
						       "obligation", to->obligation, "from",
						       instant_json(was, from->due), "to",
						       instant_json(becomes, to->due), "owed",
						       (int)to->owed)) < 0
			       ? error_memory(error)
			       : 0;
	(void)fprintf(simulation->ctl->out, "%-14s  deadline  %s/%s: %s becomes %s (%s%s)\n",
		      challenge->reference, to->stage[0] != '\0' ? to->stage : "overall",
		      to->obligation, moment_text(was, from->due, old),
		      moment_text(becomes, to->due, new), earlier ? "earlier" : "later",
		      to->owed ? ", owed now" : "");
	return 0;
}

static int tell_mail(struct simulation *simulation, const struct challenge *challenge,
		     enum change change, const struct policy *policy, const struct entry *entry,
		     struct error *error)
{
	CLEANUP(text_clear) struct text subject = { 0 };
	CLEANUP(text_clear) struct text to = { 0 };
	char at[MOMENT_TEXT_SIZE];
	int r = begin_object(simulation, challenge, error);

	if (r < 0)
		return r;
	simulation->summary.mails[change] += entry->to.count;
	if (simulation->found != NULL)
		return json_array_append_new(
			       json_object_get(simulation->object, change_keys[change]),
			       entry_json(policy, entry)) < 0
			       ? error_memory(error)
			       : 0;
	subject_text(policy, entry, &subject);
	roles_text(policy, &entry->to, &to);
	(void)fprintf(simulation->ctl->out, "%-14s  %-8s  %s  %-10s  %-22s  %s\n",
		      challenge->reference, change_words[change],
		      moment_text(policy->calendar, entry->at, at),
		      notice_kind_name(entry->kind), text_string(&subject), text_string(&to));
	return 0;
}

static int tell_problem(struct simulation *simulation, const char *which,
			const struct challenge *challenge, const struct error *why,
			struct error *error)
{
	const char *reference = challenge != NULL ? challenge->reference : NULL;

	progress_end(&simulation->progress);
	simulation->summary.problems++;
	if (simulation->problems == NULL) {
		(void)fprintf(simulation->ctl->out, "%-14s  PROBLEM   %s: %s\n",
			      reference != NULL ? reference : "-", which, why->text);
		return 0;
	}
	return json_array_append_new(simulation->problems,
				     json_pack("{s:s?, s:s, s:s}", "reference", reference,
					       "configuration", which, "text", why->text)) < 0
		       ? error_memory(error)
		       : 0;
}

/* --- one challenge
 * -----------------------------------------------------------------------------
 */

static int compare_deadlines(struct simulation *simulation, const struct challenge *challenge,
			     struct error *error)
{
	int r = 0;

	for (size_t i = 0; i < simulation->new.deadline_count &&r == 0; i++) {
		const struct deadline *to = &simulation->new.deadlines[i];
		const struct deadline *from = outlook_deadline(&simulation->old, to);

		if (from != NULL && !instant_equal(from->due, to->due))
			r = tell_deadline(simulation, challenge, from, to, error);
	}
	return r;
}

/* The entry with only those roles whom `other` does not tell it by then; false: with none. */
static bool only_here(const struct outlook *here, const struct outlook *other, size_t place,
		      struct instant by, struct entry *ret)
{
	const struct entry *entry = &here->entries[place];

	*ret = *entry;
	ret->to.count = 0;
	for (size_t i = 0; i < entry->to.count; i++) {
		role_index role = entry->to.role[i];

		if (!outlook_tells(other, here->policy, entry, here->policy->roles[role].token,
				   by))
			ret->to.role[ret->to.count++] = role;
	}
	return ret->to.count > 0;
}

/* What is due now by the one and not yet by the other goes at once, unless it is past. */
static int compare_new(struct simulation *simulation, const struct challenge *challenge,
		       struct error *error)
{
	const struct outlook *new = &simulation->new;
	int r = 0;

	for (size_t i = 0; i < new->count &&r == 0; i++) {
		struct entry entry;

		if (outlook_is_due(new, i) &&
		    only_here(new, &simulation->old, i, simulation->now, &entry))
			r = tell_mail(simulation, challenge, CHANGE_AT_ONCE, new->policy,
				      &entry, error);
		else if (!instant_before(simulation->until, new->entries[i].at) &&
			 only_here(new, &simulation->old, i, INSTANT_NEVER, &entry))
			r = tell_mail(simulation, challenge, CHANGE_ADDED, new->policy, &entry,
				      error);
	}
	return r;
}

static int compare_old(struct simulation *simulation, const struct challenge *challenge,
		       struct error *error)
{
	const struct outlook *old = &simulation->old;
	int r = 0;

	for (size_t i = 0; i < old->count && r == 0; i++) {
		struct entry entry;

		if (!instant_before(simulation->until, old->entries[i].at) &&
		    only_here(old, &simulation->new, i, INSTANT_NEVER, &entry))
			r = tell_mail(simulation, challenge, CHANGE_DROPPED, old->policy,
				      &entry, error);
	}
	return r;
}

/* *ret is NULL where the configuration has no such policy, which is told. */
static int find_policy(struct simulation *simulation, const struct config *config,
		       const char *which, const struct challenge *challenge,
		       const struct policy **ret, struct error *error)
{
	struct error unknown = { 0 };

	*ret = config_policy(config, challenge->policy, challenge->policy_version, &unknown);
	return *ret != NULL ? 0 : tell_problem(simulation, which, challenge, &unknown, error);
}

static int compare(struct simulation *simulation, struct challenge *challenge,
		   struct error *error)
{
	struct instant until =
		instant_add(simulation->until, (int64_t)MARGIN_DAYS * SECONDS_PER_DAY);
	const struct policy *before;
	const struct policy *after;
	int r = find_policy(simulation, simulation->before, "old", challenge, &before, error);

	if (r == 0)
		r = find_policy(simulation, simulation->after, "new", challenge, &after, error);
	if (r < 0)
		return r;
	challenge_settle(challenge);
	r = outlook_read(&simulation->old, before, challenge, simulation->now, until, error);
	if (r == 0)
		r = outlook_read(&simulation->new, after, challenge, simulation->now, until,
				 error);
	if (r == 0)
		r = compare_deadlines(simulation, challenge, error);
	if (r == 0)
		r = compare_new(simulation, challenge, error);
	if (r == 0)
		r = compare_old(simulation, challenge, error);
	if (r == 0 && simulation->found != NULL && simulation->object != NULL &&
	    json_array_append(simulation->found, simulation->object) < 0)
		r = error_memory(error);
	json_decref(simulation->object);
	simulation->object = NULL;
	return r;
}

/* --- all of them
 * -------------------------------------------------------------------------------
 */

static int compare_all(struct simulation *simulation, struct store *store, struct error *error)
{
	struct challenge *challenge;
	struct error bad = { 0 };
	int r = store_changed_since(store, 0, error);

	simulation->progress = progress_begin(simulation->ctl, "challenges compared");
	while (r >= 0 && (r = store_next(store, &challenge, &bad)) > 0) {
		if (challenge == NULL) {
			r = tell_problem(simulation, "store", NULL, &bad, error);
			bad = (struct error){ 0 };
			continue;
		}
		r = compare(simulation, challenge, error);
		simulation->summary.challenges++;
		progress_step(&simulation->progress, simulation->summary.challenges);
	}
	progress_end(&simulation->progress);
	if (r < 0 && error->code == 0)
		return error_set(error, bad.code, "%s", bad.text);
	return r;
}

static int print_json(struct simulation *simulation)
{
	const struct summary *summary = &simulation->summary;
	const struct calendar *calendar = simulation->before->calendars[0].calendar;
	json_t *counts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "challenges",
				   (json_int_t)summary->challenges, "differing",
				   (json_int_t)summary->differing, "deadlines_earlier",
				   (json_int_t)summary->earlier, "deadlines_later",
				   (json_int_t)summary->later, "at_once",
				   (json_int_t)summary->mails[CHANGE_AT_ONCE], "added",
				   (json_int_t)summary->mails[CHANGE_ADDED], "dropped",
				   (json_int_t)summary->mails[CHANGE_DROPPED], "problems",
				   (json_int_t)summary->problems);

	return ctl_print_json(
		simulation->ctl,
		json_pack("{s:o, s:o, s:{s:s, s:s}, s:{s:s, s:s}, s:O, s:O, s:o}", "at",
			  instant_json(calendar, simulation->now), "until",
			  instant_json(calendar, simulation->until), "old", "file",
			  simulation->before->file, "digest", simulation->before->digest, "new",
			  "file", simulation->after->file, "digest", simulation->after->digest,
			  "challenges", simulation->found, "problems", simulation->problems,
			  "summary", counts));
}

static int print_summary(struct simulation *simulation)
{
	const struct summary *summary = &simulation->summary;
	FILE *out = simulation->ctl->out;

	(void)fprintf(out,
		      "%s%zu %s compared, %zu %s. Deadlines that move: %zu earlier, "
		      "%zu later.\n"
		      "Mails: %zu added, %zu dropped, %zu due at once%s.\n",
		      summary->differing + summary->problems > 0 ? "\n" : "",
		      summary->challenges,
		      text_plural((int64_t)summary->challenges, "challenge", "challenges"),
		      summary->differing,
		      text_plural((int64_t)summary->differing, "differs", "differ"),
		      summary->earlier, summary->later, summary->mails[CHANGE_ADDED],
		      summary->mails[CHANGE_DROPPED], summary->mails[CHANGE_AT_ONCE],
		      summary->mails[CHANGE_AT_ONCE] > 0
			      ? "; the daemon would hold these until challengectl approve"
			      : "");
	if (summary->problems > 0)
		(void)fprintf(out, "PROBLEMS: %zu, each told above.\n", summary->problems);
	return EXIT_DONE;
}

static int take_options(struct ctl *ctl, int argc, char **argv, const char **ret_file,
			int64_t *ret_days)
{
	const char *typed = NULL;

	*ret_days = DAYS;
	*ret_file = NULL;
	if (ctl_option(ctl, &argc, argv, "--config", ret_file) < 0 ||
	    ctl_option(ctl, &argc, argv, "--days", &typed) < 0)
		return EXIT_USAGE;
	if (typed != NULL && !ctl_number(ctl, "--days", typed, ret_days))
		return EXIT_USAGE;
	if (*ret_days > DAYS_MOST)
		return ctl_usage(ctl, "--days: \"%s\" is not a number from 1 to %d", typed,
				 DAYS_MOST);
	if (*ret_file == NULL)
		return ctl_usage(ctl, "simulate needs the new main file: simulate --config NEW "
				      "(the old one stands before \"simulate\")");
	return ctl_arguments(ctl, argc, argv, 0, 0);
}

static int prepare(struct simulation *simulation, int64_t days)
{
	struct ctl *ctl = simulation->ctl;

	if (!ctl_now(ctl, calendar_zone(ctl->config->calendars[0].calendar), &simulation->now))
		return EXIT_USAGE;
	simulation->until = instant_add(simulation->now, days * SECONDS_PER_DAY);
	if (ctl->json) {
		simulation->found = json_array();
		simulation->problems = json_array();
		if (simulation->found == NULL || simulation->problems == NULL)
			return ctl_cannot(ctl, "out of memory");
	}
	return EXIT_DONE;
}

static int run_simulate(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(config_destroyp) struct config *after = NULL;
	CLEANUP(store_closep) struct store *store = NULL;
	CLEANUP(simulation_clear) struct simulation simulation = { .ctl = ctl };
	struct error error = { 0 };
	const char *file;
	int64_t days;
	int status = take_options(ctl, argc, argv, &file, &days);
	int r;

	if (status == EXIT_DONE)
		status = ctl_open_store(ctl, &store);
	if (status != EXIT_DONE)
		return status;
	after = ctl_load_config(ctl, file);
	if (after == NULL)
		return EXIT_COULD_NOT;
	simulation.before = ctl->config;
	simulation.after = after;
	status = prepare(&simulation, days);
	if (status != EXIT_DONE)
		return status;
	if (store_begin(store, &error) < 0)
		return ctl_fail(ctl, &error, "");
	r = compare_all(&simulation, store, &error);
	store_end(store);
	if (r < 0)
		return ctl_fail(ctl, &error, "");
	return ctl->json ? print_json(&simulation) : print_summary(&simulation);
}

const struct command command_simulate = {
	.name = "simulate",
	.summary = "show what another configuration would change",
	.usage = "Usage: challengectl [--config OLD] simulate --config NEW [--days N] "
		 "[--at TIME]\n"
		 "\n"
		 "Holds every challenge of the store, open or past, against two "
		 "configurations: the\n"
		 "one in force (the --config before \"simulate\", else the installed one) and "
		 "the new\n"
		 "one (the --config behind it). Prints each deadline that moves, each mail "
		 "that is\n"
		 "added or dropped up to N days (60) ahead, and each that would be due at "
		 "once. Both\n"
		 "count from the store of the old one. Nothing is sent or written.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl simulate --config /root/new/challenge-notifyd.conf\n",
	.run = run_simulate,
	.has_config = true,
};
