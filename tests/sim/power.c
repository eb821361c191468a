/*
 * power.c - the power fails at every sync of a scripted life, and the disk keeps what it likes.
 *
 * T13 of the programme. At each sync that SQLite asks for, of the ledger or of the store, what
 * is certainly on the disk and what was written since are kept. From these the disk is made as
 * it may stand afterwards: every prefix of the writes, and random subsets of them, in pieces of
 * 512 bytes. From each the daemon must find back: file sound, chain intact, no attempt
 * forgotten, nothing lost that was called accepted, no entry of the store lost that its writer
 * was promised. From some it lives on until nothing waits. POWER_SUBSETS=200 tries more,
 * POWER_SEED replays.
 */
#include "player.h"
#include "scene.h"

#include "adapter/ledger_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POINTS_MOST = 2000, MAILS_MOST = 500, LIVE_ON_EVERY = 23, STEPS = 400 };

/* What the world outside knew when the power failed. */
struct point {
	struct disk_snapshot *disk;
	int64_t boot;
	size_t copies;
	struct relay_copy under_way[SENDERS_MOST];
	size_t under_way_count;
	size_t entries; /* of the store, that somebody was told are recorded */
	int given[MAILS_MOST];
	bool accepted[MAILS_MOST];
};

static struct point *points;
static size_t point_count;
static size_t entries;
static int given[MAILS_MOST];
static bool accepted[MAILS_MOST];
static struct relay_copy *whole_log;
static uint64_t random_state;
static size_t attempts;

static void fail(const char *what)
{
	(void)printf("%s\n", what);
	exit(1);
}

/* --- the life ------------------------------------------------------------------------------
 */

static struct relay_plan choose(const struct sender_mail *mail)
{
	(void)mail;
	switch (attempts++ % 11) {
	case 2:
		return relay_replies(55, "451 4.7.1 later", true, false);
	case 4:
		return relay_doubt(true, 30);
	case 5:
		return relay_lost(true, false, false);
	case 7:
		return relay_replies(7, "", false, false);
	case 8:
		return relay_replies(55, "550 5.1.1 no such user", true, false);
	case 9:
		return relay_replies(8, "554 5.7.1 no", false, true);
	default:
		return relay_accepts(2);
	}
}

static struct relay_plan choose_well(const struct sender_mail *mail)
{
	(void)mail;
	return relay_accepts(1);
}

static void note_given(const struct sender_mail *mail)
{
	if (mail->id < MAILS_MOST)
		given[mail->id]++;
}

static void hear(enum journal_event event, const char *line)
{
	long long id = 0;

	if (event == JOURNAL_ACCEPTED && sscanf(line, "mail %lld", &id) == 1 && id < MAILS_MOST)
		accepted[id] = true;
}

static void at_sync(const char *path)
{
	struct point *point = &points[point_count];

	(void)path;
	if (point_count == POINTS_MOST)
		return;
	*point = (struct point){ .disk = disk_snapshot(),
				 .boot = scene.boot,
				 .copies = relay_count,
				 .entries = entries };
	point->under_way_count = relay_under_way(point->under_way);
	memcpy(point->given, given, sizeof given);
	memcpy(point->accepted, accepted, sizeof accepted);
	point_count++;
}

static int64_t promised(int64_t id)
{
	if (id <= 0)
		fail("the store took no entry");
	entries++;
	return id;
}

/* Cycles and answers until that long has passed. */
static void live(int64_t seconds, int64_t step)
{
	int64_t until = scene.boot + seconds;
	struct pass_report report;
	struct error error = { 0 };

	while (scene.boot < until) {
		if (scene_cycle(&report, &error) < 0 || scene_take(&error) < 0)
			fail(error.text);
		scene.boot += step;
		if (scene_take(&error) < 0)
			fail(error.text);
	}
}

static void script(void)
{
	enum { HOUR = 3600, DAY = 86400 };
	struct error error = { 0 };
	int64_t challenges[5];

	if (scene_open(&error) < 0)
		fail(error.text);
	live(10, 5);
	for (int i = 0; i < 5; i++)
		challenges[i] =
			promised(scene_raise(instant_add(scene_now(), -i * (int64_t)DAY)));
	live(2 * HOUR, 400);
	(void)promised(scene_record(challenges[0], "immediate_risk", scene_now(), 0));
	(void)promised(scene_record(challenges[1], "responded", scene_now(), 0));
	live(DAY, 3000);
	(void)promised(scene_record(challenges[1], "resolved", scene_now(), 0));
	(void)promised(scene_record(challenges[2], "withdrawn", scene_now(), 0));
	live(3 * DAY, 6000);
	scene_close();
}

/* --- afterwards ----------------------------------------------------------------------------
 */

static int64_t count_of(struct ledger *ledger, const char *format, int64_t id)
{
	struct error error = { 0 };
	int64_t count = -1;
	char sql[200];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(sql, sizeof sql, format, (long long)id);
#pragma GCC diagnostic pop
	return database_number(ledger->db, sql, &count, &error) == 1 ? count : -1;
}

