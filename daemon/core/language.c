/* language.c - see language.h. */
#include "core/language.h"

#include "base/arena.h"
#include "base/list.h"
#include "core/html.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const letter_field_names[LETTER_FIELDS] = {
	[FIELD_REFERENCE] = "reference",
	[FIELD_POLICY] = "policy",
	[FIELD_STAGE] = "stage",
	[FIELD_ROLE] = "role",
	[FIELD_YOU_OWE] = "you_owe",
	[FIELD_OWNER] = "owner",
	[FIELD_OWED] = "owed",
	[FIELD_NEEDED] = "needed",
	[FIELD_FEEDBACK] = "feedback",
	[FIELD_DUE] = "due",
	[FIELD_LEFT] = "left",
	[FIELD_LATE] = "late",
	[FIELD_PAST] = "past",
	[FIELD_AT] = "at",
	[FIELD_SINCE] = "since",
	[FIELD_PROVISIONAL] = "provisional",
	[FIELD_TOLD] = "told",
	[FIELD_AGENCY_CLOSED] = "agency_closed",
	[FIELD_NEXT] = "next",
	[FIELD_NEXT_AT] = "next_at",
	[FIELD_NEXT_TO] = "next_to",
	[FIELD_NEXT_YOU] = "next_you",
	[FIELD_LINK] = "link",
	[FIELD_GUIDANCE] = "guidance",
	[FIELD_LEARNING_TITLE] = "learning_title",
	[FIELD_LEARNING_URL] = "learning_url",
	[FIELD_RAISING_AGENCY] = "raising_agency",
	[FIELD_RAISING_TELEPHONE] = "raising_telephone",
	[FIELD_RECEIVING_AGENCY] = "receiving_agency",
	[FIELD_RECEIVING_TELEPHONE] = "receiving_telephone",
	[FIELD_NAME] = "name",
	[FIELD_MISDIRECTED] = "misdirected",
	[FIELD_PARTNERSHIP] = "partnership",
	[FIELD_TELEPHONE] = "telephone",
	[FIELD_INBOX] = "inbox",
	[FIELD_EMERGENCY] = "emergency",
	[FIELD_ANSWERED_LINK] = "answered_link",
	[FIELD_AGREED_LINK] = "agreed_link",
	[FIELD_NOT_AGREED_LINK] = "not_agreed_link",
	[FIELD_COUNT_OF] = "count",
	[FIELD_NUMBER] = "number",
	[FIELD_FACTS] = "facts",
	[FIELD_OPEN] = "open",
	[FIELD_DUE_TODAY] = "due_today",
	[FIELD_OVERDUE] = "overdue",
	[FIELD_WAITING] = "waiting",
	[FIELD_HELD] = "held",
	[FIELD_MORE] = "more",
	[FIELD_TROUBLE] = "trouble",
	[FIELD_GREETING] = "greeting",
	[FIELD_HEADLINE] = "headline",
	[FIELD_ANSWER_TO] = "answer_to",
	[FIELD_LANGUAGE] = "language",
	[FIELD_SUBJECT] = "subject",
	[FIELD_FOOT] = "foot",
	[FIELD_CONTENT] = "content",
};

/* The gaps that hold an address to follow: these alone may stand in href="". */
static const char *const link_names[] = { "link",          "guidance",    "learning_url",
					  "answered_link", "agreed_link", "not_agreed_link" };

const char *const letter_template_names[LETTER_TEMPLATES] = {
	[TEMPLATE_RISK] = "risk",         [TEMPLATE_INFORM] = "inform",
	[TEMPLATE_CLEARED] = "cleared",   [TEMPLATE_REMINDER] = "reminder",
	[TEMPLATE_BREACH] = "breach",     [TEMPLATE_ESCALATION] = "escalation",
	[TEMPLATE_OVERDUE] = "overdue",   [TEMPLATE_QUIET] = "quiet",
	[TEMPLATE_FEEDBACK] = "feedback", [TEMPLATE_DIGEST] = "digest",
	[TEMPLATE_ADOPTION] = "adoption", [TEMPLATE_WATCH] = "watch",
	[TEMPLATE_DAILY] = "daily",       [TEMPLATE_ALARM] = "alarm",
	[TEMPLATE_TEST] = "test",         [TEMPLATE_REFUSED] = "refused",
	[TEMPLATE_FLOOD] = "flood",       [TEMPLATE_SAFE] = "safe",
	[TEMPLATE_FOOT] = "foot",         [TEMPLATE_FRAME] = "frame",
};

