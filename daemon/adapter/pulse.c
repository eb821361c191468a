/* pulse.c - see pulse.h. */
#include "adapter/pulse.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	VERSION_OF_PAGE = 1,
	PAGE_BYTES = 4096,
	PID_MOST = 1 << 22, /* PID_MAX_LIMIT of the kernel */
	POLL_MOST = 3600,
	LOOKS = 100, /* at a page that is being written: each write takes nanoseconds */
};

static const char magic[8] = "CHNPULSE";

/*
 * Numbers are the machine's own: nobody reads it elsewhere. A writer counts in `begun` before
 * the rest and in `done` after it; a reader comes by them the other way round, since bytes are
 * read upwards: where both are the same it has read what that write wrote, and no other.
 */
struct page {
	char magic[8];
	int64_t version;
	_Atomic uint64_t done;
	int64_t device; /* of the state folder: whose page this is */
	int64_t inode;
	int64_t pid;
	int64_t started;
	int64_t last_poll;
	int64_t next;
	int64_t ended;
	int64_t poll_seconds;
	int64_t promise;
	int64_t unwatched;
	_Atomic uint64_t begun; /* other than `done` while it is being written */
};

struct pulse {
	struct page *page;
	int64_t device;
	int64_t inode;
};

static int page_path(const char *folder, char path[static PATH_MAX], struct error *error)
{
	if (snprintf(path, PATH_MAX, "%s/pulse", folder) >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "the folder's name is too long");
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------
 */

static int map_new(int fd, struct page **ret)
{
	void *page;
	int code = posix_fallocate(fd, 0, PAGE_BYTES);

	if (code != 0)
		return -code;
	if (fchmod(fd, 0644) < 0) /* the folder decides who comes so far */
		return -errno;
	page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	*ret = page;
	return 0;
}

/* A file of its own at each start: nobody has the new one open. */
static int make_page(const char *path, struct page **ret, struct error *error)
{
	int fd;
	int r;

	if (unlink(path) < 0 && errno != ENOENT)
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	r = map_new(fd, ret);
	(void)close(fd); /* the mapping stays */
	if (r == 0)
		return 0;
	(void)unlink(path);
	return error_set(error, -r, "%s: %s", path, strerror(-r));
}

int pulse_open(const char *folder, const char *state_folder, struct pulse **ret,
	       struct error *error)
{
	char path[PATH_MAX];
	struct stat state;
	struct pulse *pulse;
	int r = page_path(folder, path, error);

	if (r < 0)
		return r;
	if (stat(state_folder, &state) < 0)
		return error_set(error, errno, "%s: %s", state_folder, strerror(errno));
	pulse = calloc(1, sizeof *pulse);
	if (pulse == NULL)
		return error_memory(error);
	r = make_page(path, &pulse->page, error);
	if (r < 0) {
		free(pulse);
		return r;
	}
	pulse->device = (int64_t)state.st_dev;
	pulse->inode = (int64_t)state.st_ino;
	*ret = pulse;
	return 0;
}

void pulse_write(struct pulse *pulse, const struct pulse_beat *beat)
{
	struct page *page = pulse->page;
	uint64_t count = atomic_load_explicit(&page->done, memory_order_relaxed);

	atomic_store_explicit(&page->begun, count + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memcpy(page->magic, magic, sizeof magic);
	page->version = VERSION_OF_PAGE;
	page->device = pulse->device;
	page->inode = pulse->inode;
	page->pid = beat->pid;
	page->started = beat->started.seconds;
	page->last_poll = beat->last_poll.seconds;
	page->next = beat->next.seconds;
	page->ended = beat->ended.seconds;
	page->poll_seconds = beat->poll_seconds;
	page->promise = (int64_t)beat->promise;
	page->unwatched = beat->unwatched;
	atomic_store_explicit(&page->done, count + 1, memory_order_release);
}

void pulse_close(struct pulse *pulse)
{
	if (pulse == NULL)
		return;
	(void)munmap(pulse->page, PAGE_BYTES);
	free(pulse);
}

/* ---- reading ------------------------------------------------------------------------------
 */

static bool is_time(int64_t seconds)
{
	return (seconds >= 0 && seconds < INT64_C(253402300800)) /* the year 10000 */
	       || seconds == INSTANT_NEVER.seconds;
}

static bool is_credible(const struct page *page)
{
	return page->pid >= 1 && page->pid <= PID_MOST && is_time(page->started) &&
	       is_time(page->last_poll) && is_time(page->next) && is_time(page->ended) &&
	       page->poll_seconds >= 1 && page->poll_seconds <= POLL_MOST &&
	       page->promise >= PULSE_UNKNOWN && page->promise <= PULSE_BROKEN &&
	       page->unwatched >= 0;
}

/* Read, not mapped: a file that is cut short meanwhile is an answer, not a signal. */
static int read_whole(int fd, struct page *ret)
{
	struct page page;

	for (int i = 0; i < LOOKS; i++) {
		ssize_t n = pread(fd, &page, sizeof page, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n >= 0 && n < (ssize_t)sizeof page)
			return -EINVAL;
		if (n > 0 && page.begun == page.done) {
			*ret = page;
			return 0;
		}
	}
	return -EAGAIN;
}

/* -ENOENT without a word: that there is none is an answer. */
static int open_page(const char *path, struct error *error)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat about;

	if (fd < 0)
		return errno == ENOENT
			       ? -ENOENT
			       : error_set(error, errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode))
		return fd;
	(void)close(fd);
	return error_set(error, EINVAL, "%s is no regular file", path);
}

int pulse_read(const char *folder, const char *state_folder, struct pulse_beat *ret,
	       struct error *error)
{
	struct page page = { .version = 0 };
	char path[PATH_MAX];
	struct stat state;
	int r = page_path(folder, path, error);
	int fd;

	if (r < 0)
		return r;
	fd = open_page(path, error);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = read_whole(fd, &page);
	(void)close(fd);
	if (r == -EAGAIN)
		return error_set(error, EAGAIN, "%s is being written all the time", path);
	if (r < 0 || memcmp(page.magic, magic, sizeof magic) != 0 ||
	    page.version != VERSION_OF_PAGE)
		return error_set(error, EINVAL,
				 "%s is no page of this version of challenge-notifyd", path);
	if (stat(state_folder, &state) < 0 || page.device != (int64_t)state.st_dev ||
	    page.inode != (int64_t)state.st_ino)
		return 0;
	if (!is_credible(&page))
		return error_set(error, EINVAL, "%s says what cannot be so", path);
	*ret = (struct pulse_beat){
		.pid = page.pid,
		.started = { page.started },
		.last_poll = { page.last_poll },
		.next = { page.next },
		.ended = { page.ended },
		.poll_seconds = page.poll_seconds,
		.promise = (enum pulse_promise)page.promise,
		.unwatched = page.unwatched,
	};
	return 1;
}
