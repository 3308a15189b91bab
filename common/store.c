/* SPDX-License-Identifier: MIT */
#include "store_body.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "log.h"

static void
on_reply(void *arg, const struct redisReply *reply)
{
	struct store *s = arg;
	const redisReply *r = reply;
	struct store_call *c = store_list_take(&s->sent);
	struct answer a = { 0, s->words };
	enum store_status status;
	bool drop = false;

	if (c == NULL)
		return;
	if (r->type == REDIS_REPLY_ERROR && !c->retried &&
	    strncmp(r->str, "NOSCRIPT", 8) == 0) {
		memset(s->has, 0, sizeof(s->has));
		s->held = c->retried = true;
		store_list_add(&s->unknown, c);
		store_send_waiting(s);
		return;
	}
	s->has[c->script] = true;
	if (r->type == REDIS_REPLY_ERROR) {
		status = store_judge(c, r->str, &drop);
		store_call_answer(c, status, NULL);
	} else {
		buf_reset(&s->numbers);
		if (r->type == REDIS_REPLY_ARRAY && store_flatten(s, r, &a)) {
			store_call_answer(c, STORE_OK, &a);
		} else {
			log_error("script %s: its answer is no list of at most"
			    " %d words", script_texts[c->script].name,
			    ANSWER_MAX);
			store_call_answer(c, STORE_FAULT, NULL);
		}
	}
	free(c);
	if (drop)
		link_drop(s->link);
	else if (!s->closing)
		store_send_waiting(s);
}

static void
on_lost(void *arg)
{
	struct store *s = arg;
	struct store_call *c;

	s->ready = false;
	s->away = link_failing(s->link);
	s->held = false;
	/* Calls that callbacks begin now wait for the next connection. */
	while ((c = store_list_take(&s->sent)) != NULL ||
	    (c = store_list_take(&s->unknown)) != NULL) {
		store_call_answer(c, STORE_AWAY, NULL);
		free(c);
	}
}

static void
on_ready(void *arg)
{
	struct store *s = arg;

	memset(s->has, 0, sizeof(s->has));
	store_check_schema(s);
}

bool
store_eval(struct store *s, enum script script, struct span args, size_t nargs,
    unsigned timeout, store_cb *cb, void *arg)
{
	struct store_call *c = store_call_new(s, script, args, nargs, timeout, cb,
	    arg);

	if (c == NULL)
		return false;
	if (s->ready && !s->held && s->waiting.first == NULL) {
		store_transmit(s, c);
		return true;
	}
	if (!s->ready)
		link_wake(s->link);
	if (!s->ready && (s->away || s->newer != 0))
		c->deadline = 0;
	store_list_add(&s->waiting, c);
	return true;
}

/* ---- life ---- */

struct store *
store_new(uv_loop_t *loop, const struct conf *c)
{
	struct store *s = calloc(1, sizeof(*s));
	struct link_handler h = { on_ready, on_reply, on_lost, s };

	if (s == NULL)
		return NULL;
	store_list_init(&s->waiting);
	store_list_init(&s->sent);
	store_list_init(&s->unknown);
	s->link = link_new(loop, c, true, &h);
	if (s->link == NULL) {
		free(s);
		return NULL;
	}
	s->conf = c;
	uv_timer_init(loop, &s->timer);
	uv_timer_init(loop, &s->again);
	s->timer.data = s->again.data = s;
	s->handles = 2;
	return s;
}

static void
closed(uv_handle_t *handle)
{
	struct store *s = handle->data;

	if (--s->handles > 0)
		return;
	buf_clear(&s->numbers);
	free(s);
}

void
store_free(struct store *s)
{
	struct store_call *c;

	if (s == NULL)
		return;
	s->closing = true;
	link_free(s->link);
	while ((c = store_list_take(&s->sent)) != NULL ||
	    (c = store_list_take(&s->unknown)) != NULL ||
	    (c = store_list_take(&s->waiting)) != NULL) {
		store_call_answer(c, STORE_AWAY, NULL);
		free(c);
	}
	uv_close((uv_handle_t *)&s->timer, closed);
	uv_close((uv_handle_t *)&s->again, closed);
}

void
store_retry(struct store *s)
{
	if (s->ready)
		return;
	s->away = false;
	link_retry(s->link);
}

void
store_rest(struct store *s)
{
	if (s->sent.first != NULL || s->waiting.first != NULL)
		return;
	s->ready = false;
	link_rest(s->link);
}

bool
store_ready(const struct store *s)
{
	return s->ready;
}

const char *
store_sick(const struct store *s)
{
	if (s->newer != 0)
		return "the data in Redis is of a newer version";
	return s->ready ? NULL : "no connection to Redis";
}

const char *
store_eviction(const struct store *s)
{
	return link_eviction(s->link);
}

void
store_on_ready(struct store *s, void (*cb)(void *arg), void *arg)
{
	s->ready_cb = cb;
	s->ready_arg = arg;
}
