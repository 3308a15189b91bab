/* SPDX-License-Identifier: MIT */
/* What the files of a link share: link.c (its life and states), link_connect.c
 * (addresses, attempts), link_greeting.c (what is said first), link_stream.c
 * (bytes in and out). For those files only; others see link.h. */
#ifndef PALAVER_LINK_BODY_H
#define PALAVER_LINK_BODY_H

#include "link.h"

#define LINK_BACKOFF_FIRST 50 /* ms */
#define LINK_READ_SIZE 65536  /* bytes of inbox */

enum link_state {
	LINK_WAITING,    /* for the next attempt */
	LINK_RESOLVING,
	LINK_CONNECTING,
	LINK_GREETING,
	LINK_READY,
	LINK_CLOSED
};

/* One attempt's stream; lives until libuv has closed it, perhaps longer than
 * the link cares for it (link is NULL then). */
struct conn {
	struct link *link;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} u;
	uv_connect_t connect;
	uv_write_t write;
	struct buf writing; /* what libuv is writing */
	bool busy;          /* it is */
};

struct link {
	uv_loop_t *loop;
	const struct conf *conf;
	bool for_commands;
	struct link_handler handler;
	enum link_state state;
	struct conn *conn;
	redisReader *reader;
	struct reply_room *room; /* for its replies */
	size_t unread;          /* bytes of a reply that is not yet whole */
	struct buf out;
	int greetings;          /* replies of the greeting still to come */
	char node[LINK_NODE_LEN + 1];
	int version;
	char eviction[LINK_EVICTION_MAX]; /* maxmemory-policy; "": none */
	bool failing, warned, info_told, eviction_told;
	unsigned backoff;       /* ms */
	uv_timer_t timer;       /* next attempt, or the attempt's deadline */
	uv_prepare_t prepare;   /* writes what was appended */
	uv_getaddrinfo_t resolve;
	bool resolving;
	struct addrinfo *found, *next; /* addresses, and the one to try next */
	int handles;            /* timer and prepare not closed yet */
	char *inbox;            /* LINK_READ_SIZE */
};

/* link.c */
void link_set_state(struct link *l, enum link_state to);
/* Frees it: all of it is closed, and no callback is up the stack. */
void link_end(struct link *l);

/* link_connect.c: begins an attempt, which ends in link_greet or link_drop. */
void link_attempt(struct link *l);

/* link_greeting.c: appends the greeting, and takes a reply to it; false when
 * the connection is of no use. */
void link_greet(struct link *l);
bool link_greeted(struct link *l, const struct redisReply *r);

/* link_stream.c: a stream that is not connected yet, NULL without memory; its
 * end; the begin of reading, false when it cannot; the writing of what was
 * appended, which may drop the link. */
struct conn *link_conn_new(struct link *l);
void link_conn_close(struct link *l);
bool link_conn_read(struct conn *c);
void link_conn_write(struct link *l);

#endif
