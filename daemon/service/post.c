/* post.c - see post.h. */
#include "service/post.h"

#include "adapter/journal.h"
#include "adapter/sender_process.h"
#include "core/delivery.h"
#include "service/crash.h"
#include "service/render.h"
#include "service/senders.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	RATE_SECONDS = 60,
	RATE_MOST = 10000,
	ABANDON_LOOKS = 50,
	ABANDON_MILLISECONDS = 50,
	FAILING_SECONDS = 3600, /* from then on a retry is an alarm */
};

static const int64_t pauses[] = { 60, 120, 300, 900 };

/* The latest sendings, so that no minute ever sees more than the rate. */
struct rate {
	int64_t *sent; /* ring of `most` seconds of CLOCK_BOOTTIME */
	size_t most;   /* 0: no limit */
	size_t next;
	size_t count;
};

/* What must be known of a mail when its outcome comes. */
struct in_hand {
	int64_t id;
	int attempts;
	int doubts;
	int64_t contact;
	struct instant created;
	bool ended; /* `sent` holds its outcome, which is not recorded yet */
	struct sent sent;
};

struct post {
	struct world world;
	struct senders *senders;
	struct rate rate;
	struct in_hand hand[SENDERS_MOST];
	bool stopping;
	bool barred;     /* by an insane clock, or not allowed yet */
	bool clock_seen; /* the two below hold when the clock was last found sane */
	struct instant sane;
	int64_t sane_boot;
	size_t pause_level; /* 0: none; else pauses[level - 1] */
	int64_t paused_until;
	char pause_text[REPLY_SIZE + 200];
	size_t fallen_through;
	size_t accepted;
};

static int64_t boot_seconds(const struct post *post)
{
	return post->world.clock->boot_seconds(post->world.clock->self);
}

/* What the clock must show by now, if nobody has set it since it was last found sane. */
static struct instant expected_now(const struct post *post)
{
	return instant_add(post->sane, boot_seconds(post) - post->sane_boot);
}

/* Set wrong while mails are out, it would date their outcomes, and bar all that comes after. */
static bool clock_strayed(const struct post *post)
{
	struct instant now = clock_now(post->world.clock);
	struct instant expected = expected_now(post);

	return post->clock_seen &&
	       (instant_before(now, instant_add(expected, -CLOCK_BACKWARD_SECONDS)) ||
		instant_before(instant_add(expected, CLOCK_FORWARD_SECONDS), now));
}

struct instant post_now(const struct post *post)
{
	return clock_strayed(post) ? expected_now(post) : clock_now(post->world.clock);
}

static int connections_of(const struct mail_settings *mail)
{
	if (mail->connections < 1)
		return 1;
	return mail->connections > SENDERS_MOST ? SENDERS_MOST : mail->connections;
}

/* --- rate ------------------------------------------------------------------------------------
 */

static int rate_configure(struct rate *rate, int per_minute, struct error *error)
{
	size_t most = per_minute <= 0 ? 0 : (size_t)per_minute;
	int64_t *sent;

	if (most > RATE_MOST)
		most = 0; /* faster than any sender */
	if (most == rate->most)
		return 0;
	sent = calloc(most + 1, sizeof *sent);
	if (sent == NULL)
		return error_memory(error);
	free(rate->sent);
	*rate = (struct rate){ .sent = sent, .most = most };
	return 0;
}

/* When the next mail may go; 0: now. */
static int64_t rate_wait_until(const struct rate *rate, int64_t now)
{
	int64_t oldest;

	if (rate->most == 0 || rate->count < rate->most)
		return 0;
	oldest = rate->sent[rate->next];
	return oldest + RATE_SECONDS <= now ? 0 : oldest + RATE_SECONDS;
}

static void rate_count(struct rate *rate, int64_t now)
{
	if (rate->most == 0)
		return;
	rate->sent[rate->next] = now;
	rate->next = (rate->next + 1) % rate->most;
	if (rate->count < rate->most)
		rate->count++;
}

/* --- life ------------------------------------------------------------------------------------
 */

int post_create(const struct world *world, const char *program, struct post **ret,
		struct error *error)
{
	CLEANUP(post_destroyp) struct post *post = calloc(1, sizeof *post);
	struct sender_relay relay = sender_process_relay(&world->config->mail);
	int r;

