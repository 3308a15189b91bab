/* SPDX-License-Identifier: MIT */
/* UUIDs as text (RFC 9562): 36 bytes, lower case once accepted. */
#ifndef PALAVER_UUID_H
#define PALAVER_UUID_H

#include "span.h"

#define UUID_LEN 36
#define UUID_BYTES 16

/* A fresh version 4 UUID by libuuid, with a NUL behind it. */
void uuid_new(char out[UUID_LEN + 1]);
/* One that nobody else has, but who knows one of this process can tell the
 * others: for what has a name among us only. Cheaper. */
void uuid_next(char out[UUID_LEN + 1]);
/* Accepts any version, any case; out gets the lower-case form and a NUL.
 * False, out untouched, when s is no UUID. */
bool uuid_read(struct span s, char out[UUID_LEN + 1]);
/* The bytes of a valid text, and back: for what is kept by the thousand. */
void uuid_to_bytes(const char *text, unsigned char out[UUID_BYTES]);
void uuid_from_bytes(const unsigned char bytes[UUID_BYTES],
    char out[UUID_LEN + 1]);

#endif
