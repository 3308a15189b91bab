/* SPDX-License-Identifier: MIT */
/* What breaks a program on purpose, for the test of the checker: it delivers
 * everything well but one message, which it drops, sends twice or sends behind
 * the next one of its channel. PALAVER_BREAK says which and when: drop, double
 * or swap, a blank, and the number of the message among those delivered; or
 * notice, to send a notice of a channel twice. Of the bridge only: leave, to send
 * a message of the general channel to one who has left it; recovered, to say so
 * of all that was not. When it is done standard error tells ("broken: "). */
#ifndef PALAVER_TESTS_BROKEN_H
#define PALAVER_TESTS_BROKEN_H

#include "span.h"

enum deed {
	DEED_PASS,
	DEED_DROP,
	DEED_DOUBLE,
	DEED_HOLD,    /* not yet: it is to go behind the one of DEED_RELEASE */
	DEED_RELEASE  /* passes, and then what is held */
};

/* What to do with an event on its way to a reader (any pointer that stands for
 * one). */
enum deed broken_deed(const void *reader, struct span event);
/* Whether PALAVER_BREAK is this, and its number. */
bool broken_is(const char *what, unsigned long *when);
/* Whether a frame is a message of the general channel. */
bool broken_is_general(struct span event);
/* Once: tells that it is done, and of which frame. */
void broken_done(struct span event);
/* What is held will go where it belongs: another one is to be swapped. */
void broken_unhold(void);

#endif
