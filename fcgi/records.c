/* SPDX-License-Identifier: MIT */
#include "records.h"

#include "limit.h"
#include "params.h"

enum { /* types of records */
	BEGIN_REQUEST = 1, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT,
	UNKNOWN_TYPE = 11
};

#define FCGI_VERSION 1
#define RESPONDER 1
#define KEEP_CONN 1
#define CHUNK 65528 /* most content that we put in a record: no padding */

static unsigned
head_id(const unsigned char *h)
{
	return (unsigned)h[2] << 8 | h[3];
}

static size_t
head_content(const unsigned char *h)
{
	return (size_t)h[4] << 8 | h[5];
}

/* A record's header is whole: whether such a record may come now. */
static bool
record_begins(struct records *r)
{
	unsigned id = head_id(r->head);
	size_t n = head_content(r->head);

	if (r->head[0] != FCGI_VERSION || id == 0)
		return false;
	r->content = n;
	r->padding = r->head[6];
	switch (r->head[1]) {
	case BEGIN_REQUEST:
		r->nbegin = 0;
		return !r->begun && n == sizeof(r->begin);
	case ABORT_REQUEST:
		/* Before a request has begun it is one that crossed the end
		 * of our last reply. */
		return !r->begun;
	case PARAMS:
		return r->begun && !r->params_over && id == r->id &&
		    n <= RECORDS_PARAMS_MAX - r->params.n;
	case STDIN:
		return r->params_over && id == r->id &&
		    n <= RECORDS_DRAIN - r->body_size;
	default:
		return false;
	}
}

static void
record_content(struct records *r, const char *p, size_t n)
{
	switch (r->head[1]) {
	case BEGIN_REQUEST:
		memcpy(r->begin + r->nbegin, p, n);
		r->nbegin += n;
		break;
	case PARAMS:
		buf_add(&r->params, p, n);
		break;
	case STDIN:
		r->body_size += n;
		if (r->body_size > LIMIT_FRAME)
			buf_clear(&r->body);
		else
			buf_add(&r->body, p, n);
		break;
	default:
		break;
	}
}

static enum records_status
record_ends(struct records *r)
{
	bool empty = head_content(r->head) == 0;

	r->nhead = 0;
	switch (r->head[1]) {
	case BEGIN_REQUEST:
		if (r->begin[0] != 0 || r->begin[1] != RESPONDER)
			return RECORDS_BROKEN;
		r->begun = true;
		r->id = head_id(r->head);
		r->keep = (r->begin[2] & KEEP_CONN) != 0;
		break;
	case PARAMS:
		if (!empty)
			break;
		r->params_over = true;
		if (!params_whole(buf_peek(&r->params)))
			return RECORDS_BROKEN;
		break;
	case STDIN:
		if (empty)
			return RECORDS_COMPLETE;
		break;
	default:
		break;
	}
	return r->params.oom || r->body.oom ? RECORDS_BROKEN :
	    RECORDS_PARTIAL;
}

static void
take(struct records *r, struct span *in, size_t n)
{
	in->p += n;
	in->n -= n;
	r->raw += n;
}

enum records_status
records_feed(struct records *r, struct span *in)
{
	while (r->status == RECORDS_PARTIAL && in->n > 0) {
		size_t n;

		if (r->nhead < RECORDS_HEADER) {
			r->head[r->nhead++] = (unsigned char)*in->p;
			take(r, in, 1);
			if (r->nhead < RECORDS_HEADER)
				continue;
			if (!record_begins(r) || r->raw > RECORDS_RAW_MAX) {
				r->status = RECORDS_BROKEN;
				break;
			}
		} else if (r->content > 0) {
			n = r->content < in->n ? r->content : in->n;
			record_content(r, in->p, n);
			r->content -= n;
			take(r, in, n);
		} else {
			n = r->padding < in->n ? r->padding : in->n;
			r->padding -= n;
			take(r, in, n);
		}
		if (r->content == 0 && r->padding == 0)
			r->status = record_ends(r);
	}
	return r->status;
}

void
records_clear(struct records *r)
{
	buf_clear(&r->params);
	buf_clear(&r->body);
	*r = (struct records){ 0 };
}

bool
records_is_abort(struct span bytes, unsigned id)
{
	const unsigned char *h = (const unsigned char *)bytes.p;

	return bytes.n >= RECORDS_HEADER && h[0] == FCGI_VERSION &&
	    h[1] == ABORT_REQUEST && head_id(h) == id;
}

static void
add_header(struct buf *b, int type, unsigned id, size_t content)
{
	unsigned char h[RECORDS_HEADER] = { FCGI_VERSION, (unsigned char)type,
		(unsigned char)(id >> 8), (unsigned char)id,
		(unsigned char)(content >> 8), (unsigned char)content, 0, 0 };

	buf_add(b, h, sizeof(h));
}

/* A stream: records with its bytes, and the empty one that ends it. */
static void
add_stream(struct buf *b, int type, unsigned id, struct span text)
{
	while (text.n > 0) {
		size_t n = text.n > CHUNK ? CHUNK : text.n;

		add_header(b, type, id, n);
		buf_add(b, text.p, n);
		text.p += n;
		text.n -= n;
	}
	add_header(b, type, id, 0);
}

void
records_reply(struct buf *b, unsigned id, struct span text)
{
	static const char complete[8]; /* status 0, FCGI_REQUEST_COMPLETE */

	add_stream(b, STDOUT, id, text);
	add_header(b, END_REQUEST, id, sizeof(complete));
	buf_add(b, complete, sizeof(complete));
}

void
records_goodbye(struct buf *b)
{
	static const char none[8];

	add_header(b, UNKNOWN_TYPE, 0, sizeof(none));
	buf_add(b, none, sizeof(none));
}
