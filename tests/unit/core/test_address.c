/* test_address.c - the grammar that guards the envelope, and the allowed domains. */
#include "core/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEN "abcdefghij"
#define SIXTY TEN TEN TEN TEN TEN TEN
#define LABEL60 SIXTY "."

static const struct address_case {
	const char *name;
	const char *address;
	const char *says; /* NULL: sound */
} cases[] = {
	{ "a plain address", "sam.jones@school.example", NULL },
	{ "a plus tag and odd atoms", "o'neil+x#1@a-b.example", NULL },
	{ "localhost needs no dot", "root@localhost", NULL },
	{ "localhost in capitals", "root@LocalHost", NULL },
	{ "64 characters before the @", SIXTY "abcd@a.example", NULL },
	{ "a label of 63", "a@" SIXTY "abc.example", NULL },
	{ "254 octets in all", "abcdefgh@" LABEL60 LABEL60 LABEL60 SIXTY ".a", NULL },
	{ "the first and the last of letters and digits", "azAZ09@azAZ09.example", NULL },
	{ "nothing", "", "empty" },
	{ "no @", "sam.school.example", "no @" },
	{ "nothing before the @", "@a.example", "before the @" },
	{ "nothing after it", "a@", "no domain" },
	{ "two @", "a@b@c.example", "may not stand" },
	{ "65 characters before the @", SIXTY "abcde@a.example", "64" },
	{ "255 octets in all", "abcdefghi@" LABEL60 LABEL60 LABEL60 SIXTY ".a", "254" },
	{ "a label of 64", "a@" SIXTY "abcd.example", "63" },
	{ "no dot in the domain", "a@intranet", "no dot" },
	{ "as long as localhost, and without a dot", "a@localnost", "no dot" },
	{ "a dot first", ".a@b.example", "dot" },
	{ "a dot last before the @", "a.@b.example", "dot" },
	{ "two dots", "a..b@c.example", "dot" },
	{ "a dot first in the domain", "a@.example", "dot" },
	{ "a dot last in the domain", "a@b.example.", "dot" },
	{ "two dots in the domain", "a@b..example", "dot" },
	{ "a hyphen first in a label", "a@-b.example", "hyphen" },
	{ "a hyphen last in a label", "a@b-.example", "hyphen" },
	{ "an underscore in the domain", "a@b_c.example", "domain" },
	{ "an IPv4 number", "a@192.0.2.1", "number" },
	{ "an address literal", "a@[192.0.2.1]", "domain" },
	{ "a display name", "Sam <a@b.example>", "may not stand" },
	{ "angle brackets", "<a@b.example>", "may not stand" },
	{ "a quoted local part", "\"a b\"@c.example", "may not stand" },
	{ "CR LF and a command", "a@b.example\r\nRCPT TO:<x@y.example>", "domain" },
	{ "CR before the @", "a\rb@c.example", "may not stand" },
	{ "LF before the @", "a\nb@c.example", "may not stand" },
	{ "a blank at the end", "a@b.example ", "domain" },
	{ "DEL", "a\x7f@b.example", "may not stand" },
	{ "not ASCII before the @", "\xc3\xa9@b.example", "may not stand" },
	{ "not ASCII in the domain", "a@b\xc3\xa9.example", "domain" },
	{ "two addresses", "a@b.example,c@d.example", "may not stand" },
};

static void checks(void **state)
{
	const struct address_case *c = *state;
	struct error error = { 0 };
	int r = address_check(c->address, &error);

	assert_int_equal(r, c->says == NULL ? 0 : -EINVAL);
	if (c->says == NULL) {
		assert_string_equal(error.text, "");
	} else if (strstr(error.text, c->says) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", error.text, c->says);
	}
}

static const struct domain_case {
	const char *name;
	const char *address;
	const char *pattern; /* NULL: no domains at all */
	bool want;
} domains[] = {
	{ "the domain itself", "a@nhs.net", "nhs.net", true },
	{ "case is folded", "a@NHS.Net", "nhs.NET", true },
	{ "another domain", "a@nhs.net.example", "nhs.net", false },
	{ "a domain that ends alike", "a@evilnhs.net", "nhs.net", false },
	{ "below is not the domain itself", "a@x.nhs.net", "nhs.net", false },
	{ "below a star", "a@x.nhs.uk", "*.nhs.uk", true },
	{ "far below a star", "a@x.y.NHS.uk", "*.nhs.uk", true },
	{ "the star's own domain is not below it", "a@nhs.uk", "*.nhs.uk", false },
	{ "a domain that ends like the star's", "a@evilnhs.uk", "*.nhs.uk", false },
	{ "nothing but the star's own domain and a dot", "a@.nhs.uk", "*.nhs.uk", false },
	{ "no domains: nothing is allowed", "a@nhs.net", NULL, false },
	{ "no @: nothing is allowed", "nhs.net", "nhs.net", false },
};

static void allows(void **state)
{
	const struct domain_case *c = *state;
	const char *const list[] = { "other.example", c->pattern };

	assert_int_equal(address_is_allowed(c->address, list, c->pattern != NULL ? 2 : 0),
			 c->want);
}

static const struct pattern_case {
	const char *name;
	const char *pattern;
	bool sound;
} patterns[] = {
	{ "a domain is a pattern", "partnership.example", true },
	{ "a star and a domain", "*.nhs.uk", true },
	{ "localhost is a pattern", "localhost", true },
	{ "a star above a whole country", "*.uk", false },
	{ "a star alone", "*", false },
	{ "a star within", "a.*.uk", false },
	{ "an address is no pattern", "a@b.example", false },
	{ "nothing is no pattern", "", false },
	{ "a star above nothing", "*.", false },
	{ "255 characters", LABEL60 LABEL60 LABEL60 LABEL60 "abc.example", true },
	{ "255 characters below a star", "*." LABEL60 LABEL60 LABEL60 LABEL60 "abc.example",
	  true },
	{ "256 characters", LABEL60 LABEL60 LABEL60 LABEL60 "abcd.example", false },
};

static void accepts_pattern(void **state)
{
	const struct pattern_case *c = *state;
	struct error error = { 0 };

	assert_int_equal(address_check_domain(c->pattern, &error), c->sound ? 0 : -EINVAL);
	assert_int_equal(error.text[0] == '\0', c->sound);
}

int main(void)
{
	struct CMUnitTest check_tests[COUNT(cases)];
	struct CMUnitTest domain_tests[COUNT(domains)];
	struct CMUnitTest pattern_tests[COUNT(patterns)];
	int failed;

	for (size_t i = 0; i < COUNT(cases); i++)
		check_tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						      .test_func = checks,
						      .initial_state = (void *)&cases[i] };
	for (size_t i = 0; i < COUNT(domains); i++)
		domain_tests[i] = (struct CMUnitTest){ .name = domains[i].name,
						       .test_func = allows,
						       .initial_state = (void *)&domains[i] };
	for (size_t i = 0; i < COUNT(patterns); i++)
		pattern_tests[i] = (struct CMUnitTest){ .name = patterns[i].name,
							.test_func = accepts_pattern,
							.initial_state = (void *)&patterns[i] };
	failed = cmocka_run_group_tests_name("address_check", check_tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("address_is_allowed", domain_tests, NULL, NULL);
	failed +=
		cmocka_run_group_tests_name("address_check_domain", pattern_tests, NULL, NULL);
	return failed;
}
