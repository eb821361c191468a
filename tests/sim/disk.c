/* disk.c - see disk.h. */
#include "disk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MOST = 16, HANDLES_MOST = 32, SECTOR = 512, PATH_SIZE = 200 };

struct bytes {
	unsigned char *data;
	size_t length;
};

/* What was asked of a file and is not known to have reached the disk. */
struct change {
	enum { CHANGE_WRITE, CHANGE_LENGTH, CHANGE_CREATED, CHANGE_DELETED } what;
	size_t offset; /* CHANGE_LENGTH: the new length */
	struct bytes bytes;
};

struct file {
	char path[PATH_SIZE]; /* "": unused, or a temporary file without a name */
	bool used;
	bool exists;
	bool durably; /* exists */
	struct bytes now;
	struct bytes durable;
	struct change *changes;
	size_t change_count;
};

struct handle {
	sqlite3_file base;
	struct file *file;
	int lock;
	bool first_sync; /* the next one makes the name durable, as SQLite has it do */
};

static struct file files[FILES_MOST];
static struct handle *handles[HANDLES_MOST];
static uint64_t noise = 1;

int64_t (*disk_now)(void);
int (*disk_gate)(enum disk_operation operation, const char *path);
void (*disk_before_sync)(const char *path);

const char *const disk_operation_names[DISK_OPERATION_COUNT] = {
	[DISK_OPEN] = "open",     [DISK_READ] = "read",         [DISK_WRITE] = "write",
	[DISK_SYNC] = "sync",     [DISK_TRUNCATE] = "truncate", [DISK_SIZE] = "size",
	[DISK_LOCK] = "lock",     [DISK_UNLOCK] = "unlock",     [DISK_DELETE] = "delete",
	[DISK_ACCESS] = "access",
};

uint64_t disk_random(uint64_t *state)
{
	/* splitmix64: small, seeded, the same everywhere */
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* --- bytes ---------------------------------------------------------------------------------
 */

/* reallocarray throughout: where allocations are made to fail, those of the test are not. */
static void *sure(void *memory)
{
	assert(memory != NULL); /* a test machine without memory tests nothing */
	return memory;
}

static void set_length(struct bytes *bytes, size_t length)
{
	if (length > bytes->length) {
		bytes->data = sure(reallocarray(bytes->data, length, 1));
		memset(bytes->data + bytes->length, 0, length - bytes->length);
	}
	bytes->length = length;
}

static void put(struct bytes *bytes, size_t offset, const void *from, size_t length)
{
	if (offset + length > bytes->length)
		set_length(bytes, offset + length);
	memcpy(bytes->data + offset, from, length);
}

static struct bytes copy_bytes(const struct bytes *from)
{
	struct bytes copy = { NULL, 0 };

	if (from->length > 0)
		put(&copy, 0, from->data, from->length);
	return copy;
}

static void clear_bytes(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ NULL, 0 };
}

static void forget_changes(struct file *file)
{
	for (size_t i = 0; i < file->change_count; i++)
		clear_bytes(&file->changes[i].bytes);
	free(file->changes);
	file->changes = NULL;
	file->change_count = 0;
}

static void note(struct file *file, struct change change)
{
	file->changes = sure(
		reallocarray(file->changes, file->change_count + 1, sizeof *file->changes));
	file->changes[file->change_count++] = change;
}

static void apply(struct bytes *bytes, const struct change *change)
{
	switch (change->what) {
	case CHANGE_WRITE:
		put(bytes, change->offset, change->bytes.data, change->bytes.length);
		break;
	case CHANGE_LENGTH:
		set_length(bytes, change->offset);
		break;
	case CHANGE_CREATED:
		break;
	case CHANGE_DELETED:
		set_length(bytes, 0);
		break;
	}
}

static void clear_file(struct file *file)
{
	clear_bytes(&file->now);
	clear_bytes(&file->durable);
	forget_changes(file);
	*file = (struct file){ 0 };
}

/* --- files ---------------------------------------------------------------------------------
 */

static struct file *find(const char *path)
{
	for (size_t i = 0; i < FILES_MOST; i++)
		if (files[i].used && path[0] != '\0' && strcmp(files[i].path, path) == 0)
			return &files[i];
	return NULL;
}

static struct file *find_or_make(const char *path)
{
	struct file *file = find(path);

	for (size_t i = 0; i < FILES_MOST && file == NULL; i++)
		if (!files[i].used)
			file = &files[i];
	assert(file != NULL && strlen(path) < PATH_SIZE);
	file->used = true;
	(void)snprintf(file->path, sizeof file->path, "%s", path);
	return file;
}

