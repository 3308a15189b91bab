/* SPDX-License-Identifier: MIT */
/* channelMessages: older messages, a page at a time. A private channel is read
 * only by its two users: its scope is made of who asks and whom he names. */
#include <inttypes.h>
#include <stdio.h>

#include "frame.h"
#include "limit.h"
#include "op.h"

/* The seq of a cursor (or of the one of several, joined by commas) that is of
 * this channel; 0: there is none. */
static uint64_t
cursor_seq(const struct scope *channel, struct span cursor)
{
	size_t scope = strlen(channel->text);
	struct span one = { cursor.p, 0 };
	const char *end = cursor.p + cursor.n, *colon;
	struct place place;

	for (; one.p < end; one.p += one.n + 1) {
		const char *comma = memchr(one.p, ',', (size_t)(end - one.p));

		one.n = (size_t)((comma == NULL ? end : comma) - one.p);
		if (one.n <= scope + 1 || one.p[scope] != ':' ||
		    memcmp(one.p, channel->text, scope) != 0)
			continue;
		colon = memrchr(one.p, ':', one.n);
		if (colon > one.p + scope && op_read_place(
		    (struct span){ one.p + scope + 1,
		    (size_t)(colon - one.p) - scope - 1 },
		    (struct span){ colon + 1,
		    (size_t)(one.p + one.n - colon) - 1 }, &place))
			return place.seq;
	}
	return 0;
}

/* before: a seq or a cursor; 0: not given. */
static enum step
read_before(struct request *q, uint64_t *before)
{
	struct span cursor = { NULL, 0 };
	int64_t seq = 0;

	*before = 0;
	switch (msg_int(q->msg, "before", &seq)) {
	case FIELD_ABSENT:
		return STEP_CALL;
	case FIELD_OK:
		if (seq < 1 || seq > LIMIT_SEQ)
			return op_fail(q, ERR_FIELD, "before");
		*before = (uint64_t)seq;
		return STEP_CALL;
	case FIELD_WRONG:
		break;
	}
	if (msg_string(q->msg, "before", &cursor) != FIELD_OK)
		return op_fail(q, ERR_FIELD, "before");
	if (cursor.n == 0)
		return STEP_CALL;
	*before = cursor_seq(&q->channel, cursor);
	return *before == 0 ? op_fail(q, ERR_FIELD, "before") : STEP_CALL;
}

static enum step
build(struct request *q)
{
	int64_t limit = q->conf->messages_page;
	uint64_t before;

	if (op_read_channel(q) == STEP_ERROR ||
	    op_read_int(q, "limit", 0, q->conf->messages_most, &limit) ==
	    STEP_ERROR ||
	    read_before(q, &before) == STEP_ERROR)
		return STEP_ERROR;
	op_call(q, SCRIPT_channel_messages);
	call_str(&q->call, q->channel.text);
	call_str(&q->call, q->recipient);
	if (before != 0)
		call_uint(&q->call, before);
	else
		call_str(&q->call, "");
	call_uint(&q->call, (uint64_t)limit);
	return STEP_CALL;
}

static enum step
render(struct request *q, const struct answer *a)
{
	if (a->n < 2)
		return op_fail(q, ERR_FAULT, NULL);
	frame_begin(&q->reply, "channelMessages", q->id);
	buf_str(&q->reply, "{");
	op_reply_channel(q);
	buf_str(&q->reply, ",\"messages\":[");
	if (!op_reply_messages(q, a->v + 2, a->n - 2))
		return op_fail(q, ERR_FAULT, NULL);
	buf_fmt(&q->reply, "],\"more\":%s}}",
	    span_is(a->v[1], "1") ? "true" : "false");
	return STEP_DONE;
}

const struct op op_channel_messages = { "channelMessages", OP_SIGNED | OP_GET,
	build, render };
