/*
 * config_mail.c - the main file's group `mail`: the relay, the login there, who is written to
 * and how much.
 */
#include "adapter/config_main.h"

#include "core/address.h"
#include "core/url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *after(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : NULL;
}

static int check_relay(const char *text, struct error *error)
{
	const char *authority = after(text, "smtps://");
	char host[URL_HOST_SIZE];

	if (authority == NULL)
		authority = after(text, "smtp://");
	if (authority == NULL || !url_split_authority(authority, host))
		return error_set(error, EINVAL,
				 "\"%.100s\" must be smtps://host[:465] or smtp://host[:587], "
				 "with nothing after it",
				 text);
	return 0;
}

/* True for smtp:// to a literal loopback address: a name could come to mean another host. */
static bool relay_is_loopback(const char *relay)
{
	const char *authority = after(relay, "smtp://");
	char host[URL_HOST_SIZE];

	return authority != NULL && url_split_authority(authority, host) &&
	       url_is_loopback(host);
}

static int check_ehlo(const char *text, struct error *error)
{
	return text[0] == '\0' || url_is_host(text)
		       ? 0
		       : error_set(error, EINVAL, "\"%.100s\" is no host name", text);
}

/* The client's secret goes there: not in clear, not even to this machine. */
static int check_token_url(const char *text, struct error *error)
{
	if (text[0] != '\0' && after(text, "https://") == NULL)
		return error_set(error, EINVAL, "must begin with https://");
	return text[0] == '\0' ? 0 : url_check_web(text, error);
}

static int check_prefix(const char *text, struct error *error)
{
	return strlen(text) <= 60 ? 0 : error_set(error, EINVAL, "is longer than 60 bytes");
}

/* "Name <address>" or the address alone. */
static void read_from(struct reader *reader, config_setting_t *setting, void *at)
{
	struct mail_settings *mail = at;
	const char *text = reader_text(reader, setting);
	const char *open = text != NULL ? strchr(text, '<') : NULL;
	char address[300];
	size_t name = 0;
	struct error error = { 0 };

	if (text == NULL)
		return;
	if (open == NULL) {
		(void)snprintf(address, sizeof address, "%s", text); /* too long: faulted */
	} else {
		(void)snprintf(address, sizeof address, "%s", open + 1);
		if (strlen(open + 1) < 2 || strchr(open, '>') != open + strlen(open) - 1) {
			reader_fault(reader, setting,
				     "\"%s\" must be \"Name <address>\" or an address", text);
			return;
		}
		address[strcspn(address, ">")] = '\0';
		for (name = (size_t)(open - text); name > 0 && text[name - 1] == ' ';)
			name--;
	}
	if (address_check(address, &error) < 0) {
		reader_fault(reader, setting, "%s", error.text);
		return;
	}
	mail->from_address = reader_copy(reader, address);
	if (name > 0) {
		char *copy = arena_copy(reader->arena, text, name + 1);

		if (copy == NULL) {
			reader->out_of_memory = true;
			return;
		}
		copy[name] = '\0';
		mail->from_name = copy;
	}
}

static const char *const mechanisms[] = {
	[LOGIN_NONE] = "none",
	[LOGIN_PLAIN] = "PLAIN",
	[LOGIN_LOGIN] = "LOGIN",
	[LOGIN_XOAUTH2] = "XOAUTH2",
	NULL,
};

/* clang-format off */
static const struct field login_fields[] = {
	{ .name = "user", .kind = FIELD_TEXT, .required = true, .check = check_not_empty,
	  .at = offsetof(struct mail_settings, user) },
	{ .name = "mechanism", .kind = FIELD_CHOICE, .required = true, .words = mechanisms,
	  .at = offsetof(struct mail_settings, login) },
	{ .name = "credential", .kind = FIELD_TEXT, .required = true, .check = check_id,
	  .at = offsetof(struct mail_settings, credential) },
	{ .name = "tenant", .kind = FIELD_TEXT, .check = check_id,
	  .at = offsetof(struct mail_settings, tenant) },
	{ .name = "client", .kind = FIELD_TEXT, .check = check_id,
	  .at = offsetof(struct mail_settings, client) },
	{ .name = "token_url", .kind = FIELD_TEXT, .check = check_token_url,
	  .at = offsetof(struct mail_settings, token_url) },
};
/* clang-format on */

