/* show.c - challengectl show: one challenge and all that was recorded of it. */
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/ledger_access.h"
#include "ctl/lookup.h"
#include "ctl/standing.h"
#include "ctl/terminal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* An event as recorded, before settling drops those that were taken back. */
struct line {
	struct event event;
	bool voided;
	char *by; /* NULL: not read, or out of memory */
	char *note;
};

struct history {
	struct line *line;
	size_t count;
	bool failed; /* out of memory while noting authors */
};

static void history_clear(struct history *history)
{
	for (size_t i = 0; i < history->count; i++) {
		free(history->line[i].by);
		free(history->line[i].note);
	}
	free(history->line);
	*history = (struct history){ 0 };
}

static bool copy_events(const struct challenge *challenge, struct history *ret)
{
	ret->line = calloc(challenge->event_count + 1, sizeof *ret->line);
	if (ret->line == NULL)
		return false;
	ret->count = challenge->event_count;
	for (size_t i = 0; i < challenge->event_count; i++)
		ret->line[i].event = challenge->events[i];
	return true;
}

/* What settling dropped was taken back; the `voided` events themselves stand as they are. */
static void mark_voided(struct history *history, const struct challenge *settled)
{
	for (size_t i = 0; i < history->count; i++) {
		struct line *line = &history->line[i];

		line->voided = strcmp(line->event.kind, "voided") != 0;
		for (size_t j = 0; j < settled->event_count && line->voided; j++)
			if (settled->events[j].id == line->event.id)
				line->voided = false;
	}
}

static void note_one(void *context, int64_t event, const char *by, const char *note)
{
	struct history *history = context;

	for (size_t i = 0; i < history->count; i++) {
		struct line *line = &history->line[i];

		if (line->event.id != event)
			continue;
		line->by = strdup(by);
		line->note = strdup(note);
		history->failed |= line->by == NULL || line->note == NULL;
	}
}

/* Notes are nobody's business unless asked for, and the reader never hands them out. */
static int read_notes(struct ctl *ctl, int64_t challenge, struct history *history)
{
	CLEANUP(register_closep) struct registrar *registrar = NULL;
	struct error error = { 0 };
	int status = ctl_open_register(ctl, &registrar);

	if (status != EXIT_DONE)
		return status;
	if (register_notes(registrar, challenge, note_one, history, &error) < 0)
		return ctl_fail(ctl, &error, "");
	return history->failed ? ctl_cannot(ctl, "out of memory") : EXIT_DONE;
}

/* --- as JSON --------------------------------------------------------------------------------
 */

static json_t *text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *number_or_null(int64_t number)
{
	return number != 0 ? json_integer(number) : json_null();
}

static json_t *time_or_null(const struct zone *zone, struct instant at)
{
	char text[INSTANT_TEXT_SIZE];

	return text_or_null(ctl_time_text(zone, at, text));
}

static json_t *line_json(const struct zone *zone, const struct line *line, bool notes)
{
	const struct event *event = &line->event;
	json_t *json = json_pack(
		"{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "id", (json_int_t)event->id,
		"kind", event->kind, "stage", text_or_null(event->stage), "at",
		time_or_null(zone, event->at), "due", time_or_null(zone, event->due), "voids",
		number_or_null(event->voids), "value", text_or_null(event->value),
		"recorded_at", time_or_null(zone, event->recorded_at), "voided", line->voided);

	/* A note may hold bytes that are no UTF-8, written by another program: then null. */
	if (json != NULL && notes &&
	    (json_object_set_new(json, "by", text_or_null(line->by)) < 0 ||
	     json_object_set_new(json, "note", text_or_null(line->note)) < 0)) {
		(void)json_object_set_new(json, "note", json_null()); /* as said above */
	}
	return json;
}

static json_t *challenge_json(const struct challenge *challenge,
			      const struct standing *standing, const struct history *history,
			      bool notes)
{
	const struct zone *zone = standing_zone(standing);
	bool known = standing->policy != NULL;
	json_t *events = json_array();

	for (size_t i = 0; i < history->count; i++)
		if (json_array_append_new(events, line_json(zone, &history->line[i], notes)) <
		    0) {
			json_decref(events);
			return NULL;
		}
	return json_pack(
		"{s:s, s:I, s:s, s:s, s:o, s:s, s:o, s:s, s:s, s:o, s:o, s:o,"
		" s:o, s:b, s:s, s:b, s:b, s:b, s:o, s:o}",
		"reference", challenge->reference, "id", (json_int_t)challenge->id, "policy",
		challenge->policy, "policy_version", challenge->policy_version, "urgency",
		text_or_null(challenge->urgency), "concerns", challenge->concerns, "category",
		text_or_null(challenge->category), "raising_agency", challenge->raising_agency,
		"receiving_agency", challenge->receiving_agency, "raising_contact",
		number_or_null(challenge->raising_contact), "receiving_contact",
		number_or_null(challenge->receiving_contact), "protect_by",
		time_or_null(zone, challenge->protect_by), "stage",
		text_or_null(standing_stage(standing)), "derived",
		known && standing->state.derived, "state", standing_word(standing), "open",
		known && standing->state.open, "paused", known && standing->state.paused,
		"ended", known && standing->state.ended, "raised_at",
		time_or_null(zone, standing->raised), "events", events);
}

/* --- for people -----------------------------------------------------------------------------
 */

