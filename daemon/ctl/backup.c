/*
 * backup.c - `challengectl backup`: store and ledger copied while everything runs, each as it
 * stands at one moment, into a new folder; the copy of the ledger is verified.
 */
#include "adapter/ledger_care.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/ledger_access.h"
#include "ctl/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ledger_name[] = "ledger.db"; /* as ledger_open looks for it */
static const char store_name[] = "challenges.db";

/* The folder while it is being made; gone again unless `done`. */
struct making {
	struct text folder;
	struct text ledger;
	struct text store;
	bool made;
	bool done;
};

static void making_clear(struct making *making)
{
	if (making->made && !making->done) {
		/* What cannot be removed is told apart by its name, ".new-". */
		(void)unlink(text_string(&making->ledger));
		(void)unlink(text_string(&making->store));
		(void)rmdir(text_string(&making->folder));
	}
	text_clear(&making->folder);
	text_clear(&making->ledger);
	text_clear(&making->store);
}

static int begin(struct making *making, const char *folder, struct error *error)
{
	struct stat status;
	int code;

	if (lstat(folder, &status) == 0)
		return error_set(error, EEXIST,
				 "%s: it is there already; a backup is never "
				 "overwritten",
				 folder);
	text_appendf(&making->folder, "%s.new-XXXXXX", folder);
	if (text_failed(&making->folder))
		return error_memory(error);
	if (mkdtemp(making->folder.data) == NULL) {
		code = errno;
		return error_set(error, code, "%s: %s", folder, strerror(code));
	}
	making->made = true;
	text_appendf(&making->ledger, "%s/%s", making->folder.data, ledger_name);
	text_appendf(&making->store, "%s/%s", making->folder.data, store_name);
	return text_failed(&making->ledger) || text_failed(&making->store) ? error_memory(error)
									   : 0;
}

static int sync_at(const char *path, struct error *error)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	int code = descriptor < 0 || fsync(descriptor) < 0 ? errno : 0;

	if (descriptor >= 0)
		(void)close(descriptor); /* synced above */
	return code == 0 ? 0 : error_set(error, code, "%s: %s", path, strerror(code));
}

/* Nobody may put something in its place meanwhile. */
static int finish(struct making *making, const char *folder, struct error *error)
{
	int result = sync_at(text_string(&making->folder), error);
	int code;

	if (result < 0)
		return result;
	if (renameat2(AT_FDCWD, text_string(&making->folder), AT_FDCWD, folder,
		      RENAME_NOREPLACE) < 0) {
		code = errno;
		return error_set(error, code, "%s: %s", folder, strerror(code));
	}
	making->done = true;
	return 0;
}

/*
 * The ledger first: what is recorded in the store between the two is in the copy of the store
 * alone, and is decided after a restore as it would have been. The other way round it would be
 * decided about, and lost.
 */
static int copy_both(struct ctl *ctl, struct making *making)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	CLEANUP(store_closep) struct store *store = NULL;
	struct error error = { 0 };
	int status = ctl_ledger(ctl, LEDGER_READ, &ledger);

	if (status == EXIT_DONE)
		status = ctl_open_store(ctl, &store);
	if (status != EXIT_DONE)
		return status;
	if (ledger_backup(ledger, text_string(&making->ledger), &error) < 0 ||
	    store_backup(store, text_string(&making->store), &error) < 0)
		return ctl_fail(ctl, &error, "");
	return EXIT_DONE;
}

static int verify(struct ctl *ctl, const char *folder, struct ledger_verification *ret)
{
	CLEANUP(ledger_closep) struct ledger *ledger = NULL;
	struct error error = { 0 };

	if (ledger_open(folder, LEDGER_READ, &ledger, &error) < 0 ||
	    ctl_verify(ctl, ledger, ret, &error) < 0)
		return ctl_fail(ctl, &error, "");
	return EXIT_DONE;
}

static int tell(struct ctl *ctl, const char *folder, const struct ledger_verification *found)
{
	bool intact = found->what[0] == '\0';
	int status = EXIT_DONE;

	if (ctl->json)
		status = ctl_print_json(ctl, json_pack("{s:s, s:b, s:I, s:s, s:s}", "folder",
						       folder, "intact", intact, "entries",
						       (json_int_t)found->entries, "head",
						       found->head, "what", found->what));
	else
		(void)fprintf(ctl->out, "%s: %s and %s\nledger: %lld %s, %s%s; head %s\n",
			      folder, store_name, ledger_name, (long long)found->entries,
			      text_plural(found->entries, "entry", "entries"),
			      intact ? "intact" : "NOT intact: ", found->what, found->head);
	return status != EXIT_DONE ? status : intact ? EXIT_DONE : EXIT_NO;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	CLEANUP(making_clear) struct making making = { 0 };
	struct ledger_verification found = { 0 };
	struct error error = { 0 };
	int status = ctl_arguments(ctl, argc, argv, 1, 1);

	if (status != EXIT_DONE)
		return status;
	if (ctl_config(ctl) == NULL)
		return EXIT_COULD_NOT;
	if (begin(&making, argv[0], &error) < 0)
		return ctl_fail(ctl, &error, "");
	status = copy_both(ctl, &making);
	if (status == EXIT_DONE)
		status = verify(ctl, text_string(&making.folder), &found);
	if (status != EXIT_DONE)
		return status;
	if (finish(&making, argv[0], &error) < 0)
		return ctl_fail(ctl, &error, "");
	return tell(ctl, argv[0], &found);
}

const struct command command_backup = {
	.name = "backup",
	.summary = "copy store and ledger into a new folder, while everything runs",
	.usage =
		"Usage: challengectl backup FOLDER\n"
		"\n"
		"FOLDER must not be there yet; it is readable by this user alone. The copy is\n"
		"checked, and its ledger verified: exit status 1 when that is not intact. How "
		"to\n"
		"put it back: BACKUP AND RESTORE in challenge-notifyd(8).\n"
		"\n"
		"Example:\n"
		"  challengectl backup /var/backups/challenge-notifyd/2026-11-23\n",
	.run = run,
};
