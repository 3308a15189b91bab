/* SPDX-License-Identifier: MIT */
/* From Redis into the rings: pub/sub while it has no hole, else the log. */
#include "hub_body.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "call.h"
#include "event.h"
#include "log.h"

#define READ_EVENTS 200   /* events of one read of a log */
#define READ_TIMEOUT 5000 /* ms */
#define PROBE "- 0 probe" /* what a heartbeat publishes; it is in no log */

/* A read of a log on its way: scope and id, not a pointer, cross the gap. */
struct reading {
	struct hub *hub;
	struct scope scope;
	uint64_t id;
	struct call call;
};

void
ring_set_state(struct followed *f, enum ring_state to)
{
	static const char *const names[] = { "subscribing", "reading",
		"retrying", "live" };

	if (f->state == to)
		return;
	log_debug("scope %s: %s -> %s", f->scope.text, names[f->state],
	    names[to]);
	f->state = to;
}

/* ---- this bridge's own log ---- */

static uint64_t
number(struct span s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.n && i < 18; i++)
		if (s.p[i] >= '0' && s.p[i] <= '9')
			n = n * 10 + (uint64_t)(s.p[i] - '0');
	return n;
}

static void
handled(struct followed *f, struct span epoch, uint64_t seq)
{
	struct place *p = &f->hub->handled;

	snprintf(p->epoch, sizeof(p->epoch), "%.*s", (int)epoch.n, epoch.p);
	p->seq = seq;
}

/* A command ends with its cursor, b:ID:EPOCH:SEQ. After Redis lost something
 * the newest are read again: those handed over already are passed by. */
static void
hand_over(struct followed *f, struct span text)
{
	struct hub *h = f->hub;
	const char *seq = memrchr(text.p, ':', text.n), *epoch;
	struct span e, s;

	h->own.seq = f->ring.last;
	if (seq == NULL ||
	    (epoch = memrchr(text.p, ':', (size_t)(seq - text.p))) == NULL)
		return;
	e = (struct span){ epoch + 1, (size_t)(seq - epoch) - 1 };
	s = (struct span){ seq + 1, (size_t)(text.p + text.n - seq) - 1 };
	if (span_is(e, h->handled.epoch) && number(s) <= h->handled.seq)
		return;
	handled(f, e, number(s));
	h->handler.on_command(h->handler.arg, text);
}

/* Adds the next event to the ring. What is for us is handed over at once: a
 * session that cannot be sent anything may still have to be closed. */
static bool
take(struct followed *f, struct span text)
{
	if (!ring_add(&f->ring, text))
		return false;
	if (ring_is_own(f))
		hand_over(f, text);
	if (ring_is_keys(f, text))
		for (size_t i = 0; i < f->nmembers; i++)
			if (f->members[i]->seq < f->ring.last)
				f->hub->handler.on_keys(f->members[i]->session,
				    text);
	return true;
}

/* ---- reads of a log ---- */

/* Those whose place is of another epoch than the ring's, or whom the ring does
 * not reach, have lost something for good. Notices are short-lived by
 * contract: there the session just goes on. */
static void
part(struct followed *f, bool lossy)
{
	bool notices = f->scope.text[0] == 'u' || ring_is_own(f) || ring_is_notices(f);

	for (size_t i = f->nmembers; i-- > 0;) {
		struct member *m;
		bool same;

		if (i >= f->nmembers)
			continue;
		m = f->members[i];
		same = m->epoch[0] == '\0' ? !lossy :
		    strcmp(m->epoch, f->epoch) == 0 || !lossy;
		m->epoch[0] = '\0';
		if (same && m->seq + 1 >= f->ring.first)
			continue;
		if (ring_is_own(f))
			f->hub->handler.on_command_gap(f->hub->handler.arg);
		else if (f->scope.text[0] == 'u')
			f->hub->handler.on_keys(m->session, SPAN(""));
		if (notices)
			m->seq = f->ring.first - 1;
		else
			f->hub->handler.lost(m->session);
	}
}

/* OK flag epoch last first frames... */
static void
read_done(struct followed *f, const struct answer *a)
{
	uint64_t last, first, before = f->ring.last;
	bool fresh = f->epoch[0] == '\0', lossy;

	if (a->n < 5 || !span_is(a->v[0], "OK") || a->v[2].n >= EPOCH_MAX) {
		log_error("scope %s: a read gave nonsense", f->scope.text);
		ring_set_state(f, RING_RETRYING);
		return;
	}
	lossy = !fresh && !span_is(a->v[1], "ok");
	snprintf(f->epoch, sizeof(f->epoch), "%.*s", (int)a->v[2].n,
	    a->v[2].p);
	last = number(a->v[3]);
	first = number(a->v[4]);
	if (first != f->ring.last + 1)
		ring_reset(&f->ring, first - 1);
	for (size_t i = 5; i < a->n; i++)
		if (!take(f, a->v[i])) {
			ring_set_state(f, RING_RETRYING);
			return;
		}
	if (f->ring.last < last || f->ring.last < f->wanted) {
		part(f, lossy);
		ring_read(f);
		return;
	}
	f->wanted = 0;
	ring_set_state(f, RING_LIVE);
	part(f, lossy);
	if (ring_is_own(f))
		handled(f, span_of(f->epoch), f->ring.last);
	else
		ring_set_dirty(f, before);
}

