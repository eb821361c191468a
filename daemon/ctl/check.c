/*
 * check.c - `challengectl check`: every fault of the configuration at its line, and what the
 * policies say in plain English when there is none.
 *
 * Design section 7 fixes what is printed: other programs read it.
 */
#include "adapter/store.h"
#include "ctl/commands.h"

#include "adapter/template_file.h"
#include "base/text.h"
#include "ctl/describe.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { HOLIDAY_NOTICE_DAYS = 180 };

/* What one run of the command found. */
struct findings {
	struct fault_list faults;
	json_t *policies;
	struct text said; /* the policies in English */
};

static void findings_clear(struct findings *findings)
{
	fault_list_clear(&findings->faults);
	json_decref(findings->policies);
	text_clear(&findings->said);
}

/*
 * A holiday list that ends soon is legal, but what falls due past it is provisional.
 */
static void check_holidays(const struct config *config, struct instant now,
			   struct fault_list *faults)
{
	for (size_t i = 0; i < config->calendar_count; i++) {
		const struct named_calendar *named = &config->calendars[i];
		int32_t until = calendar_plan(named->calendar)->covered_until;
		int32_t left = until - calendar_day(named->calendar, now);
		char day[DAY_TEXT_SIZE];

		if (until == INT32_MAX || left > HOLIDAY_NOTICE_DAYS)
			continue;
		fault_warn(faults, config->file, named->line, "calendars.holidays",
			   "the holidays of \"%s\" %s %s; fetch the new "
			   "https://www.gov.uk/bank-holidays.json",
			   named->id, left < 0 ? "ended on" : "end on", day_format(until, day));
	}
}

/* --- against the store
 * -------------------------------------------------------------------------
 */

static bool has_role(const struct role_set *set, size_t role)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->role[i] == role)
			return true;
	return false;
}

/* The first line that speaks of the role; 1 when it is named for the policy as a whole. */
static int line_of_role(const struct policy *policy, size_t role)
{
	int line = 0;

	for (size_t i = 0; i < policy->stage_count; i++) {
		const struct stage *stage = &policy->stages[i];

		if ((has_role(&stage->owner, role) || has_role(&stage->inform, role)) &&
		    (line == 0 || stage->line < line))
			line = stage->line;
	}
	for (size_t i = 0; i < policy->obligation_count; i++) {
		const struct obligation *owed = &policy->obligations[i];

		if ((has_role(&owed->owner, role) || has_role(&owed->breach_to, role)) &&
		    (line == 0 || owed->line < line))
			line = owed->line;
	}
	return line != 0 ? line : 1;
}

static bool is_filled(const struct config *config, const struct directory *directory,
		      const struct role *role, const char *agency, struct instant now)
{
	const struct challenge challenge = { .raising_agency = agency,
					     .receiving_agency = agency };

	return recipient_find(role, &challenge, directory, &config->partnership, config->roles,
			      config->role_count, config->mail.allow_domains,
			      config->mail.allow_domain_count, (struct refused){ 0 }, now)
		       .path != RECIPIENT_INBOX;
}

static bool can_be_filled(const struct config *config, const struct directory *directory,
			  const struct role *role, struct instant now)
{
	if (role->side == SIDE_PARTNERSHIP)
		return strcmp(role->name, "inbox") == 0 ||
		       is_filled(config, directory, role, "", now);
	for (size_t i = 0; i < directory->agency_count; i++)
		if (strcmp(directory->agencies[i].id, config->partnership.agency) != 0 &&
		    is_filled(config, directory, role, directory->agencies[i].id, now))
			return true;
	return false;
}

static void check_roles(const struct config *config, const struct directory *directory,
			const struct policy *policy, struct instant now,
			struct fault_list *faults)
{
	for (size_t i = 0; i < policy->role_count; i++)
		if (!can_be_filled(config, directory, &policy->roles[i], now))
			fault_warn(faults, policy->file, line_of_role(policy, i), "policy",
				   "nobody in the store holds \"%s\", nor stands in, in any "
				   "agency: its mails go to the partnership's inbox",
				   policy->roles[i].token);
}

