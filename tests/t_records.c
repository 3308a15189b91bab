/* SPDX-License-Identifier: MIT */
#include "records.h"

#include <stdint.h>
#include <stdlib.h>

#include "limit.h"
#include "params.h"
#include "tap.h"

enum { BEGIN = 1, ABORT, END, PARAMS, STDIN };

static const char begin[8] = { 0, 1, 1 }; /* responder, keep the connection */

/* A record with padding. */
static void
add(struct buf *b, int type, int id, const char *content, size_t n,
    int padding)
{
	static const char zero[255];
	char h[8] = { 1, (char)type, (char)(id >> 8), (char)id, (char)(n >> 8),
		(char)n, (char)padding, 0 };

	buf_add(b, h, 8);
	buf_add(b, content, n);
	buf_add(b, zero, (size_t)padding);
}

/* BEGIN and the parameter a=b. */
static void
add_head(struct buf *b, int id)
{
	add(b, BEGIN, id, begin, sizeof(begin), 0);
	add(b, PARAMS, id, "\1\1ab", 4, 0);
	add(b, PARAMS, id, "", 0, 0);
}

static void
add_body(struct buf *b, size_t n)
{
	static char much[65535];

	for (size_t left = n, piece; left > 0; left -= piece) {
		piece = left < sizeof(much) ? left : sizeof(much);
		add(b, STDIN, 1, much, piece, 0);
	}
	add(b, STDIN, 1, "", 0, 0);
}

/* Feeds copies of exactly size bytes each, so that a sanitizer sees a read
 * behind them. Stops at a request's end; *rest is what is left. */
static enum records_status
feed_by(struct records *r, struct span bytes, size_t size, size_t *rest)
{
	while (bytes.n > 0 && r->status == RECORDS_PARTIAL) {
		size_t n = bytes.n < size ? bytes.n : size;
		char *copy = malloc(n);
		struct span in = { copy, n };

		memcpy(copy, bytes.p, n);
		records_feed(r, &in);
		bytes.p += n - in.n;
		bytes.n -= n - in.n;
		free(copy);
	}
	*rest = bytes.n;
	return r->status;
}

/* The status after all of b; empties b. */
static enum records_status
judge(struct buf *b)
{
	struct records r = { 0 };
	size_t rest;
	enum records_status status = feed_by(&r, buf_peek(b), SIZE_MAX, &rest);

	records_clear(&r);
	buf_reset(b);
	return status;
}

static bool
is_sample(const struct records *r)
{
	return r->status == RECORDS_COMPLETE && r->id == 258 && r->keep &&
	    r->body_size == 5 && span_is(buf_peek(&r->params), "\1\1ab") &&
	    span_is(buf_peek(&r->body), "hello");
}

static void
test_cuts(void)
{
	struct records r = { 0 };
	struct buf b = { 0 };
	bool every = true, partial = true;
	size_t rest, whole;

	add(&b, BEGIN, 258, begin, sizeof(begin), 3);
	add(&b, PARAMS, 258, "\1", 1, 255);
	add(&b, PARAMS, 258, "\1ab", 3, 0);
	add(&b, PARAMS, 258, "", 0, 8);
	add(&b, STDIN, 258, "he", 2, 1);
	add(&b, STDIN, 258, "llo", 3, 0);
	add(&b, STDIN, 258, "", 0, 7);
	whole = b.n;
	buf_str(&b, "more");
	for (size_t size = 1; size <= b.n; size++) {
		feed_by(&r, buf_peek(&b), size, &rest);
		every = every && is_sample(&r) && rest == 4;
		records_clear(&r);
	}
	ok(every, "in pieces of any size it is the same request");
	every = true;
	for (size_t cut = 0; cut < whole; cut++) {
		partial = partial && feed_by(&r, (struct span){ b.p, cut },
		    SIZE_MAX, &rest) == RECORDS_PARTIAL && rest == 0;
		feed_by(&r, (struct span){ b.p + cut, b.n - cut }, SIZE_MAX,
		    &rest);
		every = every && is_sample(&r) && rest == 4;
		records_clear(&r);
	}
	ok(partial, "cut at each byte it is partial");
	ok(every, "and whole with the rest");

	buf_clear(&b);
}

