/* SPDX-License-Identifier: MIT */
/* What was asked for a session over HTTP, with its sessionUUID: it is done in
 * Redis, and the bridge hears of it by its own log, perhaps before or after the
 * answer to a request that the session made meanwhile. So presence counts the
 * session once more when a command was carried out. */
#include "command.h"
#include "log.h"
#include "session_body.h"

/* Commands are for the session as it was when they were given: nobody's, or
 * that user's. */
static bool
fits(const struct session *s, const struct command *c)
{
	if (c->attach)
		return s->state == SESSION_OPEN;
	return s->state == SESSION_SIGNED_IN &&
	    strcmp(s->user, c->effect.user) == 0;
}

static void
carry_out(struct session *s, const struct command *c)
{
	struct sessions *t = s->table;

	session_send_texts(s, buf_peek(&c->reply), buf_peek(&c->own));
	session_apply(s, &c->effect);
	if (c->effect.kind == EFFECT_SIGNED_OUT) {
		/* A request of the session that came behind the signOut may
		 * have had it counted again. */
		presence_gone(t->presence, s->uuid, 0);
	}
	s->generation = 0;
	session_adopt(s);
	if (s->state != SESSION_CLOSING)
		hub_catch_up(t->hub, s);
}

void
session_command(struct sessions *t, struct span text)
{
	struct command c;
	struct session *s;

	if (!command_read(&c, text)) {
		log_error("a command is none");
	} else {
		s = session_find_uuid(t, c.session);
		if (s != NULL && fits(s, &c))
			carry_out(s, &c);
	}
	command_clear(&c);
}
