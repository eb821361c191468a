/* metrics.c - see metrics.h. */
#include "service/metrics.h"

#include "core/delivery.h"

#define PREFIX "challenge_notifyd_"

static void head(struct text *out, const char *name, const char *type, const char *help)
{
	text_appendf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name,
		     type);
}

static void gauge(struct text *out, const char *name, int64_t value, const char *help)
{
	head(out, name, "gauge", help);
	text_appendf(out, PREFIX "%s %lld\n", name, (long long)value);
}

static void counter(struct text *out, const char *name, int64_t value, const char *help)
{
	head(out, name, "counter", help);
	text_appendf(out, PREFIX "%s %lld\n", name, (long long)value);
}

static void moment(struct text *out, const char *name, struct instant at, const char *help)
{
	if (!instant_is_never(at))
		gauge(out, name, at.seconds, help);
}

static void render_program(const struct metrics *metrics, struct text *out)
{
	head(out, "build_info", "gauge", "The version of the program, as a label.");
	text_append(out, PREFIX "build_info{version=\"" VERSION "\"} 1\n");
	head(out, "config_info", "gauge", "The configuration in force, by its digest.");
	text_appendf(out, PREFIX "config_info{digest=\"%s\"} 1\n", metrics->config->digest);
	gauge(out, "config_approved", metrics->approved,
	      "Whether nothing is held until the configuration is approved.");
	gauge(out, "config_last_reload_successful", metrics->reloaded,
	      "Whether the last reload of the configuration was taken on.");
	moment(out, "start_time_seconds", metrics->started,
	       "When the program began, since the epoch.");
	moment(out, "last_good_poll_timestamp_seconds", metrics->last_poll,
	       "When the store was last looked at and all that was due decided.");
	gauge(out, "poll_interval_seconds", metrics->config->poll_seconds,
	      "The time from one poll to the next.");
	moment(out, "next_event_timestamp_seconds", metrics->next,
	       "The next instant at which something is planned.");
}

static void render_challenges(const struct metrics *metrics, struct text *out)
{
	const struct proof_state *proof = &metrics->proof;

	if (proof->verdict != PROOF_UNKNOWN)
		gauge(out, "promise_kept", proof->verdict == PROOF_KEPT,
		      "Whether every open challenge has something to come.");
	if (instant_is_never(proof->at))
		return;
	moment(out, "last_proof_timestamp_seconds", proof->at,
	       "When the look at every challenge began that the next figures are of.");
	gauge(out, "challenges_unwatched", proof->broken,
	      "Open challenges that nothing is to come for.");
	gauge(out, "challenges_open", proof->counts.open, "Open challenges.");
	gauge(out, "challenges_due_today", proof->counts.due_today,
	      "Open challenges of which something falls due today.");
	gauge(out, "challenges_overdue", proof->counts.overdue,
	      "Open challenges that are past their time.");
}

static void render_mails(const struct metrics *metrics, struct text *out)
{
	static const enum delivery_state waiting[] = {
		DELIVERY_DECIDED, DELIVERY_READY,    DELIVERY_ATTEMPTING,
		DELIVERY_RETRY,   DELIVERY_IN_DOUBT, DELIVERY_HELD,
	};

	head(out, "queue_items", "gauge",
	     "Mails, and notices that have no mail yet, by state.");
	for (size_t i = 0; i < COUNT(waiting); i++)
		text_appendf(out, PREFIX "queue_items{state=\"%s\"} %lld\n",
			     delivery_state_name(waiting[i]),
			     (long long)metrics->queue[waiting[i]]);
	moment(out, "oldest_queued_mail_timestamp_seconds", metrics->totals.oldest,
	       "When the oldest mail that is to be sent was written.");
	gauge(out, "flood_held_notices", metrics->flood,
	      "Notices held since far more fell due than usual.");
	gauge(out, "sending_paused", metrics->paused, "Whether the relay cannot be used.");
	counter(out, "notices_decided_total", metrics->totals.notices,
		"Notices decided since the ledger was new.");
	counter(out, "mails_written_total", metrics->totals.mails,
		"Mails written since the ledger was new.");
	counter(out, "mails_accepted_total", metrics->queue[DELIVERY_ACCEPTED],
		"Mails that the relay has accepted since the ledger was new.");
	counter(out, "mails_refused_total", metrics->queue[DELIVERY_REFUSED],
		"Mails whose address was refused since the ledger was new.");
}

/* The end of the last day that the list of a calendar covers. */
static void render_holidays(const struct config *config, struct text *out)
{
	static const char name[] = "holidays_known_until_timestamp_seconds";
	bool begun = false;

	for (size_t i = 0; i < config->calendar_count; i++) {
		int32_t until = calendar_plan(config->calendars[i].calendar)->covered_until;

		if (until == INT32_MAX)
			continue;
		if (!begun)
			head(out, name, "gauge",
			     "The end of what the list of holidays covers.");
		begun = true;
		/* An id holds nothing that would have to be escaped. */
		text_appendf(out, PREFIX "%s{calendar=\"%s\"} %lld\n", name,
			     config->calendars[i].id, ((long long)until + 1) * SECONDS_PER_DAY);
	}
}

static void render_heartbeat(const struct heartbeat_state *heartbeat, struct text *out)
{
	if (!heartbeat->configured)
		return;
	gauge(out, "heartbeat_failing", heartbeat->failing,
	      "Whether the last heartbeat was not answered.");
	moment(out, "heartbeat_last_answer_timestamp_seconds", heartbeat->heard,
	       "When a heartbeat was last answered.");
}

void metrics_render(const struct metrics *metrics, struct text *ret)
{
	render_program(metrics, ret);
	render_challenges(metrics, ret);
	render_mails(metrics, ret);
	render_holidays(metrics->config, ret);
	render_heartbeat(&metrics->heartbeat, ret);
}
