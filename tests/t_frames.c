/* SPDX-License-Identifier: MIT */
#include "frames.h"

#include <stdlib.h>

#include "limit.h"
#include "tap.h"

enum { CONTINUATION, TEXT, BINARY, CLOSE = 8, PING, PONG };

static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

/* first: FIN, reserved bits and opcode. bits: of the length, 7, 16 or 64. */
static void
add_head(struct buf *b, unsigned first, unsigned bits, uint64_t n)
{
	unsigned char head[14] = { (unsigned char)first };
	unsigned bytes = bits == 64 ? 8 : bits == 16 ? 2 : 0;

	head[1] = (unsigned char)(0x80 | (bits == 64 ? 127 :
	    bits == 16 ? 126 : n));
	for (unsigned i = 0; i < bytes; i++)
		head[2 + i] = (unsigned char)(n >> (8 * (bytes - 1 - i)));
	memcpy(head + 2 + bytes, mask, 4);
	buf_add(b, head, 6 + bytes);
}

static void
add(struct buf *b, unsigned first, struct span payload)
{
	add_head(b, first, payload.n < 126 ? 7 : payload.n < 65536 ? 16 : 64,
	    payload.n);
	for (size_t i = 0; i < payload.n; i++) {
		char c = (char)((unsigned char)payload.p[i] ^ mask[i % 4]);

		buf_add(b, &c, 1);
	}
}

/* Feeds a copy of the piece, so that a sanitizer sees a step beyond it, and
 * writes down what comes of it. Whether it goes on. */
static bool
feed(struct frames *f, struct buf *log, struct span piece)
{
	static const char *const names[] = { "", "text", "binary", "close",
		"ping", "pong", "empty", "broken" };
	char *copy = malloc(piece.n + 1), *in = copy;
	size_t n = piece.n;
	struct span payload;
	enum frames_event e;

	if (n > 0)
		memcpy(copy, piece.p, n);
	while ((e = frames_next(f, &in, &n, &payload)) != FRAMES_MORE &&
	    e != FRAMES_BROKEN) {
		buf_fmt(log, "%s %zu ", names[e], payload.n);
		buf_span(log, payload);
		buf_str(log, "\n");
	}
	if (e == FRAMES_BROKEN)
		buf_fmt(log, "broken %u\n", f->broken->code);
	free(copy);
	return e == FRAMES_MORE;
}

static void
run(struct buf *log, struct span bytes, size_t first, size_t size)
{
	struct frames f = { 0 };
	struct span piece = { bytes.p, first < bytes.n ? first : bytes.n };

	buf_reset(log);
	while (feed(&f, log, piece) && piece.p + piece.n < bytes.p + bytes.n) {
		piece.p += piece.n;
		piece.n = (size_t)(bytes.p + bytes.n - piece.p);
		if (piece.n > size)
			piece.n = size;
	}
	frames_clear(&f);
}

/* What comes of the bytes, which are then forgotten: in one piece, in two, cut
 * at every place, and byte by byte. */
static void
gives(const char *what, struct buf *b, const char *wanted)
{
	struct buf log = { 0 };
	struct span bytes = buf_peek(b);
	size_t same = 0;

	run(&log, bytes, bytes.n, 1);
	buf_add(&log, "", 1);
	ok(strcmp(log.p, wanted) == 0, "%s", what);
	if (strcmp(log.p, wanted) != 0)
		printf("# %.300s\n", log.p);
	for (size_t at = 1; at < bytes.n; at++) {
		run(&log, bytes, at, bytes.n);
		same += span_is(buf_peek(&log), wanted);
	}
	run(&log, bytes, 1, 1);
	same += span_is(buf_peek(&log), wanted);
	ok(same == (bytes.n == 0 ? 1 : bytes.n), "%s, in pieces", what);
	buf_clear(&log);
	buf_clear(b);
}

static void
messages(void)
{
	struct buf b = { 0 };

	gives("nothing", &b, "");
	add(&b, 0x81, SPAN("hello"));
	add(&b, 0x82, SPAN("\xff"));
	add(&b, 0x81, SPAN(""));
	gives("whole messages", &b, "text 5 hello\nbinary 1 \xff\ntext 0 \n");
	add(&b, 0x01, SPAN("one "));
	add(&b, 0x00, SPAN(""));
	add(&b, 0x00, SPAN("two "));
	add(&b, 0x80, SPAN("three"));
	add(&b, 0x81, SPAN("x"));
	gives("fragments", &b, "empty 0 \ntext 13 one two three\ntext 1 x\n");
	add(&b, 0x01, SPAN(""));
	add(&b, 0x80, SPAN(""));
	gives("empty ones", &b, "empty 0 \ntext 0 \n");
	add(&b, 0x01, SPAN("\xe2\x82"));
	add(&b, 0x89, SPAN("ping"));
	add(&b, 0x8a, SPAN("\xff"));
	add(&b, 0x89, SPAN(""));
	add(&b, 0x80, SPAN("\xac"));
	add(&b, 0x88, SPAN("\x03\xe8" "bye"));
	gives("control frames amid a character", &b,
	    "ping 4 ping\npong 1 \xff\nping 0 \ntext 3 \xe2\x82\xac\n"
	    "close 5 \x03\xe8" "bye\n");
	add(&b, 0x02, SPAN("\xe2"));
	add(&b, 0x80, SPAN("\x82"));
	gives("a binary message is anything", &b, "binary 2 \xe2\x82\n");
}

