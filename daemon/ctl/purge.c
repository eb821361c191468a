/*
 * purge.c - `challengectl purge`: erases what is past the partnership's own periods, tells
 * beforehand what that would be, and keeps what somebody holds. What went is recorded: in table
 * `purge` of the store, and in the ledger's chain, which stays whole.
 */
#include "adapter/ledger_care.h"
#include "base/list.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/ledger_access.h"
#include "ctl/lookup.h"
#include "ctl/retention.h"
#include "ctl/standing.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 500 }; /* entries of the ledger in one transaction: some milliseconds */

/* One kind of thing and its period. */
struct rule {
	const char *name;   /* as in the configuration: "challenges" */
	const char *things; /* in words */
	struct period period;
	bool set;
	struct instant before;
	size_t count;
};

enum { RULE_CHALLENGES, RULE_CONTACTS, RULE_BODIES, RULE_LEDGER, RULES };

struct doomed {
	int64_t id;
	int64_t state; /* a challenge's change_seq, a contact's confirmed_at, when looked at */
	char *name;    /* a reference, or an agency's contact in words; owned */
};

struct purge {
	struct ctl *ctl;
	const char *by;
	struct instant now;
	struct rule rule[RULES];
	struct ledger *ledger; /* NULL: there is none yet */
	struct doomed *doomed; /* challenges, then contacts: rule[].count of each */
	size_t count;
	size_t capacity;
	size_t copies; /* of the ledger from before upgrades, which have gone */
	json_t *kept;  /* what would go but for something, with why */
};

static void purge_clear(struct purge *purge)
{
	for (size_t i = 0; i < purge->count; i++)
		free(purge->doomed[i].name);
	free(purge->doomed);
	json_decref(purge->kept);
	ledger_close(purge->ledger);
}

/* --- what is past its period ----------------------------------------------------------------
 */

static void read_rules(struct purge *purge)
{
	const struct retention *retention = &purge->ctl->config->retention;
	const struct calendar *calendar = purge->ctl->config->calendars[0].calendar;
	const struct rule rules[RULES] = {
		[RULE_CHALLENGES] = { "challenges", "challenges that ended, with their events",
				      .period = retention->challenges },
		[RULE_CONTACTS] = { "contacts", "contacts that are not active",
				    .period = retention->contacts },
		[RULE_BODIES] = { "bodies", "texts of mails", .period = retention->bodies },
		[RULE_LEDGER] = { "ledger", "what entries of the ledger say",
				  .period = retention->ledger },
	};

	for (size_t i = 0; i < RULES; i++) {
		int32_t day = 0;

		purge->rule[i] = rules[i];
		purge->rule[i].set = retention_before(rules[i].period,
						      calendar_day(calendar, purge->now), &day);
		if (purge->rule[i].set)
			purge->rule[i].before = zone_instant(calendar_zone(calendar), day, 0);
	}
}

static int keep(struct purge *purge, const char *name, const char *why, struct error *error)
{
	return json_array_append_new(purge->kept,
				     json_pack("{s:s, s:s}", "what", name, "why", why)) < 0
		       ? error_memory(error)
		       : 0;
}

static int doom(struct purge *purge, struct rule *rule, struct doomed doomed,
		struct error *error)
{
	doomed.name = strdup(doomed.name);
	if (doomed.name == NULL || list_reserve(&purge->doomed, purge->count, &purge->capacity,
						sizeof *purge->doomed) < 0) {
		free(doomed.name);
		return error_memory(error);
	}
	purge->doomed[purge->count++] = doomed;
	rule->count++;
	return 0;
}

static int look_at_challenge(struct purge *purge, struct timeline *timeline,
			     struct challenge *challenge, struct error *error)
{
	struct rule *rule = &purge->rule[RULE_CHALLENGES];
	CLEANUP(text_clear) struct text held = { 0 };
	struct standing standing;
	int result = standing_find(purge->ctl->config, timeline, challenge, purge->now,
				   &standing, error);

