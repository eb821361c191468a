/* ledger_mail.c - mails: stored, claimed, attempted, settled, decided by a person. See
 * ledger.h.
 */
#include "adapter/ledger_internal.h"

#include <errno.h>
#include <jansson.h>
#include <nettle/hmac.h>
#include <stdlib.h>
#include <string.h>

/* --- rows ----------------------------------------------------------------------------------
 */

int mail_read(sqlite3_stmt *statement, struct ledger_mail *ret, struct error *error)
{
	struct ledger_mail mail = {
		.id = sqlite3_column_int64(statement, 0),
		.contact = sqlite3_column_int64(statement, 2),
		.recipient = column_string(statement, 3),
		.envelope_from = column_string(statement, 4),
		.message_id = column_string(statement, 5),
		.date = column_instant(statement, 6),
		.length = (size_t)sqlite3_column_int64(statement, 13),
		.attempts = sqlite3_column_int(statement, 7),
		.doubts = sqlite3_column_int(statement, 8),
		.created = column_instant(statement, 9),
		.next_attempt = column_instant(statement, 10),
		.updated = column_instant(statement, 11),
		.reply = column_string(statement, 12),
		.references = "",
		.kinds = "",
	};
	int result = state_read(column_string(statement, 1), &mail.state, error);

	if (result < 0)
		return result;
	if (mail.attempts != sqlite3_column_int64(statement, 7) ||
	    mail.doubts != sqlite3_column_int64(statement, 8))
		return error_set(error, EIO, "ledger: mail %lld is damaged",
				 (long long)mail.id);
	*ret = mail;
	return 0;
}

json_t *mail_facts(const struct ledger_mail *mail, const char *sha256, json_t *notices)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:s, s:I, s:o}", "contact",
			 (json_int_t)mail->contact, "recipient", mail->recipient,
			 "envelope_from", mail->envelope_from, "message_id", mail->message_id,
			 "date", json_instant(mail->date), "sha256", sha256, "length",
			 (json_int_t)mail->length, "notices", notices);
}

json_t *mail_progress(const struct ledger_mail *mail)
{
	return json_pack("{s:i, s:i, s:o, s:s}", "attempts", mail->attempts, "doubts",
			 mail->doubts, "next_attempt", json_instant(mail->next_attempt),
			 "reply", mail->reply);
}

int mail_find(struct ledger *ledger, int64_t id, sqlite3_stmt **statement,
	      struct ledger_mail *ret, struct error *error)
{
	static const char sql[] = "SELECT " MAIL_COLUMNS " FROM mail m WHERE m.id = ?1";
	int result = ledger_ask(ledger, sql, VALUES(value_number(id)), statement, error);

	if (result == 0)
		result = ledger_step(ledger, *statement, error);
	if (result != 1)
		return result;
	result = mail_read(*statement, ret, error);
	return result < 0 ? result : 1;
}

void ledger_mail_clear(struct ledger_mail *mail)
{
	free((void *)mail->recipient);
	free((void *)mail->envelope_from);
	free((void *)mail->message_id);
	free((void *)mail->bytes);
	free((void *)mail->reply);
	free((void *)mail->references);
	free((void *)mail->kinds);
	*mail = (struct ledger_mail){ 0 };
}

/* A copy that owns its strings, of a mail as mail_read left it: without its bytes. */
static int copy_mail(const struct ledger_mail *mail, struct ledger_mail *ret,
		     struct error *error)
{
	struct ledger_mail copy = *mail;

	copy.recipient = strdup(mail->recipient);
	copy.envelope_from = strdup(mail->envelope_from);
	copy.message_id = strdup(mail->message_id);
	copy.reply = strdup(mail->reply);
	copy.references = strdup(mail->references);
	copy.kinds = strdup(mail->kinds);
	if (copy.recipient == NULL || copy.envelope_from == NULL || copy.message_id == NULL ||
	    copy.reply == NULL || copy.references == NULL || copy.kinds == NULL) {
		ledger_mail_clear(&copy);
		return error_memory(error);
	}
	*ret = copy;
	return 0;
}

/* --- moves ---------------------------------------------------------------------------------
 */

enum actor { BY_OUTCOME, BY_RECOVERY, BY_NOTICE, BY_PERSON };

#define STATE(name) (1u << DELIVERY_##name)

/* Every move that a mail can make, and who may make it. What is not here is refused. A claim
 * looks only for mails that it may take. */
