/* ledger_notice.c - decisions: made once, waiting, cancelled, released. See ledger.h. */
#include "adapter/ledger_internal.h"

#include "base/list.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The strings of a notice, in the order of their columns. */
static const struct {
	int column;
	size_t offset;
} strings[] = {
	{ 2, offsetof(struct ledger_notice, reference) },
	{ 3, offsetof(struct ledger_notice, policy) },
	{ 4, offsetof(struct ledger_notice, policy_version) },
	{ 6, offsetof(struct ledger_notice, stage) },
	{ 7, offsetof(struct ledger_notice, obligation) },
	{ 9, offsetof(struct ledger_notice, step) },
	{ 11, offsetof(struct ledger_notice, role) },
	{ 19, offsetof(struct ledger_notice, reason) },
};

static const char **string_of(struct ledger_notice *notice, size_t i)
{
	return (const char **)((char *)notice + strings[i].offset);
}

static const char *or_empty(const char *string)
{
	return string != NULL ? string : "";
}

int state_read(const char *name, enum delivery_state *ret, struct error *error)
{
	int state = delivery_state_parse(name);

	if (state < 0)
		return error_set(error, EIO, "ledger: \"%s\" is no state", name);
	*ret = (enum delivery_state)state;
	return 0;
}

int notice_read(sqlite3_stmt *statement, struct ledger_notice *ret, struct error *error)
{
	struct ledger_notice notice = {
		.id = sqlite3_column_int64(statement, 0),
		.challenge = sqlite3_column_int64(statement, 1),
		.event = sqlite3_column_int64(statement, 5),
		.occurrence = (int32_t)sqlite3_column_int64(statement, 10),
		.at = column_instant(statement, 12),
		.send_at = column_instant(statement, 13),
		.started = column_instant(statement, 14),
		.due = column_instant(statement, 15),
		.firm = sqlite3_column_int(statement, 16) != 0,
		.provisional = sqlite3_column_int(statement, 17) != 0,
		.mail = sqlite3_column_int64(statement, 20),
		.policy_digest = "",
		.calendar_version = "",
		.zone_version = "",
	};
	int kind = notice_kind_parse(column_string(statement, 8));
	int result = state_read(column_string(statement, 18), &notice.state, error);

	if (result < 0)
		return result;
	if (kind < 0)
		return error_set(error, EIO, "ledger: \"%s\" is no kind of notice",
				 column_string(statement, 8));
	if (notice.occurrence != sqlite3_column_int64(statement, 10) ||
	    notice.firm != sqlite3_column_int64(statement, 16) ||
	    notice.provisional != sqlite3_column_int64(statement, 17) ||
	    (notice.mail == 0) != (sqlite3_column_type(statement, 20) == SQLITE_NULL))
		return error_set(error, EIO, "ledger: notice %lld is damaged",
				 (long long)notice.id);
	notice.kind = (enum notice_kind)kind;
	for (size_t i = 0; i < COUNT(strings); i++)
		*string_of(&notice, i) = column_string(statement, strings[i].column);
	*ret = notice;
	return 0;
}

json_t *notice_facts(const struct ledger_notice *notice)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:i, s:s, s:o, s:o, s:o,"
			 " s:o, s:b, s:b}",
			 "reference", or_empty(notice->reference), "policy",
			 or_empty(notice->policy), "policy_version",
			 or_empty(notice->policy_version), "event", (json_int_t)notice->event,
			 "stage", or_empty(notice->stage), "obligation",
			 or_empty(notice->obligation), "kind", notice_kind_name(notice->kind),
			 "step", or_empty(notice->step), "occurrence", (int)notice->occurrence,
			 "role", or_empty(notice->role), "at", json_instant(notice->at),
			 "send_at", json_instant(notice->send_at), "started",
			 json_instant(notice->started), "due", json_instant(notice->due),
			 "firm", notice->firm, "provisional", notice->provisional);
}

const char ledger_adopted_reason[] = "adopted";

