/* test_url.c - which web addresses are fetched, and that none of them is repeated in a fault.
 */
#include "core/url.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

static const struct row {
	const char *url;
	const char *wrong; /* NULL: nothing; else a part of what is said */
} rows[] = {
	{ "https://hc-ping.example/0a1b-SECRET", NULL },
	{ "https://hc-ping.example", NULL },
	{ "https://hc-ping.example:8443/SECRET?rid=1&x=%20", NULL },
	{ "https://[2001:db8::1]:8443/SECRET", NULL },
	{ "https://192.0.2.7/SECRET", NULL },
	{ "http://127.0.0.1:8000/SECRET", NULL },
	{ "http://[::1]/SECRET", NULL },
	{ "http://hc-ping.example/SECRET", "literal loopback" },
	{ "http://localhost/SECRET", "literal loopback" },
	{ "http://127.0.0.1.example/SECRET", "literal loopback" },
	{ "HTTPS://hc-ping.example/SECRET", "https://" },
	{ "ftp://hc-ping.example/SECRET", "https://" },
	{ "file:///SECRET", "https://" },
	{ "", "https://" },
	{ "https://", "must have a host" },
	{ "https:///SECRET", "must have a host" },
	{ "https://user:SECRET@hc-ping.example/", "no user or password" },
	{ "https://127.0.0.1@evil.example/SECRET", "no user or password" },
	{ "https://hc-ping.example:0/SECRET", "must have a host" },
	{ "https://hc-ping.example:65536/SECRET", "must have a host" },
	{ "https://hc-ping.example/SECRET#x", "character" },
	{ "https://hc-ping.example/SEC RET", "character" },
	{ "https://hc-ping.example/SECRET\tX", "character" },
	{ "https://hc-ping.example/SECRET\xc3\xa9", "character" },
	{ "https://hc-ping.example/{SECRET}", "character" },
};

static void judges(void **state)
{
	const struct row *row = *state;
	struct error error = { 0 };

	assert_int_equal(url_check_web(row->url, &error), row->wrong == NULL ? 0 : -EINVAL);
	assert_null(strstr(error.text, "SECRET"));
	if (row->wrong != NULL)
		assert_non_null(strstr(error.text, row->wrong));
}

static void a_long_one_is_refused(void **state)
{
	char url[URL_MOST + 2] = "https://hc-ping.example/";
	size_t length = strlen(url);

	(void)state;
	memset(url + length, 'x', URL_MOST - length);
	assert_int_equal(url_check_web(url, NULL), 0);
	url[URL_MOST] = 'x';
	assert_true(url_check_web(url, NULL) < 0);
	memset(url + 8, 'x', URL_MOST - 7); /* as a host */
	assert_true(url_check_web(url, NULL) < 0);
}

int main(void)
{
	static const struct CMUnitTest others[] = { cmocka_unit_test(a_long_one_is_refused) };
	struct CMUnitTest tests[COUNT(rows)];
	int failed;

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].url,
						.test_func = judges,
						.initial_state = (void *)&rows[i] };
	failed = cmocka_run_group_tests_name("web addresses", tests, NULL, NULL);
	return failed + cmocka_run_group_tests_name("length", others, NULL, NULL);
}
