/* lookup.c - see lookup.h. */
#include "ctl/lookup.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FUTURE_SECONDS = 300 }; /* what clocks may differ by */

static const char *store_advice(const struct error *error)
{
	return error->code == EACCES
		       ? "It takes the group that the store's folder belongs to, or root."
		       : "";
}

int ctl_open_store(struct ctl *ctl, struct store **ret)
{
	const struct config *config = ctl_config(ctl);
	struct error error = { 0 };

	if (config == NULL)
		return EXIT_COULD_NOT;
	if (store_open(config->store, ret, &error) < 0)
		return ctl_fail(ctl, &error, store_advice(&error));
	return EXIT_DONE;
}

int ctl_open_register(struct ctl *ctl, struct registrar **ret)
{
	const struct config *config = ctl_config(ctl);
	struct error error = { 0 };

	if (config == NULL)
		return EXIT_COULD_NOT;
	if (register_open(config->store, ret, &error) < 0)
		return ctl_fail(ctl, &error, store_advice(&error));
	return EXIT_DONE;
}

int ctl_directory(struct ctl *ctl, struct store *store, struct directory *ret)
{
	struct error error = { 0 };

	return store_directory(store, NULL, 0, ret, &error) < 0 ? ctl_fail(ctl, &error, "")
								: EXIT_DONE;
}

int ctl_writing_begin(struct ctl *ctl, struct writing *ret)
{
	CLEANUP(writing_clear) struct writing writing = { 0 };
	struct error error = { 0 };
	/* First, for it takes the store out of WAL mode: not while we have it open. */
	int status = ctl_open_register(ctl, &writing.registrar);

	if (status == EXIT_DONE && register_batch_begin(writing.registrar, &error) < 0)
		status = ctl_fail(ctl, &error, "");
	if (status == EXIT_DONE)
		status = ctl_open_store(ctl, &writing.store);
	if (status != EXIT_DONE)
		return status;
	*ret = TAKE(writing);
	return EXIT_DONE;
}

int ctl_writing_end(struct ctl *ctl, struct writing *writing, int status)
{
	struct error error = { 0 };

	if (status == EXIT_DONE && register_batch_end(writing->registrar, true, &error) < 0)
		status = ctl_fail(ctl, &error, "");
	writing_clear(writing);
	return status;
}

/* What is not committed is taken back by closing it. */
void writing_clear(struct writing *writing)
{
	register_closep(&writing->registrar);
	store_closep(&writing->store);
}

/* Only a mistyped reference pays for the walk through all of them. */
static int unknown_reference(struct ctl *ctl, struct store *store, const char *reference)
{
	CLEANUP(text_clear) struct text nearest = { 0 };
	struct challenge *challenge;
	struct error error = { 0 };

	if (store_changed_since(store, 0, &error) < 0)
		return ctl_fail(ctl, &error, "");
	for (;;) {
		int result = store_next(store, &challenge, &error);

		if (result < 0)
			return ctl_fail(ctl, &error, "");
		if (result == 0)
			break;
		if (challenge == NULL)
			continue;

		const char *known[] = { text_string(&nearest), challenge->reference };

		if (ctl_nearest(reference, known, COUNT(known)) == challenge->reference) {
			text_cut(&nearest, 0);
			text_append(&nearest, challenge->reference);
		}
	}

	const char *found = text_string(&nearest);

	return ctl_unknown(ctl, "challenge", reference, &found, found[0] != '\0' ? 1 : 0);
}

int ctl_find_challenge(struct ctl *ctl, struct store *store, const char *reference,
		       struct challenge **ret)
{
	struct error error = { 0 };
	int result = store_challenge_by_reference(store, reference, ret, &error);

	if (result < 0)
		return ctl_fail(ctl, &error, "");
	return result > 0 ? EXIT_DONE : unknown_reference(ctl, store, reference);
}

