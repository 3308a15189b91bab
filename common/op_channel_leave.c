/* SPDX-License-Identifier: MIT */
/* channelLeave: the session follows the channel no longer. */
#include "frame.h"
#include "op.h"

static enum step
build(struct request *q)
{
	if (op_read_channel(q) == STEP_ERROR)
		return STEP_ERROR;
	if (q->actor.via == VIA_HTTP && q->actor.session[0] == '\0')
		return op_fail(q, ERR_FIELD, "sessionUUID");
	op_call(q, SCRIPT_channel_leave);
	op_call_session(q);
	call_str(&q->call, q->channel.text);
	return STEP_CALL;
}

static enum step
render(struct request *q, const struct answer *a)
{
	if (a->n != 2 || !op_read_ends(a->v[1], &q->ends, &q->effect))
		return op_fail(q, ERR_FAULT, NULL);
	q->effect.kind = EFFECT_LEFT;
	q->effect.channel = q->channel;
	frame_begin(&q->reply, "channelLeave", q->id);
	buf_str(&q->reply, "{");
	op_reply_channel(q);
	buf_fmt(&q->reply, ",\"senderUUID\":\"%s\"}}", q->actor.user);
	return STEP_DONE;
}

const struct op op_channel_leave = { "channelLeave", OP_SIGNED | OP_ENDS, build,
	render };
