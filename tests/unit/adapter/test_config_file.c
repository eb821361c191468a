/*
 * test_config_file.c - every kind of fault at its line, and what a sound configuration says.
 *
 * Each row spoils one place of a small sound configuration, written to a folder of its own, and
 * names the exact lines that must come of it, warnings included.
 */
#include "adapter/config_file.h"

#include "base/text.h"
#include "core/challenge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* clang-format off */
static const char sound_main[] =
/*  1 */ "store = \"s.db\"; poll = \"2 minutes\";\n"
/*  2 */ "calendars = ( { id = \"england\"; zone = \"Europe/London\";\n"
/*  3 */ "  hours = { monday = \"09:00-17:00\"; friday = \"09:00-12:30,13:30-16:30\"; };\n"
/*  4 */ "  holidays = { file = \"holidays.json\"; division = \"wales\"; };\n"
/*  5 */ "  closures = ( { from = \"2026-12-29\"; to = \"2026-12-31\"; name = \"Winter\"; } ); } );\n"
/*  6 */ "roles = ( { id = \"practitioner\"; title = \"Practitioner\"; instead = [ \"manager\" ]; },\n"
/*  7 */ "  { id = \"manager\"; title = \"Manager\"; } );\n"
/*  8 */ "partnership = { agency = \"partnership\"; inbox = \"unit@p.example\"; emergency = \"999\"; };\n"
/*  9 */ "mail = { relay = \"smtps://relay.example:465\"; from = \"Challenge <no@p.example>\";\n"
/* 10 */ "  allow_domains = [ \"p.example\" ];\n"
/* 11 */ "  login = { user = \"u\"; mechanism = \"PLAIN\"; credential = \"c\"; };\n"
/* 12 */ "  per_minute = 30; };\n"
/* 13 */ "alarm = { to = [ \"duty@p.example\" ]; daily = \"08:30\"; };\n"
/* 14 */ "retention = { bodies = \"90 days\"; challenges = \"6 years\"; contacts = \"1 year\"; ledger = \"6 years\"; };\n";

static const char sound_policy[] =
/*  1 */ "policy = {\n"
/*  2 */ " id = \"p\"; version = \"1\"; title = \"P\"; calendar = \"england\";\n"
/*  3 */ " urgencies = [ \"standard\", \"urgent\" ];\n"
/*  4 */ " immediate = { tell = [ \"both.manager\" ]; };\n"
/*  5 */ " quiet = { after = \"5 working days\"; tell = [ \"partnership.inbox\" ]; };\n"
/*  6 */ " stages = (\n"
/*  7 */ "  { id = \"one\"; title = \"One\"; owner = \"receiving.practitioner\";\n"
/*  8 */ "    limit = { standard = \"3 working days\"; urgent = \"1 working day\"; };\n"
/*  9 */ "    remind = [ \"50%\" ];\n"
/* 10 */ "    breach = { escalate_to = \"two\"; tell = [ \"owner\" ]; }; },\n"
/* 11 */ "  { id = \"two\"; title = \"Two\"; owner = \"receiving.manager\";\n"
/* 12 */ "    obligations = ( { id = \"a\"; starts = \"stage\"; ends = [ \"agreed\" ];\n"
/* 13 */ "      limit = \"2 working days\"; repeat = { every = \"1 month\"; times = 3; }; } ); } );\n"
/* 14 */ " overall = ( { id = \"cap\"; starts = \"raised\"; ends = [ \"resolved\" ]; limit = \"20 working days\"; } ); };\n";

static const char sound_holidays[] =
	"{\"wales\":{\"events\":[{\"title\":\"Christmas Day\",\"date\":\"2026-12-25\"}]}}";

enum which { MAIN, POLICY, HOLIDAYS };
static const char *const file_names[] = { "m.conf", "policies/p.conf", "holidays.json" };
static const char *const sound[] = { sound_main, sound_policy, sound_holidays };

