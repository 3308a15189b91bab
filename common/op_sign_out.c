/* SPDX-License-Identifier: MIT */
/* signOut: the key is dead, or all of the user's are, and the session is
 * nobody's. Atomic as in the seed. */
#include "frame.h"
#include "op.h"

static enum step
build(struct request *q)
{
	bool everywhere = false;

	if (msg_bool(q->msg, "everywhere", &everywhere) == FIELD_WRONG)
		return op_fail(q, ERR_FIELD, "everywhere");
	op_call(q, SCRIPT_sign_out);
	call_str(&q->call, q->actor.session);
	call_arg(&q->call, q->actor.bridge);
	call_str(&q->call, everywhere ? "1" : "");
	return STEP_CALL;
}

static enum step
render(struct request *q, const struct answer *a)
{
	if (a->n != 2 || !op_read_ends(a->v[1], &q->ends, &q->effect))
		return op_fail(q, ERR_FAULT, NULL);
	q->effect.kind = EFFECT_SIGNED_OUT;
	frame_begin(&q->reply, "signOut", q->id);
	buf_fmt(&q->reply, "{\"uuid\":\"%s\"}}", q->actor.user);
	return STEP_DONE;
}

const struct op op_sign_out = { "signOut", OP_SIGNED | OP_ENDS, build, render };
