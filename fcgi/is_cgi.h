/* SPDX-License-Identifier: MIT */
/* What libfcgi tells us; is_cgi.c is the only file that includes its header.
 * Requests are read by records.c: libfcgi blocks on the descriptor that it
 * reads from, and takes 17 KiB of memory for each. */
#ifndef PALAVER_IS_CGI_H
#define PALAVER_IS_CGI_H

#include <stdbool.h>

/* Whether fd 0 is no FastCGI socket: then this is plain CGI, or nothing. */
bool is_cgi(void);

#endif
