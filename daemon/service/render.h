/*
 * render - decided notices become mails: who holds each role now, what follows, which words.
 *
 * Notices for one person at one moment share a mail; immediate risk always goes alone.
 */
#ifndef SERVICE_RENDER_H
#define SERVICE_RENDER_H

#include "core/letter.h"
#include "service/facts.h"
#include "service/pass.h"

enum { RENDER_MOST = 2000 }; /* notices of one call */

struct rendered {
	size_t mails;
	size_t taken_back; /* notices that a recorded event ended just before they went */
	size_t further;    /* notices decided beside: covers, the business unit, higher rungs */
	size_t waiting;    /* left for another day by the ceiling for one person */
	size_t orphaned;   /* of challenges that are not in the store now */
	bool more;         /* there were more than RENDER_MOST */
};

/* Notices that wait for the hours of their recipient's agency; a zeroed one is empty. In memory
 * only: another start, or a change in the store, looks at them again. */
struct deferrals {
	struct deferral {
		int64_t notice;
		struct instant until;
	} * item;
	size_t count;
	size_t capacity;
};
void deferrals_clear(struct deferrals *deferrals);

/*
 * Reads the facts of everything decided whose time has come again, renders it and stores the
 * mails as ready, in one transaction of its own. 0 with *ret; negative errors of the ledger,
 * the store (then *ret_store_failed is set) or memory, and then nothing is stored.
 */
MUST_CHECK int render_mails(const struct world *world, struct store *store, struct facts *facts,
			    struct deferrals *deferrals, struct instant now,
			    struct rendered *ret, bool *ret_store_failed, struct error *error);

/* One of the daemon's own mails, about no single challenge. All borrowed. */
struct summary {
	const char *name; /* its template: "daily", ... */
	int64_t key[2];   /* what makes it another mail than the last of that name */
	int64_t place;    /* among those who get it */
	int64_t count;    /* as struct letter has them, from here on */
	struct letter_counts counts;
	struct instant at;
	const char *trouble;
	const struct letter_notice *rows;
	size_t row_count;
	const char *address;
	const char *recipient_name;
	const char *language;
	int64_t contact; /* 0: none of the store's */
};

/*
 * Writes it and stores the mail as ready, inside a transaction of the caller, who records in
 * the same one that it was sent: so it is sent once. -EINVAL: it cannot be written.
 */
MUST_CHECK int render_summary(const struct world *world, const struct summary *summary,
			      struct instant now, struct error *error);

/* The summary that tells the partnership's inbox how much was adopted unsent. Inside a
 * transaction of the caller. */
MUST_CHECK int render_adoption(const struct world *world, size_t adopted, struct instant now,
			       struct error *error);

/* Tells the inbox how many notices are held by a flood. As render_adoption. */
MUST_CHECK int render_flood(const struct world *world, int64_t held, struct instant now,
			    struct error *error);

/* Tells the inbox that the relay refuses the address of this contact. As render_adoption. */
MUST_CHECK int render_refusal(const struct world *world, int64_t contact, struct instant now,
			      struct error *error);

#endif
