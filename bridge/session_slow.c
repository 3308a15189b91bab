/* SPDX-License-Identifier: MIT */
/* Who does not take what he is sent. What his socket does not take waits for
 * it, and he is sent no more until it has drained: that is one send of the hub
 * or one reply, of each. Only a reply to a request that was on its way may come
 * behind it, and the one to a sign-in over HTTP, which there is once. In all it
 * is bounded by send_memory: whoever has been blocked longest goes first, so
 * that one who reads, if slowly, outlives one who does not. */
#include "session_body.h"

#include "clock.h"
#include "frames.h"

#define BLOCKED_MOST 30000 /* ms until all must have been taken */

/* ---- the two lines: of those who are served, and of those who leave ---- */

static struct line *
line_of(struct session *s)
{
	return s->state == SESSION_CLOSING ? &s->table->leaving :
	    &s->table->blocked;
}

void
session_leaves(struct session *s)
{
	struct line_place was = s->blocked;

	if (was.session == NULL)
		return;
	line_remove(&s->table->blocked, &s->blocked);
	line_append(&s->table->leaving, &s->blocked, s, was.since);
	line_set_bytes(&s->table->leaving, &s->blocked, was.bytes);
}

void
session_drained(struct session *s)
{
	if (s->blocked.session != NULL)
		line_remove(line_of(s), &s->blocked);
}

/* ---- in all ---- */

/* Three quarters are for those who are served; those who leave for it, with
 * 4008 behind what waits, have some time to take it, and the rest of the
 * memory. Their 4008 brings us here again, which is for the loops below. */
static void
make_room(struct sessions *t)
{
	size_t most = t->conf->send_memory;

	if (t->making_room)
		return;
	t->making_room = true;
	while (t->blocked.bytes > most / 4 * 3)
		session_too_slow(t->blocked.first->session);
	while (t->leaving.first != NULL &&
	    t->blocked.bytes + t->leaving.bytes > most) {
		struct session *s = t->leaving.first->session;

		ws_drop(s->conn);
		session_drained(s);
	}
	t->making_room = false;
}

void
session_slow_tick(struct sessions *t, uint64_t now)
{
	while (t->blocked.first != NULL &&
	    now - t->blocked.first->since >= BLOCKED_MOST)
		session_too_slow(t->blocked.first->session);
}

/* ---- of each ---- */

void
session_blocked(struct session *s)
{
	struct line *l = line_of(s);

	if (s->blocked.session == NULL)
		line_append(l, &s->blocked, s, clock_ms());
	line_set_bytes(l, &s->blocked, ws_pending(s->conn));
	make_room(s->table);
}

bool
session_ready(struct session *s)
{
	return s->state != SESSION_CLOSING && !ws_blocked(s->conn);
}

void
session_send(struct session *s, const char *frames, size_t n)
{
	if (s->state != SESSION_CLOSING)
		ws_send(s->conn, frames, n);
}

static void
add_frame(struct buf *b, struct span text)
{
	unsigned char head[FRAMES_TEXT_HEAD_MAX];

	if (text.n == 0)
		return;
	buf_add(b, head, frames_text_head(head, text.n));
	buf_span(b, text);
}

void
session_send_texts(struct session *s, struct span first, struct span second)
{
	struct buf *out = &s->table->out;

	buf_reset(out);
	out->oom = false;
	add_frame(out, first);
	add_frame(out, second);
	if (out->oom)
		session_close(s, WS_FULL, "out of memory");
	else
		session_send(s, out->p, out->n);
}

void
session_send_text(struct session *s, const struct buf *text)
{
	if (text->oom)
		session_close(s, WS_FULL, "out of memory");
	else
		session_send_texts(s, buf_peek(text), SPAN(""));
}

void
session_too_slow(struct session *s)
{
	session_close(s, WS_TOO_SLOW, "resume by cursor");
}
