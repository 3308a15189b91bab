/* SPDX-License-Identifier: MIT */
/* events: what a long-poll session has not had. With nothing new it may wait:
 * then the poll that comes out of it says for what, and the host parks it.
 * Where a poll holds a process, only so many may: the others are answered at
 * once, with a time after which to come again. */
#include <inttypes.h>
#include <stdlib.h>

#include "limit.h"
#include "op.h"

enum { /* words of the answer */
	A_RECOVERED = 1, A_MORE, A_WAITS, A_ENDS, A_SCOPES, A_LEFT, A_FIRST
};
#define SCOPE_WORDS 3 /* scope, epoch, seq */
#define FULL_RETRY 5  /* s */

static enum step
read_session(struct request *q)
{
	struct span session = { NULL, 0 };

	if (msg_string(q->msg, "sessionUUID", &session) == FIELD_WRONG ||
	    (session.n != 0 && !uuid_read(session, q->actor.session)) ||
	    q->actor.session[0] == '\0')
		return op_fail(q, ERR_FIELD, "sessionUUID");
	return STEP_CALL;
}

static enum step
build(struct request *q)
{
	int64_t wait = q->conf->poll_wait;
	bool again;

	if (read_session(q) == STEP_ERROR ||
	    op_read_int(q, "wait", 0, q->conf->poll_wait_most, &wait) ==
	    STEP_ERROR || op_read_since(q) == STEP_ERROR)
		return STEP_ERROR;
	again = q->actor.poll[0] != '\0';
	if (again)
		memcpy(q->poll.id, q->actor.poll, sizeof(q->poll.id));
	else
		uuid_next(q->poll.id);
	q->poll.wait = again ? q->actor.poll_wait : (unsigned)wait * 1000;
	q->lease = q->poll.wait + LIMIT_POLL_LEASE_REST;
	op_call(q, SCRIPT_events);
	call_str(&q->call, q->actor.session);
	call_uint(&q->call, q->conf->messages_most);
	call_str(&q->call, q->poll.wait > 0 ? q->poll.id : "");
	call_uint(&q->call, q->poll.wait);
	call_uint(&q->call, q->conf->poll_slots);
	op_call_since(q);
	call_str(&q->call, again ? "1" : "");
	/* Thousands may ask at the same time: without these they hold half. */
	buf_clear(&q->since);
	msg_free(q->msg);
	q->msg = NULL;
	return STEP_CALL;
}

static bool
read_scopes(struct request *q, const struct span *v, size_t n)
{
	struct poll *p = &q->poll;

	p->scopes = calloc(n + 1, sizeof(*p->scopes));
	if (p->scopes == NULL)
		return false;
	for (; p->n < n; p->n++, v += SCOPE_WORDS) {
		struct poll_scope *s = &p->scopes[p->n];

		if (v[0].n >= SCOPE_MAX ||
		    !op_read_place(v[1], v[2], &s->place))
			return false;
		memcpy(s->scope.text, v[0].p, v[0].n);
	}
	memcpy(p->user, q->actor.user, sizeof(p->user));
	memcpy(p->key_hash, q->actor.key_hash, sizeof(p->key_hash));
	memcpy(p->session, q->actor.session, sizeof(p->session));
	return true;
}

static enum step
render(struct request *q, const struct answer *a)
{
	size_t n, at;
	bool recovered, more, first = true;

	if (a->n < A_FIRST)
		return op_fail(q, ERR_FAULT, NULL);
	n = strtoul(a->v[A_SCOPES].p, NULL, 10);
	if (n > (a->n - A_FIRST) / SCOPE_WORDS ||
	    !read_scopes(q, a->v + A_FIRST, n))
		return op_fail(q, ERR_FAULT, NULL);
	uuid_read(a->v[A_ENDS], q->poll.ends);
	q->poll.left = strtoul(a->v[A_LEFT].p, NULL, 10);
	if (span_is(a->v[A_WAITS], "1"))
		return STEP_WAIT;
	recovered = span_is(a->v[A_RECOVERED], "1");
	more = span_is(a->v[A_MORE], "1");
	poll_reply_begin(&q->reply, q->id, &q->poll, recovered, more);
	for (at = A_FIRST + n * SCOPE_WORDS; at < a->n; at++) {
		if (!poll_wants(&q->poll, a->v[at]))
			continue;
		poll_reply_add(&q->reply, a->v[at], first);
		first = false;
	}
	poll_reply_end(&q->reply);
	if (span_is(a->v[A_WAITS], "full"))
		q->retry_after = FULL_RETRY;
	return STEP_DONE;
}

const struct op op_events = { "events", OP_SIGNED | OP_GET | OP_HTTP, build,
	render };
