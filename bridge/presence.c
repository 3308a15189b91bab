/* SPDX-License-Identifier: MIT */
#include "presence.h"

#include <stdio.h>
#include <stdlib.h>

#include "call.h"
#include "clock.h"
#include "limit.h"
#include "log.h"
#include "session.h"

#define BEATS 3        /* in a lease */
#define REAP_MOST 200  /* of each kind in one beat */
#define TIMEOUT 2000   /* ms */

struct presence {
	const struct conf *conf;
	struct store *store;
	struct hub *hub;
	struct sessions *sessions;
	uv_timer_t timer;
	char id[UUID_LEN + 1];
	char ended[UUID_LEN + 1];  /* an incarnation whose lease is to end */
	unsigned generation;
	bool registered;           /* this incarnation's lease was taken */
	bool stale;                /* a count may be wrong: begin anew */
	bool beating;              /* a beat is on its way */
	uint64_t probe_sent, probe_back; /* ms */
	struct call call;
	void (*done)(void *arg);
	void *done_arg;
};

static void beat(struct presence *p);

static void
incarnate(struct presence *p)
{
	struct scope own;

	snprintf(p->ended, sizeof(p->ended), "%s", p->id);
	uuid_new(p->id);
	p->generation++;
	p->registered = false;
	p->stale = false;
	own = scope_bridge(span_of(p->id));
	hub_own(p->hub, &own);
}

static void
on_beat(void *arg, enum store_status status, const struct answer *a)
{
	struct presence *p = arg;
	bool first = !p->registered;

	p->beating = false;
	if (p->done != NULL) {
		p->done(p->done_arg);
		return;
	}
	if (status != STORE_OK || a->n != 3)
		return;
	if (!span_is(a->v[1], "1")) {
		log_warn("presence: the lease was lost, counting anew");
		p->stale = true;
	} else {
		p->registered = true;
		p->ended[0] = '\0';
	}
	if (p->registered && first && p->generation > 1)
		sessions_each_signed_in(p->sessions, presence_adopt, p);
	if (p->stale) {
		incarnate(p);
		beat(p);
	} else if (span_is(a->v[2], "1")) {
		beat(p);
	}
}

static void
beat(struct presence *p)
{
	if (p->beating || !store_ready(p->store))
		return;
	call_begin(&p->call, SCRIPT_beat, p->conf);
	call_str(&p->call, p->done == NULL ? p->id : "");
	call_uint(&p->call, p->conf->presence_lease);
	call_str(&p->call, p->registered ? "" : "1");
	call_uint(&p->call, p->conf->presence_grace);
	call_uint(&p->call, REAP_MOST);
	call_str(&p->call, p->done == NULL ? p->ended : p->id);
	p->beating = call_send(&p->call, p->store, TIMEOUT, on_beat, p);
	if (hub_ready(p->hub) && p->probe_back >= p->probe_sent)
		p->probe_sent = clock_ms();
}

static uint64_t
interval(const struct presence *p)
{
	return p->conf->presence_lease / BEATS;
}

/* Pub/sub that looks alive and delivers nothing shows by a probe that does
 * not come back. */
static void
on_timer(uv_timer_t *t)
{
	struct presence *p = t->data;

	if (hub_ready(p->hub) && p->probe_sent > p->probe_back &&
	    clock_ms() - p->probe_sent > 2 * interval(p)) {
		log_warn("presence: a probe did not come back");
		p->probe_sent = p->probe_back;
		hub_reconnect(p->hub);
	}
	beat(p);
}

static void
on_ready(void *arg)
{
	beat(arg);
}

void
presence_probe(struct presence *p)
{
	p->probe_back = clock_ms();
}

const char *
presence_sick(const struct presence *p)
{
	if (!store_ready(p->store))
		return "no connection to Redis";
	if (!hub_ready(p->hub))
		return "no subscription at Redis";
	if (p->probe_back == 0 ||
	    clock_ms() - p->probe_back > 3 * interval(p))
		return "the probe through Redis does not come back";
	return p->registered ? NULL : "no lease yet";
}

/* ---- sessions that end, or are counted again ---- */

/* A failed count is mended by a new incarnation. */
static void
on_counted(void *arg, enum store_status status, const struct answer *a)
{
	struct presence *p = arg;

	(void)a;
	if (status != STORE_OK)
		p->stale = true;
}

static void
count(struct presence *p, const struct scope *channels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		call_str(&p->call, channels[i].text);
	if (!call_send(&p->call, p->store, TIMEOUT, on_counted, p))
		p->stale = true;
}

void
presence_gone(struct presence *p, const char *user,
    const struct scope *channels, size_t n, unsigned grace)
{
	call_begin(&p->call, SCRIPT_gone, p->conf);
	call_str(&p->call, p->id);
	call_str(&p->call, user);
	call_uint(&p->call, grace);
	call_str(&p->call, "1");
	count(p, channels, n);
}

void
presence_left(struct presence *p, const char *user, const struct scope *c)
{
	call_begin(&p->call, SCRIPT_gone, p->conf);
	call_str(&p->call, p->id);
	call_str(&p->call, user);
	call_uint(&p->call, 0);
	call_str(&p->call, "");
	count(p, c, 1);
}

void
presence_adopt(void *arg, const char *user, const struct scope *channels,
    size_t n)
{
	struct presence *p = arg;

	call_begin(&p->call, SCRIPT_adopt, p->conf);
	call_str(&p->call, p->id);
	call_str(&p->call, user);
	count(p, channels, n);
}

/* ---- life ---- */

struct presence *
presence_new(uv_loop_t *loop, const struct conf *c, struct store *s,
    struct hub *h, struct sessions *t)
{
	struct presence *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->conf = c;
	p->store = s;
	p->hub = h;
	p->sessions = t;
	incarnate(p);
	uv_timer_init(loop, &p->timer);
	p->timer.data = p;
	uv_timer_start(&p->timer, on_timer, interval(p), interval(p));
	store_on_ready(s, on_ready, p);
	return p;
}

void
presence_stop(struct presence *p, void (*done)(void *arg), void *arg)
{
	uv_timer_stop(&p->timer);
	store_on_ready(p->store, NULL, NULL);
	p->done = done;
	p->done_arg = arg;
	if (p->beating)
		return; /* its answer is the end; the lease runs out */
	beat(p);
	if (!p->beating)
		done(arg);
}

static void
closed(uv_handle_t *handle)
{
	struct presence *p = handle->data;

	call_clear(&p->call);
	free(p);
}

void
presence_free(struct presence *p)
{
	if (p != NULL)
		uv_close((uv_handle_t *)&p->timer, closed);
}

struct span
presence_id(const struct presence *p)
{
	return (struct span){ p->id, UUID_LEN };
}

unsigned
presence_generation(const struct presence *p)
{
	return p->generation;
}