struct ledger_notice ledger_notice_of(const struct policy *policy,
				      const struct challenge *challenge,
				      const struct entry *entry, size_t role)
{
	return (struct ledger_notice){
		.challenge = challenge->id,
		.reference = challenge->reference,
		.policy = policy->id,
		.policy_version = policy->version,
		.event = entry->event,
		.stage = entry->stage < 0 ? "" : policy->stages[entry->stage].id,
		.obligation =
			entry->obligation < 0 ? "" : policy->obligations[entry->obligation].id,
		.kind = entry->kind,
		.step = entry->step,
		.occurrence = entry->occurrence,
		.role = policy->roles[entry->to.role[role]].token,
		.at = entry->at,
		.send_at = entry->send_at,
		.started = entry->started,
		.due = entry->due,
		.firm = entry->firm,
		.provisional = entry->provisional,
		.state = DELIVERY_DECIDED,
		.reason = "",
		.policy_digest = policy->digest,
	};
}

/* --- deciding ------------------------------------------------------------------------------
 */

static bool is_among(const char *const *reasons, const char *reason)
{
	for (; reasons != NULL && *reasons != NULL; reasons++)
		if (strcmp(*reasons, reason) == 0)
			return true;
	return false;
}

/* 1 with *ret_id when the key is there already, 2 when it may be revived. */
static int find_key(struct ledger *ledger, const struct ledger_notice *notice, int64_t *ret_id,
		    struct error *error)
{
	static const char sql[] =
		"SELECT id, state = 'cancelled' AND mail IS NULL, reason FROM notice WHERE "
		"challenge = ?1 AND event = ?2 AND stage = ?3"
		" AND obligation = ?4 AND kind = ?5 AND step = ?6 AND occurrence = ?7"
		" AND role = ?8";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(
		ledger, sql,
		VALUES(value_number(notice->challenge), value_number(notice->event),
		       value_text(or_empty(notice->stage)),
		       value_text(or_empty(notice->obligation)),
		       value_text(notice_kind_name(notice->kind)),
		       value_text(or_empty(notice->step)), value_number(notice->occurrence),
		       value_text(or_empty(notice->role))),
		&statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result != 1)
		return result;
	*ret_id = sqlite3_column_int64(statement, 0);
	return sqlite3_column_int(statement, 1) != 0 &&
			       is_among(notice->revives,
					(const char *)sqlite3_column_text(statement, 2))
		       ? 2
		       : 1;
}

static int insert_notice(struct ledger *ledger, const struct ledger_notice *notice,
			 int64_t *ret_id, struct error *error)
{
	static const char sql[] =
		"INSERT INTO notice (challenge, reference, policy, policy_version, event,"
		" stage, obligation, kind, step, occurrence, role, at, send_at, started, due,"
		" firm, provisional, state, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
		" ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
	int result = ledger_change(
		ledger, sql,
		VALUES(value_number(notice->challenge), value_text(or_empty(notice->reference)),
		       value_text(or_empty(notice->policy)),
		       value_text(or_empty(notice->policy_version)),
		       value_number(notice->event), value_text(or_empty(notice->stage)),
		       value_text(or_empty(notice->obligation)),
		       value_text(notice_kind_name(notice->kind)),
		       value_text(or_empty(notice->step)), value_number(notice->occurrence),
		       value_text(or_empty(notice->role)), value_number(notice->at.seconds),
		       value_number(notice->send_at.seconds), value_instant(notice->started),
		       value_instant(notice->due), value_number(notice->firm),
		       value_number(notice->provisional),
		       value_text(delivery_state_name(notice->state)),
		       value_text(or_empty(notice->reason))),
		error);

	if (result == 0)
		*ret_id = sqlite3_last_insert_rowid(ledger->db);
	return result;
}

/* What the decision rested on, added to its facts; what the caller did not tell is left out. */
static json_t *decision(const struct ledger_notice *notice)
{
	const struct {
		const char *name;
		const char *value;
	} basis[] = {
		{ "policy_digest", notice->policy_digest },
		{ "calendar_version", notice->calendar_version },
		{ "zone_version", notice->zone_version },
	};
	json_t *payload = notice_facts(notice);
	bool failed = payload == NULL;

	failed = failed || json_object_set_new(payload, "reason",
					       json_string(or_empty(notice->reason))) < 0;
	for (size_t i = 0; i < COUNT(basis) && !failed; i++)
		if (or_empty(basis[i].value)[0] != '\0')
			failed = json_object_set_new(payload, basis[i].name,
						     json_string(basis[i].value)) < 0;
	if (failed) {
		json_decref(payload);
		return NULL;
	}
	return payload;
}

