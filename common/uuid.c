/* SPDX-License-Identifier: MIT */
#include "uuid.h"

#include <uuid/uuid.h>

#define COUNTED 6 /* last bytes of a UUID, in which uuid_next counts */

void
uuid_new(char out[UUID_LEN + 1])
{
	uuid_t u;

	uuid_generate_random(u);
	uuid_from_bytes(u, out);
}

void
uuid_next(char out[UUID_LEN + 1])
{
	static uuid_t last;
	size_t at = UUID_BYTES;

	if (uuid_is_null(last))
		uuid_generate_random(last);
	while (at > UUID_BYTES - COUNTED && ++last[--at] == 0)
		;
	uuid_from_bytes(last, out);
}

/* 16 and the value of a hex digit, 0: it is none. */
static const unsigned char digits[256] = {
	['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21,
	['6'] = 22, ['7'] = 23, ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27,
	['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31, ['A'] = 26, ['B'] = 27,
	['C'] = 28, ['D'] = 29, ['E'] = 30, ['F'] = 31
};

static unsigned
digit(char c)
{
	return digits[(unsigned char)c];
}

/* Whether a hyphen stands there (RFC 9562, section 4). */
static bool
is_hyphen(size_t at)
{
	return at == 8 || at == 13 || at == 18 || at == 23;
}

bool
uuid_read(struct span s, char out[UUID_LEN + 1])
{
	if (s.n != UUID_LEN)
		return false;
	for (size_t i = 0; i < UUID_LEN; i++)
		if (is_hyphen(i) ? s.p[i] != '-' : digit(s.p[i]) == 0)
			return false;
	for (size_t i = 0; i < UUID_LEN; i++)
		out[i] = (char)(s.p[i] | 0x20); /* small; a hyphen has it */
	out[UUID_LEN] = '\0';
	return true;
}

void
uuid_to_bytes(const char *text, unsigned char out[UUID_BYTES])
{
	for (size_t i = 0; i < UUID_BYTES; i++) {
		if (*text == '-')
			text++;
		out[i] = (unsigned char)(digit(text[0]) << 4 |
		    (digit(text[1]) & 15));
		text += 2;
	}
}

void
uuid_from_bytes(const unsigned char bytes[UUID_BYTES], char out[UUID_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < UUID_BYTES; i++) {
		if (is_hyphen(n))
			out[n++] = '-';
		out[n++] = hex[bytes[i] >> 4];
		out[n++] = hex[bytes[i] & 15];
	}
	out[n] = '\0';
}
