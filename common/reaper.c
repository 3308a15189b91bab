/* SPDX-License-Identifier: MIT */
#include "reaper.h"

#include <stdlib.h>

#include "call.h"

#define REAPS 3       /* in a lease */
#define MOST 100      /* of each kind */
#define TIMEOUT 2000  /* ms */

struct reaper {
	const struct conf *conf;
	struct store *store;
	uv_timer_t timer;
	struct call call;
	bool reaping; /* a call is on its way */
	void (*done)(void *arg); /* see reaper_finish */
	void *arg;
};

static void reap(struct reaper *r);

static void
on_reaped(void *arg, enum store_status status, const struct answer *a)
{
	struct reaper *r = arg;
	void (*done)(void *arg) = r->done;

	r->reaping = false;
	r->done = NULL;
	if (done != NULL)
		done(r->arg);
	else if (status == STORE_OK && a->n == 5 && span_is(a->v[2], "1"))
		reap(r);
}

static void
reap(struct reaper *r)
{
	if (r->reaping || !store_ready(r->store))
		return;
	call_begin(&r->call, SCRIPT_beat, r->conf);
	call_str(&r->call, "");
	call_uint(&r->call, 0);
	call_str(&r->call, "");
	call_uint(&r->call, r->conf->presence_grace);
	call_uint(&r->call, MOST);
	call_str(&r->call, "");
	call_uint(&r->call, 0);
	r->reaping = call_send(&r->call, r->store, TIMEOUT, on_reaped, r);
}

static void
on_timer(uv_timer_t *t)
{
	reap(t->data);
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
	uv_timer_start(&r->timer, on_timer, 0, c->presence_lease / REAPS);
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
reaper_finish(struct reaper *r, void (*done)(void *arg), void *arg)
{
	uv_timer_stop(&r->timer);
	if (r->reaping) {
		r->done = done;
		r->arg = arg;
	} else {
		done(arg);
	}
}

void
reaper_free(struct reaper *r)
{
	if (r != NULL)
		uv_close((uv_handle_t *)&r->timer, closed);
}
