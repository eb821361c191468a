/*
 * queue.c - the mails that the daemon has made: listed, shown, and decided by a person.
 *
 * Every decision is recorded in the ledger's chain with who made it and why.
 */
#include "base/text.h"
#include "core/mail_text.h"
#include "ctl/ledger_access.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* --- list ----------------------------------------------------------------------------------
 */

/* "a\nb" as [ "a", "b" ]; NULL when out of memory. */
static json_t *lines_json(const char *lines)
{
	json_t *array = json_array();

	while (*lines != '\0') {
		size_t length = strcspn(lines, "\n");

		if (json_array_append_new(array, json_stringn(lines, length)) < 0) {
			json_decref(array);
			return NULL;
		}
		lines += length + (lines[length] == '\n');
	}
	return array;
}

static json_t *time_json(struct instant at)
{
	char text[INSTANT_TEXT_SIZE];

	return instant_is_never(at) ? json_null() : json_string(instant_format(at, 0, text));
}

/* The contract of design section 7. */
static json_t *mail_json(const struct ledger_mail *mail)
{
	return json_pack("{s:I, s:s, s:o, s:o, s:s, s:s, s:i, s:o, s:s, s:o}", "id",
			 (json_int_t)mail->id, "state", delivery_state_name(mail->state),
			 "reference", lines_json(mail->references), "kind",
			 lines_json(mail->kinds), "recipient", mail->recipient, "message_id",
			 mail->message_id, "attempts", mail->attempts, "next_attempt",
			 time_json(mail->next_attempt), "reply", mail->reply, "updated",
			 time_json(mail->updated));
}

struct listing {
	struct ctl *ctl;
	json_t *array; /* NULL: the table */
	struct table *table;
	size_t count;
	bool failed;
};

/* The lists of a digest on one line. */
static const char *comma_separated(const char *lines, struct text *ret)
{
	for (; *lines != '\0'; lines++)
		text_append_char(ret, *lines == '\n' ? ',' : *lines);
	return text_string(ret);
}

/* Of a mail about no challenge: a summary, or an alarm. */
static const char *or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

static const char *address_text(const struct ledger_mail *mail)
{
	return mail->recipient[0] != '\0' ? mail->recipient : "(erased)";
}

static void add_mail(struct listing *listing, const struct ledger_mail *mail)
{
	CLEANUP(text_clear) struct text id = { 0 };
	CLEANUP(text_clear) struct text references = { 0 };
	CLEANUP(text_clear) struct text kinds = { 0 };
	char updated[WHEN_TEXT_SIZE];

	text_appendf(&id, "%lld", (long long)mail->id);
	table_add(listing->table,
		  (const char *[]){
			  text_string(&id),
			  delivery_state_name(mail->state),
			  ctl_when(listing->ctl, mail->updated, updated),
			  or_dash(comma_separated(mail->references, &references)),
			  or_dash(comma_separated(mail->kinds, &kinds)),
			  address_text(mail),
		  });
}

static int list_mail(void *context, const struct ledger_mail *mail)
{
	struct listing *listing = context;

	if (listing->array == NULL)
		add_mail(listing, mail);
	else
		listing->failed = json_array_append_new(listing->array, mail_json(mail)) < 0;
	listing->count++;
	return listing->failed;
}

static int print_counts(struct ctl *ctl, struct ledger *ledger, size_t listed)
{
	int64_t count[DELIVERY_STATE_COUNT] = { 0 };
	struct error error = { 0 };

	if (ledger_count(ledger, count, &error) < 0)
		return ctl_fail(ctl, &error, "");
	if (listed == 0)
		(void)fprintf(ctl->out, "No such mail.\n");
	if (count[DELIVERY_DECIDED] > 0)
		(void)fprintf(ctl->out,
			      "%lld notice(s) are decided and wait for their sending time.\n",
			      (long long)count[DELIVERY_DECIDED]);
	return EXIT_DONE;
}

