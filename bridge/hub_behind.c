/* SPDX-License-Identifier: MIT */
/* Those whom a ring does not reach: who resumes from long ago, or did not read
 * for long. What they have not had is read from the log, a bounded part at a
 * time, and goes to all who stand there and may be sent something, until they
 * come to the ring. Reads go from the lowest place up to the ring and, after a
 * pause, begin anew: many who come back together cost one read a part, and those
 * who come meanwhile hold up nobody. Nothing is kept of a part. */
#include "hub_body.h"

#include <search.h>
#include <stdint.h>

#define BEHIND_BYTES (64 * 1024) /* of one part, and a frame more */
#define PAUSE 100 /* ms from a read until they begin anew */

bool
behind_is(const struct member *m)
{
	return m->seq + 1 < m->of->ring.first &&
	    (m->end == 0 || m->seq + 1 < m->end);
}

/* From where to read next: the lowest place above the last read, else anew the
 * lowest. False when nobody waits for one. */
static bool
next_place(const struct followed *f, uint64_t *seq, bool *anew)
{
	const struct member *lowest = NULL, *above = NULL;

	for (size_t i = 0; i < f->nmembers; i++) {
		const struct member *m = f->members[i];

		if (!behind_is(m) || !f->hub->handler.ready(m->session))
			continue;
		if (lowest == NULL || m->seq < lowest->seq)
			lowest = m;
		if (m->seq >= f->behind_seq &&
		    (above == NULL || m->seq < above->seq))
			above = m;
	}
	if (lowest == NULL)
		return false;
	*anew = above == NULL;
	*seq = *anew ? lowest->seq : above->seq;
	return true;
}

static void
failed(struct followed *f)
{
	f->behind_seq = UINT64_MAX;
	f->behind_next = uv_now(f->hub->loop) + RETRY;
	behind_read(f);
}

/* Gives the part to all who stand in it. gone: nothing before it can be had. */
static void
hand_out(struct followed *f, const struct ring *part, bool gone)
{
	struct hub *h = f->hub;

	for (size_t i = 0; i < f->nmembers; i++) {
		struct member *m = f->members[i];

		if (behind_is(m) && gone && m->seq + 1 < part->first)
			read_missed(f, m, part->first);
		if (!behind_is(m) || m->seq + 1 < part->first ||
		    m->seq >= part->last || !h->handler.ready(m->session))
			continue;
		hub_send_part(h, m, part);
		if (!behind_is(m))
			hub_catch_up(h, m->session);
	}
}

/* Of another epoch than the ring: that looks first what became of it. */
static void
part_done(struct followed *f, uint64_t from, const struct answer *a)
{
	struct read_part p;
	struct ring part;
	bool good = true;

	if (!read_take(f, a, &p)) {
		failed(f);
		return;
	}
	if (!span_is(p.epoch, f->epoch)) {
		ring_read(f);
		return;
	}
	ring_init(&part, &f->hub->rings, p.first - 1);
	/* What the ring has not heard of comes to all at once. */
	for (size_t i = 0; good && i < p.n && part.last < f->ring.last; i++)
		good = ring_add(&part, p.frames[i]);
	f->behind_seq = part.last;
	f->behind_next = uv_now(f->hub->loop) + PAUSE;
	hand_out(f, &part, p.first > from + 1);
	f->hub->read = true;
	ring_clear(&part);
	if (good)
		behind_read(f);
	else
		failed(f);
}

static void
on_part(void *arg, enum store_status status, const struct answer *a)
{
	struct reading *r = arg;
	uint64_t id = r->id, from = r->seq;
	struct followed *f = read_end(r);

	if (f == NULL || f->id != id)
		return;
	f->behind_reading = false;
	if (status == STORE_OK)
		part_done(f, from, a);
	else
		failed(f);
}

static void
turn_visit(const void *node, VISIT which, void *closure)
{
	struct followed *f = *(struct followed *const *)node;

	(void)closure;
	if ((which != postorder && which != leaf) || !f->behind_waits)
		return;
	f->behind_waits = false;
	behind_read(f);
}

static void
on_turn(uv_timer_t *t)
{
	struct hub *h = t->data;

	twalk_r(h->tree, turn_visit, NULL);
}

void
behind_read(struct followed *f)
{
	struct hub *h = f->hub;
	uint64_t seq;
	bool anew;

	if (f->behind_reading || f->behind_waits || f->state != RING_LIVE ||
	    !next_place(f, &seq, &anew))
		return;
	if (anew && uv_now(h->loop) < f->behind_next) {
		f->behind_waits = true;
		if (!uv_is_active((uv_handle_t *)&h->behind))
			uv_timer_start(&h->behind, on_turn, PAUSE, 0);
		return;
	}
	f->behind_reading = read_begin(f, f->epoch, seq, BEHIND_BYTES, on_part);
	if (!f->behind_reading)
		failed(f);
}
