/*
 * timeline.c - `challengectl timeline`: what a policy would do with events given on the command
 * line. Needs no store: an administrator tries a policy out before it rules over anything.
 */
#include "base/list.h"
#include "ctl/commands.h"
#include "ctl/entry.h"
#include "ctl/lookup.h"
#include "ctl/typed.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
	HORIZON_DAYS = 60, /* after the last event, unless --until says otherwise */
	ENTRIES_MOST =
		100000, /* an endless hourly repeat to a far --until ends here, and says so */
};

struct request {
	const struct policy *policy;
	struct challenge challenge;
	size_t capacity;
	struct instant until;
	char *typed[256]; /* copies of --event that the events point into */
	size_t typed_count;
};

static void request_clear(struct request *request)
{
	for (size_t i = 0; i < request->typed_count; i++)
		free(request->typed[i]);
	free(request->challenge.events);
	*request = (struct request){ 0 };
}

static const struct zone *zone_of(const struct request *request)
{
	return calendar_zone(request->policy->calendar);
}

static int add_event(struct ctl *ctl, struct request *request, struct event event)
{
	struct error error = { 0 };

	if (list_reserve(&request->challenge.events, request->challenge.event_count,
			 &request->capacity, sizeof event) < 0) {
		(void)error_memory(&error);
		return ctl_fail(ctl, &error, "");
	}
	event.id = (int64_t)request->challenge.event_count + 1;
	request->challenge.events[request->challenge.event_count++] = event;
	return EXIT_DONE;
}

static int check_kind(struct ctl *ctl, const struct request *request, const struct event *event)
{
	const struct policy *policy = request->policy;
	const char *stages[POLICY_STAGES];
	const char *nearest;

	if (policy_kind(policy, event->kind) < 0) {
		nearest = ctl_nearest(event->kind, policy->kinds, policy->kind_count);
		return ctl_usage(ctl, "--event: the policy knows no event \"%s\"%s%s",
				 event->kind, nearest != NULL ? "; did you mean " : "",
				 nearest != NULL ? nearest : "");
	}
	if (strcmp(event->kind, "stage") != 0 || policy_stage(policy, event->stage) >= 0)
		return EXIT_DONE;
	for (size_t i = 0; i < policy->stage_count; i++)
		stages[i] = policy->stages[i].id;
	nearest = ctl_nearest(event->stage, stages, policy->stage_count);
	return ctl_usage(ctl,
			 "--event: the policy has no stage \"%s\"%s%s; write stage:ID@TIME",
			 event->stage, nearest != NULL ? "; did you mean " : "",
			 nearest != NULL ? nearest : "");
}

/*
 * "TIME/DUE" cut in two: what stands behind the slash between two times; NULL: there is none. A
 * slash may belong to a date, so it divides only where both sides are whole.
 */
