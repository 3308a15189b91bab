/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "params.h"
#include "records.h"
#include "watch.h"

#define REQUEST_TIME 30000 /* ms for a request to come, a reply to leave */
#define IDLE_TIME 90000    /* ms that a kept connection may idle; nginx ends
			    * its own after 60 s */
#define KEPT_TIME 250      /* ms that it may still do so as we stop */
#define FRESH_TIME 1000    /* ms that one without a request has as we stop */
#define READ_SIZE 65536
#define TABLE_FIRST 256    /* descriptors in the table at first */

enum conn_state {
	CONN_IDLE,     /* no byte of a request has come */
	CONN_READING,  /* one is coming in */
	CONN_SERVING,  /* it is being run */
	CONN_WRITING,  /* its reply is leaving */
	CONN_CLOSED    /* its descriptor is */
};

/* What has come of requests. */
struct intake {
	struct records records; /* the one that is coming in */
	struct buf ahead;       /* bytes behind one that is under way */
};

/* What a socket did not take of a reply yet. */
struct leaving {
	size_t n, at;
	char bytes[];
};

/* Thousands wait in CONN_SERVING: what they do not need is elsewhere. */
struct conn {
	uint64_t id;
	uint64_t deadline;      /* ms */
	struct intake *in;      /* NULL: no byte that was not served */
	struct leaving *out;    /* NULL: nothing */
	uint16_t request;       /* its id */
	uint8_t state;          /* enum conn_state */
	uint8_t watched;        /* what for, and ADDED */
	bool pumping : 1;       /* conn_pump runs, further up the stack */
	bool kept : 1;          /* has had a request */
	bool last : 1;          /* this reply is: it ends with a goodbye */
	bool keep : 1;          /* the request asked to (FCGI_KEEP_CONN) */
};

#define ADDED 128 /* of conn.watched: the descriptor is in the watch */

struct conns {
	struct service *service;
	struct watch *watch;
	struct conn **table;    /* by descriptor */
	size_t room;            /* of table */
	size_t count;
	uint32_t generation;    /* tells apart who has a descriptor in turn */
	bool local;             /* the web server is on this machine */
	bool finishing;
	bool ended;             /* being freed: nobody is told */
	void (*on_close)(void *arg);
	void *arg;
	struct buf reply;       /* one reply's */
	char inbox[READ_SIZE];
};

static void conn_pump(struct conns *cs, struct conn *c, struct span fresh);

/* ---- the table ---- */

static int
conn_fd(const struct conn *c)
{
	return (int)(uint32_t)c->id;
}

/* Connections are known by ids: descriptors are given anew. */
static struct conn *
conn_find(const struct conns *cs, uint64_t id)
{
	size_t fd = (uint32_t)id;
	struct conn *c = fd < cs->room ? cs->table[fd] : NULL;

	return c != NULL && c->id == id ? c : NULL;
}

static bool
table_holds(struct conns *cs, size_t fd)
{
	size_t room = cs->room == 0 ? TABLE_FIRST : cs->room;
	struct conn **grown;

	while (room <= fd)
		room *= 2;
	if (room == cs->room)
		return true;
	grown = realloc(cs->table, room * sizeof(struct conn *));
	if (grown == NULL)
		return false;
	memset(grown + cs->room, 0, (room - cs->room) * sizeof(struct conn *));
	cs->table = grown;
	cs->room = room;
	return true;
}

static void
intake_free(struct conn *c)
{
	if (c->in == NULL)
		return;
	records_clear(&c->in->records);
	buf_clear(&c->in->ahead);
	free(c->in);
	c->in = NULL;
}

static void
conn_free(struct conn *c)
{
	intake_free(c);
	free(c->out);
	free(c);
}

/* It is out of the table at once; c is gone unless conn_pump, further up, still
 * looks at it. */
static void
conn_close(struct conns *cs, struct conn *c)
{
	if (c->state == CONN_SERVING)
		service_forget(cs->service, c->id);
	c->state = CONN_CLOSED;
	cs->table[conn_fd(c)] = NULL;
	cs->count--;
	close(conn_fd(c));
	if (!c->pumping)
		conn_free(c);
	if (!cs->ended)
		cs->on_close(cs->arg);
}

/* Has the watch tell what c can do with. Its input stays where it is while too
 * much lies ahead. False: c was closed. */
static bool
conn_watch(struct conns *cs, struct conn *c)
{
	bool full = c->in != NULL && c->in->ahead.n >= READ_SIZE;
	int what = (full ? 0 : WATCH_IN) | (c->out != NULL ? WATCH_OUT : 0) |
	    ADDED;

	if (what == c->watched)
		return true;
	if (c->watched == 0 ?
	    watch_add(cs->watch, conn_fd(c), c->id, what & ~ADDED) :
	    watch_change(cs->watch, conn_fd(c), c->id, what & ~ADDED)) {
		c->watched = (uint8_t)what;
		return true;
	}
	log_error("cannot watch a connection: %s", strerror(errno));
	conn_close(cs, c);
	return false;
}

