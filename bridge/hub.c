/* SPDX-License-Identifier: MIT */
#include "hub.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "call.h"
#include "event.h"
#include "frame.h"
#include "log.h"
#include "op.h"
#include "ring.h"

#define READ_EVENTS 200   /* events of one read of a log */
#define READ_TIMEOUT 5000 /* ms */
#define RETRY 500         /* ms until a failed read is tried again */
#define PROBE "- 0 probe" /* what a heartbeat publishes; it is in no log */

/* What a ring does about Redis:
 *
 *   SUBSCRIBING --acknowledged--> READING --caught up--> LIVE
 *        ^                          ^  |                   |
 *        |                          |  +-failed: RETRYING  | hole, epoch
 *        +------ connection lost ---+<---------------------+
 */
enum ring_state { RING_SUBSCRIBING, RING_READING, RING_RETRYING, RING_LIVE };

struct followed {
	struct scope scope; /* first: the tree compares it */
	struct hub *hub;
	enum ring_state state;
	struct ring ring;
	char epoch[EPOCH_MAX]; /* "": no place yet */
	uint64_t wanted;       /* highest seq heard of while not LIVE */
	struct member **members;
	size_t nmembers, room;
	bool thins;            /* its events are notices, which are thinned */
	bool dirty;
	uint64_t dirty_from;   /* the last seq before this turn's events */
	struct followed *next_dirty;
	bool reading;          /* a read is on its way: not to be freed */
	uint64_t id;           /* of this life of the ring */
};

struct hub {
	uv_loop_t *loop;
	const struct conf *conf;
	struct store *store;
	struct feed *feed;
	struct hub_handler handler;
	void *tree;               /* of struct followed, by scope */
	struct followed *dirty;
	uv_check_t turn_end;
	uv_timer_t retry;
	struct buf channel;       /* scratch: a pub/sub channel's name */
	size_t prefix;            /* bytes of its prefix */
	struct buf frames;        /* scratch: what is being sent */
	struct member own;        /* in this bridge's log; of no session */
	struct place handled;     /* all of that log up to it was handed over */
	int handles;              /* to be closed before hub is freed */
	uint64_t ids;
	bool closing;
};

/* A read of a log on its way: scope and id, not a pointer, cross the gap. */
struct reading {
	struct hub *hub;
	struct scope scope;
	uint64_t id;
	struct call call;
};

static void ring_read(struct followed *f);

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct scope *)a)->text,
	    ((const struct scope *)b)->text);
}

static struct followed *
find(const struct hub *h, const struct scope *s)
{
	void *const *node = tfind(s, &h->tree, compare);

	return node == NULL ? NULL : *(struct followed *const *)node;
}

/* This bridge's own log, not sessions'. */
static bool
is_own(const struct followed *f)
{
	return f->scope.text[0] == 'b';
}

/* Of a user's own log: not for sessions, but about them. */
static bool
is_keys(const struct followed *f, struct span text)
{
	return f->scope.text[0] == 'u' && text.n != 0 && text.p[0] == '!';
}

/* Everyone's notices, or a channel's. */
static bool
is_notices(const struct followed *f)
{
	return f->scope.text[0] == 's' ||
	    f->scope.text[strlen(f->scope.text) - 1] == '~';
}

static struct span
channel_of(struct hub *h, const struct scope *s)
{
	h->channel.n = h->prefix;
	buf_str(&h->channel, s->text);
	return buf_peek(&h->channel);
}

static void
set_state(struct followed *f, enum ring_state to)
{
	static const char *const names[] = { "subscribing", "reading",
		"retrying", "live" };

	if (f->state == to)
		return;
	log_debug("scope %s: %s -> %s", f->scope.text, names[f->state],
	    names[to]);
	f->state = to;
}

static void
set_dirty(struct followed *f, uint64_t from)
{
	if (f->dirty)
		return;
	f->dirty = true;
	f->dirty_from = from;
	f->next_dirty = f->hub->dirty;
	f->hub->dirty = f;
}

/* ---- sending ---- */

/* Whether a notice goes to m however many there are: its own user's. */
static bool
always(const struct ring_frame *e, const struct thin *t)
{
	return e->user == 0 || memcmp(e->bytes + e->user, t->user,
	    UUID_LEN) == 0;
}

