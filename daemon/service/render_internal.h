/*
 * render_internal - what the files of render share: render.c reads a batch and commits what
 * comes of it, render_plan.c says who gets each notice, render_letter.c what it says,
 * render_gather.c which of them share a mail, and render_mail.c writes and stores it, for
 * render_summary.c as well. For no others.
 */
#ifndef SERVICE_RENDER_INTERNAL_H
#define SERVICE_RENDER_INTERNAL_H

#include "base/arena.h"
#include "service/reach.h"
#include "service/render.h"

/* One notice with all that its mail will say; strings live in the batch's arena. */
struct planned {
	const struct ledger_notice *notice;
	struct letter_notice letter;
	const char *address;
	const char *name; /* "": do not greet by name */
	const char *language;
	const struct policy *policy;
	int64_t contact;
	bool misdirected;
};

/* The same notice, for somebody else. */
struct further {
	struct ledger_notice notice; /* role in the batch's arena; else as the one it follows */
};

struct batch {
	const struct world *world;
	struct store *store;
	struct facts *facts;
	struct instant now;
	struct ledger_refusal *refusals; /* the times of those in `refused` */
	int64_t *refused_ids;
	struct refused refused;
	int64_t *confirmed; /* contacts whose refusal is to be forgotten */
	size_t confirmed_count;
	struct ledger_notice *notices;
	size_t notice_count;
	struct planned *planned;
	size_t planned_count;
	size_t planned_capacity;
	struct deferrals *deferrals;
	size_t waiting_count;    /* of the notices, those at the end of the list, deferred */
	struct further *further; /* to be decided beside what is planned */
	size_t further_count;
	size_t further_capacity;
	int64_t *ended; /* notices to cancel */
	size_t ended_count;
	struct arena arena;
	struct rendered *count;
	bool store_failed;
};

/* A copy in the batch's arena; "" for NULL. */
MUST_CHECK int render_copy(struct batch *batch, const char *string, const char **ret,
			   struct error *error);

/* Whom each of the batch's notices goes to, and whatever else follows from that. */
MUST_CHECK int render_plan(struct batch *batch, struct error *error);

/* What the letter says of the facts' entry at `place`. `role` is the reader's; NULL: they are
 * told of what others are asked. */
MUST_CHECK int render_say(struct batch *batch, const struct language *language,
			  const struct directory *directory, const struct role *role,
			  size_t place, struct letter_notice *letter, struct error *error);

/* All that is planned, as mails in the ledger. Inside a transaction. */
MUST_CHECK int render_make_mails(struct batch *batch, struct error *error);

/* --- one mail: render_mail.c ----------------------------------------------------------------
 */

/* A letter, turned into bytes and stored; what both kinds of mail share. */
struct outgoing {
	const struct letter *letter;
	const char *address;
	const char *language;
	int64_t contact;
	int64_t thread; /* challenge; 0: none */
	bool important;
	const int64_t *notices;
	size_t notice_count;
	const struct ledger_notice *notice; /* the only one; NULL: none, or several */
	const int64_t *serial;              /* what the Message-ID is made from */
	size_t serial_count;
};

/* A letter with what this partnership says in every mail, and nothing else yet. Borrowed. */
struct letter render_letter_for(const struct world *world, const struct zone *zone,
				struct instant now);
/* Writes it and stores it as ready. Inside a transaction; -EINVAL: it cannot be written. */
MUST_CHECK int render_store_mail(const struct world *world, const struct outgoing *out,
				 struct error *error);
/* A number for a name that lasts as long as the name. Never negative. */
int64_t render_name_number(const char *name);

#endif
