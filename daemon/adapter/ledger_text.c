/*
 * ledger_text.c - a notice's payload as text, without building a JSON tree for it.
 *
 * Proving a ledger compares each row with what the chain says of it; nine in ten of these texts
 * are byte for byte what is expected. Only where they are not is the JSON itself asked.
 */
#include "adapter/ledger_internal.h"

#include <string.h>

/* Printable ASCII that JSON writes as it is; anything else is left to jansson. */
static bool is_plain(const char *string)
{
	for (const char *c = string; *c != '\0'; c++)
		if (*c < 0x20 || *c > 0x7e || *c == '"' || *c == '\\')
			return false;
	return true;
}

static void put_string(struct text *out, const char *name, const char *value)
{
	text_append(out, name);
	text_append_char(out, '"');
	text_append(out, value);
	text_append_char(out, '"');
}

static void put_number(struct text *out, const char *name, int64_t value)
{
	text_append(out, name);
	text_append_number(out, value);
}

static void put_truth(struct text *out, const char *name, bool value)
{
	text_append(out, name);
	text_append(out, value ? "true" : "false");
}

/* As json_instant: what only tampering writes is not written here. */
static bool put_instant(struct text *out, const char *name, struct instant at)
{
	static const int64_t year_5000 = 95617584000;
	char text[INSTANT_TEXT_SIZE];

	if (instant_is_never(at)) {
		text_append(out, name);
		text_append(out, "null");
		return true;
	}
	if (at.seconds < 0 || at.seconds > year_5000)
		return false;
	put_string(out, name, instant_format(at, 0, text));
	return true;
}

bool notice_facts_text(const struct ledger_notice *n, struct text *ret)
{
	const char *const strings[] = { n->reference, n->policy,     n->policy_version,
					n->stage,     n->obligation, n->step,
					n->role };
	bool plain = true;

	for (size_t i = 0; i < COUNT(strings); i++)
		plain = plain && strings[i] != NULL && is_plain(strings[i]);
	if (!plain)
		return false;
	text_cut(ret, 0);
	put_string(ret, "{\"reference\":", n->reference);
	put_string(ret, ",\"policy\":", n->policy);
	put_string(ret, ",\"policy_version\":", n->policy_version);
	put_number(ret, ",\"event\":", n->event);
	put_string(ret, ",\"stage\":", n->stage);
	put_string(ret, ",\"obligation\":", n->obligation);
	put_string(ret, ",\"kind\":", notice_kind_name(n->kind));
	put_string(ret, ",\"step\":", n->step);
	put_number(ret, ",\"occurrence\":", n->occurrence);
	put_string(ret, ",\"role\":", n->role);
	plain = put_instant(ret, ",\"at\":", n->at) &&
		put_instant(ret, ",\"send_at\":", n->send_at) &&
		put_instant(ret, ",\"started\":", n->started) &&
		put_instant(ret, ",\"due\":", n->due);
	put_truth(ret, ",\"firm\":", n->firm);
	put_truth(ret, ",\"provisional\":", n->provisional);
	return plain && !text_failed(ret);
}

bool reason_text(const char *reason, struct text *ret)
{
	if (!is_plain(reason))
		return false;
	text_cut(ret, 0);
	put_string(ret, "\"reason\":", reason);
	return !text_failed(ret);
}
