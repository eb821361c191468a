/* ledger_access.c - see ledger_access.h. */
#include "ctl/ledger_access.h"

#include "ctl/entry.h"
#include "ctl/terminal.h"

#include <errno.h>

const char *ctl_ledger_advice(int code)
{
	switch (code) {
	case ENOENT:
		return "The daemon makes it when it first runs; is --config the one it uses?";
	case EACCES:
		return "Run this as root or as the daemon's user.";
	case EBUSY:
		return "Try again in a moment.";
	case ESTALE:
		return "Start the daemon (systemctl start challenge-notifyd), which brings it "
		       "up to date; if it runs, restart it.";
	case EPROTO:
		return "Use the challengectl of that version.";
	default:
		return "";
	}
}

int ctl_ledger(struct ctl *ctl, enum ledger_access access, struct ledger **ret)
{
	const struct config *config = ctl_config(ctl);
	struct error error = { 0 };

	if (config == NULL)
		return EXIT_COULD_NOT;
	if (ledger_open(ctl_state_folder(config), access, ret, &error) < 0)
		return ctl_fail(ctl, &error, ctl_ledger_advice(error.code));
	return EXIT_DONE;
}

int ctl_who_and_why(struct ctl *ctl, const char *by, const char *why)
{
	if (by == NULL || by[0] == '\0' || why == NULL || why[0] == '\0')
		return ctl_usage(ctl, "say who decides and why: --by NAME --why TEXT");
	return EXIT_DONE;
}

static void tell_rows(void *context, size_t rows)
{
	progress_step(context, rows);
}

int ctl_verify(const struct ctl *ctl, struct ledger *ledger, struct ledger_verification *ret,
	       struct error *error)
{
	CLEANUP(progress_end) struct progress progress = progress_begin(ctl, "rows checked");
	int result;

	ledger_watch(ledger, (struct ledger_watcher){ tell_rows, &progress });
	result = ledger_verify(ledger, ret, error);
	ledger_watch(ledger, (struct ledger_watcher){ 0 });
	return result;
}

const char *ctl_when(const struct ctl *ctl, struct instant at, char out[static WHEN_TEXT_SIZE])
{
	_Static_assert((int)MOMENT_TEXT_SIZE <= (int)WHEN_TEXT_SIZE &&
			       (int)INSTANT_TEXT_SIZE <= (int)WHEN_TEXT_SIZE,
		       "either form fits");
	if (ctl->config != NULL && ctl->config->calendar_count > 0)
		return moment_text(ctl->config->calendars[0].calendar, at, out);
	return instant_is_never(at) ? "never" : instant_format(at, 0, out);
}
