/* SPDX-License-Identifier: MIT */
#ifndef PALAVER_ORIGIN_H
#define PALAVER_ORIGIN_H

#include "span.h"

/* Whether a request with that Origin header (RFC 6454; empty: none was sent)
 * and that Host may be served. origins "": the origin's host and port must be
 * the Host; else a list by blanks of origins as browsers send them, compared
 * without regard to ASCII case; "*" allows all. */
bool origin_allowed(const char *origins, struct span origin,
    struct span host);

#endif
