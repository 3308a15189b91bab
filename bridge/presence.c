/* SPDX-License-Identifier: MIT */
#include "presence.h"

#include <stdio.h>
#include <stdlib.h>

#include "call.h"
#include "clock.h"
#include "log.h"
#include "session.h"

#define BEATS 3        /* in a lease */
#define REAP_MOST 100  /* of each kind in one beat */
#define ADOPT_MOST 256 /* calls on their way at a time */
#define TIMEOUT 2000   /* ms */
#define NOBODY_SLACK 5000 /* ms that a session nobody signed in to is known
			   * longer than its connection may live */
#define ID_LEN (UUID_LEN + 11) /* of an incarnation's id */

/* An incarnation's life:
 *
 *   incarnate --beat(register)--> registered --> its sessions are adopted
 *       ^                             |
 *       +--- lease missed, connection made anew, a count failed
 *
 * Commands leave in order on one connection: what was sent for the one before
 * is answered before the register beat is. */
struct presence {
	const struct conf *conf;
	struct store *store;
	struct hub *hub;
	struct sessions *sessions;
	uv_timer_t timer;
	char process[UUID_LEN + 1];
	char id[ID_LEN + 1];
	char ended[ID_LEN + 1];    /* an incarnation whose lease is to end */
	unsigned generation;
	bool registered;           /* this incarnation's lease was taken */
	bool stale;                /* a count may be wrong: begin anew */
	bool beating;              /* a beat is on its way */
	size_t adopting;           /* calls on their way */
	uint64_t probe_sent, probe_back; /* ms */
	uint64_t users, online;    /* as the last beat's answer said */
	struct call call;
	void (*done)(void *arg);
	void *done_arg;
	bool ending;               /* the last beat is on its way */
};

static void beat(struct presence *p);

/* The next incarnation. The sessions of the one before are reaped unless they
 * are adopted within a lease. */
static void
incarnate(struct presence *p)
{
	snprintf(p->ended, sizeof(p->ended), "%s", p->id);
	p->generation++;
	snprintf(p->id, sizeof(p->id), "%s.%010u", p->process, p->generation);
	p->registered = false;
	p->stale = false;
}

void
presence_adopt_due(struct presence *p)
{
	if (p->adopting == 0 && p->registered && !p->stale && p->done == NULL)
		sessions_adopt(p->sessions, ADOPT_MOST);
}

static void
on_beat(void *arg, enum store_status status, const struct answer *a)
{
	struct presence *p = arg;

	p->beating = false;
	if (p->done != NULL) {
		beat(p); /* or the end, when this was the last */
		return;
	}
	if (status != STORE_OK || a->n != 5)
		return;
	p->users = strtoull(a->v[3].p, NULL, 10);
	p->online = strtoull(a->v[4].p, NULL, 10);
	if (!span_is(a->v[1], "1")) {
		log_warn("presence: the lease was lost, counting anew");
		incarnate(p);
		beat(p);
		return;
	}
	if (!p->registered) {
		p->registered = true;
		p->ended[0] = '\0';
		presence_adopt_due(p);
	}
	if (span_is(a->v[2], "1"))
		beat(p);
}

/* When it is to end, the last beat ends our lease, and its answer us. */
static void
beat(struct presence *p)
{
	bool last = p->done != NULL;

	if (p->beating)
		return;
	if (p->ending || (last && !store_ready(p->store))) {
		p->done(p->done_arg);
		return;
	}
	if (!store_ready(p->store))
		return;
	call_begin(&p->call, SCRIPT_beat, p->conf);
	call_str(&p->call, last ? "" : p->id);
	call_uint(&p->call, p->conf->presence_lease);
	call_str(&p->call, p->registered ? "" : "1");
	call_uint(&p->call, p->conf->presence_grace);
	call_uint(&p->call, REAP_MOST);
	call_str(&p->call, last ? p->id : p->ended);
	call_uint(&p->call, last ? 0 : p->conf->presence_lease);
	p->ending = last;
	p->beating = call_send(&p->call, p->store, TIMEOUT, on_beat, p);
	if (last && !p->beating)
		p->done(p->done_arg);
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
	if (p->stale && !p->beating)
		incarnate(p);
	presence_adopt_due(p);
	beat(p);
}

/* A connection: what was on its way over the one before may have been done or
 * not, or may yet be. */
static void
on_ready(void *arg)
{
	struct presence *p = arg;

	incarnate(p);
	beat(p);
}

void
presence_doubt(struct presence *p)
{
	if (p->done == NULL)
		beat(p);
}

void
presence_probe(struct presence *p)
{
	p->probe_back = clock_ms();
}

