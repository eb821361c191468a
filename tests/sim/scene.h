/*
 * scene - a partnership on a disk in memory, with the shipped engine, a clock and a relay of
 * the test's own; what the programs of tests/sim share.
 *
 * Store, ledger, pass and post are the real ones. Replaced at link time are the senders
 * (relay.c), the journal and getrandom, so that the same seed does the same.
 */
#ifndef TESTS_SIM_SCENE_H
#define TESTS_SIM_SCENE_H

#include "adapter/journal.h"
#include "adapter/register.h"
#include "disk.h"
#include "relay.h"
#include "service/engine.h"

enum { SCENE_SETUPS = 4 };

struct scene {
	char folder[64];
	char store[100]; /* paths as the disk knows them */
	char ledger[100];
	struct setup setups[SCENE_SETUPS]; /* as usual; another pace; shorter limits; a faster
					      pace */
	size_t setup;
	struct clock clock;
	int64_t boot;   /* seconds */
	int64_t offset; /* of the clock's time against `boot` */
	struct engine engine;
	bool open;
	struct registrar *registrar;
	int64_t good_at; /* boot seconds of the last cycle that read the store */
};

/* One for the whole program: its folder goes at the end of it. */
extern struct scene scene;

/* An empty store with people in it, on the disk in memory; the clock stands on a Monday. */
void scene_begin(void);
void scene_end(void);

struct instant scene_now(void);

/* As the service does at start and at its end; negative as these fail. */
int scene_open(struct error *error);
void scene_close(void);
/* As after kill -9: nothing of it is asked again. Its memory stays taken. */
void scene_killed(uint64_t *random);

/* As the service's loop does them. */
int scene_cycle(struct pass_report *ret, struct error *error);
int scene_take(struct error *error);
int scene_reload(size_t setup, struct error *error);

/* More mails are in hand than there are connections: a kill now would leave that many in doubt.
 */
bool scene_is_crowded(void);

/* Raised by health against the council; by its id. */
int64_t scene_raise(struct instant at);
int64_t scene_record(int64_t challenge, const char *kind, struct instant at, int64_t voids);

/* Seed of getrandom, and what the journal said: a hash of all lines, and how many of each. */
extern uint64_t scene_seed;
extern uint64_t scene_trace;
extern size_t scene_said[JOURNAL_EVENT_COUNT];
extern bool scene_loud; /* print each line */
extern void (*scene_heard)(enum journal_event event, const char *line);

/*
 * Whatever must hold of ledger and relay at any time, on a copy of the disk or on it: 0, or 1
 * with a line that says what does not. `settled`: nothing waits any more.
 */
int scene_check(bool settled, char ret[static 400]);

/* A person let a mail go: one copy more of it is theirs. */
enum { LET_GO_MOST = 20000 };
void scene_let_go(int64_t mail);

#endif
