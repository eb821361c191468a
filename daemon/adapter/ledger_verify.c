/*
 * ledger_verify.c - does the ledger still say what it said? See ledger.h.
 *
 * Two walks in one read transaction: along the chain (every hash, every commitment), then over
 * the rows, each against the last that the chain told of it. The first fault found ends it.
 */
#include "adapter/ledger_internal.h"

#include "base/list.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE_PAGES = 4096 }; /* 16 MiB: walked in a second */

/* One purged stretch, told by the entry `by`. */
struct purged {
	int64_t first;
	int64_t last;
	int64_t by;
};

struct purged_list {
	struct purged *item;
	size_t count;
	size_t capacity;
};

struct told {
	bool present; /* false: purged */
	char state[16];
	struct instant at;
	int64_t challenge;
	struct text text;
	json_t *parsed; /* NULL: not asked for yet, or no JSON */
};

static void told_clear(struct told *told)
{
	text_clear(&told->text);
	json_decref(told->parsed);
	told->parsed = NULL;
}

static json_t *said(struct told *told)
{
	if (told->parsed == NULL)
		told->parsed = json_loads(text_string(&told->text), 0, NULL);
	return told->parsed;
}

struct walk {
	struct ledger *ledger;
	struct ledger_verification *found;
	struct purged_list payloads;
	struct purged_list bodies;
	struct head head;
	/* By id of notice or mail, which are never more than entries: */
	int64_t *notice_entry; /* the last entry that told of it; 0: none */
	int64_t *notice_first; /* its `decided` entry */
	int64_t *notice_mail;  /* the mail it must be tied to; 0: none */
	int64_t *notice_sent;  /* send_at after it was loosened; INT64_MIN: as decided */
	int64_t *mail_entry;
	int64_t *mail_first;    /* its `rendered` entry */
	int64_t *mail_loosened; /* when its notices left it; INT64_MIN: they did not */
	int64_t notices;        /* entries "decided" */
	int64_t mails;          /* entries "rendered" */
	int64_t payloads_seen;
	int64_t ties_seen;
	int64_t bodies_seen;
	int64_t tally[DELIVERY_STATE_COUNT];
	struct follower firsts; /* the entries that began a notice or mail */
	size_t rows;            /* looked at */
	/* Kept from row to row for their memory: */
	struct told told;
	struct text expected;
	struct text reason;
};

static void walk_clear(struct walk *walk)
{
	follower_stop(&walk->firsts);
	told_clear(&walk->told);
	text_clear(&walk->expected);
	text_clear(&walk->reason);
	free(walk->payloads.item);
	free(walk->bodies.item);
	free(walk->notice_entry);
	free(walk->notice_first);
	free(walk->notice_mail);
	free(walk->notice_sent);
	free(walk->mail_entry);
	free(walk->mail_first);
	free(walk->mail_loosened);
}

/* Notes the fault and answers 1, which ends the walk; 0 goes on. */
static int bad(struct walk *walk, int64_t seq, const char *format, ...) PRINTF_LIKE(3, 4);
static int bad(struct walk *walk, int64_t seq, const char *format, ...)
{
	va_list arguments;

	walk->found->first_bad = seq;
	va_start(arguments, format);
	(void)vsnprintf(walk->found->what, sizeof walk->found->what, format,
			arguments); /* cut is fine */
	va_end(arguments);
	return 1;
}

static void count_row(struct walk *walk)
{
	enum { NOW_AND_THEN = 1024 };
	const struct ledger_watcher *watcher = &walk->ledger->watcher;

	if (++walk->rows % NOW_AND_THEN == 0 && watcher->tell != NULL)
		watcher->tell(watcher->context, walk->rows);
}

/* A fault of a row: it has no place in the chain, so it stands behind its end. */
static int64_t behind(const struct walk *walk)
{
	return walk->found->entries + 1;
}

/* A NUL in a text hides what stands behind it from everybody who compares strings. */
static bool hides_bytes(sqlite3_stmt *statement, int columns)
{
	for (int i = 0; i < columns; i++) {
		if (sqlite3_column_type(statement, i) != SQLITE_TEXT)
			continue;
		if (strlen(column_string(statement, i)) !=
		    (size_t)sqlite3_column_bytes(statement, i))
			return true;
	}
	return false;
}

