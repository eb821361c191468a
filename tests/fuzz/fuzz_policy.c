/*
 * Policies from a grammar: the bytes choose keys, values and where to break the rules, so that
 * most of what comes out parses and reaches the checks behind the parser. libconfig reads it in
 * a child first, as always. A policy without a fault must have a timeline in order of time.
 */
#include "adapter/config_policy.h"
#include "base/text.h"
#include "core/timeline.h"
#include "fuzz.h"

#include <stdio.h>

enum { STAGES = 4 };

/* The choices, one byte each; zeros when they run out. */
struct choices {
	const uint8_t *data;
	size_t left;
	struct text out;
	int depth;
	int ids[2]; /* how many obligations and stages have one */
};

static struct config *config; /* of the shipped main file: roles and calendars */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct fault_list faults = { 0 };
	struct error error = { 0 };

	(void)argc;
	(void)argv;
	config = config_load("conf/challenge-notifyd.conf", &faults, &error);
	if (config == NULL) {
		(void)fprintf(stderr, "run from the top folder: %s\n", error.text);
		exit(1);
	}
	fault_list_clear(&faults);
	return 0;
}

static size_t choose(struct choices *choices, size_t count)
{
	if (choices->left == 0)
		return 0;
	choices->left--;
	return *choices->data++ % count;
}

#define PICK(choices, list) (list)[choose(choices, COUNT(list))]

static void say(struct choices *choices, const char *string)
{
	text_append(&choices->out, string);
}

/* What fits nowhere, or not here. */
static void say_odd(struct choices *choices)
{
	static const char *const texts[] = {
		"\"\"",
		"\"one\"",
		"\"raised\"",
		"\"100%\"",
		"\"\\x07\"",
		"\"http://a\"",
		"\"raising.nobody\"",
		"\"\xc3\xa9\xff\"",
		"3",
		"( )",
		"{ }",
		"\"partnership.inbox\"",
	};

	say(choices, PICK(choices, texts));
}

/* The words of one kind of value; those of a list begin anywhere, and go on in this order. */
struct words {
	const char *word[8];
	size_t count;
};
static const struct words roles = { { "\"receiving.manager\"", "\"raising.manager\"",
				      "\"both.senior_manager\"", "\"partnership.chair\"" },
				    4 };
static const struct words told = { { "\"owner\"", "\"partnership.business_unit\"",
				     "\"both.senior_manager\"", "\"raising.practitioner\"" },
				   4 };
static const struct words ends = { { "\"responded\"", "\"agreed\"", "\"not_agreed\"",
				     "\"discussed\"", "\"resolved\"", "\"raised\"",
				     "\"meeting_held\"", "\"closed\"" },
				   8 };
static const struct words starts = {
	{ "\"raised\"", "\"responded\"", "\"agreed\"", "\"not_agreed\"", "\"resolved\"" }, 5
};
static const struct words reminders = {
	{ "\"50%\"", "\"1 working day before\"", "\"3 hours before\"", "\"99%\"" }, 4
};
static const struct words distances = {
	{ "\"1 working day\"", "\"1 month\"", "\"3 hours\"", "\"1 working week\"" }, 4
};
static const struct words numbers = { { "3", "1", "2", "7", "0", "-1", "1.5", "99999999999L" },
				      8 };
static const struct words flags = { { "false", "true", "false", "true", "false", "true", "1" },
				    7 };

static void say_word(struct choices *choices, const struct words *words)
{
	say(choices, words->word[choose(choices, words->count)]);
}

static void say_id(struct choices *choices, char first)
{
	text_appendf(&choices->out, "\"%c%d\"", first, choices->ids[first == 's']++);
}

