/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <stdlib.h>

#include "frame.h"
#include "ws.h"

static struct ring_frame *
slot(const struct ring *r, uint64_t seq)
{
	return &r->frames[seq % RING_EVENTS];
}

static void
drop_oldest(struct ring *r)
{
	struct ring_frame *f = slot(r, r->first);

	r->bytes -= f->n;
	free(f->bytes);
	f->bytes = NULL;
	r->first++;
}

void
ring_reset(struct ring *r, uint64_t last)
{
	while (r->frames != NULL && r->first <= r->last)
		drop_oldest(r);
	r->first = last + 1;
	r->last = last;
}

bool
ring_add(struct ring *r, struct span text)
{
	unsigned char header[WS_HEADER_MAX];
	size_t head = ws_text_header(header, text.n);
	struct span user = frame_notice_user(text);
	struct ring_frame *f;
	char *bytes;

	if (r->frames == NULL)
		r->frames = calloc(RING_EVENTS, sizeof(*r->frames));
	bytes = malloc(head + text.n);
	if (r->frames == NULL || bytes == NULL) {
		free(bytes);
		return false;
	}
	memcpy(bytes, header, head);
	memcpy(bytes + head, text.p, text.n);
	while (r->first <= r->last && (r->last - r->first + 1 >= RING_EVENTS ||
	    r->bytes + head + text.n > RING_BYTES))
		drop_oldest(r);
	f = slot(r, ++r->last);
	*f = (struct ring_frame){ bytes, head + text.n, head,
		user.n == 0 ? 0 : head + (size_t)(user.p - text.p) };
	r->bytes += f->n;
	return true;
}

const struct ring_frame *
ring_at(const struct ring *r, uint64_t seq)
{
	return slot(r, seq);
}

uint64_t
ring_copy_most(const struct ring *r, uint64_t seq, size_t most,
    struct buf *out)
{
	while (seq < r->last && out->n < most) {
		seq++;
		buf_add(out, slot(r, seq)->bytes, slot(r, seq)->n);
	}
	return seq;
}

void
ring_clear(struct ring *r)
{
	ring_reset(r, 0);
	free(r->frames);
	r->frames = NULL;
}
