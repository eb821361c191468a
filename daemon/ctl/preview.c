/*
 * preview.c - `challengectl preview`: every mail as its reader would see it, written with the
 * templates as they are, about a challenge that there is not. For whoever edits the words, and
 * for whoever wants to know what the policy will say to people; sends nothing, needs no store.
 */
#include "adapter/template_file.h"
#include "base/arena.h"
#include "base/list.h"
#include "core/language.h"
#include "core/unicode.h"
#include "core/wording.h"
#include "ctl/commands.h"
#include "ctl/lookup.h"
#include "ctl/terminal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
	HORIZON_DAYS = 200, /* far enough for a ladder's top; an endless repeat ends here */
	ENTRIES_MOST = 5000,
	ANSWER_SECONDS = 3600, /* so long after it was owed the answer comes */
	ROWS = 3,              /* of a digest and of a watch-list */
};

static const char reference[] = "2026-000";

/* The policy's notices on the challenge that there is not. */
struct scene {
	struct entry *entry;
	size_t count;
	size_t capacity;
};

struct preview {
	struct ctl *ctl;
	const struct policy *policy;
	const struct language *language;
	struct instant now;
	struct scene silence; /* nobody ever answers */
	struct scene answer;  /* resolved just after the first date has passed */
	struct arena arena;
};

static void preview_clear(struct preview *preview)
{
	free(preview->silence.entry);
	free(preview->answer.entry);
	arena_clear(&preview->arena);
}

/* --- the challenge that there is not ---------------------------------------------------------
 */

static int read_scene(struct preview *preview, struct event *events, size_t count,
		      struct scene *ret, struct error *error)
{
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct challenge challenge = { .id = 1,
				       .reference = reference,
				       .policy = preview->policy->id,
				       .policy_version = preview->policy->version,
				       .urgency = "",
				       .concerns = "child",
				       .category = "",
				       .raising_agency = "",
				       .receiving_agency = "",
				       .protect_by = INSTANT_NEVER,
				       .events = events,
				       .event_count = count };
	struct instant until =
		instant_add(preview->now, (int64_t)HORIZON_DAYS * SECONDS_PER_DAY);
	struct entry entry;
	int result = 1;

	if (timeline == NULL)
		return error_memory(error);
	challenge_settle(&challenge);
	timeline_begin(timeline, preview->policy, &challenge);
	while (ret->count < ENTRIES_MOST &&
	       (result = timeline_next(timeline, until, &entry, error)) > 0) {
		if (list_reserve(&ret->entry, ret->count, &ret->capacity, sizeof entry) < 0)
			return error_memory(error);
		ret->entry[ret->count++] = entry;
	}
	return result < 0 ? result : 0;
}

static struct event event_at(int64_t id, const char *kind, struct instant at)
{
	return (struct event){ .id = id,
			       .kind = kind,
			       .stage = "",
			       .at = at,
			       .due = INSTANT_NEVER,
			       .value = "",
			       .recorded_at = at };
}

static bool is_feedback(const struct preview *preview, const struct entry *entry)
{
	return wording_is_feedback(preview->policy, entry->obligation);
}

/* The first of that kind, or the first about feedback; NULL: the policy asks for none. */
static const struct entry *find_entry(const struct preview *preview, enum letter_template which)
{
	bool feedback = which == TEMPLATE_FEEDBACK;
	const struct scene *scene =
		feedback || which == TEMPLATE_CLEARED ? &preview->answer : &preview->silence;

	for (size_t i = 0; i < scene->count; i++) {
		const struct entry *entry = &scene->entry[i];

		if (entry->to.count > 0 &&
		    (feedback ? is_feedback(preview, entry) : (int)entry->kind == (int)which))
			return entry;
	}
	return NULL;
}

/* Which history leads to silence differs from policy to policy; what is said of it does not. */
static int add_quiet(struct preview *preview, struct error *error)
{
	const struct policy *policy = preview->policy;
	struct scene *scene = &preview->silence;
	struct entry entry = { .at = preview->now,
			       .send_at = preview->now,
			       .kind = NOTICE_QUIET,
			       .stage = 0,
			       .obligation = -1,
			       .step = "",
			       .occurrence = 1,
			       .to = policy->quiet_to,
			       .firm = true,
			       .event = 1,
			       .started = instant_add(preview->now, -7 * SECONDS_PER_DAY),
			       .due = INSTANT_NEVER };

	if (list_reserve(&scene->entry, scene->count, &scene->capacity, sizeof entry) < 0)
		return error_memory(error);
	scene->entry[scene->count++] = entry;
	return 0;
}

