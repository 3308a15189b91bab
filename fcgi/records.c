/* SPDX-License-Identifier: MIT */
#include "records.h"

#include "limit.h"

enum { /* types of records */
	BEGIN_REQUEST = 1, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT
};

#define FCGI_VERSION 1
#define RESPONDER 1
#define KEEP_CONN 1
#define HEADER 8        /* bytes */
#define CHUNK 65528     /* of a STDOUT record: needs no padding */

enum records
records_scan(const char *bytes, size_t n, struct records_request *out)
{
	const unsigned char *p = (const unsigned char *)bytes;
	size_t at = 0, params = 0, content;
	bool begun = false, params_over = false;

	*out = (struct records_request){ 0 };
	while (n - at >= HEADER) {
		const unsigned char *h = p + at;
		unsigned id = (unsigned)h[2] << 8 | h[3];

		content = (size_t)h[4] << 8 | h[5];
		if (h[0] != FCGI_VERSION || id == 0)
			return RECORDS_BROKEN;
		if (n - at < HEADER + content + h[6])
			return RECORDS_PARTIAL;
		at += HEADER + content + h[6];
		switch (h[1]) {
		case BEGIN_REQUEST:
			if (begun || content != 8 || h[HEADER] != 0 ||
			    h[HEADER + 1] != RESPONDER)
				return RECORDS_BROKEN;
			begun = true;
			out->id = id;
			out->keep = (h[HEADER + 2] & KEEP_CONN) != 0;
			break;
		case PARAMS:
			if (!begun || params_over || id != out->id)
				return RECORDS_BROKEN;
			params_over = content == 0;
			params += content;
			if (params > RECORDS_PARAMS_MAX)
				return RECORDS_BROKEN;
			break;
		case STDIN:
			if (!params_over || id != out->id)
				return RECORDS_BROKEN;
			out->body += content;
			if (content == 0) {
				out->size = at;
				return RECORDS_COMPLETE;
			}
			break;
		default:
			return RECORDS_BROKEN;
		}
	}
	return RECORDS_PARTIAL;
}

static void
header(struct buf *b, int type, unsigned id, size_t content)
{
	unsigned char h[HEADER] = { FCGI_VERSION, (unsigned char)type,
		(unsigned char)(id >> 8), (unsigned char)id,
		(unsigned char)(content >> 8), (unsigned char)content, 0, 0 };

	buf_add(b, h, sizeof(h));
}

void
records_reply(struct buf *b, unsigned id, struct span text)
{
	static const char complete[8]; /* status 0, FCGI_REQUEST_COMPLETE */

	while (text.n > 0) {
		size_t n = text.n > CHUNK ? CHUNK : text.n;

		header(b, STDOUT, id, n);
		buf_add(b, text.p, n);
		text.p += n;
		text.n -= n;
	}
	header(b, STDOUT, id, 0);
	header(b, END_REQUEST, id, sizeof(complete));
	buf_add(b, complete, sizeof(complete));
}
