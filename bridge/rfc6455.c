/* SPDX-License-Identifier: MIT */
#include "rfc6455.h"

#include <strings.h>

#include "utf8.h"

#define KEY_LEN 24 /* bytes of base64 for 16 bytes */

static bool
same(struct span s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* Whether a list by commas (RFC 9110, section 5.6.1) has that token. */
static bool
has_token(struct span list, const char *token)
{
	for (size_t i = 0; i <= list.n; i++) {
		struct span one = { list.p + i, 0 };

		while (i < list.n && list.p[i] != ',')
			i++;
		one.n = (size_t)(list.p + i - one.p);
		while (one.n > 0 && strchr(" \t", *one.p) != NULL) {
			one.p++;
			one.n--;
		}
		while (one.n > 0 && strchr(" \t", one.p[one.n - 1]) != NULL)
			one.n--;
		if (same(one, token))
			return true;
	}
	return false;
}

static bool
is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* base64 (RFC 4648, section 4) of 16 bytes: 22 digits and two of padding. */
static bool
is_key(struct span s)
{
	if (s.n != KEY_LEN)
		return false;
	for (size_t i = 0; i < KEY_LEN - 2; i++)
		if (!is_base64(s.p[i]))
			return false;
	return s.p[KEY_LEN - 2] == '=' && s.p[KEY_LEN - 1] == '=';
}

unsigned
rfc6455_handshake(const struct handshake *h)
{
	if (!h->get)
		return HANDSHAKE_METHOD;
	if (!same(h->http, "HTTP/1.1") || h->host.n == 0)
		return HANDSHAKE_BAD;
	if (!has_token(h->upgrade, "websocket") ||
	    !has_token(h->connection, "upgrade"))
		return HANDSHAKE_UPGRADE;
	if (!is_key(h->key))
		return HANDSHAKE_BAD;
	return same(h->version, "13") ? 0 : HANDSHAKE_UPGRADE;
}

unsigned
rfc6455_close(struct span payload)
{
	const unsigned char *p = (const unsigned char *)payload.p;
	unsigned code;

	if (payload.n == 0)
		return 0;
	if (payload.n == 1)
		return 1002;
	code = (unsigned)p[0] << 8 | p[1];
	/* 1004 to 1006 and 1015 never stand in a frame; 1012 to 1014 are
	 * registered with IANA; what else is below 3000 nobody has defined. */
	if (code < 1000 || code > 4999 || (code >= 1004 && code <= 1006) ||
	    (code > 1014 && code < 3000))
		return 1002;
	if (!utf8_encoded((struct span){ payload.p + 2, payload.n - 2 }))
		return 1007;
	return code;
}
