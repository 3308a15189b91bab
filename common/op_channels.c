/* SPDX-License-Identifier: MIT */
/* channels: the user's own conversations, newest first, a page at a time. */
#include "frame.h"
#include "limit.h"
#include "op.h"

enum { /* words of a row */
	R_SCOPE, R_SEQ, R_READ, R_LAST, R_NAME, R_ONLINE, R_WORDS
};

static enum step
build(struct request *q)
{
	int64_t offset = 0, limit = DEFAULT_CHANNELS;

	if (op_read_int(q, "offset", 0, INT32_MAX, &offset) == STEP_ERROR ||
	    op_read_int(q, "limit", 0, LIMIT_CHANNELS, &limit) == STEP_ERROR)
		return STEP_ERROR;
	op_call(q, SCRIPT_channels);
	call_uint(&q->call, (uint64_t)offset);
	call_uint(&q->call, (uint64_t)limit);
	return STEP_CALL;
}

static void
row(struct request *q, const struct span *v)
{
	struct span scope = v[R_SCOPE], name = { "", 0 };
	char other[UUID_LEN + 1] = "";

	if (scope.n > 2 && scope.p[0] == 'c')
		name = (struct span){ scope.p + 2, scope.n - 2 };
	else if (scope.p[0] == 'p')
		scope_other(scope, q->actor.user, other);
	buf_fmt(&q->reply, "{\"recipientUUID\":\"%s\",\"channel\":\"%.*s\"",
	    other, (int)name.n, name.p);
	if (*other != '\0') {
		buf_fmt(&q->reply, ",\"User\":{\"UUID\":\"%s\",\"Username\":",
		    other);
		buf_span(&q->reply, v[R_NAME].n != 0 ? v[R_NAME] :
		    SPAN("\"\""));
		buf_fmt(&q->reply, ",\"OnLine\":%s}",
		    span_is(v[R_ONLINE], "1") ? "true" : "false");
	}
	buf_str(&q->reply, ",\"seq\":");
	buf_span(&q->reply, v[R_SEQ]);
	buf_str(&q->reply, ",\"readSeq\":");
	buf_span(&q->reply, v[R_READ]);
	buf_str(&q->reply, ",\"lastAt\":\"");
	buf_span(&q->reply, v[R_LAST]);
	buf_str(&q->reply, "\"}");
}

static enum step
render(struct request *q, const struct answer *a)
{
	if (a->n < 2 || (a->n - 2) % R_WORDS != 0)
		return op_fail(q, ERR_FAULT, NULL);
	frame_begin(&q->reply, "channels", q->id);
	buf_str(&q->reply, "{\"total\":");
	buf_span(&q->reply, a->v[1]);
	buf_str(&q->reply, ",\"channels\":[");
	for (size_t i = 2; i < a->n; i += R_WORDS) {
		if (i > 2)
			buf_str(&q->reply, ",");
		if (a->v[i].n == 0)
			return op_fail(q, ERR_FAULT, NULL);
		row(q, a->v + i);
	}
	buf_str(&q->reply, "]}}");
	return STEP_DONE;
}

const struct op op_channels = { "channels", OP_SIGNED | OP_GET, build, render };
