/*
 * disk - a disk in memory under SQLite, whose every operation can fail and whose power can
 * fail.
 *
 * An SQLite VFS. It keeps apart what was written and what was synced, so that what a power
 * failure leaves can be made again: of the writes since the last sync any may have arrived,
 * whole, in part (512 bytes at a time) or not at all.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_operation {
	DISK_OPEN,
	DISK_READ,
	DISK_WRITE,
	DISK_SYNC,
	DISK_TRUNCATE,
	DISK_SIZE,
	DISK_LOCK,
	DISK_UNLOCK,
	DISK_DELETE,
	DISK_ACCESS,
	DISK_OPERATION_COUNT,
};
extern const char *const disk_operation_names[DISK_OPERATION_COUNT];

/* Makes it the VFS of every database that is opened from now on. */
void disk_begin(void);

/* A file as the machine's own disk has it, synced, under the same path. */
void disk_import(const char *path);
/* What is under that path, wherever SQLite has got to with it. */
void disk_export(const char *path, const char *to);

/* The second that SQLite is told; NULL: 1970. */
extern int64_t (*disk_now)(void);

/*
 * Asked before each operation: SQLITE_OK lets it happen, another code is its answer, and it has
 * not happened. May not return at all. NULL: everything works.
 */
extern int (*disk_gate)(enum disk_operation operation, const char *path);

/* Asked before a sync takes effect: the moment to take a snapshot. */
extern void (*disk_before_sync)(const char *path);

/* Numbers of no meaning, from a seed. */
uint64_t disk_random(uint64_t *state);

/* --- power ---------------------------------------------------------------------------------
 */

/* What is on the disk for certain, and what may be: a copy. */
struct disk_snapshot;
struct disk_snapshot *disk_snapshot(void);
void disk_snapshot_free(struct disk_snapshot *snapshot);
/* How many writes, truncations and the like are not synced in it. */
size_t disk_snapshot_open(const struct disk_snapshot *snapshot);

/*
 * The disk as the power comes back: no file is open, and of what was not synced the first
 * `whole` operations have arrived, of the others with `random` some (NULL: none).
 */
void disk_restore(const struct disk_snapshot *snapshot, size_t whole, uint64_t *random);

/* Everybody who had a file open is gone, as after kill -9: locks are free, nothing is lost. */
void disk_all_closed(void);

#endif
