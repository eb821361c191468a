/*
 * token - an OAuth 2.0 access token by client credentials (RFC 6749 section 4.4), for XOAUTH2.
 *
 * One HTTPS POST by libcurl; no redirect is followed, no proxy of the environment used, and the
 * answer is cut off at 64 KiB. Nothing is kept between calls: when to ask again is the
 * caller's.
 */
#ifndef ADAPTER_TOKEN_H
#define ADAPTER_TOKEN_H

#include "adapter/sender_channel.h"

/*
 * Asks relay->token_url ("": Microsoft's for relay->tenant) for a token for relay->client,
 * whose secret is given. *ret is the token, to be wiped by the caller as a credential is,
 * *ret_seconds how long it holds (at least 0). -EINVAL: the settings cannot be right; -EACCES:
 * the server refused, with its own word for why; -EIO: it could not be reached or made no
 * sense.
 */
MUST_CHECK int token_fetch(const struct sender_relay *relay, const char *secret,
			   struct text *ret, int64_t *ret_seconds, struct error *error);

#endif
