/* SPDX-License-Identifier: MIT */
#include "event.h"

#include "scope.h"

static size_t
run_of(struct span s, const char *chars)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '\0' && strchr(chars, s.p[n]) != NULL)
		n++;
	return n;
}

bool
event_split(struct span payload, struct event *e)
{
	size_t n = run_of(payload, "0123456789abcdef"), digits;
	struct span rest;

	if (n == 0 || n >= EPOCH_MAX || n == payload.n || payload.p[n] != ' ')
		return false;
	e->epoch = (struct span){ payload.p, n };
	rest = (struct span){ payload.p + n + 1, payload.n - n - 1 };
	digits = run_of(rest, "0123456789");
	if (digits == 0 || digits > 15 || digits == rest.n ||
	    rest.p[digits] != ' ')
		return false;
	e->seq = 0;
	for (size_t i = 0; i < digits; i++)
		e->seq = e->seq * 10 + (uint64_t)(rest.p[i] - '0');
	e->text = (struct span){ rest.p + digits + 1, rest.n - digits - 1 };
	return e->seq > 0;
}
