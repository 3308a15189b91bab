/* SPDX-License-Identifier: MIT */
#ifndef PALAVER_CLOCK_H
#define PALAVER_CLOCK_H

#include <stdint.h>

/* Milliseconds of the monotonic clock; never 0. */
uint64_t clock_ms(void);

#endif
