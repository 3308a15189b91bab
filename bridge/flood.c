/* SPDX-License-Identifier: MIT */
#include "flood.h"

#define SECOND 1000000 /* us */

/* Charges one request; 0, or the us until one would pass. */
static uint64_t
charge(uint64_t *till, const struct rate *rate, uint64_t now)
{
	uint64_t each = (uint64_t)rate->seconds * SECOND / rate->count;
	uint64_t burst = each * (rate->count - 1);

	if (*till < now)
		*till = now;
	if (*till - now > burst)
		return *till - now - burst;
	*till += each;
	return 0;
}

enum flood_verdict
flood_count(struct flood *f, const struct rate *rate, uint64_t now,
    unsigned *wait)
{
	uint64_t us;

	if (rate->count == 0)
		return FLOOD_PASS;
	us = charge(&f->passed, rate, now * 1000);
	if (us == 0)
		return FLOOD_PASS;
	if (charge(&f->refused, rate, now * 1000) != 0)
		return FLOOD_CLOSE;
	*wait = (unsigned)((us + SECOND - 1) / SECOND);
	return FLOOD_REFUSE;
}
