/* SPDX-License-Identifier: MIT */
#include "service.h"

#include <stdlib.h>

#include "http.h"

#define HEAD_MOST 512 /* bytes of a response's head, in most cases */
#define FULL_RETRY 5 /* s until one who was too many is to come again */

/* Who waits for an outcome: one a request, in the list of its service. It
 * holds an id and no connection, which may be gone by then. */
struct waiter {
	struct waiter *next, **link;
	struct service *owner;
	uint64_t id;
	const char *allow;
	uint64_t ticket; /* of the park, when the operation was run */
	bool head;
	bool again;      /* it was run before */
	char *cors;      /* a copy: the parameters are gone by then; or NULL */
	char *id_given;  /* of a long-poll's request, likewise */
};

static void
waiter_free(struct waiter *w)
{
	*w->link = w->next;
	if (w->next != NULL)
		w->next->link = w->link;
	free(w->cors);
	free(w->id_given);
	free(w);
}

static void
deliver(struct waiter *w, struct buf *out)
{
	struct service *s = w->owner;

	s->cb(s->arg, w->id, out->oom ? SPAN("") : buf_peek(out));
	buf_clear(out);
	waiter_free(w);
}

static void
respond(struct waiter *w, enum error e, unsigned retry_after,
    struct span text)
{
	struct buf out = { 0 };

	buf_room(&out, text.n + HEAD_MOST);
	http_write(&out, e, retry_after, w->allow, span_of(w->cors), text);
	if (w->head && !out.oom)
		out.n -= text.n; /* RFC 9110, section 9.3.2 */
	deliver(w, &out);
}

static void
respond_error(struct waiter *w, enum error e, const char *payload)
{
	struct buf text = { 0 };

	run_error(&text, (struct span){ NULL, 0 }, e, payload);
	respond(w, e, e == ERR_FULL ? FULL_RETRY : 0, buf_peek(&text));
	buf_clear(&text);
}

/* ---- long-polls ---- */

static void
on_outcome(void *arg, const struct outcome *o)
{
	struct waiter *w = arg;
	struct service *s = w->owner;
	bool again = w->again; /* the subscriptions stand by then */

	if (o->poll != NULL && o->poll->ends[0] != '\0')
		park_end(s->park, o->poll->user, o->poll->ends);
	if (!o->waits) {
		respond(w, o->error, o->retry_after, o->reply);
		return;
	}
	/* Nobody would end the poll of one who left while Redis was asked. */
	if (s->waits != NULL && !s->waits(s->arg, w->id)) {
		waiter_free(w);
		return;
	}
	if (!again && o->id.p != NULL)
		w->id_given = strndup(o->id.p, o->id.n);
	if (!park_add(s->park, w->id, w, o->poll, w->ticket, w->again))
		respond_error(w, ERR_FULL, "polls");
	else if (s->frugal && again && park_count(s->park) > 0)
		store_rest(s->store);
}

/* Runs the operation again, for who was proved before, from the poll's places
 * and for the rest of its time. */
static void
ask_again(struct waiter *w, const struct poll *p)
{
	struct actor a = { .via = VIA_HTTP };
	struct msg *m = msg_new("events");
	struct buf since = { 0 };
	bool ok;

	memcpy(a.user, p->user, sizeof(a.user));
	memcpy(a.key_hash, p->key_hash, sizeof(a.key_hash));
	memcpy(a.session, p->session, sizeof(a.session));
	memcpy(a.poll, p->id, sizeof(a.poll));
	a.poll_wait = p->wait;
	poll_cursor(&since, p);
	ok = m != NULL && !since.oom &&
	    msg_set(m, SPAN("since"), buf_peek(&since));
	buf_clear(&since);
	if (!ok) {
		msg_free(m);
		respond_error(w, ERR_FAULT, "");
		return;
	}
	w->again = true;
	w->ticket = park_ticket(w->owner->park);
	run_message(w->owner->run, &a, (struct span){ NULL, 0 }, "events", m,
	    (struct span){ NULL, 0 }, on_outcome, w);
}

static void
on_park(void *who, enum park_end why, const struct poll *p,
    const struct span *events, size_t n)
{
	struct waiter *w = who;
	struct buf text = { 0 };

	if (why == PARK_AGAIN) {
		store_retry(w->owner->store);
		ask_again(w, p);
		return;
	}
	poll_reply_begin(&text, span_of(w->id_given), p, true, false);
	for (size_t i = 0; i < n; i++)
		poll_reply_add(&text, events[i], i == 0);
	poll_reply_end(&text);
	if (text.oom)
		respond_error(w, ERR_FAULT, "");
	else
		respond(w, ERR_NONE, 0, buf_peek(&text));
	buf_clear(&text);
}

/* ---- what is no operation ---- */

static void
on_probe(void *arg, enum store_status status, const struct answer *a)
{
	struct waiter *w = arg;
	const char *why = store_sick(w->owner->store);
	const char *eviction = store_eviction(w->owner->store);
	struct buf text = { 0 };

	(void)a;
	if (status != STORE_OK) {
		respond_error(w, ERR_STORAGE, why == NULL ? "redis" : why);
		return;
	}
	buf_str(&text, "{\"type\":\"health\",\"health\":{\"redis\":\"ok\"");
	if (eviction != NULL)
		buf_fmt(&text, ",\"eviction\":\"%s\"", eviction);
	buf_str(&text, "}}");
	respond(w, ERR_NONE, 0, buf_peek(&text));
	buf_clear(&text);
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

	http_write_preflight(&out, w->allow, span_of(w->cors));
	deliver(w, &out);
}

void
service_serve(struct service *s, struct peer peer, char *const *params,
    struct span body, size_t body_size, uint64_t id)
{
	struct waiter *w = calloc(1, sizeof(*w));
	struct actor a = { .via = VIA_HTTP };
	struct http_request h;
	struct msg *m;

	if (w == NULL) {
		s->cb(s->arg, id, SPAN(""));
		return;
	}
	w->owner = s;
	w->id = id;
	w->ticket = park_ticket(s->park);
	w->next = s->waiters;
	w->link = &s->waiters;
	if (w->next != NULL)
		w->next->link = &w->next;
	s->waiters = w;
	http_read(&h, s->conf, peer, params, body_size);
	w->allow = h.allow;
	w->head = h.head;
	if (h.cors.n != 0)
		w->cors = strndup(h.cors.p, h.cors.n);
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
service_forget(struct service *s, uint64_t id)
{
	struct waiter *w = park_remove(s->park, id);

	if (w != NULL)
		waiter_free(w);
}

void
service_stop(struct service *s)
{
	park_stop(s->park);
}

bool
service_open(struct service *s, uv_loop_t *loop)
{
	s->park = park_new(loop, s->conf, on_park);
	return s->park != NULL;
}

void
service_bound(struct service *s, size_t polls)
{
	park_bound(s->park, polls);
}

void
service_answers(struct service *s, service_cb *cb, service_waits_cb *waits,
    void *arg)
{
	s->cb = cb;
	s->waits = waits;
	s->arg = arg;
}

void
service_clear(struct service *s)
{
	park_free(s->park);
	while (s->waiters != NULL)
		waiter_free(s->waiters);
}
