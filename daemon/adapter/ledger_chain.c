/*
 * ledger_chain.c - the audit trail: every entry holds the hash of the one before and a salted
 * commitment to what it says, so that what it says can be erased and the trail still holds.
 *
 * Erasing is ledger_purge.c's, checking ledger_verify_chain.c's.
 */
#include "adapter/ledger_internal.h"

#include <errno.h>
#include <jansson.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

const char *const chain_decided = "decided";
const char *const chain_rendered = "rendered";
const char *const chain_fallen_through = "fallen_through";
const char *const chain_taken_back = "taken_back";
const char *const chain_purged = "purged";

/* --- hashes --------------------------------------------------------------------------------
 */

const char *hex(const unsigned char *bytes, size_t count, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * count] = '\0';
	return out;
}

void sha256_of(const void *bytes, size_t length, unsigned char ret[static HASH_SIZE])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, length, bytes);
	sha256_digest(&sha, HASH_SIZE, ret);
}

void chain_commit(const unsigned char salt[static SALT_SIZE], const char *payload,
		  size_t length, unsigned char ret[static HASH_SIZE])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, SALT_SIZE, salt); /* of one length: no second way to read it */
	sha256_update(&sha, length, (const uint8_t *)payload);
	sha256_digest(&sha, HASH_SIZE, ret);
}

/* Eight bytes, the highest first. */
static void add_number(struct sha256_ctx *sha, int64_t number)
{
	unsigned char bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)((uint64_t)number >> (56 - 8 * i));
	sha256_update(sha, sizeof bytes, bytes);
}

void chain_add_string(struct sha256_ctx *sha, const char *string)
{
	size_t length = strlen(string);

	add_number(sha, (int64_t)length);
	sha256_update(sha, length, (const uint8_t *)string);
}

void chain_hash(const unsigned char previous[static HASH_SIZE], const struct chain_link *link,
		unsigned char ret[static HASH_SIZE])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, HASH_SIZE, previous);
	add_number(&sha, link->seq);
	add_number(&sha, link->at);
	chain_add_string(&sha, link->kind);
	chain_add_string(&sha, link->state);
	add_number(&sha, link->challenge);
	add_number(&sha, link->notice);
	add_number(&sha, link->mail);
	sha256_update(&sha, HASH_SIZE, link->commitment);
	sha256_digest(&sha, HASH_SIZE, ret);
}

json_t *json_instant(struct instant at)
{
	/* Before 1970 and past the year 5000 only tampering writes. */
	static const int64_t year_5000 = 95617584000;
	char text[INSTANT_TEXT_SIZE];

	if (instant_is_never(at))
		return json_null();
	if (at.seconds < 0 || at.seconds > year_5000)
		return json_integer(at.seconds);
	return json_string(instant_format(at, 0, text));
}

/* --- appending -----------------------------------------------------------------------------
 */

static int insert_entry(struct ledger *ledger, const struct chain_link *link,
			const unsigned char hash[static HASH_SIZE],
			const unsigned char salt[static SALT_SIZE], const char *payload,
			struct error *error)
{
	static const char sql_entry[] =
		"INSERT INTO chain (seq, at, kind, state, challenge, notice, mail, commitment,"
		" hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
	static const char sql_payload[] =
		"INSERT INTO payload (seq, salt, text) VALUES (?1, ?2, ?3)";
	int result = ledger_change(
		ledger, sql_entry,
		VALUES(value_number(link->seq), value_number(link->at), value_text(link->kind),
		       value_text(link->state), value_number(link->challenge),
		       value_number(link->notice), value_number(link->mail),
		       value_blob(link->commitment, HASH_SIZE), value_blob(hash, HASH_SIZE)),
		error);

	if (result < 0)
		return result;
	return ledger_change(ledger, sql_payload,
			     VALUES(value_number(link->seq), value_blob(salt, SALT_SIZE),
				    value_text(payload)),
			     error);
}

static int append_text(struct ledger *ledger, const struct chain_entry *entry,
		       const char *payload, struct error *error)
{
	struct head *head = &ledger->head;
	unsigned char salt[SALT_SIZE];
	unsigned char commitment[HASH_SIZE];
	unsigned char hash[HASH_SIZE];
	struct chain_link link = {
		.seq = head->seq + 1,
		.at = entry->at.seconds,
		.challenge = entry->challenge,
		.notice = entry->notice,
		.mail = entry->mail,
		.kind = entry->kind,
		.state = entry->state < 0
				 ? ""
				 : delivery_state_name((enum delivery_state)entry->state),
		.commitment = commitment,
	};
	int result = ledger_random_bytes(ledger, salt, sizeof salt, error);

	if (result < 0)
		return result;
	chain_commit(salt, payload, strlen(payload), commitment);
	chain_hash(head->hash, &link, hash);
	result = insert_entry(ledger, &link, hash, salt, payload, error);
	if (result < 0)
		return result;
	head->seq = link.seq;
	memcpy(head->hash, hash, HASH_SIZE);
	if (ledger->access == LEDGER_WRITE && entry->at.seconds > head->latest)
		head->latest = entry->at.seconds;
	ledger->head_changed = true;
	return 0;
}

