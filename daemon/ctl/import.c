/*
 * import.c - `challengectl import`: a spreadsheet into the store. Every fault of the file is
 * told with its line, and unless there is none, nothing is written.
 */
#include "ctl/import.h"

#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/terminal.h"
#include "ctl/typed.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAPS_MOST = EXCHANGE_COLUMNS };

static void import_clear(struct import *import)
{
	csv_table_clear(&import->table);
	fault_list_clear(&import->faults);
	writing_clear(&import->writing);
	free(import->contacts);
	free(import->repeated);
}

/* --- values ---------------------------------------------------------------------------------
 */

const char *import_value(const struct import *import, const struct csv_row *row, int column)
{
	return import->place[column] < 0 ? NULL : row->field[import->place[column]];
}

const char *import_or(const struct import *import, const struct csv_row *row, int column,
		      const char *otherwise)
{
	const char *value = import_value(import, row, column);

	return value != NULL ? value : otherwise;
}

bool import_fault(struct import *import, const struct csv_row *row, int column,
		  const char *format, ...)
{
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments); /* cut is fine */
	va_end(arguments);
	for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?'; /* it quotes the file: one line it is */
	fault_add(&import->faults, import->file, row->line,
		  column < 0 ? "" : import->exchange->columns[column], "%s", text);
	return false;
}

bool import_refused(struct import *import, const struct csv_row *row, int column,
		    const struct error *error)
{
	if (error->code == EINVAL || error->code == EEXIST || error->code == ENOENT)
		return import_fault(import, row, column, "%s", error->text);
	(void)ctl_fail(import->ctl, error, "");
	import->broken = true;
	return false;
}

void import_warn(struct import *import, const struct csv_row *row, int column, const char *what)
{
	fault_warn(&import->faults, import->file, row->line, import->exchange->columns[column],
		   "%s", what);
}

bool import_unknown(struct import *import, const struct csv_row *row, int column,
		    const char *what, const char *word, const char *const *known, size_t count)
{
	const char *nearest = ctl_nearest_or_any(word, known, count);

	if (nearest == NULL)
		return import_fault(import, row, column, "there is no %s \"%.100s\"", what,
				    word);
	return import_fault(import, row, column,
			    "there is no %s \"%.100s\"; the nearest is \"%s\"", what, word,
			    nearest);
}

bool import_no_agency(struct import *import, const struct csv_row *row, int column,
		      const char *id)
{
	const struct directory *directory = &import->directory;
	CLEANUP(freep) const char **known = calloc(directory->agency_count + 1, sizeof *known);

	for (size_t i = 0; known != NULL && i < directory->agency_count; i++)
		known[i] = directory->agencies[i].id;
	return import_unknown(import, row, column, "agency", id, known,
			      known != NULL ? directory->agency_count : 0);
}

bool import_time(struct import *import, const struct csv_row *row, int column,
		 struct instant *ret)
{
	const char *value = import_value(import, row, column);

	if (value == NULL)
		return true;
	if (value[0] == '\0') {
		*ret = INSTANT_NEVER;
		return true;
	}
	if (typed_time(value, import->zone, ret))
		return true;
	return import_fault(import, row, column,
			    "\"%.60s\" is not a time: write 24/11/2026 10:00 or "
			    "2026-11-24 10:00",
			    value);
}

bool import_flag(struct import *import, const struct csv_row *row, int column, bool *ret)
{
	const char *value = import_or(import, row, column, "");

	if (value[0] == '\0' || exchange_flag(value, ret))
		return true;
	return import_fault(import, row, column, "\"%.60s\" is neither yes nor no", value);
}

/* True when this one is meant; the lowest id of those with an address is. */
static void match_person(const struct contact *contact, const char *typed, const char *agency,
			 int64_t *found)
{
	if (contact->id == 0 || (agency != NULL && strcmp(contact->agency, agency) != 0))
		return;
	if (strcasecmp(contact->email, typed) == 0 && (*found == 0 || contact->id < *found))
		*found = contact->id;
}

