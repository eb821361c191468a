/*
 * approval - the configuration that was approved, beside the one in use.
 *
 * "A slip on a Friday afternoon" (2 for 20) is valid configuration. So what a changed one alone
 * makes due at once is held until a person approves it (design section 4), and each deadline
 * that it moves is recorded. The ledger keeps both configurations as text: neither a restart
 * nor the loss of the files changes what is held. A first configuration, and one that makes
 * nothing due at once, is approved by itself.
 */
#ifndef SERVICE_APPROVAL_H
#define SERVICE_APPROVAL_H

#include "adapter/config_file.h"
#include "core/outlook.h"
#include "service/facts.h"

enum { APPROVAL_DIGEST_SIZE = 72 };

/* A zeroed one holds nothing. */
struct approval {
	bool waits;            /* the configuration in use is not approved */
	struct instant since;  /* when it was first seen in use under a sane clock; NEVER */
	struct config *known;  /* the approved one; NULL: cannot be read, so asks for nothing */
	struct config *before; /* the one before, until every challenge was looked at */
	struct outlook against; /* one challenge by the approved one */
	struct outlook was;     /* and by the one before */
	struct outlook is;
	char digest[APPROVAL_DIGEST_SIZE]; /* of the one in use; "" */
	bool told;
};

/*
 * Takes a configuration into use: remembers it in the ledger, with the time to be known later,
 * and asks for every challenge to be looked at again when it is another one than before.
 */
MUST_CHECK int approval_begin(struct approval *approval, struct ledger *ledger,
			      const struct config *config, struct error *error);
void approval_clear(struct approval *approval);

/* At each pass, under a sane clock: has it been approved, or read to its end, meanwhile? */
MUST_CHECK int approval_look(struct approval *approval, struct ledger *ledger,
			     struct instant now, struct error *error);

/* True while challenges are to be held against the configuration before. */
bool approval_is_reading(const struct approval *approval);

/*
 * Every challenge has been looked at under the configuration in use: if nothing is held it is
 * approved by itself. Makes its own transaction.
 */
MUST_CHECK int approval_end_reading(struct approval *approval, struct ledger *ledger,
				    const struct config *config, struct instant now,
				    struct error *error);

/* Reads what the approved configuration asks for on the challenge of these facts; before
 * approval_holds. */
MUST_CHECK int approval_read(struct approval *approval, const struct facts *facts,
			     struct error *error);

/*
 * True when the entry at this place is told to this role only because of the configuration
 * in use, and at once: it was due when that was first used, or follows from an escalation that
 * was.
 */
bool approval_holds(const struct approval *approval, const struct facts *facts, size_t place,
		    const char *role);

/* When the approved configuration next asks for something on this challenge. */
MUST_CHECK int approval_next(struct approval *approval, struct instant *ret,
			     struct error *error);

/* Records each deadline of the facts' challenge that moved against the configuration before;
 * adds to *ret_moved. Inside a transaction. */
MUST_CHECK int approval_record_moves(struct approval *approval, struct ledger *ledger,
				     const struct facts *facts, size_t *ret_moved,
				     struct error *error);

/* The reasons that held and released notices are recorded with. */
extern const char approval_reason[];
extern const char approval_release_reason[];

/* What STATUS says; "" when nothing waits. */
enum { APPROVAL_TEXT_SIZE = 260 }; /* as pass_report has it */
MUST_CHECK int approval_text(const struct approval *approval, struct ledger *ledger,
			     int64_t *ret_held, char out[static APPROVAL_TEXT_SIZE],
			     struct error *error);

#endif