static void read_login(struct reader *reader, config_setting_t *group, void *at)
{
	struct mail_settings *mail = at;

	reader_group(reader, group, login_fields, COUNT(login_fields), mail);
	if (mail->login == LOGIN_XOAUTH2) {
		if (mail->client[0] == '\0')
			reader_fault_in(reader, group, "client", "is required for XOAUTH2");
		if (mail->tenant[0] == '\0' && mail->token_url[0] == '\0')
			reader_fault_in(reader, group, "tenant",
					"is required for XOAUTH2 (or a token_url)");
	} else if (mail->tenant[0] != '\0' || mail->client[0] != '\0' ||
		   mail->token_url[0] != '\0') {
		reader_fault(reader, group,
			     "tenant, client and token_url are for XOAUTH2 only");
	}
}

/* clang-format off */
static const struct field mail_fields[] = {
	{ .name = "relay", .kind = FIELD_TEXT, .required = true, .check = check_relay,
	  .at = offsetof(struct mail_settings, relay) },
	{ .name = "ca", .kind = FIELD_CUSTOM, .custom = config_path_read,
	  .at = offsetof(struct mail_settings, relay_ca) },
	{ .name = "ehlo", .kind = FIELD_TEXT, .check = check_ehlo,
	  .at = offsetof(struct mail_settings, ehlo) },
	{ .name = "from", .kind = FIELD_CUSTOM, .custom = read_from, .required = true },
	{ .name = "reply_to", .kind = FIELD_TEXT, .check = address_check,
	  .at = offsetof(struct mail_settings, reply_to) },
	{ .name = "envelope_from", .kind = FIELD_TEXT, .check = address_check,
	  .at = offsetof(struct mail_settings, envelope_from) },
	{ .name = "login", .kind = FIELD_CUSTOM, .custom = read_login },
	{ .name = "connections", .kind = FIELD_NUMBER, .min = 1, .max = 8, .fallback = 1,
	  .at = offsetof(struct mail_settings, connections) },
	{ .name = "per_minute", .kind = FIELD_NUMBER, .max = 10000, .fallback = 30,
	  .at = offsetof(struct mail_settings, per_minute) },
	{ .name = "per_person_per_day", .kind = FIELD_NUMBER, .max = 1000, .fallback = 10,
	  .at = offsetof(struct mail_settings, per_person_per_day) },
	{ .name = "hold_above", .kind = FIELD_NUMBER, .max = 1000000, .fallback = 50,
	  .at = offsetof(struct mail_settings, hold_above) },
	{ .name = "allow_domains", .kind = FIELD_TEXTS, .required = true,
	  .check = address_check_domain, .at = offsetof(struct mail_settings, allow_domains),
	  .count_at = offsetof(struct mail_settings, allow_domain_count) },
	{ .name = "subject_prefix", .kind = FIELD_TEXT, .check = check_prefix,
	  .at = offsetof(struct mail_settings, subject_prefix) },
	{ .name = "link", .kind = FIELD_TEXT, .check = check_link,
	  .at = offsetof(struct mail_settings, link) },
	{ .name = "show_agencies", .kind = FIELD_FLAG, .fallback = 1,
	  .at = offsetof(struct mail_settings, show_agencies) },
	{ .name = "calendar_attachment", .kind = FIELD_FLAG,
	  .at = offsetof(struct mail_settings, calendar_attachment) },
};
/* clang-format on */

void config_mail_read(struct reader *reader, config_setting_t *group, void *at)
{
	struct mail_settings *mail = at;

	reader_group(reader, group, mail_fields, COUNT(mail_fields), mail);
	if (mail->envelope_from[0] == '\0')
		mail->envelope_from = mail->from_address;
	mail->clear_text = relay_is_loopback(mail->relay) && mail->login == LOGIN_NONE;
	if (mail->link[0] != '\0' && strstr(mail->link, "{reference}") == NULL)
		reader_warn(reader, config_setting_get_member(group, "link"),
			    "has no {reference}: every mail links to the same page");
}

void config_mail_defaults(struct mail_settings *mail)
{
	reader_fallbacks(mail_fields, COUNT(mail_fields), mail);
	reader_fallbacks(login_fields, COUNT(login_fields), mail);
	mail->relay_ca = "";
	mail->from_name = "";
	mail->from_address = "";
}
