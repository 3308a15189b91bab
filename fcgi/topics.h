/* SPDX-License-Identifier: MIT */
/* The topics that polls of this process follow: each is subscribed at Redis as
 * long as somebody follows it, and a little longer. */
#ifndef PALAVER_TOPICS_H
#define PALAVER_TOPICS_H

#include <uv.h>

#include "conf.h"
#include "topic.h"

struct topics;

struct topics_handler {
	/* There is news in it. */
	void (*on_news)(void *arg, struct topic *t);
	/* The poll id, which follows it, is to end. */
	void (*on_ended)(void *arg, struct topic *t, struct span id);
	/* Its subscription stands; what was published before may be missing. */
	void (*on_stands)(void *arg, struct topic *t);
	/* It stands no longer. */
	void (*on_lost)(void *arg, struct topic *t);
	void *arg;
};

/* c is borrowed. NULL without memory. Connects with the first topic. */
struct topics *topics_new(uv_loop_t *loop, const struct conf *c,
    const struct topics_handler *h);
/* Nobody may follow any more; the loop must turn on. */
void topics_free(struct topics *ts);
/* NULL: nobody has followed that scope lately. */
struct topic *topics_find(const struct topics *ts, const char *scope);
/* The same, but it is made. NULL without memory. */
struct topic *topics_get(struct topics *ts, const char *scope);
/* Leaves what nobody has followed for long; to be called now and then. */
void topics_forget(struct topics *ts, uint64_t now);
/* Counts what may have passed by a poll that Redis is being asked for, such as
 * a subscription that came to stand; see topic.since. */
uint64_t topics_ticket(const struct topics *ts);

#endif