/* Whether all that m has not had of its ring may go to it. */
static bool
passes(struct hub *h, const struct member *m)
{
	const struct ring *r = &m->of->ring;
	struct thin *t;
	unsigned others = 0;

	if (!m->of->thins)
		return true;
	t = h->handler.thin(m->session);
	for (uint64_t q = m->seq + 1; q <= r->last; q++)
		others += !always(ring_at(r, q), t);
	return thin_passes(t, &h->conf->notice_rate, others, uv_now(h->loop));
}

static void
gather_always(struct hub *h, const struct member *m, struct buf *out)
{
	const struct ring *r = &m->of->ring;
	const struct thin *t = h->handler.thin(m->session);

	for (uint64_t q = m->seq + 1; q <= r->last; q++)
		if (always(ring_at(r, q), t))
			buf_add(out, ring_at(r, q)->bytes, ring_at(r, q)->n);
}

/* Appends what m has not had. A user's own notices are passed on one by one:
 * some are not for a session that follows the channel they speak of. */
static bool
gather(struct hub *h, struct member *m, struct buf *out)
{
	struct followed *f = m->of;
	const struct ring *r = &f->ring;

	if (f->state != RING_LIVE || m->seq >= r->last)
		return true;
	if (f->scope.text[0] != 'u') {
		if (m->seq + 1 < r->first)
			return false;
		if (passes(h, m))
			ring_copy(r, m->seq, out);
		else
			gather_always(h, m, out);
	} else {
		if (m->seq + 1 < r->first)
			m->seq = r->first - 1;
		for (uint64_t q = m->seq + 1; q <= r->last; q++) {
			const struct ring_frame *e = ring_at(r, q);
			struct span text = { e->bytes + e->head,
				e->n - e->head };

			if (!is_keys(f, text) &&
			    !h->handler.skips(m->session, text))
				buf_add(out, e->bytes, e->n);
		}
	}
	m->seq = r->last;
	return true;
}

void
hub_catch_up(struct hub *h, struct session *s)
{
	size_t n;
	struct member **members;

	if (!h->handler.ready(s))
		return;
	members = h->handler.members(s, &n);
	buf_reset(&h->frames);
	h->frames.oom = false;
	for (size_t i = 0; i < n; i++) {
		if (!gather(h, members[i], &h->frames) || h->frames.oom) {
			h->handler.lost(s);
			return;
		}
	}
	if (h->frames.n != 0)
		h->handler.send(s, h->frames.p, h->frames.n);
}

/* m gets what all get, unless it is thinned. */
static void
send_shared(struct hub *h, struct member *m, const struct buf *shared)
{
	const struct buf *out = shared;

	if (!passes(h, m)) {
		buf_reset(&h->frames);
		h->frames.oom = false;
		gather_always(h, m, &h->frames);
		out = &h->frames;
	}
	if (out->oom) {
		h->handler.lost(m->session);
		return;
	}
	m->seq = m->of->ring.last;
	if (out->n != 0)
		h->handler.send(m->session, out->p, out->n);
}

/* The usual case: one ring has news and everybody stands at the same place, so
 * that the same bytes go to all. Any other session is caught up by itself. */
static void
fan_out(struct hub *h, struct followed *f, struct buf *shared)
{
	bool alone = h->dirty == NULL && f->scope.text[0] != 'u';

	buf_reset(shared);
	if (alone && !ring_copy(&f->ring, f->dirty_from, shared))
		alone = false;
	/* From the end: a session that is lost leaves the list. */
	for (size_t i = f->nmembers; i-- > 0;) {
		struct member *m;

		if (i >= f->nmembers)
			continue;
		m = f->members[i];
		if (m->seq >= f->ring.last)
			continue;
		if (alone && !shared->oom && m->seq == f->dirty_from) {
			if (!h->handler.ready(m->session))
				continue;
			send_shared(h, m, shared);
		} else {
			hub_catch_up(h, m->session);
		}
	}
}

static void
turn_end(uv_check_t *handle)
{
	struct hub *h = handle->data;
	struct buf shared = { 0 };
	struct followed *f;

	if (h->dirty == NULL)
		return;
	while ((f = h->dirty) != NULL) {
		h->dirty = f->next_dirty;
		f->dirty = false;
		if (f->state == RING_LIVE)
			fan_out(h, f, &shared);
	}
	buf_clear(&shared);
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
	if (is_own(f))
		hand_over(f, text);
	if (is_keys(f, text))
		for (size_t i = 0; i < f->nmembers; i++)
			if (f->members[i]->seq < f->ring.last)
				f->hub->handler.on_keys(f->members[i]->session,
				    text);
	return true;
}

