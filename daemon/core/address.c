/* address.c - see address.h. */
#include "core/address.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { LOCAL_MOST = 64, DOMAIN_MOST = 255, ADDRESS_MOST = 254, LABEL_MOST = 63 };

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 5322 atext, ASCII only. */
static bool is_atom_character(char c)
{
	return is_alphanumeric(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_localhost(const char *domain, size_t length)
{
	return length == strlen("localhost") && strncasecmp(domain, "localhost", length) == 0;
}

/* What is wrong with the part before the '@'; NULL: nothing. */
static const char *local_part_fault(const char *local, size_t length)
{
	if (length == 0)
		return "nothing stands before the @";
	if (length > LOCAL_MOST)
		return "more than 64 characters before the @";
	for (size_t i = 0; i < length; i++) {
		if (local[i] == '.') {
			if (i == 0 || i + 1 == length || local[i + 1] == '.')
				return "a dot begins or ends the part before the @, or two "
				       "stand together";
		} else if (!is_atom_character(local[i])) {
			return "a character that may not stand before the @";
		}
	}
	return NULL;
}

static const char *label_fault(const char *label, size_t length)
{
	if (length == 0)
		return "a dot begins or ends the domain, or two stand together";
	if (length > LABEL_MOST)
		return "a part of the domain is longer than 63 characters";
	if (label[0] == '-' || label[length - 1] == '-')
		return "a part of the domain begins or ends with a hyphen";
	for (size_t i = 0; i < length; i++)
		if (!is_alphanumeric(label[i]) && label[i] != '-')
			return "a character that may not stand in a domain";
	return NULL;
}

/* What is wrong with a domain; NULL: nothing. */
static const char *domain_fault(const char *domain, size_t length)
{
	const char *last = domain;
	size_t start = 0;

	if (length == 0)
		return "no domain";
	if (length > DOMAIN_MOST)
		return "the domain is longer than 255 characters";
	for (size_t i = 0; i <= length; i++) {
		const char *fault;

		if (i < length && domain[i] != '.')
			continue;
		last = domain + start;
		fault = label_fault(last, i - start);
		if (fault != NULL)
			return fault;
		start = i + 1;
	}
	if (last == domain && !is_localhost(domain, length))
		return "the domain has no dot";
	if (strspn(last, "0123456789") >= (size_t)(domain + length - last))
		return "the domain ends in a number";
	return NULL;
}

int address_check(const char *address, struct error *error)
{
	size_t length = strlen(address);
	const char *at = memchr(address, '@', length);
	const char *fault = NULL;

	if (length == 0)
		return error_set(error, EINVAL, "the address is empty");
	if (length > ADDRESS_MOST)
		return error_set(error, EINVAL, "\"%.40s...\": longer than %d characters",
				 address, ADDRESS_MOST);
	if (at == NULL)
		return error_set(error, EINVAL, "\"%s\": no @", address);

	fault = local_part_fault(address, (size_t)(at - address));
	if (fault == NULL)
		fault = domain_fault(at + 1, length - (size_t)(at + 1 - address));
	if (fault != NULL)
		return error_set(error, EINVAL, "\"%s\": %s", address, fault);
	return 0;
}

static bool matches(const char *domain, const char *pattern)
{
	size_t length = strlen(domain);
	size_t below;

	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(domain, pattern) == 0;
	below = strlen(pattern + 1); /* with its dot */
	return length > below && strcasecmp(domain + length - below, pattern + 1) == 0;
}

bool address_is_allowed(const char *address, const char *const *domains, size_t count)
{
	const char *at = strrchr(address, '@');

	if (at == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		if (matches(at + 1, domains[i]))
			return true;
	return false;
}

int address_check_domain(const char *pattern, struct error *error)
{
	const char *domain = strncmp(pattern, "*.", 2) == 0 ? pattern + 2 : pattern;
	const char *fault = domain_fault(domain, strlen(domain));

	if (fault != NULL)
		return error_set(error, EINVAL, "\"%.60s\": %s", pattern, fault);
	return 0;
}
