/* SPDX-License-Identifier: MIT */
/* Who does not take what he is sent. What his socket does not take waits for
 * it, and he is sent no more until it has drained: that is one send of the hub
 * or one reply, of each. Only a reply to a request that was on its way may come
 * behind it, and the one to a sign-in over HTTP, which there is once. In all it
 * is bounded by send_memory: whoever has been blocked longest goes first, so
 * that one who reads, if slowly, outlives one who does not. */
#include "session_body.h"

#include "clock.h"

#define BLOCKED_MOST 30000 /* ms until all must have been taken */

/* ---- the two lines: of those who are served, and of those who leave ---- */

static struct line *
line_of(struct session *s)
{
	return s->state == SESSION_CLOSING ? &s->table->leaving :
	    &s->table->blocked;
}

static void
append(struct line *l, struct session *s)
{
	s->line_prev = l->last;
	s->line_next = NULL;
	*(l->last == NULL ? &l->first : &l->last->line_next) = s;
	l->last = s;
	l->bytes += s->pending;
}

static void
take_out(struct line *l, struct session *s)
{
	*(s->line_prev == NULL ? &l->first : &s->line_prev->line_next) =
	    s->line_next;
	*(s->line_next == NULL ? &l->last : &s->line_next->line_prev) =
	    s->line_prev;
	l->bytes -= s->pending;
}

void
session_leaves(struct session *s)
{
	if (s->blocked_since == 0)
		return;
	take_out(&s->table->blocked, s);
	append(&s->table->leaving, s);
}

void
session_drained(struct session *s)
{
	if (s->blocked_since == 0)
		return;
	take_out(line_of(s), s);
	s->pending = 0;
	s->blocked_since = 0;
}

/* Its socket holds bytes. */
static void
blocked(struct session *s)
{
	struct line *l = line_of(s);

	if (s->blocked_since == 0) {
		s->blocked_since = clock_ms();
		append(l, s);
	}
	l->bytes -= s->pending;
	s->pending = ws_pending(s->conn);
	l->bytes += s->pending;
}

/* ---- in all ---- */

/* Three quarters are for those who are served; those who leave for it, with
 * 4008 behind what waits, have some time to take it, and the rest of the
 * memory. */
static void
make_room(struct sessions *t)
{
	size_t most = t->conf->send_memory;
	struct session *s;

	while (t->blocked.bytes > most / 4 * 3)
		session_too_slow(t->blocked.first);
	while ((s = t->leaving.first) != NULL &&
	    t->blocked.bytes + t->leaving.bytes > most) {
		ws_drop(s->conn);
		session_drained(s);
	}
}

void
session_slow_tick(struct sessions *t, uint64_t now)
{
	while (t->blocked.first != NULL &&
	    now - t->blocked.first->blocked_since >= BLOCKED_MOST)
		session_too_slow(t->blocked.first);
}

/* ---- of each ---- */

bool
session_ready(struct session *s)
{
	if (s->state == SESSION_CLOSING)
		return false;
	if (!ws_blocked(s->conn))
		return true;
	blocked(s);
	return false;
}

void
session_send(struct session *s, const char *frames, size_t n)
{
	if (s->state == SESSION_CLOSING || n == 0)
		return;
	ws_send(s->conn, frames, n);
	if (!ws_blocked(s->conn))
		return;
	blocked(s);
	make_room(s->table);
}

void
session_too_slow(struct session *s)
{
	session_close(s, WS_TOO_SLOW, "resume by cursor");
}