	if (result < 0)
		return result;
	if (standing.policy == NULL)
		return keep(purge, challenge->reference,
			    "its policy is not loaded: whether it has ended is not known",
			    error);
	if (!standing.state.ended || !instant_before(standing.state.last_event, rule->before))
		return 0;
	if (purge->ledger != NULL)
		result = ledger_challenge_is_held(purge->ledger, challenge->id, &held, error);
	if (result < 0)
		return result;
	if (result == 1)
		return keep(purge, challenge->reference, "it is held", error);
	return doom(purge, rule,
		    (struct doomed){ challenge->id, challenge->change_seq,
				     (char *)challenge->reference },
		    error);
}

static int look_at_challenges(struct purge *purge, struct store *store, struct error *error)
{
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	CLEANUP(progress_end)
	struct progress progress = progress_begin(purge->ctl, "challenges");
	struct challenge *challenge;
	size_t done = 0;
	int result =
		timeline == NULL ? error_memory(error) : store_changed_since(store, 0, error);

	while (result >= 0 && (result = store_next(store, &challenge, error)) > 0) {
		progress_step(&progress, ++done);
		if (challenge == NULL)
			result = keep(purge, "a challenge that cannot be read", error->text,
				      error);
		else
			result = look_at_challenge(purge, timeline, challenge, error);
	}
	return result;
}

static int look_at_contacts(struct purge *purge, struct store *store, struct error *error)
{
	struct rule *rule = &purge->rule[RULE_CONTACTS];
	struct directory directory = { 0 };
	int result = store_directory(store, NULL, 0, &directory, error);

	for (size_t i = 0; i < directory.contact_count && result >= 0; i++) {
		const struct contact *contact = &directory.contacts[i];
		char name[100];

		(void)snprintf(name, sizeof name, "contact %lld of %.60s",
			       (long long)contact->id, contact->agency); /* cut is fine */
		if (contact->active)
			continue;
		if (instant_is_never(contact->confirmed_at))
			result = keep(purge, name,
				      "confirmed_at is not set: since when it is not active "
				      "is not known",
				      error);
		else if (instant_before(contact->confirmed_at, rule->before))
			result = doom(purge, rule,
				      (struct doomed){ contact->id,
						       contact->confirmed_at.seconds, name },
				      error);
	}
	return result;
}

static int look_at_ledger(struct purge *purge, struct error *error)
{
	struct rule *bodies = &purge->rule[RULE_BODIES];
	struct rule *ledger = &purge->rule[RULE_LEDGER];
	int result = 0;

	if (purge->ledger == NULL)
		return 0;
	if (bodies->set)
		result = ledger_purgeable(purge->ledger, LEDGER_BODIES, bodies->before,
					  &bodies->count, error);
	if (result == 0 && ledger->set)
		result = ledger_purgeable(purge->ledger, LEDGER_PAYLOADS, ledger->before,
					  &ledger->count, error);
	return result;
}

static int look(struct purge *purge, struct store *store, struct error *error)
{
	int result = store_begin(store, error);

	if (result < 0)
		return result;
	if (purge->rule[RULE_CHALLENGES].set)
		result = look_at_challenges(purge, store, error);
	if (result >= 0 && purge->rule[RULE_CONTACTS].set)
		result = look_at_contacts(purge, store, error);
	store_end(store);
	return result < 0 ? result : look_at_ledger(purge, error);
}

/* --- erasing --------------------------------------------------------------------------------
 */

static void rule_text(const struct rule *rule, char out[static 100])
{
	char period[PERIOD_TEXT_SIZE];

	(void)snprintf(out, 100, "retention.%s = %s", rule->name,
		       retention_text(rule->period, period)); /* fits */
}

/* Nothing goes that is not just as it was when it was looked at. */
static int check_unchanged(struct purge *purge, struct store *store,
			   const struct directory *directory, struct error *error)
{
	size_t challenges = purge->rule[RULE_CHALLENGES].count;

	for (size_t i = 0; i < purge->count; i++) {
		CLEANUP(text_clear) struct text held = { 0 };
		const struct doomed *doomed = &purge->doomed[i];
		const struct contact *contact = directory_contact(directory, doomed->id);
		struct challenge *challenge = NULL;
		int result = 0;
		bool same;

		if (i < challenges) {
			result = store_challenge(store, doomed->id, &challenge, error);
			same = challenge != NULL && challenge->change_seq == doomed->state;
			if (result >= 0)
				result = ledger_challenge_is_held(purge->ledger, doomed->id,
								  &held, error);
			same = same && result == 0;
		} else {
			same = contact != NULL && !contact->active &&
			       contact->confirmed_at.seconds == doomed->state;
		}
		if (result < 0)
			return result;
		if (!same)
			return error_set(error, EAGAIN, "%s has changed meanwhile",
					 doomed->name);
	}
	return 0;
}

