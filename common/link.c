/* SPDX-License-Identifier: MIT */
#include "link_body.h"

#include <stdlib.h>

#include "log.h"
#include "reply.h"

#define BACKOFF_MOST 1000    /* ms */
#define CONNECT_TIMEOUT 2000 /* ms for connecting and greeting */
#define OUT_MOST (64 * 1024 * 1024) /* bytes not taken by Redis */

void
link_set_state(struct link *l, enum link_state to)
{
	static const char *const names[] = { "waiting", "resolving",
		"connecting", "greeting", "ready", "closed" };

	log_debug("redis %s: %s -> %s", l->for_commands ? "commands" : "feed",
	    names[l->state], names[to]);
	l->state = to;
}

static void
conn_drop(struct link *l)
{
	link_conn_close(l);
	uv_freeaddrinfo(l->found);
	l->found = l->next = NULL;
	redisReaderFree(l->reader);
	l->reader = NULL;
	l->unread = 0;
	buf_reset(&l->out);
}

static void
on_timer(uv_timer_t *t)
{
	struct link *l = t->data;

	if (l->state == LINK_WAITING) {
		uv_timer_start(t, on_timer, CONNECT_TIMEOUT, 0);
		link_attempt(l);
	} else {
		link_drop(l); /* the attempt's time is over */
	}
}

void
link_drop(struct link *l)
{
	/* Processes that lost the same server must not come back in step. */
	unsigned jitter = (unsigned)(uv_hrtime() / 1000 ^
	    (uint64_t)uv_os_getpid()) % (l->backoff / 2 + 1);

	if (l->state == LINK_CLOSED || l->state == LINK_WAITING)
		return;
	conn_drop(l);
	l->failing = l->state != LINK_READY;
	link_set_state(l, LINK_WAITING);
	uv_timer_start(&l->timer, on_timer, l->backoff / 2 + jitter, 0);
	l->backoff *= 2;
	if (l->backoff > BACKOFF_MOST)
		l->backoff = BACKOFF_MOST;
	l->handler.on_lost(l->handler.arg);
}

void
link_rest(struct link *l)
{
	if (l->state == LINK_CLOSED)
		return;
	conn_drop(l);
	uv_timer_stop(&l->timer);
	l->failing = false;
	link_set_state(l, LINK_WAITING);
}

void
link_wake(struct link *l)
{
	if (l->state == LINK_WAITING && !uv_is_active((uv_handle_t *)&l->timer))
		uv_timer_start(&l->timer, on_timer, 0, 0);
}

void
link_retry(struct link *l)
{
	if (l->state == LINK_WAITING)
		uv_timer_start(&l->timer, on_timer, 0, 0);
}

void
link_end(struct link *l)
{
	reply_room_free(l->room);
	free(l);
}

static void
on_prepare(uv_prepare_t *p)
{
	struct link *l = p->data;

	if (l->conn == NULL || l->state < LINK_GREETING)
		return;
	if (l->out.oom || l->out.n > OUT_MOST)
		link_drop(l);
	else
		link_conn_write(l);
}

struct link *
link_new(uv_loop_t *loop, const struct conf *c, bool for_commands,
    const struct link_handler *h)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->inbox = malloc(LINK_READ_SIZE);
	l->room = reply_room_new();
	if (l->inbox == NULL || l->room == NULL) {
		reply_room_free(l->room);
		free(l->inbox);
		free(l);
		return NULL;
	}
	l->loop = loop;
	l->conf = c;
	l->for_commands = for_commands;
	l->handler = *h;
	l->backoff = LINK_BACKOFF_FIRST;
	uv_timer_init(loop, &l->timer);
	l->timer.data = l;
	uv_prepare_init(loop, &l->prepare);
	l->prepare.data = l;
	uv_prepare_start(&l->prepare, on_prepare);
	l->handles = 2;
	uv_timer_start(&l->timer, on_timer, 0, 0);
	return l;
}

static void
closed(uv_handle_t *handle)
{
	struct link *l = handle->data;

	if (--l->handles == 0 && !l->resolving)
		link_end(l);
}

void
link_free(struct link *l)
{
	if (l == NULL)
		return;
	conn_drop(l);
	buf_clear(&l->out);
	free(l->inbox);
	link_set_state(l, LINK_CLOSED);
	if (l->resolving)
		uv_cancel((uv_req_t *)&l->resolve);
	uv_close((uv_handle_t *)&l->timer, closed);
	uv_close((uv_handle_t *)&l->prepare, closed);
}

bool
link_ready(const struct link *l)
{
	return l->state == LINK_READY;
}

bool
link_failing(const struct link *l)
{
	return l->failing;
}

const char *
link_node(const struct link *l)
{
	return l->node;
}

const char *
link_eviction(const struct link *l)
{
	return *l->eviction == '\0' ? NULL : l->eviction;
}

int
link_version(const struct link *l)
{
	return l->version;
}

struct buf *
link_out(struct link *l)
{
	return &l->out;
}
