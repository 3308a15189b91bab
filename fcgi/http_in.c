/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <strings.h>

#include "http.h"
#include "limit.h"
#include "op.h"
#include "origin.h"
#include "params.h"
#include "utf8.h"

#define QUERY_VALUE 1024 /* bytes of one decoded query parameter */

static void
refuse(struct http_request *h, enum error e, const char *payload)
{
	h->kind = HTTP_REFUSED;
	h->error = e;
	h->payload = payload;
}

static const char *
value(char *const *params, const char *name)
{
	const char *v = param(params, name);

	return v == NULL ? "" : v;
}

/* The operation is the last segment of the path, wherever BASE is. */
static void
read_type(struct http_request *h, char *const *params)
{
	const char *path = value(params, "PATH_INFO"), *slash;
	size_t n;

	if (*path == '\0')
		path = value(params, "SCRIPT_NAME");
	slash = strrchr(path, '/');
	if (slash != NULL)
		path = slash + 1;
	n = strnlen(path, sizeof(h->type) - 1);
	memcpy(h->type, path, n);
	h->type[n] = '\0';
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoding (RFC 3986, section 2.1) and + for a blank. */
static bool
decode(struct span s, char out[QUERY_VALUE], struct span *decoded)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (n == QUERY_VALUE)
			return false;
		if (s.p[i] == '+') {
			out[n++] = ' ';
		} else if (s.p[i] != '%') {
			out[n++] = s.p[i];
		} else {
			if (s.n - i < 3 || hex(s.p[i + 1]) < 0 ||
			    hex(s.p[i + 2]) < 0)
				return false;
			out[n++] = (char)(hex(s.p[i + 1]) * 16 +
			    hex(s.p[i + 2]));
			i += 2;
		}
	}
	*decoded = (struct span){ out, n };
	return utf8_valid(*decoded, NULL);
}

/* Goes through the query's parameters and hands them to msg; NULL: the body
 * is the message, what else stands in the URL is not ours.
 * An access key must not stand in a URL, which is logged. */
static void
read_query(struct http_request *h, const char *query, struct msg *msg)
{
	char name_room[QUERY_VALUE], value_room[QUERY_VALUE];

	while (*query != '\0') {
		size_t n = strcspn(query, "&"), eq = strcspn(query, "=&");
		size_t skip = eq + (eq < n);
		struct span name, text;
		bool read;

		read = decode((struct span){ query, eq }, name_room, &name);
		if (read && (span_is(name, "accessKey") ||
		    span_is(name, "userAccessKey"))) {
			refuse(h, ERR_FIELD, "accessKey");
			return;
		}
		if (msg != NULL && n != 0 && (!read ||
		    !decode((struct span){ query + skip, n - skip },
		    value_room, &text) || !msg_set(msg, name, text))) {
			refuse(h, ERR_FIELD, "query");
			return;
		}
		query += n + (query[n] == '&');
	}
}

static bool
is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t n = sizeof(json) - 1;

	return strncasecmp(type, json, n) == 0 &&
	    (type[n] == '\0' || type[n] == ';' || type[n] == ' ');
}

static void
read_bearer(struct http_request *h, char *const *params)
{
	static const char scheme[] = "Bearer ";
	struct span v = span_of(value(params, "HTTP_AUTHORIZATION"));
	size_t n = sizeof(scheme) - 1;

	if (v.n == 0)
		v = span_of(value(params, "REDIRECT_HTTP_AUTHORIZATION"));
	if (v.n <= n || strncasecmp(v.p, scheme, n) != 0)
		return;
	n += strspn(v.p + n, " "); /* RFC 9110, section 11.4: one or more */
	h->bearer = (struct span){ v.p + n, v.n - n };
}

/* One setting governs who may ask from another origin. It is echoed in a
 * header field: only what may stand there passes. */
static bool
read_origin(struct http_request *h, const struct conf *c, char *const *params)
{
	struct span origin = span_of(value(params, "HTTP_ORIGIN"));
	struct span host = span_of(value(params, "HTTP_HOST"));

	for (size_t i = 0; i < origin.n; i++)
		if (origin.p[i] <= ' ' || origin.p[i] > '~')
			return false;
	if (!origin_allowed(c->origins, origin, host))
		return false;
	if (origin.n != 0 && !origin_allowed("", origin, host))
		h->cors = origin;
	return true;
}

/* Fewer or more bytes came than the client announced: it left midway, or the
 * web server and we disagree on where its request ends. */
static bool
is_whole(char *const *params, size_t body)
{
	const char *length = value(params, "CONTENT_LENGTH");
	char *end;

	return *length == '\0' || (strtoull(length, &end, 10) == body &&
	    *end == '\0');
}

static void
read_get(struct http_request *h, char *const *params)
{
	h->msg = msg_new(h->operation);
	if (h->msg == NULL)
		refuse(h, ERR_FAULT, "");
	else
		read_query(h, value(params, "QUERY_STRING"), h->msg);
}

static void
read_post(struct http_request *h, char *const *params, size_t body)
{
	if (!is_json(value(params, "CONTENT_TYPE")))
		refuse(h, ERR_MEDIA, "");
	else if (body > LIMIT_FRAME)
		refuse(h, ERR_TOO_LARGE, "");
	else if (!is_whole(params, body))
		refuse(h, ERR_FORM, "body");
	else
		read_query(h, value(params, "QUERY_STRING"), NULL);
}

void
http_read(struct http_request *h, const struct conf *c, struct peer peer,
    char *const *params, size_t body)
{
	const char *method = value(params, "REQUEST_METHOD");
	bool get;
	const struct op *op;

	*h = (struct http_request){ .kind = HTTP_OPERATION, .payload = "",
		.allow = "POST, OPTIONS" };
	h->head = strcmp(method, "HEAD") == 0;
	get = h->head || strcmp(method, "GET") == 0;
	h->client = peer_client(&c->trusted, peer,
	    span_of(value(params, "REMOTE_ADDR")),
	    span_of(value(params, "HTTP_X_FORWARDED_FOR")));
	read_type(h, params);
	read_bearer(h, params);
	op = op_find(span_of(h->type));
	if (op != NULL) {
		h->operation = op->type;
		if (op->flags & OP_GET)
			h->allow = "GET, HEAD, POST, OPTIONS";
	}
	if (!read_origin(h, c, params)) {
		refuse(h, ERR_FORBIDDEN, "origin");
	} else if (strcmp(method, "OPTIONS") == 0) {
		h->kind = HTTP_PREFLIGHT;
	} else if (strcmp(h->type, "health") == 0) {
		h->kind = HTTP_HEALTH;
		h->allow = "GET, HEAD, OPTIONS";
		if (get)
			read_query(h, value(params, "QUERY_STRING"), NULL);
		else
			refuse(h, ERR_METHOD, "");
	} else if (op == NULL) {
		refuse(h, ERR_TYPE, "");
	} else if (get && (op->flags & OP_GET)) {
		read_get(h, params);
	} else if (strcmp(method, "POST") == 0) {
		read_post(h, params, body);
	} else {
		refuse(h, ERR_METHOD, "");
	}
}

void
http_clear(struct http_request *h)
{
	msg_free(h->msg);
	h->msg = NULL;
}
