/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "call.h"
#include "clock.h"
#include "link.h"
#include "log.h"
#include "resp.h"

#define TICK 25 /* ms between looks at the deadlines */
#define SCHEMA_TIMEOUT 2000 /* ms */
#define SCHEMA_AGAIN 1000 /* ms until a schema that is not ours is looked at */
#define NUMBER 24 /* bytes of an integer's text at most */

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

struct list {
	struct store_call *first, **last;
	uint64_t soonest;  /* no deadline is before it (ms) */
};

struct store {
	struct link *link;
	struct list waiting, sent;
	struct list unknown; /* those that found no script */
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

static void on_timer(uv_timer_t *t);

static void
list_init(struct list *l)
{
	l->first = NULL;
	l->last = &l->first;
	l->soonest = UINT64_MAX;
}

static void
list_add(struct list *l, struct store_call *c)
{
	c->next = NULL;
	*l->last = c;
	l->last = &c->next;
	if (c->deadline < l->soonest)
		l->soonest = c->deadline;
}

static struct store_call *
list_take(struct list *l)
{
	struct store_call *c = l->first;

	if (c != NULL) {
		l->first = c->next;
		if (l->first == NULL)
			l->last = &l->first;
	}
	return c;
}

static void
call_answer(struct store_call *c, enum store_status status,
    const struct answer *a)
{
	static const struct answer none = { 0, NULL };
	store_cb *cb = c->cb;

	c->cb = NULL;
	if (cb != NULL)
		cb(c->arg, status, a == NULL ? &none : a);
}

/* NULL without memory. Its time runs. */
static struct store_call *
call_new(struct store *s, enum script script, struct span args, size_t nargs,
    unsigned timeout, store_cb *cb, void *arg)
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

static void
transmit(struct store *s, struct store_call *c)
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
	list_add(&s->sent, c);
}

/* What is overdue must not go out: it would end this connection. */
static void
transmit_or_end(struct store *s, struct store_call *c)
{
	if (c->cb != NULL && c->deadline > clock_ms()) {
		transmit(s, c);
	} else {
		call_answer(c, STORE_AWAY, NULL);
		free(c);
	}
}

/* Sends what waits, as far as it may be sent now. */
static void
send_waiting(struct store *s)
{
	struct store_call *c;

	if (s->held && s->sent.first != NULL)
		return;
	s->held = false;
	while ((c = list_take(&s->unknown)) != NULL)
		transmit_or_end(s, c);
	while (s->ready && !s->held && (c = list_take(&s->waiting)) != NULL)
		transmit_or_end(s, c);
}

/* ---- replies ---- */

static bool
flatten(struct store *s, const redisReply *r, struct answer *a)
{
	char text[NUMBER];

	if (r->type == REDIS_REPLY_ARRAY) {
		for (size_t i = 0; i < r->elements; i++)
			if (!flatten(s, r->element[i], a))
				return false;
		return true;
	}
	if (a->n == ANSWER_MAX)
		return false;
	switch (r->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		s->words[a->n++] = (struct span){ r->str, (size_t)r->len };
		return true;
	case REDIS_REPLY_NIL:
		s->words[a->n++] = SPAN("");
		return true;
	case REDIS_REPLY_INTEGER:
		snprintf(text, sizeof(text), "%lld", r->integer);
		if (s->numbers.cap == 0 &&
		    buf_room(&s->numbers, ANSWER_MAX * NUMBER) == NULL)
			return false;
		s->words[a->n++] = (struct span){
			s->numbers.p + s->numbers.n, strlen(text) };
		/* With its NUL, as hiredis gives strings. */
		buf_add(&s->numbers, text, strlen(text) + 1);
		return true;
	default:
		return false;
	}
}

static bool
says(const char *error, const char *const *words)
{
	char within[32];

	for (; *words != NULL; words++) {
		snprintf(within, sizeof(within), ": -%s ", *words);
		if (strncmp(error, *words, strlen(*words)) == 0 ||
		    strstr(error, within) != NULL)
			return true;
	}
	return false;
}

/* Of an error reply. It begins with Redis' word; Redis 6 puts that of a command
 * inside a script behind the place in the script. */
static enum store_status
judge(const struct store_call *c, const char *error, bool *drop)
{
	static const char *const elsewhere[] = { "READONLY", "MASTERDOWN",
		"LOADING", "NOAUTH", "CLUSTERDOWN", NULL };
	static const char *const away[] = { "OOM", "NOREPLICAS", "MISCONF",
		"BUSY", NULL };

	*drop = says(error, elsewhere);
	if (*drop || says(error, away) ||
	    strstr(error, "used memory > 'maxmemory'") != NULL) {
		log_warn("redis: %.200s", error);
		return STORE_AWAY;
	}
	log_error("script %s: %.400s", script_texts[c->script].name, error);
	return STORE_FAULT;
}