static int decide(struct ledger *ledger, const struct ledger_notice *notice, struct instant now,
		  int64_t *ret_id, struct error *error)
{
	int64_t id = 0;
	int result = find_key(ledger, notice, ret_id, error);

	if (result != 0)
		return result == 1 ? 0 : result;
	result = insert_notice(ledger, notice, &id, error);
	if (result < 0)
		return result;
	result = chain_append(ledger,
			      &(struct chain_entry){ .kind = chain_decided,
						     .at = now,
						     .challenge = notice->challenge,
						     .notice = id,
						     .state = (int)notice->state },
			      decision(notice), error);
	if (result < 0)
		return result;
	ledger->head.notices++;
	ledger_tally(ledger, notice->state, 1);
	*ret_id = id;
	return 1;
}

int ledger_decide(struct ledger *ledger, const struct ledger_notice *notice, struct instant now,
		  int64_t *ret_id, struct error *error)
{
	struct ledger_scope scope;
	int result;

	if (notice->state != DELIVERY_DECIDED && notice->state != DELIVERY_CANCELLED &&
	    notice->state != DELIVERY_HELD)
		return error_set(error, EINVAL, "ledger: a notice is not decided as %s",
				 delivery_state_name(notice->state));
	if (instant_is_never(notice->at) || instant_is_never(notice->send_at))
		return error_set(error, EINVAL, "ledger: a notice needs a time");
	result = ledger_enter_inside(ledger, &scope, error);
	if (result < 0)
		return result;
	result = decide(ledger, notice, now, ret_id, error);
	return ledger_leave(ledger, &scope, result, error);
}

/* --- reading lists -------------------------------------------------------------------------
 */

struct notice_list {
	struct ledger_notice *item;
	size_t count;
	size_t capacity;
};

/* All strings of a copy lie in one block, which the first of them begins. */
static void notice_clear(struct ledger_notice *notice)
{
	free((void *)*string_of(notice, 0));
}

static int copy_strings(struct ledger_notice *notice)
{
	size_t lengths[COUNT(strings)];
	size_t whole = 0;
	char *block;

	for (size_t i = 0; i < COUNT(strings); i++) {
		lengths[i] = strlen(*string_of(notice, i)) + 1;
		whole += lengths[i];
	}
	block = malloc(whole);
	if (block == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < COUNT(strings); block += lengths[i], i++) {
		memcpy(block, *string_of(notice, i), lengths[i]);
		*string_of(notice, i) = block;
	}
	return 0;
}

void ledger_notices_free(struct ledger_notice *notices, size_t count)
{
	for (size_t i = 0; i < count; i++)
		notice_clear(&notices[i]);
	free(notices);
}

static void notice_list_clear(struct notice_list *list)
{
	ledger_notices_free(list->item, list->count);
	*list = (struct notice_list){ 0 };
}

static int notice_list_push(struct notice_list *list, const struct ledger_notice *borrowed,
			    struct error *error)
{
	struct ledger_notice copy = *borrowed;

	if (list_reserve(&list->item, list->count, &list->capacity, sizeof *list->item) < 0 ||
	    copy_strings(&copy) < 0)
		return error_memory(error);
	list->item[list->count++] = copy;
	return 0;
}

/*
 * Column 21, where there is one, is the state of the notice's mail: what a notice that was
 * not cancelled by itself has come to. Column 22, where there is one, is how often that mail
 * was in doubt.
 */
static int read_one(sqlite3_stmt *statement, struct notice_list *list, struct error *error)
{
	struct ledger_notice notice;
	int result = notice_read(statement, &notice, error);

	if (result == 0 && sqlite3_column_count(statement) > NOTICE_COLUMN_COUNT &&
	    sqlite3_column_type(statement, NOTICE_COLUMN_COUNT) != SQLITE_NULL &&
	    notice.state == DELIVERY_DECIDED)
		result = state_read(column_string(statement, NOTICE_COLUMN_COUNT),
				    &notice.state, error);
	if (result < 0)
		return result;
	if (sqlite3_column_count(statement) > NOTICE_COLUMN_COUNT + 1)
		notice.doubted = sqlite3_column_int64(statement, NOTICE_COLUMN_COUNT + 1) > 0;
	return notice_list_push(list, &notice, error);
}

