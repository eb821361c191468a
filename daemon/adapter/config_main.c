/*
 * config_main.c - the main file's settings: its rows, what stands for those left out, and what
 * must hold between them.
 *
 * Calendars, roles, mail and lengths of time have files of their own.
 */
#include "adapter/config_main.h"

#include "base/list.h"
#include "base/text.h"
#include "core/address.h"
#include "core/url.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A path of the main file, which counts from the main file's folder. */
static const char *resolve(struct reader *reader, const char *path)
{
	CLEANUP(text_clear) struct text text = { 0 };

	if (path[0] == '/' || path[0] == '\0')
		return reader_copy(reader, path);
	text_appendf(&text, "%s%s", loading_of(reader)->folder, path);
	return reader_copy(reader, text_string(&text));
}

void config_path_read(struct reader *reader, config_setting_t *setting, void *at)
{
	const char *text = reader_text(reader, setting);

	if (text != NULL && text[0] == '\0')
		reader_fault(reader, setting, "must not be empty");
	else if (text != NULL)
		*(const char **)at = resolve(reader, text);
}

static int check_one_line(const char *text, struct error *error)
{
	return strlen(text) <= 500 ? 0 : error_set(error, EINVAL, "is longer than 500 bytes");
}

/* clang-format off */
static const struct field partnership_fields[] = {
	{ .name = "agency", .kind = FIELD_TEXT, .required = true, .check = check_id,
	  .at = offsetof(struct partnership, agency) },
	{ .name = "name", .kind = FIELD_TEXT, .check = check_one_line,
	  .at = offsetof(struct partnership, name) },
	{ .name = "inbox", .kind = FIELD_TEXT, .required = true, .check = address_check,
	  .at = offsetof(struct partnership, inbox) },
	{ .name = "telephone", .kind = FIELD_TEXT, .check = check_one_line,
	  .at = offsetof(struct partnership, telephone) },
	{ .name = "emergency", .kind = FIELD_TEXT, .required = true, .check = check_not_empty,
	  .at = offsetof(struct partnership, emergency) },
};
/* clang-format on */

/* clang-format off */
static const struct field heartbeat_fields[] = {
	{ .name = "url", .kind = FIELD_TEXT, .check = url_check_web,
	  .at = offsetof(struct heartbeat_settings, url) },
	{ .name = "credential", .kind = FIELD_TEXT, .check = check_id,
	  .at = offsetof(struct heartbeat_settings, credential) },
	{ .name = "ca", .kind = FIELD_CUSTOM, .custom = config_path_read,
	  .at = offsetof(struct heartbeat_settings, ca) },
	{ .name = "every", .kind = FIELD_CUSTOM, .custom = config_every_read,
	  .at = offsetof(struct heartbeat_settings, every_seconds) },
};
/* clang-format on */

static void read_heartbeat(struct reader *reader, config_setting_t *group, void *at)
{
	struct heartbeat_settings *heartbeat = at;

	heartbeat->every_seconds = 300;
	reader_group(reader, group, heartbeat_fields, COUNT(heartbeat_fields), heartbeat);
	if ((config_setting_get_member(group, "url") != NULL) ==
	    (config_setting_get_member(group, "credential") != NULL))
		reader_fault(reader, group,
			     "must have either a url, or, where that holds a secret, the "
			     "credential that it stands in");
}

/* clang-format off */
static const struct field alarm_fields[] = {
	{ .name = "to", .kind = FIELD_TEXTS, .required = true, .check = address_check,
	  .at = offsetof(struct config, alarm_to),
	  .count_at = offsetof(struct config, alarm_to_count) },
	{ .name = "daily", .kind = FIELD_CUSTOM, .custom = config_daily_read,
	  .at = offsetof(struct config, alarm_daily) },
	{ .name = "heartbeat", .kind = FIELD_CUSTOM, .custom = read_heartbeat,
	  .at = offsetof(struct config, heartbeat) },
};
/* clang-format on */

/* clang-format off */
static const struct field retention_fields[] = {
	{ .name = "bodies", .kind = FIELD_CUSTOM, .custom = config_period_read,
	  .at = offsetof(struct retention, bodies) },
	{ .name = "challenges", .kind = FIELD_CUSTOM, .custom = config_period_read,
	  .at = offsetof(struct retention, challenges) },
	{ .name = "contacts", .kind = FIELD_CUSTOM, .custom = config_period_read,
	  .at = offsetof(struct retention, contacts) },
	{ .name = "ledger", .kind = FIELD_CUSTOM, .custom = config_period_read,
	  .at = offsetof(struct retention, ledger) },
};
/* clang-format on */

static void read_policies_path(struct reader *reader, config_setting_t *setting, void *at)
{
	(void)at;
	config_path_read(reader, setting, &loading_of(reader)->policies);
}