bool letter_template_exists(enum letter_template which, enum template_form form)
{
	return form == TEMPLATE_HTML ? which != TEMPLATE_SAFE : which != TEMPLATE_FRAME;
}

static const char *const date_names[] = { "weekday", "day", "month", "year" };
static const char *const time_names[] = { "hour", "minute" };
static const char *const moment_names[] = { "date", "time" };
static const char *const number_names[] = { "n" };
static const char *const join_names[] = { "a", "b" };
static const char *const role_names[] = { "role" };

/* Which phrases there are, and what may stand in them. */
static const struct phrase_rule {
	const char *key; /* one that ends in '.' begins many: an id follows */
	const char *const *names;
	size_t count;
	bool optional;
} rules[] = {
	{ "language_tag", NULL, 0, false },
	{ "weekday.monday", NULL, 0, false },
	{ "weekday.tuesday", NULL, 0, false },
	{ "weekday.wednesday", NULL, 0, false },
	{ "weekday.thursday", NULL, 0, false },
	{ "weekday.friday", NULL, 0, false },
	{ "weekday.saturday", NULL, 0, false },
	{ "weekday.sunday", NULL, 0, false },
	{ "month.1", NULL, 0, false },
	{ "month.2", NULL, 0, false },
	{ "month.3", NULL, 0, false },
	{ "month.4", NULL, 0, false },
	{ "month.5", NULL, 0, false },
	{ "month.6", NULL, 0, false },
	{ "month.7", NULL, 0, false },
	{ "month.8", NULL, 0, false },
	{ "month.9", NULL, 0, false },
	{ "month.10", NULL, 0, false },
	{ "month.11", NULL, 0, false },
	{ "month.12", NULL, 0, false },
	{ "date", date_names, COUNT(date_names), false },
	{ "date.year", date_names, COUNT(date_names), false },
	{ "time", time_names, COUNT(time_names), false },
	{ "moment", moment_names, COUNT(moment_names), false },
	{ "days.one", number_names, COUNT(number_names), false },
	{ "days.two", number_names, COUNT(number_names), true },
	{ "days.many", number_names, COUNT(number_names), false },
	{ "hours.one", number_names, COUNT(number_names), false },
	{ "hours.two", number_names, COUNT(number_names), true },
	{ "hours.many", number_names, COUNT(number_names), false },
	{ "minutes.one", number_names, COUNT(number_names), false },
	{ "minutes.two", number_names, COUNT(number_names), true },
	{ "minutes.many", number_names, COUNT(number_names), false },
	{ "join", join_names, COUNT(join_names), false },
	{ "join.last", join_names, COUNT(join_names), false },
	{ "role.raising", role_names, COUNT(role_names), true },
	{ "role.receiving", role_names, COUNT(role_names), true },
	{ "role.partnership", role_names, COUNT(role_names), true },
	{ "answer.answered", NULL, 0, false },
	{ "answer.agreed", NULL, 0, false },
	{ "answer.not_agreed", NULL, 0, false },
#define LETTER_PHRASE(key, optional)                             \
	{                                                        \
		key, letter_field_names, LETTER_FIELDS, optional \
	}
	LETTER_PHRASE("greeting", false),
	LETTER_PHRASE("misdirected", false),
	LETTER_PHRASE("owed", false),
	LETTER_PHRASE("owed.", true),
	LETTER_PHRASE("needed", false),
	LETTER_PHRASE("needed.", true),
	LETTER_PHRASE("subject.risk", false),
	LETTER_PHRASE("subject.inform", false),
	LETTER_PHRASE("subject.cleared", false),
	LETTER_PHRASE("subject.reminder", false),
	LETTER_PHRASE("subject.breach", false),
	LETTER_PHRASE("subject.escalation", false),
	LETTER_PHRASE("subject.overdue", false),
	LETTER_PHRASE("subject.quiet", false),
	LETTER_PHRASE("subject.digest", false),
	LETTER_PHRASE("subject.adoption", false),
	LETTER_PHRASE("subject.watch", false),
	LETTER_PHRASE("subject.daily", false),
	LETTER_PHRASE("subject.test", false),
	LETTER_PHRASE("subject.refused", false),
	LETTER_PHRASE("subject.flood", false),
	LETTER_PHRASE("subject.alarm", false),
	LETTER_PHRASE("subject.safe", false),
	LETTER_PHRASE("headline.risk.owner", false),
	LETTER_PHRASE("headline.risk.told", false),
	LETTER_PHRASE("headline.inform.owner", false),
	LETTER_PHRASE("headline.inform.told", false),
	LETTER_PHRASE("headline.cleared.owner", false),
	LETTER_PHRASE("headline.cleared.told", false),
	LETTER_PHRASE("headline.reminder.owner", false),
	LETTER_PHRASE("headline.reminder.told", false),
	LETTER_PHRASE("headline.breach.owner", false),
	LETTER_PHRASE("headline.breach.told", false),
	LETTER_PHRASE("headline.escalation.owner", false),
	LETTER_PHRASE("headline.escalation.told", false),
	LETTER_PHRASE("headline.overdue.owner", false),
	LETTER_PHRASE("headline.overdue.told", false),
	LETTER_PHRASE("headline.quiet.owner", false),
	LETTER_PHRASE("headline.quiet.told", false),
	LETTER_PHRASE("trouble.paused", false),
	LETTER_PHRASE("trouble.paused.help", false),
	LETTER_PHRASE("trouble.held", false),
	LETTER_PHRASE("trouble.held.help", false),
	LETTER_PHRASE("trouble.store", false),
	LETTER_PHRASE("trouble.store.help", false),
	LETTER_PHRASE("trouble.reload", false),
	LETTER_PHRASE("trouble.reload.help", false),
	LETTER_PHRASE("trouble.approval", false),
	LETTER_PHRASE("trouble.approval.help", false),
	LETTER_PHRASE("trouble.holidays", false),
	LETTER_PHRASE("trouble.holidays.help", false),
	LETTER_PHRASE("trouble.orphans", false),
	LETTER_PHRASE("trouble.orphans.help", false),
	LETTER_PHRASE("trouble.promise", false),
	LETTER_PHRASE("trouble.promise.help", false),
	LETTER_PHRASE("trouble.restored", false),
	LETTER_PHRASE("trouble.restored.help", false),
	LETTER_PHRASE("trouble.behind", false),
	LETTER_PHRASE("trouble.behind.help", false),
	LETTER_PHRASE("next.risk", true),
	LETTER_PHRASE("next.inform", true),
	LETTER_PHRASE("next.cleared", true),
	LETTER_PHRASE("next.reminder", false),
	LETTER_PHRASE("next.breach", false),
	LETTER_PHRASE("next.escalation", false),
	LETTER_PHRASE("next.overdue", false),
	LETTER_PHRASE("next.quiet", false),
#undef LETTER_PHRASE
};