static int read_scenes(struct preview *preview, struct error *error)
{
	struct event events[2] = { event_at(1, "raised", preview->now),
				   event_at(2, "immediate_risk", preview->now) };
	const struct entry *late;
	int result = read_scene(preview, events, 2, &preview->silence, error);

	if (result == 0)
		result = add_quiet(preview, error);
	if (result < 0)
		return result;
	late = find_entry(preview, TEMPLATE_BREACH);
	events[0] = event_at(1, "raised", preview->now);
	events[1] = event_at(
		2, "resolved",
		instant_add(late != NULL ? late->send_at : preview->now, ANSWER_SECONDS));
	return read_scene(preview, events, 2, &preview->answer, error);
}

/* --- what the mail says ----------------------------------------------------------------------
 */

static const struct role_set *owner_of(const struct preview *preview, const struct entry *entry)
{
	const struct policy *policy = preview->policy;
	int stage = entry->stage != STAGE_NONE ? entry->stage : 0;

	if (entry->obligation >= 0 && entry->kind != NOTICE_ESCALATION &&
	    policy->obligations[entry->obligation].owner.count > 0)
		return &policy->obligations[entry->obligation].owner;
	return &policy->stages[stage].owner;
}

static const char *obligation_id(const struct policy *policy, const struct entry *entry)
{
	return entry->obligation >= 0 ? policy->obligations[entry->obligation].id : "";
}

static bool has_role(const struct role_set *set, role_index role)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->role[i] == role)
			return true;
	return false;
}

/* What follows if nobody answers: the next that somebody is told of what is late. */
static const struct entry *find_next(const struct preview *preview, const struct entry *entry)
{
	const struct scene *scene = &preview->silence;
	const struct entry *found = NULL;

	for (size_t i = 0; i < scene->count; i++) {
		const struct entry *later = &scene->entry[i];

		if (found != NULL && !instant_equal(found->at, later->at))
			break;
		if (instant_before(entry->at, later->at) &&
		    ((later->kind == NOTICE_BREACH && found == NULL) ||
		     later->kind == NOTICE_ESCALATION))
			found = later;
	}
	return found;
}

static int titles(struct preview *preview, const struct role_set *set, const char *without,
		  const char **ret, struct error *error)
{
	const struct config *config = preview->ctl->config;

	return wording_titles(config->roles, config->role_count, preview->policy,
			      preview->language, set, without, &preview->arena, ret, error);
}

static int say_next(struct preview *preview, const struct entry *entry,
		    struct letter_notice *letter, struct error *error)
{
	const struct policy *policy = preview->policy;
	bool ends = entry->kind == NOTICE_CLEARED || entry->kind == NOTICE_QUIET ||
		    letter->feedback;
	const struct entry *next = ends ? NULL : find_next(preview, entry);

	if (next == NULL)
		return 0;
	letter->next_at = next->at;
	letter->next_kind = next->kind;
	/* To whom the matter passes is told by when that is owed, as the daemon does. */
	if (entry->kind == NOTICE_ESCALATION || entry->kind == NOTICE_INFORM) {
		letter->due = next->due;
		letter->provisional = next->provisional;
		letter->obligation = obligation_id(policy, next);
	}
	letter->next_to_reader = has_role(&next->to, entry->to.role[0]);
	return titles(preview, &next->to, policy->roles[entry->to.role[0]].token,
		      &letter->next_titles, error);
}

static int say(struct preview *preview, const struct entry *entry, struct letter_notice *ret,
	       struct error *error)
{
	const struct config *config = preview->ctl->config;
	const struct policy *policy = preview->policy;
	const struct role_set *owner = owner_of(preview, entry);
	const struct role *role = &policy->roles[entry->to.role[0]];
	struct role_set told =
		wording_told(preview->silence.entry, preview->silence.count, entry);
	bool show = config->mail.show_agencies;
	int result;

