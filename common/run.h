/* SPDX-License-Identifier: MIT */
/* Runs operations: drives build, Redis, hashing and render until the reply
 * stands. The only place where an operation waits. */
#ifndef PALAVER_RUN_H
#define PALAVER_RUN_H

#include "op.h"

struct run;

/* The outcome; lives until the callback returns. */
struct outcome {
	struct span reply;  /* one JSON message, errors too */
	struct span own;    /* see request.own */
	struct span id;     /* of the request; p is NULL when it gave none */
	enum error error;   /* ERR_NONE: success */
	unsigned retry_after; /* seconds, 0: none */
	const struct effect *effect;
	const struct poll *poll; /* of a long-poll; else NULL */
	bool waits;         /* there is no reply yet: the host waits for what
			     * poll names */
};

typedef void run_cb(void *arg, const struct outcome *o);

/* conf, store and hashing are borrowed. NULL without memory. */
struct run *run_new(const struct conf *c, struct store *s, struct hashing *h);
/* Ends what is on its way without a callback. Call it after store_free and
 * hashing_free. */
void run_free(struct run *r);
/* Runs one message. text is a whole frame or HTTP body (at most LIMIT_FRAME
 * bytes are accepted) and is copied; type is that of the URL or NULL. m, when
 * not NULL, is taken instead of text (GET). Over HTTP bearer is the key of the
 * Authorization header or empty, and the actor's user, key_hash and session
 * are filled from it and the message. cb is called once, perhaps before
 * run_message returns. */
void run_message(struct run *r, const struct actor *a, struct span text,
    const char *type, struct msg *m, struct span bearer, run_cb *cb,
    void *arg);
/* Writes the error reply for failures outside of any operation. */
void run_error(struct buf *out, struct span id, enum error e,
    const char *payload);
/* Requests on their way. */
size_t run_pending(const struct run *r);

#endif