static const struct spoil_case {
	const char *name;
	enum which which;
	const char *find; /* "": put in front */
	const char *replace;
	const char *want; /* lines without the folder; "": nothing */
} spoil_cases[] = {
	{ "a sound configuration has no fault", MAIN, "", "", "" },

	/* numbers and texts that libconfig would swallow */
	{ "a number that wraps at 32 bits", MAIN, "= 30", "= 3000000000",
	  "m.conf:12: per_minute: 3000000000 is too large a number\n" },
	{ "a number that wraps at 64 bits", MAIN, "= 30", "= 99999999999999999999",
	  "m.conf:12: per_minute: 99999999999999999999 is too large a number\n" },
	{ "a large number with an L", MAIN, "= 30", "= 3000000000L",
	  "m.conf:12: per_minute: 3000000000L is too large a number\n" },
	{ "a small number with an L", MAIN, "= 30", "= 30L",
	  "m.conf:12: per_minute: 30L is not a whole number (a time goes in quotation marks: \"2 days\")\n" },
	{ "an octal number", MAIN, "= 30", "= 010",
	  "m.conf:12: per_minute: 010 begins with a zero, which some would read as octal; leave the zero out\n" },
	{ "a hexadecimal number", MAIN, "= 30", "= 0x1e",
	  "m.conf:12: per_minute: 0x1e is hexadecimal; write it in decimal\n" },
	{ "a fraction", MAIN, "= 30", "= 1.5",
	  "m.conf:12: per_minute: 1.5 is not a whole number (a time goes in quotation marks: \"2 days\")\n" },
	{ "a negative number", MAIN, "= 30", "= -1", "m.conf:12: mail.per_minute: -1 is outside 0..10000\n" },
	{ "a number in quotation marks", MAIN, "= 30", "= \"30\"",
	  "m.conf:12: mail.per_minute: must be a whole number, without quotation marks\n" },
	{ "nought is no limit", MAIN, "= 30", "= 0", "" },
	{ "a text cut by an escaped NUL", MAIN, "\"999\"", "\"9\\x0099\"",
	  "m.conf:8: emergency: \"\\x00\" would cut the text off\n" },
	{ "a line end in a text", MAIN, "\"999\"", "\"9\\n99\"",
	  "m.conf:8: partnership.emergency: has a control character or a line end in its text\n" },
	{ "a turn of direction in a text", MAIN, "\"999\"", "\"9\xe2\x80\xae" "99\"",
	  "m.conf:8: partnership.emergency: has an invisible character that breaks a line or turns its direction\n" },
	{ "an escaped byte that is not UTF-8", MAIN, "\"999\"", "\"9\\xff99\"",
	  "m.conf:8: partnership.emergency: is not UTF-8: save the file in that encoding\n" },
	{ "a forgotten quotation mark is one fault", MAIN, "\"999\"", "\"999",
	  "m.conf:8: emergency: its text has no closing '\"' on this line\n" },
	{ "a comment without end", MAIN, "roles =", "/* roles =", "m.conf:6: a comment begins here and never ends\n" },
	{ "texts in comments are not scanned", MAIN, "roles =", "# 010 @include \"\n/* 0x5 \" */ roles =", "" },
	{ "an include", MAIN, "roles =", "\n@include \"/tmp\"\nroles =",
	  "m.conf:7: @include is refused: everything is in one file, or a policy of its own\n" },
	{ "the word in a text is only a text", MAIN, "\"999\"", "\"@include \\\"x\\\"\"", "" },
	{ "a byte that is not UTF-8", MAIN, "999", "\xff", "m.conf:8: a byte that is not UTF-8\n" },
	{ "a surrogate in UTF-8", MAIN, "999", "\xed\xa0\x80", "m.conf:8: a byte that is not UTF-8\n" },
	{ "UTF-8 is fine", MAIN, "999", "Galwch \xc5\xb5", "" },
	{ "a byte order mark", MAIN, "", "\xef\xbb\xbf",
	  "m.conf:1: begins with a byte order mark; save it as UTF-8 without one\n" },
	{ "brackets without end", MAIN, "", "x = ((((((((((((((((((((((((((((((((((((((((((((((((",
	  "m.conf:1: too many brackets inside each other\n" },

	/* grammar */
	{ "a syntax error", MAIN, "roles =", "roles = =",
	  "m.conf:6: syntax error: look for a missing ';', '\"' or bracket here or just before\n" },
	{ "a setting twice", MAIN, "roles =", "store = \"x\"; roles =", "m.conf:6: duplicate setting name\n" },
	{ "a misspelt setting", MAIN, "per_minute", "per_minut",
	  "m.conf:12: mail.per_minut: no such setting; the nearest known one is \"per_minute\"\n" },
	{ "two faults, both told", MAIN, "per_minute = 30", "per_minut = 30; connections = 9",
	  "m.conf:12: mail.connections: 9 is outside 1..8\n"
	  "m.conf:12: mail.per_minut: no such setting; the nearest known one is \"per_minute\"\n" },
	{ "a misspelt setting at the top", MAIN, "alarm =", "alrm =",
	  "m.conf:1: alarm: warning: left out: nobody is mailed when the program itself is in trouble\n"
	  "m.conf:13: alrm: no such setting; the nearest known one is \"alarm\"\n" },
	{ "a group where a list belongs", POLICY, "overall = (", "overall = { }; y = (",
	  "policies/p.conf:14: policy.overall: must be a list in round brackets: ( {...}, {...} )\n"
	  "policies/p.conf:14: policy.y: no such setting; the nearest known one is \"id\"\n" },
	{ "a group where a text belongs", MAIN, "[ \"manager\" ]", "{ a = 1; }",
	  "m.conf:6: roles[0].instead: must be a text in quotation marks\n" },
	{ "a text where a group belongs", POLICY, "{ escalate_to = \"two\"; tell = [ \"owner\" ]; }", "\"two\"",
	  "policies/p.conf:7: policy.stages[0]: warning: no escalation leads out of this stage: silence ends here\n"
	  "policies/p.conf:10: policy.stages[0].breach: must be a group in curly brackets: { ... }\n"
	  "policies/p.conf:11: policy.stages[1]: warning: no escalation leads to this stage; only people enter it\n" },
	{ "a list within a list of texts", MAIN, "[ \"manager\" ]", "( ( \"manager\" ) )",
	  "m.conf:6: roles[0].instead[0]: must be a text in quotation marks\n" },
	{ "stages that are texts", POLICY, "stages = (", "stages = ( \"x\", ",
	  "policies/p.conf:6: policy.stages[0]: must be a group in curly brackets: { ... }\n"
	  "policies/p.conf:7: policy.stages[1]: warning: no escalation leads to this stage; only people enter it\n" },

	/* what matters has no default */
	{ "no store", MAIN, "store = \"s.db\";", "", "m.conf:1: store: is required\n" },
	{ "an empty store", MAIN, "s.db", "", "m.conf:1: store: must not be empty\n" },
	{ "no relay", MAIN, "relay = \"smtps://relay.example:465\";", "", "m.conf:9: mail.relay: is required\n" },
	{ "no sender", MAIN, "from = \"Challenge <no@p.example>\";", "", "m.conf:9: mail.from: is required\n" },
	{ "no inbox", MAIN, "inbox = \"unit@p.example\";", "", "m.conf:8: partnership.inbox: is required\n" },
	{ "nobody may be mailed", MAIN, "[ \"p.example\" ]", "[]",
	  "m.conf:10: mail.allow_domains: must name at least one\n" },
	{ "retention unset is a reminder", MAIN, "bodies = \"90 days\";", "",
	  "m.conf:1: retention: warning: bodies, challenges, contacts and ledger are not all set: how long to keep them is the partnership's decision\n" },

	/* values */
	{ "a poll without a unit", MAIN, "2 minutes", "2", "m.conf:1: poll: \"2\" must be like \"15 seconds\", from 1 second to 1 hour\n" },
	{ "a poll of a day", MAIN, "2 minutes", "24 hours", "m.conf:1: poll: \"24 hours\" must be like \"15 seconds\", from 1 second to 1 hour\n" },
	{ "a period in hours", MAIN, "90 days", "90 hours",
	  "m.conf:14: retention.bodies: \"90 hours\" must be a number of days, weeks, months or years, like \"6 years\"\n" },
	{ "a time of day that is none", MAIN, "08:30", "24:00", "m.conf:13: alarm.daily: \"24:00\" must be a time of day, like \"08:30\"\n" },
	{ "a zone that is not there", MAIN, "Europe/London", "Europe/Lodnon",
	  "m.conf:2: calendars[0].zone: there is no time zone \"Europe/Lodnon\" in /usr/share/zoneinfo\n" },
	{ "openings that overlap", MAIN, "13:30-16:30", "12:00-16:30",
	  "m.conf:3: calendars[0].hours.friday: \"09:00-12:30,12:00-16:30\" must be like \"09:00-17:00\" or \"09:00-12:30,13:30-16:30\", in order and apart, at most 6\n" },
	{ "minutes past the hour's end", MAIN, "13:30-16:30", "13:60-16:30",
	  "m.conf:3: calendars[0].hours.friday: \"09:00-12:30,13:60-16:30\" must be like \"09:00-17:00\" or \"09:00-12:30,13:30-16:30\", in order and apart, at most 6\n" },
	{ "a closure that ends before it begins", MAIN, "2026-12-31", "2026-12-01", "m.conf:5: calendars[0].closures[0]: ends before it begins\n" },
	{ "a closure on no real day", MAIN, "2026-12-31", "2026-12-32",
	  "m.conf:5: calendars[0].closures[0].to: \"2026-12-32\" must be a real date, like \"2026-12-29\"\n" },
	{ "a division that the file lacks", MAIN, "\"wales\"", "\"cymru\"",
	  "holidays.json: has no division \"cymru\"; there are: \"wales\"\n" },
	{ "a holiday file that is not there", MAIN, "holidays.json", "nowhere.json",
	  "nowhere.json: cannot be opened: No such file or directory\n" },
	{ "a holiday file that is broken", HOLIDAYS, "}]}}", "}]}", "holidays.json:1: is not JSON: '}' expected near end of file\n" },
	{ "no holidays is doubtful", MAIN, "holidays = { file = \"holidays.json\"; division = \"wales\"; };", "",
	  "m.conf:2: calendars[0].holidays: warning: left out: bank holidays count as working days\n" },
	{ "a stand-in that is no role", MAIN, "[ \"manager\" ]", "[ \"manger\" ]",
	  "m.conf:6: roles[0].instead: there is no role \"manger\"; the nearest known one is \"manager\"\n" },
	{ "a role that stands in for itself", MAIN, "[ \"manager\" ]", "[ \"practitioner\" ]",
	  "m.conf:6: roles[0].instead: \"practitioner\" cannot stand in for itself\n" },
	{ "a role twice", MAIN, "{ id = \"manager\"; title", "{ id = \"practitioner\"; title",
	  "m.conf:6: roles[0].instead: there is no role \"manager\"; the nearest known one is \"practitioner\"\n"
	  "m.conf:7: roles[1].id: \"practitioner\" is there already\n"
	  "policies/p.conf:4: policy.immediate.tell: \"both.manager\" names a role that the main file's `roles` lacks; the nearest known one is \"practitioner\"\n"
	  "policies/p.conf:11: policy.stages[1].owner: \"receiving.manager\" names a role that the main file's `roles` lacks; the nearest known one is \"practitioner\"\n" },
	{ "an inbox that may not be mailed", MAIN, "unit@p.example", "unit@q.example",
	  "m.conf:8: partnership.inbox: \"unit@q.example\" is in no domain of mail.allow_domains\n" },
	{ "a heartbeat", MAIN, "daily =", "heartbeat = { url = \"https://hc.example/abc\"; every = \"5 minutes\"; }; daily =", "" },
	{ "a heartbeat whose address is a secret", MAIN, "daily =", "heartbeat = { credential = \"heartbeat-url\"; ca = \"ca.pem\"; }; daily =", "" },
	{ "a heartbeat in clear to this machine", MAIN, "daily =", "heartbeat = { url = \"http://127.0.0.1:80/x\"; }; daily =", "" },
	{ "a heartbeat in clear, which is not repeated", MAIN, "daily =", "heartbeat = { url = \"http://hc.example/abc\"; }; daily =",
	  "m.conf:13: alarm.heartbeat.url: must begin with https://: http:// goes to a literal loopback address only\n" },
	{ "a heartbeat without an address", MAIN, "daily =", "heartbeat = { every = \"5 minutes\"; }; daily =",
	  "m.conf:13: alarm.heartbeat: must have either a url, or, where that holds a secret, the credential that it stands in\n" },
	{ "a heartbeat with two", MAIN, "daily =", "heartbeat = { url = \"https://hc.example/\"; credential = \"x\"; }; daily =",
	  "m.conf:13: alarm.heartbeat: must have either a url, or, where that holds a secret, the credential that it stands in\n" },
	{ "a heartbeat every two days", MAIN, "daily =", "heartbeat = { url = \"https://hc.example/\"; every = \"48 hours\"; }; daily =",
	  "m.conf:13: alarm.heartbeat.every: \"48 hours\" must be like \"15 seconds\", from 1 second to 1 day\n" },
	{ "metrics", MAIN, "alarm =", "metrics = \"/tmp/x.prom\"; alarm =", "" },
	{ "metrics in the store's folder", MAIN, "alarm =", "metrics = \"x.prom\"; alarm =",
	  "m.conf:13: metrics: must not be in the folder of the store\n" },
	{ "metrics in the store's folder by another name", MAIN, "alarm =", "metrics = \"policies/../x.prom\"; alarm =",
	  "m.conf:13: metrics: must not be in the folder of the store\n" },
	{ "metrics that nobody reads", MAIN, "alarm =", "metrics = \"/tmp/x.txt\"; alarm =",
	  "m.conf:13: metrics: must be a file whose name ends in .prom: nothing else is read by node_exporter\n" },
	{ "metrics without a name", MAIN, "alarm =", "metrics = \"/tmp/.prom\"; alarm =",
	  "m.conf:13: metrics: must be a file whose name ends in .prom: nothing else is read by node_exporter\n" },
	{ "an alarm that may not be mailed", MAIN, "duty@p.example", "duty@q.example",
	  "m.conf:13: alarm.to: \"duty@q.example\" is in no domain of mail.allow_domains\n" },
	{ "a relay with a path", MAIN, ":465", ":465/x",
	  "m.conf:9: mail.relay: \"smtps://relay.example:465/x\" must be smtps://host[:465] or smtp://host[:587], with nothing after it\n" },
	{ "a relay with a user", MAIN, "relay.example:465", "me@relay.example",
	  "m.conf:9: mail.relay: \"smtps://me@relay.example\" must be smtps://host[:465] or smtp://host[:587], with nothing after it\n" },
	{ "a relay by another protocol", MAIN, "smtps:", "https:",
	  "m.conf:9: mail.relay: \"https://relay.example:465\" must be smtps://host[:465] or smtp://host[:587], with nothing after it\n" },
	{ "a port that is none", MAIN, ":465", ":65536",
	  "m.conf:9: mail.relay: \"smtps://relay.example:65536\" must be smtps://host[:465] or smtp://host[:587], with nothing after it\n" },
	{ "a login by no mechanism", MAIN, "PLAIN", "PLAN", "m.conf:11: mail.login.mechanism: \"PLAN\" is not a choice here; the nearest known one is \"PLAIN\"\n" },
	{ "XOAUTH2 without its client", MAIN, "\"PLAIN\"", "\"XOAUTH2\"; tenant = \"t\"", "m.conf:11: mail.login.client: is required for XOAUTH2\n" },
	{ "a tenant without XOAUTH2", MAIN, "\"PLAIN\"", "\"PLAIN\"; tenant = \"t\"",
	  "m.conf:11: mail.login: tenant, client and token_url are for XOAUTH2 only\n" },
	{ "a token server in clear", MAIN,
	  "\"PLAIN\"", "\"XOAUTH2\"; tenant = \"t\"; client = \"c\"; token_url = \"http://127.0.0.1/token\"",
	  "m.conf:11: mail.login.token_url: must begin with https://\n" },
	{ "a link in clear", MAIN, "per_minute", "link = \"http://c.example/{reference}\"; per_minute",
	  "m.conf:12: mail.link: \"http://c.example/{reference}\" must begin with https:// and a host\n" },
	{ "a link without the reference", MAIN, "per_minute", "link = \"https://c.example/\"; per_minute",
	  "m.conf:12: mail.link: warning: has no {reference}: every mail links to the same page\n" },

	/* the policy */
	{ "an unknown calendar", POLICY, "\"england\"", "\"englnd\"",
	  "policies/p.conf:2: policy.calendar: the main file has no calendar \"englnd\"; the nearest known one is \"england\"\n" },
	{ "an id with a blank", POLICY, "id = \"p\"", "id = \"p q\"",
	  "policies/p.conf:2: policy.id: \"p q\" must be 1 to 64 letters, digits, '.', '_' or '-'\n" },
	{ "no version", POLICY, "version = \"1\";", "", "policies/p.conf:1: policy.version: is required\n" },
	{ "an unknown role", POLICY, "receiving.practitioner", "receiving.practicioner",
	  "policies/p.conf:7: policy.stages[0].owner: \"receiving.practicioner\" names a role that the main file's `roles` lacks; the nearest known one is \"practitioner\"\n" },
	{ "a role without a side", POLICY, "both.manager", "manager",
	  "policies/p.conf:4: policy.immediate.tell: \"manager\" must begin with raising., receiving., both. or partnership.\n" },
	{ "only the partnership has an inbox", POLICY, "partnership.inbox", "raising.inbox",
	  "policies/p.conf:5: policy.quiet.tell: \"raising.inbox\" names a role that the main file's `roles` lacks; the nearest known one is \"manager\"\n" },
	{ "an owner that is the owner", POLICY, "receiving.practitioner", "owner", "policies/p.conf:7: policy.stages[0].owner: \"owner\" means nothing here\n" },
	{ "quiet left out", POLICY, "quiet = { after = \"5 working days\"; tell = [ \"partnership.inbox\" ]; };", "",
	  "policies/p.conf:1: policy.quiet: warning: left out: the partnership's inbox is told after 5 working days without an event\n" },
	{ "an urgency without its limit", POLICY, "urgent = \"1 working day\";", "",
	  "policies/p.conf:8: policy.stages[0].limit.urgent: is required: every urgency needs its limit\n" },
	{ "a limit for no urgency", POLICY, "urgent = \"1 working day\";", "urgent = \"1 working day\"; urgnt = \"1 week\";",
	  "policies/p.conf:8: policy.stages[0].limit.urgnt: no such urgency; the nearest known one is \"urgent\"\n" },
	{ "months are no limit", POLICY, "\"20 working days\"", "\"1 month\"",
	  "policies/p.conf:14: policy.overall[0].limit: \"1 month\" cannot be used here: months are for `every` of a repeat only\n" },
	{ "48 hours get a hint", POLICY, "\"20 working days\"", "\"48 hours\"",
	  "policies/p.conf:14: policy.overall[0].limit: warning: 48 hours run through nights and weekends; 2 working days is something else\n" },
	{ "47 hours get none", POLICY, "\"20 working days\"", "\"47 hours\"", "" },
	{ "as agreed is a limit", POLICY, "\"20 working days\"", "\"as agreed\"", "" },
	{ "a hundred per cent", POLICY, "50%", "100%", "policies/p.conf:9: policy.stages[0].remind: \"100%\" must be 1% to 99%\n" },
	{ "a reminder that says nothing", POLICY, "50%", "soon",
	  "policies/p.conf:9: policy.stages[0].remind: \"soon\" must be like \"50%\" or \"1 working day before\"\n" },
	{ "a reminder twice", POLICY, "\"50%\"", "\"50%\", \"50%\"", "policies/p.conf:9: policy.stages[0].remind: names \"50%\" twice\n" },
	{ "a reminder before every start", POLICY, "50%", "3 working days before",
	  "policies/p.conf:9: policy.stages[0].remind: warning: \"3 working days before\" falls before the start and is never sent\n" },
	{ "a reminder before some starts", POLICY, "50%", "1 working day before", "" },
	{ "an escalation to no stage", POLICY, "escalate_to = \"two\"", "escalate_to = \"tow\"",
	  "policies/p.conf:7: policy.stages[0]: warning: no escalation leads out of this stage: silence ends here\n"
	  "policies/p.conf:10: policy.stages[0].breach.escalate_to: no such stage as \"tow\"; the nearest known one is \"two\"\n"
	  "policies/p.conf:11: policy.stages[1]: warning: no escalation leads to this stage; only people enter it\n" },
	{ "an escalation from the last stage back", POLICY, "repeat =", "breach = { escalate_to = \"one\"; }; repeat =",
	  "policies/p.conf:13: policy.stages[1].obligations[0].breach.escalate_to: \"one\" is an earlier stage; an escalation goes to a later one\n" },
	{ "an escalation to itself", POLICY, "repeat =", "breach = { escalate_to = \"two\"; }; repeat =",
	  "policies/p.conf:13: policy.stages[1].obligations[0].breach.escalate_to: \"two\" is this very stage; an escalation goes to a later one\n" },
	{ "firm = false never escalates", POLICY, "remind = [", "firm = false; remind = [",
	  "policies/p.conf:7: policy.stages[0].breach.escalate_to: warning: never happens: firm = false tells, but moves nothing\n"
	  "policies/p.conf:7: policy.stages[0]: warning: no escalation leads out of this stage: silence ends here\n" },
	{ "no limit but a repeat", POLICY, "limit = \"2 working days\";", "",
	  "policies/p.conf:12: policy.stages[1].obligations[0].limit: warning: none: nobody is ever late here, only reminded every 1 month\n" },
	{ "a reminder of no limit", POLICY, "limit = \"20 working days\";", "remind = [ \"50%\" ];",
	  "policies/p.conf:14: policy.overall[0].remind: there is no limit to remind of; use repeat = { every = ... }\n"
	  "policies/p.conf:14: policy.overall[0].limit: warning: none, and no repeat: nobody is ever late or reminded here\n" },
	{ "an event that is almost a known one", POLICY, "\"agreed\"", "\"agred\"",
	  "policies/p.conf:12: policy.stages[1].obligations[0].ends: no such event as \"agred\"; the nearest known one is \"agreed\"\n" },
	{ "an event of the policy's own, unannounced", POLICY, "\"agreed\"", "\"panel_convened\"",
	  "policies/p.conf:12: policy.stages[1].obligations[0].ends: warning: \"panel_convened\" is no event of the store's own; taken as one of this policy (list it in `events`)\n" },
	{ "an event of the policy's own, announced", POLICY, "urgencies = [", "events = [ \"panel_convened\" ]; urgencies = [", "" },
	{ "an event announced that every store knows", POLICY, "urgencies = [", "events = [ \"agreed\" ]; urgencies = [",
	  "policies/p.conf:3: policy.events: warning: \"agreed\" is known already\n" },
	{ "an event that is no word", POLICY, "urgencies = [", "events = [ \"Panel met\" ]; urgencies = [",
	  "policies/p.conf:3: policy.events: \"Panel met\" is no event kind: small letters, digits and '_'\n" },
	{ "an overall obligation that starts with a stage", POLICY, "starts = \"raised\"", "starts = \"stage\"",
	  "policies/p.conf:14: policy.overall[0].starts: an overall obligation has no stage to be entered\n" },
	{ "a stage that nobody owns", POLICY, "owner = \"receiving.manager\";", "",
	  "policies/p.conf:11: policy.stages[1].owner: is required: something in this stage is owed by nobody else\n" },
	{ "a stage whose only obligation has an owner", POLICY, "owner = \"receiving.manager\";\n    obligations = ( {", "\n    obligations = ( { owner = \"raising.manager\";",
	  "policies/p.conf:11: policy.stages[1].owner: is required: an overall obligation has no owner of its own, so the stage's owes it\n" },
	{ "two obligations of one id in a stage", POLICY, "id = \"a\";", "id = \"a\"; starts = \"stage\"; ends = [ \"agreed\" ]; limit = \"1 week\"; }, { id = \"a\";",
	  "policies/p.conf:12: policy.stages[1].obligations[1].id: \"a\" is the id of another obligation on line 12\n" },
	{ "two stages of one id", POLICY, "id = \"two\"", "id = \"one\"",
	  "policies/p.conf:7: policy.stages[0]: warning: no escalation leads out of this stage: silence ends here\n"
	  "policies/p.conf:10: policy.stages[0].breach.escalate_to: no such stage as \"two\"; the nearest known one is \"one\"\n"
	  "policies/p.conf:11: policy.stages[1].id: \"one\" is the id of an earlier stage\n"
	  "policies/p.conf:11: policy.stages[1]: warning: no escalation leads to this stage; only people enter it\n" },
	{ "no stages", POLICY, "stages = (", "stages = ( ); x = (",
	  "policies/p.conf:6: policy.stages: must have 1 to 32 stages\n"
	  "policies/p.conf:6: policy.x: no such setting; the nearest known one is \"id\"\n" },
	{ "too many repeats", POLICY, "times = 3", "times = 1001", "policies/p.conf:13: policy.stages[1].obligations[0].repeat.times: 1001 is outside 0..1000\n" },
};
/* clang-format on */

