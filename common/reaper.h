/* SPDX-License-Identifier: MIT */
/* Reaping by a process that holds no lease of its own: what bridges and
 * HTTP sessions left behind is counted out, a bounded part at a time. */
#ifndef PALAVER_REAPER_H
#define PALAVER_REAPER_H

#include <uv.h>

#include "store.h"

struct reaper;

/* Reaps at once and then three times in a lease of presence. NULL without memory. */
struct reaper *reaper_new(uv_loop_t *loop, const struct conf *c,
    struct store *s);
/* Calls done(arg) once what it has asked Redis for is answered, at once where that
 * is nothing, and reaps no more. */
void reaper_finish(struct reaper *r, void (*done)(void *arg), void *arg);
/* After store_free. */
void reaper_free(struct reaper *r);

#endif
