/*
 * bench_pass.c - what a cycle of the daemon costs beside a large store: one JSON line a figure.
 *
 * usage: bench_pass CONFIG EDITED   (its store as tests/bench/make_store.py writes it, its
 * ledger new; EDITED is the same configuration with an edited policy)
 * The first cycle, one with nothing to do, one at the instant at which the store's early
 * challenges fall due together, one that looks at all of them again, and one after the edited
 * configuration was taken on, which is held against the one before as well. The clock is this
 * program's own, so that no figure waits for the hour.
 */
#include "adapter/journal.h"
#include "service/pass.h"
#include "service/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { IDLE_CYCLES = 2000, MOST_WAKES = 10 };

struct bench {
	struct instant now;
	struct clock clock;
	struct setup setup;
	struct world world;
	struct ledger *ledger;
	struct pass *pass;
};

static struct instant told_now(void *self)
{
	return *(struct instant *)self;
}

static int64_t no_boot_seconds(void *self)
{
	(void)self;
	return 0;
}

static double seconds_of(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now); /* cannot fail for these clocks */
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int must(int r, const struct error *error)
{
	if (r < 0) {
		(void)fprintf(stderr, "bench_pass: %s\n", error->text);
		exit(1);
	}
	return r;
}

static void bench_open(struct bench *bench, const char *config)
{
	struct fault_list faults = { 0 };
	struct error error = { 0 };

	bench->now = clock_now(&clock_system);
	bench->clock = (struct clock){ told_now, no_boot_seconds, &bench->now };
	must(setup_load(config, &bench->setup, &faults, &error), &error);
	fault_list_clear(&faults);
	(void)mkdir(bench->setup.config->state, 0700); /* it may be there */
	must(ledger_open(bench->setup.config->state, LEDGER_WRITE, &bench->ledger, &error),
	     &error);
	bench->world = (struct world){ .config = bench->setup.config,
				       .languages = bench->setup.languages,
				       .ledger = bench->ledger,
				       .clock = &bench->clock };
	must(pass_create(&bench->world, &bench->pass, &error), &error);
}

/* Cycles until one has nothing left, as the service does. */
static struct pass_report run(struct bench *bench)
{
	struct pass_report sum = { 0 };
	struct pass_report report = { .more = true };

	while (report.more) {
		struct error error = { 0 };

		ledger_hold(bench->ledger);
		must(pass_run(bench->pass, &report, &error), &error);
		ledger_let_go(bench->ledger);
		if (report.trouble != PASS_GOOD) {
			(void)fprintf(stderr, "bench_pass: %s\n", report.text);
			exit(1);
		}
		sum.decided += report.decided;
		sum.mails += report.mails;
		sum.wake = report.wake;
	}
	return sum;
}

/* getrusage would tell of the program that started this one. */
static long peak_kib(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char words[200];
	long kib = 0;

	while (file != NULL && fgets(words, sizeof words, file) != NULL)
		if (strncmp(words, "VmHWM:", 6) == 0)
			kib = strtol(words + 6, NULL, 10);
	if (file != NULL)
		(void)fclose(file); /* only read */
	return kib;
}

struct figure {
	double seconds;
	double cpu_seconds;
	struct pass_report report;
};

static struct figure measure(struct bench *bench)
{
	double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	double wall = seconds_of(CLOCK_MONOTONIC);
	struct figure figure = { .report = run(bench) };

	figure.seconds = seconds_of(CLOCK_MONOTONIC) - wall;
	figure.cpu_seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	return figure;
}

static void say(const char *name, const struct figure *figure)
{
	printf("{\"figure\": \"%s\", \"seconds\": %.3f, \"cpu_seconds\": %.3f, \"decided\": "
	       "%zu, \"mails\": %zu, \"peak_kib\": %ld}\n",
	       name, figure->seconds, figure->cpu_seconds, figure->report.decided,
	       figure->report.mails, peak_kib());
	(void)fflush(stdout);
}

/* From one instant that the ledger waits for to the next, until one decides. */
static void measure_due(struct bench *bench, struct pass_report report)
{
	for (int i = 0; i < MOST_WAKES && !instant_is_never(report.wake); i++) {
		struct figure figure;

		bench->now = report.wake;
		figure = measure(bench);
		report = figure.report;
		if (report.decided > 0) {
			say("due at once: decided, rendered and committed", &figure);
			return;
		}
		say("what comes by the calendar, nothing due", &figure);
	}
}

/* Slice by slice, as the service does between polls: none may keep the loop for long. */
static void measure_proof(struct bench *bench)
{
	double begun = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	struct pass_report report = { .proving = true };
	double longest = 0;
	int slices = 0;

	while (report.proving) {
		double cpu = seconds_of(CLOCK_MONOTONIC);
		struct error error = { 0 };

		ledger_hold(bench->ledger);
		must(pass_run(bench->pass, &report, &error), &error);
		ledger_let_go(bench->ledger);
		cpu = seconds_of(CLOCK_MONOTONIC) - cpu;
		longest = cpu > longest ? cpu : longest;
		slices++;
	}
	printf("{\"figure\": \"proof of the whole store\", \"cpu_seconds\": %.3f, \"slices\": "
	       "%d, \"longest_ms\": %.1f, \"open\": %lld, \"kept\": %d, \"peak_kib\": %ld}\n",
	       seconds_of(CLOCK_PROCESS_CPUTIME_ID) - begun, slices, longest * 1e3,
	       (long long)report.proof.counts.open, report.proof.verdict == PROOF_KEPT,
	       peak_kib());
	(void)fflush(stdout);
}

static void measure_idle(struct bench *bench)
{
	double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);

	for (int i = 0; i < IDLE_CYCLES; i++)
		(void)run(bench);
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"figure\": \"idle pass, in a loop\", \"cpu_us\": %.1f}\n",
	       cpu * 1e6 / IDLE_CYCLES);
}

/* As SIGHUP does: every timeline by the configuration in use, the one before and the approved.
 */
static void measure_edited(struct bench *bench, const char *config, struct setup *setup)
{
	struct fault_list faults = { 0 };
	struct error error = { 0 };
	struct figure figure;

	must(setup_load(config, setup, &faults, &error), &error);
	fault_list_clear(&faults);
	bench->world.config = setup->config;
	bench->world.languages = setup->languages;
	must(pass_configure(bench->pass, &bench->world, &error), &error);
	figure = measure(bench);
	say("reload of an edited policy, held against the one before", &figure);
}

int main(int argc, char **argv)
{
	struct bench bench = { 0 };
	struct setup edited = { 0 };
	struct error error = { 0 };
	struct figure figure;

	if (argc != 3) {
		(void)fputs("usage: bench_pass CONFIG EDITED\n", stderr);
		return 2;
	}
	bench_open(&bench, argv[1]);
	figure = measure(&bench);
	say("first cycle over the whole store", &figure);
	measure_proof(&bench);
	measure_idle(&bench);
	measure_due(&bench, figure.report);
	/* As if the ledger knew another configuration: all is held against this one anew. */
	must(ledger_set(bench.ledger, "configuration", "", &error), &error);
	must(pass_configure(bench.pass, &bench.world, &error), &error);
	figure = measure(&bench);
	say("reload that re-evaluates the whole store", &figure);
	measure_edited(&bench, argv[2], &edited);
	pass_destroy(bench.pass);
	ledger_close(bench.ledger);
	setup_clear(&edited);
	setup_clear(&bench.setup);
	return 0;
}