bool import_person(struct import *import, const struct csv_row *row, int column,
		   const char *agency, int64_t *ret)
{
	const char *typed = import_value(import, row, column);
	int64_t found = 0;

	if (typed == NULL)
		return true;
	if (typed[0] == '\0') {
		*ret = 0;
		return true;
	}
	/* Whether a number is anybody's, the store knows best. */
	if (strlen(typed) < 18 && strspn(typed, "0123456789") == strlen(typed)) {
		*ret = strtoll(typed, NULL, 10);
		return true;
	}
	for (size_t i = 0; i < import->directory.contact_count; i++)
		match_person(&import->directory.contacts[i], typed, agency, &found);
	for (size_t i = 0; import->contacts != NULL && i < import->table.count; i++)
		match_person(&import->contacts[i], typed, agency, &found);
	if (found == 0)
		return import_fault(import, row, column,
				    "nobody%s%.60s has the address \"%.100s\"; a contact's "
				    "number will do",
				    agency != NULL ? " of " : "", agency != NULL ? agency : "",
				    typed);
	*ret = found;
	return true;
}

/* --- the heading ----------------------------------------------------------------------------
 */

struct map {
	const char *text; /* "CSVCOLUMN=FIELD" as typed */
	bool used;
};

/* The field that a column of the file stands for: by a map, or by its own name. "": none. */
static const char *field_of(struct map *maps, size_t count, const char *column)
{
	size_t length = strlen(column);

	for (size_t i = 0; i < count; i++)
		if (strncmp(maps[i].text, column, length) == 0 && maps[i].text[length] == '=') {
			maps[i].used = true;
			return maps[i].text + length + 1;
		}
	return column;
}

static bool read_column(struct import *import, const struct csv_row *heading, size_t place,
			const char *field)
{
	const struct exchange *exchange = import->exchange;

	for (size_t i = 0; i < exchange->count; i++) {
		if (strcasecmp(exchange->columns[i], field) != 0)
			continue;
		if (import->place[i] >= 0)
			return import_fault(import, heading, (int)i, "stands there twice");
		import->place[i] = (int)place;
		return true;
	}
	return import_fault(import, heading, -1,
			    "column \"%.60s\" is none of the %s; say what it is with "
			    "--map '%.60s=FIELD', or leave it out with --map '%.60s='",
			    heading->field[place], exchange->name, heading->field[place],
			    heading->field[place]);
}

static void read_heading(struct import *import, struct map *maps, size_t count)
{
	const struct csv_row *heading = &import->table.row[0];

	for (size_t i = 0; i < COUNT(import->place); i++)
		import->place[i] = -1;
	if (heading->count == 1 && strpbrk(heading->field[0], ";\t") != NULL) {
		(void)import_fault(import, heading, -1,
				   "its columns are not divided by commas: save it as \"CSV "
				   "UTF-8 (comma delimited)\"");
		return;
	}
	for (size_t i = 0; i < heading->count; i++) {
		const char *field = field_of(maps, count, heading->field[i]);

		if (field[0] != '\0')
			(void)read_column(import, heading, i, field); /* noted */
	}
	for (size_t i = 0; i < count; i++)
		if (!maps[i].used)
			(void)import_fault(import, heading, -1,
					   "--map %.100s: the file has no such column",
					   maps[i].text);
}

/* --- keys that stand there twice ------------------------------------------------------------
 */

struct key {
	const char *text;
	const struct csv_row *row;
};

static int by_key(const void *left, const void *right)
{
	const struct key *a = left;
	const struct key *b = right;
	int order = strcmp(a->text, b->text);

	return order != 0 ? order : a->row->line - b->row->line;
}

/* The first column of every kind is its key. Rows without one are somebody else's fault. */
static bool check_keys(struct import *import)
{
	CLEANUP(freep) struct key *keys = calloc(import->table.count + 1, sizeof *keys);
	size_t count = 0;

	if (keys == NULL)
		return false;
	for (size_t i = 1; i < import->table.count; i++) {
		const struct csv_row *row = &import->table.row[i];

		if (row->count == import->table.row[0].count &&
		    import_or(import, row, 0, "")[0] != '\0')
			keys[count++] = (struct key){ import_value(import, row, 0), row };
	}
	qsort(keys, count, sizeof *keys, by_key);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(keys[i - 1].text, keys[i].text) != 0)
			continue;
		import->repeated[keys[i].row - import->table.row] = true;
		(void)import_fault(import, keys[i].row, 0,
				   "\"%.60s\" stands in line %d already", keys[i].text,
				   keys[i - 1].row->line);
	}
	return true;
}