static int purge_store_rows(struct purge *purge, struct registrar *registrar,
			    struct error *error)
{
	size_t challenges = purge->rule[RULE_CHALLENGES].count;
	char rule[100];
	int result = 0;

	rule_text(&purge->rule[RULE_CHALLENGES], rule);
	for (size_t i = 0; i < purge->count && result == 0; i++)
		result =
			i < challenges
				? register_purge_challenge(registrar, purge->doomed[i].id, rule,
							   purge->by, purge->now, error)
				: register_purge_contact(registrar, purge->doomed[i].id, error);
	return result;
}

static int purge_store(struct purge *purge)
{
	CLEANUP(writing_clear) struct writing writing = { 0 };
	struct directory directory = { 0 };
	struct error error = { 0 };
	int status = EXIT_DONE;

	if (purge->count == 0)
		return EXIT_DONE;
	status = ctl_writing_begin(purge->ctl, &writing);
	if (status == EXIT_DONE)
		status = ctl_directory(purge->ctl, writing.store, &directory);
	if (status == EXIT_DONE &&
	    (check_unchanged(purge, writing.store, &directory, &error) < 0 ||
	     purge_store_rows(purge, writing.registrar, &error) < 0))
		status = ctl_fail(purge->ctl, &error, "Nothing was erased: run it again.");
	return status == EXIT_DONE ? ctl_writing_end(purge->ctl, &writing, EXIT_DONE) : status;
}

static int note_store(struct purge *purge, struct error *error)
{
	CLEANUP(freep) char *text = NULL;
	json_t *challenges = json_array();
	json_t *said;
	int result = 0;

	if (purge->count == 0 || purge->ledger == NULL) {
		json_decref(challenges);
		return 0;
	}
	for (size_t i = 0; i < purge->rule[RULE_CHALLENGES].count; i++)
		if (json_array_append_new(challenges, json_integer(purge->doomed[i].id)) < 0)
			result = error_memory(error);
	said = json_pack("{s:s, s:o, s:I}", "by", purge->by, "challenges", challenges,
			 "contacts", (json_int_t)purge->rule[RULE_CONTACTS].count);
	text = said != NULL ? json_dumps(said, JSON_COMPACT) : NULL;
	json_decref(said);
	if (text == NULL)
		result = error_memory(error);
	return result < 0 ? result
			  : ledger_note(purge->ledger, "store_purged", text, purge->now, error);
}

static int purge_part(struct purge *purge, enum ledger_part part, const struct rule *rule,
		      struct error *error)
{
	CLEANUP(progress_end)
	struct progress progress = progress_begin(purge->ctl, rule->things);
	size_t done = 0;
	size_t count = 1;
	char why[100];
	int result = 0;

	rule_text(rule, why);
	while (rule->set && purge->ledger != NULL && count > 0 && result == 0) {
		result = ledger_purge_parts(purge->ledger, (unsigned)part, rule->before, BATCH,
					    purge->by, why, purge->now, &count, error);
		done += count;
		progress_step(&progress, done);
	}
	return result;
}

static int erase(struct purge *purge)
{
	struct error error = { 0 };
	int status = purge_store(purge);
	int result;

	if (status != EXIT_DONE)
		return status;
	result = note_store(purge, &error);
	if (result == 0)
		result = purge_part(purge, LEDGER_BODIES, &purge->rule[RULE_BODIES], &error);
	if (result == 0)
		result = purge_part(purge, LEDGER_PAYLOADS, &purge->rule[RULE_LEDGER], &error);
	/* They hold what was just erased. */
	if (result == 0 && (purge->rule[RULE_BODIES].set || purge->rule[RULE_LEDGER].set))
		purge->copies = ledger_erase_copies(ctl_state_folder(purge->ctl->config));
	return result < 0 ? ctl_fail(purge->ctl, &error, "Run it again to erase the rest.")
			  : EXIT_DONE;
}

