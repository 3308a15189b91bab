/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <search.h>
#include <stdlib.h>

struct holder {
	char key[PEER_KEY_MAX]; /* first: it is what is compared */
	unsigned n;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct holder *
find(const struct addresses *a, const struct client *c)
{
	void *node = tfind(c->key, &a->tree, compare);

	return node == NULL ? NULL : *(struct holder **)node;
}

unsigned
address_count(const struct addresses *a, const struct client *c)
{
	const struct holder *e = find(a, c);

	return e == NULL ? 0 : e->n;
}

bool
address_add(struct addresses *a, const struct client *c)
{
	struct holder *e = find(a, c);

	if (e != NULL) {
		e->n++;
		return true;
	}
	e = malloc(sizeof(*e));
	if (e == NULL)
		return false;
	memcpy(e->key, c->key, sizeof(e->key));
	e->n = 1;
	if (tsearch(e, &a->tree, compare) == NULL) {
		free(e);
		return false;
	}
	a->n++;
	return true;
}

void
address_drop(struct addresses *a, const struct client *c)
{
	struct holder *e = find(a, c);

	if (e == NULL || --e->n > 0)
		return;
	tdelete(e, &a->tree, compare);
	free(e);
	a->n--;
}
