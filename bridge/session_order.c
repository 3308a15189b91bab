/* SPDX-License-Identifier: MIT */
/* What Redis did for a session comes to the bridge by two connections: the
 * answers to what its WebSocket asked, and, in the log of this bridge's
 * commands, what was asked over HTTP. It is made to come true in the order in
 * which Redis did it. An answer says up to where that log went then:
 *
 *   commands behind that are kept until the answer was carried out, so while
 *   a request is on its way all of that session are;
 *   the answer is kept until the commands up to there were carried out.
 *
 * An error says so as well where a command may have caused it: the request ran
 * with a key that was the session's no more. It then runs again with the new one.
 *
 * An answer to channelLeave also waits while the channel's log is still being
 * read: what was said there before has yet to come.
 *
 * Only that session waits. Where nobody acts on WebSockets over HTTP there are
 * no commands, and nothing is kept. */
#include "session_body.h"

#include <stdlib.h>

#include "clock.h"

/* A command that waits for an answer. As many as its user may ask for over HTTP
 * (request_rate) within operation_timeout. */
struct command_kept {
	struct command_kept *next;
	uint64_t seq;
	size_t n;
	char text[];
};

/* An answer that waits for commands. */
struct answer_kept {
	struct answer_kept *next, **link; /* of all of the table */
	struct session *session;
	struct outcome outcome; /* of these: */
	struct buf reply, own;
	char id[LIMIT_ID];
	struct effect effect;
	unsigned generation; /* see session_answered */
	bool heard;          /* of all commands that it waits for */
	uint64_t until;      /* ms; then it counts as not answered */
};

/* Whether all commands that came before the answer were handed over. */
static bool
heard(const struct sessions *t, const struct place *commands)
{
	const struct place *p = hub_handled(t->hub);

	return commands->epoch[0] == '\0' || (commands->seq <= p->seq &&
	    strcmp(commands->epoch, p->epoch) == 0);
}

/* Whether it leaves a channel of which it may not have had all. */
static bool
leaves_early(const struct session *s, const struct effect *e)
{
	size_t i = session_channel_index(s, &e->channel);

	return e->kind == EFFECT_LEFT && i < s->nchannels &&
	    hub_reads(&s->logs[i * CHANNEL_LOGS]);
}

bool
session_keep_command(struct session *s, struct span text, uint64_t seq)
{
	struct command_kept *c;

	if (!s->busy || (s->answer != NULL &&
	    (!s->answer->heard || seq <= s->answer->effect.commands.seq)))
		return false;
	c = malloc(sizeof(*c) + text.n);
	if (c == NULL) {
		session_close(s, WS_FULL, "out of memory");
		return true;
	}
	c->next = NULL;
	c->seq = seq;
	c->n = text.n;
	memcpy(c->text, text.p, text.n);
	*s->last_command = c;
	s->last_command = &c->next;
	return true;
}

void
session_commands_kept(struct session *s, uint64_t seq)
{
	struct command_kept *c;

	while ((c = s->commands) != NULL && c->seq <= seq) {
		s->commands = c->next;
		if (s->commands == NULL)
			s->last_command = &s->commands;
		session_carry_out(s, (struct span){ c->text, c->n });
		free(c);
	}
}

/* Its session waits for it no more. */
static void
answer_take(struct answer_kept *a)
{
	*a->link = a->next;
	if (a->next != NULL)
		a->next->link = a->link;
	a->session->answer = NULL;
}

static void
answer_free(struct answer_kept *a)
{
	buf_clear(&a->reply);
	buf_clear(&a->own);
	free(a);
}

/* NULL without memory. */
static struct answer_kept *
answer_new(const struct outcome *o)
{
	struct answer_kept *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	buf_span(&a->reply, o->reply);
	buf_span(&a->own, o->own);
	if (a->reply.oom || a->own.oom) {
		answer_free(a);
		return NULL;
	}
	a->effect = *o->effect;
	a->outcome = *o;
	a->outcome.reply = buf_peek(&a->reply);
	a->outcome.own = buf_peek(&a->own);
	a->outcome.effect = &a->effect;
	if (o->id.p != NULL) {
		memcpy(a->id, o->id.p, o->id.n);
		a->outcome.id.p = a->id;
	}
	return a;
}

bool
session_keep_answer(struct session *s, const struct outcome *o,
    unsigned generation)
{
	struct sessions *t = s->table;
	bool all = heard(t, &o->effect->commands);
	struct answer_kept *a;

	session_commands_kept(s, o->effect->commands.seq);
	if (s->state == SESSION_CLOSING || (all && !leaves_early(s, o->effect)))
		return false;
	a = answer_new(o);
	if (a == NULL) {
		session_close(s, WS_FULL, "out of memory");
		return false;
	}
	a->generation = generation;
	a->heard = all;
	a->until = clock_ms() + t->conf->operation_timeout;
	a->session = s;
	a->next = t->answers;
	a->link = &t->answers;
	if (a->next != NULL)
		a->next->link = &a->next;
	t->answers = a;
	s->answer = a;
	if (!all)
		hub_own_read(t->hub, &a->effect.commands);
	return true;
}

/* The next that has nothing to wait for any more. */
static struct answer_kept *
find_due(struct sessions *t)
{
	struct answer_kept *a = t->answers;

	while (a != NULL && (!a->heard || leaves_early(a->session, &a->effect)))
		a = a->next;
	return a;
}

static void
go_on(struct answer_kept *a)
{
	answer_take(a);
	session_answered(a->session, &a->outcome, a->generation);
	answer_free(a);
}

void
session_answers_due(struct sessions *t)
{
	struct answer_kept *a;

	while ((a = find_due(t)) != NULL)
		go_on(a);
}

void
session_answers_heard(struct sessions *t, bool all)
{
	for (struct answer_kept *a = t->answers; a != NULL; a = a->next)
		a->heard |= all || heard(t, &a->effect.commands);
	session_answers_due(t);
}

/* Its effect counts as one that is not known: in Redis the session is made what
 * the bridge knows. */
static void
give_up(struct answer_kept *a)
{
	struct session *s = a->session;
	struct effect none = { .kind = EFFECT_NONE };
	struct outcome o = { .error = ERR_STORAGE, .effect = &none };
	struct buf text = { 0 };

	run_error(&text, a->outcome.id, ERR_STORAGE, "");
	o.reply = buf_peek(&text);
	session_missed(s->table, s->uuid, &a->effect);
	s->generation = 0;
	answer_take(a);
	answer_free(a);
	session_answered(s, &o, 0);
	buf_clear(&text);
}

void
session_order_tick(struct session *s, uint64_t now)
{
	if (s->answer == NULL || now < s->answer->until)
		return;
	if (s->answer->heard)
		go_on(s->answer);
	else
		give_up(s->answer);
}

void
session_order_clear(struct session *s)
{
	struct command_kept *c;

	if (s->answer != NULL) {
		struct answer_kept *a = s->answer;

		session_missed(s->table, s->uuid, &a->effect);
		answer_take(a);
		answer_free(a);
	}
	while ((c = s->commands) != NULL) {
		s->commands = c->next;
		free(c);
	}
	s->last_command = &s->commands;
}
