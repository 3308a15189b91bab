/* SPDX-License-Identifier: MIT */
/* The body of a connection and what its files share: ws.c (the sockets, by
 * libwebsockets), ws_conn.c (its life, what goes out, frames), ws_request.c
 * (how it begins), ws_strangers.c (those that are no WebSocket). For those files
 * only; others see ws.h.
 *
 * The life of a connection: HEAD, until its request is there; OPEN, a
 * WebSocket; CLOSING, our close frame is out, the peer's is waited for; ENDING,
 * all is said: it is sent, our direction is shut, and what still comes is
 * thrown away until the peer closes as well (RFC 6455, section 7.1.1), so that
 * no reset overtakes our last words; DROPPED, it ends in the loop's next turn.
 * No state takes longer than its time; OPEN is the session's to look after.
 * Without a session, before and behind it, it is a stranger. */
#ifndef PALAVER_WS_BODY_H
#define PALAVER_WS_BODY_H

#include "buf.h"
#include "frames.h"
#include "ws.h"

#define WS_CLOSE_WAIT 5 /* s in CLOSING and in ENDING */
#define WS_HEAD_TIME 10 /* s in HEAD */

enum ws_state { WS_HEAD, WS_OPEN, WS_CLOSING, WS_ENDING, WS_DROPPED };

/* What the connections share. */
struct ws_common {
	struct ws_handler handler;
	const struct conf *conf;
	bool draining;
	struct ws_conn *strangers, **strangers_end; /* the oldest first */
	size_t nstrangers;
	struct buf pongs;     /* frames for the connection being read */
	size_t last_pong;     /* where the last of them begins */
};

struct lws;

/* libwebsockets allocates it with the socket, zeroed. */
struct ws_conn {
	struct lws *wsi;
	int descriptor;
	enum ws_state state;
	void *session;        /* NULL before on_open and after on_close */
	bool paused;
	struct frames frames;
	struct buf unread;    /* HEAD: what came of it; later: what came before
			       * reading was paused */
	char *out;            /* what the socket did not take, or NULL */
	size_t out_n, out_at; /* bytes of it; those that went since */
	char *pong;           /* the frame that waits behind it, or NULL */
	struct ws_conn *stranger_next, **stranger_link; /* NULL: none */
};

/* ---- ws.c ---- */

/* ws_conn_writable follows, once. */
void ws_watch_writable(struct ws_conn *c);
/* Whether ws_conn_readable is called. */
void ws_watch_readable(struct ws_conn *c, bool watch);
/* It ends after that many seconds; 0: never. */
void ws_end_after(struct ws_conn *c, int seconds);
/* It ends in the loop's next turn. */
void ws_end_soon(struct ws_conn *c);
/* Writes Sec-WebSocket-Accept for that key (RFC 6455, section 4.2.2). */
bool ws_accept_key(struct span key, char *out, size_t size);

/* What c shares. */
struct ws_common *ws_common_of(const struct ws_conn *c);

/* ---- ws_conn.c ---- */

/* c has been accepted. */
void ws_conn_begin(struct ws_common *w, struct ws_conn *c);
/* c has a session from now on. */
void ws_conn_set_session(struct ws_common *w, struct ws_conn *c, void *session);
/* n bytes have come; they are changed. */
void ws_conn_readable(struct ws_common *w, struct ws_conn *c, char *in,
    size_t n);
void ws_conn_writable(struct ws_common *w, struct ws_conn *c);
/* The socket is gone, c soon after. */
void ws_conn_gone(struct ws_common *w, struct ws_conn *c);
/* Sends bytes, or keeps them behind those that are kept. */
void ws_conn_put(struct ws_conn *c, const char *bytes, size_t n);
/* All is said. */
void ws_conn_end(struct ws_common *w, struct ws_conn *c);

/* ---- ws_strangers.c ---- */

/* c has no session; older strangers may have to go for it. Fine when it is one
 * already. */
void ws_stranger_add(struct ws_common *w, struct ws_conn *c);
/* It has one, or is gone; fine when it was none. */
void ws_stranger_remove(struct ws_common *w, struct ws_conn *c);

/* ---- ws_request.c ---- */

/* Takes bytes of the request; when it is there, it is answered. Bytes that
 * were taken: those behind the request are not its own. */
size_t ws_request_read(struct ws_common *w, struct ws_conn *c,
    const char *in, size_t n);

#endif