/* --- what was purged -----------------------------------------------------------------------
 */

static int add_ranges(struct purged_list *list, const json_t *ranges, int64_t by)
{
	size_t i;
	json_t *pair;

	json_array_foreach((json_t *)ranges, i, pair)
	{
		struct purged purged = {
			.first = json_integer_value(json_array_get(pair, 0)),
			.last = json_integer_value(json_array_get(pair, 1)),
			.by = by,
		};

		if (list_reserve(&list->item, list->count, &list->capacity,
				 sizeof *list->item) < 0)
			return -ENOMEM;
		list->item[list->count++] = purged;
	}
	return 0;
}

static int by_first(const void *a, const void *b)
{
	const struct purged *left = a;
	const struct purged *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

static const char sql_purges[] = "SELECT c.seq, p.text FROM chain c JOIN payload p"
				 " ON p.seq = c.seq WHERE c.kind = 'purged' ORDER BY c.seq";

/* These entries are believed only once the walk along the chain has passed them. */
static int read_purges(struct walk *walk, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_prepare(walk->ledger->db, sql_purges, &statement, error);

	while (result >= 0 && (result = ledger_step(walk->ledger, statement, error)) == 1) {
		json_t *said = json_loads(column_string(statement, 1), 0, NULL);
		int64_t by = sqlite3_column_int64(statement, 0);

		if (add_ranges(&walk->payloads, json_object_get(said, "payloads"), by) < 0 ||
		    add_ranges(&walk->bodies, json_object_get(said, "bodies"), by) < 0)
			result = error_memory(error);
		json_decref(said);
	}
	if (result < 0)
		return result;
	if (walk->payloads.count > 0)
		qsort(walk->payloads.item, walk->payloads.count, sizeof(struct purged),
		      by_first);
	if (walk->bodies.count > 0)
		qsort(walk->bodies.item, walk->bodies.count, sizeof(struct purged), by_first);
	return 0;
}

/* No id is purged twice, so stretches do not overlap, and the one before is the only one. */
static const struct purged *purged_at(const struct purged_list *list, int64_t id)
{
	size_t low = 0;
	size_t high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->item[middle].first <= id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || list->item[low - 1].last < id)
		return NULL;
	return &list->item[low - 1];
}

/* --- along the chain -----------------------------------------------------------------------
 */

static int check_payload(struct walk *walk, const struct chain_link *link,
			 sqlite3_stmt *statement)
{
	unsigned char commitment[HASH_SIZE];
	const struct purged *purged;

	if (sqlite3_column_type(statement, 9) == SQLITE_NULL) {
		purged = purged_at(&walk->payloads, link->seq);
		if (purged == NULL || purged->by <= link->seq)
			return bad(walk, link->seq,
				   "what it said is gone, and no purge says so");
		walk->found->purged++;
		return 0;
	}
	walk->payloads_seen++;
	if (sqlite3_column_bytes(statement, 9) != SALT_SIZE)
		return bad(walk, link->seq, "its salt is damaged");
	chain_commit(sqlite3_column_blob(statement, 9), column_string(statement, 10),
		     (size_t)sqlite3_column_bytes(statement, 10), commitment);
	if (memcmp(commitment, link->commitment, HASH_SIZE) != 0)
		return bad(walk, link->seq, "what it says is not what it said");
	return 0;
}

