/*
 * heartbeat - fetches an address now and then while all is well, in a process of its own.
 *
 * The other side is a dead man's switch: it tells somebody when the heartbeat stays away, and
 * so when this machine is gone, the service stopped, the store out of reach or a challenge not
 * watched. A beat that fails is logged when that begins and when it ends, and holds up nothing.
 */
#ifndef SERVICE_HEARTBEAT_H
#define SERVICE_HEARTBEAT_H

#include "adapter/clock.h"
#include "adapter/config_file.h"

struct heartbeat;

enum {
	HEARTBEAT_SECONDS = 30,      /* that one may take */
	HEARTBEAT_STOP_SECONDS = 45, /* then its process is ended */
	HEARTBEAT_AGAIN_SECONDS =
		60, /* after one that failed, or sooner where they are more often */
};

/* Nothing is started yet. `program` is the sender's path, copied. -ENOMEM, -EMFILE. */
MUST_CHECK int heartbeat_create(const char *program, const struct clock *clock,
				struct heartbeat **ret, struct error *error);
/* Ends one that is under way, by its process id. NULL is fine. */
void heartbeat_destroy(struct heartbeat *heartbeat);

/* Takes these settings on; others than before are tried out at once. -ENOMEM: the old ones
 * stay. */
MUST_CHECK int heartbeat_configure(struct heartbeat *heartbeat,
				   const struct heartbeat_settings *settings,
				   struct error *error);

/* After a good poll that found all well: begins a beat where one is due. */
void heartbeat_run(struct heartbeat *heartbeat);

/* Hears what came of one, or ends it when it takes too long. Costs nothing when there is none.
 */
void heartbeat_take(struct heartbeat *heartbeat);

/* Readable when heartbeat_take has something to do; owned here. */
int heartbeat_descriptor(const struct heartbeat *heartbeat);

struct heartbeat_state {
	bool configured;
	bool busy;
	bool failing;
	struct instant heard; /* when one was answered last; NEVER */
};
struct heartbeat_state heartbeat_state(const struct heartbeat *heartbeat);

#endif
