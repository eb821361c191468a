/*
 * forecast.c - `challengectl forecast`: every notice of every challenge that the coming days
 * bring, if nobody records anything. A view of the timeline; nothing is written.
 */
#include "adapter/store.h"
#include "base/list.h"
#include "ctl/commands.h"
#include "ctl/entry.h"
#include "ctl/lookup.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DAYS = 7,
	DAYS_MOST = 3660,
	COMING_MOST = 1000000, /* past this the days asked for are too many */
};

struct coming {
	char *reference;
	const struct policy *policy;
	struct entry entry;
	size_t order; /* as found: qsort keeps no order of its own among equals */
};

struct forecast {
	struct ctl *ctl;
	struct instant from;
	struct instant until;
	struct coming *item;
	size_t count;
	size_t capacity;
};

static void forecast_clear(struct forecast *forecast)
{
	for (size_t i = 0; i < forecast->count; i++)
		free(forecast->item[i].reference);
	free(forecast->item);
}

static int add(struct forecast *forecast, const struct challenge *challenge,
	       const struct policy *policy, const struct entry *entry, struct error *error)
{
	struct coming coming = { .policy = policy, .entry = *entry, .order = forecast->count };

	if (forecast->count == COMING_MOST)
		return error_set(error, E2BIG, "more than %d notices: ask for fewer --days",
				 COMING_MOST);
	coming.reference = strdup(challenge->reference);
	if (coming.reference == NULL || list_reserve(&forecast->item, forecast->count,
						     &forecast->capacity, sizeof coming) < 0) {
		free(coming.reference);
		return error_memory(error);
	}
	forecast->item[forecast->count++] = coming;
	return 0;
}

/* What this challenge brings between the two instants; by when it would be mailed. */
static int look_at(struct forecast *forecast, struct timeline *timeline,
		   struct challenge *challenge, struct error *error)
{
	struct error unknown = { 0 };
	const struct policy *policy = config_policy(forecast->ctl->config, challenge->policy,
						    challenge->policy_version, &unknown);
	struct entry entry;
	int result;

	if (policy == NULL) {
		(void)fprintf(forecast->ctl->err, "%s: %s: %s\n", forecast->ctl->program,
			      challenge->reference, unknown.text);
		return 0;
	}
	challenge_settle(challenge);
	timeline_begin(timeline, policy, challenge);
	while ((result = timeline_next(timeline, forecast->until, &entry, error)) > 0) {
		if (instant_before(entry.send_at, forecast->from) ||
		    instant_before(forecast->until, entry.send_at))
			continue;
		result = add(forecast, challenge, policy, &entry, error);
		if (result < 0)
			break;
	}
	return result;
}

static int collect(struct forecast *forecast, struct store *store, struct error *error)
{
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct challenge *challenge;
	int result =
		timeline == NULL ? error_memory(error) : store_changed_since(store, 0, error);

	while (result >= 0 && (result = store_next(store, &challenge, error)) > 0) {
		if (challenge == NULL)
			(void)ctl_fail(forecast->ctl, error, "The others are shown.");
		else
			result = look_at(forecast, timeline, challenge, error);
	}
	return result;
}

/* By the time of mailing, then of falling due, then as they were found. */
static int by_time(const void *left, const void *right)
{
	const struct coming *a = left;
	const struct coming *b = right;
	int64_t first = a->entry.send_at.seconds - b->entry.send_at.seconds;

	if (first == 0)
		first = a->entry.at.seconds - b->entry.at.seconds;
	if (first == 0)
		first = a->order < b->order ? -1 : 1;
	return first < 0 ? -1 : 1;
}

