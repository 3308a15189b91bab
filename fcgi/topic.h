/* SPDX-License-Identifier: MIT */
/* A scope that polls of this process follow: whether its subscription stands,
 * and its last events. Pure: park.c feeds it. */
#ifndef PALAVER_TOPIC_H
#define PALAVER_TOPIC_H

#include "names.h"
#include "scope.h"

#define TOPIC_EVENTS 64          /* a power of two */
#define TOPIC_BYTES (256 * 1024)

struct parked;

/* A poll's place in a topic; lives in the poll. There are thousands: an epoch
 * is kept as its number. */
struct topic_link {
	struct topic *topic;
	struct parked *poll;
	struct topic_link *prev, *next;
	uint64_t epoch, seq; /* all up to it was delivered */
};

struct topic {
	struct name name;   /* first: a name found is its topic; at text */
	struct topic_link *links;
	struct span *events; /* of seq at [seq % TOPIC_EVENTS], owned; made
			      * with the first */
	uint64_t since;     /* ticket from which on nothing was missed */
	uint64_t epoch;     /* 0: none known yet */
	uint64_t first;     /* seq of the oldest kept */
	uint64_t last;      /* seq of the newest; first - 1: none */
	uint64_t idle_since; /* ms; while nobody follows */
	uint32_t nlinks;
	uint32_t bytes;     /* of the events */
	bool acked;         /* the subscription stands */
	char text[];        /* the scope */
};

/* NULL without memory. */
struct topic *topic_new(const char *scope);
void topic_free(struct topic *t);
/* An epoch's number; 0: none of ours (1 to 15 hex digits, as the scripts write
 * them). And back. */
uint64_t topic_epoch(struct span text);
void topic_epoch_text(uint64_t epoch, char out[EPOCH_MAX]);
/* Nothing is kept, all up to seq of that epoch is past. */
void topic_reset(struct topic *t, uint64_t epoch, uint64_t seq);
/* Keeps an event that may come twice or with a hole before it: what lies
 * before a hole is dropped. False: no news (a repetition), or no memory (then
 * the topic is reset to it). */
bool topic_add(struct topic *t, uint64_t epoch, uint64_t seq,
    struct span event);
/* Whether the place is of this epoch and all events after it are kept. */
bool topic_reaches(const struct topic *t, uint64_t epoch, uint64_t seq);
struct span topic_at(const struct topic *t, uint64_t seq);
void topic_link(struct topic *t, struct topic_link *l);
void topic_unlink(struct topic_link *l);

#endif
