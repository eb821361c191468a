/*
 * ledger_verify_chain.c - along the chain: every hash, every commitment, and which entry told
 * of which row.
 */
#include "adapter/ledger_verify_internal.h"

#include <string.h>

static int check_payload(struct walk *walk, const struct chain_link *link,
			 sqlite3_stmt *statement)
{
	unsigned char commitment[HASH_SIZE];
	const struct purged *purged;

	if (sqlite3_column_type(statement, 9) == SQLITE_NULL) {
		purged = verify_purged_at(&walk->payloads, link->seq);
		if (purged == NULL || purged->by <= link->seq)
			return verify_bad(walk, link->seq,
					  "what it said is gone, and no purge says so");
		walk->found->purged++;
		return 0;
	}
	walk->payloads_seen++;
	if (sqlite3_column_bytes(statement, 9) != SALT_SIZE)
		return verify_bad(walk, link->seq, "its salt is damaged");
	chain_commit(sqlite3_column_blob(statement, 9), column_string(statement, 10),
		     (size_t)sqlite3_column_bytes(statement, 10), commitment);
	if (memcmp(commitment, link->commitment, HASH_SIZE) != 0)
		return verify_bad(walk, link->seq, "what it says is not what it said");
	return 0;
}

/* Remembers what the entry tells of its notice or mail. Ids are sound: the hash held. */
static int follow(struct walk *walk, const struct chain_link *link)
{
	bool first_of_notice = strcmp(link->kind, chain_decided) == 0;
	bool first_of_mail = strcmp(link->kind, chain_rendered) == 0;

	if (link->notice < 0 || link->notice > walk->head.seq || link->mail < 0 ||
	    link->mail > walk->head.seq)
		return verify_bad(walk, link->seq, "it tells of a row that cannot be");
	if (link->notice != 0) {
		if (first_of_notice != (walk->notice_entry[link->notice] == 0))
			return verify_bad(walk, link->seq,
					  "notice %lld was decided twice or never",
					  (long long)link->notice);
		walk->notice_entry[link->notice] = link->seq;
		if (first_of_notice) {
			walk->notice_first[link->notice] = link->seq;
			walk->notices++;
		}
	}
	if (link->mail != 0) {
		if (first_of_mail != (walk->mail_entry[link->mail] == 0))
			return verify_bad(walk, link->seq,
					  "mail %lld was rendered twice or never",
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
		return verify_bad(walk, walk->found->entries + 1, "the entry is missing");
	if (verify_hides_bytes(statement, 7) ||
	    sqlite3_column_bytes(statement, 7) != HASH_SIZE ||
	    sqlite3_column_bytes(statement, 8) != HASH_SIZE)
		return verify_bad(walk, link.seq, "it is damaged");
	chain_hash(previous, &link, hash);
	if (memcmp(hash, sqlite3_column_blob(statement, 8), HASH_SIZE) != 0)
		return verify_bad(walk, link.seq,
				  "its hash does not follow from it and the entry before");
	if (link.seq > walk->head.seq)
		return verify_bad(walk, link.seq, "it stands behind the end that was recorded");
	stop = check_payload(walk, &link, statement);
	if (stop == 0)
		stop = follow(walk, &link);
	memcpy(previous, hash, HASH_SIZE);
	walk->found->entries = link.seq;
	return stop;
}

int verify_chain(struct walk *walk, struct error *error)
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
		verify_count_row(walk);
		if (check_entry(walk, statement, previous) != 0)
			return 1;
	}
	if (result < 0)
		return result;
	(void)hex(previous, HASH_SIZE, walk->found->head);
	if (walk->found->entries != walk->head.seq)
		return verify_bad(walk, verify_behind(walk),
				  "the chain was cut: it ended at entry %lld",
				  (long long)walk->head.seq);
	if (memcmp(previous, walk->head.hash, HASH_SIZE) != 0)
		return verify_bad(walk, walk->head.seq,
				  "the end is not the end that was recorded");
	return 0;
}