	*ret = (struct letter_notice){
		.kind = entry->kind,
		.obligation = obligation_id(policy, entry),
		.feedback = is_feedback(preview, entry),
		.reference = reference,
		.policy_title = policy->title,
		.stage_title =
			policy->stages[entry->stage != STAGE_NONE ? entry->stage : 0].title,
		.role_title = role_title(config->roles, config->role_count, role->name),
		.role_side = role->side,
		.is_owner = has_role(owner, entry->to.role[0]),
		.due = entry->due,
		.at = entry->at,
		.since = entry->kind == NOTICE_CLEARED ? entry->at : entry->started,
		.provisional = entry->provisional,
		.next_at = INSTANT_NEVER,
		.next_titles = "",
		.guidance = policy->guidance,
		.learning_title = policy->learning_title,
		.learning_url = policy->learning_url,
		.raising_agency = show ? "Example School" : "",
		.raising_telephone = show ? "01632 960001" : "",
		.receiving_agency = show ? "Example Social Care" : "",
		.receiving_telephone = show ? "01632 960002" : "",
	};
	result = titles(preview, owner, "", &ret->owner_titles, error);
	if (result == 0)
		result = titles(preview, &told, role->token, &ret->told_titles, error);
	if (result == 0)
		result = wording_link(config->mail.link, reference, &preview->arena, &ret->link,
				      error);
	if (result == 0)
		result = say_next(preview, entry, ret, error);
	if (result == 0)
		wording_time(ret, policy->calendar, entry->send_at);
	return result;
}

static struct letter blank_letter(const struct preview *preview, struct instant now)
{
	struct letter letter = config_letter(preview->ctl->config,
					     calendar_zone(preview->policy->calendar), now);

	letter.recipient_name = "Alex Example";
	return letter;
}

/* Of those that a policy always asks for, as many as a digest or a watch-list shows here. */
static size_t find_rows(const struct preview *preview, const struct entry *ret[static ROWS])
{
	static const enum letter_template wanted[ROWS] = { TEMPLATE_BREACH, TEMPLATE_REMINDER,
							   TEMPLATE_INFORM };
	size_t count = 0;

	for (size_t i = 0; i < ROWS; i++) {
		const struct entry *entry = find_entry(preview, wanted[i]);

		if (entry != NULL)
			ret[count++] = entry;
	}
	return count;
}

/* The letter with these entries as its rows: 1, or a negative error. */
static int write_rows(struct preview *preview, struct letter letter,
		      const struct entry *const *entries, size_t count, struct letter_text *ret,
		      int *ret_result, struct error *error)
{
	struct letter_notice notices[ROWS];
	int result = 0;

	for (size_t i = 0; i < count && result == 0; i++)
		result = say(preview, entries[i], &notices[i], error);
	if (result < 0)
		return result;
	letter.notices = notices;
	letter.count = count;
	result = letter_write(preview->language, &letter, ret, error);
	if (result < 0)
		return result;
	*ret_result = result;
	return 1;
}

/* 1; 0: this policy asks for no such notice. */
static int write_notice(struct preview *preview, enum letter_template which,
			struct letter_text *ret, int *ret_result, struct error *error)
{
	const struct entry *entries[ROWS] = { find_entry(preview, which) };
	size_t count = entries[0] != NULL ? 1 : 0;
	struct letter letter;

	if (which == TEMPLATE_DIGEST)
		count = find_rows(preview, entries);
	if (count == 0 || (which == TEMPLATE_DIGEST && count == 1))
		return 0;
	letter = blank_letter(preview, entries[0]->send_at);
	return write_rows(preview, letter, entries, count, ret, ret_result, error);
}

static int write_summary(struct preview *preview, enum letter_template which,
			 struct letter_text *ret, int *ret_result, struct error *error)
{
	struct letter letter = blank_letter(preview, preview->now);
	const struct entry *entries[ROWS];
	size_t count = which == TEMPLATE_WATCH ? find_rows(preview, entries) : 0;

	letter.summary = letter_template_names[which];
	letter.summary_count = 12;
	letter.summary_at = preview->now;
	letter.trouble = which == TEMPLATE_ALARM ? "paused" : "";
	letter.counts = (struct letter_counts){
		.open = 12, .due_today = 2, .overdue = 1, .waiting = 3, .held = 0
	};
	return write_rows(preview, letter, entries, count, ret, ret_result, error);
}

