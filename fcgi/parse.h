/* SPDX-License-Identifier: MIT */
/* What libfcgi does for us: it takes the parameters and the body out of a
 * request's records, and tells FastCGI from CGI. parse.c is the only file that
 * includes its header. */
#ifndef PALAVER_PARSE_H
#define PALAVER_PARSE_H

#include "buf.h"

struct parse;

struct parsed {
	char **params;   /* NAME=VALUE, NULL at the end */
	struct buf body;
};

/* NULL when there is no pipe to be had that is large enough. */
struct parse *parse_new(void);
void parse_free(struct parse *p);
/* Whether fd 0 is no FastCGI socket: then this is plain CGI, or nothing. */
bool parse_is_cgi(void);
/* Parses one whole request of at most RECORDS_REQUEST_MAX bytes, as
 * records_request writes it. Never blocks. False: it is broken, *out is
 * empty. Release *out by parsed_clear. */
bool parse_request(struct parse *p, struct span records, struct parsed *out);
void parsed_clear(struct parsed *d);
/* The value of a parameter in such a list, or NULL. The last one counts, as
 * everywhere: nginx' own fastcgi_params, included first, gives HTTP_HOST
 * without its port. */
const char *param(char *const *params, const char *name);

#endif