/* ---- the reply ---- */

/* The reply has left: the next request of a kept connection, or the end. */
static void
conn_replied(struct conns *cs, struct conn *c)
{
	if (!c->keep || c->last) {
		conn_close(cs, c);
		return;
	}
	c->kept = true;
	c->state = CONN_IDLE;
	c->deadline = clock_ms() + (cs->finishing ? KEPT_TIME : IDLE_TIME);
	conn_pump(cs, c, (struct span){ NULL, 0 });
}

/* Sends what the socket takes of s; -1: nobody takes it. */
static ssize_t
put(int fd, struct span s)
{
	ssize_t n;

	do
		n = send(fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : n;
}

/* More of the reply can leave. */
static void
conn_send(struct conns *cs, struct conn *c)
{
	struct leaving *l = c->out;
	ssize_t n = put(conn_fd(c), (struct span){ l->bytes + l->at,
		l->n - l->at });

	if (n < 0) {
		conn_close(cs, c);
		return;
	}
	l->at += (size_t)n;
	if (l->at < l->n)
		return;
	free(l);
	c->out = NULL;
	conn_replied(cs, c);
}

/* Keeps what the socket does not take now, so that a web server that does not
 * read holds up nobody. */
static void
leave_rest(struct conns *cs, struct conn *c, struct span rest)
{
	struct leaving *l = malloc(sizeof(*l) + rest.n);

	if (l == NULL) {
		conn_close(cs, c);
		return;
	}
	l->n = rest.n;
	l->at = 0;
	memcpy(l->bytes, rest.p, rest.n);
	c->out = l;
	conn_watch(cs, c);
}

static void
on_response(void *arg, uint64_t id, struct span response)
{
	struct conns *cs = arg;
	struct conn *c = conn_find(cs, id);
	struct buf *out = &cs->reply;
	ssize_t n;

	if (c == NULL)
		return; /* the web server, or its client, has left */
	c->state = CONN_WRITING;
	c->deadline = clock_ms() + REQUEST_TIME;
	c->last = cs->finishing;
	buf_reset(out);
	records_reply(out, c->request, response);
	if (c->last && c->keep)
		records_goodbye(out);
	n = out->oom || response.n == 0 ? -1 : put(conn_fd(c), buf_peek(out));
	if (n < 0)
		conn_close(cs, c);
	else if ((size_t)n == out->n)
		conn_replied(cs, c);
	else
		leave_rest(cs, c, (struct span){ out->p + n,
			out->n - (size_t)n });
}

/* ---- the request ---- */

/* The web server. */
static struct peer
find_peer(const struct conns *cs, int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	if (cs->local)
		return (struct peer){ .kind = PEER_UNIX };
	if (getpeername(fd, (struct sockaddr *)&sa, &n) != 0)
		n = 0;
	return peer_of((struct sockaddr *)&sa, n);
}

static void
conn_serve(struct conns *cs, struct conn *c)
{
	struct records *r = &c->in->records;
	char **params = params_read(buf_peek(&r->params));

	c->state = CONN_SERVING;
	c->request = (uint16_t)r->id;
	c->keep = r->keep;
	if (params != NULL)
		service_serve(cs->service, find_peer(cs, conn_fd(c)), params,
		    buf_peek(&r->body), r->body_size, c->id);
	else
		conn_close(cs, c);
	free(params);
	/* A request may wait long: it does so without its bytes. */
	records_clear(r);
}

static bool
takes_input(const struct conn *c)
{
	return c->state == CONN_IDLE || c->state == CONN_READING;
}

/* Scans what came, off the front of in. */
static void
conn_scan(struct conns *cs, struct conn *c, struct span *in)
{
	if (c->state == CONN_IDLE) {
		c->state = CONN_READING;
		c->deadline = clock_ms() + REQUEST_TIME;
	}
	switch (records_feed(&c->in->records, in)) {
	case RECORDS_PARTIAL:
		break;
	case RECORDS_COMPLETE:
		conn_serve(cs, c);
		break;
	case RECORDS_BROKEN:
		conn_close(cs, c);
		break;
	}
}

/* Keeps what cannot be served yet: in is what is left of the bytes ahead and of
 * the fresh ones, or of the latter alone. False without memory. */
static bool
keep_ahead(struct conn *c, struct span in, bool stored)
{
	struct buf *ahead = &c->in->ahead;

	if (stored)
		buf_shift(ahead, ahead->n - in.n);
	else
		buf_span(ahead, in);
	if (ahead->oom)
		return false;
	if (ahead->n == 0 && c->state != CONN_READING)
		intake_free(c);
	return true;
}

/* Serves the requests that wait in the input, one after the other. A reply
 * may be there before conn_serve returns and ask for the next one: that is
 * left to this loop, since a peer that pipelines thousands would else decide
 * how deep the stack gets. */
static void
conn_pump(struct conns *cs, struct conn *c, struct span fresh)
{
	struct span in = fresh;
	bool stored;

	if (c->pumping)
		return;
	if (c->in == NULL)
		c->in = calloc(1, sizeof(*c->in));
	if (c->in == NULL) {
		conn_close(cs, c);
		return;
	}
	stored = c->in->ahead.n > 0;
	if (stored) {
		buf_span(&c->in->ahead, fresh);
		in = buf_peek(&c->in->ahead);
	}
	c->pumping = true;
	while (in.n > 0 && takes_input(c) && !c->in->ahead.oom)
		conn_scan(cs, c, &in);
	c->pumping = false;
	if (c->state == CONN_CLOSED)
		conn_free(c);
	else if (!keep_ahead(c, in, stored) || (c->state == CONN_SERVING &&
	    c->in != NULL && records_is_abort(buf_peek(&c->in->ahead),
	    c->request)))
		conn_close(cs, c);
	else
		conn_watch(cs, c);
}

static void
conn_read(struct conns *cs, struct conn *c)
{
	ssize_t n = read(conn_fd(c), cs->inbox, READ_SIZE);

	if (n > 0)
		conn_pump(cs, c, (struct span){ cs->inbox, (size_t)n });
	else if (n < 0 && (errno == EAGAIN || errno == EINTR))
		conn_watch(cs, c);
	else
		conn_close(cs, c); /* the web server, or its client, has left */
}

static void
on_watch(void *arg, uint64_t id, int what)
{
	struct conns *cs = arg;
	struct conn *c = conn_find(cs, id);

	if (c != NULL && (what & WATCH_OUT) && c->out != NULL) {
		conn_send(cs, c);
		c = conn_find(cs, id);
	}
	if (c == NULL)
		return;
	if (what & WATCH_IN)
		conn_read(cs, c);
	else if (what & WATCH_GONE)
		conn_close(cs, c);
}

/* ---- their time ---- */

/* Whether bytes have come that were not read yet. */
static bool
has_input(const struct conn *c)
{
	char byte;

	return recv(conn_fd(c), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* A kept connection must not be closed upon a request that is on its way: the
 * web server cannot repeat a POST. */
static bool
is_overdue(const struct conn *c, uint64_t now)
{
	return c->state != CONN_SERVING && now > c->deadline &&
	    (c->state != CONN_IDLE || !has_input(c));
}

void
conns_tick(struct conns *cs)
{
	uint64_t now = clock_ms();

	for (size_t fd = 0; fd < cs->room; fd++)
		if (cs->table[fd] != NULL && is_overdue(cs->table[fd], now))
			conn_close(cs, cs->table[fd]);
}

void
conns_finish(struct conns *cs)
{
	uint64_t now = clock_ms();

	cs->finishing = true;
	/* Those that idle may have a request on its way to us: a kept one that
	 * is in use will show it soon, one that just came a little later. */
	for (size_t fd = 0; fd < cs->room; fd++) {
		struct conn *c = cs->table[fd];
		uint64_t most;

		if (c == NULL || c->state != CONN_IDLE)
			continue;
		most = now + (c->kept ? KEPT_TIME : FRESH_TIME);
		if (c->deadline > most)
			c->deadline = most;
	}
}

void
conns_close(struct conns *cs)
{
	for (size_t fd = 0; fd < cs->room; fd++)
		if (cs->table[fd] != NULL)
			conn_close(cs, cs->table[fd]);
}

/* ---- life ---- */

bool
conns_take(struct conns *cs, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL || !table_holds(cs, (size_t)fd)) {
		free(c);
		return false;
	}
	c->id = (uint64_t)++cs->generation << 32 | (uint32_t)fd;
	c->deadline = clock_ms() + REQUEST_TIME;
	cs->table[fd] = c;
	cs->count++;
	conn_read(cs, c); /* its request is mostly there already */
	return true;
}

size_t
conns_count(const struct conns *cs)
{
	return cs->count;
}

struct conns *
conns_new(uv_loop_t *loop, struct service *s, bool local,
    void (*on_close)(void *arg), void *arg)
{
	struct conns *cs = calloc(1, sizeof(*cs));

	if (cs == NULL)
		return NULL;
	cs->service = s;
	cs->local = local;
	cs->on_close = on_close;
	cs->arg = arg;
	cs->watch = watch_new(loop, on_watch, cs);
	if (cs->watch == NULL) {
		log_error("cannot watch connections: %s", strerror(errno));
		free(cs);
		return NULL;
	}
	service_answers(s, on_response, cs);
	return cs;
}

void
conns_free(struct conns *cs)
{
	if (cs == NULL)
		return;
	cs->ended = true;
	conns_close(cs);
	watch_free(cs->watch);
	buf_clear(&cs->reply);
	free(cs->table);
	free(cs);
}