static int read_list(struct ledger *ledger, const char *sql,
		     const struct database_value *values, size_t count,
		     struct ledger_notice **ret, size_t *ret_count, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	CLEANUP(notice_list_clear) struct notice_list list = { 0 };
	int result = ledger_ask(ledger, sql, values, count, &statement, error);

	if (result < 0)
		return result;
	while ((result = ledger_step(ledger, statement, error)) == 1) {
		result = read_one(statement, &list, error);
		if (result < 0)
			return result;
	}
	if (result < 0)
		return result;
	*ret_count = list.count;
	*ret = TAKE(list).item;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct ledger_notice *left = a;
	const struct ledger_notice *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

/* The few of one challenge: SQLite would make a table of its own to sort them. */
static void sort_by_id(struct ledger_notice *notices, size_t count)
{
	if (count > 1)
		qsort(notices, count, sizeof *notices, by_id);
}

int ledger_decided(struct ledger *ledger, struct instant now, size_t most,
		   struct ledger_notice **ret, size_t *ret_count, struct error *error)
{
	static const char sql[] = "SELECT " NOTICE_COLUMNS " FROM notice n"
				  " WHERE n.state = 'decided' AND n.mail IS NULL"
				  " AND n.send_at <= ?1 ORDER BY n.send_at, n.id LIMIT ?2";

	return read_list(ledger, sql,
			 VALUES(value_number(now.seconds), value_number((int64_t)most)), ret,
			 ret_count, error);
}

int ledger_pending(struct ledger *ledger, int64_t challenge, struct ledger_notice **ret,
		   size_t *ret_count, struct error *error)
{
	static const char sql[] =
		"SELECT " NOTICE_COLUMNS ", m.state FROM notice n"
		" LEFT JOIN mail m ON m.id = n.mail WHERE n.challenge = ?1 AND"
		" (n.state = 'decided' AND (n.mail IS NULL OR"
		" m.state IN ('ready', 'retry', 'in_doubt'))"
		" OR n.state = 'held')";
	int result =
		read_list(ledger, sql, VALUES(value_number(challenge)), ret, ret_count, error);

	if (result == 0)
		sort_by_id(*ret, *ret_count);
	return result;
}

int ledger_history(struct ledger *ledger, int64_t challenge, struct ledger_notice **ret,
		   size_t *ret_count, struct error *error)
{
	static const struct following what = {
		.sql_one = "SELECT " NOTICE_COLUMNS ", m.state, m.doubts FROM notice n"
			   " LEFT JOIN mail m ON m.id = n.mail WHERE n.challenge = ?1",
		.sql_on = "SELECT " NOTICE_COLUMNS ", m.state, m.doubts FROM notice n"
			  " LEFT JOIN mail m ON m.id = n.mail WHERE n.challenge >= ?1"
			  " ORDER BY n.challenge",
		.column = 1,
	};
	CLEANUP(notice_list_clear) struct notice_list list = { 0 };
	struct follower *follower = &ledger->histories;
	sqlite3_stmt *statement = NULL;
	int result = follower_find(ledger, follower, &what, challenge, &statement, error);

	while (result == 1) {
		result = read_one(statement, &list, error);
		if (result == 0)
			result = follower_next(ledger, follower, &what, error);
	}
	if (result < 0) {
		follower_stop(follower);
		return result;
	}
	sort_by_id(list.item, list.count);
	*ret_count = list.count;
	*ret = TAKE(list).item;
	return 0;
}

/* --- cancelling and releasing --------------------------------------------------------------
 */

/* 1: *ret and *ret_challenge of the notice; 0: there is none. */
static int find_notice(struct ledger *ledger, int64_t id, int64_t *ret_challenge,
		       enum delivery_state *ret_state, int64_t *ret_mail, struct error *error)
{
	static const char sql[] = "SELECT challenge, state, mail FROM notice WHERE id = ?1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql, VALUES(value_number(id)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result != 1)
		return result;
	*ret_challenge = sqlite3_column_int64(statement, 0);
	*ret_mail = sqlite3_column_int64(statement, 2);
	result = state_read(column_string(statement, 1), ret_state, error);
	return result < 0 ? result : 1;
}

struct change {
	int64_t notice;
	int64_t challenge;
	enum delivery_state state;
	const char *kind;
	const char *reason;
	const char *by; /* NULL: the daemon itself */
};

static int change_notice(struct ledger *ledger, const struct change *change, struct instant now,
			 struct error *error)
{
	static const char sql[] = "UPDATE notice SET state = ?2, reason = ?3 WHERE id = ?1";
	json_t *payload;
	int result = ledger_change(ledger, sql,
				   VALUES(value_number(change->notice),
					  value_text(delivery_state_name(change->state)),
					  value_text(change->reason)),
				   error);

	if (result < 0)
		return result;
	payload = change->by != NULL
			  ? json_pack("{s:s, s:s}", "reason", change->reason, "by", change->by)
			  : json_pack("{s:s}", "reason", change->reason);
	return chain_append(ledger,
			    &(struct chain_entry){ .kind = change->kind,
						   .at = now,
						   .challenge = change->challenge,
						   .notice = change->notice,
						   .state = (int)change->state },
			    payload, error);
}

/* Whether the mail still carries a notice that was not cancelled. */
static int has_live_notice(struct ledger *ledger, int64_t mail, bool *ret, struct error *error)
{
	static const char sql[] =
		"SELECT 1 FROM mail_notice mn JOIN notice n ON n.id = mn.notice"
		" WHERE mn.mail = ?1 AND n.mail = mn.mail"
		" AND n.state <> 'cancelled' LIMIT 1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql, VALUES(value_number(mail)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result < 0)
		return result;
	*ret = result == 1;
	return 0;
}

/* What becomes of the mail that carried a notice which is cancelled now. */
static int settle_mail(struct ledger *ledger, int64_t id, const char *reason,
		       struct instant now, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	struct ledger_mail mail;
	bool live = false;
	int result = mail_find(ledger, id, &statement, &mail, error);

	if (result >= 0)
		result = has_live_notice(ledger, id, &live, error);
	if (result < 0)
		return result;
	if (!live)
		return mail_cancel(ledger, &mail, delivery_state_name(DELIVERY_CANCELLED),
				   reason, now, error);
	if (mail.doubts > 0)
		return 0; /* the relay may have it: whatever is resent must be the same bytes */
	result = mail_cancel(ledger, &mail, chain_taken_back, reason, now, error);
	return result < 0 ? result : mail_loosen(ledger, id, now, error);
}

static int may_cancel(struct ledger *ledger, int64_t mail, struct error *error)
{
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	struct ledger_mail found;
	int result = mail_find(ledger, mail, &statement, &found, error);

	if (result <= 0)
		return result < 0 ? result
				  : error_set(error, EIO, "ledger: mail %lld is missing",
					      (long long)mail);
	switch (found.state) {
	case DELIVERY_READY:
	case DELIVERY_RETRY:
	case DELIVERY_IN_DOUBT:
		return 0;
	case DELIVERY_ATTEMPTING:
		return error_set(error, EBUSY, "mail %lld is being attempted", (long long)mail);
	case DELIVERY_DECIDED:
	case DELIVERY_ACCEPTED:
	case DELIVERY_REFUSED:
	case DELIVERY_CANCELLED:
	case DELIVERY_HELD:
		break;
	}
	return error_set(error, EINVAL, "mail %lld is %s: its notices stay", (long long)mail,
			 delivery_state_name(found.state));
}

static int cancel(struct ledger *ledger, int64_t notice, const char *reason, struct instant now,
		  struct error *error)
{
	struct change change = { .notice = notice,
				 .state = DELIVERY_CANCELLED,
				 .kind = delivery_state_name(DELIVERY_CANCELLED),
				 .reason = reason };
	enum delivery_state state = DELIVERY_DECIDED;
	int64_t mail = 0;
	int result = find_notice(ledger, notice, &change.challenge, &state, &mail, error);

	if (result < 0)
		return result;
	if (result == 0)
		return error_set(error, ENOENT, "there is no notice %lld", (long long)notice);
	if (state == DELIVERY_CANCELLED)
		return error_set(error, EINVAL, "notice %lld is cancelled already",
				 (long long)notice);
	result = mail != 0 ? may_cancel(ledger, mail, error) : 0;
	if (result == 0)
		result = change_notice(ledger, &change, now, error);
	if (result < 0)
		return result;
	if (mail != 0)
		return settle_mail(ledger, mail, reason, now, error);
	ledger_tally(ledger, state, -1);
	ledger_tally(ledger, DELIVERY_CANCELLED, 1);
	return 0;
}

int ledger_cancel_notice(struct ledger *ledger, int64_t notice, const char *reason,
			 struct instant now, struct error *error)
{
	struct ledger_scope scope;
	int result = ledger_enter_inside(ledger, &scope, error);

	if (result < 0)
		return result;
	result = cancel(ledger, notice, reason, now, error);
	return ledger_leave(ledger, &scope, result, error);
}

static int hold(struct ledger *ledger, int64_t notice, const char *reason, struct instant now,
		struct error *error)
{
	struct change change = { .notice = notice,
				 .state = DELIVERY_HELD,
				 .kind = delivery_state_name(DELIVERY_HELD),
				 .reason = reason };
	enum delivery_state state = DELIVERY_CANCELLED;
	int64_t mail = 0;
	int result = find_notice(ledger, notice, &change.challenge, &state, &mail, error);

	if (result < 0)
		return result;
	if (result == 0)
		return error_set(error, ENOENT, "there is no notice %lld", (long long)notice);
	if (state != DELIVERY_DECIDED || mail != 0)
		return error_set(error, EINVAL, "notice %lld is not waiting for a mail",
				 (long long)notice);
	result = change_notice(ledger, &change, now, error);
	if (result < 0)
		return result;
	ledger_tally(ledger, DELIVERY_DECIDED, -1);
	ledger_tally(ledger, DELIVERY_HELD, 1);
	return 0;
}

int ledger_hold_notice(struct ledger *ledger, int64_t notice, const char *reason,
		       struct instant now, struct error *error)
{
	struct ledger_scope scope;
	int result = ledger_enter_inside(ledger, &scope, error);

	if (result < 0)
		return result;
	result = hold(ledger, notice, reason, now, error);
	return ledger_leave(ledger, &scope, result, error);
}

/* A notice of the challenge (0: any) that is held, by a flood or otherwise: 1, or 0. */
static int next_held(struct ledger *ledger, int64_t challenge, bool flood, int64_t *ret_id,
		     int64_t *ret_challenge, struct error *error)
{
	static const char sql_all[] = "SELECT id, challenge FROM notice"
				      " WHERE state = 'held' AND mail IS NULL"
				      " AND (reason IN (?1, ?2)) = ?3 LIMIT 1";
	static const char sql_one[] = "SELECT id, challenge FROM notice WHERE challenge = ?4"
				      " AND state = 'held' AND mail IS NULL"
				      " AND (reason IN (?1, ?2)) = ?3 LIMIT 1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	const struct database_value values[] = { value_text(ledger_flood_reason),
						 value_text(ledger_restored_reason),
						 value_number(flood), value_number(challenge) };
	int result = ledger_ask(ledger, challenge != 0 ? sql_one : sql_all, values,
				challenge != 0 ? 4 : 3, &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result == 1) {
		*ret_id = sqlite3_column_int64(statement, 0);
		*ret_challenge = sqlite3_column_int64(statement, 1);
	}
	return result;
}

