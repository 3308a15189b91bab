/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <strings.h>

/* A field that is no list stands there once (RFC 9110, section 5.3; RFC 9112,
 * section 3.2; RFC 6455, section 11.3). */
static const struct {
	const char *name;
	bool list;
} rows[REQUEST_FIELDS] = {
	[REQUEST_CONNECTION] = { "Connection", true },
	[REQUEST_CONTENT_LENGTH] = { "Content-Length", false },
	[REQUEST_HOST] = { "Host", false },
	[REQUEST_ORIGIN] = { "Origin", false },
	[REQUEST_WS_KEY] = { "Sec-WebSocket-Key", false },
	[REQUEST_WS_PROTOCOL] = { "Sec-WebSocket-Protocol", true },
	[REQUEST_WS_VERSION] = { "Sec-WebSocket-Version", false },
	[REQUEST_TRANSFER_ENCODING] = { "Transfer-Encoding", true },
	[REQUEST_UPGRADE] = { "Upgrade", true },
	[REQUEST_FORWARDED_FOR] = { "X-Forwarded-For", true },
};

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

/* Whether s is not empty and has only letters, digits and those of others. */
static bool
made_of(struct span s, const char *others)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) &&
		    (s.p[i] == '\0' || strchr(others, s.p[i]) == NULL))
			return false;
	return s.n > 0;
}

/* RFC 9110, section 5.6.2. */
static bool
is_token(struct span s)
{
	return made_of(s, "!#$%&'*+-.^_`|~");
}

/* A host and perhaps a port (RFC 3986, section 3.2), without a user. */
static bool
is_host(struct span s)
{
	return made_of(s, "-._~%!$&'()*+,;=:[]");
}

/* RFC 9110, section 5.5: visible bytes, blanks and tabs; no CR, LF or NUL. */
static bool
is_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Takes what stands before the next c off the front, c as well. False: there
 * is no c. */
static bool
take_until(struct span *s, char c, struct span *out)
{
	const char *at = s->n == 0 ? NULL : memchr(s->p, c, s->n);

	if (at == NULL)
		return false;
	*out = (struct span){ s->p, (size_t)(at - s->p) };
	s->p += out->n + 1;
	s->n -= out->n + 1;
	return true;
}

/* A line ends with CR LF, nothing less. */
static bool
take_line(struct span *s, struct span *line)
{
	if (!take_until(s, '\n', line) || line->n == 0 ||
	    line->p[line->n - 1] != '\r')
		return false;
	line->n--;
	return true;
}

/* A line of the fields (RFC 9112, section 5): no blank before the colon, so
 * none that goes on from the line before. */
static bool
take_field(struct span *s, struct span *name, struct span *value)
{
	struct span line;

	if (!take_line(s, &line) || !take_until(&line, ':', name) ||
	    !is_token(*name) || !is_value(line))
		return false;
	*value = span_trim(line);
	return true;
}

static bool
is_name(struct span name, const char *other)
{
	return name.n == strlen(other) &&
	    strncasecmp(name.p, other, name.n) == 0;
}

/* A path, or a whole URI of ours (RFC 9112, section 3.2). */
static bool
read_target(struct request *r, struct span target)
{
	static const char *const schemes[] = { "http://", "https://" };
	struct span *host = &r->field[REQUEST_HOST];
	const char *query;

	for (size_t i = 0; i < target.n; i++)
		if (target.p[i] <= ' ' || target.p[i] == 0x7f)
			return false;
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);

		if (target.n <= n || strncasecmp(target.p, schemes[i], n) != 0)
			continue;
		*host = (struct span){ target.p + n, 0 };
		while (n + host->n < target.n &&
		    strchr("/?", host->p[host->n]) == NULL)
			host->n++;
		if (!is_host(*host))
			return false;
		target.p += n + host->n;
		target.n -= n + host->n;
		break;
	}
	query = target.n == 0 ? NULL : memchr(target.p, '?', target.n);
	r->path = (struct span){ target.p, query == NULL ? target.n :
	    (size_t)(query - target.p) };
	return host->p != NULL || (r->path.n > 0 && *r->path.p == '/');
}