static int write_mail(struct preview *preview, enum letter_template which,
		      struct letter_text *ret, int *ret_result, struct error *error)
{
	return which <= TEMPLATE_DIGEST ? write_notice(preview, which, ret, ret_result, error)
					: write_summary(preview, which, ret, ret_result, error);
}

/* --- showing it ------------------------------------------------------------------------------
 */

/* Those that are mails of their own: not the fixed text, nor what stands in every mail. */
enum { MAILS = TEMPLATE_SAFE };

static int no_such_notice(const struct preview *preview, enum letter_template which)
{
	(void)ctl_cannot(
		preview->ctl, "the policy %s@%s asks for no notice that is written with \"%s\"",
		preview->policy->id, preview->policy->version, letter_template_names[which]);
	return EXIT_NO;
}

/* Whether the words are those of the template: a failed one shows the fixed text in its place.
 */
static int answer(struct preview *preview, enum letter_template which, int result)
{
	switch ((enum letter_result)result) {
	case LETTER_WHOLE:
		return EXIT_DONE;
	case LETTER_TEXT_ALONE:
		(void)ctl_cannot(
			preview->ctl, "%s.html of \"%s\" fails: such a mail has its text alone",
			letter_template_names[which], language_name(preview->language));
		return EXIT_NO;
	case LETTER_SAFE:
		(void)ctl_cannot(preview->ctl,
				 "%s.txt of \"%s\" fails: in its place the fixed text is sent",
				 letter_template_names[which],
				 language_name(preview->language));
		return EXIT_NO;
	}
	return EXIT_COULD_NOT;
}

static json_t *mail_json(const struct preview *preview, enum letter_template which,
			 const struct letter_text *text, int result)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:s}", "template",
			 letter_template_names[which], "policy", preview->policy->id,
			 "language", text->language, "whole", result == LETTER_WHOLE, "subject",
			 text_string(&text->subject), "text", text_string(&text->body), "html",
			 text_string(&text->html));
}

static int show(struct preview *preview, enum letter_template which, bool html)
{
	CLEANUP(letter_text_clear) struct letter_text text = { 0 };
	struct ctl *ctl = preview->ctl;
	struct error error = { 0 };
	int result = 0;
	int found = write_mail(preview, which, &text, &result, &error);
	int status;

	if (found < 0)
		return ctl_fail(ctl, &error, "");
	if (found == 0)
		return no_such_notice(preview, which);
	status = answer(preview, which, result);
	if (ctl->json) {
		int printed = ctl_print_json(ctl, mail_json(preview, which, &text, result));

		return printed != EXIT_DONE ? printed : status;
	}
	if (html)
		(void)fputs(text_string(&text.html), ctl->out);
	else
		(void)fprintf(ctl->out, "Subject: %s\n\n%s", text_string(&text.subject),
			      text_string(&text.body));
	return status;
}

static int list(struct preview *preview)
{
	static const char *const heads[] = { "TEMPLATE", "SUBJECT" };
	CLEANUP(table_clear) struct table table = { .heads = heads, .columns = COUNT(heads) };
	struct ctl *ctl = preview->ctl;
	json_t *all = ctl->json ? json_array() : NULL;
	struct error error = { 0 };
	int status = EXIT_DONE;

	for (int i = 0; i < MAILS; i++) {
		CLEANUP(letter_text_clear) struct letter_text text = { 0 };
		enum letter_template which = (enum letter_template)i;
		int result = LETTER_WHOLE;
		int found = write_mail(preview, which, &text, &result, &error);

		if (found < 0 || (all != NULL && found > 0 &&
				  json_array_append_new(
					  all, mail_json(preview, which, &text, result)) < 0)) {
			json_decref(all);
			return found < 0 ? ctl_fail(ctl, &error, "")
					 : ctl_cannot(ctl, "out of memory");
		}
		table_add(&table,
			  (const char *[]){ letter_template_names[which],
					    found > 0 ? text_string(&text.subject)
						      : "- (this policy asks for none)" });
		if (answer(preview, which, result) != EXIT_DONE)
			status = EXIT_NO;
	}
	if (all != NULL) {
		int printed = ctl_print_json(ctl, all);

		return printed != EXIT_DONE ? printed : status;
	}
	return table_print(ctl, &table) != EXIT_DONE ? EXIT_COULD_NOT : status;
}