/* --- a folder for each test --- */

struct folder {
	const struct spoil_case *row; /* NULL: a test of its own */
	char path[32];
};

static void write_file(const struct folder *folder, const char *name, const char *text)
{
	char path[200];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", folder->path, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	struct folder *folder = calloc(1, sizeof *folder);
	char policies[64];

	if (folder == NULL)
		return -1;
	folder->row = *state;
	(void)snprintf(folder->path, sizeof folder->path, "/tmp/test_config.XXXXXX");
	if (mkdtemp(folder->path) == NULL)
		return -1;
	(void)snprintf(policies, sizeof policies, "%s/policies", folder->path);
	if (mkdir(policies, 0700) < 0)
		return -1;
	for (size_t i = 0; i < COUNT(sound); i++)
		write_file(folder, file_names[i], sound[i]);
	*state = folder;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "m.conf",
					     "policies/p.conf",
					     "policies/q.conf",
					     "policies/r.conf",
					     "holidays.json",
					     "policies",
					     "" };
	struct folder *folder = *state;
	char path[200];

	for (size_t i = 0; i < COUNT(names); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder->path, names[i]);
		(void)remove(path); /* some are not there */
	}
	free(folder);
	return 0;
}

/* The folder's faults as lines, without the folder's name. */
static void load(const struct folder *folder, struct config **ret, struct text *ret_lines)
{
	struct fault_list faults = { 0 };
	struct error error = { 0 };
	char path[64];
	size_t skip = strlen(folder->path) + 1;

	(void)snprintf(path, sizeof path, "%s/m.conf", folder->path);
	*ret = config_load(path, &faults, &error);
	for (size_t i = 0; i < faults.count; i++) {
		struct text line = { 0 };

		fault_format(&faults.item[i], &line);
		text_appendf(ret_lines, "%s\n", text_string(&line) + skip);
		text_clear(&line);
	}
	assert_int_equal(faults.errors == 0, *ret != NULL);
	assert_int_equal(faults.errors == 0, error.code == 0);
	fault_list_clear(&faults);
}

