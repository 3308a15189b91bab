/* SPDX-License-Identifier: MIT */
/* Commands to a bridge, and the operations about keys, with no Redis. */
#include "command.h"

#include <stdlib.h>

#include "call_word.h"
#include "tap.h"

#define ANN "568f5d1d-2bea-4790-a079-1b5ab61c6b78"
#define S "1bf9ac88-5333-4751-be59-b149e11262ca"
#define HASH "0123456789abcdef0123456789abcdef"
#define OWN "{\"type\":\"sys\"}"
#define ATTACH "attach\n" S "\n" HASH "\n" ANN "\n\"ann\"\n1800000000000\n1\n" \
	"e1\n7\ne2\n9\n" OWN "\n5000\n1\n"
#define ENDS "g e 3,g~ f 4,"
#define CURSOR "b:x:e:1"

static struct command c;

static bool
reads(const char *text)
{
	bool good;
	char *exact = malloc(strlen(text) + 1); /* for the sanitizer */

	memcpy(exact, text, strlen(text));
	command_clear(&c);
	good = command_read(&c, (struct span){ exact, strlen(text) });
	free(exact);
	return good;
}

static bool
ends_are_two(void)
{
	struct span rest = c.effect.ends;
	struct scope log[2];
	struct place end[2];

	return op_next_end(&rest, &log[0], &end[0]) &&
	    op_next_end(&rest, &log[1], &end[1]) && rest.n == 0 &&
	    strcmp(log[0].text, "g") == 0 && strcmp(end[0].epoch, "e") == 0 &&
	    end[0].seq == 3 && strcmp(log[1].text, "g~") == 0 &&
	    strcmp(end[1].epoch, "f") == 0 && end[1].seq == 4 &&
	    !op_next_end(&rest, &log[0], &end[0]);
}

static void
test_commands(void)
{
	ok(reads(ATTACH CURSOR) && c.attach && strcmp(c.session, S) == 0 &&
	    c.effect.kind == EFFECT_SIGNED_IN &&
	    strcmp(c.effect.user, ANN) == 0 &&
	    strcmp(c.effect.key_hash, HASH) == 0 &&
	    c.effect.key_left == 5000, "attach");
	ok(strcmp(c.effect.places[0].epoch, "e1") == 0 &&
	    c.effect.places[0].seq == 7 && c.effect.places[1].seq == 9,
	    "its places");
	ok(span_is(buf_peek(&c.reply), "{\"type\":\"authorized\","
	    "\"authorized\":{\"userUUID\":\"" ANN "\",\"sessionUUID\":\"" S
	    "\",\"expiresAt\":\"2027-01-15T08:00:00Z\",\"created\":true,"
	    "\"cursor\":\"sys:e1:7,u:" ANN ":e2:9\",\"recovered\":true}}") &&
	    span_is(buf_peek(&c.own), OWN), "its frames, without a key");
	ok(reads("join\n" S "\n" ANN "\nc:a\ne\n3\nf\n4\n" OWN "\n\n"
	    CURSOR) &&
	    !c.attach && c.effect.kind == EFFECT_JOINED &&
	    strcmp(c.effect.channel.text, "c:a") == 0 &&
	    c.effect.places[0].seq == 3 && c.effect.places[1].seq == 4 &&
	    span_is(buf_peek(&c.own), OWN), "join");
	ok(reads("join\n" S "\n" ANN "\nc:a\ne\n3\nf\n4\n\n" ENDS "\n"
	    CURSOR) &&
	    c.effect.kind == EFFECT_JOINED && c.own.n == 0 && ends_are_two(),
	    "join of which all are told, and for which another gave way");
	ok(reads("leave\n" S "\n" ANN "\ng\n" ENDS "\n" CURSOR) &&
	    c.effect.kind == EFFECT_LEFT &&
	    strcmp(c.effect.channel.text, "g") == 0 && ends_are_two(),
	    "leave");
	ok(reads("leave\n" S "\n" ANN "\ng\n\n" CURSOR) &&
	    c.effect.ends.n == 0, "of a channel without logs");
	ok(reads("out\n" S "\n" ANN "\n" ENDS "\n" CURSOR) &&
	    c.effect.kind == EFFECT_SIGNED_OUT &&
	    strcmp(c.effect.user, ANN) == 0 && ends_are_two(), "out");
	ok(reads("key\n" S "\n" ANN "\n" HASH "\n12\n" CURSOR) &&
	    c.effect.kind == EFFECT_KEY && c.effect.key_left == 12 &&
	    strcmp(c.effect.key_hash, HASH) == 0, "key");
}

