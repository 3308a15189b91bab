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

/* c is borrowed. NULL without memory. */
struct sessions *sessions_new(uv_loop_t *loop, const struct conf *c);
/* All are borrowed; before any connection comes. */
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
/* Has presence count up to most sessions that its incarnation does not know
 * yet (session_adopt); returns how many. Those that run a request follow
 * with its outcome. */
size_t sessions_adopt(struct sessions *t, size_t most);
/* Presence has counted the session, which may be gone: ms that its key lives,
 * used by nobody. */
void sessions_key_lives(struct sessions *t, uint64_t id, uint64_t ms);
/* Presence could not count the session, which may be gone, yet. doubted: see
 * struct presence_session. */
void sessions_adopt_again(struct sessions *t, uint64_t id, bool doubted);
/* The session, which may be gone, is not what was done over HTTP: the bridge
 * has lost some of that. Closes it with 4008. */
void sessions_differ(struct sessions *t, uint64_t id);
/* Closes the session, which may be gone, with 4001. */
void sessions_key_dead(struct sessions *t, uint64_t id);

#endif