/* What was taken before the session followed, but after its place. */
static void
look_back(struct followed *f, struct member *m)
{
	uint64_t q = m->seq + 1;

	if (q < f->ring.first) {
		f->hub->handler.on_keys(m->session, SPAN(""));
		q = f->ring.first;
	}
	for (; q <= f->ring.last; q++) {
		const struct ring_frame *e = ring_at(&f->ring, q);
		struct span text = { e->bytes + e->head, e->n - e->head };

		if (is_keys(f, text))
			f->hub->handler.on_keys(m->session, text);
	}
}

/* ---- from Redis ---- */

static void
followed_free(struct followed *f)
{
	struct hub *h = f->hub;

	for (struct followed **at = &h->dirty; f->dirty && *at != NULL;
	    at = &(*at)->next_dirty)
		if (*at == f) {
			*at = f->next_dirty;
			break;
		}
	tdelete(&f->scope, &h->tree, compare);
	ring_clear(&f->ring);
	free(f->members);
	free(f);
}

/* Those whose place is of another epoch than the ring's, or whom the ring does
 * not reach, have lost something for good. Notices are short-lived by
 * contract: there the session just goes on. */
static void
part(struct followed *f, bool lossy)
{
	bool notices = f->scope.text[0] == 'u' || is_own(f) || is_notices(f);

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
		if (is_own(f))
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
		set_state(f, RING_RETRYING);
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
			set_state(f, RING_RETRYING);
			return;
		}
	if (f->ring.last < last || f->ring.last < f->wanted) {
		part(f, lossy);
		ring_read(f);
		return;
	}
	f->wanted = 0;
	set_state(f, RING_LIVE);
	part(f, lossy);
	if (is_own(f))
		handled(f, span_of(f->epoch), f->ring.last);
	else
		set_dirty(f, before);
}

static void
on_read(void *arg, enum store_status status, const struct answer *a)
{
	struct reading *r = arg;
	struct followed *f = r->hub->closing ? NULL : find(r->hub, &r->scope);

	if (f != NULL && f->id == r->id)
		f->reading = false;
	if (f != NULL && f->nmembers == 0 && !f->reading)
		followed_free(f);
	else if (f != NULL && f->id == r->id && status == STORE_OK)
		read_done(f, a);
	else if (f != NULL && f->id == r->id)
		set_state(f, RING_RETRYING);
	call_clear(&r->call);
	free(r);
}

/* Reads on from the ring's end; a ring that has no place yet, from where its
 * first member stands. */