static const struct {
	enum actor actor;
	unsigned from;
	unsigned to;
} moves[] = {
	{ BY_OUTCOME, STATE(ATTEMPTING),
	  STATE(READY) | STATE(ACCEPTED) | STATE(RETRY) | STATE(IN_DOUBT) | STATE(REFUSED) |
		  STATE(HELD) },
	{ BY_RECOVERY, STATE(ATTEMPTING), STATE(IN_DOUBT) | STATE(HELD) },
	{ BY_NOTICE, STATE(READY) | STATE(RETRY) | STATE(IN_DOUBT), STATE(CANCELLED) },
	{ BY_PERSON, STATE(READY) | STATE(RETRY) | STATE(IN_DOUBT), STATE(HELD) },
	{ BY_PERSON, STATE(RETRY) | STATE(IN_DOUBT) | STATE(HELD), STATE(READY) },
	{ BY_PERSON, STATE(READY) | STATE(RETRY) | STATE(IN_DOUBT) | STATE(HELD),
	  STATE(CANCELLED) },
};

static int may_move(enum actor actor, const struct ledger_mail *mail, enum delivery_state to,
		    struct error *error)
{
	for (size_t i = 0; i < COUNT(moves); i++)
		if (moves[i].actor == actor && (moves[i].from & 1u << mail->state) != 0 &&
		    (moves[i].to & 1u << to) != 0)
			return 0;
	if (mail->state == DELIVERY_ATTEMPTING)
		return error_set(error, EBUSY, "mail %lld is being attempted",
				 (long long)mail->id);
	return error_set(error, EINVAL, "mail %lld is %s and cannot become %s",
			 (long long)mail->id, delivery_state_name(mail->state),
			 delivery_state_name(to));
}

/* What an entry adds to a mail's progress; NULL: nothing to say. */
struct remark {
	const char *reason;
	const char *by;
	const char *why;
};

static json_t *progress_with(const struct ledger_mail *mail, const struct remark *remark)
{
	const struct {
		const char *name;
		const char *value;
	} words[] = {
		{ "reason", remark->reason },
		{ "by", remark->by },
		{ "why", remark->why },
	};
	json_t *payload = mail_progress(mail);

	for (size_t i = 0; i < COUNT(words); i++)
		if (words[i].value != NULL && words[i].value[0] != '\0' &&
		    json_object_set_new(payload, words[i].name, json_string(words[i].value)) <
			    0) {
			json_decref(payload); /* takes NULL */
			return NULL;
		}
	return payload;
}

/* Writes a mail as it is after a move from `from`, and the entry that tells of it. */
static int put(struct ledger *ledger, const struct ledger_mail *mail, enum delivery_state from,
	       const char *kind, const struct remark *remark, struct instant now,
	       struct error *error)
{
	static const char sql[] =
		"UPDATE mail SET state = ?2, attempts = ?3, doubts = ?4, next_attempt = ?5,"
		" updated = ?6, reply = ?7 WHERE id = ?1";
	int result = ledger_change(
		ledger, sql,
		VALUES(value_number(mail->id), value_text(delivery_state_name(mail->state)),
		       value_number(mail->attempts), value_number(mail->doubts),
		       value_instant(mail->next_attempt), value_number(now.seconds),
		       value_text(mail->reply)),
		error);

	if (result < 0)
		return result;
	ledger_tally(ledger, from, -1);
	ledger_tally(ledger, mail->state, 1);
	return chain_append(
		ledger,
		&(struct chain_entry){
			.kind = kind, .at = now, .mail = mail->id, .state = (int)mail->state },
		progress_with(mail, remark), error);
}

int mail_cancel(struct ledger *ledger, const struct ledger_mail *mail, const char *kind,
		const char *reason, struct instant now, struct error *error)
{
	struct ledger_mail after = *mail;
	int result = may_move(BY_NOTICE, mail, DELIVERY_CANCELLED, error);

	if (result < 0)
		return result;
	after.state = DELIVERY_CANCELLED;
	after.next_attempt = INSTANT_NEVER;
	return put(ledger, &after, mail->state, kind, &(struct remark){ .reason = reason }, now,
		   error);
}

/* Notices that are about to be without a mail count by their own state again. */
static int tally_loosened(struct ledger *ledger, int64_t mail, struct error *error)
{
	static const char sql[] = "SELECT n.state, count(*) FROM mail_notice mn"
				  " JOIN notice n ON n.id = mn.notice"
				  " WHERE mn.mail = ?1 AND n.mail = mn.mail GROUP BY n.state";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql, VALUES(value_number(mail)), &statement, error);

	if (result < 0)
		return result;
	while ((result = ledger_step(ledger, statement, error)) == 1) {
		enum delivery_state state = DELIVERY_DECIDED;

		result = state_read(column_string(statement, 0), &state, error);
		if (result < 0)
			return result;
		ledger_tally(ledger, state, sqlite3_column_int64(statement, 1));
	}
	return result;
}