struct phrase {
	const char *key;
	const char *text;
};

struct language {
	const char *name;
	const struct language *fallback;
	struct arena arena;
	const char *templates[2][LETTER_TEMPLATES]; /* by enum template_form */
	struct phrase *phrases;
	size_t count;
	size_t capacity;
};

struct language *language_create(const char *name, const struct language *fallback)
{
	struct language *language = calloc(1, sizeof *language);

	if (language == NULL)
		return NULL;
	language->fallback = fallback;
	language->name = arena_string(&language->arena, name);
	if (language->name == NULL) {
		language_destroy(language);
		return NULL;
	}
	return language;
}

void language_destroy(struct language *language)
{
	if (language == NULL)
		return;
	free(language->phrases);
	arena_clear(&language->arena);
	free(language);
}

const char *language_name(const struct language *language)
{
	return language->name;
}

const struct language *language_of_template(const struct language *language,
					    enum letter_template which, enum template_form form)
{
	while (language != NULL && language->templates[form][which] == NULL)
		language = language->fallback;
	return language;
}

static const char *find_template(const struct language *language, enum template_form form,
				 enum letter_template which)
{
	const struct language *owner = language_of_template(language, which, form);

	return owner != NULL ? owner->templates[form][which] : NULL;
}

const char *language_template(const struct language *language, enum letter_template which)
{
	return find_template(language, TEMPLATE_PLAIN, which);
}

const char *language_html(const struct language *language, enum letter_template which)
{
	return find_template(language, TEMPLATE_HTML, which);
}

static const struct phrase *own_phrase(const struct language *language, const char *key)
{
	for (size_t i = 0; i < language->count; i++)
		if (strcmp(language->phrases[i].key, key) == 0)
			return &language->phrases[i];
	return NULL;
}

