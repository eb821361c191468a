/* reload.c - see reload.h. */
#include "service/reload.h"

#include "adapter/journal.h"
#include "base/text.h"

#include <errno.h>

void setup_clear(struct setup *setup)
{
	template_file_destroy(setup->languages);
	config_destroyp(&setup->config);
	*setup = (struct setup){ 0 };
}

int setup_load(const char *file, struct setup *ret, struct fault_list *faults,
	       struct error *error)
{
	CLEANUP(setup_clear) struct setup setup = { 0 };

	setup.config = config_load(file, faults, error);
	if (setup.config != NULL)
		setup.languages = template_file_load(setup.config->templates, faults, error);
	fault_sort(faults);
	if (setup.config == NULL || setup.languages == NULL)
		return error == NULL || error->code == 0 ? -EINVAL : -error->code;
	if (faults->errors > 0)
		return error_set(error, EINVAL, "the configuration has %zu faults",
				 faults->errors);
	*ret = TAKE(setup);
	return 0;
}

void setup_log_faults(const struct fault_list *faults)
{
	for (size_t i = 0; i < faults->count; i++) {
		CLEANUP(text_clear) struct text line = { 0 };

		fault_format(&faults->item[i], &line);
		journal_send(JOURNAL_CONFIG_FAULT, NULL, 0, "%s", text_string(&line));
	}
}
