/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>

#include "tap.h"

static struct peer_list trusted;

static bool
trust(const char *text)
{
	return peer_list_read(&trusted, text);
}

static struct peer
at(const char *text)
{
	struct peer p = { .kind = PEER_UNKNOWN };

	if (strcmp(text, "cgi") == 0)
		p.kind = PEER_PARENT;
	else
		peer_read(span_of(text), &p);
	return p;
}

static bool
trusts(const char *address)
{
	struct peer p = at(address);

	return peer_trusted(&trusted, &p);
}

/* Whether peer, saying remote and forwarded, is the client key. */
static void
is(const char *peer, const char *remote, const char *forwarded,
    const char *key, const char *what)
{
	struct client c = peer_client(&trusted, at(peer), span_of(remote),
	    span_of(forwarded));

	ok(strcmp(c.key, key) == 0, "%s: %s", what, c.key);
}

static bool
reads(const char *text, const char *key)
{
	static const struct peer_list nobody;
	struct peer p;

	return peer_read(span_of(text), &p) && strcmp(peer_client(&nobody, p,
	    SPAN(""), SPAN("")).key, key) == 0;
}

static void
test_reading(void)
{
	static const char *const garbage[] = { "", " ", "unknown", "_hidden",
		"1.2.3", "1.2.3.4.5", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:999999",
		"[1.2.3.4]", "[::1", "::1]", "[::1]x", "[::1]:", "unix",
		"256.1.1.1", "01.2.3.4", "localhost", "%", "1.2.3.4%eth0",
		":::::::::::::::::::::::::::::::::::::::::::::::::::", "-",
		"\"1.2.3.4\"", "1.2.3.4 5.6.7.8" };
	struct peer p;
	bool none = true;

	ok(reads("192.0.2.1", "192.0.2.1"), "IPv4");
	ok(reads("192.0.2.1:8080", "192.0.2.1"), "IPv4 with a port");
	ok(reads("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
	    "IPv6 counts by its /64");
	ok(reads("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64") &&
	    reads("[2001:db8:1:2::9]", "2001:db8:1:2::/64"), "in brackets");
	ok(reads("fe80::1%eth0", "fe80::/64"), "with a zone");
	ok(reads("::ffff:192.0.2.1", "192.0.2.1") &&
	    reads("[::FFFF:c000:201]:1", "192.0.2.1"),
	    "IPv4-mapped counts as IPv4");
	ok(reads("unix:", "unix"), "nginx' name of a unix socket");
	ok(reads("2001:db8::1", "2001:db8::/64") &&
	    reads("2001:db8:0:0:ffff::1", "2001:db8::/64"), "one customer");
	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++)
		if (peer_read(span_of(garbage[i]), &p)) {
			printf("# read: %s\n", garbage[i]);
			none = false;
		}
	ok(none, "garbage is none");
	ok(!peer_read((struct span){ "1.2.3.4\0x", 9 }, &p) &&
	    !peer_read((struct span){ "::1\0", 4 }, &p), "a NUL is garbage");
}

static void
test_sockets(void)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct peer p;

	trust("127.0.0.0/8");
	inet_pton(AF_INET, "127.1.2.3", &four.sin_addr);
	p = peer_of((struct sockaddr *)&four, sizeof(four));
	ok(p.kind == PEER_IPV4 && peer_trusted(&trusted, &p), "of TCP");
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &six.sin6_addr);
	p = peer_of((struct sockaddr *)&six, sizeof(six));
	ok(p.kind == PEER_IPV4 && peer_trusted(&trusted, &p),
	    "of a socket for both versions");
	ok(peer_of((struct sockaddr *)&un, sizeof(un.sun_family)).kind ==
	    PEER_UNIX, "of a unix socket without a name");
	ok(peer_of((struct sockaddr *)&four, 0).kind == PEER_UNKNOWN &&
	    peer_of((struct sockaddr *)&four, 4).kind == PEER_UNKNOWN,
	    "too short an address is unknown");
}

