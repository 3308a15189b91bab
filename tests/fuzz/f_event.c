/* SPDX-License-Identifier: MIT */
/* What comes by pub/sub and out of logs: events, the places in frames that we
 * pass on, commands to a bridge. */
#include "command.h"
#include "event.h"
#include "frame.h"
#include "fuzz.h"

static bool
inside(struct span part, struct span whole)
{
	return part.p >= whole.p && part.n <= whole.n &&
	    part.p + part.n <= whole.p + whole.n;
}

static void
check_frame(struct span text)
{
	struct span payload = frame_message_payload(text), a, b;
	struct command c;

	HOLDS(payload.n == 0 || inside(payload, text));
	if (frame_private_notice(text, &a, &b))
		HOLDS(inside(a, text) && inside(b, text) && a.n == UUID_LEN &&
		    b.n == UUID_LEN);
	if (command_read(&c, text))
		HOLDS(c.session[UUID_LEN - 1] != '\0');
	command_clear(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct span payload = fuzz_take(&in, size);
	struct event e;

	if (event_split(payload, &e)) {
		HOLDS(inside(e.epoch, payload) && inside(e.text, payload));
		HOLDS(e.epoch.n > 0 && e.epoch.n < EPOCH_MAX && e.seq > 0);
		check_frame(e.text);
	}
	check_frame(payload);
	fuzz_free(payload);
	return 0;
}
