/* SPDX-License-Identifier: MIT */
#include "http.h"

static const char *
reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 409: return "Conflict";
	case 413: return "Content Too Large";
	case 415: return "Unsupported Media Type";
	case 429: return "Too Many Requests";
	case 503: return "Service Unavailable";
	default: return "Internal Server Error";
	}
}

static void
write_cors(struct buf *b, struct span cors)
{
	if (cors.n == 0)
		return;
	buf_str(b, "Access-Control-Allow-Origin: ");
	buf_span(b, cors);
	buf_str(b, "\r\nVary: Origin\r\n"
	    "Access-Control-Expose-Headers: Retry-After\r\n");
}

void
http_write(struct buf *b, enum error e, unsigned retry_after,
    const char *allow, struct span cors, struct span text)
{
	int status = error_row(e)->http;

	buf_str(b, "Status: ");
	buf_uint(b, (uint64_t)status);
	buf_str(b, " ");
	buf_str(b, reason(status));
	buf_str(b, "\r\nContent-Type: application/json; charset=utf-8\r\n"
	    "Content-Length: ");
	buf_uint(b, text.n);
	buf_str(b, "\r\nCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n");
	if (retry_after != 0)
		buf_fmt(b, "Retry-After: %u\r\n", retry_after);
	if (e == ERR_METHOD)
		buf_fmt(b, "Allow: %s\r\n", allow);
	if (e == ERR_UNSIGNED)
		buf_str(b, "WWW-Authenticate: Bearer\r\n");
	write_cors(b, cors);
	buf_str(b, "\r\n");
	buf_span(b, text);
}

void
http_write_preflight(struct buf *b, const char *allow, struct span cors)
{
	buf_fmt(b, "Status: 204 No Content\r\nCache-Control: no-store\r\n"
	    "Allow: %s\r\n"
	    "Access-Control-Allow-Methods: GET, POST\r\n"
	    "Access-Control-Allow-Headers: Authorization, Content-Type\r\n"
	    "Access-Control-Max-Age: 600\r\n", allow);
	write_cors(b, cors);
	buf_str(b, "\r\n");
}
