/* SPDX-License-Identifier: MIT */
/* Both halves of the operations with no Redis. */
#include "op.h"

#include <stdlib.h>

#include "frame.h"
#include "call_word.h"
#include "tap.h"

#define ANN "568f5d1d-2bea-4790-a079-1b5ab61c6b78"
#define BOB "1bf9ac88-5333-4751-be59-b149e11262ca"

static struct conf conf;
static struct request q;

static void
clear(void)
{
	msg_free(q.msg);
	call_clear(&q.call);
	buf_clear(&q.reply);
	buf_clear(&q.own);
	buf_clear(&q.ends);
	buf_clear(&q.since);
	memset(&q, 0, sizeof(q));
}

/* Begins a request of ann's. */
static enum step
begin(enum via via, const char *text)
{
	clear();
	if (msg_parse(span_of(text), NULL, &q.msg) != ERR_NONE)
		return STEP_ERROR;
	op_take_id(&q);
	q.conf = &conf;
	q.actor.via = via;
	strcpy(q.actor.user, ANN);
	strcpy(q.actor.session, BOB);
	q.actor.bridge = via == VIA_WEBSOCKET ? SPAN("B") : SPAN("");
	strcpy(q.actor.client.key, "192.0.2.1");
	q.op = op_find(msg_type(q.msg));
	return q.op->build(&q);
}

static bool
arg_is(size_t i, const char *text)
{
	return call_word_is(&q.call, i, text);
}

static enum step
answer(const struct span *v, size_t n)
{
	struct answer a = { n, v };

	return q.op->render(&q, &a);
}

#define ANSWER(...) answer((const struct span[]){ __VA_ARGS__ }, \
	sizeof((const struct span[]){ __VA_ARGS__ }) / sizeof(struct span))
#define FRAME "{\"type\":\"channelMessage\",\"cursor\":\"g:e:1\"," \
	"\"channelMessage\":{\"UUID\":\"u\",\"Message\":\"x\"}}"
#define OWN "{\"type\":\"sys\"}"

static void
test_users_of_channel(void)
{
	ok(begin(VIA_HTTP, "{\"type\":\"users\",\"users\":{\"limit\":5}}") ==
	    STEP_CALL && arg_is(8, "") && arg_is(9, ""), "users of no channel");
	ok(begin(VIA_HTTP, "{\"type\":\"users\",\"users\":"
	    "{\"recipientUUID\":\"\"}}") == STEP_CALL && arg_is(8, "g"),
	    "an empty recipient names general");
	ok(begin(VIA_HTTP, "{\"type\":\"users\",\"users\":"
	    "{\"recipientUUID\":null}}") == STEP_CALL && arg_is(8, ""),
	    "null does not");
	ok(begin(VIA_HTTP, "{\"type\":\"users\",\"users\":"
	    "{\"recipientUUID\":\"" BOB "\"}}") == STEP_CALL &&
	    arg_is(8, "p:" BOB ":" ANN) && arg_is(9, BOB), "a user: the two");
	ok(begin(VIA_HTTP, "{\"type\":\"users\",\"users\":"
	    "{\"channel\":\"news\",\"online\":true}}") == STEP_CALL &&
	    arg_is(7, "1") && arg_is(8, "c:news"), "a name");
}

#define MESSAGES(members) "{\"type\":\"channelMessages\"," \
	"\"channelMessages\":{" members "}}"

