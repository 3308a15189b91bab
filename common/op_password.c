/* SPDX-License-Identifier: MIT */
/* password: the old one is verified at the cost of a sign-in, whose rate is
 * charged first, the new one hashed, both off the loop; then, if the old one is
 * still what was verified, it is replaced and every key but a new one is dead.
 * The session stays, with the new key. */
#include "op.h"

#include <stdio.h>

#include "limit.h"

enum stage {
	STAGE_START,
	STAGE_NAME,   /* whose password is it? */
	STAGE_FIND,   /* the look-up is on its way */
	STAGE_CHECK,  /* the old one is being verified */
	STAGE_HASH,   /* the new one is being hashed */
	STAGE_CHANGE  /* the change is on its way */
};

static enum step
change(struct request *q)
{
	q->stage = STAGE_CHANGE;
	access_key_new(q->actor.user, q->access_key, q->access_hash);
	op_call(q, SCRIPT_password);
	op_call_session(q);
	call_str(&q->call, q->stored);
	call_str(&q->call, q->hash);
	call_str(&q->call, q->access_hash);
	op_call_guess(q);
	return STEP_CALL;
}

static enum step
build(struct request *q)
{
	struct span new = { NULL, 0 };

	if (op_read_password(q, "password", LEAST_PASSWORD, &q->password) ==
	    STEP_ERROR || op_read_password(q, "newPassword",
	    q->conf->password_least, &new) == STEP_ERROR)
		return STEP_ERROR;
	switch ((enum stage)q->stage) {
	case STAGE_START:
		q->stage = STAGE_NAME;
		op_call(q, SCRIPT_name);
		return STEP_CALL;
	case STAGE_CHECK:
		if (!q->hash_fits)
			return op_fail(q, ERR_PASSWORD, NULL);
		snprintf(q->stored, sizeof(q->stored), "%s", q->against);
		q->against[0] = '\0';
		q->password = new;
		q->stage = STAGE_HASH;
		return STEP_HASH;
	case STAGE_HASH:
		return q->hash_fits ? change(q) :
		    op_fail(q, ERR_FAULT, NULL);
	case STAGE_NAME:
	case STAGE_FIND:
	case STAGE_CHANGE:
		break;
	}
	return op_fail(q, ERR_FAULT, NULL);
}

static enum step
named(struct request *q, const struct answer *a)
{
	if (a->n != 2)
		return op_fail(q, ERR_FAULT, NULL);
	q->stage = STAGE_FIND;
	return op_call_find(q, a->v[1]);
}

static enum step
found(struct request *q, const struct answer *a)
{
	if (a->n != 3 || a->v[2].n >= HASH_LEN)
		return op_fail(q, ERR_FAULT, NULL);
	/* Nothing to verify would be a new hash to make. */
	if (!span_is(a->v[1], q->actor.user) || a->v[2].n == 0)
		return op_fail(q, ERR_PASSWORD, NULL);
	snprintf(q->against, sizeof(q->against), "%.*s", (int)a->v[2].n,
	    a->v[2].p);
	q->stage = STAGE_CHECK;
	return STEP_HASH;
}

static enum step
changed(struct request *q, const struct answer *a)
{
	struct effect *e = &q->effect;

	if (!op_authorized(a->v + 1, a->n - 1, q->actor.session, q->access_key,
	    q->id, &q->reply, &q->own, e))
		return op_fail(q, ERR_FAULT, NULL);
	buf_reset(&q->own); /* nobody has come */
	e->kind = EFFECT_KEY;
	snprintf(e->key_hash, sizeof(e->key_hash), "%s", q->access_hash);
	return STEP_DONE;
}

static enum step
render(struct request *q, const struct answer *a)
{
	switch ((enum stage)q->stage) {
	case STAGE_NAME:
		return named(q, a);
	case STAGE_FIND:
		return found(q, a);
	case STAGE_CHANGE:
		return changed(q, a);
	case STAGE_START:
	case STAGE_CHECK:
	case STAGE_HASH:
		break;
	}
	return op_fail(q, ERR_FAULT, NULL);
}

const struct op op_password = { "password", OP_SIGNED, build, render };
