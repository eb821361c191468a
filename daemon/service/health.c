/* health.c - see health.h. */
#include "service/health.h"

bool health_is_alive(const struct health *health)
{
	int64_t patience = HEALTH_POLLS * health->poll_interval;

	if (patience < HEALTH_POLL_LEAST)
		patience = HEALTH_POLL_LEAST;
	if (health->last_poll == INT64_MIN || health->now - health->last_poll >= patience)
		return false;
	return health->oldest_send == INT64_MAX ||
	       health->now - health->oldest_send < HEALTH_SEND_SECONDS;
}

static void append_counts(const struct health *health, struct text *text)
{
	text_appendf(text, "%lld %s ready, %lld %s for sending hours", (long long)health->ready,
		     text_plural(health->ready, "mail", "mails"), (long long)health->decided,
		     text_plural(health->decided, "notice waits", "notices wait"));
	if (health->in_hand > 0)
		text_appendf(text, ", %zu being sent", health->in_hand);
	if (health->flood > 0)
		text_appendf(text,
			     "; %s, and %lld %s HELD: "
			     "challengectl queue release --all, or adopt",
			     health->restored ? "the ledger was put back from a copy"
					      : "far more fell due than usual",
			     (long long)health->flood,
			     text_plural(health->flood, "notice is", "notices are"));
	if (health->held > 0)
		text_appendf(text, "; %lld %s HELD for a person: challengectl queue list",
			     (long long)health->held,
			     text_plural(health->held, "mail is", "mails are"));
}

void health_status(const struct health *health, struct text *ret)
{
	if (health->trouble[0] != '\0')
		text_appendf(ret, "TROUBLE: %s; ", health->trouble);
	else
		text_append(ret, "Watching the store; ");
	if (health->unwatched > 0)
		text_appendf(ret, "%lld open challenges are NOT WATCHED: challengectl status; ",
			     (long long)health->unwatched);
	append_counts(health, ret);
	if (health->pause[0] != '\0')
		text_appendf(ret, "; sending is PAUSED: %s", health->pause);
	if (health->approval[0] != '\0')
		text_appendf(ret, "; %s", health->approval);
	if (health->reload[0] != '\0')
		text_appendf(ret, "; %s", health->reload);
}