static void
on_read(void *arg, enum store_status status, const struct answer *a)
{
	struct reading *r = arg;
	struct followed *f = r->hub->closing ? NULL : hub_find(r->hub, &r->scope);

	if (f != NULL && f->id == r->id)
		f->reading = false;
	if (f != NULL && f->nmembers == 0 && !f->reading)
		hub_forget(f);
	else if (f != NULL && f->id == r->id && status == STORE_OK)
		read_done(f, a);
	else if (f != NULL && f->id == r->id)
		ring_set_state(f, RING_RETRYING);
	call_clear(&r->call);
	free(r);
}

void
ring_read(struct followed *f)
{
	struct hub *h = f->hub;
	struct reading *r;

	ring_set_state(f, RING_READING);
	if (f->reading)
		return;
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		ring_set_state(f, RING_RETRYING);
		return;
	}
	r->hub = h;
	r->scope = f->scope;
	r->id = f->id;
	call_begin(&r->call, SCRIPT_since, h->conf);
	call_str(&r->call, f->scope.text);
	call_str(&r->call, f->epoch[0] != '\0' ? f->epoch :
	    f->members[0]->epoch);
	call_uint(&r->call, f->ring.last);
	call_uint(&r->call, READ_EVENTS);
	f->reading = true;
	if (!call_send(&r->call, h->store, READ_TIMEOUT, on_read, r)) {
		f->reading = false;
		call_clear(&r->call);
		free(r);
		ring_set_state(f, RING_RETRYING);
	}
}

static void
retry_visit(const void *node, VISIT which, void *closure)
{
	struct followed *f = *(struct followed *const *)node;

	(void)closure;
	if ((which == postorder || which == leaf) &&
	    f->state == RING_RETRYING && f->nmembers != 0)
		ring_read(f);
}

void
hub_on_retry(uv_timer_t *t)
{
	struct hub *h = t->data;

	twalk_r(h->tree, retry_visit, NULL);
}

/* ---- pub/sub ---- */

static struct followed *
find_channel(struct hub *h, struct span channel, struct scope *s)
{
	if (channel.n <= h->prefix || channel.n - h->prefix >= SCOPE_MAX)
		return NULL;
	snprintf(s->text, sizeof(s->text), "%.*s",
	    (int)(channel.n - h->prefix), channel.p + h->prefix);
	return hub_find(h, s);
}

static void
on_subscribed(void *arg, struct span channel)
{
	struct scope s;
	struct followed *f = find_channel(arg, channel, &s);

	if (f != NULL && f->nmembers != 0)
		ring_read(f);
}

static void
on_message(void *arg, struct span channel, struct span payload)
{
	struct hub *h = arg;
	struct scope s = { "" };
	struct followed *f = find_channel(h, channel, &s);
	struct event e;

	if (f == NULL || f->nmembers == 0)
		return;
	if (ring_is_own(f) && span_is(payload, PROBE)) {
		h->handler.on_probe(h->handler.arg);
		return;
	}
	if (!event_split(payload, &e))
		return; /* a poll's end, or none of ours */
	if (f->state != RING_LIVE) {
		if (e.seq > f->wanted)
			f->wanted = e.seq;
		return;
	}
	if (!span_is(e.epoch, f->epoch)) {
		f->wanted = 0;
		ring_read(f);
	} else if (e.seq == f->ring.last + 1) {
		if (!ring_is_own(f))
			ring_set_dirty(f, f->ring.last);
		if (!take(f, e.text))
			ring_read(f);
	} else if (e.seq > f->ring.last) {
		f->wanted = e.seq;
		ring_read(f);
	}
}

static void
lost_visit(const void *node, VISIT which, void *closure)
{
	struct followed *f = *(struct followed *const *)node;

	(void)closure;
	if (which == postorder || which == leaf) {
		f->wanted = 0;
		/* What a read on its way gives was read before the new
		 * subscription. */
		f->id = ++f->hub->ids;
		f->reading = false;
		ring_set_state(f, RING_SUBSCRIBING);
	}
}

static void
on_lost(void *arg)
{
	struct hub *h = arg;

	twalk_r(h->tree, lost_visit, NULL);
}

struct feed_handler
hub_feed_handler(struct hub *h)
{
	return (struct feed_handler){ on_subscribed, on_message, on_lost, h };
}
