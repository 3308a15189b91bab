/* SPDX-License-Identifier: MIT */
/* A message as a peer sends it: the codec, and what each operation makes of
 * its fields, until it would call Redis. The first byte chooses the way in. */
#include <sodium.h>

#include "fuzz.h"
#include "op.h"

#define USER "11111111-2222-4333-8444-555555555555"

/* A string that we wrote is read as what it was. */
static void
check_string(struct span s)
{
	struct buf b = { 0 };
	struct msg *m;
	struct span again;

	buf_str(&b, "{\"type\":\"t\",\"t\":{\"s\":");
	buf_json_string(&b, s);
	buf_str(&b, "}}");
	HOLDS(!b.oom);
	if (b.n <= 64 * 1024) {
		HOLDS(msg_parse(buf_peek(&b), NULL, &m) == ERR_NONE);
		HOLDS(msg_string(m, "s", &again) == FIELD_OK);
		HOLDS(span_eq(s, again));
		msg_free(m);
	}
	buf_clear(&b);
}

/* Takes m; gives what is left of it. */
static struct msg *
run(struct msg *m, const struct conf *conf, bool http)
{
	struct request q = { .msg = m, .conf = conf };
	enum step step;

	q.op = op_find(msg_type(m));
	if (q.op == NULL)
		return m;
	q.actor.via = http ? VIA_HTTP : VIA_WEBSOCKET;
	memcpy(q.actor.user, USER, sizeof(USER));
	memcpy(q.actor.session, USER, sizeof(USER));
	step = q.op->build(&q);
	if (step == STEP_ERROR)
		HOLDS(q.error != ERR_NONE);
	if (step == STEP_CALL)
		HOLDS(!q.call.words.oom && q.call.n >= 2);
	call_clear(&q.call);
	buf_clear(&q.reply);
	buf_clear(&q.own);
	buf_clear(&q.since);
	poll_clear(&q.poll);
	return q.msg;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct conf conf = FUZZ_CONF;
	static const char *const strings[] = { "message", "username",
		"channel", "recipientUUID", "s" };
	struct span in = { (const char *)data, size }, text, s;
	unsigned way = size > 0 ? data[0] : 0;
	struct msg *m;
	int64_t n;
	bool b;

	if (size < 1 || sodium_init() < 0)
		return 0;
	in.p++;
	in.n--;
	text = fuzz_take(&in, in.n);
	switch (msg_parse(text, way & 1 ? "signIn" : NULL, &m)) {
	case ERR_NONE:
		HOLDS(m != NULL && msg_type(m).p != NULL);
		for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
			if (msg_string(m, strings[i], &s) == FIELD_OK)
				check_string(s);
		msg_int(m, "limit", &n);
		msg_bool(m, "online", &b);
		msg_top_string(m, "sessionUUID", &s);
		m = run(m, &conf, (way & 2) != 0);
		break;
	default:
		if (m != NULL)
			HOLDS(msg_id(m).n <= 64);
		break;
	}
	msg_free(m);
	fuzz_free(text);
	return 0;
}
