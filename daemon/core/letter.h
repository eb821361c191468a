/*
 * letter - what a mail says: the notices for one person, as subject and text.
 *
 * Only what stands in these structs can reach a mail (design section 6): a reference, titles,
 * roles, due times, links, telephone numbers. Names of children, adults or the professionals
 * challenged, categories, reasons and notes have no place here by construction. Every human
 * word comes from the language's templates and phrases; none is in C.
 */
#ifndef CORE_LETTER_H
#define CORE_LETTER_H

#include "base/text.h"
#include "core/timeline.h"

/* Templates and phrases of one language (core/language), loaded by adapter/template_file. */
struct language;

/* One thing that the person is told. Texts are UTF-8, borrowed; "" where there is none. */
struct letter_notice {
	enum notice_kind kind;
	const char *obligation; /* id of what is owed ("agree"); phrases may translate it; "" */
	bool feedback;          /* the clock started from `resolved`: feedback is owed */
	const char *reference;
	const char *policy_title;
	const char *stage_title;
	const char *role_title;   /* the role for which this person is told */
	bool is_owner;            /* the person owes the step; else is told of it */
	const char *owner_titles; /* who owes it: role titles, already joined */
	struct instant due;       /* INSTANT_NEVER: none */
	struct instant at;        /* when the notice fell due */
	struct instant since; /* when the clock started; for `cleared`, when the answer came */
	int64_t open_seconds; /* working time until `due` (> 0) or since it (< 0) */
	int32_t working_days; /* the same in working days, rounded down, signed alike */
	bool provisional;     /* due lies past the published holidays */
	const char *told_titles; /* who else is told: role titles, joined */
	struct instant next_at;  /* what follows unless an answer is recorded; NEVER: nothing */
	enum notice_kind next_kind;
	const char *next_titles; /* whom it tells */
	const char *link;        /* "" */
	const char *guidance;
	const char *learning_title;
	const char *learning_url;
	const char *raising_agency; /* name, telephone; "" when agencies are hidden */
	const char *raising_telephone;
	const char *receiving_agency;
	const char *receiving_telephone;
};

/* Working days per civil language are the caller's; local times are in this zone. */
struct letter {
	const struct zone *zone;
	struct instant now;         /* the mail's Date */
	const char *recipient_name; /* "" for a team's mailbox and for the inbox */
	/*
	 * Nobody holds the role: sent to the partnership's inbox, and says so. The inbox is
	 * told what another owes; it gets no answer links.
	 */
	bool misdirected;
	const struct letter_notice *notices;
	size_t count; /* several make a digest that lists every one */
	const char *subject_prefix;
	const char *partnership_name;
	const char *partnership_telephone;
	const char *partnership_inbox;
	const char *reply_to;  /* for mailto: answers; "" leaves them out */
	const char *emergency; /* risk mails: mail is not the safeguard */
	/*
	 * For mails about no challenge: a template by that name, with one number. "": notices;
	 * else "adoption", "flood" (how many), "refused" (which contact), "test", "alarm".
	 */
	const char *summary;
	int64_t summary_count;
	const char *summary_text; /* one sentence of facts for an alarm, no personal data; "" */
};

struct letter_text {
	struct text subject; /* one line of UTF-8 */
	struct text body;    /* UTF-8, lines end in \n, none longer than 76 where words allow */
};

/*
 * Writes the letter. A template that fails (a placeholder it may not use, an empty phrase)
 * gives the language's fixed safe text with the reference alone; that is reported by 1, a
 * letter as asked by 0; -ENOMEM. Values are made harmless here: one line, sound UTF-8, cut to a
 * length; a link that is not plain printable ASCII without blanks or braces is left out.
 */
MUST_CHECK int letter_write(const struct language *language, const struct letter *letter,
			    struct letter_text *ret, struct error *error);
void letter_text_clear(struct letter_text *text);

/*
 * Role titles as one phrase ("Line manager, Head of service and Chair") in the language's own
 * words.
 */
void letter_join(const struct language *language, const char *const *titles, size_t count,
		 struct text *ret);

#endif
