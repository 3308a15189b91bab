/* SPDX-License-Identifier: MIT */
/* channelMessage: stored, numbered and published in one step. On a WebSocket
 * the stored frame comes back through the channel, or, where the session is
 * not in it, as its own; over HTTP it is the reply. */
#include "frame.h"
#include "limit.h"
#include "op.h"
#include "utf8.h"

static enum step
build(struct request *q)
{
	struct span text = { NULL, 0 }, uuid = { NULL, 0 };
	struct buf json = { 0 };

	if (op_read_channel(q) == STEP_ERROR)
		return STEP_ERROR;
	if (msg_string(q->msg, "message", &text) != FIELD_OK ||
	    !utf8_is_message(text, q->conf->message_length,
	    q->conf->message_bytes))
		return op_fail(q, ERR_FIELD, "message");
	if (msg_string(q->msg, "UUID", &uuid) == FIELD_WRONG ||
	    (uuid.n != 0 && !uuid_read(uuid, q->uuid)))
		return op_fail(q, ERR_FIELD, "UUID");
	if (uuid.n == 0)
		uuid_new(q->uuid);
	buf_json_string(&json, text);
	op_call(q, SCRIPT_channel_message);
	call_str(&q->call, q->channel.text);
	call_str(&q->call, q->recipient);
	call_str(&q->call, q->uuid);
	call_str(&q->call, uuid.n != 0 ? "1" : "");
	call_buf(&q->call, &json);
	call_uint(&q->call, q->conf->history);
	call_uint(&q->call, (uint64_t)q->conf->history_days * 86400000);
	call_uint(&q->call, q->conf->message_rate.count);
	call_uint(&q->call, q->conf->message_rate.seconds);
	call_uint(&q->call, q->conf->history_bytes);
	call_uint(&q->call, (uint64_t)q->conf->repeat_life * 1000);
	call_uint(&q->call, LIMIT_REPEATS);
	call_str(&q->call, q->actor.session);
	return STEP_CALL;
}

static enum step
render(struct request *q, const struct answer *a)
{
	struct span id = q->id, payload;

	if (a->n != 4)
		return op_fail(q, ERR_FAULT, NULL);
	q->effect.kind = EFFECT_SENT;
	q->effect.channel = q->channel;
	if (q->actor.via == VIA_WEBSOCKET) {
		/* A bridge may not know yet of a join over HTTP: the message
		 * comes from where that one began. */
		if (!span_is(a->v[3], "1"))
			buf_span(&q->own, a->v[1]);
		if (id.p != NULL) {
			frame_begin(&q->reply, "ack", id);
			buf_fmt(&q->reply, "{\"UUID\":\"%s\",\"seq\":%.*s}}",
			    q->uuid, (int)a->v[2].n, a->v[2].p);
		}
		return STEP_DONE;
	}
	payload = frame_message_payload(a->v[1]);
	if (payload.n == 0)
		return op_fail(q, ERR_FAULT, NULL);
	frame_begin(&q->reply, "channelMessage", id);
	buf_span(&q->reply, payload);
	buf_str(&q->reply, "}");
	return STEP_DONE;
}

const struct op op_channel_message = { "channelMessage", OP_SIGNED, build,
	render };
