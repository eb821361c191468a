/*
 * approve_store.c - `challengectl approve store`: a person says that the store is the right
 * one, although it is an older copy, or another, than the ledger knows.
 *
 * What is recorded from then on gets numbers that the ledger has never seen. What has got one
 * of the lost numbers already would be taken for told: it has to be recorded again.
 */
#include "adapter/register.h"
#include "ctl/commands.h"
#include "ctl/ledger_access.h"
#include "ctl/lookup.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* The store as it stands beside the ledger. */
struct standing_in {
	struct ctl *ctl;
	struct ledger_witness witness;
	bool other;     /* another store: every number up to the witness's is in doubt */
	int64_t copied; /* the newest event in it when the daemon first looked; INT64_MAX: it
			   has not */
	bool known;     /* nothing is lost: the event last seen is there */
	struct ledger_numbers numbers;
	json_t *reused;
};

static int look(struct standing_in *it, struct ledger *ledger, struct store *store,
		struct error *error)
{
	CLEANUP(text_clear) struct text identity = { 0 };
	int64_t doubted = 0;
	int result = ledger_witness(ledger, &it->witness, error);

	it->copied = INT64_MAX;
	if (result >= 0)
		result = ledger_get_number(ledger, LEDGER_STORE_DOUBTED, &doubted, error);
	if (result >= 0 && doubted != 0)
		result = ledger_get_number(ledger, LEDGER_STORE_COPIED, &it->copied, error);

	if (result >= 0)
		result = ledger_get(ledger, "store_identity", &identity, error);
	if (result >= 0)
		result = ledger_numbers(ledger, &it->numbers, error);
	if (result < 0)
		return result;
	it->other = strcmp(text_string(&identity), store_identity(store)) != 0;
	if (it->other || it->witness.event == 0)
		return 0;
	result = store_has_event(
		store,
		&(struct store_event){ .id = it->witness.event,
				       .challenge = it->witness.challenge,
				       .at = { it->witness.at },
				       .recorded_at = { it->witness.recorded_at } },
		error);
	it->known = result == 1;
	return result < 0 ? result : 0;
}

static void add_reused(void *context, const char *reference, int64_t event, const char *kind)
{
	struct standing_in *it = context;

	/* Where memory ends, the count does not matter any more: one is enough to refuse. */
	(void)json_array_append_new(it->reused,
				    json_pack("{s:s, s:I, s:s}", "reference", reference,
					      "event", (json_int_t)event, "kind", kind));
}

/* The numbers first: whatever is recorded again, to put this right, needs new ones. */
static int renumber(struct standing_in *it, struct error *error)
{
	CLEANUP(register_closep) struct registrar *registrar = NULL;
	const struct register_numbers numbers = { .challenge = it->numbers.challenge,
						  .event = it->numbers.event,
						  .contact = it->numbers.contact };
	int result = register_open(it->ctl->config->store, &registrar, error);

	if (result == 0)
		result = register_skip_numbers(registrar, &numbers, error);
	if (result == 0)
		result = register_reused(
			registrar,
			&(struct register_lost){ .last = it->witness.event,
						 .seen = it->other ? INT64_MIN
								   : it->witness.seen,
						 .copied = it->copied },
			add_reused, it, error);
	return result;
}

static int confirm(struct ledger *ledger, const char *identity, const char *by, const char *why,
		   struct instant now, struct error *error)
{
	CLEANUP(freep) char *text = NULL;
	json_t *payload =
		json_pack("{s:s, s:s, s:s}", "identity", identity, "by", by, "reason", why);

	text = payload != NULL ? json_dumps(payload, JSON_COMPACT) : NULL;
	json_decref(payload);
	if (text == NULL)
		return error_set(error, EINVAL, "who or why is not UTF-8");
	return ledger_confirm_store(ledger, identity, text, now, error);
}

