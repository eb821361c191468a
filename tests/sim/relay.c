/* relay.c - see relay.h. */
#include "relay.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"

struct slot {
	int64_t mail; /* 0: free */
	int64_t since;
	int64_t due;
	uint64_t digest;
	struct relay_plan plan;
};

struct senders {
	size_t connections;
	struct slot slot[SENDERS_MOST];
};

static struct senders *current; /* those of the daemon that lives */
struct relay_plan (*relay_choose)(const struct sender_mail *mail);
void (*relay_given)(const struct sender_mail *mail);
struct relay_copy *relay_log;
size_t relay_count;

uint64_t relay_digest(const char *recipient, const char *bytes, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

	for (const char *c = recipient; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
	return hash;
}

void relay_append(const struct relay_copy *copy)
{
	relay_log = reallocarray(relay_log, relay_count + 1, sizeof *relay_log);
	assert(relay_log != NULL);
	relay_log[relay_count++] = *copy;
}

static struct relay_copy copy_of(const struct slot *slot, int64_t at)
{
	return (struct relay_copy){ .mail = slot->mail, .digest = slot->digest, .at = at };
}

static void take(const struct slot *slot, int64_t at)
{
	struct relay_copy copy = copy_of(slot, at);

	relay_append(&copy);
}

size_t relay_under_way(struct relay_copy ret[static SENDERS_MOST])
{
	size_t count = 0;

	for (size_t i = 0; i < SENDERS_MOST && current != NULL; i++)
		if (current->slot[i].mail != 0 && current->slot[i].plan.takes)
			ret[count++] = copy_of(&current->slot[i], current->slot[i].since);
	return count;
}

void relay_forget(void)
{
	free(relay_log);
	relay_log = NULL;
	relay_count = 0;
}

void relay_daemon_died(uint64_t *random)
{
	if (current == NULL)
		return;
	for (size_t i = 0; i < SENDERS_MOST; i++)
		if (current->slot[i].mail != 0 && current->slot[i].plan.takes &&
		    (random == NULL || disk_random(random) % 2 == 0))
			take(&current->slot[i], current->slot[i].since);
	free(current);
	current = NULL;
}

/* --- plans ---------------------------------------------------------------------------------
 */

struct relay_plan relay_replies(int curl_code, const char *reply, bool at_rcpt, bool body_sent)
{
	struct relay_plan plan = { .sent = { .has_result = true, .body_sent = body_sent } };
	struct attempt_result *result = &plan.sent.result;

	*result = (struct attempt_result){ .curl_code = curl_code,
					   .reply_code = atoi(reply),
					   .body_sent = body_sent,
					   .at_rcpt = at_rcpt,
					   .greeted = atoi(reply) > 0 };
	(void)snprintf(result->reply, sizeof result->reply, "%s", reply);
	return plan;
}

struct relay_plan relay_accepts(int64_t seconds)
{
	struct relay_plan plan = relay_replies(0, "250 2.0.0 queued", false, true);

	plan.takes = true;
	plan.seconds = seconds;
	return plan;
}

struct relay_plan relay_doubt(bool takes, int64_t seconds)
{
	struct relay_plan plan = relay_replies(28, "354 go on", false, true);

	plan.takes = takes;
	plan.seconds = seconds;
	return plan;
}

struct relay_plan relay_lost(bool body_sent, bool takes, bool hung)
{
	return (struct relay_plan){ .takes = takes && body_sent,
				    .seconds = hung ? SENDER_HARD_STOP_SECONDS : 2,
				    .sent = { .body_sent = body_sent, .hung = hung } };
}

/* --- in the place of service/senders.c -------------------------------------------------------
 */

int senders_create(const char *program, const struct sender_relay *relay, int connections,
		   struct senders **ret, struct error *error)
{
	struct senders *senders = calloc(1, sizeof *senders);

	(void)program;
	(void)relay;
	if (senders == NULL)
		return error_memory(error);
	senders->connections = (size_t)connections;
	current = senders;
	*ret = senders;
	return 0;
}

void senders_destroy(struct senders *senders)
{
	if (senders == current)
		relay_daemon_died(NULL);
	else
		free(senders);
}

void senders_destroyp(struct senders **senders)
{
	senders_destroy(*senders);
}

int senders_configure(struct senders *senders, const struct sender_relay *relay,
		      int connections, struct error *error)
{
	(void)relay;
	(void)error;
	senders->connections = (size_t)connections;
	return 0;
}

size_t senders_busy(const struct senders *senders)
{
	size_t busy = 0;

	for (size_t i = 0; i < SENDERS_MOST; i++)
		busy += senders->slot[i].mail != 0;
	return busy;
}

size_t senders_free(const struct senders *senders)
{
	size_t busy = senders_busy(senders);

	return busy < senders->connections ? senders->connections - busy : 0;
}

size_t senders_leaving(const struct senders *senders)
{
	(void)senders;
	return 0;
}

int senders_give(struct senders *senders, const struct sender_mail *mail, int64_t now,
		 struct error *error)
{
	struct relay_plan plan = relay_choose(mail);

	assert(senders_free(senders) > 0);
	if (plan.no_start)
		return error_set(error, EAGAIN, "no process can be started");
	for (size_t i = 0; i < SENDERS_MOST; i++) {
		struct slot *slot = &senders->slot[i];

		if (slot->mail != 0)
			continue;
		*slot = (struct slot){ .mail = mail->id,
				       .since = now,
				       .due = now + plan.seconds,
				       .plan = plan,
				       .digest = relay_digest(mail->recipient, mail->bytes,
							      mail->length) };
		break;
	}
	if (relay_given != NULL)
		relay_given(mail);
	return 0;
}

int senders_descriptor(const struct senders *senders)
{
	(void)senders;
	return -1; /* poll passes it over */
}

int senders_take(struct senders *senders, int64_t now, struct sent *ret)
{
	for (size_t i = 0; i < SENDERS_MOST; i++) {
		struct slot *slot = &senders->slot[i];

		if (slot->mail == 0 || slot->due > now)
			continue;
		if (slot->plan.takes)
			take(slot, slot->due);
		*ret = slot->plan.sent;
		ret->mail = slot->mail;
		slot->mail = 0;
		return 1;
	}
	return 0;
}

void senders_kill(struct senders *senders)
{
	for (size_t i = 0; i < SENDERS_MOST; i++)
		if (senders->slot[i].mail != 0) {
			senders->slot[i].due = INT64_MIN;
			senders->slot[i].plan.sent.has_result = false;
		}
}

int64_t senders_deadline(const struct senders *senders)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < SENDERS_MOST; i++)
		if (senders->slot[i].mail != 0 && senders->slot[i].due < first)
			first = senders->slot[i].due;
	return first;
}

int64_t senders_oldest(const struct senders *senders)
{
	int64_t oldest = INT64_MAX;

	for (size_t i = 0; i < SENDERS_MOST; i++)
		if (senders->slot[i].mail != 0 && senders->slot[i].since < oldest)
			oldest = senders->slot[i].since;
	return oldest;
}

void senders_let_go(struct senders *senders, int64_t now)
{
	(void)senders;
	(void)now;
}
