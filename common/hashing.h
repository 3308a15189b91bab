/* SPDX-License-Identifier: MIT */
/* Argon2id (RFC 9106) off the loop: a pool of threads of its own, half the
 * cores, low priority, bounded queue. */
#ifndef PALAVER_HASHING_H
#define PALAVER_HASHING_H

#include <uv.h>

#include "conf.h"
#include "span.h"

struct hashing;

#define HASH_LEN 128 /* bytes of a stored hash with its NUL */

/* ok: hashed, or the password fits; hash is the new hash (NULL for verify). */
typedef void hashing_cb(void *arg, bool ok, const char *hash);

/* NULL without memory or threads. */
struct hashing *hashing_new(uv_loop_t *loop, enum password_cost cost);
/* Jobs not begun are dropped without a callback; waits for those running. */
void hashing_free(struct hashing *h);
/* Hashes password, or, when against is not NULL, checks it against that hash.
 * Both are copied (and wiped after use). False, and no callback, when the
 * queue is full. cb is called on the loop. */
bool hashing_run(struct hashing *h, struct span password, const char *against,
    hashing_cb *cb, void *arg);

#endif
