/* SPDX-License-Identifier: MIT */
/* TAP for the unit tests. */
#ifndef PALAVER_TAP_H
#define PALAVER_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_count, tap_bad;

static inline void __attribute__((format(printf, 2, 3)))
ok(bool good, const char *fmt, ...)
{
	va_list ap;

	tap_bad += !good;
	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static inline int
tap_end(void)
{
	printf("1..%d\n", tap_count);
	return tap_bad != 0;
}

#endif