static void
test_messages(void)
{
	ok(begin(VIA_HTTP, MESSAGES("")) == STEP_CALL && arg_is(5, "g") &&
	    arg_is(7, "") && arg_is(8, "50"), "the newest page of general");
	ok(begin(VIA_HTTP, MESSAGES("\"before\":7,\"limit\":100")) ==
	    STEP_CALL && arg_is(7, "7") && arg_is(8, "100"), "before a seq");
	ok(begin(VIA_HTTP, MESSAGES("\"before\":\"7\"")) == STEP_CALL &&
	    arg_is(7, "7"), "before a seq in digits");
	ok(begin(VIA_HTTP, MESSAGES("\"before\":\"g:5f:12\"")) == STEP_CALL &&
	    arg_is(7, "12"), "before a cursor");
	ok(begin(VIA_HTTP, MESSAGES("\"channel\":\"a\",\"before\":"
	    "\"sys:1:3,c:ab:2:4,c:a:5f:12,c:a~:5f:2\"")) == STEP_CALL &&
	    arg_is(7, "12"), "the cursor of the channel among several");
	ok(begin(VIA_HTTP, MESSAGES("\"before\":\"g~:5f:12\"")) ==
	    STEP_ERROR && strcmp(q.payload, "before") == 0,
	    "another log's cursor");
	ok(begin(VIA_HTTP, MESSAGES("\"before\":\"g:12\"")) == STEP_ERROR &&
	    begin(VIA_HTTP, MESSAGES("\"before\":\"g:5f:\"")) ==
	    STEP_ERROR && begin(VIA_HTTP, MESSAGES("\"before\":\",,\"")) ==
	    STEP_ERROR && begin(VIA_HTTP, MESSAGES("\"before\":\"g:5f:1x\""))
	    == STEP_ERROR, "no cursors");
	ok(begin(VIA_HTTP, MESSAGES("\"before\":0")) == STEP_ERROR &&
	    begin(VIA_HTTP, MESSAGES("\"before\":1000000000000000")) ==
	    STEP_ERROR && begin(VIA_HTTP, MESSAGES("\"before\":{}")) ==
	    STEP_ERROR, "seqs that cannot be");
	ok(begin(VIA_HTTP, MESSAGES("\"limit\":101")) == STEP_ERROR &&
	    strcmp(q.payload, "limit") == 0, "beyond the limit");
	ok(begin(VIA_HTTP, MESSAGES("\"channel\":\"a\"")) == STEP_CALL &&
	    ANSWER(SPAN("OK"), SPAN("1"), SPAN(FRAME), SPAN(FRAME)) ==
	    STEP_DONE && span_is(buf_peek(&q.reply),
	    "{\"type\":\"channelMessages\",\"channelMessages\":{"
	    "\"recipientUUID\":\"\",\"channel\":\"a\",\"messages\":["
	    "{\"UUID\":\"u\",\"Message\":\"x\"},"
	    "{\"UUID\":\"u\",\"Message\":\"x\"}],\"more\":true}}"),
	    "channelMessages gives them");
	ok(begin(VIA_HTTP, MESSAGES("")) == STEP_CALL &&
	    ANSWER(SPAN("OK"), SPAN("0"), SPAN("{}")) == STEP_ERROR &&
	    q.error == ERR_FAULT, "what is no message is a fault");
}

#define READ(members) "{\"type\":\"channelRead\",\"channelRead\":{" \
	members "}}"
#define READ_EVENT "{\"type\":\"channelRead\",\"cursor\":\"u:x:1\"," \
	"\"origin\":\"0123456789abcdef\",\"channelRead\":{}}"

static void
test_read(void)
{
	char origin[ORIGIN_LEN + 1];

	ok(begin(VIA_HTTP, READ("")) == STEP_ERROR &&
	    strcmp(q.payload, "seq") == 0 &&
	    begin(VIA_HTTP, READ("\"seq\":-1")) == STEP_ERROR &&
	    begin(VIA_HTTP, READ("\"seq\":1.5")) == STEP_ERROR,
	    "channelRead needs a seq");
	frame_mark(BOB, origin);
	ok(begin(VIA_WEBSOCKET, READ("\"seq\":5,\"recipientUUID\":\"" BOB
	    "\"")) == STEP_CALL && arg_is(5, "p:" BOB ":" ANN) &&
	    arg_is(7, "5") && arg_is(8, origin) && arg_is(9,
	    "\"recipientUUID\":\"" BOB "\",\"channel\":\"\""),
	    "channelRead tells who did it by a hash");
	ok(strlen(origin) == ORIGIN_LEN && strstr(BOB, origin) == NULL,
	    "which is not the session's UUID");
	ok(ANSWER(SPAN("OK"), SPAN("4")) == STEP_DONE &&
	    span_is(buf_peek(&q.reply), "{\"type\":\"channelRead\","
	    "\"channelRead\":{\"recipientUUID\":\"" BOB "\",\"channel\":\"\","
	    "\"seq\":4}}"), "and answers what was read");
	ok(span_is(frame_origin(SPAN(READ_EVENT)), "0123456789abcdef") &&
	    frame_origin(SPAN(FRAME)).n == 0, "the origin of an event");
}

