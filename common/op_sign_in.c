/* SPDX-License-Identifier: MIT */
/* signIn and signUp. By password: find the name (charging the rate of wrong
 * ones), hash off the loop, then grant, which compares what was verified and
 * says AGAIN when another won the name meanwhile. By access key: grant alone. */
#include "op.h"

#include <stdio.h>

#include "frame.h"
#include "limit.h"
#include "utf8.h"

enum stage {
	STAGE_START,
	STAGE_FIND,   /* the look-up is on its way */
	STAGE_HASH,   /* the password is being hashed */
	STAGE_GRANT   /* the grant is on its way */
};

#define MOST_ROUNDS 5 /* of find and grant before we give up */

static enum step
find(struct request *q, struct span name)
{
	q->stage = STAGE_FIND;
	return op_call_find(q, name);
}

static enum step
grant(struct request *q, const char *mode, struct span name)
{
	char address[KEY_HASH_LEN + 1];
	struct buf json = { 0 };

	q->stage = STAGE_GRANT;
	if (strcmp(mode, "key") != 0)
		access_key_new(q->found_user, q->access_key, q->access_hash);
	buf_json_string(&json, name);
	call_begin(&q->call, SCRIPT_grant, q->conf);
	call_str(&q->call, mode);
	call_str(&q->call, q->found_user);
	op_call_folded(q, name);
	call_arg(&q->call, name);
	call_buf(&q->call, &json);
	call_str(&q->call, *mode == 'n' ? q->hash : q->against);
	call_str(&q->call, q->access_hash);
	call_uint(&q->call, (uint64_t)q->conf->key_life * 1000);
	call_uint(&q->call, LIMIT_KEYS);
	call_str(&q->call, q->actor.session);
	call_arg(&q->call, q->actor.bridge);
	call_uint(&q->call, q->conf->session_lease);
	op_call_guess(q);
	call_uint(&q->call, q->conf->presence_grace);
	call_str(&q->call, q->attach ? "1" : "");
	access_key_hash(span_of(q->actor.client.key), address);
	call_str(&q->call, address);
	/* A shared address is that of many, who would count as one. */
	call_uint(&q->call, q->actor.client.shared ? 0 :
	    q->conf->sign_up_rate.count);
	call_uint(&q->call, q->conf->sign_up_rate.seconds);
	call_uint(&q->call, q->conf->max_users);
	op_call_since(q);
	call_uint(&q->call, q->actor.via == VIA_WEBSOCKET ? 0 :
	    q->conf->request_rate.count);
	call_uint(&q->call, q->conf->request_rate.seconds);
	return STEP_CALL;
}

static enum step
read_names(struct request *q, struct span *name)
{
	if (msg_string(q->msg, "username", name) != FIELD_OK ||
	    !utf8_is_name(*name, q->conf->name_length))
		return op_fail(q, ERR_FIELD, "username");
	return op_read_password(q, "password", q->op == &op_sign_up ?
	    q->conf->password_least : LEAST_PASSWORD, &q->password);
}

/* signIn by an access key in the payload, or over HTTP the one that came with
 * the request. */
static enum step
resume(struct request *q, struct span key)
{
	if (!access_key_read(key, q->found_user, q->access_hash))
		return op_fail(q, ERR_UNSIGNED, NULL);
	memmove(q->access_key, key.p, key.n); /* it may stand there already */
	q->access_key[key.n] = '\0';
	return grant(q, "key", (struct span){ "", 0 });
}

static enum step
build(struct request *q)
{
	struct span key = { NULL, 0 }, name = { NULL, 0 };
	bool new_user = q->against[0] == '\0';

	if (q->stage == STAGE_START && q->actor.via == VIA_HTTP) {
		q->attach = q->actor.session[0] != '\0';
		if (!q->attach)
			uuid_new(q->actor.session);
	}
	if (q->op == &op_sign_in && q->stage == STAGE_START) {
		if (op_read_since(q) == STEP_ERROR)
			return STEP_ERROR;
		if (msg_string(q->msg, "accessKey", &key) == FIELD_WRONG)
			return op_fail(q, ERR_FIELD, "accessKey");
		if (key.n == 0 && q->access_key[0] != '\0' &&
		    msg_string(q->msg, "username", &name) == FIELD_ABSENT)
			key = span_of(q->access_key);
		if (key.n != 0)
			return resume(q, key);
	}
	if (read_names(q, &name) == STEP_ERROR)
		return STEP_ERROR;
	/* Who may not make a user learns nothing of those who are there. */
	if (q->op == &op_sign_up && !q->conf->sign_up)
		return op_fail(q, ERR_FORBIDDEN, "signUp");
	if (q->stage != STAGE_HASH)
		return find(q, name);
	if (!q->hash_fits)
		return op_fail(q, new_user ? ERR_FAULT : ERR_PASSWORD, NULL);
	if (new_user && !q->conf->sign_up)
		return op_fail(q, ERR_PASSWORD, NULL);
	if (new_user)
		uuid_new(q->found_user);
	return grant(q, new_user ? "new" : "password", name);
}

static enum step
found(struct request *q, const struct answer *a)
{
	if (a->n != 3 || a->v[1].n > UUID_LEN || a->v[2].n >= HASH_LEN)
		return op_fail(q, ERR_FAULT, NULL);
	if (a->v[1].n != 0 && q->op == &op_sign_up)
		return op_fail(q, ERR_TAKEN, "username");
	if (a->v[1].n == 0 && q->conf->sign_up &&
	    q->password.n < q->conf->password_least)
		return op_fail(q, ERR_FIELD, "password");
	/* A name that is not there and may not be made costs a hash as well,
	 * and is answered like a wrong password. */
	snprintf(q->found_user, sizeof(q->found_user), "%.*s",
	    (int)a->v[1].n, a->v[1].p);
	snprintf(q->against, sizeof(q->against), "%.*s", (int)a->v[2].n,
	    a->v[2].p);
	q->stage = STAGE_HASH;
	return STEP_HASH;
}

static enum step
granted(struct request *q, const struct answer *a)
{
	if (a->n < 2 || !op_read_ends(a->v[a->n - 1], &q->ends, &q->effect) ||
	    !op_authorized(a->v + 1, a->n - 2, q->actor.session, q->access_key,
	    q->id, &q->reply, &q->own, &q->effect))
		return op_fail(q, ERR_FAULT, NULL);
	snprintf(q->effect.key_hash, sizeof(q->effect.key_hash), "%s",
	    q->access_hash);
	return STEP_DONE;
}

static enum step
render(struct request *q, const struct answer *a)
{
	struct span name = { NULL, 0 };

	if (q->stage == STAGE_FIND)
		return found(q, a);
	if (!span_is(a->v[0], "AGAIN"))
		return granted(q, a);
	if (q->op == &op_sign_up)
		return op_fail(q, ERR_TAKEN, "username");
	if (++q->rounds > MOST_ROUNDS)
		return op_fail(q, ERR_FULL, NULL);
	if (read_names(q, &name) == STEP_ERROR)
		return STEP_ERROR;
	return find(q, name);
}

const struct op op_sign_in = { "signIn", OP_ENDS, build, render };
const struct op op_sign_up = { "signUp", OP_ENDS, build, render };
