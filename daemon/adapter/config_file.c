/*
 * config_file.c - all files of a configuration, held together: opened, counted into its digest,
 * kept; see config_file.h.
 *
 * What the main file says is config_main's, what a policy says config_policy's, the bytes and
 * the rows config_read's.
 */
#include "adapter/config_file.h"

#include "adapter/config_bundle.h"
#include "adapter/config_main.h"
#include "adapter/config_policy.h"
#include "adapter/config_read.h"
#include "adapter/digest.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_POLICY_FILES = 200,
	TEXT_MOST = 64 << 20, /* of all files together */
};

struct loading *loading_of(const struct reader *reader)
{
	return reader->context;
}

int loading_fetch(const struct loading *loading, const char *path, struct file_bytes *ret,
		  struct error *error)
{
	return loading->kept != NULL ? bundle_read(loading->kept, path, ret, error)
				     : file_bytes_read(path, ret, error);
}

int loading_note(struct loading *loading, enum bundle_kind kind, const char *path,
		 const struct file_bytes *bytes, struct error *error)
{
	sha256_update(&loading->digest, bytes->length, (const uint8_t *)bytes->data);
	return bundle_add(&loading->read, kind, path, bytes, error);
}

/* A file that libconfig reads; false: faults say why. */
static bool open_source(struct loading *loading, enum bundle_kind kind, const char *path,
			struct source *source)
{
	struct error error = { 0 };

	if (loading_fetch(loading, path, &source->bytes, &error) < 0 ||
	    loading_note(loading, kind, path, &source->bytes, &error) < 0) {
		fault_add(loading->faults, path, 0, "", "%s", error.text);
		fault_of_machine(loading->faults, error.code);
		return false;
	}
	return source_parse(source, path, loading->faults);
}

/* --- policies --- */

static void check_twin(const struct config *config, const struct policy *const *policies,
		       const struct source *source, const struct policy *policy,
		       struct fault_list *faults)
{
	const config_setting_t *version = config_lookup(&source->parsed, "policy.version");
	int line = version != NULL ? setting_line(version) : 1;

	for (size_t i = 0; i < config->policy_count; i++)
		if (policy->id[0] != '\0' && strcmp(policies[i]->id, policy->id) == 0 &&
		    strcmp(policies[i]->version, policy->version) == 0)
			fault_add(faults, policy->file, line, "policy.version",
				  "\"%s\" of \"%s\" is in %s as well", policy->version,
				  policy->id, policies[i]->file);
}

static int load_policy(struct loading *loading, const char *path,
		       const struct policy **policies, struct error *error)
{
	CLEANUP(source_clear) struct source source = { 0 };
	struct config *config = &loading->loaded->config;
	struct policy_world world = { config->calendars, config->calendar_count, config->roles,
				      config->role_count };
	char digest[DIGEST_TEXT_SIZE];
	struct policy *policy;

	if (!open_source(loading, BUNDLE_POLICY, path, &source))
		return 0; /* noted; the others are checked all the same */
	digest_bytes(source.bytes.data, source.bytes.length, digest);
	policy = policy_read(&source, digest, &world, &loading->loaded->arena, loading->faults);
	if (policy == NULL)
		return error_memory(error);
	check_twin(config, policies, &source, policy, loading->faults);
	policies[config->policy_count++] = policy;
	return 0;
}

static int load_policies(struct loading *loading, const char *const *paths, size_t count,
			 struct error *error)
{
	struct config *config = &loading->loaded->config;
	const struct policy **policies =
		arena_alloc(&loading->loaded->arena, (count + 1) * sizeof *policies);