static void
test_channels(void)
{
	ok(begin(VIA_HTTP, "{\"type\":\"channels\"}") == STEP_CALL &&
	    arg_is(5, "0") && arg_is(6, "50"), "channels");
	ok(ANSWER(SPAN("OK"), SPAN("3"),
	    SPAN("g"), SPAN("5"), SPAN("2"), SPAN("T"), SPAN(""), SPAN("0"),
	    SPAN("p:" BOB ":" ANN), SPAN("7"), SPAN("7"), SPAN("T"),
	    SPAN("\"bob\""), SPAN("1"),
	    SPAN("c:news"), SPAN("0"), SPAN("0"), SPAN("T"), SPAN(""),
	    SPAN("0")) == STEP_DONE && span_is(buf_peek(&q.reply),
	    "{\"type\":\"channels\",\"channels\":{\"total\":3,\"channels\":["
	    "{\"recipientUUID\":\"\",\"channel\":\"\",\"seq\":5,"
	    "\"readSeq\":2,\"lastAt\":\"T\"},"
	    "{\"recipientUUID\":\"" BOB "\",\"channel\":\"\",\"User\":"
	    "{\"UUID\":\"" BOB "\",\"Username\":\"bob\",\"OnLine\":true},"
	    "\"seq\":7,\"readSeq\":7,\"lastAt\":\"T\"},"
	    "{\"recipientUUID\":\"\",\"channel\":\"news\",\"seq\":0,"
	    "\"readSeq\":0,\"lastAt\":\"T\"}]}}"), "channels gives them");
	ok(begin(VIA_HTTP, "{\"type\":\"channels\"}") == STEP_CALL &&
	    ANSWER(SPAN("OK"), SPAN("1"), SPAN("g")) == STEP_ERROR,
	    "half a row is a fault");
	ok(begin(VIA_HTTP, "{\"type\":\"channels\",\"channels\":"
	    "{\"limit\":201}}") == STEP_ERROR, "beyond the limit");
}

