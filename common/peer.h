/* SPDX-License-Identifier: MIT */
/* Whose a request is, for limits: the address of the client behind the web
 * server. Both programs ask here. No I/O.
 *
 * What a header says is believed only when it comes from a peer that is
 * trusted, and no further than that: each proxy appends to X-Forwarded-For whom
 * it heard from, so the entries are read from the right as long as the one who
 * appended is trusted. What stands left of that anybody may have made up. */
#ifndef PALAVER_PEER_H
#define PALAVER_PEER_H

#include "span.h"

struct sockaddr;

enum peer_kind {
	PEER_UNKNOWN, /* never trusted */
	PEER_PARENT,  /* the web server that started us (CGI): trusted */
	PEER_UNIX,    /* a unix socket */
	PEER_IPV4,    /* an IPv4-mapped IPv6 address as well */
	PEER_IPV6
};

struct peer {
	enum peer_kind kind;
	unsigned char ip[16]; /* network order; IPv4: the first 4 */
};

#define PEER_BLOCKS_MAX 64 /* of the setting "trusted" */

/* Who is trusted. */
struct peer_list {
	bool local;     /* the word "unix" */
	size_t n;
	struct {
		struct peer of;
		unsigned bits; /* of of.ip that count */
	} block[PEER_BLOCKS_MAX];
};

#define PEER_KEY_MAX 48 /* bytes of a key with its NUL */

/* A client as limits know it. */
struct client {
	char key[PEER_KEY_MAX]; /* "192.0.2.1", "2001:db8:0:1::/64" (who has
				 * one IPv6 address has its /64), "unix",
				 * "unknown" */
	bool shared;  /* the address is a trusted one: a proxy that did not say
		       * for whom it asks, or this machine. It stands for many
		       * clients, and a count by it would have them lock each
		       * other out. */
};

/* Reads addresses and CIDR blocks (RFC 4632; RFC 4291, section 2.3) by blanks,
 * and the word "unix". False: it is none, or there are more than
 * PEER_BLOCKS_MAX. */
bool peer_list_read(struct peer_list *l, const char *text);
bool peer_trusted(const struct peer_list *l, const struct peer *p);

/* Of the other end of a socket (getpeername), n bytes. */
struct peer peer_of(const struct sockaddr *sa, size_t n);
/* Reads one address as proxies write it: "192.0.2.1", "192.0.2.1:80",
 * "2001:db8::1", "[2001:db8::1]:80", with or without a zone, "unix:" (nginx).
 * False for anything else. */
bool peer_read(struct span text, struct peer *out);

/* The client. peer: who is at the other end of our connection. remote: what
 * that one says whose request it is (REMOTE_ADDR), or empty when it has no way
 * to. forwarded: X-Forwarded-For, of any length; an entry that is no address
 * ends the reading of it. */
struct client peer_client(const struct peer_list *trusted, struct peer peer,
    struct span remote, struct span forwarded);

#endif
