/* SPDX-License-Identifier: MIT */
/* signOut: the key is dead, the session is nobody's. Atomic as in the seed. */
#include "frame.h"
#include "op.h"

static enum step
build(struct request *q)
{
	call_begin(&q->call, SCRIPT_sign_out, q->conf);
	call_str(&q->call, q->actor.user);
	call_str(&q->call, q->actor.key_hash);
	call_uint(&q->call, (uint64_t)q->conf->key_days * 86400000);
	call_str(&q->call, q->actor.session);
	call_arg(&q->call, q->actor.bridge);
	return STEP_CALL;
}

static enum step
render(struct request *q, const struct answer *a)
{
	(void)a;
	q->effect.kind = EFFECT_SIGNED_OUT;
	frame_begin(&q->reply, "signOut", msg_id(q->msg));
	buf_fmt(&q->reply, "{\"uuid\":\"%s\"}}", q->actor.user);
	return STEP_DONE;
}

const struct op op_sign_out = { "signOut", OP_SIGNED, build, render };
