/* SPDX-License-Identifier: MIT */
#include "ws_body.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "rfc6455.h"

/* ---- what goes out ---- */

static void
forget(struct ws_conn *c)
{
	free(c->out);
	c->out = NULL;
	c->out_n = c->out_at = 0;
}

/* Bytes that the socket took; the connection is dropped when it is broken. */
static size_t
socket_send(struct ws_conn *c, const char *bytes, size_t n)
{
	ssize_t sent = send(c->descriptor, bytes, n,
	    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent >= 0)
		return (size_t)sent;
	if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		ws_drop(c);
	return 0;
}

void
ws_conn_put(struct ws_conn *c, const char *bytes, size_t n)
{
	size_t sent = 0;
	char *out;

	if (c->state == WS_DROPPED)
		return;
	if (c->out == NULL)
		sent = socket_send(c, bytes, n);
	if (c->state == WS_DROPPED || sent == n)
		return;
	out = realloc(c->out, c->out_n + n - sent);
	if (out == NULL) {
		ws_drop(c);
		return;
	}
	memcpy(out + c->out_n, bytes + sent, n - sent);
	c->out = out;
	c->out_n += n - sent;
	ws_watch_writable(c);
	if (c->session != NULL)
		ws_common_of(c)->handler.on_blocked(c->session);
}

/* The socket takes bytes again. Whether all have gone. */
static bool
flush(struct ws_conn *c)
{
	if (c->out == NULL)
		return true;
	c->out_at += socket_send(c, c->out + c->out_at, c->out_n - c->out_at);
	if (c->state == WS_DROPPED)
		return false;
	if (c->out_at < c->out_n) {
		ws_watch_writable(c);
		return false;
	}
	forget(c);
	return true;
}

void
ws_send(struct ws_conn *c, const char *frames, size_t n)
{
	if (c->state == WS_OPEN && n != 0)
		ws_conn_put(c, frames, n);
}

void
ws_ping(struct ws_conn *c)
{
	static const char ping[] = { (char)0x89, 0 }; /* FIN, ping */

	ws_send(c, ping, sizeof(ping));
}

/* Every ping is answered (section 5.5.3). */
static void
add_pong(struct ws_common *w, struct span payload)
{
	char head[2] = { (char)0x8a, (char)payload.n }; /* FIN, pong */

	w->last_pong = w->pongs.n;
	buf_add(&w->pongs, head, sizeof(head));
	buf_span(&w->pongs, payload);
}

/* The pongs to pings that came together go together. To a peer that does not
 * read them only the last one is owed. */
static void
send_pongs(struct ws_common *w, struct ws_conn *c)
{
	if (w->pongs.n == 0)
		return;
	if (w->pongs.oom) {
		ws_drop(c);
	} else if (c->out == NULL) {
		ws_send(c, w->pongs.p, w->pongs.n);
	} else {
		size_t n = w->pongs.n - w->last_pong;

		free(c->pong);
		c->pong = malloc(n);
		if (c->pong != NULL)
			memcpy(c->pong, w->pongs.p + w->last_pong, n);
	}
	buf_reset(&w->pongs);
}

static void
send_waiting_pong(struct ws_conn *c)
{
	char *pong = c->pong;

	c->pong = NULL;
	if (pong != NULL)
		ws_send(c, pong, 2 + (unsigned char)pong[1]);
	free(pong);
}

bool
ws_blocked(struct ws_conn *c)
{
	return c->out != NULL;
}

size_t
ws_pending(const struct ws_conn *c)
{
	return c->out_n;
}

size_t
ws_received(const struct ws_conn *c)
{
	return c->frames.bytes.cap + c->unread.cap;
}

/* ---- the beginning and the end ---- */

/* Behind all that waits. A code of 0 stands for an empty frame. */
static void
send_close(struct ws_conn *c, unsigned code, const char *reason)
{
	char frame[128];
	int n = snprintf(frame + 4, sizeof(frame) - 4, "%.100s", reason);

	frame[0] = (char)0x88; /* FIN, close */
	frame[1] = (char)(code == 0 ? 0 : 2 + n);
	frame[2] = (char)(code >> 8);
	frame[3] = (char)(code & 255);
	ws_conn_put(c, frame, code == 0 ? 2 : (size_t)n + 4);
}

void
ws_close(struct ws_conn *c, enum ws_close code, const char *reason)
{
	if (c->state != WS_OPEN)
		return;
	send_close(c, code, reason);
	if (c->state == WS_DROPPED)
		return;
	c->state = WS_CLOSING;
	ws_end_after(c, WS_CLOSE_WAIT);
}

void
ws_drop(struct ws_conn *c)
{
	c->state = WS_DROPPED;
	forget(c);
	ws_end_soon(c);
}

void
ws_conn_begin(struct ws_common *w, struct ws_conn *c)
{
	ws_stranger_add(w, c);
	ws_end_after(c, w->conf->sign_in_within < WS_HEAD_TIME ?
	    (int)w->conf->sign_in_within : WS_HEAD_TIME);
}

