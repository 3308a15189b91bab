/* SPDX-License-Identifier: MIT */
#include "buf.h"
#include "tap.h"

static void
json(const char *what, struct span in, const char *wanted)
{
	struct buf b = { 0 };

	buf_json_string(&b, in);
	ok(span_is(buf_peek(&b), wanted), "%s", what);
	buf_clear(&b);
}

int
main(void)
{
	struct buf b = { 0 };

	json("plain", SPAN("abc"), "\"abc\"");
	json("empty", SPAN(""), "\"\"");
	json("quote and backslash", SPAN("a\"b\\"), "\"a\\\"b\\\\\"");
	json("control bytes", SPAN("\n\t\x01\x7f"),
	    "\"\\n\\t\\u0001\\u007f\"");
	json("line separators", SPAN("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xa7"),
	    "\"\\u2028\\u2029\xe2\x80\xa7\"");
	json("cut off separator", SPAN("\xe2\x80"), "\"\xe2\x80\"");
	json("NUL", SPAN("a\0"), "\"a\\u0000\"");
	for (int i = 0; i < 1000; i++)
		buf_fmt(&b, "%d,", i);
	ok(b.n == 3890 && !b.oom, "grows");
	buf_shift(&b, 4);
	ok(b.n == 3886 && b.p[0] == '2', "shifts");
	buf_shift(&b, 99999);
	ok(b.n == 0, "shifts no further than its end");
	ok(buf_room(&b, (size_t)-1) == NULL && b.oom, "refuses the impossible");
	buf_add(&b, "x", 1);
	ok(b.n == 0, "takes no more after that");
	buf_clear(&b);
	buf_fmt(&b, "%0700d", 7);
	ok(b.n == 700 && b.p[699] == '7', "a long format");
	buf_clear(&b);
	return tap_end();
}
