/* SPDX-License-Identifier: MIT */
/* The CGI parameters of a request: a list of NAME=VALUE with NULL behind the
 * last one, as the environment is. */
#ifndef PALAVER_PARAMS_H
#define PALAVER_PARAMS_H

#include "span.h"

/* Whether name-value pairs (FastCGI Specification 1.0, section 3.4) fill it
 * exactly. */
bool params_whole(struct span pairs);
/* The list of such pairs; one free() releases it. NULL when they are none, or
 * without memory. */
char **params_read(struct span pairs);
/* The value of a parameter in such a list, or NULL. The last one counts, as
 * everywhere: nginx' own fastcgi_params, included first, gives HTTP_HOST
 * without its port. */
const char *param(char *const *params, const char *name);

#endif
