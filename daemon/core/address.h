/*
 * address - which mail addresses this program will put on a wire.
 *
 * Far stricter than RFC 5321: dot-atom@domain in ASCII, local part at most 64, domain at most
 * 255, together at most 254 octets, at least one dot in the domain unless it is "localhost".
 * libcurl passes CR and LF in an envelope address straight through (smtp.md 1.6), so this
 * grammar is the guard, at import and again before sending.
 */
#ifndef CORE_ADDRESS_H
#define CORE_ADDRESS_H

#include "base/error.h"

#include <stdbool.h>

/* 0, or -EINVAL with what is wrong with it. */
MUST_CHECK int address_check(const char *address, struct error *error);

/*
 * True when the domain of a checked address is one of `domains`: equal, or below one that
 * begins with "*.". ASCII case is folded. No domains: nothing is allowed.
 */
bool address_is_allowed(const char *address, const char *const *domains, size_t count);

/* 0, or -EINVAL: a domain pattern as address_is_allowed takes them. */
MUST_CHECK int address_check_domain(const char *pattern, struct error *error);

#endif
