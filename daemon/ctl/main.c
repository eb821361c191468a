/* main.c - challengectl: the one table of its commands; the rest is in command.c. */
#include "ctl/commands.h"

/* clang-format off */
static const struct command *const table[] = {
	&command_adopt,
	&command_agency_add,
	&command_agency_change,
	&command_agency_list,
	&command_approve,
	&command_approve_clock,
	&command_approve_store,
	&command_assure,
	&command_audit_export,
	&command_audit_verify,
	&command_backup,
	&command_check,
	&command_contact_add,
	&command_contact_away,
	&command_contact_change,
	&command_contact_list,
	&command_explain,
	&command_export,
	&command_forecast,
	&command_import,
	&command_init,
	&command_list,
	&command_preview,
	&command_privacy,
	&command_purge,
	&command_queue_cancel,
	&command_queue_hold,
	&command_queue_list,
	&command_queue_release,
	&command_queue_retry,
	&command_queue_show,
	&command_raise,
	&command_record,
	&command_report,
	&command_show,
	&command_simulate,
	&command_status,
	&command_test_mail,
	&command_timeline,
};
/* clang-format on */

int main(int argc, char **argv)
{
	struct ctl ctl = {
		.program = "challengectl",
		.config_file = CONFIG_FILE,
		.out = stdout,
		.err = stderr,
		.clock = &clock_system,
	};

	return ctl_main(&ctl, table, COUNT(table), argc, argv);
}
