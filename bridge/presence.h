/* SPDX-License-Identifier: MIT */
/* What this bridge holds, counted in Redis under the lease of its incarnation:
 * a heartbeat renews it and reaps what others left. A bridge that lost its
 * lease, or its connection and with it the outcome of what was on its way,
 * takes the next incarnation and has its sessions claimed for it; whatever
 * still comes of the one before is refused. */
#ifndef PALAVER_PRESENCE_H
#define PALAVER_PRESENCE_H

#include <uv.h>

#include "conf.h"
#include "hub.h"
#include "scope.h"
#include "store.h"

struct presence;
struct sessions;

/* A session as its bridge knows it; all is borrowed. */
struct presence_session {
	const char *uuid;
	const char *user;             /* "": nobody's yet; else: */
	const char *key_hash;
	const struct scope *channels; /* in the order joined */
	size_t nchannels;
	bool doubted;                 /* commands about it may be lost: closed
				       * (sessions_differ) when it is not what
				       * Redis has */
};

/* All are borrowed. NULL without memory. Registers as soon as Redis is there. */
struct presence *presence_new(uv_loop_t *loop, const struct conf *c,
    struct store *s, struct hub *h, struct sessions *t);
/* Ends the lease, so that others reap at once; then closes. */
void presence_stop(struct presence *p, void (*done)(void *arg), void *arg);
void presence_free(struct presence *p);
/* This incarnation's id; the bytes live as long as p and change in place, of
 * one length: PROCESS '.' NUMBER. */
struct span presence_id(const struct presence *p);
/* Counts up with each incarnation, from 1. */
unsigned presence_generation(const struct presence *p);
/* Whether this incarnation was granted its lease. */
bool presence_counts(const struct presence *p);
/* The outcome of something that counts is not known, or the lease was missed:
 * looks after the lease at once. */
void presence_doubt(struct presence *p);
/* Makes a session that is nobody's yet known; done is called in any case. */
void presence_open(struct presence *p, const char *session, store_cb *done,
    void *arg);
/* The session ended, whatever it is counted for. grace in ms. */
void presence_gone(struct presence *p, const char *session, unsigned grace);
/* Has a living session counted as it is, whatever it was counted for; closed
 * (sessions_key_dead) when user or key are no more. */
void presence_adopt(struct presence *p, uint64_t id,
    const struct presence_session *s);
/* Has those sessions counted that this incarnation has not counted yet, or not
 * since their keys were to be looked after: so many at a time, then on. */
void presence_adopt_due(struct presence *p);
/* The probe that a heartbeat published came back. */
void presence_probe(struct presence *p);
/* How many users there are, and how many of them are on line, as of the last
 * heartbeat. */
uint64_t presence_users(const struct presence *p);
uint64_t presence_online(const struct presence *p);
/* NULL, or why the bridge is not healthy. */
const char *presence_sick(const struct presence *p);

#endif