static void
test_nonsense(void)
{
	static const char *const texts[] = { "", "\n", "\n\n\n", "attach",
		"attach\n", "attach\n" S "\n", "attach\nx\n" HASH "\n",
		"attach\n" S "\n" HASH "\n" ANN "\n" CURSOR,
		"nosuch\n" S "\n" ANN "\n", "out\n" S "\n", "out\n" S "\nx\n",
		"out\n" S "\n" ANN "\n", "out\n" S "\n" ANN "\n\n\n",
		"out\n" S "\n" ANN "\n" ENDS ENDS "g e\n",
		"out\n" S "\n" ANN "\n" ENDS "g \n",
		"leave\n" S "\n" ANN "\ng\n",
		"leave\n" S "\n" ANN "\n\n" ENDS "\n",
		"leave\n" S "\n" ANN "\ng\n" "g e x,\n",
		"leave\n" S "\n" ANN "\ng\n" " e 3,\n",
		"leave\n" S "\n" ANN "\ng\n" "g  3,\n",
		"join\n" S "\n" ANN "\ng\ne\nx\nf\n4\n\n\n",
		"join\n" S "\n" ANN "\ng\n\n3\nf\n4\n\n\n",
		"join\n" S "\n" ANN "\ng\ne\n3\nf\n4\n\n",
		"key\n" S "\n" ANN "\nabc\n12\n",
		"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n" };
	char text[] = ATTACH;
	bool any = false;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		any = any || reads(texts[i]);
	ok(!any, "nonsense is none");
	for (size_t n = strlen(text); n-- > 0;) {
		text[n] = '\0';
		any = any || reads(text);
	}
	ok(!any, "nor is half a command");
	command_clear(&c);
}

/* ---- password and signOut ---- */

static struct conf conf;
static struct request q;

static enum step
begin(const char *text)
{
	msg_free(q.msg);
	call_clear(&q.call);
	buf_clear(&q.reply);
	buf_clear(&q.own);
	buf_clear(&q.ends);
	memset(&q, 0, sizeof(q));
	if (msg_parse(span_of(text), NULL, &q.msg) != ERR_NONE)
		return STEP_ERROR;
	q.conf = &conf;
	q.actor.via = VIA_WEBSOCKET;
	strcpy(q.actor.user, ANN);
	strcpy(q.actor.session, S);
	strcpy(q.actor.key_hash, HASH);
	q.actor.bridge = SPAN("B");
	q.op = op_find(msg_type(q.msg));
	return q.op->build(&q);
}

static bool
arg_is(size_t i, const char *text)
{
	return call_word_is(&q.call, i, text);
}

#define ANSWER(...) q.op->render(&q, &(struct answer){ \
	sizeof((const struct span[]){ __VA_ARGS__ }) / sizeof(struct span), \
	(const struct span[]){ __VA_ARGS__ } })
#define CHANGE "{\"type\":\"password\",\"password\":{\"password\":" \
	"\"old horse\",\"newPassword\":\"new horse\"}}"