static int list(struct ctl *ctl, int state)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	static const char *const heads[] = { ">MAIL",     "STATE", "=SINCE",
					     "REFERENCE", "KIND",  "RECIPIENT" };
	CLEANUP(table_clear) struct table table = { .heads = heads, .columns = COUNT(heads) };
	struct listing listing = { .ctl = ctl, .table = &table };
	struct error error = { 0 };
	int status = ctl_ledger(ctl, LEDGER_READ, &ledger);
	int result;

	if (status != EXIT_DONE)
		return status;
	if (ctl->json)
		listing.array = json_array();
	result = ledger_mails(ledger, state, list_mail, &listing, &error);
	if (result == 0 && listing.failed)
		result = error_memory(&error);
	if (result < 0) {
		json_decref(listing.array);
		return ctl_fail(ctl, &error, "");
	}
	if (listing.array != NULL)
		return ctl_print_json(ctl, listing.array);
	if (listing.count > 0)
		status = table_print(ctl, &table);
	return status == EXIT_DONE ? print_counts(ctl, ledger, listing.count) : status;
}

static int unknown_state(struct ctl *ctl, const char *typed)
{
	CLEANUP(text_clear) struct text states = { 0 };

	for (int i = DELIVERY_READY; i < DELIVERY_STATE_COUNT; i++)
		text_appendf(&states, "%s%s", states.length > 0 ? ", " : "",
			     delivery_state_name((enum delivery_state)i));
	return ctl_usage(ctl, "--state: there is no state \"%s\"; there are: %s", typed,
			 text_string(&states));
}

static int run_list(struct ctl *ctl, int argc, char **argv)
{
	const char *name = NULL;
	int state = -1;
	int status;

	if (ctl_option(ctl, &argc, argv, "--state", &name) < 0)
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 0, 0);
	if (status != EXIT_DONE)
		return status;
	if (name != NULL) {
		state = delivery_state_parse(name);
		if (state < 0)
			return unknown_state(ctl, name);
	}
	return list(ctl, state);
}

/* --- show ----------------------------------------------------------------------------------
 */

/* Of an entry's payload, what a person wants to know. */
static void print_payload(FILE *out, const json_t *payload)
{
	static const char *const keys[] = { "attempts", "reply", "reason", "by", "why" };

	for (size_t i = 0; i < COUNT(keys); i++) {
		const json_t *value = json_object_get(payload, keys[i]);

		if (json_is_integer(value) && json_integer_value(value) > 0)
			(void)fprintf(out, "  %s %lld", keys[i],
				      (long long)json_integer_value(value));
		if (json_is_string(value) && json_string_value(value)[0] != '\0') {
			(void)fprintf(out, "  %s: ", keys[i]);
			terminal_put(out, json_string_value(value));
		}
	}
}

static int print_entry(void *context, const struct ledger_entry *entry)
{
	struct ctl *ctl = context;
	char when[WHEN_TEXT_SIZE];
	json_t *payload = entry->payload != NULL ? json_loads(entry->payload, 0, NULL) : NULL;

	(void)fprintf(ctl->out, "  %s  %s", ctl_when(ctl, entry->at, when), entry->kind);
	if (payload != NULL)
		print_payload(ctl->out, payload);
	else
		(void)fputs("  (purged)", ctl->out);
	(void)fputc('\n', ctl->out);
	json_decref(payload);
	return 0;
}

static void print_mail(struct ctl *ctl, const struct ledger_mail *mail)
{
	char when[WHEN_TEXT_SIZE];

	(void)fprintf(ctl->out, "Mail %lld is %s since %s.\n", (long long)mail->id,
		      delivery_state_name(mail->state), ctl_when(ctl, mail->updated, when));
	(void)fprintf(ctl->out, "Recipient:    %s\nMessage-ID:   <%s>\nAttempts:     %d\n",
		      address_text(mail), mail->message_id, mail->attempts);
	if (!instant_is_never(mail->next_attempt))
		(void)fprintf(ctl->out, "Next attempt: %s\n",
			      ctl_when(ctl, mail->next_attempt, when));
	if (mail->reply[0] != '\0')
		(void)fprintf(ctl->out, "Reply:        %s\n", mail->reply);
	(void)fprintf(ctl->out, "\nWhat happened:\n");
}

/* What its reader sees, or with --source the very bytes; a terminal is told nothing by them. */
static void print_text(struct ctl *ctl, const struct ledger_mail *mail, bool source)
{
	CLEANUP(text_clear) struct text subject = { 0 };
	CLEANUP(text_clear) struct text body = { 0 };

	(void)fputc('\n', ctl->out);
	if (mail->bytes == NULL) {
		(void)fprintf(ctl->out, "Its text was purged.\n");
		return;
	}
	if (source) {
		for (size_t i = 0; i < mail->length; i++)
			if (mail->bytes[i] != '\r')
				text_append_char(&body, mail->bytes[i]);
		terminal_put(ctl->out, text_string(&body));
		return;
	}
	mail_text_read(mail->bytes, mail->length, &subject, &body);
	(void)fputs("Subject: ", ctl->out);
	terminal_put(ctl->out, text_string(&subject));
	(void)fputs("\n\n", ctl->out);
	terminal_put(ctl->out, text_string(&body));
}

