/* SPDX-License-Identifier: MIT */
/* Notices thinned: when more signIn, signOut, channelJoin and channelLeave of
 * others than notice_rate would go to a session, it is told once a second only
 * that there are news, until a whole window of the rate stayed below. It costs
 * two numbers a session, and no look at what is passed over but for whose it
 * is. */
#ifndef PALAVER_THIN_H
#define PALAVER_THIN_H

#include <stdint.h>

#include "buf.h"
#include "conf.h"

/* Of one session; all zero but user. */
struct thin {
	const char *user; /* whose notices always pass; borrowed */
	uint64_t window;  /* number of the window of the rate */
	uint64_t told;    /* ms: when it was told last */
	unsigned count;   /* notices of others in the window, thinned or not */
	bool thinning;
	bool owed;        /* something was passed over: it is to be told */
};

/* Whether n more notices of others may go to the session at now (ms); they
 * count either way. If not, it is to be told. */
bool thin_passes(struct thin *t, const struct rate *r, unsigned n,
    uint64_t now);
/* Whether the session is to be told now, which is taken as done. */
bool thin_tells(struct thin *t, uint64_t now);
/* Appends the message that stands for what was passed over, to ask for the
 * list of total users within a time that grows with the number of sessions. */
void thin_message(struct buf *b, uint64_t total, uint64_t sessions);

#endif
