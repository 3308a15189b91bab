/* SPDX-License-Identifier: MIT */
/* Requests on their way, and what becomes of them when the session is gone by
 * the time of the answer: what they changed is counted out, and a signOut that
 * waited behind one is done all the same. */
#include "session_body.h"

#include <stdlib.h>

#include "msg.h"

/* A request on its way: by an id, for its session may be gone by then. */
struct ticket {
	struct ticket *next, **link; /* of all of the table */
	struct sessions *table;
	uint64_t id;              /* 0: of a session that was gone before */
	struct actor actor;
	unsigned generation; /* of the presence, when the request began */
	struct waiting *sign_out; /* what comes behind it although the session
				   * is gone; NULL: nothing */
};

static void
ticket_free(struct ticket *ticket)
{
	*ticket->link = ticket->next;
	if (ticket->next != NULL)
		ticket->next->link = ticket->link;
	free(ticket->sign_out);
	free(ticket);
}

void
session_tickets_clear(struct sessions *t)
{
	while (t->tickets != NULL)
		ticket_free(t->tickets);
}

static void on_outcome(void *arg, const struct outcome *o);

/* m: what was read of it, or NULL, is taken over. False without memory. */
static bool
send_off(struct sessions *t, uint64_t id, const struct actor *a,
    const struct waiting *w, struct msg *m)
{
	struct ticket *ticket = malloc(sizeof(*ticket));

	if (ticket == NULL) {
		msg_free(m);
		return false;
	}
	*ticket = (struct ticket){ .next = t->tickets, .link = &t->tickets,
		.table = t, .id = id, .actor = *a,
		.generation = presence_generation(t->presence) };
	if (ticket->next != NULL)
		ticket->next->link = &ticket->next;
	t->tickets = ticket;
	run_message(t->run, a, (struct span){ w->bytes, w->n }, NULL, m,
	    (struct span){ NULL, 0 }, on_outcome, ticket);
	return true;
}

/* What an effect has made of who acts. */
static void
become(struct actor *a, const struct effect *e)
{
	if (e->kind != EFFECT_SIGNED_IN && e->kind != EFFECT_KEY)
		return;
	memcpy(a->user, e->user, sizeof(a->user));
	memcpy(a->key_hash, e->key_hash, sizeof(a->key_hash));
}

/* Behind what the ticket was for. */
static void
send_off_sign_out(struct ticket *ticket, const struct effect *e)
{
	struct actor *a = &ticket->actor;

	become(a, e);
	if (!send_off(ticket->table, 0, a, ticket->sign_out, NULL))
		session_gone(ticket->table, a->session);
}

static void
on_outcome(void *arg, const struct outcome *o)
{
	struct ticket *ticket = arg;
	struct sessions *t = ticket->table;
	struct session *s = session_find(t, ticket->id);
	unsigned generation = ticket->generation;

	if (o->error == ERR_STORAGE)
		presence_doubt(t->presence);
	if (ticket->sign_out != NULL)
		send_off_sign_out(ticket, o->effect);
	if (ticket->id == 0 && o->effect->kind != EFFECT_SIGNED_OUT)
		session_gone(t, ticket->actor.session);
	else if (s == NULL)
		session_missed(t, ticket->actor.session, o->effect);
	ticket_free(ticket);
	if (s != NULL && !session_keep_answer(s, o, generation))
		session_answered(s, o, generation);
}

static struct actor
actor_of(const struct session *s)
{
	struct actor a = { .via = VIA_WEBSOCKET };

	memcpy(a.user, s->user, sizeof(a.user));
	memcpy(a.key_hash, s->key_hash, sizeof(a.key_hash));
	memcpy(a.session, s->uuid, sizeof(a.session));
	a.bridge = presence_id(s->table->presence);
	a.client = s->client;
	return a;
}

bool
session_send_off(struct session *s)
{
	struct actor a = actor_of(s);
	struct msg *m = NULL;
	const struct op *op;

	if (msg_parse((struct span){ s->asked->bytes, s->asked->n }, NULL,
	    &m) != ERR_NONE) {
		msg_free(m); /* it is read again, for its error */
		m = NULL;
	}
	op = m == NULL ? NULL : op_find(msg_type(m));
	s->withheld = op != NULL && (op->flags & OP_ENDS) != 0;
	return send_off(s->table, s->id, &a, s->asked, m);
}

/* The request that waits, taken out, if it is a signOut of whom s is signed in
 * as once what is on its way is done; or NULL. */
static struct waiting *
take_sign_out(struct session *s)
{
	for (struct waiting **at = &s->first, *w; (w = *at) != NULL;
	    at = &w->next) {
		struct msg *m = NULL;
		bool out, in;

		if (!w->text || w->wait != 0)
			continue;
		msg_parse((struct span){ w->bytes, w->n }, NULL, &m);
		out = m != NULL && span_is(msg_type(m), "signOut");
		in = m != NULL && (span_is(msg_type(m), "signIn") ||
		    span_is(msg_type(m), "signUp"));
		msg_free(m);
		if (out)
			*at = w->next;
		if (out || in)
			return out ? w : NULL;
	}
	return NULL;
}

bool
session_sign_out_waiting(struct session *s)
{
	struct sessions *t = s->table;
	struct ticket *ticket = t->tickets;
	const struct effect *kept;
	struct waiting *w;
	struct actor a;
	bool sent;

	if (s->first == NULL || s->state == SESSION_CLOSING)
		return false;
	while (ticket != NULL && ticket->id != s->id)
		ticket = ticket->next;
	w = take_sign_out(s);
	if (w == NULL)
		return false;
	if (ticket != NULL) {
		ticket->sign_out = w;
		return true;
	}
	a = actor_of(s);
	kept = session_kept(s);
	if (kept != NULL)
		become(&a, kept);
	sent = send_off(t, 0, &a, w, NULL);
	free(w);
	return sent;
}
