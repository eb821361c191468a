/*
 * approve.c - `challengectl approve DIGEST`: a person takes responsibility for a changed
 * configuration, and what it alone made due at once goes out.
 */
#include "ctl/commands.h"
#include "ctl/ledger_access.h"

#include <jansson.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum {
	DIGEST_LEAST = 8,    /* digits: fewer could be a slip of their own */
	TEXT_MOST = 64 << 20 /* of a whole configuration, as config_file has it */
};

/* What the daemon has put into the ledger. */
struct waiting {
	struct text digest; /* of the configuration in use */
	struct text text;
	struct text approved;
};

static void waiting_clear(struct waiting *waiting)
{
	text_clear(&waiting->digest);
	text_clear(&waiting->text);
	text_clear(&waiting->approved);
}

static int read_waiting(struct ledger *ledger, struct waiting *ret, struct error *error)
{
	int found = ledger_get(ledger, "configuration", &ret->digest, error);
	int more;

	ret->text.limit = TEXT_MOST;
	if (found <= 0)
		return found;
	found = ledger_get(ledger, "configuration_text", &ret->text, error);
	if (found <= 0)
		return found;
	more = ledger_get(ledger, "approved", &ret->approved, error);
	return more < 0 ? more : 1;
}

static const char *name_of_user(void)
{
	const struct passwd *user = getpwuid(geteuid());

	return user != NULL ? user->pw_name : "somebody";
}

/* In one transaction: a kill leaves all of it or nothing. */
static int approve(struct ledger *ledger, const struct waiting *waiting, const char *why,
		   struct instant now, size_t *ret_released, struct error *error)
{
	char *payload;
	json_t *object = json_pack("{s:s, s:s, s:s}", "digest", text_string(&waiting->digest),
				   "by", name_of_user(), "reason", why);
	int result = ledger_begin(ledger, error);

	payload = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (payload == NULL)
		result = error_memory(error);
	if (result == 0)
		result = ledger_set(ledger, "approved", text_string(&waiting->digest), error);
	if (result == 0)
		result =
			ledger_set(ledger, "approved_text", text_string(&waiting->text), error);
	if (result == 0)
		result = ledger_note(ledger, "approved", payload, now, error);
	if (result == 0)
		result = ledger_release_notices(ledger, 0, name_of_user(), why, now,
						ret_released, error);
	if (result == 0)
		result = ledger_commit(ledger, error);
	if (result < 0)
		ledger_rollback(ledger);
	free(payload);
	return result;
}

static int say(struct ctl *ctl, const struct waiting *waiting, bool already, size_t released)
{
	if (ctl->json)
		return ctl_print_json(ctl, json_pack("{s:s, s:b, s:I}", "digest",
						     text_string(&waiting->digest), "already",
						     (int)already, "released",
						     (json_int_t)released));
	if (already)
		(void)fprintf(ctl->out, "Configuration %.12s is approved already.\n",
			      text_string(&waiting->digest));
	else
		(void)fprintf(ctl->out,
			      "Configuration %.12s is approved; %zu held notices go out with "
			      "the next poll.\n",
			      text_string(&waiting->digest), released);
	return EXIT_DONE;
}

static int check_digest(struct ctl *ctl, const struct waiting *waiting, const char *typed)
{
	if (strlen(typed) < DIGEST_LEAST)
		return ctl_usage(ctl, "\"%s\": at least %d digits of the digest", typed,
				 DIGEST_LEAST);
	if (strncmp(text_string(&waiting->digest), typed, strlen(typed)) == 0)
		return EXIT_DONE;
	return ctl_cannot(ctl, "the daemon uses configuration %.12s, not \"%.64s\"",
			  text_string(&waiting->digest), typed);
}

static int run_approve(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	CLEANUP(waiting_clear) struct waiting waiting = { 0 };
	struct error error = { 0 };
	const char *why = "approved";
	size_t released = 0;
	int status = EXIT_DONE;
	int found;

	if (ctl_option(ctl, &argc, argv, "--reason", &why) < 0)
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 1, 1);
	if (status == EXIT_DONE)
		status = ctl_ledger(ctl, LEDGER_PERSON, &ledger);
	if (status != EXIT_DONE)
		return status;
	found = read_waiting(ledger, &waiting, &error);
	if (found < 0)
		return ctl_fail(ctl, &error, "");
	if (found == 0)
		return ctl_cannot(ctl, "the daemon has not used any configuration yet");
	status = check_digest(ctl, &waiting, argv[0]);
	if (status != EXIT_DONE)
		return status;
	if (strcmp(text_string(&waiting.digest), text_string(&waiting.approved)) == 0)
		return say(ctl, &waiting, true, 0);
	if (approve(ledger, &waiting, why, clock_now(ctl->clock), &released, &error) < 0)
		return ctl_fail(ctl, &error, "");
	return say(ctl, &waiting, false, released);
}

const struct command command_approve = {
	.name = "approve",
	.summary = "let out what a changed configuration alone made due at once",
	.usage = "Usage: challengectl approve DIGEST [--reason TEXT]\n"
		 "\n"
		 "What a changed configuration alone makes due at once is held until somebody "
		 "approves\n"
		 "it; the daemon's status and journal name its DIGEST (8 digits or more will "
		 "do). Look\n"
		 "at \"challengectl simulate\" first. If the change was a slip, correct the "
		 "files and\n"
		 "reload instead: the notices are taken back.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl approve 9f86d081884c --reason 'agreed by the executive'\n",
	.run = run_approve,
};
