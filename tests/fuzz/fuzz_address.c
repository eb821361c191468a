/* Addresses: what is taken can stand on a wire, whatever was typed. */
#include "core/address.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const domains[] = { "a.example", "*.nhs.uk" };
	CLEANUP(freep) char *string = fuzz_string(data, size);
	struct error error = { 0 };

	if (address_check(string, &error) == 0) {
		ALWAYS(strlen(string) <= 254 && strchr(string, '@') != NULL);
		for (const char *c = string; *c != '\0'; c++)
			ALWAYS(*c > ' ' && *c < 0x7f && strchr("<>()[]\\,;:\"", *c) == NULL);
		(void)address_is_allowed(string, domains, COUNT(domains));
	} else {
		ALWAYS(error.code != 0);
	}
	(void)address_check_domain(string, &error);
	return 0;
}
