/*
 * language - the words of one language: its templates and its phrases.
 *
 * What may stand in each is fixed here: which templates there are, which phrases a language
 * must have, and which placeholders each may use. A language may fall back to another, phrase
 * by phrase and template by template, so that a second one can begin small.
 */
#ifndef CORE_LANGUAGE_H
#define CORE_LANGUAGE_H

#include "core/template.h"

/* The gaps that mails may have: everything that a template can reach (design section 6). */
enum letter_field {
	FIELD_REFERENCE,
	FIELD_POLICY,
	FIELD_STAGE,
	FIELD_ROLE,
	FIELD_YOU_OWE,
	FIELD_OWNER,
	FIELD_OWED,
	FIELD_NEEDED,
	FIELD_FEEDBACK,
	FIELD_DUE,
	FIELD_LEFT,
	FIELD_LATE,
	FIELD_PAST, /* the due time has come and gone */
	FIELD_AT,
	FIELD_SINCE,
	FIELD_PROVISIONAL,
	FIELD_TOLD,
	FIELD_AGENCY_CLOSED,
	FIELD_NEXT,
	FIELD_NEXT_AT,
	FIELD_NEXT_TO,
	FIELD_NEXT_YOU,
	FIELD_LINK,
	FIELD_GUIDANCE,
	FIELD_LEARNING_TITLE,
	FIELD_LEARNING_URL,
	FIELD_RAISING_AGENCY,
	FIELD_RAISING_TELEPHONE,
	FIELD_RECEIVING_AGENCY,
	FIELD_RECEIVING_TELEPHONE,
	FIELD_NAME,
	FIELD_MISDIRECTED,
	FIELD_PARTNERSHIP,
	FIELD_TELEPHONE,
	FIELD_INBOX,
	FIELD_EMERGENCY,
	FIELD_ANSWERED_LINK,
	FIELD_AGREED_LINK,
	FIELD_NOT_AGREED_LINK,
	FIELD_COUNT_OF, /* {count} */
	FIELD_NUMBER,
	FIELD_FACTS,
	FIELD_OPEN,
	FIELD_DUE_TODAY,
	FIELD_OVERDUE,
	FIELD_WAITING,
	FIELD_HELD,
	FIELD_MORE,
	FIELD_TROUBLE,
	FIELD_GREETING,
	FIELD_HEADLINE,
	FIELD_ANSWER_TO,
	FIELD_LANGUAGE,
	FIELD_SUBJECT,
	FIELD_FOOT,
	FIELD_CONTENT, /* in the frame alone */
	LETTER_FIELDS,
};
extern const char *const letter_field_names[LETTER_FIELDS];

/* The one block that repeats: {#notices}, in the digest and in the watch-list. */
#define LETTER_REPEAT "notices"

/*
 * One file each: "NAME.txt", and "NAME.html" for the same in HTML. Those of notices come first,
 * in the order of enum notice_kind.
 */
enum letter_template {
	TEMPLATE_RISK,
	TEMPLATE_INFORM,
	TEMPLATE_CLEARED,
	TEMPLATE_REMINDER,
	TEMPLATE_BREACH,
	TEMPLATE_ESCALATION,
	TEMPLATE_OVERDUE,
	TEMPLATE_QUIET,
	TEMPLATE_FEEDBACK, /* reminder, breach and overdue, where feedback is what is owed */
	TEMPLATE_DIGEST,
	TEMPLATE_ADOPTION,
	TEMPLATE_WATCH, /* every open challenge, for the business unit */
	TEMPLATE_DAILY, /* proof of life */
	TEMPLATE_ALARM,
	TEMPLATE_TEST,
	TEMPLATE_REFUSED,
	TEMPLATE_FLOOD,
	TEMPLATE_SAFE,  /* the fixed text for when another fails: {reference} alone; no HTML */
	TEMPLATE_FOOT,  /* ends every notice: {foot} */
	TEMPLATE_FRAME, /* HTML alone: what stands around {content} in every mail */
	LETTER_TEMPLATES,
};
extern const char *const letter_template_names[LETTER_TEMPLATES];

/* Whether there is such a file: neither a fixed text in HTML nor a frame of plain text. */
bool letter_template_exists(enum letter_template which, enum template_form form);

struct language;

/* NULL: out of memory. `fallback` (NULL: none) must outlive it. */
MUST_CHECK struct language *language_create(const char *name, const struct language *fallback);
void language_destroy(struct language *language);

/* "en", "cy": the folder's name. */
const char *language_name(const struct language *language);
/* For Content-Language and lang="": its own phrase "language_tag", else its name. */
const char *language_tag(const struct language *language);

/*
 * Takes a copy. 0; -EINVAL with the line that is wrong; -ENOMEM. HTML is held to the rules of
 * core/html besides.
 */
MUST_CHECK int language_set_template(struct language *language, enum letter_template which,
				     const char *source, int *ret_line, struct error *error);
MUST_CHECK int language_set_html(struct language *language, enum letter_template which,
				 const char *source, int *ret_line, struct error *error);

/*
 * Takes a copy. 0; -EEXIST when it has this phrase already; -ENOENT for a key that means
 * nothing (the text names the nearest one known); -EINVAL for an empty phrase or a placeholder
 * that it may not use; -ENOMEM.
 */
MUST_CHECK int language_set_phrase(struct language *language, const char *key,
				   const char *phrase, struct error *error);

/* Whose template that is: itself or a fallback; NULL where none has it. */
const struct language *language_of_template(const struct language *language,
					    enum letter_template which,
					    enum template_form form);

/* NULL: neither here nor in the fallback. */
const char *language_template(const struct language *language, enum letter_template which);
const char *language_html(const struct language *language, enum letter_template which);
const char *language_phrase(const struct language *language, const char *key);

/* The nth phrase that a complete language must have; NULL past the last. */
const char *language_required(size_t n);

#endif
