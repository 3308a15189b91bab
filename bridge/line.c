/* SPDX-License-Identifier: MIT */
#include "line.h"

void
line_append(struct line *l, struct line_place *p, struct session *s,
    uint64_t since)
{
	*p = (struct line_place){ .session = s, .prev = l->last,
		.since = since };
	*(l->last == NULL ? &l->first : &l->last->next) = p;
	l->last = p;
}

void
line_set_bytes(struct line *l, struct line_place *p, size_t bytes)
{
	l->bytes += bytes - p->bytes;
	p->bytes = bytes;
}

void
line_remove(struct line *l, struct line_place *p)
{
	*(p->prev == NULL ? &l->first : &p->prev->next) = p->next;
	*(p->next == NULL ? &l->last : &p->next->prev) = p->prev;
	l->bytes -= p->bytes;
	*p = (struct line_place){ 0 };
}
