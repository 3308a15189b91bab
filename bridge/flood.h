/* SPDX-License-Identifier: MIT */
/* How fast one session may ask: a generic cell rate, twice. What passes is
 * charged to one, what is refused to the other, of the same size: who goes on
 * asking beyond twice the rate is told to go. No I/O. */
#ifndef PALAVER_FLOOD_H
#define PALAVER_FLOOD_H

#include "conf.h"

/* All zero it has seen no request. */
struct flood {
	uint64_t passed, refused; /* us until which each is charged */
};

enum flood_verdict {
	FLOOD_PASS,
	FLOOD_REFUSE,  /* error 9 */
	FLOOD_CLOSE    /* 4029 */
};

/* Counts a request at now (ms of the monotonic clock) against rate. For
 * FLOOD_REFUSE *wait is how many seconds until one would pass, 1 at least. */
enum flood_verdict flood_count(struct flood *f, const struct rate *rate,
    uint64_t now, unsigned *wait);

#endif
