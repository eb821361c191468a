/* audit.c - does the ledger still say what it said, and what does it say of one challenge? */
#include "ctl/ledger_access.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* --- verify --------------------------------------------------------------------------------
 */

static json_t *verification_json(const struct ledger_verification *found)
{
	bool intact = found->what[0] == '\0';

	return json_pack("{s:b, s:I, s:I, s:s, s:o, s:s}", "intact", intact, "entries",
			 (json_int_t)found->entries, "purged", (json_int_t)found->purged,
			 "head", found->head, "first_bad",
			 intact ? json_null() : json_integer(found->first_bad), "what",
			 found->what);
}

static void print_verification(struct ctl *ctl, const struct ledger_verification *found)
{
	if (found->what[0] != '\0') {
		(void)fprintf(ctl->out, "NOT intact: at entry %lld: %s\n",
			      (long long)found->first_bad, found->what);
		return;
	}
	(void)fprintf(ctl->out, "intact");
	if (found->purged > 0)
		(void)fprintf(ctl->out, "; %lld %s purged by rule", (long long)found->purged,
			      text_plural(found->purged, "body", "bodies"));
	(void)fprintf(ctl->out, "\n%lld %s, head %s\n", (long long)found->entries,
		      text_plural(found->entries, "entry", "entries"), found->head);
}

static int run_verify(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct ledger_verification found = { 0 };
	struct error error = { 0 };
	int status = ctl_arguments(ctl, argc, argv, 0, 0);

	if (status == EXIT_DONE)
		status = ctl_ledger(ctl, LEDGER_READ, &ledger);
	if (status != EXIT_DONE)
		return status;
	if (ctl_verify(ctl, ledger, &found, &error) < 0)
		return ctl_fail(ctl, &error, "");
	if (ctl->json) {
		status = ctl_print_json(ctl, verification_json(&found));
		if (status != EXIT_DONE)
			return status;
	} else {
		print_verification(ctl, &found);
	}
	return found.what[0] == '\0' ? EXIT_DONE : EXIT_NO;
}

/* --- export --------------------------------------------------------------------------------
 */

struct export
{
	struct ctl *ctl;
	json_t *array; /* NULL: readable lines */
	bool failed;
};

static json_t *entry_of(const struct ledger_entry *entry)
{
	char at[INSTANT_TEXT_SIZE];
	json_t *said = entry->payload != NULL ? json_loads(entry->payload, 0, NULL) : NULL;

	return json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:b, s:o, s:s}", "entry",
			 (json_int_t)entry->seq, "at", instant_format(entry->at, 0, at), "kind",
			 entry->kind, "state", entry->state, "notice",
			 (json_int_t)entry->notice, "mail", (json_int_t)entry->mail, "purged",
			 entry->payload == NULL, "said", said != NULL ? said : json_null(),
			 "hash", entry->hash);
}

/* "  role: receiving.manager" for each thing that the entry said. */
static void print_said(FILE *out, const char *payload)
{
	json_t *said = json_loads(payload, 0, NULL);
	const char *key;
	json_t *value;

	json_object_foreach(said, key, value)
	{
		char *text;

		if (json_is_string(value)) {
			if (json_string_length(value) > 0)
				(void)fprintf(out, "      %s: %s\n", key,
					      json_string_value(value));
			continue;
		}
		if (json_is_null(value))
			continue;
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		if (text != NULL)
			(void)fprintf(out, "      %s: %s\n", key, text);
		freep(&text);
	}
	json_decref(said);
}

static int export_entry(void *context, const struct ledger_entry *entry)
{
	struct export *export = context;
	FILE *out = export->ctl->out;
	char when[WHEN_TEXT_SIZE];

	if (export->array != NULL) {
		export->failed = json_array_append_new(export->array, entry_of(entry)) < 0;
		return export->failed;
	}
	(void)fprintf(out, "%s  entry %lld: %s", ctl_when(export->ctl, entry->at, when),
		      (long long)entry->seq, entry->kind);
	if (entry->notice != 0)
		(void)fprintf(out, ", notice %lld", (long long)entry->notice);
	if (entry->mail != 0)
		(void)fprintf(out, ", mail %lld", (long long)entry->mail);
	if (entry->state[0] != '\0' && strcmp(entry->state, entry->kind) != 0)
		(void)fprintf(out, ", then %s", entry->state);
	(void)fprintf(out, "\n");
	if (entry->payload != NULL)
		print_said(out, entry->payload);
	else
		(void)fprintf(out, "      (purged by rule)\n");
	(void)fprintf(out, "      hash: %s\n", entry->hash);
	return 0;
}

static int export_challenge(struct ctl *ctl, struct ledger *ledger, const char *reference,
			    int64_t challenge)
{
	struct ledger_verification found = { 0 };
	struct export export = { .ctl = ctl };
	struct error error = { 0 };
	int result = ctl_verify(ctl, ledger, &found, &error);

	if (ctl->json)
		export.array = json_array();
	else
		(void)fprintf(ctl->out, "What the ledger holds about %s\n\n", reference);
	if (result == 0)
		result = ledger_trail(ledger, challenge, 0, export_entry, &export, &error);
	if (result == 0 && export.failed)
		result = error_memory(&error);
	if (result < 0) {
		json_decref(export.array);
		return ctl_fail(ctl, &error, "");
	}
	if (ctl->json)
		return ctl_print_json(ctl, json_pack("{s:s, s:o, s:o}", "reference", reference,
						     "ledger", verification_json(&found),
						     "entries", export.array));
	(void)fprintf(ctl->out, "\nThe ledger as a whole: ");
	print_verification(ctl, &found);
	return EXIT_DONE;
}

static int run_export(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct error error = { 0 };
	int64_t challenge = 0;
	int status = ctl_arguments(ctl, argc, argv, 1, 1);
	int found;

	if (status == EXIT_DONE)
		status = ctl_ledger(ctl, LEDGER_READ, &ledger);
	if (status != EXIT_DONE)
		return status;
	found = ledger_challenge(ledger, argv[0], &challenge, &error);
	if (found == 0)
		found = error_set(&error, ENOENT, "nothing was ever decided for \"%s\"",
				  argv[0]);
	if (found < 0)
		return ctl_fail(ctl, &error, "");
	return export_challenge(ctl, ledger, argv[0], challenge);
}

const struct command command_audit_verify = {
	.name = "audit verify",
	.summary = "check that nobody changed the ledger",
	.usage = "Usage: challengectl audit verify\n"
		 "\n"
		 "Exit status 1 when it does not verify. Compare the head with one that the\n"
		 "journal or an alarm mail told earlier: only that shows a ledger rewritten "
		 "whole.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl audit verify --json\n",
	.run = run_verify,
};
const struct command command_audit_export = {
	.name = "audit export",
	.summary = "all that was decided, sent and answered about one challenge",
	.usage = "Usage: challengectl audit export REF\n\nExample:\n  challengectl audit "
		 "export 2026-014\n",
	.run = run_export,
};
