/* test_template_file.c - the shipped folder loads; every slip in an edited one is named by
 * line. */
#include "adapter/template_file.h"

#include "core/language.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SHIPPED "conf/templates"

/* ---- a copy of the shipped folder to spoil ----------------------------------------------- */

static void run(const char *command)
{
	assert_int_equal(system(command), 0);
}

static int copy_folder(void **state)
{
	char *folder = strdup("/tmp/test_template_file.XXXXXX");
	char command[300];

	if (folder == NULL || mkdtemp(folder) == NULL)
		return -1;
	snprintf(command, sizeof command, "cp -R " SHIPPED "/. %s", folder);
	run(command);
	*state = folder;
	return 0;
}

static int remove_folder(void **state)
{
	char command[300];

	snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
	run(command);
	free(*state);
	return 0;
}

static void write_bytes(const char *folder, const char *name, const char *bytes, size_t length,
			const char *mode)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, mode);
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

/* ---- slips ------------------------------------------------------------------------------- */

static const struct slip {
	const char *name;
	const char *file;
	const char *content;
	const char *mode; /* "w": instead; "a": at the end; "d": the file is taken away */
	int line;
	const char *key;
	const char *says;
} slips[] = {
	{ "a placeholder that no mail may use", "en/reminder.txt",
	  "{headline}\n\n{note}\n{foot}", "w", 3, "", "note" },
	{ "a section left open", "en/breach.txt", "{?due}\nx\n", "w", 3, "", "left open" },
	{ "a repeat outside the digest", "en/quiet.txt", "{#notices}{/notices}", "w", 1, "",
	  "repeat" },
	{ "the fixed text with anything but the reference", "en/safe.txt", "{headline}", "w", 1,
	  "", "headline" },
	{ "a foot within the foot", "en/foot.txt", "{foot}", "w", 1, "", "foot" },
	{ "an empty template", "en/alarm.txt", " \n\n", "w", 1, "", "empty" },
	{ "a template that is missing", "en/overdue.txt", "", "d", 0, "", "missing" },
	{ "a template that no mail uses", "en/remindr.txt", "x", "w", 0, "", "no mail" },
	{ "bytes that are not UTF-8", "en/inform.txt", "a\nb\xff\n", "w", 2, "", "UTF-8" },
	{ "a control character", "en/inform.txt", "a\nb\nc\x1b\n", "w", 3, "", "control" },
	{ "an override of direction", "en/phrases", "\xe2\x80\xae\n", "w", 1, "", "direction" },
	{ "phrases without a key", "en/phrases", "# x\n\nno sign here\n", "w", 3, "",
	  "key = text" },
	{ "a phrase that means nothing", "cy/phrases", "# x\nsubject.remindr = x\n", "w", 2,
	  "subject.remindr", "subject.reminder" },
	{ "an empty phrase", "cy/phrases", "owed =\n", "w", 1, "owed", "empty" },
	{ "a phrase twice", "cy/phrases", "owed = a\nowed = b\n", "w", 2, "owed", "already" },
	{ "a phrase with a gap of others", "cy/phrases", "\njoin = {a}, {due}\n", "w", 2,
	  "join", "due" },
	{ "a phrase with a gap that no mail may use", "cy/phrases", "greeting = {email}\n", "w",
	  1, "greeting", "email" },
	{ "a phrase that is missing", "en/phrases", "owed = a reply\n", "w", 0, "language_tag",
	  "missing" },
	{ "phrases that are missing", "en/phrases", "", "d", 0, "language_tag", "missing" },
	{ "a placeholder that no mail may use, in HTML", "en/reminder.html", "<p>\n{note}</p>",
	  "w", 2, "", "note" },
	{ "an element that no mail may use", "en/quiet.html", "<p>\n\n<img></p>", "w", 3, "",
	  "element: img" },
	{ "a link that is not one", "en/quiet.html", "<a\nhref=\"{name}\">x</a>", "w", 2, "",
	  "href" },
	{ "an element left open", "cy/quiet.html", "<p>a", "w", 1, "", "left open" },
	{ "the frame's gap outside the frame", "en/quiet.html", "{content}", "w", 1, "",
	  "content" },
	{ "an HTML template that is missing", "en/overdue.html", "", "d", 0, "", "missing" },
	{ "an HTML template that no mail uses", "en/remindr.html", "x", "w", 0, "", "no mail" },
	{ "a fixed text in HTML", "en/safe.html", "x", "w", 0, "", "no mail" },
	{ "a frame of plain text", "en/frame.txt", "x", "w", 0, "", "no mail" },
	{ "a template of another language is checked as well", "cy/quiet.txt", "{child}", "w",
	  1, "", "child" },
};