/* --- the whole ------------------------------------------------------------------------------
 */

/* Spreadsheets save rows that were used once and emptied. */
static bool is_blank(const struct csv_row *row)
{
	for (size_t i = 0; i < row->count; i++)
		if (row->field[i][strspn(row->field[i], " ")] != '\0')
			return false;
	return true;
}

static void import_rows(struct import *import,
			bool (*one)(struct import *import, const struct csv_row *row))
{
	CLEANUP(progress_end)
	struct progress progress = progress_begin(import->ctl, import->exchange->name);

	for (size_t i = 1; i < import->table.count && !import->broken; i++) {
		const struct csv_row *row = &import->table.row[i];

		progress_step(&progress, i);
		if (is_blank(row) || import->repeated[i])
			continue;
		if (row->count == import->table.row[0].count)
			(void)one(import, row); /* its fault is noted */
		else if (one != import_deputy)
			(void)import_fault(import, row, -1,
					   "%zu fields, where the heading has %zu", row->count,
					   import->table.row[0].count);
	}
}

static void import_table(struct import *import)
{
	if (import->exchange == &exchanges[EXCHANGE_AGENCIES])
		import_rows(import, import_agency);
	else if (import->exchange == &exchanges[EXCHANGE_CHALLENGES])
		import_rows(import, import_challenge);
	else {
		import_rows(import, import_contact);
		import_rows(import, import_deputy);
	}
}

static int begin(struct import *import)
{
	int status = ctl_writing_begin(import->ctl, &import->writing);

	if (status == EXIT_DONE)
		status = ctl_directory(import->ctl, import->writing.store, &import->directory);
	if (status == EXIT_DONE)
		import->zone = calendar_zone(import->ctl->config->calendars[0].calendar);
	return status;
}

static int read_table(struct import *import, struct map *maps, size_t map_count)
{
	struct error error = { 0 };
	int line = 0;
	int result = csv_table_read(import->file, &import->table, &line, &error);

	if (result == -EINVAL) {
		fault_add(&import->faults, import->file, line, "", "%s", error.text);
		return EXIT_DONE;
	}
	if (result < 0) {
		(void)error_wrap(&error, "%s", import->file); /* its number is known */
		return ctl_fail(import->ctl, &error, "");
	}
	read_heading(import, maps, map_count);
	import->contacts = calloc(import->table.count, sizeof *import->contacts);
	import->repeated = calloc(import->table.count, sizeof *import->repeated);
	if (import->contacts == NULL || import->repeated == NULL)
		return ctl_cannot(import->ctl, "out of memory");
	return EXIT_DONE;
}

static json_t *faults_json(const struct fault_list *faults)
{
	json_t *list = json_array();

	for (size_t i = 0; i < faults->count; i++)
		if (json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:b}", "line",
							  faults->item[i].line, "column",
							  faults->item[i].key, "what",
							  faults->item[i].text, "warning",
							  faults->item[i].warning)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static int tell(struct import *import, bool written)
{
	struct ctl *ctl = import->ctl;
	bool sound = import->faults.errors == 0;
	int status;

	fault_sort(&import->faults);
	if (ctl->json) {
		status = ctl_print_json(ctl,
					json_pack("{s:s, s:b, s:I, s:I, s:I, s:o}", "kind",
						  import->exchange->name, "written", written,
						  "added", (json_int_t)import->added, "changed",
						  (json_int_t)import->changed, "unchanged",
						  (json_int_t)import->unchanged, "faults",
						  faults_json(&import->faults)));
		return status != EXIT_DONE ? status : sound ? EXIT_DONE : EXIT_NO;
	}
	for (size_t i = 0; i < import->faults.count; i++) {
		CLEANUP(text_clear) struct text line = { 0 };

		fault_format(&import->faults.item[i], &line);
		(void)fprintf(ctl->out, "%s\n", text_string(&line));
	}
	if (!sound)
		(void)fprintf(ctl->out, "Nothing was written.\n");
	else
		(void)fprintf(ctl->out, "%s%zu added, %zu changed, %zu unchanged\n",
			      written ? "" : "Dry run, nothing is written: ", import->added,
			      import->changed, import->unchanged);
	return sound ? EXIT_DONE : EXIT_NO;
}

