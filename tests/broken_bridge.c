/* SPDX-License-Identifier: MIT */
/* The bridge, broken on purpose (broken.h): linked of its own objects with
 * --wrap=ws_send, so that this function stands in front of that one. */
#include "broken.h"

#include <string.h>

#include "buf.h"
#include "ws.h"

/* Another type than the real one's does not compile. */
__typeof__(ws_send) __wrap_ws_send, __real_ws_send;

static struct buf held;
static struct ws_conn *leaver; /* has left the general channel */

static bool
begins(struct span text, const char *what)
{
	size_t n = strlen(what);

	return text.n >= n && memcmp(text.p, what, n) == 0;
}

static bool
holds(struct span text, const char *what)
{
	return text.n > 0 &&
	    memmem(text.p, text.n, what, strlen(what)) != NULL;
}

/* Sends to one who has left the general channel the next message that goes to
 * another. The clients of that test stay connected. */
static void
break_leave(struct ws_conn *c, struct span frame, struct span text)
{
	static bool done;
	unsigned long when;

	if (done || !broken_is("leave", &when))
		return;
	if (leaver == c && begins(text, "{\"type\":\"channelJoin\""))
		leaver = NULL;
	else if (begins(text, "{\"type\":\"channelLeave\"") &&
	    !holds(text, "\"cursor\"") &&
	    holds(text, "\"recipientUUID\":\"\",\"channel\":\"\""))
		leaver = c;
	else if (leaver != NULL && leaver != c && broken_is_general(text)) {
		done = true;
		broken_done(text);
		__real_ws_send(leaver, frame.p, frame.n);
	}
}

/* What was not recovered says that it was, in as many bytes. */
static void
break_recovered(struct buf *out)
{
	static const char is[] = "\"recovered\":false";
	static const char not[] = "\"recovered\":true ";
	unsigned long when;
	char *p;

	if (!broken_is("recovered", &when))
		return;
	while ((p = memmem(out->p, out->n, is, sizeof(is) - 1)) != NULL) {
		broken_done((struct span){ p, sizeof(is) - 1 });
		memcpy(p, not, sizeof(not) - 1);
	}
}

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
		break_leave(c, frame, text);
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
	if (out.n > 0) {
		break_recovered(&out);
		__real_ws_send(c, out.p, out.n);
	}
	buf_clear(&out);
}
