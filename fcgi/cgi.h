/* SPDX-License-Identifier: MIT */
/* Plain CGI (RFC 3875): one request from the environment and fd 0, its
 * response to fd 1. */
#ifndef PALAVER_CGI_H
#define PALAVER_CGI_H

#include "service.h"

/* Serves the one request; calls done when the response is written. */
void cgi_serve(struct service *s, void (*done)(void *arg), void *arg);

#endif
