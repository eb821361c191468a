/*
 * appointment - a due date as an entry for a calendar (RFC 5545), to be attached to a mail.
 *
 * Published, not an invitation: nobody is asked to accept. A later one of the same UID with a
 * higher sequence takes its place, in calendars that look for that.
 */
#ifndef CORE_APPOINTMENT_H
#define CORE_APPOINTMENT_H

#include "base/instant.h"
#include "base/text.h"

struct appointment {
	const char *uid;      /* "left@right"; the same for the same thing owed */
	int64_t sequence;     /* grows with every version */
	struct instant stamp; /* when it was written: the mail's Date */
	struct instant at;
	const char *summary; /* sound UTF-8, one line */
	const char *link;    /* "" */
};

/* Appends the whole calendar; lines end in \n and are at most 75 octets long. */
void appointment_write(const struct appointment *appointment, struct text *out);

#endif
