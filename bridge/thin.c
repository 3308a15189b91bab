/* SPDX-License-Identifier: MIT */
#include "thin.h"

#include <inttypes.h>

#define TELL_EVERY 950  /* ms: about a second, by a clock that ticks in ms */
#define ASKING 200      /* sessions that may ask for the list in a second */
#define AFTER_MOST 60   /* s */

bool
thin_passes(struct thin *t, const struct rate *r, unsigned n, uint64_t now)
{
	uint64_t window;

	if (r->count == 0 || n == 0)
		return true;
	window = now / (r->seconds * UINT64_C(1000));
	if (window != t->window) {
		t->thinning = window == t->window + 1 && t->count > r->count;
		t->window = window;
		t->count = 0;
	}
	t->count = n > UINT32_MAX - t->count ? UINT32_MAX : t->count + n;
	if (t->count > r->count)
		t->thinning = true;
	if (t->thinning)
		t->owed = true;
	return !t->thinning;
}

bool
thin_tells(struct thin *t, uint64_t now)
{
	if (!t->owed || now - t->told < TELL_EVERY)
		return false;
	t->owed = false;
	t->told = now;
	return true;
}

void
thin_message(struct buf *b, uint64_t total, uint64_t sessions)
{
	uint64_t after = 1 + sessions / ASKING;

	buf_fmt(b, "{\"type\":\"sys\",\"sys\":{\"type\":\"users\",\"users\":"
	    "{\"total\":%" PRIu64 ",\"after\":%" PRIu64 "}}}", total,
	    after > AFTER_MOST ? AFTER_MOST : after);
}
