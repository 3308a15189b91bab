/* SPDX-License-Identifier: MIT */
/* Who follows what, and the life of the hub. */
#include "hub_body.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "call.h"

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct scope *)a)->text,
	    ((const struct scope *)b)->text);
}

struct followed *
hub_find(const struct hub *h, const struct scope *s)
{
	void *const *node = tfind(s, &h->tree, compare);

	return node == NULL ? NULL : *(struct followed *const *)node;
}

bool
ring_is_own(const struct followed *f)
{
	return f->scope.text[0] == 'b';
}

bool
ring_is_keys(const struct followed *f, struct span text)
{
	return f->scope.text[0] == 'u' && text.n != 0 && text.p[0] == '!';
}

bool
ring_is_notices(const struct followed *f)
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

void
hub_forget(struct followed *f)
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
	f->thins = h->conf->notice_rate.count != 0 && ring_is_notices(f);
	ring_init(&f->ring, &h->rings, from->seq);
	if (tsearch(&f->scope, &h->tree, compare) == NULL) {
		free(f);
		return NULL;
	}
	return f;
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

		if (ring_is_keys(f, text))
			f->hub->handler.on_keys(m->session, text);
	}
}

bool
hub_follow(struct hub *h, struct member *m, const struct scope *s,
    const struct place *from)
{
	struct followed *f = hub_find(h, s);
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
				hub_forget(f);
			return false;
		}
		f->members = grown;
		f->room = room;
	}
	m->of = f;
	m->seq = from->seq;
	m->end = 0;
	m->index = f->nmembers;
	f->members[f->nmembers++] = m;
	snprintf(m->epoch, sizeof(m->epoch), "%s", from->epoch);
	if (new) {
		/* A ring that was left and is followed again starts anew. */
		f->id = ++h->ids;
		f->reading = f->behind_reading = false;
		f->epoch[0] = '\0';
		ring_reset(&f->ring, from->seq);
		ring_set_state(f, RING_SUBSCRIBING);
		return feed_subscribe(h->feed, channel_of(h, s));
	}
	if (s->text[0] == 'u')
		look_back(f, m);
	if (f->state == RING_LIVE && strcmp(f->epoch, from->epoch) == 0)
		m->epoch[0] = '\0';
	else if (f->state == RING_LIVE)
		ring_read(f);
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
		hub_forget(f);
}

bool
hub_follows(const struct member *m, const struct scope *s)
{
	return m->of != NULL && strcmp(m->of->scope.text, s->text) == 0;
}

void
hub_end(struct member *m, const struct place *at)
{
	if (m->end == 0 || at->seq + 1 < m->end)
		m->end = at->seq + 1;
}

static const char *
epoch_of(const struct member *m)
{
	return m->epoch[0] == '\0' ? m->of->epoch : m->epoch;
}

/* Behind a read that was asked for, a live ring has all that is left of it. */
bool
hub_had(struct member *m, const struct place *to, bool asked)
{
	struct followed *f = m->of;

	if (m->seq >= to->seq && strcmp(epoch_of(m), to->epoch) == 0)
		return true;
	if (!asked)
		ring_read_to(f, to);
	return asked && f->state == RING_LIVE &&
	    m->seq >= member_last(m, &f->ring);
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

/* ---- life ---- */

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
	struct feed_handler fh = hub_feed_handler(h);

	if (h == NULL)
		return NULL;
	h->loop = loop;
	h->conf = c;
	h->store = s;
	h->handler = *handler;
	h->rings.most = c->ring_memory;
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
	uv_check_start(&h->turn_end, hub_turn_end);
	uv_timer_init(loop, &h->retry);
	h->retry.data = h;
	uv_timer_start(&h->retry, hub_on_retry, RETRY, RETRY);
	uv_timer_init(loop, &h->behind);
	h->behind.data = h;
	h->handles = 3;
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
	uv_close((uv_handle_t *)&h->behind, closed);
}