static void print_field(struct ctl *ctl, const char *name, const char *value)
{
	if (value[0] != '\0')
		(void)fprintf(ctl->out, "  %-18s %s\n", name, value);
}

static void print_contact(struct ctl *ctl, const char *name, int64_t contact)
{
	if (contact != 0)
		(void)fprintf(ctl->out, "  %-18s %lld\n", name, (long long)contact);
}

static void print_note(struct ctl *ctl, const char *note)
{
	while (*note != '\0') {
		CLEANUP(text_clear) struct text line = { 0 };
		size_t length = strcspn(note, "\n");

		text_append_bytes(&line, note, length);
		(void)fputs("         | ", ctl->out);
		terminal_put(ctl->out, text_failed(&line) ? "" : text_string(&line));
		(void)fputc('\n', ctl->out);
		note += length + (note[length] == '\n' ? 1 : 0);
	}
}

static void print_line(struct ctl *ctl, const struct line *line)
{
	const struct event *event = &line->event;
	char at[WHEN_TEXT_SIZE];
	char due[WHEN_TEXT_SIZE];

	(void)fprintf(ctl->out, "%7lld  %s  %s", (long long)event->id,
		      ctl_when(ctl, event->at, at), event->kind);
	if (event->stage[0] != '\0')
		(void)fprintf(ctl->out, " %s", event->stage);
	if (event->value[0] != '\0')
		(void)fprintf(ctl->out, ": %s", event->value);
	if (!instant_is_never(event->due))
		(void)fprintf(ctl->out, ", %s %s",
			      strcmp(event->kind, "paused") == 0 ? "until" : "due",
			      ctl_when(ctl, event->due, due));
	if (event->voids != 0)
		(void)fprintf(ctl->out, " (takes back %lld)", (long long)event->voids);
	if (line->voided)
		(void)fputs(" (taken back)", ctl->out);
	if (line->by != NULL && line->by[0] != '\0') {
		(void)fputs(", by ", ctl->out);
		terminal_put(ctl->out, line->by);
	}
	(void)fputc('\n', ctl->out);
	if (line->note != NULL && line->note[0] != '\0')
		print_note(ctl, line->note);
}

static void print_challenge(struct ctl *ctl, const struct challenge *challenge,
			    const struct standing *standing, const struct history *history)
{
	char protect_by[WHEN_TEXT_SIZE];

	(void)fprintf(ctl->out, "%s, %s@%s: %s\n", challenge->reference, challenge->policy,
		      challenge->policy_version, standing_word(standing));
	print_field(ctl, "stage", standing_stage(standing));
	print_field(ctl, "urgency", challenge->urgency);
	print_field(ctl, "concerns", challenge->concerns);
	print_field(ctl, "category", challenge->category);
	print_field(ctl, "raised by", challenge->raising_agency);
	print_contact(ctl, "its contact", challenge->raising_contact);
	print_field(ctl, "answered by", challenge->receiving_agency);
	print_contact(ctl, "its contact", challenge->receiving_contact);
	if (!instant_is_never(challenge->protect_by))
		print_field(ctl, "protect by",
			    ctl_when(ctl, challenge->protect_by, protect_by));
	for (size_t i = 0; i < history->count; i++)
		print_line(ctl, &history->line[i]);
}

static int show(struct ctl *ctl, const char *reference, struct instant now, bool notes)
{
	CLEANUP(store_closep) struct store *store = NULL;
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	CLEANUP(history_clear) struct history history = { 0 };
	struct challenge *challenge = NULL;
	struct standing standing = { 0 };
	struct error error = { 0 };
	int status = ctl_open_store(ctl, &store);

	if (status == EXIT_DONE)
		status = ctl_find_challenge(ctl, store, reference, &challenge);
	if (status != EXIT_DONE)
		return status;
	if (timeline == NULL || !copy_events(challenge, &history))
		return ctl_cannot(ctl, "out of memory");
	if (notes)
		status = read_notes(ctl, challenge->id, &history);
	if (status != EXIT_DONE)
		return status;
	if (standing_find(ctl->config, timeline, challenge, now, &standing, &error) < 0)
		return ctl_fail(ctl, &error, "");
	mark_voided(&history, challenge);
	if (ctl->json)
		return ctl_print_json(ctl,
				      challenge_json(challenge, &standing, &history, notes));
	print_challenge(ctl, challenge, &standing, &history);
	return EXIT_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	bool notes = ctl_flag(&argc, argv, "--notes");
	const struct config *config;
	struct instant now;
	int status = ctl_arguments(ctl, argc, argv, 1, 1);

	if (status != EXIT_DONE)
		return status;
	config = ctl_config(ctl);
	if (config == NULL)
		return EXIT_COULD_NOT;
	if (!ctl_now(ctl,
		     config->calendar_count > 0 ? calendar_zone(config->calendars[0].calendar)
						: NULL,
		     &now))
		return EXIT_USAGE;
	return show(ctl, argv[0], now, notes);
}

const struct command command_show = {
	.name = "show",
	.summary = "show one challenge and its events",
	.usage = "Usage: challengectl show REFERENCE [--notes]\n"
		 "\n"
		 "Events in the order in which they were recorded, those taken back marked.\n"
		 "\n"
		 "  --notes   with the notes, and who recorded what\n"
		 "\n"
		 "Example:\n"
		 "  challengectl show 2026-014 --notes\n",
	.run = run,
};
