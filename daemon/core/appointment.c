/* appointment.c - see appointment.h. */
#include "core/appointment.h"

#include <string.h>

enum { LINE_OCTETS = 75 };

/* Folded between characters (RFC 5545 3.1). */
static void append_line(struct text *out, const char *line)
{
	size_t column = 0;

	while (*line != '\0') {
		size_t length = 1;

		while (((unsigned char)line[length] & 0xc0) == 0x80)
			length++;
		if (column + length > LINE_OCTETS) {
			text_append(out, "\n ");
			column = 1;
		}
		text_append_bytes(out, line, length);
		column += length;
		line += length;
	}
	text_append_char(out, '\n');
}

static void append_text(struct text *out, const char *name, const char *value)
{
	CLEANUP(text_clear) struct text line = { 0 };

	text_appendf(&line, "%s:", name);
	for (; *value != '\0'; value++) {
		if (strchr("\\;,", *value) != NULL) /* RFC 5545 3.3.11 */
			text_append_char(&line, '\\');
		text_append_char(&line, *value);
	}
	append_line(out, text_string(&line));
	out->failed = out->failed || text_failed(&line);
}

static void append_instant(struct text *out, const char *name, struct instant at)
{
	int64_t second = (at.seconds % SECONDS_PER_DAY + SECONDS_PER_DAY) % SECONDS_PER_DAY;
	struct date date = day_to_date((int32_t)((at.seconds - second) / SECONDS_PER_DAY));

	text_appendf(out, "%s:%04d%02d%02dT%02d%02d%02dZ\n", name, date.year, date.month,
		     date.day, (int)(second / 3600), (int)(second / 60 % 60),
		     (int)(second % 60));
}

void appointment_write(const struct appointment *appointment, struct text *out)
{
	text_append(out, "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//challenge-notifyd//EN\n"
			 "METHOD:PUBLISH\nBEGIN:VEVENT\n");
	append_text(out, "UID", appointment->uid);
	text_appendf(out, "SEQUENCE:%lld\n", (long long)appointment->sequence);
	append_instant(out, "DTSTAMP", appointment->stamp);
	/* Without an end it takes no time (RFC 5545 3.6.1): the moment by which it is owed. */
	append_instant(out, "DTSTART", appointment->at);
	append_text(out, "SUMMARY", appointment->summary);
	if (appointment->link[0] != '\0')
		append_text(out, "DESCRIPTION", appointment->link);
	text_append(out, "TRANSP:TRANSPARENT\nEND:VEVENT\nEND:VCALENDAR\n");
}