static char *split_due(char *time, const struct zone *zone)
{
	struct instant at;

	if (typed_time(time, zone, &at))
		return NULL;
	for (char *slash = strchr(time, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (typed_time(time, zone, &at) && typed_time(slash + 1, zone, &at))
			return slash + 1;
		*slash = '/';
	}
	return NULL;
}

/* KIND[:STAGE]@TIME[/DUE]; DUE is an agreed date, or the end of a pause. */
static int take_event(struct ctl *ctl, struct request *request, const char *typed)
{
	struct event event = { .stage = "", .value = "", .due = INSTANT_NEVER };
	struct error error = { 0 };
	char *copy;
	char *time;
	char *due;
	char *stage;
	int status;

	if (request->typed_count == COUNT(request->typed))
		return ctl_usage(ctl, "more than %zu events", COUNT(request->typed));
	copy = strdup(typed);
	if (copy == NULL) {
		(void)error_memory(&error);
		return ctl_fail(ctl, &error, "");
	}
	request->typed[request->typed_count++] = copy;
	time = strchr(copy, '@');
	if (time == NULL)
		return ctl_usage(ctl, "--event \"%s\": write KIND[:STAGE]@TIME", typed);
	*time++ = '\0';
	due = split_due(time, zone_of(request));
	stage = strchr(copy, ':');
	if (stage != NULL)
		*stage++ = '\0';
	event.kind = copy;
	if (stage != NULL)
		event.stage = stage;
	if (!ctl_time(ctl, zone_of(request), "--event", time, &event.at) ||
	    (due != NULL && !ctl_time(ctl, zone_of(request), "--event", due, &event.due)))
		return EXIT_USAGE;
	event.recorded_at = event.at;
	status = check_kind(ctl, request, &event);
	return status != EXIT_DONE ? status : add_event(ctl, request, event);
}

/* --immediate: a risk known when the challenge was raised. */
static int add_immediate(struct ctl *ctl, struct request *request)
{
	for (size_t i = 0; i < request->challenge.event_count; i++) {
		struct event event = request->challenge.events[i];

		if (strcmp(event.kind, "raised") != 0)
			continue;
		event.kind = "immediate_risk";
		event.due = INSTANT_NEVER;
		return add_event(ctl, request, event);
	}
	return ctl_usage(ctl, "--immediate needs an --event raised@TIME");
}

/* So many civil days after the last event, at its local time. */
static struct instant default_horizon(const struct request *request)
{
	struct instant last = { INT64_MIN };
	int32_t day;
	int32_t second;

	for (size_t i = 0; i < request->challenge.event_count; i++)
		last = instant_max(last, request->challenge.events[i].at);
	zone_local(zone_of(request), last, &day, &second);
	return zone_instant(zone_of(request), day + HORIZON_DAYS, second);
}

static int take_options(struct ctl *ctl, struct request *request, int argc, char **argv)
{
	const char *typed = NULL;
	const char *protect_by = NULL;
	const char *until = NULL;
	int status;
	int r;

	request->challenge = (struct challenge){ .urgency = "", .protect_by = INSTANT_NEVER };
	if (ctl_option(ctl, &argc, argv, "--policy", &typed) < 0)
		return EXIT_USAGE;
	if (typed == NULL)
		return ctl_usage(ctl, "timeline needs --policy ID[@VERSION]");
	status = ctl_find_policy(ctl, typed, &request->policy);
	if (status != EXIT_DONE)
		return status;
	while ((r = ctl_option(ctl, &argc, argv, "--event", &typed)) > 0) {
		status = take_event(ctl, request, typed);
		if (status != EXIT_DONE)
			return status;
	}
	if (r < 0 ||
	    ctl_option(ctl, &argc, argv, "--urgency", &request->challenge.urgency) < 0 ||
	    ctl_option(ctl, &argc, argv, "--protect-by", &protect_by) < 0 ||
	    ctl_option(ctl, &argc, argv, "--until", &until) < 0)
		return EXIT_USAGE;
	if (request->challenge.event_count == 0)
		return ctl_usage(ctl, "timeline needs at least one --event KIND[:STAGE]@TIME");
	if (ctl_flag(&argc, argv, "--immediate")) {
		status = add_immediate(ctl, request);
		if (status != EXIT_DONE)
			return status;
	}
	if (protect_by != NULL && !ctl_time(ctl, zone_of(request), "--protect-by", protect_by,
					    &request->challenge.protect_by))
		return EXIT_USAGE;
	request->until = default_horizon(request);
	if (until != NULL &&
	    !ctl_time(ctl, zone_of(request), "--until", until, &request->until))
		return EXIT_USAGE;
	return ctl_arguments(ctl, argc, argv, 0, 0);
}

static void print_row(struct ctl *ctl, const struct policy *policy, const struct entry *entry)
{
	CLEANUP(text_clear) struct text subject = { 0 };
	CLEANUP(text_clear) struct text to = { 0 };
	char at[MOMENT_TEXT_SIZE];
	char send_at[MOMENT_TEXT_SIZE];

	subject_text(policy, entry, &subject);
	roles_text(policy, &entry->to, &to);
	(void)fprintf(ctl->out, "%s  %-10s  %-24s  %s\n",
		      moment_text(policy->calendar, entry->at, at),
		      notice_kind_name(entry->kind), text_string(&subject), text_string(&to));
	if (entry->kind == NOTICE_OVERDUE)
		(void)fprintf(ctl->out, "%22severy %s, time %d\n", "", entry->step,
			      (int)entry->occurrence);
	else if (entry->step[0] != '\0')
		(void)fprintf(ctl->out, "%22s%s\n", "", entry->step);
	if (!instant_equal(entry->at, entry->send_at))
		(void)fprintf(ctl->out, "%22smailed %s\n", "",
			      moment_text(policy->calendar, entry->send_at, send_at));
	if (entry->provisional)
		(void)fprintf(ctl->out, "%22sprovisional: past the published holidays\n", "");
}

/* Walks the entries: into `array` for JSON, else as lines. */
static int walk(struct ctl *ctl, struct request *request, json_t *array)
{
	CLEANUP(timeline_destroyp) struct timeline *timeline = timeline_create();
	struct error error = { 0 };
	struct entry entry;
	int count = 0;
	int r;

	if (timeline == NULL) {
		(void)error_memory(&error);
		return ctl_fail(ctl, &error, "");
	}
	challenge_settle(&request->challenge);
	timeline_begin(timeline, request->policy, &request->challenge);
	while ((r = timeline_next(timeline, request->until, &entry, &error)) > 0) {
		if (++count > ENTRIES_MOST) {
			(void)error_set(&error, E2BIG, "more than %d notices", ENTRIES_MOST);
			return ctl_fail(ctl, &error, "Ask for less with --until.");
		}
		if (array == NULL)
			print_row(ctl, request->policy, &entry);
		else if (json_array_append_new(array, entry_json(request->policy, &entry)) < 0)
			r = error_memory(&error);
		if (r < 0)
			break;
	}
	if (r < 0)
		return ctl_fail(ctl, &error, "");
	if ((timeline_state(timeline).problems & PROBLEM_URGENCY) != 0)
		(void)fprintf(ctl->err,
			      "%s: warning: the policy knows no urgency \"%s\": the shortest "
			      "limits count\n",
			      ctl->program, request->challenge.urgency);
	if ((timeline_state(timeline).problems & PROBLEM_PAUSE_NO_END) != 0)
		(void)fprintf(ctl->err,
			      "%s: warning: a pause without an end does not stop the clock; "
			      "write paused@TIME/END\n",
			      ctl->program);
	if (array == NULL && count == 0)
		(void)fprintf(ctl->out, "Nothing is said by then.\n");
	return EXIT_DONE;
}

static int run_timeline(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(request_clear) struct request request = { 0 };
	json_t *array = NULL;
	int status = take_options(ctl, &request, argc, argv);

	if (status != EXIT_DONE)
		return status;
	if (ctl->json)
		array = json_array();
	status = walk(ctl, &request, array);
	if (status != EXIT_DONE || array == NULL) {
		json_decref(array);
		return status;
	}
	return ctl_print_json(ctl, array);
}

const struct command command_timeline = {
	.name = "timeline",
	.summary = "show every notice that a policy asks for, from events you give",
	.usage = "Usage: challengectl timeline --policy ID[@VERSION] --event "
		 "KIND[:STAGE]@TIME[/DUE] ...\n"
		 "         [--urgency U] [--immediate] [--protect-by TIME] [--until TIME]\n"
		 "\n"
		 "Needs no store and sends nothing. DUE is an agreed date, or the end of a "
		 "pause.\n"
		 "Without --until it looks 60 days past the last event.\n"
		 "\n"
		 "Example:\n"
		 "  challengectl timeline --policy example --event 'raised@2026-11-23 10:00' "
		 "\\\n"
		 "      --event 'stage:manager@2026-11-24 15:00' --urgency urgent\n",
	.run = run_timeline,
};
