/*
 * test_mail.c - challengectl test-mail: one mail marked TEST, through the real sender program
 * and the configured relay, with every step of the conversation as it goes.
 *
 * It passes by the ledger: it is about no challenge, and it may be sent while the daemon runs.
 */
#include "adapter/sender_process.h"
#include "adapter/template_file.h"
#include "core/address.h"
#include "core/language.h"
#include "core/message.h"
#include "ctl/commands.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	THE_MAIL = 1, /* its number on the channel: it is the only one */
	/* Shorter than the daemon's: a person waits, and a second copy of a test does no harm.
	 */
	REPLY_SECONDS = 60,
	DOT_SECONDS = 120,
	PATIENCE_SECONDS = 300, /* with a sender that says nothing at all */
	LEAVE_LOOKS = 40,       /* of 50 ms: it says goodbye to the relay */
	LEAVE_MILLISECONDS = 50,
};

struct test {
	struct ctl *ctl;
	const char *to;
	const char *credentials; /* folder; NULL: none is known */
	char message_id[120];
	struct sender_process sender;
	struct text input;
	json_t *steps; /* NULL: they are printed as they come */
	bool has_result;
	struct attempt_result result;
};

static void test_clear(struct test *test)
{
	if (test->sender.channel >= 0)
		(void)close(test->sender.channel);
	text_clear(&test->input);
	json_decref(test->steps);
}

/* --- the mail ------------------------------------------------------------------------------
 */

static int make_message_id(struct test *test, const char *from, struct error *error)
{
	unsigned char random[16];
	const char *at = strrchr(from, '@');
	size_t used = 0;

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return error_set(error, errno, "no random bytes: %s", strerror(errno));
	for (size_t i = 0; i < sizeof random; i++)
		used += (size_t)snprintf(test->message_id + used,
					 sizeof test->message_id - used, "%02x", random[i]);
	(void)snprintf(test->message_id + used, sizeof test->message_id - used, "@%.80s",
		       at == NULL ? "localhost" : at + 1);
	return 0;
}

static int load_languages(struct ctl *ctl, struct language_set **ret)
{
	CLEANUP(fault_list_clear) struct fault_list faults = { 0 };
	struct error error = { 0 };

	*ret = template_file_load(ctl->config->templates, &faults, &error);
	return *ret != NULL ? EXIT_DONE
			    : ctl_fail(ctl, &error, "Check it with: challengectl check");
}

static int write_letter(struct test *test, const struct language *language, struct instant now,
			struct letter_text *ret, struct error *error)
{
	const struct config *config = test->ctl->config;
	struct letter letter =
		config_letter(config, calendar_zone(config->calendars[0].calendar), now);
	int result;

	letter.summary = "test";
	result = letter_write(language, &letter, ret, error);
	if (result == 1)
		return error_set(error, EINVAL, "the template test.txt cannot be used");
	return result;
}

static int write_mail(struct test *test, const struct language *language, struct text *ret,
		      struct error *error)
{
	const struct config *config = test->ctl->config;
	const struct mail_settings *mail = &config->mail;
	CLEANUP(letter_text_clear) struct letter_text letter = { 0 };
	struct instant now = clock_now(test->ctl->clock); /* --at must not forge a Date */
	struct message message;
	int result = make_message_id(test, mail->from_address, error);

	if (result == 0)
		result = write_letter(test, language, now, &letter, error);
	if (result < 0)
		return result;
	message = (struct message){
		.from_name = mail->from_name,
		.from_address = mail->from_address,
		.to_name = "",
		.to_address = test->to,
		.reply_to = mail->reply_to,
		.subject = text_string(&letter.subject),
		.date = now,
		.date_offset = zone_offset(calendar_zone(config->calendars[0].calendar), now),
		.message_id = test->message_id,
		.root_id = "",
		.language = letter.language,
		.body = text_string(&letter.body),
		.html = text_string(&letter.html),
	};
	return message_write(&message, ret, error);
}

/* --- the conversation ----------------------------------------------------------------------
 */

static const char *const speakers[] = {
	[SAID_BY_RELAY] = "relay",
	[SAID_BY_US] = "us",
	[SAID_AS_NOTE] = "note",
};

static int take_step(struct test *test, const char *payload, size_t length, struct error *error)
{
	static const char *const signs[] = {
		[SAID_BY_RELAY] = "<-",
		[SAID_BY_US] = "->",
		[SAID_AS_NOTE] = "--",
	};
	struct sender_step step;

	if (sender_read_step(payload, length, &step) < 0)
		return error_set(error, EPROTO, "the sender's step makes no sense");
	if (test->steps == NULL) {
		(void)fprintf(test->ctl->out, "  %s %s\n", signs[step.who], step.words);
		(void)fflush(test->ctl->out); /* somebody is watching */
		return 0;
	}
	if (json_array_append_new(test->steps,
				  json_pack("{s:s, s:s}", "who", speakers[step.who], "words",
					    step.words)) < 0)
		return error_memory(error);
	return 0;
}

