/*
 * store_text.c - which of other people's texts are fit to leave the store.
 */
#include "adapter/store_internal.h"

#include "core/unicode.h"

enum { LONGEST_TEXT = 500 }; /* bytes */

const char *store_text_fault(const unsigned char *bytes, size_t length)
{
	if (length > LONGEST_TEXT)
		return "is too long";
	for (size_t i = 0; i < length;) {
		bool plain = bytes[i] >= 0x20 && bytes[i] < 0x7f; /* nearly all are */
		uint32_t character = bytes[i];
		size_t step = plain ? 1 : unicode_decode((const char *)bytes + i, &character);

		if (step == 0)
			return "is not UTF-8";
		if (character < 0x20 || (character >= 0x7f && character < 0xa0))
			return "holds control characters";
		i += step;
	}
	return NULL;
}
