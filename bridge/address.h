/* SPDX-License-Identifier: MIT */
/* How many connections each address has. */
#ifndef PALAVER_ADDRESS_H
#define PALAVER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "peer.h"

/* All zero it is empty. */
struct addresses {
	void *tree;   /* of tsearch(3): balanced, whatever addresses come */
	size_t n;     /* addresses in it */
};

/* How many the client has. */
unsigned address_count(const struct addresses *a, const struct client *c);
/* One more; false without memory. */
bool address_add(struct addresses *a, const struct client *c);
/* One less. */
void address_drop(struct addresses *a, const struct client *c);

#endif
