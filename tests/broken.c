/* SPDX-License-Identifier: MIT */
#include "broken.h"

#include <stdio.h>
#include <stdlib.h>

#define SYS_HEAD "{\"type\":\"sys\",\"cursor\":\""
#define MESSAGE_HEAD "{\"type\":\"channelMessage\",\"cursor\":\""

static struct {
	bool done;
	unsigned long count;    /* messages so far */
	const void *reader;     /* of the one that is held; NULL: none is */
	char cursor[256];       /* its scope */
} state;

bool
broken_is(const char *what, unsigned long *when)
{
	const char *order = getenv("PALAVER_BREAK");
	size_t n = strlen(what);

	if (order == NULL || strncmp(order, what, n) != 0 || order[n] != ' ')
		return false;
	*when = strtoul(order + n, NULL, 10);
	return true;
}

/* The scope of an event that begins like this, up to its cursor: that cursor
 * without epoch and seq. */
static struct span
scope_of(struct span event, struct span head)
{
	struct span s = { NULL, 0 };
	const char *end;

	if (event.n <= head.n || memcmp(event.p, head.p, head.n) != 0)
		return s;
	s.p = event.p + head.n;
	end = memchr(s.p, '"', event.n - head.n);
	for (int i = 0; i < 2 && end != NULL; i++)
		end = memrchr(s.p, ':', (size_t)(end - s.p));
	s.n = end == NULL ? 0 : (size_t)(end - s.p);
	return s;
}

bool
broken_is_general(struct span event)
{
	return span_is(scope_of(event, SPAN(MESSAGE_HEAD)), "g");
}

void
broken_done(struct span event)
{
	state.done = true;
	fprintf(stderr, "broken: %s %.*s\n", getenv("PALAVER_BREAK"),
	    (int)(event.n > 80 ? 80 : event.n), event.p);
}

static enum deed
done(enum deed d, struct span event)
{
	broken_done(event);
	return d;
}

enum deed
broken_deed(const void *reader, struct span event)
{
	struct span scope = scope_of(event, SPAN(MESSAGE_HEAD)), notice;
	unsigned long when;

	notice = scope_of(event, SPAN(SYS_HEAD));
	if (!state.done && broken_is("notice", &when) && notice.n > 0 &&
	    notice.p[notice.n - 1] == '~')
		return done(DEED_DOUBLE, event);
	if (state.done || scope.n == 0)
		return DEED_PASS;
	state.count++;
	if (broken_is("drop", &when) && state.count >= when)
		return done(DEED_DROP, event);
	if (broken_is("double", &when) && state.count >= when)
		return done(DEED_DOUBLE, event);
	if (!broken_is("swap", &when) || state.count < when)
		return DEED_PASS;
	if (state.reader == NULL && scope.n < sizeof(state.cursor)) {
		state.reader = reader;
		snprintf(state.cursor, sizeof(state.cursor), "%.*s",
		    (int)scope.n, scope.p);
		return DEED_HOLD;
	}
	if (state.reader == reader && span_is(scope, state.cursor))
		return done(DEED_RELEASE, event);
	return DEED_PASS;
}

void
broken_unhold(void)
{
	state.reader = NULL;
}