const char *language_tag(const struct language *language)
{
	/* Never the fallback's: a Welsh mail is not English for want of a tag. */
	const struct phrase *tag = own_phrase(language, "language_tag");

	return tag != NULL ? tag->text : language->name;
}

const char *language_phrase(const struct language *language, const char *key)
{
	for (; language != NULL; language = language->fallback) {
		const struct phrase *phrase = own_phrase(language, key);

		if (phrase != NULL)
			return phrase->text;
	}
	return NULL;
}

const char *language_required(size_t n)
{
	for (size_t i = 0; i < COUNT(rules); i++)
		if (!rules[i].optional && n-- == 0)
			return rules[i].key;
	return NULL;
}

static bool repeats(enum letter_template which)
{
	return which == TEMPLATE_DIGEST || which == TEMPLATE_WATCH;
}

/* How many of the fields a template may use: they stand in that order for this reason. */
static size_t fields_of(enum letter_template which)
{
	switch (which) {
	case TEMPLATE_SAFE: /* must not depend on anything that may fail */
		return FIELD_REFERENCE + 1;
	case TEMPLATE_FOOT: /* {foot} is made from it */
		return FIELD_FOOT;
	case TEMPLATE_FRAME:
		return LETTER_FIELDS;
	default:
		return FIELD_CONTENT;
	}
}

static int set_template(struct language *language, enum letter_template which,
			enum template_form form, const char *source, int *ret_line,
			struct error *error)
{
	const struct template_data data = {
		.names = letter_field_names,
		.count = fields_of(which),
		.form = form,
		.repeat = repeats(which) ? LETTER_REPEAT : NULL,
	};
	int r = template_check(source, &data, ret_line, error);

	if (r == 0 && form == TEMPLATE_HTML)
		r = html_check(source, link_names, COUNT(link_names), ret_line, error);
	if (r < 0)
		return r;
	if (source[strspn(source, " \t\r\n")] == '\0') {
		*ret_line = 1;
		return error_set(error, EINVAL, "an empty template");
	}
	language->templates[form][which] = arena_string(&language->arena, source);
	return language->templates[form][which] != NULL ? 0 : error_memory(error);
}

int language_set_template(struct language *language, enum letter_template which,
			  const char *source, int *ret_line, struct error *error)
{
	return set_template(language, which, TEMPLATE_PLAIN, source, ret_line, error);
}

int language_set_html(struct language *language, enum letter_template which, const char *source,
		      int *ret_line, struct error *error)
{
	return set_template(language, which, TEMPLATE_HTML, source, ret_line, error);
}

static bool applies(const struct phrase_rule *rule, const char *key)
{
	size_t length = strlen(rule->key);

	if (rule->key[length - 1] == '.')
		return strncmp(rule->key, key, length) == 0 && key[length] != '\0';
	return strcmp(rule->key, key) == 0;
}

static const struct phrase_rule *find_rule(const char *key)
{
	for (size_t i = 0; i < COUNT(rules); i++)
		if (applies(&rules[i], key))
			return &rules[i];
	return NULL;
}

/* The known key that begins most alike. */
static const char *nearest_key(const char *key)
{
	const char *nearest = rules[0].key;
	size_t most = 0;

	for (size_t i = 0; i < COUNT(rules); i++) {
		size_t same = 0;

		while (key[same] != '\0' && key[same] == rules[i].key[same])
			same++;
		if (same > most) {
			most = same;
			nearest = rules[i].key;
		}
	}
	return nearest;
}

int language_set_phrase(struct language *language, const char *key, const char *phrase,
			struct error *error)
{
	const struct phrase_rule *rule = find_rule(key);
	struct template_data data = { 0 };
	struct phrase kept;
	int line;

	if (rule == NULL)
		return error_set(error, ENOENT, "no phrase has this key; the nearest is \"%s\"",
				 nearest_key(key));
	if (phrase[0] == '\0')
		return error_set(error, EINVAL, "an empty phrase");
	if (own_phrase(language, key) != NULL)
		return error_set(error, EEXIST, "stands here already");

	data.names = rule->names;
	data.count = rule->count;
	if (template_check(phrase, &data, &line, error) < 0)
		return -EINVAL;
	kept.key = arena_string(&language->arena, key);
	kept.text = arena_string(&language->arena, phrase);
	if (kept.key == NULL || kept.text == NULL ||
	    list_reserve(&language->phrases, language->count, &language->capacity,
			 sizeof *language->phrases) < 0)
		return error_memory(error);
	language->phrases[language->count++] = kept;
	return 0;
}