	if (post == NULL)
		return error_memory(error);
	post->world = *world;
	post->barred = true;
	r = senders_create(program, &relay, connections_of(&world->config->mail),
			   &post->senders, error);
	if (r < 0)
		return r;
	r = rate_configure(&post->rate, world->config->mail.per_minute, error);
	if (r < 0)
		return r;
	*ret = TAKE(post);
	return 0;
}

void post_destroy(struct post *post)
{
	if (post == NULL)
		return;
	senders_destroy(post->senders);
	free(post->rate.sent);
	free(post);
}

void post_destroyp(struct post **post)
{
	post_destroy(*post);
}

int post_configure(struct post *post, const struct world *world, struct error *error)
{
	struct sender_relay relay = sender_process_relay(&world->config->mail);
	int r = rate_configure(&post->rate, world->config->mail.per_minute, error);

	if (r < 0)
		return r;
	r = senders_configure(post->senders, &relay, connections_of(&world->config->mail),
			      error);
	if (r < 0)
		return r;
	post->world = *world;
	post->pause_level = 0;
	post->paused_until = 0;
	return 0;
}

/* --- what is in hand -------------------------------------------------------------------------
 */

static struct in_hand *find_in_hand(struct post *post, int64_t id)
{
	for (size_t i = 0; i < COUNT(post->hand); i++)
		if (post->hand[i].id == id)
			return &post->hand[i];
	return NULL;
}

static void let_go(struct in_hand *hand)
{
	*hand = (struct in_hand){ 0 };
}

static void hold(struct post *post, const struct ledger_mail *mail)
{
	struct in_hand *hand = find_in_hand(post, 0); /* as many as senders: there is one */

	*hand = (struct in_hand){
		.id = mail->id,
		.attempts = mail->attempts,
		.doubts = mail->doubts,
		.contact = mail->contact,
		.created = mail->created,
	};
}

/* --- pausing ---------------------------------------------------------------------------------
 */

static bool is_paused(const struct post *post)
{
	return post->pause_level > 0 && boot_seconds(post) < post->paused_until;
}

static void pause_queue(struct post *post, const char *why)
{
	int64_t seconds;
	const struct journal_field fields[] = { { "REASON", why } };
	bool told = post->pause_level > 0 && strcmp(post->pause_text, why) == 0;

	if (is_paused(post))
		return; /* several connections fail alike */
	if (post->pause_level < COUNT(pauses))
		post->pause_level++;
	seconds = pauses[post->pause_level - 1];
	post->paused_until = boot_seconds(post) + seconds;
	(void)snprintf(post->pause_text, sizeof post->pause_text, "%s", why);
	if (told)
		return; /* one alarm, however long it lasts; STATUS goes on saying it */
	journal_send(JOURNAL_QUEUE_PAUSED, fields, COUNT(fields),
		     "sending is paused, trying again in %lld %s: %s",
		     (long long)(seconds / 60), text_plural(seconds / 60, "minute", "minutes"),
		     why);
}

/* The relay spoke as it should: whatever it said of this mail, it can be used. */
static void relay_is_well(struct post *post)
{
	if (post->pause_level > 0)
		journal_send(JOURNAL_QUEUE_RESUMED, NULL, 0, "sending goes on");
	post->pause_level = 0;
	post->paused_until = 0;
	post->pause_text[0] = '\0';
}

static bool has_free_hand(const struct post *post)
{
	for (size_t i = 0; i < COUNT(post->hand); i++)
		if (post->hand[i].id == 0)
			return true;
	return false;
}

/* After a pause one mail tries; the rest follows when it gets through. */
static size_t room(const struct post *post)
{
	size_t is_free = senders_free(post->senders);

	if (!has_free_hand(post))
		return 0; /* outcomes that could not be recorded yet */
	if (post->stopping || post->barred || clock_strayed(post) || is_paused(post) ||
	    rate_wait_until(&post->rate, boot_seconds(post)) > 0)
		return 0;
	if (post->pause_level > 0)
		return senders_busy(post->senders) == 0 && is_free > 0;
	return is_free;
}

/* --- outcomes --------------------------------------------------------------------------------
 */

