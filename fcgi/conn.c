/* SPDX-License-Identifier: MIT */
/* One connection of a web server: a request comes in, is served, and its reply
 * leaves. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "conn_body.h"
#include "log.h"
#include "params.h"

static void conn_pump(struct conns *cs, struct conn *c, struct span fresh);

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
void
conn_close(struct conns *cs, struct conn *c)
{
	if (c->state == CONN_SERVING)
		service_forget(cs->service, c->id);
	c->state = CONN_CLOSED;
	cs->table[conn_fd(c)] = (struct slot){ NULL, UINT64_MAX };
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
	conn_expect(cs, c, clock_ms() + (cs->finishing ? KEPT_TIME :
	    IDLE_TIME));
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

void
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

void
conn_answer(void *arg, uint64_t id, struct span response)
{
	struct conns *cs = arg;
	struct conn *c = conn_find(cs, id);
	struct buf *out = &cs->reply;
	ssize_t n;

	if (c == NULL)
		return; /* the web server, or its client, has left */
	c->state = CONN_WRITING;
	conn_expect(cs, c, clock_ms() + REQUEST_TIME);
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
	conn_expect(cs, c, UINT64_MAX);
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
		conn_expect(cs, c, clock_ms() + REQUEST_TIME);
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

void
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