static void replace(const struct folder *folder, enum which which, const char *find,
		    const char *with)
{
	struct text text = { 0 };
	const char *at = strstr(sound[which], find);

	assert_non_null(at);
	text_append_bytes(&text, sound[which], (size_t)(at - sound[which]));
	text_append(&text, with);
	text_append(&text, at + strlen(find));
	write_file(folder, file_names[which], text_string(&text));
	text_clear(&text);
}

static void spoils(void **state)
{
	const struct folder *folder = *state;
	struct config *config;
	struct text lines = { 0 };
	bool same;

	replace(folder, folder->row->which, folder->row->find, folder->row->replace);
	load(folder, &config, &lines);
	config_free(config);
	same = strcmp(text_string(&lines), folder->row->want) == 0;
	if (!same)
		print_error("said:\n%swanted:\n%s", text_string(&lines), folder->row->want);
	text_clear(&lines);
	assert_true(same);
}

/* --- several files at once --- */

static void expect_lines(const struct folder *folder, const char *want)
{
	struct config *config;
	struct text lines = { 0 };

	load(folder, &config, &lines);
	config_free(config);
	assert_string_equal(text_string(&lines), want);
	text_clear(&lines);
}

static void faults_of_all_files_come_together(void **state)
{
	const struct folder *folder = *state;

	replace(folder, MAIN, "= 30", "= -1");
	replace(folder, POLICY, "50%", "500%");
	write_file(folder, "policies/q.conf", "policy = { id = 3 };");
	write_file(folder, "policies/r.conf", "policy = \n\n{ = }");
	expect_lines(
		folder,
		"m.conf:12: mail.per_minute: -1 is outside 0..10000\n"
		"policies/p.conf:9: policy.stages[0].remind: \"500%\" must be 1% to 99%\n"
		"policies/q.conf:1: policy.id: must be a text in quotation marks\n"
		"policies/q.conf:1: policy.version: is required\n"
		"policies/q.conf:1: policy.title: is required\n"
		"policies/q.conf:1: policy.calendar: is required\n"
		"policies/q.conf:1: policy.stages: is required\n"
		"policies/q.conf:1: policy.quiet: warning: left out: the partnership's inbox "
		"is told after 5 working days without an event\n"
		"policies/q.conf:1: policy.immediate: warning: left out: only the "
		"partnership's inbox is told of an immediate risk\n"
		"policies/r.conf:3: syntax error: look for a missing ';', '\"' or bracket "
		"here or just before\n");
}