static void
test_order(void)
{
	struct buf b = { 0 };
	struct records r = { 0 };
	struct span in;
	size_t rest;

	buf_str(&b, "GET / HTTP/1.1\r\n\r\n");
	ok(judge(&b) == RECORDS_BROKEN, "HTTP");
	add(&b, PARAMS, 1, "", 0, 0);
	ok(judge(&b) == RECORDS_BROKEN, "parameters before the beginning");
	add(&b, 9, 0, "", 0, 0);
	ok(judge(&b) == RECORDS_BROKEN, "a management record");
	add(&b, BEGIN, 0, begin, sizeof(begin), 0);
	ok(judge(&b) == RECORDS_BROKEN, "a request with id 0");
	add(&b, BEGIN, 1, "\0\2\0\0\0\0\0\0", 8, 0);
	ok(judge(&b) == RECORDS_BROKEN, "another role");
	add(&b, BEGIN, 1, begin, 7, 0);
	ok(judge(&b) == RECORDS_BROKEN, "a short beginning");
	add_head(&b, 1);
	add(&b, PARAMS, 1, "\1\1ab", 4, 0);
	ok(judge(&b) == RECORDS_BROKEN, "parameters after their end");
	add(&b, BEGIN, 1, begin, sizeof(begin), 0);
	add(&b, STDIN, 1, "", 0, 0);
	ok(judge(&b) == RECORDS_BROKEN, "a body before the parameters' end");
	add_head(&b, 1);
	add(&b, STDIN, 2, "", 0, 0);
	ok(judge(&b) == RECORDS_BROKEN, "another request's record");
	add_head(&b, 1);
	add(&b, BEGIN, 2, begin, sizeof(begin), 0);
	ok(judge(&b) == RECORDS_BROKEN, "a second request meanwhile");
	add_head(&b, 1);
	add(&b, ABORT, 1, "", 0, 0);
	ok(judge(&b) == RECORDS_BROKEN, "an abort on the way");

	add(&b, ABORT, 1, "", 0, 0);
	ok(records_is_abort(buf_peek(&b), 1) &&
	    !records_is_abort(buf_peek(&b), 2) &&
	    !records_is_abort((struct span){ b.p, 7 }, 1),
	    "an abort is known by its id, whole");
	add_head(&b, 1);
	add_body(&b, 0);
	ok(judge(&b) == RECORDS_COMPLETE, "an abort of the one before");

	buf_str(&b, "\2");
	add_head(&b, 1);
	feed_by(&r, buf_peek(&b), SIZE_MAX, &rest);
	buf_reset(&b);
	add_head(&b, 1);
	in = buf_peek(&b);
	ok(records_feed(&r, &in) == RECORDS_BROKEN && in.n == b.n,
	    "broken once, broken for good");
	records_clear(&r);
	buf_clear(&b);
}

static enum records_status
judge_params(const char *p, size_t n)
{
	struct buf b = { 0 };
	enum records_status status;

	add(&b, BEGIN, 1, begin, sizeof(begin), 0);
	add(&b, PARAMS, 1, p, n, 0);
	if (n > 0)
		add(&b, PARAMS, 1, "", 0, 0);
	add_body(&b, 0);
	status = judge(&b);
	buf_clear(&b);
	return status;
}

static void
test_lengths(void)
{
	static char much[30000];
	struct buf b = { 0 };

	ok(judge_params("", 0) == RECORDS_COMPLETE, "no parameters");
	ok(judge_params("\0\0", 2) == RECORDS_COMPLETE, "an empty parameter");
	ok(judge_params("\x80\0\0\1\1ab", 7) == RECORDS_COMPLETE,
	    "a long form of a small length");
	ok(judge_params("\1", 1) == RECORDS_BROKEN, "one length");
	ok(judge_params("\x80\0\0", 3) == RECORDS_BROKEN, "a cut length");
	ok(judge_params("\1\1a", 3) == RECORDS_BROKEN, "a cut value");
	ok(judge_params("\1\1abc", 5) == RECORDS_BROKEN, "a byte too many");
	ok(judge_params("\xff\xff\xff\xff\1ab", 7) == RECORDS_BROKEN,
	    "a name of 2 GiB");
	ok(judge_params("\1\xff\xff\xff\xff" "ab", 7) == RECORDS_BROKEN,
	    "a value of 2 GiB");
	ok(judge_params("\xff\xff\xff\xff\xff\xff\xff\xff" "ab", 10) ==
	    RECORDS_BROKEN, "both");

	add(&b, BEGIN, 1, begin, sizeof(begin), 0);
	for (int i = 0; i < 3; i++)
		add(&b, PARAMS, 1, much, sizeof(much), 0);
	ok(judge(&b) == RECORDS_BROKEN, "too many parameters");
	for (int i = 0; i < RECORDS_RAW_MAX / (8 + 255) + 2; i++)
		add(&b, ABORT, 1, "", 0, 255);
	ok(judge(&b) == RECORDS_BROKEN, "records without an end");
	buf_clear(&b);
}

static bool
body_is(size_t n, enum records_status status, size_t kept)
{
	struct records r = { 0 };
	struct buf b = { 0 };
	size_t rest;
	bool good;

	add_head(&b, 1);
	add_body(&b, n);
	good = feed_by(&r, buf_peek(&b), 65536, &rest) == status &&
	    r.body.n == kept &&
	    (status == RECORDS_BROKEN || (r.body_size == n && rest == 0));
	records_clear(&r);
	buf_clear(&b);
	return good;
}

