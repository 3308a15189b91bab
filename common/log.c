/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE 1000 /* bytes with the newline */

static const char *name = "palaver";
static enum log_level highest = LOG_LEVEL_INFO;

void
log_open(const char *program, enum log_level level)
{
	name = program;
	highest = level;
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	static const char *const levels[] = { "error", "warn", "info",
		"debug" };
	char line[LINE];
	va_list ap;
	int head, n;

	if (level > highest)
		return;
	head = snprintf(line, sizeof(line), "%s[%ld]: %s: ", name,
	    (long)getpid(), levels[level]);
	va_start(ap, fmt);
	n = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	n += head;
	if (n > LINE - 2)
		n = LINE - 2;
	for (int i = head; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere to say it */
}
