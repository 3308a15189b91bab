/* SPDX-License-Identifier: MIT */
/* Out of the rings: what arrived in one turn of the loop leaves in one send for
 * each session, the same bytes for all where that is so. */
#include "hub_body.h"

/* Bytes in one send, and a frame more: what a socket does not take of it is all
 * that is held for it. */
#define SEND_MOST (256 * 1024)

void
ring_set_dirty(struct followed *f, uint64_t from)
{
	if (f->dirty)
		return;
	f->dirty = true;
	f->dirty_from = from;
	f->next_dirty = f->hub->dirty;
	f->hub->dirty = f;
}

uint64_t
member_last(const struct member *m, const struct ring *r)
{
	return m->end != 0 && m->end <= r->last ? m->end - 1 : r->last;
}

/* Whether a notice goes to m however many there are: its own user's. */
static bool
always(const struct ring_frame *e, const struct thin *t)
{
	return e->user == 0 || memcmp(e->bytes + e->user, t->user,
	    UUID_LEN) == 0;
}

/* Whether what m has not had of r may go to it, up to the seq to. */
static bool
passes(struct hub *h, const struct member *m, const struct ring *r,
    uint64_t to)
{
	struct thin *t;
	unsigned others = 0;

	if (!m->of->thins)
		return true;
	t = h->handler.thin(m->session);
	for (uint64_t q = m->seq + 1; q <= to; q++)
		others += !always(ring_at(r, q), t);
	return thin_passes(t, &h->conf->notice_rate, others, uv_now(h->loop));
}

static void
gather_always(struct hub *h, const struct member *m, const struct ring *r,
    uint64_t to, struct buf *out)
{
	const struct thin *t = h->handler.thin(m->session);

	for (uint64_t q = m->seq + 1; q <= to; q++)
		if (always(ring_at(r, q), t))
			buf_add(out, ring_at(r, q)->bytes, ring_at(r, q)->n);
}

/* A user's own notices are passed on one by one: some are not for a session
 * that follows the channel they speak of. */
static void
gather_own(struct hub *h, struct member *m, const struct ring *r,
    struct buf *out)
{
	uint64_t last = member_last(m, r);

	while (m->seq < last && out->n < SEND_MOST) {
		const struct ring_frame *e = ring_at(r, ++m->seq);
		struct span text = { e->bytes + e->head, e->n - e->head };

		if (!ring_is_keys(m->of, text) &&
		    !h->handler.skips(m->session, text))
			buf_add(out, e->bytes, e->n);
	}
}

/* Appends what m has not had of r, until out holds a whole send. */
static void
gather(struct hub *h, struct member *m, const struct ring *r, struct buf *out)
{
	size_t before = out->n;
	uint64_t to;

	if (m->of->scope.text[0] == 'u') {
		gather_own(h, m, r, out);
		return;
	}
	to = ring_copy_most(r, m->seq, member_last(m, r), SEND_MOST, out);
	if (!passes(h, m, r, to)) {
		out->n = before;
		gather_always(h, m, r, to, out);
	}
	m->seq = to;
}

static void
send_frames(struct hub *h, struct session *s)
{
	if (h->frames.oom)
		h->handler.lost(s);
	else if (h->frames.n != 0)
		h->handler.send(s, h->frames.p, h->frames.n);
}

void
hub_send_part(struct hub *h, struct member *m, const struct ring *r)
{
	buf_reset(&h->frames);
	h->frames.oom = false;
	gather(h, m, r, &h->frames);
	send_frames(h, m->session);
}

/* Whether the ring of m has something for it. */
static bool
has_news(const struct member *m)
{
	return m->of->state == RING_LIVE &&
	    m->seq < member_last(m, &m->of->ring) && !behind_is(m);
}

/* One send. Whether there is more. */
static bool
catch_up_some(struct hub *h, struct session *s)
{
	size_t n;
	struct member **members = h->handler.members(s, &n);
	bool more = false;

	buf_reset(&h->frames);
	h->frames.oom = false;
	for (size_t i = 0; i < n; i++) {
		struct member *m = members[i];

		if (behind_is(m))
			behind_read(m->of);
		else if (has_news(m))
			gather(h, m, &m->of->ring, &h->frames);
		more |= has_news(m);
	}
	send_frames(h, s);
	return more;
}

void
hub_catch_up(struct hub *h, struct session *s)
{
	while (h->handler.ready(s) && catch_up_some(h, s))
		;
}

/* m gets what all get, unless it is thinned. */
static void
send_shared(struct hub *h, struct member *m, const struct buf *shared)
{
	const struct ring *r = &m->of->ring;
	const struct buf *out = shared;

	if (!passes(h, m, r, r->last)) {
		buf_reset(&h->frames);
		h->frames.oom = false;
		gather_always(h, m, r, r->last, &h->frames);
		out = &h->frames;
	}
	if (out->oom) {
		h->handler.lost(m->session);
		return;
	}
	m->seq = r->last;
	if (out->n != 0)
		h->handler.send(m->session, out->p, out->n);
}

/* The usual case: one ring has news, one send's worth, and everybody stands at
 * the same place, so that the same bytes go to all. Any other session is caught
 * up by itself. */
static void
fan_out(struct hub *h, struct followed *f, struct buf *shared)
{
	bool alone = h->dirty == NULL && f->scope.text[0] != 'u';

	buf_reset(shared);
	if (alone)
		alone = f->dirty_from + 1 >= f->ring.first &&
		    ring_copy_most(&f->ring, f->dirty_from, f->ring.last,
		    SEND_MOST, shared) == f->ring.last;
	for (size_t i = 0; i < f->nmembers; i++) {
		struct member *m = f->members[i];

		if (m->seq >= f->ring.last)
			continue;
		if (alone && !shared->oom && m->seq == f->dirty_from &&
		    m->end == 0) {
			if (!h->handler.ready(m->session))
				continue;
			send_shared(h, m, shared);
		} else {
			hub_catch_up(h, m->session);
		}
	}
}

void
hub_turn_end(uv_check_t *handle)
{
	struct hub *h = handle->data;
	struct buf shared = { 0 };
	struct followed *f;

	while ((f = h->dirty) != NULL) {
		h->dirty = f->next_dirty;
		f->dirty = false;
		if (f->state == RING_LIVE)
			fan_out(h, f, &shared);
	}
	buf_clear(&shared);
	if (h->read) {
		h->read = false;
		h->handler.on_read(h->handler.arg);
	}
	/* Now, for what came in this turn has been sent. */
	rings_trim(&h->rings);
}