static unsigned
read_line(struct request *r, struct span line)
{
	struct span target;

	if (!take_until(&line, ' ', &r->method) || !is_token(r->method) ||
	    !take_until(&line, ' ', &target))
		return REQUEST_BAD;
	r->version = line;
	if (line.n != 8 || memcmp(line.p, "HTTP/", 5) != 0 ||
	    line.p[5] < '0' || line.p[5] > '9' || line.p[6] != '.' ||
	    line.p[7] < '0' || line.p[7] > '9')
		return REQUEST_BAD;
	if (line.p[5] != '1')
		return REQUEST_VERSION;
	return read_target(r, target) ? 0 : REQUEST_BAD;
}

/* Joins all lines of the i-th field, in order, at the end of what was joined
 * so far. A comma and a blank are no more bytes than the name was. */
static void
join(struct request *r, struct span fields, size_t i, size_t *used)
{
	char *at = r->joined + *used;
	struct span name, value;
	size_t n = 0;

	while (take_field(&fields, &name, &value)) {
		if (!is_name(name, rows[i].name))
			continue;
		if (n > 0) {
			memcpy(at + n, ", ", 2);
			n += 2;
		}
		memcpy(at + n, value.p, value.n);
		n += value.n;
	}
	r->field[i] = (struct span){ at, n };
	*used += n;
}

static unsigned
read_fields(struct request *r, struct span fields)
{
	struct span s = fields, name, value;
	unsigned count[REQUEST_FIELDS] = { 0 };
	bool authority = r->field[REQUEST_HOST].p != NULL;
	size_t used = 0;

	while (s.n > 0) {
		if (!take_field(&s, &name, &value))
			return REQUEST_BAD;
		for (size_t i = 0; i < REQUEST_FIELDS; i++) {
			if (!is_name(name, rows[i].name))
				continue;
			if (++count[i] > 1 && !rows[i].list)
				return REQUEST_BAD;
			if (i == REQUEST_HOST && value.n > 0 &&
			    !is_host(value))
				return REQUEST_BAD;
			if (i != REQUEST_HOST || !authority)
				r->field[i] = value;
		}
	}
	for (size_t i = 0; i < REQUEST_FIELDS; i++)
		if (count[i] > 1)
			join(r, fields, i, &used);
	return count[REQUEST_HOST] == 1 || r->version.p[7] == '0' ? 0 :
	    REQUEST_BAD;
}

size_t
request_end(struct span bytes, size_t seen)
{
	size_t at = seen < 2 ? 0 : seen - 2;
	const char *lf;

	/* A line that ends with LF alone ends the head as well: it is then
	 * refused, not waited for. */
	while (at < bytes.n &&
	    (lf = memchr(bytes.p + at, '\n', bytes.n - at)) != NULL) {
		at = (size_t)(lf - bytes.p) + 1;
		if (at < bytes.n && bytes.p[at] == '\n')
			return at + 1;
		if (at + 1 < bytes.n && bytes.p[at] == '\r' &&
		    bytes.p[at + 1] == '\n')
			return at + 2;
	}
	return 0;
}

unsigned
request_read(struct request *r, struct span head)
{
	struct span line;
	unsigned status;

	memset(r->field, 0, sizeof(r->field));
	/* One blank line before it is passed over (RFC 9112, section 2.2). */
	if (head.n > 2 && memcmp(head.p, "\r\n", 2) == 0) {
		head.p += 2;
		head.n -= 2;
	}
	if (!take_line(&head, &line))
		return REQUEST_BAD;
	status = read_line(r, line);
	if (status != 0)
		return status;
	if (head.n < 2 || memcmp(head.p + head.n - 2, "\r\n", 2) != 0)
		return REQUEST_BAD;
	head.n -= 2;
	return read_fields(r, head);
}

bool
request_has_body(const struct request *r)
{
	struct span length = r->field[REQUEST_CONTENT_LENGTH];

	return r->field[REQUEST_TRANSFER_ENCODING].p != NULL ||
	    (length.p != NULL && !span_is(length, "0"));
}
