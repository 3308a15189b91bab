/* SPDX-License-Identifier: MIT */
#include "feed.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "clock.h"
#include "link.h"
#include "log.h"
#include "names.h"
#include "resp.h"

#define PING_EVERY 5000 /* ms of silence */
#define PONG_WITHIN 2000 /* ms */

/* Thousands of long-polls have one each. */
struct channel {
	struct name name; /* first: a name found is its channel; at bytes */
	int acks;         /* of SUBSCRIBE still to come */
	bool wanted;      /* false: only acknowledgements are awaited */
	char bytes[];
};

struct feed {
	struct link *link;
	struct feed_handler handler;
	struct names channels;
	struct channel *first; /* of these to be followed, or NULL */
	uv_timer_t timer;
	uint64_t heard;     /* ms */
	bool pinged;
	bool was_ready;
	bool refused;       /* said once a connection */
};

static struct channel *
find(const struct feed *f, struct span name)
{
	return (struct channel *)names_find(&f->channels, name);
}

static void
command(struct feed *f, struct span what, struct span name)
{
	if (!link_ready(f->link))
		return;
	resp_begin(link_out(f->link), 2);
	resp_word(link_out(f->link), what);
	resp_word(link_out(f->link), name);
}

static void
subscribe(struct feed *f, struct channel *c)
{
	if (!link_ready(f->link))
		return;
	c->acks++;
	command(f, SPAN("SUBSCRIBE"), name_text(&c->name));
}

static void
forget(struct feed *f, struct channel *c)
{
	names_remove(&f->channels, &c->name);
	if (c == f->first)
		f->first = NULL;
	free(c);
}

/* ---- from Redis ---- */

static bool
is_text(const redisReply *r)
{
	return r->type == REDIS_REPLY_STRING;
}

static void
on_reply(void *arg, const struct redisReply *reply)
{
	struct feed *f = arg;
	const redisReply *r = reply;
	struct span what, name;
	struct channel *c;

	f->heard = clock_ms();
	f->pinged = false;
	if (r->type == REDIS_REPLY_ERROR && !f->refused) {
		f->refused = true;
		log_error("redis: a subscription is refused: %.200s", r->str);
	}
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 3 ||
	    !is_text(r->element[0]) || !is_text(r->element[1]))
		return; /* a pong */
	what = (struct span){ r->element[0]->str, (size_t)r->element[0]->len };
	name = (struct span){ r->element[1]->str, (size_t)r->element[1]->len };
	c = find(f, name);
	if (c == NULL)
		return;
	if (span_is(what, "message") && is_text(r->element[2])) {
		if (c->wanted && c->acks == 0)
			f->handler.on_message(f->handler.arg, name,
			    (struct span){ r->element[2]->str,
			    (size_t)r->element[2]->len });
	} else if (span_is(what, "subscribe")) {
		/* Only the last one asked for counts: an UNSUBSCRIBE may lie
		 * between them. */
		if (--c->acks > 0)
			return;
		if (c->wanted)
			f->handler.on_subscribed(f->handler.arg, name);
		else
			forget(f, c);
	}
}

static void
subscribe_again(struct feed *f, struct channel *c)
{
	c->acks = 0;
	if (c->wanted)
		subscribe(f, c);
	else
		forget(f, c);
}

static void
on_ready(void *arg)
{
	struct feed *f = arg;
	struct name *at;

	f->heard = clock_ms();
	f->pinged = f->refused = false;
	f->was_ready = true;
	if (f->first != NULL)
		subscribe_again(f, f->first);
	at = names_next(&f->channels, NULL);
	while (at != NULL) {
		struct channel *c = (struct channel *)at;

		at = names_next(&f->channels, at);
		if (c != f->first)
			subscribe_again(f, c);
	}
}

static void
on_lost(void *arg)
{
	struct feed *f = arg;

	if (f->was_ready)
		f->handler.on_lost(f->handler.arg);
	f->was_ready = false;
}

static void
on_timer(uv_timer_t *t)
{
	struct feed *f = t->data;
	uint64_t silence = clock_ms() - f->heard;

	if (!link_ready(f->link))
		return;
	if (f->pinged && silence >= PING_EVERY + PONG_WITHIN) {
		link_drop(f->link);
	} else if (!f->pinged && silence >= PING_EVERY) {
		f->pinged = true;
		resp_begin(link_out(f->link), 1);
		resp_word(link_out(f->link), SPAN("PING"));
	}
}

/* ---- channels ---- */

bool
feed_subscribe(struct feed *f, struct span name)
{
	struct channel *c = find(f, name);

	if (c != NULL && c->wanted)
		return true;
	if (c == NULL) {
		c = calloc(1, sizeof(*c) + name.n);
		if (c == NULL)
			return false;
		memcpy(c->bytes, name.p, name.n);
		if (!names_add(&f->channels, &c->name, c->bytes, name.n)) {
			free(c);
			return false;
		}
		if (f->first == NULL)
			f->first = c;
	}
	c->wanted = true;
	subscribe(f, c);
	return true;
}

void
feed_unsubscribe(struct feed *f, struct span name)
{
	struct channel *c = find(f, name);

	if (c == NULL || !c->wanted)
		return;
	command(f, SPAN("UNSUBSCRIBE"), name);
	c->wanted = false;
	if (c->acks == 0 || !link_ready(f->link))
		forget(f, c);
}

/* ---- life ---- */

struct feed *
feed_new(uv_loop_t *loop, const struct conf *c, const struct feed_handler *h)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct link_handler lh = { on_ready, on_reply, on_lost, f };

	if (f == NULL)
		return NULL;
	f->handler = *h;
	f->link = link_new(loop, c, false, &lh);
	if (f->link == NULL) {
		free(f);
		return NULL;
	}
	uv_timer_init(loop, &f->timer);
	f->timer.data = f;
	uv_timer_start(&f->timer, on_timer, 1000, 1000);
	return f;
}

static void
closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
feed_free(struct feed *f)
{
	struct name *at;

	if (f == NULL)
		return;
	link_free(f->link);
	while ((at = names_next(&f->channels, NULL)) != NULL)
		forget(f, (struct channel *)at);
	names_clear(&f->channels);
	uv_close((uv_handle_t *)&f->timer, closed);
}

void
feed_reconnect(struct feed *f)
{
	link_drop(f->link);
}

bool
feed_ready(const struct feed *f)
{
	return link_ready(f->link);
}
