/* SPDX-License-Identifier: MIT */
/* What a session costs that asks too fast: its requests are refused, and every
 * few of them reading from it stops for a while, so that the loop is there for
 * the others; the peer's own socket fills meanwhile. Beyond twice the rate it
 * is closed. */
#include "session_body.h"

#include "clock.h"

#define HOLD_EVERY 16 /* refused requests */
#define HOLD 50       /* ms */

/* Reading goes on, unless requests wait. */
static void
on_hold(uv_timer_t *timer)
{
	struct sessions *t = timer->data;
	struct session *s;

	while ((s = t->held) != NULL) {
		session_release(s);
		session_read(s);
	}
}

static void
hold(struct session *s)
{
	struct sessions *t = s->table;

	if (s->held_link != NULL)
		return;
	s->held_next = t->held;
	if (s->held_next != NULL)
		s->held_next->held_link = &s->held_next;
	t->held = s;
	s->held_link = &t->held;
	if (!uv_is_active((uv_handle_t *)&t->hold))
		uv_timer_start(&t->hold, on_hold, HOLD, 0);
	session_read(s);
}

void
session_release(struct session *s)
{
	if (s->held_link == NULL)
		return;
	*s->held_link = s->held_next;
	if (s->held_next != NULL)
		s->held_next->held_link = s->held_link;
	s->held_link = NULL;
}

bool
session_may_ask(struct session *s, unsigned *wait)
{
	*wait = 0;
	switch (flood_count(&s->flood, &s->table->conf->request_rate,
	    clock_ms(), wait)) {
	case FLOOD_PASS:
		break;
	case FLOOD_REFUSE:
		if (++s->refused % HOLD_EVERY == 0)
			hold(s);
		break;
	case FLOOD_CLOSE:
		hold(s); /* its answer to the close is not worth the rest */
		session_close(s, WS_FLOODING, "flooding");
		return false;
	}
	return true;
}

void
session_flood_init(struct sessions *t, uv_loop_t *loop)
{
	uv_timer_init(loop, &t->hold);
	t->hold.data = t;
}
