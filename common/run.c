/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "frame.h"
#include "limit.h"
#include "log.h"

#define SPARE 512 /* jobs that are kept, of 2 kB: most come and go at once */

/* One request and where its outcome goes; lives from run_message until its
 * callback has returned, in the list of its run. */
struct job {
	struct request q;
	struct run *run;
	struct job *next, **link;
	run_cb *cb;
	void *arg;
};

struct run {
	const struct conf *conf;
	struct store *store;
	struct hashing *hashing;
	struct job *jobs;
	size_t pending;
	struct job *spare; /* all zero but next, for the next ones */
	size_t nspare;
};

static void job_step(struct job *j, enum step step);

static void
job_free(struct job *j)
{
	struct run *r = j->run;

	*j->link = j->next;
	if (j->next != NULL)
		j->next->link = j->link;
	r->pending--;
	msg_free(j->q.msg);
	call_clear(&j->q.call);
	buf_clear(&j->q.since);
	buf_clear(&j->q.reply);
	buf_clear(&j->q.own);
	buf_clear(&j->q.ends);
	poll_clear(&j->q.poll);
	sodium_memzero(j, sizeof(*j));
	if (r->nspare == SPARE) {
		free(j);
		return;
	}
	j->next = r->spare;
	r->spare = j;
	r->nspare++;
}

/* NULL without memory. */
static struct job *
job_new(struct run *r)
{
	struct job *j = r->spare;

	if (j == NULL)
		return calloc(1, sizeof(*j));
	r->spare = j->next;
	r->nspare--;
	j->next = NULL;
	return j;
}

void
run_error(struct buf *out, struct span id, enum error e, const char *payload)
{
	const struct error_row *row = error_row(e);

	frame_begin(out, "error", id);
	buf_fmt(out, "{\"code\":%d,\"error\":\"%s\",\"payload\":", row->code,
	    row->text);
	buf_json_string(out, span_of(payload));
	buf_str(out, "}}");
}

/* Hands the outcome over and ends the job. waits: see STEP_WAIT. */
static void
job_end(struct job *j, bool waits)
{
	struct request *q = &j->q;
	struct outcome o = { .effect = &q->effect };
	int wait;

	o.id = q->id;
	if (q->error == ERR_NONE && (q->reply.oom || q->own.oom ||
	    q->ends.oom))
		op_fail(q, ERR_FAULT, NULL);
	if (q->error != ERR_NONE) {
		buf_reset(&q->reply);
		buf_reset(&q->own);
		q->reply.oom = false;
		q->effect.kind = EFFECT_NONE;
		q->effect.ends = (struct span){ NULL, 0 };
		run_error(&q->reply, o.id, q->error, q->payload);
		wait = atoi(q->payload);
		if (q->error == ERR_RATE)
			o.retry_after = wait > 0 ? (unsigned)wait : 1;
		else if (q->error == ERR_FULL)
			o.retry_after = 1;
	}
	else
		o.retry_after = q->retry_after;
	o.error = q->error;
	o.reply = buf_peek(&q->reply);
	o.own = buf_peek(&q->own);
	o.waits = waits && q->error == ERR_NONE;
	if (q->poll.scopes != NULL)
		o.poll = &q->poll;
	j->cb(j->arg, &o);
	job_free(j);
}

/* What a first word "OK EPOCH SEQ" or "E EPOCH SEQ" says
 * (lua/shared/access.lua). */
static void
take_commands(struct place *commands, struct span word)
{
	const char *epoch = memchr(word.p, ' ', word.n), *seq = NULL;
	const char *end = word.p + word.n;

	if (epoch != NULL) {
		epoch++;
		seq = memchr(epoch, ' ', (size_t)(end - epoch));
	}
	if (seq == NULL || !op_read_place(
	    (struct span){ epoch, (size_t)(seq - epoch) },
	    (struct span){ seq + 1, (size_t)(end - seq) - 1 }, commands))
		*commands = (struct place){ "", 0 };
}

static bool
is_error(struct span word)
{
	return word.n > 0 && word.p[0] == 'E' &&
	    (word.n == 1 || word.p[1] == ' ');
}

/* An answer {"E", code, payload} is the script's error. */
static enum step
job_render(struct job *j, const struct answer *a)
{
	char payload[64];

	if (a->n == 0)
		return op_fail(&j->q, ERR_FAULT, NULL);
	take_commands(&j->q.effect.commands, a->v[0]);
	if (!is_error(a->v[0]))
		return j->q.op->render(&j->q, a);
	if (a->n != 3)
		return op_fail(&j->q, ERR_FAULT, NULL);
	snprintf(payload, sizeof(payload), "%.*s", (int)a->v[2].n, a->v[2].p);
	return op_fail(&j->q, error_from_code(atoi(a->v[1].p)), payload);
}

static void
answered(void *arg, enum store_status status, const struct answer *a)
{
	struct job *j = arg;

	switch (status) {
	case STORE_OK:
		job_step(j, job_render(j, a));
		break;
	case STORE_AWAY:
		job_step(j, op_fail(&j->q, ERR_STORAGE, NULL));
		break;
	case STORE_FAULT:
		job_step(j, op_fail(&j->q, ERR_FAULT, NULL));
		break;
	}
}

