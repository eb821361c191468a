/* https.c - see https.h. */
#include "adapter/https.h"

#include "base/cleanup.h"

/*
 * No TLS session is kept for another connection: where memory runs out while libcurl 7.88.1
 * does that (Curl_ssl_addsessionid), it frees the same block twice.
 */
CURLcode https_set_up(CURL *curl, const struct https_request *request)
{
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
		{ CURLOPT_FOLLOWLOCATION, 0 },
		{ CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
		{ CURLOPT_SSL_VERIFYPEER, 1 },
		{ CURLOPT_SSL_VERIFYHOST, 2 },
		{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
		{ CURLOPT_SSL_SESSIONID_CACHE, 0 },
		{ CURLOPT_CONNECTTIMEOUT, request->connect_seconds },
		{ CURLOPT_TIMEOUT, request->seconds },
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_QUICK_EXIT, 1 },
	};
	const struct {
		CURLoption option;
		const char *value;
	} strings[] = {
		{ CURLOPT_URL, request->url }, { CURLOPT_PROTOCOLS_STR, request->protocols },
		{ CURLOPT_PROXY, "" },         { CURLOPT_CAINFO, request->ca },
		{ CURLOPT_CAPATH, NULL }, /* else Debian's stay trusted beside it */
	};
	size_t count = request->ca[0] != '\0' ? COUNT(strings) : COUNT(strings) - 2;
	CURLcode code = CURLE_OK;

	for (size_t i = 0; i < COUNT(numbers) && code == CURLE_OK; i++)
		code = curl_easy_setopt(curl, numbers[i].option, numbers[i].value);
	for (size_t i = 0; i < count && code == CURLE_OK; i++)
		code = curl_easy_setopt(curl, strings[i].option, strings[i].value);
	return code;
}
