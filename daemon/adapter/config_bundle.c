/* config_bundle.c - see config_bundle.h. */
#include "adapter/config_bundle.h"

#include "base/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * One line that names the format, then for each file "KIND LENGTH PATH", its bytes and a line
 * end; LENGTH counts what stands in the text.
 */
static const char first_line[] = "challenge-notifyd configuration 1\n";

static const char *const kinds[] = {
	[BUNDLE_MAIN] = "main",
	[BUNDLE_POLICY] = "policy",
	[BUNDLE_HOLIDAYS] = "holidays",
	[BUNDLE_ZONE] = "zone",
};

static const char digits[] = "0123456789abcdef";

void bundle_clear(struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++) {
		free(bundle->files[i].path);
		file_bytes_clear(&bundle->files[i].bytes);
	}
	free(bundle->files);
	*bundle = (struct bundle){ 0 };
}

static const struct bundle_file *find(const struct bundle *bundle, const char *path)
{
	for (size_t i = 0; i < bundle->count; i++)
		if (strcmp(bundle->files[i].path, path) == 0)
			return &bundle->files[i];
	return NULL;
}

static int copy_bytes(const char *data, size_t length, struct file_bytes *ret)
{
	char *copy = malloc(length + 1);

	if (copy == NULL)
		return -ENOMEM;
	if (length > 0)
		memcpy(copy, data, length);
	copy[length] = '\0';
	*ret = (struct file_bytes){ copy, length };
	return 0;
}

int bundle_add(struct bundle *bundle, enum bundle_kind kind, const char *path,
	       const struct file_bytes *bytes, struct error *error)
{
	struct bundle_file file = { .kind = kind };

	if (find(bundle, path) != NULL)
		return 0; /* two calendars of one zone, say */
	if (list_reserve(&bundle->files, bundle->count, &bundle->capacity, sizeof file) < 0 ||
	    copy_bytes(bytes->data, bytes->length, &file.bytes) < 0)
		return error_memory(error);
	file.path = strdup(path);
	if (file.path == NULL) {
		file_bytes_clear(&file.bytes);
		return error_memory(error);
	}
	bundle->files[bundle->count++] = file;
	return 0;
}

int bundle_read(const struct bundle *bundle, const char *path, struct file_bytes *ret,
		struct error *error)
{
	const struct bundle_file *file = find(bundle, path);

	if (file == NULL)
		return error_set(error, ENOENT, "is not in the configuration that was kept");
	return copy_bytes(file->bytes.data, file->bytes.length, ret) < 0 ? error_memory(error)
									 : 0;
}

void bundle_write(const struct bundle *bundle, struct text *ret)
{
	text_append(ret, first_line);
	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_file *file = &bundle->files[i];
		bool coded = file->kind == BUNDLE_ZONE;

		text_appendf(ret, "%s %zu %s\n", kinds[file->kind],
			     coded ? 2 * file->bytes.length : file->bytes.length, file->path);
		for (size_t j = 0; coded && j < file->bytes.length; j++) {
			unsigned char byte = (unsigned char)file->bytes.data[j];

			text_append_char(ret, digits[byte >> 4]);
			text_append_char(ret, digits[byte & 15]);
		}
		if (!coded)
			text_append_bytes(ret, file->bytes.data, file->bytes.length);
		text_append_char(ret, '\n');
	}
}

/* --- reading it again
 * --------------------------------------------------------------------------
 */

static int bad(struct error *error)
{
	return error_set(error, EINVAL, "the configuration that was kept cannot be read");
}

static bool read_kind(const char **rest, enum bundle_kind *ret)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		size_t length = strlen(kinds[i]);

		if (strncmp(*rest, kinds[i], length) == 0 && (*rest)[length] == ' ') {
			*ret = (enum bundle_kind)i;
			*rest += length + 1;
			return true;
		}
	}
	return false;
}

static bool read_length(const char **rest, size_t *ret)
{
	size_t length = 0;
	const char *digit = *rest;

	while (*digit >= '0' && *digit <= '9' && length <= 2 * (size_t)FILE_BYTES_MOST)
		length = 10 * length + (size_t)(*digit++ - '0');
	if (digit == *rest || *digit != ' ' || length > 2 * (size_t)FILE_BYTES_MOST)
		return false;
	*rest = digit + 1;
	*ret = length;
	return true;
}

/* In place: two digits become the byte; false for anything else. */
static bool decode(struct file_bytes *bytes)
{
	if (bytes->length % 2 != 0)
		return false;
	for (size_t i = 0; i < bytes->length; i += 2) {
		const char *high = memchr(digits, bytes->data[i], 16);
		const char *low = memchr(digits, bytes->data[i + 1], 16);

		if (high == NULL || low == NULL)
			return false;
		bytes->data[i / 2] = (char)(((high - digits) << 4) | (low - digits));
	}
	bytes->length /= 2;
	bytes->data[bytes->length] = '\0';
	return true;
}

static int read_file(const char **rest, struct bundle *bundle, struct error *error)
{
	CLEANUP(file_bytes_clear) struct file_bytes bytes = { 0 };
	CLEANUP(freep) char *path = NULL;
	enum bundle_kind kind;
	size_t length;
	const char *end;

	if (!read_kind(rest, &kind) || !read_length(rest, &length))
		return bad(error);
	end = strchr(*rest, '\n');
	if (end == NULL || strnlen(end + 1, length + 1) != length + 1 ||
	    end[1 + length] != '\n')
		return bad(error);
	path = strndup(*rest, (size_t)(end - *rest));
	if (path == NULL || copy_bytes(end + 1, length, &bytes) < 0)
		return error_memory(error);
	if (kind == BUNDLE_ZONE && !decode(&bytes))
		return bad(error);
	*rest = end + 1 + length + 1;
	return bundle_add(bundle, kind, path, &bytes, error);
}

int bundle_parse(const char *text, struct bundle *ret, struct error *error)
{
	CLEANUP(bundle_clear) struct bundle bundle = { 0 };
	const char *rest = text + strlen(first_line);

	if (strncmp(text, first_line, strlen(first_line)) != 0)
		return bad(error);
	while (*rest != '\0') {
		int r = read_file(&rest, &bundle, error);

		if (r < 0)
			return r;
	}
	if (bundle.count == 0 || bundle.files[0].kind != BUNDLE_MAIN)
		return bad(error);
	*ret = TAKE(bundle);
	return 0;
}