/* Remembers what the entry tells of its notice or mail. Ids are sound: the hash held. */
static int follow(struct walk *walk, const struct chain_link *link)
{
	bool first_of_notice = strcmp(link->kind, chain_decided) == 0;
	bool first_of_mail = strcmp(link->kind, chain_rendered) == 0;

	if (link->notice < 0 || link->notice > walk->head.seq || link->mail < 0 ||
	    link->mail > walk->head.seq)
		return bad(walk, link->seq, "it tells of a row that cannot be");
	if (link->notice != 0) {
		if (first_of_notice != (walk->notice_entry[link->notice] == 0))
			return bad(walk, link->seq, "notice %lld was decided twice or never",
				   (long long)link->notice);
		walk->notice_entry[link->notice] = link->seq;
		if (first_of_notice) {
			walk->notice_first[link->notice] = link->seq;
			walk->notices++;
		}
	}
	if (link->mail != 0) {
		if (first_of_mail != (walk->mail_entry[link->mail] == 0))
			return bad(walk, link->seq, "mail %lld was rendered twice or never",
				   (long long)link->mail);
		walk->mail_entry[link->mail] = link->seq;
		if (first_of_mail) {
			walk->mail_first[link->mail] = link->seq;
			walk->mails++;
		}
		if (strcmp(link->kind, chain_fallen_through) == 0 ||
		    strcmp(link->kind, chain_taken_back) == 0)
			walk->mail_loosened[link->mail] = link->at;
	}
	return 0;
}

static int check_entry(struct walk *walk, sqlite3_stmt *statement,
		       unsigned char previous[static HASH_SIZE])
{
	unsigned char hash[HASH_SIZE];
	struct chain_link link = {
		.seq = sqlite3_column_int64(statement, 0),
		.at = sqlite3_column_int64(statement, 1),
		.kind = column_string(statement, 2),
		.state = column_string(statement, 3),
		.challenge = sqlite3_column_int64(statement, 4),
		.notice = sqlite3_column_int64(statement, 5),
		.mail = sqlite3_column_int64(statement, 6),
		.commitment = sqlite3_column_blob(statement, 7),
	};
	int stop;

	if (link.seq != walk->found->entries + 1)
		return bad(walk, walk->found->entries + 1, "the entry is missing");
	if (hides_bytes(statement, 7) || sqlite3_column_bytes(statement, 7) != HASH_SIZE ||
	    sqlite3_column_bytes(statement, 8) != HASH_SIZE)
		return bad(walk, link.seq, "it is damaged");
	chain_hash(previous, &link, hash);
	if (memcmp(hash, sqlite3_column_blob(statement, 8), HASH_SIZE) != 0)
		return bad(walk, link.seq,
			   "its hash does not follow from it and the entry before");
	if (link.seq > walk->head.seq)
		return bad(walk, link.seq, "it stands behind the end that was recorded");
	stop = check_payload(walk, &link, statement);
	if (stop == 0)
		stop = follow(walk, &link);
	memcpy(previous, hash, HASH_SIZE);
	walk->found->entries = link.seq;
	return stop;
}

static int check_chain(struct walk *walk, struct error *error)
{
	static const char sql[] =
		"SELECT c.seq, c.at, c.kind, c.state, c.challenge, c.notice, c.mail,"
		" c.commitment, c.hash, p.salt, p.text FROM chain c"
		" LEFT JOIN payload p ON p.seq = c.seq ORDER BY c.seq";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	unsigned char previous[HASH_SIZE] = { 0 };
	int result = database_prepare(walk->ledger->db, sql, &statement, error);

	if (result < 0)
		return result;
	while ((result = ledger_step(walk->ledger, statement, error)) == 1) {
		count_row(walk);
		if (check_entry(walk, statement, previous) != 0)
			return 1;
	}
	if (result < 0)
		return result;
	(void)hex(previous, HASH_SIZE, walk->found->head);
	if (walk->found->entries != walk->head.seq)
		return bad(walk, behind(walk), "the chain was cut: it ended at entry %lld",
			   (long long)walk->head.seq);
	if (memcmp(previous, walk->head.hash, HASH_SIZE) != 0)
		return bad(walk, walk->head.seq, "the end is not the end that was recorded");
	return 0;
}

/* --- the rows ------------------------------------------------------------------------------
 */

static int take_told(sqlite3_stmt *statement, struct told *ret, struct error *error)
{
	(void)snprintf(ret->state, sizeof ret->state, "%s",
		       column_string(statement, 0)); /* the longest is "attempting" */
	ret->at = column_instant(statement, 1);
	ret->challenge = sqlite3_column_int64(statement, 3);
	ret->present = sqlite3_column_type(statement, 2) != SQLITE_NULL;
	text_cut(&ret->text, 0);
	if (ret->present)
		text_append(&ret->text, column_string(statement, 2));
	json_decref(ret->parsed);
	ret->parsed = NULL;
	return text_failed(&ret->text) ? error_memory(error) : 0;
}