const char *
presence_sick(const struct presence *p)
{
	const char *why = store_sick(p->store);

	if (why != NULL)
		return why;
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
on_gone(void *arg, enum store_status status, const struct answer *a)
{
	struct presence *p = arg;

	(void)a;
	if (status != STORE_OK)
		p->stale = true;
}

void
presence_open(struct presence *p, const char *session, store_cb *done,
    void *arg)
{
	static const struct answer none = { 0, NULL };

	call_begin(&p->call, SCRIPT_open, p->conf);
	call_str(&p->call, session);
	call_str(&p->call, p->id);
	call_uint(&p->call, p->conf->sign_in_within * 1000 + NOBODY_SLACK);
	if (!call_send(&p->call, p->store, TIMEOUT, done, arg))
		done(arg, STORE_FAULT, &none);
}

void
presence_gone(struct presence *p, const char *session, unsigned grace)
{
	call_begin(&p->call, SCRIPT_gone, p->conf);
	call_str(&p->call, session);
	call_uint(&p->call, grace);
	if (!call_send(&p->call, p->store, TIMEOUT, on_gone, p))
		p->stale = true;
}

/* A session's adoption on its way: an id, for it may be gone by then. */
struct adoption {
	struct presence *presence;
	uint64_t id;
	bool doubted;
};

static uint64_t
number(struct span s)
{
	char text[24];

	snprintf(text, sizeof(text), "%.*s", (int)s.n, s.p);
	return strtoull(text, NULL, 10);
}

static void
on_adopted(void *arg, enum store_status status, const struct answer *a)
{
	struct adoption *adoption = arg;
	struct presence *p = adoption->presence;
	uint64_t id = adoption->id;
	bool doubted = adoption->doubted;

	free(adoption);
	p->adopting--;
	if (status != STORE_OK || span_is(a->v[0], "AGAIN")) {
		p->stale = p->stale || status != STORE_OK;
		sessions_adopt_again(p->sessions, id, doubted);
		return; /* by the timer, not at once */
	}
	if (span_is(a->v[0], "OK")) {
		if (doubted && span_is(a->v[a->n - 1], "1"))
			sessions_differ(p->sessions, id);
		else if (a->n == 3)
			sessions_key_lives(p->sessions, id, number(a->v[1]));
	}
	else if (a->n == 3 && span_is(a->v[1], "4"))
		sessions_key_dead(p->sessions, id);
	else if (a->n == 3)
		presence_doubt(p); /* the lease was missed */
	presence_adopt_due(p);
}

void
presence_adopt(struct presence *p, uint64_t id,
    const struct presence_session *s)
{
	const struct place *handled = hub_handled(p->hub);
	struct adoption *adoption = malloc(sizeof(*adoption));

	if (adoption == NULL) {
		p->stale = true;
		return;
	}
	*adoption = (struct adoption){ p, id, s->doubted };
	p->adopting++;
	if (*s->user == '\0') {
		presence_open(p, s->uuid, on_adopted, adoption);
		return;
	}
	call_begin(&p->call, SCRIPT_adopt, p->conf);
	call_str(&p->call, s->uuid);
	call_str(&p->call, p->id);
	call_str(&p->call, s->user);
	call_str(&p->call, s->key_hash);
	call_str(&p->call, handled->epoch);
	call_uint(&p->call, handled->seq);
	call_str(&p->call, s->doubted ? "1" : "");
	for (size_t i = 0; i < s->nchannels; i++)
		call_str(&p->call, s->channels[i].text);
	if (!call_send(&p->call, p->store, TIMEOUT, on_adopted, adoption)) {
		p->adopting--;
		free(adoption);
		p->stale = true;
	}
}

/* ---- life ---- */

struct presence *
presence_new(uv_loop_t *loop, const struct conf *c, struct store *s,
    struct hub *h, struct sessions *t)
{
	struct presence *p = calloc(1, sizeof(*p));
	struct scope own;

	if (p == NULL)
		return NULL;
	p->conf = c;
	p->store = s;
	p->hub = h;
	p->sessions = t;
	uuid_new(p->process);
	own = scope_bridge(span_of(p->process));
	if (!hub_own(h, &own)) {
		free(p);
		return NULL;
	}
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
	beat(p);
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
	return (struct span){ p->id, ID_LEN };
}

unsigned
presence_generation(const struct presence *p)
{
	return p->generation;
}

bool
presence_counts(const struct presence *p)
{
	return p->registered && !p->stale;
}

uint64_t
presence_users(const struct presence *p)
{
	return p->users;
}

uint64_t
presence_online(const struct presence *p)
{
	return p->online;
}
