/* SPDX-License-Identifier: MIT */
/* The connections of a web server: on each one request at a time comes in, is
 * served, and its reply leaves. None can hold up another; one that waits for
 * its reply holds a few bytes. */
#ifndef PALAVER_CONNS_H
#define PALAVER_CONNS_H

#include <uv.h>

#include "service.h"

struct conns;

/* Serves them by s. local: they come by a unix socket. on_close is called behind
 * each one that was closed. NULL after saying why. */
struct conns *conns_new(uv_loop_t *loop, struct service *s, bool local,
    void (*on_close)(void *arg), void *arg);
/* Closes all, without on_close; the loop must turn on. */
void conns_free(struct conns *cs);
/* Takes over a descriptor that was accepted and does not block. False without
 * memory: it is still the caller's. */
bool conns_take(struct conns *cs, int fd);
size_t conns_count(const struct conns *cs);
/* Closes those whose time is over; to be called often. */
void conns_tick(struct conns *cs);
/* No connection gets another reply than the one that it may wait for. Those
 * without a request are closed when none comes soon. */
void conns_finish(struct conns *cs);
void conns_close(struct conns *cs);

#endif
