/* SPDX-License-Identifier: MIT */
/* Thinning of notices, and whose a notice is. */
#include "frame.h"
#include "tap.h"
#include "thin.h"

#define ANN "568f5d1d-2bea-4790-a079-1b5ab61c6b78"
#define USER "{\"UUID\":\"" ANN "\",\"Username\":\"ann\",\"OnLine\":true}"

static const struct rate rate = { 20, 1 };

/* How many of n notices, one by one at from + i * step ms, pass. */
static int
passing(struct thin *t, int n, uint64_t from, uint64_t step)
{
	int passed = 0;

	for (int i = 0; i < n; i++)
		passed += thin_passes(t, &rate, 1, from + step * (uint64_t)i);
	return passed;
}

static void
is_of_ann(const char *what, const char *frame, bool wanted)
{
	struct span s = frame_notice_user(span_of(frame));

	ok(wanted ? span_is(s, ANN) : s.n == 0, "%s", what);
}

static bool
says(uint64_t total, uint64_t sessions, const char *wanted)
{
	struct buf b = { 0 };
	bool good;

	thin_message(&b, total, sessions);
	good = span_is(buf_peek(&b), wanted);
	buf_clear(&b);
	return good;
}

int
main(void)
{
	struct thin t = { .user = ANN };
	static const struct rate none = { 0, 1 };
	char cut[200];

	ok(passing(&t, 20, 5000, 10) == 20 && !t.owed,
	    "twenty in a second pass");
	ok(passing(&t, 1, 5900, 0) == 0 && t.owed, "the next one does not");
	ok(thin_tells(&t, 6000) && !t.owed, "the session is told instead");
	ok(passing(&t, 10, 6100, 1) == 0, "nor any in the second behind");
	ok(!thin_tells(&t, 6500) && t.owed, "told once a second only");
	ok(thin_tells(&t, 7000), "then again");
	ok(passing(&t, 10, 7200, 1) == 10,
	    "after a second below the rate all pass");
	ok(passing(&t, 100, 9000, 5) == 20 && passing(&t, 1, 20000, 0) == 1,
	    "a silence ends it");
	ok(thin_passes(&t, &rate, 20, 30000) &&
	    !thin_passes(&t, &rate, 1, 30000), "several at a time");
	ok(!thin_passes(&t, &rate, UINT32_MAX, 30000) &&
	    !thin_passes(&t, &rate, UINT32_MAX, 30001), "very many");
	ok(thin_passes(&t, &rate, 0, 30002), "none of others pass always");
	ok(thin_passes(&t, &none, 1000, 30003), "0: no limit");

	ok(says(812, 812, "{\"type\":\"sys\",\"sys\":{\"type\":\"users\","
	    "\"users\":{\"total\":812,\"after\":5}}}"),
	    "the message that stands for them");
	ok(says(0, 0, "{\"type\":\"sys\",\"sys\":{\"type\":\"users\","
	    "\"users\":{\"total\":0,\"after\":1}}}") &&
	    says(9, 1000000, "{\"type\":\"sys\",\"sys\":{\"type\":\"users\","
	    "\"users\":{\"total\":9,\"after\":60}}}"),
	    "after grows with the sessions, to a minute");

	is_of_ann("signIn", "{\"type\":\"sys\",\"cursor\":\"sys:e:1\",\"sys\":"
	    "{\"type\":\"signIn\",\"signIn\":{\"uuid\":\"" ANN "\",\"username\":"
	    "\"ann\"}}}", true);
	is_of_ann("signOut", "{\"type\":\"sys\",\"cursor\":\"sys:e:2\",\"sys\":"
	    "{\"type\":\"signOut\",\"signOut\":{\"uuid\":\"" ANN "\","
	    "\"username\":\"ann\"}}}", true);
	is_of_ann("channelJoin", "{\"type\":\"sys\",\"cursor\":\"g~:e:1\","
	    "\"userUUID\":\"" ANN "\",\"user\":" USER ",\"sys\":{\"type\":"
	    "\"channelJoin\",\"channelJoin\":{\"recipientUUID\":\"\"}}}", true);
	is_of_ann("channelLeave", "{\"type\":\"channelLeave\",\"cursor\":"
	    "\"g~:e:2\",\"userUUID\":\"" ANN "\",\"channelLeave\":{}}", true);
	is_of_ann("sys channelMessage is no such notice", "{\"type\":\"sys\","
	    "\"cursor\":\"u:x:e:1\",\"userUUID\":\"" ANN "\",\"user\":" USER
	    ",\"sys\":{\"type\":\"channelMessage\",\"channelMessage\":{}}}",
	    false);
	is_of_ann("nor is a message", "{\"type\":\"channelMessage\",\"cursor\":"
	    "\"g:e:1\",\"channelMessage\":{}}", false);
	is_of_ann("nor nonsense", "{\"type\":\"sys\",\"cursor\":\"", false);
	is_of_ann("nor nothing", "", false);
	snprintf(cut, sizeof(cut), "%s", "{\"type\":\"channelLeave\",\"cursor\":"
	    "\"g~:e:2\",\"userUUID\":\"568f5d1d");
	is_of_ann("nor half a UUID", cut, false);
	return tap_end();
}
