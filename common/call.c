/* SPDX-License-Identifier: MIT */
#include "call.h"

#define TEXT_FIRST 512 /* bytes that hold most calls' arguments */

void
call_pubsub_prefix(struct buf *b, const struct conf *conf)
{
	buf_span(b, span_of(conf->prefix));
	buf_uint(b, (uint64_t)conf->redis.db);
	buf_str(b, ":");
}

/* Closes the argument whose bytes were just appended. */
static void
call_close(struct call *c)
{
	if (c->n == CALL_ARGS_MAX)
		c->text.oom = true;
	else
		c->end[c->n++] = (uint32_t)c->text.n;
}

void
call_begin(struct call *c, enum script script, const struct conf *conf)
{
	c->script = script;
	c->n = 0;
	buf_reset(&c->text);
	buf_room(&c->text, TEXT_FIRST);
	call_str(c, conf->prefix);
	call_pubsub_prefix(&c->text, conf);
	call_close(c);
}

void
call_arg(struct call *c, struct span s)
{
	buf_span(&c->text, s);
	call_close(c);
}

void
call_str(struct call *c, const char *s)
{
	call_arg(c, span_of(s));
}

void
call_uint(struct call *c, uint64_t value)
{
	buf_uint(&c->text, value);
	call_close(c);
}

bool
call_send(const struct call *c, struct store *s, unsigned timeout,
    store_cb *cb, void *arg)
{
	struct span args[CALL_ARGS_MAX];
	size_t start = 0;

	if (c->text.oom)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		args[i] = (struct span){ c->text.p + start,
			c->end[i] - start };
		start = c->end[i];
	}
	return store_eval(s, c->script, args, c->n, timeout, cb, arg);
}

void
call_clear(struct call *c)
{
	buf_clear(&c->text);
	c->n = 0;
}