static bool is_named(const struct fault_list *faults, const struct slip *slip)
{
	for (size_t i = 0; i < faults->count; i++) {
		const struct fault *fault = &faults->item[i];
		size_t length = strlen(fault->file);
		size_t wanted = strlen(slip->file);

		if (length > wanted && strcmp(fault->file + length - wanted, slip->file) == 0 &&
		    fault->line == slip->line && strcmp(fault->key, slip->key) == 0 &&
		    strstr(fault->text, slip->says) != NULL && !fault->warning)
			return true;
	}
	return false;
}

static void names_the_slip(void **state)
{
	const struct slip *slip = *state;
	struct fault_list faults = { 0 };
	struct error error = { 0 };
	struct language_set *set;
	void *folder = NULL;
	char path[300];
	bool named;

	assert_int_equal(copy_folder(&folder), 0);
	snprintf(path, sizeof path, "%s/%s", (char *)folder, slip->file);
	if (slip->mode[0] == 'd')
		assert_int_equal(remove(path), 0);
	else
		write_bytes(folder, slip->file, slip->content, strlen(slip->content),
			    slip->mode);
	set = template_file_load(folder, &faults, &error);
	named = is_named(&faults, slip);
	for (size_t i = 0; !named && i < faults.count; i++)
		print_message("%s:%d: %s: %s\n", faults.item[i].file, faults.item[i].line,
			      faults.item[i].key, faults.item[i].text);
	fault_list_clear(&faults);
	remove_folder(&folder);
	assert_null(set);
	assert_int_equal(error.code, EINVAL);
	assert_true(named);
}

/* ---- what loads -------------------------------------------------------------------------- */

static struct language_set *load(const char *folder)
{
	struct fault_list faults = { 0 };
	struct error error = { 0 };
	struct language_set *set = template_file_load(folder, &faults, &error);

	assert_int_equal(faults.count, 0);
	assert_non_null(set);
	fault_list_clear(&faults);
	return set;
}

static void the_shipped_folder_loads(void **state)
{
	struct language_set *set = load(SHIPPED);
	const struct language *english = template_file_language(set, "en");
	const struct language *welsh = template_file_language(set, "cy");

	(void)state;
	assert_string_equal(language_name(english), "en");
	assert_string_equal(language_tag(english), "en-GB");
	assert_string_equal(language_name(welsh), "cy");
	assert_string_equal(language_tag(welsh), "cy-GB");
	assert_ptr_equal(template_file_language(set, "cy-GB"), welsh);
	assert_ptr_equal(template_file_language(set, "CY"), welsh);
	assert_ptr_equal(template_file_language(set, "cym"), english);
	assert_ptr_equal(template_file_language(set, "en-GB"), english);
	assert_ptr_equal(template_file_language(set, "fr"), english);
	assert_ptr_equal(template_file_language(set, "../cy"), english);
	assert_ptr_equal(template_file_language(set, ""), english);
	template_file_destroy(set);
}

static void what_welsh_lacks_is_taken_from_english(void **state)
{
	struct language_set *set = load(SHIPPED);
	const struct language *english = template_file_language(set, "en");
	const struct language *welsh = template_file_language(set, "cy");

	(void)state;
	assert_string_equal(language_phrase(welsh, "weekday.thursday"), "dydd Iau");
	assert_ptr_equal(language_phrase(welsh, "subject.quiet"),
			 language_phrase(english, "subject.quiet"));
	assert_ptr_equal(language_template(welsh, TEMPLATE_BREACH),
			 language_template(english, TEMPLATE_BREACH));
	template_file_destroy(set);
}