static void one_version_is_one_file(void **state)
{
	const struct folder *folder = *state;
	char want[200];

	write_file(folder, "policies/q.conf", sound_policy);
	(void)snprintf(
		want, sizeof want,
		"policies/q.conf:2: policy.version: \"1\" of \"p\" is in %s/policies/p.conf "
		"as well\n",
		folder->path);
	expect_lines(folder, want);
}

static void no_policy_at_all_is_a_fault(void **state)
{
	const struct folder *folder = *state;
	char path[100];

	(void)snprintf(path, sizeof path, "%s/policies/p.conf", folder->path);
	assert_int_equal(remove(path), 0);
	expect_lines(folder, "policies: holds 0 policies (*.conf), not 1 to 200\n");
}

static void a_pipe_is_no_file_and_hangs_nobody(void **state)
{
	const struct folder *folder = *state;
	char path[100];

	(void)snprintf(path, sizeof path, "%s/policies/q.conf", folder->path);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_lines(folder, "policies/q.conf: is not a regular file\n");
}

static void a_file_of_a_mebibyte_is_too_large(void **state)
{
	const struct folder *folder = *state;
	char *large = malloc((1 << 20) + 2);

	assert_non_null(large);
	memset(large, ' ', (1 << 20) + 1);
	large[(1 << 20) + 1] = '\0';
	write_file(folder, "policies/q.conf", large);
	free(large);
	expect_lines(folder, "policies/q.conf: is larger than 1 MiB\n");
}

