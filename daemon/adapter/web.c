/* web.c - see web.h. */
#include "adapter/web.h"

#include "adapter/https.h"
#include "core/url.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_MOST = 64 * 1024, CONNECT_SECONDS = 10 };

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
	bool clear = strncmp(url, "http://", 7) == 0; /* to a loopback address: checked */
	CURLcode code = https_set_up(curl, &(struct https_request){
						   .url = url,
						   .protocols = clear ? "http" : "https",
						   .ca = get->ca,
						   .connect_seconds = CONNECT_SECONDS,
						   .seconds = get->seconds,
					   });

	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_USERAGENT, "challenge-notifyd/" VERSION);
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
	CLEANUP(https_closep) CURL *curl = NULL;
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
