/* SPDX-License-Identifier: MIT */
/* What a WebSocket client sends: its frames. The first byte is the size of the
 * pieces that they come in; what comes of them must not depend on it. */
#include "frames.h"
#include "fuzz.h"
#include "limit.h"
#include "utf8.h"

static void
check(const struct frames *f, enum frames_event e, struct span payload)
{
	HOLDS(f->broken == NULL && payload.n <= LIMIT_FRAME);
	if (e == FRAMES_TEXT)
		HOLDS(utf8_encoded(payload));
	else if (e != FRAMES_BINARY)
		HOLDS(payload.n <= FRAMES_CONTROL_MAX);
}

/* Writes down what comes of in, fed in pieces of that size. */
static void
feed(struct span in, size_t size, struct buf *log)
{
	struct frames f = { 0 };
	struct span payload;
	enum frames_event e = FRAMES_MORE;

	while (in.n > 0 && e != FRAMES_BROKEN) {
		struct span piece = fuzz_take(&in, size);
		char *at = (char *)(uintptr_t)piece.p;
		size_t n = piece.n;

		while ((e = frames_next(&f, &at, &n, &payload)) !=
		    FRAMES_MORE && e != FRAMES_BROKEN) {
			check(&f, e, payload);
			buf_fmt(log, "%d %zu ", e, payload.n);
			buf_span(log, payload);
		}
		HOLDS(e == FRAMES_BROKEN || n == 0);
		HOLDS(f.bytes.n <= LIMIT_FRAME + FRAMES_CONTROL_MAX);
		fuzz_free(piece);
	}
	if (e == FRAMES_BROKEN) {
		buf_fmt(log, "%u", f.broken->code);
		HOLDS(f.broken->code == 1002 || f.broken->code == 1007 ||
		    f.broken->code == 1009);
	}
	frames_clear(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data + 1, size - 1 };
	struct buf one = { 0 }, other = { 0 };

	if (size < 1)
		return 0;
	feed(in, data[0] + 1, &one);
	feed(in, SIZE_MAX, &other);
	HOLDS(span_eq(buf_peek(&one), buf_peek(&other)));
	buf_clear(&one);
	buf_clear(&other);
	return 0;
}