static void
hashed(void *arg, bool ok, const char *hash)
{
	struct job *j = arg;

	j->q.hash_fits = ok;
	if (hash != NULL)
		snprintf(j->q.hash, sizeof(j->q.hash), "%s", hash);
	job_step(j, j->q.op->build(&j->q));
}

static void
job_step(struct job *j, enum step step)
{
	struct request *q = &j->q;

	switch (step) {
	case STEP_CALL:
		if (call_send(&q->call, j->run->store,
		    j->run->conf->operation_timeout, answered, j)) {
			call_clear(&q->call);
			return;
		}
		op_fail(q, ERR_FAULT, NULL);
		break;
	case STEP_HASH:
		/* A shared address stands for many. */
		if (hashing_run(j->run->hashing, q->actor.client.shared ? "" :
		    q->actor.client.key, q->password,
		    q->against[0] == '\0' ? NULL : q->against, hashed, j))
			return;
		op_fail(q, ERR_FULL, NULL);
		break;
	case STEP_WAIT:
		job_end(j, true);
		return;
	case STEP_DONE:
	case STEP_ERROR:
		break;
	}
	job_end(j, false);
}

/* Over HTTP: who acts is the owner of the key, in the header or the body. What
 * is empty or no key is none; an operation that needs one says so. */
static enum step
take_identity(struct request *q, struct span bearer)
{
	struct span key = bearer, session = { NULL, 0 };
	struct actor *a = &q->actor;
	enum field found;

	if (key.n == 0)
		msg_top_string(q->msg, "accessKey", &key);
	if (key.n == 0)
		msg_top_string(q->msg, "userAccessKey", &key);
	if (access_key_read(key, a->user, a->key_hash)) {
		memcpy(q->access_key, key.p, key.n);
		q->access_key[key.n] = '\0';
	}
	found = msg_top_string(q->msg, "sessionUUID", &session);
	if (found != FIELD_WRONG && session.n == 0)
		found = msg_top_string(q->msg, "SUUID", &session);
	if (found == FIELD_WRONG ||
	    (session.n != 0 && !uuid_read(session, a->session)))
		return op_fail(q, ERR_FIELD, "sessionUUID");
	return STEP_CALL;
}

static enum step
start(struct job *j, struct span text, const char *type, struct span bearer)
{
	struct request *q = &j->q;
	enum error e = ERR_NONE;

	if (q->msg == NULL)
		e = msg_parse(text, type, &q->msg);
	op_take_id(q);
	if (e != ERR_NONE && e != ERR_FIELD)
		return op_fail(q, e, NULL);
	if (type != NULL && !span_is(msg_type(q->msg), type))
		return op_fail(q, ERR_FORM, "type");
	q->op = op_find(msg_type(q->msg));
	if (q->op == NULL || ((q->op->flags & OP_HTTP) &&
	    q->actor.via != VIA_HTTP))
		return op_fail(q, ERR_TYPE, NULL);
	if (e == ERR_FIELD) /* the payload is no object */
		return op_fail(q, e, q->op->type);
	if (q->actor.via == VIA_HTTP &&
	    take_identity(q, bearer) == STEP_ERROR)
		return STEP_ERROR;
	if ((q->op->flags & OP_SIGNED) && q->actor.user[0] == '\0')
		return op_fail(q, ERR_UNSIGNED, NULL);
	return q->op->build(q);
}

void
run_message(struct run *r, const struct actor *a, struct span text,
    const char *type, struct msg *m, struct span bearer, run_cb *cb,
    void *arg)
{
	struct job *j = job_new(r);
	struct buf out = { 0 };
	struct outcome o = { .error = ERR_FAULT };

	if (j == NULL) {
		msg_free(m);
		run_error(&out, (struct span){ NULL, 0 }, ERR_FAULT, "");
		o.reply = buf_peek(&out);
		o.effect = &(struct effect){ .kind = EFFECT_NONE };
		cb(arg, &o);
		buf_clear(&out);
		return;
	}
	j->run = r;
	j->cb = cb;
	j->arg = arg;
	j->q.conf = r->conf;
	j->q.msg = m;
	j->q.actor = *a;
	j->next = r->jobs;
	j->link = &r->jobs;
	if (j->next != NULL)
		j->next->link = &j->next;
	r->jobs = j;
	r->pending++;
	job_step(j, start(j, text, type, bearer));
}

struct run *
run_new(const struct conf *c, struct store *s, struct hashing *h)
{
	struct run *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->conf = c;
	r->store = s;
	r->hashing = h;
	return r;
}

void
run_free(struct run *r)
{
	struct job *j;

	if (r == NULL)
		return;
	while (r->jobs != NULL)
		job_free(r->jobs);
	while ((j = r->spare) != NULL) {
		r->spare = j->next;
		free(j);
	}
	free(r);
}

size_t
run_pending(const struct run *r)
{
	return r->pending;
}
