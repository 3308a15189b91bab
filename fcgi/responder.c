/* SPDX-License-Identifier: MIT */
#include "responder.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "clock.h"
#include "log.h"
#include "parse.h"
#include "records.h"

#define BACKLOG 4096       /* less costs errors in a burst */
#define SPARE 64           /* descriptors that are not for connections */
#define REQUEST_TIME 30000 /* ms for a request to come, a reply to leave */
#define IDLE_TIME 90000    /* ms that a kept connection may idle; nginx ends
			    * its own after 60 s */
#define KEPT_TIME 250      /* ms that it may still do so as we stop */
#define FRESH_TIME 1000    /* ms that one without a request has as we stop */
#define STOP_TIME 10000    /* ms */
#define TICK 250           /* ms */
#define READ_SIZE 65536
#define BUCKETS 4096       /* a power of two */

enum conn_state {
	CONN_IDLE,     /* no byte of a request has come */
	CONN_READING,  /* one is coming in */
	CONN_SERVING,  /* it is being run */
	CONN_WRITING,  /* its reply is leaving */
	CONN_CLOSING
};

union stream {
	uv_handle_t handle;
	uv_stream_t stream;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
};

struct conn {
	struct responder *owner;
	struct conn *prev, *next;
	struct conn *bucket; /* the next one of the same bucket */
	uint64_t id;
	enum conn_state state;
	union stream u;
	bool reading;        /* else its input is full */
	bool pumping;        /* conn_pump runs, further up the stack */
	bool kept;           /* has had a request */
	struct peer peer;    /* the web server */
	bool last;           /* this reply is: it ends with a goodbye */
	bool keep;           /* the request asked to (FCGI_KEEP_CONN) */
	unsigned request;    /* its id */
	struct records *records; /* while it is coming in; else NULL */
	struct buf in;       /* what came while a request was under way */
	uint64_t deadline;   /* ms */
};

/* What a socket did not take of a reply; libuv has it until it has left. */
struct leaving {
	uv_write_t write;
	char bytes[];
};

struct responder {
	uv_loop_t *loop;
	struct service *service;
	struct parse *parse;
	union stream listener;
	bool is_tcp;
	bool stopping;
	bool paused;        /* somebody waits to be accepted */
	uv_timer_t tick;
	struct conn *conns; /* those not closing */
	struct conn *buckets[BUCKETS];
	size_t nconns, most;
	uint64_t ids;
	void (*done)(void *arg);
	void *done_arg;
	uint64_t stop_at;   /* ms */
	int handles;
	struct buf scratch; /* one request's records */
	struct buf reply;   /* one reply's */
	char inbox[READ_SIZE];
};

static void conn_read_on(struct conn *c);
static void accept_one(struct responder *r);
static void conn_pump(struct conn *c);

static void
records_free(struct conn *c)
{
	if (c->records != NULL)
		records_clear(c->records);
	free(c->records);
	c->records = NULL;
}

static void
conn_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	records_free(c);
	buf_clear(&c->in);
	free(c);
}

static struct conn **
bucket_of(struct responder *r, uint64_t id)
{
	return &r->buckets[id & (BUCKETS - 1)];
}

static struct conn *
conn_find(struct responder *r, uint64_t id)
{
	struct conn *c = *bucket_of(r, id);

	while (c != NULL && c->id != id)
		c = c->bucket;
	return c;
}

static void
conn_link(struct conn *c)
{
	struct responder *r = c->owner;
	struct conn **bucket;

	c->id = ++r->ids;
	bucket = bucket_of(r, c->id);
	c->bucket = *bucket;
	*bucket = c;
	c->next = r->conns;
	if (c->next != NULL)
		c->next->prev = c;
	r->conns = c;
	r->nconns++;
}

