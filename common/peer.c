/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"

#define SITE_BITS 64 /* of an IPv6 address: what one customer has at least */

static struct peer
ipv4(const void *ip)
{
	struct peer p = { .kind = PEER_IPV4 };

	memcpy(p.ip, ip, 4);
	return p;
}

/* An IPv4-mapped one (RFC 4291, section 2.5.5.2) is the IPv4 address. */
static struct peer
ipv6(const struct in6_addr *ip)
{
	struct peer p = { .kind = PEER_IPV6 };

	if (IN6_IS_ADDR_V4MAPPED(ip))
		return ipv4(&ip->s6_addr[12]);
	memcpy(p.ip, ip->s6_addr, 16);
	return p;
}

struct peer
peer_of(const struct sockaddr *sa, size_t n)
{
	struct sockaddr_in four;
	struct sockaddr_in6 six;

	if (n < sizeof(sa->sa_family))
		return (struct peer){ .kind = PEER_UNKNOWN };
	if (sa->sa_family == AF_UNIX)
		return (struct peer){ .kind = PEER_UNIX };
	if (sa->sa_family == AF_INET && n >= sizeof(four)) {
		memcpy(&four, sa, sizeof(four));
		return ipv4(&four.sin_addr);
	}
	if (sa->sa_family == AF_INET6 && n >= sizeof(six)) {
		memcpy(&six, sa, sizeof(six));
		return ipv6(&six.sin6_addr);
	}
	return (struct peer){ .kind = PEER_UNKNOWN };
}

/* A bare address: no port, no brackets, no zone. */
static bool
read_bare(struct span text, struct peer *out)
{
	char copy[INET6_ADDRSTRLEN];
	struct in_addr four;
	struct in6_addr six;

	if (text.n == 0 || text.n >= sizeof(copy) ||
	    memchr(text.p, '\0', text.n) != NULL)
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (inet_pton(AF_INET, copy, &four) == 1)
		*out = ipv4(&four);
	else if (inet_pton(AF_INET6, copy, &six) == 1)
		*out = ipv6(&six);
	else
		return false;
	return true;
}

static bool
is_port(const char *p, const char *end)
{
	if (p == end || end - p > 5)
		return false;
	for (; p < end; p++)
		if (*p < '0' || *p > '9')
			return false;
	return true;
}

bool
peer_read(struct span text, struct peer *out)
{
	const char *end = text.p + text.n, *stop;

	if (span_is(text, "unix:")) {
		*out = (struct peer){ .kind = PEER_UNIX };
		return true;
	}
	if (text.n == 0)
		return false;
	if (*text.p == '[') {
		stop = memchr(text.p, ']', text.n);
		if (stop == NULL || (stop + 1 < end &&
		    (stop[1] != ':' || !is_port(stop + 2, end))))
			return false;
		text.p++;
		text.n = (size_t)(stop - text.p);
		if (memchr(text.p, ':', text.n) == NULL)
			return false;
	} else {
		stop = memchr(text.p, ':', text.n);
		if (stop != NULL && is_port(stop + 1, end) &&
		    memchr(text.p, '.', (size_t)(stop - text.p)) != NULL)
			text.n = (size_t)(stop - text.p);
	}
	stop = memchr(text.p, '%', text.n);
	if (stop != NULL && memchr(text.p, ':', (size_t)(stop - text.p)) != NULL)
		text.n = (size_t)(stop - text.p); /* RFC 4007, section 11 */
	return read_bare(text, out);
}

/* ---- who is trusted ---- */

