/* SPDX-License-Identifier: MIT */
#include "access_key.h"

#include <sodium.h>
#include <stdio.h>

#define RANDOM_BYTES 32
#define RANDOM_TEXT 43
_Static_assert(UUID_LEN + 1 + RANDOM_TEXT < ACCESS_KEY_MAX, "a key fits");

void
access_key_hash(struct span text, char hash[KEY_HASH_LEN + 1])
{
	unsigned char raw[KEY_HASH_LEN / 2];

	crypto_generichash(raw, sizeof(raw), (const unsigned char *)text.p,
	    text.n, NULL, 0);
	sodium_bin2hex(hash, KEY_HASH_LEN + 1, raw, sizeof(raw));
}

void
access_key_new(const char *user, char key[ACCESS_KEY_MAX],
    char hash[KEY_HASH_LEN + 1])
{
	unsigned char raw[RANDOM_BYTES];
	char text[RANDOM_TEXT + 1];

	randombytes_buf(raw, sizeof(raw));
	sodium_bin2base64(text, sizeof(text), raw, sizeof(raw),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	snprintf(key, ACCESS_KEY_MAX, "%s.%s", user, text);
	access_key_hash(span_of(key), hash);
	sodium_memzero(raw, sizeof(raw));
	sodium_memzero(text, sizeof(text));
}

bool
access_key_read(struct span key, char user[UUID_LEN + 1],
    char hash[KEY_HASH_LEN + 1])
{
	struct span head = { key.p, UUID_LEN };

	if (key.n != UUID_LEN + 1 + RANDOM_TEXT || key.p[UUID_LEN] != '.')
		return false;
	if (!uuid_read(head, user))
		return false;
	access_key_hash(key, hash);
	return true;
}