int mail_loosen(struct ledger *ledger, int64_t mail, struct instant now, struct error *error)
{
	static const char sql[] =
		"UPDATE notice SET mail = NULL, send_at = ?2 WHERE mail = ?1 AND id IN"
		" (SELECT notice FROM mail_notice WHERE mail_notice.mail = ?1)";
	int result = tally_loosened(ledger, mail, error);

	if (result < 0)
		return result;
	return ledger_change(ledger, sql, VALUES(value_number(mail), value_number(now.seconds)),
			     error);
}

/* --- Message-IDs ---------------------------------------------------------------------------
 */

static void hmac_number(struct hmac_sha256_ctx *hmac, int64_t number)
{
	unsigned char bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)((uint64_t)number >> (56 - 8 * i));
	hmac_sha256_update(hmac, sizeof bytes, bytes);
}

static int keyed(struct ledger *ledger, struct hmac_sha256_ctx *ret, struct error *error)
{
	static const char sql[] = "SELECT value FROM meta WHERE name = 'secret'";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql, NULL, 0, &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result < 0)
		return result;
	if (result == 0 || sqlite3_column_bytes(statement, 0) != HASH_SIZE)
		return error_set(error, EIO, "ledger: its secret is missing");
	hmac_sha256_set_key(ret, HASH_SIZE, sqlite3_column_blob(statement, 0));
	return 0;
}

static int finish_id(struct hmac_sha256_ctx *hmac, const char *domain, struct text *ret,
		     struct error *error)
{
	enum { USED = 16 }; /* 128 bits: no two by chance, and a short line */
	unsigned char digest[USED];
	char digits[2 * USED + 1];

	hmac_sha256_digest(hmac, sizeof digest, digest);
	text_cut(ret, 0);
	text_appendf(ret, "%s@%s", hex(digest, sizeof digest, digits), domain);
	return text_failed(ret) ? error_memory(error) : 0;
}

int ledger_message_id(struct ledger *ledger, const int64_t *notices, size_t count,
		      int64_t contact, const char *domain, struct text *ret,
		      struct error *error)
{
	struct hmac_sha256_ctx hmac;
	int result = keyed(ledger, &hmac, error);

	if (result < 0)
		return result;
	hmac_sha256_update(&hmac, 4, (const uint8_t *)"mail"); /* never the id of a root */
	hmac_number(&hmac, contact);
	for (size_t i = 0; i < count; i++)
		hmac_number(&hmac, notices[i]);
	return finish_id(&hmac, domain, ret, error);
}

int ledger_root_id(struct ledger *ledger, int64_t challenge, const char *domain,
		   struct text *ret, struct error *error)
{
	struct hmac_sha256_ctx hmac;
	int result = keyed(ledger, &hmac, error);

	if (result < 0)
		return result;
	hmac_sha256_update(&hmac, 4, (const uint8_t *)"root");
	hmac_number(&hmac, challenge);
	return finish_id(&hmac, domain, ret, error);
}

/* --- storing -------------------------------------------------------------------------------
 */

static int insert_mail(struct ledger *ledger, const struct ledger_mail *mail,
		       const unsigned char sha256[static HASH_SIZE], struct instant now,
		       int64_t *ret_id, struct error *error)
{
	static const char sql[] =
		"INSERT INTO mail (state, contact, recipient, envelope_from, message_id, date,"
		" sha256, length, attempts, doubts, created, updated, reply)"
		" VALUES ('ready', ?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, ?8, ?8, '')";
	static const char sql_body[] = "INSERT INTO body (mail, bytes) VALUES (?1, ?2)";
	int result = ledger_change(
		ledger, sql,
		VALUES(value_number(mail->contact), value_text(mail->recipient),
		       value_text(mail->envelope_from), value_text(mail->message_id),
		       value_number(mail->date.seconds), value_blob(sha256, HASH_SIZE),
		       value_number((int64_t)mail->length), value_number(now.seconds)),
		error);

	if (result < 0)
		return result;
	*ret_id = sqlite3_last_insert_rowid(ledger->db);
	return ledger_change(
		ledger, sql_body,
		VALUES(value_number(*ret_id), value_blob(mail->bytes, mail->length)), error);
}

