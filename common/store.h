/* SPDX-License-Identifier: MIT */
/* Commands to Redis: one atomic script a call. While Redis is away every call
 * fails at once or by its deadline. */
#ifndef PALAVER_STORE_H
#define PALAVER_STORE_H

#include <uv.h>

#include "conf.h"
#include "script.h"
#include "span.h"

struct store;

#define ANSWER_MAX 4096
#define STORE_SCHEMA 2 /* of the data in Redis that we write and read */

/* What a script gave back: a flat list of byte strings, nil as an empty one.
 * Behind each stands a NUL. */
struct answer {
	size_t n;
	const struct span *v;
};

enum store_status {
	STORE_OK,
	STORE_AWAY,  /* no connection, deadline passed, out of memory, not a
		      * master: nothing is known to be stored */
	STORE_FAULT  /* the script failed or gave what it must not */
};

/* The answer lives until cb returns (n is 0 unless STORE_OK). */
typedef void store_cb(void *arg, enum store_status status,
    const struct answer *answer);

/* c must outlive the store. NULL without memory. Starts connecting. */
struct store *store_new(uv_loop_t *loop, const struct conf *c);
/* Pending calls get STORE_AWAY first; the loop must turn until all its
 * handles are closed. NULL is fine. */
void store_free(struct store *s);
/* Whether the connection is up, greeted, and the data's schema is ours: a newer
 * one is left alone, every call is STORE_AWAY, until that changes. */
bool store_ready(const struct store *s);
/* NULL, or why it is not ready. */
const char *store_sick(const struct store *s);
/* link_eviction of its connection. */
const char *store_eviction(const struct store *s);
/* Redis is back, as another connection shows: it is tried at once, and what is
 * called meanwhile waits for it, by its timeout. */
void store_retry(struct store *s);
/* Closes the connection while nothing is under way; the next call makes it
 * anew. */
void store_rest(struct store *s);
/* Runs script by EVALSHA (NOSCRIPT: EVAL) with no KEYS: scripts spell the keys
 * themselves. Calls are carried out in the order of this function's, but where
 * Redis lost its scripts amid them and another process loaded some again. ARGV is
 * the node (8 bytes of the server's run id), then args, nargs words of resp.h which
 * are copied before it returns. cb is called once, never from inside this function; or never, and false
 * returned, when memory ran out. timeout in ms. */
bool store_eval(struct store *s, enum script script, struct span args,
    size_t nargs, unsigned timeout, store_cb *cb, void *arg);
/* Calls cb(arg) (or stops doing so, NULL) each time that a connection came
 * up. */
void store_on_ready(struct store *s, void (*cb)(void *arg), void *arg);

#endif