static int gate(enum disk_operation operation, const char *path)
{
	return disk_gate != NULL ? disk_gate(operation, path) : SQLITE_OK;
}

static void remember(struct handle *handle)
{
	for (size_t i = 0; i < HANDLES_MOST; i++)
		if (handles[i] == NULL) {
			handles[i] = handle;
			return;
		}
	assert(false); /* more files are open than this disk knows */
}

static void forget(const struct handle *handle)
{
	for (size_t i = 0; i < HANDLES_MOST; i++)
		if (handles[i] == handle)
			handles[i] = NULL;
}

/* --- operations on an open file ------------------------------------------------------------
 */

static int do_close(sqlite3_file *base)
{
	struct handle *handle = (struct handle *)base;

	forget(handle);
	if (handle->file->path[0] == '\0')
		clear_file(handle->file);
	return SQLITE_OK;
}

static int do_read(sqlite3_file *base, void *to, int count, sqlite3_int64 offset)
{
	struct handle *handle = (struct handle *)base;
	const struct bytes *bytes = &handle->file->now;
	size_t at = (size_t)offset;
	size_t wanted = (size_t)count;
	size_t there = at < bytes->length ? bytes->length - at : 0;
	int code = gate(DISK_READ, handle->file->path);

	if (code == SQLITE_IOERR_SHORT_READ)
		there = there < wanted / 2 ? there : wanted / 2;
	else if (code != SQLITE_OK)
		return code;
	if (there >= wanted) {
		memcpy(to, bytes->data + at, wanted);
		return SQLITE_OK;
	}
	if (there > 0)
		memcpy(to, bytes->data + at, there);
	memset((char *)to + there, 0, wanted - there);
	return SQLITE_IOERR_SHORT_READ;
}

static int do_write(sqlite3_file *base, const void *from, int count, sqlite3_int64 offset)
{
	struct handle *handle = (struct handle *)base;
	struct change change = { .what = CHANGE_WRITE, .offset = (size_t)offset };
	int code = gate(DISK_WRITE, handle->file->path);

	if (code != SQLITE_OK)
		return code;
	put(&handle->file->now, (size_t)offset, from, (size_t)count);
	put(&change.bytes, 0, from, (size_t)count);
	note(handle->file, change);
	return SQLITE_OK;
}

static int do_truncate(sqlite3_file *base, sqlite3_int64 length)
{
	struct handle *handle = (struct handle *)base;
	int code = gate(DISK_TRUNCATE, handle->file->path);

	if (code != SQLITE_OK)
		return code;
	set_length(&handle->file->now, (size_t)length);
	note(handle->file, (struct change){ .what = CHANGE_LENGTH, .offset = (size_t)length });
	return SQLITE_OK;
}

static int do_sync(sqlite3_file *base, int flags)
{
	struct handle *handle = (struct handle *)base;
	struct file *file = handle->file;
	int code;

	(void)flags; /* a sync of the data takes the length along */
	if (disk_before_sync != NULL)
		disk_before_sync(file->path);
	code = gate(DISK_SYNC, file->path);
	if (code != SQLITE_OK)
		return code;
	for (size_t i = 0; i < file->change_count; i++)
		apply(&file->durable, &file->changes[i]);
	file->durably = file->exists;
	forget_changes(file);
	return SQLITE_OK;
}

static int do_size(sqlite3_file *base, sqlite3_int64 *ret)
{
	struct handle *handle = (struct handle *)base;
	int code = gate(DISK_SIZE, handle->file->path);

	if (code == SQLITE_OK)
		*ret = (sqlite3_int64)handle->file->now.length;
	return code;
}

static int highest_of_others(const struct handle *handle)
{
	int highest = SQLITE_LOCK_NONE;

	for (size_t i = 0; i < HANDLES_MOST; i++)
		if (handles[i] != NULL && handles[i] != handle &&
		    handles[i]->file == handle->file && handles[i]->lock > highest)
			highest = handles[i]->lock;
	return highest;
}

static int do_lock(sqlite3_file *base, int level)
{
	struct handle *handle = (struct handle *)base;
	int others = highest_of_others(handle);
	int code = gate(DISK_LOCK, handle->file->path);

	if (code != SQLITE_OK)
		return code;
	if (handle->lock >= level)
		return SQLITE_OK;
	if (level == SQLITE_LOCK_SHARED && others >= SQLITE_LOCK_PENDING)
		return SQLITE_BUSY;
	if (level >= SQLITE_LOCK_RESERVED && others >= SQLITE_LOCK_RESERVED)
		return SQLITE_BUSY;
	if (level == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
		handle->lock = SQLITE_LOCK_PENDING; /* nobody else begins to read */
		return SQLITE_BUSY;
	}
	handle->lock = level;
	return SQLITE_OK;
}