void
ws_conn_set_session(struct ws_common *w, struct ws_conn *c, void *session)
{
	c->session = session;
	ws_stranger_remove(w, c);
}

static void
tell_closed(struct ws_common *w, struct ws_conn *c)
{
	void *session = c->session;

	c->session = NULL;
	if (session != NULL)
		w->handler.on_close(session);
}

/* All has gone. As long as it had not, the session kept account of it. */
static void
shut(struct ws_common *w, struct ws_conn *c)
{
	tell_closed(w, c);
	ws_stranger_add(w, c);
	shutdown(c->descriptor, SHUT_WR);
}

void
ws_conn_end(struct ws_common *w, struct ws_conn *c)
{
	if (c->state == WS_DROPPED)
		return;
	c->state = WS_ENDING;
	ws_end_after(c, WS_CLOSE_WAIT);
	if (c->out == NULL)
		shut(w, c);
}

/* ---- frames ---- */

static void
on_event(struct ws_common *w, struct ws_conn *c, enum frames_event event,
    struct span payload)
{
	bool open = c->state == WS_OPEN;

	if (event != FRAMES_PING)
		send_pongs(w, c);
	switch (event) {
	case FRAMES_TEXT:
	case FRAMES_BINARY:
		if (open)
			w->handler.on_message(c->session, payload,
			    event == FRAMES_TEXT);
		break;
	case FRAMES_PING:
		if (!open)
			break;
		add_pong(w, payload);
		w->handler.on_control(c->session);
		break;
	case FRAMES_PONG:
	case FRAMES_EMPTY:
		if (open)
			w->handler.on_control(c->session);
		break;
	case FRAMES_CLOSE: /* section 5.5.1 */
		if (open)
			send_close(c, rfc6455_close(payload), "");
		ws_conn_end(w, c);
		break;
	case FRAMES_BROKEN: /* section 7.1.7 */
		if (open)
			send_close(c, c->frames.broken->code,
			    c->frames.broken->reason);
		ws_conn_end(w, c);
		break;
	case FRAMES_MORE:
		break;
	}
}

/* Bytes of n that were taken: all, unless reading is paused amid them. */
static size_t
take_frames(struct ws_common *w, struct ws_conn *c, char *in, size_t n)
{
	size_t left = n;
	struct span payload;
	enum frames_event event;

	while (!c->paused && (c->state == WS_OPEN || c->state == WS_CLOSING)) {
		event = frames_next(&c->frames, &in, &left, &payload);
		if (event == FRAMES_MORE)
			break;
		on_event(w, c, event, payload);
	}
	send_pongs(w, c);
	if (c->state == WS_OPEN || c->state == WS_CLOSING)
		return n - left;
	frames_clear(&c->frames);
	return n;
}

static void
read_frames(struct ws_common *w, struct ws_conn *c, char *in, size_t n)
{
	size_t taken = 0;

	if (c->unread.n == 0)
		taken = take_frames(w, c, in, n);
	buf_add(&c->unread, in + taken, n - taken);
	if (c->unread.oom)
		ws_drop(c);
}

/* What came before reading was paused. */
static void
read_unread(struct ws_common *w, struct ws_conn *c)
{
	if (c->paused || c->unread.n == 0)
		return;
	buf_shift(&c->unread, take_frames(w, c, c->unread.p, c->unread.n));
	if (c->unread.n != 0)
		return;
	buf_clear(&c->unread);
	/* The last of it may have been one too many. */
	ws_watch_readable(c, !c->paused);
}

void
ws_pause(struct ws_conn *c, bool pause)
{
	c->paused = pause;
	if (c->state != WS_OPEN)
		return;
	if (!pause && c->unread.n != 0)
		ws_watch_writable(c); /* then read_unread */
	else
		ws_watch_readable(c, !pause);
}

/* ---- from the socket ---- */

void
ws_conn_readable(struct ws_common *w, struct ws_conn *c, char *in, size_t n)
{
	size_t taken = 0;

	if (c->state == WS_DROPPED)
		return;
	/* Frames may come right behind the request. */
	if (c->state == WS_HEAD)
		taken = ws_request_read(w, c, in, n);
	if (c->state == WS_OPEN)
		w->handler.on_heard(c->session);
	if (c->state == WS_OPEN || c->state == WS_CLOSING)
		read_frames(w, c, in + taken, n - taken);
	if (c->session != NULL)
		w->handler.on_received(c->session);
}

void
ws_conn_writable(struct ws_common *w, struct ws_conn *c)
{
	if (c->state == WS_DROPPED || !flush(c))
		return;
	if (c->state == WS_ENDING) {
		shut(w, c);
		return;
	}
	send_waiting_pong(c);
	if (c->state == WS_OPEN && c->out == NULL)
		w->handler.on_drained(c->session);
	read_unread(w, c);
	if (c->session != NULL)
		w->handler.on_received(c->session);
}

void
ws_conn_gone(struct ws_common *w, struct ws_conn *c)
{
	tell_closed(w, c);
	ws_stranger_remove(w, c);
	frames_clear(&c->frames);
	buf_clear(&c->unread);
	forget(c);
	free(c->pong);
}
