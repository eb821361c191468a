/*
 * config_main - the settings of the main file: what the files that read them share.
 *
 * config_file.c opens files and holds all of them together; config_main.c has the main file's
 * rows, and what a row is made of stands in a file of its own. Private to these.
 */
#ifndef ADAPTER_CONFIG_MAIN_H
#define ADAPTER_CONFIG_MAIN_H

#include "adapter/config_bundle.h"
#include "adapter/config_file.h"
#include "adapter/config_read.h"

#include <nettle/sha2.h>

/* The configuration with all that it borrows. */
struct loaded {
	struct config config; /* first: config_free goes back from it */
	struct arena arena;
};

/* What the rows' functions need besides the reader. */
struct loading {
	struct loaded *loaded;
	struct fault_list *faults;
	const char *folder;        /* of the main file, with the '/' behind it, or "" */
	const char *policies;      /* folder */
	const struct bundle *kept; /* read from here instead of from the disk; NULL */
	struct bundle read;        /* all that was read */
	struct sha256_ctx digest;
	struct named_calendar *calendars; /* as config.calendars, writable */
};
struct loading *loading_of(const struct reader *reader);

/* The bytes of a file, from the disk or from what was kept. */
MUST_CHECK int loading_fetch(const struct loading *loading, const char *path,
			     struct file_bytes *ret, struct error *error);
/* What was read counts for the digest, and is kept. */
MUST_CHECK int loading_note(struct loading *loading, enum bundle_kind kind, const char *path,
			    const struct file_bytes *bytes, struct error *error);

/* What holds where the file says nothing, and where it cannot be read. */
void config_main_defaults(struct reader *reader, struct config *config);
void config_mail_defaults(struct mail_settings *mail);

/* The whole main file, and what must hold between its settings. */
void config_main_read(struct reader *reader, struct config *config);

/* For struct field, as `custom`; `at` is what the name says, unless something else is said. */
void config_path_read(struct reader *reader, config_setting_t *setting, void *at);
void config_calendars_read(struct reader *reader, config_setting_t *list, void *config);
void config_roles_read(struct reader *reader, config_setting_t *list, void *config);
void config_mail_read(struct reader *reader, config_setting_t *group, void *mail_settings);
/* Seconds, int64_t: from one to an hour, and to a day. */
void config_poll_read(struct reader *reader, config_setting_t *setting, void *at);
void config_every_read(struct reader *reader, config_setting_t *setting, void *at);
/* A struct period. */
void config_period_read(struct reader *reader, config_setting_t *setting, void *at);
/* A second of the day, int32_t. */
void config_daily_read(struct reader *reader, config_setting_t *setting, void *at);
/* A struct timescale that says how long something may wait. */
void config_defer_read(struct reader *reader, config_setting_t *setting, void *at);

/* "HH:MM", 00:00 to 24:00, as seconds; moves *text past it. */
MUST_CHECK bool config_time_parse(const char **text, int32_t *ret);

#endif