static void
test_lists(void)
{
	static const char *const wrong[] = { "x", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/8x", "::1/129", "/8", "10/8", "unix:", "::ffff:1.2.3.4/95",
		"10.0.0.0/-1", "127.0.0.1,::1", "[::1]" };
	char many[PEER_BLOCKS_MAX * 12 + 16] = "";
	bool none = true;

	ok(trust("") && !trusts("127.0.0.1") && !trusts("unix:") &&
	    trusts("cgi"), "an empty list trusts nobody but who started us");
	ok(trust("unix 127.0.0.0/8 ::1") && trusts("unix:") &&
	    trusts("127.9.9.9") && trusts("::1") && trusts("::ffff:127.0.0.1"),
	    "the default");
	ok(!trusts("128.0.0.1") && !trusts("::2") && !trusts("x"),
	    "and nobody else");
	ok(trust("\t10.1.2.3/12  2001:db8::/33 ") && trusts("10.15.255.255") &&
	    !trusts("10.32.0.1") && trusts("2001:db8:7fff::1") &&
	    !trusts("2001:db8:8000::1"), "blocks, bit by bit");
	ok(trust("0.0.0.0/0") && trusts("1.2.3.4") && !trusts("1::2") &&
	    trust("::/0") && trusts("1::2") && !trusts("1.2.3.4"),
	    "all of one version");
	ok(trust("::ffff:10.0.0.0/104") && trusts("10.9.9.9") &&
	    !trusts("11.0.0.1"), "an IPv4-mapped block");
	ok(trust("192.0.2.7") && trusts("192.0.2.7") && !trusts("192.0.2.6"),
	    "a single address");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (trust(wrong[i])) {
			printf("# taken: %s\n", wrong[i]);
			none = false;
		}
	ok(none, "what is no list is refused");
	for (int i = 0; i < PEER_BLOCKS_MAX; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many),
		    "10.0.0.%d ", i);
	ok(trust(many) && trusts("10.0.0.63"), "%d blocks", PEER_BLOCKS_MAX);
	strcat(many, "10.1.0.1");
	ok(!trust(many), "and no more");
}

static void
test_clients(void)
{
	struct span forged = { NULL, 70000 };
	char *big = malloc(forged.n);

	trust("unix 127.0.0.0/8 ::1 10.0.0.0/8");
	is("192.0.2.9", "", "198.51.100.1", "192.0.2.9",
	    "a header from an untrusted peer is ignored");
	is("unix:", "", "198.51.100.1", "198.51.100.1", "a proxy is believed");
	is("unix:", "", "6.6.6.6, 198.51.100.1", "198.51.100.1",
	    "a forged leftmost entry is ignored");
	is("unix:", "", "6.6.6.6,198.51.100.1,10.1.1.1 , 127.0.0.1",
	    "198.51.100.1", "the rightmost that is not itself trusted");
	is("unix:", "", "198.51.100.1, unix:", "198.51.100.1",
	    "a proxy behind a unix socket");
	is("unix:", "", "garbage", "unix", "garbage is ignored");
	is("unix:", "", "6.6.6.6, garbage, 10.1.1.1", "10.1.1.1",
	    "nothing left of garbage is believed");
	is("unix:", "", " , ,198.51.100.1,\t, ,", "198.51.100.1",
	    "empty entries are none");
	is("unix:", "", "", "unix", "no header");
	is("unix:", "", ",,,", "unix", "an empty one");
	is("unix:", "", "10.2.2.2, 127.0.0.1", "10.2.2.2",
	    "when all are trusted, the first of them");
	is("x", "", "198.51.100.1", "unknown", "an unknown peer");
	is("unix:", "", "[2001:db8:5:6:7::1]:9, ::1", "2001:db8:5:6::/64",
	    "IPv6");

	is("cgi", "192.0.2.9", "198.51.100.1", "192.0.2.9",
	    "CGI: REMOTE_ADDR is believed, its header is not");
	is("cgi", "127.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1",
	    "REMOTE_ADDR is a trusted proxy's");
	is("unix:", "unix:", "198.51.100.1", "198.51.100.1",
	    "REMOTE_ADDR of nginx at a unix socket");
	is("192.0.2.1", "127.0.0.1", "198.51.100.1", "192.0.2.1",
	    "REMOTE_ADDR of an untrusted peer is not believed");
	is("unix:", "garbage", "198.51.100.1", "unix",
	    "nor is anything behind a REMOTE_ADDR that is none");
	trust("");
	is("unix:", "127.0.0.1", "198.51.100.1", "unix", "nobody is trusted");
	trust("unix");
	is("unix:", "127.0.0.1", "6.6.6.6", "127.0.0.1",
	    "loopback is no proxy when it is not in the list");

	ok(peer_client(&trusted, at("unix:"), SPAN(""), SPAN("")).shared,
	    "a proxy that does not say for whom is shared by many");
	ok(!peer_client(&trusted, at("unix:"), SPAN(""), SPAN("1.1.1.1"))
	    .shared && !peer_client(&trusted, at("x"), SPAN(""), SPAN(""))
	    .shared, "a client is not");

	/* However much a client puts in front of it. */
	memset(big, ',', forged.n);
	memcpy(big + forged.n - 8, ",1.2.3.4", 8);
	forged.p = big;
	ok(strcmp(peer_client(&trusted, at("unix:"), SPAN(""), forged).key,
	    "1.2.3.4") == 0, "a long header");
	big[forged.n - 1] = ',';
	ok(strcmp(peer_client(&trusted, at("unix:"), SPAN(""),
	    (struct span){ big, forged.n - 8 }).key, "unix") == 0,
	    "a long one of nothing");
	free(big);
}

int
main(void)
{
	test_reading();
	test_sockets();
	test_lists();
	test_clients();
	return tap_end();
}
