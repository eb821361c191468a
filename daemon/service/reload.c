/* reload.c - see reload.h. */
#include "service/reload.h"

#include "adapter/journal.h"
#include "adapter/zone_file.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

void setup_clear(struct setup *setup)
{
	template_file_destroy(setup->languages);
	config_destroyp(&setup->config);
	free(setup->zones);
	*setup = (struct setup){ 0 };
}

static bool look_at_zone(const struct config *config, size_t calendar, struct file_stamp *ret)
{
	char path[ZONE_PATH_SIZE];
	struct error error = { 0 };
	struct stat status;

	if (zone_file_path(calendar_zone(config->calendars[calendar].calendar)->name, path,
			   &error) < 0 ||
	    stat(path, &status) < 0)
		return false;
	*ret = (struct file_stamp){
		.device = status.st_dev,
		.inode = status.st_ino,
		.size = status.st_size,
		.changed = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec,
	};
	return true;
}

static bool is_same(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed == b->changed;
}

bool setup_is_stale(struct setup *setup)
{
	bool stale = false;

	for (size_t i = 0; i < setup->config->calendar_count; i++) {
		struct file_stamp stamp;

		if (!look_at_zone(setup->config, i, &stamp) ||
		    is_same(&stamp, &setup->zones[i]))
			continue;
		/* Even if the reload is refused it is not asked for again at every poll. */
		setup->zones[i] = stamp;
		stale = true;
	}
	return stale;
}

static int stamp_zones(struct setup *setup, struct error *error)
{
	setup->zones = calloc(setup->config->calendar_count + 1, sizeof *setup->zones);
	if (setup->zones == NULL)
		return error_memory(error);
	for (size_t i = 0; i < setup->config->calendar_count; i++)
		(void)look_at_zone(setup->config, i,
				   &setup->zones[i]); /* zero: looked at again */
	return 0;
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
		return error_set(error, EINVAL, "the configuration has %zu %s", faults->errors,
				 text_plural((int64_t)faults->errors, "fault", "faults"));
	if (stamp_zones(&setup, error) < 0)
		return -ENOMEM;
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
