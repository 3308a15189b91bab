/* SPDX-License-Identifier: MIT */
#include "link_body.h"

#include <stdlib.h>

#include "limit.h"
#include "log.h"
#include "reply.h"

#define FEED_SIZE 4096 /* bytes that the reader gets at a time: it moves what it
			* has not read yet with every KiB */

struct conn *
link_conn_new(struct link *l)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	if (l->conf->redis.path != NULL)
		uv_pipe_init(l->loop, &c->u.pipe, 0);
	else
		uv_tcp_init(l->loop, &c->u.tcp);
	c->u.handle.data = c;
	c->connect.data = c;
	c->link = l;
	l->conn = c;
	return c;
}

static void
conn_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	buf_clear(&c->writing);
	free(c);
}

void
link_conn_close(struct link *l)
{
	if (l->conn != NULL) {
		l->conn->link = NULL;
		uv_close(&l->conn->u.handle, conn_closed);
		l->conn = NULL;
	}
}

/* ---- writing ---- */

static void
on_written(uv_write_t *w, int status)
{
	struct conn *c = w->data;

	c->busy = false;
	buf_clear(&c->writing);
	if (status < 0 && c->link != NULL)
		link_drop(c->link);
}

void
link_conn_write(struct link *l)
{
	struct conn *c = l->conn;
	uv_buf_t b = uv_buf_init(l->out.p, (unsigned)l->out.n);
	int n;

	if (l->out.n == 0 || c->busy)
		return;
	n = uv_try_write(&c->u.stream, &b, 1);
	if (n < 0 && n != UV_EAGAIN && l->state == LINK_GREETING) {
		/* It may have said why it hung up: that is read first. */
		buf_reset(&l->out);
		return;
	}
	if (n < 0 && n != UV_EAGAIN) {
		link_drop(l);
		return;
	}
	buf_shift(&l->out, n < 0 ? 0 : (size_t)n);
	if (l->out.n == 0)
		return;
	c->writing = l->out;
	l->out = (struct buf){ 0 };
	b = uv_buf_init(c->writing.p, (unsigned)c->writing.n);
	c->busy = true;
	c->write.data = c;
	if (uv_write(&c->write, &c->u.stream, &b, 1, on_written) != 0) {
		c->busy = false;
		link_drop(l);
	}
}

/* ---- reading ---- */

static void
on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *b)
{
	struct conn *c = handle->data;

	(void)size;
	*b = c->link == NULL ? uv_buf_init(NULL, 0) :
	    uv_buf_init(c->link->inbox, LINK_READ_SIZE);
}

/* Takes the replies that a piece of what came makes whole. A handler may drop
 * the connection: then c belongs to nobody. */
static void
take(struct conn *c, const char *piece, size_t n)
{
	struct link *l = c->link;
	void *r;

	redisReaderFeed(l->reader, piece, n);
	l->unread += n;
	while (c->link != NULL) {
		if (redisReaderGetReply(l->reader, &r) != REDIS_OK) {
			log_error("redis: not understood: %s",
			    l->reader->errstr);
			link_drop(l);
			return;
		}
		if (r == NULL) {
			if (l->unread <= LIMIT_REPLY)
				return;
			log_error("redis: a reply above %d bytes",
			    LIMIT_REPLY);
			link_drop(l);
			return;
		}
		l->unread = l->reader->len - l->reader->pos;
		if (l->state == LINK_READY)
			l->handler.on_reply(l->handler.arg, r);
		else if (!link_greeted(l, r))
			link_drop(l);
		reply_done(l->room);
	}
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct conn *c = s->data;

	if (c->link == NULL || n == 0)
		return;
	if (n < 0) {
		link_drop(c->link);
		return;
	}
	for (size_t at = 0; at < (size_t)n && c->link != NULL;
	    at += FEED_SIZE)
		take(c, b->base + at, (size_t)n - at < FEED_SIZE ?
		    (size_t)n - at : FEED_SIZE);
}

bool
link_conn_read(struct conn *c)
{
	struct link *l = c->link;

	reply_done(l->room);
	l->reader = reply_reader(l->room);
	return l->reader != NULL &&
	    uv_read_start(&c->u.stream, on_alloc, on_read) == 0;
}
