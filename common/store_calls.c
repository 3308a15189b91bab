/* SPDX-License-Identifier: MIT */
/* The calls under way: in which order they are sent, and until when. */
#include "store_body.h"

#include <stdlib.h>

#include "clock.h"
#include "resp.h"

#define TICK 25 /* ms between looks at the deadlines */

/* ---- lists ---- */

void
store_list_init(struct store_list *l)
{
	l->first = NULL;
	l->last = &l->first;
	l->soonest = UINT64_MAX;
}

void
store_list_add(struct store_list *l, struct store_call *c)
{
	c->next = NULL;
	*l->last = c;
	l->last = &c->next;
	if (c->deadline < l->soonest)
		l->soonest = c->deadline;
}

struct store_call *
store_list_take(struct store_list *l)
{
	struct store_call *c = l->first;

	if (c != NULL) {
		l->first = c->next;
		if (l->first == NULL)
			l->last = &l->first;
	}
	return c;
}

void
store_call_answer(struct store_call *c, enum store_status status,
    const struct answer *a)
{
	static const struct answer none = { 0, NULL };
	store_cb *cb = c->cb;

	c->cb = NULL;
	if (cb != NULL)
		cb(c->arg, status, a == NULL ? &none : a);
}

/* ---- deadlines ---- */

/* Answers those whose time is over; they stay in their list. What callbacks
 * begin meanwhile is left for the next look; when one frees the store, that has
 * answered and freed all of the list. */
static bool
expire(struct store *s, struct store_list *l, uint64_t now)
{
	struct store_call **end = l->last;
	bool any = false, last = l->first == NULL;

	if (now < l->soonest)
		return false;
	l->soonest = UINT64_MAX;
	for (struct store_call *c = l->first; !last; c = c->next) {
		last = &c->next == end;
		if (c->cb != NULL && c->deadline > now &&
		    c->deadline < l->soonest)
			l->soonest = c->deadline;
		if (c->cb == NULL || c->deadline > now)
			continue;
		any = true;
		store_call_answer(c, STORE_AWAY, NULL);
		if (s->closing)
			return false;
	}
	return any;
}

static void
on_timer(uv_timer_t *t)
{
	struct store *s = t->data;
	uint64_t now = clock_ms();

	while (s->waiting.first != NULL && s->waiting.first->cb == NULL)
		free(store_list_take(&s->waiting));
	expire(s, &s->waiting, now);
	expire(s, &s->unknown, now);
	if (expire(s, &s->sent, now))
		link_drop(s->link);
	if (s->sent.first == NULL && s->waiting.first == NULL)
		uv_timer_stop(&s->timer);
}

/* ---- order ---- */

struct store_call *
store_call_new(struct store *s, enum script script, struct span args,
    size_t nargs, unsigned timeout, store_cb *cb, void *arg)
{
	struct store_call *c = malloc(sizeof(*c) + args.n);

	if (c == NULL)
		return NULL;
	*c = (struct store_call){ .script = script, .cb = cb, .arg = arg,
		.deadline = clock_ms() + timeout, .nargs = nargs,
		.n = args.n };
	if (args.n != 0)
		memcpy(c->args, args.p, args.n);
	if (!uv_is_active((uv_handle_t *)&s->timer))
		uv_timer_start(&s->timer, on_timer, TICK, TICK);
	return c;
}

void
store_transmit(struct store *s, struct store_call *c)
{
	const struct script_text *t = &script_texts[c->script];
	bool modern = link_version(s->link) >= 7;
	struct buf *out = link_out(s->link);

	s->held = s->held || !(c->retried || s->has[c->script]);
	resp_begin(out, c->nargs + 4);
	if (c->retried) {
		resp_word(out, SPAN("EVAL"));
		resp_word(out, span_of(modern ? t->text : t->text6));
	} else {
		resp_word(out, SPAN("EVALSHA"));
		resp_word(out, span_of(modern ? t->sha : t->sha6));
	}
	resp_word(out, SPAN("0"));
	resp_word(out, span_of(link_node(s->link)));
	buf_add(out, c->args, c->n);
	store_list_add(&s->sent, c);
}

/* What is overdue must not go out: it would end this connection. */
static void
transmit_or_end(struct store *s, struct store_call *c)
{
	if (c->cb != NULL && c->deadline > clock_ms()) {
		store_transmit(s, c);
	} else {
		store_call_answer(c, STORE_AWAY, NULL);
		free(c);
	}
}

void
store_send_waiting(struct store *s)
{
	struct store_call *c;

	if (s->held && s->sent.first != NULL)
		return;
	s->held = false;
	while ((c = store_list_take(&s->unknown)) != NULL)
		transmit_or_end(s, c);
	while (s->ready && !s->held &&
	    (c = store_list_take(&s->waiting)) != NULL)
		transmit_or_end(s, c);
}
