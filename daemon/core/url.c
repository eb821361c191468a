/* url.c - see url.h. */
#include "core/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool url_is_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;

	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool url_is_host(const char *host)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";
	size_t length = strlen(host);

	return length > 0 && length <= 253 && strspn(host, allowed) == length &&
	       host[0] != '-' && host[0] != '.' && strstr(host, "..") == NULL;
}

bool url_split_authority(const char *text, char host[static URL_HOST_SIZE])
{
	const char *end = text[0] == '[' ? strchr(text, ']') : text + strcspn(text, ":");
	const char *begin = text[0] == '[' ? text + 1 : text;
	struct in6_addr six;
	char *rest;
	long port;

	if (end == NULL || end - begin > 253)
		return false;
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	if (text[0] == '[' ? inet_pton(AF_INET6, host, &six) != 1 : !url_is_host(host))
		return false;
	end += text[0] == '[' ? 1 : 0;
	if (*end == '\0')
		return true;
	if (end[0] != ':' || end[1] < '1' || end[1] > '9')
		return false;
	port = strtol(end + 1, &rest, 10);
	return *rest == '\0' && port <= 65535;
}

static bool is_printable(const char *url)
{
	for (const char *c = url; *c != '\0'; c++)
		if (*c <= 0x20 || *c >= 0x7f || strchr("\"<>\\^`{|}#", *c) != NULL)
			return false;
	return true;
}

int url_check_web(const char *url, struct error *error)
{
	bool secure = strncmp(url, "https://", 8) == 0;
	bool clear = strncmp(url, "http://", 7) == 0;
	const char *authority = url + (secure ? 8 : 7);
	char host[URL_HOST_SIZE];
	char only[URL_HOST_SIZE + 8];
	size_t length;

	if (!secure && !clear)
		return error_set(error, EINVAL, "must begin with https://");
	if (strlen(url) > URL_MOST)
		return error_set(error, EINVAL, "is longer than %d bytes", (int)URL_MOST);
	if (!is_printable(url))
		return error_set(error, EINVAL, "has a character that no such address has");
	length = strcspn(authority, "/?");
	if (length >= sizeof only)
		return error_set(error, EINVAL, "has a host that is too long");
	memcpy(only, authority, length);
	only[length] = '\0';
	if (!url_split_authority(only, host))
		return error_set(error, EINVAL,
				 "must have a host, perhaps a port, and no user or password "
				 "before it");
	if (clear && !url_is_loopback(host))
		return error_set(error, EINVAL,
				 "must begin with https://: http:// goes to a literal loopback "
				 "address only");
	return 0;
}
