/* unicode.c - see unicode.h; RFC 3629 for the well-formed sequences. */
#include "core/unicode.h"

/* How many bytes a first byte announces; 0: none may begin so. */
static size_t announced(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

size_t unicode_decode(const char *string, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)string;
	size_t length = announced(byte[0]);
	uint32_t character;

	if (length == 0)
		return 0;
	character = length == 1 ? byte[0] : byte[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((byte[i] & 0xc0) != 0x80) /* stops at the terminator too */
			return 0;
		character = character << 6 | (byte[i] & 0x3fU);
	}
	if (character < least[length] || character > 0x10ffff)
		return 0;
	if (character >= 0xd800 && character <= 0xdfff)
		return 0;
	*ret = character;
	return length;
}

bool unicode_is_unsafe(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0) ||
	       (character >= 0x2028 && character <= 0x202e) ||
	       (character >= 0x2066 && character <= 0x2069);
}

void unicode_append_line(struct text *text, const char *string, const char *instead)
{
	while (*string != '\0') {
		uint32_t character = 0;
		size_t length = unicode_decode(string, &character);

		if (length == 0 || unicode_is_unsafe(character))
			text_append(text, instead);
		else
			text_append_bytes(text, string, length);
		string += length > 0 ? length : 1;
	}
}

bool unicode_is_safe_line(const char *string)
{
	while (*string != '\0') {
		uint32_t character;
		size_t length = unicode_decode(string, &character);

		if (length == 0 || unicode_is_unsafe(character))
			return false;
		string += length;
	}
	return true;
}

size_t unicode_length(const char *string)
{
	size_t count = 0;

	while (*string != '\0') {
		string += unicode_prefix(string, 1);
		count++;
	}
	return count;
}

size_t unicode_prefix(const char *string, size_t count)
{
	const char *at = string;

	for (; count > 0 && *at != '\0'; count--) {
		uint32_t character;
		size_t length = unicode_decode(at, &character);

		at += length != 0 ? length : 1;
	}
	return (size_t)(at - string);
}