static int release(struct ledger *ledger, int64_t challenge, bool flood, const char *by,
		   const char *why, struct instant now, size_t *count, struct error *error)
{
	struct change change = {
		.state = DELIVERY_DECIDED, .kind = "released", .reason = why, .by = by
	};
	int result;

	while ((result = next_held(ledger, challenge, flood, &change.notice, &change.challenge,
				   error)) == 1) {
		result = change_notice(ledger, &change, now, error);
		if (result < 0)
			return result;
		ledger_tally(ledger, DELIVERY_HELD, -1);
		ledger_tally(ledger, DELIVERY_DECIDED, 1);
		++*count;
	}
	return result;
}

int ledger_release_notices(struct ledger *ledger, int64_t challenge, const char *by,
			   const char *why, struct instant now, size_t *ret_count,
			   struct error *error)
{
	struct ledger_scope scope;
	size_t count = 0;
	int result = ledger_enter(ledger, &scope, error);

	if (result < 0)
		return result;
	result = release(ledger, challenge, false, by, why, now, &count, error);
	result = ledger_leave(ledger, &scope, result, error);
	if (result == 0)
		*ret_count = count;
	return result;
}

int ledger_release_flood(struct ledger *ledger, const char *by, const char *why,
			 struct instant now, size_t *ret_count, struct error *error)
{
	struct ledger_scope scope;
	size_t count = 0;
	int result = ledger_enter(ledger, &scope, error);