static const char *check_promises(const struct point *point)
{
	static char said[200];
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct error error = { 0 };

	if (ledger_open(scene.folder, LEDGER_READ, &ledger, &error) < 0)
		return NULL; /* cut off in the middle of its making: then nothing was promised
			      */
	for (int64_t id = 1; id < MAILS_MOST; id++) {
		if (point->given[id] > 0 && count_of(ledger,
						     "SELECT count(*) FROM chain WHERE mail = "
						     "%lld AND kind = 'attempting'",
						     id) < point->given[id]) {
			(void)snprintf(said, sizeof said,
				       "an attempt of mail %lld is forgotten", (long long)id);
			return said;
		}
		if (point->accepted[id] &&
		    count_of(ledger,
			     "SELECT count(*) FROM mail WHERE id = %lld AND state = 'accepted'",
			     id) != 1) {
			(void)snprintf(said, sizeof said,
				       "mail %lld was accepted and is not now", (long long)id);
			return said;
		}
	}
	return NULL;
}

static const char *check_entries_kept(const struct point *point)
{
	CLEANUP(database_closep) sqlite3 *db = NULL;
	struct error error = { 0 };
	int64_t count = -1;

	/* A challenge brings its first event along, and is one entry. */
	if (database_open(scene.store, &(struct database_options){ .query_only = true }, &db,
			  &error) < 0 ||
	    database_number(db, "SELECT count(*) FROM event", &count, &error) != 1)
		return "the store cannot be read";
	return count < (int64_t)point->entries ? "the store has lost an entry" : NULL;
}

/* It lives on with a relay that is well, long enough for every wait. */
static const char *live_on(void)
{
	static char said[400];
	struct pass_report report;
	struct error error = { 0 };

	relay_choose = choose_well;
	if (scene_open(&error) < 0)
		return "the daemon cannot start again";
	for (int i = 0; i < STEPS; i++) {
		if (scene_cycle(&report, &error) < 0)
			return "the daemon cannot go on";
		scene.boot += i < STEPS / 2 ? 30 : 1200;
		if (scene_take(&error) < 0)
			return "the daemon cannot go on";
	}
	while (post_state(scene.engine.post).busy > 0) {
		scene.boot++;
		if (scene_take(&error) < 0)
			return "the daemon cannot go on";
	}
	scene_close();
	return scene_check(true, said) != 0 ? said : NULL;
}

static bool is_made(void)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;

	return ledger_open(scene.folder, LEDGER_READ, &ledger, NULL) == 0;
}

static void power_returns(const struct point *point, size_t whole, uint64_t *random, bool on)
{
	char text[400] = "";
	const char *wrong = NULL;

	disk_restore(point->disk, whole, random);
	scene.boot = point->boot;
	scene.registrar = NULL;
	relay_forget();
	for (size_t i = 0; i < point->copies; i++)
		relay_append(&whole_log[i]);
	for (size_t i = 0; i < point->under_way_count; i++)
		if (disk_random(&random_state) % 2 == 0)
			relay_append(&point->under_way[i]);
	if (is_made() && scene_check(false, text) != 0)
		wrong = text;
	if (wrong == NULL)
		wrong = check_promises(point);
	if (wrong == NULL)
		wrong = check_entries_kept(point);
	if (wrong == NULL && on)
		wrong = live_on();
	if (wrong == NULL)
		return;
	(void)printf("sync %td, %zu writes whole%s: %s\n", point - points, whole,
		     random != NULL ? ", then some" : "", wrong);
	exit(1);
}

int main(void)
{
	size_t subsets = number_from("POWER_SUBSETS", 8);
	uint64_t seed = number_from("POWER_SEED", (uint64_t)time(NULL));
	size_t images = 0;
	size_t lived = 0;

	(void)printf("seed %llu\n", (unsigned long long)seed);
	random_state = seed;
	points = calloc(POINTS_MOST, sizeof *points);
	if (points == NULL)
		return 2;
	scene_begin();
	relay_choose = choose;
	relay_given = note_given;
	scene_heard = hear;
	disk_before_sync = at_sync;
	script();
	disk_before_sync = NULL;
	relay_given = NULL;
	scene_heard = NULL;
	whole_log = relay_log;
	relay_log = NULL;
	for (size_t i = 0; i < point_count; i++) {
		size_t open = disk_snapshot_open(points[i].disk);

		for (size_t whole = 0; whole <= open + subsets; whole++) {
			bool some = whole > open;
			bool on = images % LIVE_ON_EVERY == 0;

			power_returns(&points[i], some ? 0 : whole, some ? &random_state : NULL,
				      on);
			images++;
			lived += on;
		}
	}
	(void)printf("power: %zu syncs, %zu images, %zu lived on\n", point_count, images,
		     lived);
	scene_end();
	return images > 1000 ? 0 : 1;
}
