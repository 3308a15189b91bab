/* SPDX-License-Identifier: MIT */
#include "responder.h"

#include <stdlib.h>

#include "clock.h"
#include "http.h"
#include "log.h"
#include "parse.h"
#include "records.h"

#define BACKLOG 4096
#define INPUT_MOST (8 * 1024 * 1024) /* bytes of a request that we drain */
#define INPUT_KEPT (256 * 1024)      /* bytes of one that we parse */
#define REQUEST_TIME 30000           /* ms from the first byte to the last */
#define IDLE_TIME 120000             /* ms that a kept connection may idle */
#define STOP_TIME 10000              /* ms */
#define TICK 1000                    /* ms */
#define READ_SIZE 65536

enum conn_state {
	CONN_READING,  /* a request is coming in, or none yet */
	CONN_SERVING,  /* it is being run */
	CONN_WRITING,  /* its reply is leaving */
	CONN_CLOSING
};

struct conn {
	struct responder *owner;
	struct conn *prev, *next;
	uint64_t id;
	enum conn_state state;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} u;
	struct buf in, out;
	uv_write_t write;
	struct records_request request;
	uint64_t deadline; /* ms */
};

struct responder {
	uv_loop_t *loop;
	struct service *service;
	struct parse *parse;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} listener;
	bool is_tcp, listening;
	uv_timer_t tick;
	struct conn *conns;
	uint64_t ids;
	void (*done)(void *arg);
	void *done_arg;
	uint64_t stop_at; /* ms */
	int handles;
	char inbox[READ_SIZE];
};

static void take_request(struct conn *c);

static void
conn_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	buf_clear(&c->in);
	buf_clear(&c->out);
	free(c);
}

static void
check_done(struct responder *r)
{
	void (*done)(void *arg) = r->done;

	if (done == NULL || r->conns != NULL)
		return;
	r->done = NULL;
	done(r->done_arg);
}

static void
conn_close(struct conn *c)
{
	if (c->state == CONN_CLOSING)
		return;
	c->state = CONN_CLOSING;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		c->owner->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	uv_close(&c->u.handle, conn_closed);
	check_done(c->owner);
}

static struct conn *
find(const struct responder *r, uint64_t id)
{
	struct conn *c = r->conns;

	while (c != NULL && c->id != id)
		c = c->next;
	return c;
}

/* ---- the reply ---- */

/* The reply has left: the next request of a kept connection, or the end. */
static void
replied(struct conn *c)
{
	buf_reset(&c->out);
	if (!c->request.keep || c->owner->done != NULL) {
		conn_close(c);
		return;
	}
	c->state = CONN_READING;
	c->deadline = clock_ms() + IDLE_TIME;
	take_request(c);
}

static void
on_written(uv_write_t *w, int status)
{
	struct conn *c = w->data;

	if (c->state == CONN_CLOSING)
		return;
	if (status < 0)
		conn_close(c);
	else
		replied(c);
}

static void
reply(struct conn *c, struct span response)
{
	uv_buf_t b;
	int n;

	records_reply(&c->out, c->request.id, response);
	if (c->out.oom || response.n == 0) {
		conn_close(c);
		return;
	}
	c->state = CONN_WRITING;
	c->deadline = clock_ms() + REQUEST_TIME;
	b = uv_buf_init(c->out.p, (unsigned)c->out.n);
	n = uv_try_write(&c->u.stream, &b, 1);
	if (n == (int)b.len) {
		replied(c);
		return;
	}
	if (n > 0) {
		b.base += n;
		b.len -= (size_t)n;
	}
	c->write.data = c;
	if ((n < 0 && n != UV_EAGAIN) || uv_write(&c->write, &c->u.stream, &b,
	    1, on_written) != 0)
		conn_close(c);
}

/* The connection may be gone by then: its id crosses the gap. */
struct ticket {
	struct responder *owner;
	uint64_t id;
};

static void
on_response(void *arg, struct span response)
{
	struct ticket *t = arg;
	struct conn *c = find(t->owner, t->id);

	free(t);
	if (c != NULL)
		reply(c, response);
}

/* ---- the request ---- */

static void
serve(struct conn *c, struct span records)
{
	struct responder *r = c->owner;
	struct ticket *t = malloc(sizeof(*t));
	struct parsed d;

	c->state = CONN_SERVING;
	if (t == NULL || !parse_request(r->parse, records, &d)) {
		free(t);
		log_debug("a request was broken");
		conn_close(c);
		return;
	}
	*t = (struct ticket){ .owner = r, .id = c->id };
	buf_shift(&c->in, records.n);
	service_serve(r->service, d.params, buf_peek(&d.body), on_response, t);
	parsed_clear(&d);
}

