/*
 * config_bundle - every file of a configuration in one text, to be kept and read again.
 *
 * The ledger keeps the approved configuration as such a text, so that a later one can be
 * held against it although its files are gone. Files that people edit stand in it as they are,
 * the zone as hexadecimal. Private to config_file.c.
 */
#ifndef ADAPTER_CONFIG_BUNDLE_H
#define ADAPTER_CONFIG_BUNDLE_H

#include "adapter/file_bytes.h"
#include "base/text.h"

enum bundle_kind { BUNDLE_MAIN, BUNDLE_POLICY, BUNDLE_HOLIDAYS, BUNDLE_ZONE };

struct bundle_file {
	enum bundle_kind kind;
	char *path;
	struct file_bytes bytes;
};

/* A zeroed bundle is empty. */
struct bundle {
	struct bundle_file *files; /* in the order in which they were added */
	size_t count;
	size_t capacity;
};

/* Adds a copy, unless a file of that path is there. -ENOMEM. */
MUST_CHECK int bundle_add(struct bundle *bundle, enum bundle_kind kind, const char *path,
			  const struct file_bytes *bytes, struct error *error);

/* A copy of the file of that path, as file_bytes_read would give it. -ENOENT. */
MUST_CHECK int bundle_read(const struct bundle *bundle, const char *path,
			   struct file_bytes *ret, struct error *error);

void bundle_write(const struct bundle *bundle, struct text *ret);

/* What bundle_write wrote. -EINVAL for anything else; -ENOMEM. */
MUST_CHECK int bundle_parse(const char *text, struct bundle *ret, struct error *error);

void bundle_clear(struct bundle *bundle);

#endif