static void a_nul_byte_is_told_at_its_line(void **state)
{
	const struct folder *folder = *state;
	char path[100];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/policies/q.conf", folder->path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite("a\n\0b", 1, 4, file), 4);
	assert_int_equal(fclose(file), 0);
	expect_lines(folder, "policies/q.conf:2: a NUL byte: this is not a text file\n");
}

/* --- what is read --- */

static void reads_every_value_of_the_main_file(void **state)
{
	const struct folder *folder = *state;
	struct config *config;
	struct text lines = { 0 };
	struct error error = { 0 };
	char path[100];

	load(folder, &config, &lines);
	text_clear(&lines);
	assert_non_null(config);
	(void)snprintf(path, sizeof path, "%s/s.db", folder->path);
	assert_string_equal(config->store, path);
	assert_string_equal(config->state, "/var/lib/challenge-notifyd");
	(void)snprintf(path, sizeof path, "%s/templates", folder->path);
	assert_string_equal(config->templates, path);
	assert_int_equal(config->poll_seconds, 120);
	assert_int_equal(config->defer_at_most.unit, TIMESCALE_WORKING_DAYS);
	assert_int_equal(config->defer_at_most.amount, 1);
	assert_string_equal(config->mail.from_name, "Challenge");
	assert_string_equal(config->mail.from_address, "no@p.example");
	assert_string_equal(config->mail.envelope_from, "no@p.example");
	assert_string_equal(config->mail.reply_to, "");
	assert_int_equal(config->mail.login, LOGIN_PLAIN);
	assert_false(config->mail.clear_text);
	assert_true(config->mail.show_agencies);
	assert_false(config->mail.calendar_attachment);
	assert_int_equal(config->mail.connections, 1);
	assert_int_equal(config->mail.per_minute, 30);
	assert_int_equal(config->mail.per_person_per_day, 10);
	assert_int_equal(config->alarm_daily, 8 * 3600 + 30 * 60);
	assert_int_equal(config->retention.challenges.amount, 6);
	assert_int_equal(config->retention.challenges.unit, PERIOD_YEARS);
	assert_int_equal(config->role_count, 2);
	assert_string_equal(config->roles[0].instead[0], "manager");
	assert_non_null(config_calendar(config, "england"));
	assert_null(config_calendar(config, "wales"));
	assert_non_null(config_policy(config, "p", NULL, NULL));
	assert_non_null(config_policy(config, "p", "1", NULL));
	assert_null(config_policy(config, "p", "2", &error));
	assert_int_equal(error.code, 2);
	assert_non_null(strstr(error.text, "p@1"));
	assert_int_equal(strlen(config->digest), 64);
	config_destroyp(&config);
	assert_null(config);
}

