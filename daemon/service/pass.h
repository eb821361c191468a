/*
 * pass - one cycle without the loop: look at the store, decide what is due, render what may go.
 *
 * Everything it needs comes in as a struct world, the clock too, so that a test can hold any
 * moment. Delivery is post's; a pass sends nothing.
 */
#ifndef SERVICE_PASS_H
#define SERVICE_PASS_H

#include "adapter/clock.h"
#include "adapter/config_file.h"
#include "adapter/ledger.h"
#include "adapter/store.h"
#include "adapter/template_file.h"
#include "core/letter.h"

/* What the parts of the service share. All borrowed. */
struct world {
	const struct config *config;
	const struct language_set *languages;
	struct ledger *ledger;
	const struct clock *clock;
};

struct pass;

enum { PASS_HORIZON_DAYS = 180 }; /* of a holiday list that is left, to be warned of */

/* Remembers from one cycle to the next; nothing is opened yet. */
MUST_CHECK int pass_create(const struct world *world, struct pass **ret, struct error *error);
void pass_destroy(struct pass *pass);
void pass_destroyp(struct pass **pass);

/*
 * Takes on another configuration (or, at start, the first): when its digest is not the one in
 * the ledger, every challenge is looked at again in the next cycle.
 */
MUST_CHECK int pass_configure(struct pass *pass, const struct world *world,
			      struct error *error);

/* Gives back memory that the next cycle can do without. */
void pass_give_back(struct pass *pass);

enum pass_trouble {
	PASS_GOOD,
	PASS_CLOCK, /* insane: nothing was decided, and nothing may be sent */
	PASS_STORE, /* not to be read now: mails that are ready may go */
	PASS_DOUBT, /* an older copy of the store, or another one: the same */
};

/* Is every open challenge watched? As of the last whole round of the proof (proof.h). */
enum proof_verdict { PROOF_UNKNOWN, PROOF_KEPT, PROOF_BROKEN };
struct proof_state {
	enum proof_verdict verdict; /* unknown: none yet, or none that still speaks for now */
	int64_t broken;             /* challenges that are not watched */
	struct letter_counts counts;
	struct instant at; /* when the round began; NEVER */
};

struct pass_report {
	enum pass_trouble trouble;
	char text[300];       /* of the trouble: what is wrong, and what to do; "" */
	size_t decided;       /* notices that are to be sent */
	size_t not_sent;      /* recorded with a reason not to be */
	size_t adopted;       /* of them, since the ledger was new */
	size_t held;          /* newly, until the configuration is approved */
	size_t mails;         /* rendered and ready */
	size_t orphans;       /* notices whose challenge or policy is not there */
	char approval[260];   /* what waits for challengectl approve; "" */
	int64_t held_notices; /* how many notices that is */
	int64_t flood;        /* notices held since far more fell due than usual, */
	bool restored;        /* or since the ledger is a copy that was put back */
	bool more;            /* stopped at its measure: run again soon */
	bool proving;         /* all is decided, but the proof goes on: run again soon */
	bool proved;          /* challenges were looked at for it in this cycle */
	struct proof_state proof;
	struct instant wake; /* the ledger's next instant; NEVER */
};

/*
 * One cycle. 0 with *ret also when the store or the clock cannot be used: both are survived,
 * logged once, and said in *ret. Negative only when the ledger or memory failed.
 */
MUST_CHECK int pass_run(struct pass *pass, struct pass_report *ret, struct error *error);

/* True when this clock may be acted on (design section 4, "Clock"). */
enum {
	CLOCK_BACKWARD_SECONDS = 300,      /* before what was written: borne */
	CLOCK_FORWARD_SECONDS = 36 * 3600, /* against CLOCK_BOOTTIME: borne; also how long a
					    * confirmation speaks for the clock it was given by
					    */
};
bool clock_is_sane(struct instant now, struct instant latest_written);

#endif
