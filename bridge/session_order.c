/* SPDX-License-Identifier: MIT */
/* What Redis did for a session comes to the bridge by two connections: the
 * answers to what its WebSocket asked, and, in the log of this bridge's
 * commands, what was asked over HTTP. It is made to come true in the order in
 * which Redis did it. An answer says up to where that log went then:
 *
 *   commands behind that are kept until the answer was carried out, so while
 *   a request is on its way all of that session are;
 *   the answer is kept until the commands up to there were carried out; what is
 *   behind its own ends is not sent with them.
 *
 * An error says so as well where a command may have caused it: the request ran
 * with a key that was the session's no more. It then runs again with the new one.
 *
 * Either may end that the session follows logs: it leaves a channel, has one give
 * way, signs out, or in anew; and says up to where these went then. It is kept, and
 * so is all behind it, until the session was sent them up to there: a log may yet
 * have to be read, and a socket to drain.
 *
 * Who was kept waiting for operation_timeout, and not by his own socket, waits no
 * more: for commands with error 20; for a log, or with too many commands, with
 * 4008, and resumes by cursor.
 *
 * Only that session waits. Where nobody acts on WebSockets over HTTP or follows
 * less than before, nothing is kept. */
#include "session_body.h"

#include <stdlib.h>

#include "clock.h"
#include "command.h"

#define COMMANDS_MOST 1000 /* that wait for their turn; request_rate gives less */

/* A command until its turn has come. */
struct command_kept {
	struct command_kept *next;
	uint64_t seq;
	struct command command;
	bool asked; /* see session_owes */
};

/* An answer until its turn has come. */
struct answer_kept {
	struct outcome outcome; /* of these: */
	struct buf reply, own, ends;
	char id[LIMIT_ID];
	struct effect effect;
	unsigned generation; /* see session_answered */
	bool heard;          /* of all commands that came before it */
	bool asked;          /* see session_owes */
};

/* ---- the sessions of which something is kept ---- */

/* What is first of it has all the time. */
static void
wait_anew(struct session *s)
{
	s->waits_until = clock_ms() + s->table->conf->operation_timeout;
}

static void
begin_waiting(struct session *s)
{
	struct sessions *t = s->table;

	wait_anew(s);
	if (s->waits_link != NULL)
		return;
	s->waits_next = t->waiting;
	s->waits_link = &t->waiting;
	if (s->waits_next != NULL)
		s->waits_next->waits_link = &s->waits_next;
	t->waiting = s;
}

/* Unless something still is. */
static void
end_waiting(struct session *s)
{
	if (s->answer != NULL || s->commands != NULL || s->waits_link == NULL)
		return;
	*s->waits_link = s->waits_next;
	if (s->waits_next != NULL)
		s->waits_next->waits_link = s->waits_link;
	s->waits_link = NULL;
}

/* ---- what comes first ---- */

/* Whether all commands that came before the answer were handed over. */
static bool
heard(const struct sessions *t, const struct place *commands)
{
	const struct place *p = hub_handled(t->hub);

	return commands->epoch[0] == '\0' || (commands->seq <= p->seq &&
	    strcmp(commands->epoch, p->epoch) == 0);
}

/* Carries out the commands kept up to seq; false: not all of them yet. */
static bool
carry_out(struct session *s, uint64_t seq)
{
	struct command_kept *c;

	while ((c = s->commands) != NULL && c->seq <= seq) {
		if (session_fits(s, &c->command) &&
		    session_owes(s, &c->command.effect, &c->asked))
			return false;
		s->commands = c->next;
		if (s->commands == NULL)
			s->last_command = &s->commands;
		s->ncommands--;
		session_carry_out(s, &c->command);
		command_clear(&c->command);
		free(c);
		wait_anew(s);
	}
	return true;
}

/* Whether it is the turn of the answer, before which no more commands are to be
 * heard of: those that are kept are carried out, while its own ends hold already,
 * for what comes with them as well. asked: see session_owes. */
static bool
has_turn(struct session *s, const struct effect *answer, bool *asked)
{
	bool done;

	s->withheld = false;
	s->next_answer = answer;
	session_end_logs(s, answer->ends);
	done = carry_out(s, answer->commands.seq);
	s->next_answer = NULL;
	return done && !session_owes(s, answer, asked);
}

/* ---- commands ---- */

static bool
add_command(struct session *s, const struct command *command, uint64_t seq)
{
	struct command_kept *c = s->ncommands < COMMANDS_MOST ?
	    malloc(sizeof(*c)) : NULL;

	if (c == NULL)
		return false;
	*c = (struct command_kept){ NULL, seq, *command, false };
	*s->last_command = c;
	s->last_command = &c->next;
	s->ncommands++;
	return true;
}

