/* SPDX-License-Identifier: MIT */
/* Long-polls that wait, as data: what they follow, how far they got, until
 * when. One process holds thousands while it serves others. What is published
 * wakes them; what was missed meanwhile (a subscription that came too late, a
 * lost connection, another epoch) is for the log to tell: ask again. */
#ifndef PALAVER_PARK_H
#define PALAVER_PARK_H

#include <uv.h>

#include "conf.h"
#include "poll.h"

struct park;

enum park_end {
	PARK_EVENTS, /* there is news */
	PARK_OVER,   /* the time is over, or a newer poll came: none */
	PARK_AGAIN   /* run the operation again, from p's places */
};

/* A poll is parked no longer; who is what was given with it. p and events live
 * until it returns; p->wait is what is left of its time, never 0. */
typedef void park_cb(void *who, enum park_end why, const struct poll *p,
    const struct span *events, size_t n);

/* c is borrowed. NULL without memory. Connects with the first poll. */
struct park *park_new(uv_loop_t *loop, const struct conf *c, park_cb *cb);
/* Parks at most so many from now on; no bound before. */
void park_bound(struct park *p, size_t most);
/* Drops all without a callback; the loop must turn on. */
void park_free(struct park *p);
/* To be taken before the operation is run: what was published since is known
 * to a park from then on, or it asks again. */
uint64_t park_ticket(const struct park *p);
/* Parks the poll as id, which is not parked. again: it was asked again. Polls
 * of a user beyond the setting, or of all beyond the bound, or without memory:
 * false. cb may be called
 * before it returns. */
bool park_add(struct park *p, uint64_t id, void *who, const struct poll *poll,
    uint64_t ticket, bool again);
/* Ends a poll of user by its own id (PARK_OVER), if it waits. */
void park_end(struct park *p, const char *user, const char *poll);
/* The poll id is to be parked no longer: gives who without a callback, or NULL
 * when it is not parked. */
void *park_remove(struct park *p, uint64_t id);
/* Ends all that wait (PARK_OVER), and those to come at once. */
void park_stop(struct park *p);
size_t park_count(const struct park *p);

#endif