static int vanished(int64_t seq, struct error *error)
{
	return error_set(error, EIO, "ledger: entry %lld vanished", (long long)seq);
}

#define ENTRY                                                           \
	"SELECT c.state, c.at, p.text, c.challenge, c.seq FROM chain c" \
	" LEFT JOIN payload p ON p.seq = c.seq"

/* What an entry said, which the walk along the chain has found sound. */
static int recall(struct walk *walk, int64_t seq, struct told *ret, struct error *error)
{
	static const char sql[] = ENTRY " WHERE c.seq = ?1";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	int result =
		ledger_ask(walk->ledger, sql, VALUES(value_number(seq)), &statement, error);

	if (result == 0)
		result = ledger_step(walk->ledger, statement, error);
	if (result < 0)
		return result;
	return result == 0 ? vanished(seq, error) : take_told(statement, ret, error);
}

/* The same of entries that began a row: rows stand in their order, or nearly. */
static int recall_first(struct walk *walk, int64_t seq, struct told *ret, struct error *error)
{
	static const struct following what = {
		.sql_one = ENTRY " WHERE c.seq = ?1",
		.sql_on = ENTRY " WHERE c.seq >= ?1 ORDER BY c.seq",
		.column = 4,
	};
	sqlite3_stmt *statement = NULL;
	int result = follower_find(walk->ledger, &walk->firsts, &what, seq, &statement, error);

	if (result < 0)
		return result;
	result = result == 0 ? vanished(seq, error) : take_told(statement, ret, error);
	if (!walk->firsts.walks)
		follower_stop(&walk->firsts);
	return result;
}

/* Whether all that is expected stands in what was said; takes the reference of `expected`. */
static int agrees(struct told *told, json_t *expected, bool *ret, struct error *error)
{
	const char *key;
	json_t *value;
	bool same = true;

	if (expected == NULL)
		return error_memory(error);
	json_object_foreach(expected, key, value)
	{
		same = same && json_equal(value, json_object_get(said(told), key)) == 1;
	}
	json_decref(expected);
	*ret = !told->present || same;
	return 0;
}

static bool is_told(const int64_t *entries, int64_t id, int64_t most)
{
	return id > 0 && id <= most && entries[id] != 0;
}

/* --- mails ---------------------------------------------------------------------------------
 */

/* The notices that the mail carried, which its first entry lists. */
static int ties_of(struct walk *walk, int64_t mail, json_t **ret, struct error *error)
{
	static const char sql[] = "SELECT notice FROM mail_notice WHERE mail = ?1"
				  " ORDER BY notice";
	CLEANUP(ledger_resetp) sqlite3_stmt *statement = NULL;
	json_t *list = json_array();
	int result =
		ledger_ask(walk->ledger, sql, VALUES(value_number(mail)), &statement, error);

	while (result >= 0 && (result = ledger_step(walk->ledger, statement, error)) == 1) {
		int64_t notice = sqlite3_column_int64(statement, 0);

		walk->ties_seen++;
		if (json_array_append_new(list, json_integer(notice)) < 0)
			result = error_memory(error);
		if (!is_told(walk->notice_entry, notice, walk->head.seq))
			continue; /* the comparison of the list will say so */
		if (walk->mail_loosened[mail] == INT64_MIN) {
			walk->notice_mail[notice] = mail;
		} else {
			walk->notice_mail[notice] = 0;
			walk->notice_sent[notice] = walk->mail_loosened[mail];
		}
	}
	if (result < 0) {
		json_decref(list);
		return result;
	}
	*ret = list;
	return 0;
}