static uint32_t random_number(void)
{
	uint32_t number = 0;

	/* Only jitter: 0 is a fair number too. */
	(void)!getrandom(&number, sizeof number, GRND_NONBLOCK);
	return number;
}

struct finding {
	enum journal_event event;
	struct ledger_outcome outcome;
	bool fall_through;
};

static struct finding hold_it(const char *reply, const char *reason)
{
	return (struct finding){ JOURNAL_HELD,
				 { .state = DELIVERY_HELD,
				   .reply = reply,
				   .next_attempt = INSTANT_NEVER,
				   .reason = reason },
				 false };
}

static struct finding try_later(const struct in_hand *hand, struct instant now,
				const char *reply)
{
	int64_t wait = delivery_backoff(hand->attempts, random_number());
	int64_t age = now.seconds - hand->created.seconds;

	if (age > DELIVERY_PARK_SECONDS && hand->attempts >= DELIVERY_PARK_ATTEMPTS)
		return hold_it(reply, "kept failing for days");
	return (struct finding){ age < FAILING_SECONDS ? JOURNAL_RETRY : JOURNAL_FAILING,
				 { .state = DELIVERY_RETRY,
				   .reply = reply,
				   .next_attempt = instant_add(now, wait),
				   .reason = "" },
				 false };
}

/* The ledger counts it, and holds the mail at the second. */
static struct finding doubt(const struct in_hand *hand, struct instant now, const char *reply)
{
	bool again = hand->doubts > 0;

	return (struct finding){ again ? JOURNAL_HELD : JOURNAL_IN_DOUBT,
				 { .state = DELIVERY_IN_DOUBT,
				   .reply = reply,
				   .next_attempt = instant_add(now, LEDGER_DOUBT_SECONDS),
				   .reason = again ? "in doubt a second time"
						   : "no answer after the text had gone" },
				 false };
}

/* What the mail is afterwards. */
static const char *state_after(const struct finding *finding)
{
	return delivery_state_name(finding->event == JOURNAL_HELD ? DELIVERY_HELD
								  : finding->outcome.state);
}

static struct finding put_back(struct instant now, const char *reply)
{
	return (struct finding){ JOURNAL_RETRY,
				 { .state = DELIVERY_READY,
				   .reply = reply,
				   .next_attempt = now,
				   .refund = true,
				   .reason = "" },
				 false };
}

/* What each verdict of the sender's result means for the mail. */
static struct finding judge(const struct in_hand *hand, const struct attempt_result *result,
			    struct instant now)
{
	switch (delivery_classify(result)) {
	case VERDICT_ACCEPTED:
		return (struct finding){ JOURNAL_ACCEPTED,
					 { .state = DELIVERY_ACCEPTED,
					   .reply = result->reply,
					   .next_attempt = INSTANT_NEVER,
					   .reason = "" },
					 false };
	case VERDICT_ADDRESS:
		if (hand->contact == 0)
			return hold_it(result->reply, "the relay refuses the inbox's address");
		return (struct finding){ JOURNAL_REFUSED,
					 { .state = DELIVERY_REFUSED,
					   .reply = result->reply,
					   .next_attempt = INSTANT_NEVER,
					   .reason = "address refused" },
					 true };
	case VERDICT_HOLD:
		return hold_it(result->reply, "refused by the relay");
	case VERDICT_RETRY:
		return try_later(hand, now, result->reply);
	case VERDICT_RETRY_NOW:
	case VERDICT_RELAY_FAULT:
		return put_back(now, result->reply);
	case VERDICT_IN_DOUBT:
		break;
	}
	return doubt(hand, now, result->reply);
}

static struct finding judge_lost(const struct in_hand *hand, const struct sent *sent,
				 struct instant now)
{
	const char *what = sent->hung ? "the sender did not end within 15 minutes"
				      : "the sender ended by itself";

	return sent->body_sent ? doubt(hand, now, what) : try_later(hand, now, what);
}

