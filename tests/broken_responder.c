/* SPDX-License-Identifier: MIT */
/* The responder, broken on purpose (broken.h): linked of its own objects with
 * --wrap, so that these functions stand in front of those that write the
 * frames into a poll's answer. */
#include "broken.h"

#include "buf.h"
#include "poll.h"

/* Other types than the real ones' do not compile. */
__typeof__(poll_reply_add) __wrap_poll_reply_add, __real_poll_reply_add;
__typeof__(poll_reply_end) __wrap_poll_reply_end, __real_poll_reply_end;

static struct buf held;
static bool none; /* the answer that is being written has no frame yet, since
		   * the first one was dropped or is held */

static void
add(struct buf *b, struct span event)
{
	__real_poll_reply_add(b, event, none);
	none = false;
}

void
__wrap_poll_reply_add(struct buf *b, struct span event, bool first)
{
	none = none || first;
	switch (broken_deed(b, event)) {
	case DEED_DROP:
		break;
	case DEED_HOLD:
		buf_span(&held, event);
		break;
	case DEED_DOUBLE:
		add(b, event);
		add(b, event);
		break;
	case DEED_RELEASE:
		add(b, event);
		add(b, buf_peek(&held));
		buf_clear(&held);
		break;
	case DEED_PASS:
		add(b, event);
		break;
	}
}

/* What is held goes with its answer, swapped or not. */
void
__wrap_poll_reply_end(struct buf *b)
{
	if (held.n > 0) {
		add(b, buf_peek(&held));
		broken_unhold();
		buf_clear(&held);
	}
	none = false;
	__real_poll_reply_end(b);
}
