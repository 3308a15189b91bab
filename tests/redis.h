/* SPDX-License-Identifier: MIT */
/* A Redis of the test's own, which can be stopped, killed and started again; and
 * the loop that a test turns. */
#ifndef PALAVER_TESTS_REDIS_H
#define PALAVER_TESTS_REDIS_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "conf.h"

#define PATIENCE 10000 /* ms that anything may take on a slow machine */
#define SECRET "hunter2-very-secret"

extern uv_loop_t loop;
extern struct conf conf; /* names the server's unix socket */
extern pid_t redis;      /* 0: it does not run */
extern int redis_port;   /* where it listens, too */

/* Makes the loop and starts the server. Exits with 77 when there is none. */
void redis_begin(void);
/* Whether nothing is left on the loop; ends the server. */
bool redis_end(void);
/* without_auth: the server does not know the command AUTH. */
bool redis_start(bool without_auth);
void redis_kill(void);
/* Whether redis-cli, asked for the words, could do it. */
#define CLI(...) redis_cli((const char *const[]){ __VA_ARGS__, NULL })
bool redis_cli(const char *const words[]);
/* Whether a command of the shell, $0 being the unix socket, succeeds. */
bool redis_shell(const char *command);

/* Turns the loop until *what reaches at_least; false when ms are over. */
bool until(const int *what, int at_least, unsigned ms);
void turn(unsigned ms);

/* Standard error goes to a file; then whether needle was written there. */
void capture(void);
bool captured(const char *needle);

#endif
