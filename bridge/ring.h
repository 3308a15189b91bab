/* SPDX-License-Identifier: MIT */
/* The last events of one scope, as ready WebSocket frames, without a hole:
 * kept once for all sessions. Each ring is bounded in number and bytes, and so
 * are all together: what a ring that has had no event for long still holds was
 * sent to all who read, so the memory is better spent on those that have. */
#ifndef PALAVER_RING_H
#define PALAVER_RING_H

#include <stdint.h>

#include "buf.h"

#define RING_EVENTS 512          /* a power of two */
#define RING_BYTES (1024 * 1024)

struct ring_frame {
	char *bytes; /* header and text */
	size_t n;
	size_t head; /* bytes of the header */
	size_t user; /* where a notice names its user; 0: it is none */
};

/* Those that hold memory; the one whose last event is the oldest comes first. */
struct rings {
	struct ring *first, *last;
	size_t bytes; /* of their frames and of the arrays of these */
	size_t most;
};

struct ring {
	struct rings *all;         /* borrowed */
	struct ring *before, *after; /* of all, while room is not 0 */
	struct ring_frame *frames; /* of seq at [seq % room] */
	size_t room;               /* a power of two, or 0 */
	uint64_t first;            /* seq of the oldest kept */
	uint64_t last;             /* seq of the newest; first - 1: empty */
	size_t bytes;              /* of the frames */
};

/* Makes an empty one, whose next event is seq last + 1. */
void ring_init(struct ring *r, struct rings *all, uint64_t last);
/* Empties it; the next event is seq last + 1. */
void ring_reset(struct ring *r, uint64_t last);
/* Appends the next event; the oldest give way. False without memory. */
bool ring_add(struct ring *r, struct span text);
/* The frame of seq, which must be in first..last. */
const struct ring_frame *ring_at(const struct ring *r, uint64_t seq);
/* Appends frames after seq, which the ring must reach, up to last, which it has,
 * until out holds most bytes or a frame more. Returns the seq of the last one, or
 * seq. */
uint64_t ring_copy_most(const struct ring *r, uint64_t seq, uint64_t last,
    size_t most, struct buf *out);
/* Empties it and frees its memory. */
void ring_clear(struct ring *r);
/* Drops the oldest events of the rings that come first until all have no more
 * than most. Not while a ring is being read. */
void rings_trim(struct rings *all);

#endif