	if (result < 0)
		return result;
	result = release(ledger, 0, true, by, why, now, &count, error);
	if (result == 0)
		result = ledger_end_flood(ledger, now, error);
	result = ledger_leave(ledger, &scope, result, error);
	if (result == 0)
		*ret_count = count;
	return result;
}

/* --- what a changed configuration brings
 * ------------------------------------------------------
 */

int ledger_release_notice(struct ledger *ledger, const struct ledger_notice *notice,
			  const char *why, struct instant now, struct error *error)
{
	struct change change = { .notice = notice->id,
				 .challenge = notice->challenge,
				 .state = DELIVERY_DECIDED,
				 .kind = "released",
				 .reason = why };
	struct ledger_scope scope;
	int result;

	if (notice->state != DELIVERY_HELD || notice->mail != 0)
		return error_set(error, EINVAL, "notice %lld is not held",
				 (long long)notice->id);
	result = ledger_enter_inside(ledger, &scope, error);
	if (result < 0)
		return result;
	result = change_notice(ledger, &change, now, error);
	if (result == 0) {
		ledger_tally(ledger, DELIVERY_HELD, -1);
		ledger_tally(ledger, DELIVERY_DECIDED, 1);
	}
	return ledger_leave(ledger, &scope, result, error);
}

int ledger_revive(struct ledger *ledger, const struct ledger_notice *notice, struct instant now,
		  struct error *error)
{
	struct change change = { .notice = notice->id,
				 .challenge = notice->challenge,
				 .state = notice->state,
				 .kind = "released",
				 .reason = or_empty(notice->reason) };
	struct ledger_scope scope;
	int result = ledger_enter_inside(ledger, &scope, error);