static void say_limit(struct choices *choices)
{
	static const char *const limits[] = {
		"\"3 working days\"",
		"\"1 working day\"",
		"\"48 hours\"",
		"\"2 weeks\"",
		"\"1 working week\"",
		"\"same working day\"",
		"\"end of next working day\"",
		"\"as agreed\"",
		"\"6 working hours\"",
		"{ standard = \"2 working days\"; urgent = \"1 hours\"; }",
		"{ standard = \"2 working days\"; urgent = \"1 days\"; }",
		"\"10000 working days\"",
		"\"0 working days\"",
		"{ standard = \"2 working days\"; }",
		"{ other = \"2 days\"; }",
	};

	say(choices, PICK(choices, limits));
}

static void say_list(struct choices *choices, const struct words *words)
{
	size_t count = 1 + choose(choices, 3);
	size_t first = choose(choices, words->count);

	say(choices, "[ ");
	for (size_t i = 0; i < count; i++) {
		say(choices, i > 0 ? ", " : "");
		say(choices, words->word[(first + i) % words->count]);
	}
	say(choices, " ]");
}

/* To the stage after this one; the last leads nowhere. */
static void say_next_stage(struct choices *choices)
{
	text_appendf(&choices->out, "\"s%d\"", choices->ids[1]);
}

static void say_group(struct choices *choices, const char *const *keys, size_t count);

/* The first letter of a key in a list below says what its value is. */
static void say_value(struct choices *choices, char kind)
{
	static const char *const obligation[] = { "oid",    "estarts", "Kends",   "mlimit",
						  "wowner", "Mremind", "gbreach", "rrepeat",
						  "ffirm",  "xodd" };
	static const char *const stage[] = { "sid",     "Ttitle",       "wowner",  "mlimit",
					     "Mremind", "gbreach",      "rrepeat", "Linform",
					     "ffirm",   "Oobligations", "xodd" };
	static const char *const breach[] = { "tescalate_to", "Wtell", "xodd" };
	static const char *const repeat[] = { "devery", "ntimes" };
	static const char *const quiet[] = { "mafter", "Ltell" };
	static const char *const immediate[] = { "Ltell" };
	size_t count = kind == 'S' ? STAGES : 1 + choose(choices, 3);

	if (choose(choices, 64) == 63) {
		say_odd(choices);
		return;
	}
	switch (kind) {
	case 's':
	case 'o':
		say_id(choices, kind);
		return;
	case 'T':
		say(choices, "\"Title\"");
		return;
	case 't':
		say_next_stage(choices);
		return;
	case 'w':
		say_word(choices, &roles);
		return;
	case 'W':
		say_list(choices, &told);
		return;
	case 'e':
		say_word(choices, &starts);
		return;
	case 'K':
		say_list(choices, &ends);
		return;
	case 'm':
		say_limit(choices);
		return;
	case 'M':
		say_list(choices, &reminders);
		return;
	case 'd':
		say_word(choices, &distances);
		return;
	case 'L':
		say_list(choices, &roles);
		return;
	case 'n':
		say_word(choices, &numbers);
		return;
	case 'f':
		say_word(choices, &flags);
		return;
	case 'g':
		say_group(choices, breach, COUNT(breach));
		return;
	case 'r':
		say_group(choices, repeat, COUNT(repeat));
		return;
	case 'q':
		say_group(choices, quiet, COUNT(quiet));
		return;
	case 'i':
		say_group(choices, immediate, COUNT(immediate));
		return;
	case 'S':
	case 'O':
		say(choices, "( ");
		for (size_t i = 0; i < count; i++) {
			say(choices, i > 0 ? ", " : "");
			if (kind == 'S')
				say_group(choices, stage, COUNT(stage));
			else
				say_group(choices, obligation, COUNT(obligation));
		}
		say(choices, " )");
		return;
	default:
		say_odd(choices);
	}
}

