/*
 * https - what every request of ours to a web server has in common.
 *
 * TLS is verified, redirects, proxies and .netrc files are not looked at, and no request lasts
 * for ever. What is asked, and what becomes of the answer, is the caller's.
 */
#ifndef ADAPTER_HTTPS_H
#define ADAPTER_HTTPS_H

#include <curl/curl.h>

struct https_request {
	const char *url; /* without user or password: those are refused */
	const char
		*protocols; /* "https", or "http" where the caller has found it a loopback's */
	const char *ca;     /* file of the only authorities to be trusted; "": the system's */
	long connect_seconds;
	long seconds; /* for all of it */
};

/* Copies what it is given. CURLE_OK, or what curl_easy_setopt said of one option. */
CURLcode https_set_up(CURL *curl, const struct https_request *request);

/* For CLEANUP of a handle; NULL is fine. */
void https_closep(CURL **curl);

#endif
