/* SPDX-License-Identifier: MIT */
/* From Redis into the rings: pub/sub while it has no hole, else the log. */
#include "hub_body.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "event.h"
#include "log.h"

#define READ_BYTES (512 * 1024) /* of one read into a ring, and a frame more */
#define READ_COMMANDS 1000 /* all that this bridge's own log keeps, so that no
			     * other log is read behind a part of them */
#define READ_TIMEOUT 5000 /* ms */
#define PROBE "- 0 probe" /* what a heartbeat publishes; it is in no log */

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
	h->handler.on_heard(h->handler.arg, false);
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

bool
read_begin(struct followed *f, const char *epoch, uint64_t seq, unsigned bytes,
    store_cb *cb)
{
	struct reading *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return false;
	r->hub = f->hub;
	r->scope = f->scope;
	r->id = f->id;
	r->seq = seq;
	call_begin(&r->call, SCRIPT_since, f->hub->conf);
	call_str(&r->call, f->scope.text);
	call_str(&r->call, epoch);
	call_uint(&r->call, seq);
	call_uint(&r->call, ring_is_own(f) ? READ_COMMANDS : READ_EVENTS);
	call_uint(&r->call, bytes);
	if (call_send(&r->call, f->hub->store, READ_TIMEOUT, cb, r))
		return true;
	call_clear(&r->call);
	free(r);
	return false;
}

struct followed *
read_end(struct reading *r)
{
	struct followed *f = r->hub->closing ? NULL :
	    hub_find(r->hub, &r->scope);

	call_clear(&r->call);
	free(r);
	return f;
}

/* OK epoch last epoch-before last-before first frames... */
bool
read_take(const struct followed *f, const struct answer *a,
    struct read_part *part)
{
	if (a->n < 6 || !span_is(a->v[0], "OK") || a->v[1].n >= EPOCH_MAX) {
		log_error("scope %s: a read gave nonsense", f->scope.text);
		return false;
	}
	*part = (struct read_part){ a->v[1], a->v[3], number(a->v[2]),
		number(a->v[4]), number(a->v[5]), a->v + 6, a->n - 6 };
	return true;
}

/* Notices are short-lived by contract: there the session just goes on. */
void
read_missed(struct followed *f, struct member *m, uint64_t first)
{
	const struct hub_handler *handler = &f->hub->handler;

	if (f->scope.text[0] == 'u')
		handler->on_keys(m->session, SPAN(""));
	if (f->scope.text[0] == 'u' || ring_is_notices(f))
		m->seq = first - 1;
	else
		handler->lost(m->session);
}

/* Whether a place is one of the log as it is now. */
static bool
is_place(const struct read_part *p, struct span epoch, uint64_t seq)
{
	return span_eq(epoch, p->epoch) ||
	    (seq <= p->last_before && span_eq(epoch, p->epoch_before));
}

/* Where notices go on behind a place of that epoch that is none: where the epoch
 * began in which it was lost, else, as nobody knows what it saw, at the end. */
static uint64_t
goes_on(const struct read_part *p, struct span epoch)
{
	uint64_t next = p->last_before + 1;

	if (!span_eq(epoch, p->epoch_before))
		return p->last + 1;
	return next > p->first ? next : p->first;
}

/* Those whose place is none have lost something for good. before: the ring's
 * epoch up to now. */
static void
part(struct followed *f, const char *before, const struct read_part *p)
{
	for (size_t i = 0; i < f->nmembers; i++) {
		struct member *m = f->members[i];
		struct span epoch = span_of(m->epoch[0] == '\0' ? before :
		    m->epoch);
		bool good = is_place(p, epoch, m->seq);
		uint64_t next = goes_on(p, epoch);

		m->epoch[0] = '\0';
		if (!good)
			read_missed(f, m, next);
	}
}

/* Whether to leave out most of what the ring has missed: it could not hold it,
 * and those who want it read it for themselves (hub_behind.c). */
static bool
is_far(const struct followed *f, uint64_t last)
{
	return !ring_is_own(f) && !ring_is_notices(f) &&
	    f->scope.text[0] != 'u' && last > f->ring.last + RING_EVENTS;
}

/* Takes out what came by pub/sub while it was read. */
static void
skip(const struct followed *f, struct read_part *p)
{
	uint64_t had;

	if (p->first > f->ring.last ||
	    !is_place(p, span_of(f->epoch), f->ring.last))
		return;
	had = f->ring.last + 1 - p->first;
	if (had > p->n)
		had = p->n;
	p->frames += had;
	p->n -= had;
	p->first = p->n == 0 ? f->ring.last + 1 : p->first + had;
}