static int take_frame(struct test *test, enum sender_frame type, const char *payload,
		      size_t length, struct error *error)
{
	int64_t mail;

	switch (type) {
	case FRAME_STEP:
		return take_step(test, payload, length, error);
	case FRAME_BODY:
		return 0; /* the result says it too */
	case FRAME_RESULT:
		if (sender_read_result(payload, length, &mail, &test->result) < 0)
			break;
		test->has_result = true;
		return 0;
	case FRAME_GET:
	case FRAME_GOT:
	case FRAME_RELAY:
	case FRAME_MAIL:
		break;
	}
	return error_set(error, EPROTO, "the sender's answer makes no sense");
}

static int take_frames(struct test *test, struct error *error)
{
	enum sender_frame type;
	const char *payload;
	size_t length;
	size_t taken;
	size_t done = 0;
	int result;

	while ((result = sender_take_frame(text_string(&test->input) + done,
					   test->input.length - done, &type, &payload, &length,
					   &taken)) == 1) {
		result = take_frame(test, type, payload, length, error);
		if (result < 0)
			return result;
		done += taken;
	}
	if (result < 0)
		return error_set(error, EPROTO, "the sender's answer makes no sense");
	if (done > 0) {
		memmove(test->input.data, test->input.data + done, test->input.length - done);
		text_cut(&test->input, test->input.length - done);
	}
	return 0;
}

