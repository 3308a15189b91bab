/* SPDX-License-Identifier: MIT */
/* The last events of one scope, as ready WebSocket frames, without a hole:
 * kept once for all sessions. Bounded in number and bytes. */
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

struct ring {
	struct ring_frame *frames; /* of seq at [seq % RING_EVENTS]; made with
				    * the first event */
	uint64_t first;            /* seq of the oldest kept */
	uint64_t last;             /* seq of the newest; first - 1: empty */
	size_t bytes;
};

/* Empties; the next event is seq last + 1. */
void ring_reset(struct ring *r, uint64_t last);
/* Appends the next event; the oldest give way. False without memory. */
bool ring_add(struct ring *r, struct span text);
/* The frame of seq, which must be in first..last. */
const struct ring_frame *ring_at(const struct ring *r, uint64_t seq);
/* Appends frames after seq, which the ring must reach, until out holds most
 * bytes or a frame more. Returns the seq of the last one, or seq. */
uint64_t ring_copy_most(const struct ring *r, uint64_t seq, size_t most,
    struct buf *out);
void ring_clear(struct ring *r);

#endif