static int print_reused(const struct standing_in *it)
{
	FILE *out = it->ctl->out;
	const json_t *one;
	size_t i;

	json_array_foreach(it->reused, i, one)(void)
		fprintf(out, "%s: event %lld (%s) has a number that the ledger knows\n",
			json_string_value(json_object_get(one, "reference")),
			(long long)json_integer_value(json_object_get(one, "event")),
			json_string_value(json_object_get(one, "kind")));
	(void)fprintf(out, it->other
				   ? "Not approved: begin a ledger for this store. Stop the "
				     "daemon, move ledger.db and ledger.db-journal\naway, and "
				     "start it.\n"
				   : "Not approved: take each back (challengectl record "
				     "REFERENCE voided --voids EVENT), record it\nagain, and "
				     "approve then.\n");
	return EXIT_NO;
}

static int say(const struct standing_in *it)
{
	bool approved = json_array_size(it->reused) == 0;

	if (it->ctl->json) {
		int status = ctl_print_json(it->ctl, json_pack("{s:b, s:O}", "approved",
							       approved, "reused", it->reused));

		return status != EXIT_DONE || approved ? status : EXIT_NO;
	}
	if (!approved)
		return print_reused(it);
	if (it->known) {
		(void)fprintf(it->ctl->out,
			      "Nothing to approve: it is the store that the ledger "
			      "knows.\n");
		return EXIT_DONE;
	}
	(void)fprintf(it->ctl->out,
		      "The store is approved: new events in it are numbered from %lld on. The "
		      "daemon goes on at its next poll.\n",
		      (long long)it->numbers.event + 1);
	if (it->copied == INT64_MAX)
		(void)fprintf(it->ctl->out,
			      "The daemon had not looked at it yet. If a system has recorded "
			      "something in it since it was\nput back, with a recorded_at of "
			      "before, take that back and record it again: nothing tells it\n"
			      "from the copy.\n");
	return EXIT_DONE;
}

static int approve(struct standing_in *it, const char *by, const char *why)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	CLEANUP(store_closep) struct store *store = NULL;
	struct error error = { 0 };
	int status = ctl_ledger(it->ctl, LEDGER_PERSON, &ledger);

	if (status == EXIT_DONE)
		status = ctl_open_store(it->ctl, &store);
	if (status != EXIT_DONE)
		return status;
	if (look(it, ledger, store, &error) < 0 || (!it->known && renumber(it, &error) < 0))
		return ctl_fail(it->ctl, &error, "");
	if (it->known)
		return say(it);
	if (json_array_size(it->reused) == 0 && confirm(ledger, store_identity(store), by, why,
							clock_now(it->ctl->clock), &error) < 0)
		return ctl_fail(it->ctl, &error, "");
	return say(it);
}

static int run_approve_store(struct ctl *ctl, int argc, char **argv)
{
	struct standing_in it = { .ctl = ctl };
	const char *by = NULL;
	const char *why = NULL;
	int status;

	if (!ctl_options(ctl, &argc, argv,
			 (struct ctl_option[]){ { "--by", &by }, { "--why", &why } }, 2))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 0, 0);
	if (status == EXIT_DONE)
		status = ctl_who_and_why(ctl, by, why);
	if (status != EXIT_DONE)
		return status;
	if (ctl_config(ctl) == NULL)
		return EXIT_COULD_NOT;
	it.reused = json_array();
	status = it.reused == NULL ? ctl_cannot(ctl, "out of memory") : approve(&it, by, why);
	json_decref(it.reused);
	return status;
}

const struct command command_approve_store = {
	.name = "approve store",
	.summary = "confirm that an older copy of the store is to be used",
	.usage =
		"Usage: challengectl approve store --by NAME --why TEXT\n"
		"\n"
		"The daemon decides nothing while its store is an older copy than the one it "
		"has seen,\n"
		"or another: the numbers of what was lost would go to what is recorded next, "
		"and that\n"
		"would be taken for told already. This command gives new numbers to what is "
		"recorded\n"
		"from now on, and lets the daemon go on. Run it before anything is recorded "
		"in the\n"
		"copy: what has got such a number already is named (exit status 1), and has to "
		"be taken\n"
		"back and recorded again first. That is what was recorded after the loss, or "
		"is "
		"newer\n"
		"than what the daemon found when it first looked at the copy; what a system "
		"recorded\n"
		"before that look, with a recorded_at of before the loss, cannot be told from "
		"the copy.\n"
		"\n"
		"Example:\n"
		"  challengectl approve store --by 'A. Person' --why 'the disk failed: copy of "
		"Friday'\n",
	.run = run_approve_store,
};
