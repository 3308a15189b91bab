/* SPDX-License-Identifier: MIT */
/* Where the logs end that a session follows no longer: an effect's ends. */
#include "session_body.h"

/* The member of s that follows that log, or NULL. */
static struct member *
follower(const struct session *s, const struct scope *log)
{
	for (size_t i = 0; i < s->nmembers; i++)
		if (hub_follows(s->members[i], log))
			return s->members[i];
	return NULL;
}

/* Takes the next of the ends (effect.ends) that is of a log which s follows;
 * NULL: no more are. */
static struct member *
next_end(const struct session *s, struct span *ends, struct place *end)
{
	struct scope log;
	struct member *m = NULL;

	while (m == NULL && op_next_end(ends, &log, end))
		m = follower(s, &log);
	return m;
}

void
session_end_logs(struct session *s, struct span ends)
{
	struct place end;
	struct member *m;

	while ((m = next_end(s, &ends, &end)) != NULL)
		hub_end(m, &end);
}

static bool
had(const struct session *s, struct span ends, bool asked)
{
	struct place end;
	struct member *m;
	bool all = true;

	while ((m = next_end(s, &ends, &end)) != NULL)
		all = hub_had(m, &end, asked) && all;
	return all;
}

bool
session_owes(struct session *s, const struct effect *e, bool *asked)
{
	if (e->ends.n == 0 || s->state == SESSION_CLOSING)
		return false;
	session_end_logs(s, e->ends);
	if (had(s, e->ends, *asked))
		return false;
	*asked = true;
	hub_catch_up(s->table->hub, s);
	return s->state != SESSION_CLOSING && !had(s, e->ends, true);
}

bool
session_takes_events(struct session *s)
{
	return !s->withheld && session_ready(s);
}
