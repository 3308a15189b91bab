/* SPDX-License-Identifier: MIT */
#include "topics.h"

#include <stdlib.h>

#include "call.h"
#include "clock.h"
#include "event.h"
#include "feed.h"

#define LINGER 30000 /* ms that a topic outlives its last follower */
#define ENDED SPAN("- 0 poll ") /* and a poll's id */

struct topics {
	uv_loop_t *loop;
	const struct conf *conf;
	struct topics_handler handler;
	struct feed *feed;    /* NULL: nothing was followed yet */
	struct names names;
	uint64_t ticket;
	struct buf channel;   /* scratch: a pub/sub channel's name */
	size_t prefix;        /* bytes in front of a scope in it */
};

static struct topic *
find(const struct topics *ts, struct span scope)
{
	return (struct topic *)names_find(&ts->names, scope);
}

static struct span
channel_of(struct topics *ts, struct span scope)
{
	ts->channel.n = ts->prefix;
	buf_span(&ts->channel, scope);
	return buf_peek(&ts->channel);
}

static struct topic *
find_channel(const struct topics *ts, struct span channel)
{
	if (channel.n <= ts->prefix)
		return NULL;
	return find(ts, (struct span){ channel.p + ts->prefix,
		channel.n - ts->prefix });
}

/* ---- from Redis ---- */

static void
on_message(void *arg, struct span channel, struct span payload)
{
	struct topics *ts = arg;
	struct topic *t = find_channel(ts, channel);
	struct span ended = ENDED;
	struct event e;

	if (t == NULL)
		return;
	if (payload.n > ended.n && memcmp(payload.p, ended.p, ended.n) == 0) {
		/* The poll itself may come later, by the other connection. */
		t->since = ++ts->ticket;
		ts->handler.on_ended(ts->handler.arg, t, (struct span){
		    payload.p + ended.n, payload.n - ended.n });
	} else if (event_split(payload, &e) &&
	    topic_add(t, topic_epoch(e.epoch), e.seq, e.text))
		ts->handler.on_news(ts->handler.arg, t);
}

static void
on_subscribed(void *arg, struct span channel)
{
	struct topics *ts = arg;
	struct topic *t = find_channel(ts, channel);

	if (t == NULL || t->acked)
		return;
	t->acked = true;
	t->since = ++ts->ticket;
	topic_reset(t, 0, 0);
	ts->handler.on_stands(ts->handler.arg, t);
}

static void
on_lost(void *arg)
{
	struct topics *ts = arg;

	for (struct name *at = names_next(&ts->names, NULL); at != NULL;
	    at = names_next(&ts->names, at)) {
		struct topic *t = (struct topic *)at;

		if (!t->acked)
			continue;
		t->acked = false;
		ts->handler.on_lost(ts->handler.arg, t);
	}
}

/* ---- what is followed ---- */

struct topic *
topics_find(const struct topics *ts, const char *scope)
{
	return find(ts, span_of(scope));
}

static bool
subscribe(struct topics *ts, struct span scope)
{
	struct feed_handler h = { on_subscribed, on_message, on_lost, ts };

	if (ts->feed == NULL)
		ts->feed = feed_new(ts->loop, ts->conf, &h);
	return ts->feed != NULL &&
	    feed_subscribe(ts->feed, channel_of(ts, scope));
}

struct topic *
topics_get(struct topics *ts, const char *scope)
{
	struct topic *t = topics_find(ts, scope);

	if (t != NULL)
		return t;
	t = topic_new(scope);
	if (t == NULL)
		return NULL;
	t->idle_since = clock_ms();
	if (!names_add(&ts->names, &t->name, t->text, strlen(t->text))) {
		topic_free(t);
		return NULL;
	}
	if (!subscribe(ts, name_text(&t->name))) {
		names_remove(&ts->names, &t->name);
		topic_free(t);
		return NULL;
	}
	return t;
}

void
topics_forget(struct topics *ts, uint64_t now)
{
	struct name *at = names_next(&ts->names, NULL);

	while (at != NULL) {
		struct topic *t = (struct topic *)at;

		at = names_next(&ts->names, at);
		if (t->nlinks > 0 || t->idle_since + LINGER >= now)
			continue;
		feed_unsubscribe(ts->feed, channel_of(ts,
		    name_text(&t->name)));
		names_remove(&ts->names, &t->name);
		topic_free(t);
	}
}

uint64_t
topics_ticket(const struct topics *ts)
{
	return ts->ticket;
}

/* ---- life ---- */

struct topics *
topics_new(uv_loop_t *loop, const struct conf *c,
    const struct topics_handler *h)
{
	struct topics *ts = calloc(1, sizeof(*ts));

	if (ts == NULL)
		return NULL;
	ts->loop = loop;
	ts->conf = c;
	ts->handler = *h;
	call_pubsub_prefix(&ts->channel, c);
	ts->prefix = ts->channel.n;
	if (buf_room(&ts->channel, SCOPE_MAX) == NULL) {
		buf_clear(&ts->channel);
		free(ts);
		return NULL;
	}
	return ts;
}

void
topics_free(struct topics *ts)
{
	struct name *at;

	if (ts == NULL)
		return;
	feed_free(ts->feed);
	while ((at = names_next(&ts->names, NULL)) != NULL) {
		names_remove(&ts->names, at);
		topic_free((struct topic *)at);
	}
	names_clear(&ts->names);
	buf_clear(&ts->channel);
	free(ts);
}
