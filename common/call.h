/* SPDX-License-Identifier: MIT */
/* The arguments of one script call. The first two of each are the key prefix
 * and the pub/sub prefix (the store puts the node before them). */
#ifndef PALAVER_CALL_H
#define PALAVER_CALL_H

#include <stdint.h>

#include "buf.h"
#include "conf.h"
#include "script.h"
#include "store.h"

#define CALL_ARGS_MAX 96

struct call {
	enum script script;
	struct buf text; /* all arguments, one behind the other */
	uint32_t end[CALL_ARGS_MAX];
	size_t n;
};

/* Starts a call anew (what was allocated is kept). */
void call_begin(struct call *c, enum script script, const struct conf *conf);
/* Appends an argument; beyond CALL_ARGS_MAX the call counts as out of
 * memory. */
void call_arg(struct call *c, struct span s);
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