/* --- shown ----------------------------------------------------------------------------------
 */

static json_t *rule_json(const struct purge *purge, size_t which)
{
	const struct rule *rule = &purge->rule[which];
	char period[PERIOD_TEXT_SIZE];
	char before[INSTANT_TEXT_SIZE];

	return json_pack(
		"{s:s, s:s?, s:s?, s:I}", "what", rule->name, "period",
		rule->set ? retention_text(rule->period, period) : NULL, "before",
		rule->set ? ctl_time_text(
				    calendar_zone(purge->ctl->config->calendars[0].calendar),
				    rule->before, before)
			  : NULL,
		"count", (json_int_t)rule->count);
}

static int print_json(struct purge *purge, bool erased)
{
	json_t *rules = json_array();
	json_t *names = json_array();

	for (size_t i = 0; i < RULES; i++)
		if (json_array_append_new(rules, rule_json(purge, i)) < 0)
			return ctl_cannot(purge->ctl, "out of memory");
	for (size_t i = 0; i < purge->count; i++)
		if (json_array_append_new(names, json_string(purge->doomed[i].name)) < 0)
			return ctl_cannot(purge->ctl, "out of memory");
	return ctl_print_json(purge->ctl,
			      json_pack("{s:b, s:o, s:o, s:O, s:I}", "erased", erased, "rules",
					rules, "from_the_store", names, "kept", purge->kept,
					"ledger_copies", (json_int_t)purge->copies));
}

static int print_rules(struct purge *purge)
{
	static const char *const heads[] = { ">COUNT", "PERIOD", "=BEFORE", "WHAT" };
	CLEANUP(table_clear) struct table table = { .heads = heads, .columns = COUNT(heads) };

	for (size_t i = 0; i < RULES; i++) {
		const struct rule *rule = &purge->rule[i];
		char period[PERIOD_TEXT_SIZE];
		char count[24];
		char when[WHEN_TEXT_SIZE];

		(void)snprintf(count, sizeof count, "%zu", rule->count); /* fits */
		table_add(&table,
			  (const char *[]){
				  rule->set ? count : "-", retention_text(rule->period, period),
				  rule->set ? ctl_when(purge->ctl, rule->before, when) : "-",
				  rule->things });
	}
	return table_print(purge->ctl, &table);
}

static int print_words(struct purge *purge, bool erased)
{
	FILE *out = purge->ctl->out;
	int status = print_rules(purge);
	json_t *one;
	size_t i;

	for (i = 0; i < purge->count; i++)
		(void)fprintf(out, "%s %s\n", erased ? "erased" : "would erase",
			      purge->doomed[i].name);
	if (purge->copies > 0)
		(void)fprintf(out,
			      "erased the ledger's copy of before an upgrade of the daemon\n");
	json_array_foreach(purge->kept, i, one)
	{
		(void)fprintf(out, "kept %s: %s\n",
			      json_string_value(json_object_get(one, "what")),
			      json_string_value(json_object_get(one, "why")));
	}
	if (!erased)
		(void)fprintf(out, "Nothing was erased: say --yes to do it. Backups keep what "
				   "they have.\n");
	return status;
}

/* --- holds ----------------------------------------------------------------------------------
 */

static int order_hold(struct ctl *ctl, const char *reference, bool hold, const char *by,
		      const char *why, struct instant now)
{
	CLEANUP(store_closep) struct store *store = NULL;
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct ledger_hold_order order = { .reference = reference, .by = by, .why = why };
	struct challenge *challenge = NULL;
	struct error error = { 0 };
	int result;
	int status;

	if (by == NULL || why == NULL)
		return ctl_usage(ctl, "%s needs --by and --why", hold ? "--hold" : "--release");
	status = ctl_open_store(ctl, &store);
	if (status == EXIT_DONE)
		status = ctl_find_challenge(ctl, store, reference, &challenge);
	if (status == EXIT_DONE)
		status = ctl_ledger(ctl, LEDGER_PERSON, &ledger);
	if (status != EXIT_DONE)
		return status;
	order.challenge = challenge->id;
	result = hold ? ledger_hold_challenge(ledger, &order, now, &error)
		      : ledger_unhold_challenge(ledger, &order, now, &error);
	if (result < 0)
		return ctl_fail(ctl, &error, "");
	if (ctl->json)
		return ctl_print_json(
			ctl, json_pack("{s:s, s:b}", "reference", reference, "held", hold));
	(void)fprintf(ctl->out, "%s %s\n", reference,
		      hold ? "is held: nothing of it is erased" : "is no longer held");
	return EXIT_DONE;
}