static void
test_bodies(void)
{
	ok(body_is(0, RECORDS_COMPLETE, 0), "no body");
	ok(body_is(LIMIT_FRAME, RECORDS_COMPLETE, LIMIT_FRAME),
	    "a body at the limit is kept");
	ok(body_is(LIMIT_FRAME + 1, RECORDS_COMPLETE, 0),
	    "one above it is counted and dropped");
	ok(body_is(RECORDS_DRAIN, RECORDS_COMPLETE, 0), "as far as we drain");
	ok(body_is(RECORDS_DRAIN + 1, RECORDS_BROKEN, 0), "and no further");
}

/* The largest request that is let through. */
static void
test_largest(void)
{
	static char value[RECORDS_PARAMS_MAX - 6];
	static const char head[6] = { 1, (char)0x80, 0,
		(char)((RECORDS_PARAMS_MAX - 6) >> 8),
		(char)((RECORDS_PARAMS_MAX - 6) & 0xff), 'a' };
	struct records r = { 0 };
	struct buf b = { 0 };
	char **params;
	size_t rest;

	memset(value, 'x', sizeof(value));
	add(&b, BEGIN, 1, begin, sizeof(begin), 0);
	add(&b, PARAMS, 1, head, sizeof(head), 0);
	add(&b, PARAMS, 1, value, sizeof(value), 0);
	add(&b, PARAMS, 1, "", 0, 0);
	add_body(&b, LIMIT_FRAME);
	feed_by(&r, buf_peek(&b), 1000, &rest);
	params = params_read(buf_peek(&r.params));
	ok(r.status == RECORDS_COMPLETE && params != NULL &&
	    strlen(params[0]) == r.params.n - 5 + 1 && params[1] == NULL,
	    "the largest request");
	free(params);
	records_clear(&r);
	buf_clear(&b);
}

/* Changes bytes of a good request at random, but the same each time. */
static void
test_damage(void)
{
	struct buf good = { 0 };
	uint32_t random = 1;
	int complete = 0, rounds = 20000;
	bool whole = true;

	add_head(&good, 1);
	add(&good, STDIN, 1, "hello", 5, 2);
	add(&good, STDIN, 1, "", 0, 0);
	for (int i = 0; i < rounds; i++) {
		struct records r = { 0 };
		struct buf b = { 0 };
		char **params = NULL;
		size_t rest;

		buf_add(&b, good.p, good.n);
		for (int k = 0; k < 3; k++) {
			random = random * 1664525 + 1013904223;
			b.p[(random >> 8) % b.n] = (char)(random >> 24);
		}
		if (feed_by(&r, buf_peek(&b), 1 + (random >> 4) % 40, &rest) ==
		    RECORDS_COMPLETE) {
			complete++;
			params = params_read(buf_peek(&r.params));
			whole = whole && params != NULL;
		}
		records_clear(&r);
		free(params);
		buf_clear(&b);
	}
	ok(complete > 0 && complete < rounds && whole, "damaged requests");
	buf_clear(&good);
}

static void
test_params(void)
{
	static const char pairs[] = "\1\2ab1\4\0NAME\1\200\0\0\3axyz\3\0b=c";
	char **list = params_read((struct span){ pairs, sizeof(pairs) - 1 });

	ok(list != NULL && strcmp(list[0], "a=b1") == 0 &&
	    strcmp(list[1], "NAME=") == 0 && strcmp(list[2], "a=xyz") == 0 &&
	    strcmp(list[3], "b=c=") == 0 && list[4] == NULL,
	    "a list of parameters");
	ok(strcmp(param(list, "a"), "xyz") == 0 &&
	    *param(list, "NAME") == '\0' && param(list, "NAM") == NULL &&
	    param(list, "NAMES") == NULL && param(list, "") == NULL,
	    "the last of a name is its value");
	free(list);
	list = params_read(SPAN(""));
	ok(list != NULL && list[0] == NULL, "an empty one");
	free(list);
	ok(params_read(SPAN("\1\2ab")) == NULL &&
	    params_read(SPAN("\1")) == NULL &&
	    params_read(SPAN("\1\377\377\377\377a")) == NULL &&
	    params_read(SPAN("\1\200\0\0")) == NULL,
	    "lengths that do not fit");
}

static void
test_reply(void)
{
	static char much[65528 + 1];
	struct buf b = { 0 };

	records_reply(&b, 258, SPAN("text"));
	ok(b.n == 8 + 4 + 8 + 8 + 8 && b.p[2] == 1 && b.p[3] == 2 &&
	    memcmp(b.p + 8, "text", 4) == 0 && b.p[21] == END, "a reply");
	buf_reset(&b);
	records_reply(&b, 1, (struct span){ much, sizeof(much) });
	ok(b.n == 8 + 65528 + 8 + 1 + 8 + 8 + 8, "one in two records");
	buf_clear(&b);
}

int
main(void)
{
	test_cuts();
	test_order();
	test_lengths();
	test_bodies();
	test_largest();
	test_damage();
	test_params();
	test_reply();
	return tap_end();
}
