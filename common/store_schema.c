/* SPDX-License-Identifier: MIT */
/* The schema of the data, before anything else is sent: a newer program's is left
 * alone, an older one is migrated. */
#include "store_body.h"

#include <stdlib.h>

#include "call.h"
#include "log.h"

#define TIMEOUT 2000 /* ms */
#define AGAIN 1000   /* ms until a schema that is not ours is looked at */

static void
on_again(uv_timer_t *t)
{
	struct store *s = t->data;

	if (link_ready(s->link) && !s->ready)
		store_check_schema(s);
}

/* The connection serves from now on. */
static void
serve(struct store *s)
{
	s->ready = true;
	s->away = false;
	s->newer = 0;
	store_send_waiting(s);
	if (!s->closing && s->ready_cb != NULL)
		s->ready_cb(s->ready_arg);
}

static void
on_schema(void *arg, enum store_status status, const struct answer *a)
{
	struct store *s = arg;
	unsigned long stands = status == STORE_OK && a->n == 2 ?
	    strtoul(a->v[1].p, NULL, 10) : 0;

	if (s->closing || !link_ready(s->link))
		return;
	if (stands == STORE_SCHEMA) {
		serve(s);
		return;
	}
	if (stands > STORE_SCHEMA && s->newer != stands)
		log_error("redis: the data is of schema %lu, which a newer"
		    " Palaver wrote; this one knows %d and leaves it alone",
		    stands, STORE_SCHEMA);
	s->newer = stands > STORE_SCHEMA ? stands : 0;
	/* At once when a part was migrated. */
	uv_timer_start(&s->again, on_again, status == STORE_OK &&
	    stands < STORE_SCHEMA ? 0 : AGAIN, 0);
}

void
store_check_schema(struct store *s)
{
	struct call ask = { 0 };
	struct store_call *c;

	call_begin(&ask, SCRIPT_schema, s->conf);
	call_uint(&ask, STORE_SCHEMA);
	c = ask.words.oom ? NULL : store_call_new(s, ask.script,
	    buf_peek(&ask.words), ask.n, TIMEOUT, on_schema, s);
	call_clear(&ask);
	if (c == NULL)
		link_drop(s->link);
	else
		store_transmit(s, c);
}