/* A store that is not there yet, or cannot be read, or names no agency, is no fault of the
 * configuration. */
static void check_people(const struct config *config, struct instant now,
			 struct fault_list *faults)
{
	CLEANUP(store_closep) struct store *store = NULL;
	struct directory directory;
	struct error ignored = { 0 };

	if (store_open(config->store, &store, &ignored) < 0 || store_begin(store, &ignored) < 0)
		return;
	if (store_directory(store, NULL, 0, &directory, &ignored) == 0 &&
	    directory.agency_count > 0)
		for (size_t i = 0; i < config->policy_count; i++)
			check_roles(config, &directory, config->policies[i], now, faults);
	store_end(store);
}

static void check_templates(const struct config *config, struct fault_list *faults)
{
	size_t errors = faults->errors;
	struct error error = { 0 };
	CLEANUP(template_file_destroyp)
	struct language_set *set = template_file_load(config->templates, faults, &error);

	if (set == NULL && faults->errors == errors)
		fault_add(faults, config->templates, 0, "", "%s", error.text);
}

static int note_policy(struct findings *findings, const struct config *config,
		       const struct policy *policy)
{
	CLEANUP(text_clear) struct text said = { 0 };
	json_t *one;

	describe_policy(policy, config->roles, config->role_count, &said);
	if (text_failed(&said))
		return -1;
	text_append(&findings->said, "\n");
	text_append(&findings->said, text_string(&said));
	one = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", policy->id, "version",
			policy->version, "title", policy->title, "file", policy->file, "digest",
			policy->digest, "says", text_string(&said));
	return one != NULL ? json_array_append_new(findings->policies, one) : -1;
}

/* Moves the faults of one load to the findings; a warning of a file not asked for is left. */
static void take_faults(struct findings *findings, const struct fault_list *faults,
			const char *const *asked, size_t count)
{
	for (size_t i = 0; i < faults->count; i++) {
		const struct fault *fault = &faults->item[i];
		bool wanted = !fault->warning || asked == NULL;

		for (size_t j = 0; !wanted && j < count; j++)
			wanted = strcmp(asked[j], fault->file) == 0;
		if (!wanted)
			continue;
		(fault->warning ? fault_warn : fault_add)(&findings->faults, fault->file,
							  fault->line, fault->key, "%s",
							  fault->text);
	}
	if (faults->incomplete)
		findings->faults.incomplete = true;
}

/* One main file with its folder of policies, or with the policy files given. */
static int check_one(const char *main_file, const char *const *policies, size_t count,
		     struct instant now, struct findings *findings)
{
	CLEANUP(fault_list_clear) struct fault_list faults = { 0 };
	struct error error = { 0 };
	CLEANUP(config_destroyp)
	struct config *config =
		config_load_policies(main_file, policies, count, &faults, &error);
	int rc = 0;

	if (config != NULL)
		check_holidays(config, now, &faults);
	if (config != NULL)
		check_people(config, now, &faults);
	if (config != NULL && policies == NULL)
		check_templates(config, &faults);
	take_faults(findings, &faults, policies, count);
	/* Out of memory leaves no fault behind, and must not look like a clean file. */
	if (config == NULL && faults.errors == 0)
		fault_add(&findings->faults, main_file, 0, "", "%s",
			  error.code != 0 ? error.text : "out of memory");
	for (size_t i = 0; config != NULL && rc == 0 && i < config->policy_count; i++)
		rc = note_policy(findings, config, config->policies[i]);
	return rc;
}

static int check_files(struct ctl *ctl, int argc, char **argv, struct instant now,
		       struct findings *findings)
{
	CLEANUP(freep) const char **policies = calloc((size_t)argc + 1, sizeof *policies);
	const char *main_file = ctl->config_file;
	size_t count = 0;
	int rc = 0;