static int show(struct ctl *ctl, struct ledger *ledger, const struct ledger_mail *mail,
		bool source)
{
	struct error error = { 0 };
	json_t *document;

	if (ctl->json) {
		document = mail_json(mail);
		if (document == NULL ||
		    json_object_set_new(document, "text",
					mail->bytes != NULL
						? json_stringn(mail->bytes, mail->length)
						: json_null()) < 0) {
			json_decref(document);
			(void)error_memory(&error);
			return ctl_fail(ctl, &error, "");
		}
		return ctl_print_json(ctl, document);
	}
	print_mail(ctl, mail);
	if (ledger_trail(ledger, 0, mail->id, print_entry, ctl, &error) < 0)
		return ctl_fail(ctl, &error, "");
	print_text(ctl, mail, source);
	return EXIT_DONE;
}

static int run_show(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };
	struct error error = { 0 };
	bool source = ctl_flag(&argc, argv, "--source");
	int status = ctl_arguments(ctl, argc, argv, 1, 1);
	int64_t id;
	int found;

	if (status != EXIT_DONE)
		return status;
	if (!ctl_number(ctl, "mail", argv[0], &id))
		return EXIT_USAGE;
	status = ctl_ledger(ctl, LEDGER_READ, &ledger);
	if (status != EXIT_DONE)
		return status;
	found = ledger_mail(ledger, id, &mail, &error);
	if (found == 0)
		found = error_set(&error, ENOENT, "there is no mail %lld", (long long)id);
	if (found < 0)
		return ctl_fail(ctl, &error, "See \"challengectl queue list\".");
	return show(ctl, ledger, &mail, source);
}

/* --- decisions -----------------------------------------------------------------------------
 */

static bool take_who_and_why(struct ctl *ctl, int *argc, char **argv, const char **by,
			     const char **why)
{
	const struct ctl_option options[] = { { "--by", by }, { "--why", why } };

	return ctl_options(ctl, argc, argv, options, COUNT(options));
}

/* `only_from` narrows what the ledger would allow to what the word means; 0: as it allows. */
static int decide(struct ctl *ctl, int argc, char **argv, enum delivery_state to,
		  unsigned only_from)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };
	struct error error = { 0 };
	const char *by = NULL;
	const char *why = NULL;
	struct instant now;
	int64_t id;
	int status;
	int result;

	if (!take_who_and_why(ctl, &argc, argv, &by, &why))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 1, 1);
	if (status == EXIT_DONE)
		status = ctl_who_and_why(ctl, by, why);
	if (status != EXIT_DONE)
		return status;
	if (!ctl_number(ctl, "mail", argv[0], &id) || !ctl_now(ctl, NULL, &now))
		return EXIT_USAGE;
	status = ctl_ledger(ctl, LEDGER_PERSON, &ledger);
	if (status != EXIT_DONE)
		return status;
	result = ledger_mail(ledger, id, &mail, &error);
	if (result == 1 && only_from != 0 && (only_from & 1u << mail.state) == 0)
		result = error_set(&error, EINVAL, "mail %lld is %s", (long long)id,
				   delivery_state_name(mail.state));
	if (result >= 0)
		result = ledger_decide_mail(ledger, id, to, by, why, now, &error);
	if (result < 0)
		return ctl_fail(ctl, &error, "See \"challengectl queue show\".");
	if (ctl->json)
		return ctl_print_json(ctl, json_pack("{s:I, s:s}", "id", (json_int_t)id,
						     "state", delivery_state_name(to)));
	(void)fprintf(ctl->out, "Mail %lld is %s now.\n", (long long)id,
		      delivery_state_name(to));
	return EXIT_DONE;
}

static int run_retry(struct ctl *ctl, int argc, char **argv)
{
	return decide(ctl, argc, argv, DELIVERY_READY, 0);
}

