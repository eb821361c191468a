/*
 * policy - one version of a partnership's escalation policy, as data.
 *
 * Built by adapter/config_file from a file that people edit, checked there, and const from then
 * on. Lists name stages, roles and kinds by their place in the policy's own tables. The
 * language is design section 4; nothing about any policy is in code.
 */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include "core/timescale.h"

enum {
	POLICY_ROLES = 64,    /* the most distinct role tokens in one policy */
	POLICY_TOLD = 32,     /* the most roles that one notice may tell */
	POLICY_REMINDERS = 8, /* for one obligation */
	POLICY_URGENCIES = 8,
	POLICY_OBLIGATIONS = 64, /* of all stages together and overall */
	POLICY_STAGES = 32,
	POLICY_KINDS = 64, /* event kinds: the known ones and the policy's own */
};

/* A place in policy.roles; or ROLE_OWNER, which stands for whoever owns the obligation. */
typedef uint8_t role_index;
enum { ROLE_OWNER = 255 };

enum side { SIDE_RAISING, SIDE_RECEIVING, SIDE_PARTNERSHIP };

struct role {
	const char
		*token; /* "receiving.manager": as in --json, in the notice key and in files */
	enum side side;
	const char *name; /* "manager": the role, one of the main file's `roles` */
};

struct role_set {
	role_index role[POLICY_TOLD]; /* in the order of the file, each once; both.R is two */
	uint8_t count;
};

struct reminder {
	const char *text;        /* as in the file: "50%", "1 working day before" */
	int32_t percent;         /* 1..99; 0: `before` holds */
	struct timescale before; /* so long before the due instant */
};

/* A place in policy.kinds. */
typedef uint8_t kind_index;
/* In obligation.starts: it starts when its stage is entered. */
enum { KIND_STAGE_ENTRY = 254 };
enum { STAGE_NONE = -1 };

struct obligation {
	const char *id;
	int stage;             /* place in policy.stages; STAGE_NONE: an overall obligation */
	struct role_set owner; /* empty: whoever owns the stage in effect */
	kind_index starts;
	kind_index ends[POLICY_KINDS];
	size_t end_count; /* a stage's shorthand has none: it ends when the stage is left */
	struct timescale limit[POLICY_URGENCIES]; /* by place in policy.urgencies */
	bool firm;
	struct reminder reminders[POLICY_REMINDERS];
	size_t reminder_count;
	int escalate_to;           /* place in policy.stages; STAGE_NONE */
	struct role_set breach_to; /* empty: the owner */
	struct timescale every;    /* unit NONE: no repeat */
	const char *every_text;    /* as in the file: the step of an `overdue` notice; "" */
	int32_t times;             /* 0: until the challenge ends */
	int line;                  /* where its group begins in the file */
	int limit_line;            /* where its limit stands; 0: it has none */
};

struct stage {
	const char *id;
	const char *title;
	struct role_set owner;
	struct role_set inform;  /* told, with the owner, when the stage is entered */
	size_t first_obligation; /* its obligations stand together in policy.obligations */
	size_t obligation_count;
	int line;
};

struct policy {
	const char *id;
	const char *version;
	const char *title;
	const char *source;   /* where the published text is; "" */
	const char *guidance; /* a link; "" */
	const char *learning_title;
	const char *learning_url;
	const char *file;   /* as named in faults and by explain */
	const char *digest; /* SHA-256 of the file's bytes, lower-case hexadecimal */
	const char *const *causes;
	size_t cause_count;
	const char *const *outcomes;
	size_t outcome_count;
	const struct calendar *calendar;         /* borrowed */
	const char *urgencies[POLICY_URGENCIES]; /* the first is the default */
	size_t urgency_count;
	struct counting counting;
	struct role_set immediate_to;
	struct timescale quiet_after;
	struct role_set quiet_to;
	struct timescale acknowledge_mutes; /* unit NONE: an acknowledgement mutes nothing */
	struct role roles[POLICY_ROLES];
	size_t role_count;
	const char *kinds[POLICY_KINDS]; /* event_kinds first, in that order; then its own */
	size_t kind_count;
	struct stage stages[POLICY_STAGES];
	size_t stage_count;
	struct obligation obligations[POLICY_OBLIGATIONS]; /* those of stages, then overall */
	size_t obligation_count;
};

/* The place of an urgency; -1: the policy does not know it ("" is the default, place 0). */
int policy_urgency(const struct policy *policy, const char *urgency);
/* The place of a stage id; STAGE_NONE when there is none. */
int policy_stage(const struct policy *policy, const char *id);
/* The place of an event kind; -1 when the policy does not know it. */
int policy_kind(const struct policy *policy, const char *kind);

/* Adds a role to a set unless it is there; false when the set is full. */
bool role_set_add(struct role_set *set, role_index role);

#endif
