/* SPDX-License-Identifier: MIT */
#include "conf_body.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "must be redis://[user:password@]host:port[/db]"
    " or unix:/path[?db=N]";
static const char host_port[] = "must be host:port";
static const char no_memory[] = "out of memory";

/* RFC 3986, section 2.1; a % that begins no escape stands for itself. NULL, or
 * what is wrong: no memory, or an escaped NUL. */
static const char *
percent_decode(const char *from, size_t n, char **decoded)
{
	char *out = malloc(n + 1), *at = out;

	if (out == NULL)
		return no_memory;
	for (size_t i = 0; i < n; i++) {
		char hex[3] = { 0 };

		if (from[i] == '%' && i + 2 < n &&
		    strspn(from + i + 1, "0123456789abcdefABCDEF") >= 2) {
			memcpy(hex, from + i + 1, 2);
			*at++ = (char)strtoul(hex, NULL, 16);
			i += 2;
		} else {
			*at++ = from[i];
		}
	}
	*at = '\0';
	if (strlen(out) == (size_t)(at - out)) {
		*decoded = out;
		return NULL;
	}
	sodium_memzero(out, n + 1);
	free(out);
	return usage;
}

void
conf_wipe(char **secret)
{
	if (*secret != NULL)
		sodium_memzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

void
conf_redis_clear(struct redis_address *r)
{
	free(r->host);
	free(r->path);
	free(r->user);
	conf_wipe(&r->password);
	*r = (struct redis_address){ 0 };
}

const char *
conf_host_port(struct redis_address *r, const char *s, size_t n)
{
	const char *colon = memrchr(s, ':', n), *end = s + n;
	unsigned port = 6379;
	char text[8] = "";

	if (colon != NULL && memchr(colon, ']', (size_t)(end - colon)) == NULL) {
		if (end - colon - 1 >= (long)sizeof(text) || colon == end - 1)
			return host_port;
		memcpy(text, colon + 1, (size_t)(end - colon - 1));
		if (!conf_number(text, 10, 1, 65535, &port))
			return host_port;
		end = colon;
	}
	if (end - s >= 2 && *s == '[' && end[-1] == ']') {
		s++;
		end--;
	} else if (strcspn(s, "[]:") < (size_t)(end - s)) {
		return host_port;
	}
	r->port = (int)port;
	r->host = end == s ? strdup("127.0.0.1") :
	    strndup(s, (size_t)(end - s));
	return r->host == NULL ? no_memory : NULL;
}

const char *
conf_redis(struct redis_address *r, const char *s)
{
	const char *at, *slash, *colon, *query, *why;
	unsigned db = 0;

	conf_redis_clear(r);
	if (strncmp(s, "rediss://", 9) == 0)
		return "no TLS here: let stunnel make the TLS connection and"
		    " name its address instead";
	if (strncmp(s, "unix:", 5) == 0) {
		s += 5;
		query = strchr(s, '?');
		if (query != NULL && (strncmp(query, "?db=", 4) != 0 ||
		    !conf_number(query + 4, 10, 0, 65535, &db)))
			return usage;
		if (*s != '/')
			return usage;
		r->path = strndup(s, query == NULL ? strlen(s) :
		    (size_t)(query - s));
		r->db = (int)db;
		return r->path == NULL ? no_memory : NULL;
	}
	if (strncmp(s, "redis://", 8) != 0)
		return usage;
	s += 8;
	at = strrchr(s, '@');
	if (at != NULL) {
		colon = memchr(s, ':', (size_t)(at - s));
		if (colon == NULL)
			return usage;
		why = percent_decode(colon + 1, (size_t)(at - colon - 1),
		    &r->password);
		if (why == NULL && colon > s)
			why = percent_decode(s, (size_t)(colon - s), &r->user);
		if (why != NULL)
			return why;
		s = at + 1;
	}
	slash = strchr(s, '/');
	if (slash != NULL && slash[1] != '\0' &&
	    !conf_number(slash + 1, 10, 0, 65535, &db))
		return usage;
	r->db = (int)db;
	why = conf_host_port(r, s, slash == NULL ? strlen(s) :
	    (size_t)(slash - s));
	return why == host_port ? usage : why;
}
