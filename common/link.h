/* SPDX-License-Identifier: MIT */
/* One connection to Redis on the loop: a stream of ours with hiredis' reply
 * reader. Connects, greets (AUTH, SELECT, INFO), and after a loss does so again
 * by itself. What is sent in one turn of the loop leaves in one write. */
#ifndef PALAVER_LINK_H
#define PALAVER_LINK_H

#include <hiredis/hiredis.h>
#include <uv.h>

#include "buf.h"
#include "conf.h"

struct link;

#define LINK_EVICTION_MAX 24
#define LINK_NODE_LEN 8 /* bytes of a node: the server's run id begins so */

struct link_handler {
	void (*on_ready)(void *arg);
	/* A reply, lives until it returns. */
	void (*on_reply)(void *arg, const struct redisReply *r);
	/* A connection that was ready is gone, or an attempt has failed. */
	void (*on_lost)(void *arg);
	void *arg;
};

/* for_commands: SELECT and INFO are part of the greeting. c must outlive the
 * link. NULL without memory. */
struct link *link_new(uv_loop_t *loop, const struct conf *c, bool for_commands,
    const struct link_handler *h);
/* No handler is called any more; the loop must turn until all is closed. */
void link_free(struct link *l);
bool link_ready(const struct link *l);
/* Whether the newest attempt to connect has failed. */
bool link_failing(const struct link *l);
/* Of the server: its node ("00000000" when it hides it) and major version. */
const char *link_node(const struct link *l);
int link_version(const struct link *l);
/* Its maxmemory-policy when it may evict keys; NULL when it does not, or hides
 * it. */
const char *link_eviction(const struct link *l);
/* What is to be sent: append whole commands while the link is ready. */
struct buf *link_out(struct link *l);
/* Drops the connection so that it is made anew; on_lost follows at once. */
void link_drop(struct link *l);

/* Closes the connection; none is made before link_wake. No handler is called. */
void link_rest(struct link *l);
/* Connects when it rests. */
void link_wake(struct link *l);
/* Connects now, unless it is connected or about to be. */
void link_retry(struct link *l);

#endif