int ctl_find_policy(struct ctl *ctl, const char *typed, const struct policy **ret)
{
	CLEANUP(text_clear) struct text id = { 0 };
	const struct config *config = ctl_config(ctl);
	const char *version = strchr(typed, '@');
	struct error error = { 0 };

	if (config == NULL)
		return EXIT_COULD_NOT;
	text_append_bytes(&id, typed,
			  version != NULL ? (size_t)(version - typed) : strlen(typed));
	if (text_failed(&id)) {
		(void)error_memory(&error);
		return ctl_fail(ctl, &error, "");
	}
	*ret = config_policy(config, text_string(&id), version != NULL ? version + 1 : NULL,
			     &error);
	return *ret != NULL ? EXIT_DONE : ctl_fail(ctl, &error, "");
}

int ctl_policy_of(struct ctl *ctl, const struct challenge *challenge, const struct policy **ret)
{
	const struct config *config = ctl_config(ctl);
	struct error error = { 0 };

	if (config == NULL)
		return EXIT_COULD_NOT;
	*ret = config_policy(config, challenge->policy, challenge->policy_version, &error);
	if (*ret == NULL) {
		(void)error_wrap(&error, "%s", challenge->reference);
		return ctl_fail(ctl, &error, "");
	}
	return EXIT_DONE;
}

const char *ctl_doubt_of_sides(const char *raising, const char *receiving)
{
	return strcmp(raising, receiving) == 0
		       ? "the same agency on both sides: right only where two departments of "
			 "it disagree"
		       : NULL;
}

int ctl_check_agency(struct ctl *ctl, const struct directory *directory, const char *id)
{
	CLEANUP(freep) const char **known = NULL;

	for (size_t i = 0; i < directory->agency_count; i++)
		if (strcmp(directory->agencies[i].id, id) == 0)
			return EXIT_DONE;
	known = calloc(directory->agency_count + 1, sizeof *known);
	if (known == NULL)
		return ctl_cannot(ctl, "out of memory");
	for (size_t i = 0; i < directory->agency_count; i++)
		known[i] = directory->agencies[i].id;
	return ctl_unknown(ctl, "agency", id, known, directory->agency_count);
}

int ctl_find_contact(struct ctl *ctl, const struct directory *directory, const char *what,
		     const char *typed, const char *agency, int64_t *ret)
{
	int64_t id;

	if (typed == NULL) {
		*ret = 0;
		return EXIT_DONE;
	}
	if (!ctl_number(ctl, what, typed, &id))
		return EXIT_USAGE;
	for (size_t i = 0; i < directory->contact_count; i++) {
		const struct contact *contact = &directory->contacts[i];

		if (contact->id != id)
			continue;
		if (agency != NULL && strcmp(contact->agency, agency) != 0)
			return ctl_cannot(ctl,
					  "%s: contact %s works for \"%s\", not for \"%s\"",
					  what, typed, contact->agency, agency);
		*ret = id;
		return EXIT_DONE;
	}
	return ctl_cannot(ctl, "%s: there is no contact %s (see challengectl contact list)",
			  what, typed);
}

int ctl_check_role(struct ctl *ctl, const char *role)
{
	CLEANUP(freep) const char **known = NULL;
	const struct config *config = ctl_config(ctl);

	if (config == NULL)
		return EXIT_COULD_NOT;
	for (size_t i = 0; i < config->role_count; i++)
		if (strcmp(config->roles[i].id, role) == 0)
			return EXIT_DONE;
	known = calloc(config->role_count + 1, sizeof *known);
	if (known == NULL)
		return ctl_cannot(ctl, "out of memory");
	for (size_t i = 0; i < config->role_count; i++)
		known[i] = config->roles[i].id;
	return ctl_unknown(ctl, "role", role, known, config->role_count);
}

bool ctl_happened(struct ctl *ctl, const struct zone *zone, struct instant *ret)
{
	struct instant latest = instant_add(clock_now(ctl->clock), FUTURE_SECONDS);
	struct instant at;

	if (!ctl_now(ctl, zone, &at))
		return false;
	if (instant_before(latest, at)) {
		(void)ctl_usage(ctl, "--at: %s lies in the future; record what has happened",
				ctl->at);
		return false;
	}
	*ret = at;
	return true;
}

const char *ctl_time_text(const struct zone *zone, struct instant at,
			  char out[static INSTANT_TEXT_SIZE])
{
	out[0] = '\0';
	if (instant_is_never(at))
		return out;
	return instant_format(at, zone != NULL ? zone_offset(zone, at) : 0, out);
}
