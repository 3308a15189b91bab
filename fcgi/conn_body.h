/* SPDX-License-Identifier: MIT */
/* What conn.c and conns.c share: one connection, and all of them. */
#ifndef PALAVER_CONN_BODY_H
#define PALAVER_CONN_BODY_H

#include "conns.h"
#include "records.h"
#include "watch.h"

#define REQUEST_TIME 30000 /* ms for a request to come, a reply to leave */
#define IDLE_TIME 90000    /* ms that a kept connection may idle; nginx ends
			    * its own after 60 s */
#define KEPT_TIME 250      /* ms that it may still do so as we stop */
#define READ_SIZE 65536

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

/* Where a descriptor's connection is found. Its time stands here, so that a look
 * at all of them touches none that waits. */
struct slot {
	struct conn *conn;      /* NULL: none */
	uint64_t deadline;      /* ms; UINT64_MAX: it has all the time */
};

struct conns {
	struct service *service;
	struct watch *watch;
	struct slot *table;     /* by descriptor */
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

static inline int
conn_fd(const struct conn *c)
{
	return (int)(uint32_t)c->id;
}

/* Its time is over then (ms). */
static inline void
conn_expect(struct conns *cs, const struct conn *c, uint64_t deadline)
{
	cs->table[conn_fd(c)].deadline = deadline;
}

/* NULL: it is closed. */
struct conn *conn_find(const struct conns *cs, uint64_t id);
/* Some bytes have come, or the end. */
void conn_read(struct conns *cs, struct conn *c);
/* More of the reply that leaves can do so. */
void conn_send(struct conns *cs, struct conn *c);
/* Where the service's responses go; arg is the conns. */
void conn_answer(void *arg, uint64_t id, struct span response);
/* c is gone, unless something further up the stack still looks at it. */
void conn_close(struct conns *cs, struct conn *c);

#endif
