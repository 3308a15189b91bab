/* SPDX-License-Identifier: MIT */
/* FastCGI records (FastCGI Specification 1.0, sections 3 and 5): tells whether
 * bytes hold a whole request, and writes the records of a reply. No I/O. */
#ifndef PALAVER_RECORDS_H
#define PALAVER_RECORDS_H

#include "buf.h"

#define RECORDS_PARAMS_MAX (64 * 1024) /* bytes of parameters */

enum records {
	RECORDS_PARTIAL,  /* more bytes are needed */
	RECORDS_COMPLETE, /* size bytes are one request */
	RECORDS_BROKEN    /* not FastCGI, or beyond the limits: close */
};

struct records_request {
	size_t size;      /* bytes of the whole request */
	unsigned id;
	bool keep;        /* FCGI_KEEP_CONN */
	size_t body;      /* bytes of STDIN */
};

/* Looks at the first n bytes that came. */
enum records records_scan(const char *bytes, size_t n,
    struct records_request *out);
/* Appends STDOUT records with text, their end, and END_REQUEST. */
void records_reply(struct buf *b, unsigned id, struct span text);

#endif
