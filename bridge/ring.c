/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <stdlib.h>

#include "frame.h"
#include "frames.h"

#define ROOM_LEAST 8 /* most channels are quiet */

static struct ring_frame *
slot(const struct ring *r, uint64_t seq)
{
	return &r->frames[seq & (r->room - 1)];
}

static size_t
count(const struct ring *r)
{
	return (size_t)(r->last + 1 - r->first);
}

static void
drop_oldest(struct ring *r)
{
	struct ring_frame *f = slot(r, r->first);

	r->bytes -= f->n;
	r->all->bytes -= f->n;
	free(f->bytes);
	r->first++;
}

/* ---- the line of all ---- */

static void
append(struct ring *r)
{
	struct rings *all = r->all;

	r->before = all->last;
	r->after = NULL;
	*(all->last == NULL ? &all->first : &all->last->after) = r;
	all->last = r;
}

static void
take_out(struct ring *r)
{
	struct rings *all = r->all;

	*(r->before == NULL ? &all->first : &r->before->after) = r->after;
	*(r->after == NULL ? &all->last : &r->after->before) = r->before;
}

/* Frees the array of an empty ring. */
static void
release(struct ring *r)
{
	if (r->room == 0)
		return;
	take_out(r);
	r->all->bytes -= r->room * sizeof(*r->frames);
	free(r->frames);
	r->frames = NULL;
	r->room = 0;
}

/* Room for one more frame. */
static bool
grow(struct ring *r)
{
	size_t room = r->room == 0 ? ROOM_LEAST : r->room * 2;
	struct ring_frame *frames = calloc(room, sizeof(*frames));

	if (frames == NULL)
		return false;
	for (uint64_t q = r->first; q <= r->last; q++)
		frames[q & (room - 1)] = *slot(r, q);
	if (r->room == 0)
		append(r);
	free(r->frames);
	r->frames = frames;
	r->all->bytes += (room - r->room) * sizeof(*frames);
	r->room = room;
	return true;
}

void
rings_trim(struct rings *all)
{
	while (all->bytes > all->most && all->first != NULL) {
		struct ring *r = all->first;

		if (count(r) > 0)
			drop_oldest(r);
		else
			release(r);
	}
}

/* ---- one ring ---- */

void
ring_init(struct ring *r, struct rings *all, uint64_t last)
{
	*r = (struct ring){ .all = all, .first = last + 1, .last = last };
}

void
ring_reset(struct ring *r, uint64_t last)
{
	while (count(r) > 0)
		drop_oldest(r);
	r->first = last + 1;
	r->last = last;
}

bool
ring_add(struct ring *r, struct span text)
{
	unsigned char header[FRAMES_TEXT_HEAD_MAX];
	size_t head = frames_text_head(header, text.n);
	struct span user = frame_notice_user(text);
	struct ring_frame *f;
	char *bytes = malloc(head + text.n);

	if (bytes == NULL)
		return false;
	while (count(r) > 0 && (count(r) == RING_EVENTS ||
	    r->bytes + head + text.n > RING_BYTES))
		drop_oldest(r);
	if (count(r) == r->room && !grow(r)) {
		free(bytes);
		return false;
	}
	memcpy(bytes, header, head);
	memcpy(bytes + head, text.p, text.n);
	f = slot(r, ++r->last);
	*f = (struct ring_frame){ bytes, head + text.n, head,
		user.n == 0 ? 0 : head + (size_t)(user.p - text.p) };
	r->bytes += f->n;
	r->all->bytes += f->n;
	take_out(r);
	append(r);
	return true;
}

const struct ring_frame *
ring_at(const struct ring *r, uint64_t seq)
{
	return slot(r, seq);
}

uint64_t
ring_copy_most(const struct ring *r, uint64_t seq, uint64_t last, size_t most,
    struct buf *out)
{
	while (seq < last && out->n < most) {
		seq++;
		buf_add(out, slot(r, seq)->bytes, slot(r, seq)->n);
	}
	return seq;
}

void
ring_clear(struct ring *r)
{
	ring_reset(r, 0);
	release(r);
}
