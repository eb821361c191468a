/* standing.c - see standing.h; a view of timeline(), like everything that speaks of time. */
#include "ctl/standing.h"

#include <string.h>

int standing_find(const struct config *config, struct timeline *timeline,
		  struct challenge *challenge, struct instant now, struct standing *ret,
		  struct error *error)
{
	struct standing standing = { .raised = INSTANT_NEVER,
				     .state = { .stage = STAGE_NONE } };
	struct entry entry;
	int result;

	challenge_settle(challenge);
	for (size_t i = 0; i < challenge->event_count; i++)
		if (strcmp(challenge->events[i].kind, "raised") == 0 &&
		    !instant_before(now, challenge->events[i].at)) {
			standing.raised = challenge->events[i].at;
			break;
		}
	standing.policy =
		config_policy(config, challenge->policy, challenge->policy_version, NULL);
	if (standing.policy != NULL) {
		timeline_begin(timeline, standing.policy, challenge);
		do
			result = timeline_next(timeline, now, &entry, error);
		while (result > 0);
		if (result < 0)
			return result;
		standing.state = timeline_state(timeline);
	}
	*ret = standing;
	return 0;
}

const char *standing_stage(const struct standing *standing)
{
	if (standing->policy == NULL || standing->state.stage == STAGE_NONE)
		return "";
	return standing->policy->stages[standing->state.stage].id;
}

const char *standing_word(const struct standing *standing)
{
	if (standing->policy == NULL)
		return "no policy";
	if (instant_is_never(standing->raised))
		return "not raised";
	if (standing->state.ended)
		return "ended";
	if (!standing->state.open)
		return "resolved";
	return standing->state.paused ? "paused" : "open";
}

const struct zone *standing_zone(const struct standing *standing)
{
	return standing->policy != NULL ? calendar_zone(standing->policy->calendar) : NULL;
}
