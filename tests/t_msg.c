/* SPDX-License-Identifier: MIT */
#include "msg.h"

#include <stdlib.h>

#include "limit.h"
#include "tap.h"

static void
gives(const char *what, struct span text, enum error wanted)
{
	struct msg *m;
	enum error e = msg_parse(text, NULL, &m);

	ok(e == wanted, "%s: %d", what, (int)e);
	msg_free(m);
}

int
main(void)
{
	struct span s;
	struct msg *m;
	int64_t n;
	bool b;
	char deep[200];
	char *big = malloc(LIMIT_FRAME + 1);

	gives("a message", SPAN("{\"type\":\"a\",\"a\":{\"b\":1}}"), ERR_NONE);
	gives("no payload", SPAN("{\"type\":\"a\"}"), ERR_NONE);
	gives("null payload", SPAN("{\"type\":\"a\",\"a\":null}"), ERR_NONE);
	gives("empty string", SPAN("{\"type\":\"a\",\"a\":\"\"}"), ERR_NONE);
	gives("empty array", SPAN("{\"type\":\"a\",\"a\":[]}"), ERR_NONE);
	gives("a number", SPAN("{\"type\":\"a\",\"a\":1}"), ERR_FIELD);
	gives("a full array", SPAN("{\"type\":\"a\",\"a\":[1]}"), ERR_FIELD);
	gives("no type", SPAN("{}"), ERR_FORM);
	gives("type of another kind", SPAN("{\"type\":1}"), ERR_FORM);
	gives("id of another kind", SPAN("{\"type\":\"a\",\"id\":1}"),
	    ERR_FORM);
	gives("an array", SPAN("[]"), ERR_FORM);
	gives("nothing", SPAN(""), ERR_FORM);
	gives("cut off", SPAN("{\"type\":\"a\""), ERR_FORM);
	gives("something behind", SPAN("{\"type\":\"a\"} x"), ERR_FORM);
	gives("two objects", SPAN("{\"type\":\"a\"}{}"), ERR_FORM);
	gives("blanks behind", SPAN("{\"type\":\"a\"} \r\n"), ERR_NONE);
	gives("single quotes", SPAN("{'type':'a'}"), ERR_FORM);
	gives("a comment", SPAN("{\"type\":\"a\"/**/}"), ERR_FORM);
	gives("NaN", SPAN("{\"type\":\"a\",\"x\":NaN}"), ERR_FORM);
	gives("escaped NUL", SPAN("{\"type\":\"a\\u0000\"}"), ERR_FORM);
	gives("lone surrogate", SPAN("{\"type\":\"a\\ud800\"}"), ERR_FORM);
	gives("lone low surrogate", SPAN("{\"type\":\"\\udc00\"}"), ERR_FORM);
	gives("a pair", SPAN("{\"type\":\"\\ud83d\\ude00\"}"), ERR_NONE);
	gives("bad UTF-8", SPAN("{\"type\":\"\xff\"}"), ERR_FORM);
	gives("NUL", SPAN("{\"type\":\"a\0\"}"), ERR_FORM);
	gives("a raw newline", SPAN("{\"type\":\"a\n\"}"), ERR_FORM);
	gives("low surrogate first", SPAN("{\"type\":\"\\ude00\\ud83d\"}"),
	    ERR_FORM);
	gives("two high surrogates", SPAN("{\"type\":\"\\ud83d\\ud83d\"}"),
	    ERR_FORM);
	gives("a pair that a quote cuts", SPAN("{\"type\":\"\\ud83d\"}"),
	    ERR_FORM);
	gives("escaped NUL in a name", SPAN("{\"type\":\"a\",\"\\u0000\":1}"),
	    ERR_FORM);
	gives("an escaped backslash", SPAN("{\"type\":\"a\\\\u0000\"}"),
	    ERR_NONE);
	gives("a small nan", SPAN("{\"type\":\"a\",\"x\":nan}"), ERR_FORM);
	gives("Infinity", SPAN("{\"type\":\"a\",\"x\":-Infinity}"), ERR_FORM);
	gives("a leading zero", SPAN("{\"type\":\"a\",\"x\":01}"), ERR_FORM);
	gives("after a sign", SPAN("{\"type\":\"a\",\"x\":-01}"), ERR_FORM);
	gives("a bare point", SPAN("{\"type\":\"a\",\"x\":1.}"), ERR_FORM);
	gives("numbers", SPAN("{\"type\":\"a\",\"x\":[0,-0,-0.5,1e-05,1E+2]}"),
	    ERR_NONE);
	gives("a comma too many", SPAN("{\"type\":\"a\",\"x\":[1,]}"), ERR_FORM);
	gives("a form feed", SPAN("{\"type\":\"a\"}\f"), ERR_FORM);
	gives("a NUL behind", SPAN("{\"type\":\"a\"}\0"), ERR_FORM);
	gives("16 levels", SPAN("{\"type\":\"a\",\"x\":"
	    "[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}"), ERR_NONE);
	gives("17 levels", SPAN("{\"type\":\"a\",\"x\":"
	    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}"), ERR_FORM);
	memset(deep, '[', sizeof(deep));
	gives("deep", (struct span){ deep, sizeof(deep) }, ERR_FORM);
	memset(big, ' ', LIMIT_FRAME + 1);
	gives("too large", (struct span){ big, LIMIT_FRAME + 1 },
	    ERR_TOO_LARGE);
	free(big);

	ok(msg_parse(SPAN("{\"id\":\"7\",\"sessionUUID\":\"s\",\"t\":{\"n\":5,"
	    "\"m\":\"12\",\"b\":true,\"s\":\"x\"}}"), "t", &m) == ERR_NONE,
	    "a default type");
	ok(span_is(msg_id(m), "7"), "id");
	ok(msg_int(m, "n", &n) == FIELD_OK && n == 5, "a number");
	ok(msg_int(m, "m", &n) == FIELD_OK && n == 12, "digits");
	ok(msg_int(m, "s", &n) == FIELD_WRONG, "no number");
	ok(msg_bool(m, "b", &b) == FIELD_OK && b, "a truth");
	ok(msg_string(m, "n", &s) == FIELD_WRONG, "no string");
	ok(msg_string(m, "z", &s) == FIELD_ABSENT, "absent");
	ok(msg_top_string(m, "sessionUUID", &s) == FIELD_OK &&
	    span_is(s, "s"), "at the top");
	msg_free(m);

	ok(msg_parse(SPAN("{\"id\":\"7\",\"type\":1}"), NULL, &m) == ERR_FORM &&
	    m != NULL && span_is(msg_id(m), "7"), "an error keeps the id");
	msg_free(m);
	memset(deep, 'n', sizeof(deep));
	m = msg_new("users");
	ok(m != NULL && msg_set(m, SPAN("limit"), SPAN("5")) &&
	    msg_set(m, SPAN("limit"), SPAN("6")) &&
	    msg_int(m, "limit", &n) == FIELD_OK && n == 6, "the last one wins");
	ok(msg_set(m, (struct span){ deep, sizeof(deep) }, SPAN("")),
	    "a long name");
	ok(msg_set(m, SPAN("n"), SPAN("99999999999999999999")) &&
	    msg_int(m, "n", &n) == FIELD_WRONG, "digits beyond 64 bits");
	msg_free(m);
	return tap_end();
}
