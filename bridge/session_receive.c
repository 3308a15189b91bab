/* SPDX-License-Identifier: MIT */
/* What is held of what sessions send: messages that are not complete, and
 * requests that wait or run. Of each it is bounded: reading from it stops. In
 * all it is bounded by receive_memory: beyond it goes first who has ended no
 * message for longest, so that those whose messages come at once, even if one
 * always waits, outlive one who never ends his. */
#include "session_body.h"

#include "clock.h"

void
session_received(struct session *s)
{
	struct sessions *t = s->table;
	struct line *l = &t->received;
	size_t bytes = ws_received(s->conn) + s->waiting_bytes +
	    s->running_bytes;

	if (bytes == 0) {
		session_received_none(s);
		return;
	}
	if (s->received.session == NULL)
		line_append(l, &s->received, s, clock_ms());
	line_set_bytes(l, &s->received, bytes);
	while (l->bytes > t->conf->receive_memory) {
		struct session *first = l->first->session;

		session_close(first, WS_FULL, "out of memory");
		ws_drop(first->conn);
		session_received_none(first);
	}
}

void
session_received_none(struct session *s)
{
	if (s->received.session != NULL)
		line_remove(&s->table->received, &s->received);
}