static void
faults(void)
{
	struct buf b = { 0 };

	for (unsigned rsv = 0x10; rsv <= 0x70; rsv += 0x10) {
		add(&b, 0x81 | rsv, SPAN("x"));
		gives("reserved bits", &b, "broken 1002\n");
	}
	for (unsigned op = 0; op < 16; op++) {
		if (op == TEXT || op == BINARY ||
		    (op >= CLOSE && op <= PONG))
			continue;
		add(&b, 0x80 | op, SPAN("x"));
		gives("an opcode that is none, or of nothing", &b,
		    "broken 1002\n");
	}
	for (unsigned op = CLOSE; op <= PONG; op++) {
		add(&b, op, SPAN(""));
		gives("a control frame in fragments", &b, "broken 1002\n");
		add_head(&b, 0x80 | op, 16, 126);
		gives("a long one", &b, "broken 1002\n");
	}
	buf_add(&b, "\x81\x01x", 3);
	gives("no mask", &b, "broken 1002\n");
	add(&b, 0x81, SPAN("good"));
	add(&b, 0x01, SPAN("x"));
	add(&b, 0x81, SPAN("x"));
	gives("a message amid one", &b, "text 4 good\nbroken 1002\n");
	add(&b, 0x01, SPAN("x"));
	add(&b, 0x02, SPAN("x"));
	gives("another kind amid one", &b, "broken 1002\n");
	add(&b, 0x81, SPAN("x"));
	add(&b, 0x80, SPAN("x"));
	gives("a continuation behind one", &b, "text 1 x\nbroken 1002\n");
	add(&b, 0x81, SPAN("\xff"));
	gives("no UTF-8", &b, "broken 1007\n");
	add(&b, 0x01, SPAN("\xe2\x82"));
	add(&b, 0x80, SPAN(""));
	gives("cut UTF-8", &b, "broken 1007\n");
}

static void
lengths(void)
{
	static char big[LIMIT_FRAME];
	static const struct { unsigned bits; uint64_t n; } wrong[] = {
		{ 16, 0 }, { 16, 125 }, { 64, 0 }, { 64, 125 }, { 64, 65535 },
		{ 64, 1ULL << 63 }, { 64, UINT64_MAX } };
	struct buf b = { 0 }, log = { 0 };
	const char *broken = "broken 1009\n";

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		add_head(&b, 0x82, wrong[i].bits, wrong[i].n);
		gives("a length that is not in its form", &b, "broken 1002\n");
	}
	for (size_t n = 124; n <= 127; n++) {
		add(&b, 0x82, (struct span){ big, n });
		add(&b, 0x89, SPAN(""));
		run(&log, buf_peek(&b), b.n, 1);
		ok(log.n == sizeof("binary 124 \nping 0 \n") - 1 + n,
		    "%zu bytes", n);
		buf_reset(&b);
	}
	add(&b, 0x82, (struct span){ big, LIMIT_FRAME });
	run(&log, buf_peek(&b), b.n, 1);
	ok(log.n == sizeof("binary 65536 \n") - 1 + LIMIT_FRAME,
	    "as much as there may be");
	run(&log, buf_peek(&b), 700, 700);
	ok(log.n == sizeof("binary 65536 \n") - 1 + LIMIT_FRAME,
	    "as much, in pieces");
	buf_reset(&b);
	add_head(&b, 0x82, 64, LIMIT_FRAME + 1);
	gives("too much, by its head alone", &b, broken);
	add_head(&b, 0x01, 64, (1ULL << 63) - 1);
	gives("far too much", &b, broken);
	add(&b, 0x02, (struct span){ big, LIMIT_FRAME });
	add(&b, 0x00, SPAN(""));
	add(&b, 0x89, SPAN("p"));
	add_head(&b, 0x80, 7, 1);
	run(&log, buf_peek(&b), b.n, 1);
	ok(span_is(buf_peek(&log), "empty 0 \nping 1 p\nbroken 1009\n"),
	    "too much in fragments");
	run(&log, buf_peek(&b), 1000, 1000);
	ok(span_is(buf_peek(&log), "empty 0 \nping 1 p\nbroken 1009\n"),
	    "too much in fragments, in pieces");
	buf_clear(&b);
	buf_clear(&log);
}

/* What a message took is given back, whatever it came in. */
static void
memory(void)
{
	struct buf b = { 0 }, log = { 0 };
	struct frames f = { 0 };

	add(&b, 0x01, SPAN("one"));
	add(&b, 0x89, SPAN("ping"));
	feed(&f, &log, (struct span){ b.p, b.n - 1 });
	ok(f.bytes.n == 3 + 3, "a message and a control frame in pieces");
	feed(&f, &log, (struct span){ b.p + b.n - 1, 1 });
	ok(f.bytes.n == 3, "the control frame is gone, the message waits");
	buf_reset(&b);
	add(&b, 0x80, SPAN("two"));
	feed(&f, &log, buf_peek(&b));
	ok(f.bytes.p == NULL, "then it is gone as well");
	frames_clear(&f);
	buf_clear(&b);
	buf_clear(&log);
}

int
main(void)
{
	messages();
	faults();
	lengths();
	memory();
	return tap_end();
}
