/*
 * config_file - the main file and the policies, read with libconfig and checked.
 *
 * libconfig's traps (facts.md 2, 3) are closed behind this: the bytes are read by us,
 * `@include` is refused, a child process parses first, numbers are ranged. Everything wrong is
 * collected, each fault at its file and line; a configuration with a fault is never handed out,
 * half or whole.
 */
#ifndef ADAPTER_CONFIG_FILE_H
#define ADAPTER_CONFIG_FILE_H

#include "base/fault.h"
#include "core/policy.h"
#include "core/recipient.h"

struct named_calendar {
	const char *id;
	const struct calendar *calendar;
	const char *version; /* digest of its hours, holidays and closures (digest.h) */
	int line;
};

enum mail_login { LOGIN_NONE, LOGIN_PLAIN, LOGIN_LOGIN, LOGIN_XOAUTH2 };

struct mail_settings {
	const char *relay;    /* smtps://host[:465], smtp://host[:587]; no path, no user */
	bool clear_text;      /* smtp:// to a literal loopback address */
	const char *relay_ca; /* file of a private CA (key `ca`); "": the system's */
	const char *ehlo;     /* name said in EHLO; "": the host's */
	const char *from_name;
	const char *from_address;
	const char *reply_to;      /* "": none */
	const char *envelope_from; /* from_address when not set */
	enum mail_login login;
	const char *user;
	const char *credential; /* name of the systemd credential */
	const char *tenant;     /* XOAUTH2 */
	const char *client;
	const char *token_url;  /* "": Microsoft's, made from the tenant */
	int connections;        /* 1..8 */
	int per_minute;         /* 0: no limit */
	int per_person_per_day; /* 0: no limit */
	int hold_above;         /* notices of one day, if far more than usual; 0: never */
	const char *const *allow_domains;
	size_t allow_domain_count;
	const char *subject_prefix;
	const char *link; /* with {reference}; "": none */
	bool show_agencies;
	bool calendar_attachment; /* what is owed, as an entry for the reader's calendar */
};

enum period_unit { PERIOD_UNSET, PERIOD_DAYS, PERIOD_WEEKS, PERIOD_MONTHS, PERIOD_YEARS };

struct period {
	int32_t amount;
	enum period_unit unit;
};

/* How long things are kept: the partnership's decision, so nothing is set by default. */
struct retention {
	struct period bodies;     /* rendered mails */
	struct period challenges; /* after they ended */
	struct period contacts;   /* after they became inactive */
	struct period ledger;     /* payloads of ledger entries; the chain itself stays */
};

/* An address that is fetched while all is well; a dead man's switch elsewhere misses it when
 * not. */
struct heartbeat_settings {
	const char *url;        /* "": it stands in the credential */
	const char *credential; /* name of the systemd credential; "": there is none */
	const char *ca;         /* file of a private CA; "": the system's */
	int64_t every_seconds;  /* 0: no heartbeat */
};

struct config {
	const char *file;   /* as given */
	const char *digest; /* SHA-256 over the bytes of every file read, hexadecimal */
	const char *text;   /* every file read, to be kept: config_load_text reads it */
	const char *store;  /* absolute, or relative to the working folder: resolved already */
	const char *state; /* folder of the ledger; $STATE_DIRECTORY is the caller's business */
	const char *templates; /* folder */
	int64_t poll_seconds;
	struct timescale defer_at_most;
	const struct named_calendar *calendars;
	size_t calendar_count;
	const struct role_rule *roles;
	size_t role_count;
	struct partnership partnership;
	struct mail_settings mail;
	const char *const *alarm_to;
	size_t alarm_to_count;
	int32_t alarm_daily; /* second of the day; -1: none */
	struct heartbeat_settings heartbeat;
	const char *metrics; /* file in Prometheus' text format, *.prom; "": none */
	struct retention retention;
	const struct policy *const *policies;
	size_t policy_count;
};

/*
 * Reads the main file and all that it names. `faults` gets every fault and warning; NULL is
 * returned (with *error set) only when it could not be read at all or has faults. A child
 * process parses each file first. Free with config_free: libconfig has a config_destroy of
 * its own, with which one of ours would be mixed up by the linker.
 */
MUST_CHECK struct config *config_load(const char *file, struct fault_list *faults,
				      struct error *error);

/*
 * The same, but with these policy files instead of those in the folder, each checked in the
 * context of the main file even where that has faults of its own.
 */
MUST_CHECK struct config *config_load_policies(const char *file, const char *const *policies,
					       size_t count, struct fault_list *faults,
					       struct error *error);

/*
 * A configuration as it was when `text` was its config.text, whatever became of its files
 * since. Faults as above: a later program may know better.
 */
MUST_CHECK struct config *config_load_text(const char *text, struct fault_list *faults,
					   struct error *error);

/* NULL is fine. */
void config_free(struct config *config);
void config_destroyp(struct config **config);

/* True for a file that begins with `policy`; false too when it cannot be read. */
bool config_is_policy_file(const char *file);

/*
 * The policy of that id and version; version "" or NULL: the only version loaded.
 * NULL with -ENOENT set and a text that says which there are.
 */
const struct policy *config_policy(const struct config *config, const char *id,
				   const char *version, struct error *error);

/* NULL: no such calendar. */
const struct calendar *config_calendar(const struct config *config, const char *id);

/* The calendar that a policy of this configuration counts by. NULL: a policy of another. */
const struct named_calendar *config_calendar_of(const struct config *config,
						const struct policy *policy);

#endif
