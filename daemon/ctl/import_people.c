/* import_people.c - one row of agencies or contacts into the store, checked. */
#include "ctl/import.h"

#include "core/address.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- agencies -------------------------------------------------------------------------------
 */

static bool check_calendar(struct import *import, const struct csv_row *row,
			   const struct agency *agency)
{
	const struct config *config = import->ctl->config;
	const char *known[16];
	size_t count = 0;

	if (agency->calendar[0] == '\0' || config_calendar(config, agency->calendar) != NULL)
		return true;
	for (size_t i = 0; i < config->calendar_count && count < COUNT(known); i++)
		known[count++] = config->calendars[i].id;
	return import_unknown(import, row, AGENCY_CALENDAR, "calendar", agency->calendar, known,
			      count);
}

static bool is_same_agency(const struct agency *a, const struct agency *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->telephone, b->telephone) == 0 &&
	       strcmp(a->calendar, b->calendar) == 0 && a->cover == b->cover;
}

bool import_agency(struct import *import, const struct csv_row *row)
{
	const char *id = import_or(import, row, AGENCY_ID, "");
	const struct agency *old = directory_agency(&import->directory, id);
	struct agency agency = { .name = "", .telephone = "", .calendar = "" };
	struct registrar *registrar = import->writing.registrar;
	struct error error = { 0 };
	int result;

	if (id[0] == '\0')
		return import_fault(import, row, AGENCY_ID, "every agency needs one");
	if (old != NULL && !import->update)
		return import_fault(import, row, AGENCY_ID,
				    "there is an agency \"%.60s\" already; --update changes it",
				    id);
	if (old != NULL)
		agency = *old;
	agency.id = id;
	agency.name = import_or(import, row, AGENCY_NAME, agency.name);
	agency.telephone = import_or(import, row, AGENCY_TELEPHONE, agency.telephone);
	agency.calendar = import_or(import, row, AGENCY_CALENDAR, agency.calendar);
	if (!import_person(import, row, AGENCY_COVER, NULL, &agency.cover) ||
	    !check_calendar(import, row, &agency))
		return false;
	if (old != NULL && is_same_agency(old, &agency)) {
		import->unchanged++;
		return true;
	}
	result = old != NULL ? register_change_agency(registrar, old, &agency, &error)
			     : register_agency(registrar, &agency, &error);
	if (result < 0)
		return import_refused(import, row, -1, &error);
	old != NULL ? import->changed++ : import->added++;
	return true;
}

/* --- contacts -------------------------------------------------------------------------------
 */

static bool check_contact(struct import *import, const struct csv_row *row,
			  const struct contact *contact)
{
	const struct config *config = import->ctl->config;
	const char *known[64];
	size_t count = 0;
	struct error error = { 0 };

	if (contact->agency[0] == '\0' || contact->role[0] == '\0' || contact->email[0] == '\0')
		return import_fault(import, row, -1,
				    "a contact needs an agency, a role and an e-mail address");
	if (directory_agency(&import->directory, contact->agency) == NULL)
		return import_no_agency(import, row, CONTACT_AGENCY, contact->agency);
	if (address_check(contact->email, &error) < 0)
		return import_fault(import, row, CONTACT_EMAIL, "%s", error.text);
	if (!address_is_allowed(contact->email, config->mail.allow_domains,
				config->mail.allow_domain_count))
		return import_fault(import, row, CONTACT_EMAIL,
				    "\"%s\" is in no domain of mail.allow_domains",
				    contact->email);
	for (size_t i = 0; i < config->role_count; i++) {
		if (strcmp(config->roles[i].id, contact->role) == 0)
			return true;
		if (count < COUNT(known))
			known[count++] = config->roles[i].id;
	}
	return import_unknown(import, row, CONTACT_ROLE, "role", contact->role, known, count);
}

/* "": not given. */
static bool typed_id(struct import *import, const struct csv_row *row, int64_t *ret)
{
	const char *typed = import_or(import, row, CONTACT_ID, "");

	if (typed[0] == '\0')
		return true;
	if (strlen(typed) > 15 || strspn(typed, "0123456789") != strlen(typed) ||
	    strtoll(typed, NULL, 10) == 0)
		return import_fault(import, row, CONTACT_ID,
				    "\"%.60s\" is not a positive number", typed);
	*ret = strtoll(typed, NULL, 10);
	return true;
}

static bool is_meant(const struct contact *contact, const char *agency, const char *email,
		     const char *role)
{
	return strcmp(contact->agency, agency) == 0 && strcasecmp(contact->email, email) == 0 &&
	       (role == NULL || strcmp(contact->role, role) == 0);
}

/* How many of the store are meant; the last of them in *ret. `role` NULL: whatever it is. */
static size_t count_meant(const struct import *import, const struct csv_row *row,
			  const char *role, const struct contact **ret)
{
	const char *agency = import_or(import, row, CONTACT_AGENCY, "");
	const char *email = import_or(import, row, CONTACT_EMAIL, "");
	size_t found = 0;

	for (size_t i = 0; i < import->directory.contact_count; i++)
		if (is_meant(&import->directory.contacts[i], agency, email, role)) {
			*ret = &import->directory.contacts[i];
			found++;
		}
	return found;
}

