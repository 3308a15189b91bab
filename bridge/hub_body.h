/* SPDX-License-Identifier: MIT */
/* The bodies of the hub and of a ring that is followed, and what its files
 * share: hub.c (who follows what), hub_read.c (from Redis into the rings),
 * hub_send.c (out of them to the sessions), hub_behind.c (to those whom a ring
 * does not reach). For those files only; others see hub.h. */
#ifndef PALAVER_HUB_BODY_H
#define PALAVER_HUB_BODY_H

#include "buf.h"
#include "call.h"
#include "hub.h"
#include "ring.h"

#define RETRY 500       /* ms until a failed read is tried again */
#define READ_EVENTS 200 /* events of one read of a log */

/* What a ring does about Redis:
 *
 *   SUBSCRIBING --acknowledged--> READING --caught up--> LIVE
 *        ^                          ^  |                   |
 *        |                          |  +-failed: RETRYING  | hole, epoch
 *        +------ connection lost ---+<---------------------+
 */
enum ring_state { RING_SUBSCRIBING, RING_READING, RING_RETRYING, RING_LIVE };

struct followed {
	struct scope scope; /* first: the tree compares it */
	struct hub *hub;
	enum ring_state state;
	struct ring ring;
	char epoch[EPOCH_MAX]; /* "": no place yet */
	uint64_t wanted;       /* highest seq heard of since the last read left */
	char wanted_epoch[EPOCH_MAX]; /* another one heard of since, or "" */
	struct member **members;
	size_t nmembers, room;
	bool thins;            /* its events are notices, which are thinned */
	bool dirty;
	uint64_t dirty_from;   /* the last seq before this turn's events */
	struct followed *next_dirty;
	bool reading;          /* a read is on its way: not to be freed */
	bool behind_reading;   /* one for those who are behind is */
	bool behind_waits;     /* the next one, for its turn */
	uint64_t behind_seq;   /* where the last one came to */
	uint64_t behind_next;  /* ms of the loop: not before this anew */
	uint64_t id;           /* of this life of the ring */
};

struct hub {
	uv_loop_t *loop;
	const struct conf *conf;
	struct store *store;
	struct feed *feed;
	struct hub_handler handler;
	void *tree;               /* of struct followed, by scope */
	struct rings rings;
	struct followed *dirty;
	bool read;                /* a log was, in this turn */
	uv_check_t turn_end;
	uv_timer_t retry, behind;
	struct buf channel;       /* scratch: a pub/sub channel's name */
	size_t prefix;            /* bytes of its prefix */
	struct buf frames;        /* scratch: what is being sent */
	struct member own;        /* in this bridge's log; of no session */
	struct place handled;     /* all of that log up to it was handed over */
	int handles;              /* to be closed before hub is freed */
	uint64_t ids;
	bool closing;
};

/* ---- hub.c ---- */

/* The ring of that scope, or NULL; one that nobody follows may still be there,
 * as long as a read of it is on its way. */
struct followed *hub_find(const struct hub *h, const struct scope *s);
/* Frees a ring that nobody follows, once no read of it is on its way. */
void hub_forget(struct followed *f);
/* This bridge's own log, not sessions'. */
bool ring_is_own(const struct followed *f);
/* An event of a user's own log that is not for sessions, but about them. */
bool ring_is_keys(const struct followed *f, struct span text);
/* Everyone's notices, or a channel's. */
bool ring_is_notices(const struct followed *f);

/* ---- hub_read.c ---- */

/* A read of a log on its way: scope and id, not a pointer, cross the gap. */
struct reading {
	struct hub *hub;
	struct scope scope;
	uint64_t id;
	uint64_t seq; /* the place from which on it reads */
	struct call call;
};
/* What came of it; the spans live as long as the answer. */
struct read_part {
	struct span epoch, epoch_before;
	uint64_t last;         /* of the log */
	uint64_t last_before;  /* up to where the epoch before went */
	uint64_t first;        /* seq of the first of these */
	const struct span *frames;
	size_t n;
};
/* Reads the log of f from a place on, until that many bytes are exceeded or
 * READ_EVENTS (of commands: READ_COMMANDS) read. cb gets a struct reading, for
 * read_end. False: no memory. */
bool read_begin(struct followed *f, const char *epoch, uint64_t seq,
    unsigned bytes, store_cb *cb);
/* The ring that it was for, which may be one that nobody follows or a later one
 * (its id differs), or NULL; frees r. */
struct followed *read_end(struct reading *r);
/* False when the answer is none. */
bool read_take(const struct followed *f, const struct answer *a,
    struct read_part *part);
/* What m has not had of the log before first is gone. */
void read_missed(struct followed *f, struct member *m, uint64_t first);

/* Has the log read up to a place that came by another way, unless it is here. */
void ring_read_to(struct followed *f, const struct place *to);
/* What feed is to call. */
struct feed_handler hub_feed_handler(struct hub *h);
/* Reads on from the ring's end; a ring that has no place yet, from where its
 * first member stands. */
void ring_read(struct followed *f);
void ring_set_state(struct followed *f, enum ring_state to);
/* Reads again what could not be read. */
void hub_on_retry(uv_timer_t *t);

/* ---- hub_send.c ---- */

/* The ring has news behind the seq from: it goes out at the end of the turn. */
void ring_set_dirty(struct followed *f, uint64_t from);
void hub_turn_end(uv_check_t *handle);
/* The seq of the last of r that is for m. */
uint64_t member_last(const struct member *m, const struct ring *r);
/* Sends m, which may be sent something now, what it has not had of r: its ring,
 * or a part of the log from behind that, which must reach its place. */
void hub_send_part(struct hub *h, struct member *m, const struct ring *r);

/* ---- hub_behind.c ---- */

/* Whether the ring does not reach back to the place of m. */
bool behind_is(const struct member *m);
/* Reads for those who are behind and may be sent something, if there are any
 * and no read for them is on its way. */
void behind_read(struct followed *f);

#endif