static void
read_done(struct followed *f, const struct answer *a)
{
	uint64_t from = f->ring.last;
	char before[EPOCH_MAX];
	struct read_part p;
	bool gap;

	if (!read_take(f, a, &p)) {
		ring_set_state(f, RING_RETRYING);
		return;
	}
	skip(f, &p);
	memcpy(before, f->epoch, sizeof(before));
	snprintf(f->epoch, sizeof(f->epoch), "%.*s", (int)p.epoch.n,
	    p.epoch.p);
	gap = p.first != from + 1 || !is_place(&p, span_of(before), from);
	if (p.first != from + 1)
		ring_reset(&f->ring, p.first - 1);
	if (!ring_is_own(f))
		part(f, before, &p);
	for (size_t i = 0; i < p.n; i++)
		if (!take(f, p.frames[i])) {
			ring_set_state(f, RING_RETRYING);
			return;
		}
	if (ring_is_own(f) && gap)
		f->hub->handler.on_command_gap(f->hub->handler.arg);
	if (f->ring.last < p.last || f->ring.last < f->wanted ||
	    (f->wanted_epoch[0] != '\0' &&
	    strcmp(f->wanted_epoch, f->epoch) != 0)) {
		if (is_far(f, p.last))
			ring_reset(&f->ring, p.last - READ_EVENTS);
		ring_read(f);
		return;
	}
	ring_set_state(f, RING_LIVE);
	f->hub->read = true;
	if (ring_is_own(f)) {
		handled(f, span_of(f->epoch), f->ring.last);
		f->hub->handler.on_heard(f->hub->handler.arg, true);
	} else {
		ring_set_dirty(f, from);
	}
}

static void
on_read(void *arg, enum store_status status, const struct answer *a)
{
	struct reading *r = arg;
	uint64_t id = r->id;
	struct followed *f = read_end(r);

	if (f != NULL && f->id == id)
		f->reading = false;
	if (f != NULL && f->nmembers == 0 && !f->reading)
		hub_forget(f);
	else if (f != NULL && f->id == id && status == STORE_OK)
		read_done(f, a);
	else if (f != NULL && f->id == id)
		ring_set_state(f, RING_RETRYING);
}

void
ring_read(struct followed *f)
{
	ring_set_state(f, RING_READING);
	if (f->reading)
		return;
	/* It finds what was heard of by now, unless Redis has lost that. */
	f->wanted = 0;
	f->wanted_epoch[0] = '\0';
	f->reading = read_begin(f, f->epoch[0] != '\0' ? f->epoch :
	    f->members[0]->epoch, f->ring.last, READ_BYTES, on_read);
	if (!f->reading)
		ring_set_state(f, RING_RETRYING);
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

/* What the reads on their way give may be from before the subscription. */
static void
forget_reads(struct followed *f)
{
	f->id = ++f->hub->ids;
	f->reading = f->behind_reading = false;
}

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

	if (f == NULL || f->nmembers == 0)
		return;
	if (f->reading)
		forget_reads(f); /* ring_read_to; from before */
	ring_read(f);
}

/* An event that the read on its way may not find. */
static void
want(struct followed *f, struct span epoch, uint64_t seq)
{
	if (seq > f->wanted)
		f->wanted = seq;
	if (!span_is(epoch, f->epoch))
		snprintf(f->wanted_epoch, sizeof(f->wanted_epoch), "%.*s",
		    (int)epoch.n, epoch.p);
}

/* Not only where it is subscribed: a read needs no subscription. */
void
ring_read_to(struct followed *f, const struct place *to)
{
	if (f->state == RING_LIVE && f->ring.last >= to->seq &&
	    strcmp(f->epoch, to->epoch) == 0)
		return;
	if (f->state == RING_LIVE || f->state == RING_SUBSCRIBING)
		ring_read(f);
	else
		want(f, span_of(to->epoch), to->seq);
}

void
hub_own_read(struct hub *h, const struct place *to)
{
	ring_read_to(h->own.of, to);
}

static void
on_message(void *arg, struct span channel, struct span payload)
{
	struct hub *h = arg;
	struct scope s = { "" };
	struct followed *f = find_channel(h, channel, &s);
	struct event e;
	bool next;

	if (f == NULL || f->nmembers == 0)
		return;
	if (ring_is_own(f) && span_is(payload, PROBE)) {
		h->handler.on_probe(h->handler.arg);
		return;
	}
	if (!event_split(payload, &e))
		return; /* a poll's end, or none of ours */
	next = e.seq == f->ring.last + 1 && span_is(e.epoch, f->epoch);
	/* A command while its log is read as well: what is said behind it comes by
	 * the same way. */
	if (next && (f->state == RING_LIVE || ring_is_own(f))) {
		if (!ring_is_own(f))
			ring_set_dirty(f, f->ring.last);
		if (!take(f, e.text))
			ring_read(f);
	} else if (f->state != RING_LIVE) {
		want(f, e.epoch, e.seq);
	} else if (e.seq > f->ring.last || !span_is(e.epoch, f->epoch)) {
		ring_read(f);
	}
}

static void
lost_visit(const void *node, VISIT which, void *closure)
{
	struct followed *f = *(struct followed *const *)node;

	(void)closure;
	if (which == postorder || which == leaf) {
		forget_reads(f);
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