/* Notices may have been given in any order; both lists are compared sorted. */
static int by_value(const void *a, const void *b)
{
	const int64_t left = *(const int64_t *)a;
	const int64_t right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static int sort_numbers(json_t *list, struct error *error)
{
	size_t count = json_array_size(list);
	CLEANUP(freep) int64_t *numbers = calloc(count + 1, sizeof *numbers);

	if (numbers == NULL)
		return error_memory(error);
	for (size_t i = 0; i < count; i++)
		numbers[i] = json_integer_value(json_array_get(list, i));
	qsort(numbers, count, sizeof *numbers, by_value);
	for (size_t i = 0; i < count; i++)
		if (json_array_set_new(list, i, json_integer(numbers[i])) < 0)
			return error_memory(error);
	return 0;
}

static int check_body(struct walk *walk, const struct ledger_mail *mail,
		      sqlite3_stmt *statement)
{
	unsigned char digest[HASH_SIZE];
	const struct purged *purged;

	if (sqlite3_column_type(statement, MAIL_COLUMN_COUNT) == SQLITE_NULL) {
		purged = purged_at(&walk->bodies, mail->id);
		if (purged == NULL || purged->by <= walk->mail_first[mail->id])
			return bad(walk, walk->mail_first[mail->id],
				   "the bytes of mail %lld are gone, and no purge says so",
				   (long long)mail->id);
		return 0;
	}
	walk->bodies_seen++;
	sha256_of(sqlite3_column_blob(statement, MAIL_COLUMN_COUNT),
		  (size_t)sqlite3_column_bytes(statement, MAIL_COLUMN_COUNT), digest);
	if (sqlite3_column_bytes(statement, 14) != HASH_SIZE ||
	    memcmp(digest, sqlite3_column_blob(statement, 14), HASH_SIZE) != 0)
		return bad(walk, walk->mail_first[mail->id],
			   "the bytes of mail %lld are not those that were rendered",
			   (long long)mail->id);
	return 0;
}

static int check_mail_facts(struct walk *walk, const struct ledger_mail *mail,
			    const unsigned char *sha256, struct error *error)
{
	CLEANUP(told_clear) struct told told = { 0 };
	char digits[HEX_SIZE];
	json_t *ties = NULL;
	bool same = false;
	int64_t seq = walk->mail_first[mail->id];
	int result = recall_first(walk, seq, &told, error);

	if (result == 0)
		result = ties_of(walk, mail->id, &ties, error);
	if (result < 0)
		return result;
	if (told.present)
		result = sort_numbers(json_object_get(said(&told), "notices"), error);
	if (result < 0) {
		json_decref(ties);
		return result;
	}
	result = agrees(&told, mail_facts(mail, hex(sha256, HASH_SIZE, digits), ties), &same,
			error);
	if (result < 0)
		return result;
	if (!same || !instant_equal(told.at, mail->created))
		return bad(walk, seq, "mail %lld is not as it was rendered",
			   (long long)mail->id);
	return 0;
}

/* A purge blanks the address and the relay's words together with what the first entry said. */
static bool is_blank(const struct ledger_mail *mail)
{
	return mail->recipient[0] == '\0';
}

static json_t *expected_progress(const struct ledger_mail *mail)
{
	json_t *progress = mail_progress(mail);

	if (progress != NULL && is_blank(mail) && mail->reply[0] == '\0')
		(void)json_object_del(progress, "reply"); /* there is one */
	return progress;
}

static int check_mail(struct walk *walk, sqlite3_stmt *statement, struct error *error)
{
	CLEANUP(told_clear) struct told told = { 0 };
	struct error unread = { 0 };
	struct ledger_mail mail;
	bool same = false;
	int64_t seq;
	int result;

	if (hides_bytes(statement, MAIL_COLUMN_COUNT))
		return bad(walk, behind(walk), "a mail holds hidden bytes");
	if (mail_read(statement, &mail, &unread) < 0)
		return bad(walk, behind(walk), "a mail is damaged: %.120s", unread.text);
	if (!is_told(walk->mail_entry, mail.id, walk->head.seq))
		return bad(walk, behind(walk), "the chain knows no mail %lld",
			   (long long)mail.id);
	walk->tally[mail.state]++;
	result = check_body(walk, &mail, statement);
	if (result == 0)
		result = check_mail_facts(walk, &mail, sqlite3_column_blob(statement, 14),
					  error);
	if (result != 0)
		return result;
	seq = walk->mail_entry[mail.id];
	result = recall(walk, seq, &told, error);
	if (result == 0)
		result = agrees(&told, expected_progress(&mail), &same, error);
	if (result < 0)
		return result;
	if (strcmp(told.state, delivery_state_name(mail.state)) != 0)
		return bad(walk, seq, "mail %lld is %s, the chain left it %s",
			   (long long)mail.id, delivery_state_name(mail.state), told.state);
	if (!same || !instant_equal(told.at, mail.updated))
		return bad(walk, seq, "mail %lld is not as its last entry left it",
			   (long long)mail.id);
	return 0;
}

static int check_mails(struct walk *walk, struct error *error)
{
	static const char sql[] = "SELECT " MAIL_COLUMNS ", b.bytes FROM mail m"
				  " LEFT JOIN body b ON b.mail = m.id ORDER BY m.id";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int64_t count = 0;
	int result = database_prepare(walk->ledger->db, sql, &statement, error);

	while (result == 0 && (result = ledger_step(walk->ledger, statement, error)) == 1) {
		count++;
		count_row(walk);
		result = check_mail(walk, statement, error);
		if (result != 0)
			return result;
	}
	if (result < 0)
		return result;
	if (count != walk->mails || count != walk->head.mails)
		return bad(walk, behind(walk), "there are %lld mails, and %lld were rendered",
			   (long long)count, (long long)walk->mails);
	return 0;
}

/* --- notices -------------------------------------------------------------------------------
 */

/* True when the text has this part at that place, and the member ends there. */
static bool has_at(const struct told *told, size_t place, const struct text *part)
{
	const char *text = text_string(&told->text);
	size_t end = place + part->length;

	return told->present && end < told->text.length &&
	       memcmp(text + place, text_string(part), part->length) == 0 &&
	       (text[end] == ',' || text[end] == '}');
}

/* What never changes, and send_at, which changes only when the notice leaves a mail. */
static int decided_so(struct walk *walk, const struct ledger_notice *notice, struct told *told,
		      bool *ret, struct error *error)
{
	int64_t sent = walk->notice_sent[notice->id];
	json_t *facts;

	if (sent == INT64_MIN && notice_facts_text(notice, &walk->expected) &&
	    has_at(told, 0, &walk->expected)) {
		*ret = true;
		return 0;
	}
	facts = notice_facts(notice);
	if (sent != INT64_MIN && facts != NULL)
		(void)json_object_del(facts, "send_at"); /* it is there */
	return agrees(told, facts, ret, error);
}

/* The reason stands right behind the facts, or alone at the beginning. */
static int gives_reason(struct walk *walk, const struct ledger_notice *notice,
			struct told *told, bool *ret, struct error *error)
{
	size_t behind_facts = walk->expected.length + 1;

	if (reason_text(notice->reason, &walk->reason) &&
	    (has_at(told, 1, &walk->reason) ||
	     (has_at(told, 0, &walk->expected) && has_at(told, behind_facts, &walk->reason)))) {
		*ret = true;
		return 0;
	}
	return agrees(told, json_pack("{s:s}", "reason", notice->reason), ret, error);
}

static int check_decision(struct walk *walk, const struct ledger_notice *notice,
			  struct told *told, struct error *error)
{
	int64_t seq = walk->notice_first[notice->id];
	int64_t sent = walk->notice_sent[notice->id];
	bool same = false;
	int result = recall_first(walk, seq, told, error);

	text_cut(&walk->expected, 0);
	if (result == 0)
		result = decided_so(walk, notice, told, &same, error);
	if (result < 0)
		return result;
	if (!same || told->challenge != notice->challenge ||
	    (sent != INT64_MIN && sent != notice->send_at.seconds))
		return bad(walk, seq, "notice %lld is not as it was decided",
			   (long long)notice->id);
	return 0;
}

/* Against the last entry that told of it: its state, its reason and its mail. */
static int check_progress(struct walk *walk, const struct ledger_notice *notice,
			  struct told *told, struct error *error)
{
	int64_t seq = walk->notice_entry[notice->id];
	bool same = false;
	int result = 0;

	if (notice->mail != walk->notice_mail[notice->id])
		return bad(walk, seq, "notice %lld is in mail %lld, the chain put it in %lld",
			   (long long)notice->id, (long long)notice->mail,
			   (long long)walk->notice_mail[notice->id]);
	if (seq != walk->notice_first[notice->id])
		result = recall(walk, seq, told, error);
	if (result == 0)
		result = gives_reason(walk, notice, told, &same, error);
	if (result < 0)
		return result;
	if (!same || strcmp(told->state, delivery_state_name(notice->state)) != 0)
		return bad(walk, seq, "notice %lld is %s, the chain left it %s",
			   (long long)notice->id, delivery_state_name(notice->state),
			   told->state);
	return 0;
}

static int check_notice(struct walk *walk, sqlite3_stmt *statement, struct error *error)
{
	struct error unread = { 0 };
	struct ledger_notice notice;
	int result;

	if (hides_bytes(statement, NOTICE_COLUMN_COUNT))
		return bad(walk, behind(walk), "a notice holds hidden bytes");
	if (notice_read(statement, &notice, &unread) < 0)
		return bad(walk, behind(walk), "a notice is damaged: %.120s", unread.text);
	if (!is_told(walk->notice_entry, notice.id, walk->head.seq))
		return bad(walk, behind(walk), "the chain knows no notice %lld",
			   (long long)notice.id);
	if (notice.mail == 0)
		walk->tally[notice.state]++;
	result = check_decision(walk, &notice, &walk->told, error);
	if (result != 0)
		return result;
	return check_progress(walk, &notice, &walk->told, error);
}

static int check_notices(struct walk *walk, struct error *error)
{
	static const char sql[] = "SELECT " NOTICE_COLUMNS " FROM notice n ORDER BY n.id";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int64_t count = 0;
	int result = database_prepare(walk->ledger->db, sql, &statement, error);

	while (result == 0 && (result = ledger_step(walk->ledger, statement, error)) == 1) {
		count++;
		count_row(walk);
		result = check_notice(walk, statement, error);
		if (result != 0)
			return result;
	}
	if (result < 0)
		return result;
	if (count != walk->notices || count != walk->head.notices)
		return bad(walk, behind(walk), "there are %lld notices, and %lld were decided",
			   (long long)count, (long long)walk->notices);
	return 0;
}

/* --- rows whose payloads were erased -------------------------------------------------------
 */

static int check_purge(struct walk *walk, int64_t seq, const char *text, struct error *error)
{
	char digest[HEX_SIZE];
	json_t *said = json_loads(text, 0, NULL);
	const char *rows = json_string_value(json_object_get(said, "rows"));
	int result = chain_rows_digest(walk->ledger, json_object_get(said, "payloads"), digest,
				       error);

	if (result == 0 && (rows == NULL || strcmp(rows, digest) != 0))
		result = bad(walk, seq,
			     "a row is not as it was when this purge erased its"
			     " entries");
	json_decref(said);
	return result;
}

static int check_purges(struct walk *walk, struct error *error)
{
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_prepare(walk->ledger->db, sql_purges, &statement, error);

	while (result == 0 && (result = ledger_step(walk->ledger, statement, error)) == 1) {
		result = check_purge(walk, sqlite3_column_int64(statement, 0),
				     column_string(statement, 1), error);
		if (result != 0)
			return result;
	}
	return result;
}

/* --- all of it -----------------------------------------------------------------------------
 */

/* Rows that hang on nothing: as many as were met on the walks, or somebody added one. */
static int check_counts(struct walk *walk, struct error *error)
{
	const struct {
		const char *sql;
		const char *what;
		int64_t seen;
	} tables[] = {
		{ "SELECT count(*) FROM payload", "payloads", walk->payloads_seen },
		{ "SELECT count(*) FROM body", "bodies", walk->bodies_seen },
		{ "SELECT count(*) FROM mail_notice", "ties", walk->ties_seen },
	};

	for (size_t i = 0; i < COUNT(tables); i++) {
		int64_t count = 0;
		int result = database_number(walk->ledger->db, tables[i].sql, &count, error);

		if (result < 0)
			return result;
		if (count != tables[i].seen)
			return bad(walk, behind(walk), "%lld %s, and the chain knows %lld",
				   (long long)count, tables[i].what, (long long)tables[i].seen);
	}
	if (memcmp(walk->tally, walk->head.tally, sizeof walk->tally) != 0)
		return bad(walk, behind(walk), "the tallies do not match the rows");
	return 0;
}

static int prepare_walk(struct walk *walk, struct error *error)
{
	int64_t **arrays[] = { &walk->notice_entry, &walk->notice_first, &walk->notice_mail,
			       &walk->notice_sent,  &walk->mail_entry,   &walk->mail_first,
			       &walk->mail_loosened };
	int64_t entries = 0;
	int result = ledger_head(walk->ledger, &walk->head, error);

	if (result == 0)
		result = database_number(walk->ledger->db, "SELECT count(*) FROM chain",
					 &entries, error);
	if (result < 0)
		return result;
	/* A head that claims more than there is must not claim memory. */
	if (walk->head.seq < 0 || walk->head.seq > entries) {
		walk->found->entries = entries;
		return bad(walk, behind(walk), "the chain was cut: it ended at entry %lld",
			   (long long)walk->head.seq);
	}
	for (size_t i = 0; i < COUNT(arrays); i++) {
		*arrays[i] = calloc((size_t)walk->head.seq + 1, sizeof **arrays[i]);
		if (*arrays[i] == NULL)
			return error_memory(error);
	}
	for (int64_t i = 0; i <= walk->head.seq; i++)
		walk->notice_sent[i] = walk->mail_loosened[i] = INT64_MIN;
	return read_purges(walk, error);
}

static int walk_all(struct ledger *ledger, struct ledger_verification *found,
		    struct error *error)
{
	CLEANUP(walk_clear) struct walk walk = { .ledger = ledger, .found = found };
	int result = prepare_walk(&walk, error);

	if (result == 0)
		result = check_chain(&walk, error);
	if (result == 0)
		result = check_mails(&walk, error);
	if (result == 0)
		result = check_notices(&walk, error);
	if (result == 0)
		result = check_purges(&walk, error);
	if (result == 0)
		result = check_counts(&walk, error);
	return result;
}

static int verify_in_place(struct ledger *ledger, struct ledger_verification *found,
			   struct error *error)
{
	bool own = sqlite3_get_autocommit(ledger->db) != 0;
	int result = 0;

	if (own)
		result = database_run(ledger->db, "BEGIN", error); /* one moment of the file */
	if (result < 0)
		return result;
	result = walk_all(ledger, found, error);
	if (own)
		(void)sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL,
				   NULL); /* nothing was written */
	return result;
}

