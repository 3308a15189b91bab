/* SPDX-License-Identifier: MIT */
/* HTTP as a web server hands it over by CGI parameters (RFC 3875): from a
 * request to an operation, and from its outcome to a response. */
#ifndef PALAVER_HTTP_H
#define PALAVER_HTTP_H

#include "conf.h"
#include "error.h"
#include "msg.h"
#include "run.h"

#define HTTP_TYPE_MAX 64

/* What a request asks for. */
enum http_kind {
	HTTP_OPERATION, /* run type with msg or the body */
	HTTP_HEALTH,
	HTTP_PREFLIGHT, /* CORS: answered with no content */
	HTTP_REFUSED    /* error and payload stand */
};

struct http_request {
	enum http_kind kind;
	char type[HTTP_TYPE_MAX]; /* as the path has it */
	const char *operation;  /* its name in the table, for good */
	struct msg *msg;        /* of a GET; owned until it is run */
	struct span bearer;     /* points into the parameters */
	struct client client;   /* for limits */
	struct span cors;       /* a foreign origin that may read it; empty */
	const char *allow;      /* the methods of this type */
	bool head;              /* a GET whose content nobody wants */
	enum error error;
	const char *payload;
};

/* Reads a request from its parameters, which peer gave; body is the number of
 * bytes that came as its body. */
void http_read(struct http_request *h, const struct conf *c, struct peer peer,
    char *const *params, size_t body);
void http_clear(struct http_request *h);
/* Appends status line, header fields and text. retry_after in seconds, 0: none;
 * allow and cors as above. */
void http_write(struct buf *b, enum error e, unsigned retry_after,
    const char *allow, struct span cors, struct span text);
/* The answer to a preflight, or to any other OPTIONS. */
void http_write_preflight(struct buf *b, const char *allow, struct span cors);

#endif
