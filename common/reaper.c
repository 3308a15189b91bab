/* SPDX-License-Identifier: MIT */
#include "reaper.h"

#include <stdlib.h>

#include "call.h"

#define EVERY 5000    /* ms */
#define MOST 100      /* of each kind */
#define TIMEOUT 2000  /* ms */

struct reaper {
	const struct conf *conf;
	struct store *store;
	uv_timer_t timer;
	struct call call;
};

static void
on_reaped(void *arg, enum store_status status, const struct answer *a)
{
	(void)arg;
	(void)status;
	(void)a;
}

static void
on_timer(uv_timer_t *t)
{
	struct reaper *r = t->data;

	if (!store_ready(r->store))
		return;
	call_begin(&r->call, SCRIPT_beat, r->conf);
	call_str(&r->call, "");
	call_uint(&r->call, 0);
	call_str(&r->call, "");
	call_uint(&r->call, r->conf->presence_grace);
	call_uint(&r->call, MOST);
	call_str(&r->call, "");
	call_send(&r->call, r->store, TIMEOUT, on_reaped, r);
}

struct reaper *
reaper_new(uv_loop_t *loop, const struct conf *c, struct store *s)
{
	struct reaper *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->conf = c;
	r->store = s;
	uv_timer_init(loop, &r->timer);
	r->timer.data = r;
	uv_timer_start(&r->timer, on_timer, 0, EVERY);
	return r;
}

static void
closed(uv_handle_t *handle)
{
	struct reaper *r = handle->data;

	call_clear(&r->call);
	free(r);
}

void
reaper_free(struct reaper *r)
{
	if (r != NULL)
		uv_close((uv_handle_t *)&r->timer, closed);
}