/* Only a notice that is decided and has no mail yet may be tied. */
static int tie(struct ledger *ledger, int64_t mail, int64_t notice, struct error *error)
{
	static const char sql_notice[] = "UPDATE notice SET mail = ?2 WHERE id = ?1"
					 " AND mail IS NULL AND state = 'decided'";
	static const char sql_tie[] = "INSERT INTO mail_notice (mail, notice) VALUES (?1, ?2)";
	int result = ledger_change(ledger, sql_notice,
				   VALUES(value_number(notice), value_number(mail)), error);

	if (result < 0)
		return result;
	if (sqlite3_changes(ledger->db) != 1)
		return error_set(error, EINVAL, "notice %lld is not waiting for a mail",
				 (long long)notice);
	ledger_tally(ledger, DELIVERY_DECIDED, -1);
	return ledger_change(ledger, sql_tie, VALUES(value_number(mail), value_number(notice)),
			     error);
}

static json_t *rendered(const struct ledger_mail *mail,
			const unsigned char sha256[static HASH_SIZE], const int64_t *notices,
			size_t count)
{
	struct ledger_mail fresh = { .next_attempt = INSTANT_NEVER, .reply = "" };
	char digits[HEX_SIZE];
	json_t *list = json_array();
	json_t *payload;
	json_t *progress;

	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, json_integer(notices[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	payload = mail_facts(mail, hex(sha256, HASH_SIZE, digits), list);
	progress = mail_progress(&fresh);
	if (payload == NULL || progress == NULL || json_object_update(payload, progress) < 0) {
		json_decref(payload);
		payload = NULL;
	}
	json_decref(progress);
	return payload;
}

static int store_mail(struct ledger *ledger, const struct ledger_mail *mail,
		      const int64_t *notices, size_t count, struct instant now, int64_t *ret_id,
		      struct error *error)
{
	unsigned char sha256[HASH_SIZE];
	int64_t id = 0;
	int result;

	sha256_of(mail->bytes, mail->length, sha256);
	result = insert_mail(ledger, mail, sha256, now, &id, error);
	for (size_t i = 0; i < count && result == 0; i++)
		result = tie(ledger, id, notices[i], error);
	if (result < 0)
		return result;
	ledger->head.mails++;
	ledger_tally(ledger, DELIVERY_READY, 1);
	result = chain_append(ledger,
			      &(struct chain_entry){ .kind = chain_rendered,
						     .at = now,
						     .mail = id,
						     .state = DELIVERY_READY },
			      rendered(mail, sha256, notices, count), error);
	if (result == 0)
		*ret_id = id;
	return result;
}

int ledger_store_mail(struct ledger *ledger, const struct ledger_mail *mail,
		      const int64_t *notices, size_t notice_count, struct instant now,
		      int64_t *ret_id, struct error *error)
{
	struct ledger_scope scope;
	int result;

	if (mail->bytes == NULL || mail->length == 0)
		return error_set(error, EINVAL, "ledger: a mail without bytes");
	result = ledger_enter_inside(ledger, &scope, error);
	if (result < 0)
		return result;
	result = store_mail(ledger, mail, notices, notice_count, now, ret_id, error);
	return ledger_leave(ledger, &scope, result, error);
}

/* --- claiming ------------------------------------------------------------------------------
 */

/* The next mail to attempt: 1 with its id. READY by id; then what is due again by its time.
 * What a person let go waits until its challenges have been looked at. */
static int next_claim(struct ledger *ledger, struct instant now, int64_t *ret,
		      struct error *error)
{
	static const char sql_ready[] =
		"SELECT id FROM mail WHERE state = 'ready'"
		" AND state IN ('ready', 'attempting', 'retry', 'in_doubt')"
		" AND next_attempt IS NULL AND NOT EXISTS (SELECT 1 FROM schedule s"
		" WHERE s.next < 0 AND s.challenge IN (SELECT n.challenge"
		" FROM mail_notice mn JOIN notice n ON n.id = mn.notice"
		" WHERE mn.mail = mail.id)) ORDER BY id LIMIT 1";
	static const char sql_due[] =
		"SELECT id, next_attempt FROM mail WHERE state = ?2"
		" AND state IN ('ready', 'attempting', 'retry', 'in_doubt')"
		" AND next_attempt <= ?1 ORDER BY next_attempt, id LIMIT 1";
	CLEANUP(ledger_resetp) sqlite3_stmt *ready = NULL;
	struct instant best = INSTANT_NEVER;
	int found = ledger_ask(ledger, sql_ready, NULL, 0, &ready, error);

	if (found == 0)
		found = ledger_step(ledger, ready, error);
	if (found == 1)
		*ret = sqlite3_column_int64(ready, 0);
	for (int i = 0; i < 2 && found == 0; i++) {
		CLEANUP(ledger_resetp) sqlite3_stmt *due = NULL;
		int result = ledger_ask(ledger, sql_due,
					VALUES(value_number(now.seconds),
					       value_text(i == 0 ? "retry" : "in_doubt")),
					&due, error);

		if (result == 0)
			result = ledger_step(ledger, due, error);
		if (result < 0)
			return result;
		if (result == 1 && instant_before(column_instant(due, 1), best)) {
			best = column_instant(due, 1);
			*ret = sqlite3_column_int64(due, 0);
		}
	}
	return found != 0 ? found : !instant_is_never(best);
}

/*
 * 1 with a copy of the bytes; 0 when they are missing or not those that were rendered:
 * such a mail is never sent.
 */
static int load_bytes(struct ledger *ledger, int64_t mail, const void *sha256, const char **ret,
		      size_t *ret_length, struct error *error)
{
	static const char sql[] = "SELECT bytes FROM body WHERE mail = ?1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	unsigned char digest[HASH_SIZE];
	size_t length;
	char *copy;
	int result = ledger_ask(ledger, sql, VALUES(value_number(mail)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result != 1)
		return result;
	length = (size_t)sqlite3_column_bytes(statement, 0);
	copy = malloc(length + 1);
	if (copy == NULL)
		return error_memory(error);
	if (length > 0)
		memcpy(copy, sqlite3_column_blob(statement, 0), length);
	copy[length] = '\0';
	sha256_of(copy, length, digest);
	if (sha256 != NULL && memcmp(digest, sha256, HASH_SIZE) != 0) {
		free(copy);
		return 0;
	}
	*ret = copy;
	*ret_length = length;
	return 1;
}

/* References and kinds of the mail's notices, each once, in order of the notices. */
static int carried(struct ledger *ledger, int64_t mail, struct text *references,
		   struct text *kinds, struct error *error)
{
	static const char sql_reference[] =
		"SELECT n.reference FROM mail_notice mn JOIN notice n ON n.id = mn.notice"
		" WHERE mn.mail = ?1 GROUP BY n.reference ORDER BY min(n.id)";
	static const char sql_kind[] =
		"SELECT n.kind FROM mail_notice mn JOIN notice n ON n.id = mn.notice"
		" WHERE mn.mail = ?1 GROUP BY n.kind ORDER BY min(n.id)";
	const struct {
		const char *sql;
		struct text *text;
	} lists[] = { { sql_reference, references }, { sql_kind, kinds } };

	for (size_t i = 0; i < COUNT(lists); i++) {
		CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
		int result = ledger_ask(ledger, lists[i].sql, VALUES(value_number(mail)),
					&statement, error);

		text_cut(lists[i].text, 0);
		while (result == 0 && (result = ledger_step(ledger, statement, error)) == 1) {
			if (lists[i].text->length > 0)
				text_append_char(lists[i].text, '\n');
			text_append(lists[i].text, column_string(statement, 0));
			result = 0;
		}
		if (result < 0)
			return result;
		if (text_failed(lists[i].text))
			return error_memory(error);
	}
	return 0;
}

/* 1: *ret is claimed; 0: that mail was damaged and is held, look for another. */
static int claim_one(struct ledger *ledger, int64_t id, struct instant now,
		     struct ledger_mail *ret, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	CLEANUP(text_clear) struct text references = { 0 };
	CLEANUP(text_clear) struct text kinds = { 0 };
	CLEANUP(ledger_mail_clear) struct ledger_mail copy = { 0 };
	struct ledger_mail mail;
	struct remark remark = { 0 };
	enum delivery_state from;
	const void *sha256;
	int found = mail_find(ledger, id, &statement, &mail, error);

	if (found <= 0)
		return found < 0 ? found : error_set(error, EIO, "ledger: a mail vanished");
	from = mail.state;
	sha256 = sqlite3_column_blob(statement, 14);
	if (sha256 == NULL)
		return error_set(error, EIO, "ledger: mail %lld has no digest", (long long)id);
	found = carried(ledger, id, &references, &kinds, error);
	if (found < 0)
		return found;
	mail.references = text_string(&references);
	mail.kinds = text_string(&kinds);
	found = copy_mail(&mail, &copy, error);
	if (found == 0)
		found = load_bytes(ledger, id, sha256, &copy.bytes, &copy.length, error);
	if (found < 0)
		return found;
	copy.state = found == 1 ? DELIVERY_ATTEMPTING : DELIVERY_HELD;
	copy.next_attempt = INSTANT_NEVER;
	copy.updated = now;
	copy.attempts += found;
	if (found == 0)
		remark.reason = "its bytes are not those that were rendered";
	if (put(ledger, &copy, from, delivery_state_name(copy.state), &remark, now, error) < 0)
		return -error->code;
	if (found == 1)
		*ret = TAKE(copy);
	return found;
}

int ledger_claim(struct ledger *ledger, struct instant now, struct ledger_mail *ret,
		 struct error *error)
{
	struct ledger_scope scope;
	int64_t id = 0;
	int result = ledger_enter_inside(ledger, &scope, error);

	if (result < 0)
		return result;
	/* A damaged mail leaves the queue, so this ends. */
	while ((result = next_claim(ledger, now, &id, error)) == 1) {
		result = claim_one(ledger, id, now, ret, error);
		if (result != 0)
			break;
	}
	return ledger_leave(ledger, &scope, result, error);
}

/* --- outcomes ------------------------------------------------------------------------------
 */

/* A mail in doubt is sent once more; the second doubt is a person's to settle. */
static void doubt(struct ledger_mail *mail, struct instant next, struct remark *remark)
{
	mail->doubts++;
	if (mail->doubts == 1) {
		mail->state = DELIVERY_IN_DOUBT;
		mail->next_attempt = next;
		return;
	}
	mail->state = DELIVERY_HELD;
	mail->next_attempt = INSTANT_NEVER;
	remark->reason = "in doubt a second time";
}

static int record(struct ledger *ledger, int64_t id, const struct ledger_outcome *outcome,
		  struct instant now, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	struct remark remark = { .reason = outcome->reason };
	struct ledger_mail mail;
	int result = mail_find(ledger, id, &statement, &mail, error);

	if (result < 0)
		return result;
	if (result == 0)
		return error_set(error, ENOENT, "there is no mail %lld", (long long)id);
	if (mail.state != DELIVERY_ATTEMPTING)
		return error_set(error, EINVAL, "mail %lld is %s, not being attempted",
				 (long long)id, delivery_state_name(mail.state));
	result = may_move(BY_OUTCOME, &mail, outcome->state, error);
	if (result < 0)
		return error_set(error, EINVAL, "an attempt does not end in %s",
				 delivery_state_name(outcome->state));
	if (outcome->state == DELIVERY_RETRY && instant_is_never(outcome->next_attempt))
		return error_set(error, EINVAL, "a retry needs a time");
	mail.state = outcome->state;
	mail.next_attempt =
		outcome->state == DELIVERY_RETRY ? outcome->next_attempt : INSTANT_NEVER;
	if (outcome->state == DELIVERY_IN_DOUBT)
		doubt(&mail,
		      instant_is_never(outcome->next_attempt) ||
				      outcome->next_attempt.seconds == 0
			      ? instant_add(now, LEDGER_DOUBT_SECONDS)
			      : outcome->next_attempt,
		      &remark);
	if (outcome->refund)
		mail.attempts--; /* the claim counted it */
	if (outcome->reply != NULL)
		mail.reply = outcome->reply;
	return put(ledger, &mail, DELIVERY_ATTEMPTING, delivery_state_name(mail.state), &remark,
		   now, error);
}

int ledger_record(struct ledger *ledger, int64_t mail, const struct ledger_outcome *outcome,
		  struct instant now, struct error *error)
{
	struct ledger_scope scope;
	int result = ledger_enter_inside(ledger, &scope, error);

	if (result < 0)
		return result;
	result = record(ledger, mail, outcome, now, error);
	return ledger_leave(ledger, &scope, result, error);
}

/* --- a refused address ---------------------------------------------------------------------
 */

static int is_loosened(struct ledger *ledger, int64_t mail, bool *ret, struct error *error)
{
	static const char sql[] =
		"SELECT 1 FROM mail_notice mn JOIN notice n ON n.id = mn.notice"
		" WHERE mn.mail = ?1 AND n.mail = mn.mail LIMIT 1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql, VALUES(value_number(mail)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result < 0)
		return result;
	*ret = result == 0;
	return 0;
}

static int fall_through(struct ledger *ledger, int64_t id, struct instant now,
			struct error *error)
{
	static const char sql[] = "INSERT INTO refused (contact, at, mail) VALUES (?1, ?2, ?3)"
				  " ON CONFLICT (contact) DO UPDATE SET at = excluded.at,"
				  " mail = excluded.mail";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	struct ledger_mail mail;
	bool loosened = true;
	int result = mail_find(ledger, id, &statement, &mail, error);

	if (result == 0)
		return error_set(error, ENOENT, "there is no mail %lld", (long long)id);
	if (result > 0)
		result = is_loosened(ledger, id, &loosened, error);
	if (result < 0)
		return result;
	if (mail.state != DELIVERY_REFUSED || loosened)
		return error_set(error, EINVAL, "mail %lld has nothing to pass on",
				 (long long)id);
	if (mail.contact != 0)
		result = ledger_change(ledger, sql,
				       VALUES(value_number(mail.contact),
					      value_number(now.seconds), value_number(id)),
				       error);
	if (result == 0)
		result = mail_loosen(ledger, id, now, error);
	if (result < 0)
		return result;
	return put(ledger, &mail, DELIVERY_REFUSED, chain_fallen_through, &(struct remark){ 0 },
		   now, error);
}

int ledger_fall_through(struct ledger *ledger, int64_t mail, struct instant now,
			struct error *error)
{
	struct ledger_scope scope;
	int result = ledger_enter(ledger, &scope, error);

	if (result < 0)
		return result;
	result = fall_through(ledger, mail, now, error);
	return ledger_leave(ledger, &scope, result, error);
}

int ledger_refused_contacts(struct ledger *ledger, struct ledger_refusal **ret,
			    size_t *ret_count, struct error *error)
{
	static const char sql_count[] = "SELECT count(*) FROM refused";
	static const char sql[] = "SELECT contact, at FROM refused ORDER BY contact LIMIT ?1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	CLEANUP(freep) struct ledger_refusal *contacts = NULL;
	int64_t count = 0;
	size_t filled = 0;
	int result = database_number(ledger->db, sql_count, &count, error);

	if (result < 0)
		return result;
	contacts = calloc((size_t)count + 1, sizeof *contacts);
	if (contacts == NULL)
		return error_memory(error);
	result = ledger_ask(ledger, sql, VALUES(value_number(count)), &statement, error);
	if (result < 0)
		return result;
	while ((result = ledger_step(ledger, statement, error)) == 1)
		contacts[filled++] = (struct ledger_refusal){
			.contact = sqlite3_column_int64(statement, 0),
			.at = column_instant(statement, 1),
		};
	if (result < 0)
		return result;
	*ret = TAKE(contacts);
	*ret_count = filled;
	return 0;
}

int ledger_forget_refused(struct ledger *ledger, int64_t contact, struct error *error)
{
	static const char sql[] = "DELETE FROM refused WHERE contact = ?1";
	struct ledger_scope scope;
	int result = ledger_enter(ledger, &scope, error);

	if (result < 0)
		return result;
	result = ledger_change(ledger, sql, VALUES(value_number(contact)), error);
	return ledger_leave(ledger, &scope, result, error);
}

/* --- recovery ------------------------------------------------------------------------------
 */

/* 1: one mail was recovered; 0: none is left. */
static int recover_one(struct ledger *ledger, struct instant now, struct error *error)
{
	static const char sql[] = "SELECT " MAIL_COLUMNS " FROM mail m"
				  " WHERE m.state = 'attempting' AND"
				  " m.state IN ('ready', 'attempting', 'retry', 'in_doubt')"
				  " LIMIT 1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	CLEANUP(ledger_mail_clear) struct ledger_mail mail = { 0 };
	struct remark remark = { .reason = "the daemon ended before the outcome was known" };
	struct ledger_mail found;
	int result = ledger_ask(ledger, sql, NULL, 0, &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result != 1)
		return result;
	result = mail_read(statement, &found, error);
	if (result == 0)
		result = copy_mail(&found, &mail, error);
	if (result < 0)
		return result;
	ledger_resetp(&statement); /* its index is about to change */
	doubt(&mail, instant_add(now, LEDGER_DOUBT_SECONDS), &remark);
	result = may_move(BY_RECOVERY, &found, mail.state, error);
	if (result == 0)
		result = put(ledger, &mail, DELIVERY_ATTEMPTING, "recovered", &remark, now,
			     error);
	return result < 0 ? result : 1;
}

int ledger_recover(struct ledger *ledger, struct instant now, size_t *ret_count,
		   struct error *error)
{
	struct ledger_scope scope;
	size_t count = 0;
	int result = ledger_enter(ledger, &scope, error);

	if (result < 0)
		return result;
	while ((result = recover_one(ledger, now, error)) == 1)
		count++;
	result = ledger_leave(ledger, &scope, result, error);
	if (result == 0)
		*ret_count = count;
	return result;
}

/* --- looking -------------------------------------------------------------------------------
 */

static int list_one(struct ledger *ledger, sqlite3_stmt *statement, struct text *references,
		    struct text *kinds, struct ledger_mail *ret, struct error *error)
{
	int result = mail_read(statement, ret, error);

	if (result == 0)
		result = carried(ledger, ret->id, references, kinds, error);
	if (result < 0)
		return result;
	ret->references = text_string(references);
	ret->kinds = text_string(kinds);
	return 0;
}

int ledger_mails(struct ledger *ledger, int state,
		 int (*each)(void *context, const struct ledger_mail *mail), void *context,
		 struct error *error)
{
	/* A list for a person: it reads what it prints, and is not on any hot path. */
	static const char sql[] = "SELECT " MAIL_COLUMNS " FROM mail m"
				  " WHERE ?1 IS NULL OR m.state = ?1 ORDER BY m.id";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	CLEANUP(text_clear) struct text references = { 0 };
	CLEANUP(text_clear) struct text kinds = { 0 };
	const char *name = state < 0 ? NULL : delivery_state_name((enum delivery_state)state);
	int result = database_ask(ledger->db, sql, VALUES(value_text(name)), &statement, error);

	if (result < 0)
		return result;
	while ((result = ledger_step(ledger, statement, error)) == 1) {
		struct ledger_mail mail;

		result = list_one(ledger, statement, &references, &kinds, &mail, error);
		if (result < 0)
			return result;
		if (each(context, &mail) != 0)
			return 0;
	}
	return result;
}

int ledger_mail(struct ledger *ledger, int64_t id, struct ledger_mail *ret, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	CLEANUP(text_clear) struct text references = { 0 };
	CLEANUP(text_clear) struct text kinds = { 0 };
	CLEANUP(ledger_mail_clear) struct ledger_mail copy = { 0 };
	struct ledger_mail mail;
	int result = mail_find(ledger, id, &statement, &mail, error);

	if (result != 1)
		return result;
	result = carried(ledger, id, &references, &kinds, error);
	if (result < 0)
		return result;
	mail.references = text_string(&references);
	mail.kinds = text_string(&kinds);
	result = copy_mail(&mail, &copy, error);
	if (result == 0)
		result = load_bytes(ledger, id, NULL, &copy.bytes, &copy.length, error);
	if (result < 0)
		return result;
	*ret = TAKE(copy);
	return 1;
}

/* --- a person's decision -------------------------------------------------------------------
 */

/* What a mail says may be over by the time somebody lets it go: its challenges are looked at
 * before it is claimed, and no clock has to be right for that (the schedule is negative). */
static int look_first(struct ledger *ledger, int64_t mail, struct instant now,
		      struct error *error)
{
	static const char sql[] = "INSERT INTO schedule (challenge, next)"
				  " SELECT DISTINCT n.challenge, -max(?2, 1)"
				  " FROM mail_notice mn JOIN notice n ON n.id = mn.notice"
				  " WHERE mn.mail = ?1 AND n.mail = mn.mail"
				  " ON CONFLICT (challenge) DO UPDATE SET next = excluded.next";

	return ledger_change(ledger, sql, VALUES(value_number(mail), value_number(now.seconds)),
			     error);
}

static int decide_mail(struct ledger *ledger, int64_t id, enum delivery_state state,
		       const struct remark *remark, struct instant now, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	struct ledger_mail mail;
	enum delivery_state from;
	int result = mail_find(ledger, id, &statement, &mail, error);

	if (result < 0)
		return result;
	if (result == 0)
		return error_set(error, ENOENT, "there is no mail %lld", (long long)id);
	result = may_move(BY_PERSON, &mail, state, error);
	if (result < 0)
		return result;
	from = mail.state;
	mail.state = state;
	mail.next_attempt = INSTANT_NEVER;
	result = put(ledger, &mail, from, "person", remark, now, error);
	return result == 0 && state == DELIVERY_READY ? look_first(ledger, id, now, error)
						      : result;
}

int ledger_decide_mail(struct ledger *ledger, int64_t mail, enum delivery_state state,
		       const char *by, const char *why, struct instant now, struct error *error)
{
	const struct remark remark = { .by = by, .why = why };
	struct ledger_scope scope;
	int result = ledger_enter(ledger, &scope, error);

	if (result < 0)
		return result;
	result = decide_mail(ledger, mail, state, &remark, now, error);
	return ledger_leave(ledger, &scope, result, error);
}