int
main(void)
{
	struct span grant[11] = { SPAN(ANN), SPAN("\"ann\""), SPAN("1"),
		SPAN("0"), SPAN("e"), SPAN("1"), SPAN("e"), SPAN("2"),
		SPAN(""), SPAN("1"), SPAN("0") };
	static const struct { struct span text; uint64_t ms; } times[] = {
		{ { "2592000000", 10 }, 2592000000 },
		{ { "2.592e+09", 9 }, 2592000000 },
		{ { "99999999999999999999", 20 }, 0 },
		{ { "-1", 2 }, 0 },
		{ { "nan", 3 }, 0 },
	};
	struct span a, b;
	struct place place;
	char prefix[] = "p:";

	conf.prefix = prefix;
	conf.key_life = 30;
	conf.sign_up = true;
	conf.name_length = 64;
	conf.password_least = 8;
	conf.password_most = 1024;
	conf.message_length = 4096;
	conf.message_bytes = 16384;
	conf.users_page = 200;
	conf.users_most = 1000;
	conf.join_messages = 10;
	conf.messages_page = 50;
	conf.messages_most = 100;

	ok(op_find(SPAN("nosuch")) == NULL, "no such operation");
	ok(begin(VIA_HTTP, "{\"type\":\"users\",\"users\":{\"limit\":1001}}") ==
	    STEP_ERROR && q.error == ERR_FIELD, "users beyond the limit");
	ok(begin(VIA_HTTP, "{\"type\":\"users\"}") == STEP_CALL &&
	    q.call.script == SCRIPT_users && arg_is(0, "p:") &&
	    arg_is(1, "p:0:") && arg_is(2, ANN) && arg_is(6, "200"),
	    "users asks for a page");
	ok(ANSWER(SPAN("OK"), SPAN("1"), SPAN("ann\n" ANN "\nAnn \"A\""),
	    SPAN("1")) == STEP_DONE && span_is(buf_peek(&q.reply),
	    "{\"type\":\"users\",\"users\":{\"total\":1,\"received\":1,"
	    "\"users\":[{\"UUID\":\"" ANN "\",\"Username\":\"Ann \\\"A\\\"\","
	    "\"OnLine\":true}]}}"), "users gives it");
	ok(begin(VIA_HTTP, "{\"type\":\"users\"}") == STEP_CALL &&
	    ANSWER(SPAN("OK"), SPAN("1"), SPAN("nonsense"), SPAN("1")) ==
	    STEP_ERROR, "nonsense from Redis is a fault");

	ok(begin(VIA_WEBSOCKET, "{\"type\":\"channelMessage\","
	    "\"channelMessage\":{\"message\":\"\"}}") == STEP_ERROR &&
	    strcmp(q.payload, "message") == 0, "an empty message");
	ok(begin(VIA_WEBSOCKET, "{\"type\":\"channelMessage\","
	    "\"channelMessage\":{\"message\":\"x\",\"UUID\":\"7\"}}") ==
	    STEP_ERROR && strcmp(q.payload, "UUID") == 0, "a bad UUID");
	ok(begin(VIA_WEBSOCKET, "{\"type\":\"channelMessage\",\"id\":\"i\","
	    "\"channelMessage\":{\"message\":\"x\",\"recipientUUID\":\"" BOB
	    "\"}}") == STEP_CALL && arg_is(5, "p:" BOB ":" ANN) &&
	    arg_is(6, BOB) && arg_is(9, "\"x\""), "a private message");
	ok(ANSWER(SPAN("OK"), SPAN(FRAME), SPAN("1"), SPAN("0")) == STEP_DONE &&
	    strstr(q.reply.p, "\"ack\",\"id\":\"i\"") != NULL &&
	    span_is(buf_peek(&q.own), FRAME), "is acknowledged");
	ok(begin(VIA_WEBSOCKET, "{\"type\":\"channelMessage\",\"id\":\"i\","
	    "\"channelMessage\":{\"message\":\"x\"}}") == STEP_CALL &&
	    ANSWER(SPAN("OK"), SPAN(FRAME), SPAN("1"), SPAN("1")) ==
	    STEP_DONE && q.reply.n != 0 && q.own.n == 0,
	    "and nothing else to who is in the channel");
	ok(begin(VIA_HTTP, "{\"type\":\"channelMessage\","
	    "\"channelMessage\":{\"message\":\"x\"}}") == STEP_CALL &&
	    ANSWER(SPAN("OK"), SPAN(FRAME), SPAN("1"), SPAN("0")) ==
	    STEP_DONE &&
	    span_is(buf_peek(&q.reply), "{\"type\":\"channelMessage\","
	    "\"channelMessage\":{\"UUID\":\"u\",\"Message\":\"x\"}}"),
	    "over HTTP the stored message is the reply");

	ok(begin(VIA_WEBSOCKET, "{\"type\":\"channelJoin\",\"channelJoin\":"
	    "{\"recipientUUID\":\"x\"}}") == STEP_ERROR, "a bad recipient");
	ok(begin(VIA_WEBSOCKET, "{\"type\":\"channelJoin\",\"channelJoin\":"
	    "{\"channel\":\"UP\"}}") == STEP_ERROR, "a bad channel");
	ok(begin(VIA_WEBSOCKET, "{\"type\":\"channelJoin\"}") == STEP_CALL &&
	    arg_is(7, "g"), "general");
	ok(ANSWER(SPAN("OK"), SPAN(BOB), SPAN("e"), SPAN("1"), SPAN("f"),
	    SPAN("2"), SPAN("0"), SPAN("0"), SPAN(OWN), SPAN("g e 9,"),
	    SPAN("1"), SPAN("1"),
	    SPAN("ann\n" ANN "\nann"), SPAN("1"), SPAN(FRAME)) == STEP_DONE &&
	    q.effect.kind == EFFECT_JOINED && q.effect.places[0].seq == 1 &&
	    q.effect.places[1].seq == 2 && span_is(buf_peek(&q.own), OWN) &&
	    span_is(q.effect.ends, "g e 9,") &&
	    strstr(q.reply.p, "\"messages\":[{\"UUID\":\"u\"") != NULL,
	    "channelJoin gives messages and users");
	ok(begin(VIA_WEBSOCKET, "{\"type\":\"channelJoin\",\"channelJoin\":"
	    "{\"since\":[\"g:ab:7\",\"g~:ab:9,c:a:cd:1\"]}}") == STEP_CALL &&
	    arg_is(13, "g ab 7\ng~ ab 9\nc:a cd 1\n"), "with cursors");
	ok(ANSWER(SPAN("OK"), SPAN(BOB), SPAN("ab"), SPAN("8"), SPAN("ab"),
	    SPAN("9"), SPAN("1"), SPAN("1"), SPAN(""), SPAN(""), SPAN("0"),
	    SPAN("0"),
	    SPAN(FRAME)) == STEP_DONE && q.effect.places[0].seq == 8 &&
	    q.own.n == 0 &&
	    strstr(q.reply.p, "\"more\":true,") != NULL &&
	    strstr(q.reply.p, "\"cursor\":\"g:ab:8,g~:ab:9\","
	    "\"recovered\":true}}") != NULL, "it is resumed");
	ok(begin(VIA_WEBSOCKET, "{\"type\":\"channelJoin\",\"channelJoin\":"
	    "{\"since\":\"g:ab\"}}") == STEP_ERROR &&
	    strcmp(q.payload, "since") == 0, "a cursor that is none");
	ok(begin(VIA_HTTP, "{\"type\":\"signIn\",\"signIn\":{\"username\":"
	    "\"ann\",\"password\":\"12345678\",\"since\":7}}") == STEP_ERROR &&
	    strcmp(q.payload, "since") == 0, "nor is one to sign in with");

	test_users_of_channel();
	test_messages();
	test_read();
	test_channels();

	ok(begin(VIA_HTTP, "{\"type\":\"signIn\",\"signIn\":{\"username\":"
	    "\"Ann\",\"password\":\"short\"}}") == STEP_ERROR &&
	    strcmp(q.payload, "password") == 0, "a short password");
	ok(begin(VIA_HTTP, "{\"type\":\"signIn\",\"signIn\":{\"username\":"
	    "\"Ann\",\"password\":\"secret123\",\"since\":\"sys:a1:5\"}}") ==
	    STEP_CALL &&
	    q.call.script == SCRIPT_find && arg_is(2, "ann"),
	    "a sign-in looks up the folded name");
	ok(ANSWER(SPAN("OK"), SPAN(""), SPAN("")) == STEP_HASH &&
	    q.against[0] == '\0', "an unknown name costs a hash as well");
	q.hash_fits = true;
	strcpy(q.hash, "H");
	ok(q.op->build(&q) == STEP_CALL && q.call.script == SCRIPT_grant &&
	    arg_is(2, "new") && arg_is(7, "H") && arg_is(23, "sys a1 5\n"),
	    "and is created");
	for (int n = 0; n < 2; n++) {
		ok(ANSWER(SPAN("AGAIN")) == STEP_CALL &&
		    q.call.script == SCRIPT_find,
		    "another won the name: look again");
		ok(ANSWER(SPAN("OK"), SPAN(ANN), SPAN("stored")) == STEP_HASH &&
		    strcmp(q.against, "stored") == 0, "and verify");
		q.hash_fits = true;
		ok(q.op->build(&q) == STEP_CALL &&
		    q.call.script == SCRIPT_grant && arg_is(23, "sys a1 5\n"),
		    "each time from where it was");
	}
	ok(ANSWER(SPAN("AGAIN")) == STEP_CALL && ANSWER(SPAN("OK"), SPAN(ANN),
	    SPAN("stored")) == STEP_HASH, "once more");
	q.hash_fits = false;
	ok(q.op->build(&q) == STEP_ERROR && q.error == ERR_PASSWORD,
	    "a wrong password");

	ok(frame_private_notice(SPAN("{\"type\":\"sys\",\"cursor\":\"u:x\","
	    "\"sys\":{\"type\":\"channelMessage\",\"channelMessage\":"
	    "{\"SenderUUID\":\"" ANN "\",\"RecipientUUID\":\"" BOB
	    "\",\"UUID\":\"u\"}}}"), &a, &b) && span_is(a, ANN) &&
	    span_is(b, BOB), "a private notice");
	ok(!frame_private_notice(SPAN(FRAME), &a, &b), "and none");
	ok(frame_message_payload(SPAN("{\"type\":\"channelMessage\","
	    "\"cursor\":\"g:e:1\",\"channelMessage\":")).n == 0,
	    "a frame that is cut off has no payload");
	ok(!op_read_place(SPAN("e"), SPAN("1x"), &place) &&
	    !op_read_place(SPAN(""), SPAN("1"), &place) &&
	    op_read_place(SPAN("e"), SPAN("12"), &place) && place.seq == 12,
	    "places");
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		grant[9] = grant[2] = times[i].text;
		buf_reset(&q.reply);
		ok(op_authorized(grant, 11, ANN, "", SPAN("1"), &q.reply,
		    &q.own, &q.effect) && q.effect.key_left == times[i].ms,
		    "a key lives %.*s ms", (int)times[i].text.n,
		    times[i].text.p);
	}
	clear();
	return tap_end();
}
