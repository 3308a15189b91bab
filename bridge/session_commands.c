/* SPDX-License-Identifier: MIT */
/* What was asked for a session over HTTP, with its sessionUUID: it is done in
 * Redis, and the bridge hears of it by its own log. Presence counts the session
 * once more when a command was carried out. */
#include "command.h"
#include "log.h"
#include "session_body.h"

/* Commands are for the session as it was when they were given: nobody's, or
 * that user's. */
bool
session_fits(const struct session *s, const struct command *c)
{
	if (c->attach)
		return s->state == SESSION_OPEN;
	return session_is(s, c->effect.user);
}

static void
apply(struct session *s, const struct command *c)
{
	struct sessions *t = s->table;

	/* It has had all that came before. */
	hub_catch_up(t->hub, s);
	session_send_texts(s, buf_peek(&c->reply), buf_peek(&c->own));
	session_apply(s, &c->effect);
	if (c->effect.kind == EFFECT_SIGNED_OUT && !s->busy) {
		/* A request that came behind the signOut, and whose answer
		 * was lost, may have had it counted again. */
		presence_gone(t->presence, s->uuid, 0);
	}
	s->generation = 0;
	if (s->state != SESSION_CLOSING)
		hub_catch_up(t->hub, s);
}

void
session_carry_out(struct session *s, const struct command *c)
{
	if (session_fits(s, c))
		apply(s, c);
	session_adopt(s);
}

void
session_command(struct sessions *t, struct span text)
{
	struct session *s;
	struct command c;

	if (!command_read(&c, text)) {
		log_error("a command is none");
		command_clear(&c);
		return;
	}
	s = session_find_uuid(t, c.session);
	if (s == NULL || s->state == SESSION_CLOSING)
		command_clear(&c);
	else
		session_order_command(s, &c, hub_handled(t->hub)->seq);
}
