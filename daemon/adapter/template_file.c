/* template_file.c - see template_file.h. */
#include "adapter/template_file.h"

#include "base/list.h"
#include "core/language.h"
#include "core/unicode.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MOST = 64 * 1024, LANGUAGES_MOST = 64, PATH_SIZE = 4096 };

static const char fallback_name[] = "en";
static const char *const suffixes[] = {
	[TEMPLATE_PLAIN] = ".txt",
	[TEMPLATE_HTML] = ".html",
};

struct language_set {
	struct language *fallback; /* "en" */
	struct language **item;    /* the others */
	size_t count;
	size_t capacity;
};

/* One folder being read. */
struct reader {
	struct language *language;
	struct fault_list *faults;
	const char *folder;
};

static void closep(int *descriptor)
{
	if (*descriptor >= 0)
		(void)close(*descriptor); /* only read from */
}

static void closedirp(DIR **folder)
{
	if (*folder != NULL)
		(void)closedir(*folder); /* only read from */
}

/* ---- bytes ------------------------------------------------------------------------------- */

static int read_all(int descriptor, struct text *ret)
{
	char buffer[4096];
	ssize_t got;

	while ((got = read(descriptor, buffer, sizeof buffer)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		text_append_bytes(ret, buffer, (size_t)got);
		if (text_failed(ret))
			return -EFBIG;
	}
	return 0;
}

/* Line ends of another system and a byte order mark are no fault of whoever edits there. */
static void drop_foreign_marks(struct text *text)
{
	size_t from = text->length >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	size_t to = 0;

	for (; from < text->length; from++)
		if (text->data[from] != '\r' || text->data[from + 1] != '\n')
			text->data[to++] = text->data[from];
	text_cut(text, to);
}

static void check_lines(const char *path, const struct text *text, struct fault_list *faults)
{
	int line = 1;

	if (strlen(text_string(text)) != text->length) {
		fault_add(faults, path, 0, "", "a NUL byte: not a text");
		return;
	}
	for (const char *at = text_string(text); *at != '\0';) {
		uint32_t character;
		size_t length = unicode_decode(at, &character);

		if (*at == '\n') {
			line++;
		} else if (length == 0 || (unicode_is_unsafe(character) && *at != '\t')) {
			fault_add(faults, path, line, "",
				  length == 0 ? "not UTF-8"
					      : "a control character, or one that turns the "
						"direction of the text");
			return;
		}
		at += length;
	}
}

/* 0 with the text; -ENOENT when there is no such file; else -EINVAL and a fault. */
static int read_file(const char *path, struct fault_list *faults, struct text *ret)
{
	/* O_NONBLOCK: a FIFO by that name must not hang a reload. */
	CLEANUP(closep) int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CLEANUP(text_clear) struct text text = { .limit = FILE_MOST };
	size_t errors = faults->errors;
	struct stat status;
	int r;

	if (descriptor < 0 && errno == ENOENT)
		return -ENOENT;
	if (descriptor < 0 || fstat(descriptor, &status) < 0) {
		int code = errno;

		fault_add(faults, path, 0, "", "cannot be read: %s", strerror(code));
		fault_of_machine(faults, code);
		return -EINVAL;
	}
	if (!S_ISREG(status.st_mode)) {
		fault_add(faults, path, 0, "", "not a file");
		return -EINVAL;
	}
	r = read_all(descriptor, &text);
	if (r == -EFBIG)
		fault_add(faults, path, 0, "", "larger than %d bytes", FILE_MOST);
	else if (r < 0)
		fault_add(faults, path, 0, "", "cannot be read: %s", strerror(-r));
	fault_of_machine(faults, -r);
	drop_foreign_marks(&text);
	if (r == 0)
		check_lines(path, &text, faults);
	if (faults->errors > errors)
		return -EINVAL;

	*ret = TAKE(text);
	return 0;
}

/* False, and a fault, when it would not fit. */
static bool join_path(const struct reader *reader, const char *name, const char *ending,
		      char out[static PATH_SIZE])
{
	int length = snprintf(out, PATH_SIZE, "%s/%s%s", reader->folder, name, ending);

	if (length > 0 && length < PATH_SIZE)
		return true;
	fault_add(reader->faults, reader->folder, 0, "", "the path is too long");
	return false;
}

/* ---- templates --------------------------------------------------------------------------- */

static bool is_fallback(const struct reader *reader)
{
	return strcmp(language_name(reader->language), fallback_name) == 0;
}

static void set_template(const struct reader *reader, enum letter_template which,
			 enum template_form form, const char *path, const char *source)
{
	struct error error = { 0 };
	int line = 0;
	int r = form == TEMPLATE_HTML
			? language_set_html(reader->language, which, source, &line, &error)
			: language_set_template(reader->language, which, source, &line, &error);

	if (r < 0)
		fault_add(reader->faults, path, line, "", "%s", error.text);
}

/* False when there is no such file. */
static bool read_template(const struct reader *reader, enum letter_template which,
			  enum template_form form)
{
	CLEANUP(text_clear) struct text text = { 0 };
	char path[PATH_SIZE];
	int r;

	if (!join_path(reader, letter_template_names[which], suffixes[form], path))
		return true;
	r = read_file(path, reader->faults, &text);
	if (r == 0)
		set_template(reader, which, form, path, text_string(&text));
	return r != -ENOENT;
}

static void tell_missing(const struct reader *reader, enum letter_template which,
			 enum template_form form)
{
	char path[PATH_SIZE];

	if (join_path(reader, letter_template_names[which], suffixes[form], path))
		fault_add(reader->faults, path, 0, "", "this template is missing");
}

/*
 * Every template of one form. English must be whole, but for HTML: without its frame all mails
 * are plain text, and that is an administrator's choice.
 */
static void read_templates(const struct reader *reader, enum template_form form)
{
	bool missing[LETTER_TEMPLATES] = { false };

	for (size_t i = 0; i < LETTER_TEMPLATES; i++) {
		enum letter_template which = (enum letter_template)i;

		if (letter_template_exists(which, form))
			missing[i] = !read_template(reader, which, form);
	}
	if (!is_fallback(reader) || (form == TEMPLATE_HTML && missing[TEMPLATE_FRAME]))
		return;
	for (size_t i = 0; i < LETTER_TEMPLATES; i++)
		if (missing[i])
			tell_missing(reader, (enum letter_template)i, form);
}

static bool is_template_name(const char *name, size_t length, enum template_form form)
{
	for (size_t i = 0; i < LETTER_TEMPLATES; i++)
		if (letter_template_exists((enum letter_template)i, form) &&
		    strlen(letter_template_names[i]) == length &&
		    strncmp(letter_template_names[i], name, length) == 0)
			return true;
	return false;
}

/* A template by a name that nothing uses is a slip of the pen. */
static void check_name(const struct reader *reader, const char *name)
{
	size_t length = strlen(name);
	char path[PATH_SIZE];

	for (size_t form = 0; form < COUNT(suffixes); form++) {
		size_t ending = strlen(suffixes[form]);

		if (name[0] == '.' || length <= ending ||
		    strcmp(name + length - ending, suffixes[form]) != 0 ||
		    is_template_name(name, length - ending, (enum template_form)form))
			continue;
		if (join_path(reader, name, "", path))
			fault_add(reader->faults, path, 0, "",
				  "no mail is written from this template");
	}
}

static void check_names(const struct reader *reader)
{
	CLEANUP(closedirp) DIR *folder = opendir(reader->folder);
	const struct dirent *entry;

	while (folder != NULL && (entry = readdir(folder)) != NULL)
		check_name(reader, entry->d_name);
}

/* ---- phrases ----------------------------------------------------------------------------- */

/* Cuts blanks off both ends, in place. */
static char *trim(char *string)
{
	size_t length;

	string += strspn(string, " \t");
	length = strlen(string);
	while (length > 0 && (string[length - 1] == ' ' || string[length - 1] == '\t'))
		string[--length] = '\0';
	return string;
}

static void take_line(const struct reader *reader, const char *path, int number, char *line)
{
	struct error error = { 0 };
	char *key = trim(line);
	char *equals = strchr(key, '=');

	if (key[0] == '\0' || key[0] == '#')
		return;
	if (equals == NULL) {
		fault_add(reader->faults, path, number, "", "not of the form key = text");
		return;
	}
	*equals = '\0';
	key = trim(key);
	if (language_set_phrase(reader->language, key, trim(equals + 1), &error) < 0)
		fault_add(reader->faults, path, number, key, "%s", error.text);
}

static void check_complete(const struct reader *reader, const char *path)
{
	const char *key;

	for (size_t i = 0; (key = language_required(i)) != NULL; i++)
		if (language_phrase(reader->language, key) == NULL)
			fault_add(reader->faults, path, 0, key, "this phrase is missing");
}

static void read_phrases(const struct reader *reader)
{
	CLEANUP(text_clear) struct text text = { 0 };
	char path[PATH_SIZE];
	char *rest;
	char *line;
	int r;

	if (!join_path(reader, "phrases", "", path))
		return;
	r = read_file(path, reader->faults, &text);
	if (r == -EINVAL)
		return;
	rest = text.data;
	for (int number = 1; rest != NULL && (line = strsep(&rest, "\n")) != NULL; number++)
		take_line(reader, path, number, line);
	check_complete(reader, path);
}

/* ---- languages --------------------------------------------------------------------------- */

static bool is_language_name(const char *name)
{
	size_t letters = strspn(name, "abcdefghijklmnopqrstuvwxyz");
	size_t all = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");

	return (letters == 2 || letters == 3) && name[all] == '\0' && all <= 35 &&
	       (name[letters] == '\0' || name[letters] == '-');
}

/* NULL: out of memory. Faults are noted; what is sound is taken. */
static struct language *read_language(const char *folder, const char *name,
				      const struct language *fallback,
				      struct fault_list *faults)
{
	char path[PATH_SIZE];
	struct reader reader = { .faults = faults, .folder = folder };

	reader.language = language_create(name, fallback);
	if (reader.language == NULL || !join_path(&reader, name, "", path))
		return reader.language;
	reader.folder = path;
	read_templates(&reader, TEMPLATE_PLAIN);
	read_templates(&reader, TEMPLATE_HTML);
	check_names(&reader);
	read_phrases(&reader);
	return reader.language;
}

/* Anything but a folder, and what is not there, is none; what cannot be examined is a fault. */
static bool is_folder(const char *folder, const char *name, struct fault_list *faults)
{
	char path[PATH_SIZE];
	struct stat status;
	int length = snprintf(path, sizeof path, "%s/%s", folder, name);
	int code;

	if (length < 0 || length >= PATH_SIZE)
		return false;
	if (stat(path, &status) == 0)
		return S_ISDIR(status.st_mode);
	code = errno;
	if (code != ENOENT && code != ENOTDIR) {
		fault_add(faults, path, 0, "", "cannot be examined: %s", strerror(code));
		fault_of_machine(faults, code);
	}
	return false;
}

static int add_language(struct language_set *set, const char *folder, const char *name,
			struct fault_list *faults, struct error *error)
{
	struct language *language;

	if (list_reserve(&set->item, set->count, &set->capacity, sizeof(struct language *)) < 0)
		return error_memory(error);
	language = read_language(folder, name, set->fallback, faults);
	if (language == NULL)
		return error_memory(error);
	set->item[set->count++] = language;
	return 0;
}

static int add_others(struct language_set *set, const char *folder, DIR *entries,
		      struct fault_list *faults, struct error *error)
{
	const struct dirent *entry;

	while ((entry = readdir(entries)) != NULL) {
		const char *name = entry->d_name;

		if (name[0] == '.' || strcmp(name, fallback_name) == 0 ||
		    !is_folder(folder, name, faults))
			continue;
		if (!is_language_name(name) || set->count == LANGUAGES_MOST) {
			fault_warn(faults, folder, 0, name, "not read: %s",
				   set->count == LANGUAGES_MOST ? "too many languages"
								: "not a language tag");
			continue;
		}
		if (add_language(set, folder, name, faults, error) < 0)
			return -ENOMEM;
	}
	return 0;
}

struct language_set *template_file_load(const char *folder, struct fault_list *faults,
					struct error *error)
{
	CLEANUP(closedirp) DIR *entries = opendir(folder);
	CLEANUP(template_file_destroyp) struct language_set *set = NULL;
	size_t errors = faults->errors;

	if (entries == NULL || !is_folder(folder, fallback_name, faults)) {
		int code = entries == NULL ? errno : ENOENT;

		(void)error_set(error, code, "templates \"%s\": %s", folder,
				entries == NULL ? strerror(code) : "no folder \"en\" in it");
		fault_add(faults, folder, 0, "", "%s",
			  entries == NULL ? strerror(code) : "no folder \"en\" in it");
		fault_of_machine(faults, code);
		return NULL;
	}
	set = calloc(1, sizeof *set);
	if (set != NULL)
		set->fallback = read_language(folder, fallback_name, NULL, faults);
	if (set == NULL || set->fallback == NULL) {
		(void)error_memory(error);
		return NULL;
	}
	if (add_others(set, folder, entries, faults, error) < 0)
		return NULL;
	if (faults->errors > errors) {
		(void)error_set(
			error, EINVAL, "templates \"%s\": %zu %s", folder,
			faults->errors - errors,
			text_plural((int64_t)(faults->errors - errors), "fault", "faults"));
		return NULL;
	}
	return TAKE(set);
}

void template_file_destroy(struct language_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count; i++)
		language_destroy(set->item[i]);
	free(set->item);
	language_destroy(set->fallback);
	free(set);
}

void template_file_destroyp(struct language_set **set)
{
	template_file_destroy(*set);
}

static const struct language *find_language(const struct language_set *set, const char *name,
					    size_t length)
{
	for (size_t i = 0; i < set->count; i++) {
		const char *own = language_name(set->item[i]);

		if (strlen(own) == length && strncasecmp(own, name, length) == 0)
			return set->item[i];
	}
	return NULL;
}

const struct language *template_file_language(const struct language_set *set, const char *name)
{
	const struct language *found = find_language(set, name, strlen(name));

	/* "cy-GB" is served by "cy" (RFC 4647 3.4). */
	if (found == NULL)
		found = find_language(set, name, strcspn(name, "-"));
	return found != NULL ? found : set->fallback;
}