static void
take_request(struct conn *c)
{
	if (c->state != CONN_READING || c->in.n == 0)
		return;
	switch (records_scan(c->in.p, c->in.n, &c->request)) {
	case RECORDS_PARTIAL:
		if (c->in.n > INPUT_MOST)
			conn_close(c);
		return;
	case RECORDS_BROKEN:
		conn_close(c);
		return;
	case RECORDS_COMPLETE:
		break;
	}
	if (c->request.size > INPUT_KEPT) {
		struct buf text = { 0 }, out = { 0 };

		run_error(&text, (struct span){ NULL, 0 }, ERR_TOO_LARGE, "");
		http_write(&out, ERR_TOO_LARGE, 0, (struct span){ NULL, 0 },
		    buf_peek(&text));
		buf_clear(&text);
		buf_shift(&c->in, c->request.size);
		reply(c, buf_peek(&out));
		buf_clear(&out);
		return;
	}
	serve(c, (struct span){ c->in.p, c->request.size });
}

static void
on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *b)
{
	struct conn *c = handle->data;

	(void)size;
	*b = uv_buf_init(c->owner->inbox, READ_SIZE);
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct conn *c = s->data;

	if (n == 0 || c->state == CONN_CLOSING)
		return;
	if (n < 0) {
		conn_close(c); /* the web server, or its client, has left */
		return;
	}
	if (c->state == CONN_READING && c->in.n == 0)
		c->deadline = clock_ms() + REQUEST_TIME;
	buf_add(&c->in, b->base, (size_t)n);
	if (c->in.oom || c->in.n > INPUT_MOST + READ_SIZE)
		conn_close(c);
	else
		take_request(c);
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct responder *r = listener->data;
	struct conn *c;

	if (status < 0) {
		/* libuv sheds load itself when descriptors run out. */
		log_warn("accept: %s", uv_strerror(status));
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return;
	if (r->is_tcp)
		uv_tcp_init(r->loop, &c->u.tcp);
	else
		uv_pipe_init(r->loop, &c->u.pipe, 0);
	c->u.handle.data = c;
	c->owner = r;
	c->id = ++r->ids;
	c->deadline = clock_ms() + REQUEST_TIME;
	c->next = r->conns;
	if (c->next != NULL)
		c->next->prev = c;
	r->conns = c;
	if (uv_accept(listener, &c->u.stream) != 0 ||
	    uv_read_start(&c->u.stream, on_alloc, on_read) != 0)
		conn_close(c);
}

static void
on_tick(uv_timer_t *timer)
{
	struct responder *r = timer->data;
	uint64_t now = clock_ms();
	struct conn *c, *next;

	for (c = r->conns; c != NULL; c = next) {
		next = c->next;
		if ((c->state != CONN_SERVING && now > c->deadline) ||
		    (r->done != NULL && now > r->stop_at))
			conn_close(c);
	}
}

struct responder *
responder_new(uv_loop_t *loop, struct service *s, int fd)
{
	struct responder *r = calloc(1, sizeof(*r));
	int err;

	if (r == NULL)
		return NULL;
	r->loop = loop;
	r->service = s;
	r->parse = parse_new();
	if (r->parse == NULL) {
		log_error("cannot make a pipe");
		free(r);
		return NULL;
	}
	r->is_tcp = uv_guess_handle(fd) == UV_TCP;
	if (r->is_tcp) {
		uv_tcp_init(loop, &r->listener.tcp);
		err = uv_tcp_open(&r->listener.tcp, fd);
	} else {
		uv_pipe_init(loop, &r->listener.pipe, 0);
		err = uv_pipe_open(&r->listener.pipe, fd);
	}
	r->listener.handle.data = r;
	uv_timer_init(loop, &r->tick);
	r->tick.data = r;
	uv_timer_start(&r->tick, on_tick, TICK, TICK);
	r->handles = 2;
	if (err == 0)
		err = uv_listen(&r->listener.stream, BACKLOG, on_connection);
	if (err != 0) {
		log_error("cannot listen: %s", uv_strerror(err));
		responder_free(r);
		return NULL;
	}
	r->listening = true;
	return r;
}

static void
closed(uv_handle_t *handle)
{
	struct responder *r = handle->data;

	if (--r->handles == 0)
		free(r);
}

static void
stop_listening(struct responder *r)
{
	if (!uv_is_closing(&r->listener.handle))
		uv_close(&r->listener.handle, closed);
	r->listening = false;
}

void
responder_stop(struct responder *r, void (*done)(void *arg), void *arg)
{
	struct conn *c, *next;

	stop_listening(r);
	r->done = done;
	r->done_arg = arg;
	r->stop_at = clock_ms() + STOP_TIME;
	for (c = r->conns; c != NULL; c = next) {
		next = c->next;
		if (c->state == CONN_READING && c->in.n == 0)
			conn_close(c);
	}
	check_done(r);
}

void
responder_free(struct responder *r)
{
	if (r == NULL)
		return;
	r->done = NULL;
	while (r->conns != NULL)
		conn_close(r->conns);
	stop_listening(r);
	parse_free(r->parse);
	uv_close((uv_handle_t *)&r->tick, closed);
}