static void
test_password(void)
{
	ok(begin("{\"type\":\"password\",\"password\":{\"password\":"
	    "\"old horse\",\"newPassword\":\"short\"}}") == STEP_ERROR &&
	    q.error == ERR_FIELD && strcmp(q.payload, "newPassword") == 0,
	    "a new password that is too short");
	ok(begin(CHANGE) == STEP_CALL && q.call.script == SCRIPT_name &&
	    arg_is(2, ANN) && arg_is(3, HASH " B") && arg_is(4, "60000"),
	    "password asks for the name, and shows the key, with its bridge");
	ok(ANSWER(SPAN("OK"), SPAN("ann")) == STEP_CALL &&
	    q.call.script == SCRIPT_find && arg_is(2, "ann"),
	    "looks it up like a sign-in");
	ok(ANSWER(SPAN("OK"), SPAN(ANN), SPAN("")) == STEP_ERROR &&
	    q.error == ERR_PASSWORD, "none stored: none is right");
	begin(CHANGE);
	ANSWER(SPAN("OK"), SPAN("ann"));
	ok(ANSWER(SPAN("OK"), SPAN(S), SPAN("stored")) == STEP_ERROR &&
	    q.error == ERR_PASSWORD, "nor is another user's");
	begin(CHANGE);
	ANSWER(SPAN("OK"), SPAN("ann"));
	ok(ANSWER(SPAN("OK"), SPAN(ANN), SPAN("stored")) == STEP_HASH &&
	    strcmp(q.against, "stored") == 0 &&
	    span_is(q.password, "old horse"), "verifies the old one");
	q.hash_fits = true;
	ok(q.op->build(&q) == STEP_HASH && q.against[0] == '\0' &&
	    span_is(q.password, "new horse"), "hashes the new one");
	strcpy(q.hash, "fresh");
	ok(q.op->build(&q) == STEP_CALL && q.call.script == SCRIPT_password &&
	    arg_is(5, S) && arg_is(6, "B") && arg_is(7, "stored") &&
	    arg_is(8, "fresh") && arg_is(9, q.access_hash) &&
	    strcmp(q.access_hash, HASH) != 0, "and changes it");
	ok(ANSWER(SPAN("OK"), SPAN(ANN), SPAN("\"ann\""),
	    SPAN("1800000000000"), SPAN("0"), SPAN("e"), SPAN("1"), SPAN("e"),
	    SPAN("2"), SPAN(""), SPAN("60000"),
	    SPAN("0")) == STEP_DONE &&
	    q.effect.kind == EFFECT_KEY && q.own.n == 0 &&
	    strcmp(q.effect.key_hash, q.access_hash) == 0 &&
	    strstr(q.reply.p, q.access_key) != NULL,
	    "the session has the new key");
	begin(CHANGE);
	ANSWER(SPAN("OK"), SPAN("ann"));
	ANSWER(SPAN("OK"), SPAN(ANN), SPAN("stored"));
	q.hash_fits = false;
	ok(q.op->build(&q) == STEP_ERROR && q.error == ERR_PASSWORD,
	    "a wrong password");
	ok(begin("{\"type\":\"signOut\"}") == STEP_CALL && arg_is(7, ""),
	    "signOut");
	ok(begin("{\"type\":\"signOut\",\"signOut\":{\"everywhere\":true}}") ==
	    STEP_CALL && arg_is(7, "1"), "everywhere");
	ok(begin("{\"type\":\"signOut\",\"signOut\":{\"everywhere\":\"no\"}}") ==
	    STEP_ERROR && strcmp(q.payload, "everywhere") == 0, "or nonsense");
	msg_free(q.msg);
	call_clear(&q.call);
	buf_clear(&q.reply);
	buf_clear(&q.own);
	buf_clear(&q.ends);
}

int
main(void)
{
	char prefix[] = "p:";

	conf.prefix = prefix;
	conf.key_life = 60;
	conf.password_least = 8;
	conf.password_most = 1024;
	test_commands();
	test_nonsense();
	test_password();
	return tap_end();
}
