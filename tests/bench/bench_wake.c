/*
 * bench_wake - what waking up once a second costs when nothing else is done.
 *
 *   bench_wake FILE    a timer, and the system calls of an idle poll on FILE, ten times
 *
 * The floor under the figure "idle poll" of the same run: mostly it is the machine's own.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { POLLS = 10, SECONDS_PER_POLL = 1, COUNTER_AT = 24 };

static int64_t run_nanoseconds(void)
{
	int64_t taken = 0;
	FILE *stream = fopen("/proc/self/schedstat", "re");

	if (stream == NULL || fscanf(stream, "%" SCNd64, &taken) != 1)
		exit(1);
	(void)fclose(stream);
	return taken;
}

int main(int argc, char **argv)
{
	const struct itimerspec every = { { SECONDS_PER_POLL, 0 }, { SECONDS_PER_POLL, 0 } };
	int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
	int file = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	int64_t before;

	if (timer < 0 || file < 0 || timerfd_settime(timer, 0, &every, NULL) < 0) {
		(void)fprintf(stderr, "usage: bench_wake FILE\n");
		return 2;
	}
	before = run_nanoseconds();
	for (int i = 0; i < POLLS; i++) {
		uint64_t passed;
		struct stat seen;
		char counter[4];

		if (read(timer, &passed, sizeof passed) < 0 ||
		    pread(file, counter, sizeof counter, COUNTER_AT) < 0 ||
		    stat(argv[1], &seen) < 0 || stat("/etc/localtime", &seen) < 0 ||
		    pread(file, counter, sizeof counter, COUNTER_AT) < 0)
			return 1;
	}
	(void)printf("{\"figure\": \"bare wake-up, the system calls of an idle poll\", "
		     "\"cpu_us\": %.1f}\n",
		     (double)(run_nanoseconds() - before) / POLLS / 1000);
	return 0;
}
