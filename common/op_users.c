/* SPDX-License-Identifier: MIT */
/* users: everybody, or the people of one channel, by name, a page at a time.
 * A recipientUUID or channel that is there names a channel even when it is
 * empty: general, as in channelJoin. */
#include "frame.h"
#include "op.h"

static enum step
build(struct request *q)
{
	int64_t offset = 0, limit = q->conf->users_page;
	bool online = false;

	if (op_read_int(q, "offset", 0, INT32_MAX, &offset) == STEP_ERROR ||
	    op_read_int(q, "limit", 0, q->conf->users_most, &limit) ==
	    STEP_ERROR)
		return STEP_ERROR;
	if (msg_bool(q->msg, "online", &online) == FIELD_WRONG)
		return op_fail(q, ERR_FIELD, "online");
	if (op_read_channel(q) == STEP_ERROR)
		return STEP_ERROR;
	op_call(q, SCRIPT_users);
	call_uint(&q->call, (uint64_t)offset);
	call_uint(&q->call, (uint64_t)limit);
	call_str(&q->call, online ? "1" : "");
	call_str(&q->call, q->of_channel ? q->channel.text : "");
	call_str(&q->call, q->recipient);
	return STEP_CALL;
}

static enum step
render(struct request *q, const struct answer *a)
{
	size_t received = (a->n - 2) / 2;

	if (a->n < 2 || a->n % 2 != 0)
		return op_fail(q, ERR_FAULT, NULL);
	frame_begin(&q->reply, "users", q->id);
	buf_str(&q->reply, "{\"total\":");
	buf_span(&q->reply, a->v[1]);
	buf_fmt(&q->reply, ",\"received\":%zu,\"users\":[", received);
	for (size_t i = 2; i < a->n; i += 2) {
		if (i > 2)
			buf_str(&q->reply, ",");
		if (!op_reply_user(q, a->v[i], span_is(a->v[i + 1], "1")))
			return op_fail(q, ERR_FAULT, NULL);
	}
	buf_str(&q->reply, "]}}");
	return STEP_DONE;
}

const struct op op_users = { "users", OP_SIGNED | OP_GET, build, render };
