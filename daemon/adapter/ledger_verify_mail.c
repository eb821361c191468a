/*
 * ledger_verify_mail.c - every mail, its bytes and its notices, against what the chain told of
 * them.
 */
#include "adapter/ledger_verify_internal.h"

#include <stdlib.h>
#include <string.h>

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
		if (!told_of(walk->notice_entry, notice, walk->head.seq))
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
		purged = verify_purged_at(&walk->bodies, mail->id);
		if (purged == NULL || purged->by <= walk->mail_first[mail->id])
			return verify_bad(
				walk, walk->mail_first[mail->id],
				"the bytes of mail %lld are gone, and no purge says so",
				(long long)mail->id);
		return 0;
	}
	walk->bodies_seen++;
	sha256_of(sqlite3_column_blob(statement, MAIL_COLUMN_COUNT),
		  (size_t)sqlite3_column_bytes(statement, MAIL_COLUMN_COUNT), digest);
	if (sqlite3_column_bytes(statement, 14) != HASH_SIZE ||
	    memcmp(digest, sqlite3_column_blob(statement, 14), HASH_SIZE) != 0)
		return verify_bad(walk, walk->mail_first[mail->id],
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
	int result = told_recall_first(walk, seq, &told, error);

	if (result == 0)
		result = ties_of(walk, mail->id, &ties, error);
	if (result < 0)
		return result;
	if (told.present)
		result = sort_numbers(json_object_get(told_said(&told), "notices"), error);
	if (result < 0) {
		json_decref(ties);
		return result;
	}
	result = told_agrees(&told, mail_facts(mail, hex(sha256, HASH_SIZE, digits), ties),
			     &same, error);
	if (result < 0)
		return result;
	if (!same || !instant_equal(told.at, mail->created))
		return verify_bad(walk, seq, "mail %lld is not as it was rendered",
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

	if (verify_hides_bytes(statement, MAIL_COLUMN_COUNT))
		return verify_bad(walk, verify_behind(walk), "a mail holds hidden bytes");
	if (mail_read(statement, &mail, &unread) < 0)
		return verify_bad(walk, verify_behind(walk), "a mail is damaged: %.120s",
				  unread.text);
	if (!told_of(walk->mail_entry, mail.id, walk->head.seq))
		return verify_bad(walk, verify_behind(walk), "the chain knows no mail %lld",
				  (long long)mail.id);
	walk->tally[mail.state]++;
	result = check_body(walk, &mail, statement);
	if (result == 0)
		result = check_mail_facts(walk, &mail, sqlite3_column_blob(statement, 14),
					  error);
	if (result != 0)
		return result;
	seq = walk->mail_entry[mail.id];
	result = told_recall(walk, seq, &told, error);
	if (result == 0)
		result = told_agrees(&told, expected_progress(&mail), &same, error);
	if (result < 0)
		return result;
	if (strcmp(told.state, delivery_state_name(mail.state)) != 0)
		return verify_bad(walk, seq, "mail %lld is %s, the chain left it %s",
				  (long long)mail.id, delivery_state_name(mail.state),
				  told.state);
	if (!same || !instant_equal(told.at, mail.updated))
		return verify_bad(walk, seq, "mail %lld is not as its last entry left it",
				  (long long)mail.id);
	return 0;
}

int verify_mails(struct walk *walk, struct error *error)
{
	static const char sql[] = "SELECT " MAIL_COLUMNS ", b.bytes FROM mail m"
				  " LEFT JOIN body b ON b.mail = m.id ORDER BY m.id";
	int64_t count = 0;
	int result = verify_rows(walk, sql, check_mail, &count, error);

	if (result != 0)
		return result;
	if (count != walk->mails || count != walk->head.mails)
		return verify_bad(walk, verify_behind(walk),
				  "there are %lld mails, and %lld were rendered",
				  (long long)count, (long long)walk->mails);
	return 0;
}
