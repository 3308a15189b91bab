/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <sodium.h>
#include <stdlib.h>

#define ROOM_FIRST 64
_Static_assert(sizeof(((struct names *)0)->key) == crypto_shorthash_KEYBYTES,
    "the key is SipHash's");

static uint32_t
hash_of(const struct names *s, struct span name)
{
	unsigned char out[crypto_shorthash_BYTES];
	uint32_t hash;

	crypto_shorthash(out, (const unsigned char *)name.p, name.n, s->key);
	memcpy(&hash, out, sizeof(hash));
	return hash;
}

static struct name **
slot_of(const struct names *s, uint32_t hash)
{
	return &s->slots[hash & (s->room - 1)];
}

struct name *
names_find(const struct names *s, struct span name)
{
	struct name *node;
	uint32_t hash;

	if (s->room == 0)
		return NULL;
	hash = hash_of(s, name);
	node = *slot_of(s, hash);
	while (node != NULL && (node->hash != hash ||
	    !span_eq(name_text(node), name)))
		node = node->next;
	return node;
}

static void
put(struct names *s, struct name *node)
{
	struct name **slot = slot_of(s, node->hash);

	node->next = *slot;
	*slot = node;
}

/* Without memory a table that has slots goes on with longer chains. */
static bool
grow(struct names *s)
{
	struct names grown = *s;

	grown.room = s->room == 0 ? ROOM_FIRST : 2 * s->room;
	grown.slots = calloc(grown.room, sizeof(*grown.slots));
	if (grown.slots == NULL)
		return s->room > 0;
	if (s->room == 0)
		randombytes_buf(grown.key, sizeof(grown.key));
	for (size_t i = 0; i < s->room; i++)
		for (struct name *node = s->slots[i], *next; node != NULL;
		    node = next) {
			next = node->next;
			put(&grown, node);
		}
	free(s->slots);
	*s = grown;
	return true;
}

bool
names_add(struct names *s, struct name *node, const char *name, size_t n)
{
	if (s->n >= s->room && !grow(s))
		return false;
	node->n = (uint16_t)n;
	node->at = (uint16_t)(name - (const char *)node);
	node->hash = hash_of(s, (struct span){ name, n });
	put(s, node);
	s->n++;
	return true;
}

void
names_remove(struct names *s, struct name *node)
{
	struct name **at = slot_of(s, node->hash);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	s->n--;
}

struct name *
names_next(const struct names *s, const struct name *after)
{
	size_t slot = 0;

	if (after != NULL) {
		if (after->next != NULL)
			return after->next;
		slot = (after->hash & (s->room - 1)) + 1;
	}
	while (slot < s->room && s->slots[slot] == NULL)
		slot++;
	return slot < s->room ? s->slots[slot] : NULL;
}

void
names_clear(struct names *s)
{
	free(s->slots);
	*s = (struct names){ 0 };
}