static void
on_reply(void *arg, const struct redisReply *reply)
{
	struct store *s = arg;
	const redisReply *r = reply;
	struct store_call *c = list_take(&s->sent);
	struct answer a = { 0, s->words };
	enum store_status status;
	bool drop = false;

	if (c == NULL)
		return;
	if (r->type == REDIS_REPLY_ERROR && !c->retried &&
	    strncmp(r->str, "NOSCRIPT", 8) == 0) {
		memset(s->has, 0, sizeof(s->has));
		s->held = c->retried = true;
		list_add(&s->unknown, c);
		send_waiting(s);
		return;
	}
	s->has[c->script] = true;
	if (r->type == REDIS_REPLY_ERROR) {
		status = judge(c, r->str, &drop);
		call_answer(c, status, NULL);
	} else {
		buf_reset(&s->numbers);
		if (r->type == REDIS_REPLY_ARRAY && flatten(s, r, &a)) {
			call_answer(c, STORE_OK, &a);
		} else {
			log_error("script %s: its answer is no list of at most"
			    " %d words", script_texts[c->script].name,
			    ANSWER_MAX);
			call_answer(c, STORE_FAULT, NULL);
		}
	}
	free(c);
	if (drop)
		link_drop(s->link);
	else if (!s->closing)
		send_waiting(s);
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
	while ((c = list_take(&s->sent)) != NULL ||
	    (c = list_take(&s->unknown)) != NULL) {
		call_answer(c, STORE_AWAY, NULL);
		free(c);
	}
}

/* ---- the schema, before anything else is sent ---- */

static void check_schema(struct store *s);

static void
on_again(uv_timer_t *t)
{
	struct store *s = t->data;

	if (link_ready(s->link) && !s->ready)
		check_schema(s);
}

/* The connection serves from now on. */
static void
serve(struct store *s)
{
	s->ready = true;
	s->away = false;
	s->newer = 0;
	send_waiting(s);
	if (!s->closing && s->ready_cb != NULL)
		s->ready_cb(s->ready_arg);
}

static void
on_schema(void *arg, enum store_status status, const struct answer *a)
{
	struct store *s = arg;
	unsigned long stands = status == STORE_OK && a->n == 2 ?
	    strtoul(a->v[1].p, NULL, 10) : 0;

	if (s->closing || !link_ready(s->link))
		return;
	if (stands == STORE_SCHEMA) {
		serve(s);
		return;
	}
	if (stands > STORE_SCHEMA && s->newer != stands)
		log_error("redis: the data is of schema %lu, which a newer"
		    " Palaver wrote; this one knows %d and leaves it alone",
		    stands, STORE_SCHEMA);
	s->newer = stands > STORE_SCHEMA ? stands : 0;
	/* At once when a part was migrated. */
	uv_timer_start(&s->again, on_again, status == STORE_OK &&
	    stands < STORE_SCHEMA ? 0 : SCHEMA_AGAIN, 0);
}

static void
check_schema(struct store *s)
{
	struct call ask = { 0 };
	struct store_call *c;

	call_begin(&ask, SCRIPT_schema, s->conf);
	call_uint(&ask, STORE_SCHEMA);
	c = ask.words.oom ? NULL : call_new(s, ask.script,
	    buf_peek(&ask.words), ask.n, SCHEMA_TIMEOUT, on_schema, s);
	call_clear(&ask);
	if (c == NULL)
		link_drop(s->link);
	else
		transmit(s, c);
}

static void
on_ready(void *arg)
{
	struct store *s = arg;

	memset(s->has, 0, sizeof(s->has));
	check_schema(s);
}

/* ---- deadlines ---- */

/* Answers those whose time is over; they stay in their list. What callbacks
 * begin meanwhile is left for the next look; when one frees the store, that has
 * answered and freed all of the list. */
static bool
expire(struct store *s, struct list *l, uint64_t now)
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
		call_answer(c, STORE_AWAY, NULL);
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
		free(list_take(&s->waiting));
	expire(s, &s->waiting, now);
	expire(s, &s->unknown, now);
	if (expire(s, &s->sent, now))
		link_drop(s->link);
	if (s->sent.first == NULL && s->waiting.first == NULL)
		uv_timer_stop(&s->timer);
}

bool
store_eval(struct store *s, enum script script, struct span args, size_t nargs,
    unsigned timeout, store_cb *cb, void *arg)
{
	struct store_call *c = call_new(s, script, args, nargs, timeout, cb,
	    arg);

	if (c == NULL)
		return false;
	if (s->ready && !s->held && s->waiting.first == NULL) {
		transmit(s, c);
		return true;
	}
	if (!s->ready)
		link_wake(s->link);
	if (!s->ready && (s->away || s->newer != 0))
		c->deadline = 0;
	list_add(&s->waiting, c);
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
	list_init(&s->waiting);
	list_init(&s->sent);
	list_init(&s->unknown);
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
	while ((c = list_take(&s->sent)) != NULL ||
	    (c = list_take(&s->unknown)) != NULL ||
	    (c = list_take(&s->waiting)) != NULL) {
		call_answer(c, STORE_AWAY, NULL);
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
