/* SPDX-License-Identifier: MIT */
/* A set of things by their names: a hash table whose nodes are part of the
 * things. People choose names, so the hash is keyed (SipHash-2-4): nobody can
 * have them fall together. */
#ifndef PALAVER_NAMES_H
#define PALAVER_NAMES_H

#include <stdint.h>

#include "span.h"

/* Lives in the thing. */
struct name {
	struct name *next;
	uint32_t hash;
	uint16_t n;  /* bytes of the name, */
	uint16_t at; /* which stand so far behind this node */
};

/* All zero it is empty and valid. */
struct names {
	struct name **slots;
	size_t room; /* slots: a power of two, or 0 */
	size_t n;
	unsigned char key[16];
};

/* NULL: there is none. */
struct name *names_find(const struct names *s, struct span name);
/* Adds a thing whose name, of n bytes within the 64 KiB behind its node, is in
 * no other's. False without memory. */
bool names_add(struct names *s, struct name *node, const char *name, size_t n);
void names_remove(struct names *s, struct name *node);
/* The things in any order: the one behind after (NULL: the first), or NULL.
 * Adding may reorder them. */
struct name *names_next(const struct names *s, const struct name *after);
/* Frees the table; the things are their owners'. */
void names_clear(struct names *s);

static inline struct span
name_text(const struct name *node)
{
	return (struct span){ (const char *)node + node->at, node->n };
}

#endif
