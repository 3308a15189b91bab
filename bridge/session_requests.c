/* SPDX-License-Identifier: MIT */
/* What a session asks: its requests run one after the other, in the order
 * sent; what a success changes is applied between reply and next request. */
#include "session_body.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "limit.h"
#include "msg.h"

static void
take_key(struct session *s, const struct effect *e)
{
	snprintf(s->key_hash, sizeof(s->key_hash), "%s", e->key_hash);
	s->key_until = clock_ms() + e->key_left;
}

static bool
sign_in(struct session *s, const struct effect *e)
{
	if (s->state == SESSION_SIGNED_IN)
		session_leave_all(s);
	snprintf(s->user, sizeof(s->user), "%s", e->user);
	take_key(s, e);
	s->key_moved = false;
	s->used = true;
	session_set_state(s, SESSION_SIGNED_IN);
	return session_follow_own(s, e->places);
}

void
session_gone(struct sessions *t, const char *uuid)
{
	presence_gone(t->presence, uuid, t->conf->presence_grace);
}

void
session_missed(struct sessions *t, const char *uuid, const struct effect *e)
{
	if (e->kind == EFFECT_SIGNED_IN || e->kind == EFFECT_JOINED)
		session_gone(t, uuid);
}

/* It joined while it was signed out over HTTP. */
static bool
joined_as_nobody(const struct session *s, const struct effect *e)
{
	return e->kind == EFFECT_JOINED && !session_is(s, e->user);
}

void
session_apply(struct session *s, const struct effect *e)
{
	bool ok = true;

	if (s->state == SESSION_CLOSING) {
		session_missed(s->table, s->uuid, e);
		return;
	}
	if (joined_as_nobody(s, e)) {
		/* It may be counted again. */
		presence_gone(s->table->presence, s->uuid, 0);
		return;
	}
	switch (e->kind) {
	case EFFECT_SIGNED_IN:
		ok = sign_in(s, e);
		session_order_follows(s);
		break;
	case EFFECT_SIGNED_OUT:
		session_leave_all(s);
		s->user[0] = s->key_hash[0] = '\0';
		session_set_state(s, SESSION_OPEN);
		break;
	case EFFECT_JOINED:
		ok = session_enter_channel(s, e);
		session_order_follows(s);
		break;
	case EFFECT_KEY:
		if (!session_is(s, e->user))
			break;
		take_key(s, e);
		s->key_moved = true;
		break;
	case EFFECT_LEFT:
		session_leave_channel(s, session_channel_index(s, &e->channel));
		break;
	case EFFECT_SENT:
	case EFFECT_NONE:
		break;
	}
	if (!ok)
		session_close(s, WS_FULL, "out of memory");
}

/* A channel's frame comes through the channel to those who are in it. */
static bool
wants_own(const struct session *s, const struct effect *e)
{
	return e->kind != EFFECT_SENT ||
	    session_channel_index(s, &e->channel) == s->nchannels;
}

static void start(struct session *s);

static void
refuse(struct session *s, struct span id, enum error e, const char *payload)
{
	struct buf text = { 0 };

	run_error(&text, id, e, payload);
	session_send_text(s, &text);
	buf_clear(&text);
}

/* The key that it ran with was dead, and the session has another by now. */
static bool
runs_again(const struct session *s, const struct outcome *o)
{
	return o->error == ERR_UNSIGNED && s->key_moved &&
	    s->state == SESSION_SIGNED_IN;
}

void
session_answered(struct session *s, const struct outcome *o,
    unsigned generation)
{
	const struct effect *e = o->effect;

	if (runs_again(s, o)) {
		start(s);
		return;
	}
	s->busy = false;
	s->running_bytes = 0;
	free(s->asked);
	s->asked = NULL;
	if (s->state == SESSION_CLOSING) {
		session_missed(s->table, s->uuid, e);
		return;
	}
	if (joined_as_nobody(s, e))
		refuse(s, o->id, ERR_UNSIGNED, "");
	else
		session_send_texts(s, o->reply, wants_own(s, e) ? o->own :
		    (struct span){ NULL, 0 });
	session_apply(s, e);
	if (e->kind == EFFECT_SIGNED_IN)
		s->generation = generation;
	session_order_go_on(s);
	session_adopt(s);
	if (s->state != SESSION_CLOSING)
		hub_catch_up(s->table->hub, s);
	session_run_next(s);
}

static void
start(struct session *s)
{
	s->busy = true;
	s->key_moved = false;
	/* Its text, and what was read of it. */
	s->running_bytes = 2 * s->asked->n;
	if (!session_send_off(s))
		session_close(s, WS_FULL, "out of memory");
}

static void
refuse_flood(struct session *s, const struct waiting *w)
{
	struct msg *m = NULL;
	struct span id = { NULL, 0 };
	char seconds[16];

	snprintf(seconds, sizeof(seconds), "%u", w->wait);
	if (w->text)
		msg_parse((struct span){ w->bytes, w->n }, NULL, &m);
	if (m != NULL)
		id = msg_id(m);
	refuse(s, id, ERR_RATE, seconds);
	msg_free(m);
}

void
session_read(struct session *s)
{
	bool full = s->nwaiting >= (s->paused ? QUEUE_MAX / 2 : QUEUE_MAX) ||
	    s->waiting_bytes >= LIMIT_FRAME;
	bool pause = full || s->held_link != NULL;

	if (pause == s->paused || s->state == SESSION_CLOSING)
		return;
	s->paused = pause;
	ws_pause(s->conn, pause);
}

void
session_read_on(struct session *s)
{
	session_release(s);
	if (s->paused)
		ws_pause(s->conn, false);
	s->paused = false;
}

void
session_run_next(struct session *s)
{
	struct waiting *w;

	if (s->running)
		return;
	s->running = true;
	while (!s->busy && s->first != NULL && session_ready(s)) {
		w = s->first;
		s->first = w->next;
		if (s->first == NULL)
			s->last = &s->first;
		s->nwaiting--;
		s->waiting_bytes -= w->n;
		if (w->wait == 0 && w->text) {
			s->asked = w;
			start(s);
			continue;
		}
		if (w->wait != 0)
			refuse_flood(s, w);
		else
			refuse(s, (struct span){ NULL, 0 }, ERR_FORM,
			    "binary");
		free(w);
	}
	s->running = false;
	session_read(s);
	session_received(s);
}

void
session_request(struct session *s, struct span message, bool text)
{
	struct waiting *w;
	unsigned wait;

	if (s->state == SESSION_CLOSING || !session_may_ask(s, &wait))
		return;
	w = malloc(sizeof(*w) + message.n);
	if (w == NULL) {
		session_close(s, WS_FULL, "out of memory");
		return;
	}
	w->next = NULL;
	w->n = message.n;
	w->text = text;
	w->wait = wait;
	if (message.n != 0)
		memcpy(w->bytes, message.p, message.n);
	*s->last = w;
	s->last = &w->next;
	s->nwaiting++;
	s->waiting_bytes += w->n;
	session_received_none(s); /* it is counted again at once, as the last */
	session_read(s);
	session_run_next(s);
}

void
session_requests_clear(struct session *s)
{
	struct waiting *w;

	while ((w = s->first) != NULL) {
		s->first = w->next;
		free(w);
	}
	free(s->asked);
	s->asked = NULL;
}
