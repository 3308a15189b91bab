/* SPDX-License-Identifier: MIT */
#include "rfc6455.h"

#include "tap.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

static struct handshake
good(void)
{
	return (struct handshake){ true, SPAN("HTTP/1.1"), SPAN("h"),
		SPAN("WebSocket"), SPAN("keep-alive ,\tUpgrade"), SPAN(KEY),
		SPAN("13") };
}

static void
refuses(const char *what, struct handshake h, unsigned status)
{
	ok(rfc6455_handshake(&h) == status, "%s: %u", what, status);
}

#define WITH(member, value, status) do { \
	struct handshake h = good(); \
	h.member = value; \
	refuses(#member " " #value, h, status); \
} while (0)

static void
closes(unsigned code, unsigned answer)
{
	char payload[2] = { (char)(code >> 8), (char)code };

	ok(rfc6455_close((struct span){ payload, 2 }) == answer,
	    "close %u is answered with %u", code, answer);
}

int
main(void)
{
	static const unsigned fine[] = { 1000, 1003, 1007, 1011, 1012, 1014,
		3000, 4999 };
	static const unsigned wrong[] = { 0, 999, 1004, 1005, 1006, 1015,
		2999, 5000, 65535 };

	refuses("as it should be", good(), 0);
	WITH(get, false, 405);
	WITH(http, SPAN("HTTP/1.0"), 400);
	WITH(http, SPAN(""), 400);
	WITH(host, SPAN(""), 400);
	WITH(upgrade, SPAN(""), 426);
	WITH(upgrade, SPAN("h2c"), 426);
	WITH(upgrade, SPAN("websockets"), 426);
	WITH(upgrade, SPAN("h2c, websocket"), 0);
	WITH(connection, SPAN(""), 426);
	WITH(connection, SPAN(","), 426);
	WITH(connection, SPAN("up"), 426);
	WITH(connection, SPAN("upgrade,"), 0);
	WITH(key, SPAN(""), 400);
	WITH(key, SPAN("dGhlIHNhbXBsZSBub25jZQ="), 400);
	WITH(key, SPAN("dGhlIHNhbXBsZSBub25jZQ===="), 400);
	WITH(key, SPAN("dGhlIHNhbXBsZSBub25jZ!=="), 400);
	WITH(key, SPAN("dGhlIHNhbXBsZSBub25jZQaa"), 400);
	WITH(version, SPAN(""), 426);
	WITH(version, SPAN("8"), 426);
	WITH(version, SPAN("131"), 426);

	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++)
		closes(fine[i], fine[i]);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		closes(wrong[i], 1002);
	ok(rfc6455_close(SPAN("")) == 0, "an empty close, an empty answer");
	ok(rfc6455_close(SPAN("x")) == 1002, "one byte is no code");
	ok(rfc6455_close(SPAN("\x03\xe8" "bye")) == 1000, "with a reason");
	ok(rfc6455_close(SPAN("\x03\xe8\xff")) == 1007, "no UTF-8");
	ok(rfc6455_close(SPAN("\x03\xe8\xe2\x82")) == 1007, "cut UTF-8");
	return tap_end();
}
