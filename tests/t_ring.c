/* SPDX-License-Identifier: MIT */
/* The rings of events: order, bounds of each and of all, memory given back. */
#include "ring.h"
#include "tap.h"

#include <stdlib.h>

#define MANY 100

/* Adds n events of size bytes, each its seq and blanks. */
static bool
add(struct ring *r, unsigned n, size_t size)
{
	char *text = malloc(size + 1);
	bool good = text != NULL;

	for (unsigned i = 0; good && i < n; i++) {
		snprintf(text, size + 1, "%-*llu", (int)size,
		    (unsigned long long)r->last + 1);
		good = ring_add(r, (struct span){ text, size });
	}
	free(text);
	return good;
}

/* Whether each frame holds its own seq. */
static bool
right(const struct ring *r)
{
	for (uint64_t q = r->first; q <= r->last; q++) {
		const struct ring_frame *f = ring_at(r, q);

		if (f->head < 2 || f->head >= f->n ||
		    strtoull(f->bytes + f->head, NULL, 10) != q)
			return false;
	}
	return true;
}

static size_t
array(size_t room)
{
	return room * sizeof(struct ring_frame);
}

static void
one(void)
{
	struct rings all = { .most = SIZE_MAX };
	struct ring r;
	struct buf out = { 0 };

	ring_init(&r, &all, 41);
	ok(r.first == 42 && r.last == 41 && all.bytes == 0,
	    "an empty ring holds nothing");
	ok(add(&r, 8, 20) && right(&r) && r.first == 42 && r.last == 49,
	    "eight events");
	ok(all.bytes == array(8) + 8 * 22 && r.bytes == 8 * 22,
	    "their bytes and a small array");
	ok(add(&r, 1, 20) && right(&r) && all.bytes == array(16) + 9 * 22,
	    "the ninth doubles it");
	ok(add(&r, 491, 20) && right(&r) && r.first == 42,
	    "they keep their places as it grows");
	ok(add(&r, 100, 20) && right(&r) && r.last - r.first + 1 ==
	    RING_EVENTS && r.last == 641, "beyond 512 the oldest go");
	ok(all.bytes == array(RING_EVENTS) + RING_EVENTS * 22,
	    "and so does their memory");
	ok(ring_copy_most(&r, 600, r.last, 100, &out) == 605 && out.n == 5 * 22,
	    "a part: a frame more than most");
	ok(ring_copy_most(&r, 605, r.last, 100, &out) == 605 && out.n == 5 * 22,
	    "none when there is enough");
	buf_reset(&out);
	ok(ring_copy_most(&r, 639, r.last, 1000, &out) == 641 && out.n == 2 * 22,
	    "no more than there are");
	buf_clear(&out);
	ok(add(&r, 30, 100000) && right(&r) && r.bytes <= RING_BYTES &&
	    r.last - r.first + 1 == RING_BYTES / 100010,
	    "at most RING_BYTES of them");
	ok(add(&r, 1, 2 * RING_BYTES) && r.first == r.last && right(&r),
	    "but the newest however large it is");
	ring_reset(&r, 7);
	ok(r.first == 8 && r.last == 7 && r.bytes == 0, "it is emptied");
	ok(add(&r, 3, 20) && right(&r) && r.last == 10, "and goes on");
	ring_clear(&r);
	ok(all.bytes == 0 && all.first == NULL && all.last == NULL,
	    "what is cleared holds nothing");
	ring_clear(&r);
	ok(all.bytes == 0, "twice is fine");
}

static void
in_all(void)
{
	struct rings all = { .most = 200 * 1000 };
	static struct ring r[MANY];
	bool good = true;
	size_t held = 0;

	for (int i = 0; i < MANY; i++) {
		ring_init(&r[i], &all, 0);
		good = good && add(&r[i], 10, 1000);
	}
	ok(good && all.bytes == MANY * (array(16) + 10 * 1004),
	    "until they are trimmed all keep all");
	/* The first one has news again. */
	ok(add(&r[0], 1, 1000), "one more in the first");
	rings_trim(&all);
	ok(all.bytes <= all.most && all.bytes > all.most - 2 * 1004,
	    "trimmed to their bound, and no more than that");
	for (int i = 0; i < MANY; i++)
		held += r[i].bytes + array(r[i].room);
	ok(held == all.bytes, "the sum is right");
	ok(r[0].first == 1 && r[0].last == 11 && right(&r[0]),
	    "the one with the newest event keeps all");
	ok(r[99].first == 1 && r[98].first == 1 && right(&r[98]),
	    "and those before it");
	ok(r[1].first == 11 && r[1].last == 10 && r[1].room == 0,
	    "the one that was silent longest nothing");
	for (int i = 1; i < MANY; i++)
		good = good && r[i].first <= r[i - (i > 1)].first &&
		    right(&r[i]);
	ok(good, "what goes is the oldest, ring by ring");
	ok(add(&r[1], 1, 1000) && r[1].first == 11 && r[1].last == 11 &&
	    right(&r[1]), "an emptied ring goes on at its seq");
	all.most = 0;
	rings_trim(&all);
	ok(all.bytes == 0 && all.first == NULL, "all can go");
	ok(add(&r[5], 1, 10) && right(&r[5]) && r[5].first == 11,
	    "and come again");
	for (int i = 0; i < MANY; i++)
		ring_clear(&r[i]);
	ok(all.bytes == 0, "nothing is left");
}

int
main(void)
{
	one();
	in_all();
	return tap_end();
}