	if (result < 0)
		return result;
	result = change_notice(ledger, &change, now, error);
	if (result == 0) {
		ledger_tally(ledger, DELIVERY_CANCELLED, -1);
		ledger_tally(ledger, notice->state, 1);
	}
	return ledger_leave(ledger, &scope, result, error);
}

static int count_held(struct ledger *ledger, bool flood, int64_t *ret, struct error *error)
{
	static const char sql[] = "SELECT count(*) FROM notice WHERE state = 'held'"
				  " AND mail IS NULL AND (reason IN (?1, ?2)) = ?3";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result = ledger_ask(ledger, sql,
				VALUES(value_text(ledger_flood_reason),
				       value_text(ledger_restored_reason), value_number(flood)),
				&statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result < 0)
		return result;
	*ret = sqlite3_column_int64(statement, 0); /* an aggregate always has its row */
	return 0;
}

int ledger_held_notices(struct ledger *ledger, int64_t *ret, struct error *error)
{
	return count_held(ledger, false, ret, error);
}

int ledger_count_flood(struct ledger *ledger, int64_t *ret, struct error *error)
{
	return count_held(ledger, true, ret, error);
}

int ledger_note_move(struct ledger *ledger, const struct ledger_move *move, struct instant now,
		     struct error *error)
{
	struct ledger_scope scope;
	json_t *payload;
	int result = ledger_enter_inside(ledger, &scope, error);

	if (result < 0)
		return result;
	payload = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:s}", "reference",
			    move->reference, "policy", move->policy, "policy_version",
			    move->policy_version, "event", (json_int_t)move->event, "stage",
			    move->stage, "obligation", move->obligation, "from",
			    (json_int_t)move->from.seconds, "to", (json_int_t)move->to.seconds,
			    "configuration", move->configuration);
	result = chain_append(
		ledger,
		&(struct chain_entry){
			.kind = "moved", .at = now, .challenge = move->challenge, .state = -1 },
		payload, error);
	return ledger_leave(ledger, &scope, result, error);
}