void
session_order_command(struct session *s, struct command *c, uint64_t seq)
{
	if (!add_command(s, c, seq)) {
		command_clear(c);
		session_too_slow(s);
		return;
	}
	if (session_fits(s, c))
		session_end_logs(s, c->effect.ends);
	if (s->waits_link == NULL)
		begin_waiting(s);
	session_order_go_on(s);
}

/* ---- answers ---- */

/* NULL without memory. */
static struct answer_kept *
answer_new(const struct outcome *o)
{
	struct answer_kept *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	buf_span(&a->reply, o->reply);
	buf_span(&a->own, o->own);
	buf_span(&a->ends, o->effect->ends);
	a->effect = *o->effect;
	a->effect.ends = buf_peek(&a->ends);
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

static void
answer_free(struct answer_kept *a)
{
	buf_clear(&a->reply);
	buf_clear(&a->own);
	buf_clear(&a->ends);
	free(a);
}

/* Its effect counts as one that is not known: in Redis the session is made what
 * the bridge knows. */
static void
give_up(struct session *s)
{
	struct answer_kept *a = s->answer;
	struct effect none = { .kind = EFFECT_NONE };
	struct outcome o = { .error = ERR_STORAGE, .effect = &none };
	struct buf text = { 0 };

	run_error(&text, a->outcome.id, ERR_STORAGE, "");
	o.reply = buf_peek(&text);
	session_missed(s->table, s->uuid, &a->effect);
	s->generation = 0;
	s->withheld = false;
	s->answer = NULL;
	answer_free(a);
	session_answered(s, &o, 0);
	buf_clear(&text);
}

bool
session_keep_answer(struct session *s, const struct outcome *o,
    unsigned generation)
{
	const struct place *commands = &o->effect->commands;
	struct sessions *t = s->table;
	bool all = heard(t, commands), asked = false;
	struct answer_kept *a;

	if ((all && has_turn(s, o->effect, &asked)) ||
	    s->state == SESSION_CLOSING) {
		end_waiting(s);
		return false;
	}
	a = answer_new(o);
	if (a == NULL || a->reply.oom || a->own.oom || a->ends.oom) {
		if (a != NULL)
			answer_free(a);
		session_close(s, WS_FULL, "out of memory");
		return false;
	}
	a->generation = generation;
	a->heard = all;
	a->asked = asked;
	s->answer = a;
	begin_waiting(s);
	if (!all)
		hub_own_read(t->hub, commands);
	return true;
}

/* ---- both ---- */

void
session_order_go_on(struct session *s)
{
	struct answer_kept *a = s->answer;

	if (a == NULL) {
		/* A request on its way may have come before them. */
		if (!s->busy)
			carry_out(s, UINT64_MAX);
	} else if (a->heard && has_turn(s, &a->effect, &a->asked)) {
		s->answer = NULL;
		session_answered(s, &a->outcome, a->generation);
		answer_free(a);
	}
	end_waiting(s);
}

void
session_order_due(struct sessions *t)
{
	struct session *next;

	for (struct session *s = t->waiting; s != NULL; s = next) {
		next = s->waits_next;
		if (session_ready(s)) /* else when its socket has drained */
			session_order_go_on(s);
	}
}

void
session_order_heard(struct sessions *t, bool all)
{
	struct session *next;

	for (struct session *s = t->waiting; s != NULL; s = next) {
		struct answer_kept *a = s->answer;

		next = s->waits_next;
		if (a == NULL || a->heard ||
		    !(all || heard(t, &a->effect.commands)))
			continue;
		a->heard = true;
		session_order_go_on(s);
	}
}

void
session_order_tick(struct session *s, uint64_t now)
{
	if (s->waits_link == NULL)
		return;
	/* Its socket, or a request on its way, has a time of its own. */
	if (!session_ready(s) || (s->busy && s->answer == NULL))
		wait_anew(s);
	else if (now < s->waits_until)
		return;
	else if (s->answer != NULL && !s->answer->heard)
		give_up(s);
	else
		session_too_slow(s);
}

void
session_order_follows(struct session *s)
{
	for (struct command_kept *c = s->commands; c != NULL; c = c->next)
		if (session_fits(s, &c->command))
			session_end_logs(s, c->command.effect.ends);
	if (s->next_answer != NULL)
		session_end_logs(s, s->next_answer->ends);
}

const struct effect *
session_kept(const struct session *s)
{
	return s->answer == NULL ? NULL : &s->answer->effect;
}

void
session_order_clear(struct session *s)
{
	struct command_kept *c;

	if (s->answer != NULL) {
		session_missed(s->table, s->uuid, &s->answer->effect);
		answer_free(s->answer);
		s->answer = NULL;
	}
	while ((c = s->commands) != NULL) {
		s->commands = c->next;
		command_clear(&c->command);
		free(c);
	}
	s->last_command = &s->commands;
	end_waiting(s);
}