static int import_file(struct import *import, struct map *maps, size_t map_count, bool dry_run)
{
	bool keep;
	int status = read_table(import, maps, map_count);

	if (status == EXIT_DONE && import->faults.errors == 0) {
		status = begin(import);
		if (status != EXIT_DONE)
			return status;
		if (!check_keys(import))
			return ctl_cannot(import->ctl, "out of memory");
		import_table(import);
		if (import->broken)
			return EXIT_COULD_NOT;
		keep = import->faults.errors == 0 && !import->faults.incomplete && !dry_run;
		if (keep)
			status = ctl_writing_end(import->ctl, &import->writing, EXIT_DONE);
		else
			writing_clear(&import->writing); /* who reads on keeps nobody out */
	}
	return status == EXIT_DONE ? tell(import, import->faults.errors == 0 && !dry_run)
				   : status;
}

static int take_maps(struct ctl *ctl, int *argc, char **argv, struct map *maps, size_t *count)
{
	for (;;) {
		const char *text = NULL;
		int found = ctl_option(ctl, argc, argv, "--map", &text);

		if (found <= 0)
			return found < 0 ? EXIT_USAGE : EXIT_DONE;
		if (strchr(text, '=') == NULL || text[0] == '=')
			return ctl_usage(ctl, "--map: write CSVCOLUMN=FIELD, not \"%s\"", text);
		if (*count == MAPS_MOST)
			return ctl_usage(ctl, "--map: at most %d of them", (int)MAPS_MOST);
		maps[(*count)++] = (struct map){ .text = text };
	}
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(import_clear) struct import import = { .ctl = ctl, .by = "" };
	struct map maps[MAPS_MOST] = { 0 };
	size_t map_count = 0;
	bool dry_run = ctl_flag(&argc, argv, "--dry-run");
	int status;

	import.update = ctl_flag(&argc, argv, "--update");
	status = take_maps(ctl, &argc, argv, maps, &map_count);
	if (status == EXIT_DONE && ctl_option(ctl, &argc, argv, "--by", &import.by) < 0)
		status = EXIT_USAGE;
	if (status == EXIT_DONE)
		status = ctl_arguments(ctl, argc, argv, 2, 2);
	if (status != EXIT_DONE)
		return status;
	import.exchange = exchange_find(argv[0]);
	if (import.exchange == NULL)
		return ctl_usage(ctl, "import agencies, contacts or challenges, not \"%s\"",
				 argv[0]);
	import.file = argv[1];
	import.now = clock_now(ctl->clock);
	return import_file(&import, maps, map_count, dry_run);
}

const struct command command_import = {
	.name = "import",
	.summary = "read agencies, contacts or challenges from CSV",
	.usage =
		"Usage: challengectl import agencies|contacts|challenges FILE [--update]\n"
		"         [--dry-run] [--map CSVCOLUMN=FIELD]... [--by NAME]\n"
		"\n"
		"FILE is CSV with a heading, as `challengectl export` writes it; dates may be\n"
		"24/11/2026. Every fault is told with its line, and then nothing is written.\n"
		"\n"
		"  --update    changes what is there: agencies by id, contacts by id, or by\n"
		"              agency and e-mail address, challenges by reference; columns "
		"that\n"
		"              the file lacks stay as they are\n"
		"  --dry-run   checks it all, and writes nothing\n"
		"  --map       what a column of the file is; with nothing behind the '=', it "
		"is\n"
		"              left out\n"
		"\n"
		"An old challenge that is open is late the moment it is imported: look at\n"
		"`challengectl forecast` before the daemon does.\n"
		"\n"
		"Example:\n"
		"  challengectl import challenges log.csv --dry-run \\\n"
		"      --map 'Ref No=reference' --map 'Date raised=raised_at'\n",
	.run = run,
};
