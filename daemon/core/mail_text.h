/*
 * mail_text - what a person reads of a mail's bytes: its subject and its plain text.
 *
 * The way back from message_write, for showing a stored mail; of a mail that something else
 * made it reads what is written the same way. Bytes may be hostile; nothing is made safe here.
 */
#ifndef CORE_MAIL_TEXT_H
#define CORE_MAIL_TEXT_H

#include "base/text.h"

#include <stddef.h>

/*
 * Appends the subject, unfolded and decoded, and the text/plain body with \n for line ends. ""
 * where there is none. A failed allocation is told by the texts.
 */
void mail_text_read(const char *bytes, size_t length, struct text *subject, struct text *body);

#endif
