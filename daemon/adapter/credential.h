/*
 * credential - secrets handed over by systemd ($CREDENTIALS_DIRECTORY, systemd.exec(5)).
 */
#ifndef ADAPTER_CREDENTIAL_H
#define ADAPTER_CREDENTIAL_H

#include "base/error.h"
#include "base/text.h"

/*
 * Reads the credential of that name (letters, digits, '-', '_', '.') from `folder`; one line
 * end at its end is dropped, at most 16 KiB, no NUL. The caller wipes it with credential_wipe.
 * -ENOENT with what to put into the unit file.
 */
MUST_CHECK int credential_read(const char *folder, const char *name, struct text *ret,
			       struct error *error);

/* Overwrites and frees. */
void credential_wipe(struct text *secret);

#endif
