/*
 * survey - how things stand with every challenge in the store, at one moment.
 *
 * Reads the whole store once; what it keeps does not grow with it. For the daily sign of life
 * and the watch-list, not for deciding: that goes by what changed.
 */
#ifndef SERVICE_SURVEY_H
#define SERVICE_SURVEY_H

#include "base/arena.h"
#include "core/letter.h"
#include "service/pass.h"

/* Where one challenge stands: what is waited for first, if anything. */
struct standing {
	struct timeline_state state;
	struct owed owed;
	bool is_owed;
};

/*
 * Settles the challenge and reads its timeline, a reusable one, up to `now`. -ENOMEM.
 */
MUST_CHECK int survey_look(struct timeline *timeline, const struct policy *policy,
			   struct challenge *challenge, struct instant now,
			   struct standing *ret, struct error *error);

/* Counts one that is open: as overdue, or as due today, where it is. */
void survey_count(struct letter_counts *counts, const struct policy *policy,
		  const struct standing *standing, struct instant now);

struct survey {
	struct letter_counts counts; /* open, due_today, overdue, more */
	struct letter_notice *rows;  /* the most urgent first; strings live in the arena */
	size_t row_count;
	struct arena arena;
};

/*
 * Inside a read transaction of the caller. At most `most` rows, in words of the language.
 * Challenges that cannot be read, or whose policy is not loaded, are not counted: the pass
 * tells of them. 0 with *ret, to be cleared; negative errors of the store or memory.
 */
MUST_CHECK int survey_take(const struct world *world, struct store *store,
			   const struct language *language, size_t most, struct instant now,
			   struct survey *ret, struct error *error);
void survey_clear(struct survey *survey);

#endif