/*
 * As json_dumps does, on one line, but into a room of the right size: json_dumps passes over a
 * key for which there was no memory, and what it answers then is no JSON. NULL: out of memory.
 */
char *chain_text(const json_t *json, size_t flags)
{
	size_t length = json == NULL ? 0 : json_dumpb(json, NULL, 0, JSON_COMPACT | flags);
	char *text = length == 0 ? NULL : malloc(length + 1);

	if (text == NULL)
		return NULL;
	if (json_dumpb(json, text, length, JSON_COMPACT | flags) != length) {
		free(text);
		return NULL;
	}
	text[length] = '\0';
	return text;
}

int chain_append(struct ledger *ledger, const struct chain_entry *entry, json_t *payload,
		 struct error *error)
{
	CLEANUP(freep) char *text = chain_text(payload, 0);

	json_decref(payload);
	if (text == NULL) {
		/* Also where a string is not UTF-8, which jansson does not take. */
		ledger->broken = true;
		return error_set(error, ENOMEM, "ledger: out of memory, or text not UTF-8");
	}
	return append_text(ledger, entry, text, error);
}

/* --- notes ---------------------------------------------------------------------------------
 */

static bool is_own_word(const char *kind)
{
	const char *const words[] = { chain_decided,    chain_rendered, chain_fallen_through,
				      chain_taken_back, chain_purged,   "released",
				      "recovered",      "person",       "moved" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(kind, words[i]) == 0)
			return true;
	return kind[0] == '\0' || delivery_state_parse(kind) >= 0;
}

int ledger_note(struct ledger *ledger, const char *kind, const char *payload,
		struct instant now, struct error *error)
{
	struct ledger_scope scope;
	json_error_t wrong;
	json_t *object;
	int result;

	if (is_own_word(kind))
		return error_set(error, EINVAL, "ledger: \"%s\" is not for notes", kind);
	object = json_loads(payload, JSON_REJECT_DUPLICATES, &wrong);
	if (!json_is_object(object)) {
		json_decref(object);
		return error_set(error, EINVAL, "ledger: what a note says must be an object");
	}
	result = ledger_enter(ledger, &scope, error);
	if (result < 0) {
		json_decref(object);
		return result;
	}
	result = chain_append(ledger,
			      &(struct chain_entry){ .kind = kind, .at = now, .state = -1 },
			      object, error);
	return ledger_leave(ledger, &scope, result, error);
}

/* --- reading -------------------------------------------------------------------------------
 */

int ledger_challenge(struct ledger *ledger, const char *reference, int64_t *ret,
		     struct error *error)
{
	/* For a person: a scan is fast enough and spares every decision an index. */
	static const char sql[] = "SELECT challenge FROM notice WHERE reference = ?1 LIMIT 1";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result =
		database_ask(ledger->db, sql, VALUES(value_text(reference)), &statement, error);

	if (result == 0)
		result = ledger_step(ledger, statement, error);
	if (result == 1)
		*ret = sqlite3_column_int64(statement, 0);
	return result;
}

int ledger_trail(struct ledger *ledger, int64_t challenge, int64_t mail,
		 int (*each)(void *context, const struct ledger_entry *entry), void *context,
		 struct error *error)
{
	static const char sql[] =
		"SELECT c.seq, c.at, c.kind, c.state, c.challenge, c.notice, c.mail, c.hash,"
		" p.text FROM chain c LEFT JOIN payload p ON p.seq = c.seq"
		" WHERE (?1 = 0 AND ?2 = 0) OR (?2 <> 0 AND c.mail = ?2) OR (?1 <> 0 AND"
		" (c.challenge = ?1 OR c.mail IN (SELECT mn.mail FROM mail_notice mn"
		" JOIN notice n ON n.id = mn.notice WHERE n.challenge = ?1)))"
		" ORDER BY c.seq";
	CLEANUP(database_finalizep) sqlite3_stmt *statement = NULL;
	int result = database_ask(ledger->db, sql,
				  VALUES(value_number(challenge), value_number(mail)),
				  &statement, error);

	if (result < 0)
		return result;
	while ((result = ledger_step(ledger, statement, error)) == 1) {
		struct ledger_entry entry = {
			.seq = sqlite3_column_int64(statement, 0),
			.at = column_instant(statement, 1),
			.kind = column_string(statement, 2),
			.state = column_string(statement, 3),
			.challenge = sqlite3_column_int64(statement, 4),
			.notice = sqlite3_column_int64(statement, 5),
			.mail = sqlite3_column_int64(statement, 6),
			.payload = (const char *)sqlite3_column_text(statement, 8),
		};

		if (sqlite3_column_bytes(statement, 7) == HASH_SIZE)
			(void)hex(sqlite3_column_blob(statement, 7), HASH_SIZE, entry.hash);
		if (each(context, &entry) != 0)
			return 0;
	}
	return result;
}