/* What the daemon held since far more fell due than usual: all of it, or none. */
static int release_all(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct error error = { 0 };
	const char *by = NULL;
	const char *why = NULL;
	struct instant now;
	size_t count = 0;
	int status;

	if (!take_who_and_why(ctl, &argc, argv, &by, &why))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 0, 0);
	if (status == EXIT_DONE)
		status = ctl_who_and_why(ctl, by, why);
	if (status != EXIT_DONE)
		return status;
	if (!ctl_now(ctl, NULL, &now))
		return EXIT_USAGE;
	status = ctl_ledger(ctl, LEDGER_PERSON, &ledger);
	if (status != EXIT_DONE)
		return status;
	if (ledger_release_flood(ledger, by, why, now, &count, &error) < 0)
		return ctl_fail(ctl, &error, "");
	if (ctl->json)
		return ctl_print_json(ctl, json_pack("{s:I}", "released", (json_int_t)count));
	if (count == 0)
		(void)fprintf(ctl->out, "No notice was held for a flood or a restore.\n");
	else
		(void)fprintf(ctl->out, "%zu notice(s) go out at the daemon's next poll.\n",
			      count);
	return EXIT_DONE;
}

static int run_release(struct ctl *ctl, int argc, char **argv)
{
	if (ctl_flag(&argc, argv, "--all"))
		return release_all(ctl, argc, argv);
	return decide(ctl, argc, argv, DELIVERY_READY, 1u << DELIVERY_HELD);
}

static int run_cancel(struct ctl *ctl, int argc, char **argv)
{
	return decide(ctl, argc, argv, DELIVERY_CANCELLED, 0);
}

static int run_hold(struct ctl *ctl, int argc, char **argv)
{
	return decide(ctl, argc, argv, DELIVERY_HELD, 0);
}

/* --- the commands --------------------------------------------------------------------------
 */

#define DECISION_USAGE(word)                                                                 \
	"Usage: challengectl queue " word " MAIL --by NAME --why TEXT\n"                     \
	"\n"                                                                                 \
	"Who and why are kept in the audit trail. A mail that is being attempted just now\n" \
	"cannot be changed.\n"                                                               \
	"\n"                                                                                 \
	"Example:\n"                                                                         \
	"  challengectl queue " word " 17 --by 'A. Person' --why 'asked by telephone'\n"

const struct command command_queue_list = {
	.name = "queue list",
	.summary = "list the mails, newest last",
	.usage = "Usage: challengectl queue list [--state STATE]\n"
		 "\n"
		 "STATE is ready, attempting, accepted, retry, in_doubt, refused, cancelled or "
		 "held.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl queue list --state held\n",
	.run = run_list,
};
const struct command command_queue_show = {
	.name = "queue show",
	.summary = "show one mail, what happened to it, and its text",
	.usage = "Usage: challengectl queue show MAIL [--source]\n"
		 "\n"
		 "Its state, what happened to it, and subject and text as its reader sees "
		 "them.\n"
		 "\n"
		 "  --source   the very bytes that the relay was or will be given\n"
		 "\n"
		 "Example:\n"
		 "  challengectl queue show 17\n",
	.run = run_show,
};
const struct command command_queue_retry = {
	.name = "queue retry",
	.summary = "attempt a mail again at the next poll",
	.usage = DECISION_USAGE("retry"),
	.run = run_retry,
};
const struct command command_queue_cancel = {
	.name = "queue cancel",
	.summary = "never send a mail",
	.usage = DECISION_USAGE("cancel"),
	.run = run_cancel,
};
const struct command command_queue_hold = {
	.name = "queue hold",
	.summary = "keep a mail back until it is released",
	.usage = DECISION_USAGE("hold"),
	.run = run_hold,
};
const struct command command_queue_release = {
	.name = "queue release",
	.summary = "send a mail that is held, or all that a flood has held",
	.usage = "Usage: challengectl queue release MAIL|--all --by NAME --why TEXT\n"
		 "\n"
		 "--all lets every notice go that the daemon held since far more fell due "
		 "than usual,\n"
		 "or since its ledger was put back from a copy. Who and why are kept in the "
		 "audit trail.\n"
		 "\n"
		 "Examples:\n"
		 "  challengectl queue release 17 --by 'A. Person' --why 'the address is "
		 "right'\n"
		 "  challengectl queue release --all --by 'A. Person' --why 'the first day of "
		 "term'\n",
	.run = run_release,
};
