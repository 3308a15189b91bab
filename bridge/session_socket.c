/* SPDX-License-Identifier: MIT */
/* What the WebSocket server tells of a session: its beginning, what comes, that
 * it may be sent more, its end. */
#include "session_body.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "frame.h"

/* A new session that Redis is told of: an id, for it may be gone by then. */
struct opening {
	struct sessions *table;
	uint64_t id;
};

/* Redis knows the session, or is away: then nobody can attach to it over HTTP,
 * and the next incarnation makes it known. */
static void
on_known(void *arg, enum store_status status, const struct answer *a)
{
	struct opening *opening = arg;
	struct sessions *t = opening->table;
	struct session *s = session_find(t, opening->id);
	struct buf text = { 0 };

	free(opening);
	if (s == NULL || s->state == SESSION_CLOSING)
		return;
	if (status != STORE_OK || a->n != 1)
		s->generation = 0;
	frame_begin(&text, "ready", (struct span){ NULL, 0 });
	buf_fmt(&text, "{\"sessionUUID\":\"%s\",\"protocol\":1}}", s->uuid);
	session_send_text(s, &text);
	buf_clear(&text);
	s->busy = false;
	session_run_next(s);
}

static bool
has_room(void *arg, const struct client *client)
{
	struct sessions *t = arg;
	unsigned most = t->conf->address_connections;

	return !t->restarting && t->count < t->conf->max_connections &&
	    (most == 0 || client->shared ||
	    address_count(&t->addresses, client) < most);
}

static const char *
full(void *arg)
{
	struct sessions *t = arg;

	buf_reset(&t->out);
	t->out.oom = false;
	run_error(&t->out, (struct span){ NULL, 0 }, ERR_FULL, "connections");
	buf_add(&t->out, "", 1);
	return t->out.oom ? "" : t->out.p;
}

static void *
on_open(void *arg, struct ws_conn *c, const struct client *client)
{
	struct sessions *t = arg;
	struct session *s;
	struct opening *opening;

	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->id = ++t->ids;
	s->table = t;
	s->conn = c;
	s->last = &s->first;
	s->last_command = &s->commands;
	s->heard = s->nobody_since = clock_ms();
	s->thin.user = s->user;
	uuid_new(s->uuid);
	s->client = *client;
	opening = malloc(sizeof(*opening));
	if (opening == NULL || !address_add(&t->addresses, client)) {
		free(opening);
		free(s);
		return NULL;
	}
	*opening = (struct opening){ t, s->id };
	session_link(s);
	s->busy = true;
	s->generation = presence_generation(t->presence);
	presence_open(t->presence, s->uuid, on_known, opening);
	return s;
}

static void
on_message(void *session, struct span message, bool text)
{
	session_request(session, message, text);
}

static void
on_heard(void *session)
{
	struct session *s = session;

	s->heard = clock_ms();
	s->pinged = false;
}

/* It costs as a request does, and is answered all the same. */
static void
on_control(void *session)
{
	unsigned wait;

	session_may_ask(session, &wait);
}

static void
on_received(void *session)
{
	session_received(session);
}

static void
on_blocked(void *session)
{
	session_blocked(session);
}

static void
on_drained(void *session)
{
	struct session *s = session;

	session_drained(s);
	if (s->state == SESSION_CLOSING)
		return;
	hub_catch_up(s->table->hub, s);
	session_order_go_on(s);
	session_run_next(s);
}

static void
on_close(void *session)
{
	struct session *s = session;
	struct sessions *t = s->table;

	if (!session_sign_out_waiting(s) && (s->user[0] != '\0' || !s->used))
		session_gone(t, s->uuid);
	session_order_clear(s);
	if (s->members != NULL)
		session_leave_all(s);
	session_requests_clear(s);
	session_received_none(s);
	session_release(s);
	session_drained(s);
	address_drop(&t->addresses, &s->client);
	session_unlink(s);
	free(s->logs);
	free(s->channels);
	free(s->members);
	free(s);
}

static const char *
sick(void *arg)
{
	struct sessions *t = arg;

	return presence_sick(t->presence);
}

struct ws_handler
sessions_ws_handler(struct sessions *t)
{
	return (struct ws_handler){ has_room, full, on_open, on_message,
		on_control, on_heard, on_received, on_blocked, on_drained,
		on_close, sick, t };
}