	if (policies == NULL)
		return -1;
	for (int i = 0; rc == 0 && i < argc; i++) {
		if (config_is_policy_file(argv[i])) {
			policies[count++] = argv[i];
			continue;
		}
		main_file = argv[i]; /* policies given with it are checked in its context */
		rc = check_one(argv[i], NULL, 0, now, findings);
	}
	if (rc == 0 && (count > 0 || argc == 0))
		rc = check_one(main_file, argc > 0 ? policies : NULL, count, now, findings);
	return rc;
}

static json_t *faults_json(const struct fault_list *faults)
{
	json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < faults->count; i++) {
		const struct fault *fault = &faults->item[i];

		if (json_array_append_new(
			    array, json_pack("{s:s, s:i, s:s, s:s, s:b}", "file", fault->file,
					     "line", fault->line, "key", fault->key, "text",
					     fault->text, "warning", fault->warning)) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static int print_json(struct ctl *ctl, struct findings *findings)
{
	json_t *faults = faults_json(&findings->faults);
	json_t *document;

	if (faults == NULL)
		return -1;
	document = json_pack("{s:o, s:O}", "faults", faults, "policies", findings->policies);
	if (document == NULL)
		return -1;
	return ctl_print_json(ctl, document) == EXIT_DONE ? 0 : -1;
}

static void print_text(struct ctl *ctl, const struct findings *findings)
{
	for (size_t i = 0; i < findings->faults.count; i++) {
		CLEANUP(text_clear) struct text line = { 0 };

		fault_format(&findings->faults.item[i], &line);
		(void)fprintf(ctl->out, "%s\n", text_string(&line)); /* the end is checked */
	}
	if (findings->faults.errors == 0)
		(void)fprintf(ctl->out, "No faults. What the policies say:\n%s",
			      text_string(&findings->said));
}

static int run_check(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(findings_clear) struct findings findings = { .policies = json_array() };
	struct error error = { 0 };
	struct instant now;
	int rc = 0;

	for (int i = 0; i < argc; i++)
		if (argv[i][0] == '-' && argv[i][1] != '\0')
			return ctl_usage(ctl, "check: there is no option \"%s\"", argv[i]);
	if (!ctl_now(ctl, NULL, &now))
		return EXIT_USAGE;
	if (findings.policies == NULL || check_files(ctl, argc, argv, now, &findings) < 0)
		rc = error_memory(&error);
	if (rc == 0 && ctl->json)
		rc = print_json(ctl, &findings);
	else if (rc == 0)
		print_text(ctl, &findings);
	if (error.code == 0 && (rc < 0 || fflush(ctl->out) != 0))
		(void)error_set(&error, EIO, "cannot write the answer");
	if (error.code == 0 && findings.faults.incomplete)
		(void)error_memory(&error);
	if (error.code != 0)
		return ctl_fail(ctl, &error, "");
	return findings.faults.errors > 0 ? EXIT_NO : EXIT_DONE;
}

const struct command command_check = {
	.name = "check",
	.summary = "find every fault in the configuration, and say what the policies ask for",
	.usage =
		"Usage: challengectl check [FILE ...]\n"
		"\n"
		"Without FILE it reads the main file and all that it names. A FILE is a main "
		"file "
		"or a\n"
		"policy; a policy alone is checked in the context of the main file of "
		"--config.\n"
		"\n"
		"Prints each fault as FILE:LINE: key: what is wrong, and exits 1 if there is "
		"any. "
		"What is\n"
		"doubtful but legal is a warning and changes nothing. A clean configuration is "
		"told in plain\n"
		"English, to be held against the published policy.\n"
		"\n"
		"Example:\n"
		"  challengectl check /etc/challenge-notifyd/policies/example.conf\n",
	.run = run_check,
};
