/* SPDX-License-Identifier: MIT */
#include "uuid.h"

#include <uuid/uuid.h>

void
uuid_new(char out[UUID_LEN + 1])
{
	uuid_t u;

	uuid_generate_random(u);
	uuid_unparse_lower(u, out);
}

bool
uuid_read(struct span s, char out[UUID_LEN + 1])
{
	char text[UUID_LEN + 1];
	uuid_t u;

	if (s.n != UUID_LEN)
		return false;
	memcpy(text, s.p, UUID_LEN);
	text[UUID_LEN] = '\0';
	if (uuid_parse(text, u) != 0)
		return false;
	uuid_unparse_lower(u, out);
	return true;
}

void
uuid_pack(const char *text, unsigned char out[UUID_BYTES])
{
	uuid_t u;

	uuid_clear(u);
	uuid_parse(text, u);
	memcpy(out, u, UUID_BYTES);
}

void
uuid_unpack(const unsigned char bytes[UUID_BYTES], char out[UUID_LEN + 1])
{
	uuid_unparse_lower(bytes, out);
}
