/*
 * render_mail.c - one letter as a mail: its words, its thread, its entry for a calendar, its
 * bytes in the ledger.
 */
#include "service/render_internal.h"

#include "adapter/journal.h"
#include "base/list.h"
#include "core/appointment.h"
#include "core/language.h"
#include "core/message.h"

#include <errno.h>
#include <string.h>

/* 2026-01-01: versions of an appointment count minutes since. */
enum { SEQUENCE_EPOCH = 1767225600 };

static const char *domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at == NULL ? "localhost" : at + 1;
}

int64_t render_name_number(const char *name)
{
	uint64_t number = 0;

	for (const char *c = name; *c != '\0'; c++)
		number = number * 31 + (unsigned char)*c;
	return (int64_t)(number >> 1); /* never negative */
}

/* What the reader owes by a date that stands, which may go into a calendar; NULL: nothing. */
static const struct letter_notice *appointment_of(const struct config *config,
						  const struct outgoing *out)
{
	const struct letter_notice *owed;

	if (!config->mail.calendar_attachment || out->notice == NULL ||
	    out->letter->misdirected)
		return NULL;
	owed = &out->letter->notices[0];
	if (!owed->is_owner || owed->provisional || instant_is_never(owed->due) ||
	    !instant_before(out->letter->now, owed->due))
		return NULL;
	return owed->kind == NOTICE_INFORM || owed->kind == NOTICE_REMINDER ||
			       owed->kind == NOTICE_ESCALATION
		       ? owed
		       : NULL;
}

/* The entry of one thing owed keeps its name, so that a later one takes its place. */
static int write_appointment(const struct world *world, const struct outgoing *out,
			     const char *subject, struct text *ret, struct error *error)
{
	const struct letter_notice *owed = appointment_of(world->config, out);
	CLEANUP(text_clear) struct text uid = { 0 };
	struct appointment appointment;
	int r;

	if (owed == NULL)
		return 0;

	const int64_t serial[] = { -1 - render_name_number("appointment"),
				   out->notice->challenge, out->notice->event,
				   render_name_number(owed->obligation) };

	r = ledger_message_id(world->ledger, serial, COUNT(serial), out->contact,
			      domain_of(world->config->mail.from_address), &uid, error);
	if (r < 0)
		return r;
	appointment = (struct appointment){
		.uid = text_string(&uid),
		.sequence = (out->letter->now.seconds - SEQUENCE_EPOCH) / 60,
		.stamp = out->letter->now,
		.at = owed->due,
		.summary = subject,
		.link = owed->link,
	};
	appointment_write(&appointment, ret);
	return text_failed(ret) ? error_memory(error) : 0;
}

static int write_bytes(const struct world *world, const struct outgoing *out,
		       const char *message_id, struct text *ret, struct error *error)
{
	const struct config *config = world->config;
	CLEANUP(letter_text_clear) struct letter_text letter = { 0 };
	CLEANUP(text_clear) struct text root = { 0 };
	CLEANUP(text_clear) struct text calendar = { 0 };
	const struct language *language =
		template_file_language(world->languages, out->language);
	struct message message;
	int r = letter_write(language, out->letter, &letter, error);

	if (r < 0)
		return r;
	if (r != LETTER_WHOLE)
		journal_send(JOURNAL_CONFIG_FAULT, NULL, 0,
			     "a template of language \"%s\" failed: %s",
			     language_name(language),
			     r == LETTER_SAFE ? "the fixed text went instead"
					      : "the mail went without HTML");
	if (out->thread != 0) {
		r = ledger_root_id(world->ledger, out->thread,
				   domain_of(config->mail.from_address), &root, error);
		if (r < 0)
			return r;
	}
	r = write_appointment(world, out, text_string(&letter.subject), &calendar, error);
	if (r < 0)
		return r;
	message = (struct message){
		.from_name = config->mail.from_name,
		.from_address = config->mail.from_address,
		.to_name = out->letter->recipient_name,
		.to_address = out->address,
		.reply_to = config->mail.reply_to,
		.subject = text_string(&letter.subject),
		.date = out->letter->now,
		.date_offset = zone_offset(out->letter->zone, out->letter->now),
		.message_id = message_id,
		.root_id = text_string(&root),
		.language = letter.language,
		.important = out->important,
		.body = text_string(&letter.body),
		.html = text_string(&letter.html),
		.calendar = text_string(&calendar),
	};
	r = message_write(&message, ret, error);
	if (r == -EINVAL && message.to_name[0] != '\0') {
		/* A name from the store that may not stand in a header: the address can. */
		text_cut(ret, 0);
		message.to_name = "";
		r = message_write(&message, ret, error);
	}
	return r;
}

int render_store_mail(const struct world *world, const struct outgoing *out,
		      struct error *error)
{
	const struct config *config = world->config;
	CLEANUP(text_clear) struct text id = { 0 };
	CLEANUP(text_clear) struct text bytes = { 0 };
	struct ledger_mail mail;
	int64_t stored;
	int r = ledger_message_id(world->ledger, out->serial, out->serial_count, out->contact,
				  domain_of(config->mail.from_address), &id, error);

	if (r < 0)
		return r;
	r = write_bytes(world, out, text_string(&id), &bytes, error);
	if (r < 0)
		return r;
	mail = (struct ledger_mail){
		.state = DELIVERY_READY,
		.contact = out->contact,
		.recipient = out->address,
		.envelope_from = config->mail.envelope_from,
		.message_id = text_string(&id),
		.date = out->letter->now,
		.bytes = bytes.data,
		.length = bytes.length,
		.created = out->letter->now,
		.next_attempt = out->letter->now,
		.reply = "",
	};
	return ledger_store_mail(world->ledger, &mail, out->notices, out->notice_count,
				 out->letter->now, &stored, error);
}

struct letter render_letter_for(const struct world *world, const struct zone *zone,
				struct instant now)
{
	const struct config *config = world->config;

	return (struct letter){
		.zone = zone,
		.now = now,
		.recipient_name = "",
		.subject_prefix = config->mail.subject_prefix,
		.partnership_name = config->partnership.name,
		.partnership_telephone = config->partnership.telephone,
		.partnership_inbox = config->partnership.inbox,
		.reply_to = config->mail.reply_to,
		.emergency = config->partnership.emergency,
		.summary = "",
		.trouble = "",
		.summary_at = INSTANT_NEVER,
	};
}
