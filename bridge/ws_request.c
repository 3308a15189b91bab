/* SPDX-License-Identifier: MIT */
/* How a connection begins: with an HTTP request, which makes it a WebSocket or
 * is answered and was all. */
#include "ws_body.h"

#include <stdio.h>
#include <sys/socket.h>

#include "answer.h"
#include "origin.h"
#include "request.h"
#include "rfc6455.h"

/* Whether path, which a proxy may have put anything in front of, ends so. */
static bool
path_ends(const struct request *r, const char *end)
{
	size_t n = strlen(end);

	return r->path.n >= n &&
	    memcmp(r->path.p + r->path.n - n, end, n) == 0;
}

/* The head is at most REQUEST_HEAD_MAX bytes, so that no client can push the
 * end of X-Forwarded-For, which is its proxy's word, out of sight. */
static struct client
find_client(const struct ws_common *w, const struct ws_conn *c,
    const struct request *r)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	if (getpeername(c->descriptor, (struct sockaddr *)&sa, &n) != 0)
		n = 0;
	return peer_client(&w->conf->trusted,
	    peer_of((struct sockaddr *)&sa, n), (struct span){ NULL, 0 },
	    r->field[REQUEST_FORWARDED_FOR]);
}

/* A handshake: as the RFC wants it, an allowed origin, room. The HTTP status
 * to refuse it with, or 0. */
static unsigned
refusal(const struct ws_common *w, const struct request *r,
    const struct client *client)
{
	const struct span *f = r->field;
	struct handshake h = { span_is(r->method, "GET"), r->version,
		f[REQUEST_HOST], f[REQUEST_UPGRADE], f[REQUEST_CONNECTION],
		f[REQUEST_WS_KEY], f[REQUEST_WS_VERSION] };
	unsigned status = span_is(r->method, "HEAD") ? HANDSHAKE_UPGRADE :
	    rfc6455_handshake(&h);

	if (status != 0)
		return status;
	/* We speak no subprotocol, and no body belongs to this request. */
	if (f[REQUEST_WS_PROTOCOL].n > 0 || request_has_body(r))
		return HANDSHAKE_BAD;
	if ((f[REQUEST_ORIGIN].p != NULL && f[REQUEST_ORIGIN].n == 0) ||
	    !origin_allowed(w->conf->origins, f[REQUEST_ORIGIN], h.host))
		return ANSWER_FORBIDDEN;
	return w->draining || !w->handler.has_room(w->handler.arg, client) ?
	    ANSWER_FULL : 0;
}

static void
answer(struct ws_common *w, struct ws_conn *c, unsigned status,
    const char *type, const char *text, bool head)
{
	struct buf out = { 0 };

	answer_write(&out, status, type, text, head);
	if (out.oom)
		ws_drop(c);
	else
		ws_conn_put(c, out.p, out.n);
	buf_clear(&out);
	ws_conn_end(w, c);
}

static void
open_websocket(struct ws_common *w, struct ws_conn *c,
    const struct request *r, const struct client *client)
{
	char text[256], key[32];
	void *session;
	int n;

	if (!ws_accept_key(r->field[REQUEST_WS_KEY], key, sizeof(key))) {
		ws_drop(c);
		return;
	}
	n = snprintf(text, sizeof(text), "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n\r\n", key);
	ws_conn_put(c, text, (size_t)n);
	if (c->state == WS_DROPPED)
		return;
	c->state = WS_OPEN;
	ws_end_after(c, 0);
	session = w->handler.on_open(w->handler.arg, c, client);
	if (session == NULL)
		ws_close(c, WS_FULL, "out of memory");
	else
		ws_conn_set_session(w, c, session);
}

/* A handshake that finds no room is refused as HTTP has it, with error 21: it
 * is over before it costs a session, and a client treats it like any
 * connection that could not be made. */
static void
answer_websocket(struct ws_common *w, struct ws_conn *c,
    const struct request *r)
{
	struct client client = find_client(w, c, r);
	unsigned status = refusal(w, r, &client);

	if (status == 0)
		open_websocket(w, c, r, &client);
	else if (status == ANSWER_FULL)
		answer(w, c, status, "application/json",
		    w->handler.full(w->handler.arg), false);
	else
		answer(w, c, status, "text/plain",
		    status == ANSWER_FORBIDDEN ? "origin" : "", false);
}

static void
answer_request(struct ws_common *w, struct ws_conn *c, struct span head)
{
	struct request r;
	unsigned status = request_read(&r, head);
	bool is_head = status == 0 && span_is(r.method, "HEAD");
	const char *why = "";

	if (status == 0 && path_ends(&r, "/ws")) {
		answer_websocket(w, c, &r);
		return;
	}
	if (status == 0 && !path_ends(&r, "/health")) {
		status = ANSWER_NOT_FOUND;
		why = "not found";
	} else if (status == 0 && !is_head && !span_is(r.method, "GET")) {
		status = HANDSHAKE_METHOD;
	} else if (status == 0) {
		why = w->handler.sick(w->handler.arg);
		status = why == NULL ? ANSWER_OK : ANSWER_FULL;
		if (why == NULL)
			why = "ok";
	}
	answer(w, c, status, "text/plain", why, is_head);
}

size_t
ws_request_read(struct ws_common *w, struct ws_conn *c, const char *in,
    size_t n)
{
	size_t seen = c->unread.n, end;
	size_t taken = n < REQUEST_HEAD_MAX - seen ? n :
	    REQUEST_HEAD_MAX - seen;
	struct buf head;

	buf_add(&c->unread, in, taken);
	if (c->unread.oom) {
		ws_drop(c);
		return n;
	}
	end = request_end(buf_peek(&c->unread), seen);
	if (end == 0 && c->unread.n < REQUEST_HEAD_MAX)
		return n;
	head = c->unread;
	c->unread = (struct buf){ 0 };
	if (end == 0)
		answer(w, c, REQUEST_TOO_LONG, "text/plain", "", false);
	else
		answer_request(w, c, (struct span){ head.p, end });
	buf_clear(&head);
	return end == 0 ? n : end - seen;
}
