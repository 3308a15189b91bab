/* SPDX-License-Identifier: MIT */
/* The small readers of what peers send: origins, access keys, UUIDs, names,
 * addresses, a handshake's fields, a close frame. The lines of the input are
 * their arguments. */
#include <arpa/inet.h>
#include <sodium.h>

#include "access_key.h"
#include "fuzz.h"
#include "origin.h"
#include "peer.h"
#include "rfc6455.h"
#include "utf8.h"

#define LINES 6

static void
check_texts(struct span a)
{
	char user[UUID_LEN + 1], again[UUID_LEN + 1], hash[KEY_HASH_LEN + 1];
	size_t chars = 0;

	if (uuid_read(a, user)) {
		HOLDS(strlen(user) == UUID_LEN);
		HOLDS(uuid_read(span_of(user), again) &&
		    strcmp(user, again) == 0);
	}
	if (access_key_read(a, user, hash))
		HOLDS(strlen(user) == UUID_LEN &&
		    strlen(hash) == KEY_HASH_LEN);
	if (utf8_valid(a, &chars))
		HOLDS(utf8_encoded(a) && chars <= a.n);
	if (utf8_is_name(a, 64) || utf8_is_message(a, 4096, 16384) ||
	    utf8_is_channel(a))
		HOLDS(a.n > 0 && utf8_valid(a, NULL));
	HOLDS(rfc6455_close(a) <= 4999);
}

static void
check_peers(const struct span *s)
{
	struct peer_list list;
	struct peer p;
	struct client c;
	char *text = strndup(s[0].p, s[0].n);

	HOLDS(text != NULL);
	if (peer_list_read(&list, text)) {
		HOLDS(list.n <= PEER_BLOCKS_MAX);
		if (peer_read(s[1], &p))
			peer_trusted(&list, &p);
		c = peer_client(&list, (struct peer){ .kind = PEER_UNIX },
		    s[1], s[2]);
		HOLDS(memchr(c.key, '\0', sizeof(c.key)) != NULL &&
		    c.key[0] != '\0');
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size }, s[LINES];
	struct handshake h;
	unsigned status;
	char *origins;

	if (sodium_init() < 0)
		return 0;
	for (size_t i = 0; i < LINES; i++) {
		const char *end = memchr(in.p, '\n', in.n);

		s[i] = fuzz_take(&in, end == NULL ? in.n :
		    (size_t)(end - in.p));
		if (in.n > 0) {
			in.p++;
			in.n--;
		}
		check_texts(s[i]);
	}
	origins = strndup(s[0].p, s[0].n);
	HOLDS(origins != NULL);
	if (s[1].n == 0)
		HOLDS(origin_allowed(origins, s[1], s[2]));
	else
		origin_allowed(origins, s[1], s[2]);
	free(origins);
	check_peers(s);
	h = (struct handshake){ true, s[0], s[1], s[2], s[3], s[4], s[5] };
	status = rfc6455_handshake(&h);
	HOLDS(status == 0 || status == HANDSHAKE_BAD ||
	    status == HANDSHAKE_UPGRADE);
	for (size_t i = 0; i < LINES; i++)
		fuzz_free(s[i]);
	return 0;
}