static void
conn_unlink(struct conn *c)
{
	struct responder *r = c->owner;
	struct conn **at = bucket_of(r, c->id);

	while (*at != c)
		at = &(*at)->bucket;
	*at = c->bucket;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		r->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	r->nconns--;
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

/* It is out of the table at once, its memory goes with the loop's next turn:
 * callers further up may still look at its state. */
static void
conn_close(struct conn *c)
{
	struct responder *r = c->owner;

	if (c->state == CONN_CLOSING)
		return;
	if (c->state == CONN_SERVING)
		service_forget(r->service, c->id);
	c->state = CONN_CLOSING;
	conn_unlink(c);
	uv_close(&c->u.handle, conn_closed);
	if (r->paused)
		accept_one(r);
	check_done(r);
}

/* ---- the reply ---- */

/* The reply has left: the next request of a kept connection, or the end. */
static void
conn_replied(struct conn *c)
{
	if (!c->keep || c->last) {
		conn_close(c);
		return;
	}
	c->kept = true;
	c->state = CONN_IDLE;
	c->deadline = clock_ms() + (c->owner->stopping ? KEPT_TIME :
	    IDLE_TIME);
	conn_pump(c);
}

static void
on_written(uv_write_t *w, int status)
{
	struct conn *c = w->data;

	free(w); /* the begin of its struct leaving */
	if (c->state == CONN_CLOSING)
		return;
	if (status < 0)
		conn_close(c);
	else
		conn_replied(c);
}

/* Has the loop send the rest. */
static bool
leave_rest(struct conn *c, const char *rest, size_t n)
{
	struct leaving *l = malloc(sizeof(*l) + n);
	uv_buf_t b;

	if (l == NULL)
		return false;
	memcpy(l->bytes, rest, n);
	b = uv_buf_init(l->bytes, (unsigned)n);
	l->write.data = c;
	if (uv_write(&l->write, &c->u.stream, &b, 1, on_written) == 0)
		return true;
	free(l);
	return false;
}

/* The reply goes out as far as the socket takes it now; the loop sends the
 * rest, so that a web server that does not read holds up nobody. */
static void
on_response(void *arg, uint64_t id, struct span response)
{
	struct responder *r = arg;
	struct conn *c = conn_find(r, id);
	struct buf *out = &r->reply;
	uv_buf_t b;
	int n;

	if (c == NULL)
		return; /* the web server, or its client, has left */
	buf_reset(out);
	records_reply(out, c->request, response);
	c->last = r->stopping;
	if (c->last && c->keep)
		records_goodbye(out);
	if (out->oom || response.n == 0) {
		buf_clear(out);
		conn_close(c);
		return;
	}
	c->state = CONN_WRITING;
	c->deadline = clock_ms() + REQUEST_TIME;
	b = uv_buf_init(out->p, (unsigned)out->n);
	n = uv_try_write(&c->u.stream, &b, 1);
	if (n == UV_EAGAIN)
		n = 0;
	if (n == (int)b.len)
		conn_replied(c);
	else if (n < 0 || !leave_rest(c, out->p + n, out->n - (size_t)n))
		conn_close(c);
}

/* ---- the request ---- */

static void
conn_serve(struct conn *c)
{
	struct responder *r = c->owner;
	size_t size = c->records->body_size;
	struct parsed d;
	bool ok;

	c->state = CONN_SERVING;
	c->request = c->records->id;
	c->keep = c->records->keep;
	buf_reset(&r->scratch);
	records_request(c->records, &r->scratch);
	ok = !r->scratch.oom &&
	    parse_request(r->parse, buf_peek(&r->scratch), &d);
	/* A request may wait long: it does so without its bytes. */
	records_free(c);
	if (!ok) {
		log_debug("a request was broken");
		conn_close(c);
		return;
	}
	service_serve(r->service, c->peer, d.params, buf_peek(&d.body), size,
	    on_response, r, c->id);
	parsed_clear(&d);
}

static bool
takes_input(const struct conn *c)
{
	return c->state == CONN_IDLE || c->state == CONN_READING;
}

/* Scans what came, off the front of in. */
static void
conn_scan(struct conn *c, struct span *in)
{
	if (c->state == CONN_IDLE) {
		c->state = CONN_READING;
		c->deadline = clock_ms() + REQUEST_TIME;
	}
	if (c->records == NULL)
		c->records = calloc(1, sizeof(*c->records));
	if (c->records == NULL) {
		conn_close(c);
		return;
	}
	switch (records_feed(c->records, in)) {
	case RECORDS_PARTIAL:
		break;
	case RECORDS_COMPLETE:
		conn_serve(c);
		break;
	case RECORDS_BROKEN:
		conn_close(c);
		break;
	}
}

/* Serves the requests that wait in the input, one after the other. A reply
 * may be there before conn_serve returns and ask for the next one: that is
 * left to this loop, since a peer that pipelines thousands would else decide
 * how deep the stack gets. */
static void
conn_pump(struct conn *c)
{
	struct span in = buf_peek(&c->in);

	if (c->pumping)
		return;
	c->pumping = true;
	while (in.n > 0 && takes_input(c))
		conn_scan(c, &in);
	buf_shift(&c->in, c->in.n - in.n);
	c->pumping = false;
	if (c->in.n == 0)
		buf_clear(&c->in);
	if (c->state == CONN_CLOSING)
		return;
	if (c->state == CONN_SERVING &&
	    records_is_abort(buf_peek(&c->in), c->request))
		conn_close(c);
	else if (!c->reading && c->in.n < READ_SIZE)
		conn_read_on(c);
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
	buf_add(&c->in, b->base, (size_t)n);
	if (c->in.oom) {
		conn_close(c);
		return;
	}
	if (c->in.n >= READ_SIZE && !takes_input(c)) {
		c->reading = false;
		uv_read_stop(s);
	}
	conn_pump(c);
}

static void
conn_read_on(struct conn *c)
{
	c->reading = uv_read_start(&c->u.stream, on_alloc, on_read) == 0;
	if (!c->reading)
		conn_close(c);
}

/* ---- connections ---- */

static struct peer
find_peer(const uv_handle_t *h)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	uv_os_fd_t fd;

	if (uv_fileno(h, &fd) != 0 ||
	    getpeername(fd, (struct sockaddr *)&sa, &n) != 0)
		n = 0;
	return peer_of((struct sockaddr *)&sa, n);
}