static void reads_every_value_of_a_policy(void **state)
{
	const struct folder *folder = *state;
	struct config *config;
	struct text lines = { 0 };
	const struct policy *policy;
	const struct obligation *first;

	load(folder, &config, &lines);
	text_clear(&lines);
	assert_non_null(config);
	policy = config_policy(config, "p", "", NULL);
	assert_non_null(policy);
	assert_ptr_equal(policy->calendar, config_calendar(config, "england"));
	assert_int_equal(policy->urgency_count, 2);
	assert_int_equal(policy->kind_count, EVENT_KINDS);
	assert_int_equal(policy->stage_count, 2);
	assert_int_equal(policy->obligation_count, 3);
	assert_int_equal(policy->immediate_to.count, 2);
	assert_string_equal(policy->roles[policy->immediate_to.role[0]].token,
			    "raising.manager");
	assert_string_equal(policy->roles[policy->immediate_to.role[1]].token,
			    "receiving.manager");
	assert_string_equal(policy->roles[policy->quiet_to.role[0]].token, "partnership.inbox");
	first = &policy->obligations[0];
	assert_string_equal(first->id, "one");
	assert_int_equal(first->starts, KIND_STAGE_ENTRY);
	assert_int_equal(first->end_count, 0);
	assert_int_equal(first->limit[0].amount, 3);
	assert_int_equal(first->limit[1].amount, 1);
	assert_true(first->firm);
	assert_int_equal(first->reminders[0].percent, 50);
	assert_int_equal(first->escalate_to, 1);
	assert_int_equal(first->breach_to.role[0], ROLE_OWNER);
	assert_int_equal(first->line, 7);
	assert_int_equal(first->limit_line, 8);
	assert_int_equal(policy->obligations[1].stage, 1);
	assert_int_equal(policy->obligations[1].owner.count, 1); /* the stage's */
	assert_int_equal(policy->obligations[1].every.unit, TIMESCALE_MONTHS);
	assert_int_equal(policy->obligations[1].times, 3);
	assert_int_equal(policy->stages[1].first_obligation, 1);
	assert_int_equal(policy->obligations[2].stage, STAGE_NONE);
	assert_int_equal(policy->obligations[2].owner.count, 0); /* the effective stage's */
	config_free(config);
}

static void the_digest_follows_every_file(void **state)
{
	const struct folder *folder = *state;
	static const struct {
		enum which which;
		const char *find, *with;
	} changes[] = { { MAIN, "= 30", "= 31" },
			{ POLICY, "50%", "51%" },
			{ HOLIDAYS, "Christmas", "Xmas" } };
	char before[65] = "";

	for (size_t i = 0; i < COUNT(changes); i++) {
		struct config *config;
		struct text lines = { 0 };

		replace(folder, changes[i].which, changes[i].find, changes[i].with);
		load(folder, &config, &lines);
		text_clear(&lines);
		assert_non_null(config);
		assert_string_not_equal(config->digest, before);
		(void)snprintf(before, sizeof before, "%s", config->digest);
		config_free(config);
	}
}

/* What a decision is tied to must change when the counting does, and not otherwise. */
static void a_calendar_s_version_follows_what_it_counts_by(void **state)
{
	const struct folder *folder = *state;
	static const struct {
		enum which which;
		const char *find, *with;
		bool changes;
	} changes[] = { { MAIN, "", "", true },
			{ MAIN, "= 30", "= 31", false },
			{ POLICY, "50%", "51%", false },
			{ HOLIDAYS, "Christmas Day", "Xmas", true },
			{ HOLIDAYS, "Christmas Day", "Christmas Day", true },
			{ HOLIDAYS, "12-25", "12-28", true },
			{ HOLIDAYS, "12-25", "12-25", true },
			{ MAIN, "09:00-17:00", "09:00-17:30", true },
			{ MAIN, "to = \"2026-12-31\"", "to = \"2026-12-30\"", true },
			{ MAIN, "friday =", "tuesday =", true } };
	char before[65] = "";

	for (size_t i = 0; i < COUNT(changes); i++) {
		struct config *config;
		struct text lines = { 0 };
		const struct named_calendar *calendar;

		replace(folder, changes[i].which, changes[i].find, changes[i].with);
		load(folder, &config, &lines);
		text_clear(&lines);
		assert_non_null(config);
		calendar = config_calendar_of(config, config->policies[0]);
		assert_non_null(calendar);
		assert_int_equal(strlen(calendar->version), 64);
		if ((strcmp(calendar->version, before) != 0) != changes[i].changes)
			fail_msg("row %zu: %s", i, calendar->version);
		(void)snprintf(before, sizeof before, "%s", calendar->version);
		config_free(config);
	}
}

static void clear_text_only_to_literal_loopback(void **state)
{
	const struct folder *folder = *state;
	static const struct {
		const char *relay;
		bool clear;
	} relays[] = { { "smtp://127.0.0.1:25", true }, { "smtp://127.9.9.9", true },
		       { "smtp://[::1]:2525", true },   { "smtp://localhost", false },
		       { "smtp://128.0.0.1", false },   { "smtp://127.0.0.1.example", false },
		       { "smtps://127.0.0.1", false },  { "smtp://[::2]", false } };
	static const char with_login[] = "login = { user = \"u\"; mechanism = \"PLAIN\"; "
					 "credential = \"c\"; };";

	for (size_t i = 0; i < COUNT(relays); i++)
		for (int login = 0; login < 2; login++) {
			struct config *config;
			struct text lines = { 0 };
			struct text mail = { 0 };

			text_appendf(&mail,
				     "mail = { relay = \"%s\"; from = \"a@p.example\"; %s "
				     "allow_domains = \"p.example\"; };\nalarm",
				     relays[i].relay, login != 0 ? with_login : "");
			text_append(&mail, strstr(sound_main, "alarm") + strlen("alarm"));
			replace(folder, MAIN, strstr(sound_main, "mail ="), text_string(&mail));
			text_clear(&mail);
			load(folder, &config, &lines);
			assert_string_equal(text_string(&lines), "");
			text_clear(&lines);
			assert_non_null(config);
			assert_int_equal(config->mail.clear_text,
					 relays[i].clear && login == 0);
			config_free(config);
		}
}