/* --- the whole ------------------------------------------------------------------------------
 */

/* Erasing needs the ledger, to record it; a dry run does without where there is none. */
static int open_ledger(struct purge *purge, bool yes)
{
	struct error error = { 0 };
	int result = ledger_open(ctl_state_folder(purge->ctl->config),
				 yes ? LEDGER_PERSON : LEDGER_READ, &purge->ledger, &error);

	if (result >= 0 || (result == -ENOENT && !yes))
		return EXIT_DONE;
	return ctl_fail(purge->ctl, &error,
			"What is erased is recorded there. Run this as root or as the daemon's "
			"user, once the daemon has run.");
}

static int run_purge(struct ctl *ctl, const char *by, struct instant now, bool yes)
{
	CLEANUP(purge_clear) struct purge purge = { .ctl = ctl, .by = by, .now = now };
	CLEANUP(store_closep) struct store *store = NULL;
	struct error error = { 0 };
	int status = ctl_open_store(ctl, &store);

	if (status == EXIT_DONE)
		status = open_ledger(&purge, yes);
	if (status != EXIT_DONE)
		return status;
	purge.kept = json_array();
	read_rules(&purge);
	if (look(&purge, store, &error) < 0)
		return ctl_fail(ctl, &error, "Nothing was erased.");
	store_closep(&store); /* or its lock would be in the way */
	if (yes)
		status = erase(&purge);
	if (status != EXIT_DONE)
		return status;
	return ctl->json ? print_json(&purge, yes) : print_words(&purge, yes);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	bool yes = ctl_flag(&argc, argv, "--yes");
	const char *hold = NULL;
	const char *release = NULL;
	const char *by = NULL;
	const char *why = NULL;
	struct instant now;
	int status;

	if (!ctl_options(ctl, &argc, argv,
			 (struct ctl_option[]){ { "--hold", &hold },
						{ "--release", &release },
						{ "--by", &by },
						{ "--why", &why } },
			 4))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 0, 0);
	if (status != EXIT_DONE)
		return status;
	if ((hold != NULL) + (release != NULL) + yes > 1)
		return ctl_usage(ctl, "--hold, --release and --yes go one at a time");
	if (ctl_config(ctl) == NULL)
		return EXIT_COULD_NOT;
	if (!ctl_now(ctl, calendar_zone(ctl->config->calendars[0].calendar), &now))
		return EXIT_USAGE;
	if (hold != NULL || release != NULL)
		return order_hold(ctl, hold != NULL ? hold : release, hold != NULL, by, why,
				  clock_now(ctl->clock));
	if (yes && by == NULL)
		return ctl_usage(ctl, "--yes needs --by: who erases is recorded");
	if (yes && ctl->at != NULL)
		return ctl_usage(ctl, "--at is for dry runs only: erasure goes by the clock");
	return run_purge(ctl, by, now, yes);
}

const struct command command_purge = {
	.name = "purge",
	.summary = "erase what is past the periods of `retention`, or show what would go",
	.usage =
		"Usage: challengectl purge [--at TIME]\n"
		"       challengectl purge --yes --by NAME\n"
		"       challengectl purge --hold REF|--release REF --by NAME --why TEXT\n"
		"\n"
		"The first is a dry run. The periods are `retention` in the main file; what is "
		"not\n"
		"set there is kept for ever. A contact counts from confirmed_at.\n"
		"\n"
		"  --yes     erases; it is recorded in the store and in the ledger's chain\n"
		"  --hold    keeps all about one challenge until it is released\n"
		"\n"
		"Example:\n"
		"  challengectl purge --at 2027-04-01\n"
		"  challengectl purge --hold 2026-014 --by 'A. Officer' --why 'case review'\n",
	.run = run,
};