/* One that is not accepted keeps its place: libuv does not look at the
 * listening socket again before uv_accept. So there is a descriptor for every
 * connection that we take, and the backlog holds the others. */
static void
accept_one(struct responder *r)
{
	struct conn *c;

	r->paused = true;
	if (r->nconns >= r->most)
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return;
	r->paused = false;
	if (r->is_tcp)
		uv_tcp_init(r->loop, &c->u.tcp);
	else
		uv_pipe_init(r->loop, &c->u.pipe, 0);
	c->u.handle.data = c;
	c->owner = r;
	c->deadline = clock_ms() + REQUEST_TIME;
	conn_link(c);
	if (uv_accept(&r->listener.stream, &c->u.stream) != 0) {
		conn_close(c);
		return;
	}
	c->peer = find_peer(&c->u.handle);
	conn_read_on(c);
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct responder *r = listener->data;

	if (status < 0)
		log_warn("accept: %s", uv_strerror(status));
	else
		accept_one(r);
}

/* Whether bytes have come that the loop has not read yet. */
static bool
has_input(const struct conn *c)
{
	uv_os_fd_t fd;
	char byte;

	return uv_fileno(&c->u.handle, &fd) == 0 &&
	    recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* A kept connection must not be closed upon a request that is on its way: the
 * web server cannot repeat a POST. */
static bool
is_overdue(const struct conn *c, uint64_t now)
{
	return c->state != CONN_SERVING && now > c->deadline &&
	    (c->state != CONN_IDLE || !has_input(c));
}

static void
on_tick(uv_timer_t *timer)
{
	struct responder *r = timer->data;
	uint64_t now = clock_ms();
	struct conn *c, *next;

	for (c = r->conns; c != NULL; c = next) {
		next = c->next;
		if (is_overdue(c, now) ||
		    (r->stopping && now > r->stop_at))
			conn_close(c);
	}
	if (r->paused)
		accept_one(r);
}

/* ---- life ---- */

static void
closed(uv_handle_t *handle)
{
	struct responder *r = handle->data;

	if (--r->handles == 0) {
		buf_clear(&r->scratch);
		buf_clear(&r->reply);
		free(r);
	}
}

/* Closes our descriptor only. shutdown() would end the listening socket for
 * all who share it: the supervisor and our siblings. */
static void
stop_listening(struct responder *r)
{
	r->stopping = true;
	r->paused = false;
	if (!uv_is_closing(&r->listener.handle))
		uv_close(&r->listener.handle, closed);
}

static size_t
most_connections(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur < 2 * SPARE)
		return SPARE;
	return (size_t)l.rlim_cur - SPARE;
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
	r->most = most_connections();
	r->parse = parse_new();
	if (r->parse == NULL) {
		log_error("cannot make a pipe for requests");
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
	return r;
}

void
responder_stop(struct responder *r, void (*done)(void *arg), void *arg)
{
	uint64_t now = clock_ms(), most;

	stop_listening(r);
	service_stop(r->service);
	r->stop_at = now + STOP_TIME;
	/* Those that idle may have a request on its way to us: a kept one that
	 * is in use will show it soon, one that just came a little later. */
	for (struct conn *c = r->conns; c != NULL; c = c->next) {
		most = now + (c->kept ? KEPT_TIME : FRESH_TIME);
		if (c->state == CONN_IDLE && c->deadline > most)
			c->deadline = most;
	}
	r->done = done;
	r->done_arg = arg;
	check_done(r);
}

void
responder_free(struct responder *r)
{
	if (r == NULL)
		return;
	r->done = NULL;
	stop_listening(r);
	while (r->conns != NULL)
		conn_close(r->conns);
	parse_free(r->parse);
	uv_close((uv_handle_t *)&r->tick, closed);
}
