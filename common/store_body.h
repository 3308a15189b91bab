/* SPDX-License-Identifier: MIT */
/* What the files of a store share: store.c (its life and its connection's),
 * store_calls.c (their order and deadlines), store_answer.c (what a reply says),
 * store_schema.c. For those files only; others see store.h. */
#ifndef PALAVER_STORE_BODY_H
#define PALAVER_STORE_BODY_H

#include "buf.h"
#include "link.h"
#include "store.h"

struct redisReply;

/* A call: waiting for a connection, or sent and unanswered; in the order
 * sent, which is that of the replies.
 *
 * Redis is to carry the calls out in that order, too: a session that ended must
 * not be counted by what went before. One whose script Redis does not have is
 * carried out later. So nothing is sent behind a script that has not been
 * answered yet on this connection, and where one that was is lost (SCRIPT FLUSH)
 * nothing more is sent until all are answered; then those that found none go
 * first. */
struct store_call {
	struct store_call *next;
	enum script script;
	bool retried;      /* NOSCRIPT is answered by EVAL */
	uint64_t deadline; /* ms */
	store_cb *cb;      /* NULL: answered already, the reply is late */
	void *arg;
	size_t nargs;
	size_t n;
	char args[];       /* n bytes: RESP words */
};

struct store_list {
	struct store_call *first, **last;
	uint64_t soonest;  /* no deadline is before it (ms) */
};

struct store {
	struct link *link;
	struct store_list waiting, sent;
	struct store_list unknown; /* those that found no script */
	bool has[SCRIPT_MAX]; /* that script, as far as is known */
	bool held;          /* no more is sent until all are answered */
	uv_timer_t timer;
	void (*ready_cb)(void *arg);
	void *ready_arg;
	struct span words[ANSWER_MAX];
	struct buf numbers; /* text of integers; never moves once it is used */
	bool closing;
	const struct conf *conf;
	bool ready;           /* connected, and the schema is ours */
	bool away;            /* known to be, until it is ready: calls fail at
			       * once */
	unsigned long newer;  /* schema of a newer program, 0: it is not */
	uv_timer_t again;     /* looks at the schema again */
	int handles;          /* to be closed before it is freed */
};

/* store_calls.c: lists; the first is taken, NULL: there is none. */
void store_list_init(struct store_list *l);
void store_list_add(struct store_list *l, struct store_call *c);
struct store_call *store_list_take(struct store_list *l);
/* A call, whose time runs; NULL without memory. */
struct store_call *store_call_new(struct store *s, enum script script,
    struct span args, size_t nargs, unsigned timeout, store_cb *cb, void *arg);
/* Calls its callback, once. a: NULL, it is empty. */
void store_call_answer(struct store_call *c, enum store_status status,
    const struct answer *a);
/* Sends a call; sends what waits, as far as it may be sent now. */
void store_transmit(struct store *s, struct store_call *c);
void store_send_waiting(struct store *s);

/* store_answer.c: appends what is in the reply to the answer in s->words; false
 * when it has no place there. */
bool store_flatten(struct store *s, const struct redisReply *r,
    struct answer *a);
/* Of an error reply; drop: the connection is of no use. */
enum store_status store_judge(const struct store_call *c, const char *error,
    bool *drop);

/* store_schema.c: looks at the data's schema, before anything else is sent; the
 * store serves when it is ours. Later looks come by the timer s->again. */
void store_check_schema(struct store *s);

#endif
