/*
 * url - hosts and web addresses, as far as this program must understand them itself.
 *
 * Stricter than the RFCs: what is refused here is no address that an administrator means.
 */
#ifndef CORE_URL_H
#define CORE_URL_H

#include "base/error.h"

#include <stdbool.h>

enum { URL_HOST_SIZE = 256, URL_MOST = 500 };

/* A host name or IPv4 address: letters, digits, dots and hyphens. */
bool url_is_host(const char *host);

/* A literal loopback address: a name could come to mean another host. */
bool url_is_loopback(const char *host);

/* "host", "host:port", "[v6]" or "[v6]:port" as a whole; the host without brackets goes to
 * `host`. */
bool url_split_authority(const char *text, char host[static URL_HOST_SIZE]);

/*
 * An address to fetch: https:// to any host, or http:// to a literal loopback address; no user,
 * no fragment, printable ASCII without blanks or quotes, at most URL_MOST bytes. -EINVAL with
 * what is wrong, but never with the address: it may hold a secret.
 */
MUST_CHECK int url_check_web(const char *url, struct error *error);

#endif
