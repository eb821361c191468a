/*
 * sender - takes mails from the daemon, one at a time, and says what came of each.
 *
 * The other end of adapter/sender_channel.h. It trusts nobody: addresses and bytes are checked
 * again before they reach libcurl, and whatever is not a frame ends it.
 */
#ifndef SENDER_SENDER_H
#define SENDER_SENDER_H

#include "adapter/clock.h"
#include "base/error.h"

/*
 * Serves the connected stream socket `channel` until the daemon closes it. Credentials are read
 * from `credentials` (NULL: there is no such folder) when they are first needed, and again
 * after any login that failed. 0 at the channel's end; -EPROTO or another error when what came
 * is not the protocol or the channel broke.
 */
MUST_CHECK int sender_serve(int channel, const char *credentials, const struct clock *clock,
			    struct error *error);

#endif
