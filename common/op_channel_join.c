/* SPDX-License-Identifier: MIT */
/* channelJoin: the session follows the channel from here on, and gets the
 * newest messages and who is in it. With a cursor that the log still reaches
 * it gets the messages from there on, and follows from behind the last one. */
#include <stdio.h>
#include <stdlib.h>

#include "frame.h"
#include "limit.h"
#include "op.h"

enum { /* words of the answer */
	A_UUID = 1, A_EPOCH, A_SEQ, A_NOTICE_EPOCH, A_NOTICE_SEQ, A_RECOVERED,
	A_MORE, A_OWN, A_ENDS, A_TOTAL, A_USERS, A_FIRST
};
#define USER_WORDS 2 /* member of users, on line */

static enum step
build(struct request *q)
{
	int64_t limit = q->conf->join_messages;

	if (op_read_channel(q) == STEP_ERROR ||
	    op_read_int(q, "limit", 0, q->conf->messages_most, &limit) ==
	    STEP_ERROR || op_read_since(q) == STEP_ERROR)
		return STEP_ERROR;
	if (q->actor.via == VIA_HTTP && q->actor.session[0] == '\0')
		return op_fail(q, ERR_FIELD, "sessionUUID");
	uuid_new(q->uuid);
	op_call(q, SCRIPT_channel_join);
	op_call_session(q);
	call_str(&q->call, q->channel.text);
	call_str(&q->call, q->recipient);
	call_uint(&q->call, (uint64_t)limit);
	call_str(&q->call, q->uuid);
	call_uint(&q->call, LIMIT_SESSION_CHANNELS);
	call_uint(&q->call, LIMIT_JOIN_USERS);
	op_call_since(q);
	return STEP_CALL;
}

static bool
add_users(struct request *q, const struct span *v, size_t users)
{
	for (size_t i = 0; i < users; i++, v += USER_WORDS) {
		if (i > 0)
			buf_str(&q->reply, ",");
		if (!op_reply_user(q, v[0], span_is(v[1], "1")))
			return false;
	}
	return true;
}

static enum step
render(struct request *q, const struct answer *a)
{
	struct effect *e = &q->effect;
	struct buf *b = &q->reply;
	struct scope notices = scope_notices(&q->channel);
	size_t users;

	if (a->n < A_FIRST ||
	    !op_read_place(a->v[A_EPOCH], a->v[A_SEQ], &e->places[0]) ||
	    !op_read_place(a->v[A_NOTICE_EPOCH], a->v[A_NOTICE_SEQ],
	    &e->places[1]) || !op_read_ends(a->v[A_ENDS], &q->ends, e))
		return op_fail(q, ERR_FAULT, NULL);
	users = strtoul(a->v[A_USERS].p, NULL, 10);
	if (users > (a->n - A_FIRST) / USER_WORDS)
		return op_fail(q, ERR_FAULT, NULL);
	buf_span(&q->own, a->v[A_OWN]);
	e->kind = EFFECT_JOINED;
	e->channel = q->channel;
	snprintf(e->user, sizeof(e->user), "%s", q->actor.user);
	frame_begin(b, "channelJoin", q->id);
	buf_str(b, "{");
	op_reply_channel(q);
	buf_str(b, ",\"channelUUID\":\"");
	buf_span(b, a->v[A_UUID]);
	buf_str(b, "\",\"messages\":[");
	if (!op_reply_messages(q, a->v + A_FIRST + users * USER_WORDS,
	    a->n - A_FIRST - users * USER_WORDS))
		return op_fail(q, ERR_FAULT, NULL);
	buf_fmt(b, "],\"more\":%s,\"users\":[",
	    span_is(a->v[A_MORE], "1") ? "true" : "false");
	if (!add_users(q, a->v + A_FIRST, users))
		return op_fail(q, ERR_FAULT, NULL);
	buf_str(b, "],\"total\":");
	buf_span(b, a->v[A_TOTAL]);
	buf_str(b, ",\"cursor\":\"");
	op_cursor(b, &q->channel, &e->places[0]);
	buf_str(b, ",");
	op_cursor(b, &notices, &e->places[1]);
	buf_fmt(b, "\",\"recovered\":%s}}",
	    span_is(a->v[A_RECOVERED], "1") ? "true" : "false");
	return STEP_DONE;
}

const struct op op_channel_join = { "channelJoin", OP_SIGNED | OP_ENDS, build,
	render };
