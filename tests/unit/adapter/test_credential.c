/* test_credential.c - secrets are read as systemd puts them down, or refused in words. */
#include "adapter/credential.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct credential_case {
	const char *name;
	const char *credential;
	const char *content; /* NULL: no such file */
	size_t length;       /* 0: strlen */
	int want;
	const char *secret; /* or a part of the error */
} cases[] = {
	{ "a password as it is", "smtp-password", "correct horse", 0, 0, "correct horse" },
	{ "one line end is dropped", "smtp-password", "secret\n", 0, 0, "secret" },
	{ "so is that of another system", "smtp-password", "secret\r\n", 0, 0, "secret" },
	{ "but no more than one", "smtp-password", "secret\n\n", 0, 0, "secret\n" },
	{ "blanks belong to it", "a.b_C-9", " x ", 0, 0, " x " },
	{ "one that is missing says what the unit file lacks", "smtp-password", NULL, 0,
	  -ENOENT, "LoadCredential=smtp-password:FILE" },
	{ "an empty one is refused", "smtp-password", "\n", 0, -EINVAL, "empty" },
	{ "a NUL is refused", "smtp-password", "a\0b", 3, -EINVAL, "NUL" },
	{ "a path is refused", "../smtp-password", NULL, 0, -EINVAL, "credential name" },
	{ "a folder is refused", "..", NULL, 0, -EINVAL, "credential name" },
	{ "no name is refused", "", NULL, 0, -EINVAL, "credential name" },
	{ "a name with a line end is refused", "a\nb", NULL, 0, -EINVAL, "credential name" },
};

struct place {
	char folder[64];
	char file[128];
};

static void place_make(struct place *place, const char *name)
{
	(void)snprintf(place->folder, sizeof place->folder, "/tmp/test-credential-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	(void)snprintf(place->file, sizeof place->file, "%s/%s", place->folder, name);
}

static void place_write(const struct place *place, const char *content, size_t length)
{
	FILE *file = fopen(place->file, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static void place_remove(const struct place *place)
{
	(void)unlink(place->file);
	(void)rmdir(place->file);
	(void)rmdir(place->folder);
}

static void reads(void **state)
{
	const struct credential_case *c = *state;
	struct text secret = { 0 };
	struct error error = { 0 };
	struct place place;
	int r;

	place_make(&place, c->credential);
	if (c->content != NULL)
		place_write(&place, c->content,
			    c->length != 0 ? c->length : strlen(c->content));
	r = credential_read(place.folder, c->credential, &secret, &error);
	place_remove(&place);
	assert_int_equal(r, c->want);
	if (r == 0)
		assert_string_equal(text_string(&secret), c->secret);
	else
		assert_non_null(strstr(error.text, c->secret));
	credential_wipe(&secret);
	assert_null(secret.data);
}

static void without_a_folder(void **state)
{
	struct text secret = { 0 };
	struct error error = { 0 };

	(void)state;
	assert_int_equal(credential_read(NULL, "p", &secret, &error), -ENOENT);
	assert_non_null(strstr(error.text, "$CREDENTIALS_DIRECTORY"));
	assert_int_equal(credential_read("", "p", &secret, &error), -ENOENT);
}

static void at_its_limit(void **state)
{
	static char content[16 * 1024 + 1];
	struct text secret = { 0 };
	struct error error = { 0 };
	struct place place;
	int fits, longer;

	(void)state;
	memset(content, 'x', sizeof content);
	place_make(&place, "p");
	place_write(&place, content, sizeof content - 1);
	fits = credential_read(place.folder, "p", &secret, &error);
	place_write(&place, content, sizeof content);
	longer = credential_read(place.folder, "p", &secret, &error);
	place_remove(&place);
	assert_int_equal(fits, 0);
	assert_int_equal(secret.length, sizeof content - 1);
	assert_int_equal(longer, -EFBIG);
	credential_wipe(&secret);
}

static void not_a_plain_file(void **state)
{
	struct text secret = { 0 };
	struct error error = { 0 };
	struct place place;
	int folder, fifo;

	(void)state;
	place_make(&place, "p");
	assert_int_equal(mkdir(place.file, 0700), 0);
	folder = credential_read(place.folder, "p", &secret, &error);
	assert_int_equal(rmdir(place.file), 0);
	assert_int_equal(mkfifo(place.file, 0600), 0);
	fifo = credential_read(place.folder, "p", &secret, &error); /* and does not hang */
	place_remove(&place);
	assert_int_equal(folder, -EINVAL);
	assert_int_equal(fifo, -EINVAL);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(cases) + 3];
	size_t count = 0;

	for (size_t i = 0; i < COUNT(cases); i++)
		tests[count++] = (struct CMUnitTest){
			.name = cases[i].name,
			.test_func = reads,
			.initial_state = (void *)(uintptr_t)&cases[i],
		};
	tests[count++] = (struct CMUnitTest){ .name = "without a folder it says so",
					      .test_func = without_a_folder };
	tests[count++] = (struct CMUnitTest){ .name = "16 KiB fit, a byte more does not",
					      .test_func = at_its_limit };
	tests[count++] = (struct CMUnitTest){ .name = "what is no plain file is refused",
					      .test_func = not_a_plain_file };
	return cmocka_run_group_tests_name("credential", tests, NULL, NULL);
}