static int find_template(struct ctl *ctl, const char *typed, enum letter_template *ret)
{
	for (int i = 0; i < MAILS; i++)
		if (strcmp(letter_template_names[i], typed) == 0) {
			*ret = (enum letter_template)i;
			return EXIT_DONE;
		}
	return ctl_unknown(ctl, "template of a mail", typed, letter_template_names, MAILS);
}

static int find_language(struct preview *preview, const struct language_set *set,
			 const char *typed)
{
	preview->language = template_file_language(set, typed != NULL ? typed : "en");
	if (typed == NULL || strcmp(language_name(preview->language), typed) == 0)
		return EXIT_DONE;
	return ctl_cannot(preview->ctl, "there is no folder \"%.40s\" in %s", typed,
			  preview->ctl->config->templates);
}

static int begin(struct preview *preview, const char *policy)
{
	struct ctl *ctl = preview->ctl;
	const struct config *config = ctl_config(ctl);
	struct error error = { 0 };
	int status = EXIT_DONE;

	if (config == NULL)
		return EXIT_COULD_NOT;
	if (policy != NULL)
		status = ctl_find_policy(ctl, policy, &preview->policy);
	else if (config->policy_count == 0)
		status = ctl_cannot(ctl, "no policy is loaded");
	else
		preview->policy = config->policies[0];
	if (preview->policy == NULL)
		return status != EXIT_DONE ? status : EXIT_COULD_NOT;
	if (!ctl_now(ctl, calendar_zone(preview->policy->calendar), &preview->now))
		return EXIT_USAGE;
	return read_scenes(preview, &error) < 0 ? ctl_fail(ctl, &error, "") : EXIT_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(preview_clear) struct preview preview = { .ctl = ctl };
	CLEANUP(template_file_destroyp) struct language_set *set = NULL;
	CLEANUP(fault_list_clear) struct fault_list faults = { 0 };
	bool html = ctl_flag(&argc, argv, "--html");
	const char *policy = NULL;
	const char *language = NULL;
	enum letter_template which = TEMPLATE_RISK;
	struct error error = { 0 };
	int status;

	if (!ctl_options(ctl, &argc, argv,
			 (struct ctl_option[]){ { "--policy", &policy },
						{ "--language", &language } },
			 2))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 0, 1);
	if (status != EXIT_DONE)
		return status;
	if (html && (argc == 0 || ctl->json))
		return ctl_usage(ctl, "--html needs one TEMPLATE, and no --json");
	if (argc == 1)
		status = find_template(ctl, argv[0], &which);
	if (status == EXIT_DONE)
		status = begin(&preview, policy);
	if (status != EXIT_DONE)
		return status;
	set = template_file_load(ctl->config->templates, &faults, &error);
	if (set == NULL)
		return ctl_fail(ctl, &error, "Check it with: challengectl check");
	status = find_language(&preview, set, language);
	if (status != EXIT_DONE)
		return status;
	return argc == 1 ? show(&preview, which, html) : list(&preview);
}

const struct command command_preview = {
	.name = "preview",
	.summary = "show what the mails say, without sending any",
	.usage = "Usage: challengectl preview [TEMPLATE] [--policy ID[@VERSION]]\n"
		 "         [--language L] [--html] [--at TIME]\n"
		 "\n"
		 "Writes a mail with the templates as they are, about an example challenge "
		 "raised\n"
		 "now (or at TIME) under that policy (the first one loaded), with its stages, "
		 "roles,\n"
		 "links and dates. Without TEMPLATE: every template with its subject. Needs no "
		 "store,\n"
		 "and sends nothing; for one through the relay there is test-mail. Exit status "
		 "1\n"
		 "when a template fails or the policy asks for no such notice.\n"
		 "\n"
		 "  --language   the folder of the templates (en)\n"
		 "  --html       the mail's HTML, to be opened in a browser\n"
		 "\n"
		 "Examples:\n"
		 "  challengectl preview escalation --policy example\n"
		 "  challengectl preview reminder --html > reminder.html\n",
	.run = run,
};
