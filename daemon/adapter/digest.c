/* digest.c - see digest.h. */
#include "adapter/digest.h"

#include "base/text.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

_Static_assert(DIGEST_SIZE == SHA256_DIGEST_SIZE, "SHA-256");

void digest_text(const uint8_t digest[static DIGEST_SIZE], char out[static DIGEST_TEXT_SIZE])
{
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]); /* fits */
}

void digest_bytes(const char *bytes, size_t length, char out[static DIGEST_TEXT_SIZE])
{
	struct sha256_ctx context;
	uint8_t digest[DIGEST_SIZE];

	sha256_init(&context);
	sha256_update(&context, length, (const uint8_t *)bytes);
	sha256_digest(&context, sizeof digest, digest);
	digest_text(digest, out);
}

/* One line each, the name last and with its length, so that no two plans read alike. */
static void write_plan(const struct calendar_plan *plan, struct text *text)
{
	for (size_t day = 0; day < COUNT(plan->week); day++)
		for (size_t i = 0; i < plan->week[day].count; i++)
			text_appendf(text, "open %zu %d %d\n", day,
				     plan->week[day].opening[i].from,
				     plan->week[day].opening[i].to);
	for (size_t i = 0; i < plan->holiday_count; i++)
		text_appendf(text, "holiday %d %zu %s\n", plan->holidays[i].day,
			     strlen(plan->holidays[i].name), plan->holidays[i].name);
	for (size_t i = 0; i < plan->closure_count; i++) {
		const struct closure *closure = &plan->closures[i];
		const char *name = closure->name != NULL ? closure->name : "";

		text_appendf(text, "closure %d %d %zu %s\n", closure->from, closure->to,
			     strlen(name), name);
	}
	text_appendf(text, "until %d\n", plan->covered_until);
}

int digest_calendar(const struct calendar_plan *plan, char out[static DIGEST_TEXT_SIZE],
		    struct error *error)
{
	CLEANUP(text_clear) struct text text = { 0 };

	write_plan(plan, &text);
	if (text_failed(&text))
		return error_memory(error);
	digest_bytes(text_string(&text), text.length, out);
	return 0;
}
