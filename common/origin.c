/* SPDX-License-Identifier: MIT */
#include "origin.h"

#include <strings.h>

static bool
same(struct span a, struct span b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

/* Drops a port that the scheme has anyway. */
static struct span
without_port(struct span host, bool tls)
{
	struct span port = tls ? SPAN(":443") : SPAN(":80");

	if (host.n > port.n &&
	    memcmp(host.p + host.n - port.n, port.p, port.n) == 0)
		host.n -= port.n;
	return host;
}

bool
origin_allowed(const char *origins, struct span origin, struct span host)
{
	const char *at = origins;

	if (origin.n == 0)
		return true;
	if (*origins == '\0') {
		const char *slashes = memmem(origin.p, origin.n, "://", 3);
		bool tls = origin.n > 6 &&
		    strncasecmp(origin.p, "https:", 6) == 0;
		struct span of;

		if (slashes == NULL || host.n == 0)
			return false;
		of.p = slashes + 3;
		of.n = (size_t)(origin.p + origin.n - of.p);
		return same(without_port(of, tls), without_port(host, tls));
	}
	while (*(at += strspn(at, " \t")) != '\0') {
		struct span one = { at, strcspn(at, " \t") };

		if (span_is(one, "*") || same(one, origin))
			return true;
		at += one.n;
	}
	return false;
}
