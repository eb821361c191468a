/*
 * metrics - figures for Prometheus, in the text format of node_exporter's textfile collector.
 *
 * Counts, times and states of the program; no reference, no role, no person. When the daemon is
 * gone the file stays: that challenge_notifyd_last_good_poll_timestamp_seconds grows old tells
 * it.
 */
#ifndef SERVICE_METRICS_H
#define SERVICE_METRICS_H

#include "adapter/ledger_care.h"
#include "service/heartbeat.h"
#include "service/pass.h"

enum { METRICS_SECONDS = 60 }; /* between two writings of the file */

struct metrics {
	const struct config *config;
	struct instant started;
	struct instant last_poll; /* the last good one; NEVER */
	struct instant next;      /* NEVER: nothing is planned */
	struct proof_state proof;
	int64_t queue[DELIVERY_STATE_COUNT];
	struct ledger_totals totals;
	struct heartbeat_state heartbeat;
	int64_t flood; /* notices that are held by one */
	bool paused;
	bool approved;
	bool reloaded; /* the last reload, if there was one, was taken on */
};

/* Appends all of them. A time or a count that is not known is left out. */
void metrics_render(const struct metrics *metrics, struct text *ret);

#endif
