/*
 * config_policy_internal - what the files that read a policy share. For no others.
 */
#ifndef ADAPTER_CONFIG_POLICY_INTERNAL_H
#define ADAPTER_CONFIG_POLICY_INTERNAL_H

#include "adapter/config_policy.h"

/* What the rows' functions need besides the reader. */
struct policy_reading {
	struct policy *policy;
	const struct policy_world *world;
	int stage;                   /* the one being read; STAGE_NONE in `overall` */
	bool overall_unowned;        /* some overall obligation has no owner of its own */
	bool unowned[POLICY_STAGES]; /* faulted already for having no owner */
};
struct policy_reading *policy_reading_of(const struct reader *reader);

/* --- lengths of time ------------------------------------------------------------------------
 */

#define UNIT(unit) (1u << (unit))
enum {
	DISTANCE_UNITS = UNIT(TIMESCALE_WORKING_DAYS) | UNIT(TIMESCALE_WORKING_WEEKS) |
			 UNIT(TIMESCALE_WORKING_HOURS) | UNIT(TIMESCALE_HOURS) |
			 UNIT(TIMESCALE_DAYS) | UNIT(TIMESCALE_WEEKS),
	REPEAT_UNITS = DISTANCE_UNITS | UNIT(TIMESCALE_MONTHS),
	LIMIT_UNITS = DISTANCE_UNITS | UNIT(TIMESCALE_SAME_WORKING_DAY) |
		      UNIT(TIMESCALE_END_OF_NEXT_WORKING_DAY) | UNIT(TIMESCALE_AS_AGREED),
};

/* A length of time in one of these units; false after noting what is wrong. */
MUST_CHECK bool policy_scale_parse(struct reader *reader, const config_setting_t *setting,
				   const char *text, unsigned units, struct timescale *ret);
bool policy_scale_read(struct reader *reader, const config_setting_t *setting, unsigned units,
		       struct timescale *ret);

/* --- roles, event kinds, stages -------------------------------------------------------------
 */

/* Adds what a token names ("raising.designated_lead", "both.x", "owner" where it may stand). */
void policy_role_add(struct reader *reader, const config_setting_t *setting, const char *token,
		     struct role_set *set, bool owner_may);

/* What must hold between all stages; `group` is the policy. */
void policy_ladder_check(struct reader *reader, config_setting_t *group,
			 const struct policy *policy, const struct policy_reading *reading);

/* --- for struct field, as `custom` ----------------------------------------------------------
 */

/* A struct timescale; a struct obligation's `every`. */
void policy_distance_read(struct reader *reader, config_setting_t *setting, void *at);
void policy_every_read(struct reader *reader, config_setting_t *setting, void *obligation);
/* A struct role_set: without "owner", and with it. */
void policy_people_read(struct reader *reader, config_setting_t *setting, void *at);
void policy_told_read(struct reader *reader, config_setting_t *setting, void *at);
/* The policy's own kinds; a kind_index that starts an obligation's clock; those that end it. */
void policy_events_read(struct reader *reader, config_setting_t *setting, void *policy);
void policy_starts_read(struct reader *reader, config_setting_t *setting, void *at);
void policy_ends_read(struct reader *reader, config_setting_t *setting, void *obligation);
void policy_limit_read(struct reader *reader, config_setting_t *setting, void *obligation);
void policy_remind_read(struct reader *reader, config_setting_t *setting, void *obligation);
void policy_stages_read(struct reader *reader, config_setting_t *list, void *policy);
void policy_overall_read(struct reader *reader, config_setting_t *list, void *policy);

#endif
