/* SPDX-License-Identifier: MIT */
#include "poll.h"

#include <stdlib.h>

#include "frame.h"

void
poll_clear(struct poll *p)
{
	free(p->scopes);
	*p = (struct poll){ .n = 0 };
}

void
poll_cursor(struct buf *b, const struct poll *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct poll_scope *s = &p->scopes[i];

		if (i > 0)
			buf_str(b, ",");
		buf_str(b, s->scope.text);
		buf_str(b, ":");
		buf_str(b, s->place.epoch);
		buf_str(b, ":");
		buf_uint(b, s->place.seq);
	}
}

bool
poll_wants(const struct poll *p, struct span event)
{
	struct span a, b;
	char first[UUID_LEN + 1], second[UUID_LEN + 1];
	struct scope c;

	if (event.n == 0 || *event.p != '{' ||
	    frame_is_own(event, p->session))
		return false;
	if (!frame_private_notice(event, &a, &b) || !uuid_read(a, first) ||
	    !uuid_read(b, second))
		return true;
	c = scope_channel(first, second, (struct span){ NULL, 0 });
	for (size_t i = p->left; i < p->n; i++)
		if (strcmp(p->scopes[i].scope.text, c.text) == 0)
			return false;
	return true;
}

void
poll_reply_begin(struct buf *b, struct span id, const struct poll *p,
    bool recovered, bool more)
{
	frame_begin(b, "events", id);
	buf_str(b, "{\"cursor\":\"");
	poll_cursor(b, p);
	buf_str(b, recovered ? "\",\"recovered\":true" :
	    "\",\"recovered\":false");
	buf_str(b, more ? ",\"more\":true,\"frames\":[" :
	    ",\"more\":false,\"frames\":[");
}

void
poll_reply_add(struct buf *b, struct span event, bool first)
{
	if (!first)
		buf_str(b, ",");
	buf_span(b, event);
}

void
poll_reply_end(struct buf *b)
{
	buf_str(b, "]}}");
}
