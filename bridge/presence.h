/* SPDX-License-Identifier: MIT */
/* What this bridge holds, counted in Redis under the lease of its incarnation:
 * a heartbeat renews it and reaps what others left. A bridge that lost its
 * lease takes a new incarnation and counts its sessions anew. */
#ifndef PALAVER_PRESENCE_H
#define PALAVER_PRESENCE_H

#include <uv.h>

#include "conf.h"
#include "hub.h"
#include "scope.h"
#include "store.h"

struct presence;
struct sessions;

/* All are borrowed. NULL without memory. Registers as soon as Redis is there. */
struct presence *presence_new(uv_loop_t *loop, const struct conf *c,
    struct store *s, struct hub *h, struct sessions *t);
/* Ends the lease, so that others reap at once; then closes. */
void presence_stop(struct presence *p, void (*done)(void *arg), void *arg);
void presence_free(struct presence *p);
/* This incarnation's id; the bytes live as long as p and change in place. */
struct span presence_id(const struct presence *p);
/* Counts up with each incarnation. */
unsigned presence_generation(const struct presence *p);
/* A session of user ended; it was in those channels. grace in ms. */
void presence_gone(struct presence *p, const char *user,
    const struct scope *channels, size_t n, unsigned grace);
/* A session of user left one channel, by no wish of its own. */
void presence_left(struct presence *p, const char *user,
    const struct scope *c);
/* Counts a living session again under this incarnation. */
void presence_adopt(void *p, const char *user, const struct scope *channels,
    size_t n);
/* The probe that a heartbeat published came back. */
void presence_probe(struct presence *p);
/* NULL, or why the bridge is not healthy. */
const char *presence_sick(const struct presence *p);

#endif
