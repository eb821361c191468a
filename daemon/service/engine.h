/*
 * engine - the daemon without its loop: configuration, ledger, pass and post, opened together
 * and taken through one cycle at a time. `--once` and the service both drive it.
 */
#ifndef SERVICE_ENGINE_H
#define SERVICE_ENGINE_H

#include "adapter/pulse.h"
#include "service/alarm.h"
#include "service/heartbeat.h"
#include "service/pass.h"
#include "service/post.h"
#include "service/reload.h"

enum service_exit {
	SERVICE_DONE = 0,
	SERVICE_NO = 1, /* --check-config found faults */
	SERVICE_USAGE = 2,
	SERVICE_COULD_NOT = 3, /* another daemon, or the state cannot be opened */
	/* EX_CONFIG of sysexits.h, for what only a person can put right: the configuration is
	 * bad, or the ledger of a newer version. systemd does not start again. */
	SERVICE_CONFIG = 78,
};

struct engine {
	const struct clock *clock;
	const char *config_file;
	struct setup setup;
	int lock;
	struct ledger *ledger;
	struct pass *pass;
	struct post *post;
	struct alarms alarms;
	struct heartbeat *heartbeat;
	struct pulse *pulse; /* NULL: it could not be made, which was told */
	struct pulse_beat beat;
	int64_t metrics_due; /* CLOCK_BOOTTIME second */
	bool metrics_failing;
	bool reload_refused; /* the last one; the configuration before it is in use */
	bool worked;         /* memory was taken for it that is not needed while idle */
	bool recovered;      /* what a killed daemon left in hand has been dealt with */
};

/*
 * Opens everything but the store. 0, or the exit status after one line that says what is wrong
 * and what to do. Close with engine_close also after a failure.
 */
MUST_CHECK int engine_open(struct engine *engine, const char *config_file,
			   const struct clock *clock);
void engine_close(struct engine *engine);

/* One pass, and mails given to senders. Negative when the ledger or memory failed. */
MUST_CHECK int engine_cycle(struct engine *engine, struct pass_report *ret,
			    struct error *error);

/*
 * Stores alarm mails for what is wrong now, each once; engine_cycle does so by itself, and they
 * go with the next post_run. Negative when the ledger or memory failed.
 */
MUST_CHECK int engine_alarm(struct engine *engine, const struct pass_report *report,
			    struct error *error);

/* Writes the metrics, where there are to be any; engine_cycle does so by itself now and then.
 */
void engine_metrics(struct engine *engine, const struct pass_report *report);

/*
 * Reads the configuration anew, all or nothing; logs either outcome. False when it was refused
 * (*error says why), and the one in use goes on.
 */
bool engine_reload(struct engine *engine, struct error *error);

/*
 * An entry of that kind in the chain, with the program's version and the configuration's
 * digest. A ledger that cannot take it fails the next cycle too, which tells.
 */
void engine_note(struct engine *engine, const char *kind);

#endif
