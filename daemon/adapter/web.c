/* web.c - see web.h. */
#include "adapter/web.h"

#include "core/url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_MOST = 64 * 1024, CONNECT_SECONDS = 10 };

static void curl_cleanup(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

/* Nobody reads it. */
static size_t on_answer(char *bytes, size_t size, size_t count, void *self)
{
	size_t *left = self;

	(void)bytes;
	if (size * count > *left)
		return 0;
	*left -= size * count;
	return size * count;
}

static CURLcode set_options(CURL *curl, const char *url, const struct sender_get *get,
			    size_t *left)
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
		{ CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS },
		{ CURLOPT_TIMEOUT, get->seconds },
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_QUICK_EXIT, 1 },
	};
	const struct {
		CURLoption option;
		const char *value;
	} strings[] = {
		{ CURLOPT_URL, url },
		{ CURLOPT_PROTOCOLS_STR,
		  strncmp(url, "http://", 7) == 0 ? "http" : "https" }, /* loopback: checked */
		{ CURLOPT_PROXY, "" },
		{ CURLOPT_USERAGENT, "challenge-notifyd/" VERSION },
		{ CURLOPT_CAINFO, get->ca },
		{ CURLOPT_CAPATH, NULL },
	};
	size_t count = get->ca[0] != '\0' ? COUNT(strings) : COUNT(strings) - 2;
	CURLcode code = CURLE_OK;

	for (size_t i = 0; i < COUNT(numbers) && code == CURLE_OK; i++)
		code = curl_easy_setopt(curl, numbers[i].option, numbers[i].value);
	for (size_t i = 0; i < count && code == CURLE_OK; i++)
		code = curl_easy_setopt(curl, strings[i].option, strings[i].value);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_WRITEDATA, left);
	return code;
}

static void say(struct sender_got *got, const char *words)
{
	delivery_reply_clean(words, strlen(words), got->words);
}

/* libcurl's own word for the code: what it writes about the case at hand names the host. */
static void perform(CURL *curl, const char *url, const struct sender_get *get,
		    struct sender_got *ret)
{
	size_t left = ANSWER_MOST;
	long status = 0;
	char words[60];
	CURLcode code = set_options(curl, url, get, &left);

	if (code == CURLE_OK)
		code = curl_easy_perform(curl);
	if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
		status = 0;
	if (code == CURLE_WRITE_ERROR) {
		say(ret, "its answer is longer than 64 KiB");
		return;
	}
	if (code != CURLE_OK) {
		say(ret, curl_easy_strerror(code));
		return;
	}
	ret->well = status >= 200 && status < 300;
	(void)snprintf(words, sizeof words, "HTTP %ld%s", status,
		       status >= 300 && status < 400 ? ": redirects are not followed" : "");
	say(ret, words);
}

void web_get(const char *url, const struct sender_get *get, struct sender_got *ret)
{
	CLEANUP(curl_cleanup) CURL *curl = NULL;
	struct error wrong = { 0 };
	struct sender_got got = { .well = false };

	if (url_check_web(url, &wrong) < 0) {
		(void)error_wrap(&wrong, "the address");
		say(&got, wrong.text);
	} else if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
		   (curl = curl_easy_init()) == NULL) {
		say(&got, "libcurl cannot be initialised");
	} else {
		perform(curl, url, get, &got);
	}
	*ret = got;
}