static void a_welsh_template_comes_before_the_english_one(void **state)
{
	struct language_set *set;

	write_bytes(*state, "cy/quiet.txt", "Tawel\n", 6, "w");
	set = load(*state);
	assert_string_equal(
		language_template(template_file_language(set, "cy"), TEMPLATE_QUIET),
		"Tawel\n");
	template_file_destroy(set);
}

static void without_the_frame_mails_are_text(void **state)
{
	char command[300];
	struct language_set *set;

	snprintf(command, sizeof command, "rm %s/en/frame.html %s/en/quiet.html",
		 (char *)*state, (char *)*state);
	run(command);
	set = load(*state);
	assert_null(language_html(template_file_language(set, "en"), TEMPLATE_FRAME));
	template_file_destroy(set);
}

static void line_ends_and_marks_of_other_systems_are_no_fault(void **state)
{
	static const char text[] = "\xef\xbb\xbf{headline}\r\n\r\n{foot}\r\n";
	struct language_set *set;

	write_bytes(*state, "en/quiet.txt", text, sizeof text - 1, "w");
	set = load(*state);
	assert_string_equal(
		language_template(template_file_language(set, "en"), TEMPLATE_QUIET),
		"{headline}\n\n{foot}\n");
	template_file_destroy(set);
}

static void backups_of_an_editor_are_passed_over(void **state)
{
	write_bytes(*state, "en/quiet.txt~", "{child}", 7, "w");
	write_bytes(*state, "en/.hidden.txt", "{child}", 7, "w");
	write_bytes(*state, "README", "x", 1, "w");
	template_file_destroy(load(*state));
}

static void assert_refused(const char *folder, const char *says)
{
	struct fault_list faults = { 0 };
	struct error error = { 0 };

	assert_null(template_file_load(folder, &faults, &error));
	assert_true(faults.errors > 0);
	assert_non_null(strstr(faults.item[0].text, says));
	assert_true(error.text[0] != '\0');
	fault_list_clear(&faults);
}

static void a_folder_without_english_is_refused(void **state)
{
	char command[300];

	snprintf(command, sizeof command, "rm -r %s/en", (char *)*state);
	run(command);
	assert_refused(*state, "\"en\"");
	assert_refused("/nonexistent/templates", "No such file");
}

static void a_file_too_large_is_refused(void **state)
{
	char *large = calloc(1, 70000);

	assert_non_null(large);
	memset(large, 'x', 70000);
	write_bytes(*state, "en/quiet.txt", large, 70000, "w");
	free(large);
	assert_refused(*state, "larger");
}

static void a_nul_byte_is_refused(void **state)
{
	write_bytes(*state, "en/quiet.txt", "a\0b", 3, "w");
	assert_refused(*state, "NUL");
}

static void a_fifo_is_refused_and_does_not_hang(void **state)
{
	char path[300];

	snprintf(path, sizeof path, "%s/en/quiet.txt", (char *)*state);
	assert_int_equal(remove(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(*state, "not a file");
}

int main(void)
{
	static const struct CMUnitTest loads[] = {
		cmocka_unit_test(the_shipped_folder_loads),
		cmocka_unit_test(what_welsh_lacks_is_taken_from_english),
#define WITH_COPY(test) cmocka_unit_test_setup_teardown(test, copy_folder, remove_folder)
		WITH_COPY(a_welsh_template_comes_before_the_english_one),
		WITH_COPY(without_the_frame_mails_are_text),
		WITH_COPY(line_ends_and_marks_of_other_systems_are_no_fault),
		WITH_COPY(backups_of_an_editor_are_passed_over),
		WITH_COPY(a_folder_without_english_is_refused),
		WITH_COPY(a_file_too_large_is_refused),
		WITH_COPY(a_nul_byte_is_refused),
		WITH_COPY(a_fifo_is_refused_and_does_not_hang),
	};
	struct CMUnitTest tests[COUNT(slips)];
	int failed;

	for (size_t i = 0; i < COUNT(slips); i++)
		tests[i] = (struct CMUnitTest){ .name = slips[i].name,
						.test_func = names_the_slip,
						.initial_state = (void *)&slips[i] };
	failed = cmocka_run_group_tests_name("slips", tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("loading", loads, NULL, NULL);
	return failed;
}
