/*
 * config_read - settings of a libconfig file read by tables of rows.
 *
 * A row says what a setting is called, of what kind it is, where it goes in a struct and what
 * it may be; the reader walks the group, writes what is right and notes what is not at its
 * line. Bytes reach libconfig only after config_scan and after a child process has survived
 * parsing them (facts.md 2). Private to the files that read configuration, config_*.c.
 */
#ifndef ADAPTER_CONFIG_READ_H
#define ADAPTER_CONFIG_READ_H

#include "adapter/config_scan.h"
#include "adapter/file_bytes.h"
#include "base/arena.h"
#include "base/error.h"

#include <libconfig.h>

/* One file on its way in. */
struct source {
	const char *name; /* as faults show it */
	struct file_bytes bytes;
	struct scanned scanned;
	config_t parsed;
	bool is_parsed;
};

struct reader {
	const struct source *source;
	struct arena *arena;
	struct fault_list *faults;
	bool out_of_memory;
	void *context; /* what the reading functions of the tables need besides */
};

enum field_kind {
	FIELD_TEXT,  /* const char *; copied into the arena */
	FIELD_TEXTS, /* const char *const * at `at`, size_t at `count_at`; one text is a list of
			one */
	FIELD_NUMBER, /* int */
	FIELD_FLAG,   /* bool */
	FIELD_CHOICE, /* an enum: the place of the word in `words` */
	FIELD_GROUP,  /* a group with rows of its own, in the same struct or one at `at` within
			 it */
	FIELD_CUSTOM, /* whatever `custom` makes of it */
	FIELD_LIST,   /* a list of groups, as a whole given to `custom` */
};

struct field {
	const char *name;
	enum field_kind kind;
	size_t at;
	size_t count_at;
	bool required;
	int min, max, fallback;     /* FIELD_NUMBER, FIELD_FLAG */
	const char *fallback_text;  /* FIELD_TEXT; NULL: "" */
	const char *const *words;   /* FIELD_CHOICE, ended by NULL */
	const struct field *fields; /* FIELD_GROUP */
	size_t field_count;
	/* FIELD_TEXT and each of FIELD_TEXTS: 0, or -EINVAL with what is wrong with the text.
	 */
	int (*check)(const char *text, struct error *error);
	void (*custom)(struct reader *reader, config_setting_t *setting, void *at);
};

/*
 * Scans the bytes that stand in `source`, has a child parse them and then parses them here.
 * False: faults say why. Free with source_clear either way.
 */
MUST_CHECK bool source_parse(struct source *source, const char *path,
			     struct fault_list *faults);
void source_clear(struct source *source);

/*
 * Reads a group by its rows into `base`; keys that have no row are faults. Fallbacks are
 * written first, so that the struct is whole whatever was wrong.
 */
void reader_group(struct reader *reader, config_setting_t *group, const struct field *fields,
		  size_t count, void *base);

/* The row's fallbacks alone, for a group that is left out. */
void reader_fallbacks(const struct field *fields, size_t count, void *base);

/* A copy in the arena; never NULL ("" when out of memory, which is noted). */
const char *reader_copy(struct reader *reader, const char *string);
void *reader_alloc(struct reader *reader, size_t size);

/* The text of a string setting; NULL after noting that it is not one, or that it holds
 * control characters. */
const char *reader_text(struct reader *reader, const config_setting_t *setting);

/* How many texts a setting holds (one alone, or an array or list of them); each by place. */
int reader_text_count(const config_setting_t *setting);
const char *reader_text_at(struct reader *reader, config_setting_t *setting, int place);

/* The line of a setting, and its path from the root: "policy.stages[0].limit". */
int setting_line(const config_setting_t *setting);
void reader_fault(struct reader *reader, const config_setting_t *setting, const char *format,
		  ...) PRINTF_LIKE(3, 4);
void reader_warn(struct reader *reader, const config_setting_t *setting, const char *format,
		 ...) PRINTF_LIKE(3, 4);
/* The same for a key inside the setting (one that is missing, say). */
void reader_fault_in(struct reader *reader, const config_setting_t *setting, const char *key,
		     const char *format, ...) PRINTF_LIKE(4, 5);
void reader_warn_in(struct reader *reader, const config_setting_t *setting, const char *key,
		    const char *format, ...) PRINTF_LIKE(4, 5);

/*
 * The known word nearest to a misspelt one, by the number of letters to change, insert, drop
 * or swap; NULL when none is near enough for a hint.
 */
struct nearest {
	const char *typed;
	const char *best;
	size_t distance;
};
void nearest_offer(struct nearest *nearest, const char *known);
/* "; nearest: \"x\"" or "" when nothing is near. Returns `out`. */
enum { HINT_SIZE = 160 };
const char *nearest_hint(const struct nearest *nearest, char out[static HINT_SIZE]);

/* 1..64 of letters, digits, '.', '_' and '-'. Fit for struct field. */
MUST_CHECK int check_id(const char *text, struct error *error);
/* Not empty. */
MUST_CHECK int check_not_empty(const char *text, struct error *error);
/* "https://..." without blanks, quotes or angle brackets; or "". */
MUST_CHECK int check_link(const char *text, struct error *error);

#endif
