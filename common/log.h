/* SPDX-License-Identifier: MIT */
/* Log lines on standard error: "LEVEL text". Never hand it a password, an
 * access key, a session UUID of an unsigned session or a raw frame. */
#ifndef PALAVER_LOG_H
#define PALAVER_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG };

/* Sets the program's name (borrowed, for good) and the highest level. */
void log_open(const char *program, enum log_level level);
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
/* One line; control bytes in it are written as '?'; at most 1000 bytes. */
void log_at(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
