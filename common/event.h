/* SPDX-License-Identifier: MIT */
/* An event as it is published: "EPOCH SEQ TEXT". */
#ifndef PALAVER_EVENT_H
#define PALAVER_EVENT_H

#include <stdint.h>

#include "span.h"

struct event {
	struct span epoch;
	uint64_t seq;      /* 1 or more */
	struct span text;  /* what is sent; never looked into on the way */
};

/* Splits at two spaces; the spans point into payload. False when it is none:
 * an epoch of 1 to EPOCH_MAX - 1 hex digits, a seq of 1 to 15 digits. */
bool event_split(struct span payload, struct event *e);

#endif