/* clang-format off */
static const struct field main_fields[] = {
	{ .name = "store", .kind = FIELD_CUSTOM, .custom = config_path_read, .required = true,
	  .at = offsetof(struct config, store) },
	{ .name = "state", .kind = FIELD_CUSTOM, .custom = config_path_read,
	  .at = offsetof(struct config, state) },
	{ .name = "poll", .kind = FIELD_CUSTOM, .custom = config_poll_read,
	  .at = offsetof(struct config, poll_seconds) },
	{ .name = "policies", .kind = FIELD_CUSTOM, .custom = read_policies_path },
	{ .name = "templates", .kind = FIELD_CUSTOM, .custom = config_path_read,
	  .at = offsetof(struct config, templates) },
	{ .name = "calendars", .kind = FIELD_LIST, .custom = config_calendars_read, .required = true },
	{ .name = "roles", .kind = FIELD_LIST, .custom = config_roles_read },
	{ .name = "partnership", .kind = FIELD_GROUP, .required = true,
	  .fields = partnership_fields, .field_count = COUNT(partnership_fields),
	  .at = offsetof(struct config, partnership) },
	{ .name = "mail", .kind = FIELD_CUSTOM, .custom = config_mail_read, .required = true,
	  .at = offsetof(struct config, mail) },
	{ .name = "alarm", .kind = FIELD_GROUP, .fields = alarm_fields,
	  .field_count = COUNT(alarm_fields) },
	{ .name = "metrics", .kind = FIELD_CUSTOM, .custom = config_path_read,
	  .at = offsetof(struct config, metrics) },
	{ .name = "defer_at_most", .kind = FIELD_CUSTOM, .custom = config_defer_read,
	  .at = offsetof(struct config, defer_at_most) },
	{ .name = "retention", .kind = FIELD_GROUP, .fields = retention_fields,
	  .field_count = COUNT(retention_fields), .at = offsetof(struct config, retention) },
};
/* clang-format on */

/* Whom this program itself must be able to reach has to be in an allowed domain as well. */
static void check_own_address(struct reader *reader, const char *path, const char *address)
{
	const struct mail_settings *mail = &loading_of(reader)->loaded->config.mail;
	const config_setting_t *setting = config_lookup(&reader->source->parsed, path);

	if (address[0] != '\0' && setting != NULL && mail->allow_domain_count > 0 &&
	    !address_is_allowed(address, mail->allow_domains, mail->allow_domain_count))
		reader_fault(reader, setting, "\"%s\" is in no domain of mail.allow_domains",
			     address);
}

static void copy_folder(const char *file, char ret[static PATH_MAX])
{
	const char *slash = strrchr(file, '/');
	char folder[PATH_MAX];
	size_t length = slash == NULL ? 1 : (size_t)(slash - file) + 1;

	(void)snprintf(folder, sizeof folder, "%.*s", (int)length, slash == NULL ? "." : file);
	/* One that is not there yet is known by its name alone. */
	if (realpath(folder, ret) == NULL)
		(void)snprintf(ret, PATH_MAX, "%s", folder);
}

/* Others write to the store's folder, and node_exporter reads nothing but *.prom. */
static void check_metrics(struct reader *reader, config_setting_t *root)
{
	const struct config *config = &loading_of(reader)->loaded->config;
	const config_setting_t *setting = config_setting_get_member(root, "metrics");
	size_t length = strlen(config->metrics);
	char store[PATH_MAX];
	char metrics[PATH_MAX];

	if (setting == NULL || length == 0)
		return;
	copy_folder(config->store, store);
	copy_folder(config->metrics, metrics);
	if (length < 6 || strcmp(config->metrics + length - 5, ".prom") != 0 ||
	    config->metrics[length - 6] == '/')
		reader_fault(reader, setting,
			     "must be a file whose name ends in .prom: nothing else is read by "
			     "node_exporter");
	else if (strcmp(store, metrics) == 0)
		reader_fault(reader, setting, "must not be in the folder of the store");
}

static void check_main(struct reader *reader)
{
	const struct config *config = &loading_of(reader)->loaded->config;
	config_setting_t *root = config_root_setting(&reader->source->parsed);
	const config_setting_t *retention = config_setting_get_member(root, "retention");
	bool unset = false;

	check_metrics(reader, root);
	check_own_address(reader, "partnership.inbox", config->partnership.inbox);
	for (size_t i = 0; i < config->alarm_to_count; i++)
		check_own_address(reader, "alarm.to", config->alarm_to[i]);
	if (config_setting_get_member(root, "alarm") == NULL)
		reader_warn_in(
			reader, root, "alarm",
			"left out: nobody is mailed when the program itself is in trouble");
	for (size_t i = 0; i < COUNT(retention_fields); i++)
		if (retention == NULL ||
		    config_setting_get_member(retention, retention_fields[i].name) == NULL)
			unset = true;
	if (unset)
		reader_warn_in(
			reader, root, "retention",
			"bodies, challenges, contacts and ledger are not all set: how long "
			"to keep them is the partnership's decision");
}

void config_main_defaults(struct reader *reader, struct config *config)
{
	reader_fallbacks(main_fields, COUNT(main_fields), config);
	config_mail_defaults(&config->mail);
	config->store = "";
	config->state = "/var/lib/challenge-notifyd";
	config->templates = resolve(reader, "templates");
	config->poll_seconds = 15;
	config->defer_at_most = (struct timescale){ TIMESCALE_WORKING_DAYS, 1 };
	config->alarm_daily = -1;
	reader_fallbacks(heartbeat_fields, COUNT(heartbeat_fields), &config->heartbeat);
	config->heartbeat.ca = "";
	config->metrics = "";
	loading_of(reader)->policies = resolve(reader, "policies");
}

void config_main_read(struct reader *reader, struct config *config)
{
	reader_group(reader, config_root_setting(&reader->source->parsed), main_fields,
		     COUNT(main_fields), config);
	check_main(reader);
}
