/*
 * letter - what a mail says: the notices for one person, as subject, text and HTML.
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
	const char *role_title; /* the role for which this person is told */
	enum side role_side;
	bool is_owner;            /* the person owes the step; else is told of it */
	const char *owner_titles; /* who owes it: role titles, already joined */
	struct instant due;       /* INSTANT_NEVER: none */
	struct instant at;        /* when the notice fell due */
	struct instant since; /* when the clock started; for `cleared`, when the answer came */
	int64_t open_seconds; /* working time until `due` (> 0) or since it (< 0) */
	int32_t working_days; /* the same in working days, rounded down, signed alike */
	bool provisional;     /* due lies past the published holidays */
	bool agency_closed; /* the role's agency is, for long: so the reader hears of it, too */
	const char *told_titles; /* who else is told: role titles, joined */
	struct instant next_at;  /* what follows unless an answer is recorded; NEVER: nothing */
	enum notice_kind next_kind;
	bool next_to_reader;     /* the reader hears of it, too */
	const char *next_titles; /* whom it tells, the reader's own role left out if so */
	const char *link;        /* "" */
	const char *guidance;
	const char *learning_title;
	const char *learning_url;
	const char *raising_agency; /* name, telephone; "" when agencies are hidden */
	const char *raising_telephone;
	const char *receiving_agency;
	const char *receiving_telephone;
};

/* The numbers of a summary; each stands where its template asks for it. */
struct letter_counts {
	int64_t open;      /* challenges */
	int64_t due_today; /* of them, with a date that is still to come today */
	int64_t overdue;   /* of them, past their time */
	int64_t waiting;   /* mails that are ready or tried again */
	int64_t held;      /* mails and notices that wait for a person */
	int64_t more;      /* open challenges that a watch-list leaves out; 0: none */
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
	 * else "adoption", "flood" (how many), "refused" (which contact), "test", "alarm" (how
	 * many), and with counts "daily" and "watch", whose rows the notices are: one open
	 * challenge each, of which the reader is told.
	 */
	const char *summary;
	int64_t summary_count;
	struct letter_counts counts;
	const char *trouble; /* for "alarm": the phrases trouble.KEY and trouble.KEY.help; "" */
	struct instant summary_at; /* since when, or the next event; NEVER */
};

struct letter_text {
	struct text subject; /* one line of UTF-8 */
	struct text body;    /* UTF-8, lines end in \n, none longer than 76 where words allow */
	struct text html;    /* a whole document of UTF-8; "": the mail is text alone */
	const char *language; /* the tag of the body's words: that of whose template it is,
				 which may be a fallback; borrowed from the languages */
};

/*
 * What became of it. As asked (without HTML where the language has no frame for it); the
 * language's fixed safe text with the references alone, since a template or a phrase failed (a
 * placeholder it may not use, an empty phrase); as asked, but for the HTML, whose template
 * failed.
 */
enum letter_result { LETTER_WHOLE, LETTER_SAFE, LETTER_TEXT_ALONE };

/*
 * Writes the letter: an enum letter_result, or -ENOMEM. Values are made harmless here: one
 * line, sound UTF-8, cut to a length; a link that is not plain printable ASCII without blanks
 * or braces, or that is neither http nor https, is left out.
 */
MUST_CHECK int letter_write(const struct language *language, const struct letter *letter,
			    struct letter_text *ret, struct error *error);
void letter_text_clear(struct letter_text *text);

/* A role as mails name it: both sides have a line manager. */
struct letter_role {
	const char *title;
	enum side side;
};

/*
 * Roles as one phrase ("the Line manager (raising side) and the Chair") in the language's own
 * words.
 */
void letter_join(const struct language *language, const struct letter_role *roles, size_t count,
		 struct text *ret);

#endif
