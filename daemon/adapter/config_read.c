/* config_read.c - see config_read.h. */
#include "adapter/config_read.h"

#include "base/text.h"
#include "core/unicode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- from a path to a parsed file --- */

enum {
	CHILD_SECONDS = 10,
	CHILD_DESCRIPTOR = 3, /* its end of the pipe; nothing above it is open there */
};

/* What the child says through its pipe; nothing at all means that it did not survive. */
struct verdict {
	bool good;
	int line;
	char text[120];
};

static const char syntax_advice[] =
	"look for a missing ';', '\"' or bracket here or just before";

static void verdict_fault(const struct verdict *verdict, const char *name,
			  struct fault_list *faults)
{
	if (strstr(verdict->text, "syntax") != NULL)
		fault_add(faults, name, verdict->line, "", "%s: %s", verdict->text,
			  syntax_advice);
	else
		fault_add(faults, name, verdict->line, "", "%s", verdict->text);
}

static struct verdict parse(config_t *config, const char *bytes)
{
	struct verdict verdict = { .good = config_read_string(config, bytes) == CONFIG_TRUE };

	if (!verdict.good) {
		const char *text = config_error_text(config);

		verdict.line = config_error_line(config);
		(void)snprintf(verdict.text, sizeof verdict.text, "%s",
			       text != NULL ? text : "cannot be parsed"); /* cut is fine */
	}
	return verdict;
}

/*
 * Runs in the child. libconfig's scanner may exit() on its own, which would flush what the
 * parent had yet to print: output goes nowhere. A hang ends by SIGALRM, a crash leaves no core.
 */
_Noreturn static void child(int to_parent, const char *bytes)
{
	struct rlimit none = { 0, 0 };
	config_t config;
	struct verdict verdict;
	ssize_t written;
	int nowhere;

	/* A daemon that is killed meanwhile must not leave its lock with this process. */
	if (dup2(to_parent, CHILD_DESCRIPTOR) < 0)
		_exit(1);
	closefrom(CHILD_DESCRIPTOR + 1);
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0 || dup2(nowhere, STDERR_FILENO) < 0)
		_exit(1);
	(void)setrlimit(RLIMIT_CORE, &none); /* a core file is a nuisance, not a danger */
	(void)alarm(CHILD_SECONDS);
	config_init(&config);
	verdict = parse(&config, bytes);
	written = write(CHILD_DESCRIPTOR, &verdict, sizeof verdict);
	_exit(written == (ssize_t)sizeof verdict ? 0 : 1);
}