static int do_unlock(sqlite3_file *base, int level)
{
	struct handle *handle = (struct handle *)base;
	int code = gate(DISK_UNLOCK, handle->file->path);

	if (handle->lock > level)
		handle->lock = level; /* the kernel lets go whatever it says */
	return code;
}

static int do_check_reserved(sqlite3_file *base, int *ret)
{
	struct handle *handle = (struct handle *)base;

	*ret = handle->lock >= SQLITE_LOCK_RESERVED ||
	       highest_of_others(handle) >= SQLITE_LOCK_RESERVED;
	return SQLITE_OK;
}

static int do_control(sqlite3_file *base, int operation, void *argument)
{
	(void)base;
	if (operation != SQLITE_FCNTL_HAS_MOVED)
		return SQLITE_NOTFOUND;
	*(int *)argument = 0;
	return SQLITE_OK;
}

static int do_sector(sqlite3_file *base)
{
	(void)base;
	return 4096; /* as SQLite's own VFS for Unix says */
}

static int do_characteristics(sqlite3_file *base)
{
	(void)base;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1, /* no WAL */
	.xClose = do_close,
	.xRead = do_read,
	.xWrite = do_write,
	.xTruncate = do_truncate,
	.xSync = do_sync,
	.xFileSize = do_size,
	.xLock = do_lock,
	.xUnlock = do_unlock,
	.xCheckReservedLock = do_check_reserved,
	.xFileControl = do_control,
	.xSectorSize = do_sector,
	.xDeviceCharacteristics = do_characteristics,
};

/* --- operations on names -------------------------------------------------------------------
 */

static int do_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
		   int *ret_flags)
{
	struct handle *handle = (struct handle *)base;
	int code = gate(DISK_OPEN, path != NULL ? path : "");
	struct file *file = path != NULL ? find(path) : NULL;

	(void)vfs;
	*handle = (struct handle){ 0 };
	if (code != SQLITE_OK)
		return code;
	if ((file == NULL || !file->exists) && (flags & SQLITE_OPEN_CREATE) == 0)
		return SQLITE_CANTOPEN;
	file = find_or_make(path != NULL ? path : "");
	if (!file->exists) {
		file->exists = true;
		clear_bytes(&file->now);
		note(file, (struct change){ .what = CHANGE_CREATED });
	}
	*handle = (struct handle){ .base.pMethods = &methods, .file = file };
	remember(handle);
	if (ret_flags != NULL)
		*ret_flags = flags;
	return SQLITE_OK;
}

static int do_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
	struct file *file = find(path);
	int code = gate(DISK_DELETE, path);

	(void)vfs;
	if (code != SQLITE_OK)
		return code;
	if (file == NULL || !file->exists)
		return SQLITE_IOERR_DELETE_NOENT;
	file->exists = false;
	clear_bytes(&file->now);
	note(file, (struct change){ .what = CHANGE_DELETED });
	if (sync_folder != 0) {
		clear_bytes(&file->durable);
		file->durably = false;
		forget_changes(file);
	}
	return SQLITE_OK;
}

static int do_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
	const struct file *file = find(path);
	int code = gate(DISK_ACCESS, path);

	(void)vfs;
	/* As SQLite's own: an empty journal is none. */
	*ret = file != NULL && file->exists &&
	       (flags != SQLITE_ACCESS_EXISTS || file->now.length > 0);
	return code;
}

static int do_full_path(sqlite3_vfs *vfs, const char *path, int size, char *ret)
{
	(void)vfs;
	(void)snprintf(ret, (size_t)size, "%s", path);
	return SQLITE_OK;
}

static int do_randomness(sqlite3_vfs *vfs, int count, char *ret)
{
	(void)vfs;
	for (int i = 0; i < count; i++)
		ret[i] = (char)disk_random(&noise);
	return count;
}

static int do_sleep(sqlite3_vfs *vfs, int microseconds)
{
	(void)vfs;
	return microseconds; /* slept through at once */
}

static int do_time(sqlite3_vfs *vfs, sqlite3_int64 *ret)
{
	(void)vfs;
	*ret = 210866760000000 + (disk_now != NULL ? disk_now() : 0) * 1000; /* Julian */
	return SQLITE_OK;
}

static int do_last_error(sqlite3_vfs *vfs, int count, char *ret)
{
	(void)vfs;
	(void)count;
	(void)ret;
	return 0;
}

