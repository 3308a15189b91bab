/* SPDX-License-Identifier: MIT */
/* What the operations that look at passwords share: names are folded, and wrong
 * passwords counted by name and address together. */
#include "limit.h"
#include "op.h"

/* ASCII case is folded: names are unique regardless of it. */
static void
fold(struct buf *b, struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		buf_add(b, &c, 1);
	}
}

void
op_call_folded(struct request *q, struct span name)
{
	struct buf b = { 0 };

	fold(&b, name);
	call_buf(&q->call, &b);
}

/* Name and address together, hashed: neither is quoted in a key. */
static void
guess(struct request *q, struct span name)
{
	struct buf b = { 0 };

	fold(&b, name);
	buf_add(&b, "\n", 1);
	buf_str(&b, q->actor.client.key);
	access_key_hash(buf_peek(&b), q->guess);
	if (b.oom)
		q->call.words.oom = true;
	buf_clear(&b);
}

void
op_call_guess(struct request *q)
{
	call_str(&q->call, q->guess);
	call_uint(&q->call, q->conf->sign_in_rate.count);
	call_uint(&q->call, q->conf->sign_in_rate.seconds);
}

enum step
op_call_find(struct request *q, struct span name)
{
	call_begin(&q->call, SCRIPT_find, q->conf);
	op_call_folded(q, name);
	guess(q, name);
	op_call_guess(q);
	return STEP_CALL;
}

enum step
op_read_password(struct request *q, const char *name, size_t least,
    struct span *out)
{
	if (msg_string(q->msg, name, out) != FIELD_OK ||
	    out->n < least || out->n > q->conf->password_most)
		return op_fail(q, ERR_FIELD, name);
	return STEP_CALL;
}
