/* SPDX-License-Identifier: MIT */
/* The arguments of one script call, as they go to Redis. The first two of each
 * are the key prefix and the pub/sub prefix (the store puts the node before
 * them). */
#ifndef PALAVER_CALL_H
#define PALAVER_CALL_H

#include <stdint.h>

#include "buf.h"
#include "conf.h"
#include "script.h"
#include "store.h"

struct call {
	enum script script;
	struct buf words; /* n of resp.h */
	size_t n;
};

/* Starts a call anew (what was allocated is kept). */
void call_begin(struct call *c, enum script script, const struct conf *conf);
/* Appends an argument. */
void call_arg(struct call *c, struct span s);
/* Appends what b holds, and clears b. */
void call_buf(struct call *c, struct buf *b);
void call_str(struct call *c, const char *s);
void call_uint(struct call *c, uint64_t value);
/* Hands it to the store; cb as in store_eval. False, and no callback, when
 * memory ran out. */
bool call_send(const struct call *c, struct store *s, unsigned timeout,
    store_cb *cb, void *arg);
void call_clear(struct call *c);

/* Appends PREFIX DB ':', which stands in front of a scope in the name of its
 * pub/sub channel (pub/sub is server-wide, databases are not). */
void call_pubsub_prefix(struct buf *b, const struct conf *conf);

#endif