/* Each key of the list is said, left out, or said twice. */
static void say_group(struct choices *choices, const char *const *keys, size_t count)
{
	say(choices, "{ ");
	for (size_t i = 0; i < count && choices->depth < 6; i++) {
		size_t times = choose(choices, 16);

		bool needed = strchr("soTdwmeKL", keys[i][0]) != NULL;

		if ((times % 4 == 1 && !needed) || (needed && times == 15) ||
		    (keys[i][0] == 'x' && times != 14) ||
		    (keys[i][0] == 't' && choices->ids[1] == STAGES))
			continue;
		choices->depth++;
		say(choices, keys[i] + 1);
		say(choices, " = ");
		say_value(choices, keys[i][0]);
		say(choices, ";\n");
		choices->depth--;
	}
	say(choices, "}");
}

static void say_policy(struct choices *choices)
{
	static const char *const keys[] = { "Sstages", "qquiet", "iimmediate", "Ooverall",
					    "xguidance" };

	say(choices, "policy = { id = \"p\"; version = \"1\"; title = \"T\"; "
		     "calendar = \"england\"; urgencies = [ \"standard\", \"urgent\" ];\n");
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (i > 2 && choose(choices, 4) != 1)
			continue;
		say(choices, keys[i] + 1);
		say(choices, " = ");
		say_value(choices, keys[i][0]);
		say(choices, ";\n");
	}
	say(choices, "};\n");
}

static void run(const struct policy *policy, struct choices *choices)
{
	struct event events[6];
	struct challenge challenge = { .urgency = "",
				       .protect_by = INSTANT_NEVER,
				       .events = events };
	struct timeline *timeline = timeline_create();
	struct instant at = { 1772445600 }; /* Monday 2 March 2026, 10:00 */
	struct instant last = { INT64_MIN };
	struct error error = { 0 };
	struct entry entry;
	int count = 0;

	ALWAYS(timeline != NULL);
	for (size_t i = 0; i < COUNT(events); i++) {
		size_t kind = i == 0 ? 0 : choose(choices, policy->kind_count);

		events[i] = (struct event){
			.id = (int64_t)i + 1,
			.kind = i == 0 ? "raised" : policy->kinds[kind],
			.stage = policy->stages[choose(choices, policy->stage_count)].id,
			.at = at,
			.due = instant_add(at, 86400),
			.value = "",
		};
		at = instant_add(at, (int64_t)choose(choices, 200) * 3600);
	}
	challenge.event_count = 1 + choose(choices, COUNT(events) - 1);
	challenge_settle(&challenge);
	timeline_begin(timeline, policy, &challenge);
	while (count++ < 2000 &&
	       timeline_next(timeline, instant_add(at, 60 * 86400), &entry, &error) == 1) {
		ALWAYS(!instant_before(entry.at, last));
		ALWAYS(!instant_before(entry.send_at, entry.at));
		ALWAYS(entry.stage < (int)policy->stage_count);
		last = entry.at;
	}
	timeline_destroy(timeline);
}

/* FUZZ_SHOW=1 shows what one input comes to. */
static void show(const char *policy, const struct fault_list *faults)
{
	if (getenv("FUZZ_SHOW") == NULL)
		return;
	(void)fprintf(stderr, "%s", policy);
	for (size_t i = 0; i < faults->count; i++)
		(void)fprintf(stderr, "%d: %s: %s\n", faults->item[i].line, faults->item[i].key,
			      faults->item[i].text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct policy_world world = { config->calendars, config->calendar_count,
					    config->roles, config->role_count };
	struct choices choices = { .data = data, .left = size };
	CLEANUP(fault_list_clear) struct fault_list faults = { 0 };
	CLEANUP(source_clear) struct source source = { 0 };
	CLEANUP(arena_clear) struct arena arena = { 0 };
	const struct policy *policy;

	say_policy(&choices);
	ALWAYS(!text_failed(&choices.out));
	source.bytes.length = choices.out.length;
	source.bytes.data = text_detach(&choices.out);
	if (source_parse(&source, "p.conf", &faults)) {
		policy = policy_read(&source, "", &world, &arena, &faults);
		ALWAYS(policy != NULL);
		show(source.bytes.data, &faults);
		if (faults.errors == 0)
			run(policy, &choices);
	} else {
		ALWAYS(faults.errors > 0);
	}
	return 0;
}