/* 1; 0 when the child died before; or the errno, negative, of a read that failed. */
static int verdict_read(int from_child, struct verdict *ret)
{
	size_t got = 0;

	while (got < sizeof *ret) {
		ssize_t n = read(from_child, (char *)ret + got, sizeof *ret - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		got += (size_t)n;
	}
	return 1;
}

/* Where no child could be had, or it died, *ret says so. The errno of what failed, or 0. */
static int verdict_by_child(const char *bytes, struct verdict *ret)
{
	struct verdict failed = { .text = "cannot be checked: no process for it" };
	struct verdict verdict = { 0 };
	int ends[2];
	int code = 0;
	int got = 0;
	pid_t pid;

	*ret = failed;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	pid = fork();
	if (pid < 0)
		code = errno;
	if (pid == 0) {
		(void)close(ends[0]);
		child(ends[1], bytes);
	}
	(void)close(ends[1]);
	if (pid > 0)
		got = verdict_read(ends[0], &verdict);
	if (got > 0) {
		verdict.text[sizeof verdict.text - 1] = '\0';
		*ret = verdict;
	} else if (pid > 0) {
		code = -got;
		(void)snprintf(ret->text, sizeof ret->text,
			       "libconfig did not survive parsing it"); /* fits */
	}
	(void)close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return code;
}

bool source_parse(struct source *source, const char *path, struct fault_list *faults)
{
	struct verdict verdict;

	source->name = path;
	config_scan(source->bytes.data, source->bytes.length, path, faults, &source->scanned);
	if (source->scanned.hopeless)
		return false;
	fault_of_machine(faults, verdict_by_child(source->bytes.data, &verdict));
	if (verdict.good) {
		config_init(&source->parsed);
		source->is_parsed = true;
		verdict = parse(&source->parsed, source->bytes.data);
	}
	if (!verdict.good)
		verdict_fault(&verdict, path, faults);
	return verdict.good;
}

void source_clear(struct source *source)
{
	if (source->is_parsed)
		config_destroy(&source->parsed);
	scanned_clear(&source->scanned);
	file_bytes_clear(&source->bytes);
	*source = (struct source){ 0 };
}

/* --- faults at their place --- */

int setting_line(const config_setting_t *setting)
{
	int line = (int)config_setting_source_line(setting);

	/* The root has none: what the file lacks is said of its first line. */
	return line > 0 ? line : 1;
}

static void path_append(const config_setting_t *setting, struct text *path)
{
	const config_setting_t *parent = config_setting_parent(setting);
	const char *name = config_setting_name(setting);

	if (parent == NULL)
		return; /* the root has no name */
	path_append(parent, path);
	if (name == NULL)
		text_appendf(path, "[%d]", config_setting_index(setting));
	else
		text_appendf(path, "%s%s", path->length > 0 ? "." : "", name);
}

PRINTF_LIKE(5, 0)
static void note(struct reader *reader, bool warning, const config_setting_t *setting,
		 const char *key, const char *format, va_list arguments)
{
	CLEANUP(text_clear) struct text path = { .limit = 500 };
	char said[900];

	path_append(setting, &path);
	if (key[0] != '\0')
		text_appendf(&path, "%s%s", path.length > 0 ? "." : "", key);
	(void)vsnprintf(said, sizeof said, format, arguments); /* cut is fine */
	(warning ? fault_warn : fault_add)(reader->faults, reader->source->name,
					   setting_line(setting), text_string(&path), "%s",
					   said);
}

void reader_fault(struct reader *reader, const config_setting_t *setting, const char *format,
		  ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(reader, false, setting, "", format, arguments);
	va_end(arguments);
}

void reader_warn(struct reader *reader, const config_setting_t *setting, const char *format,
		 ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(reader, true, setting, "", format, arguments);
	va_end(arguments);
}

void reader_fault_in(struct reader *reader, const config_setting_t *setting, const char *key,
		     const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(reader, false, setting, key, format, arguments);
	va_end(arguments);
}

void reader_warn_in(struct reader *reader, const config_setting_t *setting, const char *key,
		    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(reader, true, setting, key, format, arguments);
	va_end(arguments);
}

/* --- the nearest known word --- */

enum { LONGEST_WORD = 64 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Letters to change, insert, drop or swap with a neighbour to get from a to b. */
static size_t distance(const char *a, const char *b)
{
	size_t row[3][LONGEST_WORD + 1];
	size_t length_a = strlen(a);
	size_t length_b = strlen(b);

	if (length_a > LONGEST_WORD || length_b > LONGEST_WORD)
		return SIZE_MAX;
	for (size_t j = 0; j <= length_b; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= length_a; i++) {
		size_t *now = row[i % 3];
		const size_t *before = row[(i + 2) % 3];

		now[0] = i;
		for (size_t j = 1; j <= length_b; j++) {
			now[j] = min3(before[j] + 1, now[j - 1] + 1,
				      before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    row[(i + 1) % 3][j - 2] + 1 < now[j])
				now[j] = row[(i + 1) % 3][j - 2] + 1;
		}
	}
	return row[length_a % 3][length_b];
}

void nearest_offer(struct nearest *nearest, const char *known)
{
	size_t d = distance(nearest->typed, known);

	if (nearest->best != NULL && d >= nearest->distance)
		return;
	nearest->best = known;
	nearest->distance = d;
}

const char *nearest_hint(const struct nearest *nearest, char out[static HINT_SIZE])
{
	out[0] = '\0';
	if (nearest->best != NULL && nearest->distance != SIZE_MAX)
		(void)snprintf(out, HINT_SIZE, "; the nearest known one is \"%.100s\"",
			       nearest->best); /* cut is fine */
	return out;
}

/* --- values --- */

const char *reader_copy(struct reader *reader, const char *string)
{
	const char *copy = arena_string(reader->arena, string);

	if (copy == NULL)
		reader->out_of_memory = true;
	return copy != NULL ? copy : "";
}

void *reader_alloc(struct reader *reader, size_t size)
{
	void *memory = arena_alloc(reader->arena, size);

	if (memory == NULL)
		reader->out_of_memory = true;
	return memory;
}

static bool spoilt(const struct reader *reader, const config_setting_t *setting)
{
	return scanned_has(&reader->source->scanned, setting_line(setting));
}

/* NULL when a line of a mail may hold it, which each text here may have to go into. */
static const char *unfit(const char *text)
{
	for (const char *c = text; *c != '\0';) {
		uint32_t character;
		size_t length = unicode_decode(c, &character);

		if (length == 0)
			return "is not UTF-8: save the file in that encoding";
		if (character < 0x20 || character == 0x7f)
			return "has a control character or a line end in its text";
		if (unicode_is_unsafe(character))
			return "has an invisible character that breaks a line or turns its "
			       "direction";
		c += length;
	}
	return NULL;
}

const char *reader_text(struct reader *reader, const config_setting_t *setting)
{
	const char *text = config_setting_get_string(setting);
	const char *wrong;

	if (text == NULL) {
		if (!spoilt(reader, setting))
			reader_fault(reader, setting, "must be a text in quotation marks");
		return NULL;
	}
	wrong = unfit(text);
	if (wrong == NULL)
		return text;
	reader_fault(reader, setting, "%s", wrong);
	return NULL;
}

static bool is_many(const config_setting_t *setting)
{
	return config_setting_is_array(setting) || config_setting_is_list(setting);
}

int reader_text_count(const config_setting_t *setting)
{
	return is_many(setting) ? config_setting_length(setting) : 1;
}

const char *reader_text_at(struct reader *reader, config_setting_t *setting, int place)
{
	if (is_many(setting))
		setting = config_setting_get_elem(setting, (unsigned)place);
	return reader_text(reader, setting);
}

static const char *checked_text(struct reader *reader, const config_setting_t *setting,
				const struct field *field)
{
	const char *text = reader_text(reader, setting);
	struct error error = { 0 };

	if (text == NULL)
		return NULL;
	if (field->check != NULL && field->check(text, &error) < 0) {
		reader_fault(reader, setting, "%s", error.text);
		return NULL;
	}
	return reader_copy(reader, text);
}

static void read_text(struct reader *reader, config_setting_t *setting,
		      const struct field *field, char *base)
{
	const char *text = checked_text(reader, setting, field);

	if (text != NULL)
		*(const char **)(void *)(base + field->at) = text;
}

static void read_texts(struct reader *reader, config_setting_t *setting,
		       const struct field *field, char *base)
{
	int count = reader_text_count(setting);
	const char **texts = reader_alloc(reader, ((size_t)count + 1) * sizeof *texts);
	size_t good = 0;

	if (texts == NULL)
		return;
	for (int i = 0; i < count; i++) {
		config_setting_t *one = is_many(setting)
						? config_setting_get_elem(setting, (unsigned)i)
						: setting;
		const char *text = checked_text(reader, one, field);

		for (size_t j = 0; text != NULL && j < good; j++)
			if (strcmp(texts[j], text) == 0) {
				reader_fault(reader, setting, "names \"%s\" twice", text);
				text = NULL;
			}
		if (text != NULL)
			texts[good++] = text;
	}
	if (field->required && count == 0)
		reader_fault(reader, setting, "must name at least one");
	*(const char *const **)(void *)(base + field->at) = texts;
	*(size_t *)(void *)(base + field->count_at) = good;
}

static void read_number(struct reader *reader, config_setting_t *setting,
			const struct field *field, char *base)
{
	int type = config_setting_type(setting);
	long long number = config_setting_get_int64(setting);

	if (spoilt(reader, setting))
		return;
	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
		reader_fault(reader, setting,
			     "must be a whole number, without quotation marks");
	else if (number < field->min || number > field->max)
		reader_fault(reader, setting, "%lld is outside %d..%d", number, field->min,
			     field->max);
	else
		*(int *)(void *)(base + field->at) = (int)number;
}

static void read_flag(struct reader *reader, config_setting_t *setting,
		      const struct field *field, char *base)
{
	if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
		*(bool *)(void *)(base + field->at) = config_setting_get_bool(setting) != 0;
	else if (!spoilt(reader, setting))
		reader_fault(reader, setting, "must be true or false");
}

static void read_choice(struct reader *reader, config_setting_t *setting,
			const struct field *field, char *base)
{
	const char *text = reader_text(reader, setting);
	struct nearest nearest = { .typed = text };
	char hint[HINT_SIZE];

	if (text == NULL)
		return;
	for (int i = 0; field->words[i] != NULL; i++) {
		if (strcmp(text, field->words[i]) == 0) {
			/* Every enum here is as wide as an int, as gcc and clang make them. */
			memcpy(base + field->at, &i, sizeof i);
			return;
		}
		nearest_offer(&nearest, field->words[i]);
	}
	reader_fault(reader, setting, "\"%s\" is not a choice here%s", text,
		     nearest_hint(&nearest, hint));
}

static void read_field(struct reader *reader, config_setting_t *setting,
		       const struct field *field, char *base)
{
	switch (field->kind) {
	case FIELD_TEXT:
		read_text(reader, setting, field, base);
		return;
	case FIELD_TEXTS:
		read_texts(reader, setting, field, base);
		return;
	case FIELD_NUMBER:
		read_number(reader, setting, field, base);
		return;
	case FIELD_FLAG:
		read_flag(reader, setting, field, base);
		return;
	case FIELD_CHOICE:
		read_choice(reader, setting, field, base);
		return;
	case FIELD_GROUP:
		reader_group(reader, setting, field->fields, field->field_count,
			     base + field->at);
		return;
	case FIELD_LIST:
		if (!config_setting_is_list(setting))
			reader_fault(reader, setting,
				     "must be a list in round brackets: ( {...}, {...} )");
		else
			field->custom(reader, setting, base + field->at);
		return;
	case FIELD_CUSTOM:
		field->custom(reader, setting, base + field->at);
		return;
	}
}

void reader_fallbacks(const struct field *fields, size_t count, void *base)
{
	for (size_t i = 0; i < count; i++) {
		const struct field *field = &fields[i];
		char *at = (char *)base + field->at;

		if (field->kind == FIELD_TEXT)
			*(const char **)(void *)at =
				field->fallback_text != NULL ? field->fallback_text : "";
		else if (field->kind == FIELD_NUMBER)
			*(int *)(void *)at = field->fallback;
		else if (field->kind == FIELD_FLAG)
			*(bool *)(void *)at = field->fallback != 0;
		else if (field->kind == FIELD_GROUP)
			reader_fallbacks(field->fields, field->field_count, at);
	}
}

static void unknown_key(struct reader *reader, const config_setting_t *setting,
			const struct field *fields, size_t count)
{
	struct nearest nearest = { .typed = config_setting_name(setting) };
	char hint[HINT_SIZE];

	for (size_t i = 0; i < count; i++)
		nearest_offer(&nearest, fields[i].name);
	reader_fault(reader, setting, "no such setting%s", nearest_hint(&nearest, hint));
}

void reader_group(struct reader *reader, config_setting_t *group, const struct field *fields,
		  size_t count, void *base)
{
	reader_fallbacks(fields, count, base);
	if (!config_setting_is_group(group)) {
		reader_fault(reader, group, "must be a group in curly brackets: { ... }");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		config_setting_t *setting = config_setting_get_member(group, fields[i].name);

		if (setting != NULL)
			read_field(reader, setting, &fields[i], base);
		else if (fields[i].required)
			reader_fault_in(reader, group, fields[i].name, "is required");
	}
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		size_t known = 0;

		while (known < count &&
		       strcmp(fields[known].name, config_setting_name(setting)) != 0)
			known++;
		if (known == count)
			unknown_key(reader, setting, fields, count);
	}
}

/* --- checks that several tables share --- */

int check_id(const char *text, struct error *error)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t length = strlen(text);

	if (length < 1 || length > 64 || strspn(text, allowed) != length)
		return error_set(error, EINVAL,
				 "\"%.80s\" must be 1 to 64 letters, digits, '.', '_' or '-'",
				 text);
	return 0;
}

int check_not_empty(const char *text, struct error *error)
{
	return text[0] != '\0' ? 0 : error_set(error, EINVAL, "must not be empty");
}

int check_link(const char *text, struct error *error)
{
	if (text[0] == '\0')
		return 0;
	if (strncmp(text, "https://", 8) != 0 || text[8] == '\0' || text[8] == '/')
		return error_set(error, EINVAL,
				 "\"%.100s\" must begin with https:// and a host", text);
	if (strpbrk(text, " \"<>\\^`|") != NULL)
		return error_set(error, EINVAL, "\"%.100s\" has a character that no link has",
				 text);
	return 0;
}