/* The relay's words may hold an address; the journal gets its numbers only (facts.md 1.5). */
static void reply_numbers(const struct sent *sent, char out[static 40])
{
	int enhanced = delivery_enhanced(sent->result.reply);

	if (!sent->has_result)
		(void)snprintf(out, 40, "no answer");
	else if (enhanced > 0)
		(void)snprintf(out, 40, "%d %d.%d.%d", sent->result.reply_code,
			       enhanced / 10000, enhanced / 100 % 100, enhanced % 100);
	else
		(void)snprintf(out, 40, "%d, curl %d", sent->result.reply_code,
			       sent->result.curl_code);
}

/* What the mail was about, in one line that stands in `room`; only the ledger knows. */
static const char *read_references(struct post *post, int64_t id, struct text *room)
{
	CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };
	struct error ignored = { 0 };

	/* A line without its references is better than none. */
	if (ledger_mail(post->world.ledger, id, &mail, &ignored) != 1 ||
	    mail.references == NULL)
		return "";
	for (const char *c = mail.references; *c != '\0'; c++)
		text_append_char(room, *c == '\n' ? ' ' : *c);
	return text_string(room);
}

static void log_outcome(struct post *post, const struct in_hand *hand,
			const struct finding *finding, const struct sent *sent)
{
	CLEANUP(text_clear) struct text about = { 0 };
	char mail[24];
	char contact[24];
	char numbers[40];
	const char *references =
		journal_is_open(finding->event) ? read_references(post, hand->id, &about) : "";
	bool unnamed = references[0] == '\0'; /* a summary, an alarm */
	const struct journal_field fields[] = {
		{ "MAIL", mail },
		{ "CONTACT", contact },
		{ "CHALLENGE_REF", unnamed ? NULL : references },
		{ "OUTCOME", state_after(finding) },
		{ "REPLY", numbers },
		{ "REASON",
		  finding->outcome.reason[0] == '\0' ? NULL : finding->outcome.reason },
	};

	(void)snprintf(mail, sizeof mail, "%lld", (long long)hand->id);
	(void)snprintf(contact, sizeof contact, "%lld", (long long)hand->contact);
	reply_numbers(sent, numbers);
	journal_send(finding->event, fields, COUNT(fields), "mail %s%s%s%s: %s (%s)%s%s", mail,
		     unnamed ? "" : " (", references, unnamed ? "" : ")", state_after(finding),
		     numbers, finding->outcome.reason[0] == '\0' ? "" : ", ",
		     finding->outcome.reason);
}

static void note_relay(struct post *post, const struct sent *sent)
{
	enum delivery_verdict verdict;

	if (!sent->has_result) {
		journal_send(JOURNAL_SENDER_FAULT, NULL, 0, "a sender %s",
			     sent->hung ? "hung for 15 minutes and was ended"
					: "ended by itself before it answered");
		return;
	}
	verdict = delivery_classify(&sent->result);
	if (verdict == VERDICT_RELAY_FAULT)
		pause_queue(post, sent->result.reply);
	else if (verdict == VERDICT_ACCEPTED || verdict == VERDICT_ADDRESS ||
		 (verdict == VERDICT_RETRY && sent->result.reply_code / 100 == 4 &&
		  (sent->result.at_rcpt || sent->result.body_sent)) ||
		 (verdict == VERDICT_HOLD && !sent->result.unfit))
		relay_is_well(post);
}

/* The business unit is told once of an address that is refused, not at each mail. */
static int warn_of_refusal(struct post *post, int64_t contact, struct instant now,
			   struct error *error)
{
	CLEANUP(freep) struct ledger_refusal *known = NULL;
	size_t count = 0;
	int r = ledger_refused_contacts(post->world.ledger, &known, &count, error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if (known[i].contact == contact)
			return 0;
	return render_refusal(&post->world, contact, now, error);
}

/*
 * Records one outcome, inside a transaction. 1: there is nothing to record it in, since
 * somebody else has settled the mail (another daemon, when the lock was deleted).
 */
static int record(struct post *post, const struct in_hand *hand, const struct finding *finding,
		  struct instant now, struct error *error)
{
	int r = ledger_record(post->world.ledger, hand->id, &finding->outcome, now, error);

