/* SPDX-License-Identifier: MIT */
/* The bridge, broken on purpose (broken.h): linked of its own objects with
 * --wrap=ws_send, so that this function stands in front of that one. */
#include "broken.h"

#include "buf.h"
#include "ws.h"

/* Another type than the real one's does not compile. */
__typeof__(ws_send) __wrap_ws_send, __real_ws_send;

static struct buf held;

/* Takes the first frame (RFC 6455, section 5.2: not masked) off the front. */
static struct span
take(struct span *frames, struct span *text)
{
	const unsigned char *p = (const unsigned char *)frames->p;
	struct span frame = *frames;
	size_t head = 2, n = frames->n < 2 ? 0 : p[1] & 0x7f;

	if (n == 126)
		head = 4;
	else if (n == 127)
		head = 10;
	if (head > 2 && head <= frames->n) {
		n = 0;
		for (size_t i = 2; i < head; i++)
			n = n << 8 | p[i];
	}
	if (head + n < frames->n)
		frame.n = head + n;
	*text = head <= frame.n ? (struct span){ frame.p + head,
		frame.n - head } : (struct span){ NULL, 0 };
	*frames = (struct span){ frames->p + frame.n, frames->n - frame.n };
	return frame;
}

void
__wrap_ws_send(struct ws_conn *c, const char *frames, size_t n)
{
	struct span rest = { frames, n }, frame, text;
	struct buf out = { 0 };

	while (rest.n > 0) {
		frame = take(&rest, &text);
		switch (broken_deed(c, text)) {
		case DEED_DROP:
			break;
		case DEED_HOLD:
			buf_span(&held, frame);
			break;
		case DEED_DOUBLE:
			buf_span(&out, frame);
			buf_span(&out, frame);
			break;
		case DEED_RELEASE:
			buf_span(&out, frame);
			buf_span(&out, buf_peek(&held));
			buf_clear(&held);
			break;
		case DEED_PASS:
			buf_span(&out, frame);
			break;
		}
	}
	if (out.n > 0)
		__real_ws_send(c, out.p, out.n);
	buf_clear(&out);
}