static int say(struct test *test, const struct text *frames, struct error *error)
{
	size_t said = 0;

	if (text_failed(frames))
		return error_memory(error);
	while (said < frames->length) {
		ssize_t n = send(test->sender.channel, frames->data + said,
				 frames->length - said, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(error, errno, "the sender does not listen: %s",
					 strerror(errno));
		said += (size_t)n;
	}
	return 0;
}

/* Until the result, or the channel's end. */
static int listen_to_end(struct test *test, struct error *error)
{
	while (!test->has_result) {
		struct pollfd channel = { .fd = test->sender.channel, .events = POLLIN };
		char bytes[4096];
		ssize_t n;
		int result = poll(&channel, 1, PATIENCE_SECONDS * 1000);

		if (result < 0 && errno == EINTR)
			continue;
		if (result == 0)
			return error_set(error, ETIMEDOUT,
					 "the sender said nothing for %d seconds",
					 PATIENCE_SECONDS);
		n = recv(test->sender.channel, bytes, sizeof bytes, 0);
		if (n <= 0)
			return error_set(error, EPIPE, "the sender ended before it answered");
		text_append_bytes(&test->input, bytes, (size_t)n);
		if (text_failed(&test->input))
			return error_memory(error);
		result = take_frames(test, error);
		if (result < 0)
			return result;
	}
	return 0;
}

/* The sender ends by itself when the channel is closed; one that does not is ended. */
static void say_goodbye(struct test *test)
{
	(void)close(test->sender.channel);
	test->sender.channel = -1;
	for (int i = 0; i < LEAVE_LOOKS; i++) {
		if (waitpid(test->sender.pid, NULL, WNOHANG) != 0)
			return;
		(void)poll(NULL, 0, LEAVE_MILLISECONDS);
	}
	(void)kill(test->sender.pid, SIGKILL); /* our own child, not yet reaped */
	(void)waitpid(test->sender.pid, NULL, 0);
}

static int converse(struct test *test, const struct text *bytes, struct error *error)
{
	CLEANUP(freep) char *program = sender_process_program();
	CLEANUP(text_clear) struct text frames = { 0 };
	struct sender_relay relay = sender_process_relay(&test->ctl->config->mail);
	int result;

	if (program == NULL)
		return error_memory(error);
	relay.tell = true;
	relay.reply_seconds = REPLY_SECONDS;
	relay.dot_seconds = DOT_SECONDS;
	sender_put_relay(&frames, &relay);
	sender_put_mail(&frames, &(struct sender_mail){
					 .id = THE_MAIL,
					 .envelope_from = test->ctl->config->mail.envelope_from,
					 .recipient = test->to,
					 .bytes = bytes->data,
					 .length = bytes->length,
				 });
	result = sender_process_start(program, test->credentials, &test->sender, error);
	if (result < 0)
		return result;
	result = say(test, &frames, error);
	if (result == 0)
		result = listen_to_end(test, error);
	say_goodbye(test);
	return result;
}

/* --- what came of it -----------------------------------------------------------------------
 */

struct finding {
	const char *outcome;
	const char *words;
	int status;
};

static struct finding judge(const struct attempt_result *result)
{
	switch (delivery_classify(result)) {
	case VERDICT_ACCEPTED:
		return (struct finding){ "accepted",
					 "The relay has accepted the mail. Whether it "
					 "arrives shows in the mailbox.",
					 EXIT_DONE };
	case VERDICT_ADDRESS:
		return (struct finding){ "refused", "The relay refuses this address.",
					 EXIT_NO };
	case VERDICT_HOLD:
		return (struct finding){ "refused", "The relay refuses this mail.", EXIT_NO };
	case VERDICT_RETRY:
	case VERDICT_RETRY_NOW:
		if (result->reply_code >= 400)
			return (struct finding){ "refused for now",
						 "The relay refuses this mail for now: the "
						 "daemon would try again later.",
						 EXIT_NO };
		break;
	case VERDICT_RELAY_FAULT:
		return (struct finding){ "relay fault",
					 "The relay cannot be used as it is configured: the "
					 "daemon would pause the queue.",
					 EXIT_COULD_NOT };
	case VERDICT_IN_DOUBT:
		return (struct finding){ "in doubt",
					 "The relay did not say whether it has taken the mail.",
					 EXIT_COULD_NOT };
	}
	return (struct finding){ "no answer", "The relay did not answer as it should.",
				 EXIT_COULD_NOT };
}

static int report(struct test *test)
{
	struct ctl *ctl = test->ctl;
	struct finding finding = judge(&test->result);
	int status;

	if (ctl->json) {
		status = ctl_print_json(ctl,
					json_pack("{s:s, s:s, s:s, s:s, s:O}", "to", test->to,
						  "message_id", test->message_id, "outcome",
						  finding.outcome, "reply", test->result.reply,
						  "steps", test->steps));
		return status == EXIT_DONE ? finding.status : status;
	}
	(void)fprintf(ctl->out, "%s\nLast words: %s\n", finding.words, test->result.reply);
	if (test->result.configuration && test->credentials == NULL &&
	    ctl->config->mail.login != LOGIN_NONE)
		(void)fprintf(ctl->out,
			      "Only the daemon is given the credential \"%s\" by systemd; here "
			      "name the folder\nof its file: --credentials FOLDER\n",
			      ctl->config->mail.credential);
	return finding.status;
}

static int check_address(struct ctl *ctl, const char *to)
{
	const struct mail_settings *mail = &ctl->config->mail;
	struct error error = { 0 };

	if (address_check(to, &error) < 0)
		return ctl_usage(ctl, "--to: %s", error.text);
	if (!address_is_allowed(to, mail->allow_domains, mail->allow_domain_count))
		return ctl_cannot(ctl, "%s is not in an allowed domain (allow_domains in %s)",
				  to, ctl->config_file);
	return EXIT_DONE;
}

static int send_test(struct test *test)
{
	CLEANUP(template_file_destroyp) struct language_set *languages = NULL;
	CLEANUP(text_clear) struct text bytes = { 0 };
	struct ctl *ctl = test->ctl;
	struct error error = { 0 };
	int status = load_languages(ctl, &languages);

	if (status != EXIT_DONE)
		return status;
	if (ctl->json && (test->steps = json_array()) == NULL) {
		(void)error_memory(&error);
		return ctl_fail(ctl, &error, "");
	}
	if (write_mail(test, template_file_language(languages, "en"), &bytes, &error) < 0)
		return ctl_fail(ctl, &error, "");
	if (!ctl->json)
		(void)fprintf(ctl->out, "A mail marked TEST to %s by %s:\n", test->to,
			      ctl->config->mail.relay);
	if (converse(test, &bytes, &error) < 0)
		return ctl_fail(ctl, &error, "");
	return report(test);
}

static int run_test_mail(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(test_clear)
	struct test test = {
		.ctl = ctl,
		.credentials = getenv("CREDENTIALS_DIRECTORY"),
		.sender.channel = -1,
	};
	const struct ctl_option options[] = {
		{ "--to", &test.to },
		{ "--credentials", &test.credentials },
	};
	int status;

	if (!ctl_options(ctl, &argc, argv, options, COUNT(options)))
		return EXIT_USAGE;
	status = ctl_arguments(ctl, argc, argv, 0, 0);
	if (status != EXIT_DONE)
		return status;
	if (test.to == NULL)
		return ctl_usage(ctl, "to whom? --to ADDRESS");
	if (ctl_config(ctl) == NULL)
		return EXIT_COULD_NOT;
	status = check_address(ctl, test.to);
	return status == EXIT_DONE ? send_test(&test) : status;
}

const struct command command_test_mail = {
	.name = "test-mail",
	.summary = "send a mail marked TEST and show the whole conversation",
	.usage = "Usage: challengectl test-mail --to ADDRESS [--credentials FOLDER]\n"
		 "\n"
		 "Sends it by the configured relay, with the daemon's own sender program, and "
		 "shows\n"
		 "each step up to the relay's answer: what we say (->), what the relay says "
		 "(<-), and\n"
		 "what lies below (--). Passwords and tokens are never shown. The address must "
		 "be in\n"
		 "an allowed domain. FOLDER holds the file of the credential that the relay's "
		 "login\n"
		 "names ($CREDENTIALS_DIRECTORY, when not given).\n"
		 "\n"
		 "Exit status: 0 the relay accepted it; 1 it refused it; 3 it could not be "
		 "asked.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl test-mail --to me@partnership.example\n",
	.run = run_test_mail,
};
