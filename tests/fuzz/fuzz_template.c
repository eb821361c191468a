/* Templates: what the check takes can be rendered, and values are never read as templates. */
#include "core/template.h"
#include "fuzz.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "name", "reference", "empty" };
	static const char *const values[] = { "{name}", "2026-014 <b>", "" };
	CLEANUP(freep) char *source = fuzz_string(data, size);

	for (int html = 0; html < 2; html++) {
		CLEANUP(text_clear) struct text text = { 0 };
		enum template_form form = html != 0 ? TEMPLATE_HTML : TEMPLATE_PLAIN;
		const struct template_data item = { names, values, COUNT(names), .form = form };
		const struct template_data whole = {
			.names = names,
			.values = values,
			.count = COUNT(names),
			.form = form,
			.repeat = "notices",
			.items = &item,
			.item_count = 1,
		};
		struct error error = { 0 };
		int line = 0;
		int sound = template_check(source, &whole, &line, &error);
		int made = template_render(source, &whole, &text, &error);

		ALWAYS(sound == 0 || line > 0);
		ALWAYS(made == sound || made == -ENOMEM);
	}
	return 0;
}
