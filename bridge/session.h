/* SPDX-License-Identifier: MIT */
/* Sessions: one for each WebSocket. Requests of a session run one after the
 * other, in the order sent; events come from the hub. */
#ifndef PALAVER_SESSION_H
#define PALAVER_SESSION_H

#include <uv.h>

#include "conf.h"
#include "hub.h"
#include "presence.h"
#include "run.h"
#include "ws.h"

struct sessions;

/* All are borrowed and may be set later by sessions_attach. NULL without
 * memory. */
struct sessions *sessions_new(uv_loop_t *loop, const struct conf *c);
void sessions_attach(struct sessions *t, struct run *r, struct hub *h,
    struct presence *p);
/* All connections must be closed. */
void sessions_free(struct sessions *t);
/* What the WebSocket server and the hub call. */
struct ws_handler sessions_ws_handler(struct sessions *t);
struct hub_handler sessions_hub_handler(struct sessions *t);
/* Closes every one with 1012 and a jitter (ms) that grows with their number. */
void sessions_restart(struct sessions *t);
size_t sessions_count(const struct sessions *t);
/* Calls adopt for each that is signed in (after a new incarnation). */
void sessions_each_signed_in(struct sessions *t,
    void (*cb)(void *arg, const char *user, const struct scope *channels,
    size_t nchannels), void *arg);

#endif
