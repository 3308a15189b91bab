/* SPDX-License-Identifier: MIT */
/* Plain CGI (RFC 3875): one request from the environment and fd 0, its
 * response to fd 1. */
#ifndef PALAVER_CGI_H
#define PALAVER_CGI_H

#include <uv.h>

#include "service.h"

struct cgi;

/* Reads the request, at most 30 s, and serves it; calls done when the response
 * is written, perhaps before it returns. NULL without memory. */
struct cgi *cgi_new(uv_loop_t *loop, struct service *s,
    void (*done)(void *arg), void *arg);
/* Reads the request and answers it with error 20 and that payload: all that a
 * visitor is to know about what the log has the reason of. */
void cgi_refuse(const char *payload);
/* After store_free. */
void cgi_free(struct cgi *c);

#endif
