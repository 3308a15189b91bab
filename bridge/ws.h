/* SPDX-License-Identifier: MIT */
/* The WebSocket server (RFC 6455) by libwebsockets on our loop; ws.c is the
 * only file that knows that library. */
#ifndef PALAVER_WS_H
#define PALAVER_WS_H

#include <stdint.h>
#include <uv.h>

#include "conf.h"
#include "peer.h"
#include "span.h"
#include "ws_close.h"

struct ws;
struct ws_conn;

struct ws_handler {
	/* Whether there is room for one more, of that client. */
	bool (*has_room)(void *arg, const struct client *client);
	/* What one is told that there is none for: a message. */
	const char *(*full)(void *arg);
	/* A connection is open; what it returns stands for it from then on
	 * (NULL: no memory). */
	void *(*on_open)(void *arg, struct ws_conn *c,
	    const struct client *client);
	/* A whole message; text is false for a binary one. */
	void (*on_message)(void *session, struct span message, bool text);
	/* A ping or pong, or a fragment with nothing in it: these cost, too. */
	void (*on_control)(void *session);
	/* Anything was heard from the peer. */
	void (*on_heard)(void *session);
	/* All that came was looked at: see ws_received. */
	void (*on_received)(void *session);
	/* The socket does not take all: see ws_pending. It may be told so
	 * within ws_send, and again, until it has drained. */
	void (*on_blocked)(void *session);
	/* The socket that was blocked has drained. */
	void (*on_drained)(void *session);
	/* The connection is gone; c must not be used any more. */
	void (*on_close)(void *session);
	/* NULL, or why the bridge is not healthy. */
	const char *(*sick)(void *arg);
	void *arg;
};

/* Listens at conf->listen. NULL after saying why in the log. The handler is
 * copied; conf must outlive it. */
struct ws *ws_new(uv_loop_t *loop, const struct conf *c,
    const struct ws_handler *h);
/* Refuses new connections from now on. */
void ws_drain(struct ws *w);
/* Closes all; on_close is called for each. The loop must turn on. */
void ws_free(struct ws *w);

/* Sends whole ready-made frames as they are; what the socket does not take is
 * kept. The connection ends later when it is broken. */
void ws_send(struct ws_conn *c, const char *frames, size_t n);
void ws_ping(struct ws_conn *c);
/* Whether bytes are still waiting for the socket; on_drained follows. */
bool ws_blocked(struct ws_conn *c);
/* Bytes of memory that are held for it until it is blocked no longer. */
size_t ws_pending(const struct ws_conn *c);
/* Bytes of memory that hold what has come: a message that is not complete, and
 * what came before reading was stopped. */
size_t ws_received(const struct ws_conn *c);
/* Stops and resumes reading. */
void ws_pause(struct ws_conn *c, bool pause);
/* Sends a close frame behind all that waits; nothing is read any more; the
 * connection ends with the peer's answer, or after 5 s. reason: at most 100
 * bytes. */
void ws_close(struct ws_conn *c, enum ws_close code, const char *reason);
/* Ends the connection without a word, from the loop's next turn on. */
void ws_drop(struct ws_conn *c);

#endif