	if (policies == NULL)
		return error_memory(error);
	config->policies = policies;
	for (size_t i = 0; i < count; i++) {
		int rc = load_policy(loading, paths[i], policies, error);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Every file that ends in .conf and does not begin with a dot. */
static int is_policy_name(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
	       strcmp(entry->d_name + length - 5, ".conf") == 0;
}

/* By bytes: the order must not hang on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

struct names {
	struct dirent **entry;
	int count;
};

static void names_clear(struct names *names)
{
	for (int i = 0; i < names->count; i++)
		free(names->entry[i]);
	free(names->entry);
}

static int load_policy_folder(struct loading *loading, struct error *error)
{
	CLEANUP(names_clear) struct names names = { 0 };
	struct arena *arena = &loading->loaded->arena;
	const char **paths;
	int count = scandir(loading->policies, &names.entry, is_policy_name, by_name);
	int code = errno;

	if (count < 0) {
		fault_add(loading->faults, loading->policies, 0, "",
			  "the folder of policies cannot be read: %s", strerror(code));
		fault_of_machine(loading->faults, code);
		return 0;
	}
	names.count = count;
	if (count == 0 || count > MOST_POLICY_FILES) {
		fault_add(loading->faults, loading->policies, 0, "",
			  "holds %d policies (*.conf), not 1 to %d", count, MOST_POLICY_FILES);
		return 0;
	}
	paths = arena_alloc(arena, (size_t)count * sizeof *paths);
	for (int i = 0; paths != NULL && i < count; i++) {
		CLEANUP(text_clear) struct text path = { 0 };

		text_appendf(&path, "%s/%s", loading->policies, names.entry[i]->d_name);
		paths[i] = arena_string(arena, text_string(&path));
		if (paths[i] == NULL)
			paths = NULL;
	}
	if (paths == NULL)
		return error_memory(error);
	return load_policies(loading, paths, (size_t)count, error);
}

/* --- all of it --- */

static int load_main(struct loading *loading, const char *file, struct error *error)
{
	CLEANUP(source_clear) struct source source = { 0 };
	struct config *config = &loading->loaded->config;
	struct reader reader = {
		.source = &source,
		.arena = &loading->loaded->arena,
		.faults = loading->faults,
		.context = loading,
	};

	config_main_defaults(&reader, config);
	config->file = reader_copy(&reader, file);
	if (open_source(loading, BUNDLE_MAIN, file, &source))
		config_main_read(&reader, config);
	return reader.out_of_memory ? error_memory(error) : 0;
}

/* The policies of a configuration that was kept, in their order. */
static int load_kept_policies(struct loading *loading, struct error *error)
{
	const struct bundle *kept = loading->kept;
	const char **paths =
		arena_alloc(&loading->loaded->arena, (kept->count + 1) * sizeof *paths);
	size_t count = 0;

	if (paths == NULL)
		return error_memory(error);
	for (size_t i = 0; i < kept->count; i++) {
		if (kept->files[i].kind != BUNDLE_POLICY)
			continue;
		paths[count] = arena_string(&loading->loaded->arena, kept->files[i].path);
		if (paths[count++] == NULL)
			return error_memory(error);
	}
	return load_policies(loading, paths, count, error);
}

/* All that was read, in one text. */
static int keep_text(struct loading *loading, struct error *error)
{
	CLEANUP(text_clear) struct text text = { .limit = TEXT_MOST };
	struct loaded *loaded = loading->loaded;

	bundle_write(&loading->read, &text);
	if (text_failed(&text))
		return error_memory(error);
	loaded->config.text = arena_string(&loaded->arena, text_string(&text));
	return loaded->config.text == NULL ? error_memory(error) : 0;
}

static const char *folder_of(const char *file, struct arena *arena)
{
	const char *slash = strrchr(file, '/');
	char *folder = arena_string(arena, file);

	if (folder != NULL)
		folder[slash != NULL ? slash - file + 1 : 0] = '\0';
	return folder;
}

static int load_all(struct loading *loading, const char *file, const char *const *policies,
		    size_t count, struct error *error)
{
	struct loaded *loaded = loading->loaded;
	size_t errors = loading->faults->errors;
	char digest[DIGEST_TEXT_SIZE];
	uint8_t bytes[SHA256_DIGEST_SIZE];
	int rc;

	sha256_init(&loading->digest);
	loading->folder = folder_of(file, &loaded->arena);
	if (loading->folder == NULL)
		return error_memory(error);
	rc = load_main(loading, file, error);
	/* Without any calendar the main file was not read at all: its policies would only be
	 * faulted for what it lacks. */
	if (rc == 0 && loaded->config.calendar_count > 0)
		rc = loading->kept != NULL ? load_kept_policies(loading, error)
		     : policies != NULL    ? load_policies(loading, policies, count, error)
					   : load_policy_folder(loading, error);
	if (rc == 0)
		rc = keep_text(loading, error);
	if (rc < 0)
		return rc;
	sha256_digest(&loading->digest, sizeof bytes, bytes);
	digest_text(bytes, digest);
	loaded->config.digest = arena_string(&loaded->arena, digest);
	if (loaded->config.digest == NULL)
		return error_memory(error);
	errors = loading->faults->errors - errors;
	return errors == 0 ? 0
			   : error_set(error, EINVAL, "%s: %zu %s", file, errors,
				       text_plural((int64_t)errors, "fault", "faults"));
}

static struct config *load(const char *file, const char *const *policies, size_t count,
			   const struct bundle *kept, struct fault_list *faults,
			   struct error *error)
{
	struct loaded *loaded = calloc(1, sizeof *loaded);
	struct loading loading = { .loaded = loaded, .faults = faults, .kept = kept };
	int rc;

	if (loaded == NULL) {
		(void)error_memory(error); /* NULL says it */
		return NULL;
	}
	rc = load_all(&loading, file, policies, count, error);
	bundle_clear(&loading.read);
	fault_sort(faults);
	if (rc < 0) {
		config_free(&loaded->config);
		return NULL;
	}
	return &loaded->config;
}

struct config *config_load_policies(const char *file, const char *const *policies, size_t count,
				    struct fault_list *faults, struct error *error)
{
	return load(file, policies, count, NULL, faults, error);
}

struct config *config_load_text(const char *text, struct fault_list *faults,
				struct error *error)
{
	CLEANUP(bundle_clear) struct bundle kept = { 0 };

	if (bundle_parse(text, &kept, error) < 0)
		return NULL;
	return load(kept.files[0].path, NULL, 0, &kept, faults, error);
}

struct config *config_load(const char *file, struct fault_list *faults, struct error *error)
{
	return config_load_policies(file, NULL, 0, faults, error);
}

void config_free(struct config *config)
{
	struct loaded *loaded = (struct loaded *)(void *)config;

	if (loaded == NULL)
		return;
	for (size_t i = 0; i < config->calendar_count; i++)
		calendar_destroy((struct calendar *)config->calendars[i].calendar);
	arena_clear(&loaded->arena);
	free(loaded);
}

void config_destroyp(struct config **config)
{
	config_free(*config);
	*config = NULL;
}

bool config_is_policy_file(const char *file)
{
	CLEANUP(file_bytes_clear) struct file_bytes bytes = { 0 };

	return file_bytes_read(file, &bytes, NULL) == 0 &&
	       config_scan_begins(bytes.data, bytes.length, "policy");
}
