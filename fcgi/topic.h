/* SPDX-License-Identifier: MIT */
/* A scope that polls of this process follow: whether its subscription stands,
 * and its last events. Pure: park.c feeds it. */
#ifndef PALAVER_TOPIC_H
#define PALAVER_TOPIC_H

#include "scope.h"

#define TOPIC_EVENTS 64          /* a power of two */
#define TOPIC_BYTES (256 * 1024)

struct parked;

/* A poll's place in a topic; lives in the poll. */
struct topic_link {
	struct topic *topic;
	struct parked *poll;
	struct topic_link *prev, *next;
	struct place place; /* all up to it was delivered */
};

struct topic {
	struct scope scope; /* first: the tree compares it */
	bool acked;         /* the subscription stands */
	uint64_t since;     /* ticket from which on nothing was missed */
	char epoch[EPOCH_MAX]; /* "": none known yet */
	uint64_t first;     /* seq of the oldest kept */
	uint64_t last;      /* seq of the newest; first - 1: none */
	size_t bytes;
	struct span *events; /* of seq at [seq % TOPIC_EVENTS], owned; made
			      * with the first */
	struct topic_link *links;
	size_t nlinks;
	uint64_t idle_since; /* ms; while nobody follows */
};

void topic_clear(struct topic *t);
/* Nothing is kept, all up to seq of that epoch is past. */
void topic_reset(struct topic *t, const char *epoch, uint64_t seq);
/* Keeps an event that may come twice or with a hole before it: what lies
 * before a hole is dropped. False: no news (a repetition), or no memory (then
 * the topic is reset to it). */
bool topic_add(struct topic *t, struct span epoch, uint64_t seq,
    struct span event);
/* Whether the place is of this epoch and all events after it are kept. */
bool topic_reaches(const struct topic *t, const struct place *p);
struct span topic_at(const struct topic *t, uint64_t seq);
void topic_link(struct topic *t, struct topic_link *l);
void topic_unlink(struct topic_link *l);

#endif
