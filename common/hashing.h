/* SPDX-License-Identifier: MIT */
/* Argon2id (RFC 9106) off the loop: a pool of threads of its own, half the
 * cores (1 at least, HASHING_THREADS_MAX at most), low priority, bounded queue.
 *
 * Memory: each thread takes what one hash takes, by the setting password_cost
 * 8 kB, 64 MB, 256 MB or 1 GB (a hash that was made at a higher cost: that), and
 * gives it back with the last one; so with the default and 4 cores 128 MB. The
 * queue is HASHING_QUEUE_MAX jobs, each a password of at most 1 kB.
 *
 * Turns: an owner (an address) has at most HASHING_OWN_MAX jobs waiting, and
 * they wait behind the first ones of all others, its second behind their second
 * ones: whoever sends many holds up himself. */
#ifndef PALAVER_HASHING_H
#define PALAVER_HASHING_H

#include <uv.h>

#include "conf.h"
#include "span.h"

struct hashing;

#define HASH_LEN 128 /* bytes of a stored hash with its NUL */
#define HASHING_THREADS_MAX 16
#define HASHING_QUEUE_MAX 64 /* jobs waiting */
#define HASHING_OWN_MAX 16   /* of one owner */
#define HASHING_OWNER_MAX 48 /* bytes of an owner */

/* ok: hashed, or the password fits; hash is the new hash (NULL for verify). */
typedef void hashing_cb(void *arg, bool ok, const char *hash);

/* NULL without memory or threads. */
struct hashing *hashing_new(uv_loop_t *loop, enum password_cost cost);
/* Jobs not begun are dropped without a callback; waits for those running. */
void hashing_free(struct hashing *h);
/* Hashes password, or, when against is not NULL, checks it against that hash.
 * Both are copied (and wiped after use). owner: whose job it is, for its turn
 * (copied; "": each one a turn of its own). False, and no callback, when the
 * queue is full, or full of that owner's. cb is called on the loop. */
bool hashing_run(struct hashing *h, const char *owner, struct span password,
    const char *against, hashing_cb *cb, void *arg);

#endif
