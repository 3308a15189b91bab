/* SPDX-License-Identifier: MIT */
/* What Redis answers to a script: hiredis' reader, our flat list of words, and
 * what each operation makes of them. The first byte chooses the operation. */
#include <hiredis/hiredis.h>
#include <sodium.h>

#include "fuzz.h"
#include "op.h"
#include "reply.h"
#include "store_body.h"

#define USER "11111111-2222-4333-8444-555555555555"
#define KEY USER ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const char *const messages[] = {
	"{\"type\":\"signIn\",\"signIn\":{\"accessKey\":\"" KEY "\"}}",
	"{\"type\":\"signIn\",\"signIn\":{\"username\":\"ann\",\"password\":"
	    "\"secret123\"}}",
	"{\"type\":\"signUp\",\"signUp\":{\"username\":\"ann\",\"password\":"
	    "\"secret123\"}}",
	"{\"type\":\"signOut\"}",
	"{\"type\":\"users\",\"id\":\"1\"}",
	"{\"type\":\"channelJoin\"}",
	"{\"type\":\"channelJoin\",\"channelJoin\":{\"since\":\"g:0123456789abc"
	    "def:7\"}}",
	"{\"type\":\"channelLeave\"}",
	"{\"type\":\"channelMessage\",\"id\":\"1\",\"channelMessage\":"
	    "{\"message\":\"m\"}}",
	"{\"type\":\"channelMessages\"}",
	"{\"type\":\"channels\"}",
	"{\"type\":\"channelRead\",\"channelRead\":{\"seq\":1}}",
	"{\"type\":\"password\",\"password\":{\"password\":\"secret123\","
	    "\"newPassword\":\"secret124\"}}",
	"{\"type\":\"events\",\"sessionUUID\":\"" USER "\",\"events\":"
	    "{\"since\":\"\"}}",
};
#define MESSAGES (sizeof(messages) / sizeof(*messages))

static void
render(unsigned which, const struct answer *a)
{
	static const struct conf conf = FUZZ_CONF;
	struct request q = { .conf = &conf };
	enum step step = STEP_ERROR;

	HOLDS(msg_parse(span_of(messages[which % MESSAGES]), NULL, &q.msg) ==
	    ERR_NONE);
	op_take_id(&q);
	q.op = op_find(msg_type(q.msg));
	if (q.op != NULL) {
		q.actor.via = which & 128 ? VIA_HTTP : VIA_WEBSOCKET;
		memcpy(q.actor.user, USER, sizeof(USER));
		memcpy(q.actor.session, USER, sizeof(USER));
		step = q.op->build(&q);
	}
	if (step == STEP_CALL)
		step = q.op->render(&q, a);
	if (step == STEP_HASH) {
		q.hash_fits = true;
		step = q.op->build(&q);
		if (step == STEP_CALL)
			step = q.op->render(&q, a);
	}
	if (step == STEP_ERROR && q.op != NULL)
		HOLDS(q.error != ERR_NONE);
	msg_free(q.msg);
	call_clear(&q.call);
	buf_clear(&q.reply);
	buf_clear(&q.own);
	buf_clear(&q.ends);
	buf_clear(&q.since);
	poll_clear(&q.poll);
}

/* hiredis allocates what a list claims to hold. Redis is trusted that far. */
static bool
claims_much(const uint8_t *data, size_t size)
{
	for (size_t i = 0, digits; i < size; i++) {
		for (digits = 0; data[i] == '*' && i + digits + 1 < size &&
		    data[i + digits + 1] != '\r'; digits++)
			if (digits > 4)
				return true;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct store s;
	static struct reply_room *room;
	struct answer a = { 0, s.words };
	redisReader *reader;
	void *reply = NULL;

	if (size < 1 || claims_much(data + 1, size - 1) || sodium_init() < 0)
		return 0;
	if (room == NULL)
		room = reply_room_new();
	HOLDS(room != NULL);
	reader = reply_reader(room);
	HOLDS(reader != NULL);
	buf_reset(&s.numbers);
	if (redisReaderFeed(reader, (const char *)data + 1, size - 1) ==
	    REDIS_OK && redisReaderGetReply(reader, &reply) == REDIS_OK &&
	    reply != NULL &&
	    ((redisReply *)reply)->type == REDIS_REPLY_ARRAY &&
	    store_flatten(&s, reply, &a)) {
		HOLDS(a.n <= ANSWER_MAX);
		for (size_t i = 0; i < a.n; i++)
			HOLDS(a.v[i].p != NULL && a.v[i].p[a.v[i].n] == '\0');
		if (a.n > 0 && !span_is(a.v[0], "E"))
			render(data[0], &a);
	}
	redisReaderFree(reader);
	reply_done(room);
	return 0;
}