static void tells_a_policy_from_a_main_file(void **state)
{
	const struct folder *folder = *state;
	char path[100];

	(void)snprintf(path, sizeof path, "%s/policies/p.conf", folder->path);
	assert_true(config_is_policy_file(path));
	(void)snprintf(path, sizeof path, "%s/m.conf", folder->path);
	assert_false(config_is_policy_file(path));
	assert_false(config_is_policy_file("/nowhere"));
	/* The main file has `policies`, which begins alike. */
	write_file(folder, "m.conf", "# policy\npolicies = \"x\";");
	assert_false(config_is_policy_file(path));
}

static void what_ships_loads_without_a_fault(void **state)
{
	struct fault_list faults = { 0 };
	struct error error = { 0 };
	struct config *config = config_load("conf/challenge-notifyd.conf", &faults, &error);

	(void)state;
	fault_list_clear(&faults);
	if (config == NULL)
		fail_msg("%s", error.text);
	assert_int_equal(config->policy_count, 3);
	assert_non_null(config_policy(config, "example", NULL, NULL));
	assert_non_null(config_policy(config, "darlington", NULL, NULL));
	assert_non_null(config_policy(config, "coventry", NULL, NULL));
	config_free(config);
}

static struct config *must_load(const struct folder *folder)
{
	struct config *config = NULL;
	CLEANUP(text_clear) struct text lines = { 0 };

	load(folder, &config, &lines);
	if (config == NULL)
		fail_msg("%s", text_string(&lines));
	return config;
}

/* What the daemon keeps in its ledger has to outlive the files. */
static void its_text_loads_to_the_same_when_the_files_are_gone(void **state)
{
	const struct folder *folder = *state;
	struct config *config = must_load(folder);
	struct fault_list faults = { 0 };
	struct error error = { 0 };
	struct config *again;

	write_file(folder, "m.conf", "nonsense");
	write_file(folder, "policies/p.conf", "nonsense");
	write_file(folder, "holidays.json", "nonsense");
	again = config_load_text(config->text, &faults, &error);
	if (again == NULL)
		fail_msg("%s", error.text);
	assert_string_equal(again->digest, config->digest);
	assert_string_equal(again->text, config->text);
	assert_string_equal(again->store, config->store);
	assert_int_equal(again->policy_count, config->policy_count);
	assert_string_equal(again->policies[0]->digest, config->policies[0]->digest);
	fault_list_clear(&faults);
	config_free(again);
	config_free(config);
}

/* Each way to spoil a kept text: what is put in the place of what. */
static void a_spoilt_text_is_refused(void **state)
{
	static const struct {
		const char *find;
		const char *put;
	} spoilt[] = {
		{ "configuration 1", "configuration 2" },
		{ "\nmain ", "\nmean " },
		{ "\nmain ", "\nmain 9" },
		{ "\nmain ", "\nmain -" },
		{ "\npolicy ", "\npolicy 1" },
		{ "\nzone ", "\nzone 1" },
		{ "545a6966", "545a696g" },
		{ "545a6966", "545a6967" },
	};
	struct config *config = must_load(*state);

	for (size_t i = 0; i < COUNT(spoilt); i++) {
		CLEANUP(text_clear) struct text text = { 0 };
		const char *at = strstr(config->text, spoilt[i].find);
		struct fault_list faults = { 0 };
		struct error error = { 0 };
		struct config *again;

		assert_non_null(at);
		text_append_bytes(&text, config->text, (size_t)(at - config->text));
		text_append(&text, spoilt[i].put);
		text_append(&text, at + strlen(spoilt[i].find));
		again = config_load_text(text_string(&text), &faults, &error);
		if (again != NULL)
			fail_msg("%s was taken", spoilt[i].put);
		assert_int_not_equal(error.code, 0);
		fault_list_clear(&faults);
	}
	config_free(config);
}

/* A running daemon has to notice them, and to hold what they alone make due. */
static void other_zone_data_make_another_digest(void **state)
{
	const struct folder *folder = *state;
	struct config *config = must_load(folder);
	struct config *other;
	char command[400];

	(void)snprintf(command, sizeof command,
		       "mkdir -p %s/zones/Europe && cp /usr/share/zoneinfo/Europe/Dublin "
		       "%s/zones/Europe/London",
		       folder->path, folder->path);
	assert_int_equal(system(command), 0);
	(void)snprintf(command, sizeof command, "%s/zones", folder->path);
	assert_int_equal(setenv("TZDIR", command, 1), 0);
	other = must_load(folder);
	assert_int_equal(unsetenv("TZDIR"), 0);
	assert_string_not_equal(other->digest, config->digest);
	config_free(other);
	(void)snprintf(command, sizeof command, "rm -r %s/zones", folder->path);
	assert_int_equal(system(command), 0);
	config_free(config);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest own[] = {
		IN_FOLDER(faults_of_all_files_come_together),
		IN_FOLDER(one_version_is_one_file),
		IN_FOLDER(no_policy_at_all_is_a_fault),
		IN_FOLDER(a_pipe_is_no_file_and_hangs_nobody),
		IN_FOLDER(a_file_of_a_mebibyte_is_too_large),
		IN_FOLDER(a_nul_byte_is_told_at_its_line),
		IN_FOLDER(reads_every_value_of_the_main_file),
		IN_FOLDER(reads_every_value_of_a_policy),
		IN_FOLDER(the_digest_follows_every_file),
		IN_FOLDER(a_calendar_s_version_follows_what_it_counts_by),
		IN_FOLDER(clear_text_only_to_literal_loopback),
		IN_FOLDER(tells_a_policy_from_a_main_file),
		IN_FOLDER(its_text_loads_to_the_same_when_the_files_are_gone),
		IN_FOLDER(a_spoilt_text_is_refused),
		IN_FOLDER(other_zone_data_make_another_digest),
		cmocka_unit_test(what_ships_loads_without_a_fault),
	};
	struct CMUnitTest tests[COUNT(own) + COUNT(spoil_cases)];

	memcpy(tests, own, sizeof own);
	for (size_t i = 0; i < COUNT(spoil_cases); i++)
		tests[COUNT(own) + i] = (struct CMUnitTest){
			.name = spoil_cases[i].name,
			.test_func = spoils,
			.setup_func = set_up,
			.teardown_func = tear_down,
			.initial_state = (void *)&spoil_cases[i],
		};
	return cmocka_run_group_tests_name("config_file", tests, NULL, NULL);
}
