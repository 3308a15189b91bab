/* SPDX-License-Identifier: MIT */
#include "service.h"

#include <stdlib.h>

#include "http.h"

/* Who waits for an outcome: one a request, in the list of its service. It
 * holds an id and no connection, which may be gone by then. */
struct waiter {
	struct waiter *next, **link;
	service_cb *cb;
	void *arg;
	uint64_t id;
	const char *allow;
	bool head;
	struct buf cors; /* a copy: the parameters are gone by then */
};

static void
waiter_free(struct waiter *w)
{
	*w->link = w->next;
	if (w->next != NULL)
		w->next->link = w->link;
	buf_clear(&w->cors);
	free(w);
}

static void
deliver(struct waiter *w, struct buf *out)
{
	w->cb(w->arg, w->id, out->oom ? SPAN("") : buf_peek(out));
	buf_clear(out);
	waiter_free(w);
}

static void
respond(struct waiter *w, enum error e, unsigned retry_after,
    struct span text)
{
	struct buf out = { 0 };

	http_write(&out, e, retry_after, w->allow, buf_peek(&w->cors), text);
	if (w->head && !out.oom)
		out.n -= text.n; /* RFC 9110, section 9.3.2 */
	deliver(w, &out);
}

static void
on_outcome(void *arg, const struct outcome *o)
{
	respond(arg, o->error, o->retry_after, o->reply);
}

static void
respond_error(struct waiter *w, enum error e, const char *payload)
{
	struct buf text = { 0 };

	run_error(&text, (struct span){ NULL, 0 }, e, payload);
	respond(w, e, 0, buf_peek(&text));
	buf_clear(&text);
}

static void
on_probe(void *arg, enum store_status status, const struct answer *a)
{
	(void)a;
	if (status == STORE_OK)
		respond(arg, ERR_NONE, 0, SPAN("{\"type\":\"health\","
		    "\"health\":{\"redis\":\"ok\"}}"));
	else
		respond_error(arg, ERR_STORAGE, "redis");
}

/* Healthy is whose script Redis runs: a read of no event of the log sys. */
static void
health(struct service *s, struct waiter *w)
{
	struct call probe = { 0 };

	call_begin(&probe, SCRIPT_since, s->conf);
	call_str(&probe, "sys");
	call_str(&probe, "");
	call_uint(&probe, 0);
	call_uint(&probe, 0);
	if (!call_send(&probe, s->store, s->conf->operation_timeout, on_probe,
	    w))
		respond_error(w, ERR_FAULT, "");
	call_clear(&probe);
}

static void
preflight(struct waiter *w)
{
	struct buf out = { 0 };

	http_write_preflight(&out, w->allow, buf_peek(&w->cors));
	deliver(w, &out);
}

void
service_serve(struct service *s, struct peer peer, char *const *params,
    struct span body, size_t body_size, service_cb *cb, void *arg, uint64_t id)
{
	struct waiter *w = calloc(1, sizeof(*w));
	struct actor a = { .via = VIA_HTTP };
	struct http_request h;
	struct msg *m;

	if (w == NULL) {
		cb(arg, id, SPAN(""));
		return;
	}
	w->cb = cb;
	w->arg = arg;
	w->id = id;
	w->next = s->waiters;
	w->link = &s->waiters;
	if (w->next != NULL)
		w->next->link = &w->next;
	s->waiters = w;
	http_read(&h, s->conf, peer, params, body_size);
	w->allow = h.allow;
	w->head = h.head;
	buf_span(&w->cors, h.cors);
	switch (h.kind) {
	case HTTP_OPERATION:
		a.client = h.client;
		m = h.msg;
		h.msg = NULL;
		run_message(s->run, &a, body, h.operation, m, h.bearer,
		    on_outcome, w);
		break;
	case HTTP_HEALTH:
		health(s, w);
		break;
	case HTTP_PREFLIGHT:
		preflight(w);
		break;
	case HTTP_REFUSED:
		respond_error(w, h.error, h.payload);
		break;
	}
	http_clear(&h);
}

void
service_clear(struct service *s)
{
	while (s->waiters != NULL)
		waiter_free(s->waiters);
}
