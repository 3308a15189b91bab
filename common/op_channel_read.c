/* SPDX-License-Identifier: MIT */
/* channelRead: the user has read the channel up to a seq. His other sessions
 * are told by the same frame, an event of his own log. */
#include "frame.h"
#include "limit.h"
#include "op.h"

static enum step
build(struct request *q)
{
	char origin[ORIGIN_LEN + 1];
	struct buf names = { 0 };
	int64_t seq = -1;

	if (op_read_channel(q) == STEP_ERROR)
		return STEP_ERROR;
	if (msg_int(q->msg, "seq", &seq) != FIELD_OK || seq < 0 ||
	    seq > LIMIT_SEQ)
		return op_fail(q, ERR_FIELD, "seq");
	frame_mark(q->actor.session, origin);
	op_call(q, SCRIPT_channel_read);
	call_str(&q->call, q->channel.text);
	call_str(&q->call, q->recipient);
	call_uint(&q->call, (uint64_t)seq);
	call_str(&q->call, origin);
	op_names(&names, q);
	call_buf(&q->call, &names);
	return STEP_CALL;
}

static enum step
render(struct request *q, const struct answer *a)
{
	if (a->n != 2)
		return op_fail(q, ERR_FAULT, NULL);
	frame_begin(&q->reply, "channelRead", q->id);
	buf_str(&q->reply, "{");
	op_reply_channel(q);
	buf_str(&q->reply, ",\"seq\":");
	buf_span(&q->reply, a->v[1]);
	buf_str(&q->reply, "}}");
	return STEP_DONE;
}

const struct op op_channel_read = { "channelRead", OP_SIGNED, build, render };
