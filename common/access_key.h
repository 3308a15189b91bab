/* SPDX-License-Identifier: MIT */
/* Access keys: USER-UUID '.' and 32 random bytes in base64url (RFC 4648,
 * section 5, no padding). Redis holds only a BLAKE2b-128 (RFC 7693) of the
 * whole text; it is unsalted since the key is random. */
#ifndef PALAVER_ACCESS_KEY_H
#define PALAVER_ACCESS_KEY_H

#include "span.h"
#include "uuid.h"

#define KEY_HASH_LEN 32   /* hex digits */
#define ACCESS_KEY_MAX 96 /* bytes of a key with its NUL */

/* A new key of user and its hash. */
void access_key_new(const char *user, char key[ACCESS_KEY_MAX],
    char hash[KEY_HASH_LEN + 1]);
/* Takes a key apart; false when it is none by form. */
bool access_key_read(struct span key, char user[UUID_LEN + 1],
    char hash[KEY_HASH_LEN + 1]);
/* The same hash, of anything: also for what must not stand in a key of Redis
 * as it is. */
void access_key_hash(struct span text, char hash[KEY_HASH_LEN + 1]);

#endif
