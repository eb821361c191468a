/*
 * privacy.c - `challengectl privacy`: what personal data is held where, for how long and why,
 * from the live configuration; for a record of processing, or an assessment.
 */
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/retention.h"

#include <jansson.h>
#include <string.h>

enum place { PLACE_STORE, PLACE_STATE, PLACE_RELAY, PLACE_JOURNAL, PLACES };

/* What is held; how long by one of the configuration's periods, or by a sentence. */
static const struct holding {
	const char *what;
	enum place place;
	const char *whose;
	const char *why;
	enum { KEPT_CHALLENGES, KEPT_CONTACTS, KEPT_BODIES, KEPT_LEDGER, KEPT_ELSEWHERE } kept;
	const char *elsewhere;
} holdings[] = {
	{ "names, work e-mail addresses, roles, absences and deputies", PLACE_STORE,
	  "professionals of the agencies", "to tell whoever owes the next step", KEPT_CONTACTS,
	  NULL },
	{ "references, categories, urgencies, dates, coded outcomes and themes", PLACE_STORE,
	  "children and adults, indirectly: only by the reference",
	  "to count each challenge's deadlines", KEPT_CHALLENGES, NULL },
	{ "notes, and who typed what", PLACE_STORE,
	  "professionals, and whoever a note speaks of; never mailed, never read by the daemon",
	  "the record of the agencies", KEPT_CHALLENGES, NULL },
	{ "texts of mails: reference, stage, what is owed and when, the recipient's name",
	  PLACE_STATE, "professionals",
	  "to send the same bytes again, and to prove what was said", KEPT_BODIES, NULL },
	{ "who was told what and when: address, role, reference, the relay's answer",
	  PLACE_STATE, "professionals", "to prove that nobody was forgotten, nor told twice",
	  KEPT_LEDGER, NULL },
	{ "references, roles and outcomes; no names, no addresses", PLACE_JOURNAL,
	  "children and adults, indirectly: only by the reference", "to run the service",
	  KEPT_ELSEWHERE, "as the system's journal is configured (journald.conf)" },
	{ "mails on their way", PLACE_RELAY, "professionals", "to deliver them", KEPT_ELSEWHERE,
	  "as the relay's operator decides" },
};

static const char *place_text(const struct config *config, enum place place)
{
	switch (place) {
	case PLACE_STORE:
		return config->store;
	case PLACE_STATE:
		return ctl_state_folder(config);
	case PLACE_RELAY:
		return config->mail.relay;
	case PLACE_JOURNAL:
		return "the system's journal";
	case PLACES:
		break;
	}
	return "";
}

static struct period period_of(const struct retention *retention, const struct holding *holding)
{
	switch (holding->kept) {
	case KEPT_CHALLENGES:
		return retention->challenges;
	case KEPT_CONTACTS:
		return retention->contacts;
	case KEPT_BODIES:
		return retention->bodies;
	case KEPT_LEDGER:
		return retention->ledger;
	case KEPT_ELSEWHERE:
		break;
	}
	return (struct period){ 0 };
}

/* "6 years after the challenge ended", or that nobody has decided. */
static void kept_text(const struct retention *retention, const struct holding *holding,
		      struct text *ret)
{
	static const char *const from[] = {
		[KEPT_CHALLENGES] = "after the challenge ended",
		[KEPT_CONTACTS] = "after the contact was set inactive",
		[KEPT_BODIES] = "after the mail was done with",
		[KEPT_LEDGER] = "after the entry was made; its hash stays",
	};
	static const char *const names[] = {
		[KEPT_CHALLENGES] = "challenges",
		[KEPT_CONTACTS] = "contacts",
		[KEPT_BODIES] = "bodies",
		[KEPT_LEDGER] = "ledger",
	};
	struct period period = period_of(retention, holding);
	char text[PERIOD_TEXT_SIZE];

	if (holding->kept == KEPT_ELSEWHERE)
		text_append(ret, holding->elsewhere);
	else if (period.unit == PERIOD_UNSET)
		text_appendf(ret, "NOT DECIDED: without end, until retention.%s is set",
			     names[holding->kept]);
	else
		text_appendf(ret, "%s %s, then `challengectl purge` erases it",
			     retention_text(period, text), from[holding->kept]);
}

static json_t *holding_json(const struct config *config, const struct holding *holding,
			    const char *kept)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "what", holding->what, "where",
			 place_text(config, holding->place), "whose", holding->whose, "why",
			 holding->why, "kept", kept, "decided",
			 holding->kept == KEPT_ELSEWHERE ||
				 period_of(&config->retention, holding).unit != PERIOD_UNSET);
}

static json_t *domains_json(const struct mail_settings *mail)
{
	json_t *list = json_array();

	for (size_t i = 0; i < mail->allow_domain_count; i++)
		if (json_array_append_new(list, json_string(mail->allow_domains[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static void print_rest(const struct ctl *ctl)
{
	const struct config *config = ctl->config;

	(void)fprintf(ctl->out,
		      "A mail says none of: names of children, adults or those challenged, "
		      "initials,\ncategories, reasons, notes. Agencies' names and telephone "
		      "numbers: %s.\nNobody is mailed outside:",
		      config->mail.show_agencies ? "shown" : "not shown");
	for (size_t i = 0; i < config->mail.allow_domain_count; i++)
		(void)fprintf(ctl->out, " %s", config->mail.allow_domains[i]);
	(void)fprintf(
		ctl->out,
		"\nMails go to the relay %s.\nBackups (challengectl backup) hold copies of "
		"store and ledger: erase old ones, too.\n",
		config->mail.clear_text ? "in clear, on this machine"
					: "over verified TLS only");
}

static int print_json(struct ctl *ctl, json_t *list)
{
	const struct mail_settings *mail = &ctl->config->mail;

	return ctl_print_json(ctl,
			      json_pack("{s:o, s:o, s:b, s:b}", "holdings", list, "domains",
					domains_json(mail), "agencies_shown",
					mail->show_agencies, "clear_text", mail->clear_text));
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	const struct config *config;
	json_t *list;
	int status = ctl_arguments(ctl, argc, argv, 0, 0);

	if (status != EXIT_DONE)
		return status;
	config = ctl_config(ctl);
	if (config == NULL)
		return EXIT_COULD_NOT;
	list = json_array();
	for (size_t i = 0; i < COUNT(holdings); i++) {
		const struct holding *holding = &holdings[i];
		CLEANUP(text_clear) struct text kept = { 0 };

		kept_text(&config->retention, holding, &kept);
		if (!ctl->json)
			(void)fprintf(ctl->out,
				      "%s\n  where   %s\n  whose   %s\n  why     %s\n"
				      "  kept    %s\n\n",
				      holding->what, place_text(config, holding->place),
				      holding->whose, holding->why, text_string(&kept));
		else if (json_array_append_new(
				 list, holding_json(config, holding, text_string(&kept))) < 0)
			status = ctl_cannot(ctl, "out of memory");
	}
	if (ctl->json && status == EXIT_DONE)
		return print_json(ctl, list);
	json_decref(list);
	if (status == EXIT_DONE)
		print_rest(ctl);
	return status;
}

const struct command command_privacy = {
	.name = "privacy",
	.summary = "show what personal data is held where, for how long, and why",
	.usage = "Usage: challengectl privacy\n"
		 "\n"
		 "From the configuration as it is: for a record of processing activities or a\n"
		 "data protection impact assessment.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl privacy --json\n",
	.run = run,
};
