/* commands - every command of challengectl, one line each, in order of name. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl/command.h"

extern const struct command command_adopt;
extern const struct command command_agency_add;
extern const struct command command_agency_change;
extern const struct command command_agency_list;
extern const struct command command_approve;
extern const struct command command_approve_clock;
extern const struct command command_approve_store;
extern const struct command command_assure;
extern const struct command command_audit_export;
extern const struct command command_audit_verify;
extern const struct command command_backup;
extern const struct command command_check;
extern const struct command command_contact_add;
extern const struct command command_contact_away;
extern const struct command command_contact_change;
extern const struct command command_contact_list;
extern const struct command command_explain;
extern const struct command command_export;
extern const struct command command_forecast;
extern const struct command command_import;
extern const struct command command_init;
extern const struct command command_list;
extern const struct command command_preview;
extern const struct command command_privacy;
extern const struct command command_purge;
extern const struct command command_queue_cancel;
extern const struct command command_queue_hold;
extern const struct command command_queue_list;
extern const struct command command_queue_release;
extern const struct command command_queue_retry;
extern const struct command command_queue_show;
extern const struct command command_raise;
extern const struct command command_record;
extern const struct command command_report;
extern const struct command command_show;
extern const struct command command_simulate;
extern const struct command command_status;
extern const struct command command_test_mail;
extern const struct command command_timeline;

#endif
