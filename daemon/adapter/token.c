/* token.c - see token.h. */
#include "adapter/token.h"

#include "adapter/https.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

enum { ANSWER_MOST = 64 * 1024, TOKEN_MOST = 16 * 1024, LIFE_MOST = SECONDS_PER_DAY };

static void curl_freep(char **string)
{
	curl_free(*string);
}

static void json_cleanup(json_t **json)
{
	json_decref(*json);
}

/* The text holds a secret or a token. */
static void wipe(struct text *text)
{
	if (text->data != NULL)
		explicit_bzero(text->data, text->capacity);
	text_clear(text);
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *self)
{
	struct text *answer = self;

	text_append_bytes(answer, bytes, size * count);
	return text_failed(answer) ? 0 : size * count;
}

/* A tenant is a UUID or a domain; it becomes part of a path. */
static int make_url(const struct sender_relay *relay, struct text *ret, struct error *error)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-.";

	if (relay->token_url[0] != '\0') {
		if (strncmp(relay->token_url, "https://", 8) != 0)
			return error_set(error, EINVAL, "token_url \"%s\" is not https://",
					 relay->token_url);
		text_append(ret, relay->token_url);
	} else {
		if (relay->tenant[0] == '\0' ||
		    strspn(relay->tenant, letters) != strlen(relay->tenant))
			return error_set(error, EINVAL, "tenant \"%s\" is not a tenant's name",
					 relay->tenant);
		text_appendf(ret, "https://login.microsoftonline.com/%s/oauth2/v2.0/token",
			     relay->tenant);
	}
	return text_failed(ret) ? error_memory(error) : 0;
}

static void add_field(CURL *curl, struct text *body, const char *name, const char *value)
{
	CLEANUP(curl_freep) char *escaped = curl_easy_escape(curl, value, 0);

	if (escaped == NULL) {
		body->failed = true;
		return;
	}
	text_appendf(body, "%s%s=%s", body->length > 0 ? "&" : "", name, escaped);
	explicit_bzero(escaped, strlen(escaped));
}

static int post(CURL *curl, const struct sender_relay *relay, const char *url,
		const struct text *body, struct text *answer, struct error *error)
{
	char words[CURL_ERROR_SIZE] = "";
	CURLcode code = https_set_up(curl, &(struct https_request){
						   .url = url,
						   .protocols = "https",
						   .ca = relay->ca,
						   .connect_seconds = relay->connect_seconds,
						   .seconds = relay->reply_seconds,
					   });

	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text_string(body));
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
	if (code == CURLE_OK)
		code = curl_easy_perform(curl);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL); /* it goes with this scope */
	if (code == CURLE_WRITE_ERROR && text_failed(answer))
		return error_set(error, EIO, "token server: the answer is longer than 64 KiB");
	if (code != CURLE_OK)
		return error_set(error, EIO, "token server: %s",
				 words[0] != '\0' ? words : curl_easy_strerror(code));
	return 0;
}

/* RFC 6749 section 5.2: "error" is a short code; its description may name people. */
static int refused(long status, const json_t *answer, struct error *error)
{
	const char *why = json_string_value(json_object_get(answer, "error"));

	return error_set(error, EACCES, "token server refused: HTTP %ld %.60s", status,
			 why != NULL ? why : "without a reason");
}

/* RFC 6750 section 2.1; a blank or control character would break out of the login. */
static bool is_token(const char *token)
{
	size_t length = strlen(token);

	return length > 0 && length <= TOKEN_MOST &&
	       strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			     "0123456789-._~+/=") == length;
}

static int read_answer(long status, const struct text *answer, struct text *ret,
		       int64_t *ret_seconds, struct error *error)
{
	CLEANUP(json_cleanup)
	json_t *json = json_loadb(text_string(answer), answer->length, 0, NULL);
	const char *token = json_string_value(json_object_get(json, "access_token"));
	json_int_t life = json_integer_value(json_object_get(json, "expires_in"));
	struct text copy = { .limit = TOKEN_MOST };

	if (status != 200)
		return refused(status, json, error);
	if (token == NULL || !is_token(token))
		return error_set(error, EIO, "token server: the answer holds no access_token");
	text_append(&copy, token);
	if (text_failed(&copy))
		return error_memory(error);
	wipe(ret);
	*ret = copy;
	*ret_seconds = life < 0 ? 0 : life > LIFE_MOST ? LIFE_MOST : life;
	return 0;
}

int token_fetch(const struct sender_relay *relay, const char *secret, struct text *ret,
		int64_t *ret_seconds, struct error *error)
{
	CLEANUP(text_clear) struct text url = { .limit = 4096 };
	CLEANUP(wipe) struct text body = { .limit = ANSWER_MOST };
	CLEANUP(wipe) struct text answer = { .limit = ANSWER_MOST };
	CLEANUP(https_closep) CURL *curl = NULL;
	long status = 0;
	int r = make_url(relay, &url, error);

	if (r < 0)
		return r;
	if (relay->client[0] == '\0')
		return error_set(error, EINVAL, "XOAUTH2 needs a client");
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(error, EIO, "libcurl cannot be initialised");
	curl = curl_easy_init();
	if (curl == NULL)
		return error_memory(error);
	add_field(curl, &body, "grant_type", "client_credentials");
	add_field(curl, &body, "client_id", relay->client);
	add_field(curl, &body, "client_secret", secret);
	add_field(curl, &body, "scope", "https://outlook.office365.com/.default");
	if (text_failed(&body))
		return error_memory(error);
	r = post(curl, relay, text_string(&url), &body, &answer, error);
	if (r < 0)
		return r;
	if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
		status = 0;
	return read_answer(status, &answer, ret, ret_seconds, error);
}