static bool
read_block(struct peer_list *l, struct span word)
{
	const char *slash = memchr(word.p, '/', word.n);
	struct span address = word;
	struct peer p;
	unsigned long bits, most;
	bool mapped;

	if (span_is(word, "unix")) {
		l->local = true;
		return true;
	}
	if (slash != NULL)
		address.n = (size_t)(slash - word.p);
	if (l->n == PEER_BLOCKS_MAX || !read_bare(address, &p))
		return false;
	mapped = p.kind == PEER_IPV4 &&
	    memchr(address.p, ':', address.n) != NULL;
	bits = most = p.kind == PEER_IPV4 && !mapped ? 32 : 128;
	if (slash != NULL) {
		if (!is_port(slash + 1, word.p + word.n))
			return false;
		bits = strtoul(slash + 1, NULL, 10);
	}
	if (bits > most || (mapped && bits < 96))
		return false;
	l->block[l->n].of = p;
	l->block[l->n].bits = (unsigned)(mapped ? bits - 96 : bits);
	l->n++;
	return true;
}

bool
peer_list_read(struct peer_list *l, const char *text)
{
	static const char blanks[] = " \t";

	*l = (struct peer_list){ 0 };
	while (*(text += strspn(text, blanks)) != '\0') {
		struct span word = { text, strcspn(text, blanks) };

		if (!read_block(l, word))
			return false;
		text += word.n;
	}
	return true;
}

static bool
same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

bool
peer_trusted(const struct peer_list *l, const struct peer *p)
{
	switch (p->kind) {
	case PEER_UNKNOWN:
		return false;
	case PEER_PARENT:
		return true;
	case PEER_UNIX:
		return l->local;
	case PEER_IPV4:
	case PEER_IPV6:
		break;
	}
	for (size_t i = 0; i < l->n; i++)
		if (l->block[i].of.kind == p->kind &&
		    same_bits(l->block[i].of.ip, p->ip, l->block[i].bits))
			return true;
	return false;
}

/* ---- the client ---- */

/* Takes the last entry off the list; an empty one is none (RFC 9110, section
 * 5.6.1). False: there is none left. */
static bool
take_last(struct span *list, struct span *entry)
{
	do {
		const char *comma = list->n == 0 ? NULL :
		    memrchr(list->p, ',', list->n);
		size_t at = comma == NULL ? 0 :
		    (size_t)(comma - list->p) + 1;

		if (list->n == 0)
			return false;
		*entry = span_trim((struct span){ list->p + at, list->n - at });
		list->n = comma == NULL ? 0 : at - 1;
	} while (entry->n == 0);
	return true;
}

/* As inet_ntop does, at a fraction of its time: each request has one. */
static void
write_ipv4(const unsigned char ip[4], char key[PEER_KEY_MAX])
{
	char digits[DECIMAL_MAX];

	for (size_t i = 0; i < 4; i++) {
		size_t n = decimal(digits, ip[i]);

		memcpy(key, digits, n);
		key += n;
		*key++ = i < 3 ? '.' : '\0';
	}
}

static void
write_key(const struct peer *p, char key[PEER_KEY_MAX])
{
	struct in6_addr six = { 0 };
	char text[INET6_ADDRSTRLEN] = "";

	switch (p->kind) {
	case PEER_IPV4:
		write_ipv4(p->ip, key);
		return;
	case PEER_IPV6:
		memcpy(six.s6_addr, p->ip, SITE_BITS / 8);
		inet_ntop(AF_INET6, &six, text, sizeof(text));
		snprintf(key, PEER_KEY_MAX, "%.40s/%d", text, SITE_BITS);
		return;
	case PEER_PARENT:
	case PEER_UNIX:
		snprintf(key, PEER_KEY_MAX, "unix");
		return;
	case PEER_UNKNOWN:
		break;
	}
	snprintf(key, PEER_KEY_MAX, "unknown");
}

struct client
peer_client(const struct peer_list *trusted, struct peer peer,
    struct span remote, struct span forwarded)
{
	struct span entry;
	struct client c;

	if (remote.n != 0 && peer_trusted(trusted, &peer) &&
	    !peer_read(remote, &peer))
		forwarded.n = 0;
	while (peer_trusted(trusted, &peer) && take_last(&forwarded, &entry))
		if (!peer_read(entry, &peer))
			break;
	write_key(&peer, c.key);
	c.shared = peer_trusted(trusted, &peer);
	return c;
}
