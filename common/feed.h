/* SPDX-License-Identifier: MIT */
/* Pub/sub from Redis on the loop: a stream of our own with hiredis' reply
 * reader. Reconnects by itself and subscribes all again. */
#ifndef PALAVER_FEED_H
#define PALAVER_FEED_H

#include <uv.h>

#include "conf.h"
#include "span.h"

struct feed;

struct feed_handler {
	/* The subscription of channel is acknowledged, for the first time or
	 * again after a new connection: what was published before may be
	 * missing. */
	void (*on_subscribed)(void *arg, struct span channel);
	/* A message; the spans live until it returns. */
	void (*on_message)(void *arg, struct span channel, struct span payload);
	/* The connection is gone; it comes back by itself. */
	void (*on_lost)(void *arg);
	void *arg;
};

/* c must outlive the feed. NULL without memory. Starts connecting. */
struct feed *feed_new(uv_loop_t *loop, const struct conf *c,
    const struct feed_handler *h);
/* Closes; no handler is called any more; the loop must turn on. */
void feed_free(struct feed *f);
/* Follows channel (one more time does nothing). What is followed first is so first
 * again after a new connection. False without memory. */
bool feed_subscribe(struct feed *f, struct span channel);
/* Stops following; messages on their way are not handed on. */
void feed_unsubscribe(struct feed *f, struct span channel);
/* Drops the connection so that it is made anew (a probe did not return). */
void feed_reconnect(struct feed *f);
bool feed_ready(const struct feed *f);

#endif
