/* SPDX-License-Identifier: MIT */
/* FastCGI records (FastCGI Specification 1.0, sections 3 and 5). A scanner is
 * fed bytes as they come and collects one request, however its records are
 * cut; what it keeps is bounded. Also the records of a reply. No I/O.
 *
 *   BEGIN_REQUEST  PARAMS ... PARAMS(empty)  STDIN ... STDIN(empty)
 *
 * One request at a time: another id, another role, a management record, or an
 * abort is BROKEN, which a web server takes as a closed connection. */
#ifndef PALAVER_RECORDS_H
#define PALAVER_RECORDS_H

#include <stdint.h>

#include "buf.h"

#define RECORDS_HEADER 8                  /* bytes */
#define RECORDS_PARAMS_MAX (64 * 1024)    /* bytes of parameters */
#define RECORDS_DRAIN (8 * 1024 * 1024)   /* bytes of a body, kept or not */
#define RECORDS_RAW_MAX (16 * 1024 * 1024) /* bytes, headers and padding too */

enum records_status {
	RECORDS_PARTIAL,  /* more bytes are needed */
	RECORDS_COMPLETE, /* a request stands */
	RECORDS_BROKEN    /* not FastCGI, or beyond the limits; for good */
};

/* All zero it waits for a request. */
struct records {
	enum records_status status;
	unsigned id;      /* of the request, once it has begun */
	bool keep;        /* FCGI_KEEP_CONN */
	size_t body_size; /* bytes of STDIN, those dropped too */
	struct buf params; /* whole pairs, once all have come */
	struct buf body;  /* nothing when body_size is above LIMIT_FRAME */

	/* the record that is coming in */
	unsigned char head[RECORDS_HEADER], begin[8];
	size_t nhead, nbegin;
	size_t content, padding; /* bytes that are to come */
	bool begun, params_over;
	size_t raw;       /* bytes of the request so far */
};

/* Takes bytes off the front of in, none behind the end of a request. */
enum records_status records_feed(struct records *r, struct span *in);
/* Drops the request: all zero, the next one may come. */
void records_clear(struct records *r);
/* Whether bytes, which follow a complete request, begin with its abort. */
bool records_is_abort(struct span bytes, unsigned id);
/* Appends STDOUT records with text, their end, and END_REQUEST. */
void records_reply(struct buf *b, unsigned id, struct span text);
/* Appends a record that says nothing, behind the last reply of a connection
 * that was to be kept. Nothing in the protocol tells the web server that we are
 * about to close it; nginx does not use one again that holds more than the
 * reply, and so sends no request into the closing. */
void records_goodbye(struct buf *b);

#endif
