/* SPDX-License-Identifier: MIT */
/* The answer to everything that grants a session a key. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "frame.h"
#include "op.h"

enum { /* words of a grant behind its OK */
	G_USER, G_NAME, G_END, G_CREATED, G_SYS_EPOCH, G_SYS_SEQ, G_USER_EPOCH,
	G_USER_SEQ, G_OWN, G_LEFT, G_RECOVERED, G_WORDS
};

#define MS_MAX 1e14 /* some 3,000 years */

/* Lua may write a whole number with an exponent. 0 for what is none. */
static uint64_t
number(struct span ms)
{
	char text[24];
	double d;

	snprintf(text, sizeof(text), "%.*s", (int)(ms.n > 20 ? 20 : ms.n),
	    ms.n == 0 ? "" : ms.p);
	d = strtod(text, NULL);
	return d >= 0 && d <= MS_MAX ? (uint64_t)d : 0;
}

/* RFC 3339 from ms since 1970. */
static void
expires(struct buf *b, struct span ms)
{
	char out[32];
	time_t t = (time_t)(number(ms) / 1000);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, sizeof(out), "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_str(b, out);
}

/* The session's own sys signIn: the one that all get, or, when the user was on
 * line already, one for itself. */
static void
own_frame(struct buf *own, const struct span *v)
{
	if (span_is(v[G_OWN], "-"))
		return;
	if (v[G_OWN].n != 0) {
		buf_span(own, v[G_OWN]);
		return;
	}
	buf_fmt(own, "{\"type\":\"sys\",\"sys\":{\"type\":\"signIn\","
	    "\"signIn\":{\"uuid\":\"%.*s\",\"username\":",
	    (int)v[G_USER].n, v[G_USER].p);
	buf_span(own, v[G_NAME]);
	buf_str(own, "}}}");
}

bool
op_authorized(const struct span *v, size_t n, const char *session,
    const char *key, struct span id, struct buf *reply, struct buf *own,
    struct effect *e)
{
	struct scope sys = scope_sys(), user;

	if (n != G_WORDS || !uuid_read(v[G_USER], e->user) ||
	    !op_read_place(v[G_SYS_EPOCH], v[G_SYS_SEQ], &e->places[0]) ||
	    !op_read_place(v[G_USER_EPOCH], v[G_USER_SEQ], &e->places[1]))
		return false;
	e->kind = EFFECT_SIGNED_IN;
	e->key_left = number(v[G_LEFT]);
	user = scope_user(e->user);
	frame_begin(reply, "authorized", id);
	buf_fmt(reply, "{\"userUUID\":\"%s\",\"sessionUUID\":\"%s\"",
	    e->user, session);
	if (*key != '\0')
		buf_fmt(reply, ",\"accessKey\":\"%s\"", key);
	buf_str(reply, ",\"expiresAt\":\"");
	expires(reply, v[G_END]);
	buf_fmt(reply, "\",\"created\":%s,\"cursor\":\"",
	    span_is(v[G_CREATED], "1") ? "true" : "false");
	op_cursor(reply, &sys, &e->places[0]);
	buf_str(reply, ",");
	op_cursor(reply, &user, &e->places[1]);
	buf_fmt(reply, "\",\"recovered\":%s}}",
	    span_is(v[G_RECOVERED], "1") ? "true" : "false");
	own_frame(own, v);
	return true;
}