	if (r == -EINVAL || r == -ENOENT)
		return 1;
	if (r < 0 || !finding->fall_through)
		return r < 0 ? r : 0;
	r = warn_of_refusal(post, hand->contact, now, error);
	if (r >= 0)
		r = ledger_fall_through(post->world.ledger, hand->id, now, error);
	return r < 0 ? r : 0;
}

/* --- claiming --------------------------------------------------------------------------------
 */

/* Claims one mail, inside a transaction: 1, 0 when there is none. */
static int claim(struct post *post, struct instant until, struct ledger_mail *ret,
		 struct error *error)
{
	return ledger_claim(post->world.ledger, until, ret, error);
}

/* What came of a mail in hand, to be recorded. */
static void end(struct post *post, struct in_hand *hand, const struct sent *sent)
{
	hand->sent = *sent;
	hand->ended = true;
	note_relay(post, sent);
}

/* Nobody has connected: an outcome like another, for which the attempt is refunded. */
static void not_given(struct post *post, int64_t mail, const struct error *why)
{
	struct sent sent = { .mail = mail,
			     .has_result = true,
			     .result = { .configuration = true } };

	journal_send(JOURNAL_SENDER_FAULT, NULL, 0, "%s", why->text);
	delivery_reply_clean(why->text, strlen(why->text), sent.result.reply);
	end(post, find_in_hand(post, mail), &sent);
}

/* Hands a claimed and committed mail to a sender. */
static void give(struct post *post, const struct ledger_mail *mail)
{
	const struct sender_mail out = {
		.id = mail->id,
		.envelope_from = mail->envelope_from,
		.recipient = mail->recipient,
		.bytes = mail->bytes,
		.length = mail->length,
	};
	int64_t now = boot_seconds(post);
	struct error why = { 0 };

	crash_point("mail claimed, not given");
	hold(post, mail);
	if (senders_give(post->senders, &out, now, &why) < 0) {
		not_given(post, mail->id, &why);
		return;
	}
	rate_count(&post->rate, now);
	crash_point("mail given to a sender");
}

/* One claim in a transaction of its own: 1 when a mail went out, 0 when there was none. */
static int claim_one(struct post *post, struct instant until, struct error *error)
{
	CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };
	int r = ledger_begin(post->world.ledger, error);
	int found;

	if (r < 0)
		return r;
	found = claim(post, until, &mail, error);
	crash_point("mail claimed, not committed");
	r = found;
	if (found == 1)
		r = ledger_commit(post->world.ledger, error);
	if (found != 1 || r < 0)
		ledger_rollback(post->world.ledger);
	if (found != 1 || r < 0)
		return r;
	give(post, &mail);
	return 1;
}

/* 1 when a mail may be waiting, told without a write lock: most polls find none. */
static int something_waits(struct post *post, struct error *error)
{
	int64_t counts[DELIVERY_STATE_COUNT];
	int r = ledger_count(post->world.ledger, counts, error);

	if (r < 0)
		return r;
	return counts[DELIVERY_READY] + counts[DELIVERY_RETRY] + counts[DELIVERY_IN_DOUBT] > 0;
}

/* It stays as that one left it; to try again for ever would hold up all others. */
static void give_up_outcome(struct post *post, struct in_hand *hand,
			    const struct finding *finding, const struct error *why)
{
	ledger_rollback(post->world.ledger);
	journal_send(JOURNAL_SENDER_FAULT, NULL, 0,
		     "mail %lld was %s, and that is not recorded: %s", (long long)hand->id,
		     state_after(finding), why->text);
	let_go(hand);
}

/*
 * The outcome of one mail and the claim of the next, in one commit. When that fails (a full
 * disk) the outcome is kept in hand, and recorded later.
 */
static int record_and_claim(struct post *post, struct in_hand *hand, struct instant until,
			    struct error *error)
{
	CLEANUP(ledger_mail_clear) struct ledger_mail next = { 0 };
	struct ledger *ledger = post->world.ledger;
	const struct sent *sent = &hand->sent;
	struct instant now = post_now(post);
	struct error why = { 0 };
	struct finding finding = sent->has_result ? judge(hand, &sent->result, now)
						  : judge_lost(hand, sent, now);
	int claimed = 0;
	int r = ledger_begin(ledger, error);