static void
ring_read(struct followed *f)
{
	struct hub *h = f->hub;
	struct reading *r;

	set_state(f, RING_READING);
	if (f->reading)
		return;
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		set_state(f, RING_RETRYING);
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
		set_state(f, RING_RETRYING);
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

static void
on_retry(uv_timer_t *t)
{
	struct hub *h = t->data;

	twalk_r(h->tree, retry_visit, NULL);
}

static struct followed *
find_channel(struct hub *h, struct span channel, struct scope *s)
{
	if (channel.n <= h->prefix || channel.n - h->prefix >= SCOPE_MAX)
		return NULL;
	snprintf(s->text, sizeof(s->text), "%.*s",
	    (int)(channel.n - h->prefix), channel.p + h->prefix);
	return find(h, s);
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
	if (is_own(f) && span_is(payload, PROBE)) {
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
		if (!is_own(f))
			set_dirty(f, f->ring.last);
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
		set_state(f, RING_SUBSCRIBING);
	}
}

static void
on_lost(void *arg)
{
	struct hub *h = arg;

	twalk_r(h->tree, lost_visit, NULL);
}

/* ---- following ---- */

static struct followed *
followed_new(struct hub *h, const struct scope *s, const struct place *from)
{
	struct followed *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->scope = *s;
	f->hub = h;
	f->id = ++h->ids;
	f->thins = h->conf->notice_rate.count != 0 && is_notices(f);
	ring_reset(&f->ring, from->seq);
	if (tsearch(&f->scope, &h->tree, compare) == NULL) {
		free(f);
		return NULL;
	}
	return f;
}

/* The ring begins behind the place of a new member: what was done over HTTP is
 * heard of later than what was done after it here. Read anew from there on; the
 * others keep their places. */
static void
reach_back(struct followed *f, uint64_t seq)
{
	ring_reset(&f->ring, seq);
	if (f->state == RING_SUBSCRIBING)
		return;
	f->id = ++f->hub->ids;
	f->reading = false;
	ring_read(f);
}

bool
hub_follow(struct hub *h, struct member *m, const struct scope *s,
    const struct place *from)
{
	struct followed *f = find(h, s);
	bool new = f == NULL || f->nmembers == 0;

	if (f == NULL)
		f = followed_new(h, s, from);
	if (f == NULL)
		return false;
	if (f->nmembers == f->room) {
		size_t room = f->room == 0 ? 4 : f->room * 2;
		struct member **grown = realloc(f->members,
		    room * sizeof(*grown));

		if (grown == NULL) {
			if (f->nmembers == 0 && !f->reading)
				followed_free(f);
			return false;
		}
		f->members = grown;
		f->room = room;
	}
	m->of = f;
	m->seq = from->seq;
	m->index = f->nmembers;
	f->members[f->nmembers++] = m;
	snprintf(m->epoch, sizeof(m->epoch), "%s", from->epoch);
	if (new) {
		/* A ring that was left and is followed again starts anew. */
		f->id = ++h->ids;
		f->reading = false;
		f->epoch[0] = '\0';
		f->wanted = 0;
		ring_reset(&f->ring, from->seq);
		set_state(f, RING_SUBSCRIBING);
		return feed_subscribe(h->feed, channel_of(h, s));
	}
	if (s->text[0] == 'u')
		look_back(f, m);
	if (f->state == RING_LIVE && strcmp(f->epoch, from->epoch) == 0)
		m->epoch[0] = '\0';
	else if (f->state == RING_LIVE)
		ring_read(f);
	if (from->seq + 1 < f->ring.first && strcmp(from->epoch,
	    f->epoch[0] != '\0' ? f->epoch : f->members[0]->epoch) == 0)
		reach_back(f, from->seq);
	return true;
}

void
hub_unfollow(struct hub *h, struct member *m)
{
	struct followed *f = m->of;

	if (f == NULL)
		return;
	f->members[m->index] = f->members[--f->nmembers];
	f->members[m->index]->index = m->index;
	m->of = NULL;
	if (f->nmembers != 0)
		return;
	feed_unsubscribe(h->feed, channel_of(h, &f->scope));
	if (!f->reading)
		followed_free(f);
}

void
hub_moved(struct member *m)
{
	if (m->of != NULL)
		m->of->members[m->index] = m;
}

bool
hub_own(struct hub *h, const struct scope *own)
{
	static const struct place start = { "", 0 };

	return hub_follow(h, &h->own, own, &start);
}

const struct place *
hub_handled(const struct hub *h)
{
	return &h->handled;
}

bool
hub_ready(const struct hub *h)
{
	return feed_ready(h->feed);
}

void
hub_reconnect(struct hub *h)
{
	feed_reconnect(h->feed);
}

struct hub *
hub_new(uv_loop_t *loop, const struct conf *c, struct store *s,
    const struct hub_handler *handler)
{
	struct hub *h = calloc(1, sizeof(*h));
	struct feed_handler fh = { on_subscribed, on_message, on_lost, h };

	if (h == NULL)
		return NULL;
	h->loop = loop;
	h->conf = c;
	h->store = s;
	h->handler = *handler;
	call_pubsub_prefix(&h->channel, c);
	h->prefix = h->channel.n;
	h->feed = feed_new(loop, c, &fh);
	if (h->feed == NULL || h->channel.oom) {
		feed_free(h->feed);
		buf_clear(&h->channel);
		free(h);
		return NULL;
	}
	uv_check_init(loop, &h->turn_end);
	h->turn_end.data = h;
	uv_check_start(&h->turn_end, turn_end);
	uv_timer_init(loop, &h->retry);
	h->retry.data = h;
	uv_timer_start(&h->retry, on_retry, RETRY, RETRY);
	h->handles = 2;
	return h;
}

static void
closed(uv_handle_t *handle)
{
	struct hub *h = handle->data;

	if (--h->handles == 0)
		free(h);
}

static void
free_node(void *node)
{
	struct followed *f = node;

	ring_clear(&f->ring);
	free(f->members);
	free(f);
}

void
hub_free(struct hub *h)
{
	if (h == NULL)
		return;
	h->closing = true;
	feed_free(h->feed);
	tdestroy(h->tree, free_node);
	h->tree = NULL;
	buf_clear(&h->channel);
	buf_clear(&h->frames);
	uv_close((uv_handle_t *)&h->turn_end, closed);
	uv_close((uv_handle_t *)&h->retry, closed);
}