void disk_begin(void)
{
	static sqlite3_vfs vfs = {
		.iVersion = 2,
		.szOsFile = sizeof(struct handle),
		.mxPathname = PATH_SIZE,
		.zName = "disk",
		.xOpen = do_open,
		.xDelete = do_delete,
		.xAccess = do_access,
		.xFullPathname = do_full_path,
		.xRandomness = do_randomness,
		.xSleep = do_sleep,
		.xGetLastError = do_last_error,
		.xCurrentTimeInt64 = do_time,
	};
	int code = sqlite3_vfs_register(&vfs, 1);

	assert(code == SQLITE_OK);
}

void disk_import(const char *path)
{
	FILE *stream = fopen(path, "rb");
	struct file *file = find_or_make(path);
	char block[4096];
	size_t count;

	assert(stream != NULL);
	while ((count = fread(block, 1, sizeof block, stream)) > 0)
		put(&file->now, file->now.length, block, count);
	(void)fclose(stream);
	file->exists = file->durably = true;
	file->durable = copy_bytes(&file->now);
}

void disk_export(const char *path, const char *to)
{
	const struct file *file = find(path);
	FILE *stream = fopen(to, "wb");

	assert(stream != NULL);
	if (file != NULL && file->now.length > 0)
		(void)fwrite(file->now.data, 1, file->now.length, stream);
	(void)fclose(stream);
}

/* --- power ---------------------------------------------------------------------------------
 */

struct disk_snapshot {
	struct file files[FILES_MOST];
};

static struct file copy_file(const struct file *from)
{
	struct file copy = *from;

	copy.now = (struct bytes){ NULL, 0 };
	copy.durable = copy_bytes(&from->durable);
	copy.changes = NULL;
	copy.change_count = 0;
	for (size_t i = 0; i < from->change_count; i++) {
		struct change change = from->changes[i];

		change.bytes = copy_bytes(&change.bytes);
		note(&copy, change);
	}
	return copy;
}

struct disk_snapshot *disk_snapshot(void)
{
	struct disk_snapshot *snapshot = sure(calloc(1, sizeof *snapshot));

	for (size_t i = 0; i < FILES_MOST; i++)
		if (files[i].used && files[i].path[0] != '\0')
			snapshot->files[i] = copy_file(&files[i]);
	return snapshot;
}

void disk_snapshot_free(struct disk_snapshot *snapshot)
{
	for (size_t i = 0; i < FILES_MOST; i++)
		clear_file(&snapshot->files[i]);
	free(snapshot);
}

size_t disk_snapshot_open(const struct disk_snapshot *snapshot)
{
	size_t count = 0;

	for (size_t i = 0; i < FILES_MOST; i++)
		count += snapshot->files[i].change_count;
	return count;
}

/* A write arrives sector by sector, each or not. */
static void arrive_in_part(struct file *file, const struct change *change, uint64_t *random)
{
	size_t at = 0;

	while (at < change->bytes.length) {
		size_t end = (change->offset + at) / SECTOR * SECTOR + SECTOR - change->offset;

		if (end > change->bytes.length)
			end = change->bytes.length;
		if (disk_random(random) % 2 == 0)
			put(&file->now, change->offset + at, change->bytes.data + at, end - at);
		at = end;
	}
}

static void arrive(struct file *file, const struct change *change)
{
	apply(&file->now, change);
	if (change->what == CHANGE_CREATED || change->what == CHANGE_DELETED)
		file->exists = change->what == CHANGE_CREATED;
}

static void maybe_arrive(struct file *file, const struct change *change, uint64_t *random)
{
	switch (disk_random(random) % 4) {
	case 0:
		break;
	case 1:
		if (change->what == CHANGE_WRITE) {
			arrive_in_part(file, change, random);
			break;
		}
		break;
	default:
		arrive(file, change);
		break;
	}
}

void disk_all_closed(void)
{
	memset(handles, 0, sizeof handles);
}

void disk_restore(const struct disk_snapshot *snapshot, size_t whole, uint64_t *random)
{
	disk_all_closed();
	for (size_t i = 0; i < FILES_MOST; i++) {
		struct file *file = &files[i];
		const struct file *from = &snapshot->files[i];

		clear_file(file);
		if (!from->used)
			continue;
		*file = (struct file){ .used = true, .exists = from->durably };
		(void)snprintf(file->path, sizeof file->path, "%s", from->path);
		file->now = copy_bytes(&from->durable);
		for (size_t j = 0; j < from->change_count; j++) {
			if (whole > 0) {
				arrive(file, &from->changes[j]);
				whole--;
			} else if (random != NULL) {
				maybe_arrive(file, &from->changes[j], random);
			}
		}
		if (!file->exists)
			clear_bytes(&file->now); /* writes to a file whose name is lost */
		file->durably = file->exists;
		file->durable = copy_bytes(&file->now);
	}
}
