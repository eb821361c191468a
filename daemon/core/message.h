/*
 * message - the bytes of one mail (RFC 5322, MIME), final and 7-bit.
 *
 * CRLF only, no line over 78 octets where folding allows and none over 998, quoted-printable
 * text, RFC 2047 words in subject and names. Values with control characters are refused here,
 * whatever checked them before (smtp.md 1.6, 1.7).
 */
#ifndef CORE_MESSAGE_H
#define CORE_MESSAGE_H

#include "base/error.h"
#include "base/instant.h"
#include "base/text.h"

struct message {
	const char *from_name;
	const char *from_address;
	const char *to_name; /* "": address alone */
	const char *to_address;
	const char *reply_to; /* "": none */
	const char *subject;
	struct instant date;
	int32_t date_offset;    /* seconds east of UTC */
	const char *message_id; /* without <> */
	const char *
		root_id; /* thread root for References and Thread-Index, without <>; "": none */
	const char *language; /* "en-GB" */
	bool important;       /* breach, escalation, risk */
	const char *body;     /* UTF-8, \n lines */
	const char *html;     /* "": text/plain alone; else multipart/alternative, text first */
	const char *calendar; /* a published appointment, attached; NULL or "": none */
};

/*
 * Appends the whole message. 0; -EINVAL naming the header whose value may not stand there;
 * -ENOMEM. The boundary, if one is needed, is made from the Message-ID: same input, same bytes.
 */
MUST_CHECK int message_write(const struct message *message, struct text *ret,
			     struct error *error);

#endif
