/*
 * ledger_verify_notice.c - every notice against what the chain told of it, as text where that
 * is enough.
 */
#include "adapter/ledger_verify_internal.h"

#include <string.h>

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
	return told_agrees(told, facts, ret, error);
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
	return told_agrees(told, json_pack("{s:s}", "reason", notice->reason), ret, error);
}

static int check_decision(struct walk *walk, const struct ledger_notice *notice,
			  struct told *told, struct error *error)
{
	int64_t seq = walk->notice_first[notice->id];
	int64_t sent = walk->notice_sent[notice->id];
	bool same = false;
	int result = told_recall_first(walk, seq, told, error);

	text_cut(&walk->expected, 0);
	if (result == 0)
		result = decided_so(walk, notice, told, &same, error);
	if (result < 0)
		return result;
	if (!same || told->challenge != notice->challenge ||
	    (sent != INT64_MIN && sent != notice->send_at.seconds))
		return verify_bad(walk, seq, "notice %lld is not as it was decided",
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
		return verify_bad(walk, seq,
				  "notice %lld is in mail %lld, the chain put it in %lld",
				  (long long)notice->id, (long long)notice->mail,
				  (long long)walk->notice_mail[notice->id]);
	if (seq != walk->notice_first[notice->id])
		result = told_recall(walk, seq, told, error);
	if (result == 0)
		result = gives_reason(walk, notice, told, &same, error);
	if (result < 0)
		return result;
	if (!same || strcmp(told->state, delivery_state_name(notice->state)) != 0)
		return verify_bad(walk, seq, "notice %lld is %s, the chain left it %s",
				  (long long)notice->id, delivery_state_name(notice->state),
				  told->state);
	return 0;
}

static int check_notice(struct walk *walk, sqlite3_stmt *statement, struct error *error)
{
	struct error unread = { 0 };
	struct ledger_notice notice;
	int result;

	if (verify_hides_bytes(statement, NOTICE_COLUMN_COUNT))
		return verify_bad(walk, verify_behind(walk), "a notice holds hidden bytes");
	if (notice_read(statement, &notice, &unread) < 0)
		return verify_bad(walk, verify_behind(walk), "a notice is damaged: %.120s",
				  unread.text);
	if (!told_of(walk->notice_entry, notice.id, walk->head.seq))
		return verify_bad(walk, verify_behind(walk), "the chain knows no notice %lld",
				  (long long)notice.id);
	if (notice.mail == 0)
		walk->tally[notice.state]++;
	result = check_decision(walk, &notice, &walk->told, error);
	if (result != 0)
		return result;
	return check_progress(walk, &notice, &walk->told, error);
}

int verify_notices(struct walk *walk, struct error *error)
{
	static const char sql[] = "SELECT " NOTICE_COLUMNS " FROM notice n ORDER BY n.id";
	int64_t count = 0;
	int result = verify_rows(walk, sql, check_notice, &count, error);

	if (result != 0)
		return result;
	if (count != walk->notices || count != walk->head.notices)
		return verify_bad(walk, verify_behind(walk),
				  "there are %lld notices, and %lld were decided",
				  (long long)count, (long long)walk->notices);
	return 0;
}