static int print_json(const struct forecast *forecast)
{
	json_t *array = json_array();

	for (size_t i = 0; i < forecast->count; i++) {
		const struct coming *coming = &forecast->item[i];
		json_t *object = entry_json(coming->policy, &coming->entry);

		(void)json_object_set_new(object, "reference", json_string(coming->reference));
		(void)json_object_set_new(object, "policy", json_string(coming->policy->id));
		(void)json_object_set_new(object, "policy_version",
					  json_string(coming->policy->version));
		if (object == NULL || json_array_append_new(array, object) < 0) {
			struct error error = { 0 };

			json_decref(array);
			(void)error_memory(&error);
			return ctl_fail(forecast->ctl, &error, "");
		}
	}
	return ctl_print_json(forecast->ctl, array);
}

static int print_words(const struct forecast *forecast)
{
	static const char *const heads[] = { "=MAILED", "=REFERENCE", "KIND", "ABOUT", "TO" };
	CLEANUP(table_clear) struct table table = { .heads = heads, .columns = COUNT(heads) };

	for (size_t i = 0; i < forecast->count; i++) {
		const struct coming *coming = &forecast->item[i];
		CLEANUP(text_clear) struct text subject = { 0 };
		CLEANUP(text_clear) struct text to = { 0 };
		char at[MOMENT_TEXT_SIZE];

		subject_text(coming->policy, &coming->entry, &subject);
		roles_text(coming->policy, &coming->entry.to, &to);
		table_add(&table, (const char *[]){ moment_text(coming->policy->calendar,
								coming->entry.send_at, at),
						    coming->reference,
						    notice_kind_name(coming->entry.kind),
						    text_string(&subject), text_string(&to) });
	}
	if (forecast->count > 0)
		return table_print(forecast->ctl, &table);
	(void)fprintf(forecast->ctl->out, "Nothing is said in that time.\n");
	return EXIT_DONE;
}

static int take_days(struct ctl *ctl, int *argc, char **argv, int *ret)
{
	const char *typed = NULL;
	char *rest;
	long days = DAYS;

	if (ctl_option(ctl, argc, argv, "--days", &typed) < 0)
		return EXIT_USAGE;
	if (typed != NULL) {
		days = strtol(typed, &rest, 10);
		if (rest == typed || *rest != '\0' || days < 1 || days > DAYS_MOST)
			return ctl_usage(ctl, "--days: \"%s\" is not a number from 1 to %d",
					 typed, DAYS_MOST);
	}
	*ret = (int)days;
	return EXIT_DONE;
}

static int run_forecast(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(forecast_clear) struct forecast forecast = { .ctl = ctl };
	CLEANUP(store_closep) struct store *store = NULL;
	struct error error = { 0 };
	int days = 0;
	int status = take_days(ctl, &argc, argv, &days);
	int result;

	if (status == EXIT_DONE)
		status = ctl_arguments(ctl, argc, argv, 0, 0);
	if (status == EXIT_DONE)
		status = ctl_open_store(ctl, &store);
	if (status != EXIT_DONE)
		return status;
	if (!ctl_now(ctl, calendar_zone(ctl->config->calendars[0].calendar), &forecast.from))
		return EXIT_USAGE;
	forecast.until = instant_add(forecast.from, (int64_t)days * SECONDS_PER_DAY);
	if (store_begin(store, &error) < 0)
		return ctl_fail(ctl, &error, "");
	result = collect(&forecast, store, &error);
	store_end(store);
	if (result < 0)
		return ctl_fail(ctl, &error, "");
	if (forecast.count > 0)
		qsort(forecast.item, forecast.count, sizeof *forecast.item, by_time);
	return ctl->json ? print_json(&forecast) : print_words(&forecast);
}

const struct command command_forecast = {
	.name = "forecast",
	.summary = "show what the coming days bring if nobody records anything",
	.usage = "Usage: challengectl forecast [--days N] [--at TIME]\n"
		 "\n"
		 "Every notice of every challenge that would be mailed in the next N days "
		 "(7), in\n"
		 "order of time. Nothing is sent or written.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl forecast --days 14\n",
	.run = run_forecast,
};
