/* SPDX-License-Identifier: MIT */
#include "call.h"

#include "resp.h"

#define WORDS_FIRST 768 /* bytes that hold most calls' arguments */

void
call_pubsub_prefix(struct buf *b, const struct conf *conf)
{
	buf_span(b, span_of(conf->prefix));
	buf_uint(b, (uint64_t)conf->redis.db);
	buf_str(b, ":");
}

void
call_begin(struct call *c, enum script script, const struct conf *conf)
{
	struct buf pubsub = { 0 };

	c->script = script;
	c->n = 0;
	buf_reset(&c->words);
	buf_room(&c->words, WORDS_FIRST);
	call_str(c, conf->prefix);
	call_pubsub_prefix(&pubsub, conf);
	call_buf(c, &pubsub);
}

void
call_arg(struct call *c, struct span s)
{
	resp_word(&c->words, s);
	c->n++;
}

void
call_buf(struct call *c, struct buf *b)
{
	call_arg(c, buf_peek(b));
	if (b->oom)
		c->words.oom = true;
	buf_clear(b);
}

void
call_str(struct call *c, const char *s)
{
	call_arg(c, span_of(s));
}

void
call_uint(struct call *c, uint64_t value)
{
	char digits[DECIMAL_MAX];

	call_arg(c, (struct span){ digits, decimal(digits, value) });
}

bool
call_send(const struct call *c, struct store *s, unsigned timeout,
    store_cb *cb, void *arg)
{
	return !c->words.oom && store_eval(s, c->script, buf_peek(&c->words),
	    c->n, timeout, cb, arg);
}

void
call_clear(struct call *c)
{
	buf_clear(&c->words);
	c->n = 0;
}