	if (r < 0)
		return r;
	r = record(post, hand, &finding, now, &why);
	if (r == 1) {
		give_up_outcome(post, hand, &finding, &why);
		return 0;
	}
	if (r < 0)
		(void)error_set(error, why.code, "%s", why.text);
	if (r == 0 && room(post) > 0)
		claimed = claim(post, until, &next, error);
	crash_point("outcome recorded, not committed");
	if (r == 0)
		r = claimed < 0 ? claimed : ledger_commit(ledger, error);
	if (r < 0) {
		ledger_rollback(ledger);
		return r;
	}
	crash_point("outcome committed");
	log_outcome(post, hand, &finding, sent);
	post->fallen_through += finding.fall_through;
	post->accepted += finding.event == JOURNAL_ACCEPTED;
	let_go(hand);
	if (claimed == 1)
		give(post, &next);
	return 0;
}

static int record_ended(struct post *post, struct instant until, struct error *error)
{
	for (size_t i = 0; i < COUNT(post->hand); i++)
		while (post->hand[i].ended) { /* the next one may not have been given */
			int r = record_and_claim(post, &post->hand[i], until, error);

			if (r < 0)
				return r;
		}
	return 0;
}

/* Whatever could not be recorded comes first: nothing else goes over its connection before. */
int post_run(struct post *post, struct instant until, struct error *error)
{
	for (;;) {
		int r = record_ended(post, until, error);

		if (r < 0 || room(post) == 0)
			return r;
		r = something_waits(post, error);
		if (r == 1)
			r = claim_one(post, until, error);
		if (r <= 0)
			return r;
	}
}

int post_take(struct post *post, struct instant until, struct error *error)
{
	struct sent sent;
	int r = record_ended(post, until, error);

	if (r < 0)
		return r;
	while (senders_take(post->senders, boot_seconds(post), &sent) == 1) {
		struct in_hand *hand = find_in_hand(post, sent.mail);

		if (hand == NULL)
			continue; /* none of ours: senders checks what it hands on */
		end(post, hand, &sent);
		crash_point("outcome known, not recorded");
		r = record_and_claim(post, hand, until, error);
		if (r < 0)
			return r;
	}
	return post_run(post, until, error);
}

void post_allow(struct post *post, bool allowed)
{
	post->barred = !allowed;
	if (!allowed)
		return;
	post->clock_seen = true;
	post->sane = clock_now(post->world.clock);
	post->sane_boot = boot_seconds(post);
}

int post_descriptor(const struct post *post)
{
	return senders_descriptor(post->senders);
}

static size_t count_ended(const struct post *post)
{
	size_t ended = 0;

	for (size_t i = 0; i < COUNT(post->hand); i++)
		ended += post->hand[i].ended;
	return ended;
}

struct post_state post_state(struct post *post)
{
	struct post_state state = {
		.busy = senders_busy(post->senders) + count_ended(post),
		.leaving = senders_leaving(post->senders),
		.paused = post->pause_level > 0,
		.pause_text = post->pause_text,
		.deadline = senders_deadline(post->senders),
		.oldest = senders_oldest(post->senders),
		.fallen_through = post->fallen_through,
		.accepted = post->accepted,
	};
	int64_t rate = rate_wait_until(&post->rate, boot_seconds(post));

	post->fallen_through = 0;
	state.rate_limited = rate > 0;
	if (rate > 0 && rate < state.deadline)
		state.deadline = rate;
	/* One that is over has nothing to wait for: the next mail is the next thing to do. */
	if (is_paused(post) && post->paused_until < state.deadline)
		state.deadline = post->paused_until;
	return state;
}

bool post_is_paused(const struct post *post)
{
	return post->pause_level > 0;
}

void post_stop(struct post *post)
{
	post->stopping = true;
	senders_let_go(post->senders, boot_seconds(post));
}

int post_abandon(struct post *post, struct error *error)
{
	senders_kill(post->senders);
	for (int i = 0; i < ABANDON_LOOKS && senders_busy(post->senders) > 0; i++) {
		struct pollfd ended = { .fd = post_descriptor(post), .events = POLLIN };
		int r;

		(void)poll(&ended, 1, ABANDON_MILLISECONDS); /* the end of a killed process */
		r = post_take(post, (struct instant){ INT64_MIN }, error);
		if (r < 0)
			return r;
	}
	return 0;
}