/* Who of the store is meant: by id, else by agency and address, else with the role as well. */
static bool find_old(struct import *import, const struct csv_row *row, int64_t id,
		     const struct contact **ret)
{
	const char *role = import_or(import, row, CONTACT_ROLE, "");
	const struct contact *found = NULL;
	size_t at_address;
	size_t with_role;

	if (id != 0) {
		*ret = directory_contact(&import->directory, id);
		return true;
	}
	at_address = count_meant(import, row, NULL, &found);
	if (!import->update || at_address != 1) {
		found = NULL;
		with_role = count_meant(import, row, role, &found);
		if (with_role > 1 || (with_role == 0 && at_address > 0 && role[0] == '\0'))
			return import_fault(import, row, CONTACT_EMAIL,
					    "%zu contacts have it there: say which by the id",
					    at_address);
	}
	*ret = found;
	return true;
}

static bool same_contact(const struct contact *a, const struct contact *b)
{
	return strcmp(a->agency, b->agency) == 0 && strcmp(a->role, b->role) == 0 &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->email, b->email) == 0 &&
	       strcmp(a->language, b->language) == 0 && a->shared == b->shared &&
	       a->active == b->active && instant_equal(a->away_from, b->away_from) &&
	       instant_equal(a->away_until, b->away_until) &&
	       instant_equal(a->confirmed_at, b->confirmed_at);
}

static bool read_contact(struct import *import, const struct csv_row *row, struct contact *ret)
{
	ret->agency = import_or(import, row, CONTACT_AGENCY, ret->agency);
	ret->role = import_or(import, row, CONTACT_ROLE, ret->role);
	ret->name = import_or(import, row, CONTACT_NAME, ret->name);
	ret->email = import_or(import, row, CONTACT_EMAIL, ret->email);
	ret->language = import_or(import, row, CONTACT_LANGUAGE, ret->language);
	if (ret->language[0] == '\0' && import_value(import, row, CONTACT_LANGUAGE) != NULL)
		ret->language = "en";
	return import_flag(import, row, CONTACT_SHARED, &ret->shared) &&
	       import_flag(import, row, CONTACT_ACTIVE, &ret->active) &&
	       import_time(import, row, CONTACT_AWAY_FROM, &ret->away_from) &&
	       import_time(import, row, CONTACT_AWAY_UNTIL, &ret->away_until) &&
	       import_time(import, row, CONTACT_CONFIRMED_AT, &ret->confirmed_at) &&
	       check_contact(import, row, ret);
}

static bool write_contact(struct import *import, const struct csv_row *row,
			  const struct contact *old, struct contact *contact)
{
	struct error error = { 0 };
	int result;

	if (old != NULL && same_contact(old, contact)) {
		import->unchanged++;
		return true;
	}
	/* A new address is tried again from here, and erasure (see purge) counts from here. */
	if (old != NULL && import_value(import, row, CONTACT_CONFIRMED_AT) == NULL &&
	    (old->active != contact->active || strcmp(old->email, contact->email) != 0))
		contact->confirmed_at = import->now;
	if (old != NULL)
		result = register_change_contact(import->writing.registrar, old, contact,
						 &error);
	else
		result = register_contact(import->writing.registrar, contact, &contact->id,
					  &error);
	if (result < 0)
		return import_refused(import, row, -1, &error);
	old != NULL ? import->changed++ : import->added++;
	return true;
}

bool import_contact(struct import *import, const struct csv_row *row)
{
	const struct contact *old = NULL;
	struct contact contact = { .agency = "",
				   .role = "",
				   .name = "",
				   .email = "",
				   .language = "en",
				   .active = true,
				   .away_from = INSTANT_NEVER,
				   .away_until = INSTANT_NEVER,
				   .confirmed_at = import->now };

	if (!typed_id(import, row, &contact.id) || !find_old(import, row, contact.id, &old))
		return false;
	if (old != NULL && !import->update)
		return import_fault(import, row, -1,
				    "there is contact %lld already; --update changes it",
				    (long long)old->id);
	if (old != NULL)
		contact = *old;
	if (!read_contact(import, row, &contact) || !write_contact(import, row, old, &contact))
		return false;
	import->contacts[row - import->table.row] = contact;
	return true;
}

bool import_deputy(struct import *import, const struct csv_row *row)
{
	struct contact *contact = &import->contacts[row - import->table.row];
	const struct contact was = *contact;
	struct error error = { 0 };

	if (contact->id == 0 ||
	    !import_person(import, row, CONTACT_DEPUTY, NULL, &contact->deputy))
		return false;
	if (register_change_contact(import->writing.registrar, &was, contact, &error) < 0)
		return import_refused(import, row, CONTACT_DEPUTY, &error);
	return true;
}