static bool is_large(struct ledger *ledger)
{
	int64_t pages = 0;

	return sqlite3_get_autocommit(ledger->db) != 0 &&
	       database_number(ledger->db, "PRAGMA page_count", &pages, NULL) == 1 &&
	       pages > LARGE_PAGES;
}

/* The daemon cannot commit while a large file is walked for seconds: a copy is walked instead.
 */
static int verify_copy(const struct ledger *ledger, sqlite3 *copy,
		       struct ledger_verification *found, struct error *error)
{
	CLEANUP(ledger_closep) struct ledger *other = calloc(1, sizeof *other);

	if (other == NULL) {
		database_closep(&copy);
		return error_memory(error);
	}
	other->db = copy;
	other->access = LEDGER_READ;
	other->random = ledger->random;
	other->watcher = ledger->watcher;
	return verify_in_place(other, found, error);
}

int ledger_verify(struct ledger *ledger, struct ledger_verification *ret, struct error *error)
{
	struct ledger_verification found = { 0 };
	sqlite3 *copy = NULL;
	int result;

	if (ledger->inside)
		return error_set(error, EINVAL, "ledger: not within a transaction");
	/* No room for a copy: then it is walked where it is. */
	if (is_large(ledger) && database_copy(ledger->db, &copy, NULL) == 0)
		result = verify_copy(ledger, copy, &found, error);
	else
		result = verify_in_place(ledger, &found, error);
	if (result < 0)
		return result;
	*ret = found;
	return 0;
}
