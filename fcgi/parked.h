/* SPDX-License-Identifier: MIT */
/* Polls that wait, as they stand in a process: found by id, taken when their
 * time is over, and in order of the news that came for them. Pure. */
#ifndef PALAVER_PARKED_H
#define PALAVER_PARKED_H

#include "poll.h"
#include "topic.h"

struct park;

/* Thousands: no more than what a reply needs. */
struct parked {
	struct park *park;
	struct parked *prev, *next; /* whose time is over at the same time */
	struct parked *bucket;
	struct parked *due_prev, *due_next;
	uint64_t id;
	void *who;
	uint64_t until;             /* ms */
	uint64_t due;               /* ms; 0: no news */
	uint32_t unacked;           /* subscriptions that it waits for */
	uint32_t nlinks;
	unsigned char user[UUID_BYTES], session[UUID_BYTES], poll[UUID_BYTES];
	char key_hash[KEY_HASH_LEN + 1];
	struct topic_link links[];
};

#define LOT_BUCKETS 4096 /* a power of two */
#define LOT_SLOTS 8192
#define LOT_SLOT 128     /* ms; all slots are more than the longest wait */

struct lot {
	struct parked *buckets[LOT_BUCKETS]; /* by id */
	struct parked *slots[LOT_SLOTS];     /* by until / LOT_SLOT */
	uint64_t past;                       /* slots before this are empty */
	struct parked *due_first, *due_last;
	size_t count;
};

/* A copy of poll without its scopes, for which it has room. NULL without
 * memory. */
struct parked *parked_new(const struct poll *poll, uint64_t id, uint64_t now);
/* Fills poll, whose scopes have room, from q; wait is at least 1. */
void parked_read(const struct parked *q, struct poll *poll, uint64_t now);

/* Events for a poll, which lie in its topics. For use again and again. */
struct harvest {
	struct span *v; /* owned */
	size_t n, room;
};

/* Collects in h what has come in q's topics and is wanted, at most so many,
 * and moves the places of poll, which q was read to, behind it. False: not all
 * that came is kept, or there is more, and poll stays what it was. */
bool parked_gather(const struct parked *q, struct poll *poll,
    struct harvest *h, size_t most);

/* now: when it begins (ms). All else zero it is empty. */
void lot_init(struct lot *l, uint64_t now);
void lot_add(struct lot *l, struct parked *q);
/* Takes it out, out of those due too. */
void lot_remove(struct lot *l, struct parked *q);
struct parked *lot_find(struct lot *l, uint64_t id);
/* One whose time was over by the end of the last whole LOT_SLOT before now, or
 * NULL. UINT64_MAX: any; but then none is added any more. To be asked often. */
struct parked *lot_overdue(struct lot *l, uint64_t now);
/* q is due at that time, which is not before that of any other. */
void lot_set_due(struct lot *l, struct parked *q, uint64_t at);
void lot_clear_due(struct lot *l, struct parked *q);

#endif
